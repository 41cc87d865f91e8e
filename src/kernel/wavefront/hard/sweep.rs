//! The sweep of hard DTW: D(n,m) in skewed order, and the bits of the step into each cell.

use super::super::Grid;
use super::super::skew::skew;
use super::super::tiles::CostTiles;
use super::banded::BandedCosts;
use super::steps::KeptSteps;
use crate::real::Real;
use crate::simd::{Lanes, Work};
use crate::threads::stop;
use crate::weights::StepWeights;

/// Cells between two looks at whether the call may go on: a millisecond or less.
const CELLS_BETWEEN_LOOKS: usize = 1 << 20;

/// D of this lane one step ago (`own`) and of the lane to the left two steps ago (`diagonal`).
#[derive(Clone, Copy)]
struct State<V: Lanes<L>, const L: usize> {
    own: V::F,
    diagonal: V::F,
}

impl<V: Lanes<L>, const L: usize> State<V, L> {
    #[inline(always)]
    fn nothing(lanes: V) -> Self {
        let nothing = lanes.constant(f64::INFINITY);
        Self { own: nothing, diagonal: nothing }
    }

    /// The state before the first cell: the empty path lies diagonally before it.
    #[inline(always)]
    fn origin(lanes: V) -> Self {
        let mut diagonal = [V::Real::from_f64(f64::INFINITY); L];
        diagonal[0] = V::Real::default();
        Self { diagonal: lanes.load_array(&diagonal), ..Self::nothing(lanes) }
    }
}

/// A sweep over all stripes; yields D(N,M), or nothing if a cost is neither a number nor +inf, or where the call is to end.
pub struct HardSweep<'a, V: Lanes<L>, T, const L: usize, const S: usize, const CHECKED: bool> {
    pub lanes: V,
    pub grid: Grid,
    pub weights: StepWeights,
    /// Tiles within the band.
    pub tiles: BandedCosts<'a, T, CHECKED>,
    /// The boundary column between groups of stripes, of any contents: D in reversed row order.
    pub column: &'a mut Vec<V::Real>,
    /// The windows of the sweep, and where bits go.
    pub steps: &'a mut KeptSteps,
    /// Bits are kept.
    pub keeps_steps: bool,
}

impl<V, T, const L: usize, const S: usize, const CHECKED: bool> Work for HardSweep<'_, V, T, L, S, CHECKED>
where
    V: Lanes<L>,
    T: CostTiles<V, L>,
{
    type Output = Option<f64>;

    #[inline(always)]
    fn run(self) -> Option<f64> {
        let Self { lanes, grid, weights, mut tiles, column, steps, keeps_steps } = self;
        let forbids = weights.as_array().contains(&0.0);
        let weights = weights.as_array().map(|w| lanes.constant(w));
        let (last_stripe, last_step) = ((grid.shape.m - 1) / L, grid.shape.n - 1 + (grid.shape.m - 1) % L);
        column.clear();
        column.resize(grid.boundary_len(), V::Real::from_f64(f64::INFINITY));
        // Rows from -L+1 to blocks*L lie from 2L+1 on, so that slots without a stripe have a place to write to in vain.
        let (origin, in_vain) = (grid.boundary_origin(), L);
        let mut groups = [0; S];
        let mut state = [State::nothing(lanes); S];
        let mut skewed = [[lanes.constant(0.0); L]; S];
        let mut costs = [[lanes.constant(0.0); L]; S];
        let mut bits = [[0; L]; S];
        let mut value = f64::INFINITY;
        let ticks = steps.windows.last().map_or(0, |window| window.end() + S - 1);
        for tick in 0..ticks {
            if tick % (CELLS_BETWEEN_LOOKS / (S * L * L)) == 0 && !stop::may_go_on() {
                return None;
            }
            let mut blocks = [None; S];
            let mut end_slot = S;
            for s in 0..S {
                let Some(own) = tick.checked_sub(s) else { continue };
                if steps.windows.get(groups[s]).is_some_and(|window| window.end() == own) {
                    groups[s] += 1;
                }
                let Some(window) = steps.windows.get(groups[s]) else { continue };
                let Some(block) = window.block_at(own) else { continue };
                let stripe = groups[s] * S + s;
                if block == window.blocks.start {
                    state[s] = if (stripe, block) == (0, 0) { State::origin(lanes) } else { State::nothing(lanes) };
                    skewed[s] = [lanes.constant(0.0); L];
                }
                blocks[s] = Some(block);
                if stripe > last_stripe {
                    continue; // padding: any costs will do
                }
                if stripe == last_stripe && block == last_step / L {
                    end_slot = s;
                }
                let mut rows = tiles.tile(lanes, block, stripe);
                skew(lanes, &mut rows, &mut skewed[s]);
                costs[s] = rows;
            }
            if CHECKED && !tiles.holds_costs_alone() {
                return None;
            }
            let at = |block: Option<usize>| block.map_or(in_vain, |block| origin - block * L);
            let block = Block {
                lanes,
                weights,
                costs: &costs,
                column: &mut *column,
                read: at(blocks[0]),
                write: at(blocks[S - 1]),
                end: if end_slot < S { last_step % L } else { L },
            };
            let ends = match (keeps_steps, forbids) {
                (false, false) => block.run::<false, false>(&mut state, &mut bits),
                (false, true) => block.run::<false, true>(&mut state, &mut bits),
                (true, false) => block.run::<true, false>(&mut state, &mut bits),
                (true, true) => block.run::<true, true>(&mut state, &mut bits),
            };
            if end_slot < S {
                value = lanes.to_array(ends[end_slot])[(grid.shape.m - 1) % L].to_f64();
            }
            if keeps_steps {
                for s in 0..S {
                    let stripe = groups[s] * S + s;
                    if let (Some(block), true) = (blocks[s], stripe <= last_stripe) {
                        steps.put(groups[s], s, block, &bits[s]);
                    }
                }
            }
        }
        Some(value)
    }
}

/// One block of each slot.
struct Block<'a, V: Lanes<L>, const L: usize, const S: usize> {
    lanes: V,
    weights: [V::F; 3],
    /// Costs in skewed order.
    costs: &'a [[V::F; L]; S],
    column: &'a mut [V::Real],
    /// Where the row of lane 0 of the first slot lies in the column at the first step.
    read: usize,
    /// Where the row of lane 0 of the last slot lies there.
    write: usize,
    /// The step at which D of all slots is to be returned; L for none.
    end: usize,
}

impl<V: Lanes<L>, const L: usize, const S: usize> Block<'_, V, L, S> {
    /// Makes L steps of each slot.
    ///
    /// With `KEEP`, the bits of each step go to `bits`. With `FORBID`, D is +inf where the cost is: a step of weight 0 would
    /// make a NaN of it.
    #[inline(always)]
    fn run<const KEEP: bool, const FORBID: bool>(
        self,
        state: &mut [State<V, L>; S],
        bits: &mut [[u32; L]; S],
    ) -> [V::F; S] {
        let Self { lanes, weights: [w_h, w_v, w_d], costs, column, read, write, end } = self;
        let mut now = *state; // in registers
        let mut ends = [w_h; S];
        for i in 0..L {
            for s in (0..S).rev() {
                let from = if s == 0 { lanes.splat(column[read - i]) } else { now[s - 1].own };
                let State { own, diagonal } = now[s];
                let (left, cost) = (lanes.up(own, from), costs[s][i]);
                // Rounded as the recursion is written, each product and each sum, so that ties are those of the rows.
                let d = lanes.add(lanes.mul(w_d, cost), diagonal);
                let h = lanes.add(lanes.mul(w_h, cost), own);
                let v = lanes.add(lanes.mul(w_v, cost), left);
                // The first of equal ones stays: diagonal, horizontal, vertical.
                let of_two = lanes.min(h, d);
                if KEEP {
                    bits[s][i] = lanes.is_less(h, d) | lanes.is_less(v, of_two) << L;
                }
                let mut least = lanes.min(v, of_two);
                if FORBID {
                    // +inf where the cost is, else less than any D; a maximum with NaN is its second argument.
                    let floor = lanes.mul_sub(cost, lanes.constant(TINY), lanes.constant(HUGE));
                    least = lanes.max(least, floor);
                }
                now[s] = State { own: least, diagonal: left };
            }
            // The last lane lands on its row; the others spill onto L-1 rows below it, which are written later, or behind the
            // last.
            lanes.store_slice(&mut column[write - i..], now[S - 1].own);
            if i == end {
                for s in 0..S {
                    ends[s] = now[s].own;
                }
            }
        }
        *state = now;
        ends
    }
}

/// 2^-1000, which makes any finite cost less than [`HUGE`].
const TINY: f64 = 9.332_636_185_032_189e-302;
/// 2^1023.
const HUGE: f64 = 8.988_465_674_311_58e307;
