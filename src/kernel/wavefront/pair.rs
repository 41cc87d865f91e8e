//! One pair by the wavefront: chooses how its tiles are made and gathered, and runs the sweeps.

use super::form::FormSlices;
use super::job::{Job, SweepScratch};
use super::tiles::combined::CombinedSink;
use super::tiles::dense::{DenseCosts, DenseGather, DenseGatherScratch, DenseScratch};
use super::tiles::few_features::{
    FewFeaturesCosts, FewFeaturesGather, FewFeaturesGatherScratch, FewFeaturesScratch, FewFeaturesTargets,
    MOST_FEATURES,
};
use super::tiles::matrix::{MatrixAlignment, MatrixCosts};
use super::tiles::sparse::{SparseCosts, SparseGather, SparseGatherScratch, SparseScratch, SparseTargets};
use super::tiles::{AlignmentTiles, CostTiles};
use crate::matrix::MatrixMut;
use crate::scaled::Scaled;
use crate::simd::{Lanes, Number};

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct WavefrontScratch<R> {
    sweep: SweepScratch<R>,
    dense: DenseScratch<R>,
    dense_gather: DenseGatherScratch<R>,
    sparse: SparseScratch<R>,
    sparse_gather: SparseGatherScratch<R>,
    sparse_targets: SparseTargets<R>,
    few_features: FewFeaturesScratch<R>,
    few_features_gather: FewFeaturesGatherScratch<R>,
    few_features_targets: FewFeaturesTargets<R>,
}

/// The costs that are swept: in inner-product form or as a matrix.
#[derive(Clone, Copy)]
pub enum Costs<'a, R> {
    /// C = u + phi - V W^T.
    Form(FormSlices<'a, R>),
    /// C itself, rows `stride` apart.
    Matrix {
        /// N rows.
        costs: &'a [R],
        /// Entries from one row to the next.
        stride: usize,
    },
}

/// The output of a sweep that is asked for.
pub enum SweepOutput<'a, 'o, R> {
    /// The value alone.
    Value,
    /// H (or E, by the readout of the job) as a matrix.
    Matrix(&'a mut MatrixMut<'o, R>),
    /// h (N,) and H W (N,D); the costs must be in form.
    Products {
        /// Row sums.
        h: &'a mut [R],
        /// Products with W.
        hw: &'a mut [R],
        /// Further outputs of the same sweep.
        extra: Option<ExtraOutputs<'a, 'o, R>>,
    },
}

/// Outputs that a sweep for products can give beside them.
pub struct ExtraOutputs<'a, 'o, R> {
    /// H as a matrix.
    pub matrix: Option<&'a mut MatrixMut<'o, R>>,
    /// The entropy of the distribution of paths, to about 1e-6 for each of the N + M frames.
    pub entropy: &'a mut f64,
}

/// Stripes side by side: latency asks for four.
const SLOTS: usize = 4;
/// Stripes side by side of sparse targets: their tiles take longer, so that less padding counts for more.
const SPARSE_SLOTS: usize = 2;

/// Ways to make tiles of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dense,
    Sparse,
    FewFeatures,
}

/// The share of D below which entries of W other than 0 are added one by one.
const SPARSE_SHARE: f64 = 1.0 / 6.0;

fn kind<R: Number>(form: FormSlices<'_, R>, targets: usize) -> Kind {
    if form.d <= MOST_FEATURES {
        Kind::FewFeatures
    } else if SparseTargets::density(form.w, targets) < SPARSE_SHARE * form.d as f64 {
        Kind::Sparse
    } else {
        Kind::Dense
    }
}

/// Runs one job.
pub fn run<V: Lanes<L>, const L: usize>(
    lanes: V,
    job: Job<'_>,
    costs: Costs<'_, V::Real>,
    output: SweepOutput<'_, '_, V::Real>,
    scratch: &mut WavefrontScratch<V::Real>,
) -> Scaled {
    let grid = |slots| job.grid::<V, L>(slots);
    let WavefrontScratch { sweep, dense, sparse, few_features, sparse_targets, few_features_targets, .. } = scratch;
    match costs {
        Costs::Matrix { costs, stride } => {
            let mut tiles = MatrixCosts::new(costs, stride, job.shape);
            without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, output, sweep)
        }
        Costs::Form(form) => match kind(form, job.shape.m) {
            Kind::Dense => {
                let mut tiles = DenseCosts::<_, SLOTS>::new(lanes, form, grid(SLOTS), dense);
                let SweepOutput::Products { h, hw, extra } = output else {
                    return without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, output, sweep);
                };
                let gather = DenseGather::<_, SLOTS>::new(form, grid(SLOTS), &mut scratch.dense_gather);
                let (end, gather) = gathered::<_, _, _, L, SLOTS>(lanes, job, &mut tiles, gather, extra, sweep);
                gather.write(h, hw);
                end
            }
            Kind::Sparse => {
                let grid = grid(SPARSE_SLOTS);
                sparse_targets.fill(form, grid);
                let mut tiles = SparseCosts::new(lanes, form, grid, sparse_targets, sparse);
                let SweepOutput::Products { h, hw, extra } = output else {
                    return without_form::<_, _, L, SPARSE_SLOTS>(lanes, job, &mut tiles, output, sweep);
                };
                let gather = SparseGather::<_, SPARSE_SLOTS>::new(grid, sparse_targets, &mut scratch.sparse_gather);
                let (end, gather) = gathered::<_, _, _, L, SPARSE_SLOTS>(lanes, job, &mut tiles, gather, extra, sweep);
                gather.write(lanes, h, hw);
                end
            }
            Kind::FewFeatures => {
                few_features_targets.fill(form, grid(SLOTS));
                let mut tiles = FewFeaturesCosts::new(form, grid(SLOTS), few_features_targets, few_features);
                let SweepOutput::Products { h, hw, extra } = output else {
                    return without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, output, sweep);
                };
                let gather = FewFeaturesGather::<_, SLOTS>::new(
                    grid(SLOTS),
                    few_features_targets,
                    &mut scratch.few_features_gather,
                );
                let (end, gather) = gathered::<_, _, _, L, SLOTS>(lanes, job, &mut tiles, gather, extra, sweep);
                gather.write(h, hw);
                end
            }
        },
    }
}

/// Gathers H, and makes the extra outputs of the same sweep.
fn gathered<V, T, G, const L: usize, const S: usize>(
    lanes: V,
    job: Job<'_>,
    tiles: &mut T,
    mut gather: G,
    extra: Option<ExtraOutputs<'_, '_, V::Real>>,
    scratch: &mut SweepScratch<V::Real>,
) -> (Scaled, G)
where
    V: Lanes<L>,
    T: CostTiles<V, L> + Sync,
    G: AlignmentTiles<V, L> + Sync,
{
    let Some(ExtraOutputs { matrix, entropy }) = extra else {
        return (job.align::<_, _, _, L, S>(lanes, tiles, &mut gather, scratch), gather);
    };
    let mut sums = vec![0.0; job.grid::<V, L>(S).stripes];
    let matrix = matrix.map(|matrix| MatrixAlignment::new(matrix, job.shape));
    let mut combined = CombinedSink::new(gather, matrix, &mut sums);
    let end = job.align::<_, _, _, L, S>(lanes, tiles, &mut combined, scratch);
    gather = combined.into_gather();
    *entropy = sums.iter().sum();
    (end, gather)
}

/// Makes the value, or H as a matrix.
fn without_form<V, T, const L: usize, const S: usize>(
    lanes: V,
    job: Job<'_>,
    tiles: &mut T,
    output: SweepOutput<'_, '_, V::Real>,
    scratch: &mut SweepScratch<V::Real>,
) -> Scaled
where
    V: Lanes<L>,
    T: CostTiles<V, L> + Sync,
{
    match output {
        SweepOutput::Value => job.value::<_, _, L, S>(lanes, tiles, scratch),
        SweepOutput::Matrix(out) => {
            let mut sink = MatrixAlignment::new(out, job.shape);
            job.align::<_, _, _, L, S>(lanes, tiles, &mut sink, scratch)
        }
        SweepOutput::Products { .. } => unreachable!("products with W need the costs in form"),
    }
}
