//! Gradients of a weighted sum of the values of every x with every y.
//!
//! Some pairs at a time, each leaves its gradients beside those of the others; then each series adds up its own, in the order
//! of the pairs. Which pairs these are is a matter of the lengths alone.

use super::SetSettings;
use super::pairwise::{JOBS, LEAST_CELLS_OF_JOB, is_symmetric};
use crate::batch;
use crate::error::Error;
use crate::kernel::Moments;
use crate::plan::{self, PairScratch, zeros};
use crate::readout::Outputs;
use crate::real::Real;
use crate::threads::stop;

/// Numbers of the gradients of pairs that are kept beside each other.
const MOST_NUMBERS: usize = 1 << 22;

/// The gradients that are asked for, a slice for each series.
pub struct SetOutputs<'o, F> {
    /// Gradients of xs; of one list with itself those of both sides together.
    pub xs: Option<Vec<&'o mut [F]>>,
    /// Gradients of ys; none where there is one list.
    pub ys: Option<Vec<&'o mut [F]>>,
    /// Asks for the sums over all cells, those of gamma and the step weights.
    pub moments: bool,
}

/// One pair, and where its gradients go.
struct Task {
    row: usize,
    column: usize,
    /// The share of the pair, and that of its mirror image where that is not a pair of its own.
    shares: [f64; 2],
    /// The factor of the gradients of both sequences.
    factor: f64,
    /// The numbers kept of each.
    kept: [usize; 2],
}

/// The sum of a series, and of which kept gradients it is made: the first number and the factor of each.
struct Summed {
    sum: Vec<f64>,
    of: Vec<(usize, f64)>,
}

/// Writes the gradients of `sum_ij s_ij SDTW(x_i, y_j)` for shares s (I,J) row-major, and returns the sums over cells that are
/// asked for; `ys` of `None` is xs. Pairs of share 0 and pairs without a path add nothing. An error is that of the first pair
/// that has one.
///
/// Where SDTW(x,y) = SDTW(y,x) and the lists are one, each two pairs that are mirror images are one.
pub fn write_gradients<F: Real>(
    xs: &[&[F]],
    ys: Option<&[&[F]]>,
    shares: &[f64],
    settings: SetSettings<'_>,
    outputs: SetOutputs<'_, F>,
) -> Result<Moments, Error> {
    let is_one_list = ys.is_none();
    let is_mirrored = is_one_list && is_symmetric(settings.cost, settings.recursion);
    let ys = ys.unwrap_or(xs);
    if shares.len() != xs.len() * ys.len() {
        let message = format!("has {} entries for {} x {} pairs", shares.len(), xs.len(), ys.len());
        return Err(Error::argument("shares", message));
    }
    let wanted = [outputs.xs.is_some(), if is_one_list { outputs.xs.is_some() } else { outputs.ys.is_some() }];
    let mut sums = [sums_of(xs, wanted[0])?, sums_of(ys, wanted[1] && !is_one_list)?];
    let task = |row: usize, column: usize| {
        let mirror = if is_mirrored && row != column { shares[column * ys.len() + row] } else { 0.0 };
        let shares = [shares[row * ys.len() + column], mirror];
        let kept = [xs[row], ys[column]].map(<[F]>::len);
        let kept = [0, 1].map(|side| if wanted[side] { kept[side] } else { 0 });
        // Of x with itself both sides have one gradient.
        match is_mirrored && row == column {
            true => Task { row, column, shares, factor: 2.0 * shares[0], kept: [kept[0], 0] },
            false => Task { row, column, shares, factor: shares[0] + shares[1], kept },
        }
    };
    let columns = |row: usize| if is_mirrored { row..ys.len() } else { 0..ys.len() };
    let mut rest = (0..xs.len())
        .flat_map(|row| columns(row).map(move |column| (row, column)))
        .map(|(row, column)| task(row, column))
        .filter(|task| task.shares != [0.0; 2])
        .peekable();
    let mut total = Moments::default();
    let mut buffer: Vec<F> = vec![];
    while rest.peek().is_some() {
        let (mut tasks, mut numbers) = (vec![], 0);
        while numbers < MOST_NUMBERS
            && let Some(task) = rest.next()
        {
            numbers += task.kept[0] + task.kept[1];
            tasks.push(task);
        }
        if buffer.len() < numbers {
            buffer = zeros(numbers)?;
        }
        for of_run in align_tasks(xs, ys, &tasks, settings, outputs.moments, &mut buffer)? {
            total = total.plus(of_run?);
        }
        let mut first = 0;
        for task in &tasks {
            let places = [(0, task.row), (if is_one_list { 0 } else { 1 }, task.column)];
            for ((set, series), kept) in places.into_iter().zip(task.kept) {
                if kept > 0 {
                    sums[set][series].of.push((first, task.factor));
                    first += kept;
                }
            }
        }
        add_up(&mut sums, &buffer, settings)?;
    }
    for (of_set, out) in sums.iter().zip([outputs.xs, outputs.ys]) {
        for (of_series, out) in of_set.iter().zip(out.into_iter().flatten()) {
            out.iter_mut().zip(&of_series.sum).for_each(|(out, &sum)| *out = F::from_f64(sum));
        }
    }
    Ok(total)
}

/// Sums of 0 for each series of a set, if they are wanted.
fn sums_of<F>(set: &[&[F]], is_wanted: bool) -> Result<Vec<Summed>, Error> {
    let wanted = if is_wanted { set } else { &[] };
    wanted.iter().map(|series| Ok(Summed { sum: zeros(series.len())?, of: vec![] })).collect()
}

/// Aligns pairs in runs of about as many cells, and leaves their gradients in `buffer`, one after the other; returns the
/// sums over cells of each run, in their order.
fn align_tasks<F: Real>(
    xs: &[&[F]],
    ys: &[&[F]],
    tasks: &[Task],
    settings: SetSettings<'_>,
    moments: bool,
    buffer: &mut [F],
) -> Result<Vec<Result<Moments, Error>>, Error> {
    let cells = |task: &Task| settings.cells(xs[task.row], ys[task.column]);
    let cells_of = |tasks: &[Task]| tasks.iter().map(cells).fold(0, usize::saturating_add);
    let cells_of_run = (cells_of(tasks) / JOBS).max(LEAST_CELLS_OF_JOB);
    let (mut runs, mut rest, mut kept) = (vec![], tasks, buffer);
    while !rest.is_empty() {
        let (mut count, mut cells_so_far, mut numbers) = (0, 0usize, 0);
        while count < rest.len() && cells_so_far < cells_of_run {
            cells_so_far = cells_so_far.saturating_add(cells(&rest[count]));
            numbers += rest[count].kept[0] + rest[count].kept[1];
            count += 1;
        }
        let (run, other_tasks) = rest.split_at(count);
        let (own, others) = kept.split_at_mut(numbers);
        runs.push((run, own));
        (rest, kept) = (other_tasks, others);
    }
    batch::run(
        runs,
        |(run, _)| cells_of(run),
        settings.threads,
        |(run, mut kept), team, scratch: &mut PairScratch| {
            let mut total = Moments::default();
            for task in run.iter().take_while(|_| stop::may_go_on()) {
                let (x_grad, others) = std::mem::take(&mut kept).split_at_mut(task.kept[0]);
                let (y_grad, others) = others.split_at_mut(task.kept[1]);
                kept = others;
                let mut outputs = Outputs {
                    x_grad: (!x_grad.is_empty()).then_some(&mut *x_grad),
                    y_grad: (!y_grad.is_empty()).then_some(&mut *y_grad),
                    moments,
                    ..Outputs::default()
                };
                let pair = settings.pair(xs[task.row], ys[task.column])?;
                let aligned = plan::align_pair(pair, settings.cost, settings.recursion, &mut outputs, team, scratch);
                match aligned {
                    Ok(alignment) => {
                        total = total.plus(weighted(alignment.moments.unwrap_or_default(), task.shares));
                    }
                    Err(Error::NoPath { .. }) => {
                        x_grad.fill(F::default());
                        y_grad.fill(F::default());
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(total)
        },
    )
}

/// The sums of a pair times its share, and those of its mirror image, whose horizontal steps are vertical here.
fn weighted(Moments { entropy, step_weights_grad: [h, v, d] }: Moments, [own, mirror]: [f64; 2]) -> Moments {
    let step_weights_grad = [own * h + mirror * v, own * v + mirror * h, (own + mirror) * d];
    Moments { entropy: (own + mirror) * entropy, step_weights_grad }
}

/// Adds to each series what was kept of it.
fn add_up<F: Real>(sums: &mut [Vec<Summed>; 2], kept: &[F], settings: SetSettings<'_>) -> Result<(), Error> {
    let jobs: Vec<_> = sums.iter_mut().flatten().filter(|series| !series.of.is_empty()).collect();
    let numbers = |series: &&mut Summed| series.sum.len() * series.of.len();
    batch::run(jobs, numbers, settings.threads, |series, _, _: &mut PairScratch| {
        for (first, factor) in series.of.drain(..) {
            for (sum, number) in series.sum.iter_mut().zip(&kept[first..]) {
                *sum += factor * number.to_f64();
            }
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Cost, WeightedCost};
    use crate::plan::Recursion;
    use crate::weights::StepWeights;

    /// Gradients of the series and the sums over cells.
    fn gradients(
        xs: &[&[f64]],
        ys: Option<&[&[f64]]>,
        shares: &[f64],
        cost: Cost,
        weights: StepWeights,
        threads: usize,
    ) -> (Vec<Vec<f64>>, Moments) {
        let cost = WeightedCost::plain(cost);
        let recursion = Recursion::new(0.5, weights, None).unwrap();
        let settings = SetSettings { d: 2, cost: &cost, recursion: &recursion, threads: Some(threads) };
        let empty = |set: &[&[f64]]| set.iter().map(|each| vec![f64::NAN; each.len()]).collect::<Vec<_>>();
        let (mut of_xs, mut of_ys) = (empty(xs), ys.map(empty).unwrap_or_default());
        let outputs = SetOutputs {
            xs: Some(of_xs.iter_mut().map(Vec::as_mut_slice).collect()),
            ys: ys.is_some().then(|| of_ys.iter_mut().map(Vec::as_mut_slice).collect()),
            moments: true,
        };
        let moments = write_gradients(xs, ys, shares, settings, outputs).unwrap();
        of_xs.append(&mut of_ys);
        (of_xs, moments)
    }

    #[test]
    fn one_list_has_the_gradients_of_two_equal_ones_on_any_number_of_threads() {
        let number = |k: usize| (k * 7919 % 1000) as f64 / 1000.0;
        let lists: Vec<Vec<f64>> =
            [40, 3, 150, 61, 1].iter().map(|&n| (0..2 * n).map(|k| number(k * n + 1)).collect()).collect();
        let xs: Vec<&[f64]> = lists.iter().map(Vec::as_slice).collect();
        let shares: Vec<f64> = (0..25).map(|k| if k % 6 == 1 { 0.0 } else { number(k + 3) - 0.4 }).collect();
        for (cost, weights) in [
            (Cost::Mse, StepWeights::UNIT),
            (Cost::Mse, StepWeights::new(0.3, 1.0, 1.0).unwrap()),
            (Cost::Bce, StepWeights::UNIT),
        ] {
            let (of_one, moments) = gradients(&xs, None, &shares, cost, weights, 1);
            for threads in [2, 5] {
                assert_eq!(gradients(&xs, None, &shares, cost, weights, threads), (of_one.clone(), moments));
            }
            let (of_two, others) = gradients(&xs, Some(&xs), &shares, cost, weights, 3);
            for (series, one) in of_one.iter().enumerate() {
                for (k, &one) in one.iter().enumerate() {
                    let sum = of_two[series][k] + of_two[xs.len() + series][k];
                    assert!((one - sum).abs() < 1e-9 * (1.0 + one.abs()), "{cost:?} {series} {k}: {one} {sum}");
                }
            }
            assert!((moments.entropy - others.entropy).abs() < 1e-9 * moments.entropy.abs());
            for (one, two) in moments.step_weights_grad.into_iter().zip(others.step_weights_grad) {
                assert!((one - two).abs() < 1e-9 * (1.0 + one.abs()), "{cost:?}: {one} {two}");
            }
        }
    }
}
