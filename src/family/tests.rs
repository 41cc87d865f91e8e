//! Laws of the model on random settings, against every path enumerated.

use super::align::align;
use super::backward::Backward;
use super::checkpoints::{sweep, sweep_in_blocks};
use super::every_path::{Draws, truth};
use super::minimum::{Softmin, SoftminOfSums};
use super::model::{EndCosts, Model, Step};
use super::outputs::{Gradients, ModelOutputs, ModelReadout};
use super::parameter::Parameter;
use super::path::least_path;
use crate::cost::CostMatrix;
use crate::error::Error;
use crate::matrix::MatrixMut;
use crate::readout::{Features, Outputs};
use crate::shape::Shape;

/// Everything that a random model borrows.
struct Setting {
    shape: Shape,
    gamma: f64,
    costs: Vec<f64>,
    sizes: Vec<(usize, usize)>,
    /// Kind (number, frames, targets, cells) and entries: weights and penalties by turns, then of entry and exit.
    parameters: Vec<(usize, Vec<f64>)>,
    ends: [(usize, Vec<f64>, Vec<f64>); 2],
    gives_entry_weight: bool,
}

fn parameter((kind, values): &(usize, Vec<f64>)) -> Parameter<'_> {
    match kind {
        0 => Parameter::Number(values[0]),
        1 => Parameter::Frames(values),
        2 => Parameter::Targets(values),
        _ => Parameter::Cells(values),
    }
}

impl Setting {
    /// Draws a setting; `whole` makes all numbers small integers, which tie often.
    fn new(draws: &mut Draws, n: usize, m: usize, whole: bool) -> Self {
        let shape = Shape::new(n, m).unwrap();
        let round = move |x: f64| if whole { x.round() } else { x };
        let drawn = |draws: &mut Draws, make: &dyn Fn(&mut Draws) -> f64| {
            let kind = draws.below(4);
            let count = [1, n, m, n * m][kind];
            (kind, draws.numbers(count, make))
        };
        let weight = |draws: &mut Draws| if draws.below(5) == 0 { 0.0 } else { round(2.0 * draws.unit()) };
        let penalty = |draws: &mut Draws| match draws.below(6) {
            0 => f64::INFINITY,
            1 => 0.0,
            _ => round(4.0 * draws.unit() - 1.5),
        };
        let mut sizes = vec![];
        let mut parameters = vec![];
        for _ in 0..1 + draws.below(4) {
            let size = loop {
                let size = (draws.below(4), draws.below(4));
                if size != (0, 0) {
                    break size;
                }
            };
            sizes.push(if draws.below(3) == 0 { (1, 1) } else { size });
            parameters.push(drawn(draws, &weight));
            parameters.push(drawn(draws, &penalty));
        }
        parameters.push(drawn(draws, &weight));
        parameters.push(drawn(draws, &weight));
        let ends = [0, 1].map(|_| {
            let kind = draws.below(4);
            (kind, draws.numbers(if kind == 2 { n * m } else { m }, penalty), draws.numbers(n, penalty))
        });
        let costs = draws
            .numbers(n * m, |draws| if draws.below(12) == 0 { f64::INFINITY } else { round(6.0 * draws.unit() - 2.0) });
        let gamma = [0.05, 1.0, 30.0][draws.below(3)];
        Self { shape, gamma, costs, sizes, parameters, ends, gives_entry_weight: draws.below(2) == 0 }
    }

    fn model(&self) -> Model<'_> {
        let Shape { n, m } = self.shape;
        let steps = self.sizes.iter().zip(self.parameters.chunks(2));
        let of_ends = &self.parameters[2 * self.sizes.len()..];
        let ends = |(kind, row, column): &'_ (usize, Vec<f64>, Vec<f64>), last: bool| match kind {
            0 if last => EndCosts::Cell(n - 1, m - 1),
            0 => EndCosts::Cell(0, 0),
            // Lent for as long as the setting.
            1 => EndCosts::Border { row: Some((0, leak(row))), column: Some((m - 1, leak(column))) },
            2 => EndCosts::Everywhere(Parameter::Cells(leak(row))),
            _ => EndCosts::Border { row: Some((n - 1, leak(row))), column: None },
        };
        Model {
            shape: self.shape,
            gamma: self.gamma,
            steps: steps
                .map(|(&(frames, targets), pair)| Step {
                    frames,
                    targets,
                    weight: parameter(&pair[0]),
                    penalty: parameter(&pair[1]),
                })
                .collect(),
            entry: ends(&self.ends[0], false),
            exit: ends(&self.ends[1], true),
            entry_weight: self.gives_entry_weight.then(|| parameter(&of_ends[0])),
            exit_weight: parameter(&of_ends[1]),
        }
    }
}

fn leak(values: &[f64]) -> &'static [f64] {
    Vec::leak(values.to_vec())
}

/// All outputs of one model.
struct Everything {
    value: f64,
    entropy: f64,
    h: Vec<f64>,
    visits: Vec<f64>,
    soft_alignment: Vec<f64>,
    uses: Vec<f64>,
    begin: Vec<f64>,
    end: Vec<f64>,
    of_targets: Vec<f64>,
    gradients: Gradients,
}

fn everything(model: &Model<'_>, costs: &[f64]) -> Result<Everything, Error> {
    let (cells, m) = (model.shape.cells(), model.shape.m);
    let mut all = Everything {
        value: 0.0,
        entropy: 0.0,
        h: vec![f64::NAN; model.shape.n],
        visits: vec![f64::NAN; cells],
        soft_alignment: vec![f64::NAN; cells],
        uses: vec![f64::NAN; cells * model.steps.len()],
        begin: vec![f64::NAN; cells],
        end: vec![f64::NAN; cells],
        of_targets: vec![f64::NAN; m],
        gradients: Gradients::zeros(model),
    };
    let mut outputs = ModelOutputs {
        plain: Outputs {
            h: Some(&mut all.h),
            soft_alignment: Some(MatrixMut { entries: &mut all.soft_alignment, stride: m }),
            visits: Some(MatrixMut { entries: &mut all.visits, stride: m }),
            entropy: true,
            ..Outputs::default()
        },
        step_posteriors: Some(&mut all.uses),
        begin: Some(&mut all.begin),
        end: Some(&mut all.end),
        visits: Some(&mut all.of_targets),
        gradients: Some(&mut all.gradients),
    };
    let aligned = align(model, &CostMatrix { costs, stride: m }, Features::None, &mut outputs)?;
    (all.value, all.entropy) = (aligned.value, aligned.entropy.unwrap());
    Ok(all)
}

#[track_caller]
fn assert_close(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len());
    for (k, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{what} {k}: {a} {b}");
    }
}

fn grids() -> impl Iterator<Item = (usize, usize)> {
    [(1, 1), (1, 4), (4, 1), (2, 2), (3, 4), (4, 3), (4, 4)].into_iter()
}

#[test]
fn agrees_with_every_path_enumerated() {
    let mut draws = Draws(88_172_645_463_325_252);
    let mut aligned = 0;
    for (n, m) in grids() {
        for _ in 0..60 {
            let setting = Setting::new(&mut draws, n, m, false);
            let model = setting.model();
            let truth = truth(&model, &setting.costs, setting.gamma);
            if truth.value == f64::INFINITY {
                assert!(matches!(everything(&model, &setting.costs), Err(Error::NoPath { .. })));
                continue;
            }
            aligned += 1;
            let got = everything(&model, &setting.costs).unwrap();
            assert_close(&[got.value, got.entropy], &[truth.value, truth.entropy], "value, entropy");
            assert_close(&got.visits, &truth.visits, "E");
            assert_close(&got.soft_alignment, &truth.soft_alignment, "H");
            assert_close(&got.uses, &truth.uses.concat(), "U");
            assert_close(&got.begin, &truth.begin, "U_0");
            assert_close(&got.end, &truth.end, "q");
            let of_targets: Vec<f64> = (0..m).map(|m_at| truth.visits.iter().skip(m_at).step_by(m).sum()).collect();
            assert_close(&got.of_targets, &of_targets, "visits");
        }
    }
    assert!(aligned > 150, "{aligned}");
}

#[test]
fn gradients_are_sums_of_uses_in_the_shape_of_each_parameter() {
    let mut draws = Draws(3_141_592_653_589_793);
    for _ in 0..200 {
        let setting = Setting::new(&mut draws, 3, 4, false);
        let model = setting.model();
        let truth = truth(&model, &setting.costs, setting.gamma);
        let Ok(got) = everything(&model, &setting.costs) else { continue };
        let summed = |kind: usize, of_cells: &[f64]| -> Vec<f64> {
            let mut sums = vec![0.0; [1, 3, 4, 12][kind]];
            for (cell, u) in of_cells.iter().enumerate() {
                sums[[0, cell / 4, cell % 4, cell][kind]] += u;
            }
            sums
        };
        let charged = |uses: &[f64]| -> Vec<f64> {
            uses.iter().zip(&setting.costs).map(|(&u, &c)| if u > 0.0 { u * c } else { 0.0 }).collect()
        };
        let diagonal = setting.sizes.iter().position(|&size| size == (1, 1));
        for (s, uses) in truth.uses.iter().enumerate() {
            let [(of_weight, _), (of_penalty, _)] = &setting.parameters[2 * s..2 * s + 2] else { unreachable!() };
            assert_close(&got.gradients.step_penalties[s], &summed(*of_penalty, uses), "penalty");
            let mut of_cells = charged(uses);
            if !setting.gives_entry_weight && Some(s) == diagonal {
                of_cells.iter_mut().zip(charged(&truth.begin)).for_each(|(sum, begin)| *sum += begin);
            }
            assert_close(&got.gradients.step_weights[s], &summed(*of_weight, &of_cells), "weight");
        }
        let [(of_entry, _), (of_exit, _)] = &setting.parameters[2 * setting.sizes.len()..] else { unreachable!() };
        if setting.gives_entry_weight {
            assert_close(&got.gradients.entry_weight, &summed(*of_entry, &charged(&truth.begin)), "entry weight");
        }
        assert_close(&got.gradients.exit_weight, &summed(*of_exit, &charged(&truth.end)), "exit weight");
    }
}

#[test]
fn the_hard_path_is_the_first_by_the_rule_for_ties() {
    let mut draws = Draws(271_828_182_845_904_523);
    let mut tied = 0;
    for (n, m) in grids() {
        for _ in 0..200 {
            let setting = Setting::new(&mut draws, n, m, true);
            let model = setting.model();
            let truth = truth(&model, &setting.costs, 1.0);
            let got = least_path(&model, &CostMatrix { costs: &setting.costs, stride: m }).unwrap();
            assert_eq!(got.value, truth.least);
            // From the end: the first cell by rows; then to begin, the larger i + j, the larger i, the first listed.
            let rule = |path: &Vec<(usize, usize, Option<usize>)>| -> Vec<(usize, usize, usize)> {
                let &(n, m, _) = path.last().unwrap();
                let way = |step: Option<usize>| match step {
                    None => (0, 0, 0),
                    Some(s) => {
                        let (i, j) = setting.sizes[s];
                        (100 - i - j, 100 - i, s)
                    }
                };
                std::iter::once((n, m, 0)).chain(path.iter().rev().map(|&(.., step)| way(step))).collect()
            };
            let expected = truth.best.iter().min_by_key(|path| rule(path));
            tied += usize::from(truth.best.len() > 1);
            let cells: Vec<_> = got.cells.iter().map(|cell| (cell.frame, cell.target, cell.step)).collect();
            assert_eq!(Some(&cells), expected.or(Some(&vec![])));
        }
    }
    assert!(tied > 50, "{tied}");
}

#[test]
fn gamma_of_zero_puts_all_mass_on_the_hard_path() {
    let mut draws = Draws(577_215_664_901_532);
    for _ in 0..100 {
        let setting = Setting::new(&mut draws, 4, 4, true);
        let model = Model { gamma: 0.0, ..setting.model() };
        let path = least_path(&model, &CostMatrix { costs: &setting.costs, stride: 4 }).unwrap();
        let Ok(got) = everything(&model, &setting.costs) else {
            assert!(path.cells.is_empty());
            continue;
        };
        let mut visits = vec![0.0; 16];
        path.cells.iter().for_each(|cell| visits[cell.frame * 4 + cell.target] = 1.0);
        assert_eq!((got.value, got.entropy), (path.value, 0.0));
        assert_eq!(got.visits, visits);
    }
}

/// A larger model with steps of all reaches, and its costs.
fn large(scale: f64) -> Setting {
    let mut draws = Draws(1_618_033_988_749_894);
    let (n, m) = (37, 23);
    let mut setting = Setting::new(&mut draws, n, m, false);
    setting.sizes = vec![(1, 0), (0, 1), (1, 1), (4, 2), (0, 3), (3, 0), (1, 1)];
    setting.parameters = setting.sizes.iter().flat_map(|_| [(0, vec![1.0]), (0, vec![0.25])]).collect();
    setting.parameters.extend([(0, vec![1.0]), (0, vec![0.5])]);
    setting.ends = [2, 2].map(|kind| (kind, draws.numbers(n * m, |draws| 3.0 * scale * draws.unit()), vec![]));
    setting.costs = draws.numbers(n * m, |draws| scale * draws.unit());
    setting.gamma = 0.7;
    setting
}

#[test]
fn blocks_of_any_size_give_the_same_bits() {
    let setting = large(4.0);
    let model = setting.model();
    let costs = CostMatrix { costs: &setting.costs, stride: 23 };
    let all = everything(&model, &setting.costs).unwrap();
    for block in [1, 2, 3, 7, 36, 37, 100] {
        let mut visits = vec![f64::NAN; setting.costs.len()];
        let mut outputs = ModelOutputs {
            plain: Outputs { visits: Some(MatrixMut { entries: &mut visits, stride: 23 }), ..Outputs::default() },
            ..ModelOutputs::default()
        };
        let mut readout = ModelReadout::new(&model, &costs, Features::None, &mut outputs);
        let mut backward = Backward::new(&model, &mut readout, true).unwrap();
        let softmin = Softmin::new(setting.gamma);
        let value = sweep_in_blocks(&model, &costs, softmin, Some(&mut backward), block).unwrap();
        assert_eq!((value, backward.entropy()), (Some(all.value), Some(all.entropy)), "{block}");
        assert_eq!(visits, all.visits, "{block}");
    }
}

#[test]
fn probabilities_stay_exact_where_costs_are_huge() {
    // The mass of every cut is 1: what crosses it, began behind it or ended before it.
    for scale in [1.0, 1e9, 1e13] {
        let setting = large(scale);
        let model = setting.model();
        let got = everything(&model, &setting.costs).unwrap();
        let sum = |values: &[f64]| values.iter().sum::<f64>();
        assert!((sum(&got.begin) - 1.0).abs() < 1e-12, "{scale}");
        assert!((sum(&got.end) - 1.0).abs() < 1e-12, "{scale}");
        for n in 1..37 {
            let mut mass = sum(&got.begin[n * 23..]) + sum(&got.end[..n * 23]);
            for (s, &(frames, _)) in setting.sizes.iter().enumerate() {
                let until = (n + frames).min(37);
                mass += sum(&got.uses[s * 37 * 23..][n * 23..until * 23]);
            }
            assert!((mass - 1.0).abs() < 1e-12, "{scale} {n}: {mass}");
        }
        let scaled = everything(&Model { gamma: model.gamma * scale, ..model.clone() }, &setting.costs).unwrap();
        assert!((sum(&scaled.begin) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn beyond_the_range_of_exponents_sums_take_over() {
    let setting = large(1.0);
    let model = setting.model();
    let costs = CostMatrix { costs: &setting.costs, stride: 23 };
    // The same numbers by both where both can.
    let sums = sweep(&model, &costs, SoftminOfSums { gamma: 0.7 }, None).unwrap().unwrap();
    let range = sweep(&model, &costs, Softmin::new(0.7), None).unwrap().unwrap();
    assert!((sums - range).abs() < 1e-12);
    for gamma in [1e-17, 1e-280, 1e-305, f64::MIN_POSITIVE] {
        let got = everything(&Model { gamma, ..model.clone() }, &setting.costs).unwrap();
        let hard = everything(&Model { gamma: 0.0, ..model.clone() }, &setting.costs).unwrap();
        assert!((got.value - hard.value).abs() < 1e-12);
        assert!((got.begin.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn a_cost_that_is_not_a_number_makes_all_of_its_pair_so() {
    let mut setting = large(1.0);
    setting.costs[100] = f64::NAN;
    let got = everything(&setting.model(), &setting.costs).unwrap();
    assert!(got.value.is_nan() && got.entropy.is_nan());
    for values in [&got.h, &got.visits, &got.soft_alignment, &got.uses, &got.begin, &got.end, &got.of_targets] {
        assert!(values.iter().all(|x| x.is_nan()));
    }
    assert!(got.gradients.step_penalties.concat().iter().all(|x| x.is_nan()));
}

#[test]
fn settings_that_have_no_meaning_are_refused() {
    let setting = large(1.0);
    let good = setting.model();
    let number = Parameter::Number;
    let step = Step { frames: 1, targets: 1, weight: number(1.0), penalty: number(0.0) };
    let with = |step: Step<'static>| Model { steps: vec![step], ..good.clone() };
    let wrong = [0.0; 5];
    let refused = [
        (Model { gamma: -1.0, ..good.clone() }, "gamma"),
        (Model { gamma: f64::NAN, ..good.clone() }, "gamma"),
        (Model { steps: vec![], ..good.clone() }, "steps"),
        (with(Step { frames: 0, targets: 0, ..step }), "not both 0"),
        (with(Step { frames: 5, ..step }), "from 0 to 4"),
        (with(Step { weight: number(-1.0), ..step }), "forbid by a penalty"),
        (with(Step { weight: number(f64::INFINITY), ..step }), "forbid by a penalty"),
        (with(Step { penalty: number(f64::NEG_INFINITY), ..step }), "above -inf"),
        (with(Step { penalty: number(f64::NAN), ..step }), "above -inf"),
        (Model { entry: EndCosts::Everywhere(number(f64::NAN)), ..good.clone() }, "entry"),
        (Model { exit: EndCosts::Border { row: Some((0, &wrong)), column: None }, ..good.clone() }, "exit"),
        (Model { exit: EndCosts::Cell(37, 0), ..good.clone() }, "exit"),
        (Model { exit_weight: number(f64::NAN), ..good.clone() }, "exit_weight"),
        (Model { entry_weight: Some(Parameter::Frames(&wrong)), ..good.clone() }, "entry_weight"),
    ];
    for (model, message) in refused {
        let error = model.check().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    good.check().unwrap();
}
