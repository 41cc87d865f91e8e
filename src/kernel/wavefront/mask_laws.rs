//! Laws of sweeps under a mask, on every instruction set and in both precisions.

use std::ops::Range;

use super::dispatch::{InstructionSet, OnLanes};
use super::job::{Job, PANEL_BYTES};
use super::pair::{Costs, ExtraOutputs, SumsOverCells, SweepOutput, WavefrontScratch};
use super::thread_team::ThreadTeam;
use super::tiles::masked::{Mask, finite_columns};
use crate::band::Band;
use crate::cost::CostMatrix;
use crate::kernel::Moments;
use crate::kernel::rowwise::{RowwiseScratch, RowwiseSweep};
use crate::matrix::MatrixMut;
use crate::reference;
use crate::row_sink::RowSink;
use crate::shape::Shape;
use crate::simd::Number;
use crate::weights::StepWeights;

/// A sequence of numbers in [0,1) that are float32.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 41) as f64 / (1 << 23) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() * limit as f64) as usize
    }
}

/// Costs, with +inf in forbidden cells unless a band forbids them.
struct Case {
    name: &'static str,
    shape: Shape,
    costs: Vec<f64>,
    band: Option<Vec<Range<usize>>>,
}

impl Case {
    fn new(name: &'static str, shape: Shape, numbers: &mut Numbers, allowed: impl Fn(usize, usize) -> bool) -> Self {
        let costs = (0..shape.cells()).map(|k| {
            let cost = 10.0 * numbers.next() - 1.0;
            if allowed(k / shape.m, k % shape.m) { f64::from(cost as f32) } else { f64::INFINITY }
        });
        Self { name, shape, costs: costs.collect(), band: None }
    }

    fn is_in_band(&self, row: usize, column: usize) -> bool {
        self.band.as_ref().is_none_or(|band| band[row].contains(&column))
    }

    /// The costs with +inf wherever a cell is forbidden.
    fn forbidding(&self) -> Vec<f64> {
        let m = self.shape.m;
        let cost = |(k, &cost): (usize, &f64)| if self.is_in_band(k / m, k % m) { cost } else { f64::INFINITY };
        self.costs.iter().enumerate().map(cost).collect()
    }

    fn columns(&self) -> Vec<Range<usize>> {
        let finite = finite_columns(&self.costs, self.shape.m, self.shape);
        match &self.band {
            Some(band) => finite.into_iter().zip(band).map(|(a, b)| a.start.max(b.start)..a.end.min(b.end)).collect(),
            None => finite,
        }
    }
}

/// Masks of every kind.
fn cases(shape: Shape, numbers: &mut Numbers) -> Vec<Case> {
    let Shape { n, m } = shape;
    let corner = |i: usize, j: usize| (i, j) == (0, 0) || (i, j) == (n - 1, m - 1);
    let holes: Vec<bool> = (0..n * m).map(|_| numbers.next() < 0.2).collect();
    // A path, and which cells it passes.
    let (mut path, mut at) = (vec![false; n * m], (0, 0));
    path[0] = true;
    while at != (n - 1, m - 1) {
        let step = numbers.below(3);
        at = ((at.0 + usize::from(step != 0)).min(n - 1), (at.1 + usize::from(step != 1)).min(m - 1));
        path[at.0 * m + at.1] = true;
    }
    let (row, column) = (numbers.below(n), numbers.below(m));
    let corridor = path.clone();
    let mut made = vec![
        Case::new("nothing forbidden", shape, numbers, |_, _| true),
        Case::new("holes", shape, numbers, |i, j| corner(i, j) || !holes[i * m + j]),
        Case::new("holes beside a path", shape, numbers, |i, j| path[i * m + j] || !holes[i * m + j]),
        Case::new("a corridor", shape, numbers, |i, j| corridor[i * m + j]),
        Case::new("rows of one cell", shape, numbers, |i, j| i % 3 != 1 || path[i * m + j]),
        Case::new("a wall with a door", shape, numbers, |i, j| j != column || path[i * m + j]),
        Case::new("a wall", shape, numbers, |i, j| {
            n == 1 || m == 1 || i + j != (n + m) / 2 && i + j != (n + m) / 2 + 1
        }),
        Case::new("corners", shape, numbers, |i, j| {
            corner(i, j) || (i < n.div_ceil(2) || j > m / 3) && (j < m.div_ceil(2) || i > n / 3)
        }),
        Case::new("a staircase", shape, numbers, |i, j| {
            let step = i * m / n / 5 * 5;
            corner(i, j) || (j + 9 >= step && j <= step + 9) || path[i * m + j]
        }),
        Case::new("pockets", shape, numbers, |i, j| path[i * m + j] || (i + 2 * j) % 11 > 2),
        Case::new("no first cell", shape, numbers, |i, j| i + j > 0),
        Case::new("no last cell", shape, numbers, |i, j| i + j + 2 < n + m),
        Case::new("a row without cells", shape, numbers, |i, _| i != row),
    ];
    let bands = [0.0, 1.0, 2.5, 7.0, 30.0].map(|radius| Band::SakoeChiba { radius });
    for band in bands.into_iter().chain([1.2, 2.0, 6.0].map(|max_slope| Band::Itakura { max_slope })) {
        if let Ok(band) = band.columns(shape) {
            for (name, share) in [("a band", 0.0), ("a band with holes", 0.1)] {
                let holes: Vec<bool> = (0..n * m).map(|_| numbers.next() < share).collect();
                let case = Case::new(name, shape, numbers, |i, j| corner(i, j) || !holes[i * m + j]);
                made.push(Case { band: Some(band.clone()), ..case });
            }
        }
    }
    made
}

/// Tells for each cell if a path from the first cell to the last passes it.
fn on_a_path(costs: &[f64], Shape { n, m }: Shape) -> Vec<bool> {
    let reached = |is_free: &dyn Fn(usize, usize) -> bool| {
        let mut reached = vec![false; n * m];
        for i in 0..n {
            for j in 0..m {
                let before = i + j == 0
                    || i > 0 && reached[(i - 1) * m + j]
                    || j > 0 && reached[i * m + j - 1]
                    || i > 0 && j > 0 && reached[(i - 1) * m + j - 1];
                reached[i * m + j] = before && is_free(i, j);
            }
        }
        reached
    };
    let from_first = reached(&|i, j| costs[i * m + j] < f64::INFINITY);
    let from_last = reached(&|i, j| costs[(n - 1 - i) * m + m - 1 - j] < f64::INFINITY);
    (0..n * m).map(|k| from_first[k] && from_last[n * m - 1 - k]).collect()
}

/// The results of sweeps.
#[derive(PartialEq, Debug)]
struct Swept<R> {
    ends: [f64; 2],
    h: Vec<R>,
    sums: Moments,
}

#[derive(Clone, Copy)]
struct Limits<'a> {
    panel_bytes: usize,
    least_shared_cells: usize,
    team: ThreadTeam<'a>,
}

const ALONE: Limits<'static> =
    Limits { panel_bytes: PANEL_BYTES, least_shared_cells: usize::MAX, team: ThreadTeam::ALONE };

fn sweep<R: OnLanes>(
    set: InstructionSet,
    case: &Case,
    (gamma, weights, readout): (f64, StepWeights, StepWeights),
    limits: Limits<'_>,
) -> Swept<R> {
    let (shape, costs) = (case.shape, case.costs.iter().map(|&cost| R::from_f64(cost)).collect::<Vec<_>>());
    let costs = Costs::Matrix { costs: &costs, stride: shape.m };
    let columns = case.columns();
    let mask = Some(Mask { columns: &columns, is_band: case.band.is_some() });
    let Limits { panel_bytes, least_shared_cells, team } = limits;
    let job = Job { mask, readout, panel_bytes, least_shared_cells, ..Job::new(shape, gamma, weights, team) };
    let scratch = &mut WavefrontScratch::default();
    let value = set.run(job, costs, SweepOutput::Value, scratch).ln();
    let mut h = vec![R::from_f64(f64::NAN); shape.cells()];
    let mut sums = Moments::default();
    let mut matrix = MatrixMut { entries: &mut h, stride: shape.m };
    let extra =
        ExtraOutputs { matrix: Some(&mut matrix), columns: None, sums: SumsOverCells::Moments, moments: &mut sums };
    let end = set.run(job, costs, SweepOutput::Extra(extra), scratch).ln();
    let mut alone = vec![R::from_f64(f64::NAN); shape.cells()];
    let mut matrix = MatrixMut { entries: &mut alone, stride: shape.m };
    set.run(job, costs, SweepOutput::Matrix(&mut matrix), scratch);
    assert!(end == f64::NEG_INFINITY || alone == h, "{}: H beside sums is H alone", case.name);
    Swept { ends: [value, end], h, sums }
}

fn check<R: OnLanes>(set: InstructionSet, case: &Case, gamma: f64, weights: StepWeights, readout: StepWeights) {
    let Shape { n, m } = case.shape;
    let costs = case.forbidding();
    let truth = reference::align(&costs, n, m, gamma, weights);
    let got = sweep::<R>(set, case, (gamma, weights, readout), ALONE);
    let told = format!("{set:?} {} {n}x{m} g={gamma} {weights:?} {:?}", case.name, case.band);
    let tolerance = if R::ROUNDING > f64::ROUNDING { 1e-5 } else { 1e-11 };
    assert_eq!(got.ends[0], got.ends[1], "{told}");
    let value = -gamma * got.ends[0];
    if truth.value == f64::INFINITY {
        assert!(value == f64::INFINITY, "{told}: {value}, and there is no path");
        return;
    }
    let of_all = (n + m) as f64;
    let error = (value - truth.value).abs();
    assert!(error <= tolerance * (truth.value.abs() + gamma * of_all), "{told}: {value} {}", truth.value);
    let expected = if readout == weights { &truth.soft_alignment } else { &truth.visits };
    for ((k, is_on), (h, expected)) in
        on_a_path(&costs, case.shape).into_iter().enumerate().zip(got.h.iter().zip(expected))
    {
        let h = h.to_f64();
        assert!(is_on || h == 0.0, "{told}: {h} at {k}, which no path passes");
        assert!((h - expected).abs() <= tolerance, "{told}: {h} {expected} at {k}");
    }
    let error = (got.sums.entropy - truth.entropy).abs();
    assert!(error <= tolerance * (of_all + truth.entropy), "{told}: {} {}", got.sums.entropy, truth.entropy);
    let total: f64 = truth.step_weights_grad.iter().map(|sum| sum.abs()).sum();
    for (got, expected) in got.sums.step_weights_grad.into_iter().zip(truth.step_weights_grad) {
        assert!((got - expected).abs() <= tolerance * 10.0 * (total + of_all), "{told}: {got} {expected}");
    }
}

fn sets() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.iter().map(|&(_, set)| set).filter(|set| set.is_available())
}

const SHAPES: [(usize, usize); 16] = [
    (1, 1),
    (1, 20),
    (20, 1),
    (2, 2),
    (3, 70),
    (7, 7),
    (8, 8),
    (16, 16),
    (15, 17),
    (17, 33),
    (33, 17),
    (64, 64),
    (40, 150),
    (150, 40),
    (65, 129),
    (100, 65),
];

#[test]
fn a_mask_gives_what_the_reference_gives() {
    let numbers = &mut Numbers(88_172_645_463_325_252);
    let kinds = [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.0, 2.0, 0.7), (0.3, 1.0, 2.0)];
    for (n, m) in SHAPES {
        for case in cases(Shape::new(n, m).unwrap(), numbers) {
            let (w_h, w_v, w_d) = kinds[numbers.below(kinds.len())];
            let weights = StepWeights::new(w_h, w_v, w_d).unwrap();
            let readout = if numbers.below(2) == 0 { weights } else { StepWeights::UNIT };
            let gamma = [0.05, 1.0, 30.0][numbers.below(3)];
            for set in sets() {
                check::<f32>(set, &case, gamma, weights, readout);
                check::<f64>(set, &case, gamma, weights, readout);
            }
        }
    }
}

/// The probability of each path, summed by hand.
#[test]
fn a_mask_gives_what_all_paths_give() {
    fn walk(costs: &[f64], shape: Shape, weights: [f64; 3], at: (usize, usize), cost: f64, take: &mut impl FnMut(f64)) {
        if at == (shape.n - 1, shape.m - 1) {
            take(cost);
        }
        for (s, step) in [(1, 0), (0, 1), (1, 1)].into_iter().enumerate() {
            let (i, j) = (at.0 + step.0, at.1 + step.1);
            if i < shape.n && j < shape.m && costs[i * shape.m + j] < f64::INFINITY {
                walk(costs, shape, weights, (i, j), cost + weights[s] * costs[i * shape.m + j], take);
            }
        }
    }
    let numbers = &mut Numbers(99_172_645_463_325_252);
    let weights = StepWeights::new(0.4, 1.0, 1.7).unwrap();
    for (n, m) in [(1, 4), (3, 3), (5, 4), (4, 6)] {
        let shape = Shape::new(n, m).unwrap();
        for case in cases(shape, numbers) {
            let (costs, mut sum) = (case.forbidding(), 0.0);
            if costs[0] < f64::INFINITY {
                walk(&costs, shape, weights.as_array(), (0, 0), weights.diagonal * costs[0], &mut |cost| {
                    sum += (-cost).exp()
                });
            }
            for set in sets() {
                let got = sweep::<f64>(set, &case, (1.0, weights, weights), ALONE).ends[0];
                assert!(got == sum.ln() || (got - sum.ln()).abs() < 1e-12 * (1.0 + got.abs()), "{set:?} {}", case.name);
            }
        }
    }
}

#[cfg(not(feature = "model-check"))] // there, threads are those of loom
#[test]
fn panels_and_threads_under_a_mask_give_the_same_bits() {
    fn check<R: OnLanes>(set: InstructionSet, case: &Case) {
        let weights = StepWeights::new(0.1, 1.0, 1.0).unwrap();
        let settings = (0.5, weights, weights);
        let least_shared_cells = 0;
        let one = sweep::<R>(set, case, settings, Limits { least_shared_cells, ..ALONE });
        for threads in [1, 2, 5] {
            let run = move |work: &(dyn Fn() + Sync)| {
                std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
            };
            for panel_bytes in [1, 20_000, PANEL_BYTES] {
                let team = ThreadTeam { threads, run: &run };
                let got = sweep::<R>(set, case, settings, Limits { panel_bytes, least_shared_cells, team });
                assert!(got.ends == one.ends, "{set:?} {} on {threads} threads, {panel_bytes} bytes", case.name);
                let has_path = one.ends[0] > f64::NEG_INFINITY;
                assert!(!has_path || got == one, "{set:?} {} on {threads} threads, {panel_bytes} bytes", case.name);
            }
        }
    }
    let numbers = &mut Numbers(77_172_645_463_325_252);
    for (n, m) in [(1, 70), (61, 150), (90, 131)] {
        for case in cases(Shape::new(n, m).unwrap(), numbers) {
            // One set and precision in turn for each case: threads know nothing of them.
            let sets: Vec<_> = sets().collect();
            let set = sets[numbers.below(sets.len())];
            if numbers.below(2) == 0 { check::<f32>(set, &case) } else { check::<f64>(set, &case) }
        }
    }
}

/// E by rows.
struct Visits {
    m: usize,
    visits: Vec<f64>,
}

impl RowSink for Visits {
    fn take_row(&mut self, n: usize, _: Range<usize>, visits: &[f64], _: &[f64]) {
        self.visits[n * self.m..][..self.m].copy_from_slice(visits);
    }
}

/// Costs that differ by as much as exponents under a mask may do no harm to those beside them.
#[test]
fn costs_at_the_end_of_the_range_stay_apart_from_forbidden_ones() {
    fn check<R: OnLanes>(set: InstructionSet, numbers: &mut Numbers) {
        let shape = Shape::new(50, 70).unwrap();
        let largest_sum = R::FORBIDDEN.abs() / 4.0;
        let gamma = f64::from((2.0 * std::f64::consts::LOG2_E * (120.0 * 9.0) / largest_sum) as f32);
        for mut case in cases(shape, numbers) {
            // Whole numbers, so that both precisions see the same.
            for cost in case.costs.iter_mut().filter(|cost| cost.is_finite()) {
                *cost = cost.round();
            }
            assert!(super::fits::<R>(9.0, shape, gamma, StepWeights::UNIT, true));
            let costs = case.forbidding();
            // The reference, in the log domain, loses digits here.
            let matrix = CostMatrix { costs: &costs, stride: shape.m };
            let twin = RowwiseSweep { costs: &matrix, shape, band: None, gamma, weights: StepWeights::UNIT };
            let mut rows = Visits { m: shape.m, visits: vec![0.0; shape.cells()] };
            let expected = twin.align(&mut RowwiseScratch::default(), &mut rows, None).unwrap();
            let got = sweep::<R>(set, &case, (gamma, StepWeights::UNIT, StepWeights::UNIT), ALONE);
            let (value, told) = (-gamma * got.ends[0], format!("{set:?} {}", case.name));
            let tolerance = if R::ROUNDING > f64::ROUNDING { 1e-5 } else { 1e-12 };
            let is_close = (value - expected).abs() <= tolerance * expected.abs() + tolerance * gamma;
            assert!(value == expected || is_close, "{told}: {value} {expected}");
            for (h, expected) in got.h.iter().zip(&rows.visits) {
                assert!(
                    value == f64::INFINITY || (h.to_f64() - expected).abs() < tolerance,
                    "{told}: {h:?} {expected}"
                );
            }
        }
    }
    let numbers = &mut Numbers(66_172_645_463_325_252);
    for set in sets() {
        check::<f32>(set, numbers);
        check::<f64>(set, numbers);
    }
}
