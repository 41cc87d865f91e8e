//! Time of one pair on one thread, in float32, through the public interface of the core.
//!
//! `align_costs` starts from a cost matrix, `align_pair` from sequences; the throughput is in cells, N times M, so a
//! time divided by it is what a cell costs. `WARPLENS_SIMD` names the instruction set, as everywhere.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use warplens::cost::{Cost, CostMatrix, WeightedCost};
use warplens::kernel::wavefront::dispatch::InstructionSet;
use warplens::kernel::wavefront::thread_team::ThreadTeam;
use warplens::matrix::MatrixMut;
use warplens::plan::{Pair, PairScratch, Recursion, align_costs, align_pair};
use warplens::readout::Outputs;
use warplens::shape::Shape;
use warplens::weights::StepWeights;

const SIZES: [(usize, usize); 4] = [(128, 128), (512, 512), (861, 100), (1024, 1024)];
const WEIGHTS: [(&str, [f64; 3]); 2] = [("1,1,1", [1.0, 1.0, 1.0]), (".1,1,1", [0.1, 1.0, 1.0])];

/// Numbers in [0,1), the same on every machine and in every run.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32
        })
        .collect()
}

/// Sums of twelve uniform numbers less their mean: nearly N(0,1).
fn normal_numbers(seed: u64, count: usize) -> Vec<f32> {
    numbers(seed, 12 * count).chunks_exact(12).map(|twelve| twelve.iter().sum::<f32>() - 6.0).collect()
}

fn recursion(weights: [f64; 3]) -> Recursion {
    let [horizontal, vertical, diagonal] = weights;
    let weights = StepWeights::new(horizontal, vertical, diagonal).expect("weights are positive");
    Recursion::new(1.0, weights, None).expect("gamma is 1")
}

fn set_up(group: &mut BenchmarkGroup<'_, WallTime>, shape: Shape) {
    group.throughput(Throughput::Elements(shape.cells() as u64));
}

fn from_costs(criterion: &mut Criterion) {
    println!("instruction set: {:?}", InstructionSet::chosen());
    let mut group = criterion.benchmark_group("align_costs");
    for (n, m) in SIZES {
        let shape = Shape::new(n, m).expect("sizes are positive");
        set_up(&mut group, shape);
        let costs: Vec<f32> = numbers(1, n * m).into_iter().map(|uniform| 10.0 * uniform).collect();
        let matrix = CostMatrix { costs: &costs[..], stride: m };
        let mut soft_alignment = vec![0.0f32; n * m];
        let mut scratch = PairScratch::default();
        for (name, weights) in WEIGHTS {
            let recursion = recursion(weights);
            group.bench_function(BenchmarkId::new("value", format_args!("{n}x{m} {name}")), |bencher| {
                bencher.iter(|| {
                    align_costs(matrix, shape, &recursion, &mut Outputs::default(), ThreadTeam::ALONE, &mut scratch)
                        .expect("a path")
                        .value
                });
            });
            group.bench_function(BenchmarkId::new("value and H", format_args!("{n}x{m} {name}")), |bencher| {
                bencher.iter(|| {
                    let soft_alignment = MatrixMut { entries: &mut soft_alignment[..], stride: m };
                    let mut outputs = Outputs { soft_alignment: Some(soft_alignment), ..Outputs::default() };
                    align_costs(matrix, shape, &recursion, &mut outputs, ThreadTeam::ALONE, &mut scratch)
                        .expect("a path")
                        .value
                });
            });
        }
    }
    group.finish();
}

/// Probabilities in .01 to .99 and targets with about four ones a frame, as of a transcription of music.
fn piano_roll(n: usize, m: usize, d: usize) -> (Vec<f32>, Vec<f32>) {
    let probabilities = numbers(2, n * d).into_iter().map(|uniform| 0.01 + 0.98 * uniform).collect();
    let is_on = 4.0 / d as f32;
    let notes = numbers(3, m * d).into_iter().map(|uniform| f32::from(uniform < is_on)).collect();
    (probabilities, notes)
}

fn from_sequences(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("align_pair");
    let cases = [
        ("bce 861x100x88 .1,1,1", Cost::Bce, (861, 100, 88), piano_roll(861, 100, 88), [0.1, 1.0, 1.0]),
        (
            "sqeuclidean 512x512x64 1,1,1",
            Cost::SquaredEuclidean,
            (512, 512, 64),
            (normal_numbers(4, 512 * 64), normal_numbers(5, 512 * 64)),
            [1.0, 1.0, 1.0],
        ),
        (
            "sqeuclidean 1024x1024x1 1,1,1",
            Cost::SquaredEuclidean,
            (1024, 1024, 1),
            (normal_numbers(6, 1024), normal_numbers(7, 1024)),
            [1.0, 1.0, 1.0],
        ),
    ];
    for (name, cost, (n, m, d), (x, y), weights) in cases {
        let shape = Shape::new(n, m).expect("sizes are positive");
        set_up(&mut group, shape);
        let pair = Pair::new(&x[..], &y[..], shape, d).expect("lengths fit");
        let (cost, recursion) = (WeightedCost::plain(cost), recursion(weights));
        let mut x_grad = vec![0.0f32; n * d];
        let mut scratch = PairScratch::default();
        group.bench_function(BenchmarkId::new("value", name), |bencher| {
            bencher.iter(|| {
                align_pair(pair, &cost, &recursion, &mut Outputs::default(), ThreadTeam::ALONE, &mut scratch)
                    .expect("a path")
                    .value
            });
        });
        group.bench_function(BenchmarkId::new("value and dX", name), |bencher| {
            bencher.iter(|| {
                let mut outputs = Outputs { x_grad: Some(&mut x_grad[..]), ..Outputs::default() };
                align_pair(pair, &cost, &recursion, &mut outputs, ThreadTeam::ALONE, &mut scratch)
                    .expect("a path")
                    .value
            });
        });
    }
    group.finish();
}

criterion_group!(benches, from_costs, from_sequences);
criterion_main!(benches);
