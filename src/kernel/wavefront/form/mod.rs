//! The inner-product form of pairs on lanes: u, phi, v, w and gradients as [`crate::cost::inner_product`] defines them, many
//! at a time, in the precision of the pair.

mod centre;
mod direction;
mod elementwise;
mod log_softmax;

use std::marker::PhantomData;

use self::centre::Centre;
use self::direction::{DirectionGradient, Directions};
use self::elementwise::{Bce, BceLogits, CrossEntropy, Gradient, Map, Mse, Poisson, PoissonLog, SquaredEuclidean};
use self::log_softmax::{LogSoftmax, SoftmaxGradient, leave_out_impossible};
use super::tiles::few_features::MOST_FEATURES;
use super::tiles::{FormSlices, SquaredDifferences};
use crate::cost::{Cost, WeightedCost};
use crate::real::Real;
use crate::simd::functions::eight_sums;
use crate::simd::{Lanes, Number};

const LEAST_DENOMINATOR: f64 = 1e-12;
/// A bound for arguments of the logarithm on lanes. No probability is near, and rates near it are out of range as costs.
const LARGEST_OF_LOGARITHM: f64 = 1e27;

/// The inner-product form of one pair: u, phi, v and w. Memory that pairs reuse.
#[derive(Default)]
pub struct PairForm<R> {
    /// u of the predictions, (N,).
    u: Vec<R>,
    /// phi of the targets, (M,).
    phi: Vec<R>,
    /// v of the predictions, (N,D).
    v: Vec<R>,
    /// w of the targets, (M,D), less the common mean; empty where w is the targets themselves.
    w: Vec<R>,
    /// The factors of (x-y)^2 under the squared costs, (D,); empty under the others.
    squares: Vec<R>,
    weights: FeatureWeights<R>,
    /// 1 / |x| and 1 / |y| under cosine, (N,) and (M,).
    inverse_norms: [Vec<R>; 2],
    mean: Vec<R>,
    largest: f64,
}

/// The weights of features in the precision of a pair, (D,) each.
#[derive(Default)]
pub struct FeatureWeights<R> {
    features: Vec<R>,
    positives: Vec<R>,
}

/// Writes weights, (D,), in the precision R, `None` being ones; says whether they are normal numbers of it, or 0.
pub fn narrowed_weights<R: Number>(weights: Option<&[f64]>, d: usize, out: &mut Vec<R>) -> bool {
    out.clear();
    let Some(weights) = weights else {
        out.resize(d, R::from_f64(1.0));
        return true;
    };
    out.extend(weights.iter().map(|&weight| R::from_f64(weight)));
    let least = R::LEAST_SQUARED * R::LEAST_SQUARED;
    weights.iter().zip(out).all(|(&weight, narrow)| weight == 0.0 || weight > least && narrow.to_f64().is_finite())
}

/// Makes the form of x (N,D) and y (M,D). False where it cannot: a NaN or an infinity, or numbers that the functions on lanes
/// are not for.
///
/// A logit of -inf under cross-entropy is a class of probability 0, which may stand beside targets of 0.
pub fn prepare<V: Lanes<L>, const L: usize>(
    lanes: V,
    cost: &WeightedCost,
    x: &[V::Real],
    y: &[V::Real],
    d: usize,
    form: &mut PairForm<V::Real>,
) -> bool {
    let zero = V::Real::default();
    let weights = &mut form.weights;
    let are_weights = narrowed_weights(cost.feature_weights.as_deref(), d, &mut weights.features)
        && narrowed_weights(cost.pos_weight.as_deref(), d, &mut weights.positives);
    // Written so that NaN is left to the sums that find it.
    let is_too_large = cost.cost == Cost::CrossEntropy && x.iter().any(|&x| x.to_f64() > LARGEST_OF_LOGARITHM);
    if !are_weights || is_too_large {
        return false;
    }
    form.squares.clear();
    if let Cost::Mse | Cost::SquaredEuclidean = cost.cost {
        let factor = V::Real::from_f64(if cost.cost == Cost::Mse { 0.5 } else { 1.0 });
        form.squares.extend(weights.features.iter().map(|&weight| factor * weight));
    }
    form.mean.clear();
    form.w.clear();
    form.phi.clear();
    // A few features are subtracted as they are: centred, they would be rounded first.
    let is_centred = !form.squares.is_empty() && d > MOST_FEATURES;
    if is_centred {
        lanes.outline(Centre { x, y, form: &mut *form });
    } else {
        form.phi.resize(y.len() / d, zero);
        form.mean.resize(d, zero);
    }
    form.u.resize(x.len() / d, zero);
    form.v.resize(x.len(), zero);
    let PairForm { u, phi, v, w, squares, weights, inverse_norms, mean, .. } = form;
    macro_rules! map {
        ($cost:ty) => {
            lanes.outline(Map { lanes, cost: PhantomData::<$cost>, x, mean, weights, u, v })
        };
    }
    let is_finite = match cost.cost {
        Cost::Mse => map!(Mse),
        Cost::SquaredEuclidean => map!(SquaredEuclidean),
        Cost::Bce => map!(Bce),
        Cost::BceLogits => map!(BceLogits),
        Cost::CrossEntropy => map!(CrossEntropy),
        Cost::Poisson => map!(Poisson),
        Cost::PoissonLog => map!(PoissonLog),
        Cost::CrossEntropyLogits => {
            let features = &weights.features;
            u.fill(zero);
            lanes.outline(LogSoftmax { lanes, x, features, v }) || leave_out_impossible(x, y, d, features, v)
        }
        Cost::Cosine => {
            u.fill(V::Real::from_f64(1.0));
            w.resize(y.len(), zero);
            let root = |&weight: &V::Real| V::Real::from_f64(weight.to_f64().sqrt());
            let roots: &Vec<_> = &weights.features.iter().map(root).collect();
            let sides = [(x, Some(&weights.features[..]), &mut *v), (y, None, &mut *w)];
            sides.into_iter().zip(&mut *inverse_norms).all(|((frames, factors, out), inverse_norms)| {
                inverse_norms.resize(frames.len() / d, zero);
                lanes.outline(Directions { lanes, frames, roots, factors, out, inverse_norms })
            })
        }
        Cost::Euclidean | Cost::L1 => unreachable!("distances have no inner-product form"),
    };
    if !is_finite || eight_sums(y, |y| y * zero).to_f64().is_nan() {
        return false;
    }
    let w = if w.is_empty() { y } else { w };
    let norm = |frames: &[V::Real]| {
        frames.chunks_exact(d).map(|frame| sum_of_squares(frame).to_f64()).fold(0.0, f64::max).sqrt()
    };
    let top = |values: &[V::Real]| values.iter().fold(0.0, |top: f64, value| top.max(value.to_f64().abs()));
    form.largest = if is_centred || squares.is_empty() {
        top(u) + top(phi) + norm(v) * norm(w)
    } else {
        weighted_squared_ranges(x, y, squares)
    };
    true
}

impl<R: Number> PairForm<R> {
    /// The form as the tiles read it; x and y are those it was made of.
    pub fn slices<'a>(&'a self, x: &'a [R], y: &'a [R]) -> FormSlices<'a, R> {
        let Self { u, phi, v, squares, mean, .. } = self;
        let squares = (!squares.is_empty()).then_some(SquaredDifferences { x, factors: squares });
        FormSlices { u, phi, v, w: self.w(y), d: mean.len(), squares }
    }

    fn w<'a>(&'a self, y: &'a [R]) -> &'a [R] {
        if self.w.is_empty() { y } else { &self.w }
    }

    /// Tells if the cost is a squared one.
    pub fn is_squared(&self) -> bool {
        !self.squares.is_empty()
    }

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

/// Writes dSDTW/dx = h u'(x) - v'(x) (H W), (N,D), from h (N,) and H W (N,D); the form is that of the same pair and cost.
pub fn x_gradient<V: Lanes<L>, const L: usize>(
    lanes: V,
    cost: Cost,
    x: &[V::Real],
    form: &PairForm<V::Real>,
    (h, hw): (&[V::Real], &[V::Real]),
    out: &mut [V::Real],
) {
    let PairForm { mean, weights, .. } = form;
    macro_rules! gradient {
        ($cost:ty) => {
            lanes.outline(Gradient { lanes, cost: PhantomData::<$cost>, x, mean, weights, h, hw, out })
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
        Cost::CrossEntropyLogits => {
            lanes.outline(SoftmaxGradient { lanes, x, features: &weights.features, hw, out });
        }
        Cost::Cosine => {
            let (directions, inverse_norms) = (&form.v, &form.inverse_norms[0]);
            let (along, across) = (None, Some(&weights.features[..]));
            lanes.outline(DirectionGradient { lanes, directions, inverse_norms, along, across, g: hw, out });
        }
        Cost::Euclidean | Cost::L1 => unreachable!("distances have no inner-product form"),
    }
}

/// Writes dSDTW/dy = phi'(y) (column sum of H) - w'(y) (H^T V), (M,D), from the column sums (M,) and H^T V (M,D); the form is
/// that of the same pair and cost.
pub fn y_gradient<V: Lanes<L>, const L: usize>(
    lanes: V,
    cost: Cost,
    y: &[V::Real],
    form: &PairForm<V::Real>,
    (column_sums, hv): (&[V::Real], &[V::Real]),
    out: &mut [V::Real],
) {
    let (w, weights) = (form.w(y), &form.weights);
    if cost == Cost::Cosine {
        let inverse_norms = &form.inverse_norms[1];
        let (along, across) = (Some(&weights.features[..]), None);
        lanes.outline(DirectionGradient { lanes, directions: w, inverse_norms, along, across, g: hv, out });
        return;
    }
    if !form.is_squared() {
        for (out, &hv) in out.iter_mut().zip(hv) {
            *out = -hv;
        }
        return;
    }
    let d = form.squares.len();
    let rows = out.chunks_exact_mut(d).zip(w.chunks_exact(d)).zip(hv.chunks_exact(d));
    for (((out, w), hv), &column_sum) in rows.zip(column_sums) {
        // phi'(y) is twice the factor times y.
        let factor = column_sum + column_sum;
        for (((out, &w), &hv), &square) in out.iter_mut().zip(w).zip(hv).zip(&form.squares) {
            *out = factor * square * w - hv;
        }
    }
}

/// Sums factors times the squared range of both sequences over features.
fn weighted_squared_ranges<R: Real>(x: &[R], y: &[R], factors: &[R]) -> f64 {
    let d = factors.len();
    let range = |k: usize| {
        let entries = x.iter().skip(k).step_by(d).chain(y.iter().skip(k).step_by(d));
        let bounds = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = entries.map(|e| e.to_f64()).fold(bounds, |(low, high), e| (low.min(e), high.max(e)));
        high - low
    };
    factors.iter().enumerate().map(|(k, factor)| factor.to_f64() * range(k) * range(k)).sum()
}

#[inline(always)]
fn sum_of_squares<R: Real>(frame: &[R]) -> R {
    eight_sums(frame, |x| x * x)
}
