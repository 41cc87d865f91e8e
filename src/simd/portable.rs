//! Lanes that every machine has: plain arrays. What the others are compared with.

use super::{Lanes, Work};

/// Arrays of L numbers.
///
/// Each operation stays a function: inlined as loops into the unrolled kernels they would take minutes to compile, and
/// nothing that is timed runs on them.
#[derive(Clone, Copy)]
pub struct Portable;

// SAFETY: nothing but plain Rust; pointers are used as the trait says.
unsafe impl<const L: usize> Lanes<L> for Portable {
    type F = [f32; L];
    type I = [i32; L];

    #[inline(never)]
    unsafe fn outline<W: Work>(work: W) -> W::Output {
        // SAFETY: the caller vouches for what the work asks for.
        unsafe { work.run() }
    }

    #[inline(never)]
    unsafe fn splat(x: f32) -> [f32; L] {
        [x; L]
    }
    #[inline(never)]
    unsafe fn splat_i(x: i32) -> [i32; L] {
        [x; L]
    }
    #[inline(never)]
    unsafe fn load(from: *const f32) -> [f32; L] {
        // SAFETY: L readable entries, by the trait's contract.
        unsafe { from.cast::<[f32; L]>().read_unaligned() }
    }
    #[inline(never)]
    unsafe fn load_i(from: *const i32) -> [i32; L] {
        // SAFETY: L readable entries, by the trait's contract.
        unsafe { from.cast::<[i32; L]>().read_unaligned() }
    }
    #[inline(never)]
    unsafe fn load_first(from: *const f32, count: usize) -> [f32; L] {
        // SAFETY: `count` readable entries, by the trait's contract.
        std::array::from_fn(|j| if j < count { unsafe { *from.add(j) } } else { 0.0 })
    }
    #[inline(never)]
    unsafe fn store(to: *mut f32, a: [f32; L]) {
        // SAFETY: L writable entries, by the trait's contract.
        unsafe { to.cast::<[f32; L]>().write_unaligned(a) }
    }
    #[inline(never)]
    unsafe fn store_i(to: *mut i32, a: [i32; L]) {
        // SAFETY: L writable entries, by the trait's contract.
        unsafe { to.cast::<[i32; L]>().write_unaligned(a) }
    }

    #[inline(never)]
    unsafe fn store_first(to: *mut f32, a: [f32; L], count: usize) {
        for (j, &entry) in a.iter().enumerate().take(count) {
            // SAFETY: `count` writable entries, by the trait's contract.
            unsafe { *to.add(j) = entry };
        }
    }

    #[inline(never)]
    unsafe fn add(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] + b[j])
    }
    #[inline(never)]
    unsafe fn sub(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] - b[j])
    }
    #[inline(never)]
    unsafe fn mul(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] * b[j])
    }
    #[inline(never)]
    unsafe fn div(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] / b[j])
    }
    // Two roundings: without hardware a fused one would be a library call a lane. The exponential needs the exact
    // remainder of its argument, so it is taken in float64, which holds the product of two float32.
    #[inline(never)]
    unsafe fn mul_add(a: [f32; L], b: [f32; L], c: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| (f64::from(a[j]) * f64::from(b[j]) + f64::from(c[j])) as f32)
    }
    #[inline(never)]
    unsafe fn mul_sub(a: [f32; L], b: [f32; L], c: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| (f64::from(a[j]) * f64::from(b[j]) - f64::from(c[j])) as f32)
    }
    #[inline(never)]
    unsafe fn neg_mul_add(a: [f32; L], b: [f32; L], c: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| (f64::from(c[j]) - f64::from(a[j]) * f64::from(b[j])) as f32)
    }
    #[inline(never)]
    unsafe fn max(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if a[j] > b[j] { a[j] } else { b[j] })
    }
    #[inline(never)]
    unsafe fn abs(a: [f32; L]) -> [f32; L] {
        a.map(f32::abs)
    }
    #[inline(never)]
    unsafe fn at_least_or_zero(a: [f32; L], least: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if a[j] >= least[j] { a[j] } else { 0.0 })
    }
    #[inline(never)]
    unsafe fn is_any(a: [f32; L]) -> bool {
        a.iter().any(|&x| x != 0.0)
    }

    #[inline(never)]
    unsafe fn round(a: [f32; L]) -> [i32; L] {
        a.map(|x| x.round_ties_even() as i32)
    }
    #[inline(never)]
    unsafe fn to_float(a: [i32; L]) -> [f32; L] {
        a.map(|x| x as f32)
    }
    #[inline(never)]
    unsafe fn bits(a: [f32; L]) -> [i32; L] {
        a.map(|x| x.to_bits() as i32)
    }
    #[inline(never)]
    unsafe fn from_bits(a: [i32; L]) -> [f32; L] {
        a.map(|x| f32::from_bits(x as u32))
    }

    #[inline(never)]
    unsafe fn add_i(a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j].wrapping_add(b[j]))
    }
    #[inline(never)]
    unsafe fn sub_i(a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j].wrapping_sub(b[j]))
    }
    #[inline(never)]
    unsafe fn max_i(a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j].max(b[j]))
    }
    #[inline(never)]
    unsafe fn and_i(a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j] & b[j])
    }
    #[inline(never)]
    unsafe fn or_i(a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j] | b[j])
    }
    #[inline(never)]
    unsafe fn to_exponent(a: [i32; L]) -> [i32; L] {
        a.map(|x| x << 23)
    }
    #[inline(never)]
    unsafe fn of_exponent(a: [i32; L]) -> [i32; L] {
        a.map(|x| (x as u32 >> 23) as i32)
    }

    #[inline(never)]
    unsafe fn up(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if j == 0 { b[L - 1] } else { a[j - 1] })
    }
    #[inline(never)]
    unsafe fn up_i(a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| if j == 0 { b[L - 1] } else { a[j - 1] })
    }
    #[inline(never)]
    unsafe fn down(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if j == L - 1 { b[0] } else { a[j + 1] })
    }
    #[inline(never)]
    unsafe fn blend<const BIT: usize>(a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if j & BIT == 0 { a[j] } else { b[j] })
    }
    #[inline(never)]
    unsafe fn transpose(rows: &mut [[f32; L]; L]) {
        *rows = std::array::from_fn(|i| std::array::from_fn(|j| rows[j][i]));
    }
    #[inline(never)]
    unsafe fn prefetch(_from: *const f32) {}
}
