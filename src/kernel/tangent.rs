//! Derivatives of soft DTW and its gradient along a direction: a Hessian-vector product, row by row in float64.
//!
//! Let ' be the derivative along a direction (C', g', w') of costs, gamma and step weights, z_s = w_s C + D(before s)
//! what softmin compares, and p_s = exp((D - z_s)/g) the probability of step s. The forward sweep carries D':
//!
//! ```text
//! z'_s = w'_s C + w_s C' + D'(before s) + g' log p_s          D' = p_h z'_h + p_v z'_v + p_d z'_d
//! p'_s = p_s (D' - z'_s) / g = p_s sum_r p_r (z'_r - z'_s) / g
//! ```
//!
//! (g' log p_s is what a softmin gains from its own gamma.) The sum over r is how p' is computed here: it adds up to 0
//! over s, and is as small as the smaller of two probabilities. The backward sweep carries E and E', and gives the
//! change of the whole gradient:
//!
//! ```text
//! E'(N,M) = 0,   E'(n,m) = sum over the steps s out of (n,m) of p'_s E + p_s E' where they lead
//! F_s = p_s E,   F'_s = p'_s E + p_s E'                       the flow through a step and its change
//! H' = sum_s w'_s F_s + w_s F'_s                              change of dSDTW/dC
//! sum over cells of C' F_s + C F'_s                           change of dSDTW/dw_s
//! sum over cells and steps of F'_s log p_s                    change of dSDTW/dg = -S
//! ```
//!
//! The last line holds because F' is a flow without source: potentials such as D drop out of its sum. The Hessian
//! is symmetric, so these are at once the derivatives of `<direction, gradient>`.
//!
//! Memory is that of [`super::rowwise`]: p and D' are kept for a block of rows, and made again a block at a time.

use std::ops::Range;

use super::rowwise::{self, RowwiseSweep, begin, block_rows, logarithms, prepare};
use crate::cost::CostRows;
use crate::scaled::Scaled;
use crate::shape::Shape;
use crate::threads::stop;

/// A direction in the space of costs, gamma and step weights.
#[derive(Clone, Copy)]
pub struct Direction<'a, C> {
    /// C'; entries where C is +inf are not read.
    pub costs: &'a C,
    /// g'.
    pub gamma: f64,
    /// w' of the horizontal, vertical and diagonal step.
    pub weights: [f64; 3],
    /// a: so many times the gradients of costs and step weights are added to their changes.
    pub gradient: f64,
}

/// Changes along a direction, beside that of H.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tangent {
    /// The change of SDTW.
    pub value: f64,
    /// The change of dSDTW/dgamma.
    pub gamma_grad: f64,
    /// The change of dSDTW/dw, with a times dSDTW/dw, for the horizontal, vertical and diagonal step.
    pub step_weights_grad: [f64; 3],
}

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct TangentScratch {
    rowwise: rowwise::RowwiseScratch,
    probabilities: Vec<[f64; 3]>,
    /// D' of the row before the block and of its rows, a border entry first.
    accumulated: Vec<f64>,
    accumulated_checkpoints: Vec<f64>,
    direction: Vec<f64>,
    /// Rows of H' + a H, and of H.
    soft_alignment: [Vec<f64>; 2],
    from_below: Vec<[f64; 2]>,
}

impl TangentScratch {
    /// The bytes that it holds.
    pub fn bytes(&self) -> usize {
        let Self { rowwise, probabilities, accumulated, accumulated_checkpoints, .. } = self;
        rowwise.checkpoints.capacity() * size_of::<Scaled>()
            + probabilities.capacity() * size_of::<[f64; 3]>()
            + (accumulated.capacity() + accumulated_checkpoints.capacity()) * size_of::<f64>()
    }
}

/// The working memory of [`TangentSweep::run`].
pub fn bytes(shape: Shape) -> usize {
    let rows = block_rows(shape) + shape.n.div_ceil(block_rows(shape));
    rowwise::bytes(shape) + rows * (shape.m + 1) * size_of::<f64>()
}

/// One pair and a direction, ready to be swept.
pub struct TangentSweep<'a, C, T> {
    /// The pair.
    pub at: RowwiseSweep<'a, C>,
    /// The direction.
    pub direction: Direction<'a, T>,
}

impl<C: CostRows, T: CostRows> TangentSweep<'_, C, T> {
    /// Makes SDTW and the changes along the direction; the rows of H' + a H and of H go to `take_row`, the last row first. SDTW is +inf, all
    /// changes are 0 and no rows come when there is no path, `None` and no rows beyond the range of exponents.
    pub fn run(
        &self,
        scratch: &mut TangentScratch,
        take_row: &mut impl FnMut(usize, [&[f64]; 2]),
    ) -> Option<(f64, Tangent)> {
        self.run_in_blocks(block_rows(self.at.shape), scratch, take_row)
    }

    fn run_in_blocks(
        &self,
        block: usize,
        scratch: &mut TangentScratch,
        take_row: &mut impl FnMut(usize, [&[f64]; 2]),
    ) -> Option<(f64, Tangent)> {
        let Shape { n: rows, m } = self.at.shape;
        let block = block.min(rows);
        begin(&mut scratch.rowwise.above, m);
        prepare(&mut scratch.rowwise.current, m + 1, Scaled::ZERO);
        scratch.rowwise.checkpoints.clear();
        scratch.accumulated_checkpoints.clear();
        // Each block writes the rows of its probabilities before it reads them.
        scratch.probabilities.resize(block * m, [0.0; 3]);
        self.prepare_rows(block, scratch);
        let last_block = (rows - 1) / block;
        for index in (0..=last_block).take_while(|_| stop::may_go_on()) {
            scratch.rowwise.checkpoints.extend_from_slice(&scratch.rowwise.above);
            scratch.accumulated_checkpoints.extend_from_slice(&scratch.accumulated[..m + 1]);
            self.forward_block(index, block, scratch);
            if index < last_block {
                scratch.accumulated.copy_within(block * (m + 1).., 0);
            }
        }
        let end = scratch.rowwise.above[m];
        let value = self.at.value_of(end)?;
        if value.is_nan() {
            return Some((value, Tangent { value, gamma_grad: value, step_weights_grad: [value; 3] }));
        }
        if end.is_zero() {
            return Some((value, Tangent::default()));
        }
        let in_last_block = rows - last_block * block;
        let mut tangent = self.begin_backward(in_last_block, scratch);
        for index in (0..=last_block).rev().take_while(|_| stop::may_go_on()) {
            if index < last_block {
                let of_block = index * (m + 1)..(index + 1) * (m + 1);
                scratch.rowwise.above.copy_from_slice(&scratch.rowwise.checkpoints[of_block.clone()]);
                scratch.accumulated[..m + 1].copy_from_slice(&scratch.accumulated_checkpoints[of_block]);
                self.forward_block(index, block, scratch);
            }
            for n in (index * block..rows.min((index + 1) * block)).rev() {
                self.backward_row(n, n % block, scratch, &mut tangent, take_row);
            }
        }
        Some((value, tangent))
    }

    /// Makes the same from probabilities (N,M) that are known, for a pair that has a path.
    pub fn run_on(
        &self,
        probabilities: Vec<[f64; 3]>,
        scratch: &mut TangentScratch,
        take_row: &mut impl FnMut(usize, [&[f64]; 2]),
    ) -> Tangent {
        let rows = self.at.shape.n;
        scratch.probabilities = probabilities;
        self.prepare_rows(rows, scratch);
        for n in 0..rows {
            self.at.costs.write_row(n, self.at.columns(n), &mut scratch.rowwise.costs);
            self.forward_row(n, n, scratch);
        }
        let mut tangent = self.begin_backward(rows, scratch);
        for n in (0..rows).rev() {
            self.backward_row(n, n, scratch, &mut tangent, take_row);
        }
        tangent
    }

    fn prepare_rows(&self, block: usize, scratch: &mut TangentScratch) {
        let m = self.at.shape.m;
        prepare(&mut scratch.accumulated, (block + 1) * (m + 1), 0.0);
        prepare(&mut scratch.rowwise.costs, m, 0.0);
        prepare(&mut scratch.direction, m, 0.0);
    }

    /// Makes probabilities and D' of a block, from the rows before it.
    fn forward_block(&self, index: usize, block: usize, scratch: &mut TangentScratch) {
        let Shape { n: rows, m } = self.at.shape;
        for n in index * block..rows.min((index + 1) * block) {
            let p = &mut scratch.probabilities[n % block * m..][..m];
            self.at.forward_row(n, &mut scratch.rowwise, Some(p));
            self.forward_row(n, n % block, scratch);
        }
    }

    /// Makes D' of row n, the k-th of its block, whose costs were just written.
    fn forward_row(&self, n: usize, k: usize, scratch: &mut TangentScratch) {
        let m = self.at.shape.m;
        let columns = self.at.columns(n);
        self.direction.costs.write_row(n, columns.clone(), &mut scratch.direction);
        let TangentScratch { rowwise, probabilities, accumulated, direction, .. } = scratch;
        let (before, current) = accumulated.split_at_mut((k + 1) * (m + 1));
        let above = &before[k * (m + 1)..];
        let current = &mut current[..m + 1];
        current.fill(0.0);
        let p = &probabilities[k * m..][..m];
        for m in columns {
            if p[m] == [0.0; 3] {
                continue; // no path comes here
            }
            let logs = self.logarithms_for_gamma(p[m]);
            let z = self.change_of_terms(rowwise.costs[m], direction[m], [above[m + 1], current[m], above[m]], logs);
            current[m + 1] = p[m][0] * z[0] + p[m][1] * z[1] + p[m][2] * z[2];
        }
    }

    fn logarithms_for_gamma(&self, p: [f64; 3]) -> [f64; 3] {
        if self.direction.gamma == 0.0 { [0.0; 3] } else { logarithms(p) }
    }

    /// Returns z'_s from D' of the three cells before.
    fn change_of_terms(&self, cost: f64, direction: f64, before: [f64; 3], logs: [f64; 3]) -> [f64; 3] {
        let w = self.at.weights.as_array();
        std::array::from_fn(|s| {
            self.direction.weights[s] * cost + w[s] * direction + before[s] + self.direction.gamma * logs[s]
        })
    }

    /// Puts E and E' at the end, after `rows` rows of the last block.
    fn begin_backward(&self, rows: usize, scratch: &mut TangentScratch) -> Tangent {
        let m = self.at.shape.m;
        for rows in &mut scratch.soft_alignment {
            prepare(rows, m, 0.0);
        }
        prepare(&mut scratch.from_below, m + 1, [0.0; 2]);
        scratch.from_below[m] = [1.0, 0.0];
        Tangent { value: scratch.accumulated[rows * (m + 1) + m], ..Tangent::default() }
    }

    /// Makes row n of H', the k-th of its block, from `scratch.from_below`: the E and E' that flow down from row n+1.
    fn backward_row(
        &self,
        n: usize,
        k: usize,
        scratch: &mut TangentScratch,
        tangent: &mut Tangent,
        take_row: &mut impl FnMut(usize, [&[f64]; 2]),
    ) {
        let m = self.at.shape.m;
        let columns: Range<usize> = self.at.columns(n);
        let TangentScratch { rowwise, probabilities, accumulated, direction, soft_alignment, from_below, .. } = scratch;
        self.at.costs.write_row(n, columns.clone(), &mut rowwise.costs);
        self.direction.costs.write_row(n, columns.clone(), direction);
        let (above, current) = accumulated[k * (m + 1)..][..2 * (m + 1)].split_at(m + 1);
        let p = &probabilities[k * m..][..m];
        let (w, a) = (self.at.weights.as_array(), self.direction.gradient);
        let w_change = [0, 1, 2].map(|s| self.direction.weights[s] + a * w[s]);
        let [changed, alignment] = soft_alignment;
        changed.fill(0.0);
        alignment.fill(0.0);
        // from_below[m+1] is what row n+1 sends to column m; what row n sends up replaces it as it is used.
        let mut from_right = [0.0; 2];
        let mut diagonal_above = [0.0; 2]; // what (n, m+1) sends to (n-1, m)
        for m in columns.clone().rev() {
            let [p_h, p_v, p_d] = p[m];
            if p[m] == [0.0; 3] {
                from_below[m + 1] = diagonal_above;
                (from_right, diagonal_above) = ([0.0; 2], [0.0; 2]);
                continue;
            }
            let logs = logarithms(p[m]);
            let z = self.change_of_terms(rowwise.costs[m], direction[m], [above[m + 1], current[m], above[m]], logs);
            // What the later of two steps loses to the earlier one.
            let to_h_from_v = p_h * p_v * (z[1] - z[0]) / self.at.gamma;
            let to_h_from_d = p_h * p_d * (z[2] - z[0]) / self.at.gamma;
            let to_v_from_d = p_v * p_d * (z[2] - z[1]) / self.at.gamma;
            let p_change = [to_h_from_v + to_h_from_d, to_v_from_d - to_h_from_v, -to_h_from_d - to_v_from_d];
            let [e, e_change] = [0, 1].map(|part| from_below[m + 1][part] + from_right[part]);
            let flows: [[f64; 2]; 3] = std::array::from_fn(|s| [p[m][s] * e, p_change[s] * e + p[m][s] * e_change]);
            for (s, [flow, change]) in flows.into_iter().enumerate() {
                changed[m] += w_change[s] * flow + w[s] * change;
                alignment[m] += w[s] * flow;
                tangent.step_weights_grad[s] += direction[m] * flow + rowwise.costs[m] * (change + a * flow);
                tangent.gamma_grad += change * logs[s];
            }
            from_below[m + 1] = [0, 1].map(|part| flows[0][part] + diagonal_above[part]);
            from_right = flows[1];
            diagonal_above = flows[2];
        }
        from_below[columns.end + 1..].fill([0.0; 2]);
        // The diagonal step out of the first allowed column.
        from_below[columns.start] = diagonal_above;
        from_below[..columns.start].fill([0.0; 2]);
        take_row(n, [changed, alignment]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::CostMatrix;
    use crate::reference;
    use crate::weights::StepWeights;

    fn numbers(seed: usize, count: usize) -> Vec<f64> {
        let mut state = seed as u64 + 88_172_645_463_325_252;
        (0..count)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1u64 << 53) as f64
            })
            .collect()
    }

    /// Costs, gamma and weights as one vector, or a direction among such vectors, or a gradient.
    #[derive(Clone)]
    struct Point {
        costs: Vec<f64>,
        gamma: f64,
        weights: [f64; 3],
    }

    impl Point {
        fn moved(&self, by: f64, along: &Self) -> Self {
            Self {
                costs: self.costs.iter().zip(&along.costs).map(|(c, d)| c + by * d).collect(),
                gamma: self.gamma + by * along.gamma,
                weights: [0, 1, 2].map(|s| self.weights[s] + by * along.weights[s]),
            }
        }

        fn dot(&self, other: &Self) -> f64 {
            let [a, b] = [self, other].map(|p| p.costs.iter().chain(&p.weights).chain([&p.gamma]));
            a.zip(b).map(|(a, b)| a * b).sum()
        }

        fn gradient(&self, n: usize, m: usize) -> Self {
            let [horizontal, vertical, diagonal] = self.weights;
            let weights = StepWeights { horizontal, vertical, diagonal };
            let result = reference::align(&self.costs, n, m, self.gamma, weights);
            Self { costs: result.soft_alignment, gamma: -result.entropy, weights: result.step_weights_grad }
        }

        /// Makes the tangent through blocks of so many rows, or from the probabilities of the reference.
        fn tangent(&self, along: &Self, (n, m): (usize, usize), block: Option<usize>) -> (f64, Self) {
            let [horizontal, vertical, diagonal] = self.weights;
            let weights = StepWeights { horizontal, vertical, diagonal };
            let matrix = |costs| CostMatrix { costs, stride: m };
            let shape = Shape::new(n, m).unwrap();
            let at = RowwiseSweep { costs: &matrix(&self.costs), shape, band: None, gamma: self.gamma, weights };
            let direction =
                Direction { costs: &matrix(&along.costs), gamma: along.gamma, weights: along.weights, gradient: 0.0 };
            let sweep = TangentSweep { at, direction };
            let mut costs = vec![0.0; n * m];
            let mut take_row = |n: usize, [row, _]: [&[f64]; 2]| costs[n * m..][..m].copy_from_slice(row);
            let mut scratch = TangentScratch::default();
            let result = match block {
                Some(block) => sweep.run_in_blocks(block, &mut scratch, &mut take_row).unwrap().1,
                None => {
                    let known = reference::align(&self.costs, n, m, self.gamma, weights).probabilities;
                    sweep.run_on(known, &mut scratch, &mut take_row)
                }
            };
            (result.value, Self { costs, gamma: result.gamma_grad, weights: result.step_weights_grad })
        }
    }

    fn point(seed: usize, cells: usize, gamma: f64) -> Point {
        let rest = numbers(seed + 1, 3);
        Point { costs: numbers(seed, cells), gamma, weights: [rest[0] + 0.1, rest[1], rest[2] + 0.3] }
    }

    #[test]
    fn agrees_with_differences_of_the_gradient_for_every_shape_and_block() {
        for (n, m) in [(1, 1), (1, 6), (6, 1), (2, 3), (7, 7), (16, 9), (20, 23)] {
            for gamma in [0.1, 1.0, 10.0] {
                for masked in [false, true] {
                    let mut at = point(n * m, n * m, gamma);
                    let mut along = point(n * m + 7, n * m, 0.3);
                    along.weights[1] = -0.4;
                    let step = 1e-5 * gamma;
                    let sides = [step, -step].map(|step| {
                        let mut moved = at.moved(step, &along);
                        (0..n * m).filter(|k| masked && k % 5 == 3).for_each(|k| moved.costs[k] = f64::INFINITY);
                        moved.gradient(n, m)
                    });
                    (0..n * m).filter(|k| masked && k % 5 == 3).for_each(|k| {
                        (at.costs[k], along.costs[k]) = (f64::INFINITY, f64::NAN);
                    });
                    let truth = sides[0].moved(-1.0, &sides[1]);
                    let gradient = at.gradient(n, m);
                    let has_path = gradient.costs[0] > 0.0;
                    for block in [Some(1), Some(3), Some(n), None] {
                        if !has_path && block.is_none() {
                            continue;
                        }
                        let (value, result) = at.tangent(&along, (n, m), block);
                        let pairs = result.costs.iter().zip(&truth.costs);
                        let pairs = pairs.chain(result.weights.iter().zip(&truth.weights));
                        for (a, b) in pairs.chain([(&result.gamma, &truth.gamma)]) {
                            let b = b / (2.0 * step);
                            let close = (a - b).abs() <= 1e-7 * (1.0 + b.abs()) / gamma;
                            assert!(close || !has_path && *a == 0.0, "{n}x{m} gamma {gamma} {block:?}: {a} is not {b}");
                        }
                        let mut direction = along.clone();
                        (0..n * m).filter(|&k| at.costs[k].is_infinite()).for_each(|k| direction.costs[k] = 0.0);
                        assert!(!has_path || (value - gradient.dot(&direction)).abs() <= 1e-11 * (1.0 + value.abs()));
                    }
                }
            }
        }
    }

    #[test]
    fn the_hessian_is_symmetric_where_costs_are_large() {
        let (n, m) = (60, 45);
        for scale in [1.0, 1e4, 1e8] {
            let mut at = point(3, n * m, 0.5);
            at.costs.iter_mut().for_each(|cost| *cost *= scale);
            let (u, v) = (point(5, n * m, -0.2), point(9, n * m, 0.7));
            let products = [(&u, &v), (&v, &u)].map(|(a, b)| a.dot(&at.tangent(b, (n, m), Some(17)).1));
            assert!((products[0] - products[1]).abs() <= 1e-9 * products[0].abs(), "{products:?}");
        }
    }
}
