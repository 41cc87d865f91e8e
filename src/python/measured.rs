//! One pair aligned and measured at several gammas.

use numpy::{Element, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{RequestedOutputs, pair, precision_error, recursion, weighted_cost};
use super::arrays::{FreshArray, Parts, read};
use super::events::{Runs, Stack, events};
use super::signals::run_jobs;
use crate::cost::WeightedCost;
use crate::measures::measured::{Kept, align_and_measure};
use crate::measures::names::MEASURES;
use crate::plan::{Pair, PairScratch, Recursion};
use crate::real::Real;
use crate::shape::Shape;

struct Arguments<'a, 'py> {
    cost: &'a WeightedCost,
    recursions: &'a [Recursion],
    runs: Runs<'a, 'py>,
    threshold: f64,
    requested: RequestedOutputs,
    threads: Option<usize>,
}

fn measure_all<'py, F: Real + Element>(
    py: Python<'py>,
    x: &PyReadonlyArray2<'py, F>,
    y: &PyReadonlyArray2<'py, F>,
    arguments: Arguments<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let Arguments { cost, recursions, runs, threshold, requested, threads } = arguments;
    let pair = pair(x, y, cost)?;
    let Pair { shape: Shape { n, m }, d, .. } = pair;
    let events = events(runs, (m, d))?;
    let count = recursions.len();
    let array = |is_requested: bool, shape: &[usize]| -> PyResult<Option<FreshArray<'py, F>>> {
        is_requested.then(|| FreshArray::zeros(py, shape)).transpose()
    };
    let mut h = array(requested.h, &[count, n])?;
    let mut y_mod = array(requested.y_mod, &[count, n, d])?;
    let mut soft_alignment = array(requested.soft_alignment, &[count, n, m])?;
    let jobs: Vec<_> = {
        let mut h = Parts::new(&mut h, count);
        let mut y_mod = Parts::new(&mut y_mod, count);
        let mut soft_alignment = Parts::new(&mut soft_alignment, count);
        let mut kept = || Kept { h: h.next(), y_mod: y_mod.next(), soft_alignment: soft_alignment.next() };
        recursions.iter().map(|recursion| (recursion, kept())).collect()
    };
    let measured = run_jobs(
        py,
        jobs,
        |_| pair.shape.cells(),
        threads,
        |(recursion, kept), team, scratch: &mut PairScratch| {
            align_and_measure(pair, cost, recursion, &events, threshold, kept, team, scratch)
        },
    )?;
    let measured = measured.into_iter().collect::<Result<Vec<_>, _>>()?;
    let stack = Stack { py, count: Some(count) };
    let marginals = measured.iter().map(|each| &each.marginals);
    let result = stack.marginals_and_levels(marginals, measured.iter().map(|each| &each.levels[..]))?;
    let measures = PyDict::new(py);
    for (name, measure) in MEASURES {
        measures.set_item(name, PyArray1::from_iter(py, measured.iter().map(|each| each.measure(measure))))?;
    }
    result.set_item("measures", measures)?;
    for (name, array) in [("h", h), ("y_mod", y_mod), ("H", soft_alignment)] {
        if let Some(array) = array {
            result.set_item(name, array.into_array())?;
        }
    }
    Ok(result)
}

#[pyfunction]
#[pyo3(signature = (x, y, *, cost, gammas, step_weights, features, starts, stops, threshold, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn align_and_measure_pair<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    cost: &str,
    gammas: Vec<f64>,
    step_weights: (f64, f64, f64),
    features: PyReadonlyArray1<'py, i64>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    threshold: f64,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let cost = weighted_cost(cost, None, None)?;
    let recursions =
        gammas.into_iter().map(|gamma| recursion(gamma, step_weights, None)).collect::<Result<Vec<_>, _>>()?;
    let arguments = Arguments {
        cost: &cost,
        recursions: &recursions,
        runs: [&features, &starts, &stops],
        threshold,
        requested: RequestedOutputs::parse(&outputs)?,
        threads,
    };
    if let (Some(x), Some(y)) = (read::<f32, _>(&x), read::<f32, _>(&y)) {
        measure_all(py, &x, &y, arguments)
    } else if let (Some(x), Some(y)) = (read::<f64, _>(&x), read::<f64, _>(&y)) {
        measure_all(py, &x, &y, arguments)
    } else {
        Err(precision_error("x, y"))
    }
}
