//! Directional derivatives of value and gradient, for cost matrices padded to one shape (B,N,M).

use numpy::{Ix3, PyArray1, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{precision_error, recursion};
use super::arrays::{FreshArray, read};
use super::padded::shapes;
use super::signals::run_jobs;
use crate::cost::CostMatrix;
use crate::error::Error;
use crate::kernel::tangent::{Direction, Tangent, TangentScratch};
use crate::matrix::MatrixMut;
use crate::plan::tangent::tangent_of_costs;

#[pyfunction]
#[pyo3(signature = (costs, costs_direction, *, x_lengths, y_lengths, gamma, gamma_direction, step_weights, step_weights_direction, band, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn tangent_padded<'py>(
    py: Python<'py>,
    costs: Bound<'py, PyAny>,
    costs_direction: Bound<'py, PyAny>,
    x_lengths: Option<PyReadonlyArray1<'py, i64>>,
    y_lengths: Option<PyReadonlyArray1<'py, i64>>,
    gamma: f64,
    gamma_direction: f64,
    step_weights: (f64, f64, f64),
    step_weights_direction: (f64, f64, f64),
    band: Option<(String, f64)>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let recursion = recursion(gamma, step_weights, band)?;
    let weights: [f64; 3] = step_weights_direction.into();
    let (Some(costs), Some(changes)) = (read::<f64, Ix3>(&costs), read::<f64, Ix3>(&costs_direction)) else {
        return Err(precision_error("costs, costs_direction"));
    };
    let (pairs, n, m) = costs.as_array().dim();
    if changes.as_array().dim() != (pairs, n, m) {
        return Err(
            Error::argument("costs_direction", format!("must have the shape of costs, ({pairs}, {n}, {m})")).into()
        );
    }
    let shapes = shapes((pairs, n, m), x_lengths, y_lengths)?;
    let mut alignments = FreshArray::zeros(py, &[pairs, n, m])?;
    let of_pairs = costs.as_slice()?.chunks_exact(n * m).zip(changes.as_slice()?.chunks_exact(n * m));
    let jobs: Vec<_> = of_pairs.zip(alignments.parts_mut(pairs)).zip(shapes).collect();
    let tangents = run_jobs(
        py,
        jobs,
        |job| job.1.cells(),
        threads,
        |(((costs, changes), rows), shape), _, scratch: &mut TangentScratch| {
            let [costs, changes] = [costs, changes].map(|costs| CostMatrix { costs, stride: m });
            let direction = Direction { costs: &changes, gamma: gamma_direction, weights };
            let mut rows = MatrixMut { entries: rows, stride: m };
            match tangent_of_costs(costs, direction, shape, &recursion, &mut rows, scratch) {
                Err(Error::NoPath { .. }) => Ok(Tangent::default()),
                other => other,
            }
        },
    )?;
    let tangents: Vec<Tangent> = tangents.into_iter().collect::<Result<_, _>>()?;
    let result = PyDict::new(py);
    result.set_item("value", PyArray1::from_iter(py, tangents.iter().map(|pair| pair.value)))?;
    result.set_item("H", alignments.into_array())?;
    result.set_item("gamma_grad", PyArray1::from_iter(py, tangents.iter().map(|pair| pair.gamma_grad)))?;
    let weights = tangents.iter().flat_map(|pair| pair.step_weights_grad);
    result.set_item("step_weights_grad", PyArray1::from_iter(py, weights).reshape([pairs, 3])?)?;
    Ok(result)
}
