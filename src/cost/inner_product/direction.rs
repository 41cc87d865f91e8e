//! The form and its gradients along a direction in x and y.
//!
//! Let ' be the derivative along directions of x and y. Then u' = u_x x', v' = v_x x', phi' = phi_y y', w' = w_y y', and
//!
//! ```text
//! (dL/dx)' = h' u_x + h u_xx x' - v_x^T (H' W + H W') - (v_xx x')^T H W
//! (dL/dy)' = k' phi_y + k phi_yy y' - w_y^T (H'^T V + H^T V') - (w_yy y')^T H^T V
//! ```
//!
//! with the row sums h and the column sums k of H. Where a logarithm's 1/x is clamped its derivative is 0, and so are those
//! of logits of -inf.

use super::{LEAST_DENOMINATOR, log_partition, reciprocal, sigmoid, weighted_norm};
use crate::cost::{Cost, WeightedCost};

/// Sums over the cells of a frame and their change: the sum of H, and that of H with the vectors of the other sequence.
#[derive(Clone, Copy)]
pub struct FrameSums<'a> {
    /// The sum h (or k).
    pub sum: f64,
    /// The vector H W (or H^T V).
    pub vector: &'a [f64],
    /// The change of the sum.
    pub sum_change: f64,
    /// The change of the vector, that of both its factors.
    pub vector_change: &'a [f64],
}

/// First and second derivatives of a feature's shares of u and v, before the feature weight.
struct Derivatives {
    u: [f64; 2],
    v: [f64; 2],
}

/// Returns 1/x and the size of its derivative.
fn reciprocals(x: f64) -> [f64; 2] {
    let inverse = reciprocal(x);
    [inverse, if x < LEAST_DENOMINATOR { 0.0 } else { inverse * inverse }]
}

/// Returns the derivatives of a cost that is a sum over features; `None` for one that is not.
fn derivatives(cost: &WeightedCost, x: f64, d: usize) -> Option<Derivatives> {
    let (u, v) = match cost.cost {
        Cost::Mse => ([x, 1.0], [1.0, 0.0]),
        Cost::SquaredEuclidean => ([2.0 * x, 2.0], [2.0, 0.0]),
        Cost::Bce => {
            let ([of_x, of_x_twice], complement) = (reciprocals(x), reciprocals(1.0 - x));
            let p = cost.pos_weight(d);
            (complement, [p * of_x + complement[0], complement[1] - p * of_x_twice])
        }
        Cost::BceLogits => {
            let p = cost.pos_weight(d);
            let (share, bend) = (sigmoid(x), sigmoid(x) * sigmoid(-x));
            ([share, bend], [p - (p - 1.0) * share, -(p - 1.0) * bend])
        }
        Cost::CrossEntropy => {
            let [of_x, of_x_twice] = reciprocals(x);
            ([0.0; 2], [of_x, -of_x_twice])
        }
        Cost::Poisson => {
            let [of_x, of_x_twice] = reciprocals(x);
            ([1.0, 0.0], [of_x, -of_x_twice])
        }
        Cost::PoissonLog => ([x.exp(); 2], [1.0, 0.0]),
        Cost::CrossEntropyLogits | Cost::Cosine => return None,
        Cost::Euclidean | Cost::L1 => unreachable!("distances have no inner-product form"),
    };
    Some(Derivatives { u, v })
}

/// Writes v' of a frame x along `along` and returns u'.
pub fn prediction_change(cost: &WeightedCost, x: &[f64], along: &[f64], v_change: &mut [f64]) -> f64 {
    match cost.cost {
        Cost::CrossEntropyLogits => {
            let log_z = log_partition(x);
            let mean: f64 = x.iter().zip(along).map(|(x, along)| (x - log_z).exp() * along).sum();
            for (d, (to, (x, along))) in v_change.iter_mut().zip(x.iter().zip(along)).enumerate() {
                let is_impossible = *x == f64::NEG_INFINITY;
                *to = if is_impossible { 0.0 } else { cost.feature_weight(d) * (along - mean) };
            }
            0.0
        }
        Cost::Cosine => {
            unit_vector_change(cost, x, along, v_change);
            for (d, to) in v_change.iter_mut().enumerate() {
                *to *= cost.feature_weight(d);
            }
            0.0
        }
        _ => {
            let mut u_change = 0.0;
            for (d, ((to, &x), along)) in v_change.iter_mut().zip(x).zip(along).enumerate() {
                let Some(Derivatives { u, v }) = derivatives(cost, x, d) else { continue };
                let along = cost.feature_weight(d) * along;
                u_change += u[0] * along;
                *to = v[0] * along;
            }
            u_change
        }
    }
}

/// Writes w' of a frame y along `along` and returns phi'.
pub fn target_change(cost: &WeightedCost, y: &[f64], along: &[f64], w_change: &mut [f64]) -> f64 {
    if cost.cost == Cost::Cosine {
        unit_vector_change(cost, y, along, w_change);
        return 0.0;
    }
    w_change.copy_from_slice(along);
    let curvature = curvature_of_targets(cost);
    y.iter().zip(along).enumerate().map(|(d, (y, along))| curvature * cost.feature_weight(d) * y * along).sum()
}

/// Writes (dL/dx)' of a frame x along `along`.
pub fn prediction_gradient_change(cost: &WeightedCost, x: &[f64], along: &[f64], sums: FrameSums<'_>, out: &mut [f64]) {
    let FrameSums { sum, vector, sum_change, vector_change } = sums;
    match cost.cost {
        Cost::CrossEntropyLogits => {
            let log_z = log_partition(x);
            let (mut mass, mut mass_change, mut mean) = (0.0, 0.0, 0.0);
            let is_possible = |x: f64| x != f64::NEG_INFINITY;
            for (d, (&x, along)) in x.iter().zip(along).enumerate().filter(|(_, (x, _))| is_possible(**x)) {
                mass += cost.feature_weight(d) * vector[d];
                mass_change += cost.feature_weight(d) * vector_change[d];
                mean += (x - log_z).exp() * along;
            }
            for (d, (to, (&x, along))) in out.iter_mut().zip(x.iter().zip(along)).enumerate() {
                let share = (x - log_z).exp();
                let bent = share * (mass_change + mass * (along - mean));
                *to = if is_possible(x) { bent - cost.feature_weight(d) * vector_change[d] } else { 0.0 };
            }
        }
        Cost::Cosine => unit_vector_gradient_change(cost, x, along, sums, true, out),
        Cost::Bce => {
            // Terms of 1/(1-x) together: where the target is 1, H W is h summed in another order, and what is left of the two is
            // rounding.
            for (d, (to, (&x, along))) in out.iter_mut().zip(x.iter().zip(along)).enumerate() {
                let ([of_x, of_x_twice], complement) = (reciprocals(x), reciprocals(1.0 - x));
                let p = cost.pos_weight(d);
                let of_ones = p * (of_x_twice * vector[d] * along - of_x * vector_change[d]);
                let rest = complement[1] * difference(sum, vector[d]) * along;
                let rest_change = complement[0] * difference(sum_change, vector_change[d]);
                *to = cost.feature_weight(d) * (rest_change + rest + of_ones);
            }
        }
        _ => {
            for (d, (to, (&x, along))) in out.iter_mut().zip(x.iter().zip(along)).enumerate() {
                let Some(Derivatives { u, v }) = derivatives(cost, x, d) else { continue };
                let of_change = u[0] * sum_change - v[0] * vector_change[d];
                *to = cost.feature_weight(d) * (of_change + (u[1] * sum - v[1] * vector[d]) * along);
            }
        }
    }
}

/// Writes (dL/dy)' of a frame y along `along`.
pub fn target_gradient_change(cost: &WeightedCost, y: &[f64], along: &[f64], sums: FrameSums<'_>, out: &mut [f64]) {
    if cost.cost == Cost::Cosine {
        return unit_vector_gradient_change(cost, y, along, sums, false, out);
    }
    let curvature = curvature_of_targets(cost);
    for (d, (to, (y, along))) in out.iter_mut().zip(y.iter().zip(along)).enumerate() {
        let bent = y * sums.sum_change + along * sums.sum;
        *to = curvature * cost.feature_weight(d) * bent - sums.vector_change[d];
    }
}

fn curvature_of_targets(cost: &WeightedCost) -> f64 {
    match cost.cost {
        Cost::Mse => 1.0,
        Cost::SquaredEuclidean => 2.0,
        _ => 0.0,
    }
}

/// Returns a - b, 0 where that is rounding.
fn difference(a: f64, b: f64) -> f64 {
    let difference = a - b;
    if difference.abs() < 8.0 * f64::EPSILON * a.abs() { 0.0 } else { difference }
}

/// Writes the change of z/|z| along `along`, 0 at z = 0.
fn unit_vector_change(cost: &WeightedCost, z: &[f64], along: &[f64], out: &mut [f64]) {
    let norm = weighted_norm(cost, z);
    let rise: f64 =
        z.iter().zip(along).enumerate().map(|(d, (z, along))| cost.feature_weight(d) * z / norm * along).sum();
    for ((to, z), along) in out.iter_mut().zip(z).zip(along) {
        *to = if norm > 0.0 { (along - z / norm * rise) / norm } else { norm };
    }
}

/// Writes the change of the gradient of `-<g, z/|z|>` (with `weighted`: of `-<g, f z/|z|>`) in z, 0 at z = 0.
///
/// With the unit vector e = z/|z| and c = g (or f g) it is -(c - <c,e> f e) / |z|.
fn unit_vector_gradient_change(
    cost: &WeightedCost,
    z: &[f64],
    along: &[f64],
    FrameSums { vector, vector_change, .. }: FrameSums<'_>,
    weighted: bool,
    out: &mut [f64],
) {
    let norm = weighted_norm(cost, z);
    if norm.is_nan() || norm <= 0.0 {
        out.fill(norm);
        return;
    }
    let mut unit_change = vec![0.0; z.len()];
    unit_vector_change(cost, z, along, &mut unit_change);
    let outer = |d: usize| if weighted { cost.feature_weight(d) } else { 1.0 };
    let (mut c_along, mut c_along_change, mut rise) = (0.0, 0.0, 0.0);
    for (d, z) in z.iter().enumerate() {
        let e = z / norm;
        c_along += outer(d) * vector[d] * e;
        c_along_change += outer(d) * (vector_change[d] * e + vector[d] * unit_change[d]);
        rise += cost.feature_weight(d) * e * along[d];
    }
    for (d, (to, z)) in out.iter_mut().zip(z).enumerate() {
        let (e, f) = (z / norm, cost.feature_weight(d));
        let gradient = c_along * f * e - outer(d) * vector[d];
        let change = c_along_change * f * e + c_along * f * unit_change[d] - outer(d) * vector_change[d];
        *to = (change - gradient * rise / norm) / norm;
    }
}
