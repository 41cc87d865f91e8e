//! Pairs whose costs over gamma leave the range of exact exponents: by the reference recursion, in the log domain.
//!
//! There are no such costs in practice; the numbers are right all the same, at the price of memory and time.

use std::ops::Range;

use crate::cost::CostRows;
use crate::kernel::Moments;
use crate::reference;
use crate::row_sink::RowSink;
use crate::shape::Shape;
use crate::weights::StepWeights;

/// The working memory of [`align`]: the costs and what the reference makes of each.
pub fn bytes(shape: Shape) -> usize {
    shape.cells() * size_of::<f64>() * 8
}

/// Writes out the costs, +inf outside the band.
pub fn matrix(costs: &impl CostRows, shape: Shape, band: Option<&[Range<usize>]>) -> Vec<f64> {
    let m = shape.m;
    let mut matrix = vec![f64::INFINITY; shape.cells()];
    for (n, row) in matrix.chunks_exact_mut(m).enumerate() {
        costs.write_row(n, band.map_or(0..m, |band| band[n].clone()), row);
    }
    matrix
}

/// Aligns one pair and returns the value; E and H go to `sink`, the sums over all cells to `moments`.
pub fn align(
    costs: &impl CostRows,
    shape: Shape,
    band: Option<&[Range<usize>]>,
    (gamma, weights): (f64, StepWeights),
    sink: &mut impl RowSink,
    moments: &mut Moments,
) -> f64 {
    let Shape { n: rows, m } = shape;
    let matrix = matrix(costs, shape, band);
    if matrix.iter().any(|cost| cost.is_nan()) {
        return f64::NAN; // the reference takes the least of three by comparing, which would walk around it
    }
    let result = reference::align(&matrix, rows, m, gamma, weights);
    if result.value.is_finite() {
        *moments = Moments { entropy: result.entropy, step_weights_grad: result.step_weights_grad };
        for n in (0..rows).rev() {
            let of_row = n * m..(n + 1) * m;
            sink.take_row(n, 0..m, &result.visits[of_row.clone()], &result.soft_alignment[of_row]);
        }
    }
    result.value
}
