//! exp(x / gamma) as a mantissa and an exponent of 2.

use crate::scaled::Rate;
use crate::simd::functions::polynomial;
use crate::simd::{Lanes, Number};

/// log2(e) times a weight over gamma, in two words, and the least score that it takes.
#[derive(Clone, Copy)]
pub struct ScoreRate<R> {
    high: R,
    low: R,
    least: R,
}

impl<R: Number> ScoreRate<R> {
    /// The rate of scores of a weight.
    pub fn new(weight: f64, gamma: f64) -> Self {
        let (high, low) = Rate::new(-weight, gamma).as_words();
        // Without a weight no score counts; the largest one times 0 is no NaN.
        let least = if weight == 0.0 { -1e30 } else { -R::LARGEST_EXPONENT * std::f64::consts::LN_2 * gamma / weight };
        Self { high, low, least: R::from_f64(least.max(-1e38)) }
    }

    /// The rate as a number.
    pub fn to_f64(self) -> f64 {
        self.high.to_f64()
    }

    /// The least score.
    #[inline(always)]
    pub fn least(self) -> R {
        self.least
    }

    /// exp of the score times the rate: a mantissa in [0.7, 1.42] and an exponent.
    #[inline(always)]
    pub fn factor<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V, x: V::F) -> (V::F, V::I) {
        let high = lanes.splat(self.high);
        let e = lanes.round(lanes.mul(x, high));
        let f = lanes.mul_add(x, lanes.splat(self.low), lanes.mul_sub(x, high, lanes.to_float(e)));
        (power_of_two(lanes, f), e)
    }
}

/// 2^f for |f| <= 1/2.
#[inline(always)]
pub fn power_of_two<V: Lanes<L>, const L: usize>(lanes: V, f: V::F) -> V::F {
    lanes.mul_add(f, polynomial(lanes, V::Real::POWER_OF_TWO, f), lanes.constant(1.0))
}

/// An exponent of the lanes, in each of them.
#[inline(always)]
pub fn exponent<V: Lanes<L>, const L: usize>(lanes: V, exponent: f64) -> V::I {
    lanes.round(lanes.constant(exponent))
}

/// exp(-cost / gamma) as a mantissa in [0.7, 1.42] and an exponent, which is held above -[`Number::LARGEST_EXPONENT`].
pub fn constant_factor<R: Number>(cost: f64, gamma: f64) -> (f64, f64) {
    let exponent = (-cost / gamma * std::f64::consts::LOG2_E).max(-R::LARGEST_EXPONENT);
    let whole = exponent.round_ties_even();
    ((exponent - whole).exp2(), whole)
}
