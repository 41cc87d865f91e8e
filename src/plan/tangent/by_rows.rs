//! The slow path along a direction: row by row in float64, for any band, mask, range and size.

use std::ops::Range;

use super::super::beyond_range;
use super::super::hard::sums_over_steps;
use super::super::memory::ask_for_memory;
use super::super::pair::Recursion;
use super::super::rowwise::LEAST_GAMMA;
use super::TangentResult;
use crate::cost::CostRows;
use crate::error::Error;
use crate::kernel::hard::rows as hard_rows;
use crate::kernel::rowwise::RowwiseSweep;
use crate::kernel::tangent::{self, Direction, Tangent, TangentScratch, TangentSweep};
use crate::reference;
use crate::row_sink::RowSink;
use crate::shape::Shape;
use crate::weights::StepWeights;

/// Takes rows of H' + a H and of H, the last row first; those that do not come are 0.
pub(super) trait TakesRows {
    fn take(&mut self, n: usize, changes: &[f64], alignment: &[f64]);
}

/// Sweeps over a pair along a direction. No rows come where there is no path, and where a number is NaN.
pub(super) fn sweep(
    costs: &impl CostRows,
    direction: Direction<'_, impl CostRows>,
    shape: Shape,
    recursion: &Recursion,
    rows: &mut impl TakesRows,
    scratch: &mut TangentScratch,
) -> Result<TangentResult, Error> {
    let Recursion { gamma, weights, band } = *recursion;
    let columns = band.map(|band| band.columns(shape)).transpose()?;
    let band = columns.as_deref();
    if gamma == 0.0 {
        ask_for_memory(hard_rows::bytes(shape))?;
        return Ok(around_the_hard_path(costs, direction, shape, band, weights, rows));
    }
    ask_for_memory(tangent::bytes(shape))?;
    let sweep = TangentSweep { at: RowwiseSweep { costs, shape, band, gamma, weights }, direction };
    let mut take_row = |n: usize, [changes, alignment]: [&[f64]; 2]| rows.take(n, changes, alignment);
    let in_range = if gamma < LEAST_GAMMA { None } else { sweep.run(scratch, &mut take_row) };
    if let Some((value, tangent)) = in_range {
        return Ok(TangentResult { value, tangent });
    }
    ask_for_memory(beyond_range::bytes(shape))?;
    let matrix = beyond_range::matrix(costs, shape, band);
    if matrix.iter().any(|cost| cost.is_nan()) {
        return Ok(TangentResult::not_a_number());
    }
    let result = reference::align(&matrix, shape.n, shape.m, gamma, weights);
    let tangent = if result.value == f64::INFINITY {
        Tangent::default()
    } else {
        sweep.run_on(result.probabilities, scratch, &mut take_row)
    };
    Ok(TangentResult { value: result.value, tangent })
}

/// Makes the changes at gamma = 0, where the path stays: the value is linear in the costs on it and in the weights.
fn around_the_hard_path(
    costs: &impl CostRows,
    direction: Direction<'_, impl CostRows>,
    shape: Shape,
    band: Option<&[Range<usize>]>,
    weights: StepWeights,
    rows: &mut impl TakesRows,
) -> TangentResult {
    let path = hard_rows::align(costs, shape, band, weights);
    if path.value == f64::INFINITY {
        return TangentResult { value: path.value, tangent: Tangent::default() };
    }
    let w = weights.as_array();
    let charge = [0, 1, 2].map(|s| direction.weights[s] + direction.gradient * w[s]);
    let codes = StepWeights { horizontal: 1.0, vertical: 2.0, diagonal: 3.0 };
    path.emit_rows(shape, codes, &mut OfSteps { rows, charges: [charge, w], of_row: [vec![], vec![]] });
    let of_steps = sums_over_steps(&path, direction.costs, shape);
    let own = sums_over_steps(&path, costs, shape);
    let linear = |s: usize| direction.weights[s] * own[s] + w[s] * of_steps[s];
    let value = if path.value.is_nan() { f64::NAN } else { (0..3).map(linear).sum() };
    let step_weights_grad = [0, 1, 2].map(|s| of_steps[s] + direction.gradient * own[s]);
    TangentResult { value: path.value, tangent: Tangent { value, gamma_grad: 0.0, step_weights_grad } }
}

/// Turns rows that tell the step into each cell of a path, 1, 2 or 3, into two rows of charges of steps.
struct OfSteps<'a, R> {
    rows: &'a mut R,
    charges: [[f64; 3]; 2],
    of_row: [Vec<f64>; 2],
}

impl<R: TakesRows> RowSink for OfSteps<'_, R> {
    fn take_row(&mut self, n: usize, columns: Range<usize>, _: &[f64], codes: &[f64]) {
        for (row, charges) in self.of_row.iter_mut().zip(&self.charges) {
            row.clear();
            row.resize(codes.len(), 0.0);
            for m in columns.clone() {
                row[m] = charges[codes[m] as usize - 1];
            }
        }
        let [changes, alignment] = &self.of_row;
        self.rows.take(n, changes, alignment);
    }
}
