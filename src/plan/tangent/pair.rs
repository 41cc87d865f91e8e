//! Changes of a pair along a direction, from sequences whose costs have an inner-product form.
//!
//! Neither C nor H is held: C' has the form too, and the gradients' changes follow from products of H' and H with the vectors
//! of the form and of its direction ([`direction`]).

use std::borrow::Cow;
use std::ops::Range;

use super::super::memory::{ask_for_memory, zeros};
use super::super::pair::{Pair, Recursion};
use super::by_rows::{self, TakesRows};
use super::{Scratch, SettingsDirection, TangentResult, by_size_of_costs, bytes_of_sweeps, lanes_for};
use crate::cost::inner_product::InnerProduct;
use crate::cost::inner_product::direction::{self, FrameSums};
use crate::cost::{Cost, CostRows, WeightedCost};
use crate::error::Error;
use crate::kernel::tangent::Direction;
use crate::kernel::wavefront::dispatch::{InstructionSet, OnLanes};
use crate::kernel::wavefront::form::PairForm;
use crate::kernel::wavefront::job::Job;
use crate::kernel::wavefront::pair::ColumnSums;
use crate::kernel::wavefront::tangent::pair::{FormDirection, FormProducts, TangentCosts, TangentOfPair};
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::kernel::wavefront::tiles::FormSlices;
use crate::real::Real;

/// A direction in the space of sequences; `None` is 0.
#[derive(Clone, Copy)]
pub struct SequencesDirection<'a, F> {
    /// x' (N,D).
    pub x: Option<&'a [F]>,
    /// y' (M,D).
    pub y: Option<&'a [F]>,
}

/// Where changes go that are asked for; entries need not be 0.
pub struct TangentOutputs<'a, F> {
    /// (dSDTW/dx)' + a dSDTW/dx, (N,D).
    pub x_grad: Option<&'a mut [F]>,
    /// (dSDTW/dy)' + a dSDTW/dy, (M,D).
    pub y_grad: Option<&'a mut [F]>,
}

/// Makes the changes of a pair along a direction. All changes are 0 where there is no path, NaN where a number of the pair or
/// of its direction is.
pub fn tangent_of_pair<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    sequences: SequencesDirection<'_, F>,
    settings: SettingsDirection,
    recursion: &Recursion,
    outputs: &mut TangentOutputs<'_, F>,
    scratch: &mut Scratch,
) -> Result<TangentResult, Error> {
    let set = lanes_for(pair.shape, recursion);
    tangent_of_pair_on(set, pair, cost, (sequences, settings), recursion, outputs, scratch)
}

/// Makes the changes on the lanes of a set where they can take the pair, else row by row.
fn tangent_of_pair_on<F: Real>(
    set: Option<InstructionSet>,
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    (sequences, settings): (SequencesDirection<'_, F>, SettingsDirection),
    recursion: &Recursion,
    outputs: &mut TangentOutputs<'_, F>,
    scratch: &mut Scratch,
) -> Result<TangentResult, Error> {
    let Pair { x, y, shape, d } = pair;
    let (x, y) = (widened(x)?, widened(y)?);
    let along = [sequences.x, sequences.y].map(|along| along.map(widened).transpose());
    let [along_x, along_y] = along;
    let frames = Frames { cost, x: &x, y: &y, d, along_x: along_x?, along_y: along_y? };
    // Logarithms are taken on lanes where that can be. What subtracts a mean is centred in float64 and has none.
    let mut prepared = PairForm::default();
    let is_squared = matches!(cost.cost, Cost::Mse | Cost::SquaredEuclidean);
    let is_prepared = !is_squared && set.is_some_and(|set| set.prepare(cost, &x, &y, d, &mut prepared));
    let wide = (!is_prepared).then(|| InnerProduct::new(cost, &x, &y, d));
    let (form, mean, largest) = match &wide {
        Some(wide) => (
            FormSlices { u: wide.u(), phi: wide.phi(), v: wide.all_v(), w: wide.all_w(), d, squares: None },
            Cow::Borrowed(wide.mean()),
            wide.largest_cost(),
        ),
        None => {
            let form = prepared.slices(&x, &y);
            (form, Cow::Owned(vec![0.0; d]), prepared.largest_cost())
        }
    };
    let change = FormChange::new(&frames, &mean)?;
    let mut sums = Sums::new(&frames, [outputs.x_grad.is_some(), outputs.y_grad.is_some()])?;
    let result = match set {
        Some(set) if by_size_of_costs(largest, shape, recursion).is_ok() => {
            // The form and its direction, packed, and gathers of both sides.
            let features = 12 * size_of::<f64>() * (d + 32) * (shape.n + shape.m + 192);
            let needed = bytes_of_sweeps(shape) + features;
            ask_for_memory(needed)?;
            scratch.lanes_bytes = scratch.lanes_bytes.max(needed);
            let SettingsDirection { gamma, weights, gradient, wants_settings } = settings;
            let (direction, products) = (change.slices(), sums.products());
            let (end, tangent) = f64::run_on(
                set,
                TangentOfPair {
                    job: Job::new(shape, recursion.gamma, recursion.weights, ThreadTeam::ALONE),
                    costs: TangentCosts::Form { form, direction, products },
                    gamma,
                    weights,
                    gradient,
                    wants_sums: wants_settings,
                    scratch: &mut scratch.lanes,
                },
            );
            TangentResult { value: -recursion.gamma * end.ln(), tangent }
        }
        _ => {
            let SettingsDirection { gamma, weights, gradient, .. } = settings;
            let costs = PairCosts { wide: wide.as_ref(), form: FormCosts { terms: [Some(form), None] } };
            let direction = Direction { costs: &change.costs(form), gamma, weights, gradient };
            let mut rows = RowSums { sums: &mut sums, form, change: change.slices() };
            by_rows::sweep(&costs, direction, shape, recursion, &mut rows, &mut scratch.rows)?
        }
    };
    if result.value.is_nan() || result.tangent.value.is_nan() {
        for output in [&mut outputs.x_grad, &mut outputs.y_grad].into_iter().flatten() {
            output.fill(F::from_f64(f64::NAN));
        }
        return Ok(TangentResult::not_a_number());
    }
    sums.read_out(&frames, &mean, outputs);
    Ok(result)
}

/// Returns the numbers in float64.
fn widened<F: Real>(numbers: &[F]) -> Result<Cow<'_, [f64]>, Error> {
    if let Some(wide) = F::cast(numbers) {
        return Ok(Cow::Borrowed(wide));
    }
    let mut wide = zeros(numbers.len())?;
    for (to, from) in wide.iter_mut().zip(numbers) {
        *to = from.to_f64();
    }
    Ok(Cow::Owned(wide))
}

/// Sequences and their direction in float64.
struct Frames<'a> {
    cost: &'a WeightedCost,
    x: &'a [f64],
    y: &'a [f64],
    d: usize,
    along_x: Option<Cow<'a, [f64]>>,
    along_y: Option<Cow<'a, [f64]>>,
}

/// u' and V', phi' and W'.
struct FormChange {
    predictions: Option<(Vec<f64>, Vec<f64>)>,
    targets: Option<(Vec<f64>, Vec<f64>)>,
}

/// Writes the change of one frame along a direction and returns that of its bias.
type ChangeOfFrame = fn(&WeightedCost, &[f64], &[f64], &mut [f64]) -> f64;

impl FormChange {
    fn new(frames: &Frames<'_>, mean: &[f64]) -> Result<Self, Error> {
        let d = frames.d;
        let side = |sequence: &[f64], along: &Option<Cow<'_, [f64]>>, change: ChangeOfFrame| {
            let Some(along) = along else { return Ok(None) };
            let (mut biases, mut vectors) = (zeros(sequence.len() / d)?, zeros(sequence.len())?);
            let mut frame = vec![0.0; d];
            let rows = sequence.chunks_exact(d).zip(along.chunks_exact(d)).zip(vectors.chunks_exact_mut(d));
            for (((from, along), vector), bias) in rows.zip(&mut biases) {
                centre(from, mean, &mut frame);
                *bias = change(frames.cost, &frame, along, vector);
            }
            Ok(Some((biases, vectors)))
        };
        Ok(Self {
            predictions: side(frames.x, &frames.along_x, direction::prediction_change)?,
            targets: side(frames.y, &frames.along_y, direction::target_change)?,
        })
    }

    fn slices(&self) -> FormDirection<'_> {
        FormDirection {
            predictions: self.predictions.as_ref().map(|(u, v)| (&u[..], &v[..])),
            targets: self.targets.as_ref().map(|(phi, w)| (&phi[..], &w[..])),
        }
    }

    /// C' by rows.
    fn costs<'a>(&'a self, form: FormSlices<'a, f64>) -> FormCosts<'a> {
        let FormDirection { predictions, targets } = self.slices();
        FormCosts {
            terms: [
                predictions.map(|(u, v)| FormSlices { u, v, phi: &[], ..form }),
                targets.map(|(phi, w)| FormSlices { phi, w, u: &[], ..form }),
            ],
        }
    }
}

fn centre(from: &[f64], mean: &[f64], to: &mut [f64]) {
    for ((to, from), mean) in to.iter_mut().zip(from).zip(mean) {
        *to = from - mean;
    }
}

/// The sum of costs in inner-product form, by rows; an empty u or phi is 0.
struct FormCosts<'a> {
    terms: [Option<FormSlices<'a, f64>>; 2],
}

impl CostRows for FormCosts<'_> {
    fn write_row(&self, n: usize, columns: Range<usize>, row: &mut [f64]) {
        row[columns.clone()].fill(0.0);
        for FormSlices { u, phi, v, w, d, .. } in self.terms.iter().flatten() {
            let (u, v) = (u.get(n).unwrap_or(&0.0), &v[n * d..][..*d]);
            for m in columns.clone() {
                let product: f64 = v.iter().zip(&w[m * d..][..*d]).map(|(v, w)| v * w).sum();
                row[m] += u + phi.get(m).unwrap_or(&0.0) - product;
            }
        }
    }
}

/// The costs of a pair by rows: as float64 has them, if it does, which knows of cells that are forbidden.
struct PairCosts<'a> {
    wide: Option<&'a InnerProduct>,
    form: FormCosts<'a>,
}

impl CostRows for PairCosts<'_> {
    fn write_row(&self, n: usize, columns: Range<usize>, row: &mut [f64]) {
        match self.wide {
            Some(wide) => wide.write_row(n, columns, row),
            None => self.form.write_row(n, columns, row),
        }
    }
}

/// Sums of a matrix over the rows or columns that belong to a frame, and its products with the other side's vectors.
struct SideSums {
    sums: Vec<f64>,
    vectors: Vec<f64>,
}

impl SideSums {
    fn new(frames: usize, d: usize) -> Result<Self, Error> {
        Ok(Self { sums: zeros(frames)?, vectors: zeros(frames * d)? })
    }

    fn add(&mut self, frame: usize, factor: f64, vector: &[f64]) {
        self.sums[frame] += factor;
        for (sum, entry) in self.vectors[frame * vector.len()..].iter_mut().zip(vector) {
            *sum += factor * entry;
        }
    }

    fn slices(&mut self) -> (&mut [f64], &mut [f64]) {
        (&mut self.sums, &mut self.vectors)
    }

    fn columns(&mut self) -> ColumnSums<'_, f64> {
        ColumnSums { h: &mut self.sums, hv: &mut self.vectors }
    }
}

/// The sums behind the gradient of one side: of H' + a H, of H where its own sequence moves, and of H with the other's vectors
/// where that moves.
struct Side {
    changes: SideSums,
    alignment: Option<SideSums>,
    along: Option<SideSums>,
}

struct Sums {
    rows: Option<Side>,
    columns: Option<Side>,
    d: usize,
}

impl Sums {
    fn new(frames: &Frames<'_>, [wants_x, wants_y]: [bool; 2]) -> Result<Self, Error> {
        let d = frames.d;
        let side = |is_wanted: bool, sequence: &[f64], own: bool, other: bool| {
            let new = || SideSums::new(sequence.len() / d, d);
            let side = || -> Result<_, Error> {
                let (alignment, along) = (own.then(new).transpose()?, other.then(new).transpose()?);
                Ok(Side { changes: new()?, alignment, along })
            };
            is_wanted.then(side).transpose()
        };
        let (x_moves, y_moves) = (frames.along_x.is_some(), frames.along_y.is_some());
        Ok(Self {
            rows: side(wants_x, frames.x, x_moves, y_moves)?,
            columns: side(wants_y, frames.y, y_moves, x_moves)?,
            d,
        })
    }

    fn products(&mut self) -> FormProducts<'_> {
        let mut products = FormProducts::default();
        if let Some(Side { changes, alignment, along }) = &mut self.rows {
            products.changes.rows = Some(changes.slices());
            products.alignment.rows = alignment.as_mut().map(SideSums::slices);
            products.along.rows = along.as_mut().map(SideSums::slices);
        }
        if let Some(Side { changes, alignment, along }) = &mut self.columns {
            products.changes.columns = Some(changes.columns());
            products.alignment.columns = alignment.as_mut().map(SideSums::columns);
            products.along.columns = along.as_mut().map(SideSums::columns);
        }
        products
    }

    /// Writes the changes of the gradients.
    fn read_out<F: Real>(&self, frames: &Frames<'_>, mean: &[f64], outputs: &mut TangentOutputs<'_, F>) {
        let (cost, d) = (frames.cost, self.d);
        if let (Some(side), Some(out)) = (&self.rows, &mut outputs.x_grad) {
            side.read_out((frames.x, frames.along_x.as_deref()), mean, d, out, |frame, along, sums, out| {
                direction::prediction_gradient_change(cost, frame, along, sums, out);
            });
        }
        if let (Some(side), Some(out)) = (&self.columns, &mut outputs.y_grad) {
            side.read_out((frames.y, frames.along_y.as_deref()), mean, d, out, |frame, along, sums, out| {
                direction::target_gradient_change(cost, frame, along, sums, out);
            });
        }
    }
}

impl Side {
    fn read_out<F: Real>(
        &self,
        (sequence, along): (&[f64], Option<&[f64]>),
        mean: &[f64],
        d: usize,
        out: &mut [F],
        change: impl Fn(&[f64], &[f64], FrameSums<'_>, &mut [f64]),
    ) {
        let nothing = vec![0.0; d];
        let (mut frame, mut row, mut vector_change) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
        for (n, out) in out.chunks_exact_mut(d).enumerate() {
            let of_frame = n * d..(n + 1) * d;
            centre(&sequence[of_frame.clone()], mean, &mut frame);
            vector_change.copy_from_slice(&self.changes.vectors[of_frame.clone()]);
            if let Some(along) = &self.along {
                for (sum, term) in vector_change.iter_mut().zip(&along.vectors[of_frame.clone()]) {
                    *sum += term;
                }
            }
            let sums = FrameSums {
                sum: self.alignment.as_ref().map_or(0.0, |alignment| alignment.sums[n]),
                vector: self.alignment.as_ref().map_or(&nothing, |alignment| &alignment.vectors[of_frame.clone()]),
                sum_change: self.changes.sums[n],
                vector_change: &vector_change,
            };
            change(&frame, along.map_or(&nothing, |along| &along[of_frame]), sums, &mut row);
            for (to, from) in out.iter_mut().zip(&row) {
                *to = F::from_f64(*from);
            }
        }
    }
}

/// Sums rows of H' + a H and of H.
struct RowSums<'a> {
    sums: &'a mut Sums,
    form: FormSlices<'a, f64>,
    change: FormDirection<'a>,
}

impl TakesRows for RowSums<'_> {
    fn take(&mut self, n: usize, changes: &[f64], alignment: &[f64]) {
        let FormSlices { v, w, d, .. } = self.form;
        let (v_change, w_change) = (self.change.predictions.map(|(_, v)| v), self.change.targets.map(|(_, w)| w));
        for (m, (&change, &h)) in changes.iter().zip(alignment).enumerate() {
            if change == 0.0 && h == 0.0 {
                continue;
            }
            let Sums { rows, columns, .. } = &mut *self.sums;
            if let Some(side) = rows {
                side.add(n, (change, h), &w[m * d..][..d], w_change.map(|w| &w[m * d..][..d]));
            }
            if let Some(side) = columns {
                side.add(m, (change, h), &v[n * d..][..d], v_change.map(|v| &v[n * d..][..d]));
            }
        }
    }
}

impl Side {
    /// Adds a cell of H' + a H and of H to a frame: with the vector of the other side, and its change.
    fn add(&mut self, frame: usize, (change, h): (f64, f64), vector: &[f64], vector_change: Option<&[f64]>) {
        self.changes.add(frame, change, vector);
        if let Some(alignment) = &mut self.alignment {
            alignment.add(frame, h, vector);
        }
        if let (Some(along), Some(vector_change)) = (&mut self.along, vector_change) {
            along.add(frame, h, vector_change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{PairScratch, align_pair};
    use super::*;
    use crate::kernel::tangent::Tangent;
    use crate::readout::Outputs;
    use crate::shape::Shape;
    use crate::weights::StepWeights;

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

    /// Rounds to float32, so that both precisions are given the same numbers.
    fn rounded(numbers: Vec<f64>) -> Vec<f64> {
        numbers.into_iter().map(|x| f64::from(x as f32)).collect()
    }

    /// A pair with settings, a direction, or a gradient: x, y, gamma and step weights.
    #[derive(Clone)]
    struct Point {
        x: Vec<f64>,
        y: Vec<f64>,
        gamma: f64,
        weights: [f64; 3],
    }

    impl Point {
        fn moved(&self, by: f64, along: &Self) -> Self {
            let moved = |at: &[f64], along: &[f64]| at.iter().zip(along).map(|(a, b)| a + by * b).collect();
            Self {
                x: moved(&self.x, &along.x),
                y: moved(&self.y, &along.y),
                gamma: self.gamma + by * along.gamma,
                weights: [0, 1, 2].map(|s| self.weights[s] + by * along.weights[s]),
            }
        }

        fn entries(&self) -> Vec<f64> {
            self.x.iter().chain(&self.y).chain([&self.gamma]).chain(&self.weights).copied().collect()
        }

        fn dot(&self, other: &Self) -> f64 {
            self.entries().iter().zip(other.entries()).map(|(a, b)| a * b).sum()
        }
    }

    /// A kind of pair.
    struct Problem {
        cost: WeightedCost,
        shape: Shape,
        d: usize,
    }

    impl Problem {
        fn recursion(&self, at: &Point) -> Recursion {
            let [horizontal, vertical, diagonal] = at.weights;
            Recursion::new(at.gamma, StepWeights::new(horizontal, vertical, diagonal).unwrap(), None).unwrap()
        }

        fn gradient(&self, at: &Point) -> Point {
            let (mut x, mut y) = (vec![0.0; at.x.len()], vec![0.0; at.y.len()]);
            let mut outputs =
                Outputs { x_grad: Some(&mut x), y_grad: Some(&mut y), moments: true, ..Outputs::default() };
            let pair = Pair { x: &at.x, y: &at.y, shape: self.shape, d: self.d };
            let scratch = &mut PairScratch::default();
            let result =
                align_pair(pair, &self.cost, &self.recursion(at), &mut outputs, ThreadTeam::ALONE, scratch).unwrap();
            let moments = result.moments.unwrap();
            Point { x, y, gamma: -moments.entropy, weights: moments.step_weights_grad }
        }

        /// The numbers along a direction, and the changes of the gradient.
        fn along<F: Real>(
            &self,
            set: Option<InstructionSet>,
            at: &Point,
            along: &Point,
            (moves_x, moves_y, gradient): (bool, bool, f64),
        ) -> (TangentResult, Point) {
            let narrow = |of: &[f64]| -> Vec<F> { of.iter().map(|&x| F::from_f64(x)).collect() };
            let (x, y, along_x, along_y) = (narrow(&at.x), narrow(&at.y), narrow(&along.x), narrow(&along.y));
            let nan = F::from_f64(f64::NAN);
            let (mut x_grad, mut y_grad) = (vec![nan; x.len()], vec![nan; y.len()]);
            let mut outputs = TangentOutputs { x_grad: Some(&mut x_grad), y_grad: Some(&mut y_grad) };
            let pair = Pair { x: &x, y: &y, shape: self.shape, d: self.d };
            let sequences =
                SequencesDirection { x: moves_x.then_some(&along_x[..]), y: moves_y.then_some(&along_y[..]) };
            let settings =
                SettingsDirection { gamma: along.gamma, weights: along.weights, gradient, wants_settings: true };
            let (recursion, scratch) = (self.recursion(at), &mut Scratch::default());
            let result =
                tangent_of_pair_on(set, pair, &self.cost, (sequences, settings), &recursion, &mut outputs, scratch)
                    .unwrap();
            let [x, y] = [x_grad, y_grad].map(|grad| grad.into_iter().map(Real::to_f64).collect());
            let Tangent { gamma_grad, step_weights_grad, .. } = result.tangent;
            (result, Point { x, y, gamma: gamma_grad, weights: step_weights_grad })
        }
    }

    fn ways() -> Vec<Option<InstructionSet>> {
        let sets = InstructionSet::ALL.iter().map(|&(_, set)| set).filter(|set| set.is_available());
        std::iter::once(None).chain(sets.map(Some)).collect()
    }

    /// Kinds of pairs: every cost that has the form, few features and many, dense targets and sparse ones, weights inside.
    fn problems(shape: Shape) -> Vec<(Problem, Point)> {
        let mut problems = vec![];
        for (kind, d) in [
            (Cost::Mse, 1),
            (Cost::SquaredEuclidean, 3),
            (Cost::Mse, 13),
            (Cost::SquaredEuclidean, 9),
            (Cost::Bce, 40),
            (Cost::Bce, 5),
            (Cost::BceLogits, 9),
            (Cost::BceLogits, 2),
            (Cost::CrossEntropy, 9),
            (Cost::CrossEntropyLogits, 9),
            (Cost::Poisson, 6),
            (Cost::PoissonLog, 6),
            (Cost::Cosine, 6),
            (Cost::Cosine, 4),
        ] {
            for is_weighted in [false, true] {
                let x: Vec<f64> = numbers(7, shape.n * d).iter().map(|x| 0.1 + 0.8 * x).collect();
                let sparse = |y: &f64| f64::from(u8::from(*y < 0.05));
                let y =
                    numbers(8, shape.m * d).iter().map(|y| if d == 40 { sparse(y) } else { 0.1 + 0.8 * y }).collect();
                let weights = |from: f64| is_weighted.then(|| numbers(d as u64, d).iter().map(|f| f + from).collect());
                let is_bce = matches!(kind, Cost::Bce | Cost::BceLogits);
                let pos_weight = weights(0.5).filter(|_| is_bce);
                let cost = WeightedCost { cost: kind, feature_weights: weights(0.2), pos_weight };
                let at = Point { x: rounded(x), y: rounded(y), gamma: 0.7, weights: [0.4, 1.0, 1.3] };
                problems.push((Problem { cost, shape, d }, at));
            }
        }
        problems
    }

    fn direction(seed: u64, at: &Point) -> Point {
        let centred = |seed: u64, count: usize| rounded(numbers(seed, count).iter().map(|x| x - 0.5).collect());
        Point { x: centred(seed, at.x.len()), y: centred(seed + 1, at.y.len()), gamma: 0.2, weights: [-0.3, 0.1, 0.2] }
    }

    #[test]
    fn changes_are_differences_of_the_gradient_and_symmetric() {
        for (problem, at) in problems(Shape { n: 11, m: 13 }) {
            let (u, v) = (direction(3, &at), direction(5, &at));
            let step = 1e-5;
            let [above, below] = [step, -step].map(|by| problem.gradient(&at.moved(by, &u)));
            let value_change = problem.gradient(&at).dot(&u);
            for way in ways() {
                let told = format!("{way:?} {:?} D={}", problem.cost, problem.d);
                let (result, changes) = problem.along::<f64>(way, &at, &u, (true, true, 0.0));
                assert!((result.tangent.value - value_change).abs() <= 1e-9 * (1.0 + value_change.abs()), "{told}");
                let differences = above.entries().into_iter().zip(below.entries());
                for (k, (got, (a, b))) in changes.entries().into_iter().zip(differences).enumerate() {
                    let expected = (a - b) / (2.0 * step);
                    assert!((got - expected).abs() <= 1e-6 * (10.0 + expected.abs()), "{told} {k}: {got} {expected}");
                }
                let (_, other) = problem.along::<f64>(way, &at, &v, (true, true, 0.0));
                let (a, b) = (changes.dot(&v), other.dot(&u));
                assert!((a - b).abs() <= 1e-10 * (1.0 + a.abs()), "{told}: {a} {b}");
            }
        }
    }

    #[test]
    fn lanes_give_what_rows_give_in_both_precisions() {
        for shape in [Shape { n: 9, m: 30 }, Shape { n: 41, m: 75 }] {
            for (problem, mut at) in problems(shape) {
                for gamma in [0.1, 10.0] {
                    at.gamma = gamma;
                    let along = direction(3, &at);
                    for asked in [(true, true, 0.0), (true, false, 0.6), (false, true, 0.0), (false, false, 1.0)] {
                        let (truth, expected) = problem.along::<f64>(None, &at, &along, asked);
                        let size = expected.entries().iter().fold(1.0, |size: f64, x| size.max(x.abs()));
                        for set in ways().into_iter().flatten() {
                            let told =
                                format!("{set:?} {:?} {shape:?} D={} g={gamma} {asked:?}", problem.cost, problem.d);
                            let (result, got) = problem.along::<f64>(Some(set), &at, &along, asked);
                            let (narrow, rounded) = problem.along::<f32>(Some(set), &at, &along, asked);
                            for (result, got, tolerance) in [(result, got, 1e-11), (narrow, rounded, 1e-5)] {
                                let error = (result.value - truth.value).abs() / (truth.value.abs() + gamma);
                                assert!(error <= tolerance, "{told}: {} {}", result.value, truth.value);
                                for (got, expected) in got.entries().into_iter().zip(expected.entries()) {
                                    assert!((got - expected).abs() <= tolerance * size, "{told}: {got} {expected}");
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_sharp_value_is_the_mean_cost_and_its_gradient_that_of_differences() {
        for (problem, at) in problems(Shape { n: 11, m: 13 }) {
            let sharp = |at: &Point| {
                let gradient = problem.gradient(at);
                // <H,C> = sum_s w_s dSDTW/dw_s
                gradient.weights.iter().zip(at.weights).map(|(g, w)| g * w).sum::<f64>()
            };
            let u = direction(3, &at);
            let slope = (sharp(&at.moved(1e-5, &u)) - sharp(&at.moved(-1e-5, &u))) / 2e-5;
            for way in ways() {
                let SettingsDirection { gamma, weights, gradient, .. } =
                    SettingsDirection::of_sharp_value(at.gamma, true);
                let along = Point { gamma, weights, ..u.clone() };
                let (result, changes) = problem.along::<f64>(way, &at, &along, (false, false, gradient));
                let value = result.value + result.tangent.value;
                assert!((value / sharp(&at) - 1.0).abs() <= 1e-11, "{way:?} {:?}: {value}", problem.cost);
                let got = changes.dot(&u);
                assert!((got - slope).abs() <= 1e-6 * (1.0 + slope.abs()), "{way:?} {:?}: {got} {slope}", problem.cost);
            }
        }
    }
}
