//! Sizes of one pair of sequences.

use crate::error::Error;

/// N prediction frames, M target frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// N, the number of prediction frames.
    pub n: usize,
    /// M, the number of target frames.
    pub m: usize,
}

impl Shape {
    /// Checks that neither sequence is empty and that N*M cells can be counted.
    pub fn new(n: usize, m: usize) -> Result<Self, Error> {
        if n == 0 {
            return Err(Error::argument("x", "is an empty sequence; at least one frame is needed"));
        }
        if m == 0 {
            return Err(Error::argument("y", "is an empty sequence; at least one frame is needed"));
        }
        // Half the address space leaves room for a few bytes a cell in every size computed from N*M.
        match n.checked_mul(m) {
            Some(cells) if cells < isize::MAX as usize / 64 => Ok(Self { n, m }),
            _ => Err(Error::argument("x, y", format!("N*M = {n}*{m} cells overflow; shorten the sequences"))),
        }
    }

    /// N*M.
    pub fn cells(self) -> usize {
        self.n * self.m
    }
}
