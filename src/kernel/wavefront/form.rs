//! The inner-product form of float32 pairs on lanes, for costs that are sums over features with all weights 1.
//!
//! The same u, phi, v, w and gradients as [`crate::cost::inner_product`], where they are defined; there in float64, here in
//! float32 and many at a time.

use std::marker::PhantomData;

use super::tiles::few_features::MOST_FEATURES;
use crate::cost::{Cost, WeightedCost};
use crate::simd::functions::{clamped_exp, clamped_ln, eight_sums};
use crate::simd::{Lanes, Work};

const LEAST_DENOMINATOR: f32 = 1e-12;
/// A bound for arguments of the logarithm on lanes. No probability is near, and rates near it are out of range as costs.
const LARGEST_OF_LOGARITHM: f32 = 1e27;

/// The inner-product form of one pair: u, phi, v and w. Memory that pairs reuse.
#[derive(Default)]
pub struct PairForm {
    /// u of the predictions, (N,).
    pub u: Vec<f32>,
    /// phi of the targets, (M,).
    pub phi: Vec<f32>,
    /// v of the predictions, (N,D).
    pub v: Vec<f32>,
    /// w of the targets, (M,D), less the common mean; empty where w is the targets themselves.
    pub w: Vec<f32>,
    /// The factor of (v-w)^2 under the squared costs.
    pub squared: Option<f32>,
    mean: Vec<f32>,
    largest: f32,
}

/// The inner-product form of one pair as the tiles read it: a [`PairForm`], or what was made in float64.
#[derive(Clone, Copy)]
pub struct FormSlices<'a> {
    /// u of the predictions, (N,).
    pub u: &'a [f32],
    /// phi of the targets, (M,).
    pub phi: &'a [f32],
    /// v of the predictions, (N,D).
    pub v: &'a [f32],
    /// w of the targets, (M,D).
    pub w: &'a [f32],
    /// D.
    pub d: usize,
    /// The factor of |v - w|^2 where that is C, with v the predictions themselves or twice as much (factor 1): few
    /// features are then subtracted rather than multiplied, so that nothing cancels.
    pub squared: Option<f32>,
}

/// A cost that is a sum over features: shares of u and v of each feature's x, and the gradient.
trait Elementwise {
    /// Returns u(x) and v(x).
    fn map<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> (V::F, V::F);
    /// Returns h u'(x) - (H W) v'(x).
    fn gradient<V: Lanes<L>, const L: usize>(lanes: V, x: V::F, h: V::F, hw: V::F) -> V::F;
}

macro_rules! elementwise {
    ($name:ident, $lanes:ident, $x:ident, map $map:block, gradient($h:ident, $hw:ident) $gradient:block) => {
        struct $name;

        impl Elementwise for $name {
            #[inline(always)]
            fn map<V: Lanes<L>, const L: usize>($lanes: V, $x: V::F) -> (V::F, V::F) {
                $map
            }

            #[inline(always)]
            fn gradient<V: Lanes<L>, const L: usize>($lanes: V, $x: V::F, $h: V::F, $hw: V::F) -> V::F {
                $gradient
            }
        }
    };
}

elementwise!(Mse, lanes, x, map { (lanes.mul(lanes.splat(0.5), lanes.mul(x, x)), x) }, gradient(h, hw) {
    lanes.mul_sub(h, x, hw)
});
elementwise!(SquaredEuclidean, lanes, x, map { (lanes.mul(x, x), lanes.add(x, x)) }, gradient(h, hw) {
    lanes.mul(lanes.splat(2.0), lanes.mul_sub(h, x, hw))
});
elementwise!(Bce, lanes, x, map {
    let complement = clamped_ln(lanes, lanes.sub(lanes.splat(1.0), x));
    (lanes.sub(lanes.splat(0.0), complement), lanes.sub(clamped_ln(lanes, x), complement))
}, gradient(h, hw) {
    // (h - hw) / (1-x) - hw / x. Where the target is 1, hw is h summed in another order: what is left of the two is
    // rounding, and 1/(1-x) may be 1e12.
    let (zero, d) = (lanes.splat(0.0), lanes.sub(h, hw));
    let least = lanes.mul(h, lanes.splat(9.5e-7));
    let d = lanes.sub(lanes.at_least_or_zero(d, least), lanes.at_least_or_zero(lanes.sub(zero, d), least));
    let of_zero = lanes.mul(d, reciprocal(lanes, lanes.sub(lanes.splat(1.0), x)));
    lanes.neg_mul_add(hw, reciprocal(lanes, x), of_zero)
});
elementwise!(BceLogits, lanes, x, map {
    let one = lanes.splat(1.0);
    let away = clamped_exp(lanes, lanes.sub(lanes.splat(0.0), lanes.abs(x)));
    (lanes.add(lanes.max(x, lanes.splat(0.0)), clamped_ln(lanes, lanes.add(one, away))), x)
}, gradient(h, hw) {
    // sigmoid(x) = exp(min(x, 0)) / (1 + exp(-|x|))
    let (zero, one) = (lanes.splat(0.0), lanes.splat(1.0));
    let away = clamped_exp(lanes, lanes.sub(zero, lanes.abs(x)));
    let below = clamped_exp(lanes, lanes.sub(zero, lanes.max(zero, lanes.sub(zero, x))));
    lanes.mul_sub(h, lanes.div(below, lanes.add(one, away)), hw)
});
elementwise!(CrossEntropy, lanes, x, map { (lanes.splat(0.0), clamped_ln(lanes, x)) }, gradient(_h, hw) {
    lanes.neg_mul_add(hw, reciprocal(lanes, x), lanes.splat(0.0))
});
elementwise!(Poisson, lanes, x, map { (x, clamped_ln(lanes, x)) }, gradient(h, hw) {
    lanes.neg_mul_add(hw, reciprocal(lanes, x), h)
});
elementwise!(PoissonLog, lanes, x, map { (clamped_exp(lanes, x), x) }, gradient(h, hw) {
    lanes.mul_sub(h, clamped_exp(lanes, x), hw)
});

#[inline(always)]
fn reciprocal<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> V::F {
    lanes.div(lanes.splat(1.0), lanes.max(lanes.splat(LEAST_DENOMINATOR), x))
}

/// Makes the form of x (N,D) and y (M,D). False where it cannot: another cost, weights inside it, a NaN or an infinity.
pub fn prepare<V: Lanes<L>, const L: usize>(
    lanes: V,
    cost: &WeightedCost,
    x: &[f32],
    y: &[f32],
    d: usize,
    form: &mut PairForm,
) -> bool {
    if cost.feature_weights.is_some() || cost.pos_weight.is_some() {
        return false;
    }
    let squared = match cost.cost {
        Cost::Mse => Some(0.5),
        Cost::SquaredEuclidean => Some(1.0),
        _ => None,
    };
    if cost.cost == Cost::CrossEntropy && x.iter().any(|&x| x > LARGEST_OF_LOGARITHM) {
        return false;
    }
    form.squared = squared;
    form.mean.clear();
    form.w.clear();
    form.phi.clear();
    // A few features are subtracted as they are: centred, they would be rounded first.
    let centred = squared.filter(|_| d > MOST_FEATURES);
    if let Some(half) = centred {
        lanes.outline(Centre { x, y, d, half, form: &mut *form });
    } else {
        form.phi.resize(y.len() / d, 0.0);
        form.mean.resize(d, 0.0);
    }
    form.u.resize(x.len() / d, 0.0);
    form.v.resize(x.len(), 0.0);
    let taint = eight_sums(y, |y| y * 0.0);
    macro_rules! map {
        ($cost:ty) => {
            lanes.outline(Map { lanes, cost: PhantomData::<$cost>, x, d, form: &mut *form })
        };
    }
    let finite = match cost.cost {
        Cost::Mse => map!(Mse),
        Cost::SquaredEuclidean => map!(SquaredEuclidean),
        Cost::Bce => map!(Bce),
        Cost::BceLogits => map!(BceLogits),
        Cost::CrossEntropy => map!(CrossEntropy),
        Cost::Poisson => map!(Poisson),
        Cost::PoissonLog => map!(PoissonLog),
        Cost::CrossEntropyLogits | Cost::Cosine | Cost::Euclidean | Cost::L1 => return false,
    };
    let w = if form.w.is_empty() { y } else { &form.w };
    let norm = |frames: &[f32]| frames.chunks_exact(d).map(sum_of_squares).fold(0.0, f32::max).sqrt();
    let top = |values: &[f32]| values.iter().fold(0.0, |top: f32, value| top.max(value.abs()));
    form.largest = match squared {
        Some(factor) if centred.is_none() => factor * squared_ranges(x, y, d),
        _ => top(&form.u) + top(&form.phi) + norm(&form.v) * norm(w),
    };
    finite && !taint.is_nan()
}

impl PairForm {
    /// A bound on |C|.
    pub fn largest_cost(&self) -> f64 {
        f64::from(self.largest)
    }

    /// Writes the modified targets Y_mod = H W / h, (N,D), with the mean put back, from h (N,) and H W (N,D).
    pub fn modified_targets(&self, h: &[f32], hw: &[f32], out: &mut [f32]) {
        let d = self.mean.len();
        for (n, (row, hw)) in out.chunks_exact_mut(d).zip(hw.chunks_exact(d)).enumerate() {
            let inverse = 1.0 / h[n];
            for ((out, hw), mean) in row.iter_mut().zip(hw).zip(&self.mean) {
                *out = hw * inverse + mean;
            }
        }
    }
}

/// Sums the squared range of both sequences over features.
fn squared_ranges(x: &[f32], y: &[f32], d: usize) -> f32 {
    let range = |k: usize| {
        let entries = x.iter().skip(k).step_by(d).chain(y.iter().skip(k).step_by(d));
        let (low, high) = entries.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &e| (low.min(e), high.max(e)));
        high - low
    };
    (0..d).map(|k| range(k) * range(k)).sum()
}

#[inline(always)]
fn sum_of_squares(frame: &[f32]) -> f32 {
    eight_sums(frame, |x| x * x)
}

/// Writes the mean of all frames, w and phi of a squared cost.
struct Centre<'a> {
    x: &'a [f32],
    y: &'a [f32],
    d: usize,
    half: f32,
    form: &'a mut PairForm,
}

impl Work for Centre<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, y, d, half, form: PairForm { mean, w, phi, .. } } = self;
        // Any mean will do that both sequences share. Sums of few frames are exact enough in float32.
        let frames_of_sum = 64;
        let mut total = vec![0.0f64; d];
        mean.resize(d, 0.0);
        for frames in [x, y].into_iter().flat_map(|frames| frames.chunks(frames_of_sum * d)) {
            mean.fill(0.0);
            for frame in frames.chunks_exact(d) {
                for (sum, entry) in mean.iter_mut().zip(frame) {
                    *sum += entry;
                }
            }
            for (total, &sum) in total.iter_mut().zip(&*mean) {
                *total += f64::from(sum);
            }
        }
        let count = ((x.len() + y.len()) / d) as f64;
        for (mean, total) in mean.iter_mut().zip(total) {
            *mean = (total / count) as f32;
        }
        w.resize(y.len(), 0.0);
        for (target, w) in y.chunks_exact(d).zip(w.chunks_exact_mut(d)) {
            for ((w, y), mean) in w.iter_mut().zip(target).zip(&*mean) {
                *w = y - mean;
            }
            phi.push(half * sum_of_squares(w));
        }
    }
}

/// Writes u and v; yields whether all x are finite.
struct Map<'a, V, C, const L: usize> {
    lanes: V,
    cost: PhantomData<C>,
    x: &'a [f32],
    d: usize,
    form: &'a mut PairForm,
}

impl<V: Lanes<L>, C: Elementwise, const L: usize> Work for Map<'_, V, C, L> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { lanes, x, d, form: PairForm { u, v, mean, .. }, .. } = self;
        let (means, last_mean) = mean.as_chunks::<L>();
        let mut taint = lanes.splat(0.0);
        for ((frame, u), v) in x.chunks_exact(d).zip(u).zip(v.chunks_exact_mut(d)) {
            let (frame, last) = frame.as_chunks::<L>();
            let (v, last_v) = v.as_chunks_mut::<L>();
            let mut sum_u = lanes.splat(0.0);
            for ((x, mean), v) in frame.iter().zip(means).zip(v) {
                let entry = lanes.sub(lanes.load_array(x), lanes.load_array(mean));
                taint = lanes.mul_add(entry, lanes.splat(0.0), taint);
                let (u_share, v_share) = C::map(lanes, entry);
                sum_u = lanes.add(sum_u, u_share);
                lanes.store_array(v, v_share);
            }
            if !last.is_empty() {
                let entry = lanes.sub(lanes.load_part(last), lanes.load_part(last_mean));
                taint = lanes.mul_add(entry, lanes.splat(0.0), taint);
                let (u_share, v_share) = C::map(lanes, entry);
                // Lanes behind the last feature hold the shares of x = 0.
                let u_share = lanes.load_part(&lanes.to_array(u_share)[..last.len()]);
                sum_u = lanes.add(sum_u, u_share);
                lanes.store_part(last_v, v_share);
            }
            *u = lanes.to_array(sum_u).iter().sum();
        }
        !lanes.to_array(taint).iter().sum::<f32>().is_nan()
    }
}

/// Writes dL/dx = h u'(x) - v'(x) (H W), (N,D), from h (N,) and H W (N,D); the form is that of the same pair and cost.
pub fn x_gradient<V: Lanes<L>, const L: usize>(
    lanes: V,
    cost: Cost,
    x: &[f32],
    form: &PairForm,
    (h, hw): (&[f32], &[f32]),
    out: &mut [f32],
) {
    macro_rules! gradient {
        ($cost:ty) => {
            lanes.outline(Gradient { lanes, cost: PhantomData::<$cost>, x, mean: &form.mean, h, hw, out })
        };
    }
    match cost {
        Cost::Mse => gradient!(Mse),
        Cost::SquaredEuclidean => gradient!(SquaredEuclidean),
        Cost::Bce => gradient!(Bce),
        Cost::BceLogits => gradient!(BceLogits),
        Cost::CrossEntropy => gradient!(CrossEntropy),
        Cost::Poisson => gradient!(Poisson),
        Cost::PoissonLog => gradient!(PoissonLog),
        Cost::CrossEntropyLogits | Cost::Cosine | Cost::Euclidean | Cost::L1 => {
            unreachable!("`prepare` said no")
        }
    }
}

struct Gradient<'a, V, C, const L: usize> {
    lanes: V,
    cost: PhantomData<C>,
    x: &'a [f32],
    mean: &'a [f32],
    h: &'a [f32],
    hw: &'a [f32],
    out: &'a mut [f32],
}

impl<V: Lanes<L>, C: Elementwise, const L: usize> Work for Gradient<'_, V, C, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, x, mean, h, hw, out, .. } = self;
        let d = mean.len();
        let (means, last_mean) = mean.as_chunks::<L>();
        let frames = x.chunks_exact(d).zip(hw.chunks_exact(d)).zip(out.chunks_exact_mut(d));
        for (&h, ((frame, hw), out)) in h.iter().zip(frames) {
            let h = lanes.splat(h);
            let (frame, last) = frame.as_chunks::<L>();
            let (hw, last_hw) = hw.as_chunks::<L>();
            let (out, last_out) = out.as_chunks_mut::<L>();
            for (((x, mean), hw), out) in frame.iter().zip(means).zip(hw).zip(out) {
                let entry = lanes.sub(lanes.load_array(x), lanes.load_array(mean));
                lanes.store_array(out, C::gradient(lanes, entry, h, lanes.load_array(hw)));
            }
            if !last.is_empty() {
                let entry = lanes.sub(lanes.load_part(last), lanes.load_part(last_mean));
                lanes.store_part(last_out, C::gradient(lanes, entry, h, lanes.load_part(last_hw)));
            }
        }
    }
}
