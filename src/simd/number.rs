//! The numbers and exponents that lanes hold, and what in the kernels depends on their precision.

use crate::real::Real;

/// A number on lanes: float32 or float64.
pub trait Number: Real + sealed::Plain {
    /// Half a unit of the last place of 1.
    const ROUNDING: f64;
    /// Numbers of less weight than 2 to this beside the greatest of a sum count as so much less, and no less.
    const LEAST_SHIFT: i64;
    /// The entropy of a frame that steps which no path takes may seem to have: their shares are those of [`Self::LEAST_SHIFT`].
    const ENTROPY_OF_NOTHING: f64;
    /// E below this is 0: products with probabilities stay normal numbers.
    const LEAST_VISIT: f64;
    /// The root of the least normal number: squares of less lose digits.
    const LEAST_SQUARED: f64;
    /// The largest exponent of one factor: beyond, rounding it leaves remainders that the polynomial is not for.
    const LARGEST_EXPONENT: f64;
    /// The largest sum of exponents along a path: half of the size of [`Exponent::NOTHING`].
    const LARGEST_SUM: f64;
    /// (2^f - 1) / f on [-1/2, 1/2], the lowest power first.
    const POWER_OF_TWO: &'static [f64];
    /// ln((1+s) / (1-s)) / s as powers of s^2 for |s| <= 0.172, the lowest first.
    const LOGARITHM: &'static [f64];
    /// e^r for |r| <= 0.35, the lowest power first.
    const EXPONENTIAL: &'static [f64];
    /// ln(2) in two words, the first of few bits, so that its products with exponents are exact.
    const LN_2: [f64; 2];
    /// Arguments of the exponential are held between these.
    const EXPONENTIAL_RANGE: [f64; 2];
    /// e^-100 times 2^32, from where the logarithm counts.
    const LEAST_OF_LOGARITHM: f64;

    /// Every how many blocks of L steps mantissas are brought back to [1,2).
    fn blocks_to_normalise(lanes: usize) -> usize;
}

impl Number for f32 {
    const ROUNDING: f64 = 1.0 / (1 << 24) as f64;
    const LEAST_SHIFT: i64 = -90;
    const ENTROPY_OF_NOTHING: f64 = 1e-20;
    const LEAST_VISIT: f64 = 1.0 / (1_u128 << 100) as f64;
    const LEAST_SQUARED: f64 = 1.1e-19;
    const LARGEST_EXPONENT: f64 = 1e6;
    const LARGEST_SUM: f64 = (1 << 29) as f64;
    // Such that the greatest relative error of 2^f is least, 1.1e-7, and has no sign of its own.
    #[expect(clippy::approx_constant, reason = "fitted: close to ln 2 and its powers, and not equal")]
    const POWER_OF_TWO: &'static [f64] = &[0.693_147, 0.240_222_42, 0.055_507_336, 0.009_671_513, 0.001_326_472_7];
    // Leaves 7e-10.
    const LOGARITHM: &'static [f64] = &[2.0, 2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0];
    const EXPONENTIAL: &'static [f64] = &[1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0];
    const LN_2: [f64; 2] = [0.693_359_375, -2.121_944_4e-4];
    const EXPONENTIAL_RANGE: [f64; 2] = [-87.0, 88.0];
    const LEAST_OF_LOGARITHM: f64 = 1.597_79e-34;

    fn blocks_to_normalise(_: usize) -> usize {
        2
    }
}

impl Number for f64 {
    const ROUNDING: f64 = 1.0 / (1_u64 << 53) as f64;
    const LEAST_SHIFT: i64 = -300;
    const ENTROPY_OF_NOTHING: f64 = 1e-75;
    // 2^-600: with LEAST_SHIFT and what mantissas lose between, still a normal number.
    const LEAST_VISIT: f64 = 2.409_919_865_102_884e-181;
    const LEAST_SQUARED: f64 = 1.5e-154;
    const LARGEST_EXPONENT: f64 = (1_u64 << 45) as f64;
    const LARGEST_SUM: f64 = (1_u64 << 49) as f64;
    // By interpolation at Chebyshev nodes: 2^f to 2e-17.
    const POWER_OF_TWO: &'static [f64] = &[
        std::f64::consts::LN_2,
        0.240_226_506_959_100_97,
        0.055_504_108_664_821_6,
        0.009_618_129_107_606_888,
        0.001_333_355_814_641_693_6,
        0.000_154_035_304_417_360_5,
        1.525_273_382_983_612e-5,
        1.321_544_258_792_169e-6,
        1.017_806_244_584_577_4e-7,
        7.072_585_949_269_223e-9,
        4.454_960_598_186_518_6e-10,
    ];
    // Leaves 3e-17.
    const LOGARITHM: &'static [f64] =
        &[2.0, 2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0, 2.0 / 11.0, 2.0 / 13.0, 2.0 / 15.0, 2.0 / 17.0, 2.0 / 19.0];
    // Leaves 4e-18.
    const EXPONENTIAL: &'static [f64] = &[
        1.0,
        1.0,
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5_040.0,
        1.0 / 40_320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
        1.0 / 39_916_800.0,
        1.0 / 479_001_600.0,
        1.0 / 6_227_020_800.0,
    ];
    const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
    const EXPONENTIAL_RANGE: [f64; 2] = [-708.0, 709.0];
    const LEAST_OF_LOGARITHM: f64 = 1.597_760_465_564_477e-34;

    fn blocks_to_normalise(lanes: usize) -> usize {
        64 / lanes
    }
}

/// An exponent of 2 beside a number: an integer, or where those are slow an integer that is a float64.
pub trait Exponent: Copy + Default + PartialEq + Send + Sync + 'static + sealed::Plain {
    /// The exponent of "nothing": less than that of any path.
    const NOTHING: Self;
    /// The exponent of 1.
    const ZERO: Self;
    /// As a float64.
    fn to_f64(self) -> f64;
}

impl Exponent for i32 {
    const NOTHING: Self = -(1 << 30);
    const ZERO: Self = 0;
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Exponent for i64 {
    const NOTHING: Self = -(1 << 50);
    const ZERO: Self = 0;
    fn to_f64(self) -> f64 {
        self as f64
    }
}

impl Exponent for f64 {
    const NOTHING: Self = -((1_u64 << 50) as f64);
    const ZERO: Self = 0.0;
    fn to_f64(self) -> f64 {
        self
    }
}

mod sealed {
    /// Types of which any bits are a value.
    pub trait Plain {}
    impl Plain for f32 {}
    impl Plain for f64 {}
    impl Plain for i32 {}
    impl Plain for i64 {}
}
