//! The forward sweep: rows of masses, and the shares of the ways into each cell.
//!
//! The ways into a cell are numbered as ties are broken: 0 is to begin there, then come the steps in the order of
//! [`Model::order`]. A row needs the rows before it as far as steps reach, so these lie in a ring.

use super::minimum::Minimum;
use super::model::{MOST_STEPS, Model};
use super::parameter::{Parameter, ParameterRow};
use crate::cost::CostRows;
use crate::error::Error;

/// Makes as many copies of a value, if memory for them can be had.
pub(super) fn room<T: Clone>(count: usize, value: T) -> Result<Vec<T>, Error> {
    let mut room = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>());
    room.try_reserve_exact(count).map_err(|_| Error::Memory { bytes })?;
    room.resize(count, value);
    Ok(room)
}

/// Weights whose rates are made once, where they can be.
enum Rates<R> {
    Number(R),
    Targets(Vec<R>),
    /// Made for each row, or each cell.
    Later,
}

/// The charge of a way into the cells of a row.
#[derive(Clone, Copy)]
struct Charge {
    /// The row of `charges` that holds it.
    row: usize,
    /// The row of weighted costs that it starts from.
    weighted: usize,
}

/// The forward sweep of one model.
pub(super) struct Forward<'a, C, M: Minimum> {
    model: &'a Model<'a>,
    costs: &'a C,
    minimum: M,
    /// Steps in the order of their numbers as ways, from 1.
    order: Vec<usize>,
    /// Distinct weights of steps and entries, and of exits at the end.
    weights: Vec<Parameter<'a>>,
    rates: Vec<Rates<M::Rate>>,
    /// The charge of each way; that of way 0 is its weighted cost alone.
    charges_of: Vec<Charge>,
    weighted_at_exit: usize,
    exits_are_weighted: bool,
    /// Masses of penalties that rows do not change: of one number, or of each target.
    penalties: Vec<Option<Vec<M::Mass>>>,
    row_costs: Vec<f64>,
    /// Rows of M masses: weighted costs, one a distinct weight, then those joined with penalties.
    charges: Vec<M::Mass>,
    entries: Vec<M::Mass>,
    ring: Vec<M::Mass>,
    depth: usize,
    width: usize,
    margin: usize,
}

impl<'a, C: CostRows, M: Minimum> Forward<'a, C, M> {
    /// Makes ready, before the first row.
    pub fn new(model: &'a Model<'a>, costs: &'a C, minimum: M) -> Result<Self, Error> {
        let m = model.shape.m;
        let order = model.order();
        let mut weights: Vec<Parameter<'a>> = vec![];
        let mut index_of = |weight: Parameter<'a>| {
            weights.iter().position(|known| known.is_surely(weight)).unwrap_or_else(|| {
                weights.push(weight);
                weights.len() - 1
            })
        };
        let weighted: Vec<usize> = std::iter::once(model.first_weight())
            .chain(order.iter().map(|&s| model.steps[s].weight))
            .map(&mut index_of)
            .collect();
        let exits_are_weighted = !matches!(model.exit_weight, Parameter::Number(0.0));
        let weighted_at_exit = if exits_are_weighted { index_of(model.exit_weight) } else { 0 };
        let mut rows = weights.len();
        let mut charges_of = vec![Charge { row: weighted[0], weighted: weighted[0] }];
        for (&s, &weighted) in order.iter().zip(&weighted[1..]) {
            let is_free = matches!(model.steps[s].penalty, Parameter::Number(0.0));
            let row = if is_free { weighted } else { rows };
            rows += usize::from(!is_free);
            charges_of.push(Charge { row, weighted });
        }
        let mut rates = vec![];
        for weight in &weights {
            rates.push(match *weight {
                Parameter::Number(weight) => Rates::Number(minimum.rate(weight)),
                Parameter::Targets(weights) => {
                    let mut rates = room(m, minimum.rate(0.0))?;
                    rates.iter_mut().zip(weights).for_each(|(rate, &weight)| *rate = minimum.rate(weight));
                    Rates::Targets(rates)
                }
                Parameter::Frames(_) | Parameter::Cells(_) => Rates::Later,
            });
        }
        let mut penalties = vec![];
        for &s in &order {
            penalties.push(match model.steps[s].penalty {
                Parameter::Number(penalty) => Some(vec![minimum.of_penalty(penalty)]),
                Parameter::Targets(of_targets) => {
                    let mut masses = room(m, M::NOTHING)?;
                    masses.iter_mut().zip(of_targets).for_each(|(mass, &penalty)| *mass = minimum.of_penalty(penalty));
                    Some(masses)
                }
                Parameter::Frames(_) | Parameter::Cells(_) => None,
            });
        }
        let (frames, margin) = model.reach();
        let (depth, width) = (frames + 1, margin + m);
        Ok(Self {
            model,
            costs,
            minimum,
            order,
            weights,
            rates,
            charges_of,
            weighted_at_exit,
            exits_are_weighted,
            penalties,
            row_costs: room(m, 0.0)?,
            charges: room(rows.saturating_mul(m), M::NOTHING)?,
            entries: room(m, M::NOTHING)?,
            ring: room(depth * width, M::NOTHING)?,
            depth,
            width,
            margin,
        })
    }

    /// Returns the number of ways into a cell.
    pub fn ways(&self) -> usize {
        self.order.len() + 1
    }

    /// Returns M.
    pub fn targets(&self) -> usize {
        self.model.shape.m
    }

    /// Returns the number of masses that [`Self::save`] writes.
    pub fn saved(&self) -> usize {
        self.ring.len()
    }

    /// Writes the rows that later ones need.
    pub fn save(&self, to: &mut [M::Mass]) {
        to.copy_from_slice(&self.ring);
    }

    /// Goes back to where [`Self::save`] was.
    pub fn restore(&mut self, from: &[M::Mass]) {
        self.ring.copy_from_slice(from);
    }

    /// Makes row n from those before: adds its ends to `ends` as (m, mass), and writes the shares of all ways into each
    /// cell, (M, ways). Returns `false` where a cost is not a number.
    pub fn make_row(&mut self, n: usize, shares: Option<&mut [f64]>, ends: &mut Vec<(usize, M::Mass)>) -> bool {
        let m = self.model.shape.m;
        self.costs.write_row(n, 0..m, &mut self.row_costs);
        if self.row_costs.iter().any(|cost| cost.is_nan()) {
            return false;
        }
        self.charge_row(n);
        let has_entries = self.enter_row(n);
        self.meet_row(n, has_entries, shares);
        self.end_row(n, ends);
        true
    }

    /// Makes the charges of all ways into row n.
    fn charge_row(&mut self, n: usize) {
        let m = self.model.shape.m;
        let minimum = self.minimum;
        for (index, (weight, rates)) in self.weights.iter().zip(&self.rates).enumerate() {
            let out = &mut self.charges[index * m..][..m];
            let mass = |cost: f64, rate| if cost == f64::INFINITY { M::NOTHING } else { minimum.mass(cost, rate) };
            let by_one_rate = |out: &mut [M::Mass], rate| {
                out.iter_mut().zip(&self.row_costs).for_each(|(out, &cost)| *out = mass(cost, rate));
            };
            match (rates, weight.row(m, n)) {
                (Rates::Number(rate), _) => by_one_rate(out, *rate),
                (Rates::Targets(rates), _) => {
                    for ((out, &cost), &rate) in out.iter_mut().zip(&self.row_costs).zip(rates) {
                        *out = mass(cost, rate);
                    }
                }
                (Rates::Later, ParameterRow::Constant(weight)) => by_one_rate(out, minimum.rate(weight)),
                (Rates::Later, ParameterRow::Each(weights)) => {
                    for ((out, &cost), &weight) in out.iter_mut().zip(&self.row_costs).zip(weights) {
                        *out = mass(cost, minimum.rate(weight));
                    }
                }
            }
        }
        for ((&s, penalty), &Charge { row, weighted }) in
            self.order.iter().zip(&self.penalties).zip(&self.charges_of[1..])
        {
            if row == weighted {
                continue;
            }
            let (before, after) = self.charges.split_at_mut(row * m);
            let weighted = &before[weighted * m..][..m];
            let ways = after[..m].iter_mut().zip(weighted);
            match (penalty.as_deref(), self.model.steps[s].penalty.row(m, n)) {
                (Some([penalty]), _) => ways.for_each(|(out, &mass)| *out = M::join(mass, *penalty)),
                (Some(penalties), _) => {
                    ways.zip(penalties).for_each(|((out, &mass), &penalty)| *out = M::join(mass, penalty));
                }
                (None, ParameterRow::Constant(penalty)) => {
                    let penalty = minimum.of_penalty(penalty);
                    ways.for_each(|(out, &mass)| *out = M::join(mass, penalty));
                }
                (None, ParameterRow::Each(penalties)) => {
                    for ((out, &mass), &penalty) in ways.zip(penalties) {
                        *out = M::join(mass, minimum.of_penalty(penalty));
                    }
                }
            }
        }
    }

    /// Makes the masses of paths that begin in row n; returns `false` where none may.
    fn enter_row(&mut self, n: usize) -> bool {
        let m = self.model.shape.m;
        let mut has_entries = false;
        let (entries, charges) = (&mut self.entries, &self.charges[self.charges_of[0].row * m..][..m]);
        self.model.entry.for_row(n, m, |m, cost| {
            if cost < f64::INFINITY {
                if !has_entries {
                    entries.fill(M::NOTHING);
                    has_entries = true;
                }
                entries[m] = M::join(charges[m], self.minimum.of_penalty(cost));
            }
        });
        has_entries
    }

    /// Lets the ways into each cell of row n meet.
    fn meet_row(&mut self, n: usize, has_entries: bool, mut shares: Option<&mut [f64]>) {
        let m = self.model.shape.m;
        let count = self.ways();
        let row = n % self.depth * self.width;
        // Where the source of target 0 lies in the ring, and the charge of target 0.
        let mut sources = [(0, 0); MOST_STEPS];
        for (k, &s) in self.order.iter().enumerate() {
            let step = self.model.steps[s];
            let source = (n + self.depth - step.frames) % self.depth * self.width + self.margin - step.targets;
            sources[k] = (source, self.charges_of[k + 1].row * m);
        }
        let sources = &sources[..count - 1];
        let mut ways = [M::NOTHING; MOST_STEPS + 1];
        let ways = &mut ways[..count];
        let mut unused = [0.0; MOST_STEPS + 1];
        for m in 0..m {
            ways[0] = if has_entries { self.entries[m] } else { M::NOTHING };
            for (way, &(source, charge)) in ways[1..].iter_mut().zip(sources) {
                *way = M::join(self.ring[source + m], self.charges[charge + m]);
            }
            let shares = match &mut shares {
                Some(shares) => &mut shares[m * count..][..count],
                None => &mut unused[..count],
            };
            self.ring[row + self.margin + m] = self.minimum.meet(ways, shares);
        }
    }

    /// Adds the ends of paths in row n.
    fn end_row(&self, n: usize, ends: &mut Vec<(usize, M::Mass)>) {
        let m = self.model.shape.m;
        let masses = &self.ring[n % self.depth * self.width + self.margin..][..m];
        let weighted = &self.charges[self.weighted_at_exit * m..][..m];
        self.model.exit.for_row(n, m, |m, cost| {
            let mass = masses[m];
            if cost < f64::INFINITY && !M::is_nothing(mass) {
                let charged = if self.exits_are_weighted { M::join(mass, weighted[m]) } else { mass };
                ends.push((m, M::join(charged, self.minimum.of_penalty(cost))));
            }
        });
    }
}
