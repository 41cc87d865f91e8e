//! The sweeps of a pair along a direction, on one thread and within a bound on memory.
//!
//! As in [`super::super::alone`], all is kept for a panel of stripes at a time: probabilities and their changes. D' needs
//! the probabilities, so that each panel is kept on the way forward too.

use super::super::backward::begin_flow;
use super::super::forward::{Boundary, ForwardRange};
use super::super::job::{Job, SweepScratch};
use super::super::thread_team::Neighbours;
use super::super::tiles::CostTiles;
use super::super::{AlignedBuffer, Grid, kept};
use super::SLOTS;
use super::backward::{BackwardTangent, Readout, Takers, TangentSums, close_last_row};
use super::forward::{ForwardTangent, LaneDirection};
use crate::kernel::tangent::Tangent;
use crate::scaled::Scaled;
use crate::simd::Lanes;

/// Memory that sweeps reuse; any contents will do.
#[derive(Default)]
pub struct TangentSweepScratch {
    sweep: SweepScratch<f64>,
    changes: AlignedBuffer<f64>,
    /// Columns of D': the one that moves, and one left of each panel but the first.
    accumulated: Vec<f64>,
    flows: [Vec<f64>; 2],
}

impl Job<'_> {
    /// Sweeps over a pair along a direction: returns a(N,M) and the changes, of which those of H go to `takers`. The readout
    /// of the job is not read. `S` are the slots of the forward sweep.
    pub(super) fn tangent<V, T, const L: usize, const S: usize>(
        self,
        lanes: V,
        tiles: &mut T,
        direction: &mut LaneDirection<'_, V, L>,
        (gradient, wants_sums): (f64, bool),
        takers: &mut Takers<'_, V, L>,
        scratch: &mut TangentSweepScratch,
    ) -> (Scaled, Tangent)
    where
        V: Lanes<L, Real = f64>,
        T: CostTiles<V, L>,
    {
        let weights_change = direction.weights;
        let keeps_costs = wants_sums || weights_change != [0.0; 3];
        let kept = if keeps_costs { kept::COSTS } else { kept::ALL_PROBABILITIES };
        let grid = Grid { kept, ..self.grid::<V, L>(S) };
        let per_panel = Self { panel_bytes: self.panel_bytes / 2, ..self }.panel_stripes::<f64>(grid, S);
        let panels = grid.stripes.div_ceil(per_panel);
        let stripes = |panel: usize| panel * per_panel..grid.stripes.min((panel + 1) * per_panel);
        let TangentSweepScratch { sweep, changes, accumulated, flows } = scratch;
        let columns = sweep.columns::<V, L>(grid, panels);
        let moving = columns.at(0);
        let len = grid.boundary_len();
        accumulated.resize(accumulated.len().max(len * panels), 0.0);
        let (accumulated, checkpoints) = accumulated.split_at_mut(len);
        // One block more, for slots that idle.
        let needed = (per_panel * grid.blocks + 1) * grid.block_len();
        let probabilities = sweep.probabilities.reserve(needed);
        let changes = changes.reserve(needed);
        let mut forward = |panel: usize, accumulated: &mut [f64], probabilities: &mut [f64], changes: &mut [f64]| {
            let stripes = stripes(panel);
            let at = ForwardRange {
                stripes: stripes.clone(),
                left: moving,
                right: moving,
                neighbours: Neighbours::default(),
            };
            let kept = probabilities.as_mut_ptr();
            // SAFETY: the columns are of the grid, and the probabilities have room for a panel and a block; all is ours alone.
            let end = unsafe {
                if keeps_costs {
                    self.forward::<V, T, L, S, { kept::COSTS }>(lanes, grid, at, tiles, kept)
                } else {
                    self.forward::<V, T, L, S, { kept::ALL_PROBABILITIES }>(lanes, grid, at, tiles, kept)
                }
            };
            let unused = stripes.len() * grid.blocks * grid.block_len();
            probabilities[unused..][..grid.block_len()].fill(0.0);
            let change = lanes.outline(ForwardTangent::<_, L, SLOTS> {
                lanes,
                grid,
                stripes: stripes.clone(),
                column: accumulated,
                probabilities,
                changes: &mut *changes,
                direction: &mut *direction,
                gamma: self.gamma,
                weights: self.weights,
            });
            changes[unused..][..grid.block_len()].fill(0.0);
            close_last_row(grid, stripes, probabilities, changes);
            (end, change)
        };
        // A copy of a column, or the one left of the first stripe.
        let place = |from: Option<Boundary<_, _>>, to: Boundary<_, _>| {
            // SAFETY: columns of the grid, which are ours alone.
            unsafe {
                match from {
                    None => to.clear(grid),
                    Some(from) => {
                        std::ptr::copy_nonoverlapping(from.mantissa, to.mantissa, len);
                        std::ptr::copy_nonoverlapping(from.exponent, to.exponent, len);
                    }
                }
            }
        };
        place(None, moving);
        accumulated.fill(0.0);
        let (mut end, mut value) = (Scaled::ZERO, 0.0);
        for panel in 0..panels {
            if panel > 0 {
                place(Some(moving), columns.at(panel));
                checkpoints[(panel - 1) * len..][..len].copy_from_slice(accumulated);
            }
            (end, value) = forward(panel, accumulated, probabilities, changes);
        }
        for flow in &mut *flows {
            flow.clear();
            flow.resize(len, 0.0);
        }
        begin_flow(grid, &mut flows[0]);
        let mut sums = TangentSums::default();
        let [flow, flow_change] = flows;
        for panel in (0..panels).rev() {
            if panel + 1 < panels {
                if panel > 0 {
                    place(Some(columns.at(panel)), moving);
                    accumulated.copy_from_slice(&checkpoints[(panel - 1) * len..][..len]);
                } else {
                    place(None, moving);
                    accumulated.fill(0.0);
                }
                forward(panel, accumulated, probabilities, changes);
            }
            lanes.outline(BackwardTangent::<_, L, SLOTS> {
                lanes,
                grid,
                stripes: stripes(panel),
                flows: [&mut *flow, &mut *flow_change],
                probabilities,
                changes,
                readout: Readout { weights: self.weights.as_array(), weights_change, gradient, sums: wants_sums },
                takers: &mut *takers,
                sums: &mut sums,
            });
        }
        let TangentSums { gamma_grad, step_weights_grad } = sums;
        (end, Tangent { value, gamma_grad, step_weights_grad })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::dispatch::{InstructionSet, OnLanes};
    use super::super::super::job::PANEL_BYTES;
    use super::super::super::job::tests::costs;
    use super::super::super::thread_team::ThreadTeam;
    use super::super::pair::{TangentCosts, TangentLanesScratch, TangentOfPair};
    use super::*;
    use crate::cost::CostMatrix;
    use crate::kernel::rowwise::RowwiseSweep;
    use crate::kernel::tangent::{Direction, TangentScratch, TangentSweep};
    use crate::matrix::MatrixMut;
    use crate::shape::Shape;
    use crate::weights::StepWeights;

    /// A direction of costs, gamma and step weights.
    struct Along {
        costs: Option<Vec<f64>>,
        gamma: f64,
        weights: [f64; 3],
    }

    /// The results along a direction: SDTW, changes, and H' + a H.
    struct Found {
        value: f64,
        tangent: Tangent,
        changes: Vec<f64>,
    }

    /// A pair by its costs.
    struct Problem {
        costs: Vec<f64>,
        shape: Shape,
        gamma: f64,
        weights: StepWeights,
    }

    impl Problem {
        fn on_lanes(
            &self,
            set: InstructionSet,
            along: &Along,
            (gradient, wants_sums): (f64, bool),
            panel: usize,
        ) -> Found {
            let mut changes = vec![f64::NAN; self.costs.len()];
            let out = MatrixMut { entries: &mut changes, stride: self.shape.m };
            let job = Job { panel_bytes: panel, ..Job::new(self.shape, self.gamma, self.weights, ThreadTeam::ALONE) };
            let direction = along.costs.as_deref();
            let costs = TangentCosts::Matrix { costs: &self.costs, direction, stride: self.shape.m, out };
            let scratch = &mut TangentLanesScratch::default();
            let (gamma, weights) = (along.gamma, along.weights);
            let (end, tangent) =
                f64::run_on(set, TangentOfPair { job, costs, gamma, weights, gradient, wants_sums, scratch });
            Found { value: -self.gamma * end.ln(), tangent, changes }
        }

        fn by_rows(&self, along: &Along, gradient: f64) -> Found {
            let (m, zeros) = (self.shape.m, vec![0.0; self.costs.len()]);
            let matrix = CostMatrix { costs: &self.costs, stride: m };
            let direction = CostMatrix { costs: along.costs.as_ref().unwrap_or(&zeros), stride: m };
            let at = RowwiseSweep {
                costs: &matrix,
                shape: self.shape,
                band: None,
                gamma: self.gamma,
                weights: self.weights,
            };
            let direction = Direction { costs: &direction, gamma: along.gamma, weights: along.weights, gradient };
            let mut changes = vec![0.0; self.costs.len()];
            let mut take_row = |n: usize, [row, _]: [&[f64]; 2]| changes[n * m..][..m].copy_from_slice(row);
            let (value, tangent) =
                TangentSweep { at, direction }.run(&mut TangentScratch::default(), &mut take_row).unwrap();
            Found { value, tangent, changes }
        }
    }

    fn numbers(seed: usize, count: usize, scale: f64) -> Vec<f64> {
        costs::<f64>(seed, count, 1.0).into_iter().take(count).map(|x| scale * (x - 1.0)).collect()
    }

    fn directions(cells: usize) -> Vec<Along> {
        vec![
            Along { costs: Some(numbers(2, cells, 1.0)), gamma: 0.0, weights: [0.0; 3] },
            Along { costs: None, gamma: -0.7, weights: [0.0; 3] },
            Along { costs: None, gamma: 0.0, weights: [0.3, -1.0, 0.4] },
            Along { costs: Some(numbers(3, cells, 2.0)), gamma: 0.2, weights: [-0.1, 0.5, 0.2] },
        ]
    }

    fn sets() -> impl Iterator<Item = InstructionSet> {
        InstructionSet::ALL.iter().map(|&(_, set)| set).filter(|set| set.is_available())
    }

    fn problem(n: usize, m: usize, gamma: f64, scale: f32, weights: (f64, f64, f64)) -> Problem {
        let weights = StepWeights::new(weights.0, weights.1, weights.2).unwrap();
        Problem { costs: costs::<f64>(n, m, scale), shape: Shape::new(n, m).unwrap(), gamma, weights }
    }

    /// Compares lanes with rows. Both round D' and what a path has of C', so the errors grow with the greatest D' over
    /// gamma: `size` of C' (or C, or gamma) along a path.
    fn check(problem: &Problem, set: InstructionSet, along: &Along, panel: usize) {
        let Problem { costs, shape, gamma, weights } = problem;
        let top = |numbers: &[f64]| numbers.iter().fold(0.0, |top: f64, x| top.max(x.abs()));
        let frames = (shape.n + shape.m) as f64;
        let of_weights = top(&along.weights) * top(costs);
        let weight = top(&weights.as_array());
        let size = weight * along.costs.as_deref().map_or(0.0, top) + of_weights + 2.0 * along.gamma.abs();
        // D' in units of gamma, with which p' and H' grow.
        let scale = 1.0 + frames * size / gamma;
        for (gradient, wants_sums) in [(0.6, true), (0.0, false)] {
            let truth = problem.by_rows(along, gradient);
            let found = problem.on_lanes(set, along, (gradient, wants_sums), panel);
            let told = format!("{set:?} {shape:?} g={gamma} w={weights:?} panel={panel} a={gradient}");
            let close = |name: &str, got: f64, expected: f64, size: f64| {
                assert!((got - expected).abs() <= 1e-13 * size, "{told} {name}: {got} {expected}, {size}");
            };
            close("value", found.value, truth.value, truth.value.abs() + gamma * frames);
            close("change", found.tangent.value, truth.tangent.value, frames * size);
            for (got, expected) in found.changes.iter().zip(&truth.changes) {
                close("H'", *got, *expected, (weight + top(&along.weights)) * scale);
            }
            if wants_sums {
                let sums = found.tangent.step_weights_grad.iter().zip(truth.tangent.step_weights_grad);
                for (got, expected) in sums {
                    close("step weights", *got, expected, frames * (top(costs) + size) * scale);
                }
                close("gamma", found.tangent.gamma_grad, truth.tangent.gamma_grad, 10.0 * frames * scale);
            }
        }
    }

    #[test]
    fn lanes_follow_directions_as_rows_do() {
        // Every residue of N and M by 16, in one group of stripes and in several.
        let shapes = (1..=16)
            .map(|k| (k, 17 - k))
            .chain((1..=16).step_by(5).map(|k| (24 + k, 60 + 7 * k % 16)))
            .chain([(3, 40), (70, 5), (1, 30), (30, 1)]);
        for (n, m) in shapes {
            for (weights, gamma, scale) in [
                ((1.0, 1.0, 1.0), 1.0, 1.0),
                ((0.1, 1.0, 1.0), 0.01, 1.0),
                ((0.3, 1.0, 2.0), 100.0, 1.0),
                ((0.0, 2.0, 0.7), 0.3, 1.0),
            ] {
                let problem = problem(n, m, gamma, scale, weights);
                for (index, along) in directions(n * m).into_iter().enumerate() {
                    for set in sets() {
                        let panel = if (n + index).is_multiple_of(2) { PANEL_BYTES } else { 1 };
                        check(&problem, set, &along, panel);
                    }
                }
            }
        }
    }

    #[test]
    fn lanes_follow_directions_where_costs_are_large() {
        for gamma in [1e-3, 1e-6] {
            let problem = problem(43, 58, gamma, 1.0, (0.1, 1.0, 1.0));
            for along in directions(43 * 58) {
                for set in sets() {
                    check(&problem, set, &along, PANEL_BYTES);
                }
            }
        }
    }

    #[test]
    fn the_hessian_on_lanes_is_symmetric_and_linear_and_nothing_comes_of_nothing() {
        let (n, m) = (51, 38);
        for scale in [1.0f32, 1e4, 1e6] {
            let problem = problem(n, m, 0.5, scale, (0.4, 1.0, 1.3));
            let dot = |along: &Along, found: &Found| {
                let of_costs: f64 = along.costs.iter().flatten().zip(&found.changes).map(|(a, b)| a * b).sum();
                let of_weights: f64 =
                    along.weights.iter().zip(found.tangent.step_weights_grad).map(|(a, b)| a * b).sum();
                of_costs + of_weights + along.gamma * found.tangent.gamma_grad
            };
            let norm = |found: &Found| found.changes.iter().map(|x| x.abs()).sum::<f64>();
            for set in sets() {
                let all = directions(n * m);
                let run = |along: &Along| problem.on_lanes(set, along, (0.0, true), PANEL_BYTES);
                let found: Vec<_> = all.iter().map(run).collect();
                for (u, of_u) in all.iter().zip(&found) {
                    for (v, of_v) in all.iter().zip(&found) {
                        let (a, b) = (dot(u, of_v), dot(v, of_u));
                        let size = a.abs() + norm(of_u) + norm(of_v);
                        assert!((a - b).abs() <= 1e-9 * f64::from(scale) * size, "{set:?} {scale}: {a} {b}");
                    }
                }
                let nothing = run(&Along { costs: None, gamma: 0.0, weights: [0.0; 3] });
                assert!(nothing.tangent == Tangent::default() && nothing.changes.iter().all(|&change| change == 0.0));
                let twice =
                    run(&Along { costs: all[0].costs.as_ref().map(|c| c.iter().map(|c| 2.0 * c).collect()), ..all[1] });
                for (k, twice) in twice.changes.iter().enumerate() {
                    let sum = 2.0 * found[0].changes[k] + found[1].changes[k];
                    assert!((twice - sum).abs() <= 1e-10 * f64::from(scale), "{set:?}: {twice} {sum}");
                }
            }
        }
    }
}
