//! The general model: any steps, weights, penalties, entries and exits, for one pair.

use numpy::{Element, Ix2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::arguments::{RequestedOutputs, pair, precision_error, weighted_cost};
use super::arrays::{FreshArray, read, read_all};
use super::results::{Results, Sizes};
use super::signals::run_jobs;
use crate::cost::class_costs::ClassCosts;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::cost::{CostMatrix, CostRows};
use crate::error::Error;
use crate::family::align::{ModelAlignment, align};
use crate::family::model::{EndCosts, Model, Step};
use crate::family::outputs::{Gradients, ModelOutputs};
use crate::family::parameter::Parameter;
use crate::family::path::LeastPath;
use crate::plan::{Alignment, PairScratch};
use crate::readout::Features;
use crate::real::Real;
use crate::shape::Shape;

/// A weight or a penalty: (1,1), (N,1), (1,M) or (N,M).
type Grid<'py> = PyReadonlyArray2<'py, f64>;

/// Costs to begin or to end a path; `None` is the corner.
#[derive(FromPyObject)]
enum EndArgument<'py> {
    Everywhere(Grid<'py>),
    /// Along the border row (M,) and the border column (N,).
    Border((Option<PyReadonlyArray1<'py, f64>>, Option<PyReadonlyArray1<'py, f64>>)),
}

/// The model, from a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct ModelArgument<'py> {
    gamma: f64,
    steps: Vec<(usize, usize, Grid<'py>, Grid<'py>)>,
    entry: Option<EndArgument<'py>>,
    exit: Option<EndArgument<'py>>,
    entry_weight: Option<Grid<'py>>,
    exit_weight: Grid<'py>,
}

fn parameter<'a>(grid: &'a Grid<'_>, shape: Shape) -> PyResult<Parameter<'a>> {
    let values = grid.as_slice()?;
    Ok(match grid.as_array().dim() {
        (1, 1) => Parameter::Number(values[0]),
        (n, m) if (n, m) == (shape.n, shape.m) => Parameter::Cells(values),
        (n, 1) if n == shape.n => Parameter::Frames(values),
        (1, m) if m == shape.m => Parameter::Targets(values),
        (n, m) => {
            let message = format!("a weight or penalty has shape ({n}, {m}), C has ({}, {})", shape.n, shape.m);
            return Err(Error::argument("steps", message).into());
        }
    })
}

fn ends<'a>(argument: &'a Option<EndArgument<'_>>, corner: (usize, usize), shape: Shape) -> PyResult<EndCosts<'a>> {
    fn slice<'a>(array: &'a Option<PyReadonlyArray1<'_, f64>>) -> PyResult<Option<&'a [f64]>> {
        Ok(array.as_ref().map(|array| array.as_slice()).transpose()?)
    }
    Ok(match argument {
        None => EndCosts::Cell(corner.0, corner.1),
        Some(EndArgument::Everywhere(grid)) => EndCosts::Everywhere(parameter(grid, shape)?),
        Some(EndArgument::Border((row, column))) => EndCosts::Border {
            row: slice(row)?.map(|costs| (corner.0, costs)),
            column: slice(column)?.map(|costs| (corner.1, costs)),
        },
    })
}

impl ModelArgument<'_> {
    fn model(&self, shape: Shape) -> PyResult<Model<'_>> {
        let steps = self.steps.iter().map(|(frames, targets, weight, penalty)| {
            let (weight, penalty) = (parameter(weight, shape)?, parameter(penalty, shape)?);
            Ok(Step { frames: *frames, targets: *targets, weight, penalty })
        });
        Ok(Model {
            shape,
            gamma: self.gamma,
            steps: steps.collect::<PyResult<_>>()?,
            entry: ends(&self.entry, (0, 0), shape)?,
            exit: ends(&self.exit, (shape.n - 1, shape.m - 1), shape)?,
            entry_weight: self.entry_weight.as_ref().map(|weight| parameter(weight, shape)).transpose()?,
            exit_weight: parameter(&self.exit_weight, shape)?,
        })
    }

    /// Makes the gradients arrays of the shapes of their parameters.
    fn shaped<'py>(&self, py: Python<'py>, gradients: &Gradients) -> PyResult<Bound<'py, PyDict>> {
        let of_grid = |grid: &Grid<'_>, gradient: &[f64]| -> PyResult<Bound<'py, PyAny>> {
            let (n, m) = grid.as_array().dim();
            let mut array = FreshArray::zeros(py, &[n, m])?;
            array.entries_mut().copy_from_slice(gradient);
            Ok(array.into_array().into_any())
        };
        let result = PyDict::new(py);
        let (weights, penalties) = (PyList::empty(py), PyList::empty(py));
        for (s, (_, _, weight, penalty)) in self.steps.iter().enumerate() {
            weights.append(of_grid(weight, &gradients.step_weights[s])?)?;
            penalties.append(of_grid(penalty, &gradients.step_penalties[s])?)?;
        }
        result.set_item("step_weights", weights)?;
        result.set_item("step_penalties", penalties)?;
        let entry_weight = self.entry_weight.as_ref().map(|grid| of_grid(grid, &gradients.entry_weight));
        result.set_item("entry_weight", entry_weight.transpose()?)?;
        result.set_item("exit_weight", of_grid(&self.exit_weight, &gradients.exit_weight)?)?;
        Ok(result)
    }
}

/// Outputs that the general model alone has.
#[derive(Clone, Copy, Default)]
struct RequestedOfModel {
    step_posteriors: bool,
    begin: bool,
    end: bool,
    visits: bool,
    gradients: bool,
}

fn parse(names: Vec<String>) -> Result<(RequestedOutputs, RequestedOfModel), Error> {
    let mut own = RequestedOfModel::default();
    let mut others = vec![];
    for name in names {
        match name.as_str() {
            "step_posteriors" => own.step_posteriors = true,
            "begin" => own.begin = true,
            "end" => own.end = true,
            "visits" => own.visits = true,
            "gradients" => own.gradients = true,
            "moments" => return Err(Error::argument("outputs", "the general model has gradients and entropy instead")),
            _ => others.push(name),
        }
    }
    Ok((RequestedOutputs::parse(&others)?, own))
}

fn set_path(py: Python<'_>, result: &Bound<'_, PyDict>, path: &LeastPath) -> PyResult<()> {
    let mut cells = FreshArray::<i64>::zeros(py, &[path.cells.len(), 2])?;
    let mut steps = FreshArray::<i64>::zeros(py, &[path.cells.len()])?;
    for (to, cell) in cells.entries_mut().chunks_exact_mut(2).zip(&path.cells) {
        to.copy_from_slice(&[cell.frame as i64, cell.target as i64]);
    }
    for (to, cell) in steps.entries_mut().iter_mut().zip(&path.cells) {
        *to = cell.step.map_or(-1, |step| step as i64);
    }
    result.set_item("path", cells.into_array())?;
    result.set_item("path_steps", steps.into_array())?;
    result.set_item("path_value", path.value)
}

/// Arrays that were asked for, of one pair.
struct ModelResults<'py, F> {
    plain: Results<'py, F>,
    step_posteriors: Option<FreshArray<'py, F>>,
    begin: Option<FreshArray<'py, F>>,
    end: Option<FreshArray<'py, F>>,
    visits: Option<FreshArray<'py, f64>>,
    gradients: Option<Gradients>,
}

impl<'py, F: Real + Element> ModelResults<'py, F> {
    /// Makes the arrays, filled with zeros.
    fn new(
        py: Python<'py>,
        model: &Model<'_>,
        d: usize,
        (plain, own): (RequestedOutputs, RequestedOfModel),
    ) -> PyResult<Self> {
        let Shape { n, m } = model.shape;
        let array =
            |is_requested: bool, axes: &[usize]| is_requested.then(|| FreshArray::<F>::zeros(py, axes)).transpose();
        Ok(Self {
            plain: Results::new(py, plain, Sizes::of_pair(model.shape, d))?,
            step_posteriors: array(own.step_posteriors, &[model.steps.len(), n, m])?,
            begin: array(own.begin, &[n, m])?,
            end: array(own.end, &[n, m])?,
            visits: own.visits.then(|| FreshArray::zeros(py, &[m])).transpose()?,
            gradients: own.gradients.then(|| Gradients::zeros(model)),
        })
    }

    fn outputs(&mut self, shape: Shape) -> ModelOutputs<'_, F> {
        ModelOutputs {
            plain: self.plain.outputs(&[shape]).pop().expect("outputs of one pair"),
            step_posteriors: self.step_posteriors.as_mut().map(FreshArray::entries_mut),
            begin: self.begin.as_mut().map(FreshArray::entries_mut),
            end: self.end.as_mut().map(FreshArray::entries_mut),
            visits: self.visits.as_mut().map(FreshArray::entries_mut),
            gradients: self.gradients.as_mut(),
        }
    }

    /// Puts arrays and numbers into a dict by their names.
    fn into_dict(
        self,
        py: Python<'py>,
        argument: &ModelArgument<'py>,
        aligned: &ModelAlignment,
    ) -> PyResult<Bound<'py, PyDict>> {
        let numbers = Alignment { value: aligned.value, moments: None, entropy: aligned.entropy, path: None };
        let result = self.plain.into_dict(py, &[numbers])?;
        for (name, array) in [("step_posteriors", self.step_posteriors), ("begin", self.begin), ("end", self.end)] {
            if let Some(array) = array {
                result.set_item(name, array.into_array())?;
            }
        }
        if let Some(visits) = self.visits {
            result.set_item("visits", visits.into_array())?;
        }
        if let Some(gradients) = &self.gradients {
            result.set_item("gradients", argument.shaped(py, gradients)?)?;
        }
        if let Some(path) = &aligned.path {
            set_path(py, &result, path)?;
        }
        Ok(result)
    }
}

fn run<'py, F: Real + Element>(
    py: Python<'py>,
    argument: &ModelArgument<'py>,
    costs: &(impl CostRows + Sync),
    (features, d): (Features<'_, F>, usize),
    shape: Shape,
    requested: (RequestedOutputs, RequestedOfModel),
) -> PyResult<Bound<'py, PyDict>> {
    let model = argument.model(shape)?;
    model.check()?;
    let mut results = ModelResults::<F>::new(py, &model, d, requested)?;
    let mut outputs = results.outputs(shape);
    let aligned = py.detach(|| align(&model, costs, features, &mut outputs))?;
    results.into_dict(py, argument, &aligned)
}

fn of_costs<'py, F: Real + Element>(
    py: Python<'py>,
    costs: &PyReadonlyArray2<'py, F>,
    model: &ModelArgument<'py>,
    requested: (RequestedOutputs, RequestedOfModel),
) -> PyResult<Bound<'py, PyDict>> {
    let (n, m) = costs.as_array().dim();
    let shape = Shape::new(n, m)?;
    let costs = CostMatrix { costs: costs.as_slice()?, stride: m };
    run::<F>(py, model, &costs, (Features::None, 0), shape, requested)
}

#[pyfunction]
#[pyo3(signature = (costs, *, model, outputs))]
pub fn model_of_costs<'py>(
    py: Python<'py>,
    costs: Bound<'py, PyAny>,
    model: ModelArgument<'py>,
    outputs: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let (plain, own) = parse(outputs)?;
    let requested = (plain.for_costs()?, own);
    if let Some(costs) = read::<f32, Ix2>(&costs) {
        of_costs(py, &costs, &model, requested)
    } else if let Some(costs) = read::<f64, Ix2>(&costs) {
        of_costs(py, &costs, &model, requested)
    } else {
        Err(precision_error("costs"))
    }
}

/// A pair of a batch.
struct CostsJob<'a, F> {
    model: Model<'a>,
    costs: CostMatrix<'a, F>,
    outputs: ModelOutputs<'a, F>,
}

fn of_all_costs<'py, F: Real + Element>(
    py: Python<'py>,
    matrices: &[PyReadonlyArray2<'py, F>],
    arguments: &[ModelArgument<'py>],
    requested: (RequestedOutputs, RequestedOfModel),
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let mut models = vec![];
    for (matrix, argument) in matrices.iter().zip(arguments) {
        let (n, m) = matrix.as_array().dim();
        let model = argument.model(Shape::new(n, m)?)?;
        model.check()?;
        models.push(model);
    }
    let results = models.iter().map(|model| ModelResults::new(py, model, 0, requested));
    let mut results = results.collect::<PyResult<Vec<_>>>()?;
    let mut jobs = vec![];
    for ((model, matrix), results) in models.into_iter().zip(matrices).zip(&mut results) {
        let costs = CostMatrix { costs: matrix.as_slice()?, stride: model.shape.m };
        let outputs = results.outputs(model.shape);
        jobs.push(CostsJob { model, costs, outputs });
    }
    let cells = |job: &CostsJob<'_, F>| job.model.shape.cells();
    let aligned = run_jobs(py, jobs, cells, threads, |mut job, _, _: &mut PairScratch| {
        align(&job.model, &job.costs, Features::None, &mut job.outputs)
    })?;
    let list = PyList::empty(py);
    for ((results, argument), aligned) in results.into_iter().zip(arguments).zip(aligned) {
        match aligned {
            Ok(aligned) => list.append(results.into_dict(py, argument, &aligned)?)?,
            Err(error) => list.append(PyErr::from(error).into_value(py))?,
        }
    }
    Ok(list)
}

#[pyfunction]
#[pyo3(signature = (costs, *, models, outputs, threads))]
pub fn models_of_costs<'py>(
    py: Python<'py>,
    costs: Vec<Bound<'py, PyAny>>,
    models: Vec<ModelArgument<'py>>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let (plain, own) = parse(outputs)?;
    let requested = (plain.for_costs()?, own);
    if costs.len() != models.len() {
        let message = format!("has {} entries, costs has {}", models.len(), costs.len());
        return Err(Error::argument("models", message).into());
    }
    if let Some(costs) = read_all::<f32>(&costs) {
        of_all_costs(py, &costs, &models, requested, threads)
    } else if let Some(costs) = read_all::<f64>(&costs) {
        of_all_costs(py, &costs, &models, requested, threads)
    } else {
        Err(precision_error("costs"))
    }
}

fn of_classes<'py, F: Real + Element>(
    py: Python<'py>,
    scores: &PyReadonlyArray2<'py, F>,
    targets: &[usize],
    offsets: Option<&[f64]>,
    model: &ModelArgument<'py>,
    requested: (RequestedOutputs, RequestedOfModel),
) -> PyResult<Bound<'py, PyDict>> {
    let (n, classes) = scores.as_array().dim();
    let shape = Shape::new(n, targets.len())?;
    if let Some(class) = targets.iter().find(|&&class| class >= classes) {
        return Err(Error::argument("targets", format!("class {class} is not below K = {classes}")).into());
    }
    if offsets.is_some_and(|offsets| offsets.len() != classes) {
        return Err(Error::argument("offsets", format!("one for each of K = {classes} classes is accepted")).into());
    }
    let costs = ClassCosts { scores: scores.as_slice()?, classes, targets, offsets };
    run::<F>(py, model, &costs, (Features::Classes { targets, d: classes }, classes), shape, requested)
}

#[pyfunction]
#[pyo3(signature = (scores, targets, *, offsets, model, outputs))]
pub fn model_of_classes<'py>(
    py: Python<'py>,
    scores: Bound<'py, PyAny>,
    targets: PyReadonlyArray1<'py, i64>,
    offsets: Option<PyReadonlyArray1<'py, f64>>,
    model: ModelArgument<'py>,
    outputs: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = parse(outputs)?;
    let targets: Vec<usize> =
        targets.as_array().iter().map(|&class| usize::try_from(class).unwrap_or(usize::MAX)).collect();
    let offsets = offsets.as_ref().map(|offsets| offsets.as_slice()).transpose()?;
    if let Some(scores) = read::<f32, Ix2>(&scores) {
        of_classes(py, &scores, &targets, offsets, &model, requested)
    } else if let Some(scores) = read::<f64, Ix2>(&scores) {
        of_classes(py, &scores, &targets, offsets, &model, requested)
    } else {
        Err(precision_error("scores"))
    }
}

#[pyfunction]
#[pyo3(signature = (x, y, *, cost, feature_weights, pos_weight, model, outputs))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn model_of_pair<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    cost: &str,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    model: ModelArgument<'py>,
    outputs: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let requested = parse(outputs)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    macro_rules! of_precision {
        ($x:expr, $y:expr) => {{
            let pair = pair($x, $y, &cost)?;
            let (shape, d) = (pair.shape, pair.d);
            if cost.cost.has_modified_targets() {
                let form = InnerProduct::new(&cost, pair.x, pair.y, d);
                let features = Features::InnerProduct { form: &form, cost: &cost, x: pair.x, y: pair.y, d };
                run(py, &model, &form, (features, d), shape, requested)
            } else {
                let distance = Distance::new(&cost, pair.x, pair.y, d);
                run(py, &model, &distance, (Features::Distance { distance: &distance, d }, d), shape, requested)
            }
        }};
    }
    if let (Some(x), Some(y)) = (read::<f32, Ix2>(&x), read::<f32, Ix2>(&y)) {
        of_precision!(&x, &y)
    } else if let (Some(x), Some(y)) = (read::<f64, Ix2>(&x), read::<f64, Ix2>(&y)) {
        of_precision!(&x, &y)
    } else {
        Err(precision_error("x, y"))
    }
}
