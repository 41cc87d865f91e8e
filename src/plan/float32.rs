//! The fast path: float32 pairs by the wavefront.
//!
//! It takes what it can give exactly enough ([`super::route`]), and leaves the rest to the slow path.

use super::memory::ask_for_memory;
use super::pair::{Pair, Recursion};
use super::route;
use crate::cost::WeightedCost;
use crate::cost::inner_product::InnerProduct;
use crate::error::Error;
use crate::kernel::wavefront::dispatch::InstructionSet;
use crate::kernel::wavefront::form::{FormSlices, PairForm};
use crate::kernel::wavefront::job::{self, Job};
use crate::kernel::wavefront::pair::{Costs, ExtraOutputs, SweepOutput, WavefrontScratch};
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::matrix::MatrixMut;
use crate::readout::Outputs;
use crate::real::Real;
use crate::shape::Shape;
use crate::simd::functions::eight_sums;
use crate::weights::StepWeights;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct Float32Scratch {
    kernel: WavefrontScratch<f32>,
    form: PairForm<f32>,
    h: Vec<f32>,
    hw: Vec<f32>,
    /// The most that a pair has needed of it.
    bytes: usize,
}

impl Float32Scratch {
    /// An upper estimate of what it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The numbers that the fast path gives.
#[derive(Clone, Copy)]
pub struct Float32 {
    /// D(N,M).
    pub value: f64,
    /// The entropy, when asked for.
    pub entropy: Option<f64>,
}

/// An upper estimate of the working memory of the fast path, in bytes.
fn bytes(shape: Shape, d: usize, threads: usize) -> usize {
    // Rows and columns are padded by less than a block and a group of stripes; a copy of v, w, each packed too, and
    // two of H W beside what is read off.
    let (rows, columns) = (shape.n + 64, shape.m + 128);
    let features = 5 * size_of::<f32>() * (d + 32) * (rows + columns);
    features + job::bytes::<f32>(rows, columns, threads)
}

/// Aligns a pair whose costs have an inner-product form; `None` if it takes the slow path.
pub fn align_pair<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut Float32Scratch,
) -> Result<Option<Float32>, Error> {
    let Pair { shape, d, .. } = pair;
    let Ok(set) = route::by_request(Some(cost), recursion, outputs) else { return Ok(None) };
    let (Some(x), Some(y)) = (F::as_f32(pair.x), F::as_f32(pair.y)) else { return Ok(None) };
    let needed = bytes(shape, d, team.threads);
    ask_for_memory(needed)?;
    scratch.bytes = scratch.bytes.max(needed);
    let Float32Scratch { kernel, form, h, hw, .. } = scratch;
    // Costs that have no way on lanes are brought into the form in float64.
    let wide = if set.prepare(cost, x, y, d, form) { None } else { Some(InnerProduct::new(cost, pair.x, pair.y, d)) };
    let largest = wide.as_ref().map_or_else(|| form.largest_cost(), InnerProduct::largest_cost);
    let squared = if wide.is_none() { form.squared } else { None };
    if route::by_size_of_costs(largest, squared.map(|_| d), shape, recursion).is_err() {
        return Ok(None);
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
    let (mut log_end, mut entropy) = (None, None);
    let sums_rows = outputs.h.is_some() || outputs.x_grad.is_some() || outputs.y_mod.is_some();
    if sums_rows || outputs.entropy {
        h.resize(shape.n, 0.0);
        hw.resize(shape.n * d, 0.0);
        let mut sum = 0.0;
        // One sweep gives H too, and it need not be looked for again.
        let mut matrix = if outputs.entropy { as_f32(outputs.soft_alignment.take()) } else { None };
        let extra = outputs.entropy.then_some(ExtraOutputs { matrix: matrix.as_mut(), entropy: &mut sum });
        log_end = Some(set.run(job, costs, SweepOutput::Products { h, hw, extra }, kernel).ln());
        entropy = outputs.entropy.then_some(sum);
        if let Some(out) = outputs.h.as_deref_mut().and_then(F::as_f32_mut) {
            out.copy_from_slice(h);
        }
        match &wide {
            Some(wide) => read_out_wide(wide, cost, pair, (h, hw), outputs),
            None => set.read_out(
                cost.cost,
                x,
                form,
                (h, hw),
                outputs.x_grad.as_deref_mut().and_then(F::as_f32_mut),
                outputs.y_mod.as_deref_mut().and_then(F::as_f32_mut),
            ),
        }
    }
    let value = finish(set, job, costs, log_end, outputs, kernel, false);
    Ok(Some(Float32 { value, entropy }))
}

fn as_f32<F: Real>(matrix: Option<MatrixMut<'_, F>>) -> Option<MatrixMut<'_, f32>> {
    let MatrixMut { entries, stride } = matrix?;
    Some(MatrixMut { entries: F::as_f32_mut(entries)?, stride })
}

/// Gradients and modified targets in float64, frame by frame.
fn read_out_wide<F: Real>(
    form: &InnerProduct,
    cost: &WeightedCost,
    pair: Pair<'_, F>,
    (h, hw): (&[f32], &[f32]),
    outputs: &mut Outputs<'_, F>,
) {
    let d = pair.d;
    let mut row = vec![0.0; d];
    for (n, (&h, hw)) in h.iter().zip(hw.chunks_exact(d)).enumerate() {
        for (wide, narrow) in row.iter_mut().zip(hw) {
            *wide = f64::from(*narrow);
        }
        if let Some(x_grad) = &mut outputs.x_grad {
            form.x_gradient(cost, pair.x, n, f64::from(h), &row, &mut x_grad[n * d..][..d]);
        }
        if let Some(y_mod) = &mut outputs.y_mod {
            form.modified_target(f64::from(h), &row, &mut y_mod[n * d..][..d]);
        }
    }
}

/// Aligns by a cost matrix; `None` if it takes the slow path.
pub fn align_costs<F: Real>(
    costs: &[F],
    stride: usize,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut Float32Scratch,
) -> Result<Option<f64>, Error> {
    let Ok(set) = route::by_request(None, recursion, outputs) else { return Ok(None) };
    let Some(costs) = F::as_f32(costs) else { return Ok(None) };
    let largest = set.largest(costs, stride, shape);
    if route::by_size_of_costs(largest, None, shape, recursion).is_err() {
        return Ok(None);
    }
    let needed = bytes(shape, 0, team.threads);
    ask_for_memory(needed)?;
    scratch.bytes = scratch.bytes.max(needed);
    if outputs.h.is_some() && outputs.soft_alignment.is_none() {
        ask_for_memory(shape.cells() * size_of::<f32>())?; // h is summed from H
    }
    let costs = Costs::Matrix { costs, stride };
    let job = Job::new(shape, recursion.gamma, recursion.weights, team);
    Ok(Some(finish(set, job, costs, None, outputs, &mut scratch.kernel, true)))
}

/// Writes H and E where they are wanted, with `row_sums` h from H, and returns the value.
fn finish<F: Real>(
    set: InstructionSet,
    job: Job<'_>,
    costs: Costs<'_, f32>,
    mut log_end: Option<f64>,
    outputs: &mut Outputs<'_, F>,
    kernel: &mut WavefrontScratch<f32>,
    row_sums: bool,
) -> f64 {
    let Shape { n: rows, m } = job.shape;
    let mut own = vec![];
    let wants_sums = row_sums && outputs.h.is_some();
    for (readout, wanted) in [(job.readout, &mut outputs.soft_alignment), (StepWeights::UNIT, &mut outputs.visits)] {
        if let Some(matrix) = wanted
            && let Some(entries) = F::as_f32_mut(matrix.entries)
        {
            let mut matrix = MatrixMut { entries, stride: matrix.stride };
            log_end = Some(set.run(Job { readout, ..job }, costs, SweepOutput::Matrix(&mut matrix), kernel).ln());
        }
    }
    if wants_sums && let Some(h) = outputs.h.as_deref_mut().and_then(F::as_f32_mut) {
        let (entries, stride) = match &outputs.soft_alignment {
            Some(matrix) => (F::as_f32(matrix.entries).unwrap_or(&[]), matrix.stride),
            None => {
                own.resize(rows * m, 0.0);
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

fn narrow(from: &[f64], to: &mut Vec<f32>) {
    to.clear();
    to.extend(from.iter().map(|&x| x as f32));
}
