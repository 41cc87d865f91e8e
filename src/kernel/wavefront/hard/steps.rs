//! The step into each cell, two bits a cell, as a sweep over stripes keeps them.

use std::ops::Range;

use super::super::Grid;
use super::windows::{self, Window};
use crate::kernel::hard::path::Step;

/// Bits of all steps of a sweep. Of one step of L lanes there are L bits that tell the horizontal, then L that tell the
/// vertical; where both are 1, vertical holds.
#[derive(Default)]
pub struct KeptSteps {
    packed: Vec<u8>,
    pub(super) windows: Vec<Window>,
    lanes: usize,
    slots: usize,
}

impl KeptSteps {
    /// Lays out the windows of a sweep, and room for the bits if they are kept.
    pub fn lay_out(&mut self, grid: Grid, slots: usize, band: Option<&[Range<usize>]>, is_kept: bool) {
        windows::fill(&mut self.windows, grid, slots, band);
        (self.lanes, self.slots) = (grid.lanes, slots);
        let stripes_of_last = grid.shape.m.div_ceil(grid.lanes) - (self.windows.len() - 1) * slots;
        let blocks = self.windows.last().map_or(0, |last| last.blocks_before + stripes_of_last * last.blocks.len());
        let bytes = if is_kept { blocks * self.block_len() } else { 0 };
        if self.packed.len() < bytes {
            self.packed = vec![]; // the old ones are gone before the new ones come
            self.packed = vec![0; bytes];
        }
    }

    /// Bytes of a block: 2 L bits for each of its L steps.
    #[inline(always)]
    fn block_len(&self) -> usize {
        self.lanes * self.lanes / 4
    }

    /// Where the bits of a block begin, `slot` being the stripe within its group.
    #[inline(always)]
    fn place(&self, window: &Window, slot: usize, block: usize) -> usize {
        (window.blocks_before + slot * window.blocks.len() + block - window.blocks.start) * self.block_len()
    }

    /// Keeps the bits of the steps of a block.
    #[inline(always)]
    pub fn put<const L: usize>(&mut self, group: usize, slot: usize, block: usize, bits: &[u32; L]) {
        let start = self.place(&self.windows[group], slot, block);
        let to = &mut self.packed[start..][..L * L / 4];
        // By index: iterators would be called.
        for i in 0..L {
            let bytes = bits[i].to_le_bytes();
            for k in 0..L / 4 {
                to[i * (L / 4) + k] = bytes[k];
            }
        }
    }

    /// The step into a cell.
    pub fn step_into(&self, n: usize, m: usize) -> Step {
        let (stripe, lane) = (m / self.lanes, m % self.lanes);
        let (block, step) = ((n + lane) / self.lanes, (n + lane) % self.lanes);
        let window = &self.windows[stripe / self.slots];
        let start = self.place(window, stripe % self.slots, block) + step * self.lanes / 4;
        let mut bytes = [0; 4];
        bytes[..self.lanes / 4].copy_from_slice(&self.packed[start..][..self.lanes / 4]);
        let bits = u32::from_le_bytes(bytes) >> lane;
        match (bits >> self.lanes & 1, bits & 1) {
            (1, _) => Step::Vertical,
            (_, 1) => Step::Horizontal,
            _ => Step::Diagonal,
        }
    }
}
