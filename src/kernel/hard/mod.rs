//! Hard DTW, the limit gamma -> 0: one path of least cost, D(n,m) = min over steps s of w_s C(n,m) + D(before).
//!
//! Ties go diagonal, then horizontal, then vertical. The path is also the most probable path at any gamma. The sweep is
//! [`super::wavefront::hard`] on lanes, else [`rows`]; both keep the step into each cell and walk back ([`path`]).

pub mod path;
pub mod rows;
