//! What a sweep over one pair is asked, its working memory, and its two directions over a range of stripes.

use std::marker::PhantomData;
use std::ops::Range;

use super::backward;
use super::forward::{self, Boundary, distinct, distinct_weights};
use super::thread_team::{Neighbours, ThreadTeam};
use super::{AlignedBuffer, AlignmentTiles, CostTiles, Grid};
use crate::scaled::Scaled;
use crate::shape::Shape;
use crate::simd::Lanes;
use crate::weights::StepWeights;

/// The bytes of probabilities that are kept at a time; those of larger pairs are kept panel by panel.
pub const PANEL_BYTES: usize = 32 << 20;

/// The cells N M from which on several threads share a pair: a smaller one is not worth a second thread.
pub const LEAST_SHARED_CELLS: usize = 1 << 21;

/// The bytes of probabilities that threads recompute at a time, all threads together.
pub const RECOMPUTED_BYTES: usize = 128 << 20;

/// Estimates from above the working memory of a sweep, in bytes.
pub fn bytes(rows: usize, columns: usize, threads: usize) -> usize {
    // Two float32 a cell, up to 4 stripes of 16 lanes a group.
    let group = 2 * size_of::<f32>() * 64 * rows;
    let kept = (2 * size_of::<f32>() * rows.saturating_mul(columns)).min(PANEL_BYTES + group);
    let recomputed = if threads > 1 { (threads * group).min(RECOMPUTED_BYTES.max(group)) } else { 0 };
    let boundaries = (columns / 32 + 2 + threads) * 3 * size_of::<f32>() * rows;
    kept + recomputed + boundaries
}

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct Scratch {
    pub(super) probabilities: AlignedBuffer,
    mantissa: Vec<f32>,
    exponent: Vec<i32>,
    flow: Vec<f32>,
}

/// The sweeps over one pair: its sizes, its weights, its limits and its threads.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// N and M.
    pub shape: Shape,
    /// The softness gamma, greater than 0.
    pub gamma: f64,
    /// Step weights of the recursion.
    pub weights: StepWeights,
    /// Step weights of the readout: those of the recursion give H, unit weights give E.
    pub readout: StepWeights,
    /// See [`PANEL_BYTES`].
    pub panel_bytes: usize,
    /// See [`LEAST_SHARED_CELLS`].
    pub least_shared_cells: usize,
    /// Threads for one large pair.
    pub team: ThreadTeam<'a>,
}

/// Boundary columns one after the other: entry 0 lies left of the first stripe.
#[derive(Clone, Copy)]
pub struct Columns {
    first: Boundary,
    /// [`Grid::boundary_len`].
    pub len: usize,
}

// SAFETY: threads touch the same rows of a column only as `Progress` orders them.
unsafe impl Sync for Columns {}

impl Columns {
    /// Returns column `index`.
    pub fn at(self, index: usize) -> Boundary {
        let Boundary { mantissa, exponent } = self.first;
        Boundary {
            mantissa: mantissa.wrapping_add(index * self.len),
            exponent: exponent.wrapping_add(index * self.len),
        }
    }
}

impl Scratch {
    /// Returns `count` boundary columns of any contents.
    pub fn columns(&mut self, grid: Grid, count: usize) -> Columns {
        let len = grid.boundary_len();
        self.mantissa.resize(self.mantissa.len().max(len * count), 1.0);
        self.exponent.resize(self.exponent.len().max(len * count), 0);
        Columns { first: Boundary { mantissa: self.mantissa.as_mut_ptr(), exponent: self.exponent.as_mut_ptr() }, len }
    }

    /// Returns `count` flow columns of any contents.
    pub fn flows(&mut self, grid: Grid, count: usize) -> &mut [f32] {
        let len = grid.boundary_len() * count;
        self.flow.resize(self.flow.len().max(len), 0.0);
        &mut self.flow[..len]
    }
}

impl<'a> Job<'a> {
    /// Describes sweeps with the default limits, whose readout is H.
    pub fn new(shape: Shape, gamma: f64, weights: StepWeights, team: ThreadTeam<'a>) -> Self {
        let (panel_bytes, least_shared_cells) = (PANEL_BYTES, LEAST_SHARED_CELLS);
        Self { shape, gamma, weights, readout: weights, panel_bytes, least_shared_cells, team }
    }

    /// Returns the sizes of the sweeps. They depend on N and M and not on the threads at hand, as all that decides results.
    pub fn grid(&self, lanes: usize, slots: usize) -> Grid {
        Grid::new(self.shape, lanes, slots, self.shape.cells() >= self.least_shared_cells)
    }

    /// Tells if several threads share the pair.
    pub fn is_for_several(&self, grid: Grid, slots: usize) -> bool {
        self.team.threads > 1 && grid.shared && grid.groups(slots) > 1
    }

    /// Sweeps some stripes forward, and returns a(N,M) if it is among them.
    ///
    /// # Safety
    ///
    /// As of [`forward::Sweep`].
    pub unsafe fn forward<V, T, const L: usize, const S: usize, const KEEP: bool>(
        self,
        grid: Grid,
        at: ForwardRange<'_>,
        tiles: &mut T,
        probabilities: *mut f32,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
    {
        let Self { gamma, weights, .. } = self;
        let ForwardRange { stripes, left, right, neighbours } = at;
        macro_rules! sweep {
            ($distinct:expr) => {{
                let lanes = PhantomData::<V>;
                let sweep = forward::Sweep::<V, T, L, S, { $distinct }, KEEP> {
                    grid,
                    stripes,
                    tiles,
                    gamma,
                    weights,
                    left,
                    right,
                    neighbours,
                    probabilities,
                    lanes,
                };
                // SAFETY: the caller vouches for the hardware, the columns and the probabilities.
                unsafe { V::outline(sweep) }
            }};
        }
        match distinct_weights(weights) {
            distinct::NONE => sweep!(distinct::NONE),
            distinct::HORIZONTAL => sweep!(distinct::HORIZONTAL),
            _ => sweep!(distinct::ALL),
        }
    }

    /// Sweeps some stripes backward.
    ///
    /// # Safety
    ///
    /// As of [`backward::Sweep`].
    pub unsafe fn backward<V, A, const L: usize, const S: usize>(
        self,
        grid: Grid,
        at: BackwardRange<'_>,
        probabilities: *const f32,
        tiles: &mut A,
    ) where
        V: Lanes<L>,
        A: AlignmentTiles<V, L>,
    {
        let weights = self.readout;
        let BackwardRange { stripes, right, left, neighbours } = at;
        macro_rules! sweep {
            ($unit:expr) => {{
                let lanes = PhantomData::<V>;
                let sweep = backward::Sweep::<V, A, L, S, { $unit }> {
                    grid,
                    stripes,
                    probabilities,
                    weights,
                    right,
                    left,
                    neighbours,
                    tiles,
                    lanes,
                };
                // SAFETY: the caller vouches for the hardware, the columns and the probabilities.
                unsafe { V::outline(sweep) }
            }};
        }
        if weights == StepWeights::UNIT { sweep!(true) } else { sweep!(false) }
    }
}

/// The stripes of a forward sweep and the columns beside them.
pub struct ForwardRange<'a> {
    /// A whole number of groups.
    pub stripes: Range<usize>,
    /// The column left of the stripes.
    pub left: Boundary,
    /// Where their last column goes.
    pub right: Boundary,
    /// Neighbours on other threads.
    pub neighbours: Neighbours<'a>,
}

/// The stripes of a backward sweep and the columns beside them.
pub struct BackwardRange<'a> {
    /// A whole number of groups.
    pub stripes: Range<usize>,
    /// What is sent to the stripes from their right.
    pub right: *mut f32,
    /// Where what they send to their left goes.
    pub left: *mut f32,
    /// Neighbours on other threads.
    pub neighbours: Neighbours<'a>,
}

/// Costs for tests.
#[cfg(test)]
pub mod tests {
    /// N M exponentially distributed costs.
    pub fn costs(n: usize, m: usize, scale: f32) -> Vec<f32> {
        let mut state = (n * 1009 + m) as u64 + 88_172_645_463_325_252;
        (0..n * m)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                scale * -((state >> 11) as f32 / (1u64 << 53) as f32 + 1e-7).ln()
            })
            .collect()
    }
}
