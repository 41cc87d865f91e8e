//! One model from costs to results.

use super::backward::Backward;
use super::checkpoints::{RowsFromLast, sweep};
use super::minimum::{Hardmin, Softmin, SoftminOfSums};
use super::model::Model;
use super::outputs::{ModelOutputs, ModelReadout};
use super::path::{LeastPath, least_path};
use crate::cost::CostRows;
use crate::error::Error;
use crate::readout::Features;
use crate::real::Real;
use crate::shape::Shape;

/// Below this 1/gamma comes near the end of float64.
const LEAST_GAMMA: f64 = 1e-290;

/// The resulting numbers; arrays lie in the [`ModelOutputs`].
pub struct ModelAlignment {
    /// The value; NaN where a cost is not a number.
    pub value: f64,
    /// The entropy of the distribution of paths, when asked for: -dvalue/dgamma.
    pub entropy: Option<f64>,
    /// The path of least cost, which is the most probable one at any gamma, when asked for.
    pub path: Option<LeastPath>,
}

/// Aligns by `costs`; `features` are the sequences behind them, for their gradients.
pub fn align<F: Real, C: CostRows>(
    model: &Model<'_>,
    costs: &C,
    features: Features<'_, F>,
    outputs: &mut ModelOutputs<'_, F>,
) -> Result<ModelAlignment, Error> {
    model.check()?;
    let (needs_rows, wants_path, wants_entropy) =
        (outputs.needs_alignment(), outputs.plain.path, outputs.plain.entropy);
    let path = wants_path.then(|| least_path(model, costs)).transpose()?;
    let mut readout = ModelReadout::new(model, costs, features, outputs);
    let mut backward = Backward::new(model, &mut readout, wants_entropy)?;
    let value = value_by_rows(model, costs, needs_rows.then_some(&mut backward))?;
    let entropy = backward.entropy();
    if value.is_nan() {
        readout.poison();
        return Ok(ModelAlignment { value, entropy: entropy.map(|_| value), path });
    }
    if value == f64::INFINITY {
        return Err(no_path(model.shape));
    }
    readout.finish();
    Ok(ModelAlignment { value, entropy, path })
}

fn value_by_rows<C: CostRows>(
    model: &Model<'_>,
    costs: &C,
    mut rows: Option<&mut (impl RowsFromLast + Sized)>,
) -> Result<f64, Error> {
    fn dynamic<R: RowsFromLast>(rows: &mut R) -> &mut dyn RowsFromLast {
        rows
    }
    let gamma = model.gamma;
    let value = if gamma == 0.0 {
        sweep(model, costs, Hardmin, rows.as_deref_mut().map(dynamic))?
    } else if gamma < LEAST_GAMMA {
        None
    } else {
        sweep(model, costs, Softmin::new(gamma), rows.as_deref_mut().map(dynamic))?
    };
    match value {
        Some(value) => Ok(value),
        None => {
            let value = sweep(model, costs, SoftminOfSums { gamma }, rows.map(dynamic))?;
            Ok(value.expect("sums have no exponents"))
        }
    }
}

fn no_path(Shape { n, m }: Shape) -> Error {
    Error::NoPath {
        message: format!(
            "no path: steps, penalties, entries, exits or +inf costs forbid every path through the {n} x {m} cost matrix; \
             leave at least one path finite"
        ),
    }
}
