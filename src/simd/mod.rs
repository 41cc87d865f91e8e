//! Lanes: the few vector operations that the kernels are made of.
//!
//! A kernel is written once, generic over [`Lanes`], and instantiated for each instruction set inside a function
//! that enables it. The files of the instruction sets hold nothing but these operations.
//!
//! A value of a lane type is a token of size zero, and the proof that the machine has its instructions: only detection
//! at run time makes one. So operations on lanes are safe to call, and `unsafe` in a kernel means memory alone.

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
pub mod functions;
#[cfg(target_arch = "aarch64")]
pub mod neon;
mod number;
pub mod places;
pub mod portable;

use crate::real::Real;

pub use number::{Exponent, Number};

use self::places::Places;

/// A piece of work on lanes, for [`Lanes::outline`]; it holds the token of its lanes.
pub trait Work {
    /// The result.
    type Output;

    /// Does the work; to be `#[inline(always)]`, so that it is compiled for the instruction set of its caller.
    fn run(self) -> Self::Output;
}

/// L lanes of numbers and of their exponents.
///
/// Kernels hold a number or an exponent in memory, splat one, and combine lanes by the methods below. What depends on the
/// bits of a number is a method too ([`Lanes::normalise`], [`Lanes::aligned`]), so that a kernel knows neither their
/// precision nor how exponents are held.
#[expect(missing_docs, reason = "the names say the rest")]
pub trait Lanes<const L: usize>: Copy + Send + Sync + 'static {
    /// A number: float32 or float64.
    type Real: Number;
    /// An exponent, of the size and alignment of a number.
    type Exponent: Exponent;
    /// L numbers.
    type F: Copy;
    /// L exponents.
    type I: Copy;

    /// Rows of a matrix product that the registers hold beside two vectors of columns.
    const PRODUCT_ROWS: usize = L / 2;

    /// Does the work in a function of its own that enables the instruction set.
    fn outline<W: Work>(self, work: W) -> W::Output;

    fn splat(self, x: Self::Real) -> Self::F;
    fn splat_i(self, x: Self::Exponent) -> Self::I;
    /// A constant, rounded.
    #[inline(always)]
    fn constant(self, x: f64) -> Self::F {
        self.splat(Self::Real::from_f64(x))
    }

    /// Reads L entries.
    ///
    /// # Safety
    ///
    /// L entries from the pointer on can be read; they may lie at any alignment.
    unsafe fn load(self, from: *const Self::Real) -> Self::F;
    /// Reads L entries.
    ///
    /// # Safety
    ///
    /// As for [`Lanes::load`].
    unsafe fn load_i(self, from: *const Self::Exponent) -> Self::I;
    /// Writes L entries.
    ///
    /// # Safety
    ///
    /// L entries from the pointer on can be written, and nobody else reads or writes them meanwhile; they may lie at any
    /// alignment.
    unsafe fn store(self, to: *mut Self::Real, a: Self::F);
    /// Writes L entries.
    ///
    /// # Safety
    ///
    /// As for [`Lanes::store`].
    unsafe fn store_i(self, to: *mut Self::Exponent, a: Self::I);

    /// Reads fewer than L entries, 0 in the other lanes.
    fn load_part(self, from: &[Self::Real]) -> Self::F;
    /// Writes to fewer than L entries.
    fn store_part(self, to: &mut [Self::Real], a: Self::F);

    /// Reads the first L entries; there may be fewer, the other lanes are then 0.
    #[inline(always)]
    fn load_first(self, from: &[Self::Real]) -> Self::F {
        match from.first_chunk::<L>() {
            Some(from) => self.load_array(from),
            None => self.load_part(from),
        }
    }
    /// Writes the first L entries, or as many as there are.
    #[inline(always)]
    fn store_first(self, to: &mut [Self::Real], a: Self::F) {
        match to.first_chunk_mut::<L>() {
            Some(to) => self.store_array(to, a),
            None => self.store_part(to, a),
        }
    }

    #[inline(always)]
    fn load_array(self, from: &[Self::Real; L]) -> Self::F {
        // SAFETY: an array of L entries.
        unsafe { self.load(from.as_ptr()) }
    }
    #[inline(always)]
    fn load_array_i(self, from: &[Self::Exponent; L]) -> Self::I {
        // SAFETY: an array of L entries.
        unsafe { self.load_i(from.as_ptr()) }
    }
    #[inline(always)]
    fn store_array(self, to: &mut [Self::Real; L], a: Self::F) {
        // SAFETY: an array of L entries.
        unsafe { self.store(to.as_mut_ptr(), a) }
    }
    #[inline(always)]
    fn to_array(self, a: Self::F) -> [Self::Real; L] {
        let mut entries = [Self::Real::default(); L];
        self.store_array(&mut entries, a);
        entries
    }
    #[inline(always)]
    fn to_array_i(self, a: Self::I) -> [Self::Exponent; L] {
        let mut entries = [Self::Exponent::ZERO; L];
        self.store_array_i(&mut entries, a);
        entries
    }
    #[inline(always)]
    fn store_array_i(self, to: &mut [Self::Exponent; L], a: Self::I) {
        // SAFETY: an array of L entries.
        unsafe { self.store_i(to.as_mut_ptr(), a) }
    }
    /// Reads the entries at L places; panics if one lies outside.
    fn gather(self, from: &[Self::Real], places: &Places<L>) -> Self::F;
    /// Writes entries past the caches if the lanes can and the entries lie as they need it; [`Lanes::fence`] is to follow.
    #[inline(always)]
    fn stream_array(self, to: &mut [Self::Real; L], a: Self::F) {
        self.store_array(to, a);
    }
    /// Orders what was written past the caches before all that is written later.
    #[inline(always)]
    fn fence(self) {}
    /// Reads the first L entries; panics if there are fewer.
    #[inline(always)]
    fn load_slice(self, from: &[Self::Real]) -> Self::F {
        let from = &from[..L];
        // SAFETY: a slice of L entries.
        unsafe { self.load(from.as_ptr()) }
    }
    /// Writes the first L entries; panics if there are fewer.
    #[inline(always)]
    fn store_slice(self, to: &mut [Self::Real], a: Self::F) {
        let to = &mut to[..L];
        // SAFETY: a slice of L entries.
        unsafe { self.store(to.as_mut_ptr(), a) }
    }

    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a b + c`
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `a b - c`
    fn mul_sub(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `c - a b`
    fn neg_mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// a where it is less than b, else b.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// Bit j tells if lane j of `a` is less than that of `b`; NaN is not.
    fn is_less(self, a: Self::F, b: Self::F) -> u32;
    /// `|a|`
    fn abs(self, a: Self::F) -> Self::F;
    /// The root of numbers that are not negative.
    fn sqrt(self, a: Self::F) -> Self::F;
    /// a where b is greater than 0, -a where it is less, 0 where it is 0.
    fn signed(self, a: Self::F, b: Self::F) -> Self::F;
    /// a where x is at least `least`, else 0.
    fn where_at_least(self, x: Self::F, least: Self::F, a: Self::F) -> Self::F;
    /// a where it is at least `least`, else 0.
    #[inline(always)]
    fn at_least_or_zero(self, a: Self::F, least: Self::F) -> Self::F {
        self.where_at_least(a, least, a)
    }
    /// a, or 0 where it is +inf.
    #[inline(always)]
    fn finite_or_zero(self, a: Self::F) -> Self::F {
        let least = self.splat(Self::Real::LOWEST);
        self.where_at_least(self.sub(self.constant(0.0), a), least, a)
    }
    /// a where an exponent is less than `limit`, else b.
    fn where_less_i(self, x: Self::I, limit: Self::I, a: Self::F, b: Self::F) -> Self::F;
    /// True where a lane is not 0; NaN is not.
    fn is_any(self, a: Self::F) -> bool;

    /// The nearest integers.
    fn round(self, a: Self::F) -> Self::I;
    fn to_float(self, a: Self::I) -> Self::F;
    fn add_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn sub_i(self, a: Self::I, b: Self::I) -> Self::I;
    fn max_i(self, a: Self::I, b: Self::I) -> Self::I;

    /// Brings mantissas, which are greater than 0, to [1,2) and moves what they lose into the exponents.
    fn normalise(self, mantissa: Self::F, exponent: Self::I) -> (Self::F, Self::I);
    /// `mantissa * 2^exponent`, where neither it nor the mantissa leaves the normal numbers.
    fn shifted(self, mantissa: Self::F, exponent: Self::I) -> Self::F;
    /// x as a number in [sqrt(1/2), sqrt(2)) times 2 to a number; x is greater than 0 and normal.
    fn centred_split(self, x: Self::F) -> (Self::F, Self::F);

    /// The greatest exponent of a sum, as [`Lanes::aligned`] takes it.
    fn reference(self, top: Self::I) -> Self::I;
    /// `mantissa * 2^(exponent - top)`, the difference being at most 0 and counted as [`Number::LEAST_SHIFT`] below; the
    /// mantissa is at least 2^-33, so that its exponent bits stay positive.
    fn aligned(self, mantissa: Self::F, exponent: Self::I, reference: Self::I) -> Self::F;

    /// Lane j takes lane j-1 of `a`; lane 0 takes the last lane of `b`.
    fn up(self, a: Self::F, b: Self::F) -> Self::F;
    /// [`Lanes::up`] for exponents.
    fn up_i(self, a: Self::I, b: Self::I) -> Self::I;
    /// Lane j takes lane j+1 of `a`; the last lane takes lane 0 of `b`.
    fn down(self, a: Self::F, b: Self::F) -> Self::F;
    /// Lanes whose number has the bit `BIT` set come from `b`, the others from `a`.
    fn blend<const BIT: usize>(self, a: Self::F, b: Self::F) -> Self::F;
    /// Turns the L x L block: entry j of row i becomes entry i of row j.
    fn transpose(self, rows: &mut [Self::F; L]);
    /// Brings the cache line of `from` near; any address will do.
    fn prefetch(self, from: *const Self::Real);
}
