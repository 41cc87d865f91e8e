//! Changes of a pair along a direction, from a cost matrix.

use super::super::memory::ask_for_memory;
use super::super::pair::Recursion;
use super::by_rows::{self, TakesRows};
use super::{Scratch, SettingsDirection, TangentResult, by_size_of_costs, bytes_of_sweeps, lanes_for};
use crate::cost::{CostMatrix, CostRows};
use crate::error::Error;
use crate::kernel::tangent::Direction;
use crate::kernel::wavefront::dispatch::{InstructionSet, OnLanes};
use crate::kernel::wavefront::job::Job;
use crate::kernel::wavefront::tangent::pair::{TangentCosts, TangentOfPair};
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::matrix::MatrixMut;
use crate::shape::Shape;

/// Makes the changes of a pair along a direction of its costs (`None`: 0) and settings; H' + a H goes to `out`, whose entries
/// need not be 0. `costs_direction` has the stride of the costs. All changes are 0 where there is no path, NaN where a
/// number of the pair or of its direction is.
pub fn tangent_of_costs(
    costs: CostMatrix<'_, f64>,
    costs_direction: Option<&[f64]>,
    settings: SettingsDirection,
    shape: Shape,
    recursion: &Recursion,
    out: &mut MatrixMut<'_, f64>,
    scratch: &mut Scratch,
) -> Result<TangentResult, Error> {
    let on_lanes = match lanes_for(shape, recursion) {
        Some(set) => on_lanes(set, costs, costs_direction, settings, shape, recursion, out, scratch)?,
        None => None,
    };
    let result = match on_lanes {
        Some(result) => result,
        None => {
            let SettingsDirection { gamma, weights, gradient, .. } = settings;
            let mut rows = Rows { matrix: out, m: shape.m };
            rows.fill(shape, 0.0);
            match costs_direction {
                Some(along) => {
                    let along = CostMatrix { costs: along, stride: costs.stride };
                    let direction = Direction { costs: &along, gamma, weights, gradient };
                    by_rows::sweep(&costs, direction, shape, recursion, &mut rows, &mut scratch.rows)?
                }
                None => {
                    let direction = Direction { costs: &NoCosts, gamma, weights, gradient };
                    by_rows::sweep(&costs, direction, shape, recursion, &mut rows, &mut scratch.rows)?
                }
            }
        }
    };
    if result.value.is_nan() || result.tangent.value.is_nan() {
        Rows { matrix: out, m: shape.m }.fill(shape, f64::NAN);
        return Ok(TangentResult::not_a_number());
    }
    Ok(result)
}

/// Sweeps on the lanes of a set; `None` if the pair takes the slow path.
#[expect(clippy::too_many_arguments, reason = "a pair, its direction, and where the results go")]
fn on_lanes(
    set: InstructionSet,
    CostMatrix { costs, stride }: CostMatrix<'_, f64>,
    direction: Option<&[f64]>,
    settings: SettingsDirection,
    shape: Shape,
    recursion: &Recursion,
    out: &mut MatrixMut<'_, f64>,
    scratch: &mut Scratch,
) -> Result<Option<TangentResult>, Error> {
    let largest = set.largest(costs, stride, shape);
    if largest.forbids || by_size_of_costs(largest.size, shape, recursion).is_err() {
        return Ok(None);
    }
    let needed = bytes_of_sweeps(shape);
    ask_for_memory(needed)?;
    scratch.lanes_bytes = scratch.lanes_bytes.max(needed);
    let out = MatrixMut { entries: &mut *out.entries, stride: out.stride };
    let SettingsDirection { gamma, weights, gradient, wants_settings } = settings;
    let (end, tangent) = f64::run_on(
        set,
        TangentOfPair {
            job: Job::new(shape, recursion.gamma, recursion.weights, ThreadTeam::ALONE),
            costs: TangentCosts::Matrix { costs, direction, stride, out },
            gamma,
            weights,
            gradient,
            wants_sums: wants_settings,
            scratch: &mut scratch.lanes,
        },
    );
    Ok(Some(TangentResult { value: -recursion.gamma * end.ln(), tangent }))
}

/// Costs of 0.
pub(super) struct NoCosts;

impl CostRows for NoCosts {
    fn write_row(&self, _: usize, columns: std::ops::Range<usize>, row: &mut [f64]) {
        row[columns].fill(0.0);
    }
}

/// The matrix that rows of H' + a H go to.
struct Rows<'a, 'm> {
    matrix: &'a mut MatrixMut<'m, f64>,
    m: usize,
}

impl Rows<'_, '_> {
    fn fill(&mut self, shape: Shape, value: f64) {
        (0..shape.n).for_each(|n| self.matrix.entries[n * self.matrix.stride..][..self.m].fill(value));
    }
}

impl TakesRows for Rows<'_, '_> {
    fn take(&mut self, n: usize, changes: &[f64], _: &[f64]) {
        self.matrix.entries[n * self.matrix.stride..][..self.m].copy_from_slice(changes);
    }
}
