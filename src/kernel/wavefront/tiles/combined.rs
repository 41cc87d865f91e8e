//! Everything that one backward sweep can give at once: H gathered into products, H written out, and the entropy.

use super::AlignmentTiles;
use super::matrix::MatrixAlignment;
use crate::simd::Lanes;

/// A gather, with H written beside it and the entropy of the paths summed up.
pub struct Together<'a, G> {
    gather: G,
    matrix: Option<MatrixAlignment<'a>>,
    entropy: *mut f64,
}

// SAFETY: a stripe, and with it its entry of `entropy`, belongs to one thread; the others are shared as they allow.
unsafe impl<G: Sync> Sync for Together<'_, G> {}

impl<'a, G> Together<'a, G> {
    /// Sums go to `entropy`, an entry for each stripe, so that they do not depend on threads.
    pub fn new(gather: G, matrix: Option<MatrixAlignment<'a>>, entropy: &'a mut [f64]) -> Self {
        entropy.fill(0.0);
        Self { gather, matrix, entropy: entropy.as_mut_ptr() }
    }

    /// The gather, with what it has gathered.
    pub fn into_gather(self) -> G {
        self.gather
    }
}

// SAFETY: as its parts; there is a sum for each stripe, as `new` demands.
unsafe impl<V: Lanes<L>, G: AlignmentTiles<V, L>, const L: usize> AlignmentTiles<V, L> for Together<'_, G> {
    const TAKES_ENTROPY: bool = true;

    #[inline(always)]
    unsafe fn take_tile(&mut self, block: usize, stripe: usize, rows: &[V::F; L]) {
        // SAFETY: the caller vouches for the hardware.
        unsafe {
            if let Some(matrix) = &mut self.matrix {
                AlignmentTiles::<V, L>::take_tile(matrix, block, stripe, rows);
            }
            self.gather.take_tile(block, stripe, rows);
        }
    }

    #[inline(always)]
    unsafe fn take_nothing(&mut self, block: usize, stripe: usize, rows: &[V::F; L]) {
        // SAFETY: the caller vouches for the hardware.
        unsafe {
            if let Some(matrix) = &mut self.matrix {
                AlignmentTiles::<V, L>::take_nothing(matrix, block, stripe, rows);
            }
            self.gather.take_nothing(block, stripe, rows);
        }
    }

    #[inline(always)]
    unsafe fn take_entropy(&mut self, stripe: usize, sums: V::F) {
        let mut entries = [0.0; L];
        // SAFETY: the caller vouches for the hardware; `entropy` has an entry for each stripe.
        unsafe {
            V::store(entries.as_mut_ptr(), sums);
            *self.entropy.add(stripe) += entries.into_iter().map(f64::from).sum::<f64>();
        }
    }

    unsafe fn twin(&self) -> Self {
        // SAFETY: as the caller orders tiles.
        Self { gather: unsafe { self.gather.twin() }, matrix: self.matrix, entropy: self.entropy }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::job::{Job, PANEL_BYTES, Scratch};
    use super::super::super::thread_team::ThreadTeam;
    use super::super::matrix::MatrixCosts;
    use super::*;
    use crate::matrix::MatrixMut;
    use crate::reference;
    use crate::shape::Shape;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    fn check<V: Lanes<L>, const L: usize, const S: usize>() {
        let mut scratch = Scratch::default();
        for (n, m) in (1..=16).map(|k| (24 + k, 60 + 7 * k % 16)).chain([(1, 1), (1, 30), (70, 5), (300, 40)]) {
            let shape = Shape::new(n, m).unwrap();
            let costs: Vec<f32> = (0..n * m).map(|k| ((k * 7919) % 101) as f32 * 0.05).collect();
            let wide: Vec<f64> = costs.iter().copied().map(f64::from).collect();
            for weights in [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap()] {
                for (gamma, panel_bytes) in [(0.01, PANEL_BYTES), (1.0, 1), (100.0, PANEL_BYTES)] {
                    let truth = reference::align(&wide, n, m, gamma, weights);
                    let job = Job { panel_bytes, ..Job::new(shape, gamma, weights, ThreadTeam::ALONE) };
                    let (mut h, mut copy) = (vec![f32::NAN; n * m], vec![f32::NAN; n * m]);
                    let mut sums = vec![f64::NAN; job.grid(L, S).stripes];
                    let mut gathered = MatrixMut { entries: &mut h, stride: m };
                    let mut matrix = MatrixMut { entries: &mut copy, stride: m };
                    let gather = MatrixAlignment::new(&mut gathered, shape);
                    let matrix = MatrixAlignment::new(&mut matrix, shape);
                    let mut together = Together::new(gather, Some(matrix), &mut sums);
                    let mut tiles = MatrixCosts::new(&costs, m, shape);
                    // SAFETY: the test names only lanes that the machine has.
                    unsafe { job.align::<V, _, _, L, S>(&mut tiles, &mut together, &mut scratch) };
                    let entropy: f64 = sums.iter().sum();
                    assert!(
                        (entropy - truth.entropy).abs() <= 1e-6 * ((n + m) as f64 + truth.entropy),
                        "{n}x{m} g={gamma} w={weights:?}: {entropy} {}",
                        truth.entropy
                    );
                    assert!(h == copy && h.iter().all(|h| h.is_finite()));
                }
            }
        }
    }

    #[test]
    fn entropy_is_that_of_the_reference() {
        check::<Portable, 8, 2>();
        check::<Portable, 16, 4>();
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn entropy_on_hardware_is_that_of_the_reference() {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            check::<crate::simd::avx2::Avx2, 8, 4>();
        }
        if is_x86_feature_detected!("avx512f") {
            check::<crate::simd::avx512::Avx512, 16, 2>();
        }
    }
}
