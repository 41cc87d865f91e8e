//! The sums over series that a step of a barycenter is made of.

use super::SetSettings;
use crate::batch;
use crate::error::Error;
use crate::plan::{self, PairScratch, zeros};
use crate::readout::Outputs;
use crate::threads::stop;

/// The most parts that the series are cut into: each has sums of its own, and these are added in their order.
const MOST_PARTS: usize = 256;

/// Sums over all series x_i of shares s_i, at the alignments of z with each.
#[derive(Clone, Debug, PartialEq)]
pub struct BarycenterSums {
    /// `sum_i s_i SDTW(z, x_i)`.
    pub objective: f64,
    /// `sum_i |s_i <H_i, C_i>|`, the size of the costs; only when asked for, else 0.
    pub expected_cost: f64,
    /// `sum_i s_i h_i(n)`, (N,).
    pub mass: Vec<f64>,
    /// `sum_i s_i h_i(n) Y_mod_i(n)`, (N,D).
    pub moved: Vec<f64>,
}

/// An error, and the series whose it is; `None` where it is of the whole call.
#[derive(Debug)]
pub struct FailedSeries {
    /// The index among the series.
    pub index: Option<usize>,
    /// The error.
    pub error: Error,
}

impl From<Error> for FailedSeries {
    fn from(error: Error) -> Self {
        Self { index: None, error }
    }
}

/// Some adjacent series, and the sums over them: N entries of mass, then N D of what is moved.
struct Part<'a> {
    first: usize,
    xs: &'a [&'a [f64]],
    shares: &'a [f64],
    sums: &'a mut [f64],
}

/// The numbers of a part.
#[derive(Default)]
struct PartNumbers {
    objective: f64,
    expected_cost: f64,
    failed: Option<(usize, Error)>,
}

/// Aligns z (N,D) with every series and sums. An error is that of the first series that has one.
pub fn sums(
    z: &[f64],
    xs: &[&[f64]],
    shares: &[f64],
    wants_expected_cost: bool,
    settings: SetSettings<'_>,
) -> Result<BarycenterSums, FailedSeries> {
    if shares.len() != xs.len() {
        let message = format!("has {} entries, xs has {} series", shares.len(), xs.len());
        return Err(Error::argument("shares", message).into());
    }
    let frames = z.len() / settings.d.max(1);
    let length = frames + z.len();
    let series_of_part = xs.len().div_ceil(MOST_PARTS).max(1);
    let parts = xs.len().div_ceil(series_of_part);
    let mut all_sums = zeros::<f64>(parts.saturating_mul(length))?;
    let jobs: Vec<_> = xs
        .chunks(series_of_part)
        .zip(shares.chunks(series_of_part))
        .zip(all_sums.chunks_exact_mut(length.max(1)))
        .enumerate()
        .map(|(part, ((xs, shares), sums))| Part { first: part * series_of_part, xs, shares, sums })
        .collect();
    let cells = |part: &Part<'_>| part.xs.iter().map(|x| settings.cells(z, x)).fold(0, usize::saturating_add);
    let numbers = batch::run(jobs, cells, settings.threads, |part, team, scratch: &mut PairScratch| {
        let Part { first, xs, shares, sums } = part;
        let mut numbers = PartNumbers::default();
        let (mass, moved) = sums.split_at_mut(frames);
        let mut add = |x: &[f64], share: f64| -> Result<(), Error> {
            let (mut h, mut y_mod) = (zeros(frames)?, zeros(z.len())?);
            let mut outputs = Outputs {
                h: Some(&mut h),
                y_mod: Some(&mut y_mod),
                entropy: wants_expected_cost,
                ..Outputs::default()
            };
            let pair = settings.pair(z, x)?;
            let result = plan::align_pair(pair, settings.cost, settings.recursion, &mut outputs, team, scratch)?;
            numbers.objective += share * result.value;
            let entropy = result.entropy.unwrap_or_default();
            numbers.expected_cost += (share * (result.value + settings.recursion.gamma * entropy)).abs();
            for (n, (mass, &h)) in mass.iter_mut().zip(&h).enumerate() {
                let own = share * h;
                *mass += own;
                let frame = n * settings.d..(n + 1) * settings.d;
                for (moved, y_mod) in moved[frame.clone()].iter_mut().zip(&y_mod[frame]) {
                    *moved += own * y_mod;
                }
            }
            Ok(())
        };
        let mut failed = None;
        for (index, (x, &share)) in xs.iter().zip(shares).enumerate() {
            if !stop::may_go_on() {
                break;
            }
            if let Err(error) = add(x, share) {
                failed = Some((first + index, error));
                break;
            }
        }
        PartNumbers { failed, ..numbers }
    })?;
    let (mut objective, mut expected_cost) = (0.0, 0.0);
    for part in numbers {
        if let Some((index, error)) = part.failed {
            return Err(FailedSeries { index: Some(index), error });
        }
        objective += part.objective;
        expected_cost += part.expected_cost;
    }
    let mut of_parts = all_sums.chunks_exact(length.max(1));
    let mut total = of_parts.next().map(<[f64]>::to_vec).unwrap_or_default();
    for sums in of_parts {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    let moved = total.split_off(frames.min(total.len()));
    let expected_cost = if wants_expected_cost { expected_cost } else { 0.0 };
    Ok(BarycenterSums { objective, expected_cost, mass: total, moved })
}
