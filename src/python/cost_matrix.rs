//! The cost matrix of one pair.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use super::arguments::{pair, precision_error, weighted_cost};
use super::arrays::{FreshArray, read};
use crate::cost::WeightedCost;
use crate::cost::cost_matrix::write_cost_matrix;
use crate::plan::Pair;
use crate::real::Real;

fn costs_of<'py, F: Real + Element>(
    py: Python<'py>,
    x: &PyReadonlyArray2<'py, F>,
    y: &PyReadonlyArray2<'py, F>,
    cost: &WeightedCost,
) -> PyResult<Bound<'py, PyAny>> {
    let Pair { x, y, shape, d } = pair(x, y, cost)?;
    let mut costs = FreshArray::zeros(py, &[shape.n, shape.m])?;
    let out = costs.entries_mut();
    py.detach(|| write_cost_matrix(cost, x, y, d, out));
    Ok(costs.into_array().into_any())
}

#[pyfunction]
#[pyo3(signature = (x, y, *, cost, feature_weights, pos_weight))]
pub fn cost_matrix<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    cost: &str,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
) -> PyResult<Bound<'py, PyAny>> {
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    if let (Some(x), Some(y)) = (read::<f32, _>(&x), read::<f32, _>(&y)) {
        costs_of(py, &x, &y, &cost)
    } else if let (Some(x), Some(y)) = (read::<f64, _>(&x), read::<f64, _>(&y)) {
        costs_of(py, &x, &y, &cost)
    } else {
        Err(precision_error("x, y"))
    }
}
