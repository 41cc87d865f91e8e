//! Eight lanes of float64, with exponents of 64 bits.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "intrinsics of AVX-512, which the machine has where there is a token; pointers are used as the trait says"
)]

use core::arch::x86_64::*;

use super::Avx512;
use crate::simd::places::Places;
use crate::simd::{Lanes, Number, Work};

impl Lanes<8> for Avx512<f64> {
    type Real = f64;
    type Exponent = i64;
    type F = __m512d;
    type I = __m512i;

    const PRODUCT_ROWS: usize = 8;

    fn outline<W: Work>(self, work: W) -> W::Output {
        self.enable(work)
    }

    #[inline(always)]
    fn splat(self, x: f64) -> __m512d {
        unsafe { _mm512_set1_pd(x) }
    }
    #[inline(always)]
    fn splat_i(self, x: i64) -> __m512i {
        unsafe { _mm512_set1_epi64(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> __m512d {
        unsafe { _mm512_loadu_pd(from) }
    }
    #[inline(always)]
    unsafe fn load_i(self, from: *const i64) -> __m512i {
        unsafe { _mm512_loadu_epi64(from) }
    }
    #[inline(always)]
    fn load_part(self, from: &[f64]) -> __m512d {
        // Lanes beyond the slice are masked: their memory is not read.
        unsafe { _mm512_maskz_loadu_pd(first(from.len()), from.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64, a: __m512d) {
        unsafe { _mm512_storeu_pd(to, a) }
    }
    #[inline(always)]
    unsafe fn store_i(self, to: *mut i64, a: __m512i) {
        unsafe { _mm512_storeu_epi64(to, a) }
    }

    #[inline(always)]
    fn store_part(self, to: &mut [f64], a: __m512d) {
        // Lanes beyond the slice are masked: their memory is not written.
        unsafe { _mm512_mask_storeu_pd(to.as_mut_ptr(), first(to.len()), a) }
    }

    #[inline(always)]
    fn gather(self, from: &[f64], places: &Places<8>) -> __m512d {
        // No place lies outside.
        let places = places.within(from.len());
        unsafe { _mm512_i32gather_pd::<8>(_mm256_loadu_si256(places.as_ptr().cast()), from.as_ptr()) }
    }
    #[inline(always)]
    fn stream_array(self, to: &mut [f64; 8], a: __m512d) {
        if to.as_ptr().addr().is_multiple_of(64) {
            unsafe { _mm512_stream_pd(to.as_mut_ptr(), a) }
        } else {
            self.store_array(to, a);
        }
    }
    #[inline(always)]
    fn fence(self) {
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    fn add(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_add_pd(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_sub_pd(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_mul_pd(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512d, b: __m512d) -> __m512d {
        // A reciprocal of 14 bits and two Newton steps: a true division is slower here.
        unsafe {
            let one = _mm512_set1_pd(1.0);
            let r = _mm512_rcp14_pd(b);
            let r = _mm512_fmadd_pd(_mm512_fnmadd_pd(b, r, one), r, r);
            let r = _mm512_fmadd_pd(_mm512_fnmadd_pd(b, r, one), r, r);
            _mm512_mul_pd(a, r)
        }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }
    #[inline(always)]
    fn mul_sub(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        unsafe { _mm512_fmsub_pd(a, b, c) }
    }
    #[inline(always)]
    fn neg_mul_add(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        unsafe { _mm512_fnmadd_pd(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_max_pd(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_min_pd(a, b) }
    }
    #[inline(always)]
    fn is_less(self, a: __m512d, b: __m512d) -> u32 {
        unsafe { u32::from(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b)) }
    }
    #[inline(always)]
    fn abs(self, a: __m512d) -> __m512d {
        unsafe { _mm512_abs_pd(a) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m512d) -> __m512d {
        unsafe { _mm512_sqrt_pd(a) }
    }
    #[inline(always)]
    fn signed(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe {
            let is_signed = _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(b, _mm512_setzero_pd());
            let sign = _mm512_and_pd(b, _mm512_set1_pd(-0.0));
            _mm512_maskz_xor_pd(is_signed, a, sign)
        }
    }
    #[inline(always)]
    fn where_at_least(self, x: __m512d, least: __m512d, a: __m512d) -> __m512d {
        unsafe { _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GE_OQ>(x, least), a) }
    }
    #[inline(always)]
    fn where_less_i(self, x: __m512i, limit: __m512i, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_mask_blend_pd(_mm512_cmplt_epi64_mask(x, limit), b, a) }
    }
    #[inline(always)]
    fn is_any(self, a: __m512d) -> bool {
        unsafe { _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(a, _mm512_setzero_pd()) != 0 }
    }

    #[inline(always)]
    fn round(self, a: __m512d) -> __m512i {
        unsafe { _mm512_cvtpd_epi64(a) }
    }
    #[inline(always)]
    fn to_float(self, a: __m512i) -> __m512d {
        unsafe { _mm512_cvtepi64_pd(a) }
    }
    #[inline(always)]
    fn add_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi64(a, b) }
    }
    #[inline(always)]
    fn sub_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_sub_epi64(a, b) }
    }
    #[inline(always)]
    fn max_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_max_epi64(a, b) }
    }
    #[inline(always)]
    fn normalise(self, mantissa: __m512d, exponent: __m512i) -> (__m512d, __m512i) {
        unsafe {
            let bits = _mm512_castpd_si512(mantissa);
            let lost = _mm512_sub_epi64(_mm512_srli_epi64::<52>(bits), _mm512_set1_epi64(1023));
            let fraction = _mm512_and_si512(bits, _mm512_set1_epi64((1 << 52) - 1));
            let one = _mm512_set1_epi64(1023 << 52);
            (_mm512_castsi512_pd(_mm512_or_si512(fraction, one)), _mm512_add_epi64(exponent, lost))
        }
    }
    #[inline(always)]
    fn shifted(self, mantissa: __m512d, exponent: __m512i) -> __m512d {
        unsafe {
            _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(mantissa), _mm512_slli_epi64::<52>(exponent)))
        }
    }
    #[inline(always)]
    fn centred_split(self, x: __m512d) -> (__m512d, __m512d) {
        unsafe {
            // The sum carries into the exponent exactly where the mantissa would pass sqrt(2).
            let bits = _mm512_castpd_si512(x);
            let carried = _mm512_add_epi64(bits, _mm512_set1_epi64((1023 << 52) - SQRT_HALF));
            let exponent = _mm512_sub_epi64(_mm512_srli_epi64::<52>(carried), _mm512_set1_epi64(1023));
            let mantissa = _mm512_sub_epi64(bits, _mm512_slli_epi64::<52>(exponent));
            (_mm512_castsi512_pd(mantissa), _mm512_cvtepi64_pd(exponent))
        }
    }
    #[inline(always)]
    fn reference(self, top: __m512i) -> __m512i {
        top
    }
    #[inline(always)]
    fn aligned(self, mantissa: __m512d, exponent: __m512i, reference: __m512i) -> __m512d {
        unsafe {
            let least = _mm512_set1_epi64(f64::LEAST_SHIFT);
            self.shifted(mantissa, _mm512_max_epi64(_mm512_sub_epi64(exponent, reference), least))
        }
    }

    #[inline(always)]
    fn up(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_castsi512_pd(self.up_i(_mm512_castpd_si512(a), _mm512_castpd_si512(b))) }
    }
    #[inline(always)]
    fn up_i(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_alignr_epi64::<7>(a, b) }
    }
    #[inline(always)]
    fn down(self, a: __m512d, b: __m512d) -> __m512d {
        unsafe { _mm512_castsi512_pd(_mm512_alignr_epi64::<1>(_mm512_castpd_si512(b), _mm512_castpd_si512(a))) }
    }
    #[inline(always)]
    fn blend<const BIT: usize>(self, a: __m512d, b: __m512d) -> __m512d {
        let mask = match BIT {
            1 => 0xaa,
            2 => 0xcc,
            _ => 0xf0,
        };
        unsafe { _mm512_mask_blend_pd(mask, a, b) }
    }
    #[inline(always)]
    fn transpose(self, rows: &mut [__m512d; 8]) {
        // Pairs of lanes, then the 128-bit parts.
        unsafe {
            let mut pairs = *rows;
            for i in 0..4 {
                pairs[2 * i] = _mm512_unpacklo_pd(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_pd(rows[2 * i], rows[2 * i + 1]);
            }
            for k in 0..2 {
                let (a, b, c, d) = (pairs[k], pairs[2 + k], pairs[4 + k], pairs[6 + k]);
                let (ab_even, ab_odd) = (_mm512_shuffle_f64x2::<0x88>(a, b), _mm512_shuffle_f64x2::<0xdd>(a, b));
                let (cd_even, cd_odd) = (_mm512_shuffle_f64x2::<0x88>(c, d), _mm512_shuffle_f64x2::<0xdd>(c, d));
                rows[k] = _mm512_shuffle_f64x2::<0x88>(ab_even, cd_even);
                rows[2 + k] = _mm512_shuffle_f64x2::<0x88>(ab_odd, cd_odd);
                rows[4 + k] = _mm512_shuffle_f64x2::<0xdd>(ab_even, cd_even);
                rows[6 + k] = _mm512_shuffle_f64x2::<0xdd>(ab_odd, cd_odd);
            }
        }
    }
    #[inline(always)]
    fn prefetch(self, from: *const f64) {
        // A hint: it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}

/// The bits of sqrt(1/2).
const SQRT_HALF: i64 = 0x3fe6_a09e_667f_3bcd;

/// Makes a mask of the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask8 {
    if count >= 8 { 0xff } else { (1 << count) - 1 }
}
