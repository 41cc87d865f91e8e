//! A whole alignment by the wavefront: forward, backward, in panels of stripes where memory asks for it.
//!
//! The probabilities of a panel are kept at a time. With more than one panel the forward sweep keeps the boundary column
//! left of each, and is redone a panel at a time on the way back.

use std::marker::PhantomData;

use super::backward::{self, begin_flow};
use super::forward::{self, Boundary, distinct, distinct_weights};
use super::{AlignedBuffer, AlignmentTiles, CostTiles, Grid};
use crate::scaled::Scaled;
use crate::shape::Shape;
use crate::simd::Lanes;
use crate::weights::StepWeights;

/// Probabilities of more bytes than this are kept panel by panel.
pub const PANEL_BYTES: usize = 16 << 20;

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct Scratch {
    probabilities: AlignedBuffer,
    mantissa: Vec<f32>,
    exponent: Vec<i32>,
    checkpoints: Vec<(Vec<f32>, Vec<i32>)>,
    flow: Vec<f32>,
}

/// What is swept.
#[derive(Clone, Copy)]
pub struct Job {
    /// N and M.
    pub shape: Shape,
    /// Greater than 0.
    pub gamma: f64,
    /// Step weights of the recursion.
    pub weights: StepWeights,
    /// Step weights of the readout: those of the recursion give H, unit weights give E.
    pub readout: StepWeights,
    /// See [`PANEL_BYTES`].
    pub panel_bytes: usize,
}

impl Job {
    /// a(N,M), in O(N) memory.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn value<V, T, const L: usize, const S: usize>(self, tiles: &mut T, scratch: &mut Scratch) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
    {
        let grid = Grid::new(self.shape, L, S);
        let mut boundary = scratch.boundary(grid);
        boundary.clear();
        // SAFETY: the caller vouches for the hardware; no probabilities are kept.
        unsafe { self.forward::<V, T, L, S, false>(grid, 0..grid.stripes, tiles, &mut boundary, std::ptr::null_mut()) }
    }

    /// a(N,M), and H (or what the readout asks for) handed to `sink`.
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
        T: CostTiles<V, L>,
        A: AlignmentTiles<V, L>,
    {
        let grid = Grid::new(self.shape, L, S);
        let per_panel = self.panel_stripes(grid, S);
        let panels = grid.stripes.div_ceil(per_panel);
        let stripes = |panel: usize| panel * per_panel..grid.stripes.min((panel + 1) * per_panel);
        scratch.flow.resize(grid.boundary_len(), 0.0);
        let mut flow = std::mem::take(&mut scratch.flow);
        let mut buffer = std::mem::take(&mut scratch.probabilities);
        let mut checkpoints = std::mem::take(&mut scratch.checkpoints);
        // One block more, for slots that idle.
        let probabilities = buffer.reserve((per_panel * grid.blocks + 1) * grid.block_len()).as_mut_ptr();
        let mut boundary = scratch.boundary(grid);
        boundary.clear();
        let mut end = Scaled::ZERO;
        checkpoints.clear();
        // SAFETY: the caller vouches for the hardware; the probabilities of one panel and a block fit the buffer.
        unsafe {
            for panel in 0..panels {
                if panel + 1 < panels {
                    checkpoints.push((boundary.mantissa.to_vec(), boundary.exponent.to_vec()));
                    self.forward::<V, T, L, S, false>(grid, stripes(panel), tiles, &mut boundary, std::ptr::null_mut());
                } else {
                    end = self.forward::<V, T, L, S, true>(grid, stripes(panel), tiles, &mut boundary, probabilities);
                }
            }
            begin_flow(grid, &mut flow);
            for panel in (0..panels).rev() {
                if let Some((mantissa, exponent)) = checkpoints.get(panel) {
                    boundary.mantissa.copy_from_slice(mantissa);
                    boundary.exponent.copy_from_slice(exponent);
                    self.forward::<V, T, L, S, true>(grid, stripes(panel), tiles, &mut boundary, probabilities);
                    checkpoints.pop();
                }
                self.backward::<V, A, L, S>(grid, stripes(panel), probabilities, &mut flow, sink);
            }
        }
        scratch.flow = flow;
        scratch.probabilities = buffer;
        scratch.checkpoints = checkpoints;
        end
    }

    /// Stripes whose probabilities are kept at a time, a whole number of groups.
    fn panel_stripes(self, grid: Grid, slots: usize) -> usize {
        let stripe_bytes = grid.blocks * grid.block_len() * size_of::<f32>();
        if grid.stripes * stripe_bytes <= self.panel_bytes {
            return grid.stripes;
        }
        // A checkpoint takes as much as a fixed share of a stripe: the sum of both is least at a root.
        let checkpoint_bytes = grid.boundary_len() * (size_of::<f32>() + size_of::<i32>());
        let balanced = (grid.stripes * checkpoint_bytes / stripe_bytes).isqrt();
        balanced.max(self.panel_bytes / stripe_bytes).max(1).next_multiple_of(slots)
    }

    unsafe fn forward<V, T, const L: usize, const S: usize, const KEEP: bool>(
        self,
        grid: Grid,
        stripes: std::ops::Range<usize>,
        tiles: &mut T,
        boundary: &mut Boundary<'_>,
        probabilities: *mut f32,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
    {
        let Self { gamma, weights, .. } = self;
        macro_rules! sweep {
            ($distinct:expr) => {{
                let lanes = PhantomData::<V>;
                let sweep = forward::Sweep::<V, T, L, S, { $distinct }, KEEP> {
                    grid,
                    stripes,
                    tiles,
                    gamma,
                    weights,
                    boundary,
                    probabilities,
                    lanes,
                };
                // SAFETY: the caller vouches for the hardware and the probabilities; `boundary` made the boundary.
                unsafe { V::outline(sweep) }
            }};
        }
        match distinct_weights(weights) {
            distinct::NONE => sweep!(distinct::NONE),
            distinct::HORIZONTAL => sweep!(distinct::HORIZONTAL),
            _ => sweep!(distinct::ALL),
        }
    }

    unsafe fn backward<V, A, const L: usize, const S: usize>(
        self,
        grid: Grid,
        stripes: std::ops::Range<usize>,
        probabilities: *const f32,
        flow: &mut [f32],
        sink: &mut A,
    ) where
        V: Lanes<L>,
        A: AlignmentTiles<V, L>,
    {
        let weights = self.readout;
        let lanes = PhantomData::<V>;
        // SAFETY: the caller vouches for the hardware and the probabilities.
        unsafe {
            if weights == StepWeights::UNIT {
                let tiles = sink;
                V::outline(backward::Sweep::<V, A, L, S, true> {
                    grid,
                    stripes,
                    probabilities,
                    weights,
                    flow,
                    tiles,
                    lanes,
                });
            } else {
                let tiles = sink;
                V::outline(backward::Sweep::<V, A, L, S, false> {
                    grid,
                    stripes,
                    probabilities,
                    weights,
                    flow,
                    tiles,
                    lanes,
                });
            }
        }
    }
}

impl Scratch {
    fn boundary(&mut self, grid: Grid) -> Boundary<'_> {
        self.mantissa.resize(grid.boundary_len(), 1.0);
        self.exponent.resize(grid.boundary_len(), 0);
        Boundary { mantissa: &mut self.mantissa, exponent: &mut self.exponent }
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::{MatrixAlignment, MatrixCosts};
    use super::*;
    use crate::readout::MatrixMut;
    use crate::reference;
    use crate::simd::portable::Portable;

    fn costs(n: usize, m: usize, scale: f32) -> Vec<f32> {
        let mut state = (n * 1009 + m) as u64 + 88_172_645_463_325_252;
        (0..n * m)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                scale * -((state >> 11) as f32 / (1u64 << 53) as f32 + 1e-7).ln()
            })
            .collect()
    }

    /// The greatest difference of H from the reference over shapes, weights, gammas and panels.
    fn check<V: Lanes<L>, const L: usize, const S: usize>() {
        let mut scratch = Scratch::default();
        let shapes =
            (1..=19).map(|k| (k, 20 - k)).chain((1..=18).map(|k| (40 + k, 33 + k))).chain([(1, 1), (3, 40), (70, 5)]);
        for (n, m) in shapes {
            let shape = Shape::new(n, m).unwrap();
            for weights in
                [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap(), StepWeights::new(0.0, 2.0, 0.7).unwrap()]
            {
                for (gamma, scale) in [(0.01, 1.0), (1.0, 1.0), (100.0, 1.0), (1.0, 100.0), (1.0, 1e-3)] {
                    let costs = costs(n, m, scale);
                    let wide: Vec<f64> = costs.iter().copied().map(f64::from).collect();
                    let truth = reference::align(&wide, n, m, gamma, weights);
                    for panel_bytes in [PANEL_BYTES, 1] {
                        for readout in [weights, StepWeights::UNIT] {
                            let job = Job { shape, gamma, weights, readout, panel_bytes };
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
}
