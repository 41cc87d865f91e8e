//! What a soft alignment holds of its targets and their events.

use numpy::{Element, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::precision_error;
use crate::error::Error;
use crate::measures::events::{Event, Level, Targets, levels};
use crate::measures::marginals::Marginals;
use crate::measures::summary::{OfAlignment, OfEvents, quartile_limits};
use crate::real::Real;
use crate::shape::Shape;

/// Features, starts and stops of events.
pub type Runs<'a, 'py> = [&'a PyReadonlyArray1<'py, i64>; 3];

/// Runs [a, b) of features, checked against the targets' M and D.
pub fn events([features, starts, stops]: Runs<'_, '_>, (m, d): (usize, usize)) -> Result<Vec<Event>, Error> {
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
    runs: Runs<'_, 'py>,
    threshold: f64,
    h: Option<&PyReadonlyArray1<'py, F>>,
) -> PyResult<Bound<'py, PyDict>> {
    let ((n, m), (m_of_y, d)) = (alignment.as_array().dim(), y.as_array().dim());
    if m != m_of_y {
        return Err(Error::argument("y", format!("has {m_of_y} frames, the alignment {m} targets")).into());
    }
    let shape = Shape::new(n, m)?;
    let events = events(runs, (m, d))?;
    let (alignment, y) = (alignment.as_slice()?, y.as_slice()?);
    let (marginals, levels) = py.detach(|| {
        let marginals = Marginals::new(alignment, shape);
        let levels = levels(alignment, shape, &marginals, Targets { y, d }, &events, threshold);
        (marginals, levels)
    });
    let result = PyDict::new(py);
    if let Some(h) = h {
        let h = h.as_slice()?;
        if h.len() != n {
            return Err(Error::argument("h", format!("has {} entries, the alignment {n} frames", h.len())).into());
        }
        let (alignment, events) = (OfAlignment::new(h, &marginals, y, d), OfEvents::new(&levels, threshold));
        put(&result, "measures", 1, in_numbers(f64::NAN, f64::NAN, &alignment, &events).into_iter())?;
    }
    put_measures(&result, &[marginals], &[levels])?;
    Ok(result)
}

/// Puts G lists of numbers of one length under a name, as (G, length).
pub fn put<'py, T: Element>(
    result: &Bound<'py, PyDict>,
    name: &str,
    rows: usize,
    numbers: impl Iterator<Item = T>,
) -> PyResult<()> {
    let flat: Vec<T> = numbers.collect();
    let length = flat.len() / rows.max(1);
    result.set_item(name, PyArray1::from_vec(result.py(), flat).reshape([rows, length])?)
}

/// Numbers of 8 bytes in the record of a level.
const RECORD: usize = 9;

/// The record of a level as Python reads it, whole numbers by their bits.
fn record(level: &Level) -> [f64; RECORD] {
    let whole = |number: usize| f64::from_bits(number as u64);
    let Level { peak, duration, mean, onset_fade, offset_fade, widening, .. } = *level;
    let [peak_frame, first, last] = [level.peak_frame, level.first, level.last].map(whole);
    [peak, duration, mean, onset_fade, offset_fade, widening, peak_frame, first, last]
}

/// The level that a record tells.
fn level(record: &[f64]) -> Level {
    let whole = |number: f64| number.to_bits() as usize;
    Level {
        peak: record[0],
        duration: record[1],
        mean: record[2],
        onset_fade: record[3],
        offset_fade: record[4],
        widening: record[5],
        peak_frame: whole(record[6]),
        first: whole(record[7]),
        last: whole(record[8]),
    }
}

/// How many numbers [`of_events`] gives.
pub const OF_EVENTS: usize = 13;

/// Measures of events in the order of tables.
pub fn of_events(found: &OfEvents) -> [f64; OF_EVENTS] {
    [
        found.events as f64,
        found.below as f64,
        found.kept,
        found.peak_mean,
        found.peak_min,
        found.short_peak,
        found.long_peak,
        found.short_long_ratio(),
        found.duration,
        found.onset_fade,
        found.offset_fade,
        found.widening,
        (found.onset_fade + found.offset_fade) / 2.0,
    ]
}

/// Measures of an alignment and its events in the order of tables.
pub fn in_numbers(value: f64, entropy: f64, alignment: &OfAlignment, events: &OfEvents) -> Vec<f64> {
    let OfAlignment { entropy_per_frame, h_min, h_mean, h_max, path_diagonal_distance, collapse, empty_share } =
        *alignment;
    let before = [value, entropy, entropy_per_frame, h_min, h_mean, h_max];
    before.into_iter().chain(of_events(events)).chain([path_diagonal_distance, collapse, empty_share]).collect()
}

/// Puts what is known of G alignments of one pair.
pub fn put_measures<'py>(result: &Bound<'py, PyDict>, marginals: &[Marginals], levels: &[Vec<Level>]) -> PyResult<()> {
    let rows = marginals.len();
    put(result, "masses", rows, marginals.iter().flat_map(|each| &each.masses).copied())?;
    put(result, "path", rows, marginals.iter().flat_map(|each| &each.path).copied())?;
    put(result, "frame_entropy", rows, marginals.iter().flat_map(|each| &each.entropy).copied())?;
    let records: Vec<f64> = levels.iter().flatten().flat_map(record).collect();
    let shape = [rows, levels.first().map_or(0, Vec::len), RECORD];
    result.set_item("levels", PyArray1::from_vec(result.py(), records).reshape(shape)?)?;
    Ok(())
}

#[pyfunction]
#[pyo3(signature = (alignment, y, *, features, starts, stops, threshold, h = None))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn measure_alignment<'py>(
    py: Python<'py>,
    alignment: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    features: PyReadonlyArray1<'py, i64>,
    starts: PyReadonlyArray1<'py, i64>,
    stops: PyReadonlyArray1<'py, i64>,
    threshold: f64,
    h: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let runs = [&features, &starts, &stops];
    if let (Some(alignment), Some(y)) = (read::<f32>(&alignment), read::<f32>(&y)) {
        measure(py, &alignment, &y, runs, threshold, read_row(&h)?.as_ref())
    } else if let (Some(alignment), Some(y)) = (read::<f64>(&alignment), read::<f64>(&y)) {
        measure(py, &alignment, &y, runs, threshold, read_row(&h)?.as_ref())
    } else {
        Err(precision_error("alignment, y"))
    }
}

pub fn read<'py, F: Element>(object: &Bound<'py, PyAny>) -> Option<PyReadonlyArray2<'py, F>> {
    object.extract().ok().filter(|array: &PyReadonlyArray2<'py, F>| array.as_slice().is_ok())
}

fn read_row<'py, F: Element>(object: &Option<Bound<'py, PyAny>>) -> PyResult<Option<PyReadonlyArray1<'py, F>>> {
    object.as_ref().map(|object| object.extract().map_err(|_| precision_error("h"))).transpose()
}

/// Measures of levels (K,9), in the order of tables.
#[pyfunction]
pub fn measure_events(levels: PyReadonlyArray2<'_, f64>, threshold: f64) -> PyResult<[f64; OF_EVENTS]> {
    if levels.as_array().dim().1 != RECORD {
        return Err(Error::argument("levels", format!("must be (K, {RECORD})")).into());
    }
    let levels: Vec<Level> = levels.as_slice()?.chunks_exact(RECORD).map(level).collect();
    Ok(of_events(&OfEvents::new(&levels, threshold)))
}

#[pyfunction]
pub fn limits_of_quartiles(durations: PyReadonlyArray1<'_, f64>) -> PyResult<[f64; 2]> {
    Ok(quartile_limits(durations.as_slice()?))
}

#[pyfunction]
pub fn find_events<'py>(py: Python<'py>, y: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let events = if let Some(y) = read::<f32>(&y) {
        Event::all_of(Targets { y: y.as_slice()?, d: y.as_array().dim().1 })
    } else if let Some(y) = read::<f64>(&y) {
        Event::all_of(Targets { y: y.as_slice()?, d: y.as_array().dim().1 })
    } else {
        return Err(precision_error("y"));
    };
    let result = PyDict::new(py);
    let column = |of: fn(&Event) -> usize| PyArray1::from_iter(py, events.iter().map(|event| of(event) as i64));
    result.set_item("feature", column(|event| event.feature))?;
    result.set_item("start", column(|event| event.run.start))?;
    result.set_item("stop", column(|event| event.run.end))?;
    Ok(result)
}
