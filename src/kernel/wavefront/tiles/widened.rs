//! Tiles in float64 of a cost matrix of either precision, without a copy of it.

use super::CostTiles;
use crate::real::Real;
use crate::shape::Shape;
use crate::simd::Lanes;

/// Tiles of a row-major cost matrix, each entry widened.
#[derive(Clone, Copy)]
pub struct WidenedCosts<'a, F> {
    costs: &'a [F],
    stride: usize,
    shape: Shape,
}

impl<'a, F: Real> WidenedCosts<'a, F> {
    /// Makes tiles of `costs`, which hold N rows of M entries, `stride` apart.
    pub fn new(costs: &'a [F], stride: usize, shape: Shape) -> Self {
        assert!(stride >= shape.m && costs.len() >= (shape.n - 1) * stride + shape.m);
        Self { costs, stride, shape }
    }
}

impl<V: Lanes<L, Real = f64>, F: Real, const L: usize> CostTiles<V, L> for WidenedCosts<'_, F> {
    #[inline(always)]
    fn tile(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L] {
        let Self { costs, stride, shape: Shape { n, m } } = *self;
        let (row, column) = (block * L, stripe * L);
        let mut rows = [lanes.constant(0.0); L];
        let columns = m.saturating_sub(column).min(L);
        for i in 0..L.min(n.saturating_sub(row)) {
            let from = &costs[(row + i) * stride + column..][..columns];
            let mut entries = [0.0; L];
            if let Some(from) = from.first_chunk::<L>() {
                for j in 0..L {
                    entries[j] = from[j].to_f64();
                }
            } else {
                for (to, from) in entries.iter_mut().zip(from) {
                    *to = from.to_f64();
                }
            }
            rows[i] = lanes.load_array(&entries);
        }
        rows
    }

    fn for_thread(&self) -> Self {
        *self
    }
}
