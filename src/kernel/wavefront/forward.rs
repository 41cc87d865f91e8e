//! The forward sweep of the wavefront: the value, and p_h and p_v in skewed order.

use std::ops::Range;

use super::exponential::{Factors, rate, write_factors};
use super::skew::skew;
use super::thread_team::Neighbours;
use super::tiles::CostTiles;
use super::{Grid, kept};
use crate::real::Real;
use crate::scaled::Scaled;
use crate::simd::{Exponent, Lanes, Number, Work};
use crate::weights::StepWeights;

/// Kinds of step weights by which of them agree, and so by how many exponentials a cell needs.
pub mod distinct {
    /// All three agree.
    pub const NONE: usize = 1;
    /// The vertical and the diagonal weight agree.
    pub const HORIZONTAL: usize = 2;
    /// The vertical and the diagonal weight differ.
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
pub struct Boundary<R, E> {
    /// Mantissas, [`Grid::boundary_len`] of them.
    pub mantissa: *mut R,
    /// Exponents, as many.
    pub exponent: *mut E,
}

impl<R: Number, E: Exponent> Boundary<R, E> {
    /// Fills the column with "nothing", which is what lies left of the first column.
    ///
    /// # Safety
    ///
    /// The column has [`Grid::boundary_len`] entries, and nobody else uses it.
    pub unsafe fn clear(self, grid: Grid) {
        // SAFETY: as the caller says.
        unsafe {
            std::slice::from_raw_parts_mut(self.mantissa, grid.boundary_len()).fill(R::from_f64(1.0));
            std::slice::from_raw_parts_mut(self.exponent, grid.boundary_len()).fill(E::NOTHING);
        }
    }
}

/// Factors of the present tile of a slot, and what skewing keeps of the block before.
struct Slot<V: Lanes<L>, const L: usize> {
    vertical: Factors<V, L>,
    horizontal: Factors<V, L>,
    diagonal: Factors<V, L>,
    skew: [V::F; L],
}

/// The part of its stripe that a block is.
#[derive(Clone, Copy)]
enum Phase {
    Idle,
    /// The first of the first stripe.
    Origin,
    /// The first of a stripe.
    Top,
    Inner,
}

/// The values a of this lane one step ago (`own`) and of the lane to the left two steps ago (`diagonal`).
#[derive(Clone, Copy)]
struct State<V: Lanes<L>, const L: usize> {
    own: V::F,
    own_exponent: V::I,
    diagonal: V::F,
    diagonal_exponent: V::I,
}

impl<V: Lanes<L>, const L: usize> State<V, L> {
    #[inline(always)]
    fn nothing(lanes: V) -> Self {
        let (one, nothing) = (lanes.constant(1.0), lanes.splat_i(V::Exponent::NOTHING));
        Self { own: one, own_exponent: nothing, diagonal: one, diagonal_exponent: nothing }
    }

    /// The state before the first cell: the empty path lies diagonally before it.
    #[inline(always)]
    fn origin(lanes: V) -> Self {
        let mut exponents = [V::Exponent::NOTHING; L];
        exponents[0] = V::Exponent::ZERO;
        Self { diagonal_exponent: lanes.load_array_i(&exponents), ..Self::nothing(lanes) }
    }

    #[inline(always)]
    fn normalise(&mut self, lanes: V) {
        (self.own, self.own_exponent) = lanes.normalise(self.own, self.own_exponent);
        (self.diagonal, self.diagonal_exponent) = lanes.normalise(self.diagonal, self.diagonal_exponent);
    }
}

/// The stripes of a forward sweep, and the columns that it reads and writes.
pub struct ForwardRange<'a, R, E> {
    /// A whole number of groups.
    pub stripes: Range<usize>,
    /// The column left of the stripes. The sweep brings its mantissas to [1,2) in place as it reads them, block by block:
    /// nobody else may touch the column meanwhile, except a neighbour that writes the rows ahead of it.
    pub left: Boundary<R, E>,
    /// The column for the last one of the stripes; may be the same.
    pub right: Boundary<R, E>,
    /// Neighbours on other threads; then the stripes are one group.
    pub neighbours: Neighbours<'a>,
}

/// A forward sweep over stripes; yields a(N,M) if it is among them.
///
/// `KEEP` is one of [`kept`]: so many vectors of each step of stripe `stripes.start + i` and block b go to `probabilities`,
/// block `i * blocks + b`.
pub struct ForwardSweep<'a, V, T, const L: usize, const S: usize, const DISTINCT: usize, const KEEP: usize>
where
    V: Lanes<L>,
{
    lanes: V,
    grid: Grid,
    at: ForwardRange<'a, V::Real, V::Exponent>,
    tiles: &'a mut T,
    gamma: f64,
    weights: StepWeights,
    probabilities: *mut V::Real,
}

impl<'a, V: Lanes<L>, T, const L: usize, const S: usize, const DISTINCT: usize, const KEEP: usize>
    ForwardSweep<'a, V, T, L, S, DISTINCT, KEEP>
{
    /// Makes a sweep of the grid for gamma > 0 and the weights, of which `DISTINCT` tells the kind.
    ///
    /// # Safety
    ///
    /// While it runs, the boundaries have [`Grid::boundary_len`] entries, which other threads use only as the neighbours'
    /// progress orders them; if anything is kept, `probabilities` has room for `stripes.len() * blocks + 1` blocks of
    /// [`Grid::block_len`], which nobody else uses.
    pub unsafe fn new(
        lanes: V,
        grid: Grid,
        at: ForwardRange<'a, V::Real, V::Exponent>,
        tiles: &'a mut T,
        (gamma, weights): (f64, StepWeights),
        probabilities: *mut V::Real,
    ) -> Self {
        Self { lanes, grid, at, tiles, gamma, weights, probabilities }
    }
}

impl<V, T, const L: usize, const S: usize, const DISTINCT: usize, const KEEP: usize> Work
    for ForwardSweep<'_, V, T, L, S, DISTINCT, KEEP>
where
    V: Lanes<L>,
    T: CostTiles<V, L>,
{
    type Output = Scaled;

    #[inline(always)]
    fn run(self) -> Scaled {
        let Self { lanes, grid, at, tiles, gamma, weights, probabilities } = self;
        let ForwardRange { stripes, left, right, neighbours } = at;
        let (blocks, block_len) = (grid.blocks, grid.block_len());
        let groups = stripes.len().div_ceil(S);
        let rates = weights.as_array().map(|w| rate(w, gamma));
        let normalised_every = V::Real::blocks_to_normalise(L);
        let (last_stripe, last_step) = ((grid.shape.m - 1) / L, grid.shape.n - 1 + (grid.shape.m - 1) % L);
        let mut end = Scaled::ZERO;
        // Pointers go from row -2L+1 of the boundary (reads of row 0 on, writes from row -L+1 with L-1 entries of spill) to
        // row blocks*L, which `boundary_len` covers.
        let zero = lanes.constant(0.0);
        let one = Factors { mantissa: [lanes.constant(1.0); L], exponent: [lanes.splat_i(V::Exponent::ZERO); L] };
        let mut slots: [Slot<V, L>; S] =
            std::array::from_fn(|_| Slot { vertical: one, horizontal: one, diagonal: one, skew: [zero; L] });
        let mut state = [State::nothing(lanes); S];
        let mut out = [probabilities; S];
        let origin = grid.boundary_origin();
        let (left, left_exponent) = (left.mantissa.wrapping_add(origin), left.exponent.wrapping_add(origin));
        let (right, right_exponent) = (right.mantissa.wrapping_add(origin), right.exponent.wrapping_add(origin));
        let block_at =
            |index: usize| if KEEP > 0 { probabilities.wrapping_add(index * block_len) } else { probabilities };
        let unused = block_at(stripes.len() * blocks);
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
                if KEEP > 0 {
                    out[s] = block_at((stripe - stripes.start) * blocks + block);
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
                let mut costs = tiles.tile(lanes, block, stripe);
                skew(lanes, &mut costs, &mut slot.skew);
                if KEEP == kept::COSTS {
                    for (i, &cost) in costs.iter().enumerate() {
                        // SAFETY: the last vector of this step in the slot's block.
                        unsafe { lanes.store(out[s].wrapping_add((i * KEEP + kept::COSTS - 1) * L), cost) };
                    }
                }
                write_factors(lanes, &costs, rates[1], &mut slot.vertical);
                if DISTINCT >= distinct::HORIZONTAL {
                    write_factors(lanes, &costs, rates[0], &mut slot.horizontal);
                }
                if DISTINCT == distinct::ALL {
                    write_factors(lanes, &costs, rates[2], &mut slot.diagonal);
                }
            }
            // Apart from the loop above, so that the state stays in registers.
            for s in 0..S {
                match phase[s] {
                    Phase::Inner if tick % normalised_every == 0 => state[s].normalise(lanes),
                    Phase::Inner => {}
                    Phase::Top => state[s] = State::nothing(lanes),
                    Phase::Origin => state[s] = State::origin(lanes),
                    Phase::Idle => {
                        state[s] = State::nothing(lanes);
                        out[s] = unused;
                    }
                }
            }
            let first_row = tick % blocks * L;
            // The last slot's row, or row 0 while it has not begun: what it writes there has been read before.
            let last_row = tick.checked_sub(S - 1).map_or(0, |own| own % blocks * L);
            let read = left.wrapping_sub(first_row);
            let read_exponent = left_exponent.wrapping_sub(first_row);
            if let Some(before) = neighbours.before {
                // Its last lane ends L-1 steps after the row of its first.
                before.wait_for((tick + 2).min(blocks));
            }
            // What comes over the boundary has grown since its own slot was last normalised.
            let (at, at_exponent) = (read.wrapping_sub(L - 1), read_exponent.wrapping_sub(L - 1));
            // SAFETY: L rows of the left column from the first of slot 0 on. Its neighbour has written them and is done.
            unsafe {
                let (mantissa, exponent) = lanes.normalise(lanes.load(at), lanes.load_i(at_exponent));
                lanes.store(at, mantissa);
                lanes.store_i(at_exponent, exponent);
            }
            let write = right.wrapping_sub(last_row);
            let write_exponent = right_exponent.wrapping_sub(last_row);
            for i in 0..L {
                for s in (0..S).rev() {
                    let (from, from_exponent) = if s == 0 {
                        // SAFETY: one of the rows that were normalised above.
                        let row = unsafe { (*read.wrapping_sub(i), *read_exponent.wrapping_sub(i)) };
                        (lanes.splat(row.0), lanes.splat_i(row.1))
                    } else {
                        (state[s - 1].own, state[s - 1].own_exponent)
                    };
                    let shares = step::<V, L, DISTINCT, KEEP>(lanes, &mut state[s], from, from_exponent, &slots[s], i);
                    if KEEP > 0 {
                        let out = out[s].wrapping_add(i * KEEP * L);
                        // SAFETY: vectors of this step in a block of probabilities, the slot's own or the unused one.
                        unsafe {
                            lanes.store(out, shares[0]);
                            lanes.store(out.wrapping_add(L), shares[1]);
                            if KEEP >= kept::ALL_PROBABILITIES {
                                lanes.store(out.wrapping_add(2 * L), shares[2]);
                            }
                        }
                    }
                }
                // SAFETY: the last lane lands on its row of the right column; the others spill onto L-1 rows below it,
                // which are written later, or behind the last. Nobody reads these rows before they are published.
                unsafe {
                    lanes.store(write.wrapping_sub(i), state[S - 1].own);
                    lanes.store_i(write_exponent.wrapping_sub(i), state[S - 1].own_exponent);
                }
                if end_slot < S && i == last_step % L {
                    let mut mantissas = [[V::Real::default(); L]; S];
                    let mut exponents = [[V::Exponent::ZERO; L]; S];
                    for s in 0..S {
                        mantissas[s] = lanes.to_array(state[s].own);
                        exponents[s] = lanes.to_array_i(state[s].own_exponent);
                    }
                    let lane = (grid.shape.m - 1) % L;
                    end = Scaled {
                        mantissa: mantissas[end_slot][lane].to_f64(),
                        exponent: exponents[end_slot][lane].to_f64(),
                    };
                }
            }
            if let (Some(own), Some(done)) = (neighbours.own, (tick + 1).checked_sub(S - 1)) {
                own.publish(done);
            }
        }
        if KEEP > 0 && stripes.end == grid.stripes {
            // SAFETY: these stripes end with the last group, and the padding is less than a group.
            unsafe { close_last_row(grid, stripes, probabilities) };
        }
        end.normalised()
    }
}

/// Makes one step of one slot: the new a, and if they are kept the shares of its horizontal, vertical and diagonal terms.
#[inline(always)]
fn step<V: Lanes<L>, const L: usize, const DISTINCT: usize, const KEEP: usize>(
    lanes: V,
    state: &mut State<V, L>,
    from: V::F,
    from_exponent: V::I,
    slot: &Slot<V, L>,
    i: usize,
) -> [V::F; 3] {
    let left = lanes.up(state.own, from);
    let left_exponent = lanes.up_i(state.own_exponent, from_exponent);
    let State { own, own_exponent, diagonal, diagonal_exponent } = *state;
    let (k_v, e_v) = (slot.vertical.mantissa[i], slot.vertical.exponent[i]);
    // The three terms, less their common factor where all weights agree.
    let (h, v, d, mut top);
    if DISTINCT == distinct::NONE {
        top = lanes.max_i(own_exponent, lanes.max_i(diagonal_exponent, left_exponent));
        let reference = lanes.reference(top);
        h = lanes.aligned(own, own_exponent, reference);
        v = lanes.aligned(left, left_exponent, reference);
        d = lanes.aligned(diagonal, diagonal_exponent, reference);
    } else {
        let h_exponent = lanes.add_i(own_exponent, slot.horizontal.exponent[i]);
        if DISTINCT == distinct::HORIZONTAL {
            top = lanes.max_i(h_exponent, lanes.add_i(lanes.max_i(diagonal_exponent, left_exponent), e_v));
            let reference = lanes.reference(lanes.sub_i(top, e_v));
            v = lanes.mul(lanes.aligned(left, left_exponent, reference), k_v);
            d = lanes.mul(lanes.aligned(diagonal, diagonal_exponent, reference), k_v);
        } else {
            let v_exponent = lanes.add_i(left_exponent, e_v);
            let d_exponent = lanes.add_i(diagonal_exponent, slot.diagonal.exponent[i]);
            top = lanes.max_i(h_exponent, lanes.max_i(d_exponent, v_exponent));
            let reference = lanes.reference(top);
            v = lanes.mul(lanes.aligned(left, v_exponent, reference), k_v);
            d = lanes.mul(lanes.aligned(diagonal, d_exponent, reference), slot.diagonal.mantissa[i]);
        }
        h = lanes.mul(lanes.aligned(own, h_exponent, lanes.reference(top)), slot.horizontal.mantissa[i]);
    }
    let sum = lanes.add(lanes.add(h, d), v);
    let mut a = sum;
    if DISTINCT == distinct::NONE {
        a = lanes.mul(sum, k_v);
        top = lanes.add_i(top, e_v);
    }
    *state = State { own: a, own_exponent: top, diagonal: left, diagonal_exponent: left_exponent };
    if KEEP == kept::NOTHING {
        return [sum; 3];
    }
    let inverse = lanes.div(lanes.constant(1.0), sum);
    let (p_h, p_v) = (quotient(lanes, h, sum, inverse), quotient(lanes, v, sum, inverse));
    [p_h, p_v, if KEEP >= kept::ALL_PROBABILITIES { quotient(lanes, d, sum, inverse) } else { p_v }]
}

/// Divides a by b by the inverse of b and its remainder: 1 exactly where a = b.
///
/// A share that should be 1 and is a rounding below would leak, step by step, what a long run along one row or column
/// carries.
#[inline(always)]
fn quotient<V: Lanes<L>, const L: usize>(lanes: V, a: V::F, b: V::F, inverse: V::F) -> V::F {
    let q = lanes.mul(a, inverse);
    lanes.mul_add(lanes.neg_mul_add(q, b, a), inverse, q)
}

/// Makes the padding of the last row pass everything on to the left, so that the mass that the backward sweep puts
/// right of the last stripe arrives at (N,M).
unsafe fn close_last_row<R: Number>(grid: Grid, stripes: Range<usize>, probabilities: *mut R) {
    let lanes = grid.lanes;
    for column in grid.shape.m..grid.stripes * lanes {
        let (stripe, lane) = (column / lanes, column % lanes);
        let step = grid.shape.n - 1 + lane;
        let block = (stripe - stripes.start) * grid.blocks + step / lanes;
        // SAFETY: the padding is less than a group of stripes, and these stripes end with the last group; the caller
        // has room for their probabilities.
        unsafe {
            let at = probabilities.add(block * grid.block_len() + step % lanes * grid.kept * lanes + lane);
            at.write(R::default());
            at.add(lanes).write(R::from_f64(1.0));
        }
    }
}
