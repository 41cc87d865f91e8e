//! The value or the whole alignment of a job: on one thread, or where the pair is large on several.

use super::job::{Job, Scratch};
use super::{AlignmentTiles, CostTiles};
use crate::scaled::Scaled;
use crate::simd::Lanes;

impl Job<'_> {
    /// Returns a(N,M), in O(N) memory.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn value<V, T, const L: usize, const S: usize>(self, tiles: &mut T, scratch: &mut Scratch) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
    {
        let grid = self.grid(L, S);
        // SAFETY: the caller vouches for the hardware.
        unsafe {
            if self.is_for_several(grid, S) {
                self.value_in_groups::<V, T, L, S>(grid, tiles, scratch)
            } else {
                self.value_alone::<V, T, L, S>(grid, tiles, scratch)
            }
        }
    }

    /// Returns a(N,M) and hands H, or what the readout asks for, to `sink`.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn align<V, T, A, const L: usize, const S: usize>(
        self,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut Scratch,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
        A: AlignmentTiles<V, L> + Sync,
    {
        let grid = self.grid(L, S);
        // SAFETY: the caller vouches for the hardware.
        unsafe {
            if self.is_for_several(grid, S) {
                self.align_in_groups::<V, T, A, L, S>(grid, tiles, sink, scratch)
            } else {
                self.align_alone::<V, T, A, L, S>(grid, tiles, sink, scratch)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::PANEL_BYTES;
    use super::super::job::tests::costs;
    use super::super::matrix::{MatrixAlignment, MatrixCosts};
    use super::super::thread_team::ThreadTeam;
    use super::*;
    use crate::readout::MatrixMut;
    use crate::reference;
    use crate::shape::Shape;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    /// The greatest difference of H from the reference over shapes, weights, gammas and panels.
    fn check<V: Lanes<L>, const L: usize, const S: usize>() {
        let mut scratch = Scratch::default();
        // Every residue of N and M by 16, in one group of stripes and in several.
        let shapes = (1..=16)
            .map(|k| (k, 17 - k))
            .chain((1..=16).step_by(3).map(|k| (24 + k, 60 + 7 * k % 16)))
            .chain([(3, 40), (70, 5)]);
        for (n, m) in shapes {
            let shape = Shape::new(n, m).unwrap();
            for weights in
                [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap(), StepWeights::new(0.0, 2.0, 0.7).unwrap()]
            {
                for (gamma, scale) in [(0.01, 1.0), (1.0, 1.0), (100.0, 1e-3)] {
                    let costs = costs(n, m, scale);
                    let wide: Vec<f64> = costs.iter().copied().map(f64::from).collect();
                    let truth = reference::align(&wide, n, m, gamma, weights);
                    for (panel_bytes, readout) in [(PANEL_BYTES, weights), (1, StepWeights::UNIT)] {
                        let job = Job { readout, panel_bytes, ..Job::new(shape, gamma, weights, ThreadTeam::ALONE) };
                        let mut h = vec![f32::NAN; n * m];
                        let mut matrix = MatrixMut { entries: &mut h, stride: m };
                        let mut tiles = MatrixCosts::new(&costs, m, shape);
                        let mut sink = MatrixAlignment::new(&mut matrix, shape);
                        // SAFETY: the test names only lanes that the machine has.
                        let (end, value) = unsafe {
                            let end = job.align::<V, _, _, L, S>(&mut tiles, &mut sink, &mut scratch);
                            (end, job.value::<V, _, L, S>(&mut tiles, &mut scratch))
                        };
                        assert_eq!(end.ln(), value.ln());
                        let value = -gamma * value.ln();
                        assert!(
                            (value - truth.value).abs() <= 1e-5 * (truth.value.abs() + gamma * (n + m) as f64),
                            "{n}x{m} g={gamma}: {value} {}",
                            truth.value
                        );
                        let expected = if readout == weights { &truth.soft_alignment } else { &truth.visits };
                        for (k, (got, expected)) in h.iter().zip(expected).enumerate() {
                            assert!(
                                (f64::from(*got) - expected).abs() <= 1e-5,
                                "{n}x{m} g={gamma} w={weights:?} x{scale} S={S} panel={panel_bytes} cell {k}: {got} {expected}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn portable_lanes_agree_with_the_reference() {
        check::<Portable, 8, 2>();
        check::<Portable, 8, 3>();
        check::<Portable, 16, 2>();
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_agrees_with_the_reference() {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            check::<crate::simd::avx2::Avx2, 8, 2>();
            check::<crate::simd::avx2::Avx2, 8, 4>();
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx512_agrees_with_the_reference() {
        if is_x86_feature_detected!("avx512f") {
            check::<crate::simd::avx512::Avx512, 16, 2>();
            check::<crate::simd::avx512::Avx512, 16, 4>();
        }
    }
}
