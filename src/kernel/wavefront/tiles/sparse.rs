//! Tiles of the form C = u + phi - V W^T, and of H gathered into H W and h, where most entries of W are 0.
//!
//! A multi-hot target frame has a few ones among its features: its column of costs is u less a few columns of V. So V
//! lies in blocks of L rows, [block][feature][row], where a column is one vector; tiles are made by columns and
//! transposed. H is transposed back, and each column added to the features of its target, in the same layout.

use std::marker::PhantomData;

use super::super::{AlignedBuffer, Grid};
use super::dense::Form;
use super::pack::transposed;
use super::sums::Sums;
use super::{AlignmentTiles, CostTiles};
use crate::shape::Shape;
use crate::simd::{Lanes, Work};

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

    /// The entries of a column.
    ///
    /// # Safety
    ///
    /// The column is one of the grid that the lists were filled for.
    #[inline(always)]
    unsafe fn of(&self, column: usize) -> &[(u32, f32)] {
        // SAFETY: `fill` wrote a start for every column and one more, rising to the number of entries.
        unsafe {
            let (start, end) = (*self.starts.get_unchecked(column), *self.starts.get_unchecked(column + 1));
            self.entries.get_unchecked(start as usize..end as usize)
        }
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
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn new<V: Lanes<L>, const L: usize>(
        form: Form<'_>,
        grid: Grid,
        targets: &'a SparseTargets,
        scratch: &'a mut SparseScratch,
    ) -> Self {
        let (d, rows) = (form.d, grid.blocks * L);
        let predictions = &mut scratch.predictions.reserve(rows * d)[..rows * d];
        // SAFETY: the caller vouches for the hardware.
        unsafe { transposed::<V, L>(form.v, d, L, predictions) };
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
                let mut sum = V::add(u, V::splat(*self.targets.phi.get_unchecked(stripe * L + j)));
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
    shape: Shape,
    slots: usize,
    sums: Sums,     // [block][feature][row]
    row_sums: Sums, // [row]
}

impl<'a> SparseGather<'a> {
    /// Zero sums for a grid of groups of so many slots.
    pub fn new(
        d: usize,
        grid: Grid,
        slots: usize,
        targets: &'a SparseTargets,
        scratch: &'a mut SparseGatherScratch,
    ) -> Self {
        let rows = grid.blocks * grid.lanes;
        let sums = Sums::new(&mut scratch.sums, grid, rows * d);
        let row_sums = Sums::new(&mut scratch.row_sums, grid, rows);
        Self { targets, d, shape: grid.shape, slots, sums, row_sums }
    }

    /// Writes h (N,) and H W (N,D).
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn write<V: Lanes<L>, const L: usize>(&self, h: &mut [f32], hw: &mut [f32]) {
        assert!(h.len() == self.shape.n && hw.len() == self.shape.n * self.d);
        // SAFETY: the buffers are borrowed as long as `self`; the sweeps are over.
        let (sums, row_sums) = unsafe { (self.sums.total(), self.row_sums.total()) };
        h.copy_from_slice(&row_sums[..self.shape.n]);
        // SAFETY: the caller vouches for the hardware.
        unsafe { V::outline(Unpack::<V, L> { sums, d: self.d, shape: self.shape, hw, lanes: PhantomData }) };
    }
}

/// From [block][feature][row] to [row][feature].
struct Unpack<'a, V, const L: usize> {
    sums: &'a [f32],
    d: usize,
    shape: Shape,
    hw: &'a mut [f32],
    lanes: PhantomData<V>,
}

impl<V: Lanes<L>, const L: usize> Work for Unpack<'_, V, L> {
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let Self { sums, d, shape, hw, .. } = self;
        for block in 0..shape.n.div_ceil(L) {
            for k in (0..d).step_by(L) {
                let count = (d - k).min(L);
                // SAFETY: the caller vouches for the hardware; the block has `count` vectors from feature k on, and
                // each row that is written has `count` features from k on.
                unsafe {
                    let mut tile = [V::splat(0.0); L];
                    for i in 0..count {
                        tile[i] = V::load(sums.as_ptr().add((block * d + k + i) * L));
                    }
                    V::transpose(&mut tile);
                    for (i, &row) in tile.iter().enumerate().take(shape.n - block * L) {
                        V::store_first(hw.as_mut_ptr().add((block * L + i) * d + k), row, count);
                    }
                }
            }
        }
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
            let group = stripe / self.slots;
            let sums = self.sums.of_group(group).add(block * self.d * L);
            let row_sums = self.row_sums.of_group(group).add(block * L);
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

    #[inline(always)]
    unsafe fn take_nothing(&mut self, _: usize, _: usize, _: &[V::F; L]) {}

    unsafe fn twin(&self) -> Self {
        *self
    }
}
