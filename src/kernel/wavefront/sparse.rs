//! Tiles of the form C = u + phi - V W^T, and of H gathered into H W and h, where most entries of W are 0.
//!
//! A multi-hot target frame has a few ones among its features: its column of costs is u less a few columns of V. So V
//! lies in blocks of L rows, [block][feature][row], where a column is one vector; tiles are made by columns and
//! transposed. H is transposed back, and each column added to the features of its target, in the same layout.

use super::dense::Form;
use super::{AlignedBuffer, AlignmentTiles, CostTiles, Grid};
use crate::shape::Shape;
use crate::simd::Lanes;

/// The entries of W other than 0, target by target.
#[derive(Default)]
pub struct SparseTargets {
    starts: Vec<u32>,
    entries: Vec<(u32, f32)>, // where the feature's vector starts in a block, and the entry
    phi: Vec<f32>,
}

impl SparseTargets {
    /// Entries other than 0 a target frame, on average.
    pub fn density(w: &[f32], targets: usize) -> f64 {
        w.iter().filter(|&&entry| entry != 0.0).count() as f64 / targets as f64
    }

    /// Lists the entries for a grid; targets of the padding have none.
    pub fn fill(&mut self, form: Form<'_>, grid: Grid) {
        self.starts.clear();
        self.entries.clear();
        self.starts.push(0);
        for target in form.w.chunks_exact(form.d) {
            let nonzero = target.iter().enumerate().filter(|(_, entry)| **entry != 0.0);
            self.entries.extend(nonzero.map(|(feature, &entry)| ((feature * grid.lanes) as u32, entry)));
            self.starts.push(self.entries.len() as u32);
        }
        let columns = grid.stripes * grid.lanes;
        self.starts.resize(columns + 1, self.entries.len() as u32);
        self.phi.clear();
        self.phi.extend_from_slice(form.phi);
        self.phi.resize(columns, 0.0);
    }

    fn of(&self, column: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[column] as usize..self.starts[column + 1] as usize]
    }
}

/// Memory of the tiles; any contents will do.
#[derive(Default)]
pub struct SparseScratch {
    predictions: AlignedBuffer,
    row_terms: AlignedBuffer,
}

/// Costs by sums of a few vectors.
#[derive(Clone, Copy)]
pub struct SparseCosts<'a> {
    targets: &'a SparseTargets,
    d: usize,
    predictions: &'a [f32], // [block][feature][row]
    row_terms: &'a [f32],
}

impl<'a> SparseCosts<'a> {
    /// Packs V for a grid.
    pub fn new(form: Form<'_>, grid: Grid, targets: &'a SparseTargets, scratch: &'a mut SparseScratch) -> Self {
        let (d, lanes, rows) = (form.d, grid.lanes, grid.blocks * grid.lanes);
        let predictions = &mut scratch.predictions.reserve(rows * d)[..rows * d];
        for (block, packed) in predictions.chunks_exact_mut(lanes * d).enumerate() {
            for i in 0..lanes {
                let row = form.v.get((block * lanes + i) * d..(block * lanes + i + 1) * d);
                for feature in 0..d {
                    packed[feature * lanes + i] = row.map_or(0.0, |row| row[feature]);
                }
            }
        }
        let row_terms = &mut scratch.row_terms.reserve(rows)[..rows];
        row_terms[..form.u.len()].copy_from_slice(form.u);
        row_terms[form.u.len()..].fill(0.0);
        Self { targets, d, predictions, row_terms }
    }
}

// SAFETY: rows of the padding are zero, and so are the lists of its columns: costs are finite.
unsafe impl<V: Lanes<L>, const L: usize> CostTiles<V, L> for SparseCosts<'_> {
    #[inline(always)]
    unsafe fn tile(&mut self, block: usize, stripe: usize) -> [V::F; L] {
        // SAFETY: the caller vouches for the hardware; features are less than d, blocks and stripes those of the grid.
        unsafe {
            let rows = self.predictions.as_ptr().add(block * self.d * L);
            let u = V::load(self.row_terms.as_ptr().add(block * L));
            let mut columns = [u; L];
            for (j, column) in columns.iter_mut().enumerate() {
                let mut sum = V::add(u, V::splat(self.targets.phi[stripe * L + j]));
                for &(at, entry) in self.targets.of(stripe * L + j) {
                    sum = V::mul_add(V::load(rows.add(at as usize)), V::splat(-entry), sum);
                }
                *column = sum;
            }
            V::transpose(&mut columns);
            columns
        }
    }

    fn twin(&self) -> Self {
        *self
    }
}

/// Memory of the gathered sums; any contents will do.
#[derive(Default)]
pub struct SparseGatherScratch {
    sums: AlignedBuffer,
    row_sums: AlignedBuffer,
}

/// H W and h by adding columns.
#[derive(Clone, Copy)]
pub struct SparseGather<'a> {
    targets: &'a SparseTargets,
    d: usize,
    lanes: usize,
    shape: Shape,
    sums: *mut f32,     // [block][feature][row]
    row_sums: *mut f32, // [row]
}

// SAFETY: the sums of one block of rows are touched by one thread at a time, as `twin` asks.
unsafe impl Sync for SparseGather<'_> {}

impl<'a> SparseGather<'a> {
    /// Zero sums for a grid.
    pub fn new(d: usize, grid: Grid, targets: &'a SparseTargets, scratch: &'a mut SparseGatherScratch) -> Self {
        let rows = grid.blocks * grid.lanes;
        let sums = &mut scratch.sums.reserve(rows * d)[..rows * d];
        sums.fill(0.0);
        let row_sums = &mut scratch.row_sums.reserve(rows)[..rows];
        row_sums.fill(0.0);
        let (sums, row_sums) = (sums.as_mut_ptr(), row_sums.as_mut_ptr());
        Self { targets, d, lanes: grid.lanes, shape: grid.shape, sums, row_sums }
    }

    /// Writes (H W)(n).
    pub fn write_hw(&self, n: usize, out: &mut [f32]) {
        assert!(n < self.shape.n);
        let (block, row) = (n / self.lanes, n % self.lanes);
        let len = self.lanes * self.d;
        // SAFETY: `new` made room for all rows; the sweeps are over.
        let sums = unsafe { std::slice::from_raw_parts(self.sums.add(block * len), len) };
        for (feature, out) in out.iter_mut().enumerate() {
            *out = sums[feature * self.lanes + row];
        }
    }

    /// h(n).
    pub fn h(&self, n: usize) -> f32 {
        assert!(n < self.shape.n);
        // SAFETY: `new` made room for all rows; the sweeps are over.
        unsafe { *self.row_sums.add(n) }
    }
}

// SAFETY: sizes as in `new`.
unsafe impl<V: Lanes<L>, const L: usize> AlignmentTiles<V, L> for SparseGather<'_> {
    #[inline(always)]
    unsafe fn take_tile(&mut self, block: usize, stripe: usize, rows: &[V::F; L]) {
        // SAFETY: the caller vouches for the hardware; features are less than d, blocks and stripes those of the grid.
        unsafe {
            let mut columns = *rows;
            V::transpose(&mut columns);
            let sums = self.sums.add(block * self.d * L);
            let row_sums = self.row_sums.add(block * L);
            let mut h = V::load(row_sums);
            for (j, &column) in columns.iter().enumerate().take(self.shape.m.saturating_sub(stripe * L)) {
                h = V::add(h, column);
                for &(at, entry) in self.targets.of(stripe * L + j) {
                    let sum = sums.add(at as usize);
                    V::store(sum, V::mul_add(column, V::splat(entry), V::load(sum)));
                }
            }
            V::store(row_sums, h);
        }
    }

    unsafe fn twin(&self) -> Self {
        *self
    }
}
