//! Many pairs on several threads, the longest first.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, LocalKey, Thread};
use std::time::Duration;

use crate::error::Error;
use crate::kernel::wavefront::job::LEAST_SHARED_CELLS;
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::plan;
use crate::plan::frame_synchronous::FrameSynchronousScratch;
use crate::threads::{self, stop};

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
    static NONE: Slot<()> = const { Cell::new(None) };
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

/// For work that keeps nothing.
impl Scratch for () {
    fn bytes(&self) -> usize {
        0
    }

    fn slot() -> &'static LocalKey<Slot<Self>> {
        &NONE
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

/// Fewer cells of several jobs together are done before another thread is awake.
const LEAST_CELLS_OF_SEVERAL: usize = 1 << 14;

/// The time that any job takes, whatever its size, in cells.
const CELLS_OF_ANY_JOB: usize = 1 << 12;

/// The rest of the calling thread, once it has no more to do, before it asks again whether the others may go on.
const REST: Duration = Duration::from_millis(20);

/// Runs `work` on every job and returns the results in the order of the jobs.
///
/// Jobs are handed out by falling `cells`, each to the next free thread, with the scratch `S` of that thread. Which
/// thread runs a job changes nothing in its result. Where there are few cells the calling thread does all. Once a
/// [`stop::Watch`] says no, the jobs that remain are left out, and there is an error.
pub fn run<J: Send, S: Scratch, T: Send>(
    jobs: Vec<J>,
    cells: impl Fn(&J) -> usize,
    threads: Option<usize>,
    work: impl Fn(J, ThreadTeam<'_>, &mut S) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let chosen = match threads {
        Some(threads) => Some(threads::checked(threads)?),
        None => threads::chosen()?,
    };
    let is_small = match &jobs[..] {
        [] => true,
        [only] => cells(only) < LEAST_SHARED_CELLS,
        several => {
            let cells = several.iter().map(|job| cells(job).saturating_add(CELLS_OF_ANY_JOB));
            cells.fold(0, usize::saturating_add) < LEAST_CELLS_OF_SEVERAL
        }
    };
    let threads = if is_small { 1 } else { chosen.unwrap_or_else(threads::available) };
    let results = if threads == 1 || jobs.len() <= 1 {
        run_in_order(jobs, threads, work)
    } else {
        run_on_many(jobs, cells, threads, work)?
    };
    // Asked once more: a job that was stopped has left a result too.
    if stop::may_go_on() { Ok(results) } else { Err(Error::Stopped) }
}

/// Runs the jobs one after the other; other threads help with a large pair that asks for them.
fn run_in_order<J, S: Scratch, T>(
    jobs: Vec<J>,
    threads: usize,
    work: impl Fn(J, ThreadTeam<'_>, &mut S) -> T,
) -> Vec<T> {
    let watch = stop::present();
    // Without other threads the calling one does all.
    let on_all = |work: &(dyn Fn() + Sync)| {
        threads::run_on(threads, threads, &|| stop::under(watch.clone(), work)).unwrap_or_else(|_| work());
    };
    let team = if threads == 1 { ThreadTeam::ALONE } else { ThreadTeam { threads, run: &on_all } };
    with_scratch(KEPT_BYTES_OF_ONE, |scratch| {
        jobs.into_iter().take_while(|_| stop::may_go_on()).map(|job| work(job, team, scratch)).collect()
    })
}

/// Runs the jobs on several threads, a job on one; after a stop there are fewer results.
fn run_on_many<J: Send, S: Scratch, T: Send>(
    jobs: Vec<J>,
    cells: impl Fn(&J) -> usize,
    threads: usize,
    work: impl Fn(J, ThreadTeam<'_>, &mut S) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let useful = jobs.len();
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(cells(&jobs[index])));
    // A slot holds the job until it is taken, then its result.
    let waiting: Vec<Mutex<Option<J>>> = jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
    let results: Vec<Mutex<Option<T>>> = waiting.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let unfinished = Unfinished { jobs: AtomicUsize::new(useful), caller: thread::current() };
    let watch = stop::present();
    let take_jobs = || {
        with_scratch(KEPT_BYTES, |scratch| {
            while stop::may_go_on()
                && let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let _finishes = Finishes(&unfinished);
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
    let worker = || {
        stop::under(watch.clone(), take_jobs);
        if watch.is_some() && thread::current().id() == unfinished.caller.id() {
            unfinished.watch_until_done();
        }
    };
    threads::run_on(threads, useful, &worker)?;
    Ok(results.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect())
}

/// The number of jobs that have not ended, and the thread that waits for them.
struct Unfinished {
    jobs: AtomicUsize,
    caller: Thread,
}

impl Unfinished {
    /// Waits until all jobs have ended or the watch of this thread stops them: it may be the only one that sees why.
    fn watch_until_done(&self) {
        let mut looks = 0u32;
        while self.jobs.load(Ordering::Acquire) > 0 && stop::may_go_on() {
            looks += 1;
            if looks < 100 {
                thread::yield_now();
            } else {
                thread::park_timeout(REST);
            }
        }
    }
}

/// Counts a job as ended, also where it panics.
struct Finishes<'a>(&'a Unfinished);

impl Drop for Finishes<'_> {
    fn drop(&mut self) {
        if self.0.jobs.fetch_sub(1, Ordering::Release) == 1 {
            self.0.caller.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, Barrier};
    use std::time::Instant;

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
            let cells = |&job: &usize| (job % 7) << 20;
            let got = run(jobs.clone(), cells, Some(threads), |job, _, _: &mut Vec<u8>| job * job).unwrap();
            assert_eq!(got, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        }
    }

    #[test]
    fn few_cells_are_the_calling_thread_s_and_many_are_shared() {
        let caller = thread::current().id();
        let by_others = |jobs: usize, cells: usize, are_expected: bool| {
            let others = AtomicUsize::new(0);
            let by_me = |_, _: ThreadTeam<'_>, _: &mut Vec<u8>| {
                if thread::current().id() != caller {
                    others.fetch_add(1, Ordering::Relaxed);
                }
                // A busy machine may be slow to wake the others: the caller leaves them something to do.
                let begin = Instant::now();
                while are_expected && others.load(Ordering::Relaxed) == 0 && begin.elapsed() < Duration::from_secs(60) {
                    thread::yield_now();
                }
            };
            run(vec![(); jobs], |()| cells, Some(4), by_me).unwrap();
            others.into_inner()
        };
        let least = LEAST_CELLS_OF_SEVERAL / 2 - CELLS_OF_ANY_JOB;
        assert_eq!(by_others(2, least - 1, false), 0);
        assert!(by_others(2, least, true) > 0 && by_others(100, 1, true) > 0);
        let members = |cells| run(vec![()], |()| cells, Some(4), |(), team, _: &mut Vec<u8>| team.threads).unwrap();
        assert_eq!(members(LEAST_SHARED_CELLS - 1), [1]);
        assert_eq!(members(LEAST_SHARED_CELLS), [4]);
    }

    #[test]
    fn a_watch_ends_a_call_between_jobs_on_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let done = Arc::new(AtomicUsize::new(0));
            let counted = done.clone();
            let watch: stop::Watch = Arc::new(move || counted.load(Ordering::Relaxed) < 10);
            let job = |(), _: ThreadTeam<'_>, _: &mut Vec<u8>| done.fetch_add(1, Ordering::Relaxed);
            let jobs = || vec![(); 1000];
            let stopped = stop::under(Some(watch), || run(jobs(), |()| 1 << 20, Some(threads), job));
            assert_eq!(stopped.unwrap_err(), Error::Stopped);
            assert!((10..10 + threads).contains(&done.load(Ordering::Relaxed)));
            assert_eq!(run(jobs(), |()| 1 << 20, Some(threads), job).unwrap().len(), 1000);
        }
    }

    #[test]
    fn the_caller_watches_while_others_work() {
        // Only the caller's own look stops the one job that the other thread has.
        let caller = thread::current().id();
        let (mine_ended, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (ended, said) = (mine_ended.clone(), stopped.clone());
        let watch: stop::Watch = Arc::new(move || {
            if thread::current().id() == caller && ended.load(Ordering::Relaxed) {
                said.store(true, Ordering::Relaxed);
            }
            !said.load(Ordering::Relaxed)
        });
        let both_run = Barrier::new(2);
        let job = |(), _: ThreadTeam<'_>, _: &mut Vec<u8>| {
            both_run.wait();
            if thread::current().id() == caller {
                mine_ended.store(true, Ordering::Relaxed);
            } else {
                while stop::may_go_on() {
                    thread::yield_now();
                }
            }
        };
        let result = stop::under(Some(watch), || run(vec![(); 2], |()| 1 << 20, Some(2), job));
        assert_eq!(result.unwrap_err(), Error::Stopped);
    }

    #[test]
    fn a_panic_of_a_watched_job_reaches_the_caller() {
        for threads in [1, 3] {
            let job = |index: usize, _: ThreadTeam<'_>, _: &mut Vec<u8>| assert!(index != 5, "this job panics");
            let run =
                || stop::under(Some(Arc::new(|| true)), || run((0..9).collect(), |_| 1 << 20, Some(threads), job));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
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
