//! Fresh arrays for results.

use numpy::{Element, PyArray, dtype};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Zeros of the given shape; MemoryError where they cannot be had (the constructors of the numpy crate panic).
pub fn zeros<'py, F: Element, D: numpy::ndarray::Dimension>(
    py: Python<'py>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArray<F, D>>> {
    let array = py.import("numpy")?.call_method1("zeros", (PyTuple::new(py, shape)?, dtype::<F>(py)))?;
    Ok(array.cast_into::<PyArray<F, D>>()?)
}
