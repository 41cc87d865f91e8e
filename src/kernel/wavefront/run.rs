//! A whole alignment by the wavefront: forward, backward, on one thread or several, within a bound on memory.
//!
//! One thread sweeps all groups of stripes as one wavefront. The probabilities of a panel of stripes are kept at a time;
//! with more than one panel the forward sweep keeps the boundary column left of each, and is redone a panel at a time on
//! the way back. Several threads sweep group by group ([`super::crew`]) and keep every boundary column; the forward
//! sweep is redone for the groups whose probabilities were not kept. The numbers are the same to the bit.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Mutex;

use super::backward::{self, begin_flow};
use super::crew::{Claims, Crew, LEAST_CELLS, Progress, Release, Watch};
use super::forward::{self, Boundary, distinct, distinct_weights};
use super::tiles::{AlignmentTiles, CostTiles};
use super::{AlignedBuffer, Grid};
use crate::scaled::Scaled;
use crate::shape::Shape;
use crate::simd::Lanes;
use crate::weights::StepWeights;

/// Probabilities of more bytes than this are kept panel by panel.
pub const PANEL_BYTES: usize = 32 << 20;

/// Probabilities of groups that threads make again, of all threads together.
const CREW_BYTES: usize = 128 << 20;

/// An upper estimate of the working memory of a sweep, in bytes.
pub fn bytes(rows: usize, columns: usize, threads: usize) -> usize {
    // Two float32 a cell, up to 4 stripes of 16 lanes a group.
    let group = 2 * size_of::<f32>() * 64 * rows;
    let kept = (2 * size_of::<f32>() * rows.saturating_mul(columns)).min(PANEL_BYTES + group);
    let made_again = if threads > 1 { (threads * group).min(CREW_BYTES.max(group)) } else { 0 };
    let boundaries = (columns / 32 + 2 + threads) * 3 * size_of::<f32>() * rows;
    kept + made_again + boundaries
}

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct Scratch {
    probabilities: AlignedBuffer,
    mantissa: Vec<f32>,
    exponent: Vec<i32>,
    flow: Vec<f32>,
}

/// What is swept.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// N and M.
    pub shape: Shape,
    /// Greater than 0.
    pub gamma: f64,
    /// Step weights of the recursion.
    pub weights: StepWeights,
    /// Step weights of the readout: those of the recursion give H, unit weights give E.
    pub readout: StepWeights,
    /// See [`PANEL_BYTES`].
    pub panel_bytes: usize,
    /// Threads for one large pair.
    pub crew: Crew<'a>,
}

/// Boundary columns one after the other: entry 0 lies left of the first stripe.
#[derive(Clone, Copy)]
struct Columns {
    first: Boundary,
    len: usize,
}

// SAFETY: threads touch the same rows of a column only as `Progress` orders them.
unsafe impl Sync for Columns {}

impl Columns {
    fn at(self, index: usize) -> Boundary {
        let Boundary { mantissa, exponent } = self.first;
        Boundary {
            mantissa: mantissa.wrapping_add(index * self.len),
            exponent: exponent.wrapping_add(index * self.len),
        }
    }
}

/// A pointer that threads share.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: threads use disjoint parts, or the same rows as `Progress` orders them.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(self, index: usize) -> *mut f32 {
        self.0.wrapping_add(index)
    }
}

impl Scratch {
    fn columns(&mut self, grid: Grid, count: usize) -> Columns {
        let len = grid.boundary_len();
        self.mantissa.resize(self.mantissa.len().max(len * count), 1.0);
        self.exponent.resize(self.exponent.len().max(len * count), 0);
        Columns { first: Boundary { mantissa: self.mantissa.as_mut_ptr(), exponent: self.exponent.as_mut_ptr() }, len }
    }

    fn flows(&mut self, grid: Grid, count: usize) -> &mut [f32] {
        let len = grid.boundary_len() * count;
        self.flow.resize(self.flow.len().max(len), 0.0);
        &mut self.flow[..len]
    }
}

impl Job<'_> {
    /// a(N,M), in O(N) memory.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn value<V, T, const L: usize, const S: usize>(self, tiles: &mut T, scratch: &mut Scratch) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
    {
        let grid = Grid::new(self.shape, L, S);
        // SAFETY: the caller vouches for the hardware; the columns are of the grid and ours alone.
        unsafe {
            if self.is_for_many(grid, S) {
                let columns = scratch.columns(grid, grid.groups(S) + 1);
                return self.forward_in_groups::<V, T, L, S>(grid, tiles, columns, Kept::NOTHING);
            }
            let column = scratch.columns(grid, 1).at(0);
            column.clear(grid);
            let stripes = 0..grid.stripes;
            let at = Place { stripes, left: column, right: column, watch: Watch::default() };
            self.forward::<V, T, L, S, false>(grid, at, tiles, std::ptr::null_mut())
        }
    }

    /// a(N,M), and H (or what the readout asks for) handed to `sink`.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn align<V, T, A, const L: usize, const S: usize>(
        self,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut Scratch,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
        A: AlignmentTiles<V, L> + Sync,
    {
        let grid = Grid::new(self.shape, L, S);
        // SAFETY: the caller vouches for the hardware.
        unsafe {
            if self.is_for_many(grid, S) {
                self.align_by_many::<V, T, A, L, S>(grid, tiles, sink, scratch)
            } else {
                self.align_alone::<V, T, A, L, S>(grid, tiles, sink, scratch)
            }
        }
    }

    fn is_for_many(&self, grid: Grid, slots: usize) -> bool {
        self.crew.threads > 1 && self.shape.cells() >= LEAST_CELLS && grid.groups(slots) > 1
    }

    unsafe fn align_alone<V, T, A, const L: usize, const S: usize>(
        self,
        grid: Grid,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut Scratch,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
        A: AlignmentTiles<V, L>,
    {
        let per_panel = self.panel_stripes(grid, S);
        let panels = grid.stripes.div_ceil(per_panel);
        let stripes = |panel: usize| panel * per_panel..grid.stripes.min((panel + 1) * per_panel);
        // One block more, for slots that idle.
        let needed = (per_panel * grid.blocks + 1) * grid.block_len();
        let probabilities = scratch.probabilities.reserve(needed).as_mut_ptr();
        let flow = scratch.flows(grid, 1);
        begin_flow(grid, flow);
        let flow = flow.as_mut_ptr();
        // A column left of each panel, and one to sweep with.
        let columns = scratch.columns(grid, panels);
        let moving = columns.at(0);
        let mut end = Scaled::ZERO;
        // SAFETY: the caller vouches for the hardware; the probabilities of one panel and a block fit the buffer, the
        // columns are of the grid.
        unsafe {
            let copy = |from: Boundary, to: Boundary| {
                std::ptr::copy_nonoverlapping(from.mantissa, to.mantissa, columns.len);
                std::ptr::copy_nonoverlapping(from.exponent, to.exponent, columns.len);
            };
            let forward =
                |panel: usize| Place { stripes: stripes(panel), left: moving, right: moving, watch: Watch::default() };
            moving.clear(grid);
            for panel in 0..panels {
                if panel > 0 {
                    copy(moving, columns.at(panel));
                }
                if panel + 1 < panels {
                    self.forward::<V, T, L, S, false>(grid, forward(panel), tiles, std::ptr::null_mut());
                } else {
                    end = self.forward::<V, T, L, S, true>(grid, forward(panel), tiles, probabilities);
                }
            }
            for panel in (0..panels).rev() {
                if panel + 1 < panels {
                    if panel > 0 {
                        copy(columns.at(panel), moving);
                    } else {
                        moving.clear(grid);
                    }
                    self.forward::<V, T, L, S, true>(grid, forward(panel), tiles, probabilities);
                }
                let at = Return { stripes: stripes(panel), right: flow, left: flow, watch: Watch::default() };
                self.backward::<V, A, L, S>(grid, at, probabilities, sink);
            }
        }
        end
    }

    unsafe fn align_by_many<V, T, A, const L: usize, const S: usize>(
        self,
        grid: Grid,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut Scratch,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
        A: AlignmentTiles<V, L> + Sync,
    {
        let (groups, len) = (grid.groups(S), grid.boundary_len());
        // A group's probabilities, and a block for slots that idle.
        let group_len = (S * grid.blocks + 1) * grid.block_len();
        let kept = (self.panel_bytes / (group_len * size_of::<f32>())).min(groups);
        // A thread needs a place only for groups that were not kept; more threads than that have nothing to do.
        let at_most = (CREW_BYTES / (group_len * size_of::<f32>())).max(1).min(groups - kept);
        let members = if kept == groups { self.crew.threads } else { self.crew.threads.min(at_most) };
        let places = if kept == groups { groups } else { kept + members };
        let probabilities = Shared(scratch.probabilities.reserve(places * group_len).as_mut_ptr());
        let flows = scratch.flows(grid, groups + 1);
        flows.fill(0.0);
        begin_flow(grid, &mut flows[groups * len..]);
        let flows = Shared(flows.as_mut_ptr());
        // A column left of each group and right of the last, and for each thread one to write to in vain.
        let columns = scratch.columns(grid, groups + 1 + members);
        let kept_from = groups - kept;
        // SAFETY: the caller vouches for the hardware; buffers are of the grid, and each thread has its own place.
        let end = unsafe {
            let keep = Kept { from: kept_from, probabilities, group_len };
            self.forward_in_groups::<V, T, L, S>(grid, tiles, columns, keep)
        };
        let (claims, threads) = (Claims::new(groups), Claims::new(members));
        let progress: Vec<Progress> = (0..groups).map(|_| Progress::default()).collect();
        let (tiles, sink) = (&*tiles, &*sink);
        (self.crew.run)(&|| {
            let Some(thread) = threads.claim() else { return };
            let mut tiles = tiles.twin();
            // SAFETY: groups take the tiles of a block one after the other, as `Progress` orders them.
            let mut sink = unsafe { sink.twin() };
            while let Some(claimed) = claims.claim() {
                let group = groups - 1 - claimed;
                let _release = Release(&progress[group]);
                let stripes = group * S..(group + 1) * S;
                // SAFETY: the caller vouches for the hardware; place, columns and flows are this group's or thread's.
                unsafe {
                    let place = if group >= kept_from {
                        probabilities.at((group - kept_from) * group_len)
                    } else {
                        let place = probabilities.at((kept + thread) * group_len);
                        let (left, right) = (columns.at(group), columns.at(groups + 1 + thread));
                        right.clear(grid);
                        let at = Place { stripes: stripes.clone(), left, right, watch: Watch::default() };
                        self.forward::<V, T, L, S, true>(grid, at, &mut tiles, place);
                        place
                    };
                    let watch = Watch { before: progress.get(group + 1), own: Some(&progress[group]) };
                    let at = Return { stripes, right: flows.at((group + 1) * len), left: flows.at(group * len), watch };
                    self.backward::<V, A, L, S>(grid, at, place, &mut sink);
                }
            }
        });
        end
    }

    /// The forward sweep group by group on all threads; column g+1 becomes the last column of group g.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V; there is a column left of each group and right of the last, and room for
    /// what is kept.
    unsafe fn forward_in_groups<V, T, const L: usize, const S: usize>(
        self,
        grid: Grid,
        tiles: &T,
        columns: Columns,
        keep: Kept,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
    {
        let groups = grid.groups(S);
        let claims = Claims::new(groups);
        let progress: Vec<Progress> = (0..groups).map(|_| Progress::default()).collect();
        let end = Mutex::new(Scaled::ZERO);
        for index in 0..=groups {
            // SAFETY: a column of the grid, ours alone.
            unsafe { columns.at(index).clear(grid) };
        }
        let keep = &keep;
        (self.crew.run)(&|| {
            let mut tiles = tiles.twin();
            while let Some(group) = claims.claim() {
                let _release = Release(&progress[group]);
                let watch =
                    Watch { before: group.checked_sub(1).map(|before| &progress[before]), own: Some(&progress[group]) };
                let stripes = group * S..(group + 1) * S;
                let at = Place { stripes, left: columns.at(group), right: columns.at(group + 1), watch };
                // SAFETY: the caller vouches for the hardware and the room.
                let last = unsafe {
                    if group >= keep.from {
                        let place = keep.probabilities.at((group - keep.from) * keep.group_len);
                        self.forward::<V, T, L, S, true>(grid, at, &mut tiles, place)
                    } else {
                        self.forward::<V, T, L, S, false>(grid, at, &mut tiles, std::ptr::null_mut())
                    }
                };
                if group == groups - 1
                    && let Ok(mut end) = end.lock()
                {
                    *end = last;
                }
            }
        });
        end.into_inner().unwrap_or(Scaled::ZERO)
    }

    /// Stripes whose probabilities are kept at a time, a whole number of groups.
    fn panel_stripes(self, grid: Grid, slots: usize) -> usize {
        let stripe_bytes = grid.blocks * grid.block_len() * size_of::<f32>();
        if grid.stripes * stripe_bytes <= self.panel_bytes {
            return grid.stripes;
        }
        // A checkpoint takes as much as a fixed share of a stripe: the sum of both is least at a root.
        let checkpoint_bytes = grid.boundary_len() * (size_of::<f32>() + size_of::<i32>());
        let balanced = (grid.stripes * checkpoint_bytes / stripe_bytes).isqrt();
        balanced.max(self.panel_bytes / stripe_bytes).max(1).next_multiple_of(slots)
    }

    unsafe fn forward<V, T, const L: usize, const S: usize, const KEEP: bool>(
        self,
        grid: Grid,
        at: Place<'_>,
        tiles: &mut T,
        probabilities: *mut f32,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L>,
    {
        let Self { gamma, weights, .. } = self;
        let Place { stripes, left, right, watch } = at;
        macro_rules! sweep {
            ($distinct:expr) => {{
                let lanes = PhantomData::<V>;
                let sweep = forward::Sweep::<V, T, L, S, { $distinct }, KEEP> {
                    grid,
                    stripes,
                    tiles,
                    gamma,
                    weights,
                    left,
                    right,
                    watch,
                    probabilities,
                    lanes,
                };
                // SAFETY: the caller vouches for the hardware, the columns and the probabilities.
                unsafe { V::outline(sweep) }
            }};
        }
        match distinct_weights(weights) {
            distinct::NONE => sweep!(distinct::NONE),
            distinct::HORIZONTAL => sweep!(distinct::HORIZONTAL),
            _ => sweep!(distinct::ALL),
        }
    }

    unsafe fn backward<V, A, const L: usize, const S: usize>(
        self,
        grid: Grid,
        at: Return<'_>,
        probabilities: *const f32,
        tiles: &mut A,
    ) where
        V: Lanes<L>,
        A: AlignmentTiles<V, L>,
    {
        let weights = self.readout;
        let Return { stripes, right, left, watch } = at;
        macro_rules! sweep {
            ($unit:expr) => {{
                let lanes = PhantomData::<V>;
                let sweep = backward::Sweep::<V, A, L, S, { $unit }> {
                    grid,
                    stripes,
                    probabilities,
                    weights,
                    right,
                    left,
                    watch,
                    tiles,
                    lanes,
                };
                // SAFETY: the caller vouches for the hardware, the columns and the probabilities.
                unsafe { V::outline(sweep) }
            }};
        }
        if weights == StepWeights::UNIT { sweep!(true) } else { sweep!(false) }
    }
}

/// Where a forward sweep runs.
struct Place<'a> {
    stripes: Range<usize>,
    left: Boundary,
    right: Boundary,
    watch: Watch<'a>,
}

/// Where a backward sweep runs.
struct Return<'a> {
    stripes: Range<usize>,
    right: *mut f32,
    left: *mut f32,
    watch: Watch<'a>,
}

/// Probabilities of the groups from `from` on, one after the other.
struct Kept {
    from: usize,
    probabilities: Shared,
    group_len: usize,
}

impl Kept {
    const NOTHING: Self = Self { from: usize::MAX, probabilities: Shared(std::ptr::null_mut()), group_len: 0 };
}

#[cfg(test)]
mod tests {
    use super::super::tiles::matrix::{MatrixAlignment, MatrixCosts};
    use super::*;
    use crate::matrix::MatrixMut;
    use crate::reference;
    use crate::simd::portable::Portable;

    fn costs(n: usize, m: usize, scale: f32) -> Vec<f32> {
        let mut state = (n * 1009 + m) as u64 + 88_172_645_463_325_252;
        (0..n * m)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                scale * -((state >> 11) as f32 / (1u64 << 53) as f32 + 1e-7).ln()
            })
            .collect()
    }

    /// The greatest difference of H from the reference over shapes, weights, gammas and panels.
    fn check<V: Lanes<L>, const L: usize, const S: usize>() {
        let mut scratch = Scratch::default();
        // Every residue of N and M by 16, in one group of stripes and in several.
        let shapes = (1..=16)
            .map(|k| (k, 17 - k))
            .chain((1..=16).step_by(3).map(|k| (24 + k, 60 + 7 * k % 16)))
            .chain([(3, 40), (70, 5)]);
        for (n, m) in shapes {
            let shape = Shape::new(n, m).unwrap();
            for weights in
                [StepWeights::UNIT, StepWeights::new(0.1, 1.0, 1.0).unwrap(), StepWeights::new(0.0, 2.0, 0.7).unwrap()]
            {
                for (gamma, scale) in [(0.01, 1.0), (1.0, 1.0), (100.0, 1e-3)] {
                    let costs = costs(n, m, scale);
                    let wide: Vec<f64> = costs.iter().copied().map(f64::from).collect();
                    let truth = reference::align(&wide, n, m, gamma, weights);
                    for (panel_bytes, readout) in [(PANEL_BYTES, weights), (1, StepWeights::UNIT)] {
                        let job = Job { shape, gamma, weights, readout, panel_bytes, crew: Crew::ALONE };
                        let mut h = vec![f32::NAN; n * m];
                        let mut matrix = MatrixMut { entries: &mut h, stride: m };
                        let mut tiles = MatrixCosts::new(&costs, m, shape);
                        let mut sink = MatrixAlignment::new(&mut matrix, shape);
                        // SAFETY: the test names only lanes that the machine has.
                        let (end, value) = unsafe {
                            let end = job.align::<V, _, _, L, S>(&mut tiles, &mut sink, &mut scratch);
                            (end, job.value::<V, _, L, S>(&mut tiles, &mut scratch))
                        };
                        assert_eq!(end.ln(), value.ln());
                        let value = -gamma * value.ln();
                        assert!(
                            (value - truth.value).abs() <= 1e-5 * (truth.value.abs() + gamma * (n + m) as f64),
                            "{n}x{m} g={gamma}: {value} {}",
                            truth.value
                        );
                        let expected = if readout == weights { &truth.soft_alignment } else { &truth.visits };
                        for (k, (got, expected)) in h.iter().zip(expected).enumerate() {
                            assert!(
                                (f64::from(*got) - expected).abs() <= 1e-5,
                                "{n}x{m} g={gamma} w={weights:?} x{scale} S={S} panel={panel_bytes} cell {k}: {got} {expected}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn portable_lanes_agree_with_the_reference() {
        check::<Portable, 8, 2>();
        check::<Portable, 8, 3>();
        check::<Portable, 16, 2>();
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_agrees_with_the_reference() {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            check::<crate::simd::avx2::Avx2, 8, 2>();
            check::<crate::simd::avx2::Avx2, 8, 4>();
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx512_agrees_with_the_reference() {
        if is_x86_feature_detected!("avx512f") {
            check::<crate::simd::avx512::Avx512, 16, 2>();
            check::<crate::simd::avx512::Avx512, 16, 4>();
        }
    }

    /// The same numbers to the bit, and no thread left waiting, however many there are.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_crew_changes_nothing() {
        use crate::simd::avx2::Avx2;
        if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
            return;
        }
        let in_threads = |threads: usize| {
            move |work: &(dyn Fn() + Sync)| {
                std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
            }
        };
        for (n, m) in [(3001, 700)] {
            let shape = Shape::new(n, m).unwrap();
            assert!(shape.cells() >= LEAST_CELLS);
            let costs = costs(n, m, 1.0);
            let weights = StepWeights::new(0.1, 1.0, 1.0).unwrap();
            let align = |crew: Crew<'_>, panel_bytes: usize| {
                let job = Job { shape, gamma: 0.5, weights, readout: weights, panel_bytes, crew };
                let mut h = vec![f32::NAN; n * m];
                let mut matrix = MatrixMut { entries: &mut h, stride: m };
                let mut tiles = MatrixCosts::new(&costs, m, shape);
                let mut sink = MatrixAlignment::new(&mut matrix, shape);
                let mut scratch = Scratch::default();
                // SAFETY: the machine has the instructions.
                let (end, value) = unsafe {
                    let end = job.align::<Avx2, _, _, 8, 4>(&mut tiles, &mut sink, &mut scratch);
                    (end, job.value::<Avx2, _, 8, 4>(&mut tiles, &mut scratch))
                };
                assert_eq!(end.ln(), value.ln());
                (end.ln(), h)
            };
            let alone = align(Crew::ALONE, PANEL_BYTES);
            assert!(alone.1.iter().all(|h| (0.0..1.001).contains(h)));
            for threads in [2, 5] {
                let run = in_threads(threads);
                for panel_bytes in [1, 4 << 20] {
                    let got = align(Crew { threads, run: &run }, panel_bytes);
                    assert!(got == alone, "{n}x{m} on {threads} threads, panels of {panel_bytes} bytes");
                }
            }
            assert!(align(Crew::ALONE, 1) == alone, "{n}x{m} in panels");
        }
    }
}
