//! The threads that a call computes on: how many, and which.
//!
//! They are those of the OpenMP library that torch computes on, where [`openmp`] was given one, else those of our own
//! [`pool`]. Which of the two, and how many of them run, changes nothing in a result.

pub mod openmp;
mod pool;
pub mod stop;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;

/// The greatest number of threads that a call can ask for.
pub const MOST_THREADS: usize = 256;

/// The argument of the last `set_num_threads`; 0 before the first.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Sets the number of threads of later calls that do not name one.
pub fn set_num_threads(threads: usize) -> Result<(), Error> {
    CHOSEN.store(checked(threads)?, Ordering::Relaxed);
    Ok(())
}

/// Returns the number of threads of calls that do not name one: that of `set_num_threads`, else of the environment
/// variable `WARPLENS_NUM_THREADS`, else the cores that the process may use.
pub fn num_threads() -> Result<usize, Error> {
    Ok(chosen()?.unwrap_or_else(available))
}

/// Returns the number of `set_num_threads`, else of the environment, if either says one.
pub fn chosen() -> Result<Option<usize>, Error> {
    let chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen > 0 {
        return Ok(Some(chosen));
    }
    match std::env::var("WARPLENS_NUM_THREADS") {
        Ok(text) if !text.is_empty() => {
            let number = text.trim().parse().map_err(|_| {
                Error::argument(
                    "WARPLENS_NUM_THREADS",
                    format!("is {text:?}; it takes a number from 1 to {MOST_THREADS}"),
                )
            })?;
            checked(number).map(Some).map_err(|_| {
                Error::argument(
                    "WARPLENS_NUM_THREADS",
                    format!("is {number}; it takes a number from 1 to {MOST_THREADS}"),
                )
            })
        }
        _ => Ok(None),
    }
}

/// Counts the cores that the process may use. The system reads files for it: that takes as long as a small pair.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)
}

/// Returns the number if it is in range.
pub fn checked(threads: usize) -> Result<usize, Error> {
    if (1..=MOST_THREADS).contains(&threads) {
        Ok(threads)
    } else {
        Err(Error::argument("threads", format!("is {threads}; a number of threads is from 1 to {MOST_THREADS}")))
    }
}

/// Calls `work` once on each of several threads and returns when all have ended. The calling thread is one of them.
///
/// They are `threads`, but no more than `useful` where a thread more would have to be made. An OpenMP library may run
/// fewer, inside a parallel region only the calling thread.
pub fn run_on(threads: usize, useful: usize, work: &(dyn Fn() + Sync)) -> Result<(), Error> {
    match openmp::team() {
        // All of them: a team that changes its size ends threads and starts others.
        Some(team) => team.run(threads, work),
        None => pool::run_on(threads.min(useful), work)?,
    }
    Ok(())
}
