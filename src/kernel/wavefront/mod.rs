//! Soft DTW on lanes, several stripes of columns at a time.
//!
//! # The algorithm
//!
//! The recursion is that of [`super::rowwise`]: a(n,m) = k_h a(n-1,m) + k_v a(n,m-1) + k_d a(n-1,m-1) with
//! k_s = exp(-w_s C/g), each a being a mantissa and an exponent of 2 apart ([`Number`], [`Exponent`](crate::simd::Exponent)):
//! float32 and int32, or float64 and an integer of 64 bits or a float64. Three terms are added by aligning their exponents to
//! the greatest; their shares are the probabilities, of which p_h and p_v are kept (p_d is the rest).
//! The backward sweep is products alone. No logarithm is taken, nothing large is differenced.
//!
//! # Its order
//!
//! L adjacent columns are a *stripe*, one column a lane. A stripe is swept down the rows in *skewed* order: at step t,
//! lane j is in row t - j, so that the three neighbours of a cell lie in this lane one step ago and in the lane to the
//! left one and two steps ago. L steps are a *block*. Costs come as L x L tiles in row order and are skewed a block
//! ahead by blends; H is deskewed a block behind.
//!
//! S stripes run side by side as the *slots* of one wavefront, slot s one block behind slot s-1. What lane 0 of a slot
//! needs from its left is then the last lane of the slot before, as it stands in its register. Slot 0 reads its left
//! neighbours from the *boundary*, the last column of the group of stripes before, which slot S-1 wrote. A slot that
//! ends its stripe goes on with the stripe S further. The backward sweep is the same from right to left, bottom to top.
//!
//! [`hard`] DTW is swept in the same order, by a minimum and with the same cost tiles.
//!
//! # Departures
//!
//! - A mantissa is brought back to [1,2) every few blocks ([`Number::blocks_to_normalise`]); between, it grows to less than
//!   2^34 in the 32 steps of float32.
//! - Exponents that are more than 90 below the greatest (300 in float64) count as 90 below: beside it they are nothing, and
//!   no shift ever wraps.
//! - "Nothing" is mantissa 1 at an exponent below that of any path, never mantissa 0.
//! - The block count leaves the last step of every stripe without a row, so that a slot may move on without taking a
//!   value from the slot behind it.
//! - E below 2^-100 (2^-600 in float64) is made 0: nothing is lost, and no denormal slows the sweep.
//!
//! # Masks
//!
//! Costs of +inf and bands forbid cells. A sweep under a mask takes other costs' factors as they are, and those of forbidden
//! cells as next to nothing ([`forward`]); it makes the blocks alone that a path may pass ([`windows`]). It is compiled once for
//! all kinds of tiles ([`tiles::masked`]) and step weights.
//!
//! # Limits
//!
//! Costs are finite or +inf, |C| max(w) log2(e)/g stays below [`Number::LARGEST_EXPONENT`] a cell and below [`Number::LARGEST_SUM`]
//! in sum along any path, under a mask below a quarter of [`Number::FORBIDDEN`]: [`fits`]. Other pairs go by [`super::rowwise`].

mod align;
mod alone;
pub mod backward;
mod buffer;
pub mod dispatch;
pub mod exponential;
pub mod form;
pub mod forward;
mod groups;
pub mod hard;
pub mod job;
#[cfg(test)]
mod mask_laws;
#[cfg(all(test, feature = "model-check"))]
mod model_check;
pub mod pair;
pub mod skew;
mod sync;
pub mod tangent;
pub mod thread_team;
pub mod tiles;
pub mod windows;

pub use buffer::AlignedBuffer;

use crate::shape::Shape;
use crate::simd::Number;
use crate::weights::StepWeights;

/// Tells if costs of at most `largest` in size keep all exponents in the range of the numbers `R`, be it under a mask.
pub fn fits<R: Number>(largest: f64, shape: Shape, gamma: f64, weights: StepWeights, is_masked: bool) -> bool {
    let weight = weights.as_array().into_iter().fold(0.0, f64::max);
    let rate = weight * std::f64::consts::LOG2_E / gamma;
    let exponent = largest * weight * std::f64::consts::LOG2_E / gamma;
    // Written so that NaN does not fit.
    // The rate itself, which may be a float32, multiplies costs that may all be 0.
    let largest_sum = if is_masked { R::FORBIDDEN.abs() / 4.0 } else { R::LARGEST_SUM };
    rate < 1e30 && exponent < R::LARGEST_EXPONENT && exponent * ((shape.n + shape.m) as f64) < largest_sum
}

/// Sizes of a sweep.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// N and M.
    pub shape: Shape,
    /// Lanes.
    pub lanes: usize,
    /// Stripes of columns: a whole number of groups, the last of which may be padding.
    pub stripes: usize,
    /// Blocks of steps a stripe.
    pub blocks: usize,
    /// Several threads may sweep the pair, if there are several.
    pub shared: bool,
    /// Vectors that the forward sweep keeps of each step, one of [`kept`].
    pub kept: usize,
}

/// Vectors that the forward sweep keeps of each step for the way back, by their number.
pub mod kept {
    /// Nothing.
    pub const NOTHING: usize = 0;
    /// p_h and p_v.
    pub const PROBABILITIES: usize = 2;
    /// p_h, p_v and p_d, which as a remainder of the two would be a rounding of 1 off.
    pub const ALL_PROBABILITIES: usize = 3;
    /// p_h, p_v, p_d and the costs.
    pub const COSTS: usize = 4;
}

impl Grid {
    /// The sizes for L lanes and S slots; see [`job::Job::grid`] for `shared`.
    pub fn new(shape: Shape, lanes: usize, slots: usize, shared: bool) -> Self {
        Self {
            shape,
            lanes,
            stripes: shape.m.div_ceil(lanes).next_multiple_of(slots),
            // At least S blocks, so that the boundary is written before it is read.
            blocks: (shape.n + lanes).div_ceil(lanes).max(slots),
            shared,
            kept: kept::PROBABILITIES,
        }
    }

    /// Groups of stripes.
    pub fn groups(self, slots: usize) -> usize {
        self.stripes / slots
    }

    /// Numbers that the forward sweep keeps of one block: so many vectors of every step.
    pub fn block_len(self) -> usize {
        self.kept * self.lanes * self.lanes
    }

    /// Entries of a boundary column: all rows and the spill of unaligned stores at both ends.
    pub fn boundary_len(self) -> usize {
        (self.blocks + 4) * self.lanes
    }

    /// Where row 0 lies in a boundary column; row r lies r entries before.
    pub fn boundary_origin(self) -> usize {
        self.boundary_len() - 2 * self.lanes
    }
}
