//! The instruction sets by which a wavefront can run, chosen at run time.
//!
//! `WARPLENS_SIMD` forces one: "portable8", "portable16", "avx2", "avx512", or "off" for [`crate::kernel::rowwise`]
//! alone. Otherwise AVX-512 is taken where the machine has it, else AVX2 with FMA; without either, pairs go row by row
//! in float64.
//!
//! At first use the chosen set aligns a small fixed pair, and is dropped if it differs from the portable lanes.

use std::sync::OnceLock;

use super::form::{self, PairForm};
use super::job::Job;
use super::pair::{self, Costs, SweepOutput, WavefrontScratch};
use super::thread_team::ThreadTeam;
use super::tiles::matrix;
use crate::cost::{Cost, WeightedCost};
use crate::matrix::MatrixMut;
use crate::scaled::Scaled;
use crate::shape::Shape;
use crate::simd::portable::Portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::{avx2::Avx2, avx512::Avx512};
use crate::weights::StepWeights;

/// Evaluates an expression with the token of the lanes of a set, which this machine must have.
macro_rules! with_lanes {
    ($set:expr, $lanes:ident => $work:expr) => {{
        let set = $set;
        let missing = || -> ! { panic!("{set:?} is not available") };
        match set {
            InstructionSet::Portable8 => {
                let $lanes = Portable::<f32, 8>::new();
                $work
            }
            InstructionSet::Portable16 => {
                let $lanes = Portable::<f32, 16>::new();
                $work
            }
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => {
                let $lanes = Avx2::<f32>::detect().unwrap_or_else(|| missing());
                $work
            }
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => {
                let $lanes = Avx512::<f32>::detect().unwrap_or_else(|| missing());
                $work
            }
            #[cfg(not(target_arch = "x86_64"))]
            InstructionSet::Avx2 | InstructionSet::Avx512 => missing(),
        }
    }};
}

/// A way to run lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// Plain Rust on 8 lanes.
    Portable8,
    /// Plain Rust on 16 lanes.
    Portable16,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
}

impl InstructionSet {
    /// All, by the names that `WARPLENS_SIMD` takes.
    pub const ALL: [(&'static str, Self); 4] = [
        ("portable8", Self::Portable8),
        ("portable16", Self::Portable16),
        ("avx2", Self::Avx2),
        ("avx512", Self::Avx512),
    ];

    /// The name that `WARPLENS_SIMD` takes.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, set)| *set == self).map_or("", |(name, _)| name)
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable8 | Self::Portable16 => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::<f32>::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::<f32>::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The set that pairs go by in this process; `None`: no lanes.
    pub fn chosen() -> Option<Self> {
        static CHOSEN: OnceLock<Option<InstructionSet>> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let wanted: Vec<Self> = match std::env::var("WARPLENS_SIMD") {
                Ok(name) if !name.is_empty() => {
                    Self::ALL.iter().filter(|(known, _)| *known == name).map(|&(_, set)| set).collect()
                }
                _ => vec![Self::Avx512, Self::Avx2],
            };
            wanted.into_iter().find(|set| set.is_available() && set.agrees_with_portable())
        })
    }

    /// Runs one job, if this machine has the set.
    pub fn run(
        self,
        job: Job<'_>,
        costs: Costs<'_, f32>,
        output: SweepOutput<'_, '_, f32>,
        scratch: &mut WavefrontScratch<f32>,
    ) -> Scaled {
        with_lanes!(self, lanes => pair::run(lanes, job, costs, output, scratch))
    }

    /// [`matrix::largest`] on this set.
    pub fn largest(self, costs: &[f32], stride: usize, shape: Shape) -> f64 {
        with_lanes!(self, lanes => matrix::largest(lanes, costs, stride, shape))
    }

    /// [`form::prepare`] on this set.
    pub fn prepare(self, cost: &WeightedCost, x: &[f32], y: &[f32], d: usize, form: &mut PairForm<f32>) -> bool {
        with_lanes!(self, lanes => form::prepare(lanes, cost, x, y, d, form))
    }

    /// [`form::read_out`] on this set; the form is that of the same pair and cost.
    pub fn read_out(
        self,
        cost: Cost,
        x: &[f32],
        form: &PairForm<f32>,
        products: (&[f32], &[f32]),
        x_grad: Option<&mut [f32]>,
        y_mod: Option<&mut [f32]>,
    ) {
        for out in [&x_grad, &y_mod].into_iter().flatten() {
            assert!(out.len() == x.len() && products.1.len() == x.len() && form.v.len() == x.len());
        }
        with_lanes!(self, lanes => form::read_out(lanes, cost, x, form, products, x_grad, y_mod))
    }

    /// Whether the set gives the H of the portable lanes on a small pair that has every kind of block.
    fn agrees_with_portable(self) -> bool {
        let (n, m) = (45, 37);
        let costs: Vec<f32> = (0..n * m).map(|k| ((k * 7919) % 101) as f32 * 0.13).collect();
        let weights = StepWeights { horizontal: 0.1, vertical: 1.0, diagonal: 0.7 };
        let shape = Shape { n, m };
        let align = |set: Self| {
            let mut h = vec![0.0f32; n * m];
            let job = Job::new(shape, 0.7, weights, ThreadTeam::ALONE);
            let mut matrix = MatrixMut { entries: &mut h, stride: m };
            let costs = Costs::Matrix { costs: &costs, stride: m };
            let end = set.run(job, costs, SweepOutput::Matrix(&mut matrix), &mut WavefrontScratch::default());
            (end.ln(), h)
        };
        let ((value, h), (portable_value, portable_h)) = (align(self), align(Self::Portable8));
        (value - portable_value).abs() < 1e-3 && h.iter().zip(&portable_h).all(|(a, b)| (a - b).abs() < 1e-4)
    }
}
