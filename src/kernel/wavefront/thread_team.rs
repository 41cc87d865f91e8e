//! Several threads on one pair: groups of stripes handed out in order, each a few blocks behind the one before.
//!
//! A group needs from its neighbour only the boundary column, row by row. So groups are swept at the same time, each
//! waiting, block by block, until the neighbour has written the rows that it will read ([`Progress`]). Groups are
//! claimed in order, so a thread only ever waits for a group that a running thread has claimed: no deadlock, however
//! few of the threads run.

use super::sync::{AtomicUsize, Ordering, spin_loop, yield_now};

/// Runs a piece of work on several threads at once and returns when all have ended.
#[derive(Clone, Copy)]
pub struct ThreadTeam<'a> {
    /// The number of threads, at least 1.
    pub threads: usize,
    /// A function that calls its argument once on each thread.
    pub run: &'a (dyn Fn(&(dyn Fn() + Sync)) + Sync),
}

impl ThreadTeam<'_> {
    /// The team of the calling thread alone.
    pub const ALONE: ThreadTeam<'static> = ThreadTeam { threads: 1, run: &|work| work() };
}

/// The number of blocks of a group that are done, and so may be read by its neighbour.
#[derive(Default)]
pub struct Progress(AtomicUsize);

impl Progress {
    /// Waits until `blocks` are done.
    pub fn wait_for(&self, blocks: usize) {
        let mut spins = 0u32;
        while self.0.load(Ordering::Acquire) < blocks {
            spins += 1;
            if spins.is_multiple_of(64) {
                yield_now();
            } else {
                spin_loop();
            }
        }
    }

    /// Marks `blocks` as done, and what was written before as visible to those who waited for them.
    pub fn publish(&self, blocks: usize) {
        self.0.store(blocks, Ordering::Release);
    }
}

/// Marks all blocks of a group as done when dropped, so that a panic of its thread leaves no other waiting.
///
/// What the others then read is wrong, and never used: the panic reaches the caller.
pub struct PanicGuard<'a>(pub &'a Progress);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        self.0.publish(usize::MAX);
    }
}

/// The progress of a group and of its neighbour; `None` where no other thread is concerned.
#[derive(Clone, Copy, Default)]
pub struct Neighbours<'a> {
    /// The progress of the group whose rows are read.
    pub before: Option<&'a Progress>,
    /// The progress of the group itself.
    pub own: Option<&'a Progress>,
}

/// Numbers below a limit, handed out once each, in order.
pub struct WorkCounter {
    next: AtomicUsize,
    limit: usize,
}

impl WorkCounter {
    /// Starts at 0; the last number is `limit - 1`.
    pub fn new(limit: usize) -> Self {
        Self { next: AtomicUsize::new(0), limit }
    }

    /// Takes the next number, if there is one left.
    pub fn claim(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.limit).then_some(number)
    }
}
