//! Frame-synchronous losses, CTC and forward-sum, for scores padded to one shape.

use numpy::{Element, Ix3, PyArray1, PyReadonlyArray1, PyReadonlyArray3, PyReadwriteArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::precision_error;
use super::arrays::{FreshArray, Parts, read};
use super::signals::run_jobs;
use crate::error::Error;
use crate::kernel::frame_synchronous::graph::Graph;
use crate::kernel::frame_synchronous::item::Scores;
use crate::kernel::frame_synchronous::outputs::{Outputs, Rows};
use crate::kernel::frame_synchronous::settings::Settings;
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::plan::frame_synchronous::{FrameSynchronousScratch, Item, Precision, align};

/// Sizes of a batch, and whether items come before frames in memory.
#[derive(Clone, Copy)]
struct Sizes {
    items: usize,
    frames: usize,
    classes: usize,
    batch_first: bool,
}

impl Sizes {
    /// The scores of an item of so many frames.
    fn scores<F>(self, entries: &[F], item: usize, frames: usize) -> Scores<'_, F> {
        let (start, stride) = if self.batch_first { (self.frames, 1) } else { (1, self.items) };
        let classes = self.classes;
        Scores {
            entries: &entries[(item * start * classes).min(entries.len())..],
            stride: stride * classes,
            frames,
            classes,
        }
    }

    /// The rows of an array of the shape of the scores, by items.
    fn rows<F>(self, entries: &mut [F]) -> Vec<Rows<'_, F>> {
        let mut of_items: Vec<Rows<'_, F>> = (0..self.items).map(|_| Vec::with_capacity(self.frames)).collect();
        for (index, row) in entries.chunks_exact_mut(self.classes).enumerate() {
            of_items[if self.batch_first { index / self.frames } else { index % self.items }].push(row);
        }
        of_items
    }
}

/// Results that are asked for.
#[derive(Clone, Copy, Default)]
struct Requested {
    y_mod: bool,
    soft_alignment: bool,
    visits: bool,
    h: bool,
    durations: bool,
    entropy: bool,
}

impl Requested {
    fn parse(names: &[String]) -> Result<Self, Error> {
        let mut requested = Self::default();
        for name in names {
            let flag = match name.as_str() {
                "y_mod" => &mut requested.y_mod,
                "H" => &mut requested.soft_alignment,
                "E" => &mut requested.visits,
                "h" => &mut requested.h,
                "durations" => &mut requested.durations,
                "entropy" => &mut requested.entropy,
                _ => return Err(Error::argument("outputs", format!("unknown output {name:?}"))),
            };
            *flag = true;
        }
        Ok(requested)
    }
}

/// Reads a number for each item, from 0 to the greatest one.
fn lengths(name: &'static str, of: &PyReadonlyArray1<'_, i64>, items: usize, most: usize) -> Result<Vec<usize>, Error> {
    let of = of.as_array();
    if of.len() != items {
        return Err(Error::argument(name, format!("has {} entries for {items} items", of.len())));
    }
    let read = |(index, &length): (usize, &i64)| {
        usize::try_from(length)
            .ok()
            .filter(|&length| length <= most)
            .ok_or_else(|| Error::argument(name, format!("entry {index} is {length}; a length is from 0 to {most}")))
    };
    of.iter().enumerate().map(read).collect()
}

/// Reads labels, each of which is a class and not the blank.
fn classes_of_labels(
    labels: &PyReadonlyArray1<'_, i64>,
    lengths: &[usize],
    classes: usize,
    blank: Option<u32>,
) -> Result<Vec<u32>, Error> {
    let labels = labels.as_array();
    let total: usize = lengths.iter().sum();
    if labels.len() != total {
        return Err(Error::argument(
            "targets",
            format!("holds {} labels; target_lengths add up to {total}", labels.len()),
        ));
    }
    let mut read = Vec::with_capacity(total);
    for (item, &length) in lengths.iter().enumerate() {
        for j in 0..length {
            let label = labels[read.len()];
            let class = u32::try_from(label).ok().filter(|&class| (class as usize) < classes);
            match class {
                Some(class) if Some(class) != blank => read.push(class),
                Some(_) => {
                    return Err(Error::argument(
                        "targets",
                        format!(
                            "label {j} of item {item} is {label}, the blank; leave blanks out, or name another class as the blank"
                        ),
                    ));
                }
                None => {
                    return Err(Error::argument(
                        "targets",
                        format!("label {j} of item {item} is {label}; classes are from 0 to {}", classes as i64 - 1),
                    ));
                }
            }
        }
    }
    Ok(read)
}

/// Arrays that were asked for, a part an item.
struct Arrays<'py, F> {
    y_mod: Option<FreshArray<'py, F>>,
    soft_alignment: Option<FreshArray<'py, F>>,
    visits: Option<FreshArray<'py, F>>,
    h: Option<FreshArray<'py, F>>,
    durations: Option<FreshArray<'py, f64>>,
}

/// Cuts the array of an item into rows.
fn rows<'a, F>(part: Option<&'a mut [F]>, frames: usize) -> Option<Rows<'a, F>> {
    part.map(|part| {
        let width = part.len() / frames.max(1);
        part.chunks_exact_mut(width.max(1)).take(frames).collect()
    })
}

/// Softness and costs of blanks and classes, from a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct SettingsArgument<'py> {
    gamma: f64,
    blank_penalty: f64,
    blank_weight: f64,
    free_between: bool,
    class_costs: Option<PyReadonlyArray1<'py, f64>>,
    from_logits: bool,
}

impl SettingsArgument<'_> {
    fn settings(self, classes: usize) -> Result<Settings, Error> {
        let Self { gamma, blank_penalty, blank_weight, free_between, class_costs, from_logits } = self;
        let class_costs = class_costs.map(|costs| costs.as_array().to_vec());
        let settings = Settings { gamma, blank_penalty, blank_weight, free_between, class_costs, from_logits };
        settings.check(classes)?;
        Ok(settings)
    }
}

/// Labels, lengths, settings and the outputs of a batch.
struct Asked {
    sizes: Sizes,
    /// Labels of all items, one item after the other; without a blank those that every item begins with.
    labels: Vec<u32>,
    label_lengths: Vec<usize>,
    /// Frames of each item.
    frames: Vec<usize>,
    blank: Option<u32>,
    settings: Settings,
    /// The factor of each gradient.
    scale: Option<Vec<f64>>,
    requested: Requested,
    threads: Option<usize>,
}

fn align_all<'py, F: Precision + Element>(
    py: Python<'py>,
    scores: &PyReadonlyArray3<'py, F>,
    grad: Option<Bound<'py, PyAny>>,
    asked: &Asked,
) -> PyResult<Bound<'py, PyDict>> {
    let &Asked { sizes, blank, requested, .. } = asked;
    let Sizes { items, frames: longest, classes, .. } = sizes;
    let entries = scores.as_slice()?;
    let mut grad = writable::<F>(grad, scores.as_array().dim())?;
    let columns = |labels: usize| if blank.is_some() { 2 * labels + 1 } else { labels };
    let width = columns(asked.label_lengths.iter().copied().max().unwrap_or(0));
    let array = |wanted: bool, shape: &[usize]| wanted.then(|| FreshArray::<F>::zeros(py, shape)).transpose();
    let mut arrays = Arrays {
        y_mod: array(requested.y_mod, &[items, longest, classes])?,
        soft_alignment: array(requested.soft_alignment, &[items, longest, width])?,
        visits: array(requested.visits, &[items, longest, width])?,
        h: array(requested.h, &[items, longest])?,
        durations: requested.durations.then(|| FreshArray::zeros(py, &[items, width])).transpose()?,
    };
    let mut grads: Vec<Option<Rows<'_, F>>> = match &mut grad {
        Some(grad) => sizes.rows(grad.as_slice_mut()?).into_iter().map(Some).collect(),
        None => (0..items).map(|_| None).collect(),
    };
    let mut parts = (
        Parts::new(&mut arrays.y_mod, items),
        Parts::new(&mut arrays.soft_alignment, items),
        Parts::new(&mut arrays.visits, items),
        Parts::new(&mut arrays.h, items),
        Parts::new(&mut arrays.durations, items),
    );
    let mut jobs = vec![];
    let mut start = 0;
    for (item, (&count, &frames)) in asked.label_lengths.iter().zip(&asked.frames).enumerate() {
        let graph = Graph { labels: &asked.labels[start..start + count], blank };
        start += if blank.is_some() { count } else { 0 };
        let outputs = Outputs {
            grad: grads[item].take(),
            scale: asked.scale.as_ref().map_or(1.0, |scale| scale[item]),
            y_mod: rows(parts.0.next(), longest),
            soft_alignment: rows(parts.1.next(), longest),
            visits: rows(parts.2.next(), longest),
            h: parts.3.next(),
            durations: parts.4.next_cut(graph.columns()),
            entropy: requested.entropy,
        };
        jobs.push((Item { scores: sizes.scores(entries, item, frames), graph }, outputs));
    }
    let size = |job: &(Item<'_, F>, Outputs<'_, F>)| job.0.scores.frames * (job.0.graph.columns() + classes / 4);
    let work = |(item, mut outputs), _: ThreadTeam<'_>, scratch: &mut FrameSynchronousScratch| {
        align(item, &asked.settings, &mut outputs, scratch)
    };
    let results = run_jobs(py, jobs, size, asked.threads, work)?;
    let sums = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    let result = PyDict::new(py);
    result.set_item("value", PyArray1::from_iter(py, sums.iter().map(|sums| sums.value)))?;
    result.set_item("blank_uses", PyArray1::from_iter(py, sums.iter().map(|sums| sums.blank_uses)))?;
    if requested.entropy {
        result.set_item("entropy", PyArray1::from_iter(py, sums.iter().map(|sums| sums.entropy)))?;
    }
    let Arrays { y_mod, soft_alignment, visits, h, durations } = arrays;
    for (name, array) in [("y_mod", y_mod), ("H", soft_alignment), ("E", visits), ("h", h)] {
        if let Some(array) = array {
            result.set_item(name, array.into_array())?;
        }
    }
    if let Some(durations) = durations {
        result.set_item("durations", durations.into_array())?;
    }
    Ok(result)
}

#[pyfunction]
#[pyo3(signature = (scores, *, batch_first, frames, labels, label_lengths, blank, settings, outputs, grad, scale, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn frame_synchronous_padded<'py>(
    py: Python<'py>,
    scores: Bound<'py, PyAny>,
    batch_first: bool,
    frames: PyReadonlyArray1<'py, i64>,
    labels: Option<PyReadonlyArray1<'py, i64>>,
    label_lengths: PyReadonlyArray1<'py, i64>,
    blank: Option<i64>,
    settings: SettingsArgument<'py>,
    outputs: Vec<String>,
    grad: Option<Bound<'py, PyAny>>,
    scale: Option<PyReadonlyArray1<'py, f64>>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let narrow = read::<f32, Ix3>(&scores);
    let wide = read::<f64, Ix3>(&scores);
    let (first, second, classes) = match (&narrow, &wide) {
        (Some(scores), _) => scores.as_array().dim(),
        (_, Some(scores)) => scores.as_array().dim(),
        _ => return Err(precision_error("log_probs")),
    };
    let (items, longest) = if batch_first { (first, second) } else { (second, first) };
    if classes == 0 || i32::try_from(classes).is_err() {
        return Err(Error::argument("log_probs", format!("has {classes} classes; 1 to 2^31 - 1 are accepted")).into());
    }
    let class = |blank: i64| {
        u32::try_from(blank)
            .ok()
            .filter(|&blank| (blank as usize) < classes)
            .ok_or_else(|| Error::argument("blank", format!("is {blank}; classes are from 0 to {}", classes - 1)))
    };
    let blank = blank.map(class).transpose()?;
    let most = if blank.is_some() { (u32::MAX / 4) as usize } else { classes };
    let label_lengths = lengths("target_lengths", &label_lengths, items, most)?;
    let labels = match labels {
        Some(labels) => classes_of_labels(&labels, &label_lengths, classes, blank)?,
        None if blank.is_some() => return Err(Error::argument("targets", "are missing; CTC needs labels").into()),
        None => (0..classes as u32).collect(),
    };
    if blank.is_none()
        && let Some(item) = label_lengths.iter().position(|&length| length == 0)
    {
        return Err(
            Error::argument("target_lengths", format!("entry {item} is 0; at least one target is needed")).into()
        );
    }
    let scale = scale.map(|scale| scale.as_array().to_vec());
    if let Some(scale) = &scale
        && scale.len() != items
    {
        return Err(Error::argument("scale", format!("has {} entries for {items} items", scale.len())).into());
    }
    let asked = Asked {
        sizes: Sizes { items, frames: longest, classes, batch_first },
        labels,
        label_lengths,
        frames: lengths("input_lengths", &frames, items, longest)?,
        blank,
        settings: settings.settings(classes)?,
        scale,
        requested: Requested::parse(&outputs)?,
        threads,
    };
    match (narrow, wide) {
        (Some(scores), _) => align_all(py, &scores, grad, &asked),
        (_, Some(scores)) => align_all(py, &scores, grad, &asked),
        _ => Err(precision_error("log_probs")),
    }
}

/// Takes an array of the shape of the scores to be written, which may hold anything.
fn writable<'py, F: Element>(
    array: Option<Bound<'py, PyAny>>,
    shape: (usize, usize, usize),
) -> PyResult<Option<PyReadwriteArray<'py, F, Ix3>>> {
    let Some(array) = array else { return Ok(None) };
    let array: PyReadwriteArray<'py, F, Ix3> = array.extract().map_err(|_| precision_error("grad"))?;
    if array.as_array().dim() != shape || array.as_slice().is_err() {
        return Err(Error::argument("grad", "must be C-contiguous and of the shape of log_probs").into());
    }
    Ok(Some(array))
}
