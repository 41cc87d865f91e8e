//! Frames turned into features: what sums over features of many frames at a time reads.

use crate::simd::{Lanes, Work};

/// Reorders frames from [frame][feature] to [panel][feature][frame of the panel], zeros behind the last frame.
pub fn transposed<V: Lanes<L>, const L: usize>(
    lanes: V,
    frames: &[V::Real],
    d: usize,
    width: usize,
    packed: &mut [V::Real],
) {
    assert!(width.is_multiple_of(L) && packed.len().is_multiple_of(width * d) && frames.len() <= packed.len());
    lanes.outline(Pack { lanes, frames, d, width, packed });
}

struct Pack<'a, V: Lanes<L>, const L: usize> {
    lanes: V,
    frames: &'a [V::Real],
    d: usize,
    width: usize,
    packed: &'a mut [V::Real],
}

impl<V: Lanes<L>, const L: usize> Work for Pack<'_, V, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, frames, d, width, packed } = self;
        let parts = width / L;
        for (panel, packed) in packed.chunks_exact_mut(d * width).enumerate() {
            let (packed, _) = packed.as_chunks_mut::<L>(); // [feature][part of the panel]
            for part in 0..parts {
                let frames = frames.get((panel * parts + part) * L * d..).unwrap_or(&[]);
                for k in (0..d).step_by(L) {
                    let mut tile = [lanes.constant(0.0); L];
                    for (row, frame) in tile.iter_mut().zip(frames.chunks_exact(d)) {
                        *row = lanes.load_first(&frame[k..]);
                    }
                    lanes.transpose(&mut tile);
                    for (feature, to) in tile.iter().zip(packed[k * parts + part..].iter_mut().step_by(parts)) {
                        lanes.store_array(to, *feature);
                    }
                }
            }
        }
    }
}

/// Reorders from [panel][feature][frame of the panel], panels of L frames, to [frame][feature]: the way back.
pub fn restored<V: Lanes<L>, const L: usize>(lanes: V, packed: &[V::Real], d: usize, frames: &mut [V::Real]) {
    lanes.outline(Restore { lanes, packed, d, frames });
}

struct Restore<'a, V: Lanes<L>, const L: usize> {
    lanes: V,
    packed: &'a [V::Real],
    d: usize,
    frames: &'a mut [V::Real],
}

impl<V: Lanes<L>, const L: usize> Work for Restore<'_, V, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, packed, d, frames } = self;
        let panels = packed.as_chunks::<L>().0.chunks_exact(d);
        for (features, frames) in panels.zip(frames.chunks_mut(L * d)) {
            for k in (0..d).step_by(L) {
                let mut tile = [lanes.constant(0.0); L];
                for (row, feature) in tile.iter_mut().zip(&features[k..]) {
                    *row = lanes.load_array(feature);
                }
                lanes.transpose(&mut tile);
                for (row, frame) in tile.iter().zip(frames.chunks_exact_mut(d)) {
                    lanes.store_first(&mut frame[k..], *row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::portable::Portable;

    #[test]
    fn every_entry_goes_to_its_place_and_the_rest_is_zero() {
        for (count, d, width) in [(1_usize, 1, 8), (13, 5, 8), (13, 11, 16), (40, 8, 16)] {
            let frames: Vec<f32> = (0..count * d).map(|k| k as f32 + 1.0).collect();
            let panels = count.div_ceil(width) + 1;
            let mut packed = vec![f32::NAN; panels * width * d];
            transposed(Portable::<f32, 8>::new(), &frames, d, width, &mut packed);
            for n in 0..panels * width {
                for k in 0..d {
                    let expected = if n < count { frames[n * d + k] } else { 0.0 };
                    assert_eq!(packed[n / width * width * d + k * width + n % width], expected);
                }
            }
        }
    }

    #[test]
    fn frames_come_back_as_they_were() {
        for (count, d) in [(1_usize, 1), (13, 5), (40, 11), (8, 8)] {
            let lanes = Portable::<f32, 8>::new();
            let frames: Vec<f32> = (0..count * d).map(|k| k as f32 + 1.0).collect();
            let mut packed = vec![f32::NAN; count.next_multiple_of(8) * d];
            transposed(lanes, &frames, d, 8, &mut packed);
            let mut back = vec![f32::NAN; count * d];
            restored(lanes, &packed, d, &mut back);
            assert_eq!(back, frames);
        }
    }
}
