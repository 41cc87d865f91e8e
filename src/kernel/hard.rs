//! Hard DTW, the limit gamma -> 0: one path of least cost.
//!
//! Ties go diagonal, then horizontal, then vertical. The path is also the most probable path at any gamma.

use std::ops::Range;

use super::Moments;
use super::rowwise::CELLS_BETWEEN_LOOKS;
use crate::cost::CostRows;
use crate::row_sink::RowSink;
use crate::shape::Shape;
use crate::threads::stop;
use crate::weights::StepWeights;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Diagonal = 0,
    Horizontal = 1,
    Vertical = 2,
}

/// The step into each cell, two bits a cell.
struct Steps {
    packed: Vec<u8>,
    m: usize,
}

impl Steps {
    fn set(&mut self, n: usize, m: usize, step: Step) {
        let cell = n * self.m + m;
        self.packed[cell / 4] |= (step as u8) << (cell % 4 * 2);
    }

    fn get(&self, n: usize, m: usize) -> Step {
        let cell = n * self.m + m;
        match self.packed[cell / 4] >> (cell % 4 * 2) & 3 {
            0 => Step::Diagonal,
            1 => Step::Horizontal,
            _ => Step::Vertical,
        }
    }
}

/// A path of least cost.
pub struct HardPath {
    /// The accumulated cost; +inf when there is no path.
    pub value: f64,
    /// Cells (n,m) from (0,0) to (N-1,M-1), zero-based; empty when there is no path or the value is NaN.
    pub cells: Vec<(usize, usize)>,
    /// Sums of C over the horizontal, vertical and diagonal steps: the gradient of the value for the weights.
    pub moments: Moments,
    steps: Vec<Step>,
}

/// The working memory of [`align`].
pub fn bytes(shape: Shape) -> usize {
    shape.cells().div_ceil(4) + 4 * shape.m * size_of::<f64>()
}

/// Finds the path of least cost through the allowed columns.
pub fn align(costs: &impl CostRows, shape: Shape, band: Option<&[Range<usize>]>, weights: StepWeights) -> HardPath {
    let Shape { n: rows, m } = shape;
    let [w_h, w_v, w_d] = weights.as_array();
    let mut steps = Steps { packed: vec![0; shape.cells().div_ceil(4)], m };
    let mut row_costs = vec![0.0; m];
    let mut above = vec![f64::INFINITY; m + 1];
    let mut current = vec![f64::INFINITY; m + 1];
    above[0] = 0.0;
    for n in 0..rows {
        if n.is_multiple_of(CELLS_BETWEEN_LOOKS / m + 1) && !stop::may_go_on() {
            return HardPath { value: f64::NAN, cells: vec![], moments: Moments::default(), steps: vec![] };
        }
        let columns = band.map_or(0..m, |band| band[n].clone());
        costs.write_row(n, columns.clone(), &mut row_costs);
        current.fill(f64::INFINITY);
        for m in columns {
            let c = row_costs[m];
            if c == f64::INFINITY {
                continue;
            }
            if c.is_nan() {
                // Comparisons would walk around it.
                return HardPath { value: c, cells: vec![], moments: Moments::default(), steps: vec![] };
            }
            let mut best = (w_d * c + above[m], Step::Diagonal);
            for other in [(w_h * c + above[m + 1], Step::Horizontal), (w_v * c + current[m], Step::Vertical)] {
                if other.0 < best.0 {
                    best = other;
                }
            }
            current[m + 1] = best.0;
            steps.set(n, m, best.1);
        }
        std::mem::swap(&mut above, &mut current);
    }
    let mut path = HardPath { value: above[m], cells: vec![], moments: Moments::default(), steps: vec![] };
    if path.value.is_finite() {
        path.trace_back(&steps, shape);
        path.moments.step_weights_grad = path.sums_over_steps(costs, shape);
    }
    path
}

impl HardPath {
    fn trace_back(&mut self, steps: &Steps, shape: Shape) {
        let (mut n, mut m) = (shape.n - 1, shape.m - 1);
        loop {
            let step = steps.get(n, m);
            self.cells.push((n, m));
            self.steps.push(step);
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
        self.cells.reverse();
        self.steps.reverse();
    }

    /// Sums `costs` over the horizontal, vertical and diagonal steps.
    pub fn sums_over_steps(&self, costs: &impl CostRows, shape: Shape) -> [f64; 3] {
        let mut sums = [0.0; 3];
        let mut row = vec![0.0; shape.m];
        for (&(n, m), step) in self.cells.iter().zip(&self.steps) {
            costs.write_row(n, m..m + 1, &mut row);
            let slot = match step {
                Step::Horizontal => 0,
                Step::Vertical => 1,
                Step::Diagonal => 2,
            };
            sums[slot] += row[m];
        }
        sums
    }

    /// Hands the path out as rows of E (1 on the path) and H (the step's weight on the path).
    pub fn emit_rows(&self, shape: Shape, weights: StepWeights, sink: &mut impl RowSink) {
        let mut visits = vec![0.0; shape.m];
        let mut soft_alignment = vec![0.0; shape.m];
        let mut end = self.cells.len();
        while end > 0 {
            let n = self.cells[end - 1].0;
            let start = self.cells[..end].partition_point(|cell| cell.0 < n);
            visits.fill(0.0);
            soft_alignment.fill(0.0);
            for (&(_, m), step) in self.cells[start..end].iter().zip(&self.steps[start..end]) {
                visits[m] = 1.0;
                soft_alignment[m] = match step {
                    Step::Horizontal => weights.horizontal,
                    Step::Vertical => weights.vertical,
                    Step::Diagonal => weights.diagonal,
                };
            }
            let columns = self.cells[start].1..self.cells[end - 1].1 + 1;
            sink.take_row(n, columns, &visits, &soft_alignment);
            end = start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::CostMatrix;

    #[test]
    fn ties_go_diagonal_then_horizontal_then_vertical() {
        let costs = [0.0; 6];
        let matrix = CostMatrix { costs: &costs, stride: 2 };
        let path = align(&matrix, Shape::new(3, 2).unwrap(), None, StepWeights::UNIT);
        assert_eq!(path.cells, [(0, 0), (1, 0), (2, 1)]);
        let matrix = CostMatrix { costs: &costs, stride: 3 };
        let path = align(&matrix, Shape::new(2, 3).unwrap(), None, StepWeights::UNIT);
        assert_eq!(path.cells, [(0, 0), (0, 1), (1, 2)]);
    }

    #[test]
    fn the_value_is_the_sum_along_the_path() {
        let costs: Vec<f64> = (0..35).map(|k| f64::from(k * 37 % 11)).collect();
        let matrix = CostMatrix { costs: &costs, stride: 7 };
        let weights = StepWeights::new(0.5, 2.0, 1.25).unwrap();
        let path = align(&matrix, Shape::new(5, 7).unwrap(), None, weights);
        let charged: f64 = path.moments.step_weights_grad.iter().zip(weights.as_array()).map(|(g, w)| g * w).sum();
        assert!((path.value - charged).abs() < 1e-12);
    }
}
