//! Derivatives of soft DTW and its gradient along a direction, on lanes of float64.
//!
//! The mathematics is that of [`crate::kernel::tangent`]. The forward sweep of the wavefront keeps p_h, p_v, p_d and where
//! they are needed the costs; a forward tangent sweep ([`forward`]) makes D' and p' of them, and a backward one
//! ([`backward`]) carries E and E' and hands on tiles of H' and of H. D' is not kept: p' is all that the way back needs.
//!
//! D' and E' are plain numbers. D' is as large as C' along a path, so that p' is exact to a rounding of max|D'|/g: second
//! derivatives of float32 inputs are taken here in float64 too.

mod backward;
mod forward;
pub mod pair;
mod sweeps;
mod tiles;

/// Stripes side by side of the tangent sweeps.
const SLOTS: usize = 2;
