//! v of cross-entropy of logits, the logarithm of the softmax of each frame, and its gradient.
//!
//! A logit of -inf is a class of probability 0. With a target of 0 there, the class is left out: its share is 0, as is its
//! gradient (0 log 0 = 0). With any other target the cell costs +inf, which lanes leave to the row-wise kernel.

use crate::real::Real;
use crate::simd::functions::{clamped_exp, clamped_ln};
use crate::simd::{Lanes, Number, Work};

/// Writes v = f log_softmax(x), (N,D); yields whether all logits are finite.
pub struct LogSoftmax<'a, V: Lanes<L>, const L: usize> {
    pub lanes: V,
    pub x: &'a [V::Real],
    pub features: &'a [V::Real],
    pub v: &'a mut [V::Real],
}

impl<V: Lanes<L>, const L: usize> Work for LogSoftmax<'_, V, L> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { lanes, x, features, v } = self;
        let (fs, last_f) = features.as_chunks::<L>();
        let mut taint = lanes.constant(0.0);
        for (frame, v) in x.chunks_exact(features.len()).zip(v.chunks_exact_mut(features.len())) {
            let top = largest(lanes, frame);
            let (frame, last) = frame.as_chunks::<L>();
            let (v, last_v) = v.as_chunks_mut::<L>();
            let mut sum = lanes.constant(0.0);
            for (x, v) in frame.iter().zip(&mut *v) {
                let x = lanes.load_array(x);
                taint = lanes.mul_add(x, lanes.constant(0.0), taint);
                let below = lanes.sub(x, top);
                sum = lanes.add(sum, clamped_exp(lanes, below));
                lanes.store_array(v, below);
            }
            if !last.is_empty() {
                let x = lanes.load_part(last);
                taint = lanes.mul_add(x, lanes.constant(0.0), taint);
                let below = lanes.sub(x, top);
                let inside = lanes.load_part(&[V::Real::from_f64(1.0); L][..last.len()]);
                sum = lanes.mul_add(clamped_exp(lanes, below), inside, sum);
                lanes.store_part(last_v, below);
            }
            let sum: V::Real = lanes.to_array(sum).into_iter().sum();
            let log_sum = clamped_ln(lanes, lanes.splat(sum));
            for (v, f) in v.iter_mut().zip(fs) {
                let log = lanes.sub(lanes.load_array(v), log_sum);
                lanes.store_array(v, lanes.mul(lanes.load_array(f), log));
            }
            if !last_v.is_empty() {
                let log = lanes.sub(lanes.load_part(last_v), log_sum);
                lanes.store_part(last_v, lanes.mul(lanes.load_part(last_f), log));
            }
        }
        !lanes.to_array(taint).into_iter().sum::<V::Real>().to_f64().is_nan()
    }
}

/// The greatest entry of a frame, in all lanes.
#[inline(always)]
fn largest<V: Lanes<L>, const L: usize>(lanes: V, frame: &[V::Real]) -> V::F {
    let (whole, last) = frame.as_chunks::<L>();
    let mut top = lanes.splat(frame[0]);
    for x in whole {
        top = lanes.max(top, lanes.load_array(x));
    }
    let mut largest = frame[0];
    for &x in lanes.to_array(top).iter().chain(last) {
        if x > largest {
            largest = x;
        }
    }
    lanes.splat(largest)
}

/// Writes dL/dx = softmax(x) sum f (H W) - f (H W).
pub struct SoftmaxGradient<'a, V: Lanes<L>, const L: usize> {
    pub lanes: V,
    pub x: &'a [V::Real],
    pub features: &'a [V::Real],
    pub hw: &'a [V::Real],
    pub out: &'a mut [V::Real],
}

impl<V: Lanes<L>, const L: usize> Work for SoftmaxGradient<'_, V, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, x, features, hw, out } = self;
        let d = features.len();
        let (fs, last_f) = features.as_chunks::<L>();
        // The end of the exponential stands for all that is below it: a probability of 0.
        let end = lanes.constant(1.01 * V::Real::EXPONENTIAL_RANGE[0].exp());
        let frames = x.chunks_exact(d).zip(hw.chunks_exact(d)).zip(out.chunks_exact_mut(d));
        for ((frame, hw), out) in frames {
            let top = largest(lanes, frame);
            let (frame, last) = frame.as_chunks::<L>();
            let (hw, last_hw) = hw.as_chunks::<L>();
            let (out, last_out) = out.as_chunks_mut::<L>();
            let (mut sum, mut mass) = (lanes.constant(0.0), lanes.constant(0.0));
            for (((x, f), hw), out) in frame.iter().zip(fs).zip(hw).zip(&mut *out) {
                let power = clamped_exp(lanes, lanes.sub(lanes.load_array(x), top));
                let power = lanes.at_least_or_zero(power, end);
                sum = lanes.add(sum, power);
                mass = lanes.mul_add(lanes.load_array(f), lanes.load_array(hw), mass);
                lanes.store_array(out, power);
            }
            if !last.is_empty() {
                let power = clamped_exp(lanes, lanes.sub(lanes.load_part(last), top));
                let power = lanes.at_least_or_zero(power, end);
                let inside = lanes.load_part(&[V::Real::from_f64(1.0); L][..last.len()]);
                sum = lanes.mul_add(power, inside, sum);
                mass = lanes.mul_add(lanes.load_part(last_f), lanes.load_part(last_hw), mass);
                lanes.store_part(last_out, power);
            }
            let mass: V::Real = lanes.to_array(mass).into_iter().sum();
            let sum: V::Real = lanes.to_array(sum).into_iter().sum();
            let share = lanes.splat(mass / sum);
            for ((f, hw), out) in fs.iter().zip(hw).zip(out) {
                let of_targets = lanes.mul(lanes.load_array(f), lanes.load_array(hw));
                lanes.store_array(out, lanes.mul_sub(share, lanes.load_array(out), of_targets));
            }
            if !last.is_empty() {
                let of_targets = lanes.mul(lanes.load_part(last_f), lanes.load_part(last_hw));
                lanes.store_part(last_out, lanes.mul_sub(share, lanes.load_part(last_out), of_targets));
            }
        }
    }
}

/// Leaves out the classes of probability 0, where every logit is finite or -inf, not all of a frame are -inf, and no target
/// asks for such a class; says whether that is so.
pub fn leave_out_impossible<R: Number>(x: &[R], y: &[R], d: usize, features: &[R], v: &mut [R]) -> bool {
    let is_impossible = |x: R| x.to_f64() == f64::NEG_INFINITY;
    let mut left_out = vec![false; d];
    for (frame, v) in x.chunks_exact(d).zip(v.chunks_exact_mut(d)) {
        let mut has_finite = false;
        for (((&x, v), left_out), f) in frame.iter().zip(v).zip(&mut left_out).zip(features) {
            if is_impossible(x) {
                *v = R::default();
                *left_out |= !f.is_zero();
            } else if x.to_f64().is_finite() {
                has_finite = true;
            } else {
                return false;
            }
        }
        if !has_finite {
            return false;
        }
    }
    y.chunks_exact(d).all(|target| target.iter().zip(&left_out).all(|(y, &left_out)| !left_out || y.is_zero()))
}
