//! Results of the sweeps as Python objects, for one pair or for a batch padded to one shape.

use numpy::{Element, PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::RequestedOutputs;
use super::arrays::{FreshArray, Parts};
use crate::matrix::MatrixMut;
use crate::plan::Alignment;
use crate::readout::Outputs;
use crate::real::Real;
use crate::shape::Shape;

/// Sizes of the arrays.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Number of pairs B; `None` for one pair, whose arrays have no leading axis.
    pub batch: Option<usize>,
    pub n: usize,
    pub m: usize,
    pub d: usize,
}

impl Sizes {
    /// Makes the sizes of one pair.
    pub fn of_pair(Shape { n, m }: Shape, d: usize) -> Self {
        Self { batch: None, n, m, d }
    }
}

/// Arrays that were asked for.
pub struct Results<'py, F> {
    requested: RequestedOutputs,
    sizes: Sizes,
    h: Option<FreshArray<'py, F>>,
    y_mod: Option<FreshArray<'py, F>>,
    x_grad: Option<FreshArray<'py, F>>,
    y_grad: Option<FreshArray<'py, F>>,
    soft_alignment: Option<FreshArray<'py, F>>,
    visits: Option<FreshArray<'py, F>>,
}

impl<'py, F: Real + Element> Results<'py, F> {
    /// Makes the arrays, filled with zeros.
    pub fn new(py: Python<'py>, requested: RequestedOutputs, sizes: Sizes) -> PyResult<Self> {
        let Sizes { batch, n, m, d } = sizes;
        let array = |is_requested: bool, axes: &[usize]| {
            let shape: Vec<usize> = batch.into_iter().chain(axes.iter().copied()).collect();
            is_requested.then(|| FreshArray::zeros(py, &shape)).transpose()
        };
        Ok(Self {
            requested,
            sizes,
            h: array(requested.h, &[n])?,
            y_mod: array(requested.y_mod, &[n, d])?,
            x_grad: array(requested.x_grad, &[n, d])?,
            y_grad: array(requested.y_grad, &[m, d])?,
            soft_alignment: array(requested.soft_alignment, &[n, m])?,
            visits: array(requested.visits, &[n, m])?,
        })
    }

    /// Yields the part of each pair, cut to its lengths.
    pub fn outputs(&mut self, shapes: &[Shape]) -> Vec<Outputs<'_, F>> {
        let (requested, Sizes { batch, m: stride, d, .. }) = (self.requested, self.sizes);
        let count = batch.unwrap_or(1);
        let mut h = Parts::new(&mut self.h, count);
        let mut y_mod = Parts::new(&mut self.y_mod, count);
        let mut x_grad = Parts::new(&mut self.x_grad, count);
        let mut y_grad = Parts::new(&mut self.y_grad, count);
        let mut soft_alignment = Parts::new(&mut self.soft_alignment, count);
        let mut visits = Parts::new(&mut self.visits, count);
        let matrix = |entries| MatrixMut { entries, stride };
        shapes
            .iter()
            .map(|&Shape { n, m }| Outputs {
                h: h.next_cut(n),
                y_mod: y_mod.next_cut(n * d),
                x_grad: x_grad.next_cut(n * d),
                y_grad: y_grad.next_cut(m * d),
                soft_alignment: soft_alignment.next().map(matrix),
                visits: visits.next().map(matrix),
                moments: requested.moments,
                entropy: requested.entropy,
                path: requested.path,
            })
            .collect()
    }

    /// Puts arrays and numbers into a dict by their names; numbers of a batch are arrays (B,).
    pub fn into_dict(self, py: Python<'py>, alignments: &[Alignment]) -> PyResult<Bound<'py, PyDict>> {
        let result = PyDict::new(py);
        let arrays = [
            ("h", self.h),
            ("y_mod", self.y_mod),
            ("x_grad", self.x_grad),
            ("y_grad", self.y_grad),
            ("H", self.soft_alignment),
            ("E", self.visits),
        ];
        for (name, array) in arrays {
            if let Some(array) = array {
                result.set_item(name, array.into_array())?;
            }
        }
        let is_batch = self.sizes.batch.is_some();
        let set_number = |name: &str, number: &dyn Fn(&Alignment) -> Option<f64>| {
            let numbers: Option<Vec<f64>> = alignments.iter().map(number).collect();
            match numbers {
                None => Ok(()),
                Some(numbers) if is_batch => result.set_item(name, PyArray1::from_vec(py, numbers)),
                Some(numbers) => result.set_item(name, numbers[0]),
            }
        };
        set_number("value", &|pair| Some(pair.value))?;
        set_number("entropy", &|pair| pair.moments.map(|moments| moments.entropy).or(pair.entropy))?;
        set_number("gamma_grad", &|pair| pair.moments.map(|moments| -moments.entropy))?;
        let weights: Option<Vec<_>> = alignments.iter().map(|pair| pair.moments).collect();
        if let Some(moments) = weights {
            let weights: Vec<f64> = moments.iter().flat_map(|moments| moments.step_weights_grad).collect();
            let weights = PyArray1::from_vec(py, weights);
            if is_batch {
                result.set_item("step_weights_grad", weights.reshape([moments.len(), 3])?)?;
            } else {
                result.set_item("step_weights_grad", weights)?;
            }
        }
        if let ([Alignment { path: Some(path), .. }], false) = (alignments, is_batch) {
            let cells: Vec<i64> = path.cells.iter().flat_map(|&(n, m)| [n as i64, m as i64]).collect();
            result.set_item("path", PyArray1::from_vec(py, cells).reshape([path.cells.len(), 2])?)?;
            result.set_item("path_value", path.value)?;
        }
        Ok(result)
    }
}
