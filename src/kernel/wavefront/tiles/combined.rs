//! Everything that one backward sweep can give at once: H gathered into products, its sums over rows, H written out, and sums
//! over all cells.

use std::marker::PhantomData;

use super::AlignmentTiles;
use super::cell_sums::CellSums;
use super::columns::ColumnGather;
use super::matrix::MatrixAlignment;
use crate::kernel::Moments;
use crate::real::Real;
use crate::simd::Lanes;

/// The taker of H that leaves it, for sweeps whose other outputs are wanted.
#[derive(Clone, Copy)]
pub struct NoGather;

impl<V: Lanes<L>, const L: usize> AlignmentTiles<V, L> for NoGather {
    #[inline(always)]
    fn take_tile(&mut self, _: V, _: usize, _: usize, _: &[V::F; L]) {}

    unsafe fn for_thread(&self) -> Self {
        *self
    }
}

/// A gather, with other outputs of the same sweep beside it: with `ENTROPY` the entropy of the paths, with `STEPS` the sums
/// C E p of each step.
pub struct CombinedSink<'a, R, G, const ENTROPY: bool, const STEPS: bool> {
    gather: G,
    columns: Option<ColumnGather<'a, R>>,
    matrix: Option<MatrixAlignment<'a, R>>,
    sums: *mut Moments,
    stripes: usize,
    borrowed: PhantomData<&'a mut [Moments]>,
}

// SAFETY: a stripe, and with it its entry of `sums`, belongs to one thread; the others are shared as they allow.
unsafe impl<R: Sync, G: Sync, const ENTROPY: bool, const STEPS: bool> Sync for CombinedSink<'_, R, G, ENTROPY, STEPS> {}

impl<'a, R, G, const ENTROPY: bool, const STEPS: bool> CombinedSink<'a, R, G, ENTROPY, STEPS> {
    /// Combines the sinks; sums go to `sums`, an entry for each stripe, so that they do not depend on threads.
    pub fn new(
        gather: G,
        columns: Option<ColumnGather<'a, R>>,
        matrix: Option<MatrixAlignment<'a, R>>,
        sums: &'a mut [Moments],
    ) -> Self {
        sums.fill(Moments::default());
        Self { gather, columns, matrix, sums: sums.as_mut_ptr(), stripes: sums.len(), borrowed: PhantomData }
    }

    /// The gathers, with what they have gathered.
    pub fn into_gathers(self) -> (G, Option<ColumnGather<'a, R>>) {
        (self.gather, self.columns)
    }
}

/// Returns the sum over lanes in float64.
#[inline(always)]
fn total<V: Lanes<L>, const L: usize>(lanes: V, sums: V::F) -> f64 {
    if !lanes.is_any(sums) {
        return 0.0; // as most are off the path
    }
    let mut total = 0.0;
    for sum in lanes.to_array(sums) {
        total += sum.to_f64();
    }
    total
}

impl<V, G, const L: usize, const ENTROPY: bool, const STEPS: bool> AlignmentTiles<V, L>
    for CombinedSink<'_, V::Real, G, ENTROPY, STEPS>
where
    V: Lanes<L>,
    G: AlignmentTiles<V, L>,
{
    const IS_MASKED: bool = G::IS_MASKED;
    const TAKES_ENTROPY: bool = ENTROPY;
    const TAKES_COSTS_OF_STEPS: bool = STEPS;

    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        if let Some(matrix) = &mut self.matrix {
            matrix.take_tile(lanes, block, stripe, rows);
        }
        if let Some(columns) = &mut self.columns {
            columns.take_tile(lanes, block, stripe, rows);
        }
        self.gather.take_tile(lanes, block, stripe, rows);
    }

    #[inline(always)]
    fn take_zero_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        if let Some(matrix) = &mut self.matrix {
            matrix.take_zero_tile(lanes, block, stripe, rows);
        }
        self.gather.take_zero_tile(lanes, block, stripe, rows);
    }

    #[inline(always)]
    fn take_sums(&mut self, lanes: V, stripe: usize, sums: CellSums<V, L>) {
        assert!(stripe < self.stripes);
        // SAFETY: an entry for each stripe, borrowed as long as `self`; no other thread has that of this stripe, as `for_thread`
        // demands.
        let of_stripe = unsafe { &mut *self.sums.add(stripe) };
        if ENTROPY {
            of_stripe.entropy += total(lanes, sums.entropy);
        }
        if STEPS {
            let [h, v, d] = sums.costs_of_steps;
            of_stripe.step_weights_grad[0] += total(lanes, h);
            of_stripe.step_weights_grad[1] += total(lanes, v);
            of_stripe.step_weights_grad[2] += total(lanes, d);
        }
    }

    unsafe fn for_thread(&self) -> Self {
        // SAFETY: the caller orders the tiles of all.
        unsafe {
            Self {
                gather: self.gather.for_thread(),
                columns: self.columns.as_ref().map(|columns| AlignmentTiles::<V, L>::for_thread(columns)),
                matrix: self.matrix.as_ref().map(|matrix| AlignmentTiles::<V, L>::for_thread(matrix)),
                ..*self
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::job::{Job, PANEL_BYTES, SweepScratch};
    use super::super::super::thread_team::ThreadTeam;
    use super::super::columns::ColumnScratch;
    use super::super::matrix::MatrixCosts;
    use super::*;
    use crate::matrix::MatrixMut;
    use crate::reference;
    use crate::shape::Shape;
    use crate::simd::Number;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    /// The outputs of one sweep.
    #[derive(PartialEq, Debug)]
    struct Results<R> {
        h: Vec<R>,
        copy: Vec<R>,
        column_sums: Vec<R>,
        hv: Vec<R>,
        sums: Moments,
    }

    fn run<V: Lanes<L>, const L: usize, const S: usize, const ENTROPY: bool, const STEPS: bool>(
        lanes: V,
        job: Job<'_>,
        costs: &[V::Real],
        v: &[V::Real],
    ) -> Results<V::Real> {
        let (shape, Shape { n, m }, d) = (job.shape, job.shape, v.len() / job.shape.n);
        let nan = V::Real::from_f64(f64::NAN);
        let (mut h, mut copy) = (vec![nan; n * m], vec![nan; n * m]);
        let grid = job.grid::<V, L>(S);
        let mut sums = vec![Moments { entropy: f64::NAN, ..Moments::default() }; grid.stripes];
        let mut gathered = MatrixMut { entries: &mut h, stride: m };
        let mut matrix = MatrixMut { entries: &mut copy, stride: m };
        let gather = MatrixAlignment::new(&mut gathered, shape);
        let matrix = MatrixAlignment::new(&mut matrix, shape);
        let mut column_scratch = ColumnScratch::default();
        let columns = ColumnGather::new(v, d, grid, &mut column_scratch);
        let mut sink = CombinedSink::<_, _, ENTROPY, STEPS>::new(gather, Some(columns), Some(matrix), &mut sums);
        let mut tiles = MatrixCosts::new(costs, m, shape);
        job.align::<_, _, _, L, S>(lanes, &mut tiles, &mut sink, &mut SweepScratch::default());
        let (_, columns) = sink.into_gathers();
        let (mut column_sums, mut hv) = (vec![nan; m], vec![nan; m * d]);
        columns.unwrap().write(&mut column_sums, &mut hv);
        let sums = sums.iter().copied().fold(Moments::default(), Moments::plus);
        Results { h, copy, column_sums, hv, sums }
    }

    fn check<V: Lanes<L>, const L: usize, const S: usize>(lanes: V) {
        let tolerance = if V::Real::ROUNDING < f32::ROUNDING { 1e-12 } else { 1e-6 };
        let close = |name: &str, got: f64, expected: f64, size: f64| {
            assert!((got - expected).abs() <= tolerance * size, "{name}: {got} {expected}");
        };
        for (n, m) in (1..=16).map(|k| (24 + k, 60 + 7 * k % 16)).chain([(1, 1), (1, 30), (70, 5), (300, 40)]) {
            let (shape, d) = (Shape::new(n, m).unwrap(), 1 + n % 7);
            let wide: Vec<f64> = (0..n * m).map(|k| f64::from(((k * 7919) % 101) as f32 * 0.05)).collect();
            let costs: Vec<V::Real> = wide.iter().map(|&cost| V::Real::from_f64(cost)).collect();
            let v: Vec<V::Real> = (0..n * d).map(|k| V::Real::from_f64(((k * 31) % 17) as f64 - 8.0)).collect();
            for weights in [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap()] {
                for (gamma, panel_bytes) in [(0.01, PANEL_BYTES), (1.0, 1), (100.0, PANEL_BYTES)] {
                    let truth = reference::align(&wide, n, m, gamma, weights);
                    let job = Job { panel_bytes, ..Job::new(shape, gamma, weights, ThreadTeam::ALONE) };
                    let got = run::<V, L, S, true, true>(lanes, job, &costs, &v);
                    let of_all = (n + m) as f64;
                    close("entropy", got.sums.entropy, truth.entropy, of_all + truth.entropy);
                    let total: f64 = truth.step_weights_grad.iter().sum();
                    for (got, expected) in got.sums.step_weights_grad.into_iter().zip(truth.step_weights_grad) {
                        close("costs of a step", got, expected, 10.0 * (total + 1.0));
                    }
                    assert!(got.h == got.copy && got.h.iter().all(|h| h.to_f64().is_finite()));
                    for column in 0..m {
                        let of_column = |n: usize| truth.soft_alignment[n * m + column];
                        let sum: f64 = (0..n).map(of_column).sum();
                        close("column sum", got.column_sums[column].to_f64(), sum, 10.0 * (1.0 + sum));
                        for k in 0..d {
                            let expected: f64 = (0..n).map(|n| of_column(n) * v[n * d + k].to_f64()).sum();
                            close("H^T V", got.hv[column * d + k].to_f64(), expected, 80.0 * (1.0 + sum));
                        }
                    }
                    // What is not asked for changes nothing in the rest.
                    let less = run::<V, L, S, true, false>(lanes, job, &costs, &v);
                    let none = run::<V, L, S, false, false>(lanes, job, &costs, &v);
                    assert!(less.sums.entropy == got.sums.entropy && none.sums == Moments::default());
                    for other in [less, none] {
                        let same = other.h == got.h && other.column_sums == got.column_sums && other.hv == got.hv;
                        assert!(same, "{n}x{m} g={gamma}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_one_sweep_gives_is_what_the_reference_gives() {
        check::<_, 8, 2>(Portable::<f32, 8>::new());
        check::<_, 16, 4>(Portable::<f32, 16>::new());
        check::<_, 4, 2>(Portable::<f64, 4>::new());
        check::<_, 8, 4>(Portable::<f64, 8>::new());
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn what_one_sweep_gives_on_hardware_is_what_the_reference_gives() {
        if let Some(lanes) = crate::simd::avx2::Avx2::<f32>::detect() {
            check::<_, 8, 4>(lanes);
        }
        if let Some(lanes) = crate::simd::avx512::Avx512::<f32>::detect() {
            check::<_, 16, 2>(lanes);
        }
        if let Some(lanes) = crate::simd::avx2::Avx2::<f64>::detect() {
            check::<_, 4, 4>(lanes);
        }
        if let Some(lanes) = crate::simd::avx512::Avx512::<f64>::detect() {
            check::<_, 8, 2>(lanes);
        }
    }

    /// Small entropies, whose greatest probabilities are 1 to rounding, keep their digits.
    #[test]
    fn small_entropies_are_as_exact_as_large_ones() {
        let (n, m) = (40, 40);
        let shape = Shape::new(n, m).unwrap();
        let wide: Vec<f64> = (0..n * m).map(|k| if k % (m + 1) == 0 { 0.0 } else { 1.0 }).collect();
        let narrow: Vec<f32> = wide.iter().map(|&cost| cost as f32).collect();
        for gamma in [0.15, 0.08, 0.05] {
            let truth = reference::align(&wide, n, m, gamma, StepWeights::UNIT);
            let job = Job::new(shape, gamma, StepWeights::UNIT, ThreadTeam::ALONE);
            let got = run::<_, 8, 2, true, true>(Portable::<f64, 8>::new(), job, &wide, &wide).sums.entropy;
            assert!((got / truth.entropy - 1.0).abs() < 1e-9, "{gamma}: {got} {}", truth.entropy);
            let got = run::<_, 8, 2, true, true>(Portable::<f32, 8>::new(), job, &narrow, &narrow).sums.entropy;
            assert!((got / truth.entropy - 1.0).abs() < 1e-3, "{gamma}: {got} {}", truth.entropy);
        }
    }

    /// Sums do not depend on the threads.
    #[cfg(not(feature = "model-check"))]
    #[test]
    fn several_threads_give_the_bits_of_one() {
        let run_on = |threads: usize| {
            move |work: &(dyn Fn() + Sync)| {
                std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
            }
        };
        let (n, m, d) = (61, 100, 5);
        let shape = Shape::new(n, m).unwrap();
        let costs: Vec<f32> = (0..n * m).map(|k| ((k * 7919) % 101) as f32 * 0.05).collect();
        let v: Vec<f32> = (0..n * d).map(|k| ((k * 31) % 17) as f32).collect();
        let results = |team: ThreadTeam<'_>, panel_bytes: usize| {
            let weights = StepWeights::new(0.1, 1.0, 1.0).unwrap();
            let job = Job { panel_bytes, least_shared_cells: 0, ..Job::new(shape, 0.5, weights, team) };
            run::<_, 8, 2, true, true>(Portable::<f32, 8>::new(), job, &costs, &v)
        };
        let one = results(ThreadTeam::ALONE, PANEL_BYTES);
        assert_eq!(results(ThreadTeam::ALONE, 1), one);
        for threads in [2, 5] {
            let run = run_on(threads);
            for panel_bytes in [1, 20_000, PANEL_BYTES] {
                assert_eq!(results(ThreadTeam { threads, run: &run }, panel_bytes), one);
            }
        }
    }
}
