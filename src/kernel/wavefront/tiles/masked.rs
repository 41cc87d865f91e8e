//! Tiles under a mask: costs with +inf in forbidden cells, and H of such.
//!
//! They stand for tiles of any kind, by a call a tile ([`super::erased`]).

use std::ops::Range;

use super::erased::{ErasedAlignment, ErasedCosts};
use super::{AlignmentTiles, CostTiles};
use crate::real::Real;
use crate::shape::Shape;
use crate::simd::{Lanes, Number};

/// The cells that a path may pass: some columns of each row, of which costs of +inf may forbid more.
#[derive(Clone, Copy)]
pub struct Mask<'a> {
    /// A run of columns for each row. No path leaves them.
    pub columns: &'a [Range<usize>],
    /// Costs outside of them need not be +inf.
    pub is_band: bool,
}

/// Costs under a mask.
pub struct MaskedCosts<'a, V: Lanes<L>, const L: usize> {
    source: Box<dyn ErasedCosts<'a, V, L> + 'a>,
    mask: Mask<'a>,
    shape: Shape,
}

impl<'a, V: Lanes<L>, const L: usize> MaskedCosts<'a, V, L> {
    /// Lays the mask over tiles.
    pub fn new<T: CostTiles<V, L> + Sync + 'a>(tiles: T, mask: Mask<'a>, shape: Shape) -> Self {
        assert!(mask.columns.len() == shape.n);
        Self { source: Box::new(tiles), mask, shape }
    }

    /// Makes the cells of a tile that lie outside of the band +inf; not the padding right of the last column, through which
    /// the mass comes in on the way back.
    #[inline(always)]
    fn forbid(&self, lanes: V, block: usize, stripe: usize, rows: &mut [V::F; L]) {
        let (first, last) = (stripe * L, self.shape.m.min((stripe + 1) * L));
        let columns = &self.mask.columns[self.shape.n.min(block * L)..self.shape.n.min((block + 1) * L)];
        if columns.iter().all(|columns| columns.start <= first && columns.end >= last) {
            return;
        }
        let mut lane = [V::Real::default(); L];
        for (j, lane) in lane.iter_mut().enumerate() {
            *lane = V::Real::from_f64(j as f64);
        }
        let (lane, infinity) = (lanes.load_array(&lane), lanes.constant(f64::INFINITY));
        for (row, columns) in rows.iter_mut().zip(columns) {
            // The lanes from the first that is allowed, and those from the first behind them.
            let start = columns.start.saturating_sub(first).min(L);
            let end = if columns.end == self.shape.m { L } else { columns.end.saturating_sub(first).min(L) };
            let before = lanes.where_at_least(lanes.constant(start as f64 - 0.5), lane, infinity);
            let after = lanes.where_at_least(lane, lanes.constant(end as f64), infinity);
            *row = lanes.add(*row, lanes.add(before, after));
        }
    }
}

impl<V: Lanes<L>, const L: usize> CostTiles<V, L> for MaskedCosts<'_, V, L> {
    const IS_MASKED: bool = true;

    #[inline(always)]
    fn tile(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L] {
        let mut rows = [lanes.constant(0.0); L];
        self.source.write(lanes, block, stripe, &mut rows);
        if self.mask.is_band {
            self.forbid(lanes, block, stripe, &mut rows);
        }
        rows
    }

    fn for_thread(&self) -> Self {
        Self { source: self.source.another(), ..*self }
    }
}

/// A taker of H under a mask.
pub enum MaskedGather<'g, 'a, V: Lanes<L>, const L: usize> {
    /// The first one.
    Lent(&'g mut (dyn ErasedAlignment<'a, V, L> + 'a)),
    /// That of another thread.
    Own(Box<dyn ErasedAlignment<'a, V, L> + 'a>),
}

impl<'a, V: Lanes<L>, const L: usize> MaskedGather<'_, 'a, V, L> {
    #[inline(always)]
    fn taker(&mut self) -> &mut (dyn ErasedAlignment<'a, V, L> + 'a) {
        match self {
            Self::Lent(taker) => *taker,
            Self::Own(taker) => &mut **taker,
        }
    }
}

impl<V: Lanes<L>, const L: usize> AlignmentTiles<V, L> for MaskedGather<'_, '_, V, L> {
    const IS_MASKED: bool = true;

    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        self.taker().take(lanes, block, stripe, rows, false);
    }

    #[inline(always)]
    fn take_zero_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        self.taker().take(lanes, block, stripe, rows, true);
    }

    unsafe fn for_thread(&self) -> Self {
        // SAFETY: as the caller says.
        Self::Own(unsafe {
            match self {
                Self::Lent(taker) => taker.another(),
                Self::Own(taker) => taker.another(),
            }
        })
    }
}

/// The columns of each row from the first that is not +inf to the last.
pub fn finite_columns<R: Number>(costs: &[R], stride: usize, Shape { n, m }: Shape) -> Vec<Range<usize>> {
    let is_finite = |cost: &R| cost.to_f64() < f64::INFINITY;
    let rows = costs.chunks(stride).take(n).map(|row| &row[..m]);
    rows.map(|row| row.iter().position(is_finite).unwrap_or(m)..row.iter().rposition(is_finite).map_or(m, |at| at + 1))
        .collect()
}
