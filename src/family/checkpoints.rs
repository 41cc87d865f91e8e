//! Back over the rows in bounded memory.
//!
//! Shares are kept for a block of rows. When all rows do not fit the block, the forward sweep keeps what later rows need
//! before each block and is redone a block at a time, the last block first.

use super::forward::{Forward, room};
use super::minimum::Minimum;
use super::model::Model;
use crate::cost::CostRows;
use crate::error::Error;
use crate::shape::Shape;
use crate::threads::stop;

/// Shares of more bytes than this are kept block by block.
const SHARE_BYTES: usize = 64 << 20;
/// Cells between two looks at the watch that may stop the sweep.
const CELLS_BETWEEN_LOOKS: usize = 1 << 16;

/// Fails where the watch ends the call before row n.
fn look(n: usize, m: usize) -> Result<(), Error> {
    if n.is_multiple_of(CELLS_BETWEEN_LOOKS / m + 1) && !stop::may_go_on() { Err(Error::Stopped) } else { Ok(()) }
}

/// Takes rows from the last to the first.
pub(super) trait RowsFromLast {
    /// Takes the shares of the ways into the cells of row n, (M, ways), and the probabilities q of its ends by rising m.
    fn take_row(&mut self, n: usize, shares: &[f64], ends: &[(usize, f64)]);
}

/// Returns the rows whose shares are kept at a time.
fn block_rows(shape: Shape, ways: usize) -> usize {
    let bytes_of_row = shape.m * ways * size_of::<f64>();
    if shape.n.saturating_mul(bytes_of_row) <= SHARE_BYTES { shape.n } else { shape.n.isqrt() + 1 }
}

/// Makes the value and, where there is a path, hands all rows to `rows`. +inf is no path, NaN a cost that is not a number,
/// `None` (and no rows) a value beyond the range of the minimum.
pub(super) fn sweep<C: CostRows, M: Minimum>(
    model: &Model<'_>,
    costs: &C,
    minimum: M,
    rows: Option<&mut dyn RowsFromLast>,
) -> Result<Option<f64>, Error> {
    let ways = model.steps.len() + 1;
    sweep_in_blocks(model, costs, minimum, rows, block_rows(model.shape, ways))
}

pub(super) fn sweep_in_blocks<C: CostRows, M: Minimum>(
    model: &Model<'_>,
    costs: &C,
    minimum: M,
    rows: Option<&mut dyn RowsFromLast>,
    block: usize,
) -> Result<Option<f64>, Error> {
    let Shape { n: count, m } = model.shape;
    let mut forward = Forward::new(model, costs, minimum)?;
    let last_block = (count - 1) / block;
    let row_length = m * forward.ways();
    let is_kept = rows.is_some();
    let mut shares = room(if is_kept { block.min(count).saturating_mul(row_length) } else { 0 }, 0.0)?;
    let saved = forward.saved();
    let checkpoints = if is_kept { last_block } else { 0 };
    let mut checkpoints = room(checkpoints.saturating_mul(saved), M::NOTHING)?;
    let mut ends = Ends::new();
    let mut total = M::NO_END;
    for n in 0..count {
        look(n, m)?;
        let index = n / block;
        if is_kept && n % block == 0 && index < last_block {
            forward.save(&mut checkpoints[index * saved..][..saved]);
        }
        let is_of_last = is_kept && index == last_block;
        let of_row = is_of_last.then(|| &mut shares[n % block * row_length..][..row_length]);
        if !is_of_last || n % block == 0 {
            ends.clear();
        }
        let Some(of_row) = ends.add_row(&mut forward, n, of_row)? else { return Ok(Some(f64::NAN)) };
        let of_row = of_row.iter().map(|&(target, mass)| M::end(mass, n * m + target));
        let of_row = of_row.reduce(|a, b| minimum.both(a, b));
        total = of_row.map_or(total, |of_row| minimum.both(total, of_row));
    }
    let value = minimum.value(total);
    let (Some(rows), Some(f64::NEG_INFINITY..f64::INFINITY)) = (rows, value) else { return Ok(value) };
    let mut probabilities = vec![];
    for index in (0..=last_block).rev() {
        let of_block = index * block..count.min((index + 1) * block);
        if index < last_block {
            forward.restore(&checkpoints[index * saved..][..saved]);
            ends.clear();
            for n in of_block.clone() {
                look(n, m)?;
                let of_row = Some(&mut shares[n % block * row_length..][..row_length]);
                ends.add_row(&mut forward, n, of_row)?;
            }
        }
        for n in of_block.rev() {
            look(n, m)?;
            let share = |&(target, mass): &(usize, M::Mass)| (target, minimum.share(total, mass, n * m + target));
            probabilities.clear();
            probabilities.extend(ends.of_row(n % block).iter().map(share));
            rows.take_row(n, &shares[n % block * row_length..][..row_length], &probabilities);
        }
    }
    Ok(value)
}

/// The ends of paths in consecutive rows.
struct Ends<Mass> {
    /// (m, mass).
    all: Vec<(usize, Mass)>,
    /// Where each row begins.
    starts: Vec<usize>,
}

impl<Mass: Copy> Ends<Mass> {
    fn new() -> Self {
        Self { all: vec![], starts: vec![] }
    }

    fn clear(&mut self) {
        self.all.clear();
        self.starts.clear();
    }

    /// Makes row n and returns its ends; `None` where a cost is not a number.
    fn add_row<C: CostRows, M: Minimum<Mass = Mass>>(
        &mut self,
        forward: &mut Forward<'_, C, M>,
        n: usize,
        shares: Option<&mut [f64]>,
    ) -> Result<Option<&[(usize, Mass)]>, Error> {
        let (start, most) = (self.all.len(), forward.targets());
        let bytes = most * size_of::<(usize, Mass)>();
        self.all.try_reserve(most).map_err(|_| Error::Memory { bytes })?;
        self.starts.push(start);
        Ok(forward.make_row(n, shares, &mut self.all).then(|| &self.all[start..]))
    }

    fn of_row(&self, index: usize) -> &[(usize, Mass)] {
        let end = self.starts.get(index + 1).copied().unwrap_or(self.all.len());
        &self.all[self.starts[index]..end]
    }
}
