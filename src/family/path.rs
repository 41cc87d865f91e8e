//! The path of least cost: of the hard minimum, and the most probable path at any gamma.

use super::checkpoints::{RowsFromLast, sweep};
use super::minimum::Hardmin;
use super::model::Model;
use crate::cost::CostRows;
use crate::error::Error;

/// A cell of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathCell {
    /// n.
    pub frame: usize,
    /// m.
    pub target: usize,
    /// The step that arrives, as listed by the caller; `None` where the path begins.
    pub step: Option<usize>,
}

/// A path of least cost.
pub struct LeastPath {
    /// Its cost; +inf without a path, NaN where a cost is not a number.
    pub value: f64,
    /// From where it begins to where it ends; empty without a path.
    pub cells: Vec<PathCell>,
}

/// Finds the path of least cost. Among ties it begins rather than arrives, else takes the step of the larger i + j, then of
/// the larger i, then the first listed, and ends in the first cell by rows.
pub fn least_path<C: CostRows>(model: &Model<'_>, costs: &C) -> Result<LeastPath, Error> {
    let sizes = model.order().into_iter().map(|s| (s, model.steps[s].frames, model.steps[s].targets)).collect();
    let mut trace = Trace { sizes, next: None, cells: vec![] };
    let value = sweep(model, costs, Hardmin, Some(&mut trace))?.expect("the hard minimum is never out of range");
    trace.cells.reverse();
    Ok(LeastPath { value, cells: trace.cells })
}

/// Follows the shares, of which one is 1, from the end to the beginning.
struct Trace {
    /// Each step, in the order of the ways, and what it advances.
    sizes: Vec<(usize, usize, usize)>,
    next: Option<(usize, usize)>,
    cells: Vec<PathCell>,
}

impl RowsFromLast for Trace {
    fn take_row(&mut self, n: usize, shares: &[f64], ends: &[(usize, f64)]) {
        if let Some(&(m, _)) = ends.iter().find(|(_, q)| *q > 0.0) {
            self.next = Some((n, m));
        }
        while let Some((frame, target)) = self.next
            && frame == n
        {
            let ways = self.sizes.len() + 1;
            let way = shares[target * ways..][..ways].iter().position(|&share| share > 0.0);
            let step = way.and_then(|way| way.checked_sub(1)).map(|way| self.sizes[way]);
            self.cells.push(PathCell { frame, target, step: step.map(|(s, ..)| s) });
            self.next = step.map(|(_, frames, targets)| (frame - frames, target - targets));
        }
    }
}
