//! The forward sweep of the wavefront: the value, and p_h and p_v in skewed order.

use std::marker::PhantomData;
use std::ops::Range;

use super::exponential::{Factors, rate, write_factors};
use super::skew::skew;
use super::thread_team::Neighbours;
use super::tiles::CostTiles;
use super::{Grid, NOTHING};
use crate::scaled::Scaled;
use crate::simd::{Lanes, Work};
use crate::weights::StepWeights;

/// Which step weights agree, and so how many exponentials a cell needs.
pub mod distinct {
    /// All three.
    pub const NONE: usize = 1;
    /// The vertical and the diagonal one.
    pub const HORIZONTAL: usize = 2;
    /// None of them.
    pub const ALL: usize = 3;
}

/// The kind of weights, one of [`distinct`].
pub fn distinct_weights(weights: StepWeights) -> usize {
    if weights.vertical != weights.diagonal {
        distinct::ALL
    } else if weights.horizontal != weights.vertical {
        distinct::HORIZONTAL
    } else {
        distinct::NONE
    }
}

/// A boundary column between groups of stripes: mantissas and exponents in reversed row order.
#[derive(Clone, Copy)]
pub struct Boundary {
    /// [`Grid::boundary_len`] entries.
    pub mantissa: *mut f32,
    /// As many.
    pub exponent: *mut i32,
}

impl Boundary {
    /// Nothing comes from the left of the first column.
    ///
    /// # Safety
    ///
    /// The column has [`Grid::boundary_len`] entries, and nobody else uses it.
    pub unsafe fn clear(self, grid: Grid) {
        // SAFETY: as the caller says.
        unsafe {
            std::slice::from_raw_parts_mut(self.mantissa, grid.boundary_len()).fill(1.0);
            std::slice::from_raw_parts_mut(self.exponent, grid.boundary_len()).fill(NOTHING);
        }
    }
}

/// What a slot keeps of its tile from block to block.
struct Slot<V: Lanes<L>, const L: usize> {
    vertical: Factors<V, L>,
    horizontal: Factors<V, L>,
    diagonal: Factors<V, L>,
    skew: [V::F; L],
}

/// What a block is for its slot.
#[derive(Clone, Copy)]
enum Phase {
    Idle,
    /// The first of the first stripe.
    Origin,
    /// The first of a stripe.
    Top,
    Inner,
}

/// a in this lane one step ago (`own`) and in the lane to the left two steps ago (`diagonal`).
#[derive(Clone, Copy)]
struct State<V: Lanes<L>, const L: usize> {
    own: V::F,
    own_exponent: V::I,
    diagonal: V::F,
    diagonal_exponent: V::I,
}

impl<V: Lanes<L>, const L: usize> State<V, L> {
    #[inline(always)]
    unsafe fn nothing() -> Self {
        // SAFETY: the caller vouches for the hardware.
        unsafe {
            let (one, nothing) = (V::splat(1.0), V::splat_i(NOTHING));
            Self { own: one, own_exponent: nothing, diagonal: one, diagonal_exponent: nothing }
        }
    }

    /// The empty path lies diagonally before the first cell.
    #[inline(always)]
    unsafe fn origin() -> Self {
        let mut exponents = [NOTHING; L];
        exponents[0] = 0;
        // SAFETY: the caller vouches for the hardware.
        unsafe { Self { diagonal_exponent: V::load_i(exponents.as_ptr()), ..Self::nothing() } }
    }

    #[inline(always)]
    unsafe fn normalise(&mut self) {
        // SAFETY: the caller vouches for the hardware.
        unsafe {
            normalise::<V, L>(&mut self.own, &mut self.own_exponent);
            normalise::<V, L>(&mut self.diagonal, &mut self.diagonal_exponent);
        }
    }
}

/// Brings the mantissa to [1,2).
#[inline(always)]
unsafe fn normalise<V: Lanes<L>, const L: usize>(mantissa: &mut V::F, exponent: &mut V::I) {
    // SAFETY: the caller vouches for the hardware.
    unsafe {
        let bits = V::bits(*mantissa);
        *exponent = V::add_i(*exponent, V::sub_i(V::of_exponent(bits), V::splat_i(127)));
        *mantissa = V::from_bits(V::or_i(V::and_i(bits, V::splat_i(0x7f_ffff)), V::splat_i(0x3f80_0000)));
    }
}

/// `mantissa * 2^(exponent - top)`, the difference being at most 0 and counted as -90 below.
#[inline(always)]
unsafe fn aligned<V: Lanes<L>, const L: usize>(mantissa: V::F, exponent: V::I, top: V::I) -> V::F {
    // SAFETY: the caller vouches for the hardware. A mantissa is at least 2^-16, so its exponent bits stay positive.
    unsafe {
        let shift = V::max_i(V::sub_i(exponent, top), V::splat_i(-90));
        V::from_bits(V::add_i(V::bits(mantissa), V::to_exponent(shift)))
    }
}

/// A forward sweep over `stripes`, a whole number of groups of S; yields a(N,M) if it is among them.
///
/// With `KEEP`, p_h and p_v of stripe `stripes.start + i` and block b go to `probabilities`, block `i * blocks + b`.
///
/// # Safety of [`Work::run`]
///
/// The hardware has the instructions of V; the boundaries have [`Grid::boundary_len`] entries; with `KEEP`, `probabilities` has room for `stripes.len() * blocks + 1`
/// blocks of [`Grid::block_len`].
pub struct Sweep<'a, V, T, const L: usize, const S: usize, const DISTINCT: usize, const KEEP: bool> {
    /// Sizes.
    pub grid: Grid,
    /// The stripes to sweep.
    pub stripes: Range<usize>,
    /// The costs.
    pub tiles: &'a mut T,
    /// Greater than 0.
    pub gamma: f64,
    /// Step weights.
    pub weights: StepWeights,
    /// The column left of the stripes. The sweep brings its mantissas to [1,2) in place as it reads them, block by block:
    /// nobody else may touch the column meanwhile, except a neighbour that writes the rows ahead of it.
    pub left: Boundary,
    /// Where the last column of the stripes goes; may be the same.
    pub right: Boundary,
    /// Neighbours on other threads; then the stripes are one group.
    pub neighbours: Neighbours<'a>,
    /// Where probabilities are kept.
    pub probabilities: *mut f32,
    /// The lanes.
    pub lanes: PhantomData<V>,
}

impl<V, T, const L: usize, const S: usize, const DISTINCT: usize, const KEEP: bool> Work
    for Sweep<'_, V, T, L, S, DISTINCT, KEEP>
where
    V: Lanes<L>,
    T: CostTiles<V, L>,
{
    type Output = Scaled;

    #[inline(always)]
    unsafe fn run(self) -> Scaled {
        let Self { grid, stripes, tiles, gamma, weights, left, right, neighbours, probabilities, .. } = self;
        let (blocks, block_len) = (grid.blocks, grid.block_len());
        let groups = stripes.len().div_ceil(S);
        let rates = weights.as_array().map(|w| rate(w, gamma));
        let (last_stripe, last_step) = ((grid.shape.m - 1) / L, grid.shape.n - 1 + (grid.shape.m - 1) % L);
        let mut end = Scaled::ZERO;
        // SAFETY: the caller vouches for the hardware and the buffers. The boundary is touched from row -2L+1 (reads of
        // row 0 on, writes from row -L+1 with L-1 entries of spill) to row blocks*L, which `boundary_len` covers.
        unsafe {
            let zero = V::splat(0.0);
            let one = Factors { mantissa: [V::splat(1.0); L], exponent: [V::splat_i(0); L] };
            let mut slots: [Slot<V, L>; S] =
                std::array::from_fn(|_| Slot { vertical: one, horizontal: one, diagonal: one, skew: [zero; L] });
            let mut state = [State::<V, L>::nothing(); S];
            let mut out = [probabilities; S];
            let origin = grid.boundary_origin();
            let (left, left_exponent) = (left.mantissa.add(origin), left.exponent.add(origin));
            let (right, right_exponent) = (right.mantissa.add(origin), right.exponent.add(origin));
            let unused = if KEEP { probabilities.add(stripes.len() * blocks * block_len) } else { probabilities };
            // The block of slot 0; slot s is s blocks behind.
            for tick in 0..groups * blocks + S - 1 {
                let mut end_slot = S;
                let mut phase = [Phase::Idle; S];
                for s in 0..S {
                    let Some(own) = tick.checked_sub(s) else { continue };
                    let (stripe, block) = (stripes.start + own / blocks * S + s, own % blocks);
                    if stripe >= stripes.end {
                        continue;
                    }
                    phase[s] = match (stripe, block) {
                        (0, 0) => Phase::Origin,
                        (_, 0) => Phase::Top,
                        _ => Phase::Inner,
                    };
                    if KEEP {
                        out[s] = probabilities.add(((stripe - stripes.start) * blocks + block) * block_len);
                    }
                    if stripe > last_stripe {
                        continue; // padding: any factors will do
                    }
                    if stripe == last_stripe && block == last_step / L {
                        end_slot = s;
                    }
                    let slot = &mut slots[s];
                    if block == 0 {
                        slot.skew = [zero; L];
                    }
                    let mut costs = tiles.tile(block, stripe);
                    skew::<V, L>(&mut costs, &mut slot.skew);
                    write_factors(&costs, rates[1], &mut slot.vertical);
                    if DISTINCT >= distinct::HORIZONTAL {
                        write_factors(&costs, rates[0], &mut slot.horizontal);
                    }
                    if DISTINCT == distinct::ALL {
                        write_factors(&costs, rates[2], &mut slot.diagonal);
                    }
                }
                // Apart from the loop above, so that the state stays in registers.
                for s in 0..S {
                    match phase[s] {
                        Phase::Inner if tick % 2 == 0 => state[s].normalise(),
                        Phase::Inner => {}
                        Phase::Top => state[s] = State::nothing(),
                        Phase::Origin => state[s] = State::origin(),
                        Phase::Idle => {
                            state[s] = State::nothing();
                            out[s] = unused;
                        }
                    }
                }
                let first_row = tick % blocks * L;
                // The last slot's row, or row 0 while it has not begun: what it writes there has been read before.
                let last_row = tick.checked_sub(S - 1).map_or(0, |own| own % blocks * L);
                let read = left.sub(first_row);
                let read_exponent = left_exponent.sub(first_row);
                if let Some(before) = neighbours.before {
                    // Its last lane ends L-1 steps after the row of its first.
                    before.wait_for((tick + 2).min(blocks));
                }
                // What comes over the boundary has grown since its own slot was last normalised.
                let (at, at_exponent) = (read.sub(L - 1), read_exponent.sub(L - 1));
                let (mut mantissa, mut exponent) = (V::load(at), V::load_i(at_exponent));
                normalise::<V, L>(&mut mantissa, &mut exponent);
                V::store(at, mantissa);
                V::store_i(at_exponent, exponent);
                let write = right.sub(last_row);
                let write_exponent = right_exponent.sub(last_row);
                for i in 0..L {
                    for s in (0..S).rev() {
                        let (from, from_exponent) = if s == 0 {
                            (V::splat(*read.sub(i)), V::splat_i(*read_exponent.sub(i)))
                        } else {
                            (state[s - 1].own, state[s - 1].own_exponent)
                        };
                        step::<V, L, DISTINCT, KEEP>(&mut state[s], from, from_exponent, &slots[s], i, out[s]);
                    }
                    // The last lane lands on its row; the others spill onto rows that are written later.
                    V::store(write.sub(i), state[S - 1].own);
                    V::store_i(write_exponent.sub(i), state[S - 1].own_exponent);
                    if end_slot < S && i == last_step % L {
                        let mut mantissas = [[0.0; L]; S];
                        let mut exponents = [[0; L]; S];
                        for s in 0..S {
                            V::store(mantissas[s].as_mut_ptr(), state[s].own);
                            V::store_i(exponents[s].as_mut_ptr(), state[s].own_exponent);
                        }
                        let lane = (grid.shape.m - 1) % L;
                        end = Scaled {
                            mantissa: f64::from(mantissas[end_slot][lane]),
                            exponent: f64::from(exponents[end_slot][lane]),
                        };
                    }
                }
                if let (Some(own), Some(done)) = (neighbours.own, (tick + 1).checked_sub(S - 1)) {
                    own.publish(done);
                }
            }
            if KEEP && stripes.end == grid.stripes {
                close_last_row(grid, stripes, probabilities);
            }
        }
        end.normalised()
    }
}

/// One step of one slot: the new a, and the shares of its terms.
#[inline(always)]
unsafe fn step<V: Lanes<L>, const L: usize, const DISTINCT: usize, const KEEP: bool>(
    state: &mut State<V, L>,
    from: V::F,
    from_exponent: V::I,
    slot: &Slot<V, L>,
    i: usize,
    out: *mut f32,
) {
    // SAFETY: the caller vouches for the hardware and, with `KEEP`, for a block of probabilities at `out`.
    unsafe {
        let left = V::up(state.own, from);
        let left_exponent = V::up_i(state.own_exponent, from_exponent);
        let State { own, own_exponent, diagonal, diagonal_exponent } = *state;
        let (k_v, e_v) = (slot.vertical.mantissa[i], slot.vertical.exponent[i]);
        // The three terms, less their common factor where all weights agree.
        let (h, v, d, mut top);
        if DISTINCT == distinct::NONE {
            top = V::max_i(own_exponent, V::max_i(diagonal_exponent, left_exponent));
            h = aligned::<V, L>(own, own_exponent, top);
            v = aligned::<V, L>(left, left_exponent, top);
            d = aligned::<V, L>(diagonal, diagonal_exponent, top);
        } else {
            let h_exponent = V::add_i(own_exponent, slot.horizontal.exponent[i]);
            if DISTINCT == distinct::HORIZONTAL {
                top = V::max_i(h_exponent, V::add_i(V::max_i(diagonal_exponent, left_exponent), e_v));
                let top_less = V::sub_i(top, e_v);
                v = V::mul(aligned::<V, L>(left, left_exponent, top_less), k_v);
                d = V::mul(aligned::<V, L>(diagonal, diagonal_exponent, top_less), k_v);
            } else {
                let v_exponent = V::add_i(left_exponent, e_v);
                let d_exponent = V::add_i(diagonal_exponent, slot.diagonal.exponent[i]);
                top = V::max_i(h_exponent, V::max_i(d_exponent, v_exponent));
                v = V::mul(aligned::<V, L>(left, v_exponent, top), k_v);
                d = V::mul(aligned::<V, L>(diagonal, d_exponent, top), slot.diagonal.mantissa[i]);
            }
            h = V::mul(aligned::<V, L>(own, h_exponent, top), slot.horizontal.mantissa[i]);
        }
        let sum = V::add(V::add(h, d), v);
        let mut a = sum;
        if DISTINCT == distinct::NONE {
            a = V::mul(sum, k_v);
            top = V::add_i(top, e_v);
        }
        *state = State { own: a, own_exponent: top, diagonal: left, diagonal_exponent: left_exponent };
        if KEEP {
            let out = out.add(i * 2 * L);
            let inverse = V::div(V::splat(1.0), sum);
            V::store(out, quotient::<V, L>(h, sum, inverse));
            V::store(out.add(L), quotient::<V, L>(v, sum, inverse));
        }
    }
}

/// `a / b` by the inverse of b and its remainder: 1 exactly where a = b.
///
/// A share that should be 1 and is a rounding below would leak, step by step, what a long run along one row or column
/// carries.
#[inline(always)]
unsafe fn quotient<V: Lanes<L>, const L: usize>(a: V::F, b: V::F, inverse: V::F) -> V::F {
    // SAFETY: the caller vouches for the hardware.
    unsafe {
        let q = V::mul(a, inverse);
        V::mul_add(V::neg_mul_add(q, b, a), inverse, q)
    }
}

/// Makes the padding of the last row pass everything on to the left, so that the mass that the backward sweep puts
/// right of the last stripe arrives at (N,M).
unsafe fn close_last_row(grid: Grid, stripes: Range<usize>, probabilities: *mut f32) {
    let lanes = grid.lanes;
    for column in grid.shape.m..grid.stripes * lanes {
        let (stripe, lane) = (column / lanes, column % lanes);
        let step = grid.shape.n - 1 + lane;
        let block = (stripe - stripes.start) * grid.blocks + step / lanes;
        // SAFETY: the padding is less than a group of stripes, and these stripes end with the last group; the caller
        // has room for their probabilities.
        unsafe {
            let at = probabilities.add(block * grid.block_len() + step % lanes * 2 * lanes + lane);
            at.write(0.0);
            at.add(lanes).write(1.0);
        }
    }
}
