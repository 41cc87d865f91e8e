//! The soft-DTW divergence of two series.

use super::SetSettings;
use crate::batch;
use crate::error::Error;
use crate::kernel::wavefront::job::LEAST_SHARED_CELLS;
use crate::plan::{self, Pair, PairScratch};
use crate::readout::Outputs;

/// Returns SDTW(x,y) - 1/2 SDTW(x,x) - 1/2 SDTW(y,y); an error is that of the first of the three that has one.
pub fn divergence(x: &[f64], y: &[f64], settings: SetSettings<'_>) -> Result<f64, Error> {
    let pairs = [settings.pair(x, y)?, settings.pair(x, x)?, settings.pair(y, y)?];
    let values = |pairs: &[Pair<'_, f64>]| {
        let SetSettings { cost, recursion, threads, .. } = settings;
        batch::run(
            pairs.to_vec(),
            |pair| pair.shape.cells(),
            threads,
            |pair, team, scratch: &mut PairScratch| {
                let mut outputs = Outputs::default();
                plan::align_pair(pair, cost, recursion, &mut outputs, team, scratch).map(|alignment| alignment.value)
            },
        )
    };
    // All threads share a large pair; small ones take a thread each.
    let values = if pairs.iter().any(|pair| pair.shape.cells() >= LEAST_SHARED_CELLS) {
        let of_each: Result<Vec<_>, _> = pairs.iter().map(|&pair| values(&[pair])).collect();
        of_each?.into_iter().flatten().collect()
    } else {
        values(&pairs)?
    };
    let values = values.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(values[0] - 0.5 * (values[1] + values[2]))
}
