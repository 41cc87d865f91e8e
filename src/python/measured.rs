//! One pair at several gammas, measured where it lies.

use numpy::ndarray::Dimension;
use numpy::{Element, PyArray, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{Wanted, precision_error, recursion, weighted_cost};
use super::arrays::zeros;
use super::events::{Runs, events, in_numbers, put, put_measures, read};
use crate::batch;
use crate::cost::WeightedCost;
use crate::error::Error;
use crate::measured::{Kept, align_and_measure};
use crate::plan::{Pair, PairScratch, Recursion};
use crate::real::Real;
use crate::shape::Shape;

struct Arguments<'a, 'py> {
    cost: &'a WeightedCost,
    recursions: &'a [Recursion],
    runs: Runs<'a, 'py>,
    threshold: f64,
    wanted: Wanted,
    threads: Option<usize>,
}

fn measure_all<'py, F: Real + Element>(
    py: Python<'py>,
    x: &PyReadonlyArray2<'py, F>,
    y: &PyReadonlyArray2<'py, F>,
    arguments: Arguments<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let Arguments { cost, recursions, runs, threshold, wanted, threads } = arguments;
    let ((n, d), (m, d_of_y)) = (x.as_array().dim(), y.as_array().dim());
    if d != d_of_y {
        return Err(Error::argument("y", format!("has {d_of_y} features, x has {d}")).into());
    }
    cost.check_features(d)?;
    let pair = Pair::new(x.as_slice()?, y.as_slice()?, Shape::new(n, m)?, d)?;
    let events = events(runs, (m, d))?;
    let count = recursions.len();
    let h: Option<Bound<'py, PyArray2<F>>> = wanted.h.then(|| zeros(py, &[count, n])).transpose()?;
    let matrices = |yes: bool, columns: usize| yes.then(|| zeros(py, &[count, n, columns])).transpose();
    let y_mod: Option<Bound<'py, PyArray3<F>>> = matrices(wanted.y_mod, d)?;
    let soft_alignment: Option<Bound<'py, PyArray3<F>>> = matrices(wanted.soft_alignment, m)?;
    let jobs: Vec<_> = {
        let (mut h, mut y_mod, mut rows) = (parts(&h, n)?, parts(&y_mod, n * d)?, parts(&soft_alignment, n * m)?);
        let mut kept = || Kept { h: h.next(), y_mod: y_mod.next(), soft_alignment: rows.next() };
        recursions.iter().map(|recursion| (recursion, kept())).collect()
    };
    let found = py.detach(|| {
        batch::run(
            jobs,
            |_| 1,
            threads,
            |(recursion, kept), team, scratch: &mut PairScratch| {
                align_and_measure(pair, cost, recursion, &events, threshold, kept, team, scratch)
            },
        )
    })?;
    let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
    let result = PyDict::new(py);
    let measures =
        found.iter().flat_map(|each| in_numbers(each.value, each.entropy, &each.of_alignment, &each.of_events));
    put(&result, "measures", count, measures)?;
    let (marginals, levels): (Vec<_>, Vec<_>) = found.into_iter().map(|each| (each.marginals, each.levels)).unzip();
    put_measures(&result, &marginals, &levels)?;
    if let Some(h) = h {
        result.set_item("h", h)?;
    }
    for (name, array) in [("y_mod", y_mod), ("H", soft_alignment)] {
        if let Some(array) = array {
            result.set_item(name, array)?;
        }
    }
    Ok(result)
}

/// The parts of a fresh array, one a gamma; none where there is no array. Borrowed once.
fn parts<'a, F: Element, D: Dimension>(
    array: &'a Option<Bound<'_, PyArray<F, D>>>,
    length: usize,
) -> PyResult<impl Iterator<Item = &'a mut [F]>> {
    // SAFETY: the array was just made, nobody else knows it until it is returned, and it is borrowed once.
    let entries = array.as_ref().map(|array| unsafe { array.as_slice_mut() }).transpose()?;
    Ok(entries.into_iter().flat_map(move |entries| entries.chunks_exact_mut(length)))
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
        wanted: Wanted::parse(&outputs)?,
        threads,
    };
    if let (Some(x), Some(y)) = (read::<f32>(&x), read::<f32>(&y)) {
        measure_all(py, &x, &y, arguments)
    } else if let (Some(x), Some(y)) = (read::<f64>(&x), read::<f64>(&y)) {
        measure_all(py, &x, &y, arguments)
    } else {
        Err(precision_error("x, y"))
    }
}
