//! The slow path of soft DTW: row by row in float64, for any band, mask, range and output.

use super::beyond_range;
use super::memory::ask_for_memory;
use super::pair::{Alignment, Recursion};
use crate::cost::CostRows;
use crate::error::Error;
use crate::kernel::Moments;
use crate::kernel::rowwise::{self, RowwiseScratch, RowwiseSweep};
use crate::readout::{Features, Outputs, Readout};
use crate::real::Real;
use crate::shape::Shape;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub(super) struct RowsScratch {
    rowwise: RowwiseScratch,
    /// The most that a pair has needed of it.
    bytes: usize,
}

impl RowsScratch {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Below this 1/gamma comes near the end of float64.
pub(super) const LEAST_GAMMA: f64 = 1e-290;

/// Aligns one pair by the rows of its costs at gamma > 0; `features` are behind them, for the gradients.
pub(super) fn align<F: Real, C: CostRows>(
    costs: &C,
    features: Features<'_, F>,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    scratch: &mut RowsScratch,
) -> Result<Alignment, Error> {
    let Recursion { gamma, weights, band } = *recursion;
    let columns = band.map(|band| band.columns(shape)).transpose()?;
    let band = columns.as_deref();
    let (needs_rows, needs_moments) = (outputs.needs_alignment(), outputs.moments || outputs.entropy);
    let (wants_moments, wants_entropy) = (outputs.moments, outputs.entropy);
    if needs_rows {
        scratch.bytes = scratch.bytes.max(rowwise::bytes(shape));
        ask_for_memory(rowwise::bytes(shape))?;
    }
    let mut moments = Moments::default();
    let mut readout = Readout::new(features, outputs, shape);
    let sweep = RowwiseSweep { costs, shape, band, gamma, weights };
    let wanted = needs_moments.then_some(&mut moments);
    let swept = if gamma < LEAST_GAMMA {
        None
    } else if needs_rows {
        sweep.align(&mut scratch.rowwise, &mut readout, wanted)
    } else {
        sweep.value(&mut scratch.rowwise)
    };
    let value = match swept {
        Some(value) => value,
        None => {
            ask_for_memory(beyond_range::bytes(shape))?;
            beyond_range::align(costs, shape, band, (gamma, weights), &mut readout, &mut moments)
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
        path: None,
    })
}

/// The error of a pair without a path, within a band that alone would leave one.
pub(super) fn no_path(Shape { n, m }: Shape, banded: bool) -> Error {
    let within = if banded { " within the band" } else { "" };
    Error::NoPath {
        message: format!(
            "no path: +inf costs forbid every warping path from the first cell to the last of the {n} x {m} cost matrix{within}; \
             leave at least one path finite"
        ),
    }
}
