//! Working memory that starts at a cache line.
//!
//! It lies in small pages. Large ones, mapped and asked for, were within 4 % where a scratch is reused, as between calls
//! (512 x 512 x 64, 1024 x 1024 x 1 and 8000 x 1000 x 88, medians of CPU time), and slower where it is not.

use std::marker::PhantomData;

use crate::simd::Number;

/// Numbers of any contents that start at a cache line.
pub struct AlignedBuffer<R> {
    lines: Vec<Line>,
    numbers: PhantomData<R>,
}

impl<R> Default for AlignedBuffer<R> {
    fn default() -> Self {
        Self { lines: vec![], numbers: PhantomData }
    }
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl<R: Number> AlignedBuffer<R> {
    const NUMBERS_OF_LINE: usize = size_of::<Line>() / size_of::<R>();

    /// Returns the contents.
    pub fn as_slice(&self) -> &[R] {
        let len = self.lines.len() * Self::NUMBERS_OF_LINE;
        // SAFETY: the lines are a whole number of numbers, aligned for them, and any bits are a number.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }

    /// Returns the contents, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [R] {
        let len = self.lines.len() * Self::NUMBERS_OF_LINE;
        // SAFETY: as in `as_slice`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }

    /// Makes room for `len` numbers and returns them; their contents may be lost.
    pub fn reserve(&mut self, len: usize) -> &mut [R] {
        let lines = len.div_ceil(Self::NUMBERS_OF_LINE);
        if self.lines.len() < lines {
            self.lines = vec![]; // the old ones are gone before the new ones come
            self.lines = vec![Line([0; 64]); lines];
        }
        &mut self.as_mut_slice()[..lines * Self::NUMBERS_OF_LINE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<R: Number + PartialEq>() {
        let mut buffer = AlignedBuffer::<R>::default();
        for len in [0, 1, 17, 1_000, 1_048_576, 33, 1_048_581] {
            let numbers = buffer.reserve(len);
            assert!(numbers.len() >= len && numbers.as_ptr().addr().is_multiple_of(64));
            for (k, number) in numbers.iter_mut().enumerate() {
                *number = R::from_f64(k as f64);
            }
            let written = buffer.as_slice().iter().take(len).enumerate();
            assert!(written.into_iter().all(|(k, &number)| number == R::from_f64(k as f64)));
        }
    }

    #[test]
    fn buffers_of_any_size_are_aligned_and_hold_what_is_written() {
        check::<f32>();
        check::<f64>();
    }
}
