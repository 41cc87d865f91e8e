//! Tiles of the form C = u + phi - V W^T, and of H gathered into H W and h, by small matrix products.
//!
//! The products run on as many rows of a tile as registers hold ([`Lanes::PRODUCT_ROWS`]) against two vectors of columns.
//! The costs of
//! one block of rows and all S stripes of a group are made at once, when slot 0 asks; the other slots come for theirs
//! up to S-1 blocks later, so a ring of S tiles is kept, and one more for the next group. H is gathered in the same way
//! and multiplied with W when the last slot has brought its part.

use super::super::form::FormSlices;
use super::super::{AlignedBuffer, Grid};
use super::pack::transposed;
use super::sums::Sums;
use super::{AlignmentTiles, CostTiles};
use crate::simd::{Lanes, Number, Work};

/// Columns of a micro-kernel.
fn panel(lanes: usize) -> usize {
    2 * lanes
}

/// Memory of the tiles; any contents will do.
#[derive(Default)]
pub struct DenseScratch<R> {
    predictions: AlignedBuffer<R>,
    row_terms: AlignedBuffer<R>,
    targets: AlignedBuffer<R>,
    column_terms: AlignedBuffer<R>,
}

/// Costs by products.
pub struct DenseCosts<'a, R, const S: usize> {
    d: usize,
    predictions: &'a [R],   // [row][d], rows padded with zeros
    row_terms: &'a [R],     // u, padded
    targets: &'a [R],       // [panel of columns][d][column], padded
    column_terms: &'a [R],  // phi, padded
    ring: AlignedBuffer<R>, // 2 S tiles of [row][column of the group]
}

/// The tile of the ring that a block of a group has: the last slots are still in a group when the first begin the next.
fn place(block: usize, group: usize, slots: usize) -> usize {
    group % 2 * slots + block % slots
}

impl<'a, R: Number, const S: usize> DenseCosts<'a, R, S> {
    /// Packs the form for a grid.
    pub fn new<V: Lanes<L, Real = R>, const L: usize>(
        lanes: V,
        form: FormSlices<'_, R>,
        grid: Grid,
        scratch: &'a mut DenseScratch<R>,
    ) -> Self {
        assert!(S.is_multiple_of(2), "panels are two stripes wide");
        let d = form.d;
        let (rows, columns) = (grid.blocks * L, grid.stripes * L);
        let DenseScratch { predictions, row_terms, targets, column_terms } = scratch;
        let ring = ring(S, L);
        let predictions = padded(predictions, form.v, rows * d);
        let row_terms = padded(row_terms, form.u, rows);
        let column_terms = padded(column_terms, form.phi, columns);
        let targets = &mut targets.reserve(columns * d)[..columns * d];
        transposed(lanes, form.w, d, panel(L), targets);
        Self { d, predictions, row_terms, targets, column_terms, ring }
    }
}

/// Makes the costs of one block of rows for all stripes of a group.
struct Make<'a, 'b, V: Lanes<L>, const L: usize, const S: usize> {
    lanes: V,
    costs: &'a mut DenseCosts<'b, V::Real, S>,
    block: usize,
    group: usize,
    place: usize,
}

impl<V: Lanes<L>, const L: usize, const S: usize> Work for Make<'_, '_, V, L, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, costs, block, group, place } = self;
        let (d, width, group_columns) = (costs.d, panel(L), S * L);
        let tile = &mut costs.ring.as_mut_slice()[place * L * group_columns..][..L * group_columns];
        for part in 0..S / 2 {
            let column = group * group_columns + part * width;
            let targets = &costs.targets[column * d..][..width * d];
            let phi = &costs.column_terms[column..][..width];
            let phi = [lanes.load_slice(phi), lanes.load_slice(&phi[L..])];
            for first in (0..L).step_by(V::PRODUCT_ROWS) {
                let row = block * L + first;
                let sums = product(lanes, &costs.predictions[row * d..], d, targets, width, d);
                let row_terms = &costs.row_terms[row..][..V::PRODUCT_ROWS];
                let rows = tile[first * group_columns..].chunks_exact_mut(group_columns);
                for ((out, &u), sum) in rows.zip(row_terms).zip(&sums) {
                    let u = lanes.splat(u);
                    let out = &mut out[part * width..][..width];
                    lanes.store_slice(out, lanes.sub(lanes.add(u, phi[0]), sum[0]));
                    lanes.store_slice(&mut out[L..], lanes.sub(lanes.add(u, phi[1]), sum[1]));
                }
            }
        }
    }
}

/// Multiplies `a (rows, count) b (count, two vectors)`, [`Lanes::PRODUCT_ROWS`] of them: rows of a are `a_stride` apart,
/// rows of b `b_stride`.
///
/// The result has L rows of which the first are used: array lengths cannot be computed.
#[inline(always)]
fn product<V: Lanes<L>, const L: usize>(
    lanes: V,
    a: &[V::Real],
    a_stride: usize,
    b: &[V::Real],
    b_stride: usize,
    count: usize,
) -> [[V::F; 2]; L] {
    let mut sums = [[lanes.constant(0.0); 2]; L];
    if count == 0 {
        return sums;
    }
    assert!((V::PRODUCT_ROWS - 1) * a_stride + count <= a.len() && (count - 1) * b_stride + panel(L) <= b.len());
    // SAFETY: `count` entries of each row of a and two vectors of each row of b are in the slices, as was asserted.
    unsafe {
        let (a, b) = (a.as_ptr(), b.as_ptr());
        for k in 0..count {
            let (b0, b1) = (lanes.load(b.add(k * b_stride)), lanes.load(b.add(k * b_stride + L)));
            for i in 0..V::PRODUCT_ROWS {
                let entry = lanes.splat(*a.add(i * a_stride + k));
                sums[i] = [lanes.mul_add(entry, b0, sums[i][0]), lanes.mul_add(entry, b1, sums[i][1])];
            }
        }
    }
    sums
}

/// Multiplies `a (L rows, count) b (count, one vector)`, strides as in [`product`].
#[inline(always)]
fn narrow_product<V: Lanes<L>, const L: usize>(
    lanes: V,
    a: &[V::Real],
    a_stride: usize,
    b: &[V::Real],
    b_stride: usize,
    count: usize,
) -> [V::F; L] {
    let mut sums = [lanes.constant(0.0); L];
    if count == 0 {
        return sums;
    }
    assert!((L - 1) * a_stride + count <= a.len() && (count - 1) * b_stride + L <= b.len());
    // SAFETY: `count` entries of each row of a and a vector of each row of b are in the slices, as was asserted.
    unsafe {
        let (a, b) = (a.as_ptr(), b.as_ptr());
        for k in 0..count {
            let entries = lanes.load(b.add(k * b_stride));
            for i in 0..L {
                sums[i] = lanes.mul_add(lanes.splat(*a.add(i * a_stride + k)), entries, sums[i]);
            }
        }
    }
    sums
}

/// Makes room for 2 S tiles of L rows and S L columns.
fn ring<R: Number>(slots: usize, lanes: usize) -> AlignedBuffer<R> {
    let mut ring = AlignedBuffer::default();
    ring.reserve(2 * slots * lanes * slots * lanes);
    ring
}

/// Copies `from` and puts zeros behind, `len` in all.
fn padded<'a, R: Number>(buffer: &'a mut AlignedBuffer<R>, from: &[R], len: usize) -> &'a [R] {
    let out = &mut buffer.reserve(len)[..len];
    out[..from.len()].copy_from_slice(from);
    out[from.len()..].fill(R::default());
    out
}

// Padding is zero, so its costs are finite.
impl<V: Lanes<L>, const L: usize, const S: usize> CostTiles<V, L> for DenseCosts<'_, V::Real, S> {
    #[inline(always)]
    fn tile(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L] {
        let (group, part) = (stripe / S, stripe % S);
        let place = place(block, group, S);
        if part == 0 {
            lanes.outline(Make { lanes, costs: &mut *self, block, group, place });
        }
        // The tile was made when slot 0 came by.
        let tile = &self.ring.as_slice()[place * L * S * L..][..L * S * L];
        let mut rows = [lanes.constant(0.0); L];
        for (row, from) in rows.iter_mut().zip(tile.chunks_exact(S * L)) {
            *row = lanes.load_slice(&from[part * L..]);
        }
        rows
    }

    fn for_thread(&self) -> Self {
        Self { ring: ring(S, L), ..*self }
    }
}

/// Memory of the gathered products; any contents will do.
#[derive(Default)]
pub struct DenseGatherScratch<R> {
    targets: AlignedBuffer<R>,
    sums: AlignedBuffer<R>,
    row_sums: AlignedBuffer<R>,
}

/// H W and h by products.
pub struct DenseGather<'a, R, const S: usize> {
    d_padded: usize,
    grid: Grid,
    targets: &'a [R],       // [column][d], padded
    sums: Sums<'a, R>,      // [row][d], padded
    row_sums: Sums<'a, R>,  // [row][lane]
    ring: AlignedBuffer<R>, // 2 S tiles of [row][column of the group]
    filled: [[bool; S]; 2], // whether anything in a tile of the ring is not 0
}

impl<'a, R: Number, const S: usize> DenseGather<'a, R, S> {
    /// Makes zero sums for a grid.
    pub fn new(form: FormSlices<'_, R>, grid: Grid, scratch: &'a mut DenseGatherScratch<R>) -> Self {
        let lanes = grid.lanes;
        let d_padded = form.d.next_multiple_of(lanes);
        let (rows, columns) = (grid.blocks * lanes, grid.stripes * lanes);
        let DenseGatherScratch { targets, sums, row_sums } = scratch;
        let targets = &mut targets.reserve(columns * d_padded)[..columns * d_padded];
        for (m, row) in targets.chunks_exact_mut(d_padded).enumerate() {
            let from = form.w.get(m * form.d..(m + 1) * form.d).unwrap_or(&[]);
            row[..from.len()].copy_from_slice(from);
            row[from.len()..].fill(R::default());
        }
        let (sums, row_sums) = (Sums::new(sums, grid, rows * d_padded), Sums::new(row_sums, grid, rows * lanes));
        Self { d_padded, grid, targets, sums, row_sums, ring: ring(S, lanes), filled: [[false; S]; 2] }
    }

    /// Writes h (N,) and H W (N,D).
    pub fn write(self, h: &mut [R], hw: &mut [R]) {
        let d = hw.len() / h.len();
        assert!(h.len() == self.grid.shape.n && d <= self.d_padded);
        for (h, row_sums) in h.iter_mut().zip(self.row_sums.total().chunks_exact(self.grid.lanes)) {
            *h = row_sums.iter().copied().sum();
        }
        for (hw, sums) in hw.chunks_exact_mut(d).zip(self.sums.total().chunks_exact(self.d_padded)) {
            hw.copy_from_slice(&sums[..d]);
        }
    }
}

/// Adds the product of a tile of H, `count` columns from `column`, with W.
struct Multiply<'a, 'b, V: Lanes<L>, const L: usize, const S: usize> {
    lanes: V,
    gather: &'a mut DenseGather<'b, V::Real, S>,
    block: usize,
    column: usize,
    count: usize,
    place: usize,
}

impl<V: Lanes<L>, const L: usize, const S: usize> Work for Multiply<'_, '_, V, L, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, gather, block, column, count, place } = self;
        let (d, width, group_columns) = (gather.d_padded, panel(L), S * L);
        let tile = &gather.ring.as_slice()[place * L * group_columns..][..L * group_columns];
        let targets = &gather.targets[column * d..];
        let sums = gather.sums.of_group(column / group_columns, block * L * d..(block + 1) * L * d);
        let panels = d / width * width;
        for first in (0..L).step_by(V::PRODUCT_ROWS) {
            for k in (0..panels).step_by(width) {
                let part = product(lanes, &tile[first * group_columns..], group_columns, &targets[k..], d, count);
                for i in 0..V::PRODUCT_ROWS {
                    let out = &mut sums[(first + i) * d + k..][..width];
                    let sum = [lanes.load_slice(out), lanes.load_slice(&out[L..])];
                    lanes.store_slice(out, lanes.add(sum[0], part[i][0]));
                    lanes.store_slice(&mut out[L..], lanes.add(sum[1], part[i][1]));
                }
            }
        }
        if panels < d {
            let part = narrow_product(lanes, tile, group_columns, &targets[panels..], d, count);
            for i in 0..L {
                let out = &mut sums[i * d + panels..][..L];
                lanes.store_slice(out, lanes.add(lanes.load_slice(out), part[i]));
            }
        }
    }
}

impl<R: Number, const S: usize> DenseGather<'_, R, S> {
    /// Puts one stripe of a tile into the ring; the first stripe of a group comes last, and has the tile multiplied.
    #[inline(always)]
    fn put<V: Lanes<L, Real = R>, const L: usize>(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        let (group, part) = (stripe / S, stripe % S);
        let place = place(block, group, S);
        let tile = &mut self.ring.as_mut_slice()[place * L * S * L..][..L * S * L];
        for (to, &row) in tile.chunks_exact_mut(S * L).zip(rows) {
            lanes.store_slice(&mut to[part * L..], row);
        }
        if part == 0 && std::mem::take(&mut self.filled[place / S][place % S]) {
            let column = group * S * L;
            let count = (S * L).min(self.grid.shape.m - column);
            lanes.outline(Multiply { lanes, gather: &mut *self, block, column, count, place });
        }
    }
}

impl<V: Lanes<L>, const L: usize, const S: usize> AlignmentTiles<V, L> for DenseGather<'_, V::Real, S> {
    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        let group = stripe / S;
        let row_sums = self.row_sums.of_group(group, block * L * L..(block + 1) * L * L);
        for (sum, &row) in row_sums.as_chunks_mut::<L>().0.iter_mut().zip(rows) {
            let total = lanes.add(lanes.load_array(sum), row);
            lanes.store_array(sum, total);
        }
        let place = place(block, group, S);
        self.filled[place / S][place % S] = true;
        self.put(lanes, block, stripe, rows);
    }

    #[inline(always)]
    fn take_zero_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        // Others of the group may be there, so zeros have their place.
        self.put(lanes, block, stripe, rows);
    }

    unsafe fn for_thread(&self) -> Self {
        // SAFETY: the caller orders the tiles, and with them the rows of the sums.
        let (sums, row_sums) = unsafe { (self.sums.for_thread(), self.row_sums.for_thread()) };
        Self { sums, row_sums, ring: ring(S, self.grid.lanes), filled: [[false; S]; 2], ..*self }
    }
}
