//! Tiles of matrices in memory: costs that the caller has, and H written out.

use std::marker::PhantomData;

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

/// The greatest |C| of N rows of M entries; NaN if one is infinite or NaN.
pub fn largest<V: Lanes<L>, const L: usize>(lanes: V, costs: &[V::Real], stride: usize, shape: Shape) -> f64 {
    lanes.outline(Largest { lanes, costs: MatrixCosts::new(costs, stride, shape) })
}

struct Largest<'a, V: Lanes<L>, const L: usize> {
    lanes: V,
    costs: MatrixCosts<'a, V::Real>,
}

impl<V: Lanes<L>, const L: usize> Work for Largest<'_, V, L> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Self { lanes, costs: MatrixCosts { costs, stride, shape: Shape { n, m } } } = self;
        // A maximum may lose a NaN; a sum of products with 0 does not, and finds infinity too.
        let zero = lanes.constant(0.0);
        let (mut top, mut taint) = (zero, zero);
        let mut take = |cost: V::F| {
            top = lanes.max(top, lanes.abs(cost));
            taint = lanes.mul_add(cost, zero, taint);
        };
        for row in costs.chunks(stride).take(n) {
            let (whole, rest) = row[..m].as_chunks::<L>();
            for cost in whole {
                take(lanes.load_array(cost));
            }
            if !rest.is_empty() {
                take(lanes.load_first(rest));
            }
        }
        let taint: f64 = lanes.to_array(taint).into_iter().map(Real::to_f64).sum();
        lanes.to_array(top).into_iter().map(Real::to_f64).fold(0.0, f64::max) + taint
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
