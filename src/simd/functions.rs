//! Logarithm and exponential on lanes, to a few units of the last place.

use super::{Lanes, Number};
use crate::real::Real;

/// Returns ln(x) of x in [0, 2^90], at least -100. A NaN or infinity gives some number: look for them elsewhere.
///
/// x 2^32 = m 2^e with m in [sqrt(1/2), sqrt(2)), so that no x is denormal, and with s = (m-1)/(m+1)
/// ln(m) = 2 (s + s^3/3 + s^5/5 + ...).
#[inline(always)]
pub fn clamped_ln<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> V::F {
    let scaled = lanes.mul(x, lanes.constant(4_294_967_296.0));
    let (m, e) = lanes.centred_split(lanes.max(lanes.constant(V::Real::LEAST_OF_LOGARITHM), scaled));
    let one = lanes.constant(1.0);
    let s = lanes.div(lanes.sub(m, one), lanes.add(m, one));
    let series = polynomial(lanes, V::Real::LOGARITHM, lanes.mul(s, s));
    let e = lanes.sub(e, lanes.constant(32.0));
    lanes.mul_add(e, lanes.constant(std::f64::consts::LN_2), lanes.mul(s, series))
}

/// Returns exp(x), with x held within [`Number::EXPONENTIAL_RANGE`].
#[inline(always)]
pub fn clamped_exp<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> V::F {
    let zero = lanes.constant(0.0);
    let [least, greatest] = V::Real::EXPONENTIAL_RANGE;
    let above = lanes.max(lanes.constant(least), x);
    let x = lanes.sub(zero, lanes.max(lanes.constant(-greatest), lanes.sub(zero, above)));
    let e = lanes.round(lanes.mul(x, lanes.constant(std::f64::consts::LOG2_E)));
    let [ln_2, ln_2_low] = V::Real::LN_2;
    let r = lanes.neg_mul_add(lanes.to_float(e), lanes.constant(ln_2), x);
    let r = lanes.neg_mul_add(lanes.to_float(e), lanes.constant(ln_2_low), r);
    lanes.shifted(polynomial(lanes, V::Real::EXPONENTIAL, r), e)
}

/// Sums coefficients times powers of x, the lowest power first.
#[inline(always)]
pub fn polynomial<V: Lanes<L>, const L: usize>(lanes: V, coefficients: &'static [f64], x: V::F) -> V::F {
    let last = coefficients.len() - 1;
    let mut sum = lanes.constant(coefficients[last]);
    for k in (0..last).rev() {
        sum = lanes.mul_add(x, sum, lanes.constant(coefficients[k]));
    }
    sum
}

/// Sums the lanes, in halves: one after the other the additions would wait for each other.
#[inline(always)]
pub fn sum_of_lanes<V: Lanes<L>, const L: usize>(lanes: V, a: V::F) -> V::Real {
    in_halves(lanes.to_array(a), |a, b| a + b)
}

/// Returns the greatest lane; some lane if one is NaN.
#[inline(always)]
pub fn greatest_of_lanes<V: Lanes<L>, const L: usize>(lanes: V, a: V::F) -> V::Real {
    in_halves(lanes.to_array(a), |a, b| if b > a { b } else { a })
}

#[inline(always)]
fn in_halves<R: Real, const L: usize>(mut entries: [R; L], join: impl Fn(R, R) -> R) -> R {
    let mut half = L / 2;
    while half > 0 {
        for j in 0..half {
            entries[j] = join(entries[j], entries[j + half]);
        }
        half /= 2;
    }
    entries[0]
}

/// Sums as eight sums side by side: one after the other the additions would wait for each other.
#[inline(always)]
pub fn eight_sums<R: Real>(entries: &[R], term: impl Fn(R) -> R) -> R {
    let mut sums = [R::default(); 8];
    let (chunks, rest) = entries.as_chunks::<8>();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += term(x);
        }
    }
    sums.into_iter().sum::<R>() + rest.iter().map(|&x| term(x)).sum::<R>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::portable::Portable;

    #[test]
    fn logarithm_and_exponential_are_close() {
        for k in 0..2000 {
            let x = 10f32.powf(-44.0 + k as f32 * 0.035);
            let got = clamped_ln(Portable::<f32, 8>::new(), [x; 8])[3];
            let expected = f64::from(x).ln().max(-100.0);
            assert!((f64::from(got) - expected).abs() <= 2e-7 * expected.abs().max(0.5), "ln {x}: {got} {expected}");
            let x = -87.0 + k as f32 * 0.087;
            let got = clamped_exp(Portable::<f32, 8>::new(), [x; 8])[5];
            let expected = f64::from(x).exp();
            assert!((f64::from(got) / expected - 1.0).abs() <= 3e-7, "exp {x}: {got} {expected}");
        }
        for x in [0.0f32, 1e-45, 1.0] {
            let got = clamped_ln(Portable::<f32, 8>::new(), [x; 8])[0];
            assert!((f64::from(got) - f64::from(x).ln().max(-100.0)).abs() < 2e-5, "ln {x}: {got}");
        }
        for k in 0..2000 {
            let x = 10f64.powf(-44.0 + k as f64 * 0.035);
            let got = clamped_ln(Portable::<f64, 8>::new(), [x; 8])[3];
            let expected = x.ln().max(-100.0);
            assert!((got - expected).abs() <= 4e-16 * expected.abs().max(0.5), "ln {x}: {got} {expected}");
            let x = -700.0 + k as f64 * 0.7;
            let got = clamped_exp(Portable::<f64, 8>::new(), [x; 8])[5];
            assert!((got / x.exp() - 1.0).abs() <= 6e-16, "exp {x}: {got} {}", x.exp());
        }
        assert!((clamped_ln(Portable::<f64, 4>::new(), [0.0; 4])[0] + 100.0).abs() < 1e-13);
    }
}
