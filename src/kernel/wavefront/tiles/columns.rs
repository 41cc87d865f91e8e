//! Sums over rows: column sums of H and H^T V, gathered beside any other taker of H.
//!
//! Lanes are columns, so a tile adds to D + 1 vectors of its stripe. A stripe is taken by one thread, block after block, so
//! the sums do not depend on the threads.

use std::marker::PhantomData;

use super::super::{AlignedBuffer, Grid};
use super::AlignmentTiles;
use crate::simd::{Lanes, Number, Work};

/// Features that are summed at a time: enough to hide latencies, few enough for the registers.
const AT_A_TIME: usize = 4;

/// Memory of the sums; any contents will do.
#[derive(Default)]
pub struct ColumnScratch<R> {
    sums: AlignedBuffer<R>,
}

/// Column sums of H, and H^T V.
pub struct ColumnGather<'a, R> {
    /// V (N,D).
    v: &'a [R],
    d: usize,
    lanes: usize,
    sums: *mut R, // [stripe][feature, then the sum of H][lane]
    len: usize,
    borrowed: PhantomData<&'a mut [R]>,
}

// SAFETY: through a shared reference nothing is written; another thread has its own, by `for_thread`.
unsafe impl<R: Sync> Sync for ColumnGather<'_, R> {}

impl<'a, R: Number> ColumnGather<'a, R> {
    /// Makes zero sums for V (N,D) and a grid.
    pub fn new(v: &'a [R], d: usize, grid: Grid, scratch: &'a mut ColumnScratch<R>) -> Self {
        assert!(v.len() == grid.shape.n * d);
        let len = grid.stripes * (d + 1) * grid.lanes;
        let sums = &mut scratch.sums.reserve(len)[..len];
        sums.fill(R::default());
        Self { v, d, lanes: grid.lanes, sums: sums.as_mut_ptr(), len, borrowed: PhantomData }
    }

    /// Writes the column sums of H (M,) and H^T V (M,D).
    pub fn write(self, column_sums: &mut [R], hv: &mut [R]) {
        let (d, lanes) = (self.d, self.lanes);
        assert!(hv.len() == column_sums.len() * d);
        // SAFETY: `new` took so many from the buffer, which is borrowed for 'a; no other thread has any of it now, as
        // `for_thread` demands.
        let sums = unsafe { std::slice::from_raw_parts(self.sums.cast_const(), self.len) };
        for (m, (column_sum, hv)) in column_sums.iter_mut().zip(hv.chunks_exact_mut(d)).enumerate() {
            let of_column = sums[m / lanes * (d + 1) * lanes + m % lanes..].iter().step_by(lanes);
            for (to, &sum) in hv.iter_mut().chain([column_sum]).zip(of_column) {
                *to = sum;
            }
        }
    }
}

/// Adds one tile: `rows` to the last of `sums`, their products with the rows of V to the others.
struct Add<'a, V: Lanes<L>, const L: usize> {
    lanes: V,
    rows: &'a [V::F; L],
    /// The rows of V beside the tile, fewer than L at the end.
    v: &'a [V::Real],
    sums: &'a mut [V::Real],
    d: usize,
}

impl<V: Lanes<L>, const L: usize> Work for Add<'_, V, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, rows, v, sums, d } = self;
        let rows = *rows;
        let count = v.len() / d;
        let (of_features, of_column) = sums.split_at_mut(d * L);
        let mut total = lanes.load_slice(of_column);
        for row in rows {
            total = lanes.add(total, row);
        }
        lanes.store_slice(of_column, total);
        assert!(count * d <= v.len() && d * L <= of_features.len());
        let (v, out) = (v.as_ptr(), of_features.as_mut_ptr());
        let whole = d / AT_A_TIME * AT_A_TIME;
        // SAFETY: features before D of rows that V has, and the vectors of these features: all in the slices, as was
        // asserted.
        unsafe {
            for k in (0..whole).step_by(AT_A_TIME) {
                let mut sum = [lanes.constant(0.0); AT_A_TIME];
                for i in 0..L {
                    if i == count {
                        break;
                    }
                    let from = v.add(i * d + k);
                    for j in 0..AT_A_TIME {
                        sum[j] = lanes.mul_add(rows[i], lanes.splat(*from.add(j)), sum[j]);
                    }
                }
                for j in 0..AT_A_TIME {
                    let to = out.add((k + j) * L);
                    lanes.store(to, lanes.add(lanes.load(to), sum[j]));
                }
            }
            for k in whole..d {
                let mut sum = [lanes.constant(0.0); 2];
                for i in 0..L {
                    if i == count {
                        break;
                    }
                    sum[i % 2] = lanes.mul_add(rows[i], lanes.splat(*v.add(i * d + k)), sum[i % 2]);
                }
                let to = out.add(k * L);
                lanes.store(to, lanes.add(lanes.load(to), lanes.add(sum[0], sum[1])));
            }
        }
    }
}

impl<V: Lanes<L>, const L: usize> AlignmentTiles<V, L> for ColumnGather<'_, V::Real> {
    #[inline(always)]
    fn take_tile(&mut self, lanes: V, block: usize, stripe: usize, rows: &[V::F; L]) {
        let d = self.d;
        let v = self.v.get(block * L * d..).unwrap_or(&[]);
        let v = &v[..v.len().min(L * d)];
        let len = (d + 1) * L;
        assert!(self.lanes == L && (stripe + 1) * len <= self.len);
        // SAFETY: the vectors of a stripe, of which `new` took so many from the buffer, which is borrowed as long as `self`; no
        // other thread has those of this stripe, as `for_thread` demands.
        let sums = unsafe { std::slice::from_raw_parts_mut(self.sums.add(stripe * len), len) };
        let add = Add { lanes, rows, v, sums, d };
        // The call costs more than the work for the fewest features.
        if d > AT_A_TIME { lanes.outline(add) } else { add.run() }
    }

    #[inline(always)]
    fn take_zero_tile(&mut self, _: V, _: usize, _: usize, _: &[V::F; L]) {}

    unsafe fn for_thread(&self) -> Self {
        Self { ..*self }
    }
}
