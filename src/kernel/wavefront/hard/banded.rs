//! Cost tiles within a band, looked through for what is no cost.

use std::ops::Range;

use super::super::tiles::CostTiles;
use crate::real::Real;
use crate::simd::Lanes;

/// Tiles whose cells outside a band are +inf.
///
/// With `CHECKED`, costs inside it are compared with -inf, so that a NaN is found, which a minimum would walk around. Costs
/// of a form are finite.
pub struct BandedCosts<'a, T, const CHECKED: bool> {
    tiles: &'a mut T,
    band: Option<&'a [Range<usize>]>,
    columns: usize,
    holds_costs_alone: bool,
}

impl<'a, T, const CHECKED: bool> BandedCosts<'a, T, CHECKED> {
    /// Takes the tiles of M columns.
    pub fn new(tiles: &'a mut T, band: Option<&'a [Range<usize>]>, columns: usize) -> Self {
        Self { tiles, band, columns, holds_costs_alone: true }
    }

    /// Tells if all costs so far were numbers or +inf.
    pub fn holds_costs_alone(&self) -> bool {
        self.holds_costs_alone
    }

    /// Makes a tile, as [`CostTiles::tile`].
    #[inline(always)]
    pub fn tile<V: Lanes<L>, const L: usize>(&mut self, lanes: V, block: usize, stripe: usize) -> [V::F; L]
    where
        T: CostTiles<V, L>,
    {
        let mut rows = self.tiles.tile(lanes, block, stripe);
        if let Some(band) = self.band {
            let first = stripe * L;
            let last = (first + L).min(self.columns);
            for (row, allowed) in rows.iter_mut().zip(band.get(block * L..).unwrap_or(&[])) {
                if allowed.start <= first && last <= allowed.end {
                    continue;
                }
                let mut entries = [V::Real::from_f64(f64::INFINITY); L];
                if allowed.start < last && first < allowed.end {
                    let inside = allowed.start.max(first) - first..allowed.end.min(last) - first;
                    entries[inside.clone()].copy_from_slice(&lanes.to_array(*row)[inside]);
                }
                *row = lanes.load_array(&entries);
            }
        }
        if CHECKED {
            let nothing = lanes.constant(f64::NEG_INFINITY);
            for row in &rows {
                self.holds_costs_alone &= lanes.is_less(nothing, *row).count_ones() as usize == L;
            }
        }
        rows
    }
}
