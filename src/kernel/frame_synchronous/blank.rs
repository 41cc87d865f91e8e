//! Factors of the blank, some frames at a time.

use super::factor::power_of_two;
use super::graph::Graph;
use super::item::Scores;
use super::range::Range;
use super::settings::Settings;
use crate::simd::Lanes;

/// Frames whose factors are made at once: a whole number of vectors of any lanes.
pub const AHEAD: usize = 16;

/// Factors of the blank in [`AHEAD`] frames.
pub struct BlankFactors<R, E> {
    /// To be on a blank.
    pub ordinary: Factors<R, E>,
    /// To come into it by a free step, over that.
    pub free: Factors<R, E>,
    /// As [`reach`](super::range::reach) takes it.
    pub lost: f64,
    /// The greatest exponent so far.
    pub top: f64,
    /// True for each frame in which no blank can be but by a free step; none past the last of these.
    pub closed: Vec<bool>,
}

/// A factor for each of some frames.
#[derive(Clone, Copy)]
pub struct Factors<R, E> {
    pub mantissa: [R; AHEAD],
    pub exponent: [E; AHEAD],
}

impl<R: Range, E: Copy + Default> BlankFactors<R, E> {
    /// Makes room for them.
    pub fn new() -> Self {
        let none = Factors { mantissa: [R::default(); AHEAD], exponent: [E::default(); AHEAD] };
        Self { ordinary: none, free: none, lost: 0.0, top: 0.0, closed: vec![] }
    }

    /// Makes those of the frames from `start` on; `log_sums` are those of the softmax, where they do not cancel.
    #[inline(always)]
    pub fn advance<V, const L: usize>(
        &mut self,
        lanes: V,
        (scores, graph, settings): (Scores<'_, R>, Graph<'_>, &Settings),
        log_sums: &[f64],
        start: usize,
    ) where
        V: Lanes<L, Real = R, Exponent = E>,
    {
        let count = AHEAD.min(scores.frames - start);
        let Some(blank) = graph.blank else { return };
        let rate = std::f64::consts::LOG2_E / settings.gamma;
        let class_cost = settings.class_cost(blank);
        let mut words = [[R::default(); AHEAD]; 4];
        for ahead in 0..count {
            let t = start + ahead;
            let cost = class_cost - scores.row(t)[blank as usize].to_f64();
            let weight = if t == 0 { 1.0 } else { settings.blank_weight };
            // The sum of exponentials of a frame belongs to every cost; the part that all states share is left out.
            let extra = if weight == 1.0 { 0.0 } else { (weight - 1.0) * log_sums.get(t).copied().unwrap_or(0.0) };
            // A score of -inf forbids, whatever the weight.
            let weighted =
                if weight == 0.0 && cost < f64::INFINITY { 0.0 } else { weight.max(f64::MIN_POSITIVE) * cost };
            let penalty = if t == 0 && settings.begins_free() { 0.0 } else { settings.blank_penalty };
            let ordinary = self.held::<R>(-(weighted + extra + penalty) * rate);
            if ordinary == -R::LARGEST_EXPONENT {
                self.closed.resize(self.closed.len().max(t + 1), false);
                self.closed[t] = true;
            }
            let whole = ordinary.round_ties_even();
            let fraction = ordinary - whole;
            words[0][ahead] = R::from_f64(fraction);
            words[1][ahead] = R::from_f64(whole);
            if settings.free_between {
                // Parts are differenced apart: a whole one that was held is large.
                let free = self.held::<R>(-cost * rate);
                let beside = (free - free.round_ties_even()) - fraction;
                words[2][ahead] = R::from_f64(beside - beside.round_ties_even());
                words[3][ahead] = R::from_f64(free.round_ties_even() - whole + beside.round_ties_even());
            }
        }
        for (factors, at) in [(&mut self.ordinary, 0), (&mut self.free, 2)] {
            for k in (0..AHEAD).step_by(L) {
                let fraction = lanes.load_slice(&words[at][k..]);
                let exponent = lanes.round(lanes.load_slice(&words[at + 1][k..]));
                lanes.store_slice(&mut factors.mantissa[k..], power_of_two(lanes, fraction));
                factors.exponent[k..k + L].copy_from_slice(&lanes.to_array_i(exponent));
            }
        }
    }

    /// Holds an exponent of the blank above the least one, and keeps what there is to tell.
    #[inline(always)]
    fn held<N: Range>(&mut self, exponent: f64) -> f64 {
        if exponent >= -N::LARGEST_EXPONENT && exponent < f64::INFINITY {
            self.top = self.top.max(exponent);
            return exponent;
        }
        self.lost += if exponent < 0.0 { 1.0 } else { f64::NAN };
        -N::LARGEST_EXPONENT
    }
}
