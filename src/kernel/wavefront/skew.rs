//! From row order to skewed order and back, by blends.
//!
//! Lane j is to be delayed by j steps. The bits of j are taken one at a time: lanes with bit 1 are delayed by 1, lanes
//! with bit 2 by 2, and so on. A delay reaches into the block before, whose last vectors are kept in `state`.

use crate::simd::Lanes;

/// Delays lanes with the bit `BIT` by `BIT` steps; the vectors kept from the block before start at `BIT - 1`.
#[inline(always)]
fn delay<V: Lanes<L>, const L: usize, const BIT: usize>(lanes: V, rows: &mut [V::F; L], state: &mut [V::F; L]) {
    let before = *rows;
    for i in 0..L {
        let delayed = if i >= BIT { before[i - BIT] } else { state[BIT - 1 + i] };
        rows[i] = lanes.blend::<BIT>(before[i], delayed);
    }
    // One by one: a slice of vectors would be copied by a call.
    for k in 0..BIT {
        state[BIT - 1 + k] = before[L - BIT + k];
    }
}

/// Advances lanes with the bit `BIT` by `BIT` steps; the vectors kept from the block after start at `BIT - 1`.
#[inline(always)]
fn advance<V: Lanes<L>, const L: usize, const BIT: usize>(lanes: V, rows: &mut [V::F; L], state: &mut [V::F; L]) {
    let before = *rows;
    for i in 0..L {
        let advanced = if i + BIT < L { before[i + BIT] } else { state[BIT - 1 + i + BIT - L] };
        rows[i] = lanes.blend::<BIT>(before[i], advanced);
    }
    for k in 0..BIT {
        state[BIT - 1 + k] = before[k];
    }
}

/// Turns rows of one block into steps of the same block; blocks come from first to last, `state` starts as zeros.
#[inline(always)]
pub fn skew<V: Lanes<L>, const L: usize>(lanes: V, rows: &mut [V::F; L], state: &mut [V::F; L]) {
    delay::<V, L, 1>(lanes, rows, state);
    delay::<V, L, 2>(lanes, rows, state);
    if L >= 8 {
        delay::<V, L, 4>(lanes, rows, state);
    }
    if L >= 16 {
        delay::<V, L, 8>(lanes, rows, state);
    }
}

/// Turns steps of one block into rows of the same block; blocks come from last to first, `state` starts as zeros.
#[inline(always)]
pub fn deskew<V: Lanes<L>, const L: usize>(lanes: V, steps: &mut [V::F; L], state: &mut [V::F; L]) {
    advance::<V, L, 1>(lanes, steps, state);
    advance::<V, L, 2>(lanes, steps, state);
    if L >= 8 {
        advance::<V, L, 4>(lanes, steps, state);
    }
    if L >= 16 {
        advance::<V, L, 8>(lanes, steps, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::portable::{Portable, Scalar};

    /// The entry of a row and a column.
    fn number<R: Scalar>(row: usize, column: usize) -> R {
        R::from_f64(row as f64 * 100.0 + column as f64 + 1.0)
    }

    fn delays_each_lane_by_its_number<R: Scalar, const L: usize>() {
        let mut state = [[R::default(); L]; L];
        let mut skewed = vec![];
        for block in 0..3 {
            let mut rows: [[R; L]; L] = std::array::from_fn(|i| std::array::from_fn(|j| number(block * L + i, j)));
            skew(Portable::<R, L>::new(), &mut rows, &mut state);
            skewed.extend(rows);
        }
        for (t, step) in skewed.iter().enumerate() {
            for (j, &entry) in step.iter().enumerate() {
                let expected = if t >= j { number::<R>(t - j, j) } else { R::default() };
                assert_eq!(entry, expected);
            }
        }
        let mut state = [[R::default(); L]; L];
        for block in (0..3).rev() {
            let mut steps: [[R; L]; L] = std::array::from_fn(|i| skewed[block * L + i]);
            deskew(Portable::<R, L>::new(), &mut steps, &mut state);
            for (i, row) in steps.iter().enumerate() {
                for (j, &entry) in row.iter().enumerate() {
                    let row = block * L + i;
                    assert_eq!(entry, if row + j < 3 * L { number::<R>(row, j) } else { R::default() });
                }
            }
        }
    }

    #[test]
    fn skewing_and_back() {
        delays_each_lane_by_its_number::<f64, 4>();
        delays_each_lane_by_its_number::<f32, 8>();
        delays_each_lane_by_its_number::<f32, 16>();
    }
}
