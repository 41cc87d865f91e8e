//! The hand-over between threads that share a pair, under every order in which loom lets them run.
//!
//! The sweeps are those of every pair, on portable lanes and a few tiles. What neighbours hand over by plain memory is
//! right if the bits are those of one thread; that it also happened before, as memory orders go, is seen by cells that
//! loom watches, which costs and sinks touch where their neighbours did.

use std::mem::transmute;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use loom::cell::UnsafeCell;
use loom::thread;

use super::job::tests::costs;
use super::job::{Job, PANEL_BYTES, SweepScratch};
use super::thread_team::ThreadTeam;
use super::tiles::matrix::{MatrixAlignment, MatrixCosts};
use super::tiles::{AlignmentTiles, CostTiles};
use crate::matrix::MatrixMut;
use crate::shape::Shape;
use crate::simd::portable::Portable;
use crate::weights::StepWeights;

const LANES: usize = 8;
type Tile = [[f32; LANES]; LANES];

/// A sum for each block of rows, to which all groups add one after the other.
struct BlockSums(Vec<UnsafeCell<f32>>);

// SAFETY: loom panics where two threads touch a sum and neither did so before the other.
unsafe impl Sync for BlockSums {}

impl BlockSums {
    fn new(blocks: usize) -> Self {
        Self((0..blocks).map(|_| UnsafeCell::new(0.0)).collect())
    }

    fn add(&self, block: usize, tile: &Tile) {
        let sum: f32 = tile.iter().flatten().sum();
        // SAFETY: see above; the pointer is that of a cell.
        self.0[block].with_mut(|total| unsafe { *total += sum });
    }

    fn bits(&self) -> Vec<u32> {
        // SAFETY: as above.
        self.0.iter().map(|sum| sum.with(|total| unsafe { (*total).to_bits() })).collect()
    }
}

/// Costs and a sink that add their tiles to sums, and panic at one tile.
struct Watched<'a, T> {
    tiles: T,
    sums: Option<&'a BlockSums>,
    /// Block and stripe.
    panics_at: Option<(usize, usize)>,
}

impl CostTiles<Portable<f32, LANES>, LANES> for Watched<'_, MatrixCosts<'_, f32>> {
    fn tile(&mut self, lanes: Portable<f32, LANES>, block: usize, stripe: usize) -> Tile {
        assert!(self.panics_at != Some((block, stripe)), "this tile panics");
        let tile = self.tiles.tile(lanes, block, stripe);
        if let Some(sums) = self.sums
            && block > 0
        {
            sums.add(block, &tile); // the first block is asked for before the first wait
        }
        tile
    }

    fn for_thread(&self) -> Self {
        Self { ..*self }
    }
}

impl AlignmentTiles<Portable<f32, LANES>, LANES> for Watched<'_, MatrixAlignment<'_, f32>> {
    fn take_tile(&mut self, lanes: Portable<f32, LANES>, block: usize, stripe: usize, rows: &Tile) {
        assert!(self.panics_at != Some((block, stripe)), "this tile panics");
        if let Some(sums) = self.sums {
            sums.add(block, rows);
        }
        self.tiles.take_tile(lanes, block, stripe, rows);
    }

    unsafe fn for_thread(&self) -> Self {
        // SAFETY: the caller orders the tiles.
        let tiles = unsafe { AlignmentTiles::<Portable<f32, LANES>, LANES>::for_thread(&self.tiles) };
        Self { tiles, ..*self }
    }
}

/// A pair that several threads may share, and what is watched.
#[derive(Clone, Copy)]
struct Case {
    shape: Shape,
    panel_bytes: usize,
    panics_at: Option<(usize, usize)>,
}

impl Case {
    fn new(n: usize, m: usize) -> Self {
        Self { shape: Shape::new(n, m).unwrap(), panel_bytes: PANEL_BYTES, panics_at: None }
    }

    fn job<'a>(&self, team: ThreadTeam<'a>) -> Job<'a> {
        let weights = StepWeights::new(0.1, 1.0, 0.7).unwrap();
        let new = Job::new(self.shape, 0.5, weights, team);
        Job { panel_bytes: self.panel_bytes, least_shared_cells: 0, ..new }
    }

    /// The bits of the value and of the sums of the costs, by the forward sweep alone.
    fn value<const S: usize>(self, team: ThreadTeam<'_>) -> (u64, Vec<u32>) {
        let (shape, job) = (self.shape, self.job(team));
        let costs = costs(shape.n, shape.m, 1.0);
        let sums = BlockSums::new(job.grid::<Portable<f32, LANES>, LANES>(S).blocks);
        let tiles = MatrixCosts::new(&costs, shape.m, shape);
        let mut tiles = Watched { tiles, sums: Some(&sums), panics_at: self.panics_at };
        let end = job.value::<_, _, LANES, S>(Portable::new(), &mut tiles, &mut SweepScratch::default());
        (end.ln().to_bits(), sums.bits())
    }

    /// The bits of the value, of H and of the sums of H.
    fn align<const S: usize>(self, team: ThreadTeam<'_>) -> (u64, Vec<u32>, Vec<u32>) {
        let (shape, job) = (self.shape, self.job(team));
        let costs = costs(shape.n, shape.m, 1.0);
        let mut h = vec![f32::NAN; shape.cells()];
        let mut matrix = MatrixMut { entries: &mut h, stride: shape.m };
        let sums = BlockSums::new(job.grid::<Portable<f32, LANES>, LANES>(S).blocks);
        let mut tiles = MatrixCosts::new(&costs, shape.m, shape);
        let sink = MatrixAlignment::new(&mut matrix, shape);
        let mut sink = Watched { tiles: sink, sums: Some(&sums), panics_at: self.panics_at };
        let end = job.align::<_, _, _, LANES, S>(Portable::new(), &mut tiles, &mut sink, &mut SweepScratch::default());
        let sums = sums.bits();
        (end.ln().to_bits(), h.into_iter().map(f32::to_bits).collect(), sums)
    }
}

/// Which calls for several threads get them; the others are run by the calling thread alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    All,
    /// All but the first, which is that for the forward sweep.
    Backward,
}

/// Runs work on threads of loom, and panics if it panics on one of them when all have ended.
fn with_team<R>(threads: usize, sharing: Sharing, call: impl FnOnce(ThreadTeam<'_>) -> R) -> R {
    let alone = AtomicBool::new(sharing == Sharing::Backward);
    let run = |work: &(dyn Fn() + Sync)| {
        if alone.swap(false, Ordering::Relaxed) {
            return work();
        }
        // SAFETY: all threads have ended when this closure returns.
        let work = unsafe { transmute::<&(dyn Fn() + Sync), &'static (dyn Fn() + Sync)>(work) };
        let work = move || catch_unwind(AssertUnwindSafe(work));
        let others: Vec<_> = (1..threads).map(|_| spawn(work)).collect();
        let own = work();
        let ends: Vec<_> = others.into_iter().map(|other| other.join().and_then(|end| end)).collect();
        for end in ends.into_iter().chain([own]) {
            end.unwrap_or_else(|panic| resume_unwind(panic));
        }
    };
    call(ThreadTeam { threads, run: &run })
}

/// A thread of loom with room for a sweep.
fn spawn<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> thread::JoinHandle<R> {
    let words = 1 << 14;
    thread::Builder::new().stack_size(words).spawn(work).expect("loom has threads left")
}

/// Calls `check` under all orders in which threads are stopped short at most `preemptions` times, if so bounded.
fn under_all_orders(preemptions: Option<usize>, check: impl Fn() + Clone + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.max_branches = 10_000;
    model.check(move || {
        let check = check.clone();
        spawn(check).join().unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// Checks that several threads give the value of one, and the sums in the same order.
fn check_value<const S: usize>(case: Case, threads: usize, preemptions: Option<usize>) {
    let one = Arc::new(OnceLock::new());
    under_all_orders(preemptions, move || {
        let several = with_team(threads, Sharing::All, |team| case.value::<S>(team));
        assert_eq!(&several, one.get_or_init(|| case.value::<S>(ThreadTeam::ALONE)));
    });
}

/// Checks that several threads give the value and the alignment of one, and the sums in the same order.
fn check_alignment<const S: usize>(case: Case, threads: usize, sharing: Sharing, preemptions: Option<usize>) {
    let one = Arc::new(OnceLock::new());
    under_all_orders(preemptions, move || {
        let several = with_team(threads, sharing, |team| case.align::<S>(team));
        assert_eq!(&several, one.get_or_init(|| case.align::<S>(ThreadTeam::ALONE)));
    });
}

#[test]
fn forward_sweeps_on_two_threads() {
    check_value::<1>(Case::new(8, 16), 2, None);
    check_value::<2>(Case::new(16, 32), 2, Some(2));
}

#[test]
fn forward_sweeps_on_three_threads() {
    check_value::<1>(Case::new(8, 24), 3, Some(1));
}

#[test]
fn backward_sweeps_on_two_threads() {
    check_alignment::<1>(Case::new(8, 16), 2, Sharing::Backward, Some(2));
    check_alignment::<2>(Case::new(16, 32), 2, Sharing::Backward, Some(1));
}

#[test]
fn backward_sweeps_on_three_threads() {
    check_alignment::<1>(Case::new(8, 24), 3, Sharing::Backward, Some(1));
}

#[test]
fn backward_sweeps_that_redo_the_forward_sweep() {
    check_alignment::<1>(Case { panel_bytes: 1, ..Case::new(8, 24) }, 2, Sharing::Backward, Some(1));
}

#[test]
fn both_sweeps_on_two_threads() {
    check_alignment::<1>(Case::new(8, 16), 2, Sharing::All, Some(1));
}

/// A sweep that panics on one thread ends on all of them, and the caller gets the panic.
#[test]
fn panics_leave_no_thread_waiting() {
    for at in [(1, 0), (0, 1)] {
        under_all_orders(Some(2), move || {
            let case = Case { panics_at: Some(at), ..Case::new(8, 16) };
            let value = catch_unwind(|| with_team(2, Sharing::All, |team| case.value::<1>(team)));
            assert_eq!(value.unwrap_err().downcast_ref(), Some(&"this tile panics"));
        });
        under_all_orders(Some(2), move || {
            let case = Case { panics_at: Some(at), ..Case::new(8, 16) };
            let alignment = catch_unwind(|| with_team(2, Sharing::Backward, |team| case.align::<1>(team)));
            assert_eq!(alignment.unwrap_err().downcast_ref(), Some(&"this tile panics"));
        });
    }
}
