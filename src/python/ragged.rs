//! Lists of pairs of different lengths.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::arguments::{RequestedOutputs, pair, precision_error, recursion, weighted_cost};
use super::arrays::read_all;
use super::results::{Results, Sizes};
use super::signals::run_jobs;
use crate::cost::{CostMatrix, WeightedCost};
use crate::error::Error;
use crate::plan::{self, Alignment, Pair, PairScratch, Recursion};
use crate::readout::Outputs;
use crate::real::Real;
use crate::shape::Shape;

fn into_list<'py, F: Real + Element>(
    py: Python<'py>,
    results: Vec<Results<'py, F>>,
    alignments: Vec<Result<Alignment, Error>>,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (results, alignment) in results.into_iter().zip(alignments) {
        match alignment {
            Ok(alignment) => list.append(results.into_dict(py, &[alignment])?)?,
            Err(error) => list.append(PyErr::from(error).into_value(py))?,
        }
    }
    Ok(list)
}

fn align_all<'py, F: Real + Element>(
    py: Python<'py>,
    xs: &[PyReadonlyArray2<'py, F>],
    ys: &[PyReadonlyArray2<'py, F>],
    cost: &WeightedCost,
    recursion: &Recursion,
    requested: RequestedOutputs,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let pairs = xs.iter().zip(ys).map(|(x, y)| pair(x, y, cost)).collect::<PyResult<Vec<_>>>()?;
    let sizes = pairs.iter().map(|pair| Sizes::of_pair(pair.shape, pair.d));
    let mut results = sizes.map(|sizes| Results::new(py, requested, sizes)).collect::<PyResult<Vec<_>>>()?;
    let outputs = pairs.iter().zip(&mut results).flat_map(|(pair, results)| results.outputs(&[pair.shape]));
    let jobs: Vec<_> = pairs.iter().copied().zip(outputs).collect();
    let size = |job: &(Pair<'_, F>, Outputs<'_, F>)| job.0.shape.cells();
    let alignments = run_jobs(py, jobs, size, threads, |(pair, mut outputs), team, scratch: &mut PairScratch| {
        plan::align_pair(pair, cost, recursion, &mut outputs, team, scratch)
    })?;
    into_list(py, results, alignments)
}

#[pyfunction]
#[pyo3(signature = (xs, ys, *, cost, gamma, step_weights, band, feature_weights, pos_weight, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn align_ragged<'py>(
    py: Python<'py>,
    xs: Vec<Bound<'py, PyAny>>,
    ys: Vec<Bound<'py, PyAny>>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let requested = RequestedOutputs::parse(&outputs)?;
    let recursion = recursion(gamma, step_weights, band)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    if xs.len() != ys.len() {
        return Err(Error::argument("ys", format!("has {} sequences, xs has {}", ys.len(), xs.len())).into());
    }
    if let (Some(xs), Some(ys)) = (read_all::<f32>(&xs), read_all::<f32>(&ys)) {
        align_all(py, &xs, &ys, &cost, &recursion, requested, threads)
    } else if let (Some(xs), Some(ys)) = (read_all::<f64>(&xs), read_all::<f64>(&ys)) {
        align_all(py, &xs, &ys, &cost, &recursion, requested, threads)
    } else {
        Err(precision_error("xs, ys"))
    }
}

fn align_all_costs<'py, F: Real + Element>(
    py: Python<'py>,
    matrices: &[PyReadonlyArray2<'py, F>],
    recursion: &Recursion,
    requested: RequestedOutputs,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let mut shapes = vec![];
    for matrix in matrices {
        let (n, m) = matrix.as_array().dim();
        shapes.push(Shape::new(n, m)?);
    }
    let sizes = shapes.iter().map(|&shape| Sizes::of_pair(shape, 0));
    let mut results = sizes.map(|sizes| Results::new(py, requested, sizes)).collect::<PyResult<Vec<_>>>()?;
    let mut jobs = vec![];
    for ((matrix, &shape), results) in matrices.iter().zip(&shapes).zip(&mut results) {
        let costs = CostMatrix { costs: matrix.as_slice()?, stride: shape.m };
        jobs.extend(results.outputs(&[shape]).into_iter().map(|outputs| (costs, shape, outputs)));
    }
    let size = |job: &(CostMatrix<'_, F>, Shape, Outputs<'_, F>)| job.1.cells();
    let alignments =
        run_jobs(py, jobs, size, threads, |(costs, shape, mut outputs), team, scratch: &mut PairScratch| {
            plan::align_costs(costs, shape, recursion, &mut outputs, team, scratch)
        })?;
    into_list(py, results, alignments)
}

#[pyfunction]
#[pyo3(signature = (costs, *, gamma, step_weights, band, outputs, threads))]
pub fn costs_ragged<'py>(
    py: Python<'py>,
    costs: Vec<Bound<'py, PyAny>>,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let requested = RequestedOutputs::parse(&outputs)?.for_costs()?;
    let recursion = recursion(gamma, step_weights, band)?;
    if let Some(costs) = read_all::<f32>(&costs) {
        align_all_costs(py, &costs, &recursion, requested, threads)
    } else if let Some(costs) = read_all::<f64>(&costs) {
        align_all_costs(py, &costs, &recursion, requested, threads)
    } else {
        Err(precision_error("costs"))
    }
}
