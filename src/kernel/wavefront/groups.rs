//! An alignment on several threads, group of stripes by group of stripes.
//!
//! Threads claim groups in order and follow each other a few blocks apart ([`super::thread_team`]). Every boundary column is
//! kept; the forward sweep is redone for the groups whose probabilities were not. The numbers are those of one thread,
//! to the bit.

use super::backward::begin_flow;
use super::job::{BackwardRange, Columns, ForwardRange, Job, RECOMPUTED_BYTES, Scratch};
use super::sync::Mutex;
use super::thread_team::{Neighbours, PanicGuard, Progress, WorkCounter};
use super::{AlignmentTiles, CostTiles, Grid};
use crate::scaled::Scaled;
use crate::simd::Lanes;

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

impl Job<'_> {
    /// Returns a(N,M).
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn value_in_groups<V, T, const L: usize, const S: usize>(
        self,
        grid: Grid,
        tiles: &T,
        scratch: &mut Scratch,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
    {
        let columns = scratch.columns(grid, grid.groups(S) + 1);
        // SAFETY: the caller vouches for the hardware; the columns are of the grid and ours alone.
        unsafe { self.forward_in_groups::<V, T, L, S>(grid, tiles, columns, Kept::NOTHING) }
    }

    /// Returns a(N,M) and hands H, or what the readout asks for, to `sink`.
    ///
    /// # Safety
    ///
    /// The hardware has the instructions of V.
    pub unsafe fn align_in_groups<V, T, A, const L: usize, const S: usize>(
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
        let at_most = (RECOMPUTED_BYTES / (group_len * size_of::<f32>())).max(1).min(groups - kept);
        let members = if kept == groups { self.team.threads } else { self.team.threads.min(at_most) };
        let places = if kept == groups { groups } else { kept + members };
        let probabilities = Shared(scratch.probabilities.reserve(places * group_len).as_mut_ptr());
        let flows = scratch.flows(grid, groups + 1);
        flows.fill(0.0);
        begin_flow(grid, &mut flows[groups * len..]);
        let flows = Shared(flows.as_mut_ptr());
        // A column left of each group and right of the last, and for each thread one whose contents nobody reads.
        let columns = scratch.columns(grid, groups + 1 + members);
        let kept_from = groups - kept;
        // SAFETY: the caller vouches for the hardware; buffers are of the grid, and each thread has its own place.
        let end = unsafe {
            let keep = Kept { from: kept_from, probabilities, group_len };
            self.forward_in_groups::<V, T, L, S>(grid, tiles, columns, keep)
        };
        let (claims, threads) = (WorkCounter::new(groups), WorkCounter::new(members));
        let progress: Vec<Progress> = (0..groups).map(|_| Progress::default()).collect();
        let (tiles, sink) = (&*tiles, &*sink);
        (self.team.run)(&|| {
            let Some(thread) = threads.claim() else { return };
            let mut tiles = tiles.twin();
            // SAFETY: groups take the tiles of a block one after the other, as `Progress` orders them.
            let mut sink = unsafe { sink.twin() };
            while let Some(claimed) = claims.claim() {
                let group = groups - 1 - claimed;
                let _guard = PanicGuard(&progress[group]);
                let stripes = group * S..(group + 1) * S;
                // SAFETY: the caller vouches for the hardware; place, columns and flows are this group's or thread's.
                unsafe {
                    let place = if group >= kept_from {
                        probabilities.at((group - kept_from) * group_len)
                    } else {
                        let place = probabilities.at((kept + thread) * group_len);
                        let (left, right) = (columns.at(group), columns.at(groups + 1 + thread));
                        right.clear(grid);
                        let at =
                            ForwardRange { stripes: stripes.clone(), left, right, neighbours: Neighbours::default() };
                        self.forward::<V, T, L, S, true>(grid, at, &mut tiles, place);
                        place
                    };
                    let neighbours = Neighbours { before: progress.get(group + 1), own: Some(&progress[group]) };
                    let at = BackwardRange {
                        stripes,
                        right: flows.at((group + 1) * len),
                        left: flows.at(group * len),
                        neighbours,
                    };
                    self.backward::<V, A, L, S>(grid, at, place, &mut sink);
                }
            }
        });
        end
    }

    /// Sweeps forward, group by group on all threads, and returns a(N,M); column g+1 becomes the last column of group g.
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
        let claims = WorkCounter::new(groups);
        let progress: Vec<Progress> = (0..groups).map(|_| Progress::default()).collect();
        let end = Mutex::new(Scaled::ZERO);
        for index in 0..=groups {
            // SAFETY: a column of the grid, ours alone.
            unsafe { columns.at(index).clear(grid) };
        }
        let keep = &keep;
        (self.team.run)(&|| {
            let mut tiles = tiles.twin();
            while let Some(group) = claims.claim() {
                let _guard = PanicGuard(&progress[group]);
                let neighbours = Neighbours {
                    before: group.checked_sub(1).map(|before| &progress[before]),
                    own: Some(&progress[group]),
                };
                let stripes = group * S..(group + 1) * S;
                let at = ForwardRange { stripes, left: columns.at(group), right: columns.at(group + 1), neighbours };
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
}

/// Memory for the probabilities of the groups from `from` on, one after the other.
struct Kept {
    from: usize,
    probabilities: Shared,
    group_len: usize,
}

impl Kept {
    const NOTHING: Self = Self { from: usize::MAX, probabilities: Shared(std::ptr::null_mut()), group_len: 0 };
}

#[cfg(all(test, not(feature = "model-check")))] // there, threads are those of loom
mod tests {
    use super::super::job::PANEL_BYTES;
    use super::super::job::tests::costs;
    use super::super::matrix::{MatrixAlignment, MatrixCosts};
    use super::super::thread_team::ThreadTeam;
    use super::*;
    use crate::readout::MatrixMut;
    use crate::shape::Shape;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    /// The value and H of a job with these threads, with probabilities kept up to these bytes.
    fn align<V: Lanes<L>, const L: usize, const S: usize>(
        shape: Shape,
        least_shared_cells: usize,
        team: ThreadTeam<'_>,
        panel_bytes: usize,
    ) -> (f64, Vec<f32>) {
        let Shape { n, m } = shape;
        let costs = costs(n, m, 1.0);
        let weights = StepWeights::new(0.1, 1.0, 1.0).unwrap();
        let job = Job { panel_bytes, least_shared_cells, ..Job::new(shape, 0.5, weights, team) };
        let mut h = vec![f32::NAN; n * m];
        let mut matrix = MatrixMut { entries: &mut h, stride: m };
        let mut tiles = MatrixCosts::new(&costs, m, shape);
        let mut sink = MatrixAlignment::new(&mut matrix, shape);
        let mut scratch = Scratch::default();
        // SAFETY: the tests name only lanes that the machine has.
        let (end, value) = unsafe {
            let end = job.align::<V, _, _, L, S>(&mut tiles, &mut sink, &mut scratch);
            (end, job.value::<V, _, L, S>(&mut tiles, &mut scratch))
        };
        assert_eq!(end.ln(), value.ln());
        (end.ln(), h)
    }

    /// No thread is left waiting, and the numbers are those of one thread to the bit.
    fn check<V: Lanes<L>, const L: usize, const S: usize>(
        n: usize,
        m: usize,
        least_shared_cells: usize,
        kept: &[usize],
    ) {
        let shape = Shape::new(n, m).unwrap();
        assert!(shape.cells() >= least_shared_cells);
        let one = align::<V, L, S>(shape, least_shared_cells, ThreadTeam::ALONE, PANEL_BYTES);
        assert!(one.1.iter().all(|h| (0.0..1.001).contains(h)));
        for threads in [2, 5] {
            let run = move |work: &(dyn Fn() + Sync)| {
                std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
            };
            for &panel_bytes in kept {
                let several =
                    align::<V, L, S>(shape, least_shared_cells, ThreadTeam { threads, run: &run }, panel_bytes);
                assert!(several == one, "{n}x{m} on {threads} threads, {panel_bytes} bytes kept");
            }
        }
        let in_panels = align::<V, L, S>(shape, least_shared_cells, ThreadTeam::ALONE, 1);
        assert!(in_panels == one, "{n}x{m} in panels");
    }

    #[test]
    fn several_threads_give_the_bits_of_one() {
        for (n, m) in [(1, 17), (9, 33), (16, 100), (61, 47), (40, 160)] {
            check::<Portable, 8, 2>(n, m, 0, &[1, 20_000, PANEL_BYTES]);
            check::<Portable, 16, 2>(n, m.max(33), 0, &[1, 40_000, PANEL_BYTES]);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn several_threads_give_the_bits_of_one_on_a_large_pair() {
        use super::super::job::LEAST_SHARED_CELLS;
        use crate::simd::avx2::Avx2;
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            check::<Avx2, 8, 4>(61, 147, 0, &[1, 40_000, PANEL_BYTES]);
            check::<Avx2, 8, 4>(3001, 700, LEAST_SHARED_CELLS, &[4 << 20]);
        }
    }
}
