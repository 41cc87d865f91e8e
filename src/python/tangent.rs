//! Changes of value and gradient along a direction, of cost matrices padded to one shape (B,N,M).

use numpy::{PyArray1, PyArray3, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{precision_error, recursion};
use super::arrays::zeros;
use super::padded::{Sizes, read, shapes};
use crate::batch;
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
    let (Some(costs), Some(changes)) = (read::<f64>(&costs), read::<f64>(&costs_direction)) else {
        return Err(precision_error("costs, costs_direction"));
    };
    let (pairs, n, m) = costs.as_array().dim();
    if changes.as_array().dim() != (pairs, n, m) {
        return Err(
            Error::argument("costs_direction", format!("must have the shape of costs, ({pairs}, {n}, {m})")).into()
        );
    }
    let shapes = shapes(Sizes { pairs, n, m, d: 0 }, x_lengths, y_lengths)?;
    let alignments: Bound<'py, PyArray3<f64>> = zeros(py, &[pairs, n, m])?;
    // SAFETY: the array was just made, nobody else knows it until it is returned, and it is borrowed once.
    let rows = unsafe { alignments.as_slice_mut() }.expect("a fresh array is contiguous");
    let of_pairs = costs.as_slice()?.chunks_exact(n * m).zip(changes.as_slice()?.chunks_exact(n * m));
    let jobs: Vec<_> = of_pairs.zip(rows.chunks_exact_mut(n * m)).zip(shapes).collect();
    let found = py.detach(|| {
        batch::run(
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
        )
    })?;
    let found: Vec<Tangent> = found.into_iter().collect::<Result<_, _>>()?;
    let result = PyDict::new(py);
    result.set_item("value", PyArray1::from_iter(py, found.iter().map(|pair| pair.value)))?;
    result.set_item("H", alignments)?;
    result.set_item("gamma_grad", PyArray1::from_iter(py, found.iter().map(|pair| pair.gamma_grad)))?;
    let weights = found.iter().flat_map(|pair| pair.step_weights_grad);
    result.set_item("step_weights_grad", PyArray1::from_iter(py, weights).reshape([pairs, 3])?)?;
    Ok(result)
}
