//! Local costs c(x_n, y_m).
//!
//! All costs that have modified targets fit one form, `C(n,m) = u(x_n) + phi(y_m) - <v(x_n), w(y_m)>`
//! ([`inner_product`]); the rest is computed cell by cell ([`distance`]) or gathered from the scores of classes ([`class_costs`]). The recursion sees neither: it asks
//! for rows of costs ([`CostRows`]).

pub mod class_costs;
pub mod cost_matrix;
pub mod distance;
pub mod inner_product;

use std::ops::Range;
use std::str::FromStr;

use crate::error::Error;
use crate::real::Real;

/// The costs by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// `1/2 ||x-y||^2`
    Mse,
    /// `||x-y||^2`
    SquaredEuclidean,
    /// `-sum y log x + (1-y) log(1-x)` of probabilities x
    Bce,
    /// `-sum y log sigmoid(x) + (1-y) log(1-sigmoid(x))` of logits x
    BceLogits,
    /// `-sum y log x` of probabilities x
    CrossEntropy,
    /// `-sum y log_softmax(x)`
    CrossEntropyLogits,
    /// `sum x - y log x` of rates x
    Poisson,
    /// `sum exp(x) - y x` of log-rates x
    PoissonLog,
    /// `1 - <x,y>/(|x||y|)`
    Cosine,
    /// `||x-y||`
    Euclidean,
    /// `sum |x-y|`
    L1,
}

impl Cost {
    /// Names and costs, in the order of the documentation.
    pub const ALL: [(&'static str, Self); 11] = [
        ("mse", Self::Mse),
        ("sqeuclidean", Self::SquaredEuclidean),
        ("bce", Self::Bce),
        ("bce_logits", Self::BceLogits),
        ("ce", Self::CrossEntropy),
        ("ce_logits", Self::CrossEntropyLogits),
        ("poisson", Self::Poisson),
        ("poisson_log", Self::PoissonLog),
        ("cosine", Self::Cosine),
        ("euclidean", Self::Euclidean),
        ("l1", Self::L1),
    ];

    /// Tells if the cost is affine in the targets, so that modified targets give its exact gradient.
    pub fn has_modified_targets(self) -> bool {
        !matches!(self, Self::Euclidean | Self::L1)
    }
}

impl FromStr for Cost {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, cost)| cost).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|(known, _)| *known).collect();
            Error::argument("cost", format!("unknown cost {name:?}; known are {}", known.join(", ")))
        })
    }
}

/// A cost and the weights inside it: one per feature, and for the BCE costs one on the positive part.
#[derive(Clone, Debug)]
pub struct WeightedCost {
    /// The cost.
    pub cost: Cost,
    /// Weights of the features, (D,), finite and not negative; `None` is 1 everywhere.
    pub feature_weights: Option<Vec<f64>>,
    /// Weights of the positive part, (D,), finite and not negative, for the BCE costs; `None` is 1 everywhere.
    pub pos_weight: Option<Vec<f64>>,
}

impl WeightedCost {
    /// The cost with all weights 1.
    pub fn plain(cost: Cost) -> Self {
        Self { cost, feature_weights: None, pos_weight: None }
    }

    /// Checks the number of weights against D.
    pub fn check_features(&self, d: usize) -> Result<(), Error> {
        for (name, weights) in [("feature_weights", &self.feature_weights), ("pos_weight", &self.pos_weight)] {
            if let Some(weights) = weights
                && weights.len() != d
            {
                return Err(Error::argument(name, format!("has {} entries, but D = {d}", weights.len())));
            }
        }
        Ok(())
    }

    fn feature_weight(&self, d: usize) -> f64 {
        self.feature_weights.as_ref().map_or(1.0, |f| f[d])
    }

    fn pos_weight(&self, d: usize) -> f64 {
        self.pos_weight.as_ref().map_or(1.0, |p| p[d])
    }
}

/// A cost matrix that is read row by row.
pub trait CostRows {
    /// Writes C(n, columns) into `row[columns]`; other entries of `row` are left alone.
    fn write_row(&self, n: usize, columns: Range<usize>, row: &mut [f64]);
}

/// A cost matrix that the caller has: row-major with `stride` entries from one row to the next.
#[derive(Clone, Copy)]
pub struct CostMatrix<'a, F> {
    /// At least `(N-1) * stride + M` entries.
    pub costs: &'a [F],
    /// At least M.
    pub stride: usize,
}

impl<F: Real> CostRows for CostMatrix<'_, F> {
    fn write_row(&self, n: usize, columns: Range<usize>, row: &mut [f64]) {
        let costs = &self.costs[n * self.stride..][columns.clone()];
        for (to, from) in row[columns].iter_mut().zip(costs) {
            *to = from.to_f64();
        }
    }
}
