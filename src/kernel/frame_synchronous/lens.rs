//! Results that show what the loss teaches, frame by frame: modified targets, soft alignment, occupancy, durations.

use super::graph::Graph;
use super::outputs::Outputs;
use crate::simd::Number;

/// E of the states of one frame.
pub struct RowOfStates<R> {
    /// E of labels.
    pub label: Vec<R>,
    /// E of the blanks before them.
    pub blank: Vec<R>,
    /// The part of a blank's that came by a free step.
    pub free: Vec<R>,
}

impl<R: Number> RowOfStates<R> {
    /// Hands every column of the expanded target, with its entry of `to`, to `put`: blanks as `of_blank` says.
    #[inline(always)]
    fn columns<T>(&self, graph: Graph<'_>, to: &mut [T], of_blank: impl Fn(R) -> R, put: impl Fn(&mut T, R)) {
        let labels = graph.labels.len();
        if graph.blank.is_none() {
            to.iter_mut().zip(&self.label[..labels]).for_each(|(to, &e)| put(to, e));
            return;
        }
        let (pairs, last) = to.split_at_mut((2 * labels).min(to.len()));
        for ((pair, &blank), &label) in pairs.as_chunks_mut::<2>().0.iter_mut().zip(&self.blank).zip(&self.label) {
            put(&mut pair[0], of_blank(blank));
            put(&mut pair[1], label);
        }
        if let Some(last) = last.first_mut() {
            put(last, of_blank(self.blank[labels]));
        }
    }
}

/// A row, and sums over frames.
pub struct Lens<R> {
    /// The row at hand.
    pub row: RowOfStates<R>,
    /// Sums of E over frames, a number a column.
    pub durations: Vec<f64>,
}

impl<R: Number> Lens<R> {
    /// Writes what is asked for of the row at frame t, where blanks have a weight. H of all blanks sums to `on_blanks`, and of
    /// all labels to `on_labels`.
    #[inline(never)]
    pub fn write(
        &mut self,
        t: usize,
        graph: Graph<'_>,
        weight: f64,
        (on_blanks, on_labels): (f64, f64),
        outputs: &mut Outputs<'_, R>,
    ) {
        let Self { row, durations } = self;
        row.columns(graph, durations, |e| e, |duration, e| *duration += e.to_f64());
        if let Some(rows) = &mut outputs.visits {
            row.columns(graph, rows[t], |e| e, |entry, e| *entry = e);
        }
        if let Some(rows) = &mut outputs.soft_alignment {
            row.columns(graph, rows[t], |e| R::from_f64(weight * e.to_f64()), |entry, h| *entry = h);
            if let (Some(_), true) = (graph.blank, weight != 1.0) {
                for (entry, free) in rows[t].iter_mut().step_by(2).zip(&row.free[..=graph.labels.len()]) {
                    *entry += R::from_f64((1.0 - weight) * free.to_f64());
                }
            }
        }
        let h = on_blanks + on_labels;
        if let Some(all) = &mut outputs.h {
            all[t] = R::from_f64(h);
        }
        let Some(rows) = &mut outputs.y_mod else { return };
        // A frame that costs nothing is not taught.
        let inverse = if h < LEAST_TAUGHT { 0.0 } else { 1.0 / h };
        for (&label, e) in graph.labels.iter().zip(&row.label) {
            let entry = &mut rows[t][label as usize];
            *entry += R::from_f64(e.to_f64() * inverse);
        }
        if let Some(class) = graph.blank {
            let entry = &mut rows[t][class as usize];
            *entry += R::from_f64(on_blanks * inverse);
        }
    }
}

/// A frame of less weight has no modified target.
const LEAST_TAUGHT: f64 = 1e-20;
