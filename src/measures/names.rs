//! Measures of an alignment by name: the one list that tables, files and Python follow.

use super::summary::{AlignmentSummary, EventSummary};

/// Source of a measure.
#[derive(Clone, Copy)]
pub enum Measure {
    /// D(N,M), which the sweep gives.
    Value,
    /// Entropy of the distribution of paths in nats, which the sweep gives.
    Entropy,
    /// Read from the soft alignment.
    Alignment(fn(&AlignmentSummary) -> f64),
    /// Read from the events of the targets.
    Events(fn(&EventSummary) -> f64),
}

use Measure::{Alignment, Entropy, Events, Value};

/// Names and measures, in the order of tables.
pub const MEASURES: [(&str, Measure); 22] = [
    ("value", Value),
    ("entropy", Entropy),
    ("entropy_per_frame", Alignment(|alignment| alignment.entropy_per_frame)),
    ("h_min", Alignment(|alignment| alignment.h_min)),
    ("h_mean", Alignment(|alignment| alignment.h_mean)),
    ("h_max", Alignment(|alignment| alignment.h_max)),
    ("events", Events(|events| events.events as f64)),
    ("events_below_threshold", Events(|events| events.below as f64)),
    ("kept", Events(|events| events.kept)),
    ("peak_mean", Events(|events| events.peak_mean)),
    ("peak_min", Events(|events| events.peak_min)),
    ("short_event_peak", Events(|events| events.short_peak)),
    ("long_event_peak", Events(|events| events.long_peak)),
    ("short_long_ratio", Events(EventSummary::short_long_ratio)),
    ("expected_duration_mean", Events(|events| events.duration)),
    ("onset_fade_mean", Events(|events| events.onset_fade)),
    ("offset_fade_mean", Events(|events| events.offset_fade)),
    ("widening_mean", Events(|events| events.widening)),
    ("blur", Events(EventSummary::blur)),
    ("path_diagonal_distance", Alignment(|alignment| alignment.path_diagonal_distance)),
    ("collapse", Alignment(|alignment| alignment.collapse)),
    ("empty_share", Alignment(|alignment| alignment.empty_share)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_measures_share_a_name() {
        let mut names = MEASURES.map(|(name, _)| name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEASURES.len());
    }
}
