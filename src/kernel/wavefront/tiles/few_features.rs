//! Tiles of the form C = u + phi - V W^T, and of H gathered into H W and h, for the fewest features.
//!
//! With one or a few features a matrix product has nothing to reuse: each row of a tile is u + phi - sum_d v_d w_d on
//! vectors of columns, and H W is gathered by lanes and summed over them at the end.

use super::super::{AlignedBuffer, Grid};
use super::dense::Form;
use super::sums::Sums;
use super::{AlignmentTiles, CostTiles};
use crate::simd::Lanes;

/// The most features for which this is the fastest.
pub const MOST_FEATURES: usize = 4;

/// Memory of the tiles; any contents will do.
#[derive(Default)]
pub struct NarrowScratch {
    predictions: AlignedBuffer,
    row_terms: AlignedBuffer,
}

/// W by features, with phi, padded; shared by the costs and the gathering.
#[derive(Default)]
pub struct NarrowTargets {
    features: AlignedBuffer,
    d: usize,
    columns: usize,
}

impl NarrowTargets {
    /// Packs W and phi for a grid: feature d in row d, phi in row D.
    pub fn fill(&mut self, form: Form<'_>, grid: Grid) {
        let columns = grid.stripes * grid.lanes;
        (self.d, self.columns) = (form.d, columns);
        let packed = &mut self.features.reserve((form.d + 1) * columns)[..(form.d + 1) * columns];
        packed.fill(0.0);
        for (m, target) in form.w.chunks_exact(form.d).enumerate() {
            for (d, &entry) in target.iter().enumerate() {
                packed[d * columns + m] = entry;
            }
        }
        packed[form.d * columns..][..form.phi.len()].copy_from_slice(form.phi);
    }

    fn row(&self, d: usize) -> *const f32 {
        self.features.as_slice()[d * self.columns..].as_ptr()
    }
}

/// Costs by sums of products.
#[derive(Clone, Copy)]
pub struct NarrowCosts<'a> {
    targets: &'a NarrowTargets,
    predictions: &'a [f32], // [row][d]
    row_terms: &'a [f32],
    squared: Option<f32>,
}

impl<'a> NarrowCosts<'a> {
    /// Pads u and V for a grid.
    pub fn new(form: Form<'_>, grid: Grid, targets: &'a NarrowTargets, scratch: &'a mut NarrowScratch) -> Self {
        let rows = grid.blocks * grid.lanes;
        let predictions = &mut scratch.predictions.reserve(rows * form.d)[..rows * form.d];
        predictions[..form.v.len()].copy_from_slice(form.v);
        predictions[form.v.len()..].fill(0.0);
        let row_terms = &mut scratch.row_terms.reserve(rows)[..rows];
        row_terms[..form.u.len()].copy_from_slice(form.u);
        row_terms[form.u.len()..].fill(0.0);
        Self { targets, predictions, row_terms, squared: form.squared }
    }
}

impl NarrowCosts<'_> {
    /// `factor * sum (x - y)^2`; v is x for the factor 1/2, and 2 x for 1.
    #[inline(always)]
    unsafe fn squared_differences<V: Lanes<L>, const L: usize>(
        &self,
        factor: f32,
        block: usize,
        stripe: usize,
    ) -> [V::F; L] {
        let d = self.targets.d;
        let of_v = 0.5 / factor;
        // SAFETY: the caller vouches for the hardware; sizes as in `new`.
        unsafe {
            let mut rows = [V::splat(0.0); L];
            for k in 0..d {
                let w = V::load(self.targets.row(k).add(stripe * L));
                let v = self.predictions.as_ptr().add(block * L * d + k);
                for (i, row) in rows.iter_mut().enumerate() {
                    let difference = V::sub(V::splat(of_v * *v.add(i * d)), w);
                    *row = V::mul_add(V::mul(V::splat(factor), difference), difference, *row);
                }
            }
            rows
        }
    }
}

// SAFETY: padding is zero, so its costs are finite.
unsafe impl<V: Lanes<L>, const L: usize> CostTiles<V, L> for NarrowCosts<'_> {
    #[inline(always)]
    unsafe fn tile(&mut self, block: usize, stripe: usize) -> [V::F; L] {
        let d = self.targets.d;
        // SAFETY: the caller vouches for the hardware; sizes as in `new`.
        unsafe {
            if let Some(factor) = self.squared {
                return self.squared_differences::<V, L>(factor, block, stripe);
            }
            let phi = V::load(self.targets.row(d).add(stripe * L));
            let u = self.row_terms.as_ptr().add(block * L);
            let mut rows: [V::F; L] = std::array::from_fn(|i| V::add(V::splat(*u.add(i)), phi));
            for k in 0..d {
                let w = V::load(self.targets.row(k).add(stripe * L));
                let v = self.predictions.as_ptr().add(block * L * d + k);
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = V::mul_add(V::splat(-*v.add(i * d)), w, *row);
                }
            }
            rows
        }
    }

    fn twin(&self) -> Self {
        *self
    }
}

/// Memory of the gathered sums; any contents will do.
#[derive(Default)]
pub struct NarrowGatherScratch {
    sums: AlignedBuffer,
}

/// H W and h by lanes.
#[derive(Clone, Copy)]
pub struct NarrowGather<'a> {
    targets: &'a NarrowTargets,
    lanes: usize,
    slots: usize,
    sums: Sums, // [block][feature, or h behind the last][row][lane]
}

impl<'a> NarrowGather<'a> {
    /// Zero sums for a grid of groups of so many slots.
    pub fn new(grid: Grid, slots: usize, targets: &'a NarrowTargets, scratch: &'a mut NarrowGatherScratch) -> Self {
        let len = grid.blocks * (targets.d + 1) * grid.lanes * grid.lanes;
        Self { targets, lanes: grid.lanes, slots, sums: Sums::new(&mut scratch.sums, grid, len) }
    }

    /// Writes h (N,) and H W (N,D).
    pub fn write(&self, h: &mut [f32], hw: &mut [f32]) {
        let (d, lanes) = (self.targets.d, self.lanes);
        // SAFETY: the buffers are borrowed as long as `self`; the sweeps are over.
        let sums = unsafe { self.sums.total() };
        for (n, (h, hw)) in h.iter_mut().zip(hw.chunks_exact_mut(d)).enumerate() {
            let sum = |feature: usize| {
                let at = ((n / lanes * (d + 1) + feature) * lanes + n % lanes) * lanes;
                sums[at..at + lanes].iter().sum()
            };
            *h = sum(d);
            for (feature, hw) in hw.iter_mut().enumerate() {
                *hw = sum(feature);
            }
        }
    }
}

// SAFETY: sizes as in `new`.
unsafe impl<V: Lanes<L>, const L: usize> AlignmentTiles<V, L> for NarrowGather<'_> {
    #[inline(always)]
    unsafe fn take_tile(&mut self, block: usize, stripe: usize, rows: &[V::F; L]) {
        let d = self.targets.d;
        // SAFETY: the caller vouches for the hardware; sizes as in `new`.
        unsafe {
            let sums = self.sums.of_group(stripe / self.slots).add(block * (d + 1) * L * L);
            for k in 0..d {
                let w = V::load(self.targets.row(k).add(stripe * L));
                for (i, &row) in rows.iter().enumerate() {
                    let sum = sums.add((k * L + i) * L);
                    V::store(sum, V::mul_add(row, w, V::load(sum)));
                }
            }
            for (i, &row) in rows.iter().enumerate() {
                let sum = sums.add((d * L + i) * L);
                V::store(sum, V::add(row, V::load(sum)));
            }
        }
    }

    #[inline(always)]
    unsafe fn take_nothing(&mut self, _: usize, _: usize, _: &[V::F; L]) {}

    unsafe fn twin(&self) -> Self {
        *self
    }
}
