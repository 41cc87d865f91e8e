//! Tiles of distances, straight from the frames, and gradients gathered from tiles of H.
//!
//! l1 is C = sum_d f_d |x_d - y_d|, euclidean C = sqrt(sum_d f_d (x_d - y_d)^2). Neither has an inner-product form, so
//! every cell takes its D differences: L rows against one vector of columns, a feature at a time. Frames are subtracted
//! before anything else, so that large ones that nearly agree do not cancel.
//!
//! The gradients are sums of f_d H dC/dt over one side of the tile, t being the difference: H with the sign of t under
//! l1, (H / C) t under euclidean, where C is made again. They are 0 where t or C is 0. Differences of less than
//! [`Number::LEAST_SQUARED`], 1e-19 in float32, are on their way to 0 under euclidean: their squares are no normal numbers.

use super::super::{AlignedBuffer, Grid};
use super::pack::{restored, transposed};
use super::sums::Sums;
use crate::simd::{Lanes, Number, Work};

/// A pair under a distance, as the tiles read it.
#[derive(Clone, Copy)]
pub struct DistanceSlices<'a, R> {
    /// Predictions, (N,D).
    pub x: &'a [R],
    /// Targets, (M,D).
    pub y: &'a [R],
    /// Feature weights f, (D,).
    pub weights: &'a [R],
    /// The root of the sum of squares, not the sum of sizes.
    pub is_euclidean: bool,
}

/// A bound on the distances of the frames, from their ranges; NaN if an entry is infinite or NaN.
pub fn largest<V: Lanes<L>, const L: usize>(lanes: V, slices: DistanceSlices<'_, V::Real>) -> f64 {
    lanes.outline(Largest { slices })
}

struct Largest<'a, R> {
    slices: DistanceSlices<'a, R>,
}

impl<R: Number> Work for Largest<'_, R> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let DistanceSlices { x, y, weights, is_euclidean } = self.slices;
        let d = weights.len();
        let (mut low, mut high) = (x[..d].to_vec(), x[..d].to_vec());
        // Comparisons may lose a NaN; a sum of products with 0 does not, and finds infinity too.
        let mut taint = vec![R::default(); d];
        for frame in x.chunks_exact(d).chain(y.chunks_exact(d)) {
            for (((&x, low), high), taint) in frame.iter().zip(&mut low).zip(&mut high).zip(&mut taint) {
                *low = if x < *low { x } else { *low };
                *high = if x > *high { x } else { *high };
                *taint += x * R::default();
            }
        }
        let mut sum = taint.into_iter().sum::<R>().to_f64();
        for ((low, high), weight) in low.iter().zip(&high).zip(weights) {
            let range = high.to_f64() - low.to_f64();
            sum += weight.to_f64() * if is_euclidean { range * range } else { range };
        }
        if is_euclidean { sum.sqrt() } else { sum }
    }
}

/// Terms of the sums over features, as numbers, which select a loop where it is compiled.
mod term {
    /// f |t|
    pub const SIZE: usize = 0;
    /// t^2
    pub const SQUARE: usize = 1;
    /// f t^2
    pub const WEIGHTED_SQUARE: usize = 2;
}

/// Memory of the frames; any contents will do.
#[derive(Default)]
pub struct DistanceScratch<R> {
    predictions: AlignedBuffer<R>,
    targets: AlignedBuffer<R>,
}

/// The frames of a pair, a vector a feature; shared by the costs and the gathering.
#[derive(Clone, Copy)]
pub struct DistanceFrames<'a, R> {
    predictions: &'a [R], // [block][feature][row], padded with zeros
    targets: &'a [R],     // [stripe][feature][column], padded with zeros
    weights: &'a [R],
    term: usize,
}

impl<'a, R: Number> DistanceFrames<'a, R> {
    /// Packs the frames for a grid.
    pub fn new<V: Lanes<L, Real = R>, const L: usize>(
        lanes: V,
        DistanceSlices { x, y, weights, is_euclidean }: DistanceSlices<'a, R>,
        grid: Grid,
        scratch: &'a mut DistanceScratch<R>,
    ) -> Self {
        let d = weights.len();
        let pack = |frames: &[R], panels: usize, buffer: &'a mut AlignedBuffer<R>| {
            let packed = &mut buffer.reserve(panels * L * d)[..panels * L * d];
            transposed(lanes, frames, d, L, packed);
            &*packed
        };
        let predictions = pack(x, grid.blocks, &mut scratch.predictions);
        let targets = pack(y, grid.stripes, &mut scratch.targets);
        let one = R::from_f64(1.0);
        let term = match (is_euclidean, weights.iter().all(|&weight| weight == one)) {
            (false, _) => term::SIZE,
            (true, true) => term::SQUARE,
            (true, false) => term::WEIGHTED_SQUARE,
        };
        Self { predictions, targets, weights, term }
    }

    /// The vectors of a block or a stripe, one a feature.
    #[inline(always)]
    fn panel<const L: usize>(&self, packed: &'a [R], index: usize) -> &'a [[R; L]] {
        let len = self.weights.len() * L;
        packed[index * len..][..len].as_chunks::<L>().0
    }

    /// Writes the costs of one block of rows and a group of S stripes into L rows of S vectors.
    #[inline(always)]
    pub fn write_costs<V: Lanes<L, Real = R>, const L: usize>(
        &self,
        lanes: V,
        block: usize,
        first_stripe: usize,
        tile: &mut [R],
    ) {
        let slots = tile.len() / (L * L);
        for slot in 0..slots {
            let rows = self.costs::<V, L>(lanes, block, first_stripe + slot);
            for (row, out) in rows.into_iter().zip(tile.chunks_exact_mut(slots * L)) {
                lanes.store_slice(&mut out[slot * L..], row);
            }
        }
    }

    /// Makes the costs of a block of rows and a stripe.
    #[inline(always)]
    fn costs<V: Lanes<L, Real = R>, const L: usize>(&self, lanes: V, block: usize, stripe: usize) -> [V::F; L] {
        let (x, y) = (self.panel(self.predictions, block), self.panel(self.targets, stripe));
        let mut sums = match self.term {
            term::SIZE => sums::<V, L, { term::SIZE }>(lanes, x, y, self.weights),
            term::SQUARE => sums::<V, L, { term::SQUARE }>(lanes, x, y, self.weights),
            _ => sums::<V, L, { term::WEIGHTED_SQUARE }>(lanes, x, y, self.weights),
        };
        if self.term != term::SIZE {
            for sum in &mut sums {
                *sum = lanes.sqrt(*sum);
            }
        }
        sums
    }
}

/// Sums over features: entry (i,j) is that of row i of x and column j of y.
#[inline(always)]
fn sums<V: Lanes<L>, const L: usize, const TERM: usize>(
    lanes: V,
    x: &[[V::Real; L]],
    y: &[[V::Real; L]],
    weights: &[V::Real],
) -> [V::F; L] {
    let mut sums = [lanes.constant(0.0); L];
    for ((x, y), &weight) in x.iter().zip(y).zip(weights) {
        let (y, weight) = (lanes.load_array(y), lanes.splat(weight));
        for i in 0..L {
            let t = lanes.sub(lanes.splat(x[i]), y);
            let (a, b) = match TERM {
                term::SIZE => (weight, lanes.abs(t)),
                term::SQUARE => (t, t),
                _ => (lanes.mul(weight, t), t),
            };
            sums[i] = lanes.mul_add(a, b, sums[i]);
        }
    }
    sums
}

/// Memory of the gathered gradients; any contents will do.
#[derive(Default)]
pub struct DistanceGatherScratch<R> {
    of_x: AlignedBuffer<R>,
    of_y: AlignedBuffer<R>,
}

/// dSDTW/dx and dSDTW/dy less the feature weights, summed in groups of S stripes.
pub struct DistanceGather<'a, R, const S: usize> {
    frames: DistanceFrames<'a, R>,
    of_x: Sums<'a, R>,         // [block][feature][row]
    of_y: Option<Sums<'a, R>>, // [stripe][feature][column]
}

impl<'a, R: Number, const S: usize> DistanceGather<'a, R, S> {
    /// Makes zero sums for the grid of the frames; those of y if they are wanted.
    pub fn new(
        frames: DistanceFrames<'a, R>,
        grid: Grid,
        wants_y: bool,
        scratch: &'a mut DistanceGatherScratch<R>,
    ) -> Self {
        let DistanceGatherScratch { of_x, of_y } = scratch;
        let of_x = Sums::new(of_x, grid, frames.predictions.len());
        let of_y = wants_y.then(|| Sums::new(of_y, grid, frames.targets.len()));
        Self { frames, of_x, of_y }
    }

    /// Adds the shares of a tile of H of one block of rows and a group of stripes, L rows of S vectors, which are changed.
    #[inline(always)]
    pub fn add<V: Lanes<L, Real = R>, const L: usize>(&mut self, lanes: V, block: usize, group: usize, tile: &mut [R]) {
        let (vectors, _) = tile.as_chunks_mut::<L>();
        if self.frames.term == term::SIZE {
            return self.add_terms::<V, L, true>(lanes, block, group, vectors);
        }
        let least = lanes.constant(R::LEAST_SQUARED);
        for slot in 0..S {
            let costs = self.frames.costs::<V, L>(lanes, block, group * S + slot);
            for (row, cost) in vectors.chunks_exact_mut(S).zip(costs) {
                let h = lanes.load_array(&row[slot]);
                lanes.store_array(&mut row[slot], lanes.div(h, lanes.max(cost, least)));
            }
        }
        self.add_terms::<V, L, false>(lanes, block, group, vectors);
    }

    #[inline(always)]
    fn add_terms<V: Lanes<L, Real = R>, const L: usize, const ARE_SIGNS: bool>(
        &mut self,
        lanes: V,
        block: usize,
        group: usize,
        tile: &[[R; L]],
    ) {
        let frames = self.frames;
        let len = frames.weights.len() * L;
        let of_x = self.of_x.of_group(group, block * len..(block + 1) * len);
        let mut of_y = self.of_y.as_mut().map(|sums| sums.of_group(group, group * S * len..(group + 1) * S * len));
        let x = frames.panel::<L>(frames.predictions, block);
        let y: [&[[R; L]]; S] = std::array::from_fn(|slot| frames.panel(frames.targets, group * S + slot));
        let (of_x, _) = of_x.as_chunks_mut::<L>();
        for (k, (x, of_x)) in x.iter().zip(of_x).enumerate() {
            let mut of_rows = [lanes.constant(0.0); L];
            let mut of_columns = [lanes.constant(0.0); S];
            for slot in 0..S {
                let y = lanes.load_array(&y[slot][k]);
                for i in 0..L {
                    let h = lanes.load_array(&tile[i * S + slot]);
                    let t = lanes.sub(lanes.splat(x[i]), y);
                    let term = if ARE_SIGNS { lanes.signed(h, t) } else { lanes.mul(h, t) };
                    of_rows[i] = lanes.add(of_rows[i], term);
                    of_columns[slot] = lanes.add(of_columns[slot], term);
                }
            }
            lanes.transpose(&mut of_rows);
            let mut total = lanes.load_array(of_x);
            for row in of_rows {
                total = lanes.add(total, row);
            }
            lanes.store_array(of_x, total);
            if let Some(of_y) = &mut of_y {
                for (slot, sum) in of_columns.into_iter().enumerate() {
                    let out = &mut of_y[slot * len + k * L..][..L];
                    lanes.store_slice(out, lanes.sub(lanes.load_slice(out), sum));
                }
            }
        }
    }

    /// Writes dSDTW/dx (N,D) and, where they were wanted, dSDTW/dy (M,D).
    pub fn write<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V, x_grad: &mut [R], y_grad: Option<&mut [R]>) {
        let weights = self.frames.weights;
        for (sums, out) in [(Some(self.of_x), Some(x_grad)), (self.of_y, y_grad)] {
            let (Some(sums), Some(out)) = (sums, out) else { continue };
            restored(lanes, sums.total(), weights.len(), out);
            for frame in out.chunks_exact_mut(weights.len()) {
                for (entry, &weight) in frame.iter_mut().zip(weights) {
                    *entry = weight * *entry;
                }
            }
        }
    }

    /// Returns the same sums for another thread.
    ///
    /// # Safety
    ///
    /// As for [`Sums::for_thread`].
    pub unsafe fn for_thread(&self) -> Self {
        // SAFETY: the caller orders the tiles, and with them the parts of the sums.
        unsafe {
            Self { of_x: self.of_x.for_thread(), of_y: self.of_y.as_ref().map(|sums| sums.for_thread()), ..*self }
        }
    }
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use super::super::super::job::{Job, PANEL_BYTES};
    use super::super::super::pair::{
        self, ColumnSums, Costs, ExtraOutputs, SumsOverCells, SweepOutput, WavefrontScratch,
    };
    use super::super::super::thread_team::ThreadTeam;
    use super::*;
    use crate::kernel::Moments;
    use crate::shape::Shape;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    /// Gradients do not depend on the threads, nor on the panels.
    #[test]
    fn several_threads_give_the_bits_of_one() {
        let run_on = |threads: usize| {
            move |work: &(dyn Fn() + Sync)| {
                std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
            }
        };
        let (shape, d) = (Shape { n: 61, m: 100 }, 5);
        let frames = |count: usize| (0..count * d).map(|k| ((k * 7919) % 101) as f32 * 0.05).collect::<Vec<_>>();
        let (x, y) = (frames(shape.n), frames(shape.m));
        let results = |team: ThreadTeam<'_>, panel_bytes: usize, is_euclidean: bool| {
            let weights = StepWeights::new(0.1, 1.0, 1.0).unwrap();
            let job = Job { panel_bytes, least_shared_cells: 0, ..Job::new(shape, 0.5, weights, team) };
            let costs =
                Costs::Distance(DistanceSlices { x: &x, y: &y, weights: &[1.0, 0.5, 0.0, 2.0, 1.0], is_euclidean });
            let (mut h, mut x_grad, mut y_grad) =
                (vec![f32::NAN; shape.n], vec![f32::NAN; x.len()], vec![f32::NAN; y.len()]);
            let mut moments = Moments::default();
            let columns = Some(ColumnSums { h: &mut [], hv: &mut y_grad });
            let extra = ExtraOutputs { matrix: None, columns, sums: SumsOverCells::Moments, moments: &mut moments };
            let output = SweepOutput::Products { h: &mut h, hw: &mut x_grad, extra: Some(extra) };
            let end = pair::run(Portable::<f32, 8>::new(), job, costs, output, &mut WavefrontScratch::default());
            (end.ln(), h, x_grad, y_grad, moments)
        };
        for is_euclidean in [false, true] {
            let one = results(ThreadTeam::ALONE, PANEL_BYTES, is_euclidean);
            assert!(one.2.iter().chain(&one.3).all(|gradient| gradient.is_finite()));
            assert!(results(ThreadTeam::ALONE, 1, is_euclidean) == one);
            for threads in [2, 5] {
                let run = run_on(threads);
                for panel_bytes in [1, 20_000, PANEL_BYTES] {
                    assert!(results(ThreadTeam { threads, run: &run }, panel_bytes, is_euclidean) == one);
                }
            }
        }
    }
}
