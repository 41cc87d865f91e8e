//! Soft DTW row by row in float64, for any size, range, band and mask.
//!
//! The recursion runs in the linear domain, a = exp(-D/g) with its exponent apart ([`Scaled`]):
//!
//! ```text
//! a(n,m) = k_h a(n-1,m) + k_v a(n,m-1) + k_d a(n-1,m-1),   k_s = exp(-w_s C(n,m) / g)
//! ```
//!
//! and the shares of the three terms are the probabilities p_h, p_v, p_d. The backward sweep is products alone:
//!
//! ```text
//! E(N,M) = 1,  E(n,m) = p_h(n+1,m) E(n+1,m) + p_v(n,m+1) E(n,m+1) + p_d(n+1,m+1) E(n+1,m+1)
//! H = E (w_h p_h + w_v p_v + w_d p_d)
//! ```
//!
//! Probabilities are kept for a block of rows. When all rows do not fit the block, the forward sweep keeps the
//! row of a before each block and is redone a block at a time, the last block first.

use std::ops::Range;

use super::Moments;
use crate::cost::CostRows;
use crate::row_sink::RowSink;
use crate::scaled::{Rate, Scaled};
use crate::shape::Shape;
use crate::threads::stop;
use crate::weights::StepWeights;

/// Probabilities of more bytes than this are kept block by block.
const PROBABILITY_BYTES: usize = 64 << 20;

/// Cells between two looks whether the call may go on: some hundredths of a second.
pub(super) const CELLS_BETWEEN_LOOKS: usize = 1 << 18;

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct RowwiseScratch {
    pub(super) costs: Vec<f64>,
    pub(super) above: Vec<Scaled>,
    pub(super) current: Vec<Scaled>,
    pub(super) checkpoints: Vec<Scaled>,
    probabilities: Vec<[f64; 3]>,
    visits: Vec<f64>,
    soft_alignment: Vec<f64>,
    from_below: Vec<f64>,
}

/// The working memory of [`RowwiseSweep::align`].
pub fn bytes(shape: Shape) -> usize {
    let block = block_rows(shape);
    let checkpoints = shape.n.div_ceil(block) * (shape.m + 1) * size_of::<Scaled>();
    block * shape.m * size_of::<[f64; 3]>() + checkpoints
}

/// Rows whose probabilities are kept at a time.
pub(super) fn block_rows(shape: Shape) -> usize {
    if shape.cells() * size_of::<[f64; 3]>() <= PROBABILITY_BYTES { shape.n } else { shape.n.isqrt() + 1 }
}

/// One pair, ready to be swept.
pub struct RowwiseSweep<'a, C> {
    /// The cost matrix.
    pub costs: &'a C,
    /// N and M.
    pub shape: Shape,
    /// The allowed columns of each row; `None` allows all.
    pub band: Option<&'a [Range<usize>]>,
    /// Greater than 0.
    pub gamma: f64,
    /// Step weights.
    pub weights: StepWeights,
}

impl<C: CostRows> RowwiseSweep<'_, C> {
    /// Makes the value alone, in O(M) memory; +inf when there is no path, `None` beyond the range of exponents.
    pub fn value(&self, scratch: &mut RowwiseScratch) -> Option<f64> {
        let m = self.shape.m;
        begin(&mut scratch.above, m);
        prepare(&mut scratch.current, m + 1, Scaled::ZERO);
        prepare(&mut scratch.costs, m, 0.0);
        for n in 0..self.shape.n {
            if self.is_stopped_at(n) {
                return Some(f64::NAN);
            }
            self.forward_row(n, scratch, None);
        }
        self.value_of(scratch.above[m])
    }

    /// Makes the value and, through `sink`, E and H; +inf and no rows when there is no path, `None` and no rows beyond the
    /// range of exponents.
    pub fn align(
        &self,
        scratch: &mut RowwiseScratch,
        sink: &mut impl RowSink,
        moments: Option<&mut Moments>,
    ) -> Option<f64> {
        self.align_in_blocks(block_rows(self.shape), scratch, sink, moments)
    }

    fn align_in_blocks(
        &self,
        block: usize,
        scratch: &mut RowwiseScratch,
        sink: &mut impl RowSink,
        mut moments: Option<&mut Moments>,
    ) -> Option<f64> {
        let Shape { n: rows, m } = self.shape;
        begin(&mut scratch.above, m);
        prepare(&mut scratch.current, m + 1, Scaled::ZERO);
        prepare(&mut scratch.costs, m, 0.0);
        // Each block writes the rows of its probabilities before it reads them.
        scratch.probabilities.resize(block.min(rows) * m, [0.0; 3]);
        scratch.checkpoints.clear();
        let last_block = (rows - 1) / block;
        let mut probabilities = std::mem::take(&mut scratch.probabilities);
        for n in 0..rows {
            if self.is_stopped_at(n) {
                return Some(f64::NAN);
            }
            if n % block == 0 {
                scratch.checkpoints.extend_from_slice(&scratch.above);
            }
            let keep = (n / block == last_block).then(|| &mut probabilities[n % block * m..][..m]);
            self.forward_row(n, scratch, keep);
        }
        let end = scratch.above[m];
        let value = self.value_of(end);
        if value.is_some() && !end.is_zero() {
            prepare(&mut scratch.visits, m, 0.0);
            prepare(&mut scratch.soft_alignment, m, 0.0);
            prepare(&mut scratch.from_below, m + 1, 0.0);
            scratch.from_below[m] = 1.0;
            for index in (0..=last_block).rev() {
                let of_block = index * block..rows.min((index + 1) * block);
                if index < last_block {
                    scratch.above.copy_from_slice(&scratch.checkpoints[index * (m + 1)..][..m + 1]);
                    for n in of_block.clone() {
                        self.forward_row(n, scratch, Some(&mut probabilities[n % block * m..][..m]));
                    }
                }
                for n in of_block.rev() {
                    if self.is_stopped_at(n) {
                        return Some(f64::NAN);
                    }
                    let p = &probabilities[n % block * m..][..m];
                    self.backward_row(n, p, scratch, sink, moments.as_deref_mut());
                }
            }
        }
        scratch.probabilities = probabilities;
        value
    }

    /// Looks, every so many rows, whether the call may go on ([`stop`]); results are of no use if it may not.
    pub(super) fn is_stopped_at(&self, n: usize) -> bool {
        n.is_multiple_of(CELLS_BETWEEN_LOOKS / self.shape.m + 1) && !stop::may_go_on()
    }

    pub(super) fn value_of(&self, end: Scaled) -> Option<f64> {
        (!end.is_out_of_range()).then(|| -self.gamma * end.ln())
    }

    pub(super) fn columns(&self, n: usize) -> Range<usize> {
        self.band.map_or(0..self.shape.m, |band| band[n].clone())
    }

    /// Makes row n of a from `scratch.above`, where it then lies. Entry m+1 belongs to column m, and entry 0 is
    /// the column before the first: 1 above the first row (the empty path), else 0.
    pub(super) fn forward_row(
        &self,
        n: usize,
        scratch: &mut RowwiseScratch,
        mut probabilities: Option<&mut [[f64; 3]]>,
    ) {
        let columns = self.columns(n);
        let RowwiseScratch { costs, above, current, .. } = scratch;
        self.costs.write_row(n, columns.clone(), costs);
        current.fill(Scaled::ZERO);
        if let Some(p) = probabilities.as_deref_mut() {
            p.fill([0.0; 3]);
        }
        let rates = self.weights.as_array().map(|w| Rate::new(w, self.gamma));
        let same = rates[0] == rates[1] && rates[1] == rates[2];
        for m in columns {
            let cost = costs[m];
            if cost == f64::INFINITY {
                continue;
            }
            let factor = |s: usize| Scaled::factor(cost, rates[s]);
            let k_v = factor(1);
            let (k_h, k_d) = if same { (k_v, k_v) } else { (factor(0), factor(2)) };
            let terms = [above[m + 1].times(k_h), current[m].times(k_v), above[m].times(k_d)];
            let top = terms[0].exponent.max(terms[1].exponent).max(terms[2].exponent);
            let shares = terms.map(|term| term.aligned(top));
            let sum = shares[0] + shares[1] + shares[2];
            current[m + 1] = Scaled { mantissa: sum, exponent: top }.normalised();
            if let Some(p) = probabilities.as_deref_mut()
                && sum != 0.0
            {
                p[m] = shares.map(|share| share / sum);
            }
        }
        std::mem::swap(above, current);
    }

    /// Makes row n of E and H from `scratch.from_below`, the mass that flows down from row n+1.
    fn backward_row(
        &self,
        n: usize,
        probabilities: &[[f64; 3]],
        scratch: &mut RowwiseScratch,
        sink: &mut impl RowSink,
        mut moments: Option<&mut Moments>,
    ) {
        let columns = self.columns(n);
        let RowwiseScratch { costs, visits, soft_alignment, from_below, .. } = scratch;
        let [w_h, w_v, w_d] = self.weights.as_array();
        visits.fill(0.0);
        soft_alignment.fill(0.0);
        if moments.is_some() {
            self.costs.write_row(n, columns.clone(), costs);
        }
        // from_below[m+1] is what row n+1 sends to column m; what row n sends up replaces it as it is used.
        let mut from_right = 0.0;
        let mut diagonal_above = 0.0; // what (n, m+1) sends to (n-1, m)
        for m in columns.clone().rev() {
            let [p_h, p_v, p_d] = probabilities[m];
            let e = from_below[m + 1] + from_right;
            visits[m] = e;
            soft_alignment[m] = e * (w_h * p_h + w_v * p_v + w_d * p_d);
            from_below[m + 1] = e * p_h + diagonal_above;
            from_right = e * p_v;
            diagonal_above = e * p_d;
            if let Some(moments) = moments.as_deref_mut()
                && e > 0.0
            {
                moments.entropy += e * entropy([p_h, p_v, p_d]);
                for (sum, p) in moments.step_weights_grad.iter_mut().zip([p_h, p_v, p_d]) {
                    // 0 and not NaN in a cell that is +inf
                    if p > 0.0 {
                        *sum += costs[m] * e * p;
                    }
                }
            }
        }
        from_below[columns.end + 1..].fill(0.0);
        // The diagonal step out of the first allowed column.
        from_below[columns.start] = diagonal_above;
        from_below[..columns.start].fill(0.0);
        sink.take_row(n, columns, visits, soft_alignment);
    }
}

/// Returns -sum p log p, exact also where one p is 1 to rounding.
fn entropy(p: [f64; 3]) -> f64 {
    let logs = logarithms(p);
    -(p[0] * logs[0] + p[1] * logs[1] + p[2] * logs[2])
}

/// The logarithms of three probabilities, 0 for that of 0. The greatest takes its own from the other two: it may be
/// 1 to rounding.
pub(super) fn logarithms(p: [f64; 3]) -> [f64; 3] {
    let top = if p[0] >= p[1] && p[0] >= p[2] {
        0
    } else if p[1] >= p[2] {
        1
    } else {
        2
    };
    std::array::from_fn(|s| {
        if s == top {
            (-(p[(s + 1) % 3] + p[(s + 2) % 3])).ln_1p()
        } else if p[s] > 0.0 {
            p[s].ln()
        } else {
            0.0
        }
    })
}

pub(super) fn prepare<T: Clone>(buffer: &mut Vec<T>, len: usize, value: T) {
    buffer.clear();
    buffer.resize(len, value);
}

/// Fills the row above the first: the empty path alone.
pub(super) fn begin(above: &mut Vec<Scaled>, m: usize) {
    prepare(above, m + 1, Scaled::ZERO);
    above[0] = Scaled::ONE;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::CostMatrix;
    use crate::reference;

    struct Collect {
        m: usize,
        visits: Vec<f64>,
        soft_alignment: Vec<f64>,
    }

    impl RowSink for Collect {
        fn take_row(&mut self, n: usize, _: Range<usize>, visits: &[f64], soft_alignment: &[f64]) {
            self.visits[n * self.m..][..self.m].copy_from_slice(visits);
            self.soft_alignment[n * self.m..][..self.m].copy_from_slice(soft_alignment);
        }
    }

    fn pseudo_costs(n: usize, m: usize, scale: f64, masked: bool) -> Vec<f64> {
        let mut state = (n * 1000 + m) as u64 + 88_172_645_463_325_252;
        (0..n * m)
            .map(|k| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let corner = k == 0 || k == n * m - 1;
                if masked && !corner && state.is_multiple_of(5) {
                    f64::INFINITY
                } else {
                    scale * (state >> 11) as f64 / (1u64 << 53) as f64
                }
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_reference_for_every_shape_block_and_mask() {
        let mut scratch = RowwiseScratch::default();
        for (n, m) in [(1, 1), (1, 6), (6, 1), (2, 3), (7, 7), (16, 9), (40, 23)] {
            for weights in
                [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap(), StepWeights::new(0.0, 2.0, 0.7).unwrap()]
            {
                for gamma in [0.01, 1.0, 100.0] {
                    for masked in [false, true] {
                        let costs = pseudo_costs(n, m, 10.0, masked);
                        let truth = reference::align(&costs, n, m, gamma, weights);
                        let matrix = CostMatrix { costs: &costs, stride: m };
                        let shape = Shape::new(n, m).unwrap();
                        let sweep = RowwiseSweep { costs: &matrix, shape, band: None, gamma, weights };
                        assert_eq!(sweep.value(&mut scratch).unwrap().is_finite(), truth.value.is_finite());
                        if truth.value.is_infinite() {
                            continue;
                        }
                        for block in [1, 3, n] {
                            let mut got =
                                Collect { m, visits: vec![f64::NAN; n * m], soft_alignment: vec![f64::NAN; n * m] };
                            let mut moments = Moments::default();
                            let value =
                                sweep.align_in_blocks(block, &mut scratch, &mut got, Some(&mut moments)).unwrap();
                            assert_eq!(Some(value), sweep.value(&mut scratch));
                            assert!((value - truth.value).abs() <= 1e-11 * (1.0 + truth.value.abs()));
                            assert!((moments.entropy - truth.entropy).abs() <= 1e-9 * (1.0 + truth.entropy));
                            for s in 0..3 {
                                let (a, b) = (moments.step_weights_grad[s], truth.step_weights_grad[s]);
                                assert!((a - b).abs() <= 1e-9 * (1.0 + b.abs()));
                            }
                            for k in 0..n * m {
                                assert!((got.visits[k] - truth.visits[k]).abs() <= 1e-10);
                                assert!((got.soft_alignment[k] - truth.soft_alignment[k]).abs() <= 1e-10);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_band_is_a_mask() {
        let (n, m) = (30, 17);
        let shape = Shape::new(n, m).unwrap();
        for band in [crate::band::Band::SakoeChiba { radius: 4.0 }, crate::band::Band::Itakura { max_slope: 2.0 }] {
            let columns = band.columns(shape).unwrap();
            let costs = pseudo_costs(n, m, 3.0, false);
            let masked: Vec<f64> =
                (0..n * m).map(|k| if columns[k / m].contains(&(k % m)) { costs[k] } else { f64::INFINITY }).collect();
            let truth = reference::align(&masked, n, m, 0.5, StepWeights::UNIT);
            let matrix = CostMatrix { costs: &costs, stride: m };
            let sweep =
                RowwiseSweep { costs: &matrix, shape, band: Some(&columns), gamma: 0.5, weights: StepWeights::UNIT };
            for block in [4, n] {
                let mut got = Collect { m, visits: vec![f64::NAN; n * m], soft_alignment: vec![f64::NAN; n * m] };
                let value = sweep.align_in_blocks(block, &mut RowwiseScratch::default(), &mut got, None).unwrap();
                assert!((value - truth.value).abs() < 1e-11);
                for k in 0..n * m {
                    assert!((got.visits[k] - truth.visits[k]).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn visits_stay_probabilities_where_costs_are_huge() {
        let (n, m) = (200, 150);
        let costs = pseudo_costs(n, m, 1e9, false);
        let matrix = CostMatrix { costs: &costs, stride: m };
        let sweep = RowwiseSweep {
            costs: &matrix,
            shape: Shape::new(n, m).unwrap(),
            band: None,
            gamma: 0.01,
            weights: StepWeights::UNIT,
        };
        let mut got = Collect { m, visits: vec![0.0; n * m], soft_alignment: vec![0.0; n * m] };
        sweep.align(&mut RowwiseScratch::default(), &mut got, None);
        assert!((got.visits[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_tiny_entropy_is_not_lost_to_rounding() {
        let q: f64 = 1e-31;
        let expected = q * (1.0 - q.ln());
        assert!((entropy([1.0, q, 0.0]) / expected - 1.0).abs() < 1e-12);
        assert!((entropy([1.0 / 3.0; 3]) - 3f64.ln()).abs() < 1e-15);
    }
}
