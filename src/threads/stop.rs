//! The watch that tells if the work of a call may go on.
//!
//! A caller may want a long call to end before it is done, as after an interrupt from the keyboard. It runs the call
//! [`under`] a [`Watch`], which is asked between pairs and, within a long pair, between parts of it: a sweep then ends where
//! it is, its results are of no use, and [`crate::batch`] returns an error in their place.
//!
//! It is kept by thread rather than handed down as an argument, for it concerns loops alone and nothing that they compute.
//! Threads that help with a call take it over from the calling one.

use std::cell::RefCell;
use std::sync::Arc;

/// Tells if the work may go on. It is asked from any thread of a call; its answer stays no once it was no.
pub type Watch = Arc<dyn Fn() -> bool + Send + Sync>;

thread_local! {
    static PRESENT: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Sets a watch and brings back the one before, also after a panic.
struct Restored(Option<Watch>);

impl Drop for Restored {
    fn drop(&mut self) {
        PRESENT.set(self.0.take());
    }
}

/// Works under a watch on this thread; with `None` nothing stops the work.
pub fn under<T>(watch: Option<Watch>, work: impl FnOnce() -> T) -> T {
    let _restored = Restored(PRESENT.replace(watch));
    work()
}

/// Returns the watch of this thread, for the threads that help it.
pub fn present() -> Option<Watch> {
    PRESENT.with_borrow(Option::clone)
}

/// Tells if the work on this thread may go on.
pub fn may_go_on() -> bool {
    // Not borrowed meanwhile: to look for signals may run code that calls us again.
    present().is_none_or(|watch| watch())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_watch_counts_where_it_was_set_and_no_longer() {
        assert!(may_go_on());
        let no: Watch = Arc::new(|| false);
        under(Some(no), || {
            assert!(!may_go_on());
            under(None, || assert!(may_go_on()));
            under(Some(Arc::new(|| present().is_some())), || assert!(may_go_on()));
            std::thread::scope(|scope| assert!(scope.spawn(may_go_on).join().unwrap()));
            assert!(!may_go_on());
        });
        assert!(catch_unwind(|| under(Some(Arc::new(|| false)), || panic!("this work panics"))).is_err());
        assert!(may_go_on());
    }
}
