//! One pair by the wavefront: chooses how its tiles are made and gathered, and runs the sweeps.

use super::job::{Job, Scratch as RunScratch};
use super::tiles::combined::Together;
use super::tiles::dense::{DenseCosts, DenseGather, DenseScratch, Form, GatherScratch};
use super::tiles::few_features::{
    MOST_FEATURES, NarrowCosts, NarrowGather, NarrowGatherScratch, NarrowScratch, NarrowTargets,
};
use super::tiles::matrix::{MatrixAlignment, MatrixCosts};
use super::tiles::sparse::{SparseCosts, SparseGather, SparseGatherScratch, SparseScratch, SparseTargets};
use super::tiles::{AlignmentTiles, CostTiles};
use crate::matrix::MatrixMut;
use crate::scaled::Scaled;
use crate::simd::Lanes;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct Scratch {
    run: RunScratch,
    dense: DenseScratch,
    dense_gather: GatherScratch,
    sparse: SparseScratch,
    sparse_gather: SparseGatherScratch,
    sparse_targets: SparseTargets,
    narrow: NarrowScratch,
    narrow_gather: NarrowGatherScratch,
    narrow_targets: NarrowTargets,
}

/// What is swept: costs in inner-product form or as a matrix.
#[derive(Clone, Copy)]
pub enum Costs<'a> {
    /// C = u + phi - V W^T.
    Form(Form<'a>),
    /// C itself, rows `stride` apart.
    Matrix {
        /// N rows.
        costs: &'a [f32],
        /// Entries from one row to the next.
        stride: usize,
    },
}

/// What is wanted of the sweep.
pub enum Wanted<'a, 'o> {
    /// The value alone.
    Value,
    /// H (or E, by the readout of the job) as a matrix.
    Matrix(&'a mut MatrixMut<'o, f32>),
    /// h (N,) and H W (N,D); the costs must be in form.
    Products {
        /// Row sums.
        h: &'a mut [f32],
        /// Products with W.
        hw: &'a mut [f32],
        /// What else the same sweep shall give.
        also: Option<Also<'a, 'o>>,
    },
}

/// What a sweep for products can give beside them.
pub struct Also<'a, 'o> {
    /// H as a matrix.
    pub matrix: Option<&'a mut MatrixMut<'o, f32>>,
    /// The entropy of the distribution of paths, to about 1e-6 for each of the N + M frames.
    pub entropy: &'a mut f64,
}

/// Stripes side by side: latency asks for four, ...
const SLOTS: usize = 4;
/// ... but sparse targets, whose tiles take the longer, for less padding.
const SPARSE_SLOTS: usize = 2;

/// How tiles of a form are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dense,
    Sparse,
    Narrow,
}

/// Entries other than 0 below this share of D go by sums.
const SPARSE_SHARE: f64 = 1.0 / 6.0;

fn kind(form: Form<'_>, targets: usize) -> Kind {
    if form.d <= MOST_FEATURES {
        Kind::Narrow
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
    costs: Costs<'_>,
    wanted: Wanted<'_, '_>,
    scratch: &mut Scratch,
) -> Scaled {
    let grid = |slots| job.grid(L, slots);
    let Scratch { run, dense, sparse, narrow, sparse_targets, narrow_targets, .. } = scratch;
    match costs {
        Costs::Matrix { costs, stride } => {
            let mut tiles = MatrixCosts::new(costs, stride, job.shape);
            without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, wanted, run)
        }
        Costs::Form(form) => match kind(form, job.shape.m) {
            Kind::Dense => {
                let mut tiles = DenseCosts::<SLOTS>::new(lanes, form, grid(SLOTS), dense);
                let Wanted::Products { h, hw, also } = wanted else {
                    return without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, wanted, run);
                };
                let gather = DenseGather::<SLOTS>::new(form, grid(SLOTS), &mut scratch.dense_gather);
                let (end, gather) = gathered::<_, _, _, L, SLOTS>(lanes, job, &mut tiles, gather, also, run);
                gather.write(h, hw);
                end
            }
            Kind::Sparse => {
                let grid = grid(SPARSE_SLOTS);
                sparse_targets.fill(form, grid);
                let mut tiles = SparseCosts::new(lanes, form, grid, sparse_targets, sparse);
                let Wanted::Products { h, hw, also } = wanted else {
                    return without_form::<_, _, L, SPARSE_SLOTS>(lanes, job, &mut tiles, wanted, run);
                };
                let gather = SparseGather::<SPARSE_SLOTS>::new(grid, sparse_targets, &mut scratch.sparse_gather);
                let (end, gather) = gathered::<_, _, _, L, SPARSE_SLOTS>(lanes, job, &mut tiles, gather, also, run);
                gather.write(lanes, h, hw);
                end
            }
            Kind::Narrow => {
                narrow_targets.fill(form, grid(SLOTS));
                let mut tiles = NarrowCosts::new(form, grid(SLOTS), narrow_targets, narrow);
                let Wanted::Products { h, hw, also } = wanted else {
                    return without_form::<_, _, L, SLOTS>(lanes, job, &mut tiles, wanted, run);
                };
                let gather = NarrowGather::<SLOTS>::new(grid(SLOTS), narrow_targets, &mut scratch.narrow_gather);
                let (end, gather) = gathered::<_, _, _, L, SLOTS>(lanes, job, &mut tiles, gather, also, run);
                gather.write(h, hw);
                end
            }
        },
    }
}

/// H into a gather, and what else is wanted of the sweep.
fn gathered<V, T, G, const L: usize, const S: usize>(
    lanes: V,
    job: Job<'_>,
    tiles: &mut T,
    mut gather: G,
    also: Option<Also<'_, '_>>,
    scratch: &mut RunScratch,
) -> (Scaled, G)
where
    V: Lanes<L>,
    T: CostTiles<V, L> + Sync,
    G: AlignmentTiles<V, L> + Sync,
{
    let Some(Also { matrix, entropy }) = also else {
        return (job.align::<_, _, _, L, S>(lanes, tiles, &mut gather, scratch), gather);
    };
    let mut sums = vec![0.0; job.grid(L, S).stripes];
    let matrix = matrix.map(|matrix| MatrixAlignment::new(matrix, job.shape));
    let mut together = Together::new(gather, matrix, &mut sums);
    let end = job.align::<_, _, _, L, S>(lanes, tiles, &mut together, scratch);
    gather = together.into_gather();
    *entropy = sums.iter().sum();
    (end, gather)
}

/// The value, or H as a matrix.
fn without_form<V, T, const L: usize, const S: usize>(
    lanes: V,
    job: Job<'_>,
    tiles: &mut T,
    wanted: Wanted<'_, '_>,
    scratch: &mut RunScratch,
) -> Scaled
where
    V: Lanes<L>,
    T: CostTiles<V, L> + Sync,
{
    match wanted {
        Wanted::Value => job.value::<_, _, L, S>(lanes, tiles, scratch),
        Wanted::Matrix(out) => {
            let mut sink = MatrixAlignment::new(out, job.shape);
            job.align::<_, _, _, L, S>(lanes, tiles, &mut sink, scratch)
        }
        Wanted::Products { .. } => unreachable!("products with W need the costs in form"),
    }
}
