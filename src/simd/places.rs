//! Places in a slice, a lane each, checked once for all slices of a length.

use super::Lanes;
use crate::real::Real;

/// L places.
#[derive(Clone, Copy, Debug)]
pub struct Places<const L: usize> {
    at: [u32; L],
    /// One past the greatest of them.
    end: usize,
}

impl<const L: usize> Places<L> {
    /// Takes the places, which are less than 2^31.
    pub fn new(at: [u32; L]) -> Self {
        assert!(at.iter().all(|&place| i32::try_from(place).is_ok()));
        Self { at, end: at.into_iter().max().map_or(0, |last| last as usize + 1) }
    }

    /// The places; panics if one lies outside of a slice of this length.
    #[inline(always)]
    pub fn within(&self, length: usize) -> &[u32; L] {
        assert!(self.end <= length);
        &self.at
    }

    /// Brings the entries at the places near, before they are asked for.
    #[inline(always)]
    pub fn prefetch<V: Lanes<L>>(&self, lanes: V, from: &[V::Real]) {
        for place in self.at {
            lanes.prefetch(from.as_ptr().wrapping_add(place as usize));
        }
    }

    /// Subtracts from the entries at the places, from the first lane to the last; panics if one lies outside.
    #[inline(always)]
    pub fn subtract<R: Real>(&self, to: &mut [R], terms: &[R; L]) {
        assert!(self.end <= to.len());
        for j in 0..L {
            // SAFETY: no place is beyond `end`, which the slice holds.
            let entry = unsafe { to.get_unchecked_mut(self.at[j] as usize) };
            *entry = *entry - terms[j];
        }
    }
}
