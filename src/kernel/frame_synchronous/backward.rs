//! The sweep up the frames: occupancies by products with the shares, scattered into the classes.

use super::ahead::{DISTANCE, bring_near};
use super::forward::{Shares, share};
use super::graph::Graph;
use super::lens::{Lens, RowOfStates};
use super::outputs::Outputs;
use super::range::{NORMALISED, Range};
use super::settings::Settings;
use super::state::{Fixed, States};
use crate::real::Real;
use crate::simd::functions::{clamped_ln, sum_of_lanes};
use crate::simd::{Lanes, Number, Work};

/// A sweep up the frames, whose states hold E of the last of them in their mantissas. It leaves those of the frame before the
/// first.
pub struct BackwardSweep<'a, 'o, V: Lanes<L>, const L: usize> {
    pub lanes: V,
    pub graph: Graph<'a>,
    pub settings: &'a Settings,
    pub fixed: &'a [Fixed<V::Real, V::Exponent, L>],
    pub frames: std::ops::Range<usize>,
    pub states: &'a mut [States<V::Real, V::Exponent, L>],
    pub shares: &'a [Shares<V::Real, L>],
    pub outputs: &'a mut Outputs<'o, V::Real>,
    /// True for each frame in which no blank can be but by a free step; none past the last of these.
    pub closed: &'a [bool],
    pub lens: Option<&'a mut Lens<V::Real>>,
}

/// Sums of a sweep over its frames.
#[derive(Clone, Copy, Default)]
pub struct BackwardSums {
    /// Sum of E over blanks, without free steps.
    pub blank_uses: f64,
    /// The entropy of the steps.
    pub entropy: f64,
}

impl<V: Lanes<L>, const L: usize> Work for BackwardSweep<'_, '_, V, L>
where
    V::Real: Range,
{
    type Output = BackwardSums;

    #[inline(always)]
    fn run(self) -> BackwardSums {
        let Self { lanes, graph, settings, fixed, frames, states, shares, outputs, closed, mut lens } = self;
        let vectors = states.len();
        let least = lanes.constant(V::Real::LEAST_OCCUPANCY);
        let zero = lanes.constant(0.0);
        let has_free_steps = settings.free_between;
        // The softmax of logits lies in the rows of the gradient, at weight 1.
        let weighs_softmax = settings.from_logits && settings.blank_weight != 1.0;
        let clears = !settings.from_logits;
        let wants_entropy = outputs.entropy;
        let scale = lanes.constant(outputs.scale);
        let mut sums = BackwardSums::default();
        for t in frames.clone().rev() {
            let from = &shares[(t - frames.start) * vectors..][..vectors];
            if let (Some(rows), true, Some(earlier)) = (&outputs.grad, settings.from_logits, t.checked_sub(DISTANCE)) {
                bring_near(lanes, rows[earlier], fixed);
            }
            let mut no_row: [V::Real; 0] = [];
            let row: &mut [V::Real] = match &mut outputs.grad {
                Some(rows) => &mut *rows[t],
                None => &mut no_row,
            };
            if clears {
                row.fill(V::Real::default());
            }
            if weighs_softmax && t > 0 && !row.is_empty() {
                let h = <V::Real as Real>::from_f64(frame_weight(settings, graph, fixed, states, from));
                row.iter_mut().for_each(|entry| *entry = *entry * h);
            }
            let closes = closed.get(t) == Some(&true);
            let (mut on_labels, mut on_blanks, mut by_free_steps, mut entropy) = (zero, zero, zero, zero);
            let mut after = zero; // what the vector to the right sends to its left label
            for k in (0..vectors).rev() {
                let (state, shares) = (&mut states[k], &from[k]);
                let e_s = lanes.at_least_or_zero(lanes.load_array(&state.label), least);
                let stay_s = lanes.mul(lanes.load_array(&shares[share::LABEL_STAYS]), e_s);
                on_labels = lanes.add(on_labels, e_s);
                if let Some(lens) = &mut lens {
                    lanes.store_slice(&mut lens.row.label[k * L..], e_s);
                }
                let left = if graph.blank.is_some() {
                    let mut e_b = lanes.at_least_or_zero(lanes.load_array(&state.blank), least);
                    if closes {
                        // What a rounding has left there.
                        e_b = lanes.mul(e_b, lanes.load_array(&fixed[k].is_free));
                    }
                    let stay_b = lanes.mul(lanes.load_array(&shares[share::BLANK_STAYS]), e_b);
                    let skip_s = lanes.mul(lanes.load_array(&shares[share::LABEL_SKIPS]), e_s);
                    let entering = lanes.sub(e_b, stay_b);
                    on_blanks = lanes.add(on_blanks, e_b);
                    let mut free = zero;
                    if has_free_steps {
                        free = lanes.mul(entering, lanes.load_array(&fixed[k].is_free));
                        by_free_steps = lanes.add(by_free_steps, free);
                    }
                    // The rest comes from the blank: of that there always is one.
                    let step_s = lanes.sub(lanes.sub(e_s, stay_s), skip_s);
                    lanes.store_array(&mut state.blank, lanes.add(stay_b, step_s));
                    if let Some(lens) = &mut lens {
                        lanes.store_slice(&mut lens.row.blank[k * L..], e_b);
                        lanes.store_slice(&mut lens.row.free[k * L..], free);
                        if wants_entropy {
                            let terms = [(stay_b, e_b), (entering, e_b), (stay_s, e_s), (skip_s, e_s), (step_s, e_s)];
                            for (part, whole) in terms {
                                entropy = lanes.sub(entropy, weighted_ln(lanes, part, whole));
                            }
                        }
                    }
                    lanes.add(entering, skip_s)
                } else {
                    let left = lanes.sub(e_s, stay_s);
                    if wants_entropy {
                        for part in [stay_s, left] {
                            entropy = lanes.sub(entropy, weighted_ln(lanes, part, e_s));
                        }
                    }
                    left
                };
                lanes.store_array(&mut state.label, lanes.add(stay_s, lanes.down(left, after)));
                after = left;
                if !row.is_empty() && lanes.is_any(e_s) {
                    fixed[k].classes.subtract(row, &lanes.to_array(lanes.mul(e_s, scale)));
                }
            }
            let on_labels = sum_of_lanes(lanes, on_labels).to_f64();
            let on_blanks = sum_of_lanes(lanes, on_blanks).to_f64();
            if t % NORMALISED == 0 {
                // E sums to 1 in each frame: what roundings have added is taken away.
                let factor = lanes.constant(1.0 / (on_labels + on_blanks));
                for state in &mut *states {
                    for e in [&mut state.label, &mut state.blank] {
                        let scaled = lanes.mul(lanes.load_array(e), factor);
                        lanes.store_array(e, scaled);
                    }
                }
            }
            let free = if has_free_steps { sum_of_lanes(lanes, by_free_steps).to_f64() } else { 0.0 };
            let weight = if t == 0 { 1.0 } else { settings.blank_weight };
            let paying = on_blanks - free;
            if t > 0 || !settings.begins_free() {
                sums.blank_uses += paying;
            }
            if wants_entropy {
                sums.entropy += sum_of_lanes(lanes, entropy).to_f64();
            }
            let on_blanks = weight * paying + free;
            if let (Some(blank), false) = (graph.blank, row.is_empty()) {
                let entry = &mut row[blank as usize];
                *entry = *entry - <V::Real as Real>::from_f64(outputs.scale * on_blanks);
            }
            if let Some(lens) = &mut lens {
                lens.write(t, graph, weight, (on_blanks, on_labels), outputs);
            }
        }
        sums
    }
}

/// h of a frame after the first: the sum of H over its states.
#[inline(never)]
fn frame_weight<R: Number, E, const L: usize>(
    settings: &Settings,
    graph: Graph<'_>,
    fixed: &[Fixed<R, E, L>],
    states: &[States<R, E, L>],
    shares: &[Shares<R, L>],
) -> f64 {
    let mut h = 0.0;
    for (k, ((state, fixed), shares)) in states.iter().zip(fixed).zip(shares).enumerate() {
        for j in 0..L {
            if k * L + j < graph.labels.len() {
                h += state.label[j].to_f64();
            }
            let e = state.blank[j].to_f64();
            let free = (1.0 - shares[share::BLANK_STAYS][j].to_f64()) * e * fixed.is_free[j].to_f64();
            h += settings.blank_weight * (e - free) + free;
        }
    }
    h
}

/// `part ln(part / whole)`, 0 where there is no part.
#[inline(always)]
fn weighted_ln<V: Lanes<L>, const L: usize>(lanes: V, part: V::F, whole: V::F) -> V::F
where
    V::Real: Range,
{
    let least = lanes.constant(V::Real::LEAST_OCCUPANCY);
    // A remainder may be less than 0 by a rounding; without E the quotient is 1, or less by what no one takes.
    let part = lanes.at_least_or_zero(part, least);
    let share = lanes.div(part, lanes.max(whole, least));
    lanes.mul(part, clamped_ln(lanes, share))
}

/// Room for a row of states.
pub fn row_of_states<R: Number>(width: usize) -> RowOfStates<R> {
    RowOfStates { label: vec![R::default(); width], blank: vec![R::default(); width], free: vec![R::default(); width] }
}
