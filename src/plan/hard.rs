//! Hard DTW: pairs at gamma = 0, and the path of a pair at any gamma.
//!
//! One path of least cost gives all that is asked for: E is 1 and H the step weight on its cells, and sums over them are h,
//! H W and with them gradients and modified targets. It is found on lanes of float64, for either precision, or row by row
//! where there are no lanes for it: without an inner-product form, or where an input is not finite.

use std::ops::Range;

use super::PairScratch;
use super::lanes::LanesScratch;
use super::memory::ask_for_memory;
use super::pair::{Alignment, Pair, Recursion};
use super::rowwise::no_path;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::cost::{Cost, CostMatrix, CostRows, WeightedCost};
use crate::error::Error;
use crate::kernel::Moments;
use crate::kernel::hard::path::HardPath;
use crate::kernel::hard::rows;
use crate::kernel::wavefront::dispatch::InstructionSet;
use crate::kernel::wavefront::form::{PairForm, narrowed_weights};
use crate::kernel::wavefront::hard::{self, HardCosts, HardJob};
use crate::kernel::wavefront::tiles::FormSlices;
use crate::kernel::wavefront::tiles::distance::DistanceSlices;
use crate::readout::{Features, LEAST_ROW_SUM, Outputs, Readout};
use crate::real::Real;
use crate::shape::Shape;
use crate::weights::StepWeights;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub(super) struct HardScratch {
    sweep: hard::HardScratch,
    x: Vec<f64>,
    y: Vec<f64>,
    /// The most that a pair has needed of it.
    bytes: usize,
}

impl HardScratch {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Aligns two sequences at gamma = 0.
pub(super) fn align_pair<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    scratch: &mut PairScratch,
) -> Result<Alignment, Error> {
    let Pair { x, y, shape, d } = pair;
    let columns = recursion.band.map(|band| band.columns(shape)).transpose()?;
    let job = job(shape, recursion.weights, columns.as_deref(), outputs);
    if !cost.cost.has_modified_targets() {
        let distance = Distance::new(cost, x, y, d);
        let features = Features::Distance { distance: &distance, d };
        let found = match InstructionSet::chosen() {
            Some(set) => distance_on_lanes(set, pair, cost, job, scratch)?,
            None => None,
        };
        return match found {
            Some(path) => read_out(path, &distance, features, job, outputs),
            None => by_rows(&distance, features, job, outputs),
        };
    }
    if let Some(set) = InstructionSet::chosen()
        && let Some(alignment) = pair_on_lanes(set, pair, cost, job, outputs, scratch)?
    {
        return Ok(alignment);
    }
    let form = InnerProduct::new(cost, x, y, d);
    by_rows(&form, Features::InnerProduct { form: &form, cost, x, y, d }, job, outputs)
}

/// Aligns by a cost matrix that the caller has, at gamma = 0.
pub(super) fn align_costs<F: Real>(
    costs: CostMatrix<'_, F>,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    scratch: &mut PairScratch,
) -> Result<Alignment, Error> {
    let columns = recursion.band.map(|band| band.columns(shape)).transpose()?;
    let job = job(shape, recursion.weights, columns.as_deref(), outputs);
    let PairScratch { float64: lanes, hard, .. } = scratch;
    match path_on_lanes(costs, job, lanes, hard)? {
        Some(path) => read_out(path, &costs, Features::None, job, outputs),
        None => by_rows(&costs, Features::None, job, outputs),
    }
}

/// Finds the path of least cost of two sequences, whatever gamma is.
pub(super) fn path_of_pair<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    scratch: &mut PairScratch,
) -> Result<Option<HardPath>, Error> {
    let mut outputs = Outputs { path: true, ..Outputs::default() };
    Ok(align_pair(pair, cost, recursion, &mut outputs, scratch)?.path)
}

/// Finds the path of least cost of a cost matrix, whatever gamma is.
pub(super) fn path_of_costs<F: Real>(
    costs: CostMatrix<'_, F>,
    shape: Shape,
    recursion: &Recursion,
    scratch: &mut PairScratch,
) -> Result<Option<HardPath>, Error> {
    let mut outputs = Outputs { path: true, ..Outputs::default() };
    Ok(align_costs(costs, shape, recursion, &mut outputs, scratch)?.path)
}
/// Sums costs over the steps of a path.
pub(super) fn sums_over_steps(path: &HardPath, costs: &impl CostRows, shape: Shape) -> [f64; 3] {
    let mut row = vec![0.0; shape.m];
    path.sums_over_steps(|n, m| {
        costs.write_row(n, m..m + 1, &mut row);
        row[m]
    })
}

fn job<'a, F>(
    shape: Shape,
    weights: StepWeights,
    band: Option<&'a [Range<usize>]>,
    outputs: &Outputs<'_, F>,
) -> HardJob<'a> {
    HardJob { shape, weights, band, keeps_steps: outputs.path || outputs.needs_alignment() }
}

/// Finds the value, and the path if steps are kept, on lanes; `None` if there are none or a cost is no number.
fn path_on_lanes<F: Real>(
    CostMatrix { costs, stride }: CostMatrix<'_, F>,
    job: HardJob<'_>,
    lanes: &mut LanesScratch<f64>,
    scratch: &mut HardScratch,
) -> Result<Option<HardPath>, Error> {
    let Some(set) = InstructionSet::chosen() else { return Ok(None) };
    let needed = hard::bytes(job.shape, job.keeps_steps);
    ask_for_memory(needed)?;
    scratch.bytes = scratch.bytes.max(needed);
    let sweep = &mut scratch.sweep;
    let value = set.run_hard(job, HardCosts::Matrix { costs, stride }, &mut lanes.kernel, sweep);
    Ok(value.map(|value| path_of_sweep(value, job, sweep)))
}

fn path_of_sweep(value: f64, job: HardJob<'_>, sweep: &hard::HardScratch) -> HardPath {
    if job.keeps_steps { sweep.path(value, job.shape) } else { HardPath::without_cells(value) }
}

/// An upper estimate of the working memory of a pair on lanes, in bytes.
fn bytes(job: HardJob<'_>, d: usize) -> usize {
    // x, y, v, w, both packed, H W and H^T V, and what is read off them.
    let features = (d + 8).saturating_mul(job.shape.n + job.shape.m + 128).saturating_mul(4 * size_of::<f64>());
    features.saturating_add(hard::bytes(job.shape, job.keeps_steps))
}

/// Aligns a pair whose costs have an inner-product form on the lanes of a set; `None` if numbers are not finite.
fn pair_on_lanes<F: Real>(
    set: InstructionSet,
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    job: HardJob<'_>,
    outputs: &mut Outputs<'_, F>,
    scratch: &mut PairScratch,
) -> Result<Option<Alignment>, Error> {
    let Pair { shape, d, .. } = pair;
    let PairScratch {
        float64: LanesScratch { kernel, form, .. }, hard: HardScratch { sweep, x, y, bytes: held }, ..
    } = scratch;
    let needed = bytes(job, d);
    ask_for_memory(needed)?;
    *held = needed.max(*held);
    let (x, y) = (widened(pair.x, x), widened(pair.y, y));
    if !set.prepare(cost, x, y, d, form) || !sums_are_finite(form.largest_cost(), job) {
        return Ok(None);
    }
    let slices = form.slices(x, y);
    let Some(value) = set.run_hard::<f64>(job, HardCosts::Form(slices), kernel, sweep) else { return Ok(None) };
    let path = path_of_sweep(value, job, sweep);
    if value == f64::INFINITY {
        return Err(no_path(shape, job.band.is_some()));
    }
    let products = Products { path: &path, weights: job.weights.as_array(), slices };
    products.write(set, cost, (x, y), form, outputs);
    for (matrix, weights) in [(&mut outputs.soft_alignment, job.weights), (&mut outputs.visits, StepWeights::UNIT)] {
        if let Some(matrix) = matrix {
            let weights = weights.as_array();
            for row in matrix.entries.chunks_mut(matrix.stride).take(shape.n) {
                row[..shape.m].fill(F::default());
            }
            for ((n, m), step) in path.cells_and_steps() {
                matrix.entries[n * matrix.stride + m] = F::from_f64(weights[step.index()]);
            }
        }
    }
    let sums = || path.sums_over_steps(|n, m| slices.cost(n, m));
    let moments = outputs.moments.then(|| Moments { entropy: 0.0, step_weights_grad: sums() });
    Ok(Some(numbers(path, moments, outputs)))
}

/// Tells if costs of at most `largest` in size keep every D finite.
fn sums_are_finite(largest: f64, HardJob { shape, weights, .. }: HardJob<'_>) -> bool {
    let weight = weights.as_array().into_iter().fold(1.0, f64::max);
    (largest * weight * (shape.n + shape.m) as f64).is_finite()
}

/// Finds the value, and the path if steps are kept, of a pair under a distance on the lanes of a set; `None` if numbers are not
/// finite.
fn distance_on_lanes<F: Real>(
    set: InstructionSet,
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    job: HardJob<'_>,
    scratch: &mut PairScratch,
) -> Result<Option<HardPath>, Error> {
    let PairScratch {
        float64: LanesScratch { kernel, weights, .. },
        hard: HardScratch { sweep, x, y, bytes: held },
        ..
    } = scratch;
    let needed = bytes(job, pair.d);
    ask_for_memory(needed)?;
    *held = needed.max(*held);
    let (x, y) = (widened(pair.x, x), widened(pair.y, y));
    if !narrowed_weights(cost.feature_weights.as_deref(), pair.d, weights) {
        return Ok(None);
    }
    let slices = DistanceSlices { x, y, weights, is_euclidean: cost.cost == Cost::Euclidean };
    if !sums_are_finite(set.largest_distance(slices), job) {
        return Ok(None);
    }
    let value = set.run_hard::<f64>(job, HardCosts::Distance(slices), kernel, sweep);
    Ok(value.map(|value| path_of_sweep(value, job, sweep)))
}

/// The sequence itself if it is of float64, else a copy.
fn widened<'a, F: Real>(from: &'a [F], to: &'a mut Vec<f64>) -> &'a [f64] {
    F::cast(from).unwrap_or_else(|| {
        to.clear();
        to.extend(from.iter().map(|x| x.to_f64()));
        to
    })
}

/// Products of H, which is 0 off a path, with the sequences of a form.
struct Products<'a> {
    path: &'a HardPath,
    weights: [f64; 3],
    slices: FormSlices<'a, f64>,
}

impl Products<'_> {
    /// Writes h, gradients and modified targets where they are asked for, from x (N,D), y (M,D) and the form that was
    /// made of them.
    fn write<F: Real>(
        &self,
        set: InstructionSet,
        cost: &WeightedCost,
        (x, y): (&[f64], &[f64]),
        form: &PairForm<f64>,
        outputs: &mut Outputs<'_, F>,
    ) {
        let FormSlices { u, phi, v, w, d, .. } = self.slices;
        let mut out = vec![];
        if outputs.h.is_some() || outputs.x_grad.is_some() || outputs.y_mod.is_some() {
            let (mut h, mut hw) = (vec![0.0; u.len()], vec![0.0; v.len()]);
            for ((n, m), step) in self.path.cells_and_steps() {
                let weight = self.weights[step.index()];
                h[n] += weight;
                add_scaled(&mut hw[n * d..][..d], weight, &w[m * d..][..d]);
            }
            if let Some(to) = outputs.h.as_deref_mut() {
                narrow(&h, to);
            }
            if let Some(to) = outputs.x_grad.as_deref_mut() {
                out.resize(v.len(), 0.0);
                set.x_gradient(cost.cost, x, form, (&h, &hw), &mut out);
                narrow(&out, to);
            }
            if let Some(to) = outputs.y_mod.as_deref_mut() {
                self.visit_empty_rows(&mut h, &mut hw);
                out.resize(v.len(), 0.0);
                form.modified_targets(&h, &hw, &mut out);
                narrow(&out, to);
            }
        }
        if let Some(to) = outputs.y_grad.as_deref_mut() {
            let (mut column_sums, mut hv) = (vec![0.0; phi.len()], vec![0.0; w.len()]);
            for ((n, m), step) in self.path.cells_and_steps() {
                let weight = self.weights[step.index()];
                column_sums[m] += weight;
                add_scaled(&mut hv[m * d..][..d], weight, &v[n * d..][..d]);
            }
            out.resize(w.len(), 0.0);
            set.y_gradient(cost.cost, y, form, (&column_sums, &hv), &mut out);
            narrow(&out, to);
        }
    }

    /// Puts rows of E and their sums in the place of rows of H of no sum.
    fn visit_empty_rows(&self, h: &mut [f64], hw: &mut [f64]) {
        let d = self.slices.d;
        let is_empty: Vec<bool> = h.iter().map(|&h| h < LEAST_ROW_SUM).collect();
        for n in (0..h.len()).filter(|&n| is_empty[n]) {
            h[n] = 0.0;
            hw[n * d..][..d].fill(0.0);
        }
        for &(n, m) in self.path.cells.iter().filter(|&&(n, _)| is_empty[n]) {
            h[n] += 1.0;
            add_scaled(&mut hw[n * d..][..d], 1.0, &self.slices.w[m * d..][..d]);
        }
    }
}

fn add_scaled(sums: &mut [f64], factor: f64, row: &[f64]) {
    for (sum, entry) in sums.iter_mut().zip(row) {
        *sum += factor * entry;
    }
}

fn narrow<F: Real>(from: &[f64], to: &mut [F]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = F::from_f64(from);
    }
}

/// Aligns row by row.
fn by_rows<F: Real>(
    costs: &impl CostRows,
    features: Features<'_, F>,
    job: HardJob<'_>,
    outputs: &mut Outputs<'_, F>,
) -> Result<Alignment, Error> {
    ask_for_memory(rows::bytes(job.shape))?;
    let path = rows::align(costs, job.shape, job.band, job.weights);
    read_out(path, costs, features, job, outputs)
}

/// Reads the outputs off a path row by row; `features` are behind its costs, for the gradients.
fn read_out<F: Real>(
    path: HardPath,
    costs: &impl CostRows,
    features: Features<'_, F>,
    job: HardJob<'_>,
    outputs: &mut Outputs<'_, F>,
) -> Result<Alignment, Error> {
    let (shape, wants_moments) = (job.shape, outputs.moments);
    if path.value == f64::INFINITY {
        return Err(no_path(shape, job.band.is_some()));
    }
    let mut readout = Readout::new(features, outputs, shape);
    let moments = if path.value.is_nan() {
        readout.poison();
        Moments { entropy: f64::NAN, step_weights_grad: [f64::NAN; 3] }
    } else {
        path.emit_rows(shape, job.weights, &mut readout);
        readout.finish();
        let sums = if wants_moments { sums_over_steps(&path, costs, shape) } else { [0.0; 3] };
        Moments { entropy: 0.0, step_weights_grad: sums }
    };
    Ok(numbers(path, wants_moments.then_some(moments), outputs))
}

fn numbers<F>(path: HardPath, moments: Option<Moments>, outputs: &Outputs<'_, F>) -> Alignment {
    let entropy = if path.value.is_nan() { f64::NAN } else { 0.0 };
    Alignment {
        value: path.value,
        moments,
        entropy: outputs.entropy.then_some(entropy),
        path: outputs.path.then_some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{align_pair as align_at_any_gamma, zeros};
    use super::*;
    use crate::band::Band;
    use crate::kernel::wavefront::thread_team::ThreadTeam;
    use crate::matrix::MatrixMut;

    fn numbers(seed: u64, count: usize) -> impl Iterator<Item = f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..count).map(move |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        })
    }

    /// All outputs of a run, by name, each in memory that held other numbers.
    fn all_outputs<F: Real>(
        shape: Shape,
        d: usize,
        run: impl FnOnce(&mut Outputs<'_, F>) -> Alignment,
    ) -> (Alignment, Vec<(&'static str, Vec<f64>)>) {
        let dirty = |count: usize| vec![F::from_f64(-7e7); count];
        let mut arrays = [shape.n, shape.n * d, shape.n * d, shape.m * d, shape.cells(), shape.cells()].map(dirty);
        let [h, y_mod, x_grad, y_grad, soft_alignment, visits] = &mut arrays;
        let mut outputs = Outputs {
            h: Some(h),
            y_mod: Some(y_mod),
            x_grad: Some(x_grad),
            y_grad: Some(y_grad),
            soft_alignment: Some(MatrixMut { entries: soft_alignment, stride: shape.m }),
            visits: Some(MatrixMut { entries: visits, stride: shape.m }),
            moments: true,
            entropy: true,
            path: true,
        };
        let alignment = run(&mut outputs);
        let names = ["h", "y_mod", "x_grad", "y_grad", "H", "E"];
        let wide = arrays.map(|array| array.into_iter().map(Real::to_f64).collect());
        (alignment, names.into_iter().zip(wide).collect())
    }

    /// Compares the outputs of a pair on lanes with those of its rows.
    fn check<F: Real>(cost: &WeightedCost, shape: Shape, d: usize, recursion: &Recursion, tolerance: f64) {
        let narrow = |x: f64| F::from_f64(x);
        let x: Vec<F> = numbers(7, shape.n * d).map(|x| narrow(0.01 + 0.98 * x)).collect();
        let y: Vec<F> = numbers(8, shape.m * d).map(|y| narrow(if d > 9 && y > 0.1 { 0.0 } else { y })).collect();
        let pair = Pair { x: &x[..], y: &y[..], shape, d };
        let columns = recursion.band.map(|band| band.columns(shape).unwrap());
        let job = HardJob { shape, weights: recursion.weights, band: columns.as_deref(), keeps_steps: true };
        let form = InnerProduct::new(cost, &x, &y, d);
        let mut row = vec![0.0; shape.m];
        let largest = (0..shape.n).fold(1.0, |largest: f64, n| {
            form.write_row(n, 0..shape.m, &mut row);
            row.iter().fold(largest, |largest, cost| largest.max(cost.abs()))
        });
        let (expected, arrays) = all_outputs(shape, d, |outputs| {
            by_rows(&form, Features::InnerProduct { form: &form, cost, x: &x, y: &y, d }, job, outputs).unwrap()
        });
        for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            let (got, got_arrays) = all_outputs(shape, d, |outputs| {
                pair_on_lanes(set, pair, cost, job, outputs, &mut PairScratch::default()).unwrap().unwrap()
            });
            let told = format!("{set:?} {cost:?} {shape:?} D={d} {recursion:?}");
            let (path, of_rows) = (got.path.unwrap(), expected.path.as_ref().unwrap());
            assert_eq!(path.cells, of_rows.cells, "{told}");
            assert_eq!(got.value, path.value);
            assert!((got.value - expected.value).abs() <= 1e-12 * largest, "{told}");
            assert_eq!(got.entropy, Some(0.0));
            let (got, expected) = (got.moments.unwrap(), expected.moments.unwrap());
            for (got, expected) in got.step_weights_grad.into_iter().zip(expected.step_weights_grad) {
                assert!((got - expected).abs() <= 1e-12 * (largest + expected.abs()), "{told}");
            }
            for ((name, got), (_, expected)) in got_arrays.iter().zip(&arrays) {
                let size = expected.iter().fold(1.0, |size: f64, e| size.max(e.abs()));
                for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
                    let error = (got - expected).abs();
                    assert!(error <= tolerance * size, "{told} {name} {k}: {got} {expected}");
                }
            }
        }
    }

    #[test]
    fn what_follows_from_the_path_is_what_rows_give() {
        let weighted = WeightedCost { feature_weights: Some(vec![0.5, 2.0, 1.0]), ..WeightedCost::plain(Cost::Bce) };
        for (n, m) in [(1, 1), (1, 9), (9, 1), (33, 20), (20, 47)] {
            let shape = Shape::new(n, m).unwrap();
            let band = Some(Band::SakoeChiba { radius: 8.0 });
            for ([horizontal, vertical, diagonal], band) in
                [([1.0, 1.0, 1.0], band), ([0.0, 1.0, 0.7], None), ([0.3, 0.0, 0.0], band)]
            {
                let weights = StepWeights::new(horizontal, vertical, diagonal).unwrap();
                let recursion = Recursion::new(0.0, weights, band).unwrap();
                for (_, cost) in Cost::ALL.into_iter().filter(|(_, cost)| cost.has_modified_targets()) {
                    for d in [1, 3, 9, 40] {
                        if d > 1 || cost != Cost::Cosine && cost != Cost::CrossEntropyLogits {
                            check::<f64>(&WeightedCost::plain(cost), shape, d, &recursion, 1e-11);
                            check::<f32>(&WeightedCost::plain(cost), shape, d, &recursion, 2e-7);
                        }
                    }
                }
                check::<f64>(&weighted, shape, 3, &recursion, 1e-11);
            }
        }
    }

    #[test]
    fn distances_give_the_path_of_their_rows() {
        for (n, m) in [(1, 1), (1, 9), (33, 20), (20, 47)] {
            let shape = Shape::new(n, m).unwrap();
            for (d, radius) in [(1, None), (3, Some(8.0)), (12, None)] {
                let columns = radius.map(|radius| Band::SakoeChiba { radius }.columns(shape).unwrap());
                let (x, y): (Vec<f32>, Vec<f32>) =
                    (numbers(3, n * d).map(|x| x as f32).collect(), numbers(4, m * d).map(|y| y as f32).collect());
                let pair = Pair { x: &x[..], y: &y[..], shape, d };
                let feature_weights = (d == 3).then(|| vec![0.5, 2.0, 1.0]);
                for cost in [Cost::L1, Cost::Euclidean] {
                    let cost = &WeightedCost { cost, feature_weights: feature_weights.clone(), pos_weight: None };
                    let weights = StepWeights::new(0.3, 1.0, 1.5).unwrap();
                    let job = HardJob { shape, weights, band: columns.as_deref(), keeps_steps: true };
                    let expected = rows::align(&Distance::new(cost, &x, &y, d), shape, job.band, weights);
                    for &(_, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
                        let scratch = &mut PairScratch::default();
                        let got = distance_on_lanes(set, pair, cost, job, scratch).unwrap().unwrap();
                        assert_eq!(got.cells, expected.cells, "{set:?} {cost:?} {shape:?} D={d}");
                        assert!((got.value / expected.value - 1.0).abs() <= 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn frames_that_are_no_numbers_spoil_every_output() {
        let (shape, d) = (Shape::new(9, 7).unwrap(), 2);
        let mut x: Vec<f32> = zeros(shape.n * d).unwrap();
        x[11] = f32::NAN;
        let y = vec![1.0; shape.m * d];
        let cost = WeightedCost::plain(Cost::Mse);
        let recursion = Recursion::new(0.0, StepWeights::UNIT, None).unwrap();
        let (alignment, arrays) = all_outputs(shape, d, |outputs| {
            let pair = Pair { x: &x, y: &y, shape, d };
            align_at_any_gamma(pair, &cost, &recursion, outputs, ThreadTeam::ALONE, &mut PairScratch::default())
                .unwrap()
        });
        assert!(alignment.value.is_nan() && alignment.entropy.unwrap().is_nan());
        assert!(alignment.path.unwrap().cells.is_empty());
        for (name, array) in arrays {
            assert!(array.iter().all(|entry| entry.is_nan()), "{name}");
        }
    }
}
