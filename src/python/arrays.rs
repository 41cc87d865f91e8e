//! Arrays of arguments and fresh arrays for results.

use std::slice::ChunksExactMut;

use numpy::ndarray::Dimension;
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyReadonlyArray, PyReadonlyArray2, dtype};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

/// Reads a C-contiguous array of this precision and number of dimensions.
pub fn read<'py, F: Element, D: Dimension>(object: &Bound<'py, PyAny>) -> Option<PyReadonlyArray<'py, F, D>> {
    object.extract().ok().filter(|array: &PyReadonlyArray<'py, F, D>| array.as_slice().is_ok())
}

/// An array that was just made: nothing else knows it before [`FreshArray::into_array`] hands it out.
pub struct FreshArray<'py, F>(Bound<'py, PyArrayDyn<F>>);

impl<'py, F: Element> FreshArray<'py, F> {
    /// Makes an array of zeros; MemoryError where it cannot be had (the constructors of the numpy crate panic).
    pub fn zeros(py: Python<'py>, shape: &[usize]) -> PyResult<Self> {
        static ZEROS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let array = ZEROS.import(py, "numpy", "zeros")?.call1((PyTuple::new(py, shape)?, dtype::<F>(py)))?;
        Ok(Self(array.cast_into()?))
    }

    /// Borrows all entries, row-major.
    pub fn entries_mut(&mut self) -> &mut [F] {
        // SAFETY: no other reference to the array exists, and this borrow keeps it so.
        unsafe { self.0.as_slice_mut() }.expect("a fresh array is contiguous")
    }

    /// Cuts the entries into equal parts, as many as told.
    pub fn parts_mut(&mut self, count: usize) -> ChunksExactMut<'_, F> {
        let entries = self.entries_mut();
        let length = entries.len() / count.max(1);
        entries.chunks_exact_mut(length.max(1))
    }

    /// Hands the array to Python.
    pub fn into_array(self) -> Bound<'py, PyArrayDyn<F>> {
        self.0
    }
}

/// Equal parts of an array that may not have been asked for: then there are none.
pub struct Parts<'a, F>(Option<ChunksExactMut<'a, F>>);

impl<'a, F: Element> Parts<'a, F> {
    /// Cuts the array into as many parts as told.
    pub fn new(array: &'a mut Option<FreshArray<'_, F>>, count: usize) -> Self {
        Self(array.as_mut().map(|array| array.parts_mut(count)))
    }

    /// Yields the next part.
    pub fn next(&mut self) -> Option<&'a mut [F]> {
        self.0.as_mut()?.next()
    }

    /// Yields the first entries of the next part, as many as told.
    pub fn next_cut(&mut self, length: usize) -> Option<&'a mut [F]> {
        self.next().map(|part| &mut part[..length])
    }
}

/// Reads matrices of one precision.
pub fn read_all<'py, F: Element>(objects: &[Bound<'py, PyAny>]) -> Option<Vec<PyReadonlyArray2<'py, F>>> {
    objects.iter().map(read).collect()
}
