//! Hard DTW on lanes of float64: the wavefront of [`super`] with a minimum in the place of the sum.
//!
//! D itself is held in the lanes, +inf where there is no path. Candidates are rounded and compared as in
//! [`crate::kernel::hard::rows`], so that on the same costs value and path are the same to the bit, ties included. Of each
//! step two masks of L bits are kept if a path is wanted ([`steps`]); the way back reads them cell by cell. A band is swept
//! in windows of blocks ([`windows`]), its edges are made of +inf costs ([`banded`]).
//!
//! float32 inputs are swept in float64 too: a sweep without exponentials is bound by its costs, and near ties, sums over
//! long paths and differences of large products are then what they are for float64. One thread sweeps a pair.

mod banded;
mod norms;
mod steps;
mod sweep;
mod windows;

use std::ops::Range;

use self::banded::BandedCosts;
use self::steps::KeptSteps;
use self::sweep::HardSweep;
use super::Grid;
use super::pair::{Kind, SLOTS, SPARSE_SLOTS, WavefrontScratch, kind};
use super::tiles::dense::DenseCosts;
use super::tiles::distance::{DistanceFrames, DistanceSlices};
use super::tiles::few_features::{FewFeaturesCosts, MOST_FEATURES};
use super::tiles::sparse::SparseCosts;
use super::tiles::widened::WidenedCosts;
use super::tiles::{CostTiles, FormSlices};
use crate::kernel::hard::path::HardPath;
use crate::real::Real;
use crate::shape::Shape;
use crate::simd::Lanes;
use crate::weights::StepWeights;

/// A pair to be swept.
#[derive(Clone, Copy, Debug)]
pub struct HardJob<'a> {
    /// N and M.
    pub shape: Shape,
    /// The step weights.
    pub weights: StepWeights,
    /// The allowed columns of each row.
    pub band: Option<&'a [Range<usize>]>,
    /// The steps are kept, for [`HardScratch::path`].
    pub keeps_steps: bool,
}

/// The costs that are swept.
#[derive(Clone, Copy)]
pub enum HardCosts<'a, F> {
    /// C = u + phi - V W^T, all of it finite.
    Form(FormSlices<'a, f64>),
    /// A distance of frames, all of it finite.
    Distance(DistanceSlices<'a, f64>),
    /// C itself, rows `stride` apart; +inf forbids a cell.
    Matrix {
        /// N rows.
        costs: &'a [F],
        /// Entries from one row to the next.
        stride: usize,
    },
}

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct HardScratch {
    column: Vec<f64>,
    steps: KeptSteps,
    u: Vec<f64>,
    phi: Vec<f64>,
}

impl HardScratch {
    /// The path of a sweep that kept its steps and yielded the value.
    pub fn path(&self, value: f64, shape: Shape) -> HardPath {
        if value.is_finite() {
            HardPath::walk_back(value, shape, |n, m| self.steps.step_into(n, m))
        } else {
            HardPath::without_cells(value)
        }
    }
}

/// An upper estimate of the working memory of a sweep beside its costs, in bytes.
pub fn bytes(Shape { n, m }: Shape, keeps_steps: bool) -> usize {
    // Rows and columns are padded by at most four blocks and a stripe.
    let (rows, columns) = (n.saturating_add(32), m.saturating_add(8));
    let steps = if keeps_steps { rows.saturating_mul(columns) / 4 } else { 0 };
    let boundary =
        rows.saturating_add(40).saturating_mul(2 * size_of::<f64>()).saturating_add(columns * size_of::<f64>());
    let windows = (columns / 16 + 2) * size_of::<windows::Window>() * 2;
    steps.saturating_add(boundary).saturating_add(windows)
}

/// Runs one job and yields D(N,M), +inf where there is no path. Nothing comes of costs that hold a NaN or -inf.
pub fn run<V: Lanes<L, Real = f64>, F: Real, const L: usize>(
    lanes: V,
    job: HardJob<'_>,
    costs: HardCosts<'_, F>,
    tiles: &mut WavefrontScratch<f64>,
    scratch: &mut HardScratch,
) -> Option<f64> {
    let grid = |slots| Grid::new(job.shape, L, slots, false);
    let HardScratch { column, steps, u, phi } = scratch;
    let of_sweep = (column, steps);
    match costs {
        HardCosts::Matrix { costs, stride } => {
            let mut tiles = WidenedCosts::new(costs, stride, job.shape);
            job.sweep::<_, _, L, SLOTS, true>(lanes, &mut tiles, of_sweep)
        }
        HardCosts::Distance(slices) => {
            let frames = DistanceFrames::new(lanes, slices, grid(SLOTS), &mut tiles.distance);
            let mut tiles = DenseCosts::<_, SLOTS>::of_distance(frames, grid(SLOTS));
            job.sweep::<_, _, L, SLOTS, false>(lanes, &mut tiles, of_sweep)
        }
        HardCosts::Form(form) => {
            let factor = form.squares.and_then(|squares| squares.factors.first()).copied().unwrap_or_default();
            let is_even = form.squares.is_some_and(|squares| squares.factors.iter().all(|&each| each == factor));
            let form = if is_even && (factor == 0.5 || factor == 1.0) && form.d > MOST_FEATURES {
                // v is 2 factor x.
                norms::write(lanes, form.v, form.d, 0.25 / factor, u);
                norms::write(lanes, form.w, form.d, factor, phi);
                FormSlices { u, phi, ..form }
            } else {
                form
            };
            match kind(form, job.shape.m) {
                Kind::FewFeatures => {
                    let grid = grid(SLOTS);
                    tiles.few_features_targets.fill(form, grid);
                    let targets = &tiles.few_features_targets;
                    let mut tiles = FewFeaturesCosts::new(form, grid, targets, &mut tiles.few_features);
                    job.sweep::<_, _, L, SLOTS, false>(lanes, &mut tiles, of_sweep)
                }
                // Products alone are summed as the norms are.
                Kind::Sparse if form.squares.is_none() => {
                    let grid = grid(SPARSE_SLOTS);
                    tiles.sparse_targets.fill(form, grid);
                    let mut tiles = SparseCosts::new(lanes, form, grid, &tiles.sparse_targets, &mut tiles.sparse);
                    job.sweep::<_, _, L, SPARSE_SLOTS, false>(lanes, &mut tiles, of_sweep)
                }
                _ => {
                    let mut tiles = DenseCosts::<_, SLOTS>::new(lanes, form, grid(SLOTS), &mut tiles.dense);
                    job.sweep::<_, _, L, SLOTS, false>(lanes, &mut tiles, of_sweep)
                }
            }
        }
    }
}

impl HardJob<'_> {
    /// Sweeps over the tiles; with `CHECKED` they may hold what is no cost.
    fn sweep<V, T, const L: usize, const S: usize, const CHECKED: bool>(
        self,
        lanes: V,
        tiles: &mut T,
        (column, steps): (&mut Vec<f64>, &mut KeptSteps),
    ) -> Option<f64>
    where
        V: Lanes<L, Real = f64>,
        T: CostTiles<V, L>,
    {
        let Self { shape, weights, band, keeps_steps } = self;
        let grid = Grid::new(shape, L, S, false);
        steps.lay_out(grid, S, band, keeps_steps);
        let tiles = BandedCosts::<_, CHECKED>::new(tiles, band, shape.m);
        lanes.outline(HardSweep::<_, _, L, S, CHECKED> { lanes, grid, weights, tiles, column, steps, keeps_steps })
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::InstructionSet;
    use super::super::form::PairForm;
    use super::*;
    use crate::band::Band;
    use crate::cost::inner_product::InnerProduct;
    use crate::cost::{Cost, CostMatrix, CostRows, WeightedCost};
    use crate::kernel::hard::path::Step;
    use crate::kernel::hard::rows;

    const WEIGHTS: [[f64; 3]; 7] = [
        [1.0, 1.0, 1.0],
        [1.0, 1.0, 2.0],
        [2.0, 1.0, 1.0],
        [0.5, 1.0, 2.0],
        [0.0, 1.0, 0.25],
        [0.3, 1.1, 0.7],
        [1.0, 0.5, 0.0],
    ];
    /// Around lanes of 4 and 8, and groups of 4 stripes of each.
    const SIZES: [(usize, usize); 18] = [
        (1, 1),
        (1, 2),
        (2, 1),
        (1, 70),
        (70, 1),
        (3, 4),
        (4, 3),
        (5, 5),
        (7, 8),
        (8, 9),
        (9, 7),
        (15, 16),
        (17, 33),
        (32, 31),
        (33, 32),
        (64, 65),
        (100, 37),
        (37, 130),
    ];

    fn sets() -> impl Iterator<Item = InstructionSet> {
        InstructionSet::ALL.iter().map(|&(_, set)| set).filter(|set| set.is_available())
    }

    fn weights([horizontal, vertical, diagonal]: [f64; 3]) -> StepWeights {
        StepWeights::new(horizontal, vertical, diagonal).unwrap()
    }

    /// Numbers in [0,1).
    fn numbers(seed: usize, count: usize) -> impl Iterator<Item = f64> {
        let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..count).map(move |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        })
    }

    fn by_lanes<F: Real>(
        set: InstructionSet,
        job: HardJob<'_>,
        costs: HardCosts<'_, F>,
        scratch: &mut HardScratch,
    ) -> Option<HardPath> {
        let tiles = &mut WavefrontScratch::default();
        let value = set.run_hard(HardJob { keeps_steps: false, ..job }, costs, tiles, scratch);
        let kept = set.run_hard(HardJob { keeps_steps: true, ..job }, costs, tiles, scratch);
        assert_eq!(value, kept, "the value alone is that of the path");
        kept.map(|value| scratch.path(value, job.shape))
    }

    /// Lanes give value and path of the rows to the bit, on costs inside a larger matrix.
    fn assert_same<F: Real>(costs: &[f64], job: HardJob<'_>, scratch: &mut HardScratch) {
        let Shape { n, m } = job.shape;
        let stride = m + 3;
        let mut strided = vec![F::from_f64(f64::NAN); n * stride];
        for (row, costs) in strided.chunks_exact_mut(stride).zip(costs.chunks_exact(m)) {
            row.iter_mut().zip(costs).for_each(|(to, &from)| *to = F::from_f64(from));
        }
        let expected = rows::align(&CostMatrix { costs: &strided, stride }, job.shape, job.band, job.weights);
        for set in sets() {
            let got = by_lanes(set, job, HardCosts::Matrix { costs: &strided, stride }, scratch);
            assert_eq!(got.as_ref(), Some(&expected), "{set:?} {job:?}");
        }
    }

    /// Runs a check on every size, kind of weights and band, with a scratch that goes from one to the next.
    fn everywhere(check: impl Fn(usize, HardJob<'_>, &mut HardScratch)) {
        let scratch = &mut HardScratch::default();
        for (k, &(n, m)) in SIZES.iter().enumerate() {
            let shape = Shape::new(n, m).unwrap();
            let bands = [
                None,
                Some(Band::SakoeChiba { radius: 3.0 }),
                Some(Band::SakoeChiba { radius: 20.0 }),
                Some(Band::Itakura { max_slope: 2.5 }),
            ];
            for band in bands {
                let columns = match band.map(|band| band.columns(shape)) {
                    Some(Err(_)) => continue, // it leaves no path
                    Some(Ok(columns)) => Some(columns),
                    None => None,
                };
                // All weights without a band, a third of them within each.
                for (_, of_steps) in (0..).zip(WEIGHTS).filter(|(w, _)| band.is_none() || (w + k) % 3 == 0) {
                    let weights = weights(of_steps);
                    check(k, HardJob { shape, weights, band: columns.as_deref(), keeps_steps: true }, scratch);
                }
            }
        }
    }

    #[test]
    fn ties_fall_as_row_by_row() {
        everywhere(|seed, job, scratch| {
            let ties: Vec<f64> = numbers(seed, job.shape.cells()).map(|x| (3.0 * x).floor()).collect();
            assert_same::<f64>(&ties, job, scratch);
            assert_same::<f32>(&ties, job, scratch);
            assert_same::<f64>(&vec![0.0; job.shape.cells()], job, scratch);
            assert_same::<f32>(&vec![1.0; job.shape.cells()], job, scratch);
        });
    }

    #[test]
    fn any_costs_give_the_bits_of_the_rows() {
        everywhere(|seed, job, scratch| {
            let costs: Vec<f64> = numbers(seed, job.shape.cells()).map(|x| 0.1 + x).collect();
            assert_same::<f64>(&costs, job, scratch);
            assert_same::<f32>(&costs, job, scratch);
            let signed: Vec<f64> = costs.iter().map(|x| x - 0.6).collect();
            assert_same::<f64>(&signed, job, scratch);
        });
    }

    #[test]
    fn infinite_costs_forbid_cells_and_perhaps_all_paths() {
        let (mut with, mut without) = (0, 0);
        for share in [0.1, 0.4] {
            everywhere(|seed, job, scratch| {
                let ties = numbers(seed, job.shape.cells()).map(|x| (3.0 * x).floor());
                let holes = numbers(seed + 99, job.shape.cells()).map(|x| if x < share { f64::INFINITY } else { 0.0 });
                let costs: Vec<f64> = ties.zip(holes).map(|(tie, hole)| tie + hole).collect();
                assert_same::<f64>(&costs, job, scratch);
                assert_same::<f32>(&costs, job, scratch);
            });
            let shape = Shape::new(40, 40).unwrap();
            for seed in 0..20 {
                let costs: Vec<f64> =
                    numbers(seed, shape.cells()).map(|x| if x < share { f64::INFINITY } else { x }).collect();
                let path = rows::align(&CostMatrix { costs: &costs, stride: 40 }, shape, None, StepWeights::UNIT);
                if path.value.is_finite() { with += 1 } else { without += 1 }
            }
        }
        assert!(with > 5 && without > 5, "{with} {without}");
    }

    #[test]
    fn what_is_no_cost_is_found_inside_the_band_alone() {
        let shape = Shape::new(37, 45).unwrap();
        let band = Band::SakoeChiba { radius: 6.0 }.columns(shape).unwrap();
        for (n, m) in [(0, 0), (36, 44), (20, 24), (9, 11), (0, 44), (36, 0), (20, 3)] {
            for wrong in [f64::NAN, f64::NEG_INFINITY] {
                let mut costs: Vec<f64> = numbers(1, shape.cells()).collect();
                costs[n * shape.m + m] = wrong;
                for set in sets() {
                    for band in [None, Some(&band[..])] {
                        let job = HardJob { shape, weights: StepWeights::UNIT, band, keeps_steps: true };
                        let matrix = HardCosts::Matrix { costs: &costs[..], stride: shape.m };
                        let got = by_lanes(set, job, matrix, &mut HardScratch::default());
                        let is_inside = band.is_none_or(|band| band[n].contains(&m));
                        assert_eq!(got.is_none(), is_inside, "{set:?} {n},{m} {wrong}");
                    }
                }
            }
        }
    }

    /// The least sum over all paths from (0,0) on, by trying each.
    fn least_of_all(costs: &[f64], shape: Shape, weights: [f64; 3]) -> f64 {
        fn from(costs: &[f64], shape: Shape, weights: [f64; 3], (n, m): (usize, usize), so_far: f64) -> f64 {
            if (n, m) == (shape.n - 1, shape.m - 1) {
                return so_far;
            }
            [(n + 1, m), (n, m + 1), (n + 1, m + 1)]
                .into_iter()
                .zip(weights)
                .filter(|&((n, m), _)| n < shape.n && m < shape.m)
                .map(|(at, w)| from(costs, shape, weights, at, so_far + w * costs[at.0 * shape.m + at.1]))
                .fold(f64::INFINITY, f64::min)
        }
        from(costs, shape, weights, (0, 0), weights[2] * costs[0])
    }

    #[test]
    fn no_path_costs_less() {
        for (n, m) in [(1, 1), (1, 5), (5, 1), (2, 3), (4, 4), (5, 6), (6, 5)] {
            let shape = Shape::new(n, m).unwrap();
            for of_steps in WEIGHTS {
                let costs: Vec<f64> = numbers(n + 7 * m, shape.cells()).collect();
                let expected = least_of_all(&costs, shape, of_steps);
                for set in sets() {
                    let job = HardJob { shape, weights: weights(of_steps), band: None, keeps_steps: true };
                    let matrix = HardCosts::Matrix { costs: &costs[..], stride: m };
                    let path = by_lanes(set, job, matrix, &mut HardScratch::default()).unwrap();
                    let along: f64 = path
                        .cells_and_steps()
                        .map(|((n, m), step)| of_steps[step.index()] * costs[n * shape.m + m])
                        .sum();
                    assert!((path.value - expected).abs() <= 1e-13 && (along - expected).abs() <= 1e-13);
                }
            }
        }
    }

    #[test]
    fn equal_frames_cost_nothing_and_tie_as_row_by_row() {
        // Runs of equal frames, as silence is: any way through one costs nothing.
        let (n, m) = (60, 45);
        let shape = Shape::new(n, m).unwrap();
        for d in [2, 7, 33] {
            let kinds: Vec<f64> = numbers(d, 3 * d).map(|x| 10.0 * x - 3.0).collect();
            let frames = |count: usize| -> Vec<f64> {
                (0..count).flat_map(|k| kinds[k * 3 / count * d..][..d].to_vec()).collect()
            };
            let (x, y) = (frames(n), frames(m));
            for cost in [Cost::Mse, Cost::SquaredEuclidean].map(WeightedCost::plain) {
                let by_rows = InnerProduct::new(&cost, &x, &y, d);
                for of_steps in WEIGHTS {
                    let job = HardJob { shape, weights: weights(of_steps), band: None, keeps_steps: true };
                    let expected = rows::align(&by_rows, shape, None, job.weights);
                    assert_eq!(expected.value, 0.0);
                    for set in sets() {
                        let mut form = PairForm::default();
                        assert!(set.prepare(&cost, &x, &y, d, &mut form));
                        let costs = HardCosts::Form(form.slices(&x, &y));
                        let got = by_lanes::<f64>(set, job, costs, &mut HardScratch::default());
                        assert_eq!(got.as_ref(), Some(&expected), "{set:?} {cost:?} D={d} {of_steps:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn costs_in_form_give_what_their_rows_give() {
        let scratch = &mut HardScratch::default();
        let costs = [Cost::Mse, Cost::SquaredEuclidean, Cost::Bce, Cost::Poisson, Cost::CrossEntropyLogits];
        for (n, m) in [(1, 1), (1, 40), (40, 1), (33, 47), (70, 29)] {
            let shape = Shape::new(n, m).unwrap();
            let band = Band::SakoeChiba { radius: 9.0 }.columns(shape).unwrap();
            for d in [1, 3, 9, 40] {
                let x: Vec<f64> = numbers(d, n * d).map(|x| 0.01 + 0.98 * x).collect();
                let is_sparse = d == 40;
                let y: Vec<f64> =
                    numbers(d + 5, m * d).map(|y| if is_sparse { f64::from(u8::from(y < 0.06)) } else { y }).collect();
                for cost in costs.map(WeightedCost::plain) {
                    let by_rows = InnerProduct::new(&cost, &x, &y, d);
                    let mut form = PairForm::default();
                    for set in sets() {
                        assert!(set.prepare(&cost, &x, &y, d, &mut form));
                        let slices = form.slices(&x, &y);
                        for (band, of_steps) in [(None, WEIGHTS[0]), (Some(&band[..]), WEIGHTS[4]), (None, WEIGHTS[5])]
                        {
                            let job = HardJob { shape, weights: weights(of_steps), band, keeps_steps: true };
                            let expected = rows::align(&by_rows, shape, band, job.weights).value;
                            let got = by_lanes::<f64>(set, job, HardCosts::Form(slices), scratch).unwrap();
                            let mut row = vec![0.0; m];
                            let along = got.cells_and_steps().map(|((n, m), step): ((usize, usize), Step)| {
                                by_rows.write_row(n, m..m + 1, &mut row);
                                assert!((slices.cost(n, m) - row[m]).abs() <= 1e-13 * form.largest_cost());
                                of_steps[step.index()] * row[m]
                            });
                            let along: f64 = along.sum();
                            // Costs by products are exact beside their largest.
                            let tolerance = 1e-12 * (expected.abs() + form.largest_cost());
                            let told = format!("{set:?} {cost:?} {job:?} D={d}: {} {along} {expected}", got.value);
                            assert!((got.value - expected).abs() <= tolerance, "{told}");
                            assert!((along - expected).abs() <= tolerance, "{told}");
                        }
                    }
                }
            }
        }
    }
}
