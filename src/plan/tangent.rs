//! Changes of the value of a pair and of its gradient along a direction, from a cost matrix.

use std::ops::Range;

use super::beyond_range;
use super::hard;
use super::memory::ask_for_memory;
use super::pair::Recursion;
use super::rowwise::LEAST_GAMMA;
use crate::cost::{CostMatrix, CostRows};
use crate::error::Error;
use crate::kernel::rowwise::RowwiseSweep;
use crate::kernel::tangent::{self, Direction, Tangent, TangentScratch, TangentSweep};
use crate::matrix::MatrixMut;
use crate::reference;
use crate::row_sink::RowSink;
use crate::shape::Shape;
use crate::weights::StepWeights;

/// Makes the changes of a pair along a direction; that of dSDTW/dC, H', goes to `soft_alignment`, whose entries need not
/// be 0. All is 0 where there is no path, NaN where a number of the pair or of its direction is.
pub fn tangent_of_costs(
    costs: CostMatrix<'_, f64>,
    direction: Direction<'_, CostMatrix<'_, f64>>,
    shape: Shape,
    recursion: &Recursion,
    soft_alignment: &mut MatrixMut<'_, f64>,
    scratch: &mut TangentScratch,
) -> Result<Tangent, Error> {
    let Recursion { gamma, weights, band } = *recursion;
    let mut rows = Rows { matrix: soft_alignment, m: shape.m };
    rows.fill(shape, 0.0);
    let columns = band.map(|band| band.columns(shape)).transpose()?;
    let band = columns.as_deref();
    let tangent = if gamma == 0.0 {
        around_the_hard_path(costs, direction, shape, band, weights, &mut rows)?
    } else {
        ask_for_memory(tangent::bytes(shape))?;
        let sweep = TangentSweep { at: RowwiseSweep { costs: &costs, shape, band, gamma, weights }, direction };
        let mut take_row = |n: usize, row: &[f64]| rows.write(n, row);
        let in_range = if gamma < LEAST_GAMMA { None } else { sweep.run(scratch, &mut take_row) };
        match in_range {
            Some(tangent) => tangent,
            None => {
                ask_for_memory(beyond_range::bytes(shape))?;
                let matrix = beyond_range::matrix(&costs, shape, band);
                if matrix.iter().any(|cost| cost.is_nan()) {
                    Tangent { value: f64::NAN, ..Tangent::default() }
                } else {
                    let result = reference::align(&matrix, shape.n, shape.m, gamma, weights);
                    if result.value == f64::INFINITY {
                        Tangent::default()
                    } else {
                        sweep.run_on(result.probabilities, scratch, &mut take_row)
                    }
                }
            }
        }
    };
    if tangent.value.is_nan() {
        rows.fill(shape, f64::NAN);
        return Ok(Tangent { value: f64::NAN, gamma_grad: f64::NAN, step_weights_grad: [f64::NAN; 3] });
    }
    Ok(tangent)
}

/// Makes the changes at gamma = 0, where the path stays: the value is linear in the costs on it and in the weights.
fn around_the_hard_path(
    costs: CostMatrix<'_, f64>,
    direction: Direction<'_, impl CostRows>,
    shape: Shape,
    band: Option<&[Range<usize>]>,
    weights: StepWeights,
    rows: &mut Rows<'_, '_>,
) -> Result<Tangent, Error> {
    let path = hard::find_path(costs, shape, band, weights)?;
    if path.value == f64::INFINITY {
        return Ok(Tangent::default());
    }
    let [horizontal, vertical, diagonal] = direction.weights;
    path.emit_rows(shape, StepWeights { horizontal, vertical, diagonal }, rows);
    let sums = hard::sums_over_steps(&path, &costs, shape);
    let changes = hard::sums_over_steps(&path, direction.costs, shape);
    let linear = |s: usize| direction.weights[s] * sums[s] + weights.as_array()[s] * changes[s];
    let value = if path.value.is_nan() { f64::NAN } else { (0..3).map(linear).sum() };
    Ok(Tangent { value, gamma_grad: 0.0, step_weights_grad: changes })
}

/// The matrix that rows of H' go to.
struct Rows<'a, 'm> {
    matrix: &'a mut MatrixMut<'m, f64>,
    m: usize,
}

impl Rows<'_, '_> {
    fn write(&mut self, n: usize, row: &[f64]) {
        self.matrix.entries[n * self.matrix.stride..][..self.m].copy_from_slice(row);
    }

    fn fill(&mut self, shape: Shape, value: f64) {
        (0..shape.n).for_each(|n| self.matrix.entries[n * self.matrix.stride..][..self.m].fill(value));
    }
}

impl RowSink for Rows<'_, '_> {
    fn take_row(&mut self, n: usize, _: Range<usize>, _: &[f64], soft_alignment: &[f64]) {
        self.write(n, soft_alignment);
    }
}
