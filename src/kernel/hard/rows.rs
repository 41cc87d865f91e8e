//! The path of least cost row by row in float64, for any costs: the exact twin of the sweep on lanes, and what serves where
//! there are none.

use std::ops::Range;

use super::super::rowwise::CELLS_BETWEEN_LOOKS;
use super::path::{HardPath, Step};
use crate::cost::CostRows;
use crate::shape::Shape;
use crate::threads::stop;
use crate::weights::StepWeights;

/// The step into each cell, two bits a cell.
struct Steps {
    packed: Vec<u8>,
    m: usize,
}

impl Steps {
    fn set(&mut self, n: usize, m: usize, step: Step) {
        let cell = n * self.m + m;
        let bits = match step {
            Step::Diagonal => 0,
            Step::Horizontal => 1,
            Step::Vertical => 2,
        };
        self.packed[cell / 4] |= bits << (cell % 4 * 2);
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
            return HardPath::without_cells(f64::NAN);
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
                return HardPath::without_cells(c);
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
    let value = above[m];
    if value.is_finite() {
        HardPath::walk_back(value, shape, |n, m| steps.get(n, m))
    } else {
        HardPath::without_cells(value)
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
        let sums = path.sums_over_steps(|n, m| costs[n * 7 + m]);
        let charged: f64 = sums.iter().zip(weights.as_array()).map(|(sum, w)| sum * w).sum();
        assert!((path.value - charged).abs() < 1e-12);
    }
}
