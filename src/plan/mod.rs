//! One pair from sequences (or a cost matrix) to results.
//!
//! [`route`] decides between the fast path, on [`lanes`] of the precision of the inputs, and the slow path, [`rowwise`] in
//! float64; numbers beyond the exponents of that go to [`beyond_range`]. float32 inputs that lanes of float32 do not serve
//! exactly enough are [`widened`] and take those of float64. At gamma = 0 pairs go by [`hard`], and so does the path of any.
//! [`tangent`] follows a pair along a direction; [`frame_synchronous`] runs items of CTC and forward-sum.

mod beyond_range;
pub mod frame_synchronous;
mod hard;
mod lanes;
mod memory;
mod pair;
pub mod route;
mod rowwise;
pub mod tangent;
mod widened;

pub use memory::zeros;
pub use pair::{Alignment, Pair, Recursion};

use self::hard::HardScratch;
use self::lanes::{LanesScratch, OfLanes};
use self::rowwise::RowsScratch;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::cost::{CostMatrix, WeightedCost};
use crate::error::Error;
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
    hard: HardScratch,
}

impl PairScratch {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.float32.bytes() + self.float64.bytes() + self.rowwise.bytes() + self.hard.bytes()
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
    if recursion.gamma == 0.0 {
        return hard::align_pair(pair, cost, recursion, outputs, scratch);
    }
    let alignment = soft_pair(pair, cost, recursion, outputs, team, scratch)?;
    let path = if outputs.path { hard::path_of_pair(pair, cost, recursion, scratch)? } else { None };
    Ok(Alignment { path, ..alignment })
}

/// Aligns two sequences at gamma > 0.
fn soft_pair<F: Real>(
    pair: Pair<'_, F>,
    cost: &WeightedCost,
    recursion: &Recursion,
    outputs: &mut Outputs<'_, F>,
    team: ThreadTeam<'_>,
    scratch: &mut PairScratch,
) -> Result<Alignment, Error> {
    let Pair { x, y, shape, d } = pair;
    if let Some(result) = pair_on_lanes(pair, cost, recursion, outputs, team, scratch)? {
        return Ok(result.into());
    }
    if cost.cost.has_modified_targets() {
        let form = InnerProduct::new(cost, x, y, d);
        let features = Features::InnerProduct { form: &form, cost, x, y, d };
        rowwise::align(&form, features, shape, recursion, outputs, &mut scratch.rowwise)
    } else {
        let distance = Distance::new(cost, x, y, d);
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
    if recursion.gamma == 0.0 {
        return hard::align_costs(costs, shape, recursion, outputs, scratch);
    }
    let alignment = match costs_on_lanes(costs, shape, recursion, outputs, team, scratch)? {
        Some(result) => result.into(),
        None => rowwise::align(&costs, Features::None, shape, recursion, outputs, &mut scratch.rowwise)?,
    };
    let path = if outputs.path { hard::path_of_costs(costs, shape, recursion, scratch)? } else { None };
    Ok(Alignment { path, ..alignment })
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

impl From<OfLanes> for Alignment {
    fn from(OfLanes { value, entropy, moments }: OfLanes) -> Self {
        Self { value, moments, entropy, path: None }
    }
}
