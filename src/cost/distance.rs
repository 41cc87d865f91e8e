//! Costs without an inner-product form: computed cell by cell, no modified targets.
//!
//! `euclidean`: sqrt(sum f (x-y)^2); `l1`: sum f |x-y|, with feature weights f.

use std::ops::Range;

use super::{Cost, CostRows, WeightedCost};
use crate::real::Real;

/// x (N,D) and y (M,D) under a distance.
pub struct Distance<'a, F> {
    cost: &'a WeightedCost,
    x: &'a [F],
    y: &'a [F],
    d: usize,
}

impl<'a, F: Real> Distance<'a, F> {
    /// Takes two sequences and one of the distances.
    pub fn new(cost: &'a WeightedCost, x: &'a [F], y: &'a [F], d: usize) -> Self {
        debug_assert!(!cost.cost.has_modified_targets());
        Self { cost, x, y, d }
    }

    /// f (x_n - y_m) feature by feature, with f and the bare difference.
    fn differences(&self, n: usize, m: usize) -> impl Iterator<Item = (f64, f64)> {
        let x = &self.x[n * self.d..][..self.d];
        let y = &self.y[m * self.d..][..self.d];
        x.iter().zip(y).enumerate().map(|(d, (x, y))| (self.cost.feature_weight(d), x.to_f64() - y.to_f64()))
    }

    fn cell(&self, n: usize, m: usize) -> f64 {
        match self.cost.cost {
            Cost::L1 => self.differences(n, m).map(|(f, difference)| f * difference.abs()).sum(),
            _ => self.differences(n, m).map(|(f, difference)| f * difference * difference).sum::<f64>().sqrt(),
        }
    }

    /// Adds `factor * dc/dx` to `out`; dc/dy is its negative. At the kink the gradient is 0.
    pub fn add_gradient(&self, n: usize, m: usize, factor: f64, out: &mut [f64]) {
        match self.cost.cost {
            Cost::L1 => {
                for ((f, difference), out) in self.differences(n, m).zip(out) {
                    if difference != 0.0 {
                        *out += factor * f * difference.signum();
                    }
                }
            }
            _ => {
                let distance = self.cell(n, m);
                if distance != 0.0 {
                    for ((f, difference), out) in self.differences(n, m).zip(out) {
                        *out += factor * f * difference / distance;
                    }
                }
            }
        }
    }
}

impl<F: Real> CostRows for Distance<'_, F> {
    fn write_row(&self, n: usize, columns: Range<usize>, row: &mut [f64]) {
        for m in columns {
            row[m] = self.cell(n, m);
        }
    }
}
