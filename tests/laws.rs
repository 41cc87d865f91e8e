//! Laws of soft DTW, held through the public interface of the core, as a caller without Python uses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use warplens::band::Band;
use warplens::batch;
use warplens::cost::{Cost, CostMatrix, WeightedCost};
use warplens::error::Error;
use warplens::kernel::wavefront::thread_team::ThreadTeam;
use warplens::matrix::MatrixMut;
use warplens::plan::{Alignment, Pair, Recursion, align_costs, align_pair};
use warplens::readout::Outputs;
use warplens::real::Real;
use warplens::reference;
use warplens::shape::Shape;
use warplens::threads::stop::{Watch, under};
use warplens::weights::StepWeights;

/// Numbers in [0,1), the same on every machine.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        })
        .collect()
}

fn narrow<F: Real>(values: &[f64]) -> Vec<F> {
    values.iter().map(|&value| F::from_f64(value)).collect()
}

fn wide<F: Real>(values: &[F]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

fn recursion(gamma: f64, weights: StepWeights) -> Recursion {
    Recursion::new(gamma, weights, None).unwrap()
}

fn weights() -> [StepWeights; 3] {
    [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap(), StepWeights::new(0.7, 0.4, 1.9).unwrap()]
}

/// The results of one run, in float64.
struct Results {
    alignment: Alignment,
    h: Vec<f64>,
    soft_alignment: Vec<f64>,
    visits: Vec<f64>,
}

/// Aligns a cost matrix that lies inside a larger one, into memory that holds other numbers.
fn by_costs<F: Real>(costs: &[f64], shape: Shape, recursion: &Recursion, moments: bool) -> Result<Results, Error> {
    let Shape { n, m } = shape;
    let stride = m + 3;
    let mut strided = vec![F::from_f64(f64::NAN); n * stride];
    for (row, from) in strided.chunks_exact_mut(stride).zip(costs.chunks_exact(m)) {
        row[..m].copy_from_slice(&narrow::<F>(from));
    }
    let dirty = |count: usize| vec![F::from_f64(-7e7); count];
    let (mut h, mut soft_alignment, mut visits) = (dirty(n), dirty(n * m), dirty(n * m));
    let mut outputs = Outputs {
        h: Some(&mut h),
        soft_alignment: Some(MatrixMut { entries: &mut soft_alignment, stride: m }),
        visits: Some(MatrixMut { entries: &mut visits, stride: m }),
        moments,
        ..Outputs::default()
    };
    let matrix = CostMatrix { costs: &strided, stride };
    let alignment = align_costs(matrix, shape, recursion, &mut outputs, ThreadTeam::ALONE, &mut Default::default())?;
    Ok(Results { alignment, h: wide(&h), soft_alignment: wide(&soft_alignment), visits: wide(&visits) })
}

fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (k, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "entry {k}: {a} is not {b}");
    }
}

/// `of_moments` is the tolerance of sums over all cells, which are made in the precision of the costs.
fn agrees_with_the_reference<F: Real>(tolerance: f64, of_moments: f64) {
    for (n, m) in [(1, 1), (1, 9), (9, 1), (7, 5), (8, 8), (17, 33), (40, 12)] {
        let shape = Shape::new(n, m).unwrap();
        let costs = wide(&narrow::<F>(&numbers((n * 100 + m) as u64, n * m)));
        for weights in weights() {
            for gamma in [0.05, 1.0, 30.0] {
                let truth = reference::align(&costs, n, m, gamma, weights);
                for moments in [false, true] {
                    let got = by_costs::<F>(&costs, shape, &recursion(gamma, weights), moments).unwrap();
                    let scale = tolerance * (1.0 + truth.value.abs());
                    assert!((got.alignment.value - truth.value).abs() <= scale);
                    assert_close(&got.soft_alignment, &truth.soft_alignment, 2.0 * tolerance);
                    assert_close(&got.visits, &truth.visits, 2.0 * tolerance);
                    let rows: Vec<f64> = truth.soft_alignment.chunks_exact(m).map(|row| row.iter().sum()).collect();
                    assert_close(&got.h, &rows, 20.0 * tolerance);
                    if moments {
                        let moments = got.alignment.moments.unwrap();
                        assert!((moments.entropy - truth.entropy).abs() <= of_moments * (1.0 + truth.entropy));
                        let all_steps: f64 = truth.step_weights_grad.iter().sum();
                        let of_steps = of_moments * (1.0 + all_steps);
                        assert_close(&moments.step_weights_grad, &truth.step_weights_grad, of_steps);
                    }
                }
            }
        }
    }
}

#[test]
fn float64_agrees_with_the_reference() {
    agrees_with_the_reference::<f64>(1e-11, 1e-9);
}

#[test]
fn float32_agrees_with_the_reference() {
    agrees_with_the_reference::<f32>(5e-6, 1e-5);
}

#[test]
fn transposition_swaps_horizontal_and_vertical() {
    let (n, m) = (19, 26);
    let costs = numbers(3, n * m);
    let transposed: Vec<f64> = (0..n * m).map(|k| costs[k % n * m + k / n]).collect();
    for weights in weights() {
        let a = by_costs::<f64>(&costs, Shape::new(n, m).unwrap(), &recursion(0.4, weights), false).unwrap();
        let StepWeights { horizontal, vertical, diagonal } = weights;
        let swapped = StepWeights { horizontal: vertical, vertical: horizontal, diagonal };
        let recursion = recursion(0.4, swapped);
        let b = by_costs::<f64>(&transposed, Shape::new(m, n).unwrap(), &recursion, false).unwrap();
        assert!((a.alignment.value - b.alignment.value).abs() < 1e-12);
        let back: Vec<f64> = (0..n * m).map(|k| b.visits[k % m * n + k / m]).collect();
        assert_close(&a.visits, &back, 1e-12);
    }
}

#[test]
fn the_first_and_the_last_cell_are_always_visited() {
    let (n, m) = (70, 110);
    let shape = Shape::new(n, m).unwrap();
    for scale in [1e-3, 1.0, 1e6, 1e12] {
        let costs: Vec<f64> = numbers(5, n * m).iter().map(|c| c * scale).collect();
        for gamma in [0.01, 1.0] {
            let got = by_costs::<f64>(&costs, shape, &recursion(gamma, StepWeights::UNIT), false).unwrap();
            assert!((got.visits[0] - 1.0).abs() < 1e-10);
            assert!((got.visits[n * m - 1] - 1.0).abs() < 1e-10);
            assert!(got.visits.chunks_exact(m).all(|row| row.iter().sum::<f64>() >= 1.0 - 1e-10));
            assert!((0..m).all(|m_| got.visits.iter().skip(m_).step_by(m).sum::<f64>() >= 1.0 - 1e-10));
        }
    }
}

#[test]
fn gradients_follow_from_the_soft_alignment() {
    let (n, m, d) = (14, 9, 3);
    let shape = Shape::new(n, m).unwrap();
    let x: Vec<f64> = numbers(7, n * d).iter().map(|x| 0.1 + 0.8 * x).collect();
    let y: Vec<f64> = numbers(8, m * d).iter().map(|y| 0.1 + 0.8 * y).collect();
    let value = |x: &[f64], y: &[f64], cost: &WeightedCost| {
        let pair = Pair::new(x, y, shape, d).unwrap();
        let recursion = recursion(0.3, weights()[2]);
        align_pair(pair, cost, &recursion, &mut Outputs::default(), ThreadTeam::ALONE, &mut Default::default())
            .unwrap()
            .value
    };
    for (name, cost) in Cost::ALL {
        let cost = WeightedCost::plain(cost);
        let (mut x_grad, mut y_grad) = (vec![f64::NAN; n * d], vec![f64::NAN; m * d]);
        let mut outputs = Outputs { x_grad: Some(&mut x_grad), y_grad: Some(&mut y_grad), ..Outputs::default() };
        let pair = Pair::new(&x, &y, shape, d).unwrap();
        align_pair(
            pair,
            &cost,
            &recursion(0.3, weights()[2]),
            &mut outputs,
            ThreadTeam::ALONE,
            &mut Default::default(),
        )
        .unwrap();
        let step = 1e-6;
        for (sequence, gradient) in [(0, &x_grad), (1, &y_grad)] {
            for (k, expected) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut both = [x.clone(), y.clone()];
                    both[sequence][k] += by;
                    value(&both[0], &both[1], &cost)
                };
                let difference = (moved(step) - moved(-step)) / (2.0 * step);
                assert!((difference - expected).abs() < 1e-6, "{name}: {difference} is not {expected}");
            }
        }
    }
}

#[test]
fn modified_targets_are_asked_of_costs_that_have_them() {
    let (n, m, d) = (6, 4, 2);
    let (x, y) = (numbers(1, n * d), numbers(2, m * d));
    let shape = Shape::new(n, m).unwrap();
    let (mut h, mut y_mod, mut x_grad) = (vec![0.0; n], vec![0.0; n * d], vec![0.0; n * d]);
    let mut outputs =
        Outputs { h: Some(&mut h), y_mod: Some(&mut y_mod), x_grad: Some(&mut x_grad), ..Outputs::default() };
    let pair = Pair::new(&x, &y, shape, d).unwrap();
    let cost = WeightedCost::plain(Cost::Mse);
    align_pair(pair, &cost, &recursion(0.3, weights()[1]), &mut outputs, ThreadTeam::ALONE, &mut Default::default())
        .unwrap();
    for k in 0..n * d {
        assert!((x_grad[k] - h[k / d] * (x[k] - y_mod[k])).abs() < 1e-12);
    }
    assert!(Cost::ALL.iter().filter(|(_, cost)| !cost.has_modified_targets()).count() == 2);
}

#[test]
fn results_do_not_depend_on_threads() {
    let shapes: Vec<Shape> = (1..30).map(|k| Shape::new(1 + k * 7 % 40, 1 + k * 13 % 35).unwrap()).collect();
    let matrices: Vec<Vec<f32>> =
        shapes.iter().enumerate().map(|(k, shape)| narrow(&numbers(k as u64, shape.cells()))).collect();
    let all = |threads| {
        let jobs: Vec<_> = shapes.iter().zip(&matrices).collect();
        batch::run(
            jobs,
            |(shape, _)| shape.cells(),
            Some(threads),
            |(&shape, costs), team, scratch| {
                let mut h = vec![0f32; shape.n];
                let mut outputs = Outputs { h: Some(&mut h), ..Outputs::default() };
                let matrix = CostMatrix { costs, stride: shape.m };
                let recursion = recursion(0.2, weights()[1]);
                let value = align_costs(matrix, shape, &recursion, &mut outputs, team, scratch).unwrap().value;
                (value.to_bits(), h.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            },
        )
        .unwrap()
    };
    let one = all(1);
    assert_eq!(one, all(2));
    assert_eq!(one, all(5));
}

#[test]
fn a_long_pair_stops_between_its_parts() {
    let (shape, d) = (Shape::new(5000, 4000).unwrap(), 2);
    let (x, y) = (numbers(1, shape.n * d), numbers(2, shape.m * d));
    // The looks of a call that may go on for so many of them, and its error.
    let looks = |cost: Cost, gamma: f64, gradient: bool, threads: usize, most: usize| {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = looks.clone();
        let watch: Watch = Arc::new(move || counted.fetch_add(1, Ordering::Relaxed) < most);
        let (cost, recursion) = (WeightedCost::plain(cost), recursion(gamma, StepWeights::UNIT));
        let pair = Pair::new(&x, &y, shape, d).unwrap();
        let result = under(Some(watch), || {
            batch::run(
                vec![pair],
                |pair| pair.shape.cells(),
                Some(threads),
                |pair, team, scratch| {
                    let mut x_grad = vec![0.0; shape.n * d];
                    let x_grad = gradient.then_some(&mut x_grad[..]);
                    let mut outputs = Outputs { x_grad, ..Outputs::default() };
                    align_pair(pair, &cost, &recursion, &mut outputs, team, scratch).map(|alignment| alignment.value)
                },
            )
        });
        (looks.load(Ordering::Relaxed), result.err())
    };
    looks(Cost::Mse, 1.0, true, 1, usize::MAX); // the check of the lanes at their first use looks too
    // Before the job and after it there is one look each.
    for (cost, gamma, gradient, threads, least) in [
        (Cost::Mse, 1.0, false, 1, 2), // cells of the value alone are few between looks of as long
        (Cost::Mse, 1.0, false, 2, 30),
        (Cost::Mse, 1.0, true, 1, 10),
        (Cost::Mse, 1.0, true, 2, 60),
        (Cost::Mse, 1e-15, false, 1, 30), // beyond the exponents of the lanes
        (Cost::Mse, 0.0, true, 1, 15),
    ] {
        let told = format!("{cost:?} gamma {gamma}, gradient {gradient}, {threads} threads");
        let (all, error) = looks(cost, gamma, gradient, threads, usize::MAX);
        assert!(all >= 2 + least && error.is_none(), "{told}: {all} looks");
        for most in [1, all / 2, all - 2] {
            let (seen, error) = looks(cost, gamma, gradient, threads, most);
            assert_eq!(error, Some(Error::Stopped), "{told}");
            // Each thread looks once more, and so do what follows it and the end.
            assert!(seen <= most + 4 + 2 * threads, "{told}: {seen} looks where {most} were granted");
        }
    }
}

#[test]
fn what_cannot_be_aligned_is_an_error_that_names_it() {
    let message = |error: Error| error.to_string();
    assert!(message(Shape::new(0, 3).unwrap_err()).starts_with("x: is an empty sequence"));
    assert!(message(Shape::new(3, 0).unwrap_err()).starts_with("y: is an empty sequence"));
    assert!(message(Shape::new(usize::MAX, 2).unwrap_err()).contains("cells overflow"));
    assert!(message(Shape::new(1 << 31, 1 << 31).unwrap_err()).contains("cells overflow"));
    assert!(message(StepWeights::new(1.0, -1.0, 1.0).unwrap_err()).starts_with("step_weights: vertical is -1"));
    assert!(message(StepWeights::new(f64::NAN, 1.0, 1.0).unwrap_err()).contains("horizontal is NaN"));
    for gamma in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(message(Recursion::new(gamma, StepWeights::UNIT, None).unwrap_err()).starts_with("gamma: is"));
    }
    assert!(message(Band::sakoe_chiba(-1.0).unwrap_err()).starts_with("band: radius is -1"));
    assert!(message(Band::itakura(0.5).unwrap_err()).starts_with("band: max_slope is 0.5"));
    assert!(message("hamming".parse::<Cost>().unwrap_err()).contains("unknown cost \"hamming\"; known are mse"));
    let shape = Shape::new(2, 3).unwrap();
    assert!(message(Pair::new(&[0.0; 5], &[0.0; 6], shape, 2).err().unwrap()).starts_with("x: has 5 entries"));
    let forbidden = [f64::INFINITY; 6];
    for gamma in [0.0, 1.0] {
        let result = by_costs::<f64>(&forbidden, shape, &recursion(gamma, StepWeights::UNIT), false);
        assert!(matches!(result.err().unwrap(), Error::NoPath { message } if message.contains("2 x 3 cost matrix")));
    }
}

#[test]
fn a_nan_is_not_hidden() {
    let (n, m) = (9, 11);
    let shape = Shape::new(n, m).unwrap();
    let mut costs = numbers(4, n * m);
    costs[4 * m + 5] = f64::NAN;
    for gamma in [0.0, 1.0] {
        for result in [
            by_costs::<f64>(&costs, shape, &recursion(gamma, StepWeights::UNIT), false).unwrap(),
            by_costs::<f32>(&costs, shape, &recursion(gamma, StepWeights::UNIT), false).unwrap(),
        ] {
            assert!(result.alignment.value.is_nan());
            assert!(result.h.iter().chain(&result.soft_alignment).chain(&result.visits).all(|entry| entry.is_nan()));
        }
    }
}
