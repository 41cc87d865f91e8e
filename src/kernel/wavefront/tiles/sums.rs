//! Sums over columns to which several threads add.

use std::marker::PhantomData;
use std::ops::Range;

use super::super::{AlignedBuffer, Grid};
use crate::simd::Number;

/// Sums over all columns of a pair, `len` of them.
///
/// Where several threads may sweep the pair, groups of stripes add to two copies in turn: threads that sweep
/// neighbouring groups, a few blocks apart, would otherwise take the same cache lines from each other all the time.
pub struct Sums<'a, R> {
    start: *mut R,
    len: usize,
    copies: usize,
    buffer: PhantomData<&'a mut [R]>,
}

// SAFETY: through a shared reference nothing is read or written; another thread has its own, by `for_thread`.
unsafe impl<R> Sync for Sums<'_, R> {}

impl<'a, R: Number> Sums<'a, R> {
    /// Makes sums of zeros. The number of copies is a matter of N and M alone, as all that decides results.
    pub fn new(buffer: &'a mut AlignedBuffer<R>, grid: Grid, len: usize) -> Self {
        let copies = if grid.shared { 2 } else { 1 };
        let sums = &mut buffer.reserve(copies * len)[..copies * len];
        sums.fill(R::default());
        Self { start: sums.as_mut_ptr(), len, copies, buffer: PhantomData }
    }

    /// Part of the copy to which a group of stripes adds.
    #[inline(always)]
    pub fn of_group(&mut self, group: usize, part: Range<usize>) -> &mut [R] {
        assert!(part.start <= part.end && part.end <= self.len);
        let copy = (group % 2).min(self.copies - 1);
        // SAFETY: `new` took `copies * len` numbers from the buffer, which is borrowed as long as `self`; no other thread
        // has this part now, as `for_thread` demands.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(copy * self.len + part.start), part.len()) }
    }

    /// Returns the same sums for another thread.
    ///
    /// # Safety
    ///
    /// A part of a copy is used by one thread at a time, each seeing what the ones before wrote. The first of these is
    /// used again only after the others.
    pub unsafe fn for_thread(&self) -> Self {
        Self { ..*self }
    }

    /// The sums, when all groups have been added.
    pub fn total(self) -> &'a [R] {
        // SAFETY: `new` took so many from the buffer, which is borrowed for 'a; no other thread has any of it now, as
        // `for_thread` demands.
        let all = unsafe { std::slice::from_raw_parts_mut(self.start, self.copies * self.len) };
        let (total, rest) = all.split_at_mut(self.len);
        for (sum, other) in total.iter_mut().zip(rest) {
            *sum += *other;
        }
        total
    }
}
