//! A pair aligned at one gamma and measured where it lies: what an analysis keeps, without H unless that is asked for.

use crate::cost::WeightedCost;
use crate::error::Error;
use crate::events::{Event, Level, Targets, levels};
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::marginals::Marginals;
use crate::matrix::MatrixMut;
use crate::plan::{self, Pair, PairScratch, Recursion};
use crate::readout::{LEAST_ROW_SUM, Outputs};
use crate::real::Real;
use crate::summary::{OfAlignment, OfEvents};

/// Where results go; what is `None` is not kept. Entries need not be zero.
#[derive(Default)]
pub struct Kept<'a, F> {
    /// h(n), (N,).
    pub h: Option<&'a mut [F]>,
    /// Modified targets, (N,D).
    pub y_mod: Option<&'a mut [F]>,
    /// H, (N,M).
    pub soft_alignment: Option<&'a mut [F]>,
}

/// What is known of the alignment and of the events of its targets.
pub struct Measured {
    /// D(N,M).
    pub value: f64,
    /// Of the distribution of paths, in nats.
    pub entropy: f64,
    /// Of H~.
    pub marginals: Marginals,
    /// Of each event.
    pub levels: Vec<Level>,
    /// The alignment in a few numbers.
    pub of_alignment: OfAlignment,
    /// And its events.
    pub of_events: OfEvents,
}

/// Aligns two sequences and measures the events of the second; `threshold` as in [`levels`] and [`OfEvents`].
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
    let found = plan::align_pair(pair, cost, recursion, &mut outputs, team, scratch)?;
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
        value: found.value,
        entropy: found.entropy.unwrap_or(f64::NAN),
        of_alignment: OfAlignment::new(h, &marginals, y, d),
        of_events: OfEvents::new(&levels, threshold),
        marginals,
        levels,
    })
}
