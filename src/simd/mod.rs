//! Lanes: the few vector operations that the kernels are made of.
//!
//! A kernel is written once, generic over [`Lanes`], and instantiated for each instruction set inside a function
//! that enables it. The files of the instruction sets hold nothing but these operations.

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
pub mod functions;
pub mod portable;

/// A piece of work on lanes, for [`Lanes::outline`].
pub trait Work {
    /// What it yields.
    type Output;

    /// Does the work; to be `#[inline(always)]`, so that it is compiled for the instruction set of its caller.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of the lanes that it is written for.
    unsafe fn run(self) -> Self::Output;
}

/// L lanes of float32 and of int32.
///
/// # Safety
///
/// Every method may be called only on hardware that has the instruction set of the implementing type. Pointers need
/// L readable or writable entries of any alignment, unless a method says otherwise.
#[expect(
    clippy::missing_safety_doc,
    missing_docs,
    reason = "the trait states it for all methods, whose names say the rest"
)]
pub unsafe trait Lanes<const L: usize>: Copy + 'static {
    /// L float32.
    type F: Copy;
    /// L int32.
    type I: Copy;

    /// Does the work in a function of its own that enables the instruction set.
    unsafe fn outline<W: Work>(work: W) -> W::Output;

    unsafe fn splat(x: f32) -> Self::F;
    unsafe fn splat_i(x: i32) -> Self::I;
    unsafe fn load(from: *const f32) -> Self::F;
    unsafe fn load_i(from: *const i32) -> Self::I;
    /// The first `count` entries, 0 in the other lanes; only those are read.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::F;
    unsafe fn store(to: *mut f32, a: Self::F);
    unsafe fn store_i(to: *mut i32, a: Self::I);

    /// Writes the first `count` lanes.
    unsafe fn store_first(to: *mut f32, a: Self::F, count: usize);

    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F;
    /// `a b + c`
    unsafe fn mul_add(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `a b - c`
    unsafe fn mul_sub(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `c - a b`
    unsafe fn neg_mul_add(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F;
    /// `|a|`
    unsafe fn abs(a: Self::F) -> Self::F;
    /// a where it is at least `least`, else 0.
    unsafe fn at_least_or_zero(a: Self::F, least: Self::F) -> Self::F;
    /// Whether any lane is not 0; NaN is not.
    unsafe fn is_any(a: Self::F) -> bool;

    /// The nearest integers.
    unsafe fn round(a: Self::F) -> Self::I;
    unsafe fn to_float(a: Self::I) -> Self::F;
    unsafe fn bits(a: Self::F) -> Self::I;
    unsafe fn from_bits(a: Self::I) -> Self::F;

    unsafe fn add_i(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn sub_i(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn max_i(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn and_i(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn or_i(a: Self::I, b: Self::I) -> Self::I;
    /// Into the exponent of a float32: shift left by 23 bits.
    unsafe fn to_exponent(a: Self::I) -> Self::I;
    /// Out of the exponent of a float32: shift right by 23 bits, zeros move in.
    unsafe fn of_exponent(a: Self::I) -> Self::I;

    /// Lane j takes lane j-1 of `a`; lane 0 takes the last lane of `b`.
    unsafe fn up(a: Self::F, b: Self::F) -> Self::F;
    /// [`Lanes::up`] for integers.
    unsafe fn up_i(a: Self::I, b: Self::I) -> Self::I;
    /// Lane j takes lane j+1 of `a`; the last lane takes lane 0 of `b`.
    unsafe fn down(a: Self::F, b: Self::F) -> Self::F;
    /// Lanes whose number has the bit `BIT` set come from `b`, the others from `a`.
    unsafe fn blend<const BIT: usize>(a: Self::F, b: Self::F) -> Self::F;
    /// Turns the L x L block: entry j of row i becomes entry i of row j.
    unsafe fn transpose(rows: &mut [Self::F; L]);
    /// Brings the cache line of `from` near.
    unsafe fn prefetch(from: *const f32);
}
