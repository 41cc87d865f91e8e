//! The checksum of zip archives, which zlib takes as long for as for the rest of reading a small one.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;

#[pyfunction]
#[pyo3(signature = (data, value = 0))]
pub fn crc32(data: PyBuffer<u8>, value: u32) -> PyResult<u32> {
    if !data.is_c_contiguous() {
        return Err(PyBufferError::new_err("data: must be contiguous bytes"));
    }
    let bytes = if data.len_bytes() == 0 {
        &[]
    } else {
        // SAFETY: so many contiguous bytes, which the buffer holds; the interpreter lock keeps writers away.
        unsafe { std::slice::from_raw_parts(data.buf_ptr().cast::<u8>(), data.len_bytes()) }
    };
    let mut hasher = crc32fast::Hasher::new_with_initial(value);
    hasher.update(bytes);
    Ok(hasher.finalize())
}
