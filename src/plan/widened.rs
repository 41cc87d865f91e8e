//! float32 inputs on lanes of float64, where those of float32 are not exact enough.

use super::lanes::{self, LanesScratch, OfLanes};
use super::memory::zeros;
use super::pair::{Pair, Recursion};
use crate::cost::WeightedCost;
use crate::error::Error;
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::matrix::MatrixMut;
use crate::readout::Outputs;
use crate::shape::Shape;

/// Aligns a pair; `None` if it takes the slow path.
pub fn align_pair(
    pair: Pair<'_, f32>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, f32>,
    team: ThreadTeam<'_>,
    scratch: &mut LanesScratch<f64>,
) -> Result<Option<OfLanes>, Error> {
    let Pair { shape, d, .. } = pair;
    let (x, y) = (widened(pair.x)?, widened(pair.y)?);
    let pair = Pair { x: &x, y: &y, shape, d };
    let mut wide = Wide::new(outputs, shape)?;
    let result = lanes::align_pair(pair, cost, recursion, &mut wide.outputs(outputs, shape), team, scratch)?;
    Ok(result.ok().inspect(|_| wide.write(outputs, shape)))
}

/// Aligns by a cost matrix; `None` if it takes the slow path.
pub fn align_costs(
    costs: &[f32],
    stride: usize,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, f32>,
    team: ThreadTeam<'_>,
    scratch: &mut LanesScratch<f64>,
) -> Result<Option<OfLanes>, Error> {
    let costs = widened(costs)?;
    let mut wide = Wide::new(outputs, shape)?;
    let mut to = wide.outputs(outputs, shape);
    let result = lanes::align_costs(&costs, stride, shape, recursion, &mut to, team, scratch)?;
    Ok(result.ok().inspect(|_| wide.write(outputs, shape)))
}

fn widened(from: &[f32]) -> Result<Vec<f64>, Error> {
    let mut to = zeros(from.len())?;
    for (to, &from) in to.iter_mut().zip(from) {
        *to = f64::from(from);
    }
    Ok(to)
}

/// The outputs that are asked for, in float64.
struct Wide {
    h: Option<Vec<f64>>,
    y_mod: Option<Vec<f64>>,
    x_grad: Option<Vec<f64>>,
    y_grad: Option<Vec<f64>>,
    soft_alignment: Option<Vec<f64>>,
    visits: Option<Vec<f64>>,
}

impl Wide {
    fn new(of: &Outputs<'_, f32>, shape: Shape) -> Result<Self, Error> {
        let like = |slice: &Option<&mut [f32]>| slice.as_ref().map(|slice| zeros(slice.len())).transpose();
        let matrix = |matrix: &Option<MatrixMut<'_, f32>>| matrix.as_ref().map(|_| zeros(shape.cells())).transpose();
        Ok(Self {
            h: like(&of.h)?,
            y_mod: like(&of.y_mod)?,
            x_grad: like(&of.x_grad)?,
            y_grad: like(&of.y_grad)?,
            soft_alignment: matrix(&of.soft_alignment)?,
            visits: matrix(&of.visits)?,
        })
    }

    /// Returns memory in float64 for the outputs that `of` asks for.
    fn outputs<'a>(&'a mut self, of: &Outputs<'_, f32>, shape: Shape) -> Outputs<'a, f64> {
        let matrix = |entries| MatrixMut { entries, stride: shape.m };
        Outputs {
            h: self.h.as_deref_mut(),
            y_mod: self.y_mod.as_deref_mut(),
            x_grad: self.x_grad.as_deref_mut(),
            y_grad: self.y_grad.as_deref_mut(),
            soft_alignment: self.soft_alignment.as_deref_mut().map(matrix),
            visits: self.visits.as_deref_mut().map(matrix),
            moments: of.moments,
            entropy: of.entropy,
            path: of.path,
        }
    }

    fn write(&self, to: &mut Outputs<'_, f32>, shape: Shape) {
        for (from, to) in [
            (&self.h, &mut to.h),
            (&self.y_mod, &mut to.y_mod),
            (&self.x_grad, &mut to.x_grad),
            (&self.y_grad, &mut to.y_grad),
        ] {
            if let (Some(from), Some(to)) = (from, to) {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = from as f32;
                }
            }
        }
        for (from, to) in [(&self.soft_alignment, &mut to.soft_alignment), (&self.visits, &mut to.visits)] {
            if let (Some(from), Some(to)) = (from, to) {
                for (n, row) in from.chunks_exact(shape.m).enumerate() {
                    to.write_row(n, row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PairScratch, align_pair};
    use super::*;
    use crate::cost::Cost;
    use crate::weights::StepWeights;

    #[test]
    fn float32_beyond_its_lanes_gives_float64_rounded() {
        let (shape, d) = (Shape::new(23, 31).unwrap(), 9);
        let number = |k: usize| ((k * 7919) % 1009) as f32 * 0.01;
        let x: Vec<f32> = (0..shape.n * d).map(number).collect();
        let y: Vec<f32> = (0..shape.m * d).map(|k| number(k + 5)).collect();
        let (wide_x, wide_y) = (widened(&x).unwrap(), widened(&y).unwrap());
        let cost = WeightedCost::plain(Cost::Mse);
        let weights = StepWeights::new(0.1, 1.0, 1.0).unwrap();
        // Products that are rounded too much beside gamma, and exponents out of range.
        for gamma in [1e-3, 1e-5] {
            let recursion = Recursion::new(gamma, weights, None).unwrap();
            let (mut h, mut matrix) = (vec![0.0f32; shape.n], vec![0.0f32; shape.cells()]);
            let mut outputs = Outputs {
                h: Some(&mut h),
                soft_alignment: Some(MatrixMut { entries: &mut matrix, stride: shape.m }),
                ..Outputs::default()
            };
            let pair = Pair { x: &x, y: &y, shape, d };
            let team = ThreadTeam::ALONE;
            let scratch = &mut PairScratch::default();
            let got = align_pair(pair, &cost, &recursion, &mut outputs, team, scratch).unwrap();
            let (mut wide_h, mut wide_matrix) = (vec![0.0; shape.n], vec![0.0; shape.cells()]);
            let mut outputs = Outputs {
                h: Some(&mut wide_h),
                soft_alignment: Some(MatrixMut { entries: &mut wide_matrix, stride: shape.m }),
                ..Outputs::default()
            };
            let pair = Pair { x: &wide_x, y: &wide_y, shape, d };
            let wide = align_pair(pair, &cost, &recursion, &mut outputs, team, scratch).unwrap();
            assert_eq!(got.value, wide.value);
            assert!(h.iter().zip(&wide_h).all(|(h, wide)| *h == *wide as f32));
            assert!(matrix.iter().zip(&wide_matrix).all(|(h, wide)| *h == *wide as f32));
        }
    }
}
