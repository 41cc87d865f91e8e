//! The module `warplens._core`: declares, converts and releases the interpreter lock; no mathematics.

mod arguments;
mod arrays;
mod cost_matrix;
mod ctc;
mod events;
mod family;
mod known_alignment;
mod measured;
mod padded;
mod ragged;
mod results;
mod series;
mod signals;
mod tangent;

use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyValueError};
use pyo3::prelude::*;

use crate::error::Error;
use crate::threads::openmp::{GompParallel, use_team};

pyo3::create_exception!(warplens, NoPathError, PyValueError, "No warping path: masks or bands forbid every one.");

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::NoPath { message } => NoPathError::new_err(message),
            Error::Memory { .. } => PyMemoryError::new_err(error.to_string()),
            Error::Argument { .. } => PyValueError::new_err(error.to_string()),
            Error::Stopped => PyKeyboardInterrupt::new_err(error.to_string()),
        }
    }
}

#[pyfunction]
fn set_num_threads(n: usize) -> PyResult<()> {
    Ok(crate::threads::set_num_threads(n)?)
}

#[pyfunction]
fn get_num_threads() -> PyResult<usize> {
    Ok(crate::threads::num_threads()?)
}

/// Computes on the teams of an OpenMP library from now on: the address of its `GOMP_parallel`; `None`: on our own pool.
#[pyfunction]
fn use_openmp_team(gomp_parallel: Option<usize>) {
    let function = gomp_parallel.filter(|&address| address != 0).map(|address| {
        // SAFETY: the caller vouches that the function of this name is there; its type is that of the OpenMP libraries.
        unsafe { std::mem::transmute::<*const (), GompParallel>(std::ptr::with_exposed_provenance(address)) }
    });
    // SAFETY: as above; a library of which torch was loaded stays.
    unsafe { use_team(function) };
}

#[pyfunction]
fn uses_openmp_team() -> bool {
    crate::threads::openmp::team().is_some()
}

#[pyfunction]
fn instruction_set() -> &'static str {
    crate::kernel::wavefront::dispatch::InstructionSet::chosen().map_or("off", |set| set.name())
}

#[pyfunction]
fn available_instruction_sets() -> Vec<&'static str> {
    let all = crate::kernel::wavefront::dispatch::InstructionSet::ALL;
    all.iter().filter(|(_, set)| set.is_available()).map(|&(name, _)| name).collect()
}

// Not audited for interpreters without the lock: they take it, and say so.
#[pymodule(gil_used = true)]
mod _core {
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MEASURES", PyTuple::new(module.py(), crate::measures::names::MEASURES.map(|(name, _)| name))?)
    }

    #[pymodule_export]
    const MOST_THREADS: usize = crate::threads::MOST_THREADS;
    #[pymodule_export]
    const LEAST_ROW_SUM: f64 = crate::readout::LEAST_ROW_SUM;

    #[pymodule_export]
    use super::NoPathError;
    #[pymodule_export]
    use super::cost_matrix::cost_matrix;
    #[pymodule_export]
    use super::ctc::frame_synchronous_padded;
    #[pymodule_export]
    use super::events::{find_events, measure_alignment, measure_events, quartile_limits_of};
    #[pymodule_export]
    use super::family::{model_of_classes, model_of_costs, model_of_pair, models_of_costs};
    #[pymodule_export]
    use super::known_alignment::read_alignment;
    #[pymodule_export]
    use super::measured::align_and_measure_pair;
    #[pymodule_export]
    use super::padded::{align_padded, costs_padded};
    #[pymodule_export]
    use super::ragged::{align_ragged, costs_ragged};
    #[pymodule_export]
    use super::series::{barycenter_sums, divergence_of_pair, pairwise_gradients, pairwise_values};
    #[pymodule_export]
    use super::tangent::{sharp_costs_padded, sharp_padded, tangent_of_pairs_padded, tangent_padded};
    #[pymodule_export]
    use super::{available_instruction_sets, instruction_set};
    #[pymodule_export]
    use super::{get_num_threads, set_num_threads, use_openmp_team, uses_openmp_team};
}
