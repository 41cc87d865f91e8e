//! The inner-product form of pairs on lanes, for costs that are sums over features with all weights 1.
//!
//! It makes u, phi, v, w and gradients as [`crate::cost::inner_product`] defines them, many at a time, in the precision of
//! the pair.

use std::marker::PhantomData;

use super::tiles::few_features::MOST_FEATURES;
use crate::cost::{Cost, WeightedCost};
use crate::real::Real;
use crate::simd::functions::{clamped_exp, clamped_ln, eight_sums};
use crate::simd::{Lanes, Number, Work};

const LEAST_DENOMINATOR: f64 = 1e-12;
/// A bound for arguments of the logarithm on lanes. No probability is near, and rates near it are out of range as costs.
const LARGEST_OF_LOGARITHM: f64 = 1e27;

/// The inner-product form of one pair: u, phi, v and w. Memory that pairs reuse.
#[derive(Default)]
pub struct PairForm<R> {
    /// u of the predictions, (N,).
    pub u: Vec<R>,
    /// phi of the targets, (M,).
    pub phi: Vec<R>,
    /// v of the predictions, (N,D).
    pub v: Vec<R>,
    /// w of the targets, (M,D), less the common mean; empty where w is the targets themselves.
    pub w: Vec<R>,
    /// The factor of (v-w)^2 under the squared costs.
    pub squared: Option<f64>,
    mean: Vec<R>,
    largest: f64,
}

/// The inner-product form of one pair as the tiles read it: a [`PairForm`], or what was made in float64.
#[derive(Clone, Copy)]
pub struct FormSlices<'a, R> {
    /// u of the predictions, (N,).
    pub u: &'a [R],
    /// phi of the targets, (M,).
    pub phi: &'a [R],
    /// v of the predictions, (N,D).
    pub v: &'a [R],
    /// w of the targets, (M,D).
    pub w: &'a [R],
    /// D.
    pub d: usize,
    /// The factor of |v - w|^2 where that is C, with v the predictions themselves or twice as much (factor 1): few
    /// features are then subtracted rather than multiplied, so that nothing cancels.
    pub squared: Option<f64>,
}

impl<R: Number> FormSlices<'_, R> {
    /// C(n,m), in float64.
    pub fn cost(&self, n: usize, m: usize) -> f64 {
        let Self { u, phi, v, w, d, squared } = *self;
        let frames = || v[n * d..][..d].iter().map(|v| v.to_f64()).zip(w[m * d..][..d].iter().map(|w| w.to_f64()));
        match squared {
            Some(factor) if d <= MOST_FEATURES => {
                factor
                    * frames().map(|(v, w)| 0.5 / factor * v - w).map(|difference| difference * difference).sum::<f64>()
            }
            _ => u[n].to_f64() + phi[m].to_f64() - frames().map(|(v, w)| v * w).sum::<f64>(),
        }
    }
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

elementwise!(Mse, lanes, x, map { (lanes.mul(lanes.constant(0.5), lanes.mul(x, x)), x) }, gradient(h, hw) {
    lanes.mul_sub(h, x, hw)
});
elementwise!(SquaredEuclidean, lanes, x, map { (lanes.mul(x, x), lanes.add(x, x)) }, gradient(h, hw) {
    lanes.mul(lanes.constant(2.0), lanes.mul_sub(h, x, hw))
});
elementwise!(Bce, lanes, x, map {
    let complement = clamped_ln(lanes, lanes.sub(lanes.constant(1.0), x));
    (lanes.sub(lanes.constant(0.0), complement), lanes.sub(clamped_ln(lanes, x), complement))
}, gradient(h, hw) {
    // (h - hw) / (1-x) - hw / x. Where the target is 1, hw is h summed in another order: what is left of the two is
    // rounding, and 1/(1-x) may be 1e12.
    let (zero, d) = (lanes.constant(0.0), lanes.sub(h, hw));
    let least = lanes.mul(h, lanes.constant(16.0 * V::Real::ROUNDING));
    let d = lanes.sub(lanes.at_least_or_zero(d, least), lanes.at_least_or_zero(lanes.sub(zero, d), least));
    let of_zero = lanes.mul(d, reciprocal(lanes, lanes.sub(lanes.constant(1.0), x)));
    lanes.neg_mul_add(hw, reciprocal(lanes, x), of_zero)
});
elementwise!(BceLogits, lanes, x, map {
    let one = lanes.constant(1.0);
    let away = clamped_exp(lanes, lanes.sub(lanes.constant(0.0), lanes.abs(x)));
    (lanes.add(lanes.max(x, lanes.constant(0.0)), clamped_ln(lanes, lanes.add(one, away))), x)
}, gradient(h, hw) {
    // sigmoid(x) = exp(min(x, 0)) / (1 + exp(-|x|))
    let (zero, one) = (lanes.constant(0.0), lanes.constant(1.0));
    let away = clamped_exp(lanes, lanes.sub(zero, lanes.abs(x)));
    let below = clamped_exp(lanes, lanes.sub(zero, lanes.max(zero, lanes.sub(zero, x))));
    lanes.mul_sub(h, lanes.div(below, lanes.add(one, away)), hw)
});
elementwise!(CrossEntropy, lanes, x, map { (lanes.constant(0.0), clamped_ln(lanes, x)) }, gradient(_h, hw) {
    lanes.neg_mul_add(hw, reciprocal(lanes, x), lanes.constant(0.0))
});
elementwise!(Poisson, lanes, x, map { (x, clamped_ln(lanes, x)) }, gradient(h, hw) {
    lanes.neg_mul_add(hw, reciprocal(lanes, x), h)
});
elementwise!(PoissonLog, lanes, x, map { (clamped_exp(lanes, x), x) }, gradient(h, hw) {
    lanes.mul_sub(h, clamped_exp(lanes, x), hw)
});

#[inline(always)]
fn reciprocal<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> V::F {
    lanes.div(lanes.constant(1.0), lanes.max(lanes.constant(LEAST_DENOMINATOR), x))
}

/// Makes the form of x (N,D) and y (M,D). False where it cannot: another cost, weights inside it, a NaN or an infinity.
pub fn prepare<V: Lanes<L>, const L: usize>(
    lanes: V,
    cost: &WeightedCost,
    x: &[V::Real],
    y: &[V::Real],
    d: usize,
    form: &mut PairForm<V::Real>,
) -> bool {
    if cost.feature_weights.is_some() || cost.pos_weight.is_some() {
        return false;
    }
    let squared = match cost.cost {
        Cost::Mse => Some(0.5),
        Cost::SquaredEuclidean => Some(1.0),
        _ => None,
    };
    if cost.cost == Cost::CrossEntropy && x.iter().any(|&x| x.to_f64() > LARGEST_OF_LOGARITHM) {
        return false;
    }
    let zero = V::Real::default();
    form.squared = squared;
    form.mean.clear();
    form.w.clear();
    form.phi.clear();
    // A few features are subtracted as they are: centred, they would be rounded first.
    let centred = squared.filter(|_| d > MOST_FEATURES);
    if let Some(half) = centred {
        lanes.outline(Centre { x, y, d, half, form: &mut *form });
    } else {
        form.phi.resize(y.len() / d, zero);
        form.mean.resize(d, zero);
    }
    form.u.resize(x.len() / d, zero);
    form.v.resize(x.len(), zero);
    let taint = eight_sums(y, |y| y * zero);
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
    let norm = |frames: &[V::Real]| {
        frames.chunks_exact(d).map(|frame| sum_of_squares(frame).to_f64()).fold(0.0, f64::max).sqrt()
    };
    let top = |values: &[V::Real]| values.iter().fold(0.0, |top: f64, value| top.max(value.to_f64().abs()));
    form.largest = match squared {
        Some(factor) if centred.is_none() => factor * squared_ranges(x, y, d),
        _ => top(&form.u) + top(&form.phi) + norm(&form.v) * norm(w),
    };
    finite && !taint.to_f64().is_nan()
}

impl<R: Number> PairForm<R> {
    /// A bound on |C|.
    pub fn largest_cost(&self) -> f64 {
        self.largest
    }

    /// Writes the modified targets Y_mod = H W / h, (N,D), with the mean put back, from h (N,) and H W (N,D).
    pub fn modified_targets(&self, h: &[R], hw: &[R], out: &mut [R]) {
        let d = self.mean.len();
        for (n, (row, hw)) in out.chunks_exact_mut(d).zip(hw.chunks_exact(d)).enumerate() {
            let inverse = R::from_f64(1.0) / h[n];
            for ((out, hw), mean) in row.iter_mut().zip(hw).zip(&self.mean) {
                *out = *hw * inverse + *mean;
            }
        }
    }
}

/// Writes dSDTW/dy = phi'(y) (column sum of H) - H^T V, (M,D), from w (M,D), the column sums (M,) and H^T V (M,D).
///
/// The cost is one that [`prepare`] takes: w is y less a mean that the sequences share.
pub fn y_gradient<R: Number>(cost: Cost, w: &[R], (column_sums, hv): (&[R], &[R]), out: &mut [R]) {
    let d = w.len() / column_sums.len();
    let curvature = R::from_f64(match cost {
        Cost::Mse => 1.0,
        Cost::SquaredEuclidean => 2.0,
        _ => 0.0,
    });
    let rows = out.chunks_exact_mut(d).zip(w.chunks_exact(d)).zip(hv.chunks_exact(d));
    for (((out, w), hv), &column_sum) in rows.zip(column_sums) {
        let factor = curvature * column_sum;
        for ((out, &w), &hv) in out.iter_mut().zip(w).zip(hv) {
            *out = factor * w - hv;
        }
    }
}

/// Sums the squared range of both sequences over features.
fn squared_ranges<R: Real>(x: &[R], y: &[R], d: usize) -> f64 {
    let range = |k: usize| {
        let entries = x.iter().skip(k).step_by(d).chain(y.iter().skip(k).step_by(d));
        let bounds = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = entries.map(|e| e.to_f64()).fold(bounds, |(low, high), e| (low.min(e), high.max(e)));
        high - low
    };
    (0..d).map(|k| range(k) * range(k)).sum()
}

#[inline(always)]
fn sum_of_squares<R: Real>(frame: &[R]) -> R {
    eight_sums(frame, |x| x * x)
}

/// Writes the mean of all frames, w and phi of a squared cost.
struct Centre<'a, R> {
    x: &'a [R],
    y: &'a [R],
    d: usize,
    half: f64,
    form: &'a mut PairForm<R>,
}

impl<R: Number> Work for Centre<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, y, d, half, form: PairForm { mean, w, phi, .. } } = self;
        // Any mean will do that both sequences share. Sums of few frames are exact enough in float32.
        let frames_of_sum = 64;
        let mut total = vec![0.0f64; d];
        mean.resize(d, R::default());
        for frames in [x, y].into_iter().flat_map(|frames| frames.chunks(frames_of_sum * d)) {
            mean.fill(R::default());
            for frame in frames.chunks_exact(d) {
                for (sum, entry) in mean.iter_mut().zip(frame) {
                    *sum += *entry;
                }
            }
            for (total, &sum) in total.iter_mut().zip(&*mean) {
                *total += sum.to_f64();
            }
        }
        let count = ((x.len() + y.len()) / d) as f64;
        for (mean, total) in mean.iter_mut().zip(total) {
            *mean = R::from_f64(total / count);
        }
        w.resize(y.len(), R::default());
        for (target, w) in y.chunks_exact(d).zip(w.chunks_exact_mut(d)) {
            for ((w, y), mean) in w.iter_mut().zip(target).zip(&*mean) {
                *w = *y - *mean;
            }
            phi.push(R::from_f64(half) * sum_of_squares(w));
        }
    }
}

/// Writes u and v; yields whether all x are finite.
struct Map<'a, V: Lanes<L>, C, const L: usize> {
    lanes: V,
    cost: PhantomData<C>,
    x: &'a [V::Real],
    d: usize,
    form: &'a mut PairForm<V::Real>,
}

impl<V: Lanes<L>, C: Elementwise, const L: usize> Work for Map<'_, V, C, L> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { lanes, x, d, form: PairForm { u, v, mean, .. }, .. } = self;
        let (means, last_mean) = mean.as_chunks::<L>();
        let mut taint = lanes.constant(0.0);
        for ((frame, u), v) in x.chunks_exact(d).zip(u).zip(v.chunks_exact_mut(d)) {
            let (frame, last) = frame.as_chunks::<L>();
            let (v, last_v) = v.as_chunks_mut::<L>();
            let mut sum_u = lanes.constant(0.0);
            for ((x, mean), v) in frame.iter().zip(means).zip(v) {
                let entry = lanes.sub(lanes.load_array(x), lanes.load_array(mean));
                taint = lanes.mul_add(entry, lanes.constant(0.0), taint);
                let (u_share, v_share) = C::map(lanes, entry);
                sum_u = lanes.add(sum_u, u_share);
                lanes.store_array(v, v_share);
            }
            if !last.is_empty() {
                let entry = lanes.sub(lanes.load_part(last), lanes.load_part(last_mean));
                taint = lanes.mul_add(entry, lanes.constant(0.0), taint);
                let (u_share, v_share) = C::map(lanes, entry);
                // Lanes behind the last feature hold the shares of x = 0.
                let u_share = lanes.load_part(&lanes.to_array(u_share)[..last.len()]);
                sum_u = lanes.add(sum_u, u_share);
                lanes.store_part(last_v, v_share);
            }
            *u = lanes.to_array(sum_u).into_iter().sum();
        }
        !lanes.to_array(taint).into_iter().sum::<V::Real>().to_f64().is_nan()
    }
}

/// Writes dL/dx = h u'(x) - v'(x) (H W), (N,D), from h (N,) and H W (N,D); the form is that of the same pair and cost.
pub fn x_gradient<V: Lanes<L>, const L: usize>(
    lanes: V,
    cost: Cost,
    x: &[V::Real],
    form: &PairForm<V::Real>,
    (h, hw): (&[V::Real], &[V::Real]),
    out: &mut [V::Real],
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

struct Gradient<'a, V: Lanes<L>, C, const L: usize> {
    lanes: V,
    cost: PhantomData<C>,
    x: &'a [V::Real],
    mean: &'a [V::Real],
    h: &'a [V::Real],
    hw: &'a [V::Real],
    out: &'a mut [V::Real],
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
