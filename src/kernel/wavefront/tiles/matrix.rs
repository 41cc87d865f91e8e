//! Tiles of matrices in memory: costs that the caller has, and H written out.

use std::marker::PhantomData;

use super::super::windows::Windows;
use super::{AlignmentTiles, CostTiles};
use crate::matrix::MatrixMut;
use crate::real::Real;
use crate::shape::Shape;
use crate::simd::{Lanes, Number, Work};

/// Rows ahead of the present tile whose cache lines are asked for.
const AHEAD: usize = 24;

/// Tiles of a row-major cost matrix.
#[derive(Clone, Copy)]
pub struct MatrixCosts<'a, R> {
    costs: &'a [R],
    stride: usize,
    shape: Shape,
}

impl<'a, R: Number> MatrixCosts<'a, R> {
    /// Makes tiles of `costs`, which hold N rows of M entries, `stride` apart.
    pub fn new(costs: &'a [R], stride: usize, shape: Shape) -> Self {
        assert!(stride >= shape.m && costs.len() >= (shape.n - 1) * stride + shape.m);
        Self { costs, stride, shape }
    }
}

impl<V: Lanes<L>, const L: usize> CostTiles<V, L> for MatrixCosts<'_, V::Real> {
    #[inline(always)]
    fn tile(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L] {
        let Self { costs, stride, shape: Shape { n, m } } = *self;
        let (row, column) = (block * L, stripe * L);
        let mut rows = [lanes.constant(0.0); L];
        if column + L <= m && row + L <= n {
            // SAFETY: L entries of rows below N, before column M: all in the slice, as `new` checked.
            unsafe {
                let start = costs.as_ptr().add(row * stride + column);
                for i in 0..L {
                    rows[i] = lanes.load(start.add(i * stride));
                }
                if row + AHEAD + L <= n {
                    for i in 0..L {
                        lanes.prefetch(start.add((i + AHEAD) * stride));
                    }
                }
            }
        } else {
            for i in 0..L {
                if row + i < n {
                    rows[i] = lanes.load_first(&costs[(row + i) * stride + column..][..(m - column).min(L)]);
                }
            }
        }
        rows
    }

    fn for_thread(&self) -> Self {
        *self
    }
}

/// The greatest size of costs, and whether some are +inf.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LargestCost {
    /// The greatest |C| of those that are not +inf; NaN if one is -inf or NaN.
    pub size: f64,
    /// True if there is a forbidden cell.
    pub forbids: bool,
}

/// The greatest cost of N rows of M entries.
pub fn largest<V: Lanes<L>, const L: usize>(lanes: V, costs: &[V::Real], stride: usize, shape: Shape) -> LargestCost {
    lanes.outline(Largest { lanes, costs: MatrixCosts::new(costs, stride, shape) })
}

struct Largest<'a, V: Lanes<L>, const L: usize> {
    lanes: V,
    costs: MatrixCosts<'a, V::Real>,
}

impl<V: Lanes<L>, const L: usize> Work for Largest<'_, V, L> {
    type Output = LargestCost;

    #[inline(always)]
    fn run(self) -> LargestCost {
        let Self { lanes, costs: MatrixCosts { costs, stride, shape: Shape { n, m } } } = self;
        let mut sizes = Sizes { top: lanes.constant(0.0), taint: lanes.constant(0.0), highest: lanes.constant(0.0) };
        for row in costs.chunks(stride).take(n) {
            let (whole, rest) = row[..m].as_chunks::<L>();
            for cost in whole {
                sizes.take(lanes, lanes.load_array(cost));
            }
            if !rest.is_empty() {
                sizes.take(lanes, lanes.load_first(rest));
            }
        }
        let taint: f64 = lanes.to_array(sizes.taint).into_iter().map(Real::to_f64).sum();
        let size = lanes.to_array(sizes.top).into_iter().map(Real::to_f64).fold(0.0, f64::max) + taint;
        LargestCost {
            size,
            forbids: lanes.to_array(sizes.highest).into_iter().any(|cost| cost.to_f64() == f64::INFINITY),
        }
    }
}

/// The sizes of costs, lane by lane.
struct Sizes<V: Lanes<L>, const L: usize> {
    top: V::F,
    /// NaN once a cost is NaN or -inf. A maximum may lose a NaN; a sum of products with 0 does not, and finds infinity too.
    taint: V::F,
    highest: V::F,
}

impl<V: Lanes<L>, const L: usize> Sizes<V, L> {
    #[inline(always)]
    fn take(&mut self, lanes: V, cost: V::F) {
        let zero = lanes.constant(0.0);
        let minus = lanes.sub(zero, cost);
        self.top = lanes.max(self.top, lanes.abs(lanes.finite_or_zero(cost)));
        // The greater of the two is the second one if that is NaN.
        self.taint = lanes.mul_add(lanes.max(lanes.splat(V::Real::LOWEST), minus), zero, self.taint);
        self.highest = lanes.max(cost, self.highest);
    }
}

/// Writes H to a row-major matrix.
pub struct MatrixAlignment<'a, R> {
    entries: *mut R,
    stride: usize,
    shape: Shape,
    borrowed: PhantomData<&'a mut R>,
}

// SAFETY: through a shared reference nothing is written; another thread has its own, by `for_thread`.
unsafe impl<R> Sync for MatrixAlignment<'_, R> {}

impl<'a, R: Number> MatrixAlignment<'a, R> {
    /// Makes a taker that writes to `out`, which has room for N rows of M entries.
    pub fn new(out: &'a mut MatrixMut<'_, R>, shape: Shape) -> Self {
        assert!(out.stride >= shape.m && out.entries.len() >= (shape.n - 1) * out.stride + shape.m);
        Self { entries: out.entries.as_mut_ptr(), stride: out.stride, shape, borrowed: PhantomData }
    }
}

impl<V: Lanes<L>, const L: usize> AlignmentTiles<V, L> for MatrixAlignment<'_, V::Real> {
    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        let Shape { n, m } = self.shape;
        let (row, column, stride) = (block * L, stripe * L, self.stride);
        let start = self.entries.wrapping_add(row * stride + column);
        if column + L <= m && row + L <= n {
            for i in 0..L {
                // SAFETY: L entries of a row below N, before column M: in the matrix, as `new` checked. A tile is
                // another thread's at no time, as `for_thread` demands.
                unsafe { lanes.store(start.wrapping_add(i * stride), rows[i]) };
            }
        } else {
            let count = m.saturating_sub(column).min(L);
            for i in 0..L.min(n.saturating_sub(row)) {
                // SAFETY: as above, of as many entries as lie before column M.
                let out = unsafe { std::slice::from_raw_parts_mut(start.wrapping_add(i * stride), count) };
                out.copy_from_slice(&lanes.to_array(rows[i])[..count]);
            }
        }
    }

    unsafe fn for_thread(&self) -> Self {
        Self { ..*self }
    }
}

/// Writes 0 to the cells of H outside of the windows of a sweep with L lanes and S slots, which it does not come to.
pub fn clear_outside<R: Number>(out: &mut MatrixMut<'_, R>, Shape { n, m }: Shape, lanes: usize, windows: Windows<'_>) {
    let width = lanes * windows.slots();
    let groups = m.div_ceil(width);
    let (mut start, mut end) = (0, 0);
    for (row, entries) in out.entries.chunks_mut(out.stride).enumerate().take(n) {
        // Windows begin and end later from group to group.
        while start < groups && windows.of(start).end * lanes <= row {
            start += 1;
        }
        while end < groups && windows.of(end).start * lanes <= row {
            end += 1;
        }
        entries[..m.min(start * width)].fill(R::default());
        entries[m.min(end * width)..m].fill(R::default());
    }
}
