//! The backward sweep of the wavefront: H from p_h and p_v.
//!
//! E of a cell is what its right, lower and lower right neighbours send it. In skewed order the lower neighbour is this
//! lane one step ago; the other two are the lane to the right, one and two steps ago, and are sent as one sum, `flow`.

use std::ops::Range;

use super::Grid;
use super::skew::deskew;
use super::thread_team::Neighbours;
use super::tiles::AlignmentTiles;
use super::tiles::cell_sums::CellSums;
use super::windows::{Turn, Turns, Windows};
use crate::real::Real;
use crate::simd::{Lanes, Number, Work};
use crate::weights::StepWeights;

/// The steps of the last two blocks of a slot, and what deskewing keeps of the block after.
struct Slot<V: Lanes<L>, const L: usize> {
    steps: [[V::F; L]; 2],
    skew: [V::F; L],
    /// Shares of the steps of the last block in the sums over all cells.
    sums: CellSums<V, L>,
    /// The turn whose tile `steps` will become, if any.
    pending: Option<Turn>,
}

/// Flow to the left column, to the row above, and diagonally (to be added to the flow of the next step).
#[derive(Clone, Copy)]
struct State<V: Lanes<L>, const L: usize> {
    flow: V::F,
    up: V::F,
    diagonal: V::F,
    /// The shifted flow for the first step of a block.
    first: V::F,
}

/// The stripes of a backward sweep, and the columns that it reads and writes.
pub struct BackwardRange<'a, R> {
    /// A whole number of groups.
    pub stripes: Range<usize>,
    /// The flow that the stripes after send to their left, or for the last stripe [`begin_flow`].
    pub right: *mut R,
    /// The column for the flow that the first stripe sends; may be the same.
    pub left: *mut R,
    /// Neighbours on other threads; then the stripes are one group.
    pub neighbours: Neighbours<'a>,
}

/// A backward sweep over stripes, from right to left; H = E (w_h p_h + w_v p_v + w_d p_d) goes to `tiles`.
pub struct BackwardSweep<'a, V: Lanes<L>, T, const L: usize, const S: usize, const UNIT: bool> {
    lanes: V,
    grid: Grid,
    windows: Windows<'a>,
    at: BackwardRange<'a, V::Real>,
    probabilities: *const V::Real,
    weights: StepWeights,
    tiles: &'a mut T,
}

impl<'a, V: Lanes<L>, T, const L: usize, const S: usize, const UNIT: bool> BackwardSweep<'a, V, T, L, S, UNIT> {
    /// Makes a sweep of the grid with the weights of the readout; with `UNIT` all are 1.
    ///
    /// # Safety
    ///
    /// While it runs, the columns have [`Grid::boundary_len`] entries, which other threads use only as the neighbours'
    /// progress orders them; `probabilities` is what the forward sweep of the same stripes kept, and a block more.
    pub unsafe fn new(
        lanes: V,
        (grid, windows): (Grid, Windows<'a>),
        at: BackwardRange<'a, V::Real>,
        probabilities: *const V::Real,
        weights: StepWeights,
        tiles: &'a mut T,
    ) -> Self {
        Self { lanes, grid, windows, at, probabilities, weights, tiles }
    }
}

impl<V, T, const L: usize, const S: usize, const UNIT: bool> Work for BackwardSweep<'_, V, T, L, S, UNIT>
where
    V: Lanes<L>,
    T: AlignmentTiles<V, L>,
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, grid, windows, at, probabilities, weights, tiles } = self;
        let BackwardRange { stripes, right, left, neighbours } = at;
        let (blocks, block_len) = (grid.blocks, grid.block_len());
        let groups = stripes.start / S..stripes.end.div_ceil(S);
        let last_stripe = (grid.shape.m - 1) / L;
        // Pointers go from row -2L+1 of the boundary to row (blocks + 2) L - 1, which `boundary_len` covers.
        let zero = lanes.constant(0.0);
        let least = lanes.constant(V::Real::LEAST_VISIT);
        let [w_h, w_v, w_d] = weights.as_array().map(|w| lanes.constant(w));
        let mut padding = [V::Real::from_f64(1.0); L];
        if grid.shape.m % L != 0 {
            padding[grid.shape.m % L..].fill(V::Real::default());
        }
        let inside = lanes.load_array(&padding);
        let idle = State::<V, L> { flow: zero, up: zero, diagonal: zero, first: zero };
        let mut state = [idle; S];
        let mut slots: [Slot<V, L>; S] = std::array::from_fn(|_| Slot {
            steps: [[zero; L]; 2],
            skew: [zero; L],
            sums: CellSums::zero(lanes),
            pending: None,
        });
        let unused = probabilities.wrapping_add(windows.blocks(groups.clone()) * block_len);
        let mut from = [unused; S];
        let right = right.wrapping_add(grid.boundary_origin());
        let left_column = left.wrapping_add(grid.boundary_origin());
        let ticks = windows.ticks(groups.clone());
        // Blocks are counted from the last, as they are done.
        let of_neighbour = if stripes.end < grid.stripes { blocks - windows.of(groups.end).start } else { 0 };
        let mut turns: [Turns<'_, true>; S] = std::array::from_fn(|s| Turns::new(windows, groups.clone(), s));
        let mut first_row = 0;
        for tick in 0..=ticks {
            let parity = tick % 2;
            for (s, slot) in slots.iter_mut().enumerate() {
                if let Some(Turn { stripe, block, is_first, .. }) = slot.pending.take() {
                    if is_first {
                        slot.skew = [zero; L];
                    }
                    let mut rows = slot.steps[1 - parity];
                    deskew(lanes, &mut rows, &mut slot.skew);
                    if stripe == last_stripe {
                        for row in &mut rows {
                            *row = lanes.mul(*row, inside);
                        }
                    }
                    if rows.iter().fold(false, |any, &row| any | lanes.is_any(row)) {
                        tiles.take_tile(lanes, block, stripe, &rows);
                    } else {
                        tiles.take_zero_tile(lanes, block, stripe, &rows);
                    }
                    if T::TAKES_ENTROPY || T::TAKES_COSTS_OF_STEPS {
                        let all = stripe != last_stripe;
                        tiles.take_sums(lanes, stripe, if all { slot.sums } else { slot.sums.masked(lanes, inside) });
                    }
                    if let (Some(own), true) = (neighbours.own, s == S - 1) {
                        own.publish(blocks - block);
                    }
                }
                if T::TAKES_ENTROPY || T::TAKES_COSTS_OF_STEPS {
                    slot.sums = CellSums::zero(lanes);
                }
            }
            if tick == ticks {
                break;
            }
            let mut now = [None; S];
            for s in 0..S {
                now[s] = turns[s].take_turn();
                from[s] = unused;
                if let Some(Turn { stripe, block, .. }) = now[s] {
                    from[s] = probabilities.wrapping_add(windows.place(stripe, block, groups.start) * block_len);
                    if stripe <= last_stripe {
                        slots[s].pending = now[s];
                    }
                }
            }
            // Apart from the loop above, so that the state stays in registers.
            for s in 0..S {
                if now[s].is_none_or(|turn| turn.is_first) {
                    state[s] = idle;
                }
            }
            if let Some(Turn { block, .. }) = now[0] {
                first_row = block * L;
                if let Some(before) = neighbours.before {
                    // Its first lane ends L-1 steps before the row of its last.
                    before.wait_for((blocks - block + 1).min(of_neighbour));
                }
            }
            // The last slot's row, or one that nobody reads.
            let last_row = now[S - 1].map_or((blocks + 1) * L, |turn| turn.block * L);
            let read = right.wrapping_sub(first_row).wrapping_add(L - 1);
            let write = left_column.wrapping_sub(last_row);
            for i in (0..L).rev() {
                for s in (0..S).rev() {
                    let arriving = if s == 0 {
                        // SAFETY: the row of the right column that the last lane of slot 0 is in, or one of its last block once
                        // it has ended. The neighbour has written it and is done with it.
                        let row = unsafe { *read.wrapping_sub(i) };
                        lanes.down(state[0].flow, lanes.splat(row))
                    } else if i == L - 1 {
                        state[s].first
                    } else {
                        lanes.down(state[s].flow, state[s - 1].flow)
                    };
                    let mut e = lanes.at_least_or_zero(lanes.add(state[s].up, arriving), least);
                    let p = from[s].wrapping_add(i * T::KEPT * L);
                    // SAFETY: vectors of this step in a block of probabilities, the slot's own or the unused one.
                    let [p_h, p_v] = unsafe { [lanes.load(p), lanes.load(p.wrapping_add(L))] };
                    if T::IS_MASKED {
                        // A cell that no path reaches.
                        e = lanes.where_at_least(p_h, zero, e);
                    }
                    let up = lanes.mul(p_h, e);
                    let left = lanes.mul(p_v, e);
                    let diagonal = lanes.sub(lanes.sub(e, up), left);
                    slots[s].steps[parity][i] = if UNIT {
                        e
                    } else {
                        lanes.mul_add(w_h, up, lanes.mul_add(w_v, left, lanes.mul(w_d, diagonal)))
                    };
                    if (T::TAKES_ENTROPY || T::TAKES_COSTS_OF_STEPS) && lanes.is_any(e) {
                        // SAFETY: as above; the taker says what the forward sweep kept.
                        unsafe { slots[s].sums.add::<T>(lanes, e, [up, left], p) };
                    }
                    state[s].flow = lanes.add(left, state[s].diagonal);
                    state[s].diagonal = diagonal;
                    state[s].up = up;
                }
                // SAFETY: lane 0 lands on its row of the left column; the others spill onto L-1 rows above it, which are
                // written later, or before the first. Nobody reads these rows before they are published.
                unsafe { lanes.store(write.wrapping_sub(i), state[S - 1].flow) };
            }
            if let (true, Some(Turn { block, is_last: true, .. })) = (T::IS_MASKED, now[S - 1]) {
                // SAFETY: the rows above the window. What spilt onto them would be read, where the next window reaches
                // further up.
                unsafe { lanes.store(left_column.wrapping_sub(block * L).wrapping_add(1), zero) };
            }
            // Taken before any slot moves on to its next stripe.
            for s in 1..S {
                state[s].first = lanes.down(state[s].flow, state[s - 1].flow);
            }
        }
    }
}

/// Fills the boundary column right of the last stripe: all mass enters at row N-1.
pub fn begin_flow<R: Number>(grid: Grid, flow: &mut [R]) {
    flow.fill(R::default());
    flow[grid.boundary_origin() - (grid.shape.n - 1)] = R::from_f64(1.0);
}
