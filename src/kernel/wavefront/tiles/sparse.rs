//! Tiles of the form C = u + phi - V W^T, and of H gathered into H W and h, where most entries of W are 0.
//!
//! A multi-hot target frame has a few ones among its features: its column of costs is u less a few columns of V. So V
//! lies in blocks of L rows, [block][feature][row], where a column is one vector; tiles are made by columns and
//! transposed. H is transposed back, and each column added to the features of its target, in the same layout.

use super::super::{AlignedBuffer, Grid};
use super::pack::{restored, transposed};
use super::sums::Sums;
use super::{AlignmentTiles, CostTiles, FormSlices};
use crate::simd::{Lanes, Number};

/// The entries of W other than 0, target by target.
#[derive(Default)]
pub struct SparseTargets<R> {
    starts: Vec<u32>,
    entries: Vec<(u32, R)>, // where the feature's vector starts in a block, and the entry
    phi: Vec<R>,
    d: usize,
    m: usize,
    lanes: usize,
}

impl<R: Number> SparseTargets<R> {
    /// The mean number of entries other than 0 of a target frame.
    pub fn density(w: &[R], targets: usize) -> f64 {
        w.iter().filter(|entry| !entry.is_zero()).count() as f64 / targets as f64
    }

    /// Lists the entries for a grid; targets of the padding have none.
    pub fn fill(&mut self, form: FormSlices<'_, R>, grid: Grid) {
        (self.d, self.m, self.lanes) = (form.d, grid.shape.m, grid.lanes);
        self.starts.clear();
        self.entries.clear();
        self.starts.push(0);
        for target in form.w.chunks_exact(form.d) {
            let nonzero = target.iter().enumerate().filter(|(_, entry)| !entry.is_zero());
            self.entries.extend(nonzero.map(|(feature, &entry)| ((feature * grid.lanes) as u32, entry)));
            self.starts.push(self.entries.len() as u32);
        }
        let columns = grid.stripes * grid.lanes;
        self.starts.resize(columns + 1, self.entries.len() as u32);
        self.phi.clear();
        self.phi.extend_from_slice(form.phi);
        self.phi.resize(columns, R::default());
    }

    /// The entries of a column.
    ///
    /// # Safety
    ///
    /// The column is one of the grid that the lists were filled for.
    #[inline(always)]
    unsafe fn of(&self, column: usize) -> &[(u32, R)] {
        // SAFETY: `fill` wrote a start for every column and one more, rising to the number of entries.
        unsafe {
            let (start, end) = (*self.starts.get_unchecked(column), *self.starts.get_unchecked(column + 1));
            self.entries.get_unchecked(start as usize..end as usize)
        }
    }

    /// The count of numbers of a block of features, a vector each.
    fn block_len(&self) -> usize {
        self.d * self.lanes
    }
}

/// Memory of the tiles; any contents will do.
#[derive(Default)]
pub struct SparseScratch<R> {
    predictions: AlignedBuffer<R>,
    row_terms: AlignedBuffer<R>,
}

/// Costs by sums of a few vectors.
#[derive(Clone, Copy)]
pub struct SparseCosts<'a, R> {
    targets: &'a SparseTargets<R>,
    predictions: &'a [R], // [block][feature][row]
    row_terms: &'a [R],
}

impl<'a, R: Number> SparseCosts<'a, R> {
    /// Packs V for a grid.
    pub fn new<V: Lanes<L, Real = R>, const L: usize>(
        lanes: V,
        form: FormSlices<'_, R>,
        grid: Grid,
        targets: &'a SparseTargets<R>,
        scratch: &'a mut SparseScratch<R>,
    ) -> Self {
        let (d, rows) = (form.d, grid.blocks * L);
        let predictions = &mut scratch.predictions.reserve(rows * d)[..rows * d];
        transposed(lanes, form.v, d, L, predictions);
        let row_terms = &mut scratch.row_terms.reserve(rows)[..rows];
        row_terms[..form.u.len()].copy_from_slice(form.u);
        row_terms[form.u.len()..].fill(R::default());
        Self { targets, predictions, row_terms }
    }
}

// Rows of the padding are zero, and so are the lists of its columns: costs are finite.
impl<V: Lanes<L>, const L: usize> CostTiles<V, L> for SparseCosts<'_, V::Real> {
    #[inline(always)]
    fn tile(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L] {
        let Self { targets, predictions, row_terms } = *self;
        assert!(targets.lanes == L);
        let rows = &predictions[block * targets.block_len()..][..targets.block_len()];
        let u = lanes.load_slice(&row_terms[block * L..]);
        let phi = &targets.phi[stripe * L..][..L];
        let mut columns = [u; L];
        for (j, column) in columns.iter_mut().enumerate() {
            let mut sum = lanes.add(u, lanes.splat(phi[j]));
            // SAFETY: a column of the grid, since `phi` has it; vectors of features less than D, as `fill` listed them, in
            // a block of D vectors of L.
            unsafe {
                for &(at, entry) in targets.of(stripe * L + j) {
                    sum = lanes.mul_add(lanes.load(rows.as_ptr().add(at as usize)), lanes.splat(-entry), sum);
                }
            }
            *column = sum;
        }
        lanes.transpose(&mut columns);
        columns
    }

    fn for_thread(&self) -> Self {
        *self
    }
}

/// Memory of the gathered sums; any contents will do.
#[derive(Default)]
pub struct SparseGatherScratch<R> {
    sums: AlignedBuffer<R>,
    row_sums: AlignedBuffer<R>,
}

/// H W and h by adding columns, in groups of S stripes.
pub struct SparseGather<'a, R, const S: usize> {
    targets: &'a SparseTargets<R>,
    sums: Sums<'a, R>,     // [block][feature][row]
    row_sums: Sums<'a, R>, // [row]
}

impl<'a, R: Number, const S: usize> SparseGather<'a, R, S> {
    /// Makes zero sums for the grid of the targets.
    pub fn new(grid: Grid, targets: &'a SparseTargets<R>, scratch: &'a mut SparseGatherScratch<R>) -> Self {
        let sums = Sums::new(&mut scratch.sums, grid, grid.blocks * targets.block_len());
        let row_sums = Sums::new(&mut scratch.row_sums, grid, grid.blocks * grid.lanes);
        Self { targets, sums, row_sums }
    }

    /// Writes h (N,) and H W (N,D).
    pub fn write<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V, h: &mut [R], hw: &mut [R]) {
        let Self { targets: SparseTargets { d, .. }, sums, row_sums } = self;
        assert!(hw.len() == h.len() * d);
        h.copy_from_slice(&row_sums.total()[..h.len()]);
        restored(lanes, sums.total(), *d, hw);
    }
}

impl<V: Lanes<L>, const L: usize, const S: usize> AlignmentTiles<V, L> for SparseGather<'_, V::Real, S> {
    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        let Self { targets, sums, row_sums } = self;
        assert!(targets.lanes == L);
        let mut columns = *rows;
        lanes.transpose(&mut columns);
        let len = targets.block_len();
        let sums = sums.of_group(stripe / S, block * len..(block + 1) * len);
        let row_sums = row_sums.of_group(stripe / S, block * L..(block + 1) * L);
        let mut h = lanes.load_slice(row_sums);
        for (j, &column) in columns.iter().enumerate().take(targets.m.saturating_sub(stripe * L)) {
            h = lanes.add(h, column);
            // SAFETY: a column before M; vectors of features less than D, as `fill` listed them, in a block of D vectors
            // of L.
            unsafe {
                for &(at, entry) in targets.of(stripe * L + j) {
                    let sum = sums.as_mut_ptr().add(at as usize);
                    lanes.store(sum, lanes.mul_add(column, lanes.splat(entry), lanes.load(sum)));
                }
            }
        }
        lanes.store_slice(row_sums, h);
    }

    #[inline(always)]
    fn take_zero_tile(&mut self, _: V, _: usize, _: usize, _: &[V::F; L]) {}

    unsafe fn for_thread(&self) -> Self {
        // SAFETY: the caller orders the tiles, and with them the rows of the sums.
        let (sums, row_sums) = unsafe { (self.sums.for_thread(), self.row_sums.for_thread()) };
        Self { sums, row_sums, ..*self }
    }
}
