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
    /// Number of threads, at least 1.
    pub threads: usize,
    /// Calls its argument once on each thread.
    pub run: &'a (dyn Fn(&(dyn Fn() + Sync)) + Sync),
}

impl ThreadTeam<'_> {
    /// The calling thread alone.
    pub const ALONE: ThreadTeam<'static> = ThreadTeam { threads: 1, run: &|work| work() };
}

/// Count of the blocks of a group that are done and may be read.
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

    /// Tells that `blocks` are done.
    pub fn publish(&self, blocks: usize) {
        self.0.store(blocks, Ordering::Release);
    }
}

/// Lets those who wait for a group go on if its thread panics; the panic then reaches the caller.
pub struct PanicGuard<'a>(pub &'a Progress);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        self.0.publish(usize::MAX);
    }
}

/// Progress on both sides of a group; `None` where no other group is.
#[derive(Clone, Copy, Default)]
pub struct Neighbours<'a> {
    /// The progress of the group before, whose rows are read.
    pub before: Option<&'a Progress>,
    /// Our own progress, which the next group reads.
    pub own: Option<&'a Progress>,
}

/// Hands out numbers below a limit, each once, in order.
pub struct WorkCounter {
    next: AtomicUsize,
    limit: usize,
}

impl WorkCounter {
    /// Numbers 0 to `limit - 1`.
    pub fn new(limit: usize) -> Self {
        Self { next: AtomicUsize::new(0), limit }
    }

    /// The next number.
    pub fn claim(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.limit).then_some(number)
    }
}
