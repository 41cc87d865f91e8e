//! Measures of soft alignments and of the events of their targets, as Python objects.

use numpy::{Element, Ix2, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::precision_error;
use super::arrays::read;
use crate::error::Error;
use crate::measures::events::{Event, Level, Targets, levels};
use crate::measures::marginals::Marginals;
use crate::measures::names::{MEASURES, Measure};
use crate::measures::summary::{AlignmentSummary, EventSummary, quartile_limits};
use crate::real::Real;
use crate::shape::Shape;

/// Features, starts and stops of events, (K,) each.
pub type Runs<'a, 'py> = [&'a PyReadonlyArray1<'py, i64>; 3];

/// Reads runs [a, b) of features and checks them against the targets' M and D.
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
    let result = Stack { py, count: None }.marginals_and_levels([&marginals], [&levels[..]])?;
    if let Some(h) = h {
        let h = h.as_slice()?;
        if h.len() != n {
            return Err(Error::argument("h", format!("has {} entries, the alignment {n} frames", h.len())).into());
        }
        let alignment = AlignmentSummary::new(h, &marginals, y, d);
        let events = EventSummary::new(&levels, threshold);
        let measures = PyDict::new(py);
        for (name, measure) in MEASURES {
            match measure {
                Measure::Value | Measure::Entropy => {}
                Measure::Alignment(read) => measures.set_item(name, read(&alignment))?,
                Measure::Events(read) => measures.set_item(name, read(&events))?,
            }
        }
        result.set_item("measures", measures)?;
    }
    Ok(result)
}

/// Makes arrays of one alignment, or of G with a leading axis.
#[derive(Clone, Copy)]
pub struct Stack<'py> {
    pub py: Python<'py>,
    /// Number of alignments G; `None` for one without a leading axis.
    pub count: Option<usize>,
}

impl<'py> Stack<'py> {
    /// Makes an array of numbers, those of one alignment after those of the other, equally many of each.
    fn array<T: Element>(self, numbers: impl Iterator<Item = T>) -> PyResult<Bound<'py, PyAny>> {
        let numbers: Vec<T> = numbers.collect();
        let length = numbers.len();
        let array = PyArray1::from_vec(self.py, numbers);
        match self.count {
            None => Ok(array.into_any()),
            Some(count) => Ok(array.reshape([count, length / count.max(1)])?.into_any()),
        }
    }

    /// Puts masses, expected path, entropy of each frame, and the levels of the events into a dict by their names.
    pub fn marginals_and_levels<'a>(
        self,
        marginals: impl IntoIterator<Item = &'a Marginals, IntoIter: Clone>,
        levels: impl IntoIterator<Item = &'a [Level], IntoIter: Clone>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (marginals, levels) = (marginals.into_iter(), levels.into_iter().flatten());
        let result = PyDict::new(self.py);
        result.set_item("masses", self.array(marginals.clone().flat_map(|each| each.masses.iter().copied()))?)?;
        result.set_item("path", self.array(marginals.clone().flat_map(|each| each.path.iter().copied()))?)?;
        result.set_item("frame_entropy", self.array(marginals.flat_map(|each| each.entropy.iter().copied()))?)?;
        let by_name = PyDict::new(self.py);
        let number =
            |name: &str, read: fn(&Level) -> f64| by_name.set_item(name, self.array(levels.clone().map(read))?);
        number("peak", |level| level.peak)?;
        number("duration", |level| level.duration)?;
        number("mean_level", |level| level.mean)?;
        number("onset_fade", |level| level.onset_fade)?;
        number("offset_fade", |level| level.offset_fade)?;
        number("widening", |level| level.widening)?;
        let frame = |name: &str, read: fn(&Level) -> usize| {
            by_name.set_item(name, self.array(levels.clone().map(|level| read(level) as i64))?)
        };
        frame("peak_frame", |level| level.peak_frame)?;
        frame("first", |level| level.first)?;
        frame("last", |level| level.last)?;
        result.set_item("levels", by_name)?;
        Ok(result)
    }
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
    if let (Some(alignment), Some(y)) = (read::<f32, _>(&alignment), read::<f32, _>(&y)) {
        measure(py, &alignment, &y, runs, threshold, read_row(&h)?.as_ref())
    } else if let (Some(alignment), Some(y)) = (read::<f64, _>(&alignment), read::<f64, _>(&y)) {
        measure(py, &alignment, &y, runs, threshold, read_row(&h)?.as_ref())
    } else {
        Err(precision_error("alignment, y"))
    }
}

fn read_row<'py, F: Element>(object: &Option<Bound<'py, PyAny>>) -> PyResult<Option<PyReadonlyArray1<'py, F>>> {
    object.as_ref().map(|object| object.extract().map_err(|_| precision_error("h"))).transpose()
}

#[pyfunction]
#[pyo3(signature = (*, peak, duration, onset_fade, offset_fade, widening, threshold))]
pub fn measure_events<'py>(
    py: Python<'py>,
    peak: PyReadonlyArray1<'py, f64>,
    duration: PyReadonlyArray1<'py, f64>,
    onset_fade: PyReadonlyArray1<'py, f64>,
    offset_fade: PyReadonlyArray1<'py, f64>,
    widening: PyReadonlyArray1<'py, f64>,
    threshold: f64,
) -> PyResult<Bound<'py, PyDict>> {
    let peak = peak.as_array();
    let mut levels: Vec<Level> = peak.iter().map(|&peak| Level { peak, ..Level::default() }).collect();
    let mut read = |name: &'static str, column: PyReadonlyArray1<'py, f64>, field: fn(&mut Level) -> &mut f64| {
        let column = column.as_array();
        if column.len() != levels.len() {
            let (count, events) = (column.len(), levels.len());
            return Err(Error::argument(name, format!("has {count} entries, peak {events}")));
        }
        levels.iter_mut().zip(column).for_each(|(level, &number)| *field(level) = number);
        Ok(())
    };
    read("duration", duration, |level| &mut level.duration)?;
    read("onset_fade", onset_fade, |level| &mut level.onset_fade)?;
    read("offset_fade", offset_fade, |level| &mut level.offset_fade)?;
    read("widening", widening, |level| &mut level.widening)?;
    let summary = EventSummary::new(&levels, threshold);
    let result = PyDict::new(py);
    for (name, measure) in MEASURES {
        if let Measure::Events(read) = measure {
            result.set_item(name, read(&summary))?;
        }
    }
    Ok(result)
}

#[pyfunction]
#[pyo3(name = "quartile_limits")]
pub fn quartile_limits_of(durations: PyReadonlyArray1<'_, f64>) -> PyResult<[f64; 2]> {
    Ok(quartile_limits(durations.as_slice()?))
}

#[pyfunction]
pub fn find_events<'py>(py: Python<'py>, y: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let events = if let Some(y) = read::<f32, Ix2>(&y) {
        Event::all_of(Targets { y: y.as_slice()?, d: y.as_array().dim().1 })
    } else if let Some(y) = read::<f64, Ix2>(&y) {
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
