//! Squared norms that are rounded as products on tiles are.

use crate::simd::{Lanes, Work};

/// Writes `factor * sum x^2` of each frame of D features, summed feature by feature as a product of frames is.
///
/// With a factor of 1/4, 1/2 or 1, which rounds nothing, u + phi - <v,w> is then exactly 0 where frames are equal, as it is
/// row by row. A rounding would decide between paths through equal frames, and below 0 it would make them longer.
pub fn write<V: Lanes<L, Real = f64>, const L: usize>(
    lanes: V,
    frames: &[f64],
    d: usize,
    factor: f64,
    out: &mut Vec<f64>,
) {
    lanes.outline(Norms { frames, d, factor, out });
}

struct Norms<'a> {
    frames: &'a [f64],
    d: usize,
    factor: f64,
    out: &'a mut Vec<f64>,
}

impl Work for Norms<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { frames, d, factor, out } = self;
        out.clear();
        out.resize(frames.len() / d, 0.0);
        for n in 0..out.len() {
            let mut sum = 0.0;
            for &x in &frames[n * d..(n + 1) * d] {
                sum = x.mul_add(x, sum);
            }
            out[n] = factor * sum;
        }
    }
}
