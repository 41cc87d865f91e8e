//! The model: steps, where paths begin and end, and what each is charged.

use super::parameter::{Parameter, ParameterRow};
use crate::error::Error;
use crate::shape::Shape;

/// The greatest size of a step along either axis.
pub const LARGEST_SIZE: usize = 4;
/// The greatest number of steps.
pub const MOST_STEPS: usize = 64;

/// A step: arrives at (n,m) from (n-i, m-j) and is charged `weight * C(n,m) + penalty`.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// i, the prediction frames that it advances.
    pub frames: usize,
    /// j, the target frames that it advances.
    pub targets: usize,
    /// w_s, finite and not negative.
    pub weight: Parameter<'a>,
    /// b_s, above -inf; +inf forbids.
    pub penalty: Parameter<'a>,
}

/// Costs to begin or to end a path, above -inf; +inf forbids.
#[derive(Clone, Copy, Debug)]
pub enum EndCosts<'a> {
    /// 0 at one cell (n,m), +inf elsewhere.
    Cell(usize, usize),
    /// Costs along one row and one column, +inf elsewhere; where they cross, those of the row.
    Border {
        /// A row n and its costs, (M,).
        row: Option<(usize, &'a [f64])>,
        /// A column m and its costs, (N,).
        column: Option<(usize, &'a [f64])>,
    },
    /// Costs everywhere.
    Everywhere(Parameter<'a>),
}

impl<'a> EndCosts<'a> {
    /// Calls `take` with the cells of row n, by rising m, whose costs may be finite.
    pub fn for_row(&self, n: usize, targets: usize, mut take: impl FnMut(usize, f64)) {
        match *self {
            Self::Cell(row, m) => {
                if n == row {
                    take(m, 0.0);
                }
            }
            Self::Border { row, column } => {
                if let Some((at, costs)) = row
                    && at == n
                {
                    costs.iter().enumerate().for_each(|(m, &cost)| take(m, cost));
                } else if let Some((m, costs)) = column {
                    take(m, costs[n]);
                }
            }
            Self::Everywhere(parameter) => {
                let row: ParameterRow<'a> = parameter.row(targets, n);
                (0..targets).for_each(|m| take(m, row.at(m)));
            }
        }
    }

    fn check(&self, name: &'static str, shape: Shape) -> Result<(), Error> {
        let (fits, is_right) = match *self {
            Self::Cell(n, m) => (n < shape.n && m < shape.m, true),
            Self::Border { row, column } => {
                let row_fits = row.is_none_or(|(n, costs)| n < shape.n && costs.len() == shape.m);
                let column_fits = column.is_none_or(|(m, costs)| m < shape.m && costs.len() == shape.n);
                let mut costs = row.into_iter().chain(column).flat_map(|(_, costs)| costs);
                (row_fits && column_fits, costs.all(|&cost| cost > f64::NEG_INFINITY))
            }
            Self::Everywhere(parameter) => (parameter.fits(shape), parameter.all(|cost| cost > f64::NEG_INFINITY)),
        };
        if !fits {
            return Err(Error::argument(name, format!("does not fit a cost matrix of {} x {}", shape.n, shape.m)));
        }
        if !is_right {
            return Err(Error::argument(name, "holds NaN or -inf; costs are numbers above -inf, and +inf forbids"));
        }
        Ok(())
    }
}

/// The settings of an alignment, all but the costs.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    /// N and M.
    pub shape: Shape,
    /// The softness; 0 is the hard minimum.
    pub gamma: f64,
    /// The steps, in the order of the caller.
    pub steps: Vec<Step<'a>>,
    /// e.
    pub entry: EndCosts<'a>,
    /// x.
    pub exit: EndCosts<'a>,
    /// w_0; `None` is the weight of the first step (1,1), without one 1.
    pub entry_weight: Option<Parameter<'a>>,
    /// w_x.
    pub exit_weight: Parameter<'a>,
}

impl<'a> Model<'a> {
    /// Returns the first step (1,1).
    pub fn diagonal(&self) -> Option<usize> {
        self.steps.iter().position(|step| (step.frames, step.targets) == (1, 1))
    }

    /// Returns w_0.
    pub fn first_weight(&self) -> Parameter<'a> {
        let of_diagonal = || self.diagonal().map(|s| self.steps[s].weight);
        self.entry_weight.or_else(of_diagonal).unwrap_or(Parameter::Number(1.0))
    }

    /// Returns the steps in the order that ties follow: the larger i + j first, then the larger i, then the first listed.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.steps.len()).collect();
        order.sort_by_key(|&s| {
            let Step { frames, targets, .. } = self.steps[s];
            std::cmp::Reverse((frames + targets, frames))
        });
        order
    }

    /// Returns the most frames and the most targets that a step advances.
    pub fn reach(&self) -> (usize, usize) {
        let frames = self.steps.iter().map(|step| step.frames).max();
        let targets = self.steps.iter().map(|step| step.targets).max();
        (frames.unwrap_or(0), targets.unwrap_or(0))
    }

    /// Checks sizes, weights and penalties.
    pub fn check(&self) -> Result<(), Error> {
        if !(self.gamma.is_finite() && self.gamma >= 0.0) {
            let message = format!("is {}; gamma is finite and not negative (0 is the hard minimum)", self.gamma);
            return Err(Error::argument("gamma", message));
        }
        if self.steps.is_empty() || self.steps.len() > MOST_STEPS {
            let message = format!("are {}; from 1 to {MOST_STEPS} steps are accepted", self.steps.len());
            return Err(Error::argument("steps", message));
        }
        for (s, step) in self.steps.iter().enumerate() {
            let (i, j) = (step.frames, step.targets);
            if i > LARGEST_SIZE || j > LARGEST_SIZE || i + j == 0 {
                let message = format!("step {s} is ({i},{j}); sizes are from 0 to {LARGEST_SIZE} and not both 0");
                return Err(Error::argument("steps", message));
            }
            self.check_weight("steps", &step.weight)?;
            if !step.penalty.fits(self.shape) {
                return Err(self.misfit("steps"));
            }
            if !step.penalty.all(|penalty| penalty > f64::NEG_INFINITY) {
                let message = format!("step {s} has a penalty of NaN or -inf; penalties are above -inf, +inf forbids");
                return Err(Error::argument("steps", message));
            }
        }
        self.entry.check("entry", self.shape)?;
        self.exit.check("exit", self.shape)?;
        if let Some(weight) = self.entry_weight {
            self.check_weight("entry_weight", &weight)?;
        }
        self.check_weight("exit_weight", &self.exit_weight)
    }

    fn check_weight(&self, name: &'static str, weight: &Parameter<'_>) -> Result<(), Error> {
        if !weight.fits(self.shape) {
            return Err(self.misfit(name));
        }
        if !weight.all(|weight| weight.is_finite() && weight >= 0.0) {
            let message = "weights are finite and not negative; forbid by a penalty of +inf";
            return Err(Error::argument(name, message));
        }
        Ok(())
    }

    fn misfit(&self, name: &'static str) -> Error {
        let Shape { n, m } = self.shape;
        Error::argument(name, format!("a weight or penalty does not fit a cost matrix of {n} x {m}"))
    }
}
