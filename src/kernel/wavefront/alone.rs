//! An alignment on one thread, within a bound on memory.
//!
//! All groups of stripes are swept as one wavefront. The probabilities of a panel of stripes are kept at a time; with
//! more than one panel the forward sweep keeps the boundary column left of each, and is redone a panel at a time on the
//! way back.

use super::backward::begin_flow;
use super::forward::Boundary;
use super::job::{BackwardRange, ForwardRange, Job, Scratch};
use super::thread_team::Neighbours;
use super::{AlignmentTiles, CostTiles, Grid};
use crate::scaled::Scaled;
use crate::simd::Lanes;

impl Job<'_> {
    /// Returns a(N,M), in O(N) memory.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn value_alone<V, T, const L: usize, const S: usize>(
        self,
        grid: Grid,
        tiles: &mut T,
        scratch: &mut Scratch,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
    {
        // SAFETY: the caller vouches for the hardware; the column is of the grid and ours alone.
        unsafe {
            let column = scratch.columns(grid, 1).at(0);
            column.clear(grid);
            let stripes = 0..grid.stripes;
            let at = ForwardRange { stripes, left: column, right: column, neighbours: Neighbours::default() };
            self.forward::<V, T, L, S, false>(grid, at, tiles, std::ptr::null_mut())
        }
    }

    /// Returns a(N,M) and hands H, or what the readout asks for, to `sink`.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn align_alone<V, T, A, const L: usize, const S: usize>(
        self,
        grid: Grid,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut Scratch,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
        A: AlignmentTiles<V, L>,
    {
        let per_panel = self.panel_stripes(grid, S);
        let panels = grid.stripes.div_ceil(per_panel);
        let stripes = |panel: usize| panel * per_panel..grid.stripes.min((panel + 1) * per_panel);
        // One block more, for slots that idle.
        let needed = (per_panel * grid.blocks + 1) * grid.block_len();
        let probabilities = scratch.probabilities.reserve(needed).as_mut_ptr();
        let flow = scratch.flows(grid, 1);
        begin_flow(grid, flow);
        let flow = flow.as_mut_ptr();
        // A column left of each panel, and one to sweep with.
        let columns = scratch.columns(grid, panels);
        let moving = columns.at(0);
        let mut end = Scaled::ZERO;
        // SAFETY: the caller vouches for the hardware; the probabilities of one panel and a block fit the buffer, the
        // columns are of the grid.
        unsafe {
            let copy = |from: Boundary, to: Boundary| {
                std::ptr::copy_nonoverlapping(from.mantissa, to.mantissa, columns.len);
                std::ptr::copy_nonoverlapping(from.exponent, to.exponent, columns.len);
            };
            let forward = |panel: usize| ForwardRange {
                stripes: stripes(panel),
                left: moving,
                right: moving,
                neighbours: Neighbours::default(),
            };
            moving.clear(grid);
            for panel in 0..panels {
                if panel > 0 {
                    copy(moving, columns.at(panel));
                }
                if panel + 1 < panels {
                    self.forward::<V, T, L, S, false>(grid, forward(panel), tiles, std::ptr::null_mut());
                } else {
                    end = self.forward::<V, T, L, S, true>(grid, forward(panel), tiles, probabilities);
                }
            }
            for panel in (0..panels).rev() {
                if panel + 1 < panels {
                    if panel > 0 {
                        copy(columns.at(panel), moving);
                    } else {
                        moving.clear(grid);
                    }
                    self.forward::<V, T, L, S, true>(grid, forward(panel), tiles, probabilities);
                }
                let at = BackwardRange {
                    stripes: stripes(panel),
                    right: flow,
                    left: flow,
                    neighbours: Neighbours::default(),
                };
                self.backward::<V, A, L, S>(grid, at, probabilities, sink);
            }
        }
        end
    }

    /// Returns how many stripes have their probabilities kept at a time, a whole number of groups.
    fn panel_stripes(self, grid: Grid, slots: usize) -> usize {
        let stripe_bytes = grid.blocks * grid.block_len() * size_of::<f32>();
        if grid.stripes * stripe_bytes <= self.panel_bytes {
            return grid.stripes;
        }
        // A checkpoint takes as much as a fixed share of a stripe: the sum of both is least at a root.
        let checkpoint_bytes = grid.boundary_len() * (size_of::<f32>() + size_of::<i32>());
        let balanced = (grid.stripes * checkpoint_bytes / stripe_bytes).isqrt();
        balanced.max(self.panel_bytes / stripe_bytes).max(1).next_multiple_of(slots)
    }
}
