//! From rows of the alignment to what the caller asked for.

use super::backward::{AlignmentRow, AlignmentSink};
use super::model::Model;
use super::parameter::Parameter;
use crate::cost::CostRows;
use crate::readout::{Features, Outputs, Readout};
use crate::real::Real;
use crate::row_sink::RowSink;
use crate::shape::Shape;

/// The outputs that are asked for and the memory they go to; `None` is not computed. Entries need not be zero.
pub struct ModelOutputs<'a, F> {
    /// h, H, E, modified targets and gradients of sequences, the entropy and the path.
    pub plain: Outputs<'a, F>,
    /// U_s, (S,N,M): the probability that the path arrives at a cell by step s.
    pub step_posteriors: Option<&'a mut [F]>,
    /// U_0, (N,M): the probability that the path begins at a cell.
    pub begin: Option<&'a mut [F]>,
    /// q, (N,M): the probability that the path ends at a cell.
    pub end: Option<&'a mut [F]>,
    /// Sums of the columns of E, (M,): the expected number of visits to each target.
    pub visits: Option<&'a mut [f64]>,
    /// Gradients of weights and penalties.
    pub gradients: Option<&'a mut Gradients>,
}

impl<F> Default for ModelOutputs<'_, F> {
    fn default() -> Self {
        Self { plain: Outputs::default(), step_posteriors: None, begin: None, end: None, visits: None, gradients: None }
    }
}

impl<F> ModelOutputs<'_, F> {
    /// Tells if rows of the alignment are needed at all.
    pub fn needs_alignment(&self) -> bool {
        self.plain.needs_alignment()
            || self.step_posteriors.is_some()
            || self.begin.is_some()
            || self.end.is_some()
            || self.visits.is_some()
            || self.gradients.is_some()
    }
}

/// Gradients of weights and penalties, each with as many entries as its parameter.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// dvalue/dw_s of each step; where w_0 is the weight of a step, dvalue/dw_0 is part of it.
    pub step_weights: Vec<Vec<f64>>,
    /// dvalue/db_s of each step: its expected use.
    pub step_penalties: Vec<Vec<f64>>,
    /// dvalue/dw_0; of no entries where w_0 is not given.
    pub entry_weight: Vec<f64>,
    /// dvalue/dw_x.
    pub exit_weight: Vec<f64>,
}

impl Gradients {
    /// Makes zeros for the parameters of a model.
    pub fn zeros(model: &Model<'_>) -> Self {
        let zeros = |parameter: Parameter<'_>| vec![0.0; parameter.len()];
        Self {
            step_weights: model.steps.iter().map(|step| zeros(step.weight)).collect(),
            step_penalties: model.steps.iter().map(|step| zeros(step.penalty)).collect(),
            entry_weight: model.entry_weight.map_or(vec![], zeros),
            exit_weight: zeros(model.exit_weight),
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Vec<f64>> {
        let Self { step_weights, step_penalties, entry_weight, exit_weight } = self;
        step_weights.iter_mut().chain(step_penalties).chain([entry_weight, exit_weight])
    }
}

/// Writes rows of the alignment to outputs.
pub(super) struct ModelReadout<'a, 'o, F, C> {
    model: &'a Model<'a>,
    costs: &'a C,
    order: Vec<usize>,
    readout: Readout<'a, 'o, F>,
    step_posteriors: Option<&'a mut [F]>,
    begin: Option<&'a mut [F]>,
    end: Option<&'a mut [F]>,
    visits: Option<&'a mut [f64]>,
    gradients: Option<&'a mut Gradients>,
    row_costs: Vec<f64>,
    charged: Vec<f64>,
}

impl<'a, 'o, F: Real, C: CostRows> ModelReadout<'a, 'o, F, C> {
    /// Makes the readout of one model.
    pub fn new(
        model: &'a Model<'a>,
        costs: &'a C,
        features: Features<'a, F>,
        outputs: &'a mut ModelOutputs<'o, F>,
    ) -> Self {
        let ModelOutputs { plain, step_posteriors, begin, end, visits, gradients } = outputs;
        let of_costs = if gradients.is_some() { model.shape.m } else { 0 };
        let mut visits = visits.as_deref_mut();
        if let Some(visits) = &mut visits {
            visits.fill(0.0);
        }
        Self {
            model,
            costs,
            order: model.order(),
            readout: Readout::new(features, plain, model.shape).leaving_frames_out(),
            step_posteriors: step_posteriors.as_deref_mut(),
            begin: begin.as_deref_mut(),
            end: end.as_deref_mut(),
            visits,
            gradients: gradients.as_deref_mut(),
            row_costs: vec![0.0; of_costs],
            charged: vec![0.0; of_costs],
        }
    }

    /// Writes what is known only after the last row.
    pub fn finish(self) {
        self.readout.finish();
    }

    /// Sets every output to NaN.
    pub fn poison(self) {
        self.readout.poison();
        for output in [self.step_posteriors, self.begin, self.end].into_iter().flatten() {
            output.fill(F::from_f64(f64::NAN));
        }
        if let Some(visits) = self.visits {
            visits.fill(f64::NAN);
        }
        if let Some(gradients) = self.gradients {
            gradients.all_mut().for_each(|gradient| gradient.fill(f64::NAN));
        }
    }
}

fn write<F: Real>(to: &mut [F], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = F::from_f64(from));
}

impl<F: Real, C: CostRows> AlignmentSink for ModelReadout<'_, '_, F, C> {
    fn take(&mut self, row: &AlignmentRow<'_>) {
        let Shape { n: rows, m } = self.model.shape;
        let &AlignmentRow { n, visits, soft_alignment, uses, ends } = row;
        let of_row = n * m..(n + 1) * m;
        self.readout.take_row(n, 0..m, visits, soft_alignment);
        if let Some(posteriors) = &mut self.step_posteriors {
            for (&s, uses) in self.order.iter().zip(uses[m..].chunks_exact(m)) {
                write(&mut posteriors[s * rows * m..][of_row.clone()], uses);
            }
        }
        if let Some(begin) = &mut self.begin {
            write(&mut begin[of_row.clone()], &uses[..m]);
        }
        if let Some(end) = &mut self.end {
            let end = &mut end[of_row];
            end.fill(F::default());
            ends.iter().for_each(|&(m, q)| end[m] = F::from_f64(q));
        }
        if let Some(sums) = &mut self.visits {
            sums.iter_mut().zip(visits).for_each(|(sum, e)| *sum += e);
        }
        let Some(gradients) = &mut self.gradients else { return };
        self.costs.write_row(n, 0..m, &mut self.row_costs);
        let (costs, charged) = (&self.row_costs, &mut self.charged);
        for (&s, uses) in self.order.iter().zip(uses[m..].chunks_exact(m)) {
            let step = self.model.steps[s];
            step.penalty.add_gradient(n, uses, &mut gradients.step_penalties[s]);
            charge(costs, uses, charged);
            step.weight.add_gradient(n, charged, &mut gradients.step_weights[s]);
        }
        charge(costs, &uses[..m], charged);
        match (self.model.entry_weight, self.model.diagonal()) {
            (Some(weight), _) => weight.add_gradient(n, charged, &mut gradients.entry_weight),
            (None, Some(s)) => self.model.steps[s].weight.add_gradient(n, charged, &mut gradients.step_weights[s]),
            (None, None) => {}
        }
        charged.fill(0.0);
        ends.iter().for_each(|&(m, q)| charged[m] = if q == 0.0 { 0.0 } else { q * costs[m] });
        self.model.exit_weight.add_gradient(n, charged, &mut gradients.exit_weight);
    }
}

/// Writes C U of a row; 0 and not NaN where the cost is +inf.
fn charge(costs: &[f64], uses: &[f64], out: &mut [f64]) {
    for ((out, &cost), &u) in out.iter_mut().zip(costs).zip(uses) {
        *out = if u == 0.0 { 0.0 } else { u * cost };
    }
}
