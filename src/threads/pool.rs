//! A thread pool that belongs to one process.
//!
//! A child made by `fork()` inherits the memory of its parent's pool but not the threads, and would wait for them
//! forever. So a pool carries the id of the process that made it, a child makes its own, and the stale one is leaked (its
//! threads cannot be joined). Nothing here takes a lock that another thread could have held at the fork.

use std::sync::atomic::{AtomicPtr, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::MOST_THREADS;
use crate::error::Error;

/// A thread pool and the process whose threads it holds.
struct Pool {
    process: u32,
    threads: ThreadPool,
}

/// One slot a thread count, so that callers who alternate between counts do not rebuild.
static POOLS: [AtomicPtr<Pool>; MOST_THREADS + 1] = [const { AtomicPtr::new(std::ptr::null_mut()) }; MOST_THREADS + 1];

/// Returns the pool of this process with so many threads, made at the first call.
fn pool(threads: usize) -> Result<&'static ThreadPool, Error> {
    let slot = &POOLS[threads];
    let process = std::process::id();
    let found = slot.load(Ordering::Acquire);
    // SAFETY: a pointer in a slot comes from `Box::into_raw` below and is never freed once published.
    if let Some(pool) = unsafe { found.as_ref() }
        && pool.process == process
    {
        return Ok(&pool.threads);
    }
    let threads = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("warplens-{index}"))
        .build()
        .map_err(|error| Error::argument("threads", format!("the thread pool cannot be started: {error}")))?;
    let made = Box::into_raw(Box::new(Pool { process, threads }));
    let published = match slot.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => made,
        Err(winner) => {
            // SAFETY: `made` was never published; its threads are ours and end when it is dropped.
            drop(unsafe { Box::from_raw(made) });
            winner
        }
    };
    // SAFETY: published pointers stay valid for the life of the process, see above.
    Ok(unsafe { &(*published).threads })
}

/// Calls `work` once on each of so many threads. The calling thread is one of them: it is awake already.
pub fn run_on(threads: usize, work: &(dyn Fn() + Sync)) -> Result<(), Error> {
    pool(threads)?.in_place_scope(|scope| {
        (1..threads).for_each(|_| scope.spawn(|_| work()));
        work();
    });
    Ok(())
}
