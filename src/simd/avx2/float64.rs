//! Four lanes of float64, with exponents that are float64 too: AVX2 has no maximum of integers of 64 bits.
//!
//! Exponents are exact up to 2^51 in size.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "intrinsics of AVX2 and FMA, which the machine has where there is a token; pointers are used as the trait says"
)]

use core::arch::x86_64::*;

use super::Avx2;
use crate::simd::places::Places;
use crate::simd::{Lanes, Number, Work};

impl Lanes<4> for Avx2<f64> {
    type Real = f64;
    type Exponent = f64;
    type F = __m256d;
    type I = __m256d;

    const PRODUCT_ROWS: usize = 4;

    fn outline<W: Work>(self, work: W) -> W::Output {
        self.enable(work)
    }

    #[inline(always)]
    fn splat(self, x: f64) -> __m256d {
        unsafe { _mm256_set1_pd(x) }
    }
    #[inline(always)]
    fn splat_i(self, x: f64) -> __m256d {
        unsafe { _mm256_set1_pd(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> __m256d {
        unsafe { _mm256_loadu_pd(from) }
    }
    #[inline(always)]
    unsafe fn load_i(self, from: *const f64) -> __m256d {
        unsafe { _mm256_loadu_pd(from) }
    }
    #[inline(always)]
    fn load_part(self, from: &[f64]) -> __m256d {
        // Lanes beyond the slice are masked: their memory is not read.
        unsafe { _mm256_maskload_pd(from.as_ptr(), first(from.len())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64, a: __m256d) {
        unsafe { _mm256_storeu_pd(to, a) }
    }
    #[inline(always)]
    unsafe fn store_i(self, to: *mut f64, a: __m256d) {
        unsafe { _mm256_storeu_pd(to, a) }
    }

    #[inline(always)]
    fn store_part(self, to: &mut [f64], a: __m256d) {
        // Lanes beyond the slice are masked: their memory is not written.
        unsafe { _mm256_maskstore_pd(to.as_mut_ptr(), first(to.len()), a) }
    }

    #[inline(always)]
    fn gather(self, from: &[f64], places: &Places<4>) -> __m256d {
        // No place lies outside.
        let places = places.within(from.len());
        unsafe { _mm256_i32gather_pd::<8>(from.as_ptr(), _mm_loadu_si128(places.as_ptr().cast())) }
    }
    #[inline(always)]
    fn stream_array(self, to: &mut [f64; 4], a: __m256d) {
        if to.as_ptr().addr().is_multiple_of(32) {
            unsafe { _mm256_stream_pd(to.as_mut_ptr(), a) }
        } else {
            self.store_array(to, a);
        }
    }
    #[inline(always)]
    fn fence(self) {
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    fn add(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_add_pd(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_sub_pd(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_mul_pd(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_div_pd(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        unsafe { _mm256_fmadd_pd(a, b, c) }
    }
    #[inline(always)]
    fn mul_sub(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        unsafe { _mm256_fmsub_pd(a, b, c) }
    }
    #[inline(always)]
    fn neg_mul_add(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        unsafe { _mm256_fnmadd_pd(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_max_pd(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_min_pd(a, b) }
    }
    #[inline(always)]
    fn is_less(self, a: __m256d, b: __m256d) -> u32 {
        unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LT_OQ>(a, b)) as u32 }
    }
    #[inline(always)]
    fn abs(self, a: __m256d) -> __m256d {
        unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), a) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m256d) -> __m256d {
        unsafe { _mm256_sqrt_pd(a) }
    }
    #[inline(always)]
    fn signed(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe {
            let is_signed = _mm256_cmp_pd::<_CMP_NEQ_UQ>(b, _mm256_setzero_pd());
            let sign = _mm256_and_pd(b, _mm256_set1_pd(-0.0));
            _mm256_and_pd(_mm256_xor_pd(a, sign), is_signed)
        }
    }
    #[inline(always)]
    fn where_at_least(self, x: __m256d, least: __m256d, a: __m256d) -> __m256d {
        unsafe { _mm256_and_pd(a, _mm256_cmp_pd::<_CMP_GE_OQ>(x, least)) }
    }
    #[inline(always)]
    fn where_less_i(self, x: __m256d, limit: __m256d, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_blendv_pd(b, a, _mm256_cmp_pd::<_CMP_LT_OQ>(x, limit)) }
    }
    #[inline(always)]
    fn is_any(self, a: __m256d) -> bool {
        unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NEQ_UQ>(a, _mm256_setzero_pd())) != 0 }
    }

    #[inline(always)]
    fn round(self, a: __m256d) -> __m256d {
        unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn to_float(self, a: __m256d) -> __m256d {
        a
    }
    #[inline(always)]
    fn add_i(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_add_pd(a, b) }
    }
    #[inline(always)]
    fn sub_i(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_sub_pd(a, b) }
    }
    #[inline(always)]
    fn max_i(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { _mm256_max_pd(a, b) }
    }
    #[inline(always)]
    fn normalise(self, mantissa: __m256d, exponent: __m256d) -> (__m256d, __m256d) {
        unsafe {
            let bits = _mm256_castpd_si256(mantissa);
            let lost = _mm256_sub_pd(small_integer(_mm256_srli_epi64::<52>(bits)), _mm256_set1_pd(1023.0));
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi64x((1 << 52) - 1));
            let one = _mm256_set1_epi64x(1023 << 52);
            (_mm256_castsi256_pd(_mm256_or_si256(fraction, one)), _mm256_add_pd(exponent, lost))
        }
    }
    #[inline(always)]
    fn shifted(self, mantissa: __m256d, exponent: __m256d) -> __m256d {
        // The sum has the integer in its low bits.
        unsafe { add_to_exponent(mantissa, _mm256_add_pd(exponent, _mm256_set1_pd(INTEGERS))) }
    }
    #[inline(always)]
    fn centred_split(self, x: __m256d) -> (__m256d, __m256d) {
        unsafe {
            // The sum carries into the exponent exactly where the mantissa would pass sqrt(2).
            let bits = _mm256_castpd_si256(x);
            let carried = _mm256_add_epi64(bits, _mm256_set1_epi64x((1023 << 52) - SQRT_HALF));
            let biased = _mm256_srli_epi64::<52>(carried);
            let exponent = _mm256_sub_epi64(biased, _mm256_set1_epi64x(1023));
            let mantissa = _mm256_sub_epi64(bits, _mm256_slli_epi64::<52>(exponent));
            (_mm256_castsi256_pd(mantissa), _mm256_sub_pd(small_integer(biased), _mm256_set1_pd(1023.0)))
        }
    }
    #[inline(always)]
    fn reference(self, top: __m256d) -> __m256d {
        unsafe { _mm256_sub_pd(top, _mm256_set1_pd(INTEGERS)) }
    }
    #[inline(always)]
    fn aligned(self, mantissa: __m256d, exponent: __m256d, reference: __m256d) -> __m256d {
        unsafe {
            let least = _mm256_set1_pd(INTEGERS + f64::LEAST_SHIFT as f64);
            add_to_exponent(mantissa, _mm256_max_pd(_mm256_sub_pd(exponent, reference), least))
        }
    }

    #[inline(always)]
    fn up(self, a: __m256d, b: __m256d) -> __m256d {
        // The high half of b, the low half of a.
        unsafe { _mm256_shuffle_pd::<0b0101>(_mm256_permute2f128_pd::<0x21>(b, a), a) }
    }
    #[inline(always)]
    fn up_i(self, a: __m256d, b: __m256d) -> __m256d {
        self.up(a, b)
    }
    #[inline(always)]
    fn down(self, a: __m256d, b: __m256d) -> __m256d {
        // The high half of a, the low half of b.
        unsafe { _mm256_shuffle_pd::<0b0101>(a, _mm256_permute2f128_pd::<0x21>(a, b)) }
    }
    #[inline(always)]
    fn blend<const BIT: usize>(self, a: __m256d, b: __m256d) -> __m256d {
        unsafe { if BIT == 1 { _mm256_blend_pd::<0b1010>(a, b) } else { _mm256_blend_pd::<0b1100>(a, b) } }
    }
    #[inline(always)]
    fn transpose(self, rows: &mut [__m256d; 4]) {
        unsafe {
            let [r0, r1, r2, r3] = *rows;
            let (t0, t1) = (_mm256_unpacklo_pd(r0, r1), _mm256_unpackhi_pd(r0, r1));
            let (t2, t3) = (_mm256_unpacklo_pd(r2, r3), _mm256_unpackhi_pd(r2, r3));
            *rows = [
                _mm256_permute2f128_pd::<0x20>(t0, t2),
                _mm256_permute2f128_pd::<0x20>(t1, t3),
                _mm256_permute2f128_pd::<0x31>(t0, t2),
                _mm256_permute2f128_pd::<0x31>(t1, t3),
            ];
        }
    }
    #[inline(always)]
    fn prefetch(self, from: *const f64) {
        // A hint: it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}

/// 1.5 * 2^52: a sum with it has an integer of up to 2^51 in its low bits.
const INTEGERS: f64 = 6_755_399_441_055_744.0;

/// The bits of sqrt(1/2).
const SQRT_HALF: i64 = 0x3fe6_a09e_667f_3bcd;

/// Adds the low bits of integers to the exponents of mantissas.
#[target_feature(enable = "avx2")]
#[inline]
fn add_to_exponent(mantissa: __m256d, integers: __m256d) -> __m256d {
    let shift = _mm256_slli_epi64::<52>(_mm256_castpd_si256(integers));
    _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(mantissa), shift))
}

/// Integers from 0 to 2^52 as float64.
#[target_feature(enable = "avx2")]
#[inline]
fn small_integer(a: __m256i) -> __m256d {
    let two_to_52 = 4_503_599_627_370_496.0;
    let bits = _mm256_or_si256(a, _mm256_castpd_si256(_mm256_set1_pd(two_to_52)));
    _mm256_sub_pd(_mm256_castsi256_pd(bits), _mm256_set1_pd(two_to_52))
}

/// Makes a mask of the first `count` lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn first(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
    _mm256_cmpgt_epi64(_mm256_set1_epi64x(count.min(4) as i64), lanes)
}
