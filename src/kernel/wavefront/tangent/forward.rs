//! The forward tangent sweep: from the probabilities of some stripes D', and the changes p' of the probabilities.
//!
//! It runs in the order of [`super::super::forward`]. D' is a plain number: a mean over paths, as large as they are long.

use std::ops::Range;

use super::super::skew::skew;
use super::super::{Grid, kept};
use super::tiles::DirectionTiles;
use crate::simd::functions::clamped_ln;
use crate::simd::{Lanes, Work};
use crate::weights::StepWeights;

/// A direction in the space of costs, gamma and step weights.
pub struct LaneDirection<'a, V, const L: usize> {
    /// C' is the sum of these.
    pub costs: Vec<&'a mut dyn DirectionTiles<V, L>>,
    /// g'.
    pub gamma: f64,
    /// w' of the horizontal, vertical and diagonal step.
    pub weights: [f64; 3],
}

/// A sweep over stripes, a whole number of groups; yields D'(N,M) if it is among them.
///
/// For each step it reads what [`ForwardSweep`](super::super::forward::ForwardSweep) kept, and writes as many vectors to
/// `changes`: p'_h, p'_v and p'_d, and where costs are kept C'.
pub struct ForwardTangent<'a, 'd, V, const L: usize, const S: usize> {
    pub lanes: V,
    pub grid: Grid,
    pub stripes: Range<usize>,
    /// D' left of the stripes, which becomes that of the last one of them: [`Grid::boundary_len`] entries.
    pub column: &'a mut [f64],
    /// The blocks of the stripes and one of zeros, for slots that idle.
    pub probabilities: &'a [f64],
    /// As many blocks.
    pub changes: &'a mut [f64],
    pub direction: &'a mut LaneDirection<'d, V, L>,
    pub gamma: f64,
    pub weights: StepWeights,
}

impl<V, const L: usize, const S: usize> Work for ForwardTangent<'_, '_, V, L, S>
where
    V: Lanes<L, Real = f64>,
{
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Self { lanes, grid, stripes, column, probabilities, changes, direction, gamma, weights } = self;
        let (blocks, kept) = (grid.blocks, grid.kept);
        let groups = stripes.len() / S;
        let (last_stripe, last_step) = ((grid.shape.m - 1) / L, grid.shape.n - 1 + (grid.shape.m - 1) % L);
        let (probabilities, _) = probabilities.as_chunks::<L>();
        let (changes, _) = changes.as_chunks_mut::<L>();
        let keeps_costs = kept == kept::COSTS;
        let (of_gamma, of_weights) = (direction.gamma != 0.0, direction.weights != [0.0; 3]);
        assert!(keeps_costs || !of_weights);
        let zero = lanes.constant(0.0);
        let g = lanes.constant(direction.gamma);
        let [w_h, w_v, w_d] = weights.as_array();
        let (w_h, w_v, w_d) = (lanes.constant(w_h), lanes.constant(w_v), lanes.constant(w_d));
        let [dw_h, dw_v, dw_d] = direction.weights;
        let (dw_h, dw_v, dw_d) = (lanes.constant(dw_h), lanes.constant(dw_v), lanes.constant(dw_d));
        let inverse = lanes.constant(1.0 / gamma);
        let mut tiles = [[zero; L]; S];
        let mut skews = [[zero; L]; S];
        // D' of this lane one step ago, and of the lane to the left two steps ago.
        let (mut own, mut diagonal) = ([zero; S], [zero; S]);
        let block_len = kept * L; // in vectors
        let unused = stripes.len() * blocks * block_len;
        let origin = grid.boundary_origin();
        let mut end = 0.0;
        for tick in 0..groups * blocks + S - 1 {
            let mut base = [unused; S];
            let mut fresh = [true; S];
            let mut end_slot = S;
            for s in 0..S {
                let Some(at) = tick.checked_sub(s) else { continue };
                let (stripe, block) = (stripes.start + at / blocks * S + s, at % blocks);
                if stripe >= stripes.end {
                    continue;
                }
                fresh[s] = block == 0;
                base[s] = ((stripe - stripes.start) * blocks + block) * block_len;
                if stripe == last_stripe && block == last_step / L {
                    end_slot = s;
                }
                if stripe > last_stripe || direction.costs.is_empty() {
                    continue; // padding: any C' will do
                }
                if block == 0 {
                    skews[s] = [zero; L];
                }
                let mut tile = [zero; L];
                for term in &mut direction.costs {
                    term.add_tile(lanes, block, stripe, &mut tile);
                }
                skew(lanes, &mut tile, &mut skews[s]);
                tiles[s] = tile;
            }
            for s in 0..S {
                if fresh[s] {
                    (own[s], diagonal[s]) = (zero, zero);
                }
            }
            let read = origin - tick % blocks * L;
            // The last slot's row, or row 0 while it has not begun: what it writes there has been read before.
            let write = origin - tick.saturating_sub(S - 1) % blocks * L;
            for i in 0..L {
                for s in (0..S).rev() {
                    let from = if s == 0 { lanes.splat(column[read - i]) } else { own[s - 1] };
                    let left = lanes.up(own[s], from);
                    let at = base[s] + i * kept;
                    let p = &probabilities[at..at + kept];
                    let [p_h, p_v, p_d] = [lanes.load_array(&p[0]), lanes.load_array(&p[1]), lanes.load_array(&p[2])];
                    let change = tiles[s][i];
                    let mut z_h = lanes.mul_add(w_h, change, own[s]);
                    let mut z_v = lanes.mul_add(w_v, change, left);
                    let mut z_d = lanes.mul_add(w_d, change, diagonal[s]);
                    if of_weights {
                        let cost = lanes.load_array(&p[3]);
                        z_h = lanes.mul_add(dw_h, cost, z_h);
                        z_v = lanes.mul_add(dw_v, cost, z_v);
                        z_d = lanes.mul_add(dw_d, cost, z_d);
                    }
                    if of_gamma {
                        z_h = lanes.mul_add(g, clamped_ln(lanes, p_h), z_h);
                        z_v = lanes.mul_add(g, clamped_ln(lanes, p_v), z_v);
                        z_d = lanes.mul_add(g, clamped_ln(lanes, p_d), z_d);
                    }
                    // What the later of two steps loses to the earlier one.
                    let (rate_h, rate_v) = (lanes.mul(p_h, inverse), lanes.mul(p_v, inverse));
                    let to_h_from_v = lanes.mul(lanes.mul(rate_h, p_v), lanes.sub(z_v, z_h));
                    let to_h_from_d = lanes.mul(lanes.mul(rate_h, p_d), lanes.sub(z_d, z_h));
                    let to_v_from_d = lanes.mul(lanes.mul(rate_v, p_d), lanes.sub(z_d, z_v));
                    let out = &mut changes[at..at + kept];
                    lanes.store_array(&mut out[0], lanes.add(to_h_from_v, to_h_from_d));
                    lanes.store_array(&mut out[1], lanes.sub(to_v_from_d, to_h_from_v));
                    lanes.store_array(&mut out[2], lanes.sub(lanes.sub(zero, to_h_from_d), to_v_from_d));
                    if keeps_costs {
                        lanes.store_array(&mut out[3], change);
                    }
                    let of_others = lanes.mul_add(p_d, z_d, lanes.mul(p_v, z_v));
                    own[s] = lanes.mul_add(p_h, z_h, of_others);
                    diagonal[s] = left;
                }
                // The last lane lands on its row; the others spill onto L-1 rows below it, which are written later, or behind
                // the last.
                lanes.store_slice(&mut column[write - i..], own[S - 1]);
                if end_slot < S && i == last_step % L {
                    let mut last = zero;
                    for s in 0..S {
                        if s == end_slot {
                            last = own[s];
                        }
                    }
                    end = lanes.to_array(last)[(grid.shape.m - 1) % L];
                }
            }
        }
        end
    }
}
