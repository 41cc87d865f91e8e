//! Row-major matrices that results are written to.

use crate::real::Real;

/// A row-major matrix inside a larger one.
pub struct MatrixMut<'a, F> {
    /// At least `(N-1) * stride + M` entries.
    pub entries: &'a mut [F],
    /// Entries from one row to the next.
    pub stride: usize,
}

impl<F: Real> MatrixMut<'_, F> {
    /// Writes row n, rounded to F.
    pub fn write_row(&mut self, n: usize, row: &[f64]) {
        for (to, from) in self.entries[n * self.stride..].iter_mut().zip(row) {
            *to = F::from_f64(*from);
        }
    }
}
