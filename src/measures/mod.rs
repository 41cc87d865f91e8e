//! Measures of what a soft alignment teaches.
//!
//! [`marginals`], [`events`] and [`summary`] read a soft alignment and know of no sweep; [`names`] lists the measures;
//! [`measured`] aligns a pair and measures it.

pub mod events;
pub mod marginals;
pub mod measured;
pub mod names;
pub mod summary;
