//! Values of every x with every y.

use super::SetSettings;
use crate::band::Band;
use crate::batch;
use crate::cost::{Cost, WeightedCost};
use crate::error::Error;
use crate::plan::{self, PairScratch, Recursion};
use crate::readout::Outputs;
use crate::real::Real;
use crate::threads::stop;

/// Parts that the cells of a matrix are cut into, for threads to take one after the other.
pub(super) const JOBS: usize = 512;
/// Fewer cells are not worth a job of their own.
pub(super) const LEAST_CELLS_OF_JOB: usize = 1 << 14;

/// A run of entries of one row.
struct RowPart<'o> {
    row: usize,
    first_column: usize,
    out: &'o mut [f64],
}

/// Writes SDTW of every x with every y into `out`, (I,J) row-major; `ys` of `None` is xs. An error is that of the first pair,
/// in this order, that has one; a pair without a path has one unless it may be +inf.
///
/// Where SDTW(x,y) = SDTW(y,x) and the lists are one, the entries below the diagonal are copies of those above.
pub fn write_values<F: Real>(
    xs: &[&[F]],
    ys: Option<&[&[F]]>,
    may_be_infinite: bool,
    settings: SetSettings<'_>,
    out: &mut [f64],
) -> Result<(), Error> {
    let SetSettings { cost, recursion, threads, .. } = settings;
    let mirrored = ys.is_none() && is_symmetric(cost, recursion);
    let ys = ys.unwrap_or(xs);
    if xs.is_empty() || ys.is_empty() {
        return Ok(());
    }
    let jobs = row_parts(xs, ys, settings, mirrored, out);
    let cells = |job: &RowPart<'_>| {
        let columns = &ys[job.first_column..][..job.out.len()];
        columns.iter().map(|y| settings.cells(xs[job.row], y)).fold(0, usize::saturating_add)
    };
    let failures = batch::run(jobs, cells, threads, |job, team, scratch: &mut PairScratch| {
        let x = xs[job.row];
        for (y, value) in ys[job.first_column..].iter().zip(job.out) {
            if !stop::may_go_on() {
                break;
            }
            let mut outputs = Outputs::default();
            let aligned = settings
                .pair(x, y)
                .and_then(|pair| plan::align_pair(pair, cost, recursion, &mut outputs, team, scratch));
            match aligned {
                Ok(alignment) => *value = alignment.value,
                Err(Error::NoPath { .. }) if may_be_infinite => *value = f64::INFINITY,
                Err(error) => return Some(error),
            }
        }
        None
    })?;
    if let Some(error) = failures.into_iter().flatten().next() {
        return Err(error);
    }
    if mirrored {
        let count = xs.len();
        for row in 1..count {
            for column in 0..row {
                out[row * count + column] = out[column * count + row];
            }
        }
    }
    Ok(())
}

/// Tells if SDTW(x,y) = SDTW(y,x) for all x and y, by the exact arithmetic of cost, step weights and band.
pub(super) fn is_symmetric(cost: &WeightedCost, recursion: &Recursion) -> bool {
    let of_cost = matches!(cost.cost, Cost::Mse | Cost::SquaredEuclidean | Cost::Cosine | Cost::Euclidean | Cost::L1);
    // The edges of an Itakura parallelogram are rounded along the rows.
    let of_band = !matches!(recursion.band, Some(Band::Itakura { .. }));
    of_cost && of_band && recursion.weights.horizontal == recursion.weights.vertical
}

/// Cuts the rows of `out`, from the diagonal on where the rest is mirrored, into runs of about as many cells.
fn row_parts<'o, F>(
    xs: &[&[F]],
    ys: &[&[F]],
    settings: SetSettings<'_>,
    mirrored: bool,
    out: &'o mut [f64],
) -> Vec<RowPart<'o>> {
    let frames = |series: &[&[F]]| series.iter().map(|each| each.len() / settings.d.max(1)).sum::<usize>();
    let all_cells = frames(xs).saturating_mul(frames(ys)) / if mirrored { 2 } else { 1 };
    let cells_of_job = (all_cells / JOBS).max(LEAST_CELLS_OF_JOB);
    let mut parts = vec![];
    for (row, entries) in out.chunks_exact_mut(ys.len()).enumerate() {
        let mut first_column = if mirrored { row } else { 0 };
        let mut rest = &mut entries[first_column..];
        while !rest.is_empty() {
            let (mut count, mut cells) = (0, 0usize);
            while count < rest.len() && cells < cells_of_job {
                cells = cells.saturating_add(settings.cells(xs[row], ys[first_column + count]));
                count += 1;
            }
            let (part, others) = rest.split_at_mut(count);
            parts.push(RowPart { row, first_column, out: part });
            first_column += count;
            rest = others;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::StepWeights;

    #[test]
    fn rows_are_cut_so_that_every_pair_is_in_one_job() {
        let (long, short) = (vec![0.0; 300], vec![0.0; 3]);
        let xs = [&long[..], &short, &long, &short, &long];
        let cost = WeightedCost::plain(Cost::Mse);
        let recursion = Recursion::new(1.0, StepWeights::UNIT, None).unwrap();
        let settings = SetSettings { d: 1, cost: &cost, recursion: &recursion, threads: Some(1) };
        for mirrored in [false, true] {
            let mut out = vec![0.0; 25];
            for part in row_parts(&xs, &xs, settings, mirrored, &mut out) {
                assert!(!part.out.is_empty());
                part.out.iter_mut().for_each(|entry| *entry += 1.0);
            }
            for (k, entry) in out.into_iter().enumerate() {
                assert_eq!(entry, f64::from(u8::from(!mirrored || k % 5 >= k / 5)));
            }
        }
    }

    #[test]
    fn the_law_of_symmetry_is_used_where_it_is_exact() {
        let of = |cost, weights: (f64, f64, f64), band| {
            let weights = StepWeights::new(weights.0, weights.1, weights.2).unwrap();
            is_symmetric(&WeightedCost::plain(cost), &Recursion::new(1.0, weights, band).unwrap())
        };
        let (unit, radius) = ((1.0, 1.0, 1.0), Some(Band::SakoeChiba { radius: 3.0 }));
        assert!(of(Cost::Mse, unit, None) && of(Cost::L1, (0.3, 0.3, 2.0), radius));
        assert!(!of(Cost::Bce, unit, None) && !of(Cost::Mse, (0.1, 1.0, 1.0), None));
        assert!(!of(Cost::Mse, unit, Some(Band::Itakura { max_slope: 2.0 })));
    }
}
