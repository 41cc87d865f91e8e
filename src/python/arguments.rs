//! Arguments that all entry points share.

use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::band::Band;
use crate::cost::WeightedCost;
use crate::error::Error;
use crate::plan::Recursion;
use crate::weights::StepWeights;

/// Names of the results that are asked for.
#[derive(Clone, Copy, Default)]
pub struct Wanted {
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

impl Wanted {
    pub fn parse(names: &[String]) -> Result<Self, Error> {
        let mut wanted = Self::default();
        for name in names {
            let flag = match name.as_str() {
                "h" => &mut wanted.h,
                "y_mod" => &mut wanted.y_mod,
                "x_grad" => &mut wanted.x_grad,
                "y_grad" => &mut wanted.y_grad,
                "H" => &mut wanted.soft_alignment,
                "E" => &mut wanted.visits,
                "moments" => &mut wanted.moments,
                "entropy" => &mut wanted.entropy,
                "path" => &mut wanted.path,
                _ => return Err(Error::argument("outputs", format!("unknown output {name:?}"))),
            };
            *flag = true;
        }
        Ok(wanted)
    }

    /// The same without what only sequences can give.
    pub fn of_costs(self) -> Result<Self, Error> {
        if self.y_mod || self.x_grad || self.y_grad {
            return Err(Error::argument("outputs", "a cost matrix alone gives no y_mod, x_grad or y_grad"));
        }
        Ok(self)
    }

    /// The same where results are stacked.
    pub fn of_padded(self) -> Result<Self, Error> {
        if self.path {
            return Err(Error::argument("outputs", "paths differ in length and are not given for padded batches"));
        }
        if self.entropy {
            return Err(Error::argument("outputs", "padded batches give the entropy among their moments"));
        }
        Ok(self)
    }
}

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

pub fn weighted_cost(
    cost: &str,
    feature_weights: Option<PyReadonlyArray1<'_, f64>>,
    pos_weight: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<WeightedCost> {
    let owned = |array: Option<PyReadonlyArray1<'_, f64>>| array.map(|array| array.as_array().to_vec());
    Ok(WeightedCost { cost: cost.parse()?, feature_weights: owned(feature_weights), pos_weight: owned(pos_weight) })
}

/// What is wrong when arrays are of neither precision.
pub fn precision_error(name: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "{name}: every array must be C-contiguous, of one dtype, float32 or float64, and of the right number of dimensions"
    ))
}
