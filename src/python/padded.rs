//! Batches padded to one shape, (B,N,D) and (B,M,D) or (B,N,M), with a length for each pair.
//!
//! Entries past a length are never read, and results there are zero. A pair without a path has the value
//! +inf and zeros; a pair with a NaN has NaN. Neither touches the others.

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray3};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{RequestedOutputs, precision_error, recursion, weighted_cost};
use super::arrays::read;
use super::results::{Results, Sizes};
use super::signals::run_jobs;
use crate::cost::{CostMatrix, WeightedCost};
use crate::error::Error;
use crate::kernel::Moments;
use crate::plan::{self, Alignment, Pair, PairScratch, Recursion};
use crate::readout::Outputs;
use crate::real::Real;
use crate::shape::Shape;

/// Gives a pair without a path the value +inf and sums of 0; any other error is that of the batch.
fn stacked(alignments: Vec<Result<Alignment, Error>>, requested: RequestedOutputs) -> Result<Vec<Alignment>, Error> {
    let moments = requested.moments.then(Moments::default);
    let entropy = requested.entropy.then_some(0.0);
    let no_path = || Alignment { value: f64::INFINITY, moments, entropy, path: None };
    let stacked = |pair| match pair {
        Err(Error::NoPath { .. }) => Ok(no_path()),
        other => other,
    };
    alignments.into_iter().map(stacked).collect()
}

/// Reads the lengths of every pair and checks them against the padded shape (B, N, M).
pub fn shapes(
    (pairs, n, m): (usize, usize, usize),
    x_lengths: Option<PyReadonlyArray1<'_, i64>>,
    y_lengths: Option<PyReadonlyArray1<'_, i64>>,
) -> Result<Vec<Shape>, Error> {
    let read = |name: &'static str, lengths: Option<PyReadonlyArray1<'_, i64>>, longest: usize| {
        let Some(lengths) = lengths else { return Ok(vec![longest; pairs]) };
        let lengths: Vec<i64> = lengths.as_array().to_vec();
        if lengths.len() != pairs {
            return Err(Error::argument(name, format!("has {} entries for {} pairs", lengths.len(), pairs)));
        }
        for (index, &length) in lengths.iter().enumerate() {
            if length < 1 || length as u64 > longest as u64 {
                return Err(Error::argument(
                    name,
                    format!("entry {index} is {length}; a length is from 1 to {longest}, the padded length"),
                ));
            }
        }
        Ok(lengths.into_iter().map(|length| length as usize).collect())
    };
    let x_lengths = read("x_lengths", x_lengths, n)?;
    let y_lengths = read("y_lengths", y_lengths, m)?;
    x_lengths.into_iter().zip(y_lengths).map(|(n, m)| Shape::new(n, m)).collect()
}

fn align_all<'py, F: Real + Element>(
    py: Python<'py>,
    (x, y): (&PyReadonlyArray3<'py, F>, &PyReadonlyArray3<'py, F>),
    lengths: (Option<PyReadonlyArray1<'_, i64>>, Option<PyReadonlyArray1<'_, i64>>),
    cost: &WeightedCost,
    recursion: &Recursion,
    requested: RequestedOutputs,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let ((pairs, n, d), (pairs_of_y, m, d_of_y)) = (x.as_array().dim(), y.as_array().dim());
    if (pairs, d) != (pairs_of_y, d_of_y) {
        return Err(Error::argument(
            "y",
            format!("holds {pairs_of_y} sequences of {d_of_y} features, x {pairs} of {d}; both numbers must agree"),
        )
        .into());
    }
    cost.check_features(d)?;
    let shapes = shapes((pairs, n, m), lengths.0, lengths.1)?;
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let mut inputs = vec![];
    for (index, &shape) in shapes.iter().enumerate() {
        let (x, y) = (&x[index * n * d..][..shape.n * d], &y[index * m * d..][..shape.m * d]);
        inputs.push(Pair::new(x, y, shape, d)?);
    }
    let mut results = Results::new(py, requested, Sizes { batch: Some(pairs), n, m, d })?;
    let jobs: Vec<_> = inputs.into_iter().zip(results.outputs(&shapes)).collect();
    let size = |job: &(Pair<'_, F>, Outputs<'_, F>)| job.0.shape.cells();
    let alignments = run_jobs(py, jobs, size, threads, |(pair, mut outputs), team, scratch: &mut PairScratch| {
        plan::align_pair(pair, cost, recursion, &mut outputs, team, scratch)
    })?;
    results.into_dict(py, &stacked(alignments, requested)?)
}

#[pyfunction]
#[pyo3(signature = (x, y, *, x_lengths, y_lengths, cost, gamma, step_weights, band, feature_weights, pos_weight, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn align_padded<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    x_lengths: Option<PyReadonlyArray1<'py, i64>>,
    y_lengths: Option<PyReadonlyArray1<'py, i64>>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = RequestedOutputs::parse(&outputs)?.for_padded()?;
    let recursion = recursion(gamma, step_weights, band)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    let lengths = (x_lengths, y_lengths);
    if let (Some(x), Some(y)) = (read::<f32, _>(&x), read::<f32, _>(&y)) {
        align_all(py, (&x, &y), lengths, &cost, &recursion, requested, threads)
    } else if let (Some(x), Some(y)) = (read::<f64, _>(&x), read::<f64, _>(&y)) {
        align_all(py, (&x, &y), lengths, &cost, &recursion, requested, threads)
    } else {
        Err(precision_error("x, y"))
    }
}

fn align_all_costs<'py, F: Real + Element>(
    py: Python<'py>,
    costs: &PyReadonlyArray3<'py, F>,
    lengths: (Option<PyReadonlyArray1<'_, i64>>, Option<PyReadonlyArray1<'_, i64>>),
    recursion: &Recursion,
    requested: RequestedOutputs,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let (pairs, n, m) = costs.as_array().dim();
    let shapes = shapes((pairs, n, m), lengths.0, lengths.1)?;
    let costs = costs.as_slice()?;
    let mut results = Results::new(py, requested, Sizes { batch: Some(pairs), n, m, d: 0 })?;
    let matrices = (0..pairs).map(|index| CostMatrix { costs: &costs[index * n * m..][..n * m], stride: m });
    let jobs: Vec<_> = matrices.zip(&shapes).zip(results.outputs(&shapes)).collect();
    let size = |job: &((CostMatrix<'_, F>, &Shape), Outputs<'_, F>)| job.0.1.cells();
    let alignments =
        run_jobs(py, jobs, size, threads, |((costs, shape), mut outputs), team, scratch: &mut PairScratch| {
            plan::align_costs(costs, *shape, recursion, &mut outputs, team, scratch)
        })?;
    results.into_dict(py, &stacked(alignments, requested)?)
}

#[pyfunction]
#[pyo3(signature = (costs, *, x_lengths, y_lengths, gamma, step_weights, band, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn costs_padded<'py>(
    py: Python<'py>,
    costs: Bound<'py, PyAny>,
    x_lengths: Option<PyReadonlyArray1<'py, i64>>,
    y_lengths: Option<PyReadonlyArray1<'py, i64>>,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = RequestedOutputs::parse(&outputs)?.for_costs()?.for_padded()?;
    let recursion = recursion(gamma, step_weights, band)?;
    let lengths = (x_lengths, y_lengths);
    if let Some(costs) = read::<f32, _>(&costs) {
        align_all_costs(py, &costs, lengths, &recursion, requested, threads)
    } else if let Some(costs) = read::<f64, _>(&costs) {
        align_all_costs(py, &costs, lengths, &recursion, requested, threads)
    } else {
        Err(precision_error("costs"))
    }
}
