//! Sets of series, float64: all pairs, a divergence, the sums of a barycenter.

use numpy::{Ix1, Ix2, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::arguments::{precision_error, recursion, weighted_cost};
use super::arrays::{FreshArray, read};
use super::signals::without_lock;
use crate::cost::WeightedCost;
use crate::error::Error;
use crate::plan::Recursion;
use crate::series::barycenter::{FailedSeries, sums};
use crate::series::pairwise::write_values;
use crate::series::{SetSettings, divergence};

/// Arrays of series, (L,D) each.
type Series<'py> = Vec<PyReadonlyArray2<'py, f64>>;

/// The settings of a call, read from Python.
struct Settings {
    cost: WeightedCost,
    recursion: Recursion,
    threads: Option<usize>,
}

impl Settings {
    /// The settings for sets of D features.
    fn of_set<'a>(&'a self, d: usize, may_go_on: &'a (dyn Fn() -> bool + Sync)) -> SetSettings<'a> {
        SetSettings { d, cost: &self.cost, recursion: &self.recursion, threads: self.threads, may_go_on }
    }
}

fn read_series<'py>(name: &str, objects: &[Bound<'py, PyAny>]) -> PyResult<Series<'py>> {
    objects.iter().map(|object| read::<f64, Ix2>(object).ok_or_else(|| precision_error(name))).collect()
}

/// Checks that all series have one D, which the weights of the cost have too.
fn features<'a, 'py: 'a>(
    series: impl IntoIterator<Item = &'a PyReadonlyArray2<'py, f64>>,
    cost: &WeightedCost,
) -> PyResult<usize> {
    let mut common = None;
    for each in series {
        let (_, d) = each.as_array().dim();
        if *common.get_or_insert(d) != d {
            return Err(Error::argument("xs, ys", "have different numbers of features").into());
        }
    }
    let d = common.unwrap_or(1);
    cost.check_features(d)?;
    Ok(d)
}

fn slices<'a>(series: &'a Series<'_>) -> PyResult<Vec<&'a [f64]>> {
    Ok(series.iter().map(PyReadonlyArray2::as_slice).collect::<Result<_, _>>()?)
}

#[pyfunction]
#[pyo3(signature = (xs, ys, *, cost, gamma, step_weights, band, feature_weights, pos_weight, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn pairwise_values<'py>(
    py: Python<'py>,
    xs: Vec<Bound<'py, PyAny>>,
    ys: Option<Vec<Bound<'py, PyAny>>>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let recursion = recursion(gamma, step_weights, band)?;
    let settings = Settings { cost: weighted_cost(cost, feature_weights, pos_weight)?, recursion, threads };
    let xs = read_series("xs", &xs)?;
    let ys = ys.map(|ys| read_series("ys", &ys)).transpose()?;
    let d = features(xs.iter().chain(ys.iter().flatten()), &settings.cost)?;
    let (xs, ys) = (slices(&xs)?, ys.as_ref().map(slices).transpose()?);
    let mut values = FreshArray::zeros(py, &[xs.len(), ys.as_ref().map_or(xs.len(), Vec::len)])?;
    let out = values.entries_mut();
    without_lock(py, |may_go_on| write_values(&xs, ys.as_deref(), settings.of_set(d, may_go_on), out))??;
    Ok(values.into_array().into_any())
}

#[pyfunction]
#[pyo3(name = "divergence", signature = (x, y, *, cost, gamma, step_weights, band, feature_weights, pos_weight, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn divergence_of_pair<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    threads: Option<usize>,
) -> PyResult<f64> {
    let recursion = recursion(gamma, step_weights, band)?;
    let settings = Settings { cost: weighted_cost(cost, feature_weights, pos_weight)?, recursion, threads };
    let pair = read_series("x, y", &[x, y])?;
    let d = features(&pair, &settings.cost)?;
    let pair = slices(&pair)?;
    Ok(without_lock(py, |may_go_on| divergence::divergence(pair[0], pair[1], settings.of_set(d, may_go_on)))??)
}

#[pyfunction]
#[pyo3(signature = (z, xs, shares, *, cost, gamma, step_weights, band, feature_weights, pos_weight, wants_expected_cost, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn barycenter_sums<'py>(
    py: Python<'py>,
    z: Bound<'py, PyAny>,
    xs: Vec<Bound<'py, PyAny>>,
    shares: Bound<'py, PyAny>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    wants_expected_cost: bool,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let recursion = recursion(gamma, step_weights, band)?;
    let settings = Settings { cost: weighted_cost(cost, feature_weights, pos_weight)?, recursion, threads };
    let z = read_series("z", &[z])?;
    let xs = read_series("xs", &xs)?;
    let shares = read::<f64, Ix1>(&shares).ok_or_else(|| precision_error("shares"))?;
    let d = features(z.iter().chain(&xs), &settings.cost)?;
    let (z, xs, shares) = (slices(&z)?[0], slices(&xs)?, shares.as_slice()?);
    let summed =
        without_lock(py, |may_go_on| sums(z, &xs, shares, wants_expected_cost, settings.of_set(d, may_go_on)))?;
    match summed {
        Ok(sums) => {
            let result = PyDict::new(py);
            result.set_item("objective", sums.objective)?;
            result.set_item("expected_cost", sums.expected_cost)?;
            let frames = sums.mass.len();
            result.set_item("mass", PyArray1::from_vec(py, sums.mass))?;
            result.set_item("moved", PyArray1::from_vec(py, sums.moved).reshape([frames, d])?)?;
            Ok(result.into_any())
        }
        Err(FailedSeries { index: Some(index), error }) => {
            let error = PyErr::from(error).into_value(py).into_any();
            Ok(PyTuple::new(py, [index.into_pyobject(py)?.into_any().unbind(), error])?.into_any())
        }
        Err(FailedSeries { index: None, error }) => Err(error.into()),
    }
}
