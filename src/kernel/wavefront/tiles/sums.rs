//! Sums over columns to which several threads add.

use super::super::{AlignedBuffer, Grid};

/// Sums over all columns of a pair, `len` of them.
///
/// Where several threads may sweep the pair, groups of stripes add to two copies in turn: threads that sweep
/// neighbouring groups, a few blocks apart, would otherwise take the same cache lines from each other all the time.
#[derive(Clone, Copy)]
pub struct Sums {
    start: *mut f32,
    len: usize,
    copies: usize,
}

// SAFETY: threads touch the same block of rows of the same copy one after the other, as `AlignmentTiles::twin` asks.
unsafe impl Send for Sums {}
// SAFETY: as above.
unsafe impl Sync for Sums {}

impl Sums {
    /// Zeros. The number of copies is a matter of N and M alone, as all that decides results.
    pub fn new(buffer: &mut AlignedBuffer, grid: Grid, len: usize) -> Self {
        let copies = if grid.shared { 2 } else { 1 };
        let sums = &mut buffer.reserve(copies * len)[..copies * len];
        sums.fill(0.0);
        Self { start: sums.as_mut_ptr(), len, copies }
    }

    /// The copy to which a group of stripes adds.
    pub fn of_group(self, group: usize) -> *mut f32 {
        self.start.wrapping_add(group % self.copies * self.len)
    }

    /// The sums, when all groups have been added.
    ///
    /// # Safety
    ///
    /// The buffer of `new` is still there, and no thread adds any more.
    pub unsafe fn total<'a>(self) -> &'a [f32] {
        // SAFETY: `new` took so many from the buffer, and the caller vouches for it.
        let all = unsafe { std::slice::from_raw_parts_mut(self.start, self.copies * self.len) };
        let (total, rest) = all.split_at_mut(self.len);
        for (sum, other) in total.iter_mut().zip(&mut *rest) {
            *sum += std::mem::take(other); // a second call adds nothing
        }
        total
    }
}
