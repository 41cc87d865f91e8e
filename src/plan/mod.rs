//! One pair from sequences (or a cost matrix) to results.
//!
//! [`route`] decides between the fast path, on [`lanes`] of the precision of the inputs, and the slow path, [`rowwise`] in
//! float64; numbers beyond the exponents of that go to [`beyond_range`]. float32 inputs that lanes of float32 do not serve
//! exactly enough are [`widened`] and take those of float64. [`tangent`] follows a pair along a direction.

mod beyond_range;
mod lanes;
mod memory;
mod pair;
pub mod route;
mod rowwise;
pub mod tangent;
mod widened;

pub use memory::zeros;
pub use pair::{Alignment, Pair, Recursion};

use self::lanes::{LanesScratch, OfLanes};
use self::memory::ask_for_memory;
use self::rowwise::RowsScratch;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::cost::{CostMatrix, CostRows, WeightedCost};
use crate::error::Error;
use crate::kernel::hard;
use crate::kernel::wavefront::thread_team::ThreadTeam;
use crate::readout::{Features, Outputs};
use crate::real::Real;
use crate::shape::Shape;

/// Memory that pairs reuse; any contents will do.
#[derive(Default)]
pub struct PairScratch {
    float32: LanesScratch<f32>,
    float64: LanesScratch<f64>,
    rowwise: RowsScratch,
}

impl PairScratch {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.float32.bytes() + self.float64.bytes() + self.rowwise.bytes()
    }
}

/// Aligns two sequences; `team` holds the threads for a large pair.
pub fn align_pair<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut PairScratch,
) -> Result<Alignment, Error> {
    let Pair { x, y, shape, d } = pair;
    let result = pair_on_lanes(pair, cost, recursion, outputs, team, scratch)?;
    if let (Some(OfLanes { value, entropy, moments }), false) = (result, outputs.path) {
        return Ok(Alignment { value, moments, entropy, path: None });
    }
    if cost.cost.has_modified_targets() {
        let form = InnerProduct::new(cost, x, y, d);
        if let Some(result) = result {
            return with_hard_path(result, &form, shape, recursion, outputs);
        }
        let features = Features::InnerProduct { form: &form, cost, x, y, d };
        rowwise::align(&form, features, shape, recursion, outputs, &mut scratch.rowwise)
    } else {
        let distance = Distance::new(cost, x, y, d);
        if let Some(result) = result {
            return with_hard_path(result, &distance, shape, recursion, outputs);
        }
        let features = Features::Distance { distance: &distance, d };
        rowwise::align(&distance, features, shape, recursion, outputs, &mut scratch.rowwise)
    }
}

/// Aligns by a cost matrix that the caller has; `team` holds the threads for a large pair.
pub fn align_costs<F: Real>(
    costs: CostMatrix<'_, F>,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut PairScratch,
) -> Result<Alignment, Error> {
    if let Some(result) = costs_on_lanes(costs, shape, recursion, outputs, team, scratch)? {
        return with_hard_path(result, &costs, shape, recursion, outputs);
    }
    rowwise::align(&costs, Features::None, shape, recursion, outputs, &mut scratch.rowwise)
}

/// Aligns two sequences on lanes; `None` if they take the slow path.
fn pair_on_lanes<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut PairScratch,
) -> Result<Option<OfLanes>, Error> {
    if let (Some(pair), Some(mut outputs)) = (pair.cast::<f64>(), outputs.cast()) {
        return Ok(lanes::align_pair(pair, cost, recursion, &mut outputs, team, &mut scratch.float64)?.ok());
    }
    let (Some(pair), Some(mut outputs)) = (pair.cast::<f32>(), outputs.cast()) else { return Ok(None) };
    match lanes::align_pair(pair, cost, recursion, &mut outputs, team, &mut scratch.float32)? {
        Err(reason) if reason.is_of_precision() => {
            widened::align_pair(pair, cost, recursion, &mut outputs, team, &mut scratch.float64)
        }
        result => Ok(result.ok()),
    }
}

/// Aligns by a cost matrix on lanes; `None` if it takes the slow path.
fn costs_on_lanes<F: Real>(
    costs: CostMatrix<'_, F>,
    shape: Shape,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut PairScratch,
) -> Result<Option<OfLanes>, Error> {
    let stride = costs.stride;
    if let (Some(costs), Some(mut outputs)) = (F::cast::<f64>(costs.costs), outputs.cast()) {
        return Ok(lanes::align_costs(costs, stride, shape, recursion, &mut outputs, team, &mut scratch.float64)?.ok());
    }
    let (Some(costs), Some(mut outputs)) = (F::cast::<f32>(costs.costs), outputs.cast()) else { return Ok(None) };
    match lanes::align_costs(costs, stride, shape, recursion, &mut outputs, team, &mut scratch.float32)? {
        Err(reason) if reason.is_of_precision() => {
            widened::align_costs(costs, stride, shape, recursion, &mut outputs, team, &mut scratch.float64)
        }
        result => Ok(result.ok()),
    }
}

/// Completes the numbers of the fast path, which takes no bands, by the hard path where it is asked for.
fn with_hard_path<F, C: CostRows>(
    OfLanes { value, entropy, moments }: OfLanes,
    costs: &C,
    shape: Shape,
    recursion: &Recursion,
    outputs: &Outputs<'_, F>,
) -> Result<Alignment, Error> {
    if outputs.path {
        ask_for_memory(hard::bytes(shape))?;
    }
    let path = outputs.path.then(|| hard::align(costs, shape, None, recursion.weights));
    Ok(Alignment { value, moments, entropy, path })
}
