//! Tiles: how costs come into the sweeps, and how the soft alignment goes out.
//!
//! A tile is L rows of L columns, a row a vector. Costs and products are made tile by tile, in the order of the sweeps.

pub mod cell_sums;
pub mod columns;
pub mod combined;
pub mod dense;
pub mod distance;
pub mod erased;
pub mod few_features;
pub mod masked;
pub mod matrix;
mod pack;
pub mod sparse;
mod sums;
pub mod widened;

use self::cell_sums::CellSums;
use super::kept;
use crate::real::Real;
use crate::simd::Lanes;

/// The inner-product form of one pair, C = u + phi - V W^T, as the tiles read it.
#[derive(Clone, Copy)]
pub struct FormSlices<'a, R> {
    /// u of the predictions, (N,).
    pub u: &'a [R],
    /// phi of the targets, (M,).
    pub phi: &'a [R],
    /// v of the predictions, (N,D).
    pub v: &'a [R],
    /// w of the targets, (M,D).
    pub w: &'a [R],
    /// D.
    pub d: usize,
    /// Sums of squared differences that give the costs, where they are that: few features are then subtracted rather than
    /// multiplied, so that nothing cancels.
    pub squares: Option<SquaredDifferences<'a, R>>,
}

/// C = sum_d f_d (x_d - w_d)^2, w being that of the form.
#[derive(Clone, Copy)]
pub struct SquaredDifferences<'a, R> {
    /// The predictions, (N,D).
    pub x: &'a [R],
    /// The factors f, (D,).
    pub factors: &'a [R],
}

impl<R: Real> FormSlices<'_, R> {
    /// C(n,m), in float64.
    pub fn cost(&self, n: usize, m: usize) -> f64 {
        let Self { u, phi, v, w, d, squares } = *self;
        let w = w[m * d..][..d].iter().map(|w| w.to_f64());
        match squares {
            Some(SquaredDifferences { x, factors }) if d <= few_features::MOST_FEATURES => {
                let differences = x[n * d..][..d].iter().map(|x| x.to_f64()).zip(w).map(|(x, w)| x - w);
                differences.zip(factors).map(|(difference, f)| f.to_f64() * difference * difference).sum()
            }
            _ => {
                let v = v[n * d..][..d].iter().map(|v| v.to_f64());
                u[n].to_f64() + phi[m].to_f64() - v.zip(w).map(|(v, w)| v * w).sum::<f64>()
            }
        }
    }
}

/// Gives the cost matrix as tiles of L rows and L columns; entries of rows from N and columns from M on are finite.
pub trait CostTiles<V: Lanes<L>, const L: usize> {
    /// True if entries may be +inf: forbidden cells.
    const IS_MASKED: bool = false;

    /// Makes the tile of rows `block * L..` and columns `stripe * L..`.
    ///
    /// Stripes are asked for from left to right in groups of S, within a group the tiles of one block one after the
    /// other; blocks may lie wholly below row N.
    fn tile(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L];

    /// Returns the same tiles for another thread.
    fn for_thread(&self) -> Self;
}

/// Takes H as tiles of L rows and L columns, from the last stripe to the first, from the last block to the first.
///
/// Stripes that are all padding are left out, and under a mask the tiles outside of the windows.
pub trait AlignmentTiles<V: Lanes<L>, const L: usize> {
    /// True if costs may be +inf, see [`CostTiles::IS_MASKED`].
    const IS_MASKED: bool = false;
    /// True if [`Self::take_sums`] is to get the entropy, which takes three logarithms a cell.
    const TAKES_ENTROPY: bool = false;
    /// True if [`Self::take_sums`] is to get the costs of steps.
    const TAKES_COSTS_OF_STEPS: bool = false;
    /// The vectors of a step that the forward sweep has to keep for this.
    const KEPT: usize = if Self::TAKES_COSTS_OF_STEPS {
        kept::COSTS
    } else if Self::TAKES_ENTROPY {
        kept::ALL_PROBABILITIES
    } else {
        kept::PROBABILITIES
    };

    /// Takes the tile of rows `block * L..` and columns `stripe * L..`; 0 from row N and from column M on.
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]);

    /// Takes a tile that is 0, as most are off the path.
    #[inline(always)]
    fn take_zero_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        self.take_tile(lanes, block, stripe, rows);
    }

    /// Takes the sums over one block of a stripe that it asks for; 0 from column M on.
    #[inline(always)]
    fn take_sums(&mut self, _lanes: V, _stripe: usize, _sums: CellSums<V, L>) {}

    /// A taker for another thread, into the same sums.
    ///
    /// # Safety
    ///
    /// A stripe is taken by one thread. Tiles of the same block are taken by one thread at a time, each seeing what the
    /// ones before wrote. The first taker is used again only after those made from it.
    unsafe fn for_thread(&self) -> Self;
}
