//! The general model: any steps, weights, penalties, entries and exits, for one pair or for many.

mod argument;
mod results;
mod source;

use numpy::{Element, Ix2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use self::argument::ModelArgument;
use self::results::{ModelResults, RequestedOfModel, parse};
use self::source::Source;
use super::arguments::{RequestedOutputs, precision_error, weighted_cost};
use super::arrays::{read, read_all};
use super::signals::run_jobs;
use crate::error::Error;
use crate::family::model::Model;
use crate::family::outputs::ModelOutputs;
use crate::real::Real;

/// A model with its costs and the memory for its results.
type Job<'a, F> = (Source<'a, F>, Model<'a>, ModelOutputs<'a, F>);

/// Aligns each source by its model, the longest first; the error of a pair takes the place of its dict.
fn align_all<'py, F: Real + Element>(
    py: Python<'py>,
    sources: &[Source<'_, F>],
    arguments: &[ModelArgument<'py>],
    requested: (RequestedOutputs, RequestedOfModel),
    threads: Option<usize>,
) -> PyResult<Vec<PyResult<Bound<'py, PyDict>>>> {
    let models = sources.iter().zip(arguments).map(|(source, argument)| argument.model(source.shape()));
    let models = models.collect::<PyResult<Vec<_>>>()?;
    models.iter().try_for_each(Model::check)?;
    let results = models.iter().zip(sources);
    let results = results.map(|(model, source)| ModelResults::new(py, requested, model, source.features()));
    let mut results = results.collect::<PyResult<Vec<_>>>()?;
    let parts = sources.iter().zip(models).zip(&mut results);
    let jobs: Vec<Job<'_, F>> = parts.map(|((&source, model), results)| (source, model, results.outputs())).collect();
    let size = |(_, model, _): &Job<'_, F>| model.shape.cells();
    let aligned = run_jobs(py, jobs, size, threads, |(source, model, mut outputs), _, (): &mut ()| {
        source.align(&model, &mut outputs)
    })?;
    let parts = results.into_iter().zip(arguments).zip(aligned);
    Ok(parts.map(|((results, argument), aligned)| results.into_dict(py, argument, &aligned?)).collect())
}

/// Aligns one source by its model.
fn align_one<'py, F: Real + Element>(
    py: Python<'py>,
    source: Source<'_, F>,
    model: ModelArgument<'py>,
    requested: (RequestedOutputs, RequestedOfModel),
) -> PyResult<Bound<'py, PyDict>> {
    align_all(py, &[source], &[model], requested, Some(1))?.pop().expect("a result of one pair")
}

/// Hands over results and errors in the order of the pairs.
fn into_list<'py>(py: Python<'py>, results: Vec<PyResult<Bound<'py, PyDict>>>) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for result in results {
        match result {
            Ok(result) => list.append(result)?,
            Err(error) => list.append(error.into_value(py))?,
        }
    }
    Ok(list)
}

#[pyfunction]
#[pyo3(signature = (costs, *, model, outputs))]
pub fn model_of_costs<'py>(
    py: Python<'py>,
    costs: Bound<'py, PyAny>,
    model: ModelArgument<'py>,
    outputs: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let (plain, own) = parse(outputs)?;
    let requested = (plain.for_costs()?, own);
    if let Some(costs) = read::<f32, Ix2>(&costs) {
        align_one(py, Source::of_costs(&costs)?, model, requested)
    } else if let Some(costs) = read::<f64, Ix2>(&costs) {
        align_one(py, Source::of_costs(&costs)?, model, requested)
    } else {
        Err(precision_error("costs"))
    }
}

#[pyfunction]
#[pyo3(signature = (costs, *, models, outputs, threads))]
pub fn models_of_costs<'py>(
    py: Python<'py>,
    costs: Vec<Bound<'py, PyAny>>,
    models: Vec<ModelArgument<'py>>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let (plain, own) = parse(outputs)?;
    let requested = (plain.for_costs()?, own);
    if models.len() != costs.len() {
        let message = format!("has {} entries, costs has {}", models.len(), costs.len());
        return Err(Error::argument("models", message).into());
    }
    macro_rules! of_precision {
        ($costs:expr) => {{
            let costs = $costs;
            let sources = costs.iter().map(Source::of_costs).collect::<PyResult<Vec<_>>>()?;
            into_list(py, align_all(py, &sources, &models, requested, threads)?)
        }};
    }
    if let Some(costs) = read_all::<f32>(&costs) {
        of_precision!(costs)
    } else if let Some(costs) = read_all::<f64>(&costs) {
        of_precision!(costs)
    } else {
        Err(precision_error("costs"))
    }
}

#[pyfunction]
#[pyo3(signature = (scores, targets, *, offsets, model, outputs))]
pub fn model_of_classes<'py>(
    py: Python<'py>,
    scores: Bound<'py, PyAny>,
    targets: PyReadonlyArray1<'py, i64>,
    offsets: Option<PyReadonlyArray1<'py, f64>>,
    model: ModelArgument<'py>,
    outputs: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = parse(outputs)?;
    let targets: Vec<usize> =
        targets.as_array().iter().map(|&class| usize::try_from(class).unwrap_or(usize::MAX)).collect();
    let offsets = offsets.as_ref().map(|offsets| offsets.as_slice()).transpose()?;
    if let Some(scores) = read::<f32, Ix2>(&scores) {
        align_one(py, Source::of_classes(&scores, &targets, offsets)?, model, requested)
    } else if let Some(scores) = read::<f64, Ix2>(&scores) {
        align_one(py, Source::of_classes(&scores, &targets, offsets)?, model, requested)
    } else {
        Err(precision_error("scores"))
    }
}

#[pyfunction]
#[pyo3(signature = (x, y, *, cost, feature_weights, pos_weight, model, outputs))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn model_of_pair<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    cost: &str,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    model: ModelArgument<'py>,
    outputs: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = parse(outputs)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    if let (Some(x), Some(y)) = (read::<f32, Ix2>(&x), read::<f32, Ix2>(&y)) {
        align_one(py, Source::of_pair(&x, &y, &cost)?, model, requested)
    } else if let (Some(x), Some(y)) = (read::<f64, Ix2>(&x), read::<f64, Ix2>(&y)) {
        align_one(py, Source::of_pair(&x, &y, &cost)?, model, requested)
    } else {
        Err(precision_error("x, y"))
    }
}
