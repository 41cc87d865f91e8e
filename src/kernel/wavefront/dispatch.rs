//! The instruction sets by which a wavefront can run, chosen at run time.
//!
//! `WARPLENS_SIMD` forces one: "portable", "avx2", "avx512", "neon", or "off" for [`crate::kernel::rowwise`] alone. Otherwise
//! AVX-512 is taken where the machine has it, else AVX2 with FMA, and NEON on 64-bit ARM. Without any, pairs go row by row in float64.
//!
//! Each set has lanes of float32 and of float64. At first use the chosen one aligns a small fixed pair in both precisions, and
//! is dropped if it differs from the portable lanes.

use std::sync::OnceLock;

use super::form::{self, PairForm};
use super::hard::{self, HardCosts, HardJob, HardScratch};
use super::job::Job;
use super::pair::{self, Costs, SweepOutput, WavefrontScratch};
use super::thread_team::ThreadTeam;
use super::tiles::distance::{self, DistanceSlices};
use super::tiles::matrix::{self, LargestCost};
use crate::cost::{Cost, WeightedCost};
use crate::matrix::MatrixMut;
use crate::real::Real;
use crate::scaled::Scaled;
use crate::shape::Shape;
#[cfg(target_arch = "aarch64")]
use crate::simd::neon::Neon;
use crate::simd::portable::Portable;
use crate::simd::{Lanes, Number};
#[cfg(target_arch = "x86_64")]
use crate::simd::{avx2::Avx2, avx512::Avx512};
use crate::weights::StepWeights;

/// Work that is written for any lanes of the numbers `R`.
pub trait LaneWork<R> {
    /// The result.
    type Output;

    /// Does the work on these lanes.
    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) -> Self::Output;
}

/// Numbers that each set has lanes of.
pub trait OnLanes: Number {
    /// Does the work on the lanes of a set, which this machine must have.
    fn run_on<W: LaneWork<Self>>(set: InstructionSet, work: W) -> W::Output;
}

/// Implements [`OnLanes`] for numbers of which portable lanes hold so many in 32 and in 64 bytes.
macro_rules! on_lanes {
    ($number:ty, $half:literal, $whole:literal) => {
        impl OnLanes for $number {
            fn run_on<W: LaneWork<Self>>(set: InstructionSet, work: W) -> W::Output {
                let missing = || -> ! { panic!("{set:?} is not available") };
                match set {
                    InstructionSet::Portable => work.run(Portable::<$number, $half>::new()),
                    #[cfg(test)]
                    InstructionSet::WidePortable => work.run(Portable::<$number, $whole>::new()),
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx2 => work.run(Avx2::<$number>::detect().unwrap_or_else(|| missing())),
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx512 => work.run(Avx512::<$number>::detect().unwrap_or_else(|| missing())),
                    #[cfg(target_arch = "aarch64")]
                    InstructionSet::Neon => work.run(Neon::<$number>::detect().unwrap_or_else(|| missing())),
                }
            }
        }
    };
}

on_lanes!(f32, 8, 16);
on_lanes!(f64, 4, 8);

/// A set of instructions that lanes run by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// Plain Rust on as many lanes as AVX2 has.
    Portable,
    /// Plain Rust on as many lanes as AVX-512 has: its order of steps on any machine, for the tests of the crate alone.
    #[cfg(test)]
    WidePortable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F and AVX-512DQ.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON, of 64-bit ARM.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl InstructionSet {
    /// All sets, by the names that `WARPLENS_SIMD` takes.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("portable", Self::Portable),
        #[cfg(test)]
        ("wide-portable", Self::WidePortable),
        #[cfg(target_arch = "x86_64")]
        ("avx2", Self::Avx2),
        #[cfg(target_arch = "x86_64")]
        ("avx512", Self::Avx512),
        #[cfg(target_arch = "aarch64")]
        ("neon", Self::Neon),
    ];

    /// Sets that are taken unasked, the first that the machine has.
    const BY_DEFAULT: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
    ];

    /// The name that `WARPLENS_SIMD` takes.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, set)| *set == self).map_or("", |(name, _)| name)
    }

    /// Tells if this machine has the set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(test)]
            Self::WidePortable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::<f32>::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::<f32>::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::<f32>::detect().is_some(),
        }
    }

    /// The set that this process aligns pairs by; `None`: no lanes.
    pub fn chosen() -> Option<Self> {
        static CHOSEN: OnceLock<Option<InstructionSet>> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let wanted: Vec<Self> = match std::env::var("WARPLENS_SIMD") {
                Ok(name) if !name.is_empty() => {
                    Self::ALL.iter().filter(|(known, _)| *known == name).map(|&(_, set)| set).collect()
                }
                _ => Self::BY_DEFAULT.to_vec(),
            };
            wanted.into_iter().find(|set| {
                set.is_available()
                    && set.agrees_with_portable::<f32>()
                    && set.agrees_with_portable::<f64>()
                    && set.agrees_on_ties()
            })
        })
    }

    /// Runs one job, if this machine has the set.
    pub fn run<R: OnLanes>(
        self,
        job: Job<'_>,
        costs: Costs<'_, R>,
        output: SweepOutput<'_, '_, R>,
        scratch: &mut WavefrontScratch<R>,
    ) -> Scaled {
        R::run_on(self, RunPair { job, costs, output, scratch })
    }

    /// Runs [`hard::run`] on this set.
    pub fn run_hard<F: Real>(
        self,
        job: HardJob<'_>,
        costs: HardCosts<'_, F>,
        tiles: &mut WavefrontScratch<f64>,
        scratch: &mut HardScratch,
    ) -> Option<f64> {
        f64::run_on(self, RunHard { job, costs, tiles, scratch })
    }

    /// Runs [`matrix::largest`] on this set.
    pub fn largest<R: OnLanes>(self, costs: &[R], stride: usize, shape: Shape) -> LargestCost {
        R::run_on(self, Largest { costs, stride, shape })
    }

    /// Runs [`distance::largest`] on this set.
    pub fn largest_distance<R: OnLanes>(self, slices: DistanceSlices<'_, R>) -> f64 {
        R::run_on(self, LargestDistance { slices })
    }

    /// Runs [`form::prepare`] on this set.
    pub fn prepare<R: OnLanes>(self, cost: &WeightedCost, x: &[R], y: &[R], d: usize, form: &mut PairForm<R>) -> bool {
        R::run_on(self, Prepare { cost, x, y, d, form })
    }

    /// Runs [`form::x_gradient`] on this set; the form is that of the same pair and cost.
    pub fn x_gradient<R: OnLanes>(
        self,
        cost: Cost,
        x: &[R],
        form: &PairForm<R>,
        products: (&[R], &[R]),
        out: &mut [R],
    ) {
        assert!(out.len() == x.len() && products.1.len() == x.len());
        R::run_on(self, XGradient { cost, x, form, products, out });
    }

    /// Runs [`form::y_gradient`] on this set; the form is that of the same pair and cost.
    pub fn y_gradient<R: OnLanes>(
        self,
        cost: Cost,
        y: &[R],
        form: &PairForm<R>,
        products: (&[R], &[R]),
        out: &mut [R],
    ) {
        assert!(out.len() == y.len() && products.1.len() == y.len());
        R::run_on(self, YGradient { cost, y, form, products, out });
    }

    /// Tells if the set gives the H of the portable lanes on a small pair that has every kind of block.
    fn agrees_with_portable<R: OnLanes>(self) -> bool {
        let (n, m) = (45, 37);
        let costs: Vec<R> = (0..n * m).map(|k| R::from_f64(((k * 7919) % 101) as f64 * 0.13)).collect();
        let weights = StepWeights { horizontal: 0.1, vertical: 1.0, diagonal: 0.7 };
        let shape = Shape { n, m };
        let align = |set: Self| {
            let mut h = vec![R::default(); n * m];
            let job = Job::new(shape, 0.7, weights, ThreadTeam::ALONE);
            let mut matrix = MatrixMut { entries: &mut h, stride: m };
            let costs = Costs::Matrix { costs: &costs, stride: m };
            let end = set.run(job, costs, SweepOutput::Matrix(&mut matrix), &mut WavefrontScratch::default());
            (end.ln(), h)
        };
        let ((value, h), (portable_value, portable_h)) = (align(self), align(Self::Portable));
        // 1e-3 and 1e-4 in float32.
        let (of_value, of_h) = (R::ROUNDING * 16_800.0, R::ROUNDING * 1_680.0);
        (value - portable_value).abs() < of_value
            && h.iter().zip(&portable_h).all(|(a, b)| (a.to_f64() - b.to_f64()).abs() < of_h)
    }

    /// Tells if the set gives the path of the portable lanes on a small pair of many ties.
    fn agrees_on_ties(self) -> bool {
        let shape = Shape { n: 45, m: 37 };
        let costs: Vec<f64> = (0..shape.cells()).map(|k| ((k * 7919) % 3) as f64).collect();
        let job = HardJob { shape, weights: StepWeights::UNIT, band: None, keeps_steps: true };
        let path = |set: Self| {
            let (tiles, scratch) = (&mut WavefrontScratch::default(), &mut HardScratch::default());
            let value = set.run_hard(job, HardCosts::Matrix { costs: &costs[..], stride: shape.m }, tiles, scratch);
            value.map(|value| scratch.path(value, shape))
        };
        path(self) == path(Self::Portable)
    }
}

struct RunPair<'a, 'b, 'o, R> {
    job: Job<'a>,
    costs: Costs<'b, R>,
    output: SweepOutput<'b, 'o, R>,
    scratch: &'b mut WavefrontScratch<R>,
}

impl<R: Number> LaneWork<R> for RunPair<'_, '_, '_, R> {
    type Output = Scaled;

    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) -> Scaled {
        pair::run(lanes, self.job, self.costs, self.output, self.scratch)
    }
}

struct RunHard<'a, 'b, F> {
    job: HardJob<'a>,
    costs: HardCosts<'b, F>,
    tiles: &'b mut WavefrontScratch<f64>,
    scratch: &'b mut HardScratch,
}

impl<F: Real> LaneWork<f64> for RunHard<'_, '_, F> {
    type Output = Option<f64>;

    fn run<V: Lanes<L, Real = f64>, const L: usize>(self, lanes: V) -> Option<f64> {
        hard::run(lanes, self.job, self.costs, self.tiles, self.scratch)
    }
}

struct Largest<'a, R> {
    costs: &'a [R],
    stride: usize,
    shape: Shape,
}

impl<R: Number> LaneWork<R> for Largest<'_, R> {
    type Output = LargestCost;

    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) -> LargestCost {
        matrix::largest(lanes, self.costs, self.stride, self.shape)
    }
}

struct LargestDistance<'a, R> {
    slices: DistanceSlices<'a, R>,
}

impl<R: Number> LaneWork<R> for LargestDistance<'_, R> {
    type Output = f64;

    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) -> f64 {
        distance::largest(lanes, self.slices)
    }
}

struct Prepare<'a, R> {
    cost: &'a WeightedCost,
    x: &'a [R],
    y: &'a [R],
    d: usize,
    form: &'a mut PairForm<R>,
}

impl<R: Number> LaneWork<R> for Prepare<'_, R> {
    type Output = bool;

    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) -> bool {
        form::prepare(lanes, self.cost, self.x, self.y, self.d, self.form)
    }
}

struct XGradient<'a, R> {
    cost: Cost,
    x: &'a [R],
    form: &'a PairForm<R>,
    products: (&'a [R], &'a [R]),
    out: &'a mut [R],
}

impl<R: Number> LaneWork<R> for XGradient<'_, R> {
    type Output = ();

    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) {
        form::x_gradient(lanes, self.cost, self.x, self.form, self.products, self.out);
    }
}

struct YGradient<'a, R> {
    cost: Cost,
    y: &'a [R],
    form: &'a PairForm<R>,
    products: (&'a [R], &'a [R]),
    out: &'a mut [R],
}

impl<R: Number> LaneWork<R> for YGradient<'_, R> {
    type Output = ();

    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) {
        form::y_gradient(lanes, self.cost, self.y, self.form, self.products, self.out);
    }
}
