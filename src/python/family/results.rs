//! Arrays for the results of one model, and the dict that holds them in the end.

use numpy::Element;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::argument::ModelArgument;
use crate::error::Error;
use crate::family::align::ModelAlignment;
use crate::family::model::Model;
use crate::family::outputs::{Gradients, ModelOutputs};
use crate::family::path::LeastPath;
use crate::plan::Alignment;
use crate::python::arguments::RequestedOutputs;
use crate::python::arrays::FreshArray;
use crate::python::results::{Results, Sizes};
use crate::real::Real;
use crate::shape::Shape;

/// Outputs that the general model alone has.
#[derive(Clone, Copy, Default)]
pub struct RequestedOfModel {
    step_posteriors: bool,
    begin: bool,
    end: bool,
    visits: bool,
    gradients: bool,
}

/// Reads the names of outputs: those of every alignment, and those of the general model.
pub fn parse(names: Vec<String>) -> Result<(RequestedOutputs, RequestedOfModel), Error> {
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

/// Arrays that were asked for.
pub struct ModelResults<'py, F> {
    shape: Shape,
    plain: Results<'py, F>,
    step_posteriors: Option<FreshArray<'py, F>>,
    begin: Option<FreshArray<'py, F>>,
    end: Option<FreshArray<'py, F>>,
    visits: Option<FreshArray<'py, f64>>,
    gradients: Option<Gradients>,
}

impl<'py, F: Real + Element> ModelResults<'py, F> {
    /// Makes the arrays for a model and sequences of D features, filled with zeros.
    pub fn new(
        py: Python<'py>,
        (plain, own): (RequestedOutputs, RequestedOfModel),
        model: &Model<'_>,
        d: usize,
    ) -> PyResult<Self> {
        let Shape { n, m } = model.shape;
        let array =
            |is_requested: bool, axes: &[usize]| is_requested.then(|| FreshArray::<F>::zeros(py, axes)).transpose();
        Ok(Self {
            shape: model.shape,
            plain: Results::new(py, plain, Sizes::of_pair(model.shape, d))?,
            step_posteriors: array(own.step_posteriors, &[model.steps.len(), n, m])?,
            begin: array(own.begin, &[n, m])?,
            end: array(own.end, &[n, m])?,
            visits: own.visits.then(|| FreshArray::zeros(py, &[m])).transpose()?,
            gradients: own.gradients.then(|| Gradients::zeros(model)),
        })
    }

    /// Returns the memory of the arrays.
    pub fn outputs(&mut self) -> ModelOutputs<'_, F> {
        ModelOutputs {
            plain: self.plain.outputs(&[self.shape]).pop().expect("outputs of one pair"),
            step_posteriors: self.step_posteriors.as_mut().map(FreshArray::entries_mut),
            begin: self.begin.as_mut().map(FreshArray::entries_mut),
            end: self.end.as_mut().map(FreshArray::entries_mut),
            visits: self.visits.as_mut().map(FreshArray::entries_mut),
            gradients: self.gradients.as_mut(),
        }
    }

    /// Puts arrays and numbers into a dict by their names.
    pub fn into_dict(
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
