//! Rows that are brought near before they are read: those of one item lie pages apart, where the machine expects nothing.

use super::state::Fixed;
use crate::simd::Lanes;

/// Frames that lie between the row that is brought near and the one that is read.
pub const DISTANCE: usize = 6;

/// Lines of the caches up to which whole rows are brought near, and beyond only the classes of labels.
const MOST_LINES: usize = 16;

/// Brings a row of scores or of a gradient near.
#[inline(always)]
pub fn bring_near<V: Lanes<L>, const L: usize>(lanes: V, row: &[V::Real], fixed: &[Fixed<V::Real, V::Exponent, L>]) {
    if !bring_whole_near(lanes, row) {
        for fixed in fixed {
            fixed.classes.prefetch(lanes, row);
        }
    }
}

/// Brings a row near, if it is short; the machine goes through a long one by itself.
#[inline(always)]
pub fn bring_whole_near<V: Lanes<L>, const L: usize>(lanes: V, row: &[V::Real]) -> bool {
    let of_line = 64 / size_of::<V::Real>();
    let is_short = row.len() <= MOST_LINES * of_line;
    if is_short {
        for at in (0..row.len()).step_by(of_line) {
            lanes.prefetch(row.as_ptr().wrapping_add(at));
        }
    }
    is_short
}
