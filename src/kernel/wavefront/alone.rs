//! An alignment on one thread, within a bound on memory.
//!
//! All groups of stripes are swept as one wavefront. The probabilities of a panel of stripes are kept at a time; with
//! more than one panel the forward sweep keeps the boundary column left of each, and is redone a panel at a time on the
//! way back. Between panels it is asked whether the call may go on ([`stop`]).

use super::backward::{BackwardRange, begin_flow};
use super::forward::{Boundary, ForwardRange};
use super::job::{Job, SweepScratch};
use super::thread_team::Neighbours;
use super::tiles::{AlignmentTiles, CostTiles};
use super::{Grid, kept};
use crate::scaled::Scaled;
use crate::simd::{Lanes, Number};
use crate::threads::stop;

/// Cells of a sweep for the value alone between two looks whether it may go on ([`stop`]): a tenth of a second at most.
const CELLS_BETWEEN_LOOKS: usize = 1 << 24;

impl Job<'_> {
    /// Sweeps forward alone and returns a(N,M), in O(N) memory.
    pub(super) fn value_alone<V, T, const L: usize, const S: usize>(
        self,
        lanes: V,
        grid: Grid,
        tiles: &mut T,
        scratch: &mut SweepScratch<V::Real>,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
    {
        let column = scratch.columns::<V, L>(grid, 1).at(0);
        let per_part = (CELLS_BETWEEN_LOOKS / (grid.blocks * L * L)).max(1).next_multiple_of(S);
        let mut end = Scaled::ZERO;
        // SAFETY: the column is of the grid and ours alone.
        unsafe {
            column.clear(grid);
            for first in (0..grid.stripes).step_by(per_part).take_while(|_| stop::may_go_on()) {
                let stripes = first..grid.stripes.min(first + per_part);
                let at = ForwardRange { stripes, left: column, right: column, neighbours: Neighbours::default() };
                end = self.forward::<V, T, L, S, { kept::NOTHING }>(lanes, grid, at, tiles, std::ptr::null_mut());
            }
        }
        end
    }

    /// Sweeps both ways: returns a(N,M) and hands H (or E, by the readout) to `sink`.
    pub(super) fn align_alone<V, T, A, const L: usize, const S: usize>(
        self,
        lanes: V,
        grid: Grid,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut SweepScratch<V::Real>,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
        A: AlignmentTiles<V, L>,
    {
        let per_panel = self.panel_stripes::<V::Real>(grid, S);
        let panels = grid.stripes.div_ceil(per_panel);
        let stripes = |panel: usize| panel * per_panel..grid.stripes.min((panel + 1) * per_panel);
        let blocks = |panel: usize| self.windows(grid, S).blocks(stripes(panel).start / S..stripes(panel).end / S);
        // One block more, for slots that idle.
        let needed = ((0..panels).map(blocks).max().unwrap_or(0) + 1) * grid.block_len();
        let probabilities = scratch.probabilities.reserve(needed).as_mut_ptr();
        let flow = scratch.flows(grid, 1);
        begin_flow(grid, flow);
        let flow = flow.as_mut_ptr();
        // A column left of each panel, and one to sweep with.
        let columns = scratch.columns::<V, L>(grid, panels);
        let moving = columns.at(0);
        let mut end = Scaled::ZERO;
        // SAFETY: the probabilities of one panel and a block fit the buffer; the columns are of the grid; all of it is ours
        // alone, and what is swept back is what was last swept forward.
        unsafe {
            let copy = |from: Boundary<_, _>, to: Boundary<_, _>| {
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
            for panel in (0..panels).take_while(|_| stop::may_go_on()) {
                if panel > 0 {
                    copy(moving, columns.at(panel));
                }
                if panel + 1 < panels {
                    self.forward::<V, T, L, S, { kept::NOTHING }>(
                        lanes,
                        grid,
                        forward(panel),
                        tiles,
                        std::ptr::null_mut(),
                    );
                } else {
                    end = self.forward_for::<V, T, A, L, S>(lanes, grid, forward(panel), tiles, probabilities);
                }
            }
            for panel in (0..panels).rev().take_while(|_| stop::may_go_on()) {
                if panel + 1 < panels {
                    if panel > 0 {
                        copy(columns.at(panel), moving);
                    } else {
                        moving.clear(grid);
                    }
                    self.forward_for::<V, T, A, L, S>(lanes, grid, forward(panel), tiles, probabilities);
                }
                let at = BackwardRange {
                    stripes: stripes(panel),
                    right: flow,
                    left: flow,
                    neighbours: Neighbours::default(),
                };
                self.backward::<V, A, L, S>(lanes, grid, at, probabilities, sink);
            }
        }
        end
    }

    /// Stripes whose probabilities are kept at a time, a whole number of groups.
    pub(super) fn panel_stripes<R: Number>(self, grid: Grid, slots: usize) -> usize {
        let bytes = self.windows(grid, slots).blocks(0..grid.groups(slots)) * grid.block_len() * size_of::<R>();
        if bytes <= self.panel_bytes {
            return grid.stripes;
        }
        let stripe_bytes = bytes.div_ceil(grid.stripes);
        // A checkpoint takes as much as a fixed share of a stripe: the sum of both is least at a root.
        let checkpoint_bytes = grid.boundary_len() * 2 * size_of::<R>();
        let balanced = (grid.stripes * checkpoint_bytes / stripe_bytes).isqrt();
        balanced.max(self.panel_bytes / stripe_bytes).max(1).next_multiple_of(slots)
    }
}
