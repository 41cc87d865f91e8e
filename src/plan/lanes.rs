//! The fast path: pairs by the wavefront, on lanes of their own precision.
//!
//! It takes what it can give exactly enough ([`super::route`]), and leaves the rest with a reason.

use std::ops::Range;

use super::memory::ask_for_memory;
use super::pair::{Pair, Recursion};
use super::route::{self, SlowPath};
use super::rowwise::no_path;
use crate::cost::{Cost, WeightedCost};
use crate::error::Error;
use crate::kernel::Moments;
use crate::kernel::wavefront::dispatch::{InstructionSet, OnLanes};
use crate::kernel::wavefront::form::{PairForm, narrowed_weights};
use crate::kernel::wavefront::job::{self, Job};
use crate::kernel::wavefront::kept;
use crate::kernel::wavefront::pair::{ColumnSums, Costs, ExtraOutputs, SumsOverCells, SweepOutput, WavefrontScratch};
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::kernel::wavefront::tiles::distance::DistanceSlices;
use crate::kernel::wavefront::tiles::masked::{Mask, finite_columns};
use crate::matrix::MatrixMut;
use crate::readout::Outputs;
use crate::shape::Shape;
use crate::simd::functions::eight_sums;
use crate::weights::StepWeights;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct LanesScratch<R> {
    pub(super) kernel: WavefrontScratch<R>,
    pub(super) form: PairForm<R>,
    /// The feature weights of a distance.
    pub(super) weights: Vec<R>,
    h: Vec<R>,
    hw: Vec<R>,
    column_sums: Vec<R>,
    hv: Vec<R>,
    /// The most that a pair has needed of it.
    bytes: usize,
}

impl<R> LanesScratch<R> {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The numbers that the fast path gives.
#[derive(Clone, Copy)]
pub struct OfLanes {
    /// D(N,M).
    pub value: f64,
    /// The entropy, when asked for.
    pub entropy: Option<f64>,
    /// The sums over all cells, when asked for.
    pub moments: Option<Moments>,
}

/// Tells which sums over all cells are asked for.
fn sums_over_cells<R>(outputs: &Outputs<'_, R>) -> SumsOverCells {
    if outputs.moments {
        SumsOverCells::Moments
    } else if outputs.entropy {
        SumsOverCells::Entropy
    } else {
        SumsOverCells::Nothing
    }
}

/// The numbers of a pair from what its sweeps gave, or the reason for another path.
fn numbers<R: OnLanes>(
    value: f64,
    mut sums: Moments,
    shape: Shape,
    recursion: &Recursion,
    outputs: &Outputs<'_, R>,
) -> Result<Result<OfLanes, SlowPath>, Error> {
    if value == f64::INFINITY {
        return Err(no_path(shape, recursion.band.is_some()));
    }
    if sums.entropy <= R::ENTROPY_OF_NOTHING * (shape.n + shape.m) as f64 {
        sums.entropy = 0.0;
    }
    if let Err(reason) = route::by_entropy(sums.entropy, shape, outputs) {
        return Ok(Err(reason));
    }
    let moments = outputs.moments.then_some(sums);
    Ok(Ok(OfLanes { value, entropy: outputs.entropy.then_some(sums.entropy), moments }))
}

/// An upper estimate of the working memory of the fast path, in bytes.
fn bytes<R>(shape: Shape, d: usize, threads: usize, outputs: &Outputs<'_, R>, is_masked: bool) -> usize {
    // Rows and columns are padded by less than a block and a group of stripes; a copy of v, w, each packed too, and
    // two of H W beside what is read off.
    let (rows, columns) = (shape.n + 64, shape.m + 128);
    let features = 5 * size_of::<R>() * (d + 32) * (rows + columns);
    let columns_of_features = if outputs.y_grad.is_some() { 2 * size_of::<R>() * (d + 1) * columns } else { 0 };
    let kept = match sums_over_cells(outputs) {
        SumsOverCells::Nothing => kept::PROBABILITIES,
        SumsOverCells::Entropy if !is_masked => kept::ALL_PROBABILITIES,
        SumsOverCells::Entropy | SumsOverCells::Moments => kept::COSTS,
    };
    features + columns_of_features + job::bytes::<R>(rows, columns, threads, kept)
}

/// Aligns a pair, or gives the reason why another path takes it.
pub fn align_pair<R: OnLanes>(
    pair: Pair<'_, R>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, R>,
    team: ThreadTeam<'_>,
    scratch: &mut LanesScratch<R>,
) -> Result<Result<OfLanes, SlowPath>, Error> {
    match route::by_request(recursion, outputs) {
        Ok(set) => align_pair_on(set, pair, cost, recursion, outputs, team, scratch),
        Err(reason) => Ok(Err(reason)),
    }
}

/// Aligns a pair on the lanes of a set.
fn align_pair_on<R: OnLanes>(
    set: InstructionSet,
    pair: Pair<'_, R>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, R>,
    team: ThreadTeam<'_>,
    scratch: &mut LanesScratch<R>,
) -> Result<Result<OfLanes, SlowPath>, Error> {
    let Pair { x, y, shape, d } = pair;
    let band = recursion.band.map(|band| band.columns(shape)).transpose()?;
    let needed = bytes::<R>(shape, d, team.threads, outputs, band.is_some());
    ask_for_memory(needed)?;
    scratch.bytes = scratch.bytes.max(needed);
    let LanesScratch { kernel, form, weights, h, hw, column_sums, hv, .. } = scratch;
    let has_form = cost.cost.has_modified_targets();
    let prepared = if has_form {
        prepare_form(set, cost, pair, recursion, form).map(|()| Costs::Form(form.slices(x, y)))
    } else {
        distance_of(set, cost, pair, recursion, weights).map(Costs::Distance)
    };
    let costs = match prepared {
        Ok(costs) => costs,
        Err(reason) => return Ok(Err(reason)),
    };
    let mask = band.as_deref().map(|columns| Mask { columns, is_band: true });
    let job = Job { mask, ..Job::new(shape, recursion.gamma, recursion.weights, team) };
    let (mut log_end, mut moments) = (None, Moments::default());
    let wants_x_grad = outputs.x_grad.is_some();
    // Under a distance both gradients are gathered together.
    let sums_rows = outputs.h.is_some()
        || wants_x_grad
        || if has_form { outputs.y_mod.is_some() } else { outputs.y_grad.is_some() };
    let sums = sums_over_cells(outputs);
    let has_extra = sums != SumsOverCells::Nothing || outputs.y_grad.is_some();
    if sums_rows || has_extra {
        if outputs.y_grad.is_some() {
            column_sums.resize(shape.m, R::default());
            hv.resize(shape.m * d, R::default());
        }
        // One sweep gives H too, and it need not be looked for again.
        let columns = outputs.y_grad.is_some().then_some(ColumnSums { h: column_sums, hv });
        let matrix = outputs.soft_alignment.as_mut();
        let extra = ExtraOutputs { matrix, columns, sums, moments: &mut moments };
        let output = if sums_rows {
            h.resize(shape.n, R::default());
            let gathers = has_form || wants_x_grad || outputs.y_grad.is_some();
            hw.resize(if gathers { shape.n * d } else { 0 }, R::default());
            SweepOutput::Products { h, hw, extra: has_extra.then_some(extra) }
        } else {
            SweepOutput::Extra(extra)
        };
        log_end = Some(set.run(job, costs, output, kernel).ln());
    }
    if log_end == Some(f64::NEG_INFINITY) {
        return Err(no_path(shape, band.is_some())); // and nothing to read out
    }
    if sums_rows {
        if let Some(out) = outputs.h.as_deref_mut() {
            out.copy_from_slice(h);
        }
        if let Some(out) = outputs.x_grad.as_deref_mut() {
            if has_form { set.x_gradient(cost.cost, x, form, (h, hw), out) } else { out.copy_from_slice(hw) }
        }
        if let (Some(out), true) = (outputs.y_mod.as_deref_mut(), has_form) {
            form.modified_targets(h, hw, out);
        }
    }
    if let Some(out) = outputs.y_grad.as_deref_mut() {
        if has_form { set.y_gradient(cost.cost, y, form, (column_sums, hv), out) } else { out.copy_from_slice(hv) }
    }
    let value = finish(set, job, costs, (log_end, has_extra), outputs, kernel, false);
    numbers(value, moments, shape, recursion, outputs)
}

/// Brings a pair into the inner-product form, or gives the reason why another path takes it.
fn prepare_form<R: OnLanes>(
    set: InstructionSet,
    cost: &WeightedCost,
    Pair { x, y, shape, d }: Pair<'_, R>,
    recursion: &Recursion,
    form: &mut PairForm<R>,
) -> Result<(), SlowPath> {
    if !set.prepare(cost, x, y, d, form) {
        return Err(SlowPath::Frames);
    }
    let products_of = form.is_squared().then_some(d);
    route::by_size_of_costs::<R>(form.largest_cost(), products_of, recursion.band.is_some(), shape, recursion)
}

/// Takes a pair under a distance as it is, or gives the reason why another path takes it.
fn distance_of<'a, R: OnLanes>(
    set: InstructionSet,
    cost: &WeightedCost,
    Pair { x, y, shape, d }: Pair<'a, R>,
    recursion: &Recursion,
    weights: &'a mut Vec<R>,
) -> Result<DistanceSlices<'a, R>, SlowPath> {
    let mut is_euclidean = cost.cost == Cost::Euclidean;
    let mut feature_weights = cost.feature_weights.clone();
    if d == 1 && is_euclidean {
        // sqrt(f (x-y)^2) = sqrt(f) |x-y|, which is exact.
        is_euclidean = false;
        feature_weights.iter_mut().flatten().for_each(|weight| *weight = weight.sqrt());
    }
    if !narrowed_weights(feature_weights.as_deref(), d, weights) {
        return Err(SlowPath::Frames);
    }
    let slices = DistanceSlices { x, y, weights, is_euclidean };
    let largest = set.largest_distance(slices);
    if is_euclidean {
        route::by_size_of_squares::<R>(largest, recursion)?;
    }
    route::by_size_of_costs::<R>(largest, None, recursion.band.is_some(), shape, recursion)?;
    Ok(slices)
}

/// Aligns by a cost matrix and yields the value, or gives the reason why another path takes it.
pub fn align_costs<R: OnLanes>(
    costs: &[R],
    stride: usize,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, R>,
    team: ThreadTeam<'_>,
    scratch: &mut LanesScratch<R>,
) -> Result<Result<OfLanes, SlowPath>, Error> {
    match route::by_request(recursion, outputs) {
        Ok(set) => align_costs_on(set, costs, stride, shape, recursion, outputs, team, scratch),
        Err(reason) => Ok(Err(reason)),
    }
}

/// Aligns by a cost matrix on the lanes of a set.
#[expect(clippy::too_many_arguments, reason = "those of `align_costs`, and the set")]
fn align_costs_on<R: OnLanes>(
    set: InstructionSet,
    costs: &[R],
    stride: usize,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, R>,
    team: ThreadTeam<'_>,
    scratch: &mut LanesScratch<R>,
) -> Result<Result<OfLanes, SlowPath>, Error> {
    let band = recursion.band.map(|band| band.columns(shape)).transpose()?;
    let largest = set.largest(costs, stride, shape);
    let is_masked = largest.forbids || band.is_some();
    if let Err(reason) = route::by_size_of_costs::<R>(largest.size, None, is_masked, shape, recursion) {
        return Ok(Err(reason));
    }
    let columns =
        if largest.forbids { common(finite_columns(costs, stride, shape), band.as_deref()) } else { band.clone() };
    let needed = bytes::<R>(shape, 0, team.threads, outputs, is_masked);
    ask_for_memory(needed)?;
    scratch.bytes = scratch.bytes.max(needed);
    if outputs.h.is_some() && outputs.soft_alignment.is_none() {
        ask_for_memory(shape.cells() * size_of::<R>())?; // h is summed from H
    }
    let costs = Costs::Matrix { costs, stride };
    let mask = columns.as_deref().map(|columns| Mask { columns, is_band: band.is_some() });
    let job = Job { mask, ..Job::new(shape, recursion.gamma, recursion.weights, team) };
    let (mut log_end, mut moments) = (None, Moments::default());
    let sums = sums_over_cells(outputs);
    let has_extra = sums != SumsOverCells::Nothing;
    if has_extra {
        let matrix = outputs.soft_alignment.as_mut();
        let extra = ExtraOutputs { matrix, columns: None, sums, moments: &mut moments };
        log_end = Some(set.run(job, costs, SweepOutput::Extra(extra), &mut scratch.kernel).ln());
    }
    let value = finish(set, job, costs, (log_end, has_extra), outputs, &mut scratch.kernel, true);
    numbers(value, moments, shape, recursion, outputs)
}

/// The columns of each row that both allow.
fn common(finite: Vec<Range<usize>>, band: Option<&[Range<usize>]>) -> Option<Vec<Range<usize>>> {
    let Some(band) = band else { return Some(finite) };
    let both = finite.into_iter().zip(band);
    Some(both.map(|(a, b)| a.start.max(b.start)..a.end.min(b.end)).collect())
}

/// Writes H (unless it `has_matrix`) and E where they are wanted, with `row_sums` h from H, and returns the value.
fn finish<R: OnLanes>(
    set: InstructionSet,
    job: Job<'_>,
    costs: Costs<'_, R>,
    (mut log_end, has_matrix): (Option<f64>, bool),
    outputs: &mut Outputs<'_, R>,
    kernel: &mut WavefrontScratch<R>,
    row_sums: bool,
) -> f64 {
    let Shape { n: rows, m } = job.shape;
    let mut own = vec![];
    let wants_sums = row_sums && outputs.h.is_some();
    for (readout, wanted, is_there) in
        [(job.readout, &mut outputs.soft_alignment, has_matrix), (StepWeights::UNIT, &mut outputs.visits, false)]
    {
        if let (Some(matrix), false) = (wanted, is_there) {
            log_end = Some(set.run(Job { readout, ..job }, costs, SweepOutput::Matrix(matrix), kernel).ln());
        }
    }
    if log_end == Some(f64::NEG_INFINITY) {
        return f64::INFINITY;
    }
    if wants_sums && let Some(h) = outputs.h.as_deref_mut() {
        let (entries, stride) = match &outputs.soft_alignment {
            Some(matrix) => (&*matrix.entries, matrix.stride),
            None => {
                own.resize(rows * m, R::default());
                let mut matrix = MatrixMut { entries: &mut own[..], stride: m };
                log_end = Some(set.run(job, costs, SweepOutput::Matrix(&mut matrix), kernel).ln());
                (&own[..], m)
            }
        };
        for (h, row) in h.iter_mut().zip(entries.chunks(stride)) {
            *h = eight_sums(&row[..m], |entry| entry);
        }
    }
    let log_end = log_end.unwrap_or_else(|| set.run(job, costs, SweepOutput::Value, kernel).ln());
    -job.gamma * log_end
}

#[cfg(test)]
mod tests {
    use super::super::rowwise::{self, RowsScratch};
    use super::*;
    use crate::band::Band;
    use crate::cost::distance::Distance;
    use crate::cost::inner_product::InnerProduct;
    use crate::cost::{Cost, CostMatrix, CostRows};
    use crate::readout::Features;
    use crate::real::Real;
    use crate::simd::Number;

    /// Arrays for the outputs of a pair.
    struct Arrays {
        value: f64,
        entropy: f64,
        h: Vec<f64>,
        y_mod: Vec<f64>,
        x_grad: Vec<f64>,
        y_grad: Vec<f64>,
        step_weights_grad: [f64; 3],
        soft_alignment: Vec<f64>,
        visits: Vec<f64>,
    }

    impl Arrays {
        /// Returns all that a run writes, its value and its sums over cells.
        fn of<R: Real>(pair: Pair<'_, R>, run: impl FnOnce(&mut Outputs<'_, R>) -> (f64, Moments)) -> Self {
            let Pair { shape, d, .. } = pair;
            let dirty = |count: usize| vec![R::from_f64(f64::NAN); count];
            let mut y_grad = dirty(shape.m * d);
            let (mut h, mut y_mod, mut x_grad) = (dirty(shape.n), dirty(shape.n * d), dirty(shape.n * d));
            let (mut soft_alignment, mut visits) = (dirty(shape.cells()), dirty(shape.cells()));
            let mut outputs = Outputs {
                h: Some(&mut h),
                y_mod: Some(&mut y_mod),
                x_grad: Some(&mut x_grad),
                y_grad: Some(&mut y_grad),
                soft_alignment: Some(MatrixMut { entries: &mut soft_alignment, stride: shape.m }),
                visits: Some(MatrixMut { entries: &mut visits, stride: shape.m }),
                moments: true,
                ..Outputs::default()
            };
            let (value, Moments { entropy, step_weights_grad }) = run(&mut outputs);
            let [h, y_mod, x_grad, y_grad, soft_alignment, visits] = [h, y_mod, x_grad, y_grad, soft_alignment, visits]
                .map(|array| array.into_iter().map(Real::to_f64).collect());
            Self { value, entropy, h, y_mod, x_grad, y_grad, step_weights_grad, soft_alignment, visits }
        }
    }

    fn numbers(seed: u64, count: usize) -> impl Iterator<Item = f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..count).map(move |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        })
    }

    /// Frames in the domain of every cost, the same numbers in both precisions; with 88 features targets of few ones.
    fn frames<R: Real>(Shape { n, m }: Shape, d: usize) -> (Vec<R>, Vec<R>) {
        let narrow = |x: f64| R::from_f64(f64::from(x as f32));
        let x = numbers(7, n * d).map(|x| narrow(0.01 + 0.98 * x)).collect();
        let of_y = |y: f64| if d == 88 { f64::from(u8::from(y < 0.05)) } else { y };
        (x, numbers(8, m * d).map(|y| narrow(of_y(y))).collect())
    }

    /// Returns what the row-wise kernel gives, and the size of the costs.
    fn by_rows<R: Real>(pair: Pair<'_, R>, cost: &WeightedCost, recursion: &Recursion) -> (Arrays, f64) {
        let Pair { x, y, shape, d } = pair;
        let (form, distance);
        let (features, costs): (_, &dyn CostRows) = if cost.cost.has_modified_targets() {
            form = InnerProduct::new(cost, x, y, d);
            (Features::InnerProduct { form: &form, cost, x, y, d }, &form)
        } else {
            distance = Distance::new(cost, x, y, d);
            (Features::Distance { distance: &distance, d }, &distance)
        };
        let mut matrix = vec![0.0; shape.cells()];
        for (n, row) in matrix.chunks_exact_mut(shape.m).enumerate() {
            costs.write_row(n, 0..shape.m, row);
        }
        let costs = CostMatrix { costs: &matrix, stride: shape.m };
        let arrays = Arrays::of(pair, |outputs| {
            let scratch = &mut RowsScratch::default();
            let result = rowwise::align(&costs, features, shape, recursion, outputs, scratch).unwrap();
            (result.value, result.moments.unwrap())
        });
        (arrays, matrix.iter().fold(0.0, |size: f64, cost| size.max(cost.abs())))
    }

    /// Compares what a set gives with the row-wise kernel.
    fn check<R: OnLanes>(
        set: InstructionSet,
        cost: &WeightedCost,
        pair: Pair<'_, R>,
        recursion: &Recursion,
        scratch: &mut LanesScratch<R>,
    ) {
        let Pair { shape, d, .. } = pair;
        let is_wide = R::ROUNDING < f32::ROUNDING;
        let told = format!("{set:?} {cost:?} {shape:?} D={d} {recursion:?}");
        let mut reason = None;
        let got = Arrays::of(pair, |outputs| {
            match align_pair_on(set, pair, cost, recursion, outputs, ThreadTeam::ALONE, scratch).unwrap() {
                Ok(OfLanes { value, moments, .. }) => (value, moments.unwrap()),
                Err(slow) => {
                    reason = Some(slow);
                    (f64::NAN, Moments::default())
                }
            }
        });
        // What is refused for its entropy has everything else all the same.
        assert!(reason.is_none() || !is_wide && reason == Some(SlowPath::SmallEntropy), "{told}: {reason:?}");
        let (expected, largest) = by_rows(pair, cost, recursion);
        // Beside the kernels' own error, costs may be rounded in another order, products to more than the costs.
        let of_costs = (1.0 + largest + d as f64) * R::ROUNDING / recursion.gamma;
        let of_sums = if is_wide { (shape.n + shape.m) as f64 } else { 8.0 };
        let tolerance = if is_wide { 1e-12 } else { 1e-5 } + of_costs * of_sums;
        let close = |name: &str, got: &[f64], expected: &[f64]| {
            let size = expected.iter().fold(1.0, |size: f64, e| size.max(e.abs()));
            for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
                assert!((got - expected).abs() <= tolerance * size, "{told} {name} {k}: {got} {expected}, {tolerance}");
            }
        };
        if reason.is_none() {
            close("value", &[got.value / recursion.gamma], &[expected.value / recursion.gamma]);
            close("entropy", &[got.entropy], &[expected.entropy]);
            close("step_weights_grad", &got.step_weights_grad, &expected.step_weights_grad);
        }
        close("h", &got.h, &expected.h);
        if cost.cost.has_modified_targets() {
            close("y_mod", &got.y_mod, &expected.y_mod);
        }
        close("x_grad", &got.x_grad, &expected.x_grad);
        close("y_grad", &got.y_grad, &expected.y_grad);
        close("H", &got.soft_alignment, &expected.soft_alignment);
        close("E", &got.visits, &expected.visits);
        assert!((got.visits[0] - 1.0).abs() <= tolerance);
    }

    /// Costs and numbers of features that take every way to tiles and gradients, plain and with weights.
    fn costs() -> Vec<(WeightedCost, usize)> {
        let plain = [
            (Cost::Mse, 1),
            (Cost::SquaredEuclidean, 3),
            (Cost::Mse, 13),
            (Cost::SquaredEuclidean, 32),
            (Cost::Bce, 88),
            (Cost::Bce, 5),
            (Cost::BceLogits, 9),
            (Cost::CrossEntropy, 9),
            (Cost::CrossEntropyLogits, 1),
            (Cost::CrossEntropyLogits, 9),
            (Cost::CrossEntropyLogits, 16),
            (Cost::CrossEntropyLogits, 88),
            (Cost::Poisson, 6),
            (Cost::PoissonLog, 6),
            (Cost::Cosine, 3),
            (Cost::Cosine, 16),
            (Cost::Cosine, 21),
            (Cost::Euclidean, 1),
            (Cost::Euclidean, 2),
            (Cost::Euclidean, 16),
            (Cost::Euclidean, 35),
            (Cost::L1, 1),
            (Cost::L1, 8),
            (Cost::L1, 17),
            (Cost::L1, 88),
        ]
        .map(|(cost, d)| (WeightedCost::plain(cost), d));
        let weighted = plain.clone().into_iter().map(|(mut cost, d)| {
            let is_bce = matches!(cost.cost, Cost::Bce | Cost::BceLogits);
            cost.feature_weights = Some((0..d).map(|k| if k % 5 == 3 { 0.0 } else { 0.3 + (k % 7) as f64 }).collect());
            cost.pos_weight = is_bce.then(|| (0..d).map(|k| 0.5 * (k % 6) as f64).collect());
            (cost, d)
        });
        plain.clone().into_iter().chain(weighted).collect()
    }

    fn compare_with_rows<R: OnLanes>(gammas: [f64; 3]) {
        for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            let mut scratch = LanesScratch::default(); // of any contents
            for (cost, d) in costs() {
                let shapes: &[_] =
                    if cost.feature_weights.is_none() { &[(1, 1), (9, 30), (41, 75)] } else { &[(21, 37)] };
                for &(n, m) in shapes {
                    let steps = [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.3, 1.0, 2.0)];
                    for ((horizontal, vertical, diagonal), gamma) in steps.into_iter().zip(gammas) {
                        let weights = StepWeights::new(horizontal, vertical, diagonal).unwrap();
                        let shape = Shape { n, m };
                        let (x, y) = frames::<R>(shape, d);
                        for band in [None, Some(Band::SakoeChiba { radius: 9.0 })] {
                            let recursion = &Recursion::new(gamma, weights, band).unwrap();
                            check(set, &cost, Pair { x: &x, y: &y, shape, d }, recursion, &mut scratch);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn float64_on_lanes_is_what_the_rowwise_kernel_gives() {
        compare_with_rows::<f64>([0.01, 1.0, 100.0]);
    }

    #[test]
    fn float32_on_lanes_is_what_the_rowwise_kernel_gives() {
        compare_with_rows::<f32>([0.1, 1.0, 100.0]);
    }

    /// Frames that agree have a distance of 0 and no gradient; large ones that nearly agree do not cancel.
    fn check_distances_of_close_frames<R: OnLanes>() {
        let (shape, d) = (Shape { n: 23, m: 23 }, 7);
        let recursion = &Recursion::new(0.5, StepWeights::UNIT, None).unwrap();
        for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            for cost in [Cost::Euclidean, Cost::L1] {
                for offset in [0.0, 1e5] {
                    let rounded = |x: f64| R::from_f64(f64::from((offset + x) as f32));
                    let x: Vec<R> = numbers(3, shape.n * d).map(rounded).collect();
                    let pair = Pair { x: &x, y: &x, shape, d };
                    check(set, &WeightedCost::plain(cost), pair, recursion, &mut LanesScratch::default());
                }
                // A single frame on a single frame: nothing but the kink.
                let x = [R::from_f64(0.3); 7];
                let pair = Pair { x: &x, y: &x, shape: Shape { n: 1, m: 1 }, d };
                let got = Arrays::of(pair, |outputs| {
                    let (cost, scratch) = (WeightedCost::plain(cost), &mut LanesScratch::default());
                    let team = ThreadTeam::ALONE;
                    let result = align_pair_on(set, pair, &cost, recursion, outputs, team, scratch).unwrap();
                    (result.map_or(0.0, |numbers| numbers.value), Moments::default())
                });
                assert_eq!(got.value, 0.0);
                assert!(got.x_grad.iter().chain(&got.y_grad).all(|&gradient| gradient == 0.0));
            }
        }
    }

    #[test]
    fn distances_of_close_frames_are_exact() {
        check_distances_of_close_frames::<f32>();
        check_distances_of_close_frames::<f64>();
    }

    /// A class of probability 0, where no target asks for it, is as good as not there.
    fn check_impossible_classes<R: OnLanes>() {
        let (shape, d) = (Shape { n: 20, m: 33 }, 19);
        let (mut x, mut y) = frames::<R>(shape, d);
        x.chunks_exact_mut(d).step_by(3).for_each(|frame| frame[17] = R::from_f64(f64::NEG_INFINITY));
        y.chunks_exact_mut(d).for_each(|target| target[17] = R::from_f64(0.0));
        let cost = WeightedCost::plain(Cost::CrossEntropyLogits);
        let recursion = &Recursion::new(100.0, StepWeights::UNIT, None).unwrap();
        for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            check(set, &cost, Pair { x: &x, y: &y, shape, d }, recursion, &mut LanesScratch::default());
            let refused = |x: &[R], y: &[R]| {
                let (pair, scratch) = (Pair { x, y, shape, d }, &mut LanesScratch::default());
                let outputs = &mut Outputs::default();
                align_pair_on(set, pair, &cost, recursion, outputs, ThreadTeam::ALONE, scratch).unwrap().err()
            };
            // A target that asks for the class, a frame without a softmax, an infinity of the other sign.
            let mut asking = y.clone();
            asking[17] = R::from_f64(0.5);
            assert_eq!(refused(&x, &asking), Some(SlowPath::Frames));
            for (count, logit) in [(d, f64::NEG_INFINITY), (1, f64::INFINITY), (1, f64::NAN)] {
                let mut x = x.clone();
                x[..count].fill(R::from_f64(logit));
                assert_eq!(refused(&x, &y), Some(SlowPath::Frames));
            }
        }
    }

    #[test]
    fn classes_of_probability_0_are_left_out() {
        check_impossible_classes::<f32>();
        check_impossible_classes::<f64>();
    }

    #[test]
    fn a_masked_class_costs_nothing_and_has_no_gradient() {
        let (x, y) = ([1.0, f64::NEG_INFINITY, 0.0], [1.0, 0.0, 0.0]);
        let softmax = [1f64.exp() / (1f64.exp() + 1.0), 0.0, 1.0 / (1f64.exp() + 1.0)];
        let pair = Pair { x: &x, y: &y, shape: Shape { n: 1, m: 1 }, d: 3 };
        let recursion = &Recursion::new(1.0, StepWeights::UNIT, None).unwrap();
        let (got, _) = by_rows(pair, &WeightedCost::plain(Cost::CrossEntropyLogits), recursion);
        assert!((got.value + softmax[0].ln()).abs() < 1e-15);
        for ((got, softmax), target) in got.x_grad.iter().zip(softmax).zip(y) {
            assert!((got - (softmax - target)).abs() < 1e-15);
        }
    }

    /// The value, the sums over cells, h, H and E by a cost matrix, or the error.
    fn of_costs<R: Real>(
        shape: Shape,
        run: impl FnOnce(&mut Outputs<'_, R>) -> Result<(f64, Moments), Error>,
    ) -> Result<(f64, Moments, [Vec<f64>; 3]), Error> {
        let dirty = |count: usize| vec![R::from_f64(f64::NAN); count];
        let (mut h, mut soft_alignment, mut visits) = (dirty(shape.n), dirty(shape.cells()), dirty(shape.cells()));
        let mut outputs = Outputs {
            h: Some(&mut h),
            soft_alignment: Some(MatrixMut { entries: &mut soft_alignment, stride: shape.m }),
            visits: Some(MatrixMut { entries: &mut visits, stride: shape.m }),
            moments: true,
            ..Outputs::default()
        };
        let (value, moments) = run(&mut outputs)?;
        let arrays = [h, soft_alignment, visits].map(|array| array.into_iter().map(Real::to_f64).collect());
        Ok((value, moments, arrays))
    }

    fn check_masked<R: OnLanes>(
        set: InstructionSet,
        costs: &[f64],
        shape: Shape,
        recursion: &Recursion,
        tolerance: f64,
    ) {
        let narrow: Vec<R> = costs.iter().map(|&cost| R::from_f64(cost)).collect();
        let told = format!("{set:?} {shape:?} {recursion:?}");
        let mut reason = None;
        let got = of_costs(shape, |outputs| {
            let (team, scratch) = (ThreadTeam::ALONE, &mut LanesScratch::default());
            match align_costs_on(set, &narrow, shape.m, shape, recursion, outputs, team, scratch)? {
                Ok(OfLanes { value, moments, .. }) => Ok((value, moments.unwrap())),
                Err(slow) => {
                    reason = Some(slow);
                    Ok((0.0, Moments::default()))
                }
            }
        });
        if let Some(reason) = reason {
            assert!(reason == SlowPath::SmallEntropy && R::ROUNDING > f64::ROUNDING, "{told}: {reason:?}");
            return;
        }
        let expected = of_costs::<f64>(shape, |outputs| {
            let (matrix, scratch) = (CostMatrix { costs, stride: shape.m }, &mut RowsScratch::default());
            let result = rowwise::align(&matrix, Features::None, shape, recursion, outputs, scratch)?;
            Ok((result.value, result.moments.unwrap()))
        });
        let ((value, sums, arrays), (of_rows, sums_of_rows, arrays_of_rows)) = match (got, expected) {
            (Ok(got), Ok(expected)) => (got, expected),
            (got, expected) => {
                assert_eq!(got.map(|_| ()), expected.map(|_| ()), "{told}");
                return;
            }
        };
        assert!((value - of_rows).abs() <= tolerance * (recursion.gamma + of_rows.abs()), "{told}: {value} {of_rows}");
        let (entropy, of_rows) = (sums.entropy, sums_of_rows.entropy);
        assert!((entropy - of_rows).abs() <= tolerance * (1.0 + of_rows), "{told}: {entropy} {of_rows}");
        let total: f64 = sums_of_rows.step_weights_grad.iter().map(|sum| sum.abs()).sum();
        for (got, of_rows) in sums.step_weights_grad.into_iter().zip(sums_of_rows.step_weights_grad) {
            assert!((got - of_rows).abs() <= tolerance * (1.0 + total), "{told}: {got} {of_rows}");
        }
        for (array, of_rows) in arrays.iter().zip(&arrays_of_rows) {
            for (k, (got, of_rows)) in array.iter().zip(of_rows).enumerate() {
                assert!((got - of_rows).abs() <= tolerance * (1.0 + of_rows), "{told} {k}: {got} {of_rows}");
            }
        }
        for (k, &cost) in costs.iter().enumerate() {
            assert!(
                cost < f64::INFINITY || arrays[1][k] == 0.0 && arrays[2][k] == 0.0,
                "{told}: cell {k} is forbidden"
            );
        }
    }

    #[test]
    fn masked_costs_on_lanes_are_what_the_rowwise_kernel_gives() {
        let bands = [None, Some(Band::SakoeChiba { radius: 8.0 }), Some(Band::Itakura { max_slope: 1.8 })];
        for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            for (n, m) in [(1, 1), (9, 30), (41, 75), (75, 41)] {
                let shape = Shape { n, m };
                for (share, band) in [0.0, 0.1, 0.5].into_iter().flat_map(|share| bands.map(|band| (share, band))) {
                    // Half of the cells forbidden leave no path but in small matrices.
                    let costs: Vec<f64> = numbers(3, n * m)
                        .zip(numbers(4, n * m))
                        .enumerate()
                        .map(|(k, (cost, hole))| {
                            let is_free = hole >= share || k == 0 || k + 1 == n * m;
                            if is_free { f64::from(3.0 * cost as f32) } else { f64::INFINITY }
                        })
                        .collect();
                    for (weights, gamma) in [((1.0, 1.0, 1.0), 0.05), ((0.1, 1.0, 0.7), 1.0), ((0.3, 1.0, 2.0), 100.0)]
                    {
                        let weights = StepWeights::new(weights.0, weights.1, weights.2).unwrap();
                        let recursion = &Recursion::new(gamma, weights, band).unwrap();
                        check_masked::<f64>(set, &costs, shape, recursion, 1e-12);
                        check_masked::<f32>(set, &costs, shape, recursion, 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn sums_of_cost_matrices_are_what_the_rowwise_kernel_gives() {
        let shape = Shape { n: 61, m: 45 };
        let costs: Vec<f64> = numbers(3, shape.cells()).map(|c| f64::from(c as f32)).collect();
        let narrow: Vec<f32> = costs.iter().map(|&c| c as f32).collect();
        for weights in [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 0.7).unwrap()] {
            let recursion = &Recursion::new(0.3, weights, None).unwrap();
            let matrix = crate::cost::CostMatrix { costs: &costs, stride: shape.m };
            let wanted = || Outputs::<f64> { moments: true, ..Outputs::default() };
            let scratch = &mut RowsScratch::default();
            let expected = rowwise::align(&matrix, Features::None, shape, recursion, &mut wanted(), scratch).unwrap();
            let expected = expected.moments.unwrap();
            let wide = align_costs(
                &costs,
                shape.m,
                shape,
                recursion,
                &mut wanted(),
                ThreadTeam::ALONE,
                &mut LanesScratch::default(),
            );
            let narrow = align_costs(
                &narrow,
                shape.m,
                shape,
                recursion,
                &mut Outputs { moments: true, entropy: true, ..Outputs::default() },
                ThreadTeam::ALONE,
                &mut LanesScratch::default(),
            );
            for (result, tolerance) in [(wide, 1e-12), (narrow, 1e-5)] {
                let Ok(result) = result.unwrap() else { return }; // a machine without lanes
                let got = result.moments.unwrap();
                assert!((got.entropy / expected.entropy - 1.0).abs() < tolerance);
                let total: f64 = expected.step_weights_grad.iter().sum();
                for (got, expected) in got.step_weights_grad.into_iter().zip(expected.step_weights_grad) {
                    assert!((got - expected).abs() < tolerance * total, "{got} {expected}");
                }
            }
        }
    }
}
