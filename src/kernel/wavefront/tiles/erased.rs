//! Tiles by a call whose target is known at run time, one a tile: a sweep is then compiled once for all kinds of them.

use super::{AlignmentTiles, CostTiles};
use crate::simd::{Lanes, Work};

/// [`CostTiles`] of some type.
pub trait ErasedCosts<'a, V: Lanes<L>, const L: usize>: Sync {
    /// Writes a tile, as [`CostTiles::tile`] makes it.
    fn write(&mut self, lanes: V, block: usize, stripe: usize, rows: &mut [V::F; L]);
    /// Returns the same tiles for another thread.
    fn another(&self) -> Box<dyn ErasedCosts<'a, V, L> + 'a>;
}

struct Write<'t, 'r, V: Lanes<L>, T, const L: usize> {
    lanes: V,
    tiles: &'t mut T,
    block: usize,
    stripe: usize,
    rows: &'r mut [V::F; L],
}

impl<V: Lanes<L>, T: CostTiles<V, L>, const L: usize> Work for Write<'_, '_, V, T, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        *self.rows = self.tiles.tile(self.lanes, self.block, self.stripe);
    }
}

impl<'a, V: Lanes<L>, T: CostTiles<V, L> + Sync + 'a, const L: usize> ErasedCosts<'a, V, L> for T {
    fn write(&mut self, lanes: V, block: usize, stripe: usize, rows: &mut [V::F; L]) {
        lanes.outline(Write { lanes, tiles: self, block, stripe, rows });
    }

    fn another(&self) -> Box<dyn ErasedCosts<'a, V, L> + 'a> {
        Box::new(self.for_thread())
    }
}

/// [`AlignmentTiles`] of some type, without sums over cells.
pub trait ErasedAlignment<'a, V: Lanes<L>, const L: usize>: Sync {
    /// Takes a tile, which may be known to be 0.
    fn take(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L], is_zero: bool);
    /// A taker for another thread, into the same sums.
    ///
    /// # Safety
    ///
    /// As for [`AlignmentTiles::for_thread`].
    unsafe fn another(&self) -> Box<dyn ErasedAlignment<'a, V, L> + 'a>;
}

struct Take<'t, 'r, V: Lanes<L>, A, const L: usize> {
    lanes: V,
    taker: &'t mut A,
    block: usize,
    stripe: usize,
    rows: &'r [V::F; L],
    is_zero: bool,
}

impl<V: Lanes<L>, A: AlignmentTiles<V, L>, const L: usize> Work for Take<'_, '_, V, A, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, taker, block, stripe, rows, is_zero } = self;
        if is_zero {
            taker.take_zero_tile(lanes, block, stripe, rows);
        } else {
            taker.take_tile(lanes, block, stripe, rows);
        }
    }
}

impl<'a, V: Lanes<L>, A: AlignmentTiles<V, L> + Sync + 'a, const L: usize> ErasedAlignment<'a, V, L> for A {
    fn take(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L], is_zero: bool) {
        lanes.outline(Take { lanes, taker: self, block, stripe, rows, is_zero });
    }

    unsafe fn another(&self) -> Box<dyn ErasedAlignment<'a, V, L> + 'a> {
        // SAFETY: as the caller says.
        Box::new(unsafe { self.for_thread() })
    }
}
