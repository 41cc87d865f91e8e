//! One pair by the wavefront: chooses how its tiles are made and gathered, and runs the sweeps.

use super::job::{Job, SweepScratch};
use super::tiles::columns::{ColumnGather, ColumnScratch};
use super::tiles::combined::{CombinedSink, NoGather};
use super::tiles::dense::{DenseCosts, DenseGather, DenseGatherScratch, DenseScratch};
use super::tiles::distance::{DistanceFrames, DistanceGather, DistanceGatherScratch, DistanceScratch, DistanceSlices};
use super::tiles::few_features::{
    FewFeaturesCosts, FewFeaturesGather, FewFeaturesGatherScratch, FewFeaturesScratch, FewFeaturesTargets,
    MOST_FEATURES,
};
use super::tiles::masked::{MaskedCosts, MaskedGather};
use super::tiles::matrix::{MatrixAlignment, MatrixCosts, clear_outside};
use super::tiles::sparse::{SparseCosts, SparseGather, SparseGatherScratch, SparseScratch, SparseTargets};
use super::tiles::{AlignmentTiles, CostTiles, FormSlices};
use super::windows::Window;
use crate::kernel::Moments;
use crate::matrix::MatrixMut;
use crate::scaled::Scaled;
use crate::simd::{Lanes, Number};

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct WavefrontScratch<R> {
    sweep: SweepScratch<R>,
    pub(super) dense: DenseScratch<R>,
    dense_gather: DenseGatherScratch<R>,
    pub(super) sparse: SparseScratch<R>,
    sparse_gather: SparseGatherScratch<R>,
    pub(super) sparse_targets: SparseTargets<R>,
    pub(super) few_features: FewFeaturesScratch<R>,
    few_features_gather: FewFeaturesGatherScratch<R>,
    pub(super) few_features_targets: FewFeaturesTargets<R>,
    pub(super) distance: DistanceScratch<R>,
    distance_gather: DistanceGatherScratch<R>,
    columns: ColumnScratch<R>,
}

/// The costs that are swept: in inner-product form, under a distance or as a matrix.
#[derive(Clone, Copy)]
pub enum Costs<'a, R> {
    /// C = u + phi - V W^T.
    Form(FormSlices<'a, R>),
    /// A distance of frames.
    Distance(DistanceSlices<'a, R>),
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
    /// h (N,) and H W (N,D); the costs must have frames.
    ///
    /// Under a distance the gradients take the place of the products: dSDTW/dx that of H W, dSDTW/dy that of H^T V; with no
    /// room for the first, neither is made.
    Products {
        /// Row sums.
        h: &'a mut [R],
        /// Products with W.
        hw: &'a mut [R],
        /// Further outputs of the same sweep.
        extra: Option<ExtraOutputs<'a, 'o, R>>,
    },
    /// The further outputs alone.
    Extra(ExtraOutputs<'a, 'o, R>),
}

/// Outputs that a sweep can give beside others.
pub struct ExtraOutputs<'a, 'o, R> {
    /// H as a matrix.
    pub matrix: Option<&'a mut MatrixMut<'o, R>>,
    /// Sums over rows; the costs must be in form, or h be wanted too.
    pub columns: Option<ColumnSums<'a, R>>,
    /// The sums over all cells that are asked for.
    pub sums: SumsOverCells,
    /// Where these sums go.
    pub moments: &'a mut Moments,
}

/// Sums over rows.
pub struct ColumnSums<'a, R> {
    /// Column sums of H (M,).
    pub h: &'a mut [R],
    /// H^T V (M,D).
    pub hv: &'a mut [R],
}

/// Sums over all cells that a backward sweep can make on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumsOverCells {
    /// None.
    Nothing,
    /// The entropy.
    Entropy,
    /// The entropy and the costs of each step.
    Moments,
}

/// Stripes side by side: latency asks for four.
pub(super) const SLOTS: usize = 4;
/// Stripes side by side of sparse targets: their tiles take longer, so that less padding counts for more.
pub(super) const SPARSE_SLOTS: usize = 2;

/// Ways to make tiles of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By matrix products.
    Dense,
    /// By the entries of W other than 0.
    Sparse,
    /// Feature by feature.
    FewFeatures,
}

/// The share of D below which entries of W other than 0 are added one by one.
const SPARSE_SHARE: f64 = 1.0 / 6.0;

/// Chooses the way that serves a form with so many targets best.
pub(super) fn kind<R: Number>(form: FormSlices<'_, R>, targets: usize) -> Kind {
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
    let WavefrontScratch {
        sweep,
        dense,
        sparse,
        few_features,
        sparse_targets,
        few_features_targets,
        distance,
        columns,
        ..
    } = scratch;
    let v = match costs {
        Costs::Form(FormSlices { v, d, .. }) => Some((v, d, columns)),
        Costs::Matrix { .. } | Costs::Distance(_) => None,
    };
    match costs {
        Costs::Matrix { costs, stride } => {
            let mut tiles = MatrixCosts::new(costs, stride, job.shape);
            without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, output, v, sweep)
        }
        Costs::Distance(slices) => {
            let frames = DistanceFrames::new(lanes, slices, grid(SLOTS), distance);
            let mut tiles = DenseCosts::<_, SLOTS>::of_distance(frames, grid(SLOTS));
            let SweepOutput::Products { h, hw, mut extra } = output else {
                return without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, output, v, sweep);
            };
            let of_columns = extra.as_mut().and_then(|extra| extra.columns.take());
            let gradients = (!hw.is_empty())
                .then(|| DistanceGather::new(frames, grid(SLOTS), of_columns.is_some(), &mut scratch.distance_gather));
            let gather = DenseGather::<_, SLOTS>::of_distance(gradients, grid(SLOTS), &mut scratch.dense_gather);
            let (end, gather) = gathered::<_, _, _, L, SLOTS>(lanes, job, &mut tiles, gather, extra, v, sweep);
            gather.write(lanes, h, hw, of_columns.map(|sums| sums.hv));
            end
        }
        Costs::Form(form) => match kind(form, job.shape.m) {
            Kind::Dense => {
                let mut tiles = DenseCosts::<_, SLOTS>::new(lanes, form, grid(SLOTS), dense);
                let SweepOutput::Products { h, hw, extra } = output else {
                    return without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, output, v, sweep);
                };
                let gather = DenseGather::<_, SLOTS>::new(form, grid(SLOTS), &mut scratch.dense_gather);
                let (end, gather) = gathered::<_, _, _, L, SLOTS>(lanes, job, &mut tiles, gather, extra, v, sweep);
                gather.write(lanes, h, hw, None);
                end
            }
            Kind::Sparse => {
                let grid = grid(SPARSE_SLOTS);
                sparse_targets.fill(form, grid);
                let mut tiles = SparseCosts::new(lanes, form, grid, sparse_targets, sparse);
                let SweepOutput::Products { h, hw, extra } = output else {
                    return without_form::<_, _, L, SPARSE_SLOTS>(lanes, job, &mut tiles, output, v, sweep);
                };
                let gather = SparseGather::<_, SPARSE_SLOTS>::new(grid, sparse_targets, &mut scratch.sparse_gather);
                let (end, gather) =
                    gathered::<_, _, _, L, SPARSE_SLOTS>(lanes, job, &mut tiles, gather, extra, v, sweep);
                gather.write(lanes, h, hw);
                end
            }
            Kind::FewFeatures => {
                few_features_targets.fill(form, grid(SLOTS));
                let mut tiles = FewFeaturesCosts::new(form, grid(SLOTS), few_features_targets, few_features);
                let SweepOutput::Products { h, hw, extra } = output else {
                    return without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, output, v, sweep);
                };
                let gather = FewFeaturesGather::<_, SLOTS>::new(
                    grid(SLOTS),
                    few_features_targets,
                    &mut scratch.few_features_gather,
                );
                let (end, gather) = gathered::<_, _, _, L, SLOTS>(lanes, job, &mut tiles, gather, extra, v, sweep);
                gather.write(h, hw);
                end
            }
        },
    }
}

/// V (N,D), D, and memory for the sums over rows.
type OfColumns<'a, R> = Option<(&'a [R], usize, &'a mut ColumnScratch<R>)>;

/// Gathers H, and makes the extra outputs of the same sweep, which may be masked.
fn gathered<V, T, G, const L: usize, const S: usize>(
    lanes: V,
    job: Job<'_>,
    tiles: &mut T,
    mut gather: G,
    extra: Option<ExtraOutputs<'_, '_, V::Real>>,
    v: OfColumns<'_, V::Real>,
    scratch: &mut SweepScratch<V::Real>,
) -> (Scaled, G)
where
    V: Lanes<L>,
    T: CostTiles<V, L> + Sync,
    G: AlignmentTiles<V, L> + Sync,
{
    let Some(mask) = job.mask else { return swept::<_, _, _, L, S>(lanes, job, tiles, gather, extra, v, scratch) };
    let grid = job.grid::<V, L>(S);
    let Some(windows) = Window::of_groups(mask.columns, grid, S) else { return (Scaled::ZERO, gather) };
    let job = Job { windows: Some(&windows), ..job };
    let mut tiles = MaskedCosts::new(tiles.for_thread(), mask, job.shape);
    let mut extra = extra;
    if let Some(ExtraOutputs { matrix: Some(matrix), .. }) = &mut extra {
        clear_outside(matrix, job.shape, L, job.windows(grid, S));
    }
    let taker = MaskedGather::Lent(&mut gather);
    let end = swept::<_, _, _, L, S>(lanes, job, &mut tiles, taker, extra, v, scratch).0;
    (end, gather)
}

/// Gathers H, and makes the extra outputs of the same sweep. Under a mask it tells less of them apart, so that fewer kinds of
/// sweeps are compiled.
fn swept<V, T, G, const L: usize, const S: usize>(
    lanes: V,
    job: Job<'_>,
    tiles: &mut T,
    mut gather: G,
    extra: Option<ExtraOutputs<'_, '_, V::Real>>,
    v: OfColumns<'_, V::Real>,
    scratch: &mut SweepScratch<V::Real>,
) -> (Scaled, G)
where
    V: Lanes<L>,
    T: CostTiles<V, L> + Sync,
    G: AlignmentTiles<V, L> + Sync,
{
    let mut unused = Moments::default();
    let ExtraOutputs { matrix, columns, sums, moments } = match extra {
        Some(extra) => extra,
        None if !G::IS_MASKED => return (job.align::<_, _, _, L, S>(lanes, tiles, &mut gather, scratch), gather),
        None => ExtraOutputs { matrix: None, columns: None, sums: SumsOverCells::Nothing, moments: &mut unused },
    };
    let grid = job.grid::<V, L>(S);
    let mut of_stripes = vec![Moments::default(); grid.stripes];
    let matrix = matrix.map(|matrix| MatrixAlignment::new(matrix, job.shape));
    let of_columns = match (&columns, v) {
        (Some(_), Some((v, d, scratch))) => Some(ColumnGather::new(v, d, grid, scratch)),
        (Some(_), None) => unreachable!("sums over rows of V need the costs in form"),
        (None, _) => None,
    };
    macro_rules! align {
        ($entropy:literal, $steps:literal) => {{
            let mut sink = CombinedSink::<_, _, $entropy, $steps>::new(gather, of_columns, matrix, &mut of_stripes);
            let end = job.align::<_, _, _, L, S>(lanes, tiles, &mut sink, scratch);
            (end, sink.into_gathers())
        }};
    }
    let (end, (gather, of_columns)) = match sums {
        SumsOverCells::Nothing => align!(false, false),
        SumsOverCells::Entropy if !G::IS_MASKED => align!(true, false),
        SumsOverCells::Entropy | SumsOverCells::Moments => align!(true, true),
    };
    if let (Some(of_columns), Some(ColumnSums { h, hv })) = (of_columns, columns) {
        of_columns.write(h, hv);
    }
    *moments = of_stripes.iter().copied().fold(Moments::default(), Moments::plus);
    (end, gather)
}

/// Makes the value, H as a matrix, or what needs no gather.
fn without_form<V, T, const L: usize, const S: usize>(
    lanes: V,
    job: Job<'_>,
    tiles: &mut T,
    output: SweepOutput<'_, '_, V::Real>,
    v: OfColumns<'_, V::Real>,
    scratch: &mut SweepScratch<V::Real>,
) -> Scaled
where
    V: Lanes<L>,
    T: CostTiles<V, L> + Sync,
{
    match (output, job.mask) {
        (SweepOutput::Value, None) => job.value::<_, _, L, S>(lanes, tiles, scratch),
        (SweepOutput::Value, Some(mask)) => {
            let windows = Window::of_groups(mask.columns, job.grid::<V, L>(S), S);
            let Some(windows) = windows else { return Scaled::ZERO };
            let mut tiles = MaskedCosts::new(tiles.for_thread(), mask, job.shape);
            Job { windows: Some(&windows), ..job }.value::<_, _, L, S>(lanes, &mut tiles, scratch)
        }
        (SweepOutput::Matrix(out), Some(_)) => {
            let (sums, moments) = (SumsOverCells::Nothing, &mut Moments::default());
            let extra = ExtraOutputs { matrix: Some(out), columns: None, sums, moments };
            gathered::<_, _, _, L, S>(lanes, job, tiles, NoGather, Some(extra), v, scratch).0
        }
        (SweepOutput::Matrix(out), None) => {
            let mut sink = MatrixAlignment::new(out, job.shape);
            job.align::<_, _, _, L, S>(lanes, tiles, &mut sink, scratch)
        }
        (SweepOutput::Extra(extra), _) => {
            gathered::<_, _, _, L, S>(lanes, job, tiles, NoGather, Some(extra), v, scratch).0
        }
        (SweepOutput::Products { .. }, _) => unreachable!("products with W need the costs in form"),
    }
}
