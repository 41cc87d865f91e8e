//! Tiles of a direction and takers of changes behind one virtual call a tile, so that the tangent sweeps are compiled once.

use super::super::tiles::{AlignmentTiles, CostTiles};
use crate::simd::{Lanes, Work};

/// Gives C', or a term of it, as tiles of L rows and L columns, in the order that [`CostTiles`] has.
pub trait DirectionTiles<V: Lanes<L>, const L: usize> {
    /// Adds the tile of rows `block * L..` and columns `stripe * L..`.
    fn add_tile(&mut self, lanes: V, block: usize, stripe: usize, sum: &mut [V::F; L]);
}

struct AddTile<'a, V: Lanes<L>, T, const L: usize> {
    lanes: V,
    tiles: &'a mut T,
    block: usize,
    stripe: usize,
    sum: &'a mut [V::F; L],
}

impl<V: Lanes<L>, T: CostTiles<V, L>, const L: usize> Work for AddTile<'_, V, T, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, tiles, block, stripe, sum } = self;
        let tile = tiles.tile(lanes, block, stripe);
        for (sum, term) in sum.iter_mut().zip(tile) {
            *sum = lanes.add(*sum, term);
        }
    }
}

impl<V: Lanes<L>, T: CostTiles<V, L>, const L: usize> DirectionTiles<V, L> for T {
    fn add_tile(&mut self, lanes: V, block: usize, stripe: usize, sum: &mut [V::F; L]) {
        lanes.outline(AddTile { lanes, tiles: self, block, stripe, sum });
    }
}

/// Takes H or H' as [`AlignmentTiles`] does.
pub trait TakesTiles<V: Lanes<L>, const L: usize> {
    /// Takes the tile of rows `block * L..` and columns `stripe * L..`; 0 from row N and from column M on.
    fn take(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]);
}

struct Take<'a, V: Lanes<L>, A, const L: usize> {
    lanes: V,
    taker: &'a mut A,
    block: usize,
    stripe: usize,
    rows: &'a [V::F; L],
}

impl<V: Lanes<L>, A: AlignmentTiles<V, L>, const L: usize> Work for Take<'_, V, A, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, taker, block, stripe, rows } = self;
        let mut any = false;
        for &row in rows {
            any |= lanes.is_any(row);
        }
        if any {
            taker.take_tile(lanes, block, stripe, rows);
        } else {
            taker.take_zero_tile(lanes, block, stripe, rows);
        }
    }
}

impl<V: Lanes<L>, A: AlignmentTiles<V, L>, const L: usize> TakesTiles<V, L> for A {
    fn take(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        lanes.outline(Take { lanes, taker: self, block, stripe, rows });
    }
}
