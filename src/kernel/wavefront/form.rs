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
/// The logarithm on lanes is for less; no probability is near, and rates near it are out of range as costs.
const LARGEST_OF_LOGARITHM: f32 = 1e27;

/// u, phi, v and w of one pair; memory that pairs reuse.
#[derive(Default)]
pub struct Form {
    /// (N,).
    pub u: Vec<f32>,
    /// (M,).
    pub phi: Vec<f32>,
    /// (N,D).
    pub v: Vec<f32>,
    /// (M,D), less the common mean; empty where w is the targets themselves.
    pub w: Vec<f32>,
    /// The factor of (v-w)^2 under the squared costs.
    pub squared: Option<f32>,
    mean: Vec<f32>,
    largest: f32,
}

/// A cost that is a sum over features: shares of u and v of each feature's x, and the gradient.
trait Elementwise {
    /// u(x) and v(x).
    unsafe fn map<V: Lanes<L>, const L: usize>(x: V::F) -> (V::F, V::F);
    /// h u'(x) - (H W) v'(x).
    unsafe fn gradient<V: Lanes<L>, const L: usize>(x: V::F, h: V::F, hw: V::F) -> V::F;
}

macro_rules! elementwise {
    ($name:ident, $x:ident, map $map:block, gradient($h:ident, $hw:ident) $gradient:block) => {
        struct $name;

        impl Elementwise for $name {
            #[inline(always)]
            unsafe fn map<V: Lanes<L>, const L: usize>($x: V::F) -> (V::F, V::F) {
                // SAFETY: the caller vouches for the hardware.
                unsafe { $map }
            }

            #[inline(always)]
            unsafe fn gradient<V: Lanes<L>, const L: usize>($x: V::F, $h: V::F, $hw: V::F) -> V::F {
                // SAFETY: the caller vouches for the hardware.
                unsafe { $gradient }
            }
        }
    };
}

elementwise!(Mse, x, map { (V::mul(V::splat(0.5), V::mul(x, x)), x) }, gradient(h, hw) {
    V::mul_sub(h, x, hw)
});
elementwise!(SquaredEuclidean, x, map { (V::mul(x, x), V::add(x, x)) }, gradient(h, hw) {
    V::mul(V::splat(2.0), V::mul_sub(h, x, hw))
});
elementwise!(Bce, x, map {
    let complement = clamped_ln::<V, L>(V::sub(V::splat(1.0), x));
    (V::sub(V::splat(0.0), complement), V::sub(clamped_ln::<V, L>(x), complement))
}, gradient(h, hw) {
    // (h - hw) / (1-x) - hw / x. Where the target is 1, hw is h summed in another order: what is left of the two is
    // rounding, and 1/(1-x) may be 1e12.
    let (zero, d) = (V::splat(0.0), V::sub(h, hw));
    let least = V::mul(h, V::splat(9.5e-7));
    let d = V::sub(V::at_least_or_zero(d, least), V::at_least_or_zero(V::sub(zero, d), least));
    let of_zero = V::mul(d, reciprocal::<V, L>(V::sub(V::splat(1.0), x)));
    V::neg_mul_add(hw, reciprocal::<V, L>(x), of_zero)
});
elementwise!(BceLogits, x, map {
    let one = V::splat(1.0);
    let away = clamped_exp::<V, L>(V::sub(V::splat(0.0), V::abs(x)));
    (V::add(V::max(x, V::splat(0.0)), clamped_ln::<V, L>(V::add(one, away))), x)
}, gradient(h, hw) {
    // sigmoid(x) = exp(min(x, 0)) / (1 + exp(-|x|))
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    let away = clamped_exp::<V, L>(V::sub(zero, V::abs(x)));
    let below = clamped_exp::<V, L>(V::sub(zero, V::max(zero, V::sub(zero, x))));
    V::mul_sub(h, V::div(below, V::add(one, away)), hw)
});
elementwise!(CrossEntropy, x, map { (V::splat(0.0), clamped_ln::<V, L>(x)) }, gradient(_h, hw) {
    V::neg_mul_add(hw, reciprocal::<V, L>(x), V::splat(0.0))
});
elementwise!(Poisson, x, map { (x, clamped_ln::<V, L>(x)) }, gradient(h, hw) {
    V::neg_mul_add(hw, reciprocal::<V, L>(x), h)
});
elementwise!(PoissonLog, x, map { (clamped_exp::<V, L>(x), x) }, gradient(h, hw) {
    V::mul_sub(h, clamped_exp::<V, L>(x), hw)
});

#[inline(always)]
unsafe fn reciprocal<V: Lanes<L>, const L: usize>(x: V::F) -> V::F {
    // SAFETY: the caller vouches for the hardware.
    unsafe { V::div(V::splat(1.0), V::max(V::splat(LEAST_DENOMINATOR), x)) }
}

/// Makes the form of x (N,D) and y (M,D), or says no: another cost, weights inside it, a NaN or an infinity.
///
/// # Safety
///
/// The hardware has the instructions of V.
pub unsafe fn prepare<V: Lanes<L>, const L: usize>(
    cost: &WeightedCost,
    x: &[f32],
    y: &[f32],
    d: usize,
    form: &mut Form,
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
        // SAFETY: the caller vouches for the hardware.
        unsafe { V::outline(Centre { x, y, d, half, form: &mut *form }) };
    } else {
        form.phi.resize(y.len() / d, 0.0);
        form.mean.resize(d, 0.0);
    }
    form.u.resize(x.len() / d, 0.0);
    form.v.resize(x.len(), 0.0);
    let taint = eight_sums(y, |y| y * 0.0);
    macro_rules! map {
        ($cost:ty) => {
            // SAFETY: the caller vouches for the hardware.
            unsafe { V::outline(Map::<V, $cost, L> { x, d, form: &mut *form, lanes: PhantomData }) }
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

impl Form {
    /// A bound on |C|.
    pub fn largest_cost(&self) -> f64 {
        f64::from(self.largest)
    }
}

/// The sum over features of the squared range of both sequences.
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
    form: &'a mut Form,
}

impl Work for Centre<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let Self { x, y, d, half, form: Form { mean, w, phi, .. } } = self;
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
    x: &'a [f32],
    d: usize,
    form: &'a mut Form,
    lanes: PhantomData<(V, C)>,
}

impl<V: Lanes<L>, C: Elementwise, const L: usize> Work for Map<'_, V, C, L> {
    type Output = bool;

    #[inline(always)]
    unsafe fn run(self) -> bool {
        let Self { x, d, form, .. } = self;
        // SAFETY: the caller vouches for the hardware; `count` entries from feature `k` of frame `n` exist everywhere.
        unsafe {
            let mut taint = V::splat(0.0);
            for n in 0..x.len() / d {
                let mut u = V::splat(0.0);
                for k in (0..d).step_by(L) {
                    let count = (d - k).min(L);
                    let mean = load::<V, L>(form.mean.as_ptr().add(k), count);
                    let entry = V::sub(load::<V, L>(x.as_ptr().add(n * d + k), count), mean);
                    taint = V::mul_add(entry, V::splat(0.0), taint);
                    let (u_share, v) = C::map::<V, L>(entry);
                    // Lanes behind the last feature hold the shares of x = 0.
                    let u_share = if count == L { u_share } else { first::<V, L>(u_share, count) };
                    u = V::add(u, u_share);
                    store::<V, L>(form.v.as_mut_ptr().add(n * d + k), v, count);
                }
                form.u[n] = sum::<V, L>(u);
            }
            !sum::<V, L>(taint).is_nan()
        }
    }
}

/// Writes dL/dx = h u'(x) - v'(x) (H W) and the modified targets H W / h, with the mean put back.
///
/// # Safety
///
/// The hardware has the instructions of V; the form is that of the same pair and cost; h (N,), hw, x_grad and y_mod
/// (N,D).
pub unsafe fn read_out<V: Lanes<L>, const L: usize>(
    cost: Cost,
    x: &[f32],
    form: &Form,
    (h, hw): (&[f32], &[f32]),
    x_grad: Option<&mut [f32]>,
    y_mod: Option<&mut [f32]>,
) {
    if let Some(out) = y_mod {
        let d = form.mean.len();
        for (n, (row, hw)) in out.chunks_exact_mut(d).zip(hw.chunks_exact(d)).enumerate() {
            let inverse = 1.0 / h[n];
            for ((out, hw), mean) in row.iter_mut().zip(hw).zip(&form.mean) {
                *out = hw * inverse + mean;
            }
        }
    }
    let Some(out) = x_grad else { return };
    macro_rules! gradient {
        ($cost:ty) => {
            // SAFETY: the caller vouches for the hardware.
            unsafe { V::outline(Gradient::<V, $cost, L> { x, form, h, hw, out, lanes: PhantomData }) }
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
    x: &'a [f32],
    form: &'a Form,
    h: &'a [f32],
    hw: &'a [f32],
    out: &'a mut [f32],
    lanes: PhantomData<(V, C)>,
}

impl<V: Lanes<L>, C: Elementwise, const L: usize> Work for Gradient<'_, V, C, L> {
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let Self { x, form, h, hw, out, .. } = self;
        let d = form.mean.len();
        // SAFETY: the caller vouches for the hardware; `count` entries from feature `k` of frame `n` exist everywhere.
        unsafe {
            for (n, &h) in h.iter().enumerate() {
                let h = V::splat(h);
                for k in (0..d).step_by(L) {
                    let (at, count) = (n * d + k, (d - k).min(L));
                    let mean = load::<V, L>(form.mean.as_ptr().add(k), count);
                    let entry = V::sub(load::<V, L>(x.as_ptr().add(at), count), mean);
                    let hw = load::<V, L>(hw.as_ptr().add(at), count);
                    store::<V, L>(out.as_mut_ptr().add(at), C::gradient::<V, L>(entry, h, hw), count);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn load<V: Lanes<L>, const L: usize>(from: *const f32, count: usize) -> V::F {
    // SAFETY: the caller vouches for the hardware and `count` entries.
    unsafe { if count == L { V::load(from) } else { V::load_first(from, count) } }
}

#[inline(always)]
unsafe fn store<V: Lanes<L>, const L: usize>(to: *mut f32, a: V::F, count: usize) {
    // SAFETY: the caller vouches for the hardware and `count` entries.
    unsafe { if count == L { V::store(to, a) } else { V::store_first(to, a, count) } }
}

#[inline(always)]
unsafe fn first<V: Lanes<L>, const L: usize>(a: V::F, count: usize) -> V::F {
    let mut entries = [0.0; L];
    // SAFETY: the caller vouches for the hardware.
    unsafe {
        V::store(entries.as_mut_ptr(), a);
        V::load_first(entries.as_ptr(), count)
    }
}

#[inline(always)]
unsafe fn sum<V: Lanes<L>, const L: usize>(a: V::F) -> f32 {
    let mut entries = [0.0f32; L];
    // SAFETY: the caller vouches for the hardware.
    unsafe { V::store(entries.as_mut_ptr(), a) };
    entries.iter().sum()
}
