//! Costs of class targets, gathered from the scores of all classes and never expanded to one-hot rows.

use std::ops::Range;

use super::CostRows;
use crate::real::Real;

/// `C(n,m) = offset(k) - score(n,k)` with k the class of target m; a score of -inf forbids the cell.
#[derive(Clone, Copy)]
pub struct ClassCosts<'a, F> {
    /// Scores (N,K), row-major: log-probabilities as a rule.
    pub scores: &'a [F],
    /// K.
    pub classes: usize,
    /// The class of each target, (M,), below K.
    pub targets: &'a [usize],
    /// Offsets (K,); `None` is 0 everywhere.
    pub offsets: Option<&'a [f64]>,
}

impl<F: Real> CostRows for ClassCosts<'_, F> {
    fn write_row(&self, n: usize, columns: Range<usize>, row: &mut [f64]) {
        let scores = &self.scores[n * self.classes..][..self.classes];
        for (to, &class) in row[columns.clone()].iter_mut().zip(&self.targets[columns]) {
            *to = self.offsets.map_or(0.0, |offsets| offsets[class]) - scores[class].to_f64();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_those_of_the_class_of_each_target() {
        let scores = [-1.0f32, -2.0, -3.0, -4.0, -5.0, f32::NEG_INFINITY];
        let offsets = [10.0, 20.0, 30.0];
        let costs = ClassCosts { scores: &scores, classes: 3, targets: &[2, 0, 2, 1], offsets: Some(&offsets) };
        let mut row = [0.0; 4];
        costs.write_row(0, 0..4, &mut row);
        assert_eq!(row, [33.0, 11.0, 33.0, 22.0]);
        ClassCosts { offsets: None, ..costs }.write_row(1, 1..4, &mut row);
        assert_eq!(row, [33.0, 4.0, f64::INFINITY, 5.0]);
    }
}
