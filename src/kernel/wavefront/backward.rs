//! The backward sweep of the wavefront: H from p_h and p_v.
//!
//! E of a cell is what its right, lower and lower right neighbours send it. In skewed order the lower neighbour is this
//! lane one step ago; the other two are the lane to the right, one and two steps ago, and are sent as one sum, `flow`.

use std::marker::PhantomData;
use std::ops::Range;

use super::Grid;
use super::skew::deskew;
use super::thread_team::Neighbours;
use super::tiles::AlignmentTiles;
use crate::simd::functions::clamped_ln;
use crate::simd::{Lanes, Work};
use crate::weights::StepWeights;

/// E below this is 0: products with probabilities stay normal numbers.
const LEAST_VISIT: f32 = 7.888_609e-31; // 2^-100

/// The steps of the last two blocks of a slot, and what deskewing keeps of the block after.
struct Slot<V: Lanes<L>, const L: usize> {
    steps: [[V::F; L]; 2],
    skew: [V::F; L],
    /// What the steps of the last block add to the entropy.
    entropy: V::F,
    /// The tile that `steps` will become, if any, and whether its stripe began with it.
    pending: Option<(usize, usize, bool)>,
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

/// A backward sweep over `stripes`, from right to left.
///
/// # Safety of [`Work::run`]
///
/// The hardware has the instructions of V; the columns have [`Grid::boundary_len`] entries; `probabilities` is what the forward sweep of the same stripes kept.
pub struct Sweep<'a, V, T, const L: usize, const S: usize, const UNIT: bool> {
    /// Sizes.
    pub grid: Grid,
    /// The stripes to sweep.
    pub stripes: Range<usize>,
    /// p_h and p_v of the stripes.
    pub probabilities: *const f32,
    /// Weights of the readout H = E (w_h p_h + w_v p_v + w_d p_d); with `UNIT` all are 1.
    pub weights: StepWeights,
    /// What the stripes after send to their left, or for the last stripe [`begin_flow`].
    pub right: *mut f32,
    /// Where what the first stripe sends goes; may be the same.
    pub left: *mut f32,
    /// Neighbours on other threads; then the stripes are one group.
    pub neighbours: Neighbours<'a>,
    /// Takes H.
    pub tiles: &'a mut T,
    /// The lanes.
    pub lanes: PhantomData<V>,
}

impl<V, T, const L: usize, const S: usize, const UNIT: bool> Work for Sweep<'_, V, T, L, S, UNIT>
where
    V: Lanes<L>,
    T: AlignmentTiles<V, L>,
{
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let Self { grid, stripes, probabilities, weights, right, left, neighbours, tiles, .. } = self;
        let (blocks, block_len) = (grid.blocks, grid.block_len());
        let groups = stripes.len().div_ceil(S);
        let last_stripe = (grid.shape.m - 1) / L;
        // SAFETY: the caller vouches for the hardware and the probabilities. The boundary is touched from row -2L+1 to row
        // blocks*L, which `boundary_len` covers.
        unsafe {
            let zero = V::splat(0.0);
            let least = V::splat(LEAST_VISIT);
            let [w_h, w_v, w_d] = weights.as_array().map(|w| V::splat(w as f32));
            let mut padding = [1.0f32; L];
            if grid.shape.m % L != 0 {
                padding[grid.shape.m % L..].fill(0.0);
            }
            let inside = V::load(padding.as_ptr());
            let idle = State::<V, L> { flow: zero, up: zero, diagonal: zero, first: zero };
            let mut state = [idle; S];
            let mut slots: [Slot<V, L>; S] =
                std::array::from_fn(|_| Slot { steps: [[zero; L]; 2], skew: [zero; L], entropy: zero, pending: None });
            let unused = probabilities.add(stripes.len() * blocks * block_len);
            let mut from = [unused; S];
            let right = right.add(grid.boundary_origin());
            let left_column = left.add(grid.boundary_origin());
            let ticks = groups * blocks + S - 1;
            for tick in 0..=ticks {
                let parity = tick % 2;
                for slot in &mut slots {
                    if let Some((block, stripe, first)) = slot.pending.take() {
                        if first {
                            slot.skew = [zero; L];
                        }
                        let mut rows = slot.steps[1 - parity];
                        deskew::<V, L>(&mut rows, &mut slot.skew);
                        if stripe == last_stripe {
                            for row in &mut rows {
                                *row = V::mul(*row, inside);
                            }
                        }
                        if rows.iter().fold(false, |any, &row| any | V::is_any(row)) {
                            tiles.take_tile(block, stripe, &rows);
                        } else {
                            tiles.take_nothing(block, stripe, &rows);
                        }
                        if T::TAKES_ENTROPY {
                            let all = stripe != last_stripe;
                            tiles.take_entropy(stripe, if all { slot.entropy } else { V::mul(slot.entropy, inside) });
                        }
                    }
                    slot.entropy = zero;
                }
                if let (Some(own), Some(done)) = (neighbours.own, tick.checked_sub(S - 1)) {
                    own.publish(done);
                }
                if tick == ticks {
                    break;
                }
                if let Some(before) = neighbours.before {
                    // Its first lane ends L-1 steps before the row of its last.
                    before.wait_for((tick + 2).min(blocks));
                }
                let mut fresh = [true; S];
                for s in 0..S {
                    from[s] = unused;
                    let Some(own) = tick.checked_sub(s) else { continue };
                    let (index, block) = (own / blocks * S + s, blocks - 1 - own % blocks);
                    if index >= stripes.len() {
                        continue;
                    }
                    let stripe = stripes.len() - 1 - index;
                    fresh[s] = block == blocks - 1;
                    from[s] = probabilities.add((stripe * blocks + block) * block_len);
                    if stripes.start + stripe <= last_stripe {
                        slots[s].pending = Some((block, stripes.start + stripe, fresh[s]));
                    }
                }
                // Apart from the loop above, so that the state stays in registers.
                for s in 0..S {
                    if fresh[s] {
                        state[s] = idle;
                    }
                }
                let first_row = (blocks - 1 - tick % blocks) * L;
                let last_row = (blocks - 1 - tick.saturating_sub(S - 1) % blocks) * L;
                let read = right.sub(first_row).add(L - 1);
                let write = left_column.sub(last_row);
                for i in (0..L).rev() {
                    for s in (0..S).rev() {
                        let arriving = if s == 0 {
                            V::down(state[0].flow, V::splat(*read.sub(i)))
                        } else if i == L - 1 {
                            state[s].first
                        } else {
                            V::down(state[s].flow, state[s - 1].flow)
                        };
                        let e = V::at_least_or_zero(V::add(state[s].up, arriving), least);
                        let p = from[s].add(i * 2 * L);
                        let up = V::mul(V::load(p), e);
                        let left = V::mul(V::load(p.add(L)), e);
                        let diagonal = V::sub(V::sub(e, up), left);
                        slots[s].steps[parity][i] =
                            if UNIT { e } else { V::mul_add(w_h, up, V::mul_add(w_v, left, V::mul(w_d, diagonal))) };
                        if T::TAKES_ENTROPY && V::is_any(e) {
                            let shares = [V::load(p), V::load(p.add(L))];
                            slots[s].entropy = add_entropy::<V, L>(slots[s].entropy, shares, [up, left, diagonal]);
                        }
                        state[s].flow = V::add(left, state[s].diagonal);
                        state[s].diagonal = diagonal;
                        state[s].up = up;
                    }
                    // Lane 0 lands on its row; the others spill onto rows that are written later.
                    V::store(write.sub(i), state[S - 1].flow);
                }
                // Taken before any slot moves on to its next stripe.
                for s in 1..S {
                    state[s].first = V::down(state[s].flow, state[s - 1].flow);
                }
            }
        }
    }
}

/// `sum - (E p_h) log p_h - (E p_v) log p_v - (E p_d) log p_d`, given p_h and p_v and the three products.
///
/// p_d is a difference and may be a rounding below 0; then it counts as 0.
#[inline(always)]
unsafe fn add_entropy<V: Lanes<L>, const L: usize>(sum: V::F, [p_h, p_v]: [V::F; 2], flows: [V::F; 3]) -> V::F {
    // SAFETY: the caller vouches for the hardware.
    unsafe {
        let [up, left, diagonal] = flows;
        let p_d = V::sub(V::sub(V::splat(1.0), p_h), p_v);
        let sum = V::neg_mul_add(up, clamped_ln::<V, L>(p_h), sum);
        let sum = V::neg_mul_add(left, clamped_ln::<V, L>(p_v), sum);
        V::neg_mul_add(V::max(V::splat(0.0), diagonal), clamped_ln::<V, L>(p_d), sum)
    }
}

/// The boundary column right of the last stripe: all mass enters at row N-1.
pub fn begin_flow(grid: Grid, flow: &mut [f32]) {
    flow.fill(0.0);
    flow[grid.boundary_origin() - (grid.shape.n - 1)] = 1.0;
}
