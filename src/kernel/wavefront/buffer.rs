//! Working memory that starts at a cache line.
//!
//! It lies in small pages. Large ones, mapped and asked for, were within 4 % where a scratch is reused, as between calls
//! (512 x 512 x 64, 1024 x 1024 x 1 and 8000 x 1000 x 88, medians of CPU time), and slower where it is not.

/// Numbers of any contents that start at a cache line.
#[derive(Default)]
pub struct AlignedBuffer {
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

impl AlignedBuffer {
    /// Returns the contents.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `Line` is 16 float32 without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16) }
    }

    /// Returns the contents, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as in `as_slice`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16) }
    }

    /// Makes room for `len` numbers and returns them; their contents may be lost.
    pub fn reserve(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.lines.len() < lines {
            self.lines = vec![]; // the old ones are gone before the new ones come
            self.lines = vec![Line([0.0; 16]); lines];
        }
        &mut self.as_mut_slice()[..lines * 16]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_any_size_are_aligned_and_hold_what_is_written() {
        let mut buffer = AlignedBuffer::default();
        for len in [0, 1, 17, 1_000, 1_048_576, 33, 1_048_581] {
            let numbers = buffer.reserve(len);
            assert!(numbers.len() >= len && numbers.as_ptr().addr().is_multiple_of(64));
            for (k, number) in numbers.iter_mut().enumerate() {
                *number = k as f32;
            }
            assert!(buffer.as_slice().iter().take(len).enumerate().all(|(k, &number)| number == k as f32));
        }
    }
}
