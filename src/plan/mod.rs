//! One pair from sequences (or a cost matrix) to results: chooses the cost, the band and the sweep.

mod beyond_range;
pub mod float32;
pub mod tangent;

use self::float32::Float32;
use crate::band::Band;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::cost::{CostMatrix, CostRows, WeightedCost};
use crate::error::Error;
use crate::kernel::Moments;
use crate::kernel::hard::{self, HardPath};
use crate::kernel::rowwise::{self, Scratch as RowwiseScratch, Sweep};
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::readout::{Features, Outputs, Readout};
use crate::real::Real;
use crate::shape::Shape;
use crate::weights::StepWeights;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct Scratch {
    rowwise: RowwiseScratch,
    float32: float32::Scratch,
    /// The most that a pair has needed of it.
    bytes: usize,
}

impl Scratch {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes + self.float32.bytes()
    }
}

/// What the recursion needs beside the costs.
#[derive(Clone, Debug)]
pub struct Recursion {
    /// 0 is hard DTW.
    pub gamma: f64,
    /// Step weights.
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

/// Below this 1/gamma comes near the end of float64.
const LEAST_GAMMA: f64 = 1e-290;

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

/// The numbers of one pair; arrays lie in the [`Outputs`].
pub struct Alignment {
    /// D(N,M).
    pub value: f64,
    /// When asked for.
    pub moments: Option<Moments>,
    /// When asked for.
    pub entropy: Option<f64>,
    /// When asked for.
    pub path: Option<HardPath>,
}

/// Aligns two sequences; `team` holds the threads for a large pair.
pub fn align_pair<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut Scratch,
) -> Result<Alignment, Error> {
    let Pair { x, y, shape, d } = pair;
    if cost.cost.has_modified_targets() {
        let found = float32::align_pair(pair, cost, recursion, outputs, team, &mut scratch.float32)?;
        if let (Some(Float32 { value, entropy }), false) = (found, outputs.path) {
            return Ok(Alignment { value, moments: None, entropy, path: None });
        }
        let form = InnerProduct::new(cost, x, y, d);
        if let Some(found) = found {
            return with_hard_path(found, &form, shape, recursion, outputs);
        }
        let features = Features::InnerProduct { form: &form, cost, x, y, d };
        align(&form, features, shape, recursion, outputs, scratch)
    } else {
        let distance = Distance::new(cost, x, y, d);
        let features = Features::Distance { distance: &distance, d };
        align(&distance, features, shape, recursion, outputs, scratch)
    }
}

/// Aligns by a cost matrix that the caller has; `team` holds the threads for a large pair.
pub fn align_costs<F: Real>(
    costs: CostMatrix<'_, F>,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut Scratch,
) -> Result<Alignment, Error> {
    let CostMatrix { costs: entries, stride } = costs;
    let value = float32::align_costs(entries, stride, shape, recursion, outputs, team, &mut scratch.float32)?;
    if let Some(value) = value {
        return with_hard_path(Float32 { value, entropy: None }, &costs, shape, recursion, outputs);
    }
    align(&costs, Features::None, shape, recursion, outputs, scratch)
}

/// The result of the float32 route, which takes no bands, with the hard path where it is asked for.
fn with_hard_path<F, C: CostRows>(
    Float32 { value, entropy }: Float32,
    costs: &C,
    shape: Shape,
    recursion: &Recursion,
    outputs: &Outputs<'_, F>,
) -> Result<Alignment, Error> {
    if outputs.path {
        ask_for_memory(hard::bytes(shape))?;
    }
    let path = outputs.path.then(|| hard::align(costs, shape, None, recursion.weights));
    Ok(Alignment { value, moments: None, entropy, path })
}

fn align<F: Real, C: CostRows>(
    costs: &C,
    features: Features<'_, F>,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    scratch: &mut Scratch,
) -> Result<Alignment, Error> {
    let Recursion { gamma, weights, band } = *recursion;
    let columns = band.map(|band| band.columns(shape)).transpose()?;
    let band = columns.as_deref();
    let (needs_rows, needs_moments) = (outputs.needs_alignment(), outputs.moments || outputs.entropy);
    let (wants_moments, wants_entropy) = (outputs.moments, outputs.entropy);
    if gamma == 0.0 || outputs.path {
        ask_for_memory(hard::bytes(shape))?;
    }
    if gamma > 0.0 && needs_rows {
        scratch.bytes = scratch.bytes.max(rowwise::bytes(shape));
        ask_for_memory(rowwise::bytes(shape))?;
    }
    let mut path = (gamma == 0.0 || outputs.path).then(|| hard::align(costs, shape, band, weights));
    let mut moments = Moments::default();
    let mut readout = Readout::new(features, outputs, shape);
    let value = match &path {
        Some(hard) if gamma == 0.0 => {
            if needs_rows {
                hard.emit_rows(shape, weights, &mut readout);
            }
            moments = hard.moments;
            hard.value
        }
        _ => {
            let sweep = Sweep { costs, shape, band, gamma, weights };
            let wanted = needs_moments.then_some(&mut moments);
            let swept = if gamma < LEAST_GAMMA {
                None
            } else if needs_rows {
                sweep.align(&mut scratch.rowwise, &mut readout, wanted)
            } else {
                sweep.value(&mut scratch.rowwise)
            };
            match swept {
                Some(value) => value,
                None => {
                    ask_for_memory(beyond_range::bytes(shape))?;
                    beyond_range::align(costs, shape, band, (gamma, weights), &mut readout, &mut moments)
                }
            }
        }
    };
    if value.is_nan() {
        readout.poison();
        moments = Moments { entropy: f64::NAN, step_weights_grad: [f64::NAN; 3] };
    } else if value == f64::INFINITY {
        return Err(no_path(shape, band.is_some()));
    } else {
        readout.finish();
    }
    Ok(Alignment {
        value,
        moments: wants_moments.then_some(moments),
        entropy: wants_entropy.then_some(moments.entropy),
        path: path.take(),
    })
}

/// Finds out whether so much memory can be had, while it is still possible to say no.
fn ask_for_memory(bytes: usize) -> Result<(), Error> {
    let worth_asking = 16 << 20;
    if bytes > worth_asking && Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        return Err(Error::Memory { bytes });
    }
    Ok(())
}

/// As many zeros, if memory for them can be had.
pub fn zeros<F: Real>(count: usize) -> Result<Vec<F>, Error> {
    ask_for_memory(count.saturating_mul(size_of::<F>()))?;
    Ok(vec![F::default(); count])
}

fn no_path(Shape { n, m }: Shape, banded: bool) -> Error {
    let within = if banded { " within the band" } else { "" };
    Error::NoPath {
        message: format!(
            "no path: +inf costs forbid every warping path from the first cell to the last of the {n} x {m} cost matrix{within}; \
             leave at least one path finite"
        ),
    }
}
