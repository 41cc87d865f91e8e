//! Levels of the events of a weak target: how strongly an alignment teaches each.
//!
//! An event is a run [a, b) of target frames in which feature d is active. Its level in prediction frame n, counted
//! from 0, is
//!
//! ```text
//! e(n) = sum_{a <= m < b} H~(n,m) y(m,d),   H~(n,m) = H(n,m) / sum_m H(n,m)
//! ```
//!
//! One event at a time is held, from the first frame that has a share of it to the last, and the largest of every
//! [`SPAN`] of these numbers, so that spans without large numbers are not searched. Columns of H~ are turned into rows a
//! window of targets at a time, since neighbouring events share them.

use std::ops::Range;

use crate::measures::marginals::{Marginals, share_of};
use crate::real::Real;
use crate::shape::Shape;

/// Number of frames in a span, of which the largest level is kept.
const SPAN: usize = 16;

/// Numbers in a window of columns, as many as stay in cache; long alignments take [`LEAST_COLUMNS`] all the same.
const WINDOW: usize = 1 << 15;
/// Least number of columns in a window.
const LEAST_COLUMNS: usize = 8;

/// Levels of the peak between which a fade is measured.
const FADE: [f64; 2] = [0.1, 0.9];

/// A run of target frames in which one feature is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Feature d.
    pub feature: usize,
    /// Target frames [a, b).
    pub run: Range<usize>,
}

impl Event {
    /// Finds all maximal runs of targets Y (M,D) with y(m,d) > 0, by start, then feature.
    pub fn all_of<F: Real>(Targets { y, d }: Targets<'_, F>) -> Vec<Self> {
        let is_active = |m: usize, feature: usize| y.get(m * d + feature).is_some_and(|y| y.to_f64() > 0.0);
        let mut events = vec![];
        for (m, frame) in y.chunks_exact(d.max(1)).enumerate() {
            for feature in (0..frame.len()).filter(|&feature| frame[feature].to_f64() > 0.0) {
                if m == 0 || !is_active(m - 1, feature) {
                    let stop = (m + 1..).find(|&m| !is_active(m, feature)).unwrap_or(m + 1);
                    events.push(Self { feature, run: m..stop });
                }
            }
        }
        events
    }
}

/// Numbers that are kept of the level of one event.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// max_n e(n).
    pub peak: f64,
    /// First frame that reaches the peak.
    pub peak_frame: usize,
    /// First frame of at least half the peak.
    pub first: usize,
    /// Last frame of at least half the peak.
    pub last: usize,
    /// sum_n sum_{a <= m < b} H~(n,m), in frames.
    pub duration: f64,
    /// Mean of e from `first` to `last`.
    pub mean: f64,
    /// Frames from 10 % of the peak, last passed before 90 % is first reached, to there; 0 for a peak of 0.
    pub onset_fade: f64,
    /// Frames of the fall, which is the rise seen from the end.
    pub offset_fade: f64,
    /// Frames of at least `threshold` times the peak, less the duration; 0 for a peak of 0.
    pub widening: f64,
}

/// Targets in which events lie.
#[derive(Clone, Copy)]
pub struct Targets<'a, F> {
    /// Y (M,D), row-major.
    pub y: &'a [F],
    /// Number of features D.
    pub d: usize,
}

/// Measures the level of every event; quickest where events come in the order of their starts.
pub fn levels<F: Real>(
    alignment: &[F],
    shape: Shape,
    marginals: &Marginals,
    targets: Targets<'_, F>,
    events: &[Event],
    threshold: f64,
) -> Vec<Level> {
    let Targets { y, d } = targets;
    assert!(alignment.len() == shape.cells() && y.len() == shape.m * d);
    let mut columns = Columns::new(alignment, shape, marginals);
    let mut weights = vec![];
    let mut curve = Curve::new(shape.n);
    events
        .iter()
        .map(|Event { feature, run }| {
            weights.clear();
            weights.extend(run.clone().map(|m| y[m * d + feature].to_f64()));
            columns.combine(run.clone(), &weights, &mut curve);
            curve.level(marginals.masses[run.clone()].iter().sum(), threshold)
        })
        .collect()
}

/// Columns of H~, each as a row.
struct Columns<'a, F> {
    alignment: &'a [F],
    shape: Shape,
    marginals: &'a Marginals,
    window: Range<usize>,
    width: usize,
    stride: usize,
    /// The columns of the window; 0 outside of `frames`.
    entries: Vec<f64>,
    /// Frames, for each column of the window, from the first to the last that have a share of it.
    frames: Vec<Range<usize>>,
}

impl<'a, F: Real> Columns<'a, F> {
    fn new(alignment: &'a [F], shape: Shape, marginals: &'a Marginals) -> Self {
        let width = (WINDOW / shape.n).max(LEAST_COLUMNS).min(shape.m);
        // An odd number of cache lines: columns a power of two apart would share a few places of the cache.
        let stride = (shape.n.div_ceil(8) | 1) * 8;
        let (entries, frames) = (vec![0.0; width * stride], vec![0..0; width]);
        Self { alignment, shape, marginals, window: 0..0, width, stride, entries, frames }
    }

    /// Writes `sum_m weights[m] H~(., m)` over a run of columns.
    fn combine(&mut self, run: Range<usize>, weights: &[f64], curve: &mut Curve) {
        if run.len() > self.width {
            let rows = self.alignment.chunks_exact(self.shape.m).zip(&self.marginals.sums);
            for (out, (row, &sum)) in curve.begin(0..self.shape.n).iter_mut().zip(rows) {
                let of_run = row[run.clone()].iter().zip(weights).map(|(h, y)| h.to_f64() * y).sum();
                *out = share_of(of_run, sum);
            }
            return;
        }
        if run.start < self.window.start || run.end > self.window.end {
            self.turn(run.start);
        }
        let first = run.start - self.window.start;
        let frames = self.frames[first..][..run.len()].iter().cloned().reduce(joined).unwrap_or_default();
        let out = curve.begin(frames.clone());
        let of_run = self.entries[first * self.stride..].chunks_exact(self.stride);
        for (index, (column, &y)) in of_run.zip(weights).enumerate() {
            let column = &column[frames.clone()];
            if index == 0 {
                out.iter_mut().zip(column).for_each(|(e, share)| *e = y * share);
            } else {
                out.iter_mut().zip(column).for_each(|(e, share)| *e += y * share);
            }
        }
    }

    /// Writes the columns of the window that begins here.
    fn turn(&mut self, start: usize) {
        for (column, frames) in self.entries.chunks_exact_mut(self.stride).zip(&mut self.frames) {
            column[frames.clone()].fill(0.0);
            *frames = 0..0;
        }
        self.window = start..(start + self.width).min(self.shape.m);
        let rows = self.alignment.chunks_exact(self.shape.m);
        let known = self.marginals.support.iter().zip(&self.marginals.sums);
        for (frame, (row, (support, &sum))) in rows.zip(known).enumerate() {
            for m in support.start.max(self.window.start)..support.end.min(self.window.end) {
                let column = m - self.window.start;
                self.entries[column * self.stride + frame] = share_of(row[m].to_f64(), sum);
                self.frames[column] = joined(self.frames[column].clone(), frame..frame + 1);
            }
        }
    }
}

/// Joins two ranges: from the first of either to the last.
fn joined(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    if a.is_empty() {
        b
    } else if b.is_empty() {
        a
    } else {
        a.start.min(b.start)..a.end.max(b.end)
    }
}

/// e(n) of one event from `start` on, and the largest of every span of it; everywhere else e(n) is 0.
struct Curve {
    frames: usize,
    start: usize,
    e: Vec<f64>,
    largest: Vec<f64>,
}

impl Curve {
    fn new(frames: usize) -> Self {
        Self { frames, start: 0, e: vec![], largest: vec![] }
    }

    /// Yields the levels of these frames, to be written; a frame of level 0 is kept on either side, so that a fall to 0
    /// within the event is measured.
    fn begin(&mut self, within: Range<usize>) -> &mut [f64] {
        let kept = within.start.saturating_sub(1)..(within.end + 1).min(self.frames);
        self.start = kept.start;
        self.e.clear();
        self.e.resize(kept.len(), 0.0);
        &mut self.e[within.start - kept.start..][..within.len()]
    }

    /// Measures the level that was written.
    fn level(&mut self, duration: f64, threshold: f64) -> Level {
        let mut peak = 0.0f64;
        self.largest.clear();
        for span in self.e.chunks(SPAN) {
            let largest = largest_of(span);
            self.largest.push(largest);
            peak = peak.max(largest);
        }
        if peak == 0.0 {
            return Level { last: self.frames - 1, duration, ..Level::default() };
        }
        let (first, last) = (self.first_from(peak / 2.0), self.last_from(peak / 2.0));
        let within = &self.e[first..=last];
        let [low, high] = FADE.map(|share| share * peak);
        let end = self.e.len() - 1;
        Level {
            peak,
            peak_frame: self.start + self.first_from(peak),
            first: self.start + first,
            last: self.start + last,
            duration,
            mean: within.iter().sum::<f64>() / within.len() as f64,
            onset_fade: rise(|n| self.e[n], self.first_from(high), low, high),
            offset_fade: rise(|n| self.e[end - n], end - self.last_from(high), low, high),
            widening: self.count_from(threshold * peak) as f64 - duration,
        }
    }

    /// Finds the first frame of at least this level, which is at most the peak.
    fn first_from(&self, level: f64) -> usize {
        let span = self.largest.iter().position(|&largest| largest >= level).unwrap_or(0);
        let within = self.e[span * SPAN..].iter().position(|&e| e >= level).unwrap_or(0);
        span * SPAN + within
    }

    /// Finds the last frame of at least this level.
    fn last_from(&self, level: f64) -> usize {
        let span = self.largest.iter().rposition(|&largest| largest >= level).unwrap_or(0);
        let end = ((span + 1) * SPAN).min(self.e.len());
        self.e[..end].iter().rposition(|&e| e >= level).unwrap_or(end - 1)
    }

    /// Counts the frames of at least this level.
    fn count_from(&self, level: f64) -> usize {
        if level <= 0.0 {
            return self.frames;
        }
        let spans = self.largest.iter().zip(self.e.chunks(SPAN)).filter(|&(&largest, _)| largest >= level);
        spans.map(|(_, span)| span.iter().filter(|&&e| e >= level).count()).sum()
    }
}

/// Finds the greatest of levels that are not negative, in four parts side by side.
fn largest_of(levels: &[f64]) -> f64 {
    let greater = |a: f64, b: f64| if b > a { b } else { a };
    let mut parts = [0.0; 4];
    let fours = levels.chunks_exact(4);
    let rest = fours.remainder().iter().copied().fold(0.0, greater);
    for four in fours {
        for k in 0..4 {
            parts[k] = greater(parts[k], four[k]);
        }
    }
    parts.into_iter().fold(rest, greater)
}

/// Counts frames from where the level last passes `low` before frame `reached`, or from frame 0, to where it passes
/// `high` in reaching it; between frames the level runs straight.
fn rise(e: impl Fn(usize) -> f64, reached: usize, low: f64, high: f64) -> f64 {
    let passes = |before: usize, level: f64| {
        let (from, to) = (e(before), e(before + 1));
        before as f64 + (level - from) / (to - from)
    };
    if reached == 0 {
        return 0.0;
    }
    let begun = (0..reached).rev().find(|&frame| e(frame) < low).map_or(0.0, |frame| passes(frame, low));
    passes(reached - 1, high) - begun
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..count)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1u64 << 53) as f64
            })
            .collect()
    }

    /// Computes a level by its definitions, written out.
    fn by_definition(e: &[f64], duration: f64, threshold: f64) -> Level {
        let peak = e.iter().copied().fold(0.0, f64::max);
        let near: Vec<usize> = (0..e.len()).filter(|&n| e[n] >= peak / 2.0).collect();
        let (first, last) = (near[0], near[near.len() - 1]);
        let fade = |e: &[f64]| {
            let reached = e.iter().position(|&level| level >= 0.9 * peak).unwrap();
            // Where each of a thousand points between neighbours lies above the levels.
            let between = |t: f64| {
                let before = (t.floor() as usize).min(e.len() - 2);
                e[before] + (t - before as f64) * (e[before + 1] - e[before])
            };
            if reached == 0 || peak == 0.0 {
                return 0.0;
            }
            let times: Vec<f64> = (0..=reached * 1000).map(|k| k as f64 / 1000.0).collect();
            let high = times.iter().copied().find(|&t| between(t) >= 0.9 * peak).unwrap();
            let low = times.iter().rev().copied().find(|&t| t < high && between(t) < 0.1 * peak).unwrap_or(0.0);
            high - low
        };
        let backwards: Vec<f64> = e.iter().rev().copied().collect();
        let wide = e.iter().filter(|&&level| level >= threshold * peak).count();
        Level {
            peak,
            peak_frame: e.iter().position(|&level| level == peak).unwrap(),
            first,
            last,
            duration,
            mean: e[first..=last].iter().sum::<f64>() / (last + 1 - first) as f64,
            onset_fade: fade(e),
            offset_fade: fade(&backwards),
            widening: if peak > 0.0 { wide as f64 - duration } else { 0.0 },
        }
    }

    fn assert_close(got: Level, expected: Level, tolerance: f64) {
        assert_eq!((got.peak_frame, got.first, got.last), (expected.peak_frame, expected.first, expected.last));
        for (got, expected, tolerance) in [
            (got.peak, expected.peak, tolerance),
            (got.duration, expected.duration, tolerance * 100.0),
            (got.mean, expected.mean, tolerance),
            (got.onset_fade, expected.onset_fade, 2.1e-3),
            (got.offset_fade, expected.offset_fade, 2.1e-3),
            (got.widening, expected.widening, tolerance * 100.0),
        ] {
            assert!((got - expected).abs() <= tolerance, "{got} {expected}");
        }
    }

    #[test]
    fn levels_are_those_of_their_definition() {
        // More columns than a window has in the last, and runs of all lengths, longer than the window too.
        for (n, m, d) in [(1, 1, 1), (2, 3, 2), (17, 9, 4), (50, 30, 3), (5000, 40, 2)] {
            let shape = Shape { n, m };
            // Most of it nothing, as off the path of an alignment.
            let cells = random(n * m, 7).into_iter().zip(random(n * m, 11));
            let alignment: Vec<f64> = cells.map(|(x, there)| if there < 0.3 { x.powi(9) } else { 0.0 }).collect();
            let alignment = if n * m == 1 { vec![1.0] } else { alignment };
            let y = random(m * d, 3);
            let marginals = Marginals::new(&alignment, shape);
            let mut events = vec![];
            for feature in 0..d {
                for (start, length) in [(0, 1), (0, m), (m / 2, 2), (m / 3, m / 2), (m - 1, 1)] {
                    events.push(Event { feature, run: start..(start + length.max(1)).min(m) });
                }
            }
            let got = levels(&alignment, shape, &marginals, Targets { y: &y, d }, &events, 0.4);
            for (event, got) in events.iter().zip(got) {
                let share = |n: usize, m_: usize| {
                    let sum = alignment[n * m..][..m].iter().sum::<f64>();
                    if sum > 0.0 { alignment[n * m + m_] / sum } else { 0.0 }
                };
                let e: Vec<f64> =
                    (0..n).map(|n| event.run.clone().map(|m| share(n, m) * y[m * d + event.feature]).sum()).collect();
                let duration = (0..n).map(|n| event.run.clone().map(|m| share(n, m)).sum::<f64>()).sum();
                assert_close(got, by_definition(&e, duration, 0.4), 1e-12);
            }
        }
    }

    fn level_of(e: &[f64]) -> Level {
        let mut curve = Curve::new(e.len());
        curve.begin(0..e.len()).copy_from_slice(e);
        curve.level(e.iter().sum(), 0.5)
    }

    #[test]
    fn a_ramp_fades_over_four_fifths_of_its_length() {
        let mut ramp: Vec<f64> = (0..=20).map(|k| f64::from(k) / 20.0).collect();
        ramp.extend([1.0, 1.0, 0.0, 0.0]);
        let level = level_of(&ramp);
        assert!((level.onset_fade - 16.0).abs() < 1e-12);
        assert!((level.offset_fade - 0.8).abs() < 1e-12);
        assert_eq!((level.peak_frame, level.first, level.last), (20, 10, 22));
    }

    #[test]
    fn what_lies_beyond_the_border_is_not_seen() {
        let level = level_of(&[1.0, 1.0, 0.5, 0.5]);
        assert_eq!(level.onset_fade, 0.0);
        assert!((level.offset_fade - 1.8).abs() < 1e-12, "from 90 % between frames 1 and 2 to the end");
        assert_eq!(level_of(&[0.3]), Level { peak: 0.3, duration: 0.3, mean: 0.3, widening: 0.7, ..Level::default() });
    }

    #[test]
    fn of_several_humps_the_nearest_rise_to_the_first_high_one_counts() {
        let level = level_of(&[0.0, 0.5, 0.0, 1.0, 0.0, 1.0, 0.5, 0.5, 0.0]);
        assert!((level.onset_fade - 0.8).abs() < 1e-12);
        assert!((level.offset_fade - 2.6).abs() < 1e-12);
        assert_eq!((level.peak_frame, level.first, level.last), (3, 1, 7));
    }

    #[test]
    fn nothing_has_no_fade() {
        assert_eq!(level_of(&[0.0; 40]), Level { last: 39, ..Level::default() });
    }
}
