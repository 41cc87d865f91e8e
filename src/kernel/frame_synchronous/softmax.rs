//! The softmax over classes: what its exponentials sum to, and itself.

use super::ahead::{DISTANCE, bring_whole_near};
use super::blank::AHEAD;
use super::factor::ScoreRate;
use super::item::Scores;
use super::outputs::Rows;
use crate::real::Real;
use crate::simd::functions::{greatest_of_lanes, sum_of_lanes};
use crate::simd::{Lanes, Number, Work};

/// From so many bytes of an item's gradient on its rows are written past the caches, which they would leave before the way
/// back comes to them.
pub const STREAMED: usize = 2 << 20;

/// The softmax of up to [`AHEAD`] frames.
pub struct Softmax<'a, 'o, V: Lanes<L>, const L: usize> {
    pub lanes: V,
    pub scores: Scores<'a, V::Real>,
    pub frames: std::ops::Range<usize>,
    /// Room for a row of exponentials: a whole number of vectors.
    pub row: &'a mut [V::Real],
    /// Takes the logarithms of the sums of each frame, or is empty.
    pub log_sums: &'a mut [f64],
    /// Rows that take the softmax times `scale`.
    pub out: Option<&'a mut Rows<'o, V::Real>>,
    pub scale: f64,
    /// True if rows are written past the caches.
    pub streams: bool,
}

impl<V: Lanes<L>, const L: usize> Work for Softmax<'_, '_, V, L> {
    /// The sum of the logarithms over the frames.
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Self { lanes, scores, frames, row, log_sums, mut out, scale, streams } = self;
        debug_assert!(frames.len() <= AHEAD);
        // Of at most 16 sums from 1 to the number of classes: one logarithm for all.
        let (mut product, mut tops) = (1.0, 0.0);
        for t in frames {
            let x = scores.row(t);
            if t + DISTANCE < scores.frames {
                bring_whole_near(lanes, scores.row(t + DISTANCE));
            }
            let top = greatest(lanes, x);
            // A long row is brought near while the one before it is computed with.
            let next = if t + 1 < scores.frames { scores.row(t + 1) } else { x };
            let sum = exponentials(lanes, x, top, row, next);
            tops += top.to_f64();
            product *= sum;
            if let Some(log_sum) = log_sums.get_mut(t) {
                *log_sum = top.to_f64() + sum.ln();
            }
            if let Some(rows) = &mut out {
                let to = &mut rows[t][..x.len()];
                let factor = lanes.constant(scale / sum);
                // Up to the first whole line of the caches as far as vectors are written past them.
                let before = if streams { to.as_ptr().align_offset(64).min(to.len()) } else { 0 };
                let (first, to) = to.split_at_mut(before);
                let (from_first, from) = row.split_at(before);
                write_scaled(lanes, from_first, factor, first);
                let (whole, last) = to.as_chunks_mut::<L>();
                let (from_whole, from_last) = from.split_at(whole.len() * L);
                for (to, from) in whole.iter_mut().zip(from_whole.as_chunks::<L>().0) {
                    let share = lanes.mul(lanes.load_array(from), factor);
                    if streams { lanes.stream_array(to, share) } else { lanes.store_array(to, share) }
                }
                write_scaled(lanes, &from_last[..last.len()], factor, last);
            }
        }
        if streams {
            lanes.fence();
        }
        tops + product.ln()
    }
}

/// Writes fewer than L numbers times a factor.
#[inline(always)]
fn write_scaled<V: Lanes<L>, const L: usize>(lanes: V, from: &[V::Real], factor: V::F, to: &mut [V::Real]) {
    for (from, to) in from.chunks(L).zip(to.chunks_mut(L)) {
        lanes.store_first(to, lanes.mul(lanes.load_first(from), factor));
    }
}

/// The greatest score; some number if one is NaN.
#[inline(always)]
fn greatest<V: Lanes<L>, const L: usize>(lanes: V, x: &[V::Real]) -> V::Real {
    let (fours, rest) = x.as_chunks::<L>();
    let mut tops = [lanes.splat(x[0]); 4];
    let (whole, some) = fours.as_chunks::<4>();
    for four in whole {
        for k in 0..4 {
            tops[k] = lanes.max(tops[k], lanes.load_array(&four[k]));
        }
    }
    for one in some {
        tops[0] = lanes.max(tops[0], lanes.load_array(one));
    }
    let top = lanes.max(lanes.max(tops[0], tops[1]), lanes.max(tops[2], tops[3]));
    let mut top = greatest_of_lanes(lanes, top);
    for &y in rest {
        top = if y > top { y } else { top };
    }
    top
}

/// Writes exp(x - top) and returns the sum; brings the row `next` near, which is as long.
#[inline(always)]
fn exponentials<V: Lanes<L>, const L: usize>(
    lanes: V,
    x: &[V::Real],
    top: V::Real,
    row: &mut [V::Real],
    next: &[V::Real],
) -> f64 {
    let rate = ScoreRate::new(1.0, 1.0);
    let mut sums = [lanes.constant(0.0); 4];
    let top = lanes.splat(top);
    let (whole, rest) = x.as_chunks::<L>();
    let row = &mut row.as_chunks_mut::<L>().0[..x.len().div_ceil(L)];
    let (to, last) = row.split_at_mut(whole.len());
    let (fours, some) = whole.as_chunks::<4>();
    let (to_fours, to_some) = to.as_chunks_mut::<4>();
    for ((four, to), next) in fours.iter().zip(to_fours).zip(next.chunks_exact(4 * L)) {
        for k in 0..4 {
            lanes.prefetch(next.as_ptr().wrapping_add(k * L));
            let e = exponential(lanes, rate, lanes.sub(lanes.load_array(&four[k]), top));
            lanes.store_array(&mut to[k], e);
            sums[k] = lanes.add(sums[k], e);
        }
    }
    for (one, to) in some.iter().zip(to_some) {
        let e = exponential(lanes, rate, lanes.sub(lanes.load_array(one), top));
        lanes.store_array(to, e);
        sums[0] = lanes.add(sums[0], e);
    }
    let sum = lanes.add(lanes.add(sums[0], sums[1]), lanes.add(sums[2], sums[3]));
    let mut sum = sum_of_lanes(lanes, sum).to_f64();
    if let Some(last) = last.first_mut() {
        lanes.store_array(last, exponential(lanes, rate, lanes.sub(lanes.load_first(rest), top)));
        sum += last[..rest.len()].iter().map(|e| e.to_f64()).sum::<f64>();
    }
    sum
}

/// exp(x) of x <= 0, held above the smallest normal numbers. NaN stays NaN.
#[inline(always)]
fn exponential<V: Lanes<L>, const L: usize>(lanes: V, rate: ScoreRate<V::Real>, x: V::F) -> V::F {
    let x = lanes.max(lanes.constant(V::Real::EXPONENTIAL_RANGE[0]), x);
    let (mantissa, e) = rate.factor(lanes, x);
    lanes.shifted(mantissa, e)
}
