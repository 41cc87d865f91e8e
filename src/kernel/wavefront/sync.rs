//! The atomics, locks and pauses of threads that share a pair: those of std, or of loom where it checks the hand-over.

#[cfg(all(test, feature = "model-check"))]
pub use loom::{
    hint::spin_loop,
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
    thread::yield_now,
};
#[cfg(not(all(test, feature = "model-check")))]
pub use std::{
    hint::spin_loop,
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
    thread::yield_now,
};
