//! Many pairs on several threads, the longest first.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::LocalKey;

use crate::error::Error;
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::plan;
use crate::plan::frame_synchronous::FrameSynchronousScratch;
use crate::threads;

/// The scratch of one kind that a thread has kept, if any.
type Slot<S> = Cell<Option<Box<S>>>;

/// Memory that a thread keeps from job to job and from call to call: to ask the system for it takes longer than to
/// sweep over it.
pub trait Scratch: Default + 'static {
    /// Estimates from above what it holds, in bytes.
    fn bytes(&self) -> usize;

    /// Returns the slot of this kind. A slot a kind, so that callers who alternate between kinds lose neither.
    fn slot() -> &'static LocalKey<Slot<Self>>;
}

thread_local! {
    static ALIGNMENT: Slot<plan::PairScratch> = const { Cell::new(None) };
    static FRAME_SYNCHRONOUS: Slot<FrameSynchronousScratch> = const { Cell::new(None) };
    static TANGENT: Slot<plan::tangent::Scratch> = const { Cell::new(None) };
}

impl Scratch for plan::PairScratch {
    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn slot() -> &'static LocalKey<Slot<Self>> {
        &ALIGNMENT
    }
}

impl Scratch for FrameSynchronousScratch {
    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn slot() -> &'static LocalKey<Slot<Self>> {
        &FRAME_SYNCHRONOUS
    }
}

impl Scratch for plan::tangent::Scratch {
    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn slot() -> &'static LocalKey<Slot<Self>> {
        &TANGENT
    }
}

/// The bytes of scratch that the calling thread keeps when it was the only one; more is freed when the call ends.
const KEPT_BYTES_OF_ONE: usize = 96 << 20;
/// The bytes of scratch that each of several threads keeps.
const KEPT_BYTES: usize = 16 << 20;

/// Calls `work` with the scratch of this thread. A call within `work` gets another one.
fn with_scratch<S: Scratch, T>(kept_bytes: usize, work: impl FnOnce(&mut S) -> T) -> T {
    let mut scratch = S::slot().take().unwrap_or_default();
    let result = work(&mut scratch);
    if scratch.bytes() <= kept_bytes {
        S::slot().set(Some(scratch));
    }
    result
}

/// Runs `work` on every job and returns the results in the order of the jobs.
///
/// Jobs are handed out by falling `size`, each to the next free thread, with the scratch `S` of that thread. Which
/// thread runs a job changes nothing in its result.
pub fn run<J: Send, S: Scratch, T: Send>(
    jobs: Vec<J>,
    size: impl Fn(&J) -> usize,
    threads: Option<usize>,
    work: impl Fn(J, ThreadTeam<'_>, &mut S) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let threads = threads.map_or_else(threads::num_threads, threads::checked)?;
    if threads == 1 || jobs.len() <= 1 {
        // Threads are started only when a large pair asks for them; without them the calling one does all.
        let on_all = |work: &(dyn Fn() + Sync)| threads::run_on(threads, threads, work).unwrap_or_else(|_| work());
        let team = if threads == 1 { ThreadTeam::ALONE } else { ThreadTeam { threads, run: &on_all } };
        return Ok(with_scratch(KEPT_BYTES_OF_ONE, |scratch| {
            jobs.into_iter().map(|job| work(job, team, scratch)).collect()
        }));
    }
    let useful = jobs.len();
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(size(&jobs[index])));
    // A slot holds the job until it is taken, then its result.
    let waiting: Vec<Mutex<Option<J>>> = jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
    let results: Vec<Mutex<Option<T>>> = waiting.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let worker = || {
        with_scratch(KEPT_BYTES, |scratch| {
            while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let job = waiting[index].lock().ok().and_then(|mut slot| slot.take());
                if let Some(job) = job {
                    let result = work(job, ThreadTeam::ALONE, scratch);
                    if let Ok(mut slot) = results[index].lock() {
                        *slot = Some(result);
                    }
                }
            }
        });
    };
    threads::run_on(threads, useful, &worker)?;
    Ok(results
        .into_iter()
        .map(|slot| slot.into_inner().ok().flatten().expect("the scope ends after every job has left its result"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static BYTES: Slot<Vec<u8>> = const { Cell::new(None) };
        static WORDS: Slot<Vec<u16>> = const { Cell::new(None) };
    }

    impl Scratch for Vec<u8> {
        fn bytes(&self) -> usize {
            self.capacity()
        }

        fn slot() -> &'static LocalKey<Slot<Self>> {
            &BYTES
        }
    }

    impl Scratch for Vec<u16> {
        fn bytes(&self) -> usize {
            2 * self.capacity()
        }

        fn slot() -> &'static LocalKey<Slot<Self>> {
            &WORDS
        }
    }

    #[test]
    fn results_keep_the_order_of_the_jobs() {
        let jobs: Vec<usize> = (0..100).collect();
        for threads in [1, 2, 5] {
            let got = run(jobs.clone(), |&job| job % 7, Some(threads), |job, _, _: &mut Vec<u8>| job * job).unwrap();
            assert_eq!(got, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_number_of_threads_out_of_range_is_an_error() {
        assert!(run(vec![1, 2], |_| 1, Some(0), |_, _, _: &mut Vec<u8>| ()).is_err());
        assert!(run(vec![1, 2], |_| 1, Some(threads::MOST_THREADS + 1), |_, _, _: &mut Vec<u8>| ()).is_err());
    }

    #[test]
    fn calls_of_two_kinds_in_turn_keep_the_scratch_of_both() {
        let of_both = || {
            let bytes = with_scratch(KEPT_BYTES, |scratch: &mut Vec<u8>| {
                scratch.resize(1 << 10, 0);
                scratch.as_ptr().addr()
            });
            let words = with_scratch(KEPT_BYTES, |scratch: &mut Vec<u16>| {
                scratch.resize(1 << 10, 0);
                scratch.as_ptr().addr()
            });
            (bytes, words)
        };
        let first = of_both();
        assert!((0..3).all(|_| of_both() == first));
    }

    #[test]
    fn a_small_scratch_stays_and_a_large_one_goes() {
        for (grown, kept) in [(1 << 10, true), (KEPT_BYTES + 1, false)] {
            with_scratch(KEPT_BYTES, |scratch: &mut Vec<u8>| *scratch = Vec::with_capacity(grown));
            assert_eq!(with_scratch(KEPT_BYTES, |scratch: &mut Vec<u8>| scratch.capacity()) >= grown, kept);
        }
    }
}
