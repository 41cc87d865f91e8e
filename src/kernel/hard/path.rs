//! A path of least cost, and what follows from it alone.

use crate::row_sink::RowSink;
use crate::shape::Shape;
use crate::weights::StepWeights;

/// A step into a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// From (n-1,m-1), and from nowhere into (0,0).
    Diagonal,
    /// From (n-1,m).
    Horizontal,
    /// From (n,m-1).
    Vertical,
}

impl Step {
    /// The place in [`StepWeights::as_array`].
    pub fn index(self) -> usize {
        match self {
            Self::Horizontal => 0,
            Self::Vertical => 1,
            Self::Diagonal => 2,
        }
    }
}

/// A path of least cost.
#[derive(Clone, Debug, PartialEq)]
pub struct HardPath {
    /// The accumulated cost; +inf when there is no path.
    pub value: f64,
    /// Cells (n,m) from (0,0) to (N-1,M-1), zero-based; empty when there is no path or the value is NaN.
    pub cells: Vec<(usize, usize)>,
    /// The step into each cell.
    pub steps: Vec<Step>,
}

impl HardPath {
    /// No cells: there is no path, or costs are no numbers.
    pub fn without_cells(value: f64) -> Self {
        Self { value, cells: vec![], steps: vec![] }
    }

    /// Walks back from (N-1,M-1) by the step into each cell; the value is that of a path, and finite.
    pub fn walk_back(value: f64, shape: Shape, step_into: impl Fn(usize, usize) -> Step) -> Self {
        let (mut n, mut m) = (shape.n - 1, shape.m - 1);
        let mut path = Self::without_cells(value);
        loop {
            let step = step_into(n, m);
            path.cells.push((n, m));
            path.steps.push(step);
            if (n, m) == (0, 0) {
                break;
            }
            if step != Step::Vertical {
                n -= 1;
            }
            if step != Step::Horizontal {
                m -= 1;
            }
        }
        path.cells.reverse();
        path.steps.reverse();
        path
    }

    /// The cells, each with the step into it.
    pub fn cells_and_steps(&self) -> impl Iterator<Item = ((usize, usize), Step)> {
        self.cells.iter().copied().zip(self.steps.iter().copied())
    }

    /// Sums costs over the horizontal, vertical and diagonal steps. Of the costs that were swept, this is the gradient of
    /// the value for the weights.
    pub fn sums_over_steps(&self, mut cost: impl FnMut(usize, usize) -> f64) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for ((n, m), step) in self.cells_and_steps() {
            sums[step.index()] += cost(n, m);
        }
        sums
    }

    /// Hands the path out as rows of E (1 on the path) and H (the step's weight on the path).
    pub fn emit_rows(&self, shape: Shape, weights: StepWeights, sink: &mut impl RowSink) {
        let weights = weights.as_array();
        let mut visits = vec![0.0; shape.m];
        let mut soft_alignment = vec![0.0; shape.m];
        let mut end = self.cells.len();
        while end > 0 {
            let n = self.cells[end - 1].0;
            let start = self.cells[..end].partition_point(|cell| cell.0 < n);
            for (&(_, m), step) in self.cells[start..end].iter().zip(&self.steps[start..end]) {
                visits[m] = 1.0;
                soft_alignment[m] = weights[step.index()];
            }
            let columns = self.cells[start].1..self.cells[end - 1].1 + 1;
            sink.take_row(n, columns.clone(), &visits, &soft_alignment);
            visits[columns.clone()].fill(0.0);
            soft_alignment[columns].fill(0.0);
            end = start;
        }
    }
}
