//! Modified targets and gradients of the sequences by an alignment that is known.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{RequestedOutputs, pair, precision_error, weighted_cost};
use super::arrays::{FreshArray, read};
use crate::cost::WeightedCost;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::error::Error;
use crate::plan::Pair;
use crate::readout::{Features, Outputs, read_known};
use crate::real::Real;

fn read_pair<'py, F: Real + Element>(
    py: Python<'py>,
    (x, y): (&PyReadonlyArray2<'py, F>, &PyReadonlyArray2<'py, F>),
    alignment: &PyReadonlyArray2<'py, f64>,
    cost: &WeightedCost,
    requested: RequestedOutputs,
) -> PyResult<Bound<'py, PyDict>> {
    let Pair { x, y, shape, d, .. } = pair(x, y, cost)?;
    let alignment = alignment.as_array();
    if alignment.dim() != (shape.n, shape.m) {
        let message = format!("has shape {:?}; (N,M) = ({}, {}) is accepted", alignment.dim(), shape.n, shape.m);
        return Err(Error::argument("alignment", message).into());
    }
    let array = |wanted: bool, frames: usize| wanted.then(|| FreshArray::<F>::zeros(py, &[frames, d])).transpose();
    let mut y_mod = array(requested.y_mod, shape.n)?;
    let mut x_grad = array(requested.x_grad, shape.n)?;
    let mut y_grad = array(requested.y_grad, shape.m)?;
    let mut outputs = Outputs {
        y_mod: y_mod.as_mut().map(FreshArray::entries_mut),
        x_grad: x_grad.as_mut().map(FreshArray::entries_mut),
        y_grad: y_grad.as_mut().map(FreshArray::entries_mut),
        ..Outputs::default()
    };
    let write_row = |n: usize, row: &mut [f64]| row.iter_mut().zip(alignment.row(n)).for_each(|(to, from)| *to = *from);
    py.detach(|| {
        if cost.cost.has_modified_targets() {
            let form = InnerProduct::new(cost, x, y, d);
            let features = Features::InnerProduct { form: &form, cost, x, y, d };
            read_known(features, shape, &mut outputs, write_row);
        } else {
            let distance = Distance::new(cost, x, y, d);
            read_known(Features::Distance { distance: &distance, d }, shape, &mut outputs, write_row);
        }
    });
    let result = PyDict::new(py);
    for (name, array) in [("y_mod", y_mod), ("x_grad", x_grad), ("y_grad", y_grad)] {
        if let Some(array) = array {
            result.set_item(name, array.into_array())?;
        }
    }
    Ok(result)
}

#[pyfunction]
#[pyo3(signature = (x, y, alignment, *, cost, feature_weights, pos_weight, outputs))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn read_alignment<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    alignment: PyReadonlyArray2<'py, f64>,
    cost: &str,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    outputs: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = RequestedOutputs::parse(&outputs)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    if let (Some(x), Some(y)) = (read::<f32, _>(&x), read::<f32, _>(&y)) {
        read_pair(py, (&x, &y), &alignment, &cost, requested)
    } else if let (Some(x), Some(y)) = (read::<f64, _>(&x), read::<f64, _>(&y)) {
        read_pair(py, (&x, &y), &alignment, &cost, requested)
    } else {
        Err(precision_error("x, y"))
    }
}
