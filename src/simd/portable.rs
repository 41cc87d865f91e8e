//! Lanes that every machine has: plain arrays. What the others are compared with.

use super::{Lanes, Work};

/// Arrays of L numbers.
///
/// Each operation stays a function: inlined as loops into the unrolled kernels they would take minutes to compile, and
/// nothing that is timed runs on them.
#[derive(Clone, Copy)]
pub struct Portable<const L: usize>;

impl<const L: usize> Lanes<L> for Portable<L> {
    type F = [f32; L];
    type I = [i32; L];

    #[inline(never)]
    fn outline<W: Work>(self, work: W) -> W::Output {
        work.run()
    }

    #[inline(never)]
    fn splat(self, x: f32) -> [f32; L] {
        [x; L]
    }
    #[inline(never)]
    fn splat_i(self, x: i32) -> [i32; L] {
        [x; L]
    }
    #[inline(never)]
    unsafe fn load(self, from: *const f32) -> [f32; L] {
        // SAFETY: L entries can be read, by the trait's contract.
        unsafe { from.cast::<[f32; L]>().read_unaligned() }
    }
    #[inline(never)]
    unsafe fn load_i(self, from: *const i32) -> [i32; L] {
        // SAFETY: L entries can be read, by the trait's contract.
        unsafe { from.cast::<[i32; L]>().read_unaligned() }
    }
    #[inline(never)]
    fn load_part(self, from: &[f32]) -> [f32; L] {
        std::array::from_fn(|j| from.get(j).copied().unwrap_or(0.0))
    }
    #[inline(never)]
    unsafe fn store(self, to: *mut f32, a: [f32; L]) {
        // SAFETY: L entries can be written, by the trait's contract.
        unsafe { to.cast::<[f32; L]>().write_unaligned(a) }
    }
    #[inline(never)]
    unsafe fn store_i(self, to: *mut i32, a: [i32; L]) {
        // SAFETY: L entries can be written, by the trait's contract.
        unsafe { to.cast::<[i32; L]>().write_unaligned(a) }
    }

    #[inline(never)]
    fn store_part(self, to: &mut [f32], a: [f32; L]) {
        for (to, from) in to.iter_mut().zip(a) {
            *to = from;
        }
    }

    #[inline(never)]
    fn add(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] + b[j])
    }
    #[inline(never)]
    fn sub(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] - b[j])
    }
    #[inline(never)]
    fn mul(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] * b[j])
    }
    #[inline(never)]
    fn div(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| a[j] / b[j])
    }
    // Two roundings: without hardware a fused one would be a library call a lane. The exponential needs the exact
    // remainder of its argument, so it is taken in float64, which holds the product of two float32.
    #[inline(never)]
    fn mul_add(self, a: [f32; L], b: [f32; L], c: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| (f64::from(a[j]) * f64::from(b[j]) + f64::from(c[j])) as f32)
    }
    #[inline(never)]
    fn mul_sub(self, a: [f32; L], b: [f32; L], c: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| (f64::from(a[j]) * f64::from(b[j]) - f64::from(c[j])) as f32)
    }
    #[inline(never)]
    fn neg_mul_add(self, a: [f32; L], b: [f32; L], c: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| (f64::from(c[j]) - f64::from(a[j]) * f64::from(b[j])) as f32)
    }
    #[inline(never)]
    fn max(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if a[j] > b[j] { a[j] } else { b[j] })
    }
    #[inline(never)]
    fn abs(self, a: [f32; L]) -> [f32; L] {
        a.map(f32::abs)
    }
    #[inline(never)]
    fn at_least_or_zero(self, a: [f32; L], least: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if a[j] >= least[j] { a[j] } else { 0.0 })
    }
    #[inline(never)]
    fn is_any(self, a: [f32; L]) -> bool {
        a.iter().any(|&x| x != 0.0)
    }

    #[inline(never)]
    fn round(self, a: [f32; L]) -> [i32; L] {
        a.map(|x| x.round_ties_even() as i32)
    }
    #[inline(never)]
    fn to_float(self, a: [i32; L]) -> [f32; L] {
        a.map(|x| x as f32)
    }
    #[inline(never)]
    fn bits(self, a: [f32; L]) -> [i32; L] {
        a.map(|x| x.to_bits() as i32)
    }
    #[inline(never)]
    fn of_bits(self, a: [i32; L]) -> [f32; L] {
        a.map(|x| f32::from_bits(x as u32))
    }

    #[inline(never)]
    fn add_i(self, a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j].wrapping_add(b[j]))
    }
    #[inline(never)]
    fn sub_i(self, a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j].wrapping_sub(b[j]))
    }
    #[inline(never)]
    fn max_i(self, a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j].max(b[j]))
    }
    #[inline(never)]
    fn and_i(self, a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j] & b[j])
    }
    #[inline(never)]
    fn or_i(self, a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| a[j] | b[j])
    }
    #[inline(never)]
    fn to_exponent(self, a: [i32; L]) -> [i32; L] {
        a.map(|x| x << 23)
    }
    #[inline(never)]
    fn of_exponent(self, a: [i32; L]) -> [i32; L] {
        a.map(|x| (x as u32 >> 23) as i32)
    }

    #[inline(never)]
    fn up(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if j == 0 { b[L - 1] } else { a[j - 1] })
    }
    #[inline(never)]
    fn up_i(self, a: [i32; L], b: [i32; L]) -> [i32; L] {
        std::array::from_fn(|j| if j == 0 { b[L - 1] } else { a[j - 1] })
    }
    #[inline(never)]
    fn down(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if j == L - 1 { b[0] } else { a[j + 1] })
    }
    #[inline(never)]
    fn blend<const BIT: usize>(self, a: [f32; L], b: [f32; L]) -> [f32; L] {
        std::array::from_fn(|j| if j & BIT == 0 { a[j] } else { b[j] })
    }
    #[inline(never)]
    fn transpose(self, rows: &mut [[f32; L]; L]) {
        *rows = std::array::from_fn(|i| std::array::from_fn(|j| rows[j][i]));
    }
    #[inline(never)]
    fn prefetch(self, _from: *const f32) {}
}
