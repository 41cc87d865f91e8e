//! Everything that one backward sweep can give at once: H gathered into products, H written out, and the entropy.

use super::AlignmentTiles;
use super::matrix::MatrixAlignment;
use crate::real::Real;
use crate::simd::Lanes;

/// A gather, with H written beside it and the entropy of the paths summed up.
pub struct CombinedSink<'a, R, G> {
    gather: G,
    matrix: Option<MatrixAlignment<'a, R>>,
    entropy: *mut f64,
    stripes: usize,
}

// SAFETY: a stripe, and with it its entry of `entropy`, belongs to one thread; the others are shared as they allow.
unsafe impl<R, G: Sync> Sync for CombinedSink<'_, R, G> {}

impl<'a, R, G> CombinedSink<'a, R, G> {
    /// Combines the sinks; sums go to `entropy`, an entry for each stripe, so that they do not depend on threads.
    pub fn new(gather: G, matrix: Option<MatrixAlignment<'a, R>>, entropy: &'a mut [f64]) -> Self {
        entropy.fill(0.0);
        Self { gather, matrix, entropy: entropy.as_mut_ptr(), stripes: entropy.len() }
    }

    /// The gather, with what it has gathered.
    pub fn into_gather(self) -> G {
        self.gather
    }
}

impl<V: Lanes<L>, G: AlignmentTiles<V, L>, const L: usize> AlignmentTiles<V, L> for CombinedSink<'_, V::Real, G> {
    const TAKES_ENTROPY: bool = true;

    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        if let Some(matrix) = &mut self.matrix {
            matrix.take_tile(lanes, block, stripe, rows);
        }
        self.gather.take_tile(lanes, block, stripe, rows);
    }

    #[inline(always)]
    fn take_zero_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        if let Some(matrix) = &mut self.matrix {
            matrix.take_zero_tile(lanes, block, stripe, rows);
        }
        self.gather.take_zero_tile(lanes, block, stripe, rows);
    }

    #[inline(always)]
    fn take_entropy(&mut self, lanes: V, stripe: usize, sums: V::F) {
        assert!(stripe < self.stripes);
        let sum = lanes.to_array(sums).into_iter().map(Real::to_f64).sum::<f64>();
        // SAFETY: an entry for each stripe, borrowed as long as `self`; no other thread has that of this stripe, as `for_thread`
        // demands.
        unsafe { *self.entropy.add(stripe) += sum };
    }

    unsafe fn for_thread(&self) -> Self {
        // SAFETY: the caller orders the tiles of both.
        let (gather, matrix) = unsafe {
            (self.gather.for_thread(), self.matrix.as_ref().map(|matrix| AlignmentTiles::<V, L>::for_thread(matrix)))
        };
        Self { gather, matrix, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::job::{Job, PANEL_BYTES, SweepScratch};
    use super::super::super::thread_team::ThreadTeam;
    use super::super::matrix::MatrixCosts;
    use super::*;
    use crate::matrix::MatrixMut;
    use crate::reference;
    use crate::shape::Shape;
    use crate::simd::Number;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    fn check<V: Lanes<L>, const L: usize, const S: usize>(lanes: V) {
        let mut scratch = SweepScratch::default();
        let nan = V::Real::from_f64(f64::NAN);
        let tolerance = if V::Real::ROUNDING < f32::ROUNDING { 1e-12 } else { 1e-6 };
        for (n, m) in (1..=16).map(|k| (24 + k, 60 + 7 * k % 16)).chain([(1, 1), (1, 30), (70, 5), (300, 40)]) {
            let shape = Shape::new(n, m).unwrap();
            let wide: Vec<f64> = (0..n * m).map(|k| f64::from(((k * 7919) % 101) as f32 * 0.05)).collect();
            let costs: Vec<V::Real> = wide.iter().map(|&cost| V::Real::from_f64(cost)).collect();
            for weights in [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap()] {
                for (gamma, panel_bytes) in [(0.01, PANEL_BYTES), (1.0, 1), (100.0, PANEL_BYTES)] {
                    let truth = reference::align(&wide, n, m, gamma, weights);
                    let job = Job { panel_bytes, ..Job::new(shape, gamma, weights, ThreadTeam::ALONE) };
                    let (mut h, mut copy) = (vec![nan; n * m], vec![nan; n * m]);
                    let mut sums = vec![f64::NAN; job.grid::<V, L>(S).stripes];
                    let mut gathered = MatrixMut { entries: &mut h, stride: m };
                    let mut matrix = MatrixMut { entries: &mut copy, stride: m };
                    let gather = MatrixAlignment::new(&mut gathered, shape);
                    let matrix = MatrixAlignment::new(&mut matrix, shape);
                    let mut combined = CombinedSink::new(gather, Some(matrix), &mut sums);
                    let mut tiles = MatrixCosts::new(&costs, m, shape);
                    job.align::<_, _, _, L, S>(lanes, &mut tiles, &mut combined, &mut scratch);
                    let entropy: f64 = sums.iter().sum();
                    assert!(
                        (entropy - truth.entropy).abs() <= tolerance * ((n + m) as f64 + truth.entropy),
                        "{n}x{m} g={gamma} w={weights:?}: {entropy} {}",
                        truth.entropy
                    );
                    assert!(h == copy && h.iter().all(|h| h.to_f64().is_finite()));
                }
            }
        }
    }

    #[test]
    fn entropy_is_that_of_the_reference() {
        check::<_, 8, 2>(Portable::<f32, 8>::new());
        check::<_, 16, 4>(Portable::<f32, 16>::new());
        check::<_, 4, 2>(Portable::<f64, 4>::new());
        check::<_, 8, 4>(Portable::<f64, 8>::new());
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn entropy_on_hardware_is_that_of_the_reference() {
        if let Some(lanes) = crate::simd::avx2::Avx2::<f32>::detect() {
            check::<_, 8, 4>(lanes);
        }
        if let Some(lanes) = crate::simd::avx512::Avx512::<f32>::detect() {
            check::<_, 16, 2>(lanes);
        }
        if let Some(lanes) = crate::simd::avx2::Avx2::<f64>::detect() {
            check::<_, 4, 4>(lanes);
        }
        if let Some(lanes) = crate::simd::avx512::Avx512::<f64>::detect() {
            check::<_, 8, 2>(lanes);
        }
    }
}
