//! Where the costs of a model come from, checked and ready for any thread.

use numpy::{Element, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::cost::class_costs::ClassCosts;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::cost::{CostMatrix, WeightedCost};
use crate::error::Error;
use crate::family::align::{ModelAlignment, align};
use crate::family::model::Model;
use crate::family::outputs::ModelOutputs;
use crate::plan::Pair;
use crate::python::arguments::pair;
use crate::readout::Features;
use crate::real::Real;
use crate::shape::Shape;

/// A cost matrix, scores of classes, or two sequences under a cost.
#[derive(Clone, Copy)]
pub enum Source<'a, F> {
    Matrix(&'a [F], Shape),
    Classes(ClassCosts<'a, F>, Shape),
    Sequences(Pair<'a, F>, &'a WeightedCost),
}

impl<'a, F: Real + Element> Source<'a, F> {
    /// Takes a cost matrix.
    pub fn of_costs(costs: &'a PyReadonlyArray2<'_, F>) -> PyResult<Self> {
        let (n, m) = costs.as_array().dim();
        Ok(Self::Matrix(costs.as_slice()?, Shape::new(n, m)?))
    }

    /// Takes scores and the class of each target.
    pub fn of_classes(
        scores: &'a PyReadonlyArray2<'_, F>,
        targets: &'a [usize],
        offsets: Option<&'a [f64]>,
    ) -> PyResult<Self> {
        let (n, classes) = scores.as_array().dim();
        let shape = Shape::new(n, targets.len())?;
        if let Some(class) = targets.iter().find(|&&class| class >= classes) {
            return Err(Error::argument("targets", format!("class {class} is not below K = {classes}")).into());
        }
        if offsets.is_some_and(|offsets| offsets.len() != classes) {
            return Err(Error::argument("offsets", format!("one for each of K = {classes} classes is accepted")).into());
        }
        Ok(Self::Classes(ClassCosts { scores: scores.as_slice()?, classes, targets, offsets }, shape))
    }

    /// Takes a pair of sequences.
    pub fn of_pair(
        x: &'a PyReadonlyArray2<'_, F>,
        y: &'a PyReadonlyArray2<'_, F>,
        cost: &'a WeightedCost,
    ) -> PyResult<Self> {
        Ok(Self::Sequences(pair(x, y, cost)?, cost))
    }

    /// Returns N and M.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Matrix(_, shape) | Self::Classes(_, shape) => *shape,
            Self::Sequences(pair, _) => pair.shape,
        }
    }

    /// Returns the number of features of the sequences behind the costs; 0 where there are none.
    pub fn features(&self) -> usize {
        match self {
            Self::Matrix(..) => 0,
            Self::Classes(costs, _) => costs.classes,
            Self::Sequences(pair, _) => pair.d,
        }
    }

    /// Aligns by these costs.
    pub fn align(&self, model: &Model<'_>, outputs: &mut ModelOutputs<'_, F>) -> Result<ModelAlignment, Error> {
        match *self {
            Self::Matrix(costs, Shape { m: stride, .. }) => {
                align(model, &CostMatrix { costs, stride }, Features::None, outputs)
            }
            Self::Classes(costs, _) => {
                align(model, &costs, Features::Classes { targets: costs.targets, d: costs.classes }, outputs)
            }
            Self::Sequences(Pair { x, y, d, .. }, cost) if cost.cost.has_modified_targets() => {
                let form = InnerProduct::new(cost, x, y, d);
                align(model, &form, Features::InnerProduct { form: &form, cost, x, y, d }, outputs)
            }
            Self::Sequences(Pair { x, y, d, .. }, cost) => {
                let distance = Distance::new(cost, x, y, d);
                align(model, &distance, Features::Distance { distance: &distance, d }, outputs)
            }
        }
    }
}
