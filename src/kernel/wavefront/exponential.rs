//! Factors exp(-w C/g) in bulk: a number in [0.7, 1.42] and an exponent of 2.
//!
//! With r = -w log2(e)/g in two words, 2^(C r) = 2^e 2^f with e the nearest integer and |f| <= 1/2. The
//! remainder f is exact but for one rounding, and 2^f is a polynomial ([`Number::POWER_OF_TWO`]): in float32
//! of degree 5 with a relative error of 1.1e-7.

use crate::real::Real;
use crate::scaled::Rate;
use crate::simd::functions::polynomial;
use crate::simd::{Lanes, Number};

/// The factors of one tile for one step weight.
#[derive(Clone, Copy)]
pub struct Factors<V: Lanes<L>, const L: usize> {
    /// Mantissas 2^f.
    pub mantissa: [V::F; L],
    /// Exponents e.
    pub exponent: [V::I; L],
}

impl<V: Lanes<L>, const L: usize> Factors<V, L> {
    /// Adds to the exponents.
    #[inline(always)]
    pub fn lower(&mut self, lanes: V, exponents: &[V::I; L]) {
        for (exponent, &lowered) in self.exponent.iter_mut().zip(exponents) {
            *exponent = lanes.add_i(*exponent, lowered);
        }
    }
}

/// Writes the factors of a tile of costs.
#[inline(always)]
pub fn write_factors<V: Lanes<L>, const L: usize>(
    lanes: V,
    costs: &[V::F; L],
    (high, low): (V::Real, V::Real),
    out: &mut Factors<V, L>,
) {
    let (high, low) = (lanes.splat(high), lanes.splat(low));
    let one = lanes.constant(1.0);
    // Four at a time: enough to hide latencies, few enough for the registers.
    for quarter in 0..L / 4 {
        let mut f = [one; 4];
        for i in 0..4 {
            let c = costs[quarter * 4 + i];
            let e = lanes.round(lanes.mul(c, high));
            f[i] = lanes.mul_add(c, low, lanes.mul_sub(c, high, lanes.to_float(e)));
            out.exponent[quarter * 4 + i] = e;
        }
        for i in 0..4 {
            let sum = polynomial(lanes, V::Real::POWER_OF_TWO, f[i]);
            out.mantissa[quarter * 4 + i] = lanes.mul_add(f[i], sum, one);
        }
    }
}

/// The rate of a step weight in two words.
pub fn rate<R: Real>(weight: f64, gamma: f64) -> (R, R) {
    Rate::new(weight, gamma).as_words()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaled::Scaled;
    use crate::simd::Exponent;
    use crate::simd::portable::{Portable, Scalar};

    /// Compares factors with the exponential, in base 2: what costs lose by their own rounding is no error.
    fn check<R: Scalar>(tolerance: f64) {
        for gamma in [0.01, 0.3, 1.0, 100.0] {
            for scale in [1e-3, 1.0, 1e2] {
                let costs: [[R; 8]; 8] = std::array::from_fn(|i| {
                    std::array::from_fn(|j| R::from_f64(scale * ((i * 8 + j) as f64 * 0.731 - 3.0)))
                });
                let (one, zero) = (R::from_f64(1.0), R::Integer::ZERO);
                let mut out = Factors::<Portable<R, 8>, 8> { mantissa: [[one; 8]; 8], exponent: [[zero; 8]; 8] };
                write_factors(Portable::new(), &costs, rate(1.0, gamma), &mut out);
                for i in 0..8 {
                    for j in 0..8 {
                        let expected = Scaled::factor(costs[i][j].to_f64(), Rate::new(1.0, gamma));
                        let of_exponents = out.exponent[i][j].to_f64() - expected.exponent;
                        let ratio = out.mantissa[i][j].to_f64() / expected.mantissa * of_exponents.exp2();
                        assert!((ratio - 1.0).abs() < tolerance, "{gamma} {:?}: {ratio}", costs[i][j]);
                    }
                }
            }
        }
    }

    #[test]
    fn factors_are_exponentials() {
        check::<f32>(1.4e-6);
        check::<f64>(1e-15);
    }
}
