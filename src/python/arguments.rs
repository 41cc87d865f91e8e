//! Arguments that several entry points share.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::band::Band;
use crate::cost::WeightedCost;
use crate::error::Error;
use crate::plan::{Pair, Recursion};
use crate::shape::Shape;
use crate::weights::StepWeights;

/// Results that are asked for.
#[derive(Clone, Copy, Default)]
pub struct RequestedOutputs {
    pub h: bool,
    pub y_mod: bool,
    pub x_grad: bool,
    pub y_grad: bool,
    pub soft_alignment: bool,
    pub visits: bool,
    pub moments: bool,
    pub entropy: bool,
    pub path: bool,
}

impl RequestedOutputs {
    /// Reads the names of outputs.
    pub fn parse(names: &[String]) -> Result<Self, Error> {
        let mut requested = Self::default();
        for name in names {
            let flag = match name.as_str() {
                "h" => &mut requested.h,
                "y_mod" => &mut requested.y_mod,
                "x_grad" => &mut requested.x_grad,
                "y_grad" => &mut requested.y_grad,
                "H" => &mut requested.soft_alignment,
                "E" => &mut requested.visits,
                "moments" => &mut requested.moments,
                "entropy" => &mut requested.entropy,
                "path" => &mut requested.path,
                _ => return Err(Error::argument("outputs", format!("unknown output {name:?}"))),
            };
            *flag = true;
        }
        Ok(requested)
    }

    /// Refuses what only sequences can give.
    pub fn for_costs(self) -> Result<Self, Error> {
        if self.y_mod || self.x_grad || self.y_grad {
            return Err(Error::argument("outputs", "a cost matrix alone gives no y_mod, x_grad or y_grad"));
        }
        Ok(self)
    }

    /// Refuses what cannot be stacked.
    pub fn for_padded(self) -> Result<Self, Error> {
        if self.path {
            return Err(Error::argument("outputs", "paths differ in length and are not given for padded batches"));
        }
        Ok(self)
    }
}

/// Reads gamma, step weights and band.
pub fn recursion(gamma: f64, step_weights: (f64, f64, f64), band: Option<(String, f64)>) -> Result<Recursion, Error> {
    let (horizontal, vertical, diagonal) = step_weights;
    let band = match band {
        None => None,
        Some((kind, radius)) if kind == "sakoe_chiba" => Some(Band::sakoe_chiba(radius)?),
        Some((kind, slope)) if kind == "itakura" => Some(Band::itakura(slope)?),
        Some((kind, _)) => return Err(Error::argument("band", format!("unknown band {kind:?}"))),
    };
    Recursion::new(gamma, StepWeights::new(horizontal, vertical, diagonal)?, band)
}

/// Reads the name of a cost and its weights.
pub fn weighted_cost(
    cost: &str,
    feature_weights: Option<PyReadonlyArray1<'_, f64>>,
    pos_weight: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<WeightedCost> {
    let owned = |array: Option<PyReadonlyArray1<'_, f64>>| array.map(|array| array.as_array().to_vec());
    Ok(WeightedCost { cost: cost.parse()?, feature_weights: owned(feature_weights), pos_weight: owned(pos_weight) })
}

/// Checks x (N,D) against y (M,D) and D against the weights of the cost.
pub fn pair<'a, F: Element>(
    x: &'a PyReadonlyArray2<'_, F>,
    y: &'a PyReadonlyArray2<'_, F>,
    cost: &WeightedCost,
) -> PyResult<Pair<'a, F>> {
    let ((n, d), (m, d_of_y)) = (x.as_array().dim(), y.as_array().dim());
    if d != d_of_y {
        return Err(Error::argument("y", format!("has {d_of_y} features, x has {d}")).into());
    }
    cost.check_features(d)?;
    Ok(Pair::new(x.as_slice()?, y.as_slice()?, Shape::new(n, m)?, d)?)
}

/// Says that arrays are not what a call takes.
pub fn precision_error(name: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "{name}: every array must be C-contiguous, of one dtype, float32 or float64, and of the right number of dimensions"
    ))
}
