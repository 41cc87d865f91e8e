//! One pair from sequences (or a cost matrix) to results.
//!
//! [`route`] decides between the fast path, [`float32`] on lanes, and the slow path, [`float64`] row by row; numbers beyond
//! the exponents of that go to [`beyond_range`]. [`tangent`] follows a pair along a direction.

mod beyond_range;
mod float32;
mod float64;
mod memory;
mod pair;
pub mod route;
pub mod tangent;

pub use memory::zeros;
pub use pair::{Alignment, Pair, Recursion};

use self::float32::{Float32, Float32Scratch};
use self::float64::Float64Scratch;
use self::memory::ask_for_memory;
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
    float32: Float32Scratch,
    float64: Float64Scratch,
}

impl PairScratch {
    /// An upper estimate of what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.float32.bytes() + self.float64.bytes()
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
    if cost.cost.has_modified_targets() {
        let result = float32::align_pair(pair, cost, recursion, outputs, team, &mut scratch.float32)?;
        if let (Some(Float32 { value, entropy }), false) = (result, outputs.path) {
            return Ok(Alignment { value, moments: None, entropy, path: None });
        }
        let form = InnerProduct::new(cost, x, y, d);
        if let Some(result) = result {
            return with_hard_path(result, &form, shape, recursion, outputs);
        }
        let features = Features::InnerProduct { form: &form, cost, x, y, d };
        float64::align(&form, features, shape, recursion, outputs, &mut scratch.float64)
    } else {
        let distance = Distance::new(cost, x, y, d);
        let features = Features::Distance { distance: &distance, d };
        float64::align(&distance, features, shape, recursion, outputs, &mut scratch.float64)
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
    let CostMatrix { costs: entries, stride } = costs;
    let value = float32::align_costs(entries, stride, shape, recursion, outputs, team, &mut scratch.float32)?;
    if let Some(value) = value {
        return with_hard_path(Float32 { value, entropy: None }, &costs, shape, recursion, outputs);
    }
    float64::align(&costs, Features::None, shape, recursion, outputs, &mut scratch.float64)
}

/// Completes the numbers of the fast path, which takes no bands, by the hard path where it is asked for.
fn with_hard_path<F, C: CostRows>(
    Float32 { value, entropy }: Float32,
    costs: &C,
    shape: Shape,
    recursion: &Recursion,
    outputs: &Outputs<'_, F>,
) -> Result<Alignment, Error> {
    if outputs.path {
        ask_for_memory(hard::bytes(shape))?;
    }
    let path = outputs.path.then(|| hard::align(costs, shape, None, recursion.weights));
    Ok(Alignment { value, moments: None, entropy, path })
}
