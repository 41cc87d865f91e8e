//! The squared costs around a mean that the sequences share, which leaves them unchanged and keeps products from cancelling.

use super::PairForm;
use crate::real::Real;
use crate::simd::{Number, Work};

/// Writes the mean of all frames, w and phi of a squared cost, whose factors are there.
pub struct Centre<'a, R> {
    pub x: &'a [R],
    pub y: &'a [R],
    pub form: &'a mut PairForm<R>,
}

impl<R: Number> Work for Centre<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, y, form: PairForm { mean, w, phi, squares, .. } } = self;
        let d = squares.len();
        // Any mean will do that both sequences share. Sums of few frames are exact enough in float32.
        let frames_of_sum = 64;
        let mut total = vec![0.0f64; d];
        mean.resize(d, R::default());
        for frames in [x, y].into_iter().flat_map(|frames| frames.chunks(frames_of_sum * d)) {
            mean.fill(R::default());
            for frame in frames.chunks_exact(d) {
                for (sum, entry) in mean.iter_mut().zip(frame) {
                    *sum += *entry;
                }
            }
            for (total, &sum) in total.iter_mut().zip(&*mean) {
                *total += sum.to_f64();
            }
        }
        let count = ((x.len() + y.len()) / d) as f64;
        for (mean, total) in mean.iter_mut().zip(total) {
            *mean = R::from_f64(total / count);
        }
        w.resize(y.len(), R::default());
        for (target, w) in y.chunks_exact(d).zip(w.chunks_exact_mut(d)) {
            for ((w, y), mean) in w.iter_mut().zip(target).zip(&*mean) {
                *w = *y - *mean;
            }
            phi.push(weighted_sum_of_squares(w, squares));
        }
    }
}

/// Sums as eight sums side by side.
#[inline(always)]
fn weighted_sum_of_squares<R: Real>(frame: &[R], factors: &[R]) -> R {
    let mut sums = [R::default(); 8];
    let ((chunks, rest), (factors, last_factors)) = (frame.as_chunks::<8>(), factors.as_chunks::<8>());
    for (chunk, factors) in chunks.iter().zip(factors) {
        for ((sum, &x), &factor) in sums.iter_mut().zip(chunk).zip(factors) {
            *sum += factor * x * x;
        }
    }
    let last = rest.iter().zip(last_factors).map(|(&x, &factor)| factor * x * x);
    sums.into_iter().chain(last).sum()
}
