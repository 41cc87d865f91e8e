//! Lanes that every machine has: plain arrays. What the others are compared with.

use std::cmp::Ordering;
use std::marker::PhantomData;

use super::places::Places;
use super::{Exponent, Lanes, Number, Work};

/// Arrays of L numbers.
///
/// Each operation stays a function: inlined as loops into the unrolled kernels they would take minutes to compile, and
/// nothing that is timed runs on them.
#[derive(Clone, Copy)]
pub struct Portable<R, const L: usize>(PhantomData<R>);

impl<R, const L: usize> Portable<R, L> {
    /// The token; every machine has these.
    #[expect(clippy::new_without_default, reason = "a token, like those that are detected")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// The operations on one number that its bits or its exponents have a part in.
pub trait Scalar: Number {
    /// An integer of the number's size.
    type Integer: Exponent + Ord;
    /// `self * b + c` with one rounding where that is what the exponential needs: the exact remainder of its argument.
    fn fused(self, b: Self, c: Self) -> Self;
    /// `|self|`
    fn size(self) -> Self;
    /// The root of a number that is not negative.
    fn root(self) -> Self;
    /// The nearest integer.
    fn rounded(self) -> Self::Integer;
    /// The number of an integer.
    fn of(integer: Self::Integer) -> Self;
    /// The sum of two exponents.
    fn total(a: Self::Integer, b: Self::Integer) -> Self::Integer;
    /// The difference of two exponents.
    fn difference(a: Self::Integer, b: Self::Integer) -> Self::Integer;
    /// [`Number::LEAST_SHIFT`].
    fn least_shift() -> Self::Integer;
    /// [`Lanes::shifted`] of one number.
    fn shifted(self, exponent: Self::Integer) -> Self;
    /// The mantissa in [1,2), and the exponent that it had.
    fn split(self) -> (Self, Self::Integer);
    /// [`Lanes::centred_split`] of one number.
    fn centred_split(self) -> (Self, Self);
}

/// Implements the operations for a number, by the unsigned and signed integers of its size, the bits of its fraction and
/// the bits of sqrt(1/2).
macro_rules! scalar {
    ($number:ty, $unsigned:ty, $signed:ty, $fraction:expr, $root:expr, |$a:ident, $b:ident, $c:ident| $fused:expr) => {
        impl Scalar for $number {
            type Integer = $signed;
            fn fused(self, $b: Self, $c: Self) -> Self {
                let $a = self;
                $fused
            }
            fn size(self) -> Self {
                self.abs()
            }
            fn root(self) -> Self {
                self.sqrt()
            }
            fn rounded(self) -> $signed {
                self.round_ties_even() as $signed
            }
            fn of(integer: $signed) -> Self {
                integer as Self
            }
            fn total(a: $signed, b: $signed) -> $signed {
                a.wrapping_add(b)
            }
            fn difference(a: $signed, b: $signed) -> $signed {
                a.wrapping_sub(b)
            }
            fn least_shift() -> $signed {
                Self::LEAST_SHIFT as $signed
            }
            fn shifted(self, exponent: $signed) -> Self {
                Self::from_bits((self.to_bits() as $signed).wrapping_add(exponent << $fraction) as $unsigned)
            }
            fn split(self) -> (Self, $signed) {
                let (bits, one) = (self.to_bits(), (1.0 as Self).to_bits());
                let exponent = (bits >> $fraction) as $signed - (one >> $fraction) as $signed;
                (Self::from_bits(bits & ((1 << $fraction) - 1) | one), exponent)
            }
            fn centred_split(self) -> (Self, Self) {
                let (bits, one) = (self.to_bits(), (1.0 as Self).to_bits());
                // The sum carries into the exponent exactly where the mantissa would pass sqrt(2).
                let exponent = (bits.wrapping_add(one - $root) >> $fraction) as $signed - (one >> $fraction) as $signed;
                (self.shifted(-exponent), exponent as Self)
            }
        }
    };
}

// Without hardware a fused operation is a library call. float32 does without: float64 holds the product of two.
scalar!(f32, u32, i32, 23, 0x3f35_04f3, |a, b, c| (f64::from(a) * f64::from(b) + f64::from(c)) as f32);
scalar!(f64, u64, i64, 52, 0x3fe6_a09e_667f_3bcd, |a, b, c| a.mul_add(b, c));

impl<R: Scalar, const L: usize> Lanes<L> for Portable<R, L> {
    type Real = R;
    type Exponent = R::Integer;
    type F = [R; L];
    type I = [R::Integer; L];

    #[inline(never)]
    fn outline<W: Work>(self, work: W) -> W::Output {
        work.run()
    }

    #[inline(never)]
    fn splat(self, x: R) -> [R; L] {
        [x; L]
    }
    #[inline(never)]
    fn splat_i(self, x: R::Integer) -> [R::Integer; L] {
        [x; L]
    }
    #[inline(never)]
    unsafe fn load(self, from: *const R) -> [R; L] {
        // SAFETY: L entries can be read, by the trait's contract.
        unsafe { from.cast::<[R; L]>().read_unaligned() }
    }
    #[inline(never)]
    unsafe fn load_i(self, from: *const R::Integer) -> [R::Integer; L] {
        // SAFETY: L entries can be read, by the trait's contract.
        unsafe { from.cast::<[R::Integer; L]>().read_unaligned() }
    }
    #[inline(never)]
    fn load_part(self, from: &[R]) -> [R; L] {
        std::array::from_fn(|j| from.get(j).copied().unwrap_or_default())
    }
    #[inline(never)]
    unsafe fn store(self, to: *mut R, a: [R; L]) {
        // SAFETY: L entries can be written, by the trait's contract.
        unsafe { to.cast::<[R; L]>().write_unaligned(a) }
    }
    #[inline(never)]
    unsafe fn store_i(self, to: *mut R::Integer, a: [R::Integer; L]) {
        // SAFETY: L entries can be written, by the trait's contract.
        unsafe { to.cast::<[R::Integer; L]>().write_unaligned(a) }
    }

    #[inline(never)]
    fn store_part(self, to: &mut [R], a: [R; L]) {
        for (to, from) in to.iter_mut().zip(a) {
            *to = from;
        }
    }

    #[inline(never)]
    fn gather(self, from: &[R], places: &Places<L>) -> [R; L] {
        places.within(from.len()).map(|place| from[place as usize])
    }

    #[inline(never)]
    fn add(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| a[j] + b[j])
    }
    #[inline(never)]
    fn sub(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| a[j] - b[j])
    }
    #[inline(never)]
    fn mul(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| a[j] * b[j])
    }
    #[inline(never)]
    fn div(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| a[j] / b[j])
    }
    #[inline(never)]
    fn mul_add(self, a: [R; L], b: [R; L], c: [R; L]) -> [R; L] {
        std::array::from_fn(|j| a[j].fused(b[j], c[j]))
    }
    #[inline(never)]
    fn mul_sub(self, a: [R; L], b: [R; L], c: [R; L]) -> [R; L] {
        std::array::from_fn(|j| a[j].fused(b[j], -c[j]))
    }
    #[inline(never)]
    fn neg_mul_add(self, a: [R; L], b: [R; L], c: [R; L]) -> [R; L] {
        std::array::from_fn(|j| (-a[j]).fused(b[j], c[j]))
    }
    #[inline(never)]
    fn max(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| if a[j] > b[j] { a[j] } else { b[j] })
    }
    #[inline(never)]
    fn min(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| if a[j] < b[j] { a[j] } else { b[j] })
    }
    #[inline(never)]
    fn is_less(self, a: [R; L], b: [R; L]) -> u32 {
        (0..L).map(|j| u32::from(a[j] < b[j]) << j).sum()
    }
    #[inline(never)]
    fn abs(self, a: [R; L]) -> [R; L] {
        a.map(R::size)
    }
    #[inline(never)]
    fn sqrt(self, a: [R; L]) -> [R; L] {
        a.map(R::root)
    }
    #[inline(never)]
    fn signed(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| match b[j].partial_cmp(&R::default()) {
            Some(Ordering::Greater) => a[j],
            Some(Ordering::Less) => -a[j],
            _ => R::default(),
        })
    }
    #[inline(never)]
    fn where_at_least(self, x: [R; L], least: [R; L], a: [R; L]) -> [R; L] {
        std::array::from_fn(|j| if x[j] >= least[j] { a[j] } else { R::default() })
    }
    #[inline(never)]
    fn where_less_i(self, x: [R::Integer; L], limit: [R::Integer; L], a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| if x[j] < limit[j] { a[j] } else { b[j] })
    }
    #[inline(never)]
    fn is_any(self, a: [R; L]) -> bool {
        a.iter().any(|x| !x.is_zero())
    }

    #[inline(never)]
    fn round(self, a: [R; L]) -> [R::Integer; L] {
        a.map(R::rounded)
    }
    #[inline(never)]
    fn to_float(self, a: [R::Integer; L]) -> [R; L] {
        a.map(R::of)
    }
    #[inline(never)]
    fn add_i(self, a: [R::Integer; L], b: [R::Integer; L]) -> [R::Integer; L] {
        std::array::from_fn(|j| R::total(a[j], b[j]))
    }
    #[inline(never)]
    fn sub_i(self, a: [R::Integer; L], b: [R::Integer; L]) -> [R::Integer; L] {
        std::array::from_fn(|j| R::difference(a[j], b[j]))
    }
    #[inline(never)]
    fn max_i(self, a: [R::Integer; L], b: [R::Integer; L]) -> [R::Integer; L] {
        std::array::from_fn(|j| a[j].max(b[j]))
    }

    #[inline(never)]
    fn normalise(self, mantissa: [R; L], exponent: [R::Integer; L]) -> ([R; L], [R::Integer; L]) {
        let split = mantissa.map(R::split);
        (split.map(|(mantissa, _)| mantissa), std::array::from_fn(|j| R::total(exponent[j], split[j].1)))
    }
    #[inline(never)]
    fn shifted(self, mantissa: [R; L], exponent: [R::Integer; L]) -> [R; L] {
        std::array::from_fn(|j| mantissa[j].shifted(exponent[j]))
    }
    #[inline(never)]
    fn centred_split(self, x: [R; L]) -> ([R; L], [R; L]) {
        let split = x.map(R::centred_split);
        (split.map(|(mantissa, _)| mantissa), split.map(|(_, exponent)| exponent))
    }
    #[inline(never)]
    fn reference(self, top: [R::Integer; L]) -> [R::Integer; L] {
        top
    }
    #[inline(never)]
    fn aligned(self, mantissa: [R; L], exponent: [R::Integer; L], reference: [R::Integer; L]) -> [R; L] {
        std::array::from_fn(|j| mantissa[j].shifted(R::difference(exponent[j], reference[j]).max(R::least_shift())))
    }

    #[inline(never)]
    fn up(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| if j == 0 { b[L - 1] } else { a[j - 1] })
    }
    #[inline(never)]
    fn up_i(self, a: [R::Integer; L], b: [R::Integer; L]) -> [R::Integer; L] {
        std::array::from_fn(|j| if j == 0 { b[L - 1] } else { a[j - 1] })
    }
    #[inline(never)]
    fn down(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| if j == L - 1 { b[0] } else { a[j + 1] })
    }
    #[inline(never)]
    fn blend<const BIT: usize>(self, a: [R; L], b: [R; L]) -> [R; L] {
        std::array::from_fn(|j| if j & BIT == 0 { a[j] } else { b[j] })
    }
    #[inline(never)]
    fn transpose(self, rows: &mut [[R; L]; L]) {
        *rows = std::array::from_fn(|i| std::array::from_fn(|j| rows[j][i]));
    }
    #[inline(never)]
    fn prefetch(self, _from: *const R) {}
}
