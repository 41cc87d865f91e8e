//! Logarithm and exponential on lanes, to a few units of the last place.

use super::Lanes;

/// e^-100, times 2^32.
const LEAST_SCALED: f32 = 1.597_79e-34;

/// Returns ln(x) of x in [0, 2^90], at least -100. A NaN or infinity gives some number: look for them elsewhere.
///
/// x 2^32 = m 2^e with m in [sqrt(1/2), sqrt(2)), so that no x is denormal, and with s = (m-1)/(m+1)
/// ln(m) = 2 (s + s^3/3 + s^5/5 + s^7/7 + s^9/9), which leaves 7e-10.
#[inline(always)]
pub fn clamped_ln<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> V::F {
    let scaled = lanes.mul(x, lanes.splat(4_294_967_296.0));
    let bits = lanes.bits(lanes.max(lanes.splat(LEAST_SCALED), scaled));
    // 0x3f3504f3 is sqrt(1/2): the sum carries into the exponent exactly where m would pass sqrt(2).
    let carried = lanes.add_i(bits, lanes.splat_i(0x3f80_0000 - 0x3f35_04f3));
    let exponent = lanes.sub_i(lanes.of_exponent(carried), lanes.splat_i(127));
    let m = lanes.of_bits(lanes.sub_i(bits, lanes.to_exponent(exponent)));
    let one = lanes.splat(1.0);
    let s = lanes.div(lanes.sub(m, one), lanes.add(m, one));
    let square = lanes.mul(s, s);
    let mut series = lanes.mul_add(square, lanes.splat(2.0 / 9.0), lanes.splat(2.0 / 7.0));
    series = lanes.mul_add(square, series, lanes.splat(2.0 / 5.0));
    series = lanes.mul_add(square, series, lanes.splat(2.0 / 3.0));
    series = lanes.mul_add(square, series, lanes.splat(2.0));
    let e = lanes.to_float(lanes.sub_i(exponent, lanes.splat_i(32)));
    lanes.mul_add(e, lanes.splat(std::f32::consts::LN_2), lanes.mul(s, series))
}

/// Returns exp(x), with x held between -87 and 88.
#[inline(always)]
pub fn clamped_exp<V: Lanes<L>, const L: usize>(lanes: V, x: V::F) -> V::F {
    let zero = lanes.splat(0.0);
    let above = lanes.max(lanes.splat(-87.0), x);
    let x = lanes.sub(zero, lanes.max(lanes.splat(-88.0), lanes.sub(zero, above)));
    let e = lanes.round(lanes.mul(x, lanes.splat(std::f32::consts::LOG2_E)));
    // ln(2) in two words, the first of few bits, so that the products with e are exact.
    let r = lanes.neg_mul_add(lanes.to_float(e), lanes.splat(0.693_359_4), x);
    let r = lanes.neg_mul_add(lanes.to_float(e), lanes.splat(-2.121_944_4e-4), r);
    let mut sum = lanes.mul_add(r, lanes.splat(1.0 / 720.0), lanes.splat(1.0 / 120.0));
    for coefficient in [1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = lanes.mul_add(r, sum, lanes.splat(coefficient));
    }
    lanes.of_bits(lanes.add_i(lanes.bits(sum), lanes.to_exponent(e)))
}

/// Sums as eight sums side by side: one after the other the additions would wait for each other.
#[inline(always)]
pub fn eight_sums(entries: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 8];
    let (chunks, rest) = entries.as_chunks::<8>();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += term(x);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&x| term(x)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::portable::Portable;

    #[test]
    fn logarithm_and_exponential_are_close() {
        for k in 0..2000 {
            let x = 10f32.powf(-44.0 + k as f32 * 0.035);
            let got = clamped_ln(Portable::<8>, [x; 8])[3];
            let expected = f64::from(x).ln().max(-100.0);
            assert!((f64::from(got) - expected).abs() <= 2e-7 * expected.abs().max(0.5), "ln {x}: {got} {expected}");
            let x = -87.0 + k as f32 * 0.087;
            let got = clamped_exp(Portable::<8>, [x; 8])[5];
            let expected = f64::from(x).exp();
            assert!((f64::from(got) / expected - 1.0).abs() <= 3e-7, "exp {x}: {got} {expected}");
        }
        for x in [0.0f32, 1e-45, 1.0] {
            let got = clamped_ln(Portable::<8>, [x; 8])[0];
            assert!((f64::from(got) - f64::from(x).ln().max(-100.0)).abs() < 2e-5, "ln {x}: {got}");
        }
    }
}
