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

/// A row, and sums over frames.
pub struct Lens<R> {
    /// The row at hand.
    pub row: RowOfStates<R>,
    /// Sums of E over frames, a number a column.
    pub durations: Vec<f64>,
}

impl<R: Number> Lens<R> {
    /// Writes what is asked for of the row at frame t, where blanks have a weight and H of them all sums to `on_blanks`.
    #[inline(never)]
    pub fn write(&mut self, t: usize, graph: Graph<'_>, weight: f64, on_blanks: f64, outputs: &mut Outputs<'_, R>) {
        let labels = graph.labels.len();
        let Self { row, durations } = self;
        // Column c of the expanded target: E and H.
        let blank = |j: usize| {
            let (e, free) = (row.blank[j].to_f64(), row.free[j].to_f64());
            (e, weight * (e - free) + free)
        };
        let has_blanks = graph.blank.is_some();
        let column = |c: usize| match (has_blanks, c % 2) {
            (true, 0) => blank(c / 2),
            (true, _) => (row.label[c / 2].to_f64(), row.label[c / 2].to_f64()),
            (false, _) => (row.label[c].to_f64(), row.label[c].to_f64()),
        };
        for (c, duration) in durations.iter_mut().enumerate() {
            *duration += column(c).0;
        }
        if let Some(rows) = &mut outputs.visits {
            for (c, entry) in rows[t][..graph.columns()].iter_mut().enumerate() {
                *entry = R::from_f64(column(c).0);
            }
        }
        if let Some(rows) = &mut outputs.soft_alignment {
            for (c, entry) in rows[t][..graph.columns()].iter_mut().enumerate() {
                *entry = R::from_f64(column(c).1);
            }
        }
        let h = on_blanks + row.label[..labels].iter().map(|e| e.to_f64()).sum::<f64>();
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
