//! A pair aligned at one gamma and measured at once: H is not kept unless that is asked for.

use crate::cost::WeightedCost;
use crate::error::Error;
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::matrix::MatrixMut;
use crate::measures::events::{Event, Level, Targets, levels};
use crate::measures::marginals::Marginals;
use crate::measures::names::Measure;
use crate::measures::summary::{AlignmentSummary, EventSummary};
use crate::plan::{self, Pair, PairScratch, Recursion};
use crate::readout::{LEAST_ROW_SUM, Outputs};
use crate::real::Real;

/// Memory for the arrays that are kept; entries need not be zero.
#[derive(Default)]
pub struct Kept<'a, F> {
    /// h(n), (N,).
    pub h: Option<&'a mut [F]>,
    /// Modified targets, (N,D).
    pub y_mod: Option<&'a mut [F]>,
    /// H, (N,M).
    pub soft_alignment: Option<&'a mut [F]>,
}

/// Measures of the alignment and of the events of its targets.
pub struct Measured {
    /// D(N,M).
    pub value: f64,
    /// Entropy of the distribution of paths in nats.
    pub entropy: f64,
    /// Marginals of H~.
    pub marginals: Marginals,
    /// Level of each event.
    pub levels: Vec<Level>,
    /// Summary of the alignment.
    pub alignment: AlignmentSummary,
    /// Summary of the events.
    pub events: EventSummary,
}

impl Measured {
    /// Reads one measure.
    pub fn measure(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Value => self.value,
            Measure::Entropy => self.entropy,
            Measure::Alignment(read) => read(&self.alignment),
            Measure::Events(read) => read(&self.events),
        }
    }
}

/// Aligns two sequences and measures the events of the second; `threshold` as in [`levels`] and [`EventSummary`].
///
/// # Errors
///
/// As [`plan::align_pair`].
#[expect(clippy::too_many_arguments, reason = "what plan::align_pair takes, and the events")]
pub fn align_and_measure<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    events: &[Event],
    threshold: f64,
    kept: Kept<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut PairScratch,
) -> Result<Measured, Error> {
    let Pair { y, shape, d, .. } = pair;
    let Kept { h, y_mod, soft_alignment } = kept;
    let mut own_h = if h.is_none() { plan::zeros(shape.n)? } else { vec![] };
    let h = h.unwrap_or(&mut own_h);
    // A row of H is at least the least weight: it is visited, and whichever step leads there is paid.
    let has_empty_rows = recursion.weights.as_array().into_iter().any(|weight| weight < LEAST_ROW_SUM);
    let mut visits = if has_empty_rows { plan::zeros(shape.cells())? } else { vec![] };
    let mut own = if soft_alignment.is_none() { plan::zeros(shape.cells())? } else { vec![] };
    let rows = soft_alignment.unwrap_or(&mut own);
    let mut outputs = Outputs {
        h: Some(&mut *h),
        y_mod,
        soft_alignment: Some(MatrixMut { entries: &mut *rows, stride: shape.m }),
        visits: has_empty_rows.then_some(MatrixMut { entries: &mut visits, stride: shape.m }),
        entropy: true,
        ..Outputs::default()
    };
    let result = plan::align_pair(pair, cost, recursion, &mut outputs, team, scratch)?;
    let rows = if has_empty_rows {
        // H itself may be kept, so the rows that H~ takes from E go to where E lies.
        for (row, visits) in rows.chunks_exact(shape.m).zip(visits.chunks_exact_mut(shape.m)) {
            if row.iter().map(|h| h.to_f64()).sum::<f64>() >= LEAST_ROW_SUM {
                visits.copy_from_slice(row);
            }
        }
        &visits
    } else {
        &*rows
    };
    let marginals = Marginals::new(rows, shape);
    let levels = levels(rows, shape, &marginals, Targets { y, d }, events, threshold);
    Ok(Measured {
        value: result.value,
        entropy: result.entropy.unwrap_or(f64::NAN),
        alignment: AlignmentSummary::new(h, &marginals, y, d),
        events: EventSummary::new(&levels, threshold),
        marginals,
        levels,
    })
}
