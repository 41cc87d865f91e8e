//! Sets of series: values of all pairs and gradients of their sums; float64 alone: a divergence, the sums of a barycenter.

use numpy::{Element, Ix1, Ix2, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::arguments::{precision_error, recursion, weighted_cost};
use super::arrays::{FreshArray, read};
use super::signals::without_lock;
use crate::cost::WeightedCost;
use crate::error::Error;
use crate::plan::Recursion;
use crate::real::Real;
use crate::series::barycenter::{FailedSeries, sums};
use crate::series::gradients::{SetOutputs, write_gradients};
use crate::series::pairwise::write_values;
use crate::series::{SetSettings, divergence};

/// Arrays of series, (L,D) each.
type Series<'py, F> = Vec<PyReadonlyArray2<'py, F>>;

/// The settings of a call, read from Python.
struct Settings {
    cost: WeightedCost,
    recursion: Recursion,
    threads: Option<usize>,
}

impl Settings {
    /// The settings for sets of D features.
    fn of_set(&self, d: usize) -> SetSettings<'_> {
        SetSettings { d, cost: &self.cost, recursion: &self.recursion, threads: self.threads }
    }
}

fn read_series<'py, F: Element>(name: &str, objects: &[Bound<'py, PyAny>]) -> PyResult<Series<'py, F>> {
    objects.iter().map(|object| read::<F, Ix2>(object).ok_or_else(|| precision_error(name))).collect()
}

/// Tells if the first of the series is float32, and so all have to be.
fn is_float32(xs: &[Bound<'_, PyAny>]) -> bool {
    xs.first().is_some_and(|first| read::<f32, Ix2>(first).is_some())
}

/// Checks that all series have one D, which the weights of the cost have too.
fn features<'a, 'py: 'a, F: Element + 'a>(
    series: impl IntoIterator<Item = &'a PyReadonlyArray2<'py, F>>,
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

fn slices<'a, F: Element>(series: &'a Series<'_, F>) -> PyResult<Vec<&'a [F]>> {
    Ok(series.iter().map(PyReadonlyArray2::as_slice).collect::<Result<_, _>>()?)
}

fn values_of<'py, F: Real + Element>(
    py: Python<'py>,
    xs: &[Bound<'py, PyAny>],
    ys: Option<&[Bound<'py, PyAny>]>,
    may_be_infinite: bool,
    settings: &Settings,
) -> PyResult<Bound<'py, PyAny>> {
    let xs = read_series::<F>("xs", xs)?;
    let ys = ys.map(|ys| read_series("ys", ys)).transpose()?;
    let d = features(xs.iter().chain(ys.iter().flatten()), &settings.cost)?;
    let (xs, ys) = (slices(&xs)?, ys.as_ref().map(slices).transpose()?);
    let mut values = FreshArray::zeros(py, &[xs.len(), ys.as_ref().map_or(xs.len(), Vec::len)])?;
    let out = values.entries_mut();
    without_lock(py, || write_values(&xs, ys.as_deref(), may_be_infinite, settings.of_set(d), out))??;
    Ok(values.into_array().into_any())
}

#[pyfunction]
#[pyo3(signature = (xs, ys, *, cost, gamma, step_weights, band, feature_weights, pos_weight, may_be_infinite, threads))]
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
    may_be_infinite: bool,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let recursion = recursion(gamma, step_weights, band)?;
    let settings = Settings { cost: weighted_cost(cost, feature_weights, pos_weight)?, recursion, threads };
    let values = if is_float32(&xs) { values_of::<f32> } else { values_of::<f64> };
    values(py, &xs, ys.as_deref(), may_be_infinite, &settings)
}

/// Which gradients are asked for, and the frames of the arrays that they are padded to.
struct PaddedGradients {
    of_xs: Option<usize>,
    of_ys: Option<usize>,
    moments: bool,
}

fn gradients_of<'py, F: Real + Element>(
    py: Python<'py>,
    xs: &[Bound<'py, PyAny>],
    ys: Option<&[Bound<'py, PyAny>]>,
    shares: &[f64],
    padded: PaddedGradients,
    settings: &Settings,
) -> PyResult<Bound<'py, PyDict>> {
    let xs = read_series::<F>("xs", xs)?;
    let ys = ys.map(|ys| read_series("ys", ys)).transpose()?;
    let d = features(xs.iter().chain(ys.iter().flatten()), &settings.cost)?;
    let (xs, ys) = (slices(&xs)?, ys.as_ref().map(slices).transpose()?);
    let array = |name, set: &[&[F]], frames: Option<usize>| -> PyResult<_> {
        let Some(frames) = frames else { return Ok(None) };
        if set.iter().any(|series| series.len() > frames * d) {
            return Err(Error::argument(name, format!("holds series of more than {frames} frames")).into());
        }
        FreshArray::<F>::zeros(py, &[set.len(), frames, d]).map(Some)
    };
    let mut of_xs = array("xs", &xs, padded.of_xs)?;
    let mut of_ys = array("ys", ys.as_deref().unwrap_or_default(), padded.of_ys)?;
    fn parts<'a, F: Element>(of_set: &'a mut Option<FreshArray<'_, F>>, set: &[&[F]]) -> Option<Vec<&'a mut [F]>> {
        let parts = of_set.as_mut()?.parts_mut(set.len());
        Some(parts.zip(set).map(|(part, series)| &mut part[..series.len()]).collect())
    }
    let outputs = SetOutputs {
        xs: parts(&mut of_xs, &xs),
        ys: parts(&mut of_ys, ys.as_deref().unwrap_or_default()),
        moments: padded.moments,
    };
    let moments = without_lock(py, || write_gradients(&xs, ys.as_deref(), shares, settings.of_set(d), outputs))??;
    let result = PyDict::new(py);
    for (name, array) in [("xs_grad", of_xs), ("ys_grad", of_ys)] {
        if let Some(array) = array {
            result.set_item(name, array.into_array())?;
        }
    }
    if padded.moments {
        result.set_item("gamma_grad", -moments.entropy)?;
        result.set_item("step_weights_grad", PyArray1::from_slice(py, &moments.step_weights_grad))?;
    }
    Ok(result)
}

#[pyfunction]
#[pyo3(signature = (xs, ys, shares, *, cost, gamma, step_weights, band, feature_weights, pos_weight, xs_frames, ys_frames, moments, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn pairwise_gradients<'py>(
    py: Python<'py>,
    xs: Vec<Bound<'py, PyAny>>,
    ys: Option<Vec<Bound<'py, PyAny>>>,
    shares: Bound<'py, PyAny>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    xs_frames: Option<usize>,
    ys_frames: Option<usize>,
    moments: bool,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let recursion = recursion(gamma, step_weights, band)?;
    let settings = Settings { cost: weighted_cost(cost, feature_weights, pos_weight)?, recursion, threads };
    let shares = read::<f64, Ix2>(&shares).ok_or_else(|| precision_error("shares"))?;
    let padded = PaddedGradients { of_xs: xs_frames, of_ys: ys_frames, moments };
    let gradients = if is_float32(&xs) { gradients_of::<f32> } else { gradients_of::<f64> };
    gradients(py, &xs, ys.as_deref(), shares.as_slice()?, padded, &settings)
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
    let pair = read_series::<f64>("x, y", &[x, y])?;
    let d = features(&pair, &settings.cost)?;
    let pair = slices(&pair)?;
    Ok(without_lock(py, || divergence::divergence(pair[0], pair[1], settings.of_set(d)))??)
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
    let z = read_series::<f64>("z", &[z])?;
    let xs = read_series("xs", &xs)?;
    let shares = read::<f64, Ix1>(&shares).ok_or_else(|| precision_error("shares"))?;
    let d = features(z.iter().chain(&xs), &settings.cost)?;
    let (z, xs, shares) = (slices(&z)?[0], slices(&xs)?, shares.as_slice()?);
    let summed = without_lock(py, || sums(z, &xs, shares, wants_expected_cost, settings.of_set(d)))?;
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
