//! Batches padded to one shape, (B,N,D) and (B,M,D) or (B,N,M), with a length for each pair.
//!
//! Entries past a length are never read, and what is written there is zero. A pair without a path has the value
//! +inf and zeros; a pair with a NaN has NaN. Neither touches the others.

use numpy::{Element, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray3};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{Wanted, precision_error, recursion, weighted_cost};
use super::arrays::zeros;
use crate::batch;
use crate::cost::{CostMatrix, WeightedCost};
use crate::error::Error;
use crate::matrix::MatrixMut;
use crate::plan::{self, Alignment, Pair, PairScratch, Recursion};
use crate::readout::Outputs;
use crate::real::Real;
use crate::shape::Shape;

/// B, N, M and D of the padded arrays.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub pairs: usize,
    pub n: usize,
    pub m: usize,
    pub d: usize,
}

/// The arrays of the batch, owned by Python.
struct Arrays<'py, F> {
    h: Option<Bound<'py, PyArray2<F>>>,
    y_mod: Option<Bound<'py, PyArray3<F>>>,
    x_grad: Option<Bound<'py, PyArray3<F>>>,
    y_grad: Option<Bound<'py, PyArray3<F>>>,
    soft_alignment: Option<Bound<'py, PyArray3<F>>>,
    visits: Option<Bound<'py, PyArray3<F>>>,
}

impl<'py, F: Real + Element> Arrays<'py, F> {
    fn new(py: Python<'py>, wanted: Wanted, Sizes { pairs, n, m, d }: Sizes) -> PyResult<Self> {
        let cube = |yes: bool, rows: usize, columns: usize| yes.then(|| zeros(py, &[pairs, rows, columns])).transpose();
        Ok(Self {
            h: wanted.h.then(|| zeros(py, &[pairs, n])).transpose()?,
            y_mod: cube(wanted.y_mod, n, d)?,
            x_grad: cube(wanted.x_grad, n, d)?,
            y_grad: cube(wanted.y_grad, m, d)?,
            soft_alignment: cube(wanted.soft_alignment, n, m)?,
            visits: cube(wanted.visits, n, m)?,
        })
    }

    /// The part of each pair, cut to its lengths.
    fn split<'a>(&'a self, wanted: Wanted, sizes: Sizes, shapes: &[Shape]) -> Vec<Outputs<'a, F>> {
        fn parts<'a, F: Element>(
            array: Option<&'a Bound<'_, PyArray3<F>>>,
            pairs: usize,
        ) -> Option<std::slice::ChunksExactMut<'a, F>> {
            array.map(|array| {
                // SAFETY: the array was just made, nobody else knows it until it is returned, and it is borrowed once.
                let all = unsafe { array.as_slice_mut() }.expect("a fresh array is contiguous");
                let each = (all.len() / pairs.max(1)).max(1);
                all.chunks_exact_mut(each)
            })
        }
        let Sizes { pairs, n, m, d } = sizes;
        let mut h = self.h.as_ref().map(|array| {
            // SAFETY: as in `parts`.
            unsafe { array.as_slice_mut() }.expect("a fresh array is contiguous").chunks_exact_mut(n.max(1))
        });
        let mut y_mod = parts(self.y_mod.as_ref(), pairs);
        let mut x_grad = parts(self.x_grad.as_ref(), pairs);
        let mut y_grad = parts(self.y_grad.as_ref(), pairs);
        let mut soft_alignment = parts(self.soft_alignment.as_ref(), pairs);
        let mut visits = parts(self.visits.as_ref(), pairs);
        shapes
            .iter()
            .map(|shape| {
                let cut = |part: &'a mut [F], len: usize| &mut part[..len];
                let matrix = |entries: &'a mut [F]| MatrixMut { entries, stride: m };
                Outputs {
                    h: h.as_mut().and_then(Iterator::next).map(|part| cut(part, shape.n)),
                    y_mod: y_mod.as_mut().and_then(Iterator::next).map(|part| cut(part, shape.n * d)),
                    x_grad: x_grad.as_mut().and_then(Iterator::next).map(|part| cut(part, shape.n * d)),
                    y_grad: y_grad.as_mut().and_then(Iterator::next).map(|part| cut(part, shape.m * d)),
                    soft_alignment: soft_alignment.as_mut().and_then(Iterator::next).map(matrix),
                    visits: visits.as_mut().and_then(Iterator::next).map(matrix),
                    moments: wanted.moments,
                    entropy: false,
                    path: false,
                }
            })
            .collect()
    }

    fn into_dict(self, py: Python<'py>, alignments: &[Result<Alignment, Error>]) -> PyResult<Bound<'py, PyDict>> {
        let other =
            |pair: &&Result<Alignment, Error>| matches!(pair, Err(error) if !matches!(error, Error::NoPath { .. }));
        if let Some(Err(error)) = alignments.iter().find(other) {
            return Err(error.clone().into());
        }
        let result = PyDict::new(py);
        let values = alignments.iter().map(|pair| pair.as_ref().map_or(f64::INFINITY, |pair| pair.value));
        result.set_item("value", PyArray1::from_iter(py, values))?;
        if let Some(h) = self.h {
            result.set_item("h", h)?;
        }
        let cubes = [
            ("y_mod", self.y_mod),
            ("x_grad", self.x_grad),
            ("y_grad", self.y_grad),
            ("H", self.soft_alignment),
            ("E", self.visits),
        ];
        for (name, array) in cubes {
            if let Some(array) = array {
                result.set_item(name, array)?;
            }
        }
        let moments: Option<Vec<_>> = alignments
            .iter()
            .map(|pair| pair.as_ref().map_or(Some(crate::kernel::Moments::default()), |pair| pair.moments))
            .collect();
        if let Some(moments) = moments {
            result.set_item("entropy", PyArray1::from_iter(py, moments.iter().map(|pair| pair.entropy)))?;
            result.set_item("gamma_grad", PyArray1::from_iter(py, moments.iter().map(|pair| -pair.entropy)))?;
            let weights = moments.iter().flat_map(|pair| pair.step_weights_grad);
            result.set_item("step_weights_grad", PyArray1::from_iter(py, weights).reshape([alignments.len(), 3])?)?;
        }
        Ok(result)
    }
}

/// Lengths of every pair, checked against the padded size.
pub fn shapes(
    sizes: Sizes,
    x_lengths: Option<PyReadonlyArray1<'_, i64>>,
    y_lengths: Option<PyReadonlyArray1<'_, i64>>,
) -> Result<Vec<Shape>, Error> {
    let read = |name: &'static str, lengths: Option<PyReadonlyArray1<'_, i64>>, longest: usize| {
        let Some(lengths) = lengths else { return Ok(vec![longest; sizes.pairs]) };
        let lengths: Vec<i64> = lengths.as_array().to_vec();
        if lengths.len() != sizes.pairs {
            return Err(Error::argument(name, format!("has {} entries for {} pairs", lengths.len(), sizes.pairs)));
        }
        for (index, &length) in lengths.iter().enumerate() {
            if length < 1 || length as u64 > longest as u64 {
                return Err(Error::argument(
                    name,
                    format!("entry {index} is {length}; a length is from 1 to {longest}, the padded length"),
                ));
            }
        }
        Ok(lengths.into_iter().map(|length| length as usize).collect())
    };
    let x_lengths = read("x_lengths", x_lengths, sizes.n)?;
    let y_lengths = read("y_lengths", y_lengths, sizes.m)?;
    x_lengths.into_iter().zip(y_lengths).map(|(n, m)| Shape::new(n, m)).collect()
}

fn align_all<'py, F: Real + Element>(
    py: Python<'py>,
    (x, y): (&PyReadonlyArray3<'py, F>, &PyReadonlyArray3<'py, F>),
    lengths: (Option<PyReadonlyArray1<'_, i64>>, Option<PyReadonlyArray1<'_, i64>>),
    cost: &WeightedCost,
    recursion: &Recursion,
    wanted: Wanted,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let ((pairs, n, d), (pairs_of_y, m, d_of_y)) = (x.as_array().dim(), y.as_array().dim());
    if (pairs, d) != (pairs_of_y, d_of_y) {
        return Err(Error::argument(
            "y",
            format!("holds {pairs_of_y} sequences of {d_of_y} features, x {pairs} of {d}; both numbers must agree"),
        )
        .into());
    }
    cost.check_features(d)?;
    let sizes = Sizes { pairs, n, m, d };
    let shapes = shapes(sizes, lengths.0, lengths.1)?;
    let (x, y) = (x.as_slice()?, y.as_slice()?);
    let mut inputs = vec![];
    for (index, &shape) in shapes.iter().enumerate() {
        let (x, y) = (&x[index * n * d..][..shape.n * d], &y[index * m * d..][..shape.m * d]);
        inputs.push(Pair::new(x, y, shape, d)?);
    }
    let arrays = Arrays::new(py, wanted, sizes)?;
    let jobs: Vec<_> = inputs.into_iter().zip(arrays.split(wanted, sizes, &shapes)).collect();
    let alignments = py.detach(|| {
        batch::run(
            jobs,
            |job| job.0.shape.cells(),
            threads,
            |(pair, mut outputs), team, scratch: &mut PairScratch| {
                plan::align_pair(pair, cost, recursion, &mut outputs, team, scratch)
            },
        )
    })?;
    arrays.into_dict(py, &alignments)
}

#[pyfunction]
#[pyo3(signature = (x, y, *, x_lengths, y_lengths, cost, gamma, step_weights, band, feature_weights, pos_weight, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn align_padded<'py>(
    py: Python<'py>,
    x: Bound<'py, PyAny>,
    y: Bound<'py, PyAny>,
    x_lengths: Option<PyReadonlyArray1<'py, i64>>,
    y_lengths: Option<PyReadonlyArray1<'py, i64>>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let wanted = Wanted::parse(&outputs)?.of_padded()?;
    let recursion = recursion(gamma, step_weights, band)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    let lengths = (x_lengths, y_lengths);
    if let (Some(x), Some(y)) = (read::<f32>(&x), read::<f32>(&y)) {
        align_all(py, (&x, &y), lengths, &cost, &recursion, wanted, threads)
    } else if let (Some(x), Some(y)) = (read::<f64>(&x), read::<f64>(&y)) {
        align_all(py, (&x, &y), lengths, &cost, &recursion, wanted, threads)
    } else {
        Err(precision_error("x, y"))
    }
}

pub fn read<'py, F: Element>(object: &Bound<'py, PyAny>) -> Option<PyReadonlyArray3<'py, F>> {
    object.extract().ok().filter(|array: &PyReadonlyArray3<'py, F>| array.as_slice().is_ok())
}

fn align_all_costs<'py, F: Real + Element>(
    py: Python<'py>,
    costs: &PyReadonlyArray3<'py, F>,
    lengths: (Option<PyReadonlyArray1<'_, i64>>, Option<PyReadonlyArray1<'_, i64>>),
    recursion: &Recursion,
    wanted: Wanted,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let (pairs, n, m) = costs.as_array().dim();
    let sizes = Sizes { pairs, n, m, d: 0 };
    let shapes = shapes(sizes, lengths.0, lengths.1)?;
    let costs = costs.as_slice()?;
    let arrays = Arrays::new(py, wanted, sizes)?;
    let matrices = (0..pairs).map(|index| CostMatrix { costs: &costs[index * n * m..][..n * m], stride: m });
    let jobs: Vec<_> = matrices.zip(&shapes).zip(arrays.split(wanted, sizes, &shapes)).collect();
    let alignments = py.detach(|| {
        let size = |job: &((CostMatrix<'_, F>, &Shape), Outputs<'_, F>)| job.0.1.cells();
        batch::run(jobs, size, threads, |((costs, shape), mut outputs), team, scratch: &mut PairScratch| {
            plan::align_costs(costs, *shape, recursion, &mut outputs, team, scratch)
        })
    })?;
    arrays.into_dict(py, &alignments)
}

#[pyfunction]
#[pyo3(signature = (costs, *, x_lengths, y_lengths, gamma, step_weights, band, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn costs_padded<'py>(
    py: Python<'py>,
    costs: Bound<'py, PyAny>,
    x_lengths: Option<PyReadonlyArray1<'py, i64>>,
    y_lengths: Option<PyReadonlyArray1<'py, i64>>,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let wanted = Wanted::parse(&outputs)?.of_costs()?.of_padded()?;
    let recursion = recursion(gamma, step_weights, band)?;
    let lengths = (x_lengths, y_lengths);
    if let Some(costs) = read::<f32>(&costs) {
        align_all_costs(py, &costs, lengths, &recursion, wanted, threads)
    } else if let Some(costs) = read::<f64>(&costs) {
        align_all_costs(py, &costs, lengths, &recursion, wanted, threads)
    } else {
        Err(precision_error("costs"))
    }
}
