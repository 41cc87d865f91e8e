//! The sweep down the frames: the sum over paths, and the shares of its terms.

use super::ahead::{DISTANCE, bring_near};
use super::blank::{AHEAD, BlankFactors};
use super::factor::{ScoreRate, exponent};
use super::graph::Graph;
use super::item::Scores;
use super::range::{NORMALISED, Range};
use super::settings::Settings;
use super::state::{Fixed, States};
use crate::simd::{Lanes, Work};

/// The shares of one vector of labels and of the blanks before them, kept of each frame, by the names of [`share`].
pub type Shares<R, const L: usize> = [[R; L]; 3];

/// The shares that are kept.
pub mod share {
    /// The share of a blank to stay on it. To come from the label before is the rest.
    pub const BLANK_STAYS: usize = 0;
    /// The share of a label to stay on it. To come from the blank, in the forward-sum from the label before, is the rest.
    pub const LABEL_STAYS: usize = 1;
    /// The share of a label to come from the label before.
    pub const LABEL_SKIPS: usize = 2;
}

/// Facts about the scores of labels that were seen.
#[derive(Clone, Copy)]
pub struct Watch<V: Lanes<L>, const L: usize> {
    /// 0 where every score was above the least one; NaN where one was not a number.
    pub lost: V::F,
    /// The greatest score.
    pub top: V::F,
}

/// A sweep over frames `start..end`, where `start` is a multiple of [`AHEAD`]. With `KEEP` it writes shares, those of frame
/// `start` first.
pub struct ForwardSweep<'a, V: Lanes<L>, const L: usize, const KEEP: bool> {
    pub lanes: V,
    pub of: (Scores<'a, V::Real>, Graph<'a>, &'a Settings),
    pub log_sums: &'a [f64],
    pub fixed: &'a [Fixed<V::Real, V::Exponent, L>],
    pub frames: std::ops::Range<usize>,
    pub blanks: &'a mut BlankFactors<V::Real, V::Exponent>,
    pub states: &'a mut [States<V::Real, V::Exponent, L>],
    pub shares: &'a mut [Shares<V::Real, L>],
    pub watch: Watch<V, L>,
}

impl<V: Lanes<L>, const L: usize, const KEEP: bool> Work for ForwardSweep<'_, V, L, KEEP>
where
    V::Real: Range,
{
    type Output = Watch<V, L>;

    #[inline(always)]
    fn run(self) -> Watch<V, L> {
        let Self { lanes, of, log_sums, fixed, frames, blanks, states, shares, mut watch } = self;
        let (scores, graph, settings) = of;
        let vectors = states.len();
        let rate = ScoreRate::new(1.0, settings.gamma);
        let nothing = exponent(lanes, V::Real::NOTHING);
        let has_blanks = graph.blank.is_some();
        let has_class_costs = settings.class_costs.is_some();
        let has_free_steps = settings.free_between;
        let mut no_shares = [];
        for t in frames.clone() {
            let ahead = t % AHEAD;
            if ahead == 0 {
                blanks.advance(lanes, of, log_sums, t);
            }
            let (blank, blank_exponent) =
                (lanes.splat(blanks.ordinary.mantissa[ahead]), lanes.splat_i(blanks.ordinary.exponent[ahead]));
            let (free, free_exponent) =
                (lanes.splat(blanks.free.mantissa[ahead]), lanes.splat_i(blanks.free.exponent[ahead]));
            let normalises = t % NORMALISED == 0;
            // What lies before the first label: of the forward-sum the empty path, at the first frame.
            let mut last = lanes.constant(1.0);
            let mut last_exponent = if t == 0 && !has_blanks { exponent(lanes, 0.0) } else { nothing };
            let row = scores.row(t);
            if t + DISTANCE < scores.frames {
                bring_near(lanes, scores.row(t + DISTANCE), fixed);
            }
            let out = if KEEP { &mut shares[(t - frames.start) * vectors..][..vectors] } else { &mut no_shares };
            for k in 0..vectors {
                let (state, of_label) = (&mut states[k], &fixed[k]);
                let (mut s, mut s_exponent) =
                    (lanes.load_array(&state.label), lanes.load_array_i(&state.label_exponent));
                let (mut b, mut b_exponent) =
                    (lanes.load_array(&state.blank), lanes.load_array_i(&state.blank_exponent));
                if normalises {
                    (s, s_exponent) = lanes.normalise(s, s_exponent);
                    (b, b_exponent) = lanes.normalise(b, b_exponent);
                    s_exponent = lanes.max_i(s_exponent, nothing);
                    b_exponent = lanes.max_i(b_exponent, nothing);
                }
                let (left, left_exponent) = (lanes.up(s, last), lanes.up_i(s_exponent, last_exponent));
                (last, last_exponent) = (s, s_exponent);

                let x = lanes.gather(row, &of_label.classes);
                let held = lanes.max(lanes.splat(rate.least()), x);
                watch.lost = lanes.add(watch.lost, lanes.sub(held, x));
                watch.top = lanes.max(watch.top, held);
                let (mut y, mut y_exponent) = rate.factor(lanes, held);
                if has_class_costs {
                    y = lanes.mul(y, lanes.load_array(&of_label.class));
                    y_exponent = lanes.add_i(y_exponent, lanes.load_array_i(&of_label.class_exponent));
                }

                if !has_blanks {
                    let top = lanes.max_i(s_exponent, left_exponent);
                    let reference = lanes.reference(top);
                    let stay = lanes.aligned(s, s_exponent, reference);
                    let sum = lanes.add(stay, lanes.aligned(left, left_exponent, reference));
                    lanes.store_array(&mut state.label, lanes.mul(sum, y));
                    lanes.store_array_i(&mut state.label_exponent, lanes.add_i(top, y_exponent));
                    if KEEP {
                        lanes.store_array(
                            &mut out[k][share::LABEL_STAYS],
                            quotient(lanes, stay, sum, inverse(lanes, sum)),
                        );
                    }
                    continue;
                }

                let mut top;
                let stay;
                let mut sum;
                if has_free_steps {
                    let ordinary = lanes.add_i(left_exponent, lanes.load_array_i(&of_label.ordinary));
                    let at_cost_1 = lanes.add_i(left_exponent, lanes.load_array_i(&of_label.free));
                    let at_cost_1 = lanes.add_i(at_cost_1, free_exponent);
                    top = lanes.max_i(lanes.max_i(b_exponent, ordinary), at_cost_1);
                    let reference = lanes.reference(top);
                    stay = lanes.aligned(b, b_exponent, reference);
                    sum = lanes.add(stay, lanes.aligned(left, ordinary, reference));
                    sum = lanes.add(sum, lanes.aligned(lanes.mul(left, free), at_cost_1, reference));
                } else {
                    top = lanes.max_i(b_exponent, left_exponent);
                    let reference = lanes.reference(top);
                    stay = lanes.aligned(b, b_exponent, reference);
                    sum = lanes.add(stay, lanes.aligned(left, left_exponent, reference));
                }
                lanes.store_array(&mut state.blank, lanes.mul(sum, blank));
                lanes.store_array_i(&mut state.blank_exponent, lanes.add_i(top, blank_exponent));
                if KEEP {
                    lanes.store_array(&mut out[k][share::BLANK_STAYS], quotient(lanes, stay, sum, inverse(lanes, sum)));
                }

                let skip_exponent = lanes.add_i(left_exponent, lanes.load_array_i(&of_label.skip));
                top = lanes.max_i(lanes.max_i(s_exponent, b_exponent), skip_exponent);
                let reference = lanes.reference(top);
                let stay = lanes.aligned(s, s_exponent, reference);
                let skip = lanes.aligned(left, skip_exponent, reference);
                let sum = lanes.add(lanes.add(stay, lanes.aligned(b, b_exponent, reference)), skip);
                lanes.store_array(&mut state.label, lanes.mul(sum, y));
                lanes.store_array_i(&mut state.label_exponent, lanes.add_i(top, y_exponent));
                if KEEP {
                    let inverse = inverse(lanes, sum);
                    lanes.store_array(&mut out[k][share::LABEL_STAYS], quotient(lanes, stay, sum, inverse));
                    lanes.store_array(&mut out[k][share::LABEL_SKIPS], quotient(lanes, skip, sum, inverse));
                }
            }
        }
        watch
    }
}

#[inline(always)]
fn inverse<V: Lanes<L>, const L: usize>(lanes: V, sum: V::F) -> V::F {
    lanes.div(lanes.constant(1.0), sum)
}

/// `term / sum`, given 1 / sum, to the last place: 1 where they are equal, 0 where it is next to nothing.
#[inline(always)]
fn quotient<V: Lanes<L>, const L: usize>(lanes: V, term: V::F, sum: V::F, inverse: V::F) -> V::F
where
    V::Real: Range,
{
    let first = lanes.mul(term, inverse);
    let refined = lanes.mul_add(lanes.neg_mul_add(first, sum, term), inverse, first);
    lanes.at_least_or_zero(refined, lanes.constant(V::Real::LEAST_SHARE))
}
