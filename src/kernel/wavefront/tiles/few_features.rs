//! Tiles of the form C = u + phi - V W^T, and of H gathered into H W and h, for the fewest features.
//!
//! With one or a few features a matrix product has nothing to reuse: each row of a tile is u + phi - sum_d v_d w_d on
//! vectors of columns, and H W is gathered by lanes and summed over them at the end.

use super::super::{AlignedBuffer, Grid};
use super::sums::Sums;
use super::{AlignmentTiles, CostTiles, FormSlices};
use crate::simd::{Lanes, Number};

/// The greatest number of features for which this is the fastest.
pub const MOST_FEATURES: usize = 4;

/// Memory of the tiles; any contents will do.
#[derive(Default)]
pub struct FewFeaturesScratch<R> {
    predictions: AlignedBuffer<R>,
    row_terms: AlignedBuffer<R>,
}

/// W by features, with phi, padded; shared by the costs and the gathering.
#[derive(Default)]
pub struct FewFeaturesTargets<R> {
    features: AlignedBuffer<R>,
    d: usize,
    columns: usize,
}

impl<R: Number> FewFeaturesTargets<R> {
    /// Packs W and phi for a grid: feature d in row d, phi in row D.
    pub fn fill(&mut self, form: FormSlices<'_, R>, grid: Grid) {
        let columns = grid.stripes * grid.lanes;
        (self.d, self.columns) = (form.d, columns);
        let packed = &mut self.features.reserve((form.d + 1) * columns)[..(form.d + 1) * columns];
        packed.fill(R::default());
        for (m, target) in form.w.chunks_exact(form.d).enumerate() {
            for (d, &entry) in target.iter().enumerate() {
                packed[d * columns + m] = entry;
            }
        }
        packed[form.d * columns..][..form.phi.len()].copy_from_slice(form.phi);
    }

    /// Row d from a column on.
    #[inline(always)]
    fn row(&self, d: usize, column: usize) -> &[R] {
        &self.features.as_slice()[d * self.columns + column..]
    }
}

/// Costs by sums of products.
#[derive(Clone, Copy)]
pub struct FewFeaturesCosts<'a, R> {
    targets: &'a FewFeaturesTargets<R>,
    predictions: &'a [R], // V, or x: [block][feature][row]
    row_terms: &'a [R],
    factors: Option<&'a [R]>, // of squared differences
}

impl<'a, R: Number> FewFeaturesCosts<'a, R> {
    /// Packs u and V for a grid, or the predictions where these are subtracted.
    pub fn new(
        form: FormSlices<'a, R>,
        grid: Grid,
        targets: &'a FewFeaturesTargets<R>,
        scratch: &'a mut FewFeaturesScratch<R>,
    ) -> Self {
        let (d, lanes, rows) = (form.d, grid.lanes, grid.blocks * grid.lanes);
        let predictions = &mut scratch.predictions.reserve(rows * d)[..rows * d];
        predictions.fill(R::default());
        let frames = form.squares.map_or(form.v, |squares| squares.x);
        for (n, frame) in frames.chunks_exact(d).enumerate() {
            for (k, &entry) in frame.iter().enumerate() {
                predictions[(n / lanes * d + k) * lanes + n % lanes] = entry;
            }
        }
        let row_terms = &mut scratch.row_terms.reserve(rows)[..rows];
        row_terms[..form.u.len()].copy_from_slice(form.u);
        row_terms[form.u.len()..].fill(R::default());
        Self { targets, predictions, row_terms, factors: form.squares.map(|squares| squares.factors) }
    }

    /// The vectors of a block, a feature each.
    #[inline(always)]
    fn block<const L: usize>(&self, block: usize) -> &'a [[R; L]] {
        let len = self.targets.d * L;
        self.predictions[block * len..][..len].as_chunks::<L>().0
    }

    /// Makes a tile of sums of squared differences.
    #[inline(always)]
    fn squared_differences<V: Lanes<L, Real = R>, const L: usize>(
        &self,
        lanes: V,
        factors: &[R],
        block: usize,
        stripe: usize,
    ) -> [V::F; L] {
        let mut rows = [lanes.constant(0.0); L];
        for (k, (of_feature, &factor)) in self.block::<L>(block).iter().zip(factors).enumerate() {
            let w = lanes.load_slice(self.targets.row(k, stripe * L));
            let factor = lanes.splat(factor);
            for (row, &x) in rows.iter_mut().zip(of_feature) {
                let difference = lanes.sub(lanes.splat(x), w);
                *row = lanes.mul_add(lanes.mul(factor, difference), difference, *row);
            }
        }
        rows
    }
}

// Padding is zero, so its costs are finite.
impl<V: Lanes<L>, const L: usize> CostTiles<V, L> for FewFeaturesCosts<'_, V::Real> {
    #[inline(always)]
    fn tile(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L] {
        if let Some(factors) = self.factors {
            return self.squared_differences(lanes, factors, block, stripe);
        }
        let phi = lanes.load_slice(self.targets.row(self.targets.d, stripe * L));
        let mut rows = [phi; L];
        for (row, &u) in rows.iter_mut().zip(&self.row_terms[block * L..][..L]) {
            *row = lanes.add(lanes.splat(u), phi);
        }
        for (k, of_feature) in self.block::<L>(block).iter().enumerate() {
            let w = lanes.load_slice(self.targets.row(k, stripe * L));
            for (row, &v) in rows.iter_mut().zip(of_feature) {
                *row = lanes.mul_add(lanes.splat(-v), w, *row);
            }
        }
        rows
    }

    fn for_thread(&self) -> Self {
        *self
    }
}

/// Memory of the gathered sums; any contents will do.
#[derive(Default)]
pub struct FewFeaturesGatherScratch<R> {
    sums: AlignedBuffer<R>,
}

/// H W and h by lanes, in groups of S stripes.
pub struct FewFeaturesGather<'a, R, const S: usize> {
    targets: &'a FewFeaturesTargets<R>,
    lanes: usize,
    sums: Sums<'a, R>, // [block][feature, or h behind the last][row][lane]
}

impl<'a, R: Number, const S: usize> FewFeaturesGather<'a, R, S> {
    /// Makes zero sums for the grid of the targets.
    pub fn new(grid: Grid, targets: &'a FewFeaturesTargets<R>, scratch: &'a mut FewFeaturesGatherScratch<R>) -> Self {
        let len = grid.blocks * (targets.d + 1) * grid.lanes * grid.lanes;
        Self { targets, lanes: grid.lanes, sums: Sums::new(&mut scratch.sums, grid, len) }
    }

    /// Writes h (N,) and H W (N,D).
    pub fn write(self, h: &mut [R], hw: &mut [R]) {
        let (d, lanes) = (self.targets.d, self.lanes);
        let sums = self.sums.total();
        for (n, (h, hw)) in h.iter_mut().zip(hw.chunks_exact_mut(d)).enumerate() {
            let sum = |feature: usize| {
                let at = ((n / lanes * (d + 1) + feature) * lanes + n % lanes) * lanes;
                sums[at..at + lanes].iter().copied().sum()
            };
            *h = sum(d);
            for (feature, hw) in hw.iter_mut().enumerate() {
                *hw = sum(feature);
            }
        }
    }
}

impl<V: Lanes<L>, const L: usize, const S: usize> AlignmentTiles<V, L> for FewFeaturesGather<'_, V::Real, S> {
    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        let d = self.targets.d;
        let len = (d + 1) * L * L;
        let sums = self.sums.of_group(stripe / S, block * len..(block + 1) * len);
        let (of_features, of_h) = sums.split_at_mut(d * L * L);
        for (k, sums) in of_features.chunks_exact_mut(L * L).enumerate() {
            let w = lanes.load_slice(self.targets.row(k, stripe * L));
            for (sum, &row) in sums.as_chunks_mut::<L>().0.iter_mut().zip(rows) {
                let total = lanes.mul_add(row, w, lanes.load_array(sum));
                lanes.store_array(sum, total);
            }
        }
        for (sum, &row) in of_h.as_chunks_mut::<L>().0.iter_mut().zip(rows) {
            let total = lanes.add(row, lanes.load_array(sum));
            lanes.store_array(sum, total);
        }
    }

    #[inline(always)]
    fn take_zero_tile(&mut self, _: V, _: usize, _: usize, _: &[V::F; L]) {}

    unsafe fn for_thread(&self) -> Self {
        // SAFETY: the caller orders the tiles, and with them the rows of the sums.
        Self { sums: unsafe { self.sums.for_thread() }, ..*self }
    }
}
