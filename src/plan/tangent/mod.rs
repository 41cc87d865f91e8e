//! Changes of the value of a pair and of its gradient along a direction.
//!
//! Float64 lanes take what they can, also of float32 inputs, for second derivatives are as large as 1/gamma; the rest goes
//! row by row ([`by_rows`]).

mod by_rows;
pub mod costs;
pub mod pair;

use super::pair::Recursion;
use super::route::{self, SlowPath};
use crate::kernel::tangent::{Tangent, TangentScratch};
use crate::kernel::wavefront::dispatch::InstructionSet;
use crate::kernel::wavefront::job;
use crate::kernel::wavefront::kept;
use crate::kernel::wavefront::tangent::pair::TangentLanesScratch;
use crate::shape::Shape;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct Scratch {
    rows: TangentScratch,
    lanes: TangentLanesScratch,
    /// The most that a pair has needed of the lanes' memory.
    lanes_bytes: usize,
}

impl Scratch {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.lanes_bytes
    }
}

/// A direction of gamma and step weights, and what is asked for beside the changes along it.
#[derive(Clone, Copy, Debug)]
pub struct SettingsDirection {
    /// g'.
    pub gamma: f64,
    /// w' of the horizontal, vertical and diagonal step.
    pub weights: [f64; 3],
    /// a: so many times the gradients are themselves added to their changes, except that of gamma.
    pub gradient: f64,
    /// Asks for the changes of the gradients of gamma and step weights.
    pub wants_settings: bool,
}

impl SettingsDirection {
    /// The direction along which the value and its gradient become those of the sharp value <H,C>.
    ///
    /// SDTW is homogeneous of degree 1 in C and gamma, so <H,C> = SDTW + gamma S is SDTW and its change along gamma' =
    /// -gamma, dSDTW/dgamma being -S; and likewise d<H,C>/dC and d<H,C>/dw are H and dSDTW/dw and their changes, while
    /// d<H,C>/dgamma is the change alone.
    pub fn of_sharp_value(gamma: f64, wants_settings: bool) -> Self {
        Self { gamma: -gamma, weights: [0.0; 3], gradient: 1.0, wants_settings }
    }
}

/// The numbers that a pair has along a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TangentResult {
    /// SDTW; +inf where there is no path.
    pub value: f64,
    /// Changes; 0 where there is no path.
    pub tangent: Tangent,
}

impl TangentResult {
    fn not_a_number() -> Self {
        let nan = f64::NAN;
        Self { value: nan, tangent: Tangent { value: nan, gamma_grad: nan, step_weights_grad: [nan; 3] } }
    }
}

/// Pairs of fewer cells are swept row by row, which is as fast.
const LEAST_CELLS: usize = 64;

/// Chooses the lanes for a pair, or gives the reason for the slow path.
fn lanes_for(shape: Shape, recursion: &Recursion) -> Option<InstructionSet> {
    let is_plain = recursion.gamma > 0.0 && recursion.band.is_none() && shape.cells() >= LEAST_CELLS;
    if is_plain { InstructionSet::chosen() } else { None }
}

/// Lets a pair whose costs are at most `largest` in size pass, or gives the reason for the slow path.
fn by_size_of_costs(largest: f64, shape: Shape, recursion: &Recursion) -> Result<(), SlowPath> {
    route::by_size_of_costs::<f64>(largest, None, false, shape, recursion)
}

/// An upper estimate of the working memory of the sweeps on lanes, in bytes.
fn bytes_of_sweeps(shape: Shape) -> usize {
    // Probabilities and their changes, and columns of D' and of two flows.
    let (rows, columns) = (shape.n + 64, shape.m + 128);
    job::bytes::<f64>(rows, columns, 1, 2 * kept::COSTS) + 3 * size_of::<f64>() * rows
}
