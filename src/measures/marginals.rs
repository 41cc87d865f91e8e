//! Sums along the rows and columns of a soft alignment.
//!
//! With H~(n,m) = H(n,m) / sum_m H(n,m), 0 throughout a row that sums to 0:
//!
//! ```text
//! mass(m) = sum_n H~(n,m)      path(n) = sum_m H~(n,m) m      entropy(n) = -sum_m H~(n,m) log H~(n,m)
//! ```

use std::ops::Range;

use crate::real::Real;
use crate::shape::Shape;

/// Least share that counts towards an entropy: smaller ones add less than 1e-16 each, and most shares are smaller.
const LEAST_SHARE: f64 = 1e-18;

/// Number of entries of a row that are tested for 0 together.
const BLOCK: usize = 16;

/// Sums of H~ for each target and for each frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marginals {
    /// sum_m H(n,m), (N,).
    pub sums: Vec<f64>,
    /// Number of frames that each target holds, (M,); they add up to N.
    pub masses: Vec<f64>,
    /// Expected target of each frame, counted from 0, (N,).
    pub path: Vec<f64>,
    /// Entropy of each frame's row in nats, (N,).
    pub entropy: Vec<f64>,
    /// Targets from the first to the last that each frame has a share of, (N,): most rows are 0 but near the path.
    pub support: Vec<Range<usize>>,
}

impl Marginals {
    /// Sums up the rows and columns of H (N,M), row-major.
    pub fn new<F: Real>(alignment: &[F], shape: Shape) -> Self {
        let Shape { n, m } = shape;
        assert_eq!(alignment.len(), n * m);
        let mut marginals = Self {
            sums: vec![0.0; n],
            masses: vec![0.0; m],
            path: vec![0.0; n],
            entropy: vec![0.0; n],
            support: Vec::with_capacity(n),
        };
        let numbers: Vec<f64> = (0..m).map(|target| target as f64).collect();
        let ones = vec![1.0; m];
        let mut shares = vec![0.0; m];
        for (frame, row) in alignment.chunks_exact(m).enumerate() {
            let support = support(row);
            let shares = &mut shares[..support.len()];
            shares.iter_mut().zip(&row[support.clone()]).for_each(|(share, h)| *share = h.to_f64());
            let sum = dot(shares, &ones[..shares.len()]);
            for (share, mass) in shares.iter_mut().zip(&mut marginals.masses[support.clone()]) {
                *share = share_of(*share, sum);
                *mass += *share;
            }
            marginals.sums[frame] = sum;
            marginals.path[frame] = dot(shares, &numbers[support.clone()]);
            let entropy: f64 =
                shares.iter().filter(|&&share| share > LEAST_SHARE).map(|share| share * share.ln()).sum();
            marginals.entropy[frame] = (-entropy).max(0.0);
            marginals.support.push(support);
        }
        marginals
    }
}

/// Divides an entry of H by its row's sum: exactly 1 where it is all of its row, 0 where the row sums to 0.
#[inline(always)]
pub fn share_of(h: f64, sum: f64) -> f64 {
    if sum > 0.0 { h / sum } else { 0.0 }
}

/// Finds the range from the first entry that is not 0 to the last; empty where all are 0.
fn support<F: Real>(row: &[F]) -> Range<usize> {
    // Whole blocks of zeros first: without a branch for each number, several are tested at a time.
    let is_nothing = |block: &&[F]| block.iter().fold(true, |nothing, h| nothing & h.is_zero());
    let start = BLOCK * row.chunks(BLOCK).take_while(is_nothing).count();
    let end = row.len() - (BLOCK * row.rchunks(BLOCK).take_while(is_nothing).count()).min(row.len());
    if start >= end {
        return 0..0;
    }
    let is_there = |h: &F| !h.is_zero();
    let first = row[start..end].iter().position(is_there).unwrap_or(0);
    let last = row[start..end].iter().rposition(is_there).unwrap_or(0);
    start + first..start + last + 1
}

/// Computes `sum a b` in eight parts, so that no addition waits for the one before.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mut parts = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for k in 0..8 {
            parts[k] += a[k] * b[k];
        }
    }
    parts.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagonal_is_sharp_and_an_even_spread_is_not() {
        let shape = Shape { n: 4, m: 4 };
        let diagonal: Vec<f32> = (0..16).map(|k| if k % 5 == 0 { 3.0 } else { 0.0 }).collect();
        let sharp = Marginals::new(&diagonal, shape);
        assert_eq!(sharp.masses, [1.0; 4]);
        assert_eq!(sharp.path, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(sharp.entropy, [0.0; 4]);
        assert_eq!(sharp.support, [0..1, 1..2, 2..3, 3..4]);
        let even = Marginals::new(&[0.25f64; 16], shape);
        assert_eq!(even.masses, [1.0; 4]);
        assert_eq!(even.path, [1.5; 4]);
        assert!(even.entropy.iter().all(|s| (s - 4f64.ln()).abs() < 1e-15));
    }

    #[test]
    fn a_row_of_nothing_is_nothing() {
        let marginals = Marginals::new(&[0.0f64, 0.0, 1.0, 1.0], Shape { n: 2, m: 2 });
        assert_eq!(marginals.sums, [0.0, 2.0]);
        assert_eq!(marginals.masses, [0.5, 0.5]);
        assert_eq!(marginals.entropy[0], 0.0);
        assert_eq!(marginals.support, [0..0, 0..2]);
    }
}
