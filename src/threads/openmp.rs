//! The threads of an OpenMP library that the process has loaded.
//!
//! After each parallel operation the threads of torch spin for a while, so as to begin the next one at once. Threads of
//! our own would share the cores with them, so work runs on torch's: each calling thread has a team there, which runs
//! work by `GOMP_parallel`. GNU's library has this function, those of LLVM and Intel offer it to code made by GCC.
//!
//! A team does not survive `fork()`: a child that asks for its parent's waits forever. So the process that named the
//! library is remembered, and another one has no team.

use std::any::Any;
use std::ffi::{c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// `GOMP_parallel(function, data, threads, flags)`: calls `function(data)` once on each thread of the team of the
/// calling thread, which is one of them, and returns when all have ended. Flags of 0 ask for nothing.
pub type GompParallel = unsafe extern "C" fn(extern "C" fn(*mut c_void), *mut c_void, c_uint, c_uint);

/// The teams of an OpenMP library.
#[derive(Clone, Copy)]
pub struct Team {
    gomp_parallel: GompParallel,
    process: u32,
}

/// The argument of the last [`use_team`]; null for none.
static TEAM: AtomicPtr<Team> = AtomicPtr::new(std::ptr::null_mut());

/// Runs later work of this process on the threads of an OpenMP library, or with `None` on our own again.
///
/// # Safety
///
/// The function is as [`GompParallel`] says, for as long as the process runs.
pub unsafe fn use_team(gomp_parallel: Option<GompParallel>) {
    let process = std::process::id();
    let team = gomp_parallel.map_or(std::ptr::null_mut(), |gomp_parallel| {
        // Never freed: another thread may be reading it.
        Box::into_raw(Box::new(Team { gomp_parallel, process }))
    });
    TEAM.store(team, Ordering::Release);
}

/// Returns the team that this process was given.
pub fn team() -> Option<Team> {
    // SAFETY: a pointer comes from `Box::into_raw` above and is never freed.
    let team = unsafe { TEAM.load(Ordering::Acquire).as_ref() }?;
    (team.process == std::process::id()).then_some(*team)
}

/// A piece of work on several threads, and the panic of the first that panicked.
struct Region<'a> {
    work: &'a (dyn Fn() + Sync),
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Team {
    /// Calls `work` once on each of at most so many threads; the calling one is always among them.
    ///
    /// A panic ends its own thread's part and goes on from here when all have ended.
    pub fn run(self, threads: usize, work: &(dyn Fn() + Sync)) {
        let region = Region { work, panic: Mutex::new(None) };
        let data = (&raw const region).cast_mut().cast();
        let threads = c_uint::try_from(threads).unwrap_or(c_uint::MAX);
        // SAFETY: `use_team` was given the function; the region outlives the call, which returns when all have ended, and
        // is only read.
        unsafe { (self.gomp_parallel)(run_part, data, threads, 0) };
        if let Some(payload) = region.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(payload);
        }
    }
}

/// Runs the part of one thread. No panic leaves it: it would unwind through frames of C.
extern "C" fn run_part(region: *mut c_void) {
    // SAFETY: a region of `Team::run`, which waits for this to return.
    let region = unsafe { &*region.cast::<Region<'_>>() };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(region.work)) {
        region.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Runs the part of the calling thread alone, as inside another parallel region.
    unsafe extern "C" fn alone(part: extern "C" fn(*mut c_void), data: *mut c_void, _: c_uint, _: c_uint) {
        part(data);
    }

    /// Runs all parts at once.
    unsafe extern "C" fn all(part: extern "C" fn(*mut c_void), data: *mut c_void, threads: c_uint, flags: c_uint) {
        assert_eq!(flags, 0);
        let data = data.expose_provenance();
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(move || part(std::ptr::with_exposed_provenance_mut(data)))));
            part(std::ptr::with_exposed_provenance_mut(data));
        });
    }

    fn team(gomp_parallel: GompParallel) -> Team {
        Team { gomp_parallel, process: std::process::id() }
    }

    #[test]
    fn each_thread_works_once() {
        for (library, expected) in [(alone as GompParallel, 1), (all, 5)] {
            let calls = AtomicUsize::new(0);
            team(library).run(5, &|| {
                calls.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(calls.into_inner(), expected);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_when_all_have_ended() {
        for (library, threads, panicking) in [(alone as GompParallel, 1, 0), (all, 4, 0), (all, 4, 3)] {
            let (started, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let work = || {
                if started.fetch_add(1, Ordering::Relaxed) == panicking {
                    panic!("this part panics");
                }
                ended.fetch_add(1, Ordering::Relaxed);
            };
            let result = catch_unwind(AssertUnwindSafe(|| team(library).run(threads, &work)));
            assert_eq!(result.unwrap_err().downcast_ref(), Some(&"this part panics"));
            assert_eq!(ended.into_inner(), threads - 1);
        }
    }

    #[test]
    fn panics_of_all_threads_are_one() {
        let result = catch_unwind(|| team(all).run(4, &|| panic!("every part panics")));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"every part panics"));
    }

    #[test]
    fn a_team_is_that_of_the_process_that_named_it() {
        // SAFETY: the functions above do as `GompParallel` says.
        unsafe { use_team(Some(alone)) };
        assert!(super::team().is_some());
        let other = Box::into_raw(Box::new(Team { gomp_parallel: alone, process: std::process::id() + 1 }));
        TEAM.store(other, Ordering::Release);
        assert!(super::team().is_none());
        // SAFETY: as above.
        unsafe { use_team(None) };
        assert!(super::team().is_none());
    }
}
