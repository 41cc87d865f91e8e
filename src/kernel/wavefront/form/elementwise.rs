//! Costs that are sums over features: u and v, and the gradient, a feature a lane.

use std::marker::PhantomData;

use super::{FeatureWeights, LEAST_DENOMINATOR};
use crate::real::Real;
use crate::simd::functions::{clamped_exp, clamped_ln};
use crate::simd::{Lanes, Number, Work};

/// A cost that is a sum over features: shares of u and v of each feature's x, and the gradient, before the feature weight;
/// p is the weight on the positive part, which the BCE costs have.
pub trait Elementwise {
    /// Returns u(x) and v(x).
    fn map<V: Lanes<L>, const L: usize>(lanes: V, x: V::F, p: V::F) -> (V::F, V::F);
    /// Returns h u'(x) - (H W) v'(x).
    fn gradient<V: Lanes<L>, const L: usize>(lanes: V, x: V::F, p: V::F, h: V::F, hw: V::F) -> V::F;
}

macro_rules! elementwise {
    ($name:ident, $lanes:ident, $x:ident, $p:pat, map $map:block, gradient($h:ident, $hw:ident) $gradient:block) => {
        pub struct $name;

        impl Elementwise for $name {
            #[inline(always)]
            fn map<V: Lanes<L>, const L: usize>($lanes: V, $x: V::F, $p: V::F) -> (V::F, V::F) {
                $map
            }

            #[inline(always)]
            fn gradient<V: Lanes<L>, const L: usize>($lanes: V, $x: V::F, $p: V::F, $h: V::F, $hw: V::F) -> V::F {
                $gradient
            }
        }
    };
}

elementwise!(Mse, lanes, x, _, map { (lanes.mul(lanes.constant(0.5), lanes.mul(x, x)), x) }, gradient(h, hw) {
    lanes.mul_sub(h, x, hw)
});
elementwise!(SquaredEuclidean, lanes, x, _, map { (lanes.mul(x, x), lanes.add(x, x)) }, gradient(h, hw) {
    lanes.mul(lanes.constant(2.0), lanes.mul_sub(h, x, hw))
});
elementwise!(Bce, lanes, x, p, map {
    let complement = clamped_ln(lanes, lanes.sub(lanes.constant(1.0), x));
    (lanes.sub(lanes.constant(0.0), complement), lanes.mul_sub(p, clamped_ln(lanes, x), complement))
}, gradient(h, hw) {
    // (h - hw) / (1-x) - p hw / x. Where the target is 1, hw is h summed in another order: what is left of the two is
    // rounding, and 1/(1-x) may be 1e12.
    let (zero, d) = (lanes.constant(0.0), lanes.sub(h, hw));
    let least = lanes.mul(h, lanes.constant(16.0 * V::Real::ROUNDING));
    let d = lanes.sub(lanes.at_least_or_zero(d, least), lanes.at_least_or_zero(lanes.sub(zero, d), least));
    let of_zero = lanes.mul(d, reciprocal(lanes, lanes.sub(lanes.constant(1.0), x)));
    lanes.neg_mul_add(lanes.mul(p, hw), reciprocal(lanes, x), of_zero)
});
elementwise!(BceLogits, lanes, x, p, map {
    let one = lanes.constant(1.0);
    let away = clamped_exp(lanes, lanes.sub(lanes.constant(0.0), lanes.abs(x)));
    let softplus = lanes.add(lanes.max(x, lanes.constant(0.0)), clamped_ln(lanes, lanes.add(one, away)));
    (softplus, lanes.mul_add(p, x, lanes.mul(lanes.sub(one, p), softplus)))
}, gradient(h, hw) {
    // sigmoid(x) = exp(min(x, 0)) / (1 + exp(-|x|))
    let (zero, one) = (lanes.constant(0.0), lanes.constant(1.0));
    let away = clamped_exp(lanes, lanes.sub(zero, lanes.abs(x)));
    let below = clamped_exp(lanes, lanes.sub(zero, lanes.max(zero, lanes.sub(zero, x))));
    let sigmoid = lanes.div(below, lanes.add(one, away));
    lanes.mul_sub(h, sigmoid, lanes.mul(hw, lanes.mul_add(lanes.sub(one, p), sigmoid, p)))
});
elementwise!(CrossEntropy, lanes, x, _, map { (lanes.constant(0.0), clamped_ln(lanes, x)) }, gradient(_h, hw) {
    lanes.neg_mul_add(hw, reciprocal(lanes, x), lanes.constant(0.0))
});
elementwise!(Poisson, lanes, x, _, map { (x, clamped_ln(lanes, x)) }, gradient(h, hw) {
    lanes.neg_mul_add(hw, reciprocal(lanes, x), h)
});
elementwise!(PoissonLog, lanes, x, _, map { (clamped_exp(lanes, x), x) }, gradient(h, hw) {
    lanes.mul_sub(h, clamped_exp(lanes, x), hw)
});

#[inline(always)]
fn reciprocal<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> V::F {
    lanes.div(lanes.constant(1.0), lanes.max(lanes.constant(LEAST_DENOMINATOR), x))
}

/// Writes u and v; yields whether all x are finite.
pub struct Map<'a, V: Lanes<L>, C, const L: usize> {
    pub lanes: V,
    pub cost: PhantomData<C>,
    pub x: &'a [V::Real],
    pub mean: &'a [V::Real],
    pub weights: &'a FeatureWeights<V::Real>,
    pub u: &'a mut [V::Real],
    pub v: &'a mut [V::Real],
}

impl<V: Lanes<L>, C: Elementwise, const L: usize> Work for Map<'_, V, C, L> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { lanes, x, mean, weights, u, v, .. } = self;
        let d = mean.len();
        let (means, last_mean) = mean.as_chunks::<L>();
        let (fs, last_f) = weights.features.as_chunks::<L>();
        let (ps, last_p) = weights.positives.as_chunks::<L>();
        let mut taint = lanes.constant(0.0);
        for ((frame, u), v) in x.chunks_exact(d).zip(u).zip(v.chunks_exact_mut(d)) {
            let (frame, last) = frame.as_chunks::<L>();
            let (v, last_v) = v.as_chunks_mut::<L>();
            let mut sum_u = lanes.constant(0.0);
            for ((((x, mean), f), p), v) in frame.iter().zip(means).zip(fs).zip(ps).zip(v) {
                let entry = lanes.sub(lanes.load_array(x), lanes.load_array(mean));
                taint = lanes.mul_add(entry, lanes.constant(0.0), taint);
                let (u_share, v_share) = C::map(lanes, entry, lanes.load_array(p));
                let f = lanes.load_array(f);
                sum_u = lanes.mul_add(f, u_share, sum_u);
                lanes.store_array(v, lanes.mul(f, v_share));
            }
            if !last.is_empty() {
                let entry = lanes.sub(lanes.load_part(last), lanes.load_part(last_mean));
                taint = lanes.mul_add(entry, lanes.constant(0.0), taint);
                let (u_share, v_share) = C::map(lanes, entry, lanes.load_part(last_p));
                // Lanes behind the last feature have the weight 0.
                let f = lanes.load_part(last_f);
                sum_u = lanes.mul_add(f, u_share, sum_u);
                lanes.store_part(last_v, lanes.mul(f, v_share));
            }
            *u = lanes.to_array(sum_u).into_iter().sum();
        }
        !lanes.to_array(taint).into_iter().sum::<V::Real>().to_f64().is_nan()
    }
}

/// Writes dL/dx.
pub struct Gradient<'a, V: Lanes<L>, C, const L: usize> {
    pub lanes: V,
    pub cost: PhantomData<C>,
    pub x: &'a [V::Real],
    pub mean: &'a [V::Real],
    pub weights: &'a FeatureWeights<V::Real>,
    pub h: &'a [V::Real],
    pub hw: &'a [V::Real],
    pub out: &'a mut [V::Real],
}

impl<V: Lanes<L>, C: Elementwise, const L: usize> Work for Gradient<'_, V, C, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, x, mean, weights, h, hw, out, .. } = self;
        let d = mean.len();
        let (means, last_mean) = mean.as_chunks::<L>();
        let (fs, last_f) = weights.features.as_chunks::<L>();
        let (ps, last_p) = weights.positives.as_chunks::<L>();
        let frames = x.chunks_exact(d).zip(hw.chunks_exact(d)).zip(out.chunks_exact_mut(d));
        for (&h, ((frame, hw), out)) in h.iter().zip(frames) {
            let h = lanes.splat(h);
            let (frame, last) = frame.as_chunks::<L>();
            let (hw, last_hw) = hw.as_chunks::<L>();
            let (out, last_out) = out.as_chunks_mut::<L>();
            for (((((x, mean), f), p), hw), out) in frame.iter().zip(means).zip(fs).zip(ps).zip(hw).zip(out) {
                let entry = lanes.sub(lanes.load_array(x), lanes.load_array(mean));
                let gradient = C::gradient(lanes, entry, lanes.load_array(p), h, lanes.load_array(hw));
                lanes.store_array(out, lanes.mul(lanes.load_array(f), gradient));
            }
            if !last.is_empty() {
                let entry = lanes.sub(lanes.load_part(last), lanes.load_part(last_mean));
                let gradient = C::gradient(lanes, entry, lanes.load_part(last_p), h, lanes.load_part(last_hw));
                lanes.store_part(last_out, lanes.mul(lanes.load_part(last_f), gradient));
            }
        }
    }
}
