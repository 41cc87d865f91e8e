//! Costs of the form `C(n,m) = u(x_n) + phi(y_m) - <v(x_n), w(y_m)>`.
//!
//! | cost | u | phi | v | w |
//! |---|---|---|---|---|
//! | mse | 1/2 sum f x^2 | 1/2 sum f y^2 | f x | y |
//! | sqeuclidean | sum f x^2 | sum f y^2 | 2 f x | y |
//! | bce | -sum f log(1-x) | 0 | f (p log x - log(1-x)) | y |
//! | bce_logits | sum f softplus(x) | 0 | f (p x - (p-1) softplus(x)) | y |
//! | ce | 0 | 0 | f log x | y |
//! | ce_logits | 0 | 0 | f log_softmax(x) | y |
//! | poisson | sum f x | 0 | f log x | y |
//! | poisson_log | sum f exp(x) | 0 | f x | y |
//! | cosine | 1 | 0 | f x/|x| | y/|y| |
//!
//! with feature weights f, weights p on the positive part, and |x|^2 = sum f x^2 under cosine. The squared costs
//! first subtract from both sequences their common mean, which leaves C unchanged and keeps the form from
//! cancelling. Logs are clamped at -100, and 1/x in gradients is 1/max(x, 1e-12), so all is finite.
//!
//! A logit of -inf under ce_logits is a class of probability 0, as a mask makes it. With a target of 0 there it is left out
//! of the cost and of all gradients (0 log 0 = 0); with any other the cell costs +inf and no path goes through it. A frame
//! of no other logits has no softmax: its costs are NaN.
//!
//! The gradients follow from h(n) = sum_m H, (H W)(n) and, for the targets, from sum_n H and (H^T V)(m):
//! `dL/dx = h u'(x) - v'(x)^T (H W)`, `dL/dy = phi'(y) sum_n H - w'(y)^T (H^T V)`.

use std::ops::Range;

use super::{Cost, CostRows, WeightedCost};
use crate::real::Real;

const LEAST_LOG: f64 = -100.0;
const LEAST_DENOMINATOR: f64 = 1e-12;

/// u, phi, v and w of one pair.
pub struct InnerProduct {
    d: usize,
    u: Vec<f64>,
    phi: Vec<f64>,
    v: Vec<f64>,
    w: Vec<f64>,
    mean: Vec<f64>,
    /// Frames and features of classes of probability 0, frame by frame; v is 0 there.
    impossible: Vec<(usize, usize)>,
}

impl InnerProduct {
    /// Brings x (N,D) and y (M,D) into the form; `cost` is one that has it.
    pub fn new<F: Real>(cost: &WeightedCost, x: &[F], y: &[F], d: usize) -> Self {
        let mean = match cost.cost {
            Cost::Mse | Cost::SquaredEuclidean => common_mean(x, y, d),
            _ => vec![0.0; d],
        };
        let mut form = Self {
            d,
            u: Vec::with_capacity(x.len() / d),
            phi: Vec::with_capacity(y.len() / d),
            v: vec![0.0; x.len()],
            w: vec![0.0; y.len()],
            mean,
            impossible: vec![],
        };
        let mut frame = vec![0.0; d];
        for (n, (from, to)) in x.chunks_exact(d).zip(form.v.chunks_exact_mut(d)).enumerate() {
            centred(from, &form.mean, &mut frame);
            form.u.push(map_prediction(cost, &frame, to));
            if cost.cost == Cost::CrossEntropyLogits {
                let left_out = leave_out_impossible(cost, &frame, to);
                form.impossible.extend(left_out.into_iter().map(|feature| (n, feature)));
            }
        }
        for (from, to) in y.chunks_exact(d).zip(form.w.chunks_exact_mut(d)) {
            centred(from, &form.mean, &mut frame);
            form.phi.push(map_target(cost, &frame, to));
        }
        form
    }

    /// v(x_n).
    pub fn v(&self, n: usize) -> &[f64] {
        &self.v[n * self.d..][..self.d]
    }

    /// w(y_m), less the common mean.
    pub fn w(&self, m: usize) -> &[f64] {
        &self.w[m * self.d..][..self.d]
    }

    /// v of all frames, (N,D).
    pub fn all_v(&self) -> &[f64] {
        &self.v
    }

    /// w of all targets, (M,D), less the common mean.
    pub fn all_w(&self) -> &[f64] {
        &self.w
    }

    /// u of all frames.
    pub fn u(&self) -> &[f64] {
        &self.u
    }

    /// phi of all targets.
    pub fn phi(&self) -> &[f64] {
        &self.phi
    }

    /// Writes dL/dx_n from h(n) and (H W)(n).
    pub fn x_gradient<F: Real>(&self, cost: &WeightedCost, x: &[F], n: usize, h: f64, hw: &[f64], out: &mut [F]) {
        let mut frame = vec![0.0; self.d];
        centred(&x[n * self.d..][..self.d], &self.mean, &mut frame);
        prediction_gradient(cost, &mut frame, h, hw);
        narrow(&frame, out);
    }

    /// Writes dL/dy_m from sum_n H(n,m) and (H^T V)(m).
    pub fn y_gradient<F: Real>(
        &self,
        cost: &WeightedCost,
        y: &[F],
        m: usize,
        column_sum: f64,
        hv: &[f64],
        out: &mut [F],
    ) {
        let mut frame = vec![0.0; self.d];
        centred(&y[m * self.d..][..self.d], &self.mean, &mut frame);
        target_gradient(cost, &mut frame, column_sum, hv);
        narrow(&frame, out);
    }

    /// Writes the modified target of one frame, Y_mod(n) = (H W)(n) / h(n), with the mean put back.
    pub fn modified_target<F: Real>(&self, h: f64, hw: &[f64], out: &mut [F]) {
        for ((to, hw), mean) in out.iter_mut().zip(hw).zip(&self.mean) {
            *to = F::from_f64(hw / h + mean);
        }
    }
}

impl CostRows for InnerProduct {
    fn write_row(&self, n: usize, columns: Range<usize>, row: &mut [f64]) {
        let v = self.v(n);
        for m in columns.clone() {
            let product: f64 = v.iter().zip(self.w(m)).map(|(v, w)| v * w).sum();
            row[m] = self.u[n] + self.phi[m] - product;
        }
        let start = self.impossible.partition_point(|&(frame, _)| frame < n);
        for &(_, feature) in self.impossible[start..].iter().take_while(|&&(frame, _)| frame == n) {
            for m in columns.clone() {
                let target = self.w(m)[feature];
                if target != 0.0 {
                    row[m] += target * f64::INFINITY;
                }
            }
        }
    }
}

fn common_mean<F: Real>(x: &[F], y: &[F], d: usize) -> Vec<f64> {
    let mut mean = vec![0.0; d];
    for frame in x.chunks_exact(d).chain(y.chunks_exact(d)) {
        for (sum, value) in mean.iter_mut().zip(frame) {
            *sum += value.to_f64();
        }
    }
    let frames = ((x.len() + y.len()) / d) as f64;
    for sum in &mut mean {
        *sum /= frames;
    }
    mean
}

fn centred<F: Real>(frame: &[F], mean: &[f64], out: &mut [f64]) {
    for ((to, from), mean) in out.iter_mut().zip(frame).zip(mean) {
        *to = from.to_f64() - mean;
    }
}

fn narrow<F: Real>(from: &[f64], to: &mut [F]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = F::from_f64(*from);
    }
}

// Comparisons rather than `max`, which would swallow a NaN that must stay in its pair.
fn clamped(log: f64) -> f64 {
    if log < LEAST_LOG { LEAST_LOG } else { log }
}

fn clamped_log(x: f64) -> f64 {
    clamped(x.ln())
}

fn clamped_log_complement(x: f64) -> f64 {
    clamped((-x).ln_1p())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

fn reciprocal(x: f64) -> f64 {
    1.0 / if x < LEAST_DENOMINATOR { LEAST_DENOMINATOR } else { x }
}

/// Returns log sum exp of a frame of logits.
fn log_partition(x: &[f64]) -> f64 {
    let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + x.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
}

fn weighted_norm(cost: &WeightedCost, x: &[f64]) -> f64 {
    x.iter().enumerate().map(|(d, x)| cost.feature_weight(d) * x * x).sum::<f64>().sqrt()
}

/// Writes v(x) and returns u(x).
fn map_prediction(cost: &WeightedCost, x: &[f64], v: &mut [f64]) -> f64 {
    let mut u = 0.0;
    // One pass over the features: `each` gives the share of u and the entry of v before the feature weight.
    let mut fill = |each: &dyn Fn(f64, f64) -> (f64, f64)| {
        for (d, (x, v)) in x.iter().zip(v.iter_mut()).enumerate() {
            let (u_d, v_d) = each(*x, cost.pos_weight(d));
            u += cost.feature_weight(d) * u_d;
            *v = cost.feature_weight(d) * v_d;
        }
    };
    match cost.cost {
        Cost::Mse => fill(&|x, _| (0.5 * x * x, x)),
        Cost::SquaredEuclidean => fill(&|x, _| (x * x, 2.0 * x)),
        Cost::Bce => fill(&|x, p| {
            let complement = clamped_log_complement(x);
            (-complement, p * clamped_log(x) - complement)
        }),
        Cost::BceLogits => fill(&|x, p| (softplus(x), p * x - (p - 1.0) * softplus(x))),
        Cost::CrossEntropy => fill(&|x, _| (0.0, clamped_log(x))),
        Cost::CrossEntropyLogits => {
            let log_z = log_partition(x);
            fill(&|x, _| (0.0, x - log_z));
        }
        Cost::Poisson => fill(&|x, _| (x, clamped_log(x))),
        Cost::PoissonLog => fill(&|x, _| (x.exp(), x)),
        Cost::Cosine => {
            let norm = weighted_norm(cost, x);
            fill(&|x, _| (0.0, if norm > 0.0 { x / norm } else { norm }));
            u = 1.0;
        }
        Cost::Euclidean | Cost::L1 => unreachable!("distances have no inner-product form"),
    }
    u
}

/// Makes v of logits of -inf 0 and returns those features that have a weight; none in a frame that has no softmax.
fn leave_out_impossible(cost: &WeightedCost, x: &[f64], v: &mut [f64]) -> Vec<usize> {
    if !x.contains(&f64::NEG_INFINITY) || !log_partition(x).is_finite() {
        return vec![];
    }
    let impossible = || (0..x.len()).filter(|&d| x[d] == f64::NEG_INFINITY);
    impossible().for_each(|d| v[d] = 0.0);
    impossible().filter(|&d| cost.feature_weight(d) > 0.0).collect()
}

/// Writes w(y) and returns phi(y).
fn map_target(cost: &WeightedCost, y: &[f64], w: &mut [f64]) -> f64 {
    let half = match cost.cost {
        Cost::Mse => 0.5,
        Cost::SquaredEuclidean => 1.0,
        Cost::Cosine => {
            let norm = weighted_norm(cost, y);
            for (w, y) in w.iter_mut().zip(y) {
                *w = if norm > 0.0 { y / norm } else { norm };
            }
            return 0.0;
        }
        _ => {
            w.copy_from_slice(y);
            return 0.0;
        }
    };
    w.copy_from_slice(y);
    half * y.iter().enumerate().map(|(d, y)| cost.feature_weight(d) * y * y).sum::<f64>()
}

/// Replaces x by `h u'(x) - v'(x)^T hw`.
fn prediction_gradient(cost: &WeightedCost, x: &mut [f64], h: f64, hw: &[f64]) {
    let mut fill = |each: &dyn Fn(f64, f64) -> (f64, f64)| {
        for (d, (x, hw)) in x.iter_mut().zip(hw).enumerate() {
            let (du, dv) = each(*x, cost.pos_weight(d));
            *x = cost.feature_weight(d) * (h * du - dv * hw);
        }
    };
    match cost.cost {
        Cost::Mse => fill(&|x, _| (x, 1.0)),
        Cost::SquaredEuclidean => fill(&|x, _| (2.0 * x, 2.0)),
        Cost::Bce => fill(&|x, p| {
            let complement = reciprocal(1.0 - x);
            (complement, p * reciprocal(x) + complement)
        }),
        Cost::BceLogits => fill(&|x, p| (sigmoid(x), p - (p - 1.0) * sigmoid(x))),
        Cost::CrossEntropy => fill(&|x, _| (0.0, reciprocal(x))),
        Cost::CrossEntropyLogits => {
            let log_z = log_partition(x);
            let mass: f64 = hw.iter().enumerate().map(|(d, hw)| cost.feature_weight(d) * hw).sum();
            for (d, (x, hw)) in x.iter_mut().zip(hw).enumerate() {
                *x = (*x - log_z).exp() * mass - cost.feature_weight(d) * hw;
            }
        }
        Cost::Poisson => fill(&|x, _| (1.0, reciprocal(x))),
        Cost::PoissonLog => fill(&|x, _| (x.exp(), 1.0)),
        Cost::Cosine => direction_gradient(cost, x, hw, true),
        Cost::Euclidean | Cost::L1 => unreachable!("distances have no inner-product form"),
    }
}

/// Replaces y by `phi'(y) column_sum - w'(y)^T hv`.
fn target_gradient(cost: &WeightedCost, y: &mut [f64], column_sum: f64, hv: &[f64]) {
    let curvature = match cost.cost {
        Cost::Mse => 1.0,
        Cost::SquaredEuclidean => 2.0,
        Cost::Cosine => return direction_gradient(cost, y, hv, false),
        _ => 0.0,
    };
    for (d, (y, hv)) in y.iter_mut().zip(hv).enumerate() {
        *y = curvature * cost.feature_weight(d) * *y * column_sum - hv;
    }
}

/// Replaces z by the gradient of `-<g, z/|z|>` (with `weighted`: of `-<g, f z/|z|>`), 0 at z = 0.
fn direction_gradient(cost: &WeightedCost, z: &mut [f64], g: &[f64], weighted: bool) {
    let norm = weighted_norm(cost, z);
    let outer = |d: usize| if weighted { cost.feature_weight(d) } else { 1.0 };
    let along: f64 = z.iter().zip(g).enumerate().map(|(d, (z, g))| outer(d) * z * g).sum();
    for (d, (z, g)) in z.iter_mut().zip(g).enumerate() {
        *z =
            if norm > 0.0 { (cost.feature_weight(d) * *z * along / (norm * norm) - outer(d) * g) / norm } else { norm };
    }
}
