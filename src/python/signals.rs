//! Signals, such as an interrupt from the keyboard, that arrive while the core works without the interpreter lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Instant;

use pyo3::prelude::*;

use crate::batch::{self, Scratch};
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::threads::stop;

/// Milliseconds between two looks for signals. To look takes the interpreter lock.
const INTERVAL: u64 = 50;

/// Looks for signals now and then, from the thread that makes the call: no other may.
struct SignalWatch {
    caller: ThreadId,
    start: Instant,
    next_look: AtomicU64,
    stopped: AtomicBool,
    raised: Mutex<Option<PyErr>>,
}

impl SignalWatch {
    fn new() -> Self {
        Self {
            caller: thread::current().id(),
            start: Instant::now(),
            next_look: AtomicU64::new(INTERVAL),
            stopped: AtomicBool::new(false),
            raised: Mutex::new(None),
        }
    }

    /// Tells if no signal has raised an exception yet; to be asked now and then, on any thread.
    fn may_go_on(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        if thread::current().id() != self.caller {
            return true;
        }
        let now = self.start.elapsed().as_millis() as u64;
        if now < self.next_look.load(Ordering::Relaxed) {
            return true;
        }
        self.next_look.store(now + INTERVAL, Ordering::Relaxed);
        match Python::attach(|py| py.check_signals()) {
            Ok(()) => true,
            Err(error) => {
                if let Ok(mut raised) = self.raised.lock() {
                    *raised = Some(error);
                }
                self.stopped.store(true, Ordering::Relaxed);
                false
            }
        }
    }

    /// Raises what a signal raised.
    fn finish(&self) -> PyResult<()> {
        match self.raised.lock().ok().and_then(|mut raised| raised.take()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Works without the interpreter lock. A signal that raises an exception stops the work ([`stop`]); what it then returns is
/// dropped, and the exception raised.
pub fn without_lock<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let watch = Arc::new(SignalWatch::new());
    let asked = watch.clone();
    let result = py.detach(|| stop::under(Some(Arc::new(move || asked.may_go_on())), work));
    watch.finish()?;
    Ok(result)
}

/// Runs jobs as [`batch::run`] does, without the interpreter lock.
pub fn run_jobs<J: Send, S: Scratch, T: Send>(
    py: Python<'_>,
    jobs: Vec<J>,
    cells: impl Fn(&J) -> usize + Send,
    threads: Option<usize>,
    work: impl Fn(J, ThreadTeam<'_>, &mut S) -> T + Sync + Send,
) -> PyResult<Vec<T>> {
    Ok(without_lock(py, || batch::run(jobs, cells, threads, work))??)
}
