//! The backward sweep: rows of E, H and of the use of every step, from the shares of the forward sweep. Products alone.

use super::checkpoints::RowsFromLast;
use super::forward::room;
use super::model::Model;
use super::parameter::Parameter;
use crate::error::Error;

/// Probabilities below this are none: they would only slow the machine down as they fade out of range.
const LEAST_PROBABILITY: f64 = 1e-290;

/// A row of the alignment.
pub(super) struct AlignmentRow<'a> {
    /// n.
    pub n: usize,
    /// E(n,.), (M,).
    pub visits: &'a [f64],
    /// H(n,.), (M,).
    pub soft_alignment: &'a [f64],
    /// U_s(n,.) of every way, (ways, M): to begin, then the steps by their order.
    pub uses: &'a [f64],
    /// Where paths end in this row, by rising m, with q(n,m).
    pub ends: &'a [(usize, f64)],
}

/// The way from the backward sweep to outputs.
pub(super) trait AlignmentSink {
    /// Takes rows from the last to the first.
    fn take(&mut self, row: &AlignmentRow<'_>);
}

/// The backward sweep of one model.
pub(super) struct Backward<'a, S> {
    model: &'a Model<'a>,
    sink: &'a mut S,
    /// The weight of each way.
    weights: Vec<Parameter<'a>>,
    /// Frames and targets that each way advances; way 0 has none.
    sizes: Vec<(usize, usize)>,
    visits: Vec<f64>,
    soft_alignment: Vec<f64>,
    uses: Vec<f64>,
    /// The mass that later cells send to each cell: rows n, n-1, ..., as far as steps reach, in a ring.
    sent: Vec<f64>,
    depth: usize,
    width: usize,
    margin: usize,
    entropy: Option<Entropy>,
}

impl<'a, S: AlignmentSink> Backward<'a, S> {
    /// Makes ready, before the last row.
    pub fn new(model: &'a Model<'a>, sink: &'a mut S, wants_entropy: bool) -> Result<Self, Error> {
        let m = model.shape.m;
        let steps = model.order().into_iter().map(|s| model.steps[s]);
        let weights: Vec<_> = std::iter::once(model.first_weight()).chain(steps.clone().map(|s| s.weight)).collect();
        let sizes = std::iter::once((0, 0)).chain(steps.map(|s| (s.frames, s.targets))).collect();
        let (frames, margin) = model.reach();
        let (depth, width) = (frames + 1, margin + m);
        Ok(Self {
            model,
            sink,
            visits: room(m, 0.0)?,
            soft_alignment: room(m, 0.0)?,
            uses: room(weights.len().saturating_mul(m), 0.0)?,
            sent: room(depth.saturating_mul(width), 0.0)?,
            weights,
            sizes,
            depth,
            width,
            margin,
            entropy: wants_entropy.then(Entropy::default),
        })
    }

    /// Returns the entropy of the distribution of paths, where it was asked for.
    pub fn entropy(self) -> Option<f64> {
        self.entropy.map(Entropy::finish)
    }
}

impl<S: AlignmentSink> RowsFromLast for Backward<'_, S> {
    fn take_row(&mut self, n: usize, shares: &[f64], ends: &[(usize, f64)]) {
        let m = self.model.shape.m;
        let ways = self.sizes.len();
        let slot = |frames: usize| (n + self.depth - frames) % self.depth * self.width;
        let own = slot(0);
        for &(m, q) in ends {
            self.sent[own + self.margin + m] += q;
            if let Some(entropy) = &mut self.entropy {
                entropy.add_end(q);
            }
        }
        self.uses.fill(0.0);
        for m_at in (0..m).rev() {
            let e = self.sent[own + self.margin + m_at];
            let e = if e < LEAST_PROBABILITY { 0.0 } else { e };
            self.visits[m_at] = e;
            if e == 0.0 {
                continue;
            }
            let shares = &shares[m_at * ways..][..ways];
            for (k, &share) in shares.iter().enumerate() {
                let u = e * share;
                self.uses[k * m + m_at] = u;
                if k > 0 {
                    let (frames, targets) = self.sizes[k];
                    self.sent[slot(frames) + self.margin + m_at - targets] += u;
                }
            }
            if let Some(entropy) = &mut self.entropy {
                entropy.add_cell(e, shares);
            }
        }
        self.soft_alignment.fill(0.0);
        for (weight, uses) in self.weights.iter().zip(self.uses.chunks_exact(m)) {
            let weight = weight.row(m, n);
            for (m, (h, u)) in self.soft_alignment.iter_mut().zip(uses).enumerate() {
                *h += weight.at(m) * u;
            }
        }
        if !matches!(self.model.exit_weight, Parameter::Number(0.0)) {
            let weight = self.model.exit_weight.row(m, n);
            ends.iter().for_each(|&(m, q)| self.soft_alignment[m] += weight.at(m) * q);
        }
        self.sent[own..][..self.width].fill(0.0);
        let Self { visits, soft_alignment, uses, .. } = self;
        self.sink.take(&AlignmentRow { n, visits, soft_alignment, uses, ends });
    }
}

/// The entropy -sum E sum p log p - sum q log q, exact also where a probability is 1 to rounding.
#[derive(Default)]
struct Entropy {
    sum: f64,
    /// The greatest q so far, and the sum of all others.
    greatest_end: f64,
    other_ends: f64,
}

impl Entropy {
    fn add_cell(&mut self, visits: f64, shares: &[f64]) {
        // The greatest takes its logarithm from the others.
        let top = shares.iter().enumerate().fold(0, |top, (k, &share)| if share > shares[top] { k } else { top });
        let (mut others, mut of_others) = (0.0, 0.0);
        for (k, &share) in shares.iter().enumerate() {
            if k != top && share > 0.0 {
                others += share;
                of_others += share * share.ln();
            }
        }
        if others > 0.0 {
            self.sum -= visits * (of_others + shares[top] * (-others).ln_1p());
        }
    }

    fn add_end(&mut self, q: f64) {
        let less = q.min(self.greatest_end);
        self.greatest_end = q.max(self.greatest_end);
        if less > 0.0 {
            self.other_ends += less;
            self.sum -= less * less.ln();
        }
    }

    fn finish(self) -> f64 {
        self.sum - self.greatest_end * (-self.other_ends).ln_1p()
    }
}
