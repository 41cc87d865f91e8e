//! Eight lanes of float32, with exponents of 32 bits.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "intrinsics of NEON, which the machine has where there is a token; pointers are used as the trait says"
)]

use core::arch::aarch64::*;

use super::{Neon, Pair, both};
use crate::simd::places::Places;
use crate::simd::{Lanes, Number, Work};

type Floats = Pair<float32x4_t>;
type Integers = Pair<int32x4_t>;

impl Lanes<8> for Neon<f32> {
    type Real = f32;
    type Exponent = i32;
    type F = Floats;
    type I = Integers;

    fn outline<W: Work>(self, work: W) -> W::Output {
        self.enable(work)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Floats {
        let x = unsafe { vdupq_n_f32(x) };
        Pair(x, x)
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> Integers {
        let x = unsafe { vdupq_n_s32(x) };
        Pair(x, x)
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Floats {
        unsafe { Pair(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }
    #[inline(always)]
    unsafe fn load_i(self, from: *const i32) -> Integers {
        unsafe { Pair(vld1q_s32(from), vld1q_s32(from.add(4))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, a: Floats) {
        unsafe {
            vst1q_f32(to, a.0);
            vst1q_f32(to.add(4), a.1);
        }
    }
    #[inline(always)]
    unsafe fn store_i(self, to: *mut i32, a: Integers) {
        unsafe {
            vst1q_s32(to, a.0);
            vst1q_s32(to.add(4), a.1);
        }
    }

    #[inline(always)]
    fn load_part(self, from: &[f32]) -> Floats {
        let mut entries = [0.0; 8];
        let count = from.len().min(8);
        entries[..count].copy_from_slice(&from[..count]);
        self.load_array(&entries)
    }
    #[inline(always)]
    fn store_part(self, to: &mut [f32], a: Floats) {
        let count = to.len().min(8);
        to[..count].copy_from_slice(&self.to_array(a)[..count]);
    }

    #[inline(always)]
    fn gather(self, from: &[f32], places: &Places<8>) -> Floats {
        let places = places.within(from.len());
        let mut entries = [0.0; 8];
        for (entry, &place) in entries.iter_mut().zip(places) {
            *entry = from[place as usize];
        }
        self.load_array(&entries)
    }

    #[inline(always)]
    fn add(self, a: Floats, b: Floats) -> Floats {
        both!(vaddq_f32; a, b)
    }
    #[inline(always)]
    fn sub(self, a: Floats, b: Floats) -> Floats {
        both!(vsubq_f32; a, b)
    }
    #[inline(always)]
    fn mul(self, a: Floats, b: Floats) -> Floats {
        both!(vmulq_f32; a, b)
    }
    #[inline(always)]
    fn div(self, a: Floats, b: Floats) -> Floats {
        both!(vdivq_f32; a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: Floats, b: Floats, c: Floats) -> Floats {
        both!(vfmaq_f32; c, a, b)
    }
    #[inline(always)]
    fn mul_sub(self, a: Floats, b: Floats, c: Floats) -> Floats {
        let c = both!(vnegq_f32; c);
        both!(vfmaq_f32; c, a, b)
    }
    #[inline(always)]
    fn neg_mul_add(self, a: Floats, b: Floats, c: Floats) -> Floats {
        both!(vfmsq_f32; c, a, b)
    }
    #[inline(always)]
    fn max(self, a: Floats, b: Floats) -> Floats {
        // Not vmaxq_f32, which yields NaN where a is one: the other lanes yield b.
        let greater = both!(vcgtq_f32; a, b);
        both!(vbslq_f32; greater, a, b)
    }
    #[inline(always)]
    fn min(self, a: Floats, b: Floats) -> Floats {
        let less = both!(vcltq_f32; a, b);
        both!(vbslq_f32; less, a, b)
    }
    #[inline(always)]
    fn is_less(self, a: Floats, b: Floats) -> u32 {
        let less = both!(vcltq_f32; a, b);
        unsafe {
            let bits = vld1q_u32([1, 2, 4, 8].as_ptr());
            vaddvq_u32(vandq_u32(less.0, bits)) | vaddvq_u32(vandq_u32(less.1, bits)) << 4
        }
    }
    #[inline(always)]
    fn abs(self, a: Floats) -> Floats {
        both!(vabsq_f32; a)
    }
    #[inline(always)]
    fn sqrt(self, a: Floats) -> Floats {
        both!(vsqrtq_f32; a)
    }
    #[inline(always)]
    fn signed(self, a: Floats, b: Floats) -> Floats {
        let sign = self.splat_i(i32::MIN);
        let is_zero = both!(vceqzq_f32; b);
        let bits = both!(vreinterpretq_s32_f32; a);
        let of_b = both!(vreinterpretq_s32_f32; b);
        let of_b = both!(vandq_s32; of_b, sign);
        let signed = both!(veorq_s32; bits, of_b);
        let (signed, zero) = (both!(vreinterpretq_f32_s32; signed), self.splat(0.0));
        both!(vbslq_f32; is_zero, zero, signed)
    }
    #[inline(always)]
    fn where_at_least(self, x: Floats, least: Floats, a: Floats) -> Floats {
        let (kept, zero) = (both!(vcgeq_f32; x, least), self.splat(0.0));
        both!(vbslq_f32; kept, a, zero)
    }
    #[inline(always)]
    fn where_less_i(self, x: Integers, limit: Integers, a: Floats, b: Floats) -> Floats {
        let less = both!(vcltq_s32; x, limit);
        both!(vbslq_f32; less, a, b)
    }
    #[inline(always)]
    fn is_any(self, a: Floats) -> bool {
        unsafe { vminvq_u32(vandq_u32(vceqzq_f32(a.0), vceqzq_f32(a.1))) == 0 }
    }

    #[inline(always)]
    fn round(self, a: Floats) -> Integers {
        both!(vcvtnq_s32_f32; a)
    }
    #[inline(always)]
    fn to_float(self, a: Integers) -> Floats {
        both!(vcvtq_f32_s32; a)
    }
    #[inline(always)]
    fn add_i(self, a: Integers, b: Integers) -> Integers {
        both!(vaddq_s32; a, b)
    }
    #[inline(always)]
    fn sub_i(self, a: Integers, b: Integers) -> Integers {
        both!(vsubq_s32; a, b)
    }
    #[inline(always)]
    fn max_i(self, a: Integers, b: Integers) -> Integers {
        both!(vmaxq_s32; a, b)
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
        let least = self.splat_i(f32::LEAST_SHIFT as i32);
        self.shifted(mantissa, self.max_i(self.sub_i(exponent, reference), least))
    }

    #[inline(always)]
    fn up(self, a: Floats, b: Floats) -> Floats {
        unsafe { Pair(vextq_f32::<3>(b.1, a.0), vextq_f32::<3>(a.0, a.1)) }
    }
    #[inline(always)]
    fn up_i(self, a: Integers, b: Integers) -> Integers {
        unsafe { Pair(vextq_s32::<3>(b.1, a.0), vextq_s32::<3>(a.0, a.1)) }
    }
    #[inline(always)]
    fn down(self, a: Floats, b: Floats) -> Floats {
        unsafe { Pair(vextq_f32::<1>(a.0, a.1), vextq_f32::<1>(a.1, b.0)) }
    }
    #[inline(always)]
    fn blend<const BIT: usize>(self, a: Floats, b: Floats) -> Floats {
        if BIT == 4 {
            return Pair(a.0, b.1);
        }
        let lanes = if BIT == 1 { [0, u32::MAX, 0, u32::MAX] } else { [0, 0, u32::MAX, u32::MAX] };
        let from_b = unsafe { vld1q_u32(lanes.as_ptr()) };
        let from_b = Pair(from_b, from_b);
        both!(vbslq_f32; from_b, b, a)
    }
    #[inline(always)]
    fn transpose(self, rows: &mut [Floats; 8]) {
        let [r0, r1, r2, r3, r4, r5, r6, r7] = *rows;
        unsafe {
            let [a0, a1, a2, a3] = transposed([r0.0, r1.0, r2.0, r3.0]);
            let [b0, b1, b2, b3] = transposed([r0.1, r1.1, r2.1, r3.1]);
            let [c0, c1, c2, c3] = transposed([r4.0, r5.0, r6.0, r7.0]);
            let [d0, d1, d2, d3] = transposed([r4.1, r5.1, r6.1, r7.1]);
            *rows = [
                Pair(a0, c0),
                Pair(a1, c1),
                Pair(a2, c2),
                Pair(a3, c3),
                Pair(b0, d0),
                Pair(b1, d1),
                Pair(b2, d2),
                Pair(b3, d3),
            ];
        }
    }
    #[inline(always)]
    fn prefetch(self, _from: *const f32) {
        // The hint of this architecture is no stable intrinsic.
    }
}

/// [`Lanes::normalise`] of one register.
#[target_feature(enable = "neon")]
#[inline]
fn normalised(mantissa: float32x4_t, exponent: int32x4_t) -> (float32x4_t, int32x4_t) {
    let bits = vreinterpretq_u32_f32(mantissa);
    let lost = vsubq_s32(vreinterpretq_s32_u32(vshrq_n_u32::<23>(bits)), vdupq_n_s32(127));
    let fraction = vandq_u32(bits, vdupq_n_u32(0x7f_ffff));
    (vreinterpretq_f32_u32(vorrq_u32(fraction, vdupq_n_u32(0x3f80_0000))), vaddq_s32(exponent, lost))
}

/// [`Lanes::shifted`] of one register.
#[target_feature(enable = "neon")]
#[inline]
fn shifted(mantissa: float32x4_t, exponent: int32x4_t) -> float32x4_t {
    vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(mantissa), vshlq_n_s32::<23>(exponent)))
}

/// [`Lanes::centred_split`] of one register.
#[target_feature(enable = "neon")]
#[inline]
fn centred_split(x: float32x4_t) -> (float32x4_t, float32x4_t) {
    // 0x3f3504f3 is sqrt(1/2): the sum carries into the exponent exactly where the mantissa would pass sqrt(2).
    let bits = vreinterpretq_u32_f32(x);
    let carried = vaddq_u32(bits, vdupq_n_u32(0x3f80_0000 - 0x3f35_04f3));
    let exponent = vsubq_s32(vreinterpretq_s32_u32(vshrq_n_u32::<23>(carried)), vdupq_n_s32(127));
    let mantissa = vsubq_s32(vreinterpretq_s32_u32(bits), vshlq_n_s32::<23>(exponent));
    (vreinterpretq_f32_s32(mantissa), vcvtq_f32_s32(exponent))
}

/// Turns a block of four by four.
#[target_feature(enable = "neon")]
#[inline]
fn transposed([r0, r1, r2, r3]: [float32x4_t; 4]) -> [float32x4_t; 4] {
    let wide = |a| vreinterpretq_f64_f32(a);
    let (t0, t1) = (wide(vtrn1q_f32(r0, r1)), wide(vtrn2q_f32(r0, r1)));
    let (t2, t3) = (wide(vtrn1q_f32(r2, r3)), wide(vtrn2q_f32(r2, r3)));
    [vtrn1q_f64(t0, t2), vtrn1q_f64(t1, t3), vtrn2q_f64(t0, t2), vtrn2q_f64(t1, t3)].map(|a| vreinterpretq_f32_f64(a))
}
