//! The forward sweep of the wavefront: the value, and p_h and p_v in skewed order.
//!
//! Under a mask, costs of +inf forbid cells. Their factors have an exponent so low ([`Number::FORBIDDEN`]) that what passes
//! through one stays below all that does not. Exponents are held up once a block, so that they never wrap. Where no
//! path arrives, p_h is kept as a negative number: the way back leaves such a cell at exactly 0, though roundings of p_d
//! send something there.

use std::ops::Range;

use super::exponential::{Factors, rate, write_factors};
use super::skew::skew;
use super::thread_team::Neighbours;
use super::tiles::CostTiles;
use super::windows::{Turn, Turns, Windows};
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

impl<V: Lanes<L>, const L: usize> Slot<V, L> {
    /// The factors of the horizontal, vertical and diagonal step; `own` tells whether the first and the last have their own,
    /// or those of the vertical step.
    #[inline(always)]
    fn factors(&self, own: [bool; 2]) -> [&Factors<V, L>; 3] {
        let Self { horizontal, vertical, diagonal, .. } = self;
        [if own[0] { horizontal } else { vertical }, vertical, if own[1] { diagonal } else { vertical }]
    }
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
    /// An inner one before which mantissas are brought back to [1,2).
    Normalised,
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

    /// Brings exponents that forbidden cells have lowered back up to a least.
    #[inline(always)]
    fn saturate(&mut self, lanes: V, least: V::I) {
        self.own_exponent = lanes.max_i(self.own_exponent, least);
        self.diagonal_exponent = lanes.max_i(self.diagonal_exponent, least);
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
/// `KEEP` is one of [`kept`]: so many vectors of each step go to `probabilities`, where the windows place its block.
pub struct ForwardSweep<'a, V, T, const L: usize, const S: usize, const DISTINCT: usize, const KEEP: usize>
where
    V: Lanes<L>,
{
    lanes: V,
    grid: Grid,
    windows: Windows<'a>,
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
    /// progress orders them; if anything is kept, `probabilities` has room for the blocks of the stripes in their windows
    /// and one more, each of [`Grid::block_len`], which nobody else uses.
    pub unsafe fn new(
        lanes: V,
        (grid, windows): (Grid, Windows<'a>),
        at: ForwardRange<'a, V::Real, V::Exponent>,
        tiles: &'a mut T,
        (gamma, weights): (f64, StepWeights),
        probabilities: *mut V::Real,
    ) -> Self {
        Self { lanes, grid, windows, at, tiles, gamma, weights, probabilities }
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
        let Self { lanes, grid, windows, at, tiles, gamma, weights, probabilities } = self;
        let ForwardRange { stripes, left, right, neighbours } = at;
        let block_len = grid.block_len();
        let groups = stripes.start / S..stripes.end.div_ceil(S);
        let rates = weights.as_array().map(|w| rate(w, gamma));
        // Under a mask all kinds of weights take the same way; what agrees is made once.
        let own_factors = [weights.horizontal != weights.vertical, weights.diagonal != weights.vertical];
        let normalised_every = V::Real::blocks_to_normalise(L);
        let (last_stripe, last_step) = ((grid.shape.m - 1) / L, grid.shape.n - 1 + (grid.shape.m - 1) % L);
        let mut end = Scaled::ZERO;
        // Pointers go from row -2L+1 of the boundary (reads of row 0 on, writes from row -L+1 with L-1 entries of spill) to
        // row (blocks + 2) L - 1, which `boundary_len` covers.
        let zero = lanes.constant(0.0);
        let one = Factors { mantissa: [lanes.constant(1.0); L], exponent: [lanes.splat_i(V::Exponent::ZERO); L] };
        let least = lanes.round(lanes.constant(2.0 * V::Real::FORBIDDEN));
        let of_no_path = lanes.round(lanes.constant(0.5 * V::Real::FORBIDDEN));
        let mut slots: [Slot<V, L>; S] =
            std::array::from_fn(|_| Slot { vertical: one, horizontal: one, diagonal: one, skew: [zero; L] });
        let mut state = [State::nothing(lanes); S];
        let mut out = [probabilities; S];
        let origin = grid.boundary_origin();
        let (left, left_exponent) = (left.mantissa.wrapping_add(origin), left.exponent.wrapping_add(origin));
        let (right, right_exponent) = (right.mantissa.wrapping_add(origin), right.exponent.wrapping_add(origin));
        let block_at =
            |index: usize| if KEEP > 0 { probabilities.wrapping_add(index * block_len) } else { probabilities };
        let unused = block_at(windows.blocks(groups.clone()));
        let of_neighbour = if groups.start > 0 { windows.of(groups.start - 1).end } else { 0 };
        let mut turns: [Turns<'_, false>; S] = std::array::from_fn(|s| Turns::new(windows, groups.clone(), s));
        let mut first_row = 0;
        for _ in 0..windows.ticks(groups.clone()) {
            let mut end_slot = S;
            let mut phase = [Phase::Idle; S];
            let mut now = [None; S];
            for s in 0..S {
                now[s] = turns[s].take_turn();
                let Some(Turn { stripe, block, is_first, .. }) = now[s] else { continue };
                phase[s] = match (stripe, is_first) {
                    (0, true) => Phase::Origin,
                    (_, true) => Phase::Top,
                    _ if (block + s) % normalised_every == 0 => Phase::Normalised,
                    _ => Phase::Inner,
                };
                if KEEP > 0 {
                    out[s] = block_at(windows.place(stripe, block, groups.start));
                }
                if stripe > last_stripe {
                    continue; // padding: any factors will do
                }
                if stripe == last_stripe && block == last_step / L {
                    end_slot = s;
                }
                let slot = &mut slots[s];
                if is_first {
                    slot.skew = [zero; L];
                }
                let mut costs = tiles.tile(lanes, block, stripe);
                skew(lanes, &mut costs, &mut slot.skew);
                let lowered = if T::IS_MASKED { forbidden(lanes, &mut costs) } else { None };
                if KEEP == kept::COSTS {
                    for (i, &cost) in costs.iter().enumerate() {
                        // SAFETY: the last vector of this step in the slot's block.
                        unsafe { lanes.store(out[s].wrapping_add((i * KEEP + kept::COSTS - 1) * L), cost) };
                    }
                }
                write_factors(lanes, &costs, rates[1], &mut slot.vertical);
                if DISTINCT >= distinct::HORIZONTAL && (!T::IS_MASKED || own_factors[0]) {
                    write_factors(lanes, &costs, rates[0], &mut slot.horizontal);
                }
                if DISTINCT == distinct::ALL && (!T::IS_MASKED || own_factors[1]) {
                    write_factors(lanes, &costs, rates[2], &mut slot.diagonal);
                }
                if let Some(lowered) = lowered {
                    slot.vertical.lower(lanes, &lowered);
                    slot.horizontal.lower(lanes, &lowered);
                    slot.diagonal.lower(lanes, &lowered);
                }
            }
            // Apart from the loop above, so that the state stays in registers.
            for s in 0..S {
                match phase[s] {
                    Phase::Normalised => state[s].normalise(lanes),
                    Phase::Inner => {}
                    Phase::Top => state[s] = State::nothing(lanes),
                    Phase::Origin => state[s] = State::origin(lanes),
                    Phase::Idle => {
                        state[s] = State::nothing(lanes);
                        out[s] = unused;
                    }
                }
                if T::IS_MASKED {
                    state[s].saturate(lanes, least);
                }
            }
            if let Some(Turn { block, .. }) = now[0] {
                first_row = block * L;
                if let Some(before) = neighbours.before {
                    // Its last lane ends L-1 steps after the row of its first.
                    before.wait_for((block + 2).min(of_neighbour));
                }
            }
            // The last slot's row, or one that nobody reads.
            let last_row = now[S - 1].map_or((grid.blocks + 1) * L, |turn| turn.block * L);
            let read = left.wrapping_sub(first_row);
            let read_exponent = left_exponent.wrapping_sub(first_row);
            // What comes over the boundary has grown since its own slot was last normalised.
            let (at, at_exponent) = (read.wrapping_sub(L - 1), read_exponent.wrapping_sub(L - 1));
            // SAFETY: L rows of the left column from the first of slot 0 on, or from its last block once it has ended. Its
            // neighbour has written them and is done.
            unsafe {
                let (mantissa, mut exponent) = lanes.normalise(lanes.load(at), lanes.load_i(at_exponent));
                if T::IS_MASKED {
                    exponent = lanes.max_i(exponent, least);
                }
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
                    let factors = slots[s].factors(if T::IS_MASKED { own_factors } else { [true; 2] });
                    let mut shares =
                        step::<V, L, DISTINCT, KEEP>(lanes, &mut state[s], from, from_exponent, factors, i);
                    if KEEP > 0 {
                        if T::IS_MASKED {
                            let marked = lanes.constant(-1.0);
                            shares[0] = lanes.where_less_i(state[s].own_exponent, of_no_path, marked, shares[0]);
                        }
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
            if let Some(Turn { block, is_last, .. }) = now[S - 1] {
                if T::IS_MASKED && is_last {
                    let nothing = lanes.splat_i(V::Exponent::NOTHING);
                    // SAFETY: the rows below the last one of the window that the last lane has been in. What spilt onto them
                    // would be read, where the next window reaches further down.
                    unsafe { lanes.store_i(right_exponent.wrapping_sub((block + 1) * L), nothing) };
                }
                if let Some(own) = neighbours.own {
                    own.publish(block + 1);
                }
            }
        }
        if KEEP > 0 && stripes.end == grid.stripes {
            // SAFETY: these stripes end with the last group, and the padding is less than a group.
            unsafe { close_last_row(grid, windows, groups.start, probabilities) };
        }
        if T::IS_MASKED && end.exponent < 0.5 * V::Real::FORBIDDEN {
            return Scaled::ZERO;
        }
        end.normalised()
    }
}

/// Finds the forbidden cells of a tile in skewed order and makes their costs 0. Returns what their factors' exponents lack,
/// if there are any.
#[inline(always)]
fn forbidden<V: Lanes<L>, const L: usize>(lanes: V, costs: &mut [V::F; L]) -> Option<[V::I; L]> {
    let infinity = lanes.constant(f64::INFINITY);
    let mut top = costs[0];
    for &cost in costs.iter() {
        top = lanes.max(top, cost);
    }
    if !lanes.is_any(lanes.where_at_least(top, infinity, infinity)) {
        return None;
    }
    let (zero, of_forbidden) = (lanes.constant(0.0), lanes.constant(V::Real::FORBIDDEN));
    let mut lowered = [lanes.round(zero); L];
    for i in 0..L {
        lowered[i] = lanes.round(lanes.where_at_least(costs[i], infinity, of_forbidden));
        costs[i] = lanes.finite_or_zero(costs[i]);
    }
    Some(lowered)
}

/// Makes one step of one slot: the new a, and if they are kept the shares of its horizontal, vertical and diagonal terms.
#[inline(always)]
fn step<V: Lanes<L>, const L: usize, const DISTINCT: usize, const KEEP: usize>(
    lanes: V,
    state: &mut State<V, L>,
    from: V::F,
    from_exponent: V::I,
    [horizontal, vertical, diagonal_factors]: [&Factors<V, L>; 3],
    i: usize,
) -> [V::F; 3] {
    let left = lanes.up(state.own, from);
    let left_exponent = lanes.up_i(state.own_exponent, from_exponent);
    let State { own, own_exponent, diagonal, diagonal_exponent } = *state;
    let (k_v, e_v) = (vertical.mantissa[i], vertical.exponent[i]);
    // The three terms, less their common factor where all weights agree.
    let (h, v, d, mut top);
    if DISTINCT == distinct::NONE {
        top = lanes.max_i(own_exponent, lanes.max_i(diagonal_exponent, left_exponent));
        let reference = lanes.reference(top);
        h = lanes.aligned(own, own_exponent, reference);
        v = lanes.aligned(left, left_exponent, reference);
        d = lanes.aligned(diagonal, diagonal_exponent, reference);
    } else {
        let h_exponent = lanes.add_i(own_exponent, horizontal.exponent[i]);
        if DISTINCT == distinct::HORIZONTAL {
            top = lanes.max_i(h_exponent, lanes.add_i(lanes.max_i(diagonal_exponent, left_exponent), e_v));
            let reference = lanes.reference(lanes.sub_i(top, e_v));
            v = lanes.mul(lanes.aligned(left, left_exponent, reference), k_v);
            d = lanes.mul(lanes.aligned(diagonal, diagonal_exponent, reference), k_v);
        } else {
            let v_exponent = lanes.add_i(left_exponent, e_v);
            let d_exponent = lanes.add_i(diagonal_exponent, diagonal_factors.exponent[i]);
            top = lanes.max_i(h_exponent, lanes.max_i(d_exponent, v_exponent));
            let reference = lanes.reference(top);
            v = lanes.mul(lanes.aligned(left, v_exponent, reference), k_v);
            d = lanes.mul(lanes.aligned(diagonal, d_exponent, reference), diagonal_factors.mantissa[i]);
        }
        h = lanes.mul(lanes.aligned(own, h_exponent, lanes.reference(top)), horizontal.mantissa[i]);
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
unsafe fn close_last_row<R: Number>(grid: Grid, windows: Windows<'_>, first_group: usize, probabilities: *mut R) {
    let lanes = grid.lanes;
    for column in grid.shape.m..grid.stripes * lanes {
        let (stripe, lane) = (column / lanes, column % lanes);
        let step = grid.shape.n - 1 + lane;
        let block = windows.place(stripe, step / lanes, first_group);
        // SAFETY: the padding is less than a group of stripes, and these stripes end with the last group; the caller
        // has room for their probabilities.
        unsafe {
            let at = probabilities.add(block * grid.block_len() + step % lanes * grid.kept * lanes + lane);
            at.write(R::default());
            at.add(lanes).write(R::from_f64(1.0));
        }
    }
}
