//! Tiles of matrices in memory: costs that the caller has, and H written out.

use std::marker::PhantomData;

use super::{AlignmentTiles, CostTiles};
use crate::matrix::MatrixMut;
use crate::shape::Shape;
use crate::simd::{Lanes, Work};

/// Rows ahead of the present tile whose cache lines are asked for.
const AHEAD: usize = 24;

/// Tiles of a row-major cost matrix.
#[derive(Clone, Copy)]
pub struct MatrixCosts<'a> {
    costs: &'a [f32],
    stride: usize,
    shape: Shape,
}

impl<'a> MatrixCosts<'a> {
    /// `costs` holds N rows of M entries, `stride` apart.
    pub fn new(costs: &'a [f32], stride: usize, shape: Shape) -> Self {
        assert!(stride >= shape.m && costs.len() >= (shape.n - 1) * stride + shape.m);
        Self { costs, stride, shape }
    }
}

// SAFETY: entries outside are zero; rows and columns inside lie in the slice, as `new` checked.
unsafe impl<V: Lanes<L>, const L: usize> CostTiles<V, L> for MatrixCosts<'_> {
    #[inline(always)]
    unsafe fn tile(&mut self, block: usize, stripe: usize) -> [V::F; L] {
        let Shape { n, m } = self.shape;
        let (row, column) = (block * L, stripe * L);
        // SAFETY: each load is within row < N and column + count <= M.
        unsafe {
            let mut rows = [V::splat(0.0); L];
            let start = self.costs.as_ptr().wrapping_add(row * self.stride + column);
            if column + L <= m && row + L <= n {
                for i in 0..L {
                    rows[i] = V::load(start.add(i * self.stride));
                }
                if row + AHEAD + L <= n {
                    for i in 0..L {
                        V::prefetch(start.add((i + AHEAD) * self.stride));
                    }
                }
            } else {
                for i in 0..L {
                    if row + i < n {
                        rows[i] = V::load_first(start.add(i * self.stride), (m - column).min(L));
                    }
                }
            }
            rows
        }
    }

    fn twin(&self) -> Self {
        *self
    }
}

/// The greatest |C| of N rows of M entries; NaN or infinity if one is.
///
/// # Safety
///
/// The hardware has the instructions of V.
pub unsafe fn largest<V: Lanes<L>, const L: usize>(costs: &[f32], stride: usize, shape: Shape) -> f32 {
    // SAFETY: the caller vouches for the hardware.
    unsafe { V::outline(Largest::<V, L> { costs: MatrixCosts::new(costs, stride, shape), lanes: PhantomData }) }
}

struct Largest<'a, V, const L: usize> {
    costs: MatrixCosts<'a>,
    lanes: PhantomData<V>,
}

impl<V: Lanes<L>, const L: usize> Work for Largest<'_, V, L> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run(self) -> f32 {
        let MatrixCosts { costs, stride, shape: Shape { n, m } } = self.costs;
        // Bits of |C| order as numbers do, with infinity and NaN above all: an integer maximum loses neither.
        let mut entries = [0; L];
        // SAFETY: the caller vouches for the hardware; each load is within a row.
        unsafe {
            let mut top = V::splat_i(0);
            for row in 0..n {
                let start = costs.as_ptr().add(row * stride);
                for column in (0..m).step_by(L) {
                    let count = (m - column).min(L);
                    let from = start.add(column);
                    let cost = if count == L { V::load(from) } else { V::load_first(from, count) };
                    top = V::max_i(top, V::bits(V::abs(cost)));
                }
            }
            V::store_i(entries.as_mut_ptr(), top);
        }
        f32::from_bits(entries.into_iter().max().unwrap_or(0) as u32)
    }
}

/// Writes H to a row-major matrix.
#[derive(Clone, Copy)]
pub struct MatrixAlignment<'a> {
    entries: *mut f32,
    stride: usize,
    shape: Shape,
    borrowed: PhantomData<&'a mut f32>,
}

// SAFETY: tiles are disjoint parts of the matrix, and each is written by one thread.
unsafe impl Sync for MatrixAlignment<'_> {}

impl<'a> MatrixAlignment<'a> {
    /// `out` has room for N rows of M entries.
    pub fn new(out: &'a mut MatrixMut<'_, f32>, shape: Shape) -> Self {
        assert!(out.stride >= shape.m && out.entries.len() >= (shape.n - 1) * out.stride + shape.m);
        Self { entries: out.entries.as_mut_ptr(), stride: out.stride, shape, borrowed: PhantomData }
    }
}

// SAFETY: rows and columns inside lie in the slice, as `new` checked; others are left out.
unsafe impl<V: Lanes<L>, const L: usize> AlignmentTiles<V, L> for MatrixAlignment<'_> {
    #[inline(always)]
    unsafe fn take_tile(&mut self, block: usize, stripe: usize, rows: &[V::F; L]) {
        let Shape { n, m } = self.shape;
        let (row, column, stride) = (block * L, stripe * L, self.stride);
        // SAFETY: each store is within row < N and column + count <= M.
        unsafe {
            let start = self.entries.wrapping_add(row * stride + column);
            if column + L <= m && row + L <= n {
                for i in 0..L {
                    V::store(start.add(i * stride), rows[i]);
                }
            } else {
                for i in 0..L {
                    if row + i < n {
                        let mut entries = [0.0; L];
                        V::store(entries.as_mut_ptr(), rows[i]);
                        let count = (m - column).min(L);
                        std::ptr::copy_nonoverlapping(entries.as_ptr(), start.add(i * stride), count);
                    }
                }
            }
        }
    }

    unsafe fn twin(&self) -> Self {
        *self
    }
}
