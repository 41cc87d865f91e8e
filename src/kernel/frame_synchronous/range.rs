//! The reach of exponents, and what is told from the last one of a sweep.

use crate::simd::Number;

/// Exponents of a precision.
pub trait Range: Number {
    /// The exponent of "nothing", to which states are lifted at every [`NORMALISED`] frames.
    const NOTHING: f64;
    /// Added to the exponent of a term that is forbidden.
    const FORBIDDEN: f64;
    /// The largest size of the exponent of a path.
    const FARTHEST: f64;
    /// A smaller share is 0: so forbidden steps have none, whatever the mantissas are.
    const LEAST_SHARE: f64;
    /// A smaller E is 0: its products with shares are normal numbers, and denormal ones take a hundred times as long.
    const LEAST_OCCUPANCY: f64;
}

impl Range for f32 {
    const NOTHING: f64 = -((1 << 28) as f64);
    const FORBIDDEN: f64 = -((1 << 29) as f64);
    const FARTHEST: f64 = (1 << 26) as f64;
    const LEAST_SHARE: f64 = 1.0 / (1_u64 << 48) as f64;
    const LEAST_OCCUPANCY: f64 = 1.0 / (1_u128 << 76) as f64;
}

impl Range for f64 {
    const NOTHING: f64 = -((1_u64 << 49) as f64);
    const FORBIDDEN: f64 = -((1_u64 << 50) as f64);
    const FARTHEST: f64 = (1_u64 << 44) as f64;
    // 2^-250 and 2^-600.
    const LEAST_SHARE: f64 = 5.527_147_875_260_445e-76;
    const LEAST_OCCUPANCY: f64 = 2.409_919_865_102_884e-181;
}

/// Every how many frames mantissas are brought back to [1,2) and exponents lifted to [`Range::NOTHING`].
///
/// A mantissa grows to at most 2^41 in between and falls to no less than 2^-16. Exponents fall by at most
/// [`Number::LARGEST_EXPONENT`] a frame, so none wraps.
pub const NORMALISED: usize = 16;

/// The outcome of a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// A sum over paths.
    Sum,
    /// A score is NaN or +inf.
    NotANumber,
    /// No path, or costs beyond what this precision tells from none.
    Beyond,
}

/// Judges a sweep.
///
/// `lost` is 0 if no score was held above the least one, NaN if one is not a number. `rise` bounds from above what exponents
/// can have gained, `end` is the exponent of the sum over paths.
///
/// A path over a score that was held back has an exponent of at most `rise` - [`Number::LARGEST_EXPONENT`]. Beside a sum that
/// is 2^128 times as large it is nothing, whatever it should have been.
pub fn reach<R: Range>(lost: f64, rise: f64, end: f64) -> Reach {
    if lost.is_nan() || rise.is_nan() {
        Reach::NotANumber
    } else if rise > R::FARTHEST || end < -R::FARTHEST || (lost > 0.0 && end < rise - R::LARGEST_EXPONENT + 128.0) {
        Reach::Beyond
    } else {
        Reach::Sum
    }
}
