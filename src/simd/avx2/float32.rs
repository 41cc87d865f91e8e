//! Eight lanes of float32, with exponents of 32 bits.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "intrinsics of AVX2 and FMA, which the machine has where there is a token; pointers are used as the trait says"
)]

use core::arch::x86_64::*;

use super::Avx2;
use crate::simd::places::Places;
use crate::simd::{Lanes, Number, Work};

impl Lanes<8> for Avx2<f32> {
    type Real = f32;
    type Exponent = i32;
    type F = __m256;
    type I = __m256i;

    fn outline<W: Work>(self, work: W) -> W::Output {
        self.enable(work)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    fn splat_i(self, x: i32) -> __m256i {
        unsafe { _mm256_set1_epi32(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_i(self, from: *const i32) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    fn load_part(self, from: &[f32]) -> __m256 {
        // Lanes beyond the slice are masked: their memory is not read.
        unsafe { _mm256_maskload_ps(from.as_ptr(), first(from.len())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, a: __m256) {
        unsafe { _mm256_storeu_ps(to, a) }
    }
    #[inline(always)]
    unsafe fn store_i(self, to: *mut i32, a: __m256i) {
        unsafe { _mm256_storeu_si256(to.cast(), a) }
    }

    #[inline(always)]
    fn store_part(self, to: &mut [f32], a: __m256) {
        // Lanes beyond the slice are masked: their memory is not written.
        unsafe { _mm256_maskstore_ps(to.as_mut_ptr(), first(to.len()), a) }
    }

    #[inline(always)]
    fn gather(self, from: &[f32], places: &Places<8>) -> __m256 {
        // No place lies outside.
        let places = places.within(from.len());
        unsafe { _mm256_i32gather_ps::<4>(from.as_ptr(), _mm256_loadu_si256(places.as_ptr().cast())) }
    }
    #[inline(always)]
    fn stream_array(self, to: &mut [f32; 8], a: __m256) {
        if to.as_ptr().addr().is_multiple_of(32) {
            unsafe { _mm256_stream_ps(to.as_mut_ptr(), a) }
        } else {
            self.store_array(to, a);
        }
    }
    #[inline(always)]
    fn fence(self) {
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn mul_sub(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmsub_ps(a, b, c) }
    }
    #[inline(always)]
    fn neg_mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn is_less(self, a: __m256, b: __m256) -> u32 {
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) as u32 }
    }
    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    fn signed(self, a: __m256, b: __m256) -> __m256 {
        unsafe {
            let is_signed = _mm256_cmp_ps::<_CMP_NEQ_UQ>(b, _mm256_setzero_ps());
            let sign = _mm256_and_ps(b, _mm256_set1_ps(-0.0));
            _mm256_and_ps(_mm256_xor_ps(a, sign), is_signed)
        }
    }
    #[inline(always)]
    fn where_at_least(self, x: __m256, least: __m256, a: __m256) -> __m256 {
        unsafe { _mm256_and_ps(a, _mm256_cmp_ps::<_CMP_GE_OQ>(x, least)) }
    }
    #[inline(always)]
    fn where_less_i(self, x: __m256i, limit: __m256i, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(b, a, _mm256_castsi256_ps(_mm256_cmpgt_epi32(limit, x))) }
    }
    #[inline(always)]
    fn is_any(self, a: __m256) -> bool {
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(a, _mm256_setzero_ps())) != 0 }
    }

    #[inline(always)]
    fn round(self, a: __m256) -> __m256i {
        unsafe { _mm256_cvtps_epi32(a) }
    }
    #[inline(always)]
    fn to_float(self, a: __m256i) -> __m256 {
        unsafe { _mm256_cvtepi32_ps(a) }
    }
    #[inline(always)]
    fn add_i(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    fn sub_i(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn max_i(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_max_epi32(a, b) }
    }
    #[inline(always)]
    fn normalise(self, mantissa: __m256, exponent: __m256i) -> (__m256, __m256i) {
        unsafe {
            let bits = _mm256_castps_si256(mantissa);
            let lost = _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x7f_ffff));
            let one = _mm256_set1_epi32(0x3f80_0000);
            (_mm256_castsi256_ps(_mm256_or_si256(fraction, one)), _mm256_add_epi32(exponent, lost))
        }
    }
    #[inline(always)]
    fn shifted(self, mantissa: __m256, exponent: __m256i) -> __m256 {
        unsafe {
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(mantissa), _mm256_slli_epi32::<23>(exponent)))
        }
    }
    #[inline(always)]
    fn centred_split(self, x: __m256) -> (__m256, __m256) {
        unsafe {
            // 0x3f3504f3 is sqrt(1/2): the sum carries into the exponent exactly where the mantissa would pass sqrt(2).
            let bits = _mm256_castps_si256(x);
            let carried = _mm256_add_epi32(bits, _mm256_set1_epi32(0x3f80_0000 - 0x3f35_04f3));
            let exponent = _mm256_sub_epi32(_mm256_srli_epi32::<23>(carried), _mm256_set1_epi32(127));
            let mantissa = _mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(exponent));
            (_mm256_castsi256_ps(mantissa), _mm256_cvtepi32_ps(exponent))
        }
    }
    #[inline(always)]
    fn reference(self, top: __m256i) -> __m256i {
        top
    }
    #[inline(always)]
    fn aligned(self, mantissa: __m256, exponent: __m256i, reference: __m256i) -> __m256 {
        unsafe {
            let least = _mm256_set1_epi32(f32::LEAST_SHIFT as i32);
            self.shifted(mantissa, _mm256_max_epi32(_mm256_sub_epi32(exponent, reference), least))
        }
    }

    #[inline(always)]
    fn up(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_castsi256_ps(self.up_i(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }
    #[inline(always)]
    fn up_i(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(b, a); // the high half of b, the low half of a
            _mm256_alignr_epi8::<12>(a, middle)
        }
    }
    #[inline(always)]
    fn down(self, a: __m256, b: __m256) -> __m256 {
        unsafe {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            let middle = _mm256_permute2x128_si256::<0x21>(a, b); // the high half of a, the low half of b
            _mm256_castsi256_ps(_mm256_alignr_epi8::<4>(middle, a))
        }
    }
    #[inline(always)]
    fn blend<const BIT: usize>(self, a: __m256, b: __m256) -> __m256 {
        unsafe {
            match BIT {
                1 => _mm256_blend_ps::<0b1010_1010>(a, b),
                2 => _mm256_blend_ps::<0b1100_1100>(a, b),
                _ => _mm256_blend_ps::<0b1111_0000>(a, b),
            }
        }
    }
    #[inline(always)]
    fn transpose(self, rows: &mut [__m256; 8]) {
        unsafe {
            let [r0, r1, r2, r3, r4, r5, r6, r7] = *rows;
            let (t0, t1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
            let (t2, t3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
            let (t4, t5) = (_mm256_unpacklo_ps(r4, r5), _mm256_unpackhi_ps(r4, r5));
            let (t6, t7) = (_mm256_unpacklo_ps(r6, r7), _mm256_unpackhi_ps(r6, r7));
            let (s0, s1) = (_mm256_shuffle_ps::<0x44>(t0, t2), _mm256_shuffle_ps::<0xee>(t0, t2));
            let (s2, s3) = (_mm256_shuffle_ps::<0x44>(t1, t3), _mm256_shuffle_ps::<0xee>(t1, t3));
            let (s4, s5) = (_mm256_shuffle_ps::<0x44>(t4, t6), _mm256_shuffle_ps::<0xee>(t4, t6));
            let (s6, s7) = (_mm256_shuffle_ps::<0x44>(t5, t7), _mm256_shuffle_ps::<0xee>(t5, t7));
            *rows = [
                _mm256_permute2f128_ps::<0x20>(s0, s4),
                _mm256_permute2f128_ps::<0x20>(s1, s5),
                _mm256_permute2f128_ps::<0x20>(s2, s6),
                _mm256_permute2f128_ps::<0x20>(s3, s7),
                _mm256_permute2f128_ps::<0x31>(s0, s4),
                _mm256_permute2f128_ps::<0x31>(s1, s5),
                _mm256_permute2f128_ps::<0x31>(s2, s6),
                _mm256_permute2f128_ps::<0x31>(s3, s7),
            ];
        }
    }
    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        // A hint: it never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}

/// Makes a mask of the first `count` lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn first(count: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count.min(8) as i32), lanes)
}
