//! Sixteen lanes of float32, with exponents of 32 bits.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "intrinsics of AVX-512, which the machine has where there is a token; pointers are used as the trait says"
)]

use core::arch::x86_64::*;

use super::Avx512;
use crate::simd::places::Places;
use crate::simd::{Lanes, Number, Work};

impl Lanes<16> for Avx512<f32> {
    type Real = f32;
    type Exponent = i32;
    type F = __m512;
    type I = __m512i;

    fn outline<W: Work>(self, work: W) -> W::Output {
        self.enable(work)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_i(self, from: *const i32) -> __m512i {
        unsafe { _mm512_loadu_epi32(from) }
    }
    #[inline(always)]
    fn load_part(self, from: &[f32]) -> __m512 {
        // Lanes beyond the slice are masked: their memory is not read.
        unsafe { _mm512_maskz_loadu_ps(first(from.len()), from.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, a: __m512) {
        unsafe { _mm512_storeu_ps(to, a) }
    }
    #[inline(always)]
    unsafe fn store_i(self, to: *mut i32, a: __m512i) {
        unsafe { _mm512_storeu_epi32(to, a) }
    }

    #[inline(always)]
    fn store_part(self, to: &mut [f32], a: __m512) {
        // Lanes beyond the slice are masked: their memory is not written.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), first(to.len()), a) }
    }

    #[inline(always)]
    fn gather(self, from: &[f32], places: &Places<16>) -> __m512 {
        // No place lies outside.
        let places = places.within(from.len());
        unsafe { _mm512_i32gather_ps::<4>(_mm512_loadu_epi32(places.as_ptr().cast()), from.as_ptr()) }
    }
    #[inline(always)]
    fn stream_array(self, to: &mut [f32; 16], a: __m512) {
        if to.as_ptr().addr().is_multiple_of(64) {
            unsafe { _mm512_stream_ps(to.as_mut_ptr(), a) }
        } else {
            self.store_array(to, a);
        }
    }
    #[inline(always)]
    fn fence(self) {
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // A reciprocal of 14 bits and one Newton step: a true division is slower here.
        unsafe {
            let r = _mm512_rcp14_ps(b);
            let r = _mm512_fmadd_ps(_mm512_fnmadd_ps(b, r, _mm512_set1_ps(1.0)), r, r);
            _mm512_mul_ps(a, r)
        }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn mul_sub(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmsub_ps(a, b, c) }
    }
    #[inline(always)]
    fn neg_mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn is_less(self, a: __m512, b: __m512) -> u32 {
        unsafe { u32::from(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b)) }
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        unsafe { _mm512_abs_ps(a) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    fn signed(self, a: __m512, b: __m512) -> __m512 {
        unsafe {
            let is_signed = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(b, _mm512_setzero_ps());
            let sign = _mm512_and_ps(b, _mm512_set1_ps(-0.0));
            _mm512_maskz_xor_ps(is_signed, a, sign)
        }
    }
    #[inline(always)]
    fn where_at_least(self, x: __m512, least: __m512, a: __m512) -> __m512 {
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(x, least), a) }
    }
    #[inline(always)]
    fn where_less_i(self, x: __m512i, limit: __m512i, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(_mm512_cmplt_epi32_mask(x, limit), b, a) }
    }
    #[inline(always)]
    fn is_any(self, a: __m512) -> bool {
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, _mm512_setzero_ps()) != 0 }
    }

    #[inline(always)]
    fn round(self, a: __m512) -> __m512i {
        unsafe { _mm512_cvtps_epi32(a) }
    }
    #[inline(always)]
    fn to_float(self, a: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(a) }
    }
    #[inline(always)]
    fn add_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    fn sub_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn max_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_max_epi32(a, b) }
    }
    #[inline(always)]
    fn normalise(self, mantissa: __m512, exponent: __m512i) -> (__m512, __m512i) {
        unsafe {
            let bits = _mm512_castps_si512(mantissa);
            let lost = _mm512_sub_epi32(_mm512_srli_epi32::<23>(bits), _mm512_set1_epi32(127));
            let fraction = _mm512_and_si512(bits, _mm512_set1_epi32(0x7f_ffff));
            let one = _mm512_set1_epi32(0x3f80_0000);
            (_mm512_castsi512_ps(_mm512_or_si512(fraction, one)), _mm512_add_epi32(exponent, lost))
        }
    }
    #[inline(always)]
    fn shifted(self, mantissa: __m512, exponent: __m512i) -> __m512 {
        unsafe {
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(mantissa), _mm512_slli_epi32::<23>(exponent)))
        }
    }
    #[inline(always)]
    fn centred_split(self, x: __m512) -> (__m512, __m512) {
        unsafe {
            // 0x3f3504f3 is sqrt(1/2): the sum carries into the exponent exactly where the mantissa would pass sqrt(2).
            let bits = _mm512_castps_si512(x);
            let carried = _mm512_add_epi32(bits, _mm512_set1_epi32(0x3f80_0000 - 0x3f35_04f3));
            let exponent = _mm512_sub_epi32(_mm512_srli_epi32::<23>(carried), _mm512_set1_epi32(127));
            let mantissa = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(exponent));
            (_mm512_castsi512_ps(mantissa), _mm512_cvtepi32_ps(exponent))
        }
    }
    #[inline(always)]
    fn reference(self, top: __m512i) -> __m512i {
        top
    }
    #[inline(always)]
    fn aligned(self, mantissa: __m512, exponent: __m512i, reference: __m512i) -> __m512 {
        unsafe {
            let least = _mm512_set1_epi32(f32::LEAST_SHIFT as i32);
            self.shifted(mantissa, _mm512_max_epi32(_mm512_sub_epi32(exponent, reference), least))
        }
    }

    #[inline(always)]
    fn up(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_castsi512_ps(self.up_i(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }
    #[inline(always)]
    fn up_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_alignr_epi32::<15>(a, b) }
    }
    #[inline(always)]
    fn down(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_castsi512_ps(_mm512_alignr_epi32::<1>(_mm512_castps_si512(b), _mm512_castps_si512(a))) }
    }
    #[inline(always)]
    fn blend<const BIT: usize>(self, a: __m512, b: __m512) -> __m512 {
        let mask = match BIT {
            1 => 0xaaaa,
            2 => 0xcccc,
            4 => 0xf0f0,
            _ => 0xff00,
        };
        unsafe { _mm512_mask_blend_ps(mask, a, b) }
    }
    #[inline(always)]
    fn transpose(self, rows: &mut [__m512; 16]) {
        // Pairs of lanes, then pairs of pairs within 128 bits, then the 128-bit parts.
        unsafe {
            let mut pairs = *rows;
            for i in 0..8 {
                pairs[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
            }
            let mut quads = pairs;
            for i in 0..4 {
                for half in 0..2 {
                    let (a, b) = (pairs[4 * i + half], pairs[4 * i + 2 + half]);
                    quads[4 * i + 2 * half] = _mm512_shuffle_ps::<0x44>(a, b);
                    quads[4 * i + 2 * half + 1] = _mm512_shuffle_ps::<0xee>(a, b);
                }
            }
            for k in 0..4 {
                let (a, b, c, d) = (quads[k], quads[4 + k], quads[8 + k], quads[12 + k]);
                let (ab_even, ab_odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                let (cd_even, cd_odd) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
                rows[k] = _mm512_shuffle_f32x4::<0x88>(ab_even, cd_even);
                rows[4 + k] = _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd);
                rows[8 + k] = _mm512_shuffle_f32x4::<0xdd>(ab_even, cd_even);
                rows[12 + k] = _mm512_shuffle_f32x4::<0xdd>(ab_odd, cd_odd);
            }
        }
    }
    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        // A hint: it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}

/// Makes a mask of the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    if count >= 16 { 0xffff } else { (1 << count) - 1 }
}
