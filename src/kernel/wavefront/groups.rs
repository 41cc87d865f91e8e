//! An alignment on several threads, group of stripes by group of stripes.
//!
//! Threads claim groups in order and follow each other a few blocks apart ([`super::thread_team`]). Every boundary column is
//! kept; the forward sweep is redone for the groups whose probabilities were not. The numbers are those of one thread,
//! to the bit. A call that may not go on ([`stop`]) ends when all have swept the groups that they have claimed.

use super::backward::{BackwardRange, begin_flow};
use super::forward::ForwardRange;
use super::job::{Columns, Job, RECOMPUTED_BYTES, SweepScratch};
use super::sync::Mutex;
use super::thread_team::{Neighbours, PanicGuard, Progress, WorkCounter};
use super::tiles::combined::NoGather;
use super::tiles::{AlignmentTiles, CostTiles};
use super::{Grid, kept};
use crate::scaled::Scaled;
use crate::simd::Lanes;
use crate::threads::stop;

/// A pointer that threads share.
#[derive(Clone, Copy)]
struct Shared<R>(*mut R);

// SAFETY: threads use disjoint parts, or the same rows as `Progress` orders them.
unsafe impl<R> Sync for Shared<R> {}

impl<R> Shared<R> {
    fn at(self, index: usize) -> *mut R {
        self.0.wrapping_add(index)
    }
}

impl Job<'_> {
    /// Sweeps forward alone and returns a(N,M).
    pub(super) fn value_by_many<V, T, const L: usize, const S: usize>(
        self,
        lanes: V,
        grid: Grid,
        tiles: &T,
        scratch: &mut SweepScratch<V::Real>,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
    {
        let columns = scratch.columns::<V, L>(grid, grid.groups(S) + 1);
        // SAFETY: a column more than groups, ours alone; nothing is kept.
        unsafe { self.forward_in_groups::<V, T, NoGather, L, S>(lanes, grid, tiles, columns, Kept::nothing()) }
    }

    /// Sweeps both ways: returns a(N,M) and hands H (or E, by the readout) to `sink`.
    pub(super) fn align_by_many<V, T, A, const L: usize, const S: usize>(
        self,
        lanes: V,
        grid: Grid,
        tiles: &mut T,
        sink: &mut A,
        scratch: &mut SweepScratch<V::Real>,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
        A: AlignmentTiles<V, L> + Sync,
    {
        let (groups, len) = (grid.groups(S), grid.boundary_len());
        let windows = self.windows(grid, S);
        let longest = (0..groups).map(|group| windows.of(group).len()).max().unwrap_or(0);
        // A group's probabilities, and a block for slots that idle.
        let group_len = (S * longest + 1) * grid.block_len();
        let kept = (self.panel_bytes / (group_len * size_of::<V::Real>())).min(groups);
        // A thread needs a place only for groups that were not kept; more threads than that have nothing to do.
        let at_most = (RECOMPUTED_BYTES / (group_len * size_of::<V::Real>())).max(1).min(groups - kept);
        let members = if kept == groups { self.team.threads } else { self.team.threads.min(at_most) };
        let places = if kept == groups { groups } else { kept + members };
        let probabilities = Shared(scratch.probabilities.reserve(places * group_len).as_mut_ptr());
        let flows = scratch.flows(grid, groups + 1);
        begin_flow(grid, &mut flows[groups * len..]);
        let flows = Shared(flows.as_mut_ptr());
        // A column left of each group and right of the last, and for each thread one to write to in vain.
        let columns = scratch.columns::<V, L>(grid, groups + 1 + members);
        let kept_from = groups - kept;
        let keep = Kept { from: kept_from, probabilities, group_len };
        // SAFETY: more than a column more than groups, and places for the groups from `kept_from` on, ours alone.
        let end = unsafe { self.forward_in_groups::<V, T, A, L, S>(lanes, grid, tiles, columns, keep) };
        let (claims, threads) = (WorkCounter::new(groups), WorkCounter::new(members));
        let progress: Vec<Progress> = (0..groups).map(|_| Progress::default()).collect();
        let (tiles, sink) = (&*tiles, &*sink);
        (self.team.run)(&|| {
            let Some(thread) = threads.claim() else { return };
            let mut tiles = tiles.for_thread();
            // SAFETY: a group is one thread's; groups take the tiles of a block one after the other, as `Progress` orders
            // them, and all have ended before the sink is used again.
            let mut sink = unsafe { sink.for_thread() };
            while stop::may_go_on()
                && let Some(claimed) = claims.claim()
            {
                let group = groups - 1 - claimed;
                let _guard = PanicGuard(&progress[group]);
                let stripes = group * S..(group + 1) * S;
                // SAFETY: the place is this group's or this thread's, and holds what the forward sweep kept of the group.
                // The column right of it is this thread's, the one left of it is read by this group alone, and the flows
                // are used by its neighbours as `Progress` orders them, the one on the left by this group alone until then.
                unsafe {
                    let place = if group >= kept_from {
                        probabilities.at((group - kept_from) * group_len)
                    } else {
                        let place = probabilities.at((kept + thread) * group_len);
                        let (left, right) = (columns.at(group), columns.at(groups + 1 + thread));
                        right.clear(grid);
                        let at =
                            ForwardRange { stripes: stripes.clone(), left, right, neighbours: Neighbours::default() };
                        self.forward_for::<V, T, A, L, S>(lanes, grid, at, &mut tiles, place);
                        place
                    };
                    std::slice::from_raw_parts_mut(flows.at(group * len), len).fill(V::Real::default());
                    let neighbours = Neighbours { before: progress.get(group + 1), own: Some(&progress[group]) };
                    let at = BackwardRange {
                        stripes,
                        right: flows.at((group + 1) * len),
                        left: flows.at(group * len),
                        neighbours,
                    };
                    self.backward::<V, A, L, S>(lanes, grid, at, place, &mut sink);
                }
            }
        });
        end
    }

    /// Sweeps forward group by group on all threads, keeping what `A` needs; column g+1 becomes the last column of group g.
    ///
    /// # Safety
    ///
    /// There is a column left of each group and right of the last, and room for what is kept; nobody else uses them.
    unsafe fn forward_in_groups<V, T, A, const L: usize, const S: usize>(
        self,
        lanes: V,
        grid: Grid,
        tiles: &T,
        columns: Columns<V::Real, V::Exponent>,
        keep: Kept<V::Real>,
    ) -> Scaled
    where
        V: Lanes<L>,
        T: CostTiles<V, L> + Sync,
        A: AlignmentTiles<V, L>,
    {
        let groups = grid.groups(S);
        let claims = WorkCounter::new(groups);
        let progress: Vec<Progress> = (0..groups).map(|_| Progress::default()).collect();
        let end = Mutex::new(Scaled::ZERO);
        // SAFETY: a column of the grid, ours alone.
        unsafe { columns.at(0).clear(grid) };
        let keep = &keep;
        (self.team.run)(&|| {
            let mut tiles = tiles.for_thread();
            while stop::may_go_on()
                && let Some(group) = claims.claim()
            {
                let _guard = PanicGuard(&progress[group]);
                let neighbours = Neighbours {
                    before: group.checked_sub(1).map(|before| &progress[before]),
                    own: Some(&progress[group]),
                };
                let stripes = group * S..(group + 1) * S;
                let at = ForwardRange { stripes, left: columns.at(group), right: columns.at(group + 1), neighbours };
                // SAFETY: the caller vouches for columns and room; a column is used by the groups beside it, as `Progress`
                // orders them, the one on the right by this group alone until it tells of progress, and a place by one group.
                let last = unsafe {
                    at.right.clear(grid);
                    if group >= keep.from {
                        let place = keep.probabilities.at((group - keep.from) * keep.group_len);
                        self.forward_for::<V, T, A, L, S>(lanes, grid, at, &mut tiles, place)
                    } else {
                        self.forward::<V, T, L, S, { kept::NOTHING }>(lanes, grid, at, &mut tiles, std::ptr::null_mut())
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

/// Probabilities of the groups from `from` on, one after the other.
struct Kept<R> {
    from: usize,
    probabilities: Shared<R>,
    group_len: usize,
}

impl<R> Kept<R> {
    fn nothing() -> Self {
        Self { from: usize::MAX, probabilities: Shared(std::ptr::null_mut()), group_len: 0 }
    }
}

#[cfg(all(test, not(feature = "model-check")))] // there, threads are those of loom
mod tests {
    use super::super::job::PANEL_BYTES;
    use super::super::job::tests::costs;
    use super::super::thread_team::ThreadTeam;
    use super::super::tiles::matrix::{MatrixAlignment, MatrixCosts};
    use super::*;
    use crate::matrix::MatrixMut;
    use crate::real::Real;
    use crate::shape::Shape;
    use crate::simd::portable::Portable;
    use crate::weights::StepWeights;

    /// The value and H of a job with these threads, with probabilities kept up to these bytes.
    fn align<V: Lanes<L>, const L: usize, const S: usize>(
        lanes: V,
        shape: Shape,
        least_shared_cells: usize,
        team: ThreadTeam<'_>,
        panel_bytes: usize,
    ) -> (f64, Vec<V::Real>) {
        let Shape { n, m } = shape;
        let costs = costs::<V::Real>(n, m, 1.0);
        let weights = StepWeights::new(0.1, 1.0, 1.0).unwrap();
        let job = Job { panel_bytes, least_shared_cells, ..Job::new(shape, 0.5, weights, team) };
        let mut h = vec![V::Real::from_f64(f64::NAN); n * m];
        let mut matrix = MatrixMut { entries: &mut h, stride: m };
        let mut tiles = MatrixCosts::new(&costs, m, shape);
        let mut sink = MatrixAlignment::new(&mut matrix, shape);
        let mut scratch = SweepScratch::default();
        let end = job.align::<_, _, _, L, S>(lanes, &mut tiles, &mut sink, &mut scratch);
        let value = job.value::<_, _, L, S>(lanes, &mut tiles, &mut scratch);
        assert_eq!(end.ln(), value.ln());
        (end.ln(), h)
    }

    /// No thread is left waiting, and the numbers are those of one thread to the bit.
    fn check<V: Lanes<L>, const L: usize, const S: usize>(
        lanes: V,
        n: usize,
        m: usize,
        least_shared_cells: usize,
        kept: usize,
    ) {
        let shape = Shape::new(n, m).unwrap();
        assert!(shape.cells() >= least_shared_cells);
        let one = align::<_, L, S>(lanes, shape, least_shared_cells, ThreadTeam::ALONE, PANEL_BYTES);
        assert!(one.1.iter().all(|h| (0.0..1.001).contains(&h.to_f64())));
        for threads in [2, 5] {
            let run = move |work: &(dyn Fn() + Sync)| {
                std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
            };
            for panel_bytes in [1, kept, PANEL_BYTES] {
                let several =
                    align::<_, L, S>(lanes, shape, least_shared_cells, ThreadTeam { threads, run: &run }, panel_bytes);
                assert!(several == one, "{n}x{m} on {threads} threads, {panel_bytes} bytes kept");
            }
        }
        let in_panels = align::<_, L, S>(lanes, shape, least_shared_cells, ThreadTeam::ALONE, 1);
        assert!(in_panels == one, "{n}x{m} in panels");
    }

    #[test]
    fn several_threads_give_the_bits_of_one() {
        for (n, m) in [(1, 17), (9, 33), (16, 100), (61, 47), (40, 160)] {
            check::<_, 8, 2>(Portable::<f32, 8>::new(), n, m, 0, 20_000);
            check::<_, 16, 2>(Portable::<f32, 16>::new(), n, m.max(33), 0, 40_000);
            check::<_, 4, 2>(Portable::<f64, 4>::new(), n, m, 0, 20_000);
            check::<_, 8, 2>(Portable::<f64, 8>::new(), n, m, 0, 40_000);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn several_threads_give_the_bits_of_one_on_a_large_pair() {
        if let Some(lanes) = crate::simd::avx2::Avx2::<f32>::detect() {
            check::<_, 8, 4>(lanes, 3001, 700, super::super::job::LEAST_SHARED_CELLS, 4 << 20);
        }
    }
}
