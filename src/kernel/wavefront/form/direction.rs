//! v and w of cosine: frames over their norms, and the gradients.

use crate::real::Real;
use crate::simd::{Lanes, Number, Work};

/// Writes z / |z| of frames z, with |z|^2 = sum f z^2, times `factors`, and 1 / |z|; both are 0 of a zero vector.
///
/// Yields whether all is finite: no NaN, no infinity, and no square so large or small that it loses digits.
pub struct Directions<'a, V: Lanes<L>, const L: usize> {
    pub lanes: V,
    pub frames: &'a [V::Real],
    /// The roots of f, (D,).
    pub roots: &'a [V::Real],
    /// (D,); `None` is ones.
    pub factors: Option<&'a [V::Real]>,
    pub out: &'a mut [V::Real],
    pub inverse_norms: &'a mut [V::Real],
}

impl<V: Lanes<L>, const L: usize> Work for Directions<'_, V, L> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { lanes, frames, roots, factors, out, inverse_norms } = self;
        let d = roots.len();
        let mut is_finite = true;
        for ((frame, out), inverse_norm) in frames.chunks_exact(d).zip(out.chunks_exact_mut(d)).zip(inverse_norms) {
            let (mut sum, mut top) = (lanes.constant(0.0), lanes.constant(0.0));
            for (z, root) in frame.chunks(L).zip(roots.chunks(L)) {
                let z = lanes.mul(lanes.load_first(z), lanes.load_first(root));
                sum = lanes.mul_add(z, z, sum);
                top = lanes.max(top, lanes.abs(z));
            }
            let norm = lanes.to_array(sum).into_iter().sum::<V::Real>().to_f64().sqrt();
            if norm == 0.0 && !lanes.is_any(top) {
                *inverse_norm = V::Real::default();
            } else {
                // Written so that NaN is not finite.
                is_finite &= norm > 1e4 * V::Real::LEAST_SQUARED && norm < 1.0 / V::Real::LEAST_SQUARED;
                *inverse_norm = V::Real::from_f64(1.0 / norm);
            }
            let inverse = lanes.splat(*inverse_norm);
            for (part, (z, out)) in frame.chunks(L).zip(out.chunks_mut(L)).enumerate() {
                let direction = lanes.mul(lanes.load_first(z), inverse);
                lanes.store_first(out, lanes.mul(part_of(lanes, factors, part), direction));
            }
        }
        is_finite
    }
}

/// The vector of some features, `None` being ones.
#[inline(always)]
fn part_of<V: Lanes<L>, const L: usize>(lanes: V, factors: Option<&[V::Real]>, part: usize) -> V::F {
    // A closure would not have the instructions of the set.
    match factors {
        Some(factors) => lanes.load_first(&factors[part * L..]),
        None => lanes.constant(1.0),
    }
}

/// Writes the gradient of -<z / |z|, g> frame by frame: `(along <directions, g> directions - across g) / |z|`.
pub struct DirectionGradient<'a, V: Lanes<L>, const L: usize> {
    pub lanes: V,
    /// The directions that [`Directions`] wrote.
    pub directions: &'a [V::Real],
    pub inverse_norms: &'a [V::Real],
    /// Factors of the part along the frame, and of g, (D,) each; `None` is ones.
    pub along: Option<&'a [V::Real]>,
    pub across: Option<&'a [V::Real]>,
    pub g: &'a [V::Real],
    pub out: &'a mut [V::Real],
}

impl<V: Lanes<L>, const L: usize> Work for DirectionGradient<'_, V, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, directions, inverse_norms, along, across, g, out } = self;
        let d = directions.len() / inverse_norms.len();
        let frames = directions.chunks_exact(d).zip(g.chunks_exact(d)).zip(out.chunks_exact_mut(d));
        for (&inverse, ((direction, g), out)) in inverse_norms.iter().zip(frames) {
            let mut product = lanes.constant(0.0);
            for (direction, g) in direction.chunks(L).zip(g.chunks(L)) {
                product = lanes.mul_add(lanes.load_first(direction), lanes.load_first(g), product);
            }
            let product: V::Real = lanes.to_array(product).into_iter().sum();
            let (product, inverse) = (lanes.splat(product), lanes.splat(inverse));
            let vectors = direction.chunks(L).zip(g.chunks(L)).zip(out.chunks_mut(L));
            for (part, ((direction, g), out)) in vectors.enumerate() {
                let of_frame = lanes.mul(product, lanes.load_first(direction));
                let of_frame = lanes.mul(part_of(lanes, along, part), of_frame);
                let difference = lanes.neg_mul_add(part_of(lanes, across, part), lanes.load_first(g), of_frame);
                lanes.store_first(out, lanes.mul(difference, inverse));
            }
        }
    }
}
