//! What a soft alignment teaches, in numbers.
//!
//! [`marginals`], [`events`] and [`summary`] read a soft alignment and know of no sweep; [`measured`] aligns a pair and
//! measures it.

pub mod events;
pub mod marginals;
pub mod measured;
pub mod summary;
