//! The fast path: pairs by the wavefront, on lanes of their own precision.
//!
//! It takes what it can give exactly enough ([`super::route`]), and leaves the rest with a reason.

use super::memory::ask_for_memory;
use super::pair::{Pair, Recursion};
use super::route::{self, SlowPath};
use crate::cost::WeightedCost;
use crate::cost::inner_product::InnerProduct;
use crate::error::Error;
use crate::kernel::Moments;
use crate::kernel::wavefront::dispatch::{InstructionSet, OnLanes};
use crate::kernel::wavefront::form::{self, FormSlices, PairForm};
use crate::kernel::wavefront::job::{self, Job};
use crate::kernel::wavefront::kept;
use crate::kernel::wavefront::pair::{ColumnSums, Costs, ExtraOutputs, SumsOverCells, SweepOutput, WavefrontScratch};
use crate::kernel::wavefront::thread_team::ThreadTeam;
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
    outputs: &Outputs<'_, R>,
) -> Result<OfLanes, SlowPath> {
    if sums.entropy <= R::ENTROPY_OF_NOTHING * (shape.n + shape.m) as f64 {
        sums.entropy = 0.0;
    }
    route::by_entropy(sums.entropy, shape, outputs)?;
    let moments = outputs.moments.then_some(sums);
    Ok(OfLanes { value, entropy: outputs.entropy.then_some(sums.entropy), moments })
}

/// An upper estimate of the working memory of the fast path, in bytes.
fn bytes<R>(shape: Shape, d: usize, threads: usize, outputs: &Outputs<'_, R>) -> usize {
    // Rows and columns are padded by less than a block and a group of stripes; a copy of v, w, each packed too, and
    // two of H W beside what is read off.
    let (rows, columns) = (shape.n + 64, shape.m + 128);
    let features = 5 * size_of::<R>() * (d + 32) * (rows + columns);
    let columns_of_features = if outputs.y_grad.is_some() { 2 * size_of::<R>() * (d + 1) * columns } else { 0 };
    let kept = match sums_over_cells(outputs) {
        SumsOverCells::Nothing => kept::PROBABILITIES,
        SumsOverCells::Entropy => kept::ALL_PROBABILITIES,
        SumsOverCells::Moments => kept::COSTS,
    };
    features + columns_of_features + job::bytes::<R>(rows, columns, threads, kept)
}

/// Aligns a pair whose costs have an inner-product form, or gives the reason why another path takes it.
pub fn align_pair<R: OnLanes>(
    pair: Pair<'_, R>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, R>,
    team: ThreadTeam<'_>,
    scratch: &mut LanesScratch<R>,
) -> Result<Result<OfLanes, SlowPath>, Error> {
    match route::by_request(Some(cost), recursion, outputs) {
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
    let needed = bytes::<R>(shape, d, team.threads, outputs);
    ask_for_memory(needed)?;
    scratch.bytes = scratch.bytes.max(needed);
    let LanesScratch { kernel, form, h, hw, column_sums, hv, .. } = scratch;
    // Costs that have no way on lanes are brought into the form in float64.
    let wide = if set.prepare(cost, x, y, d, form) { None } else { Some(InnerProduct::new(cost, pair.x, pair.y, d)) };
    let largest = wide.as_ref().map_or_else(|| form.largest_cost(), InnerProduct::largest_cost);
    let squared = if wide.is_none() { form.squared } else { None };
    if let Err(reason) = route::by_size_of_costs::<R>(largest, squared.map(|_| d), shape, recursion) {
        return Ok(Err(reason));
    }
    let w = match &wide {
        Some(wide) => {
            narrow(wide.u(), &mut form.u);
            narrow(wide.phi(), &mut form.phi);
            narrow(wide.all_v(), &mut form.v);
            narrow(wide.all_w(), &mut form.w);
            &form.w[..]
        }
        None if form.w.is_empty() => y,
        None => &form.w,
    };
    let costs = Costs::Form(FormSlices { u: &form.u, phi: &form.phi, v: &form.v, w, d, squared });
    let job = Job::new(shape, recursion.gamma, recursion.weights, team);
    let (mut log_end, mut moments) = (None, Moments::default());
    let sums_rows = outputs.h.is_some() || outputs.x_grad.is_some() || outputs.y_mod.is_some();
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
            hw.resize(shape.n * d, R::default());
            SweepOutput::Products { h, hw, extra: has_extra.then_some(extra) }
        } else {
            SweepOutput::Extra(extra)
        };
        log_end = Some(set.run(job, costs, output, kernel).ln());
    }
    if sums_rows {
        if let Some(out) = outputs.h.as_deref_mut() {
            out.copy_from_slice(h);
        }
        match &wide {
            Some(wide) => read_out_wide(wide, cost, pair, (h, hw), outputs),
            None => {
                if let Some(out) = outputs.x_grad.as_deref_mut() {
                    set.x_gradient(cost.cost, x, form, (h, hw), out);
                }
                if let Some(out) = outputs.y_mod.as_deref_mut() {
                    form.modified_targets(h, hw, out);
                }
            }
        }
    }
    if let Some(out) = outputs.y_grad.as_deref_mut() {
        match &wide {
            Some(wide) => write_wide_y_gradient(wide, cost, pair, (column_sums, hv), out),
            None => form::y_gradient(cost.cost, w, (column_sums, hv), out),
        }
    }
    let value = finish(set, job, costs, (log_end, has_extra), outputs, kernel, false);
    Ok(numbers(value, moments, shape, outputs))
}

/// Makes gradients and modified targets in float64, frame by frame.
fn read_out_wide<R: OnLanes>(
    form: &InnerProduct,
    cost: &WeightedCost,
    pair: Pair<'_, R>,
    (h, hw): (&[R], &[R]),
    outputs: &mut Outputs<'_, R>,
) {
    let d = pair.d;
    let mut row = vec![0.0; d];
    for (n, (&h, hw)) in h.iter().zip(hw.chunks_exact(d)).enumerate() {
        for (wide, narrow) in row.iter_mut().zip(hw) {
            *wide = narrow.to_f64();
        }
        if let Some(x_grad) = &mut outputs.x_grad {
            form.x_gradient(cost, pair.x, n, h.to_f64(), &row, &mut x_grad[n * d..][..d]);
        }
        if let Some(y_mod) = &mut outputs.y_mod {
            form.modified_target(h.to_f64(), &row, &mut y_mod[n * d..][..d]);
        }
    }
}

/// Makes the gradient of the targets in float64, frame by frame.
fn write_wide_y_gradient<R: OnLanes>(
    form: &InnerProduct,
    cost: &WeightedCost,
    pair: Pair<'_, R>,
    (column_sums, hv): (&[R], &[R]),
    out: &mut [R],
) {
    let d = pair.d;
    let mut row = vec![0.0; d];
    for (m, ((&column_sum, hv), out)) in
        column_sums.iter().zip(hv.chunks_exact(d)).zip(out.chunks_exact_mut(d)).enumerate()
    {
        for (wide, narrow) in row.iter_mut().zip(hv) {
            *wide = narrow.to_f64();
        }
        form.y_gradient(cost, pair.y, m, column_sum.to_f64(), &row, out);
    }
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
    let set = match route::by_request(None, recursion, outputs) {
        Ok(set) => set,
        Err(reason) => return Ok(Err(reason)),
    };
    let largest = set.largest(costs, stride, shape);
    if let Err(reason) = route::by_size_of_costs::<R>(largest, None, shape, recursion) {
        return Ok(Err(reason));
    }
    let needed = bytes::<R>(shape, 0, team.threads, outputs);
    ask_for_memory(needed)?;
    scratch.bytes = scratch.bytes.max(needed);
    if outputs.h.is_some() && outputs.soft_alignment.is_none() {
        ask_for_memory(shape.cells() * size_of::<R>())?; // h is summed from H
    }
    let costs = Costs::Matrix { costs, stride };
    let job = Job::new(shape, recursion.gamma, recursion.weights, team);
    let (mut log_end, mut moments) = (None, Moments::default());
    let sums = sums_over_cells(outputs);
    let has_extra = sums != SumsOverCells::Nothing;
    if has_extra {
        let matrix = outputs.soft_alignment.as_mut();
        let extra = ExtraOutputs { matrix, columns: None, sums, moments: &mut moments };
        log_end = Some(set.run(job, costs, SweepOutput::Extra(extra), &mut scratch.kernel).ln());
    }
    let value = finish(set, job, costs, (log_end, has_extra), outputs, &mut scratch.kernel, true);
    Ok(numbers(value, moments, shape, outputs))
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

fn narrow<R: OnLanes>(from: &[f64], to: &mut Vec<R>) {
    to.clear();
    to.extend(from.iter().map(|&x| R::from_f64(x)));
}

#[cfg(test)]
mod tests {
    use super::super::rowwise::{self, RowsScratch};
    use super::*;
    use crate::cost::Cost;
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

    fn check(set: InstructionSet, cost: Cost, shape: Shape, d: usize, recursion: &Recursion) {
        let x: Vec<f64> = numbers(7, shape.n * d).map(|x| 0.01 + 0.98 * x).collect();
        let is_sparse = d == 88;
        let y: Vec<f64> =
            numbers(8, shape.m * d).map(|y| if is_sparse { f64::from(u8::from(y < 0.05)) } else { y }).collect();
        let (cost, pair) = (WeightedCost::plain(cost), Pair { x: &x, y: &y, shape, d });
        let got = Arrays::of(pair, |outputs| {
            let scratch = &mut LanesScratch::default();
            let result = align_pair_on(set, pair, &cost, recursion, outputs, ThreadTeam::ALONE, scratch).unwrap();
            let OfLanes { value, moments, .. } = result.unwrap_or_else(|reason| panic!("{cost:?}: {reason:?}"));
            (value, moments.unwrap())
        });
        let form = InnerProduct::new(&cost, &x, &y, d);
        let expected = Arrays::of(pair, |outputs| {
            let features = Features::InnerProduct { form: &form, cost: &cost, x: &x, y: &y, d };
            let result =
                rowwise::align(&form, features, shape, recursion, outputs, &mut RowsScratch::default()).unwrap();
            (result.value, result.moments.unwrap())
        });
        // Beside the kernels' own error, costs may be rounded in another order.
        let of_costs = form.largest_cost() * f64::ROUNDING / recursion.gamma;
        let tolerance = 1e-12 + of_costs * (shape.n + shape.m) as f64;
        let close = |name: &str, got: &[f64], expected: &[f64]| {
            let size = expected.iter().fold(1.0, |size: f64, e| size.max(e.abs()));
            for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
                assert!(
                    (got - expected).abs() <= tolerance * size,
                    "{set:?} {cost:?} {shape:?} D={d} {recursion:?} {name} {k}: {got} {expected}, {tolerance}"
                );
            }
        };
        close("value", &[got.value / recursion.gamma], &[expected.value / recursion.gamma]);
        close("entropy", &[got.entropy], &[expected.entropy]);
        close("h", &got.h, &expected.h);
        close("y_mod", &got.y_mod, &expected.y_mod);
        close("x_grad", &got.x_grad, &expected.x_grad);
        close("y_grad", &got.y_grad, &expected.y_grad);
        close("step_weights_grad", &got.step_weights_grad, &expected.step_weights_grad);
        close("H", &got.soft_alignment, &expected.soft_alignment);
        close("E", &got.visits, &expected.visits);
        assert!((got.visits[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn float64_on_lanes_is_what_the_rowwise_kernel_gives() {
        let costs = [
            (Cost::Mse, 1),
            (Cost::SquaredEuclidean, 3),
            (Cost::Mse, 13),
            (Cost::SquaredEuclidean, 32),
            (Cost::Bce, 88),
            (Cost::Bce, 5),
            (Cost::BceLogits, 9),
            (Cost::CrossEntropy, 9),
            (Cost::CrossEntropyLogits, 9),
            (Cost::Poisson, 6),
            (Cost::PoissonLog, 6),
            (Cost::Cosine, 6),
        ];
        for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            for (cost, d) in costs {
                for (n, m) in [(1, 1), (9, 30), (41, 75)] {
                    for (weights, gamma) in [((1.0, 1.0, 1.0), 0.01), ((0.1, 1.0, 1.0), 1.0), ((0.3, 1.0, 2.0), 100.0)]
                    {
                        let weights = StepWeights::new(weights.0, weights.1, weights.2).unwrap();
                        check(set, cost, Shape { n, m }, d, &Recursion::new(gamma, weights, None).unwrap());
                    }
                }
            }
        }
    }

    #[test]
    fn sums_and_target_gradients_of_float32_are_what_the_rowwise_kernel_gives() {
        let costs = [
            (Cost::Mse, 1),
            (Cost::SquaredEuclidean, 3),
            (Cost::Mse, 13),
            (Cost::Bce, 88),
            (Cost::BceLogits, 9),
            (Cost::CrossEntropyLogits, 9),
            (Cost::Cosine, 6),
        ];
        for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            for (cost, d) in costs {
                for (n, m) in [(9, 30), (141, 75)] {
                    for (weights, gamma) in [((1.0, 1.0, 1.0), 0.1), ((0.1, 1.0, 1.0), 1.0), ((0.3, 1.0, 2.0), 100.0)] {
                        let shape = Shape { n, m };
                        let x: Vec<f32> = numbers(7, n * d).map(|x| (0.01 + 0.98 * x) as f32).collect();
                        let y: Vec<f32> = numbers(8, m * d)
                            .map(|y| if d == 88 { f32::from(u8::from(y < 0.05)) } else { y as f32 })
                            .collect();
                        let (cost, pair) = (WeightedCost::plain(cost), Pair { x: &x, y: &y, shape, d });
                        let weights = StepWeights::new(weights.0, weights.1, weights.2).unwrap();
                        let recursion = &Recursion::new(gamma, weights, None).unwrap();
                        let mut is_served = true;
                        let got = Arrays::of(pair, |outputs| {
                            let scratch = &mut LanesScratch::default();
                            let team = ThreadTeam::ALONE;
                            match align_pair_on(set, pair, &cost, recursion, outputs, team, scratch).unwrap() {
                                Ok(OfLanes { value, moments, .. }) => (value, moments.unwrap()),
                                Err(reason) => {
                                    assert_eq!(reason, SlowPath::SmallEntropy);
                                    is_served = false;
                                    (f64::NAN, Moments::default())
                                }
                            }
                        });
                        assert!(is_served || gamma < 1.0 || d == 88, "{cost:?} {gamma}");
                        if !is_served {
                            continue;
                        }
                        let form = InnerProduct::new(&cost, &x, &y, d);
                        let expected = Arrays::of(pair, |outputs| {
                            let features = Features::InnerProduct { form: &form, cost: &cost, x: &x, y: &y, d };
                            let scratch = &mut RowsScratch::default();
                            let result = rowwise::align(&form, features, shape, recursion, outputs, scratch).unwrap();
                            (result.value, result.moments.unwrap())
                        });
                        // Beside the kernels' own error, costs may be rounded in another order.
                        let of_costs = form.largest_cost() * f32::ROUNDING / gamma;
                        let told = format!("{set:?} {cost:?} {shape:?} {recursion:?}");
                        let of_entropy = (got.entropy / expected.entropy - 1.0).abs();
                        assert!(of_entropy <= 1e-5 + 4.0 * of_costs, "{told}: {} {}", got.entropy, expected.entropy);
                        let total: f64 = expected.step_weights_grad.iter().map(|sum| sum.abs()).sum();
                        for (got, expected) in got.step_weights_grad.into_iter().zip(expected.step_weights_grad) {
                            let error = (got - expected).abs() / (total + gamma);
                            assert!(error <= 1e-5 + 4.0 * of_costs, "{told}: {got} {expected}");
                        }
                        let size = expected.y_grad.iter().fold(1.0, |size: f64, e| size.max(e.abs()));
                        for (got, expected) in got.y_grad.iter().zip(&expected.y_grad) {
                            let error = (got - expected).abs() / size;
                            assert!(error <= 1e-5 + 4.0 * of_costs, "{told} y_grad: {got} {expected}");
                        }
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
