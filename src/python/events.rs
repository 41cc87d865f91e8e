//! What a soft alignment holds of its targets and their events.

use numpy::{Element, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::precision_error;
use crate::error::Error;
use crate::events::{Event, Level, Targets, levels};
use crate::marginals::Marginals;
use crate::real::Real;
use crate::shape::Shape;

/// Runs [a, b) of features, checked against the targets' M and D.
fn events(
    features: &PyReadonlyArray1<'_, i64>,
    starts: &PyReadonlyArray1<'_, i64>,
    stops: &PyReadonlyArray1<'_, i64>,
    (m, d): (usize, usize),
) -> Result<Vec<Event>, Error> {
    let (features, starts, stops) = (features.as_array(), starts.as_array(), stops.as_array());
    if features.len() != starts.len() || features.len() != stops.len() {
        let lengths = format!("{}, {} and {}", features.len(), starts.len(), stops.len());
        return Err(Error::argument("events", format!("features, starts and stops have {lengths} entries")));
    }
    let read = |(index, ((&feature, &start), &stop)): (usize, ((&i64, &i64), &i64))| {
        let within = |number: i64, below: usize| usize::try_from(number).ok().filter(|&number| number < below);
        match (within(feature, d), within(start, m), within(stop, m + 1)) {
            (Some(feature), Some(start), Some(stop)) if start < stop => Ok(Event { feature, run: start..stop }),
            _ => Err(Error::argument(
                "events",
                format!("event {index} is [{start}, {stop}) of feature {feature}, the targets have M = {m}, D = {d}"),
            )),
        }
    };
    features.iter().zip(starts).zip(stops).enumerate().map(read).collect()
}

fn measure<'py, F: Real + Element>(
    py: Python<'py>,
    alignment: &PyReadonlyArray2<'py, F>,
    y: &PyReadonlyArray2<'py, F>,
    runs: [&PyReadonlyArray1<'py, i64>; 3],
    threshold: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let ((n, m), (m_of_y, d)) = (alignment.as_array().dim(), y.as_array().dim());
    if m != m_of_y {
        return Err(Error::argument("y", format!("has {m_of_y} frames, the alignment {m} targets")).into());
    }
    let shape = Shape::new(n, m)?;
    let [features, starts, stops] = runs;
    let events = events(features, starts, stops, (m, d))?;
    let (alignment, y) = (alignment.as_slice()?, y.as_slice()?);
    let (marginals, levels) = py.detach(|| {
        let marginals = Marginals::new(alignment, shape);
        let levels = levels(alignment, shape, &marginals, Targets { y, d }, &events, threshold);
        (marginals, levels)
    });
    into_dict(py, marginals, &levels)
}

/// A name and what of each level is listed under it.
type Column<T> = (&'static str, fn(&Level) -> T);

fn into_dict<'py>(py: Python<'py>, marginals: Marginals, levels: &[Level]) -> PyResult<Bound<'py, PyDict>> {
    let result = PyDict::new(py);
    for (name, values) in [("masses", marginals.masses), ("path", marginals.path), ("frame_entropy", marginals.entropy)]
    {
        result.set_item(name, PyArray1::from_vec(py, values))?;
    }
    let numbers: [Column<f64>; 6] = [
        ("peak", |level| level.peak),
        ("duration", |level| level.duration),
        ("mean_level", |level| level.mean),
        ("onset_fade", |level| level.onset_fade),
        ("offset_fade", |level| level.offset_fade),
        ("widening", |level| level.widening),
    ];
    for (name, of) in numbers {
        result.set_item(name, PyArray1::from_iter(py, levels.iter().map(of)))?;
    }
    let frames: [Column<usize>; 3] =
        [("peak_frame", |level| level.peak_frame), ("first", |level| level.first), ("last", |level| level.last)];
    for (name, of) in frames {
        result.set_item(name, PyArray1::from_iter(py, levels.iter().map(|level| of(level) as i64)))?;
    }
    Ok(result)
}

#[pyfunction]
#[pyo3(signature = (alignment, y, *, features, starts, stops, threshold))]
pub fn measure_alignment<'py>(
    py: Python<'py>,
    alignment: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    features: PyReadonlyArray1<'py, i64>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    threshold: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let runs = [&features, &starts, &stops];
    if let (Some(alignment), Some(y)) = (read::<f32>(&alignment), read::<f32>(&y)) {
        measure(py, &alignment, &y, runs, threshold)
    } else if let (Some(alignment), Some(y)) = (read::<f64>(&alignment), read::<f64>(&y)) {
        measure(py, &alignment, &y, runs, threshold)
    } else {
        Err(precision_error("alignment, y"))
    }
}

fn read<'py, F: Element>(object: &Bound<'py, PyAny>) -> Option<PyReadonlyArray2<'py, F>> {
    object.extract().ok().filter(|array: &PyReadonlyArray2<'py, F>| array.as_slice().is_ok())
}
