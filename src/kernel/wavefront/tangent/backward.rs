//! The backward tangent sweep: H and its change H', from the probabilities and their changes.
//!
//! It runs in the order of [`super::super::backward`], and carries E' beside E.

use std::ops::Range;

use super::super::skew::deskew;
use super::super::{Grid, kept};
use super::tiles::TakesTiles;
use crate::simd::functions::clamped_ln;
use crate::simd::{Lanes, Number, Work};

/// Where tiles go.
pub struct Takers<'a, V, const L: usize> {
    /// Take H' + a H.
    pub changes: Vec<&'a mut dyn TakesTiles<V, L>>,
    /// Take H.
    pub alignment: Vec<&'a mut dyn TakesTiles<V, L>>,
}

/// The factors of flows and of their changes.
#[derive(Clone, Copy)]
pub struct Readout {
    /// w.
    pub weights: [f64; 3],
    /// w'.
    pub weights_change: [f64; 3],
    /// a, by which the gradient itself is added to its change.
    pub gradient: f64,
    /// Asks for [`TangentSums`].
    pub sums: bool,
}

/// Sums over all cells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TangentSums {
    /// The change of dSDTW/dgamma.
    pub gamma_grad: f64,
    /// The change of dSDTW/dw, and a times dSDTW/dw itself.
    pub step_weights_grad: [f64; 3],
}

/// The steps of the last two blocks of a slot, and what deskewing keeps of the block after.
#[derive(Clone, Copy)]
struct Slot<F, const L: usize> {
    /// H' + a H, and H.
    steps: [[[F; L]; 2]; 2],
    skew: [[F; L]; 2],
    /// Shares of the steps of the last block in the sums: of the three step weights, of gamma.
    sums: [F; 4],
    /// Block and stripe of the tile that `steps` will become, if any; true where the stripe begins with it.
    pending: Option<(usize, usize, bool)>,
}

/// Flows of E and E' to the left column, to the row above, and diagonally (to be added to the flow of the next step).
#[derive(Clone, Copy)]
struct State<F> {
    flow: [F; 2],
    up: [F; 2],
    diagonal: [F; 2],
    /// The shifted flow for the first step of a block.
    first: [F; 2],
}

/// A sweep over stripes, a whole number of groups, from right to left.
pub struct BackwardTangent<'a, 't, V, const L: usize, const S: usize> {
    pub lanes: V,
    pub grid: Grid,
    pub stripes: Range<usize>,
    /// The flows of E and E' that the stripes after send to their left, which become those of the first of the stripes:
    /// [`Grid::boundary_len`] entries each.
    pub flows: [&'a mut [f64]; 2],
    /// The vectors that the forward sweep kept, and a block of zeros.
    pub probabilities: &'a [f64],
    /// The vectors that the forward tangent sweep wrote, and a block of zeros.
    pub changes: &'a [f64],
    pub readout: Readout,
    pub takers: &'a mut Takers<'t, V, L>,
    pub sums: &'a mut TangentSums,
}

/// Returns a where its size is at least `least`, else 0.
#[inline(always)]
fn sizeable<V: Lanes<L>, const L: usize>(lanes: V, a: V::F, least: V::F) -> V::F {
    let negative = lanes.at_least_or_zero(lanes.sub(lanes.constant(0.0), a), least);
    lanes.sub(lanes.at_least_or_zero(a, least), negative)
}

/// Sums lanes, from the first to the last.
#[inline(always)]
fn total<V: Lanes<L, Real = f64>, const L: usize>(lanes: V, sums: V::F) -> f64 {
    let mut total = 0.0;
    for sum in lanes.to_array(sums) {
        total += sum;
    }
    total
}

impl<V, const L: usize, const S: usize> BackwardTangent<'_, '_, V, L, S>
where
    V: Lanes<L, Real = f64>,
{
    /// Hands on the tiles of a block that is ready, and its sums.
    #[inline(always)]
    fn hand_on(&mut self, slot: &mut Slot<V::F, L>, parity: usize, inside: V::F) {
        let lanes = self.lanes;
        let mut sums = std::mem::replace(&mut slot.sums, [lanes.constant(0.0); 4]);
        let Some((block, stripe, first)) = slot.pending.take() else { return };
        let is_last = stripe == (self.grid.shape.m - 1) / L;
        if first {
            slot.skew = [[lanes.constant(0.0); L]; 2];
        }
        let takers = [&mut self.takers.changes, &mut self.takers.alignment];
        for ((takers, steps), skew) in takers.into_iter().zip(&slot.steps[parity]).zip(&mut slot.skew) {
            if takers.is_empty() {
                continue;
            }
            let mut rows = *steps;
            deskew(lanes, &mut rows, skew);
            if is_last {
                for row in &mut rows {
                    *row = lanes.mul(*row, inside);
                }
            }
            for taker in takers {
                taker.take(lanes, block, stripe, &rows);
            }
        }
        if self.readout.sums {
            if is_last {
                for sum in &mut sums {
                    *sum = lanes.mul(*sum, inside);
                }
            }
            let [h, v, d, gamma] = sums;
            self.sums.step_weights_grad[0] += total(lanes, h);
            self.sums.step_weights_grad[1] += total(lanes, v);
            self.sums.step_weights_grad[2] += total(lanes, d);
            self.sums.gamma_grad += total(lanes, gamma);
        }
    }
}

impl<V, const L: usize, const S: usize> Work for BackwardTangent<'_, '_, V, L, S>
where
    V: Lanes<L, Real = f64>,
{
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (lanes, grid, stripes) = (self.lanes, self.grid, self.stripes.clone());
        let (blocks, kept) = (grid.blocks, grid.kept);
        let groups = stripes.len() / S;
        let last_stripe = (grid.shape.m - 1) / L;
        let (probabilities, _) = self.probabilities.as_chunks::<L>();
        let (changes, _) = self.changes.as_chunks::<L>();
        let Readout { weights, weights_change, gradient, sums: wants_sums } = self.readout;
        assert!(kept == kept::COSTS || !wants_sums);
        let zero = lanes.constant(0.0);
        let least = lanes.constant(f64::LEAST_VISIT);
        let [w_h, w_v, w_d] = weights;
        let [dw_h, dw_v, dw_d] = weights_change;
        let (of_h, of_v, of_d) = (
            lanes.constant(dw_h + gradient * w_h),
            lanes.constant(dw_v + gradient * w_v),
            lanes.constant(dw_d + gradient * w_d),
        );
        let (w_h, w_v, w_d) = (lanes.constant(w_h), lanes.constant(w_v), lanes.constant(w_d));
        let gradient = lanes.constant(gradient);
        let mut padding = [1.0; L];
        if grid.shape.m % L != 0 {
            padding[grid.shape.m % L..].fill(0.0);
        }
        let inside = lanes.load_array(&padding);
        let idle = State { flow: [zero; 2], up: [zero; 2], diagonal: [zero; 2], first: [zero; 2] };
        let mut state = [idle; S];
        let mut slots = [Slot { steps: [[[zero; L]; 2]; 2], skew: [[zero; L]; 2], sums: [zero; 4], pending: None }; S];
        let block_len = kept * L; // in vectors
        let unused = stripes.len() * blocks * block_len;
        let origin = grid.boundary_origin();
        let ticks = groups * blocks + S - 1;
        for tick in 0..=ticks {
            let parity = tick % 2;
            for slot in &mut slots {
                self.hand_on(slot, 1 - parity, inside);
            }
            if tick == ticks {
                break;
            }
            let mut base = [unused; S];
            let mut fresh = [true; S];
            for s in 0..S {
                let Some(own) = tick.checked_sub(s) else { continue };
                let (index, block) = (own / blocks * S + s, blocks - 1 - own % blocks);
                if index >= stripes.len() {
                    continue;
                }
                let stripe = stripes.len() - 1 - index;
                fresh[s] = block == blocks - 1;
                base[s] = (stripe * blocks + block) * block_len;
                if stripes.start + stripe <= last_stripe {
                    slots[s].pending = Some((block, stripes.start + stripe, fresh[s]));
                }
            }
            for s in 0..S {
                if fresh[s] {
                    state[s] = idle;
                }
            }
            let read = origin + L - 1 - (blocks - 1 - tick % blocks) * L;
            let write = origin - (blocks - 1 - tick.saturating_sub(S - 1) % blocks) * L;
            for i in (0..L).rev() {
                for s in (0..S).rev() {
                    let arriving = if s == 0 {
                        let row = [self.flows[0][read - i], self.flows[1][read - i]];
                        let [flow, change] = state[0].flow;
                        [lanes.down(flow, lanes.splat(row[0])), lanes.down(change, lanes.splat(row[1]))]
                    } else if i == L - 1 {
                        state[s].first
                    } else {
                        let ([flow, change], [right, right_change]) = (state[s].flow, state[s - 1].flow);
                        [lanes.down(flow, right), lanes.down(change, right_change)]
                    };
                    let e = lanes.at_least_or_zero(lanes.add(state[s].up[0], arriving[0]), least);
                    let e_change = sizeable(lanes, lanes.add(state[s].up[1], arriving[1]), least);
                    let at = base[s] + i * kept;
                    let p = &probabilities[at..at + kept];
                    let q = &changes[at..at + kept];
                    let [p_h, p_v, p_d] = [lanes.load_array(&p[0]), lanes.load_array(&p[1]), lanes.load_array(&p[2])];
                    let [q_h, q_v, q_d] = [lanes.load_array(&q[0]), lanes.load_array(&q[1]), lanes.load_array(&q[2])];
                    let (f_h, f_v, f_d) = (lanes.mul(p_h, e), lanes.mul(p_v, e), lanes.mul(p_d, e));
                    let change_h = lanes.mul_add(q_h, e, lanes.mul(p_h, e_change));
                    let change_v = lanes.mul_add(q_v, e, lanes.mul(p_v, e_change));
                    let change_d = lanes.mul_add(q_d, e, lanes.mul(p_d, e_change));
                    let of_flows = lanes.mul_add(of_h, f_h, lanes.mul_add(of_v, f_v, lanes.mul(of_d, f_d)));
                    let of_changes = lanes.mul_add(w_h, change_h, lanes.mul_add(w_v, change_v, of_flows));
                    slots[s].steps[parity][0][i] = lanes.mul_add(w_d, change_d, of_changes);
                    slots[s].steps[parity][1][i] =
                        lanes.mul_add(w_h, f_h, lanes.mul_add(w_v, f_v, lanes.mul(w_d, f_d)));
                    if wants_sums && (lanes.is_any(e) || lanes.is_any(e_change)) {
                        let (cost, cost_change) = (lanes.load_array(&p[3]), lanes.load_array(&q[3]));
                        let [h, v, d, gamma] = slots[s].sums;
                        let with_gradient_h = lanes.mul_add(gradient, f_h, change_h);
                        let with_gradient_v = lanes.mul_add(gradient, f_v, change_v);
                        let with_gradient_d = lanes.mul_add(gradient, f_d, change_d);
                        let of_gamma = lanes.mul_add(change_h, clamped_ln(lanes, p_h), gamma);
                        let of_gamma = lanes.mul_add(change_v, clamped_ln(lanes, p_v), of_gamma);
                        slots[s].sums = [
                            lanes.mul_add(cost_change, f_h, lanes.mul_add(cost, with_gradient_h, h)),
                            lanes.mul_add(cost_change, f_v, lanes.mul_add(cost, with_gradient_v, v)),
                            lanes.mul_add(cost_change, f_d, lanes.mul_add(cost, with_gradient_d, d)),
                            lanes.mul_add(change_d, clamped_ln(lanes, p_d), of_gamma),
                        ];
                    }
                    let [diagonal, diagonal_change] = state[s].diagonal;
                    state[s].flow = [lanes.add(f_v, diagonal), lanes.add(change_v, diagonal_change)];
                    state[s].diagonal = [f_d, change_d];
                    state[s].up = [f_h, change_h];
                }
                // Lane 0 lands on its row; the others spill onto L-1 rows above it, which are written later, or before the
                // first.
                let [flow, change] = state[S - 1].flow;
                lanes.store_slice(&mut self.flows[0][write - i..], flow);
                lanes.store_slice(&mut self.flows[1][write - i..], change);
            }
            // Taken before any slot moves on to its next stripe.
            for s in 1..S {
                let ([flow, change], [right, right_change]) = (state[s].flow, state[s - 1].flow);
                state[s].first = [lanes.down(flow, right), lanes.down(change, right_change)];
            }
        }
    }
}

/// Lets the padding of the last row pass mass on to the left alone, and no change of it: what the forward sweep wrote for
/// p_h and p_v, for the vectors that only these sweeps read.
pub fn close_last_row(grid: Grid, stripes: Range<usize>, probabilities: &mut [f64], changes: &mut [f64]) {
    let lanes = grid.lanes;
    for column in grid.shape.m..grid.stripes * lanes {
        let (stripe, lane) = (column / lanes, column % lanes);
        if !stripes.contains(&stripe) {
            continue;
        }
        let step = grid.shape.n - 1 + lane;
        let block = (stripe - stripes.start) * grid.blocks + step / lanes;
        let at = block * grid.block_len() + step % lanes * grid.kept * lanes + lane;
        probabilities[at + 2 * lanes] = 0.0;
        for vector in 0..3 {
            changes[at + vector * lanes] = 0.0;
        }
    }
}
