//! Sets of series: the values of all their pairs and the gradients of their sums, divergences, and the sums that a barycenter
//! is made of.
//!
//! A set is swept by one call of [`batch`](crate::batch), whose jobs are runs of pairs: long enough that to hand one out costs
//! nothing, and cut by the lengths of the series alone, so that results are the same to the bit for any number of threads.

pub mod barycenter;
pub mod divergence;
pub mod gradients;
pub mod pairwise;

use crate::cost::WeightedCost;
use crate::error::Error;
use crate::plan::{Pair, Recursion};
use crate::shape::Shape;

/// The settings of a call that all its pairs share.
#[derive(Clone, Copy)]
pub struct SetSettings<'a> {
    /// D of every series.
    pub d: usize,
    /// The local cost.
    pub cost: &'a WeightedCost,
    /// The recursion.
    pub recursion: &'a Recursion,
    /// The number of threads; `None` is that of [`batch::num_threads`](crate::batch::num_threads).
    pub threads: Option<usize>,
}

impl SetSettings<'_> {
    /// Makes a pair of series, (N,D) and (M,D).
    fn pair<'x, F>(&self, x: &'x [F], y: &'x [F]) -> Result<Pair<'x, F>, Error> {
        let d = self.d.max(1);
        Pair::new(x, y, Shape::new(x.len() / d, y.len() / d)?, self.d)
    }

    /// The cells of a pair.
    fn cells<F>(&self, x: &[F], y: &[F]) -> usize {
        let d = self.d.max(1);
        (x.len() / d).saturating_mul(y.len() / d)
    }
}
