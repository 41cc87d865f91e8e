//! Lists of pairs of different lengths.

use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

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

/// The arrays of one pair, owned by Python.
struct Arrays<'py, F> {
    h: Option<Bound<'py, PyArray1<F>>>,
    y_mod: Option<Bound<'py, PyArray2<F>>>,
    x_grad: Option<Bound<'py, PyArray2<F>>>,
    y_grad: Option<Bound<'py, PyArray2<F>>>,
    soft_alignment: Option<Bound<'py, PyArray2<F>>>,
    visits: Option<Bound<'py, PyArray2<F>>>,
}

impl<'py, F: Real + Element> Arrays<'py, F> {
    fn new(py: Python<'py>, wanted: Wanted, shape: Shape, d: usize) -> PyResult<Self> {
        let matrix = |yes: bool, rows: usize, columns: usize| yes.then(|| zeros(py, &[rows, columns])).transpose();
        Ok(Self {
            h: wanted.h.then(|| zeros(py, &[shape.n])).transpose()?,
            y_mod: matrix(wanted.y_mod, shape.n, d)?,
            x_grad: matrix(wanted.x_grad, shape.n, d)?,
            y_grad: matrix(wanted.y_grad, shape.m, d)?,
            soft_alignment: matrix(wanted.soft_alignment, shape.n, shape.m)?,
            visits: matrix(wanted.visits, shape.n, shape.m)?,
        })
    }

    fn outputs<'a>(&'a self, wanted: Wanted, shape: Shape) -> Outputs<'a, F> {
        #[expect(clippy::mut_from_ref, reason = "a fresh array, borrowed once")]
        fn slice<'a, F: Element>(array: &'a Bound<'_, PyArray2<F>>) -> &'a mut [F] {
            // SAFETY: the array was just made, nobody else knows it until it is returned, and it is borrowed once.
            unsafe { array.as_slice_mut() }.expect("a fresh array is contiguous")
        }
        let matrix = |array: &'a Option<Bound<'py, PyArray2<F>>>| {
            array.as_ref().map(|array| MatrixMut { entries: slice(array), stride: shape.m })
        };
        Outputs {
            // SAFETY: as in `slice`.
            h: self.h.as_ref().map(|array| unsafe { array.as_slice_mut() }.expect("a fresh array is contiguous")),
            y_mod: self.y_mod.as_ref().map(slice),
            x_grad: self.x_grad.as_ref().map(slice),
            y_grad: self.y_grad.as_ref().map(slice),
            soft_alignment: matrix(&self.soft_alignment),
            visits: matrix(&self.visits),
            moments: wanted.moments,
            entropy: wanted.entropy,
            path: wanted.path,
        }
    }

    fn into_dict(self, py: Python<'py>, alignment: Alignment) -> PyResult<Bound<'py, PyDict>> {
        let result = PyDict::new(py);
        result.set_item("value", alignment.value)?;
        if let Some(h) = self.h {
            result.set_item("h", h)?;
        }
        let matrices = [
            ("y_mod", self.y_mod),
            ("x_grad", self.x_grad),
            ("y_grad", self.y_grad),
            ("H", self.soft_alignment),
            ("E", self.visits),
        ];
        for (name, array) in matrices {
            if let Some(array) = array {
                result.set_item(name, array)?;
            }
        }
        if let Some(entropy) = alignment.entropy {
            result.set_item("entropy", entropy)?;
        }
        if let Some(moments) = alignment.moments {
            result.set_item("entropy", moments.entropy)?;
            result.set_item("gamma_grad", -moments.entropy)?;
            result.set_item("step_weights_grad", PyArray1::from_slice(py, &moments.step_weights_grad))?;
        }
        if let Some(path) = alignment.path {
            let cells: Vec<i64> = path.cells.iter().flat_map(|&(n, m)| [n as i64, m as i64]).collect();
            result.set_item("path", PyArray1::from_vec(py, cells).reshape([path.cells.len(), 2])?)?;
            result.set_item("path_value", path.value)?;
        }
        Ok(result)
    }
}

fn into_list<'py, F: Real + Element>(
    py: Python<'py>,
    arrays: Vec<Arrays<'py, F>>,
    alignments: Vec<Result<Alignment, Error>>,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (arrays, alignment) in arrays.into_iter().zip(alignments) {
        match alignment {
            Ok(alignment) => list.append(arrays.into_dict(py, alignment)?)?,
            Err(error) => list.append(PyErr::from(error).into_value(py))?,
        }
    }
    Ok(list)
}

fn read_all<'py, F: Element>(objects: &[Bound<'py, PyAny>]) -> Option<Vec<PyReadonlyArray2<'py, F>>> {
    let arrays: Option<Vec<_>> = objects.iter().map(|object| object.extract().ok()).collect();
    arrays.filter(|arrays: &Vec<PyReadonlyArray2<'py, F>>| arrays.iter().all(|array| array.as_slice().is_ok()))
}

fn dimensions<F: Element>(array: &PyReadonlyArray2<'_, F>) -> (usize, usize) {
    array.as_array().dim()
}

fn align_all<'py, F: Real + Element>(
    py: Python<'py>,
    xs: &[PyReadonlyArray2<'py, F>],
    ys: &[PyReadonlyArray2<'py, F>],
    cost: &WeightedCost,
    recursion: &Recursion,
    wanted: Wanted,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let mut pairs = vec![];
    for (x, y) in xs.iter().zip(ys) {
        let ((n, d), (m, d_of_y)) = (dimensions(x), dimensions(y));
        if d != d_of_y {
            return Err(Error::argument("y", format!("has {d_of_y} features, x has {d}")).into());
        }
        cost.check_features(d)?;
        pairs.push(Pair::new(x.as_slice()?, y.as_slice()?, Shape::new(n, m)?, d)?);
    }
    let arrays = pairs.iter().map(|pair| Arrays::new(py, wanted, pair.shape, pair.d)).collect::<PyResult<Vec<_>>>()?;
    let jobs: Vec<_> =
        pairs.iter().zip(&arrays).map(|(pair, arrays)| (*pair, arrays.outputs(wanted, pair.shape))).collect();
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
    into_list(py, arrays, alignments)
}

#[pyfunction]
#[pyo3(signature = (xs, ys, *, cost, gamma, step_weights, band, feature_weights, pos_weight, outputs, threads))]
#[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
pub fn align_ragged<'py>(
    py: Python<'py>,
    xs: Vec<Bound<'py, PyAny>>,
    ys: Vec<Bound<'py, PyAny>>,
    cost: &str,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    feature_weights: Option<PyReadonlyArray1<'py, f64>>,
    pos_weight: Option<PyReadonlyArray1<'py, f64>>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let wanted = Wanted::parse(&outputs)?;
    let recursion = recursion(gamma, step_weights, band)?;
    let cost = weighted_cost(cost, feature_weights, pos_weight)?;
    if xs.len() != ys.len() {
        return Err(Error::argument("ys", format!("has {} sequences, xs has {}", ys.len(), xs.len())).into());
    }
    if let (Some(xs), Some(ys)) = (read_all::<f32>(&xs), read_all::<f32>(&ys)) {
        align_all(py, &xs, &ys, &cost, &recursion, wanted, threads)
    } else if let (Some(xs), Some(ys)) = (read_all::<f64>(&xs), read_all::<f64>(&ys)) {
        align_all(py, &xs, &ys, &cost, &recursion, wanted, threads)
    } else {
        Err(precision_error("xs, ys"))
    }
}

fn align_all_costs<'py, F: Real + Element>(
    py: Python<'py>,
    matrices: &[PyReadonlyArray2<'py, F>],
    recursion: &Recursion,
    wanted: Wanted,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let mut shapes = vec![];
    for matrix in matrices {
        let (n, m) = dimensions(matrix);
        shapes.push(Shape::new(n, m)?);
    }
    let arrays = shapes.iter().map(|&shape| Arrays::new(py, wanted, shape, 0)).collect::<PyResult<Vec<_>>>()?;
    let mut jobs = vec![];
    for ((matrix, &shape), arrays) in matrices.iter().zip(&shapes).zip(&arrays) {
        jobs.push((CostMatrix { costs: matrix.as_slice()?, stride: shape.m }, shape, arrays.outputs(wanted, shape)));
    }
    let alignments = py.detach(|| {
        batch::run(
            jobs,
            |job| job.1.cells(),
            threads,
            |(costs, shape, mut outputs), team, scratch: &mut PairScratch| {
                plan::align_costs(costs, shape, recursion, &mut outputs, team, scratch)
            },
        )
    })?;
    into_list(py, arrays, alignments)
}

#[pyfunction]
#[pyo3(signature = (costs, *, gamma, step_weights, band, outputs, threads))]
pub fn costs_ragged<'py>(
    py: Python<'py>,
    costs: Vec<Bound<'py, PyAny>>,
    gamma: f64,
    step_weights: (f64, f64, f64),
    band: Option<(String, f64)>,
    outputs: Vec<String>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let wanted = Wanted::parse(&outputs)?.of_costs()?;
    let recursion = recursion(gamma, step_weights, band)?;
    if let Some(costs) = read_all::<f32>(&costs) {
        align_all_costs(py, &costs, &recursion, wanted, threads)
    } else if let Some(costs) = read_all::<f64>(&costs) {
        align_all_costs(py, &costs, &recursion, wanted, threads)
    } else {
        Err(precision_error("costs"))
    }
}
