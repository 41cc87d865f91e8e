//! One pair along a direction: chooses how its tiles are made and gathered, and runs the sweeps.

use super::super::Grid;
use super::super::dispatch::LaneWork;
use super::super::job::Job;
use super::super::pair::{ColumnSums, Kind, SLOTS as FORWARD_SLOTS, SPARSE_SLOTS, kind};
use super::super::tiles::columns::{ColumnGather, ColumnScratch};
use super::super::tiles::dense::{DenseCosts, DenseGather, DenseGatherScratch, DenseScratch};
use super::super::tiles::few_features::{
    FewFeaturesCosts, FewFeaturesGather, FewFeaturesGatherScratch, FewFeaturesScratch, FewFeaturesTargets,
};
use super::super::tiles::matrix::{MatrixAlignment, MatrixCosts};
use super::super::tiles::sparse::{SparseCosts, SparseGather, SparseGatherScratch, SparseScratch, SparseTargets};
use super::super::tiles::{CostTiles, FormSlices};
use super::SLOTS;
use super::backward::Takers;
use super::forward::LaneDirection;
use super::sweeps::TangentSweepScratch;
use super::tiles::{DirectionTiles, TakesTiles};
use crate::kernel::tangent::Tangent;
use crate::matrix::MatrixMut;
use crate::scaled::Scaled;
use crate::simd::Lanes;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct TangentLanesScratch {
    sweeps: TangentSweepScratch,
    /// Targets of the costs, and of the two terms of their direction.
    targets: [PackedTargets; 3],
    tiles: [TileScratch; 3],
    /// Sums for H' W, H W and H W'.
    gathers: [GatherScratch; 3],
    /// Sums for V^T H', V^T H and V'^T H.
    columns: [ColumnScratch<f64>; 3],
}

#[derive(Default)]
struct PackedTargets {
    sparse: SparseTargets<f64>,
    few_features: FewFeaturesTargets<f64>,
}

#[derive(Default)]
struct TileScratch {
    dense: DenseScratch<f64>,
    sparse: SparseScratch<f64>,
    few_features: FewFeaturesScratch<f64>,
}

#[derive(Default)]
struct GatherScratch {
    dense: DenseGatherScratch<f64>,
    sparse: SparseGatherScratch<f64>,
    few_features: FewFeaturesGatherScratch<f64>,
}

/// The costs of a pair, their direction, and where H' and H go.
#[expect(clippy::large_enum_variant, reason = "there is one a pair")]
pub enum TangentCosts<'a> {
    /// Costs in inner-product form.
    Form {
        /// The form.
        form: FormSlices<'a, f64>,
        /// Its direction.
        direction: FormDirection<'a>,
        /// Products that are asked for.
        products: FormProducts<'a>,
    },
    /// Costs as a matrix.
    Matrix {
        /// C: N rows of M entries.
        costs: &'a [f64],
        /// C'; `None` is 0.
        direction: Option<&'a [f64]>,
        /// Entries from one row of either to the next.
        stride: usize,
        /// H' + a H.
        out: MatrixMut<'a, f64>,
    },
}

/// A direction of an inner-product form: C' = u' + phi' - V' W^T - V W'^T.
#[derive(Clone, Copy, Default)]
pub struct FormDirection<'a> {
    /// u' (N,) and V' (N,D); `None` is 0.
    pub predictions: Option<(&'a [f64], &'a [f64])>,
    /// phi' (M,) and W' (M,D); `None` is 0.
    pub targets: Option<(&'a [f64], &'a [f64])>,
}

/// Row sums (N,), and a product (N,D).
pub type RowSums<'a> = (&'a mut [f64], &'a mut [f64]);

/// Row sums of a matrix (N,M) with its product with W, and column sums with the product with V, where they are asked for.
#[derive(Default)]
pub struct Products<'a> {
    /// Sums over each row.
    pub rows: Option<RowSums<'a>>,
    /// Column sums (M,), product (M,D).
    pub columns: Option<ColumnSums<'a, f64>>,
}

/// Products with H' and H.
#[derive(Default)]
pub struct FormProducts<'a> {
    /// Products of H' + a H with W and V.
    pub changes: Products<'a>,
    /// Products of H with W and V.
    pub alignment: Products<'a>,
    /// Products of H with W' and V', where these are not 0.
    pub along: Products<'a>,
}

/// A pair and a direction of gamma and step weights.
pub struct TangentOfPair<'a> {
    /// The pair; one thread does it.
    pub job: Job<'a>,
    /// Its costs.
    pub costs: TangentCosts<'a>,
    /// g'.
    pub gamma: f64,
    /// w'.
    pub weights: [f64; 3],
    /// a, by which the gradient itself is added to its change, except that of gamma.
    pub gradient: f64,
    /// Asks for the changes of the gradients of gamma and step weights.
    pub wants_sums: bool,
    /// Memory.
    pub scratch: &'a mut TangentLanesScratch,
}

enum FormTiles<'a> {
    Dense(DenseCosts<'a, f64, SLOTS>),
    Sparse(SparseCosts<'a, f64>),
    FewFeatures(FewFeaturesCosts<'a, f64>),
}

impl PackedTargets {
    fn fill(&mut self, kind: Kind, form: FormSlices<'_, f64>, grid: Grid) {
        match kind {
            Kind::Dense => {}
            Kind::Sparse => self.sparse.fill(form, grid),
            Kind::FewFeatures => self.few_features.fill(form, grid),
        }
    }
}

impl<'a> FormTiles<'a> {
    fn new<V: Lanes<L, Real = f64>, const L: usize>(
        lanes: V,
        (kind, form): (Kind, FormSlices<'a, f64>),
        grid: Grid,
        targets: &'a PackedTargets,
        scratch: &'a mut TileScratch,
    ) -> Self {
        match kind {
            Kind::Dense => Self::Dense(DenseCosts::new(lanes, form, grid, &mut scratch.dense)),
            Kind::Sparse => Self::Sparse(SparseCosts::new(lanes, form, grid, &targets.sparse, &mut scratch.sparse)),
            Kind::FewFeatures => {
                Self::FewFeatures(FewFeaturesCosts::new(form, grid, &targets.few_features, &mut scratch.few_features))
            }
        }
    }

    fn as_tiles<V: Lanes<L, Real = f64>, const L: usize>(&mut self) -> &mut dyn DirectionTiles<V, L> {
        match self {
            Self::Dense(tiles) => tiles,
            Self::Sparse(tiles) => tiles,
            Self::FewFeatures(tiles) => tiles,
        }
    }
}

enum RowGather<'a> {
    Dense(DenseGather<'a, f64, SLOTS>),
    Sparse(SparseGather<'a, f64, SLOTS>),
    FewFeatures(FewFeaturesGather<'a, f64, SLOTS>),
}

impl<'a> RowGather<'a> {
    fn new(
        (kind, form): (Kind, FormSlices<'_, f64>),
        grid: Grid,
        targets: &'a PackedTargets,
        scratch: &'a mut GatherScratch,
    ) -> Self {
        match kind {
            Kind::Dense => Self::Dense(DenseGather::new(form, grid, &mut scratch.dense)),
            Kind::Sparse => Self::Sparse(SparseGather::new(grid, &targets.sparse, &mut scratch.sparse)),
            Kind::FewFeatures => {
                Self::FewFeatures(FewFeaturesGather::new(grid, &targets.few_features, &mut scratch.few_features))
            }
        }
    }

    fn as_taker<V: Lanes<L, Real = f64>, const L: usize>(&mut self) -> &mut dyn TakesTiles<V, L> {
        match self {
            Self::Dense(gather) => gather,
            Self::Sparse(gather) => gather,
            Self::FewFeatures(gather) => gather,
        }
    }

    fn write<V: Lanes<L, Real = f64>, const L: usize>(self, lanes: V, h: &mut [f64], hw: &mut [f64]) {
        match self {
            Self::Dense(gather) => gather.write(lanes, h, hw, None),
            Self::Sparse(gather) => gather.write(lanes, h, hw),
            Self::FewFeatures(gather) => gather.write(h, hw),
        }
    }
}

/// Gathers of one matrix, and where they go.
struct Gather<'a> {
    rows: Option<(RowGather<'a>, RowSums<'a>)>,
    columns: Option<(ColumnGather<'a, f64>, ColumnSums<'a, f64>)>,
}

impl<'a> Gather<'a> {
    /// Makes those that are asked for: with the W of a form, whose targets are packed, and with V.
    fn new(
        products: Products<'a>,
        (form, targets): (Option<(Kind, FormSlices<'_, f64>)>, &'a PackedTargets),
        v: Option<&'a [f64]>,
        grid: Grid,
        (of_rows, of_columns): (&'a mut GatherScratch, &'a mut ColumnScratch<f64>),
    ) -> Self {
        let Products { rows, columns } = products;
        let rows = rows.zip(form);
        let columns = columns.zip(v);
        Self {
            rows: rows.map(|(out, form)| (RowGather::new(form, grid, targets, of_rows), out)),
            columns: columns.map(|(out, v)| (ColumnGather::new(v, v.len() / grid.shape.n, grid, of_columns), out)),
        }
    }

    fn takers<V: Lanes<L, Real = f64>, const L: usize>(&mut self) -> impl Iterator<Item = &mut dyn TakesTiles<V, L>> {
        let rows = self.rows.iter_mut().map(|(gather, _)| gather.as_taker());
        rows.chain(self.columns.iter_mut().map(|(gather, _)| gather as &mut dyn TakesTiles<V, L>))
    }

    fn write<V: Lanes<L, Real = f64>, const L: usize>(self, lanes: V) {
        if let Some((gather, (h, hw))) = self.rows {
            gather.write(lanes, h, hw);
        }
        if let Some((gather, ColumnSums { h, hv })) = self.columns {
            gather.write(h, hv);
        }
    }
}

/// A [`TangentOfPair`] less its costs, which have become tiles.
struct Rest<'a> {
    job: Job<'a>,
    gamma: f64,
    weights: [f64; 3],
    gradient: f64,
    wants_sums: bool,
}

impl Rest<'_> {
    fn run<V: Lanes<L, Real = f64>, T: CostTiles<V, L>, const L: usize, const S: usize>(
        self,
        lanes: V,
        tiles: &mut T,
        costs: Vec<&mut dyn DirectionTiles<V, L>>,
        takers: &mut Takers<'_, V, L>,
        scratch: &mut TangentSweepScratch,
    ) -> (Scaled, Tangent) {
        let Self { job, gamma, weights, gradient, wants_sums } = self;
        let mut direction = LaneDirection { costs, gamma, weights };
        job.tangent::<V, T, L, S>(lanes, tiles, &mut direction, (gradient, wants_sums), takers, scratch)
    }
}

impl LaneWork<f64> for TangentOfPair<'_> {
    type Output = (Scaled, Tangent);

    fn run<V: Lanes<L, Real = f64>, const L: usize>(self, lanes: V) -> (Scaled, Tangent) {
        let Self { job, costs, gamma, weights, gradient, wants_sums, scratch } = self;
        let rest = Rest { job, gamma, weights, gradient, wants_sums };
        let TangentLanesScratch { sweeps, targets, tiles, gathers, columns } = scratch;
        match costs {
            TangentCosts::Matrix { costs, direction, stride, mut out } => {
                let mut tiles = MatrixCosts::new(costs, stride, job.shape);
                let mut along = direction.map(|costs| MatrixCosts::new(costs, stride, job.shape));
                let along = along.iter_mut().map(|tiles| tiles as &mut dyn DirectionTiles<V, L>).collect();
                let mut taker = MatrixAlignment::new(&mut out, job.shape);
                let takers = &mut Takers { changes: vec![&mut taker], alignment: vec![] };
                rest.run::<V, _, L, FORWARD_SLOTS>(lanes, &mut tiles, along, takers, sweeps)
            }
            TangentCosts::Form { form, direction, products } => {
                let of_form = (kind(form, job.shape.m), form);
                let slots = if of_form.0 == Kind::Sparse { SPARSE_SLOTS } else { FORWARD_SLOTS };
                let grid = job.grid::<V, L>(slots);
                let of_predictions = direction
                    .predictions
                    .map(|(u, v)| (of_form.0, FormSlices { u, v, phi: &[], squares: None, ..form }));
                let of_targets = direction.targets.map(|(phi, w)| {
                    let form = FormSlices { u: &[], phi, w, squares: None, ..form };
                    (kind(form, job.shape.m), form)
                });
                let terms = [Some(of_form), of_predictions, of_targets];
                for (targets, term) in targets.iter_mut().zip(terms) {
                    if let Some((kind, form)) = term {
                        targets.fill(kind, form, grid);
                    }
                }
                let [tiles, tiles_of_predictions, tiles_of_targets] = tiles;
                let mut of_predictions =
                    of_predictions.map(|term| FormTiles::new(lanes, term, grid, &targets[1], tiles_of_predictions));
                let mut along_targets =
                    of_targets.map(|term| FormTiles::new(lanes, term, grid, &targets[2], tiles_of_targets));
                let direction_tiles =
                    of_predictions.iter_mut().chain(&mut along_targets).map(FormTiles::as_tiles).collect();
                let FormProducts { changes, alignment, along } = products;
                let [of_changes, of_alignment, of_along] = gathers;
                let [changed_columns, columns, columns_along] = columns;
                let v_along = direction.predictions.map(|(_, v)| v);
                let (from, v) = ((Some(of_form), &targets[0]), Some(form.v));
                let mut changes = Gather::new(changes, from, v, grid, (of_changes, changed_columns));
                let mut alignment = Gather::new(alignment, from, v, grid, (of_alignment, columns));
                let from = (of_targets, &targets[2]);
                let mut along = Gather::new(along, from, v_along, grid, (of_along, columns_along));
                let takers = &mut Takers {
                    changes: changes.takers().collect(),
                    alignment: alignment.takers().chain(along.takers()).collect(),
                };
                let result = match of_form.0 {
                    Kind::Dense => {
                        let mut tiles = DenseCosts::<_, FORWARD_SLOTS>::new(lanes, form, grid, &mut tiles.dense);
                        rest.run::<V, _, L, FORWARD_SLOTS>(lanes, &mut tiles, direction_tiles, takers, sweeps)
                    }
                    Kind::Sparse => {
                        let mut tiles = SparseCosts::new(lanes, form, grid, &targets[0].sparse, &mut tiles.sparse);
                        rest.run::<V, _, L, SPARSE_SLOTS>(lanes, &mut tiles, direction_tiles, takers, sweeps)
                    }
                    Kind::FewFeatures => {
                        let mut tiles =
                            FewFeaturesCosts::new(form, grid, &targets[0].few_features, &mut tiles.few_features);
                        rest.run::<V, _, L, FORWARD_SLOTS>(lanes, &mut tiles, direction_tiles, takers, sweeps)
                    }
                };
                for gather in [changes, alignment, along] {
                    gather.write(lanes);
                }
                result
            }
        }
    }
}
