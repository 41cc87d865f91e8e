//! The value or the whole alignment of a job: on one thread, or where the pair is large on several.

use super::Grid;
use super::job::{Job, SweepScratch};
use super::tiles::{AlignmentTiles, CostTiles};
use crate::scaled::Scaled;
use crate::simd::Lanes;

impl Job<'_> {
    /// Sweeps forward alone and returns a(N,M), in O(N) memory.
    pub fn value<V, T, const L: usize, const S: usize>(
        self,
        lanes: V,
        tiles: &mut T,
        scratch: &mut SweepScratch<V::Real>,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
    {
        let grid = self.grid::<V, L>(S);
        if self.is_for_many(grid, S) {
            self.value_by_many::<V, T, L, S>(lanes, grid, tiles, scratch)
        } else {
            self.value_alone::<V, T, L, S>(lanes, grid, tiles, scratch)
        }
    }

    /// Sweeps both ways: returns a(N,M) and hands H (or E, by the readout) to `sink`.
    pub fn align<V, T, A, const L: usize, const S: usize>(
        self,
        lanes: V,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut SweepScratch<V::Real>,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
        A: AlignmentTiles<V, L> + Sync,
    {
        let grid = Grid { kept: A::KEPT, ..self.grid::<V, L>(S) };
        if self.is_for_many(grid, S) {
            self.align_by_many::<V, T, A, L, S>(lanes, grid, tiles, sink, scratch)
        } else {
            self.align_alone::<V, T, A, L, S>(lanes, grid, tiles, sink, scratch)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::super::fits;
    use super::super::job::PANEL_BYTES;
    use super::super::job::tests::costs;
    use super::super::thread_team::ThreadTeam;
    use super::super::tiles::matrix::{MatrixAlignment, MatrixCosts};
    use super::*;
    use crate::cost::CostMatrix;
    use crate::kernel::rowwise::{RowwiseScratch, RowwiseSweep};
    use crate::matrix::MatrixMut;
    use crate::real::Real;
    use crate::reference;
    use crate::row_sink::RowSink;
    use crate::shape::Shape;
    use crate::simd::Number;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    /// H and E by rows in float64.
    struct ByRows {
        m: usize,
        visits: Vec<f64>,
        soft_alignment: Vec<f64>,
    }

    impl RowSink for ByRows {
        fn take_row(&mut self, n: usize, _: Range<usize>, visits: &[f64], soft_alignment: &[f64]) {
            self.visits[n * self.m..][..self.m].copy_from_slice(visits);
            self.soft_alignment[n * self.m..][..self.m].copy_from_slice(soft_alignment);
        }
    }

    impl ByRows {
        /// The value, E and H of the row-wise kernel.
        fn align(costs: &[f64], shape: Shape, gamma: f64, weights: StepWeights) -> (f64, Self) {
            let (Shape { n, m }, matrix) = (shape, CostMatrix { costs, stride: shape.m });
            let sweep = RowwiseSweep { costs: &matrix, shape, band: None, gamma, weights };
            let mut rows = Self { m, visits: vec![0.0; n * m], soft_alignment: vec![0.0; n * m] };
            let value = sweep.align(&mut RowwiseScratch::default(), &mut rows, None).unwrap();
            (value, rows)
        }
    }

    /// Compares values and H with the reference over shapes, weights, gammas and panels; in float64 also with the
    /// row-wise kernel, and closely.
    fn check<V: Lanes<L>, const L: usize, const S: usize>(lanes: V) {
        let is_wide = V::Real::ROUNDING < f32::ROUNDING;
        let tolerance = if is_wide { 1e-10 } else { 1e-5 };
        let ratios: &[(f64, f32)] = if is_wide {
            &[(0.01, 1.0), (1.0, 1.0), (100.0, 1e-3), (0.01, 600.0)]
        } else {
            &[(0.01, 1.0), (1.0, 1.0), (100.0, 1e-3)]
        };
        let mut scratch = SweepScratch::default();
        // Every residue of N and M by 16, in one group of stripes and in several.
        let shapes = (1..=16)
            .map(|k| (k, 17 - k))
            .chain((1..=16).step_by(3).map(|k| (24 + k, 60 + 7 * k % 16)))
            .chain([(3, 40), (70, 5)]);
        for (n, m) in shapes {
            let shape = Shape::new(n, m).unwrap();
            for weights in [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.0, 2.0, 0.7), (0.3, 1.0, 2.0)] {
                let weights = StepWeights::new(weights.0, weights.1, weights.2).unwrap();
                for &(gamma, scale) in ratios {
                    let costs = costs::<V::Real>(n, m, scale);
                    let wide: Vec<f64> = costs.iter().map(|cost| cost.to_f64()).collect();
                    let truth = reference::align(&wide, n, m, gamma, weights);
                    let (row_value, rows) = ByRows::align(&wide, shape, gamma, weights);
                    for (panel_bytes, readout) in [(PANEL_BYTES, weights), (1, StepWeights::UNIT)] {
                        let job = Job { readout, panel_bytes, ..Job::new(shape, gamma, weights, ThreadTeam::ALONE) };
                        let mut h = vec![V::Real::from_f64(f64::NAN); n * m];
                        let mut matrix = MatrixMut { entries: &mut h, stride: m };
                        let mut tiles = MatrixCosts::new(&costs, m, shape);
                        let mut sink = MatrixAlignment::new(&mut matrix, shape);
                        let end = job.align::<_, _, _, L, S>(lanes, &mut tiles, &mut sink, &mut scratch);
                        let value = job.value::<_, _, L, S>(lanes, &mut tiles, &mut scratch);
                        assert_eq!(end.ln(), value.ln());
                        let value = -gamma * value.ln();
                        assert!(
                            (value - truth.value).abs() <= tolerance * (truth.value.abs() + gamma * (n + m) as f64),
                            "{n}x{m} g={gamma}: {value} {}",
                            truth.value
                        );
                        let expected = if readout == weights { &truth.soft_alignment } else { &truth.visits };
                        for (k, (got, expected)) in h.iter().zip(expected).enumerate() {
                            assert!(
                                (got.to_f64() - expected).abs() <= tolerance,
                                "{n}x{m} g={gamma} w={weights:?} x{scale} S={S} panel={panel_bytes} cell {k}: {got:?} {expected}"
                            );
                        }
                        if is_wide {
                            assert!(
                                (value - row_value).abs() <= 1e-12 * (row_value.abs() + gamma),
                                "{n}x{m} g={gamma} x{scale}: {value} {row_value}"
                            );
                            let expected = if readout == weights { &rows.soft_alignment } else { &rows.visits };
                            for (got, expected) in h.iter().zip(expected) {
                                assert!(
                                    (got.to_f64() - expected).abs() <= 1e-12,
                                    "{n}x{m} g={gamma} w={weights:?} x{scale}: {got:?} {expected}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    /// Compares H in float64 with the row-wise kernel where costs over gamma come near the end of the exponents.
    fn check_large<V: Lanes<L, Real = f64>, const L: usize>(lanes: V) {
        let (shape, weights) = (Shape::new(20, 33).unwrap(), StepWeights::new(0.1, 1.0, 1.0).unwrap());
        for gamma in [1e-3, 1e-6, 1e-9] {
            let costs = costs::<f64>(shape.n, shape.m, 300.0);
            assert!(fits::<f64>(costs.iter().copied().fold(0.0, f64::max), shape, gamma, weights, false));
            let (row_value, rows) = ByRows::align(&costs, shape, gamma, weights);
            let mut h = vec![f64::NAN; shape.cells()];
            let mut matrix = MatrixMut { entries: &mut h, stride: shape.m };
            let mut tiles = MatrixCosts::new(&costs, shape.m, shape);
            let mut sink = MatrixAlignment::new(&mut matrix, shape);
            let job = Job::new(shape, gamma, weights, ThreadTeam::ALONE);
            let scratch = &mut SweepScratch::default();
            let value = -gamma * job.align::<_, _, _, L, 2>(lanes, &mut tiles, &mut sink, scratch).ln();
            assert!((value / row_value - 1.0).abs() <= 1e-12, "g={gamma}: {value} {row_value}");
            for (got, expected) in h.iter().zip(&rows.soft_alignment) {
                assert!((got - expected).abs() <= 1e-12, "g={gamma}: {got} {expected}");
            }
        }
    }

    #[test]
    fn float64_is_exact_over_the_range_of_exponents() {
        check_large::<_, 4>(Portable::<f64, 4>::new());
        check_large::<_, 8>(Portable::<f64, 8>::new());
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = crate::simd::avx2::Avx2::<f64>::detect() {
            check_large::<_, 4>(lanes);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = crate::simd::avx512::Avx512::<f64>::detect() {
            check_large::<_, 8>(lanes);
        }
    }

    #[test]
    fn portable_lanes_agree_with_the_reference() {
        check::<_, 8, 2>(Portable::<f32, 8>::new());
        check::<_, 8, 3>(Portable::<f32, 8>::new());
        check::<_, 16, 2>(Portable::<f32, 16>::new());
        check::<_, 4, 2>(Portable::<f64, 4>::new());
        check::<_, 8, 3>(Portable::<f64, 8>::new());
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_agrees_with_the_reference() {
        if let Some(lanes) = crate::simd::avx2::Avx2::<f32>::detect() {
            check::<_, 8, 2>(lanes);
            check::<_, 8, 4>(lanes);
        }
        if let Some(lanes) = crate::simd::avx2::Avx2::<f64>::detect() {
            check::<_, 4, 2>(lanes);
            check::<_, 4, 4>(lanes);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx512_agrees_with_the_reference() {
        if let Some(lanes) = crate::simd::avx512::Avx512::<f32>::detect() {
            check::<_, 16, 2>(lanes);
            check::<_, 16, 4>(lanes);
        }
        if let Some(lanes) = crate::simd::avx512::Avx512::<f64>::detect() {
            check::<_, 8, 2>(lanes);
            check::<_, 8, 4>(lanes);
        }
    }
}
