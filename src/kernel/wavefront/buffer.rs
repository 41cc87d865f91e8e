//! Working memory that starts at a cache line, and where it is large comes in large pages.
//!
//! Fresh pages cost a fault each, which for 4 KB takes longer than a sweep over them. Large buffers are therefore
//! mapped of their own and ask for large pages, one fault for 2 MB.

use std::marker::PhantomData;

use memmap2::{MmapMut, MmapOptions};

use crate::simd::Number;

/// Buffers from this size on are mapped.
const LEAST_MAPPED_BYTES: usize = 4 << 20;

/// Numbers of any contents that start at a cache line.
pub struct AlignedBuffer<R> {
    memory: Memory,
    numbers: PhantomData<R>,
}

impl<R> Default for AlignedBuffer<R> {
    fn default() -> Self {
        Self { memory: Memory::default(), numbers: PhantomData }
    }
}

enum Memory {
    Lines(Vec<Line>),
    Mapped(MmapMut),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Lines(vec![])
    }
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl<R: Number> AlignedBuffer<R> {
    /// The contents.
    pub fn as_slice(&self) -> &[R] {
        let (start, bytes): (*const R, usize) = match &self.memory {
            Memory::Lines(lines) => (lines.as_ptr().cast(), lines.len() * size_of::<Line>()),
            Memory::Mapped(map) => (map.as_ptr().cast(), map.len()),
        };
        // SAFETY: so many bytes lie there, at the alignment of `Line` or of a page, and began as 0; any bits are a number.
        unsafe { std::slice::from_raw_parts(start, bytes / size_of::<R>()) }
    }

    /// The contents, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [R] {
        let (start, bytes): (*mut R, usize) = match &mut self.memory {
            Memory::Lines(lines) => (lines.as_mut_ptr().cast(), lines.len() * size_of::<Line>()),
            Memory::Mapped(map) => (map.as_mut_ptr().cast(), map.len()),
        };
        // SAFETY: as in `as_slice`.
        unsafe { std::slice::from_raw_parts_mut(start, bytes / size_of::<R>()) }
    }

    /// Makes room for `len` numbers; what was there may be lost.
    pub fn reserve(&mut self, len: usize) -> &mut [R] {
        let of_line = size_of::<Line>() / size_of::<R>();
        let lines = len.div_ceil(of_line);
        if self.as_slice().len() < lines * of_line {
            self.memory = Memory::default(); // the old one is gone before the new one comes
            self.memory = mapped(lines * size_of::<Line>())
                .map_or_else(|| Memory::Lines(vec![Line([0; 64]); lines]), Memory::Mapped);
        }
        &mut self.as_mut_slice()[..lines * of_line]
    }
}

/// A mapping of zeros, if it is large enough to be worth one.
fn mapped(bytes: usize) -> Option<MmapMut> {
    if bytes < LEAST_MAPPED_BYTES {
        return None;
    }
    let map = MmapOptions::new().len(bytes).map_anon().ok()?;
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage); // small pages do as well
    Some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_any_size_are_aligned_and_hold_what_is_written() {
        let mut buffer = AlignedBuffer::<f32>::default();
        for len in [0, 1, 17, LEAST_MAPPED_BYTES / 4 - 1, LEAST_MAPPED_BYTES / 4 + 5, 33, LEAST_MAPPED_BYTES] {
            let numbers = buffer.reserve(len);
            assert!(numbers.len() >= len && numbers.as_ptr().addr().is_multiple_of(64));
            for (k, number) in numbers.iter_mut().enumerate() {
                *number = k as f32;
            }
            assert!(buffer.as_slice().iter().take(len).enumerate().all(|(k, &number)| number == k as f32));
        }
    }
}
