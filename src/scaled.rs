//! Positive numbers of any size: a float64 mantissa and an integer exponent of 2 that is itself a float64.
//!
//! exp(-D/g) leaves the range of any float within a few frames, while its relative precision is all that
//! the recursion needs. With the exponent apart, no logarithm is taken and nothing is differenced, so the
//! relative error of a probability does not depend on the size of D.

use crate::real::Real;

/// `mantissa * 2^exponent`; zero is [`Scaled::ZERO`] alone.
#[derive(Clone, Copy, Debug)]
pub struct Scaled {
    /// In [1,2), except for zero and NaN.
    pub mantissa: f64,
    /// An integer; exact to 2^53.
    pub exponent: f64,
}

/// Below every exponent that a path can accumulate.
const LOWEST: f64 = -1e308;
/// Beyond this size exponents are no longer exact, and neither are ratios.
const LARGEST_EXACT: f64 = (1u64 << 52) as f64;
/// Keeps a single factor from adding up to [`LOWEST`].
const LOWEST_FACTOR: f64 = -1e300;

/// `-w log2(e) / gamma` in two words: the low one counts where |D| is large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    high: f64,
    low: f64,
}

impl Rate {
    /// The rate of a step of weight `weight`.
    pub fn new(weight: f64, gamma: f64) -> Self {
        const LOG2_E: f64 = std::f64::consts::LOG2_E;
        /// log2(e) less its float64.
        const LOG2_E_LOW: f64 = 2.035_527_374_093_103_3e-17;
        let product = weight * LOG2_E;
        let quotient = product / gamma;
        let product_low = weight.mul_add(LOG2_E, -product) + weight * LOG2_E_LOW;
        let low = ((-quotient).mul_add(gamma, product) + product_low) / gamma;
        Self { high: -quotient, low: if low.is_finite() { -low } else { 0.0 } }
    }

    /// In two words of another precision: the high one, and what it leaves.
    pub fn as_words<R: Real>(self) -> (R, R) {
        let high = R::from_f64(self.high);
        (high, R::from_f64(self.high - high.to_f64() + self.low))
    }
}

impl Scaled {
    /// Nothing: no path.
    pub const ZERO: Self = Self { mantissa: 0.0, exponent: LOWEST };
    /// The empty path.
    pub const ONE: Self = Self { mantissa: 1.0, exponent: 0.0 };

    /// `exp(-w cost / gamma)`, w and gamma being those of the rate.
    pub fn factor(cost: f64, rate: Rate) -> Self {
        let exponent = (cost * rate.high).round();
        if exponent.is_nan() {
            return Self { mantissa: f64::NAN, exponent: 0.0 };
        }
        if exponent < LOWEST_FACTOR {
            return Self { mantissa: 1.0, exponent: LOWEST_FACTOR };
        }
        let fraction = cost.mul_add(rate.high, -exponent) + cost * rate.low;
        // Where the product is rounded to more than 1, so is what is left of it.
        let carry = fraction.round();
        Self { mantissa: (fraction - carry).exp2(), exponent: exponent + carry }
    }

    /// The product, not normalised.
    pub fn times(self, factor: Self) -> Self {
        Self { mantissa: self.mantissa * factor.mantissa, exponent: self.exponent + factor.exponent }
    }

    /// The mantissa as it is beside numbers of the greater exponent `top`.
    pub fn aligned(self, top: f64) -> f64 {
        let shift = self.exponent - top;
        if shift < -1000.0 {
            // Zero beside 1, unless it is NaN.
            self.mantissa * 0.0
        } else {
            self.mantissa * f64::from_bits(((1023 + shift as i64) as u64) << 52)
        }
    }

    /// Brings the mantissa to [1,2); zero becomes [`Scaled::ZERO`].
    pub fn normalised(self) -> Self {
        if self.mantissa == 0.0 {
            return Self::ZERO;
        }
        if self.mantissa.is_nan() {
            return self;
        }
        let bits = self.mantissa.to_bits();
        Self {
            mantissa: f64::from_bits(bits & !(0x7ff << 52) | 1023 << 52),
            exponent: self.exponent + ((bits >> 52) as i64 - 1023) as f64,
        }
    }

    /// Tells if this is a number whose exponent has lost digits.
    pub fn is_out_of_range(self) -> bool {
        !self.is_zero() && !self.mantissa.is_nan() && self.exponent.abs() > LARGEST_EXACT
    }

    /// Tells if this is zero.
    pub fn is_zero(self) -> bool {
        self.mantissa == 0.0
    }

    /// The natural logarithm.
    pub fn ln(self) -> f64 {
        self.mantissa.ln() + self.exponent * std::f64::consts::LN_2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_the_exponential() {
        for (cost, gamma) in [(0.3, 1.0), (700.0, 1.0), (1e5, 0.01), (-2.5, 0.1)] {
            let got = Scaled::factor(cost, Rate::new(1.0, gamma)).normalised().ln();
            assert!((got + cost / gamma).abs() <= 1e-15 * (cost / gamma).abs().max(1.0) * 4.0, "{cost} {gamma}: {got}");
        }
    }

    #[test]
    fn aligning_keeps_ratios() {
        let small = Scaled { mantissa: 1.5, exponent: -1e9 };
        let large = Scaled { mantissa: 1.25, exponent: -1e9 + 3.0 };
        assert_eq!(small.aligned(large.exponent), 1.5 / 8.0);
        assert_eq!(Scaled::ZERO.aligned(-1e15), 0.0);
        assert!(Scaled { mantissa: f64::NAN, exponent: -1e9 }.aligned(0.0).is_nan());
    }
}
