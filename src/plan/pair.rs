//! Two sequences and the recursion that aligns them, checked, and the numbers that come of it.

use crate::band::Band;
use crate::error::Error;
use crate::kernel::Moments;
use crate::kernel::hard::path::HardPath;
use crate::real::Real;
use crate::shape::Shape;
use crate::weights::StepWeights;

/// The settings of the recursion: all it needs beside the costs.
#[derive(Clone, Debug)]
pub struct Recursion {
    /// gamma; 0 is hard DTW.
    pub gamma: f64,
    /// The step weights.
    pub weights: StepWeights,
    /// A global constraint on the path.
    pub band: Option<Band>,
}

impl Recursion {
    /// Checks gamma.
    pub fn new(gamma: f64, weights: StepWeights, band: Option<Band>) -> Result<Self, Error> {
        if !(gamma.is_finite() && gamma >= 0.0) {
            return Err(Error::argument(
                "gamma",
                format!("is {gamma}; gamma is finite and not negative (0 is hard DTW)"),
            ));
        }
        Ok(Self { gamma, weights, band })
    }
}

/// Two sequences.
#[derive(Clone, Copy)]
pub struct Pair<'a, F> {
    /// Predictions (N,D), row-major.
    pub x: &'a [F],
    /// Targets (M,D), row-major.
    pub y: &'a [F],
    /// N and M.
    pub shape: Shape,
    /// D.
    pub d: usize,
}

impl<'a, F: Real> Pair<'a, F> {
    /// The pair itself if R is its type.
    pub fn cast<R: Real>(self) -> Option<Pair<'a, R>> {
        Some(Pair { x: F::cast(self.x)?, y: F::cast(self.y)?, shape: self.shape, d: self.d })
    }
}

impl<'a, F> Pair<'a, F> {
    /// Checks D against the lengths of the slices.
    pub fn new(x: &'a [F], y: &'a [F], shape: Shape, d: usize) -> Result<Self, Error> {
        if d == 0 {
            return Err(Error::argument("x", "has no features (D = 0); at least one is needed"));
        }
        for (name, sequence, frames) in [("x", x, shape.n), ("y", y, shape.m)] {
            if frames.checked_mul(d) != Some(sequence.len()) {
                return Err(Error::argument(
                    name,
                    format!("has {} entries, which is not {frames} frames of {d} features", sequence.len()),
                ));
            }
        }
        Ok(Self { x, y, shape, d })
    }
}

/// The resulting numbers of one pair; arrays lie in the [`Outputs`](crate::readout::Outputs).
pub struct Alignment {
    /// D(N,M).
    pub value: f64,
    /// Entropy and the gradient of the step weights, when asked for.
    pub moments: Option<Moments>,
    /// The entropy of the distribution of paths, when asked for.
    pub entropy: Option<f64>,
    /// The hard path, when asked for.
    pub path: Option<HardPath>,
}
