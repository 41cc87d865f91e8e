//! The numerical core of warplens: soft dynamic time warping (SDTW), its alignments and modified targets.
//!
//! n = prediction frame 1..N, m = target frame 1..M, D features; w_h, w_v, w_d step weights, g = gamma:
//!
//! ```text
//! D(n,m) = min_g { w_h C(n,m) + D(n-1,m), w_v C(n,m) + D(n,m-1), w_d C(n,m) + D(n-1,m-1) }
//! min_g(S) = -g log sum exp(-s/g),   D(0,0) = 0,  D(n,0) = D(0,m) = inf,   SDTW = D(N,M)
//! H(n,m) = dSDTW/dC(n,m),   h(n) = sum_m H(n,m),   H~ = H / h(n),   Y_mod = H~ Y
//! ```
//!
//! Y_mod is formed by [`modified_targets`](kernel::wavefront::form::PairForm::modified_targets) on the fast path and by
//! [`modified_target`](cost::inner_product::InnerProduct::modified_target) on the slow one; [`plan::route`] decides which
//! path a pair takes, and why.
//!
//! [`family`] holds the losses that are no plain SDTW: any steps, penalties, entries and exits, CTC among them.
//!
//! Dependence runs one way: `python` -> `series` -> `batch` -> `plan`, `family` -> `readout`, `kernel` -> `cost`; `error`, `real`,
//! `shape`, `weights`, `band`, `matrix`, `row_sink`, `scaled`, `simd`, `reference` and `threads` (whose `pool` alone names
//! rayon) lie below.
//! `measures` reads soft alignments. The core knows no Python unless the feature `python` adds the binding.

pub mod band;
pub mod batch;
pub mod cost;
pub mod error;
pub mod family;
pub mod kernel;
pub mod matrix;
pub mod measures;
pub mod plan;
pub mod readout;
pub mod real;
pub mod reference;
pub mod row_sink;
pub mod scaled;
pub mod series;
pub mod shape;
pub mod simd;
pub mod threads;
pub mod weights;

#[cfg(feature = "python")]
mod python;
