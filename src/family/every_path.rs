//! The truth of the tests: every path of a small grid, each charged on its own.

use super::model::{EndCosts, Model};
use super::parameter::Parameter;

/// A path: (n, m, step that arrives) from where it begins, which has no step.
pub type Cells = Vec<(usize, usize, Option<usize>)>;

/// Sums over all paths.
pub struct Truth {
    pub value: f64,
    pub entropy: f64,
    pub visits: Vec<f64>,
    pub soft_alignment: Vec<f64>,
    pub uses: Vec<Vec<f64>>,
    pub begin: Vec<f64>,
    pub end: Vec<f64>,
    pub least: f64,
    /// All paths whose cost is the least.
    pub best: Vec<Cells>,
}

fn at(parameter: Parameter<'_>, shape: (usize, usize), n: usize, m: usize) -> f64 {
    match parameter {
        Parameter::Number(x) => x,
        Parameter::Frames(x) => x[n],
        Parameter::Targets(x) => x[m],
        Parameter::Cells(x) => x[n * shape.1 + m],
    }
}

fn end_cost(costs: &EndCosts<'_>, shape: (usize, usize), n: usize, m: usize) -> f64 {
    match *costs {
        EndCosts::Cell(row, column) => {
            if (row, column) == (n, m) {
                0.0
            } else {
                f64::INFINITY
            }
        }
        EndCosts::Everywhere(parameter) => at(parameter, shape, n, m),
        EndCosts::Border { row, column } => match (row, column) {
            (Some((at, costs)), _) if at == n => costs[m],
            (_, Some((at, costs))) if at == m => costs[n],
            _ => f64::INFINITY,
        },
    }
}

fn charge(weight: f64, cost: f64) -> f64 {
    if cost == f64::INFINITY { cost } else { weight * cost }
}

fn extend(model: &Model<'_>, path: &mut Cells, all: &mut Vec<Cells>) {
    all.push(path.clone());
    let &(n, m, _) = path.last().unwrap();
    for (s, step) in model.steps.iter().enumerate() {
        let (n, m) = (n + step.frames, m + step.targets);
        if n < model.shape.n && m < model.shape.m {
            path.push((n, m, Some(s)));
            extend(model, path, all);
            path.pop();
        }
    }
}

/// Enumerates all paths at a gamma above 0.
pub fn truth(model: &Model<'_>, costs: &[f64], gamma: f64) -> Truth {
    let shape = (model.shape.n, model.shape.m);
    let cells = shape.0 * shape.1;
    let mut all = vec![];
    for cell in 0..cells {
        extend(model, &mut vec![(cell / shape.1, cell % shape.1, None)], &mut all);
    }
    let first_weight = model.entry_weight.unwrap_or_else(|| {
        let diagonal = model.steps.iter().find(|step| step.frames == 1 && step.targets == 1);
        diagonal.map_or(Parameter::Number(1.0), |step| step.weight)
    });
    let cost_of = |path: &Cells| -> f64 {
        let mut sum = 0.0;
        for &(n, m, step) in path {
            let (weight, penalty) = match step {
                None => (at(first_weight, shape, n, m), end_cost(&model.entry, shape, n, m)),
                Some(s) => (at(model.steps[s].weight, shape, n, m), at(model.steps[s].penalty, shape, n, m)),
            };
            sum += charge(weight, costs[n * shape.1 + m]) + penalty;
        }
        let &(n, m, _) = path.last().unwrap();
        sum + charge(at(model.exit_weight, shape, n, m), costs[n * shape.1 + m]) + end_cost(&model.exit, shape, n, m)
    };
    let priced: Vec<(f64, Cells)> =
        all.into_iter().map(|path| (cost_of(&path), path)).filter(|(cost, _)| *cost < f64::INFINITY).collect();
    let least = priced.iter().fold(f64::INFINITY, |least, (cost, _)| least.min(*cost));
    let total: f64 = priced.iter().map(|(cost, _)| ((least - cost) / gamma).exp()).sum();
    let mut truth = Truth {
        value: if priced.is_empty() { least } else { least - gamma * total.ln() },
        entropy: 0.0,
        visits: vec![0.0; cells],
        soft_alignment: vec![0.0; cells],
        uses: vec![vec![0.0; cells]; model.steps.len()],
        begin: vec![0.0; cells],
        end: vec![0.0; cells],
        least,
        best: priced.iter().filter(|(cost, _)| *cost == least).map(|(_, path)| path.clone()).collect(),
    };
    for (cost, path) in &priced {
        let log = (least - cost) / gamma - total.ln();
        let p = log.exp();
        truth.entropy -= p * log;
        for &(n, m, step) in path {
            let cell = n * shape.1 + m;
            truth.visits[cell] += p;
            let weight = match step {
                None => {
                    truth.begin[cell] += p;
                    first_weight
                }
                Some(s) => {
                    truth.uses[s][cell] += p;
                    model.steps[s].weight
                }
            };
            truth.soft_alignment[cell] += p * at(weight, shape, n, m);
        }
        let &(n, m, _) = path.last().unwrap();
        truth.end[n * shape.1 + m] += p;
        truth.soft_alignment[n * shape.1 + m] += p * at(model.exit_weight, shape, n, m);
    }
    truth
}

/// Numbers that look random, and parameters made of them.
pub struct Draws(pub u64);

impl Draws {
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count as u64) as usize
    }

    pub fn unit(&mut self) -> f64 {
        self.bits() as f64 / (1u64 << 53) as f64
    }

    pub fn numbers(&mut self, count: usize, mut make: impl FnMut(&mut Self) -> f64) -> Vec<f64> {
        (0..count).map(|_| make(self)).collect()
    }
}
