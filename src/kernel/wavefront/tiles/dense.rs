//! Tiles of costs that take many operations a cell, and of H gathered into as many, for a group of stripes at once.
//!
//! The form C = u + phi - V W^T is made by small matrix products, which run on as many rows of a tile as registers hold
//! ([`Lanes::PRODUCT_ROWS`]) against two vectors of columns; [`distances`](super::distance) are made of differences. The
//! costs of one block of rows and all S stripes of a group are made at once, when slot 0 asks; the other slots come for
//! theirs up to S-1 blocks later, so a ring of S tiles is kept, and one more for the next group. H is gathered in the same
//! way, and multiplied with W (or the differences) when the last slot has brought its part. One type for both, so that
//! there is one sweep for both.

use super::super::{AlignedBuffer, Grid};
use super::distance::{DistanceFrames, DistanceGather};
use super::pack::transposed;
use super::sums::Sums;
use super::{AlignmentTiles, CostTiles, FormSlices};
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

/// Costs, a group of stripes at a time.
pub struct DenseCosts<'a, R, const S: usize> {
    formula: CostFormula<'a, R>,
    ring: AlignedBuffer<R>, // 2 S tiles of [row][column of the group]
}

/// The tile of the ring that a block of a group has: the last slots are still in a group when the first begin the next.
fn place(block: usize, group: usize, slots: usize) -> usize {
    group % 2 * slots + block % slots
}

/// The formula by which costs are made.
#[derive(Clone, Copy)]
enum CostFormula<'a, R> {
    Products(Products<'a, R>),
    Distances(DistanceFrames<'a, R>),
}

/// The form, padded with zeros.
#[derive(Clone, Copy)]
struct Products<'a, R> {
    d: usize,
    predictions: &'a [R],  // [row][d]
    row_terms: &'a [R],    // u
    targets: &'a [R],      // [panel of columns][d][column]
    column_terms: &'a [R], // phi
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
        let predictions = padded(predictions, form.v, rows * d);
        let row_terms = padded(row_terms, form.u, rows);
        let column_terms = padded(column_terms, form.phi, columns);
        let targets = &mut targets.reserve(columns * d)[..columns * d];
        transposed(lanes, form.w, d, panel(L), targets);
        let products = Products { d, predictions, row_terms, targets, column_terms };
        Self { formula: CostFormula::Products(products), ring: ring(S, L) }
    }

    /// Takes the frames of a pair under a distance, which are packed for the grid.
    pub fn of_distance(frames: DistanceFrames<'a, R>, grid: Grid) -> Self {
        Self { formula: CostFormula::Distances(frames), ring: ring(S, grid.lanes) }
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
        let (width, group_columns) = (panel(L), S * L);
        let tile = &mut costs.ring.as_mut_slice()[place * L * group_columns..][..L * group_columns];
        let Products { d, predictions, row_terms, targets, column_terms } = match costs.formula {
            CostFormula::Products(products) => products,
            CostFormula::Distances(frames) => return frames.write_costs::<V, L>(lanes, block, group * S, tile),
        };
        for part in 0..S / 2 {
            let column = group * group_columns + part * width;
            let targets = &targets[column * d..][..width * d];
            let phi = &column_terms[column..][..width];
            let phi = [lanes.load_slice(phi), lanes.load_slice(&phi[L..])];
            for first in (0..L).step_by(V::PRODUCT_ROWS) {
                let row = block * L + first;
                let sums = product(lanes, &predictions[row * d..], d, targets, width, d);
                let row_terms = &row_terms[row..][..V::PRODUCT_ROWS];
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

/// h, and H W or the gradients of a distance, a group of stripes at a time.
pub struct DenseGather<'a, R, const S: usize> {
    formula: GatherFormula<'a, R, S>,
    grid: Grid,
    row_sums: Sums<'a, R>,  // [row][lane]
    ring: AlignedBuffer<R>, // 2 S tiles of [row][column of the group]
    filled: [[bool; S]; 2], // whether anything in a tile of the ring is not 0
}

/// The sums that H is gathered into.
enum GatherFormula<'a, R, const S: usize> {
    /// h alone.
    Nothing,
    Products(ProductSums<'a, R>),
    Distances(DistanceGather<'a, R, S>),
}

/// H W.
struct ProductSums<'a, R> {
    d_padded: usize,
    targets: &'a [R],  // [column][d], padded
    sums: Sums<'a, R>, // [row][d], padded
}

impl<'a, R: Number, const S: usize> DenseGather<'a, R, S> {
    /// Makes zero sums of H W for a grid.
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
        let sums = Sums::new(sums, grid, rows * d_padded);
        let formula = GatherFormula::Products(ProductSums { d_padded, targets, sums });
        Self::of_formula(formula, grid, row_sums)
    }

    /// Gathers h, and the gradients of a distance where they are wanted.
    pub fn of_distance(
        gradients: Option<DistanceGather<'a, R, S>>,
        grid: Grid,
        scratch: &'a mut DenseGatherScratch<R>,
    ) -> Self {
        let formula = gradients.map_or(GatherFormula::Nothing, GatherFormula::Distances);
        Self::of_formula(formula, grid, &mut scratch.row_sums)
    }

    fn of_formula(formula: GatherFormula<'a, R, S>, grid: Grid, row_sums: &'a mut AlignedBuffer<R>) -> Self {
        let row_sums = Sums::new(row_sums, grid, grid.blocks * grid.lanes * grid.lanes);
        Self { formula, grid, row_sums, ring: ring(S, grid.lanes), filled: [[false; S]; 2] }
    }

    /// Writes h (N,) and H W (N,D), or under a distance dSDTW/dx (N,D) and dSDTW/dy (M,D), whichever are gathered.
    pub fn write<V: Lanes<L, Real = R>, const L: usize>(
        self,
        lanes: V,
        h: &mut [R],
        of_rows: &mut [R],
        of_columns: Option<&mut [R]>,
    ) {
        for (h, row_sums) in h.iter_mut().zip(self.row_sums.total().chunks_exact(self.grid.lanes)) {
            *h = row_sums.iter().copied().sum();
        }
        match self.formula {
            GatherFormula::Nothing => {}
            GatherFormula::Products(ProductSums { d_padded, sums, .. }) => {
                let d = of_rows.len() / h.len();
                assert!(h.len() == self.grid.shape.n && d <= d_padded);
                for (hw, sums) in of_rows.chunks_exact_mut(d).zip(sums.total().chunks_exact(d_padded)) {
                    hw.copy_from_slice(&sums[..d]);
                }
            }
            GatherFormula::Distances(gradients) => gradients.write(lanes, of_rows, of_columns),
        }
    }
}

/// Adds the shares of a tile of H, one block of a group.
struct Gather<'a, 'b, V: Lanes<L>, const L: usize, const S: usize> {
    lanes: V,
    gather: &'a mut DenseGather<'b, V::Real, S>,
    block: usize,
    group: usize,
    place: usize,
}

impl<V: Lanes<L>, const L: usize, const S: usize> Work for Gather<'_, '_, V, L, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, gather, block, group, place } = self;
        let (width, group_columns) = (panel(L), S * L);
        let tile = &mut gather.ring.as_mut_slice()[place * L * group_columns..][..L * group_columns];
        let ProductSums { d_padded: d, targets, sums } = match &mut gather.formula {
            GatherFormula::Products(products) => products,
            GatherFormula::Distances(gradients) => return gradients.add::<V, L>(lanes, block, group, tile),
            GatherFormula::Nothing => return,
        };
        let (d, column) = (*d, group * group_columns);
        let count = group_columns.min(gather.grid.shape.m - column);
        let targets = &targets[column * d..];
        let sums = sums.of_group(group, block * L * d..(block + 1) * L * d);
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
    /// Puts one stripe of a tile into the ring; the first stripe of a group comes last, and has the tile gathered.
    #[inline(always)]
    fn put<V: Lanes<L, Real = R>, const L: usize>(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        let (group, part) = (stripe / S, stripe % S);
        let place = place(block, group, S);
        let tile = &mut self.ring.as_mut_slice()[place * L * S * L..][..L * S * L];
        for (to, &row) in tile.chunks_exact_mut(S * L).zip(rows) {
            lanes.store_slice(&mut to[part * L..], row);
        }
        if part == 0 && std::mem::take(&mut self.filled[place / S][place % S]) {
            lanes.outline(Gather { lanes, gather: &mut *self, block, group, place });
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
        // SAFETY: the caller orders the tiles, and with them the parts of the sums.
        unsafe {
            let formula = match &self.formula {
                GatherFormula::Nothing => GatherFormula::Nothing,
                GatherFormula::Products(ProductSums { d_padded, targets, sums }) => {
                    GatherFormula::Products(ProductSums { d_padded: *d_padded, targets, sums: sums.for_thread() })
                }
                GatherFormula::Distances(gradients) => GatherFormula::Distances(gradients.for_thread()),
            };
            let row_sums = self.row_sums.for_thread();
            Self { formula, row_sums, ring: ring(S, self.grid.lanes), filled: [[false; S]; 2], ..*self }
        }
    }
}
