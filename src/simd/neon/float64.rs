//! Four lanes of float64, with exponents of 64 bits.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "intrinsics of NEON, which the machine has where there is a token; pointers are used as the trait says"
)]

use core::arch::aarch64::*;

use super::{Neon, Pair, both};
use crate::simd::places::Places;
use crate::simd::{Lanes, Number, Work};

type Floats = Pair<float64x2_t>;
type Integers = Pair<int64x2_t>;

impl Lanes<4> for Neon<f64> {
    type Real = f64;
    type Exponent = i64;
    type F = Floats;
    type I = Integers;

    const PRODUCT_ROWS: usize = 4;

    fn outline<W: Work>(self, work: W) -> W::Output {
        self.enable(work)
    }

    #[inline(always)]
    fn splat(self, x: f64) -> Floats {
        let x = unsafe { vdupq_n_f64(x) };
        Pair(x, x)
    }
    #[inline(always)]
    fn splat_i(self, x: i64) -> Integers {
        let x = unsafe { vdupq_n_s64(x) };
        Pair(x, x)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> Floats {
        unsafe { Pair(vld1q_f64(from), vld1q_f64(from.add(2))) }
    }
    #[inline(always)]
    unsafe fn load_i(self, from: *const i64) -> Integers {
        unsafe { Pair(vld1q_s64(from), vld1q_s64(from.add(2))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64, a: Floats) {
        unsafe {
            vst1q_f64(to, a.0);
            vst1q_f64(to.add(2), a.1);
        }
    }
    #[inline(always)]
    unsafe fn store_i(self, to: *mut i64, a: Integers) {
        unsafe {
            vst1q_s64(to, a.0);
            vst1q_s64(to.add(2), a.1);
        }
    }

    #[inline(always)]
    fn load_part(self, from: &[f64]) -> Floats {
        let mut entries = [0.0; 4];
        let count = from.len().min(4);
        entries[..count].copy_from_slice(&from[..count]);
        self.load_array(&entries)
    }
    #[inline(always)]
    fn store_part(self, to: &mut [f64], a: Floats) {
        let count = to.len().min(4);
        to[..count].copy_from_slice(&self.to_array(a)[..count]);
    }

    #[inline(always)]
    fn gather(self, from: &[f64], places: &Places<4>) -> Floats {
        let places = places.within(from.len());
        let mut entries = [0.0; 4];
        for (entry, &place) in entries.iter_mut().zip(places) {
            *entry = from[place as usize];
        }
        self.load_array(&entries)
    }

    #[inline(always)]
    fn add(self, a: Floats, b: Floats) -> Floats {
        both!(vaddq_f64; a, b)
    }
    #[inline(always)]
    fn sub(self, a: Floats, b: Floats) -> Floats {
        both!(vsubq_f64; a, b)
    }
    #[inline(always)]
    fn mul(self, a: Floats, b: Floats) -> Floats {
        both!(vmulq_f64; a, b)
    }
    #[inline(always)]
    fn div(self, a: Floats, b: Floats) -> Floats {
        both!(vdivq_f64; a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: Floats, b: Floats, c: Floats) -> Floats {
        both!(vfmaq_f64; c, a, b)
    }
    #[inline(always)]
    fn mul_sub(self, a: Floats, b: Floats, c: Floats) -> Floats {
        let c = both!(vnegq_f64; c);
        both!(vfmaq_f64; c, a, b)
    }
    #[inline(always)]
    fn neg_mul_add(self, a: Floats, b: Floats, c: Floats) -> Floats {
        both!(vfmsq_f64; c, a, b)
    }
    #[inline(always)]
    fn max(self, a: Floats, b: Floats) -> Floats {
        // Not vmaxq_f64, which yields NaN where a is one: the other lanes yield b.
        let greater = both!(vcgtq_f64; a, b);
        both!(vbslq_f64; greater, a, b)
    }
    #[inline(always)]
    fn min(self, a: Floats, b: Floats) -> Floats {
        let less = both!(vcltq_f64; a, b);
        both!(vbslq_f64; less, a, b)
    }
    #[inline(always)]
    fn is_less(self, a: Floats, b: Floats) -> u32 {
        let less = both!(vcltq_f64; a, b);
        unsafe {
            let bits = vld1q_u64([1, 2].as_ptr());
            (vaddvq_u64(vandq_u64(less.0, bits)) | vaddvq_u64(vandq_u64(less.1, bits)) << 2) as u32
        }
    }
    #[inline(always)]
    fn abs(self, a: Floats) -> Floats {
        both!(vabsq_f64; a)
    }
    #[inline(always)]
    fn sqrt(self, a: Floats) -> Floats {
        both!(vsqrtq_f64; a)
    }
    #[inline(always)]
    fn signed(self, a: Floats, b: Floats) -> Floats {
        let sign = self.splat_i(i64::MIN);
        let is_zero = both!(vceqzq_f64; b);
        let bits = both!(vreinterpretq_s64_f64; a);
        let of_b = both!(vreinterpretq_s64_f64; b);
        let of_b = both!(vandq_s64; of_b, sign);
        let signed = both!(veorq_s64; bits, of_b);
        let (signed, zero) = (both!(vreinterpretq_f64_s64; signed), self.splat(0.0));
        both!(vbslq_f64; is_zero, zero, signed)
    }
    #[inline(always)]
    fn where_at_least(self, x: Floats, least: Floats, a: Floats) -> Floats {
        let (kept, zero) = (both!(vcgeq_f64; x, least), self.splat(0.0));
        both!(vbslq_f64; kept, a, zero)
    }
    #[inline(always)]
    fn where_less_i(self, x: Integers, limit: Integers, a: Floats, b: Floats) -> Floats {
        let less = both!(vcltq_s64; x, limit);
        both!(vbslq_f64; less, a, b)
    }
    #[inline(always)]
    fn is_any(self, a: Floats) -> bool {
        unsafe {
            let is_zero = vandq_u64(vceqzq_f64(a.0), vceqzq_f64(a.1));
            vminvq_u32(vreinterpretq_u32_u64(is_zero)) == 0
        }
    }

    #[inline(always)]
    fn round(self, a: Floats) -> Integers {
        both!(vcvtnq_s64_f64; a)
    }
    #[inline(always)]
    fn to_float(self, a: Integers) -> Floats {
        both!(vcvtq_f64_s64; a)
    }
    #[inline(always)]
    fn add_i(self, a: Integers, b: Integers) -> Integers {
        both!(vaddq_s64; a, b)
    }
    #[inline(always)]
    fn sub_i(self, a: Integers, b: Integers) -> Integers {
        both!(vsubq_s64; a, b)
    }
    #[inline(always)]
    fn max_i(self, a: Integers, b: Integers) -> Integers {
        let greater = both!(vcgtq_s64; a, b);
        both!(vbslq_s64; greater, a, b)
    }
    #[inline(always)]
    fn normalise(self, mantissa: Floats, exponent: Integers) -> (Floats, Integers) {
        let ((low, low_exponent), (high, high_exponent)) =
            unsafe { (normalised(mantissa.0, exponent.0), normalised(mantissa.1, exponent.1)) };
        (Pair(low, high), Pair(low_exponent, high_exponent))
    }
    #[inline(always)]
    fn shifted(self, mantissa: Floats, exponent: Integers) -> Floats {
        both!(shifted; mantissa, exponent)
    }
    #[inline(always)]
    fn centred_split(self, x: Floats) -> (Floats, Floats) {
        let ((low, low_exponent), (high, high_exponent)) = unsafe { (centred_split(x.0), centred_split(x.1)) };
        (Pair(low, high), Pair(low_exponent, high_exponent))
    }
    #[inline(always)]
    fn reference(self, top: Integers) -> Integers {
        top
    }
    #[inline(always)]
    fn aligned(self, mantissa: Floats, exponent: Integers, reference: Integers) -> Floats {
        let least = self.splat_i(f64::LEAST_SHIFT);
        self.shifted(mantissa, self.max_i(self.sub_i(exponent, reference), least))
    }

    #[inline(always)]
    fn up(self, a: Floats, b: Floats) -> Floats {
        unsafe { Pair(vextq_f64::<1>(b.1, a.0), vextq_f64::<1>(a.0, a.1)) }
    }
    #[inline(always)]
    fn up_i(self, a: Integers, b: Integers) -> Integers {
        unsafe { Pair(vextq_s64::<1>(b.1, a.0), vextq_s64::<1>(a.0, a.1)) }
    }
    #[inline(always)]
    fn down(self, a: Floats, b: Floats) -> Floats {
        unsafe { Pair(vextq_f64::<1>(a.0, a.1), vextq_f64::<1>(a.1, b.0)) }
    }
    #[inline(always)]
    fn blend<const BIT: usize>(self, a: Floats, b: Floats) -> Floats {
        if BIT == 2 { Pair(a.0, b.1) } else { both!(|a, b| vcopyq_laneq_f64::<1, 1>(a, b); a, b) }
    }
    #[inline(always)]
    fn transpose(self, rows: &mut [Floats; 4]) {
        let [r0, r1, r2, r3] = *rows;
        unsafe {
            *rows = [
                Pair(vtrn1q_f64(r0.0, r1.0), vtrn1q_f64(r2.0, r3.0)),
                Pair(vtrn2q_f64(r0.0, r1.0), vtrn2q_f64(r2.0, r3.0)),
                Pair(vtrn1q_f64(r0.1, r1.1), vtrn1q_f64(r2.1, r3.1)),
                Pair(vtrn2q_f64(r0.1, r1.1), vtrn2q_f64(r2.1, r3.1)),
            ];
        }
    }
    #[inline(always)]
    fn prefetch(self, _from: *const f64) {
        // The hint of this architecture is no stable intrinsic.
    }
}

/// The bits of sqrt(1/2).
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;

/// [`Lanes::normalise`] of one register.
#[target_feature(enable = "neon")]
#[inline]
fn normalised(mantissa: float64x2_t, exponent: int64x2_t) -> (float64x2_t, int64x2_t) {
    let bits = vreinterpretq_u64_f64(mantissa);
    let lost = vsubq_s64(vreinterpretq_s64_u64(vshrq_n_u64::<52>(bits)), vdupq_n_s64(1023));
    let fraction = vandq_u64(bits, vdupq_n_u64((1 << 52) - 1));
    (vreinterpretq_f64_u64(vorrq_u64(fraction, vdupq_n_u64(1023 << 52))), vaddq_s64(exponent, lost))
}

/// [`Lanes::shifted`] of one register.
#[target_feature(enable = "neon")]
#[inline]
fn shifted(mantissa: float64x2_t, exponent: int64x2_t) -> float64x2_t {
    vreinterpretq_f64_s64(vaddq_s64(vreinterpretq_s64_f64(mantissa), vshlq_n_s64::<52>(exponent)))
}

/// [`Lanes::centred_split`] of one register.
#[target_feature(enable = "neon")]
#[inline]
fn centred_split(x: float64x2_t) -> (float64x2_t, float64x2_t) {
    // The sum carries into the exponent exactly where the mantissa would pass sqrt(2).
    let bits = vreinterpretq_u64_f64(x);
    let carried = vaddq_u64(bits, vdupq_n_u64((1023 << 52) - SQRT_HALF));
    let exponent = vsubq_s64(vreinterpretq_s64_u64(vshrq_n_u64::<52>(carried)), vdupq_n_s64(1023));
    let mantissa = vsubq_s64(vreinterpretq_s64_u64(bits), vshlq_n_s64::<52>(exponent));
    (vreinterpretq_f64_s64(mantissa), vcvtq_f64_s64(exponent))
}
