//! Summaries of a soft alignment and of the events of its targets: a few numbers each.

use crate::measures::events::Level;
use crate::measures::marginals::Marginals;
use crate::real::Real;

/// Quantiles of durations up to which events count as short, and from which on as long.
const QUARTILES: [f64; 2] = [0.25, 0.75];

/// Difference, in frames and relative to the durations, up to which durations are ties: they are sums of float32.
const ROUNDING: f64 = 1e-6;

/// Number of frames below which a target counts as collapsed.
const LEAST_MASS: f64 = 0.5;

/// Numbers that a soft alignment gives by itself.
#[derive(Clone, Copy, Debug)]
pub struct AlignmentSummary {
    /// Mean of the entropies of the frames, in nats.
    pub entropy_per_frame: f64,
    /// min_n h(n).
    pub h_min: f64,
    /// Mean of h(n).
    pub h_mean: f64,
    /// max_n h(n).
    pub h_max: f64,
    /// `1/N sum_n |path(n) - (M-1) n / (N-1)| / (M-1)`, n from 0; 0 if M = 1, from the middle of the targets if N = 1.
    pub path_diagonal_distance: f64,
    /// Share of the targets that hold less than half a frame.
    pub collapse: f64,
    /// Share of H~ on targets without activity.
    pub empty_share: f64,
}

impl AlignmentSummary {
    /// Sums up h (N,), the marginals of H~ (N,M) and targets Y (M,D), which are without activity where all of a frame
    /// is 0.
    pub fn new<F: Real>(h: &[F], marginals: &Marginals, y: &[F], d: usize) -> Self {
        let (n, m) = (h.len(), marginals.masses.len());
        let mut summary = Self {
            entropy_per_frame: marginals.entropy.iter().sum::<f64>() / n as f64,
            h_min: f64::INFINITY,
            h_mean: 0.0,
            h_max: f64::NEG_INFINITY,
            path_diagonal_distance: diagonal_distance(&marginals.path, m),
            collapse: marginals.masses.iter().filter(|&&mass| mass < LEAST_MASS).count() as f64 / m as f64,
            empty_share: 0.0,
        };
        for h in h {
            let h = h.to_f64();
            summary.h_min = summary.h_min.min(h);
            summary.h_max = summary.h_max.max(h);
            summary.h_mean += h / n as f64;
        }
        let is_empty = |frame: &[F]| frame.iter().fold(true, |nothing, y| nothing & y.is_zero());
        let of_empty = y.chunks_exact(d).zip(&marginals.masses).filter(|(frame, _)| is_empty(frame));
        summary.empty_share = of_empty.map(|(_, mass)| mass).sum::<f64>() / marginals.masses.iter().sum::<f64>();
        summary
    }
}

fn diagonal_distance(path: &[f64], m: usize) -> f64 {
    if m == 1 {
        return 0.0;
    }
    let (frames, targets) = (path.len() as f64, (m - 1) as f64);
    let diagonal = |n: usize| if path.len() > 1 { n as f64 / (frames - 1.0) } else { 0.5 };
    path.iter().enumerate().map(|(n, at)| (at / targets - diagonal(n)).abs()).sum::<f64>() / frames
}

/// Numbers that K events give together; means and shares are NaN without events.
#[derive(Clone, Copy, Debug)]
pub struct EventSummary {
    /// Number of events, K.
    pub events: usize,
    /// Number of events whose peak is under the threshold.
    pub below: usize,
    /// Share of the events whose peak is not under the threshold.
    pub kept: f64,
    /// Mean of the peaks.
    pub peak_mean: f64,
    /// Least of the peaks.
    pub peak_min: f64,
    /// Mean peak of the short events, see [`quartile_limits`].
    pub short_peak: f64,
    /// Mean peak of the long events.
    pub long_peak: f64,
    /// Mean of the durations.
    pub duration: f64,
    /// Mean of the onset fades.
    pub onset_fade: f64,
    /// Mean of the offset fades.
    pub offset_fade: f64,
    /// Mean of the widenings.
    pub widening: f64,
}

impl EventSummary {
    /// Sums up the levels of the events.
    pub fn new(levels: &[Level], threshold: f64) -> Self {
        let mean = |of: fn(&Level) -> f64| levels.iter().map(of).sum::<f64>() / levels.len() as f64;
        let below = levels.iter().filter(|level| level.peak < threshold).count();
        let durations: Vec<f64> = levels.iter().map(|level| level.duration).collect();
        let [short, long] = quartile_limits(&durations);
        let mean_peak = |counts: &dyn Fn(&&Level) -> bool| {
            let (count, sum) =
                levels.iter().filter(counts).fold((0.0, 0.0), |(k, sum), level| (k + 1.0, sum + level.peak));
            sum / count
        };
        Self {
            events: levels.len(),
            below,
            kept: 1.0 - below as f64 / levels.len() as f64,
            peak_mean: mean(|level| level.peak),
            peak_min: levels.iter().map(|level| level.peak).reduce(f64::min).unwrap_or(f64::NAN),
            short_peak: mean_peak(&|level| level.duration <= short),
            long_peak: mean_peak(&|level| level.duration >= long),
            duration: mean(|level| level.duration),
            onset_fade: mean(|level| level.onset_fade),
            offset_fade: mean(|level| level.offset_fade),
            widening: mean(|level| level.widening),
        }
    }

    /// Divides the mean peak of short events by that of long ones; NaN where the latter is 0.
    pub fn short_long_ratio(&self) -> f64 {
        if self.long_peak > 0.0 { self.short_peak / self.long_peak } else { f64::NAN }
    }

    /// Averages (onset fade + offset fade) / 2 over the events.
    pub fn blur(&self) -> f64 {
        (self.onset_fade + self.offset_fade) / 2.0
    }
}

/// Finds the duration up to which events belong to the shortest quartile, and from which on to the longest.
///
/// Quantiles lie linearly between neighbours; ties are all in. NaN without durations.
pub fn quartile_limits(durations: &[f64]) -> [f64; 2] {
    let mut ascending = durations.to_vec();
    ascending.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * (ascending.len().max(1) - 1) as f64;
        let (before, after) = (place.floor() as usize, place.ceil() as usize);
        match (ascending.get(before), ascending.get(after)) {
            (Some(lower), Some(upper)) => lower + place.fract() * (upper - lower),
            _ => f64::NAN,
        }
    };
    let [lower, upper] = QUARTILES.map(quantile);
    [lower + ROUNDING * (1.0 + lower), upper - ROUNDING * (1.0 + upper)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_neighbours_and_take_ties() {
        let [short, long] = quartile_limits(&[4.0, 1.0, 2.0, 3.0]);
        assert!((short - 1.75).abs() < 1e-5 && (long - 3.25).abs() < 1e-5);
        let [short, long] = quartile_limits(&[3.0, 3.0 + 1e-7, 3.0 - 1e-7]);
        assert!(short > 3.0 + 1e-7 && long < 3.0 - 1e-7);
        assert!(quartile_limits(&[]).into_iter().all(f64::is_nan));
    }

    #[test]
    fn without_events_means_are_not_numbers() {
        let nothing = EventSummary::new(&[], 0.5);
        assert_eq!((nothing.events, nothing.below), (0, 0));
        assert!(
            [nothing.kept, nothing.peak_mean, nothing.peak_min, nothing.short_peak, nothing.long_peak]
                .iter()
                .all(|x| x.is_nan())
        );
        assert!(nothing.short_long_ratio().is_nan());
    }
}
