//! The way from sweeps to readouts: rows of the alignment, one at a time.

use std::ops::Range;

/// Takes the rows of the alignment as a backward sweep makes them, from n = N-1 down to 0.
pub trait RowSink {
    /// Takes row n of E (`visits`) and H (`soft_alignment`), both of length M and zero outside `columns`.
    fn take_row(&mut self, n: usize, columns: Range<usize>, visits: &[f64], soft_alignment: &[f64]);
}
