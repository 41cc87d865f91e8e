//! Sums over all cells that a backward sweep makes on the way: the entropy, and the costs of each step.

use super::AlignmentTiles;
use crate::simd::Lanes;
use crate::simd::functions::clamped_ln;

/// Sums over cells, lane by lane.
#[derive(Clone, Copy)]
pub struct CellSums<V: Lanes<L>, const L: usize> {
    /// -sum E (p_h log p_h + p_v log p_v + p_d log p_d).
    pub entropy: V::F,
    /// sum C E p for the horizontal, vertical and diagonal step.
    pub costs_of_steps: [V::F; 3],
}

impl<V: Lanes<L>, const L: usize> CellSums<V, L> {
    /// Makes sums of no cells.
    #[inline(always)]
    pub fn zero(lanes: V) -> Self {
        let zero = lanes.constant(0.0);
        Self { entropy: zero, costs_of_steps: [zero; 3] }
    }

    /// Returns the sums with 0 in the lanes where `inside` is 0 and not 1.
    #[inline(always)]
    pub fn masked(self, lanes: V, inside: V::F) -> Self {
        let [h, v, d] = self.costs_of_steps;
        Self {
            entropy: lanes.mul(self.entropy, inside),
            costs_of_steps: [lanes.mul(h, inside), lanes.mul(v, inside), lanes.mul(d, inside)],
        }
    }

    /// Adds a cell: E p_h and E p_v, and the vectors of this step that the forward sweep kept.
    ///
    /// # Safety
    ///
    /// `step` points to the vectors that the forward sweep kept for the taker `A`.
    #[inline(always)]
    pub unsafe fn add<A: AlignmentTiles<V, L>>(
        &mut self,
        lanes: V,
        e: V::F,
        [up, left]: [V::F; 2],
        step: *const V::Real,
    ) {
        // SAFETY: so many vectors were kept.
        let [p_h, p_v, p_d] =
            unsafe { [lanes.load(step), lanes.load(step.wrapping_add(L)), lanes.load(step.wrapping_add(2 * L))] };
        // Not the remainder of E, whose rounding counts beside a small p_d.
        let diagonal = lanes.mul(e, p_d);
        if A::TAKES_ENTROPY {
            self.entropy = add_entropy(lanes, self.entropy, e, [p_h, p_v, p_d], [up, left, diagonal]);
        }
        if A::TAKES_COSTS_OF_STEPS {
            // SAFETY: as above.
            let cost = unsafe { lanes.load(step.wrapping_add(3 * L)) };
            let [h, v, d] = self.costs_of_steps;
            self.costs_of_steps =
                [lanes.mul_add(cost, up, h), lanes.mul_add(cost, left, v), lanes.mul_add(cost, diagonal, d)];
        }
    }
}

/// Returns `sum - (E p_h) log p_h - (E p_v) log p_v - (E p_d) log p_d`, given E, the three p and their products with E.
///
/// The greatest p may be 1 to rounding, and its logarithm nothing where it should be as large as the sum of the other two:
/// what it lacks beside that sum is made good to first order.
#[inline(always)]
fn add_entropy<V: Lanes<L>, const L: usize>(lanes: V, sum: V::F, e: V::F, p: [V::F; 3], flows: [V::F; 3]) -> V::F {
    let [p_h, p_v, p_d] = p;
    let [up, left, diagonal] = flows;
    let zero = lanes.constant(0.0);
    let (minus_h, minus_v) = (lanes.sub(zero, p_h), lanes.sub(zero, p_v));
    let minus_smaller = lanes.max(lanes.sub(minus_h, p_v), lanes.max(lanes.sub(minus_h, p_d), lanes.sub(minus_v, p_d)));
    let top = lanes.max(p_h, lanes.max(p_v, p_d));
    let lacking = lanes.add(lanes.sub(lanes.constant(1.0), top), minus_smaller);
    let sum = lanes.neg_mul_add(e, lacking, sum);
    let sum = lanes.neg_mul_add(up, clamped_ln(lanes, p_h), sum);
    let sum = lanes.neg_mul_add(left, clamped_ln(lanes, p_v), sum);
    lanes.neg_mul_add(diagonal, clamped_ln(lanes, p_d), sum)
}
