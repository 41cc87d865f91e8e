//! The model as Python hands it over, and gradients in the shapes of its parameters.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::error::Error;
use crate::family::model::{EndCosts, Model, Step};
use crate::family::outputs::Gradients;
use crate::family::parameter::Parameter;
use crate::python::arrays::FreshArray;
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
    /// Returns the model for a cost matrix of this shape.
    pub fn model(&self, shape: Shape) -> PyResult<Model<'_>> {
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
    pub fn shaped<'py>(&self, py: Python<'py>, gradients: &Gradients) -> PyResult<Bound<'py, PyDict>> {
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
