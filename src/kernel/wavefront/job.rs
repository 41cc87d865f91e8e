//! The job of sweeping over one pair, its working memory, and its two directions over a range of stripes.

use super::backward::{BackwardRange, BackwardSweep};
use super::forward::{Boundary, ForwardRange, ForwardSweep, distinct, distinct_weights};
use super::thread_team::ThreadTeam;
use super::tiles::masked::Mask;
use super::tiles::{AlignmentTiles, CostTiles};
use super::windows::{Window, Windows};
use super::{AlignedBuffer, Grid, kept};
use crate::scaled::Scaled;
use crate::shape::Shape;
use crate::simd::{Exponent, Lanes, Number};
use crate::weights::StepWeights;

/// Probabilities of more bytes than this are kept panel by panel.
pub const PANEL_BYTES: usize = 32 << 20;

/// Pairs of fewer cells are not worth a second thread.
pub const LEAST_SHARED_CELLS: usize = 1 << 21;

/// Probabilities of groups that threads make again, of all threads together.
pub const RECOMPUTED_BYTES: usize = 128 << 20;

/// An upper estimate of the working memory of a sweep that keeps so many vectors of a step, in bytes.
pub fn bytes<R>(rows: usize, columns: usize, threads: usize, vectors: usize) -> usize {
    // So many numbers a cell, up to 4 stripes of 16 lanes a group.
    let group = vectors * size_of::<R>() * 64 * rows;
    let kept = (vectors * size_of::<R>() * rows.saturating_mul(columns)).min(PANEL_BYTES + group);
    let made_again = if threads > 1 { (threads * group).min(RECOMPUTED_BYTES.max(group)) } else { 0 };
    let boundaries = (columns / 32 + 2 + threads) * 3 * size_of::<R>() * rows;
    kept + made_again + boundaries
}

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct SweepScratch<R> {
    pub(super) probabilities: AlignedBuffer<R>,
    mantissa: Vec<R>,
    /// Exponents of one of the types that stand beside R, which have its size and alignment.
    exponent: Vec<R>,
    flow: Vec<R>,
}

/// A pair to be swept, and the limits that decide how.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// N and M.
    pub shape: Shape,
    /// Greater than 0.
    pub gamma: f64,
    /// Step weights of the recursion.
    pub weights: StepWeights,
    /// Step weights of the readout: those of the recursion give H, unit weights give E.
    pub readout: StepWeights,
    /// The cells that a path may pass; `None`: all.
    pub mask: Option<Mask<'a>>,
    /// Under a mask, the blocks that are swept.
    pub windows: Option<&'a [Window]>,
    /// See [`PANEL_BYTES`].
    pub panel_bytes: usize,
    /// See [`LEAST_SHARED_CELLS`].
    pub least_shared_cells: usize,
    /// Threads for one large pair.
    pub team: ThreadTeam<'a>,
}

/// Boundary columns one after the other: entry 0 lies left of the first stripe.
#[derive(Clone, Copy)]
pub struct Columns<R, E> {
    first: Boundary<R, E>,
    /// [`Grid::boundary_len`].
    pub len: usize,
}

// SAFETY: threads touch the same rows of a column only as `Progress` orders them.
unsafe impl<R: Sync, E: Sync> Sync for Columns<R, E> {}

impl<R: Number, E: Exponent> Columns<R, E> {
    /// Column `index`.
    pub fn at(self, index: usize) -> Boundary<R, E> {
        let Boundary { mantissa, exponent } = self.first;
        Boundary {
            mantissa: mantissa.wrapping_add(index * self.len),
            exponent: exponent.wrapping_add(index * self.len),
        }
    }
}

impl<R: Number> SweepScratch<R> {
    /// `count` boundary columns of any contents.
    pub fn columns<V, const L: usize>(&mut self, grid: Grid, count: usize) -> Columns<R, V::Exponent>
    where
        V: Lanes<L, Real = R>,
    {
        // So exponents can lie where numbers lay: any bits are one.
        const { assert!(size_of::<V::Exponent>() == size_of::<R>() && align_of::<V::Exponent>() == align_of::<R>()) };
        let len = grid.boundary_len();
        grow(&mut self.mantissa, len * count);
        grow(&mut self.exponent, len * count);
        let (mantissa, exponent) = (self.mantissa.as_mut_ptr(), self.exponent.as_mut_ptr().cast());
        Columns { first: Boundary { mantissa, exponent }, len }
    }

    /// `count` flow columns of any contents.
    pub fn flows(&mut self, grid: Grid, count: usize) -> &mut [R] {
        let len = grid.boundary_len() * count;
        grow(&mut self.flow, len);
        &mut self.flow[..len]
    }
}

/// Makes a buffer at least so long, of any contents. Pages that it gains are first touched where they are used: to touch a
/// gigabyte takes seconds, in which no call could be stopped.
fn grow<R: Number>(buffer: &mut Vec<R>, len: usize) {
    if buffer.len() < len {
        *buffer = vec![]; // the old ones are gone before the new ones come
        *buffer = vec![R::default(); len];
    }
}

impl<'a> Job<'a> {
    /// Makes a job with the limits above, whose readout is H.
    pub fn new(shape: Shape, gamma: f64, weights: StepWeights, team: ThreadTeam<'a>) -> Self {
        let (panel_bytes, least_shared_cells) = (PANEL_BYTES, LEAST_SHARED_CELLS);
        let (mask, windows) = (None, None);
        Self { shape, gamma, weights, readout: weights, mask, windows, panel_bytes, least_shared_cells, team }
    }

    /// The sizes of the sweeps. A matter of N and M and not of the threads at hand, as all that decides results.
    pub fn grid<V: Lanes<L>, const L: usize>(&self, slots: usize) -> Grid {
        Grid::new(self.shape, L, slots, self.shape.cells() >= self.least_shared_cells)
    }

    /// The windows of the sweeps.
    pub fn windows(&self, grid: Grid, slots: usize) -> Windows<'a> {
        Windows::new(grid, slots, self.windows)
    }

    /// Tells if the threads share the pair.
    pub fn is_for_many(&self, grid: Grid, slots: usize) -> bool {
        self.team.threads > 1 && grid.shared && grid.groups(slots) > 1
    }

    /// Runs the forward sweep of some stripes.
    ///
    /// # Safety
    ///
    /// As for [`ForwardSweep::new`].
    pub unsafe fn forward<V, T, const L: usize, const S: usize, const KEEP: usize>(
        self,
        lanes: V,
        grid: Grid,
        at: ForwardRange<'_, V::Real, V::Exponent>,
        tiles: &mut T,
        probabilities: *mut V::Real,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
    {
        let recursion = (self.gamma, self.weights);
        let grid = (grid, self.windows(grid, S));
        macro_rules! sweep {
            ($distinct:expr) => {{
                // SAFETY: the caller vouches for the columns and the probabilities.
                let sweep = unsafe {
                    ForwardSweep::<_, _, L, S, { $distinct }, KEEP>::new(
                        lanes,
                        grid,
                        at,
                        tiles,
                        recursion,
                        probabilities,
                    )
                };
                lanes.outline(sweep)
            }};
        }
        if T::IS_MASKED {
            return sweep!(distinct::ALL);
        }
        match distinct_weights(self.weights) {
            distinct::NONE => sweep!(distinct::NONE),
            distinct::HORIZONTAL => sweep!(distinct::HORIZONTAL),
            _ => sweep!(distinct::ALL),
        }
    }

    /// Runs the forward sweep of some stripes and keeps what the taker `A` needs on the way back.
    ///
    /// # Safety
    ///
    /// As for [`ForwardSweep::new`].
    pub unsafe fn forward_for<V, T, A, const L: usize, const S: usize>(
        self,
        lanes: V,
        grid: Grid,
        at: ForwardRange<'_, V::Real, V::Exponent>,
        tiles: &mut T,
        probabilities: *mut V::Real,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
        A: AlignmentTiles<V, L>,
    {
        assert!(grid.kept == A::KEPT);
        // SAFETY: the caller vouches for the columns and the probabilities.
        unsafe {
            match A::KEPT {
                kept::COSTS => self.forward::<V, T, L, S, { kept::COSTS }>(lanes, grid, at, tiles, probabilities),
                kept::ALL_PROBABILITIES => {
                    self.forward::<V, T, L, S, { kept::ALL_PROBABILITIES }>(lanes, grid, at, tiles, probabilities)
                }
                _ => self.forward::<V, T, L, S, { kept::PROBABILITIES }>(lanes, grid, at, tiles, probabilities),
            }
        }
    }

    /// Runs the backward sweep of some stripes.
    ///
    /// # Safety
    ///
    /// As for [`BackwardSweep::new`].
    pub unsafe fn backward<V, A, const L: usize, const S: usize>(
        self,
        lanes: V,
        grid: Grid,
        at: BackwardRange<'_, V::Real>,
        probabilities: *const V::Real,
        tiles: &mut A,
    ) where
        V: Lanes<L>,
        A: AlignmentTiles<V, L>,
    {
        let grid = (grid, self.windows(grid, S));
        macro_rules! sweep {
            ($unit:expr) => {{
                // SAFETY: the caller vouches for the columns and the probabilities.
                let sweep = unsafe {
                    BackwardSweep::<_, _, L, S, { $unit }>::new(lanes, grid, at, probabilities, self.readout, tiles)
                };
                lanes.outline(sweep)
            }};
        }
        if !A::IS_MASKED && self.readout == StepWeights::UNIT { sweep!(true) } else { sweep!(false) }
    }
}

/// Costs for tests.
#[cfg(test)]
pub mod tests {
    use crate::simd::Number;

    /// N M exponentially distributed costs, the same numbers in both precisions.
    pub fn costs<R: Number>(n: usize, m: usize, scale: f32) -> Vec<R> {
        let mut state = (n * 1009 + m) as u64 + 88_172_645_463_325_252;
        (0..n * m)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                R::from_f64(f64::from(scale * -((state >> 11) as f32 / (1u64 << 53) as f32 + 1e-7).ln()))
            })
            .collect()
    }
}
