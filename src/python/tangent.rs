//! Directional derivatives of values and gradients, and sharp values with their gradients, for batches padded to one shape.

use numpy::{Element, Ix3, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray3};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{RequestedOutputs, precision_error, recursion, weighted_cost};
use super::arrays::{FreshArray, Parts, read};
use super::padded::shapes;
use super::signals::run_jobs;
use crate::cost::{CostMatrix, WeightedCost};
use crate::error::Error;
use crate::kernel::tangent::Tangent;
use crate::matrix::MatrixMut;
use crate::plan::tangent::costs::tangent_of_costs;
use crate::plan::tangent::pair::{SequencesDirection, TangentOutputs, tangent_of_pair};
use crate::plan::tangent::{Scratch, SettingsDirection, TangentResult};
use crate::plan::{Pair, Recursion};
use crate::real::Real;
use crate::shape::Shape;

type Lengths<'py> = (Option<PyReadonlyArray1<'py, i64>>, Option<PyReadonlyArray1<'py, i64>>);

/// Puts numbers into the dict of results: `value` and, where they are asked for, the gradients of the settings.
fn set_numbers(
    result: &Bound<'_, PyDict>,
    pairs: &[TangentResult],
    value: impl Fn(&TangentResult) -> f64,
    wants_settings: bool,
) -> PyResult<()> {
    let py = result.py();
    result.set_item("value", PyArray1::from_iter(py, pairs.iter().map(value)))?;
    if wants_settings {
        result.set_item("gamma_grad", PyArray1::from_iter(py, pairs.iter().map(|pair| pair.tangent.gamma_grad)))?;
        let weights = pairs.iter().flat_map(|pair| pair.tangent.step_weights_grad);
        result.set_item("step_weights_grad", PyArray1::from_iter(py, weights).reshape([pairs.len(), 3])?)?;
    }
    Ok(())
}

/// Gives a pair without a path the value +inf and changes of 0; any other error is that of the batch.
fn stacked(results: Vec<Result<TangentResult, Error>>) -> Result<Vec<TangentResult>, Error> {
    let no_path = TangentResult { value: f64::INFINITY, tangent: Tangent::default() };
    let stacked = |result| match result {
        Err(Error::NoPath { .. }) => Ok(no_path),
        other => other,
    };
    results.into_iter().map(stacked).collect()
}

/// <H,C> of a pair along [`SettingsDirection::of_sharp_value`].
fn sharp_value(pair: &TangentResult) -> f64 {
    pair.value + pair.tangent.value
}

/// Follows cost matrices along a direction; returns the numbers of each pair and H' + a H.
fn costs_along<'py>(
    py: Python<'py>,
    costs: &PyReadonlyArray3<'py, f64>,
    direction: Option<&PyReadonlyArray3<'py, f64>>,
    lengths: Lengths<'_>,
    settings: SettingsDirection,
    recursion: &Recursion,
    threads: Option<usize>,
) -> PyResult<(Vec<TangentResult>, FreshArray<'py, f64>)> {
    let (pairs, n, m) = costs.as_array().dim();
    let shapes = shapes((pairs, n, m), lengths.0, lengths.1)?;
    let mut alignments = FreshArray::zeros(py, &[pairs, n, m])?;
    let costs = costs.as_slice()?;
    let along = direction.map(|along| along.as_slice()).transpose()?;
    let matrices = (0..pairs).map(|index| {
        let of_pair = index * n * m..(index + 1) * n * m;
        (&costs[of_pair.clone()], along.map(|along| &along[of_pair]))
    });
    let jobs: Vec<_> = matrices.zip(alignments.parts_mut(pairs)).zip(shapes).collect();
    let size = |job: &(_, Shape)| job.1.cells();
    let results = run_jobs(py, jobs, size, threads, |(((costs, along), rows), shape), _, scratch: &mut Scratch| {
        let costs = CostMatrix { costs, stride: m };
        let mut rows = MatrixMut { entries: rows, stride: m };
        tangent_of_costs(costs, along, settings, shape, recursion, &mut rows, scratch)
    })?;
    Ok((stacked(results)?, alignments))
}

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
    let (Some(costs), Some(along)) = (read::<f64, Ix3>(&costs), read::<f64, Ix3>(&costs_direction)) else {
        return Err(precision_error("costs, costs_direction"));
    };
    let (pairs, n, m) = costs.as_array().dim();
    if along.as_array().dim() != (pairs, n, m) {
        return Err(
            Error::argument("costs_direction", format!("must have the shape of costs, ({pairs}, {n}, {m})")).into()
        );
    }
    let settings = SettingsDirection {
        gamma: gamma_direction,
        weights: step_weights_direction.into(),
        gradient: 0.0,
        wants_settings: true,
    };
    let (tangents, alignments) =
        costs_along(py, &costs, Some(&along), (x_lengths, y_lengths), settings, &recursion, threads)?;
    let result = PyDict::new(py);
    set_numbers(&result, &tangents, |pair| pair.tangent.value, true)?;
    result.set_item("H", alignments.into_array())?;
    Ok(result)
}

#[pyfunction]
#[pyo3(signature = (costs, *, x_lengths, y_lengths, gamma, step_weights, band, wants_settings, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn sharp_costs_padded<'py>(
    py: Python<'py>,
    costs: Bound<'py, PyAny>,
    x_lengths: Option<PyReadonlyArray1<'py, i64>>,
    y_lengths: Option<PyReadonlyArray1<'py, i64>>,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    wants_settings: bool,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let recursion = recursion(gamma, step_weights, band)?;
    let Some(costs) = read::<f64, Ix3>(&costs) else { return Err(precision_error("costs")) };
    let settings = SettingsDirection::of_sharp_value(gamma, wants_settings);
    let (pairs, alignments) = costs_along(py, &costs, None, (x_lengths, y_lengths), settings, &recursion, threads)?;
    let result = PyDict::new(py);
    set_numbers(&result, &pairs, sharp_value, wants_settings)?;
    result.set_item("C_grad", alignments.into_array())?;
    Ok(result)
}

/// Sequences and their directions, all of one precision.
struct Sequences<'py, F: Element> {
    x: PyReadonlyArray3<'py, F>,
    y: PyReadonlyArray3<'py, F>,
    directions: [Option<PyReadonlyArray3<'py, F>>; 2],
}

fn of_one_precision<'py, F: Element>(
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    directions: &[Option<Bound<'py, PyAny>>; 2],
) -> Option<Sequences<'py, F>> {
    let (x, y) = (read(x)?, read(y)?);
    let mut read_directions = [None, None];
    for (to, from) in read_directions.iter_mut().zip(directions) {
        if let Some(from) = from {
            *to = Some(read(from)?);
        }
    }
    Some(Sequences { x, y, directions: read_directions })
}

/// The cost, direction and settings that the pairs share.
type Run<'a> = (&'a WeightedCost, SettingsDirection, &'a Recursion, RequestedOutputs, Option<usize>);

impl<'py, F: Real + Element> Sequences<'py, F> {
    /// Follows the pairs along a direction; returns the numbers of each, and a dict of the gradients' changes.
    fn run(
        &self,
        py: Python<'py>,
        lengths: Lengths<'_>,
        (cost, settings, recursion, requested, threads): Run<'_>,
    ) -> PyResult<(Vec<TangentResult>, Bound<'py, PyDict>)> {
        let Self { x, y, directions: [x_direction, y_direction] } = self;
        let (x_direction, y_direction) = (x_direction.as_ref(), y_direction.as_ref());
        let ((pairs, n, d), (pairs_of_y, m, d_of_y)) = (x.as_array().dim(), y.as_array().dim());
        if (pairs, d) != (pairs_of_y, d_of_y) {
            return Err(Error::argument(
                "y",
                format!("holds {pairs_of_y} sequences of {d_of_y} features, x {pairs} of {d}; both numbers must agree"),
            )
            .into());
        }
        if !cost.cost.has_modified_targets() {
            return Err(Error::argument("cost", "is a distance; directions of cost matrices serve those").into());
        }
        cost.check_features(d)?;
        for (name, of, sequences, direction) in
            [("x_direction", "x", x, x_direction), ("y_direction", "y", y, y_direction)]
        {
            if direction.is_some_and(|direction| direction.as_array().dim() != sequences.as_array().dim()) {
                return Err(Error::argument(name, format!("must have the shape of {of}")).into());
            }
        }
        let shapes = shapes((pairs, n, m), lengths.0, lengths.1)?;
        let array = |is_requested: bool, frames: usize| {
            is_requested.then(|| FreshArray::<F>::zeros(py, &[pairs, frames, d])).transpose()
        };
        let (mut x_grad, mut y_grad) = (array(requested.x_grad, n)?, array(requested.y_grad, m)?);
        let (mut x_grads, mut y_grads) = (Parts::new(&mut x_grad, pairs), Parts::new(&mut y_grad, pairs));
        let (x, y) = (x.as_slice()?, y.as_slice()?);
        let x_direction = x_direction.map(|along| along.as_slice()).transpose()?;
        let y_direction = y_direction.map(|along| along.as_slice()).transpose()?;
        let mut jobs = vec![];
        for (index, &shape) in shapes.iter().enumerate() {
            let of_x = index * n * d..index * n * d + shape.n * d;
            let of_y = index * m * d..index * m * d + shape.m * d;
            let pair = Pair::new(&x[of_x.clone()], &y[of_y.clone()], shape, d)?;
            let along = SequencesDirection {
                x: x_direction.map(|along| &along[of_x]),
                y: y_direction.map(|along| &along[of_y]),
            };
            let outputs =
                TangentOutputs { x_grad: x_grads.next_cut(shape.n * d), y_grad: y_grads.next_cut(shape.m * d) };
            jobs.push((pair, along, outputs));
        }
        let size = |job: &(Pair<'_, F>, _, _)| job.0.shape.cells();
        let results = run_jobs(py, jobs, size, threads, |(pair, along, mut outputs), _, scratch: &mut Scratch| {
            tangent_of_pair(pair, cost, along, settings, recursion, &mut outputs, scratch)
        })?;
        let results = stacked(results)?;
        let dict = PyDict::new(py);
        for (name, array) in [("x_grad", x_grad), ("y_grad", y_grad)] {
            if let Some(array) = array {
                dict.set_item(name, array.into_array())?;
            }
        }
        Ok((results, dict))
    }
}

#[pyfunction]
#[pyo3(signature = (x, y, x_direction, y_direction, *, x_lengths, y_lengths, cost, gamma, gamma_direction, step_weights, step_weights_direction, band, feature_weights, pos_weight, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn tangent_of_pairs_padded<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    x_direction: Option<Bound<'py, PyAny>>,
    y_direction: Option<Bound<'py, PyAny>>,
    x_lengths: Option<PyReadonlyArray1<'py, i64>>,
    y_lengths: Option<PyReadonlyArray1<'py, i64>>,
    cost: &str,
    gamma: f64,
    gamma_direction: f64,
    step_weights: (f64, f64, f64),
    step_weights_direction: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = RequestedOutputs::parse(&outputs)?.for_padded()?;
    let recursion = recursion(gamma, step_weights, band)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    let settings = SettingsDirection {
        gamma: gamma_direction,
        weights: step_weights_direction.into(),
        gradient: 0.0,
        wants_settings: requested.moments,
    };
    let directions = [x_direction, y_direction];
    let lengths = (x_lengths, y_lengths);
    let run = (&cost, settings, &recursion, requested, threads);
    let (pairs, result) = match of_one_precision::<f32>(&x, &y, &directions) {
        Some(arrays) => arrays.run(py, lengths, run)?,
        None => match of_one_precision::<f64>(&x, &y, &directions) {
            Some(arrays) => arrays.run(py, lengths, run)?,
            None => return Err(precision_error("x, y, x_direction, y_direction")),
        },
    };
    set_numbers(&result, &pairs, |pair| pair.tangent.value, requested.moments)?;
    Ok(result)
}

#[pyfunction]
#[pyo3(signature = (x, y, *, x_lengths, y_lengths, cost, gamma, step_weights, band, feature_weights, pos_weight, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn sharp_padded<'py>(
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
    let settings = SettingsDirection::of_sharp_value(gamma, requested.moments);
    let run = (&cost, settings, &recursion, requested, threads);
    let lengths = (x_lengths, y_lengths);
    let (pairs, result) = match of_one_precision::<f32>(&x, &y, &[None, None]) {
        Some(arrays) => arrays.run(py, lengths, run)?,
        None => match of_one_precision::<f64>(&x, &y, &[None, None]) {
            Some(arrays) => arrays.run(py, lengths, run)?,
            None => return Err(precision_error("x, y")),
        },
    };
    set_numbers(&result, &pairs, sharp_value, requested.moments)?;
    Ok(result)
}
