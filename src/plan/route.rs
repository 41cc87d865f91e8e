//! The route of a pair at gamma > 0: by the fast path, on lanes of its precision, or for one of the reasons of [`SlowPath`] by another:
//! float32 that is not exact enough by lanes of float64, the rest row by row in float64.

use crate::kernel::wavefront::dispatch::InstructionSet;
use crate::kernel::wavefront::fits;
use crate::kernel::wavefront::tiles::few_features;
use crate::readout::Outputs;
use crate::shape::Shape;
use crate::simd::Number;

use super::pair::Recursion;

/// A reason why a pair does not take the fast path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowPath {
    /// An entropy so small that rounding shows in it.
    SmallEntropy,
    /// Rows of H that may be too small to be shown in this precision.
    SmallRows,
    /// No lanes: the machine has none, or none were wanted.
    NoLanes,
    /// Costs that are NaN or -inf, or frames that are not finite.
    NotFinite,
    /// Frames that are not finite, or beyond what the functions on lanes of this precision are for.
    Frames,
    /// Costs over gamma beyond the exponents.
    Range,
    /// A squared cost whose products would be rounded too much beside gamma.
    Rounding,
}

impl SlowPath {
    /// Tells if lanes of greater precision may serve.
    pub fn is_of_precision(self) -> bool {
        matches!(self, Self::SmallEntropy | Self::SmallRows | Self::Frames | Self::Range | Self::Rounding)
    }
}

/// H is exact to about 1e-6 in float32 and 1e-14 in float64, so the rows of H~ are as exact as h(n) is large; it is at least
/// the least step weight. With less than this in float32, and a tenth of it in float64, what shows rows takes another path.
/// Gradients, sums of the same order as H, do not suffer.
const LEAST_WEIGHT_OF_TARGETS: f64 = 0.01;

/// The rounding of a squared cost over gamma above which it takes another path: by products, the cost is the difference of
/// larger numbers. A few features are subtracted first and do not cancel.
const LARGEST_ROUNDING: f64 = 5e-3;

/// Chooses the lanes for a pair from what is asked for, or gives the reason for the slow path.
pub fn by_request<R: Number>(recursion: &Recursion, outputs: &Outputs<'_, R>) -> Result<InstructionSet, SlowPath> {
    let least_shown = if R::ROUNDING > f64::ROUNDING { LEAST_WEIGHT_OF_TARGETS } else { 0.1 * LEAST_WEIGHT_OF_TARGETS };
    let least_weight = recursion.weights.as_array().into_iter().fold(f64::INFINITY, f64::min);
    // The entropy takes the path of the rows beside which it is asked for, alone too: one number, one path.
    let shows_rows =
        outputs.h.is_some() || outputs.soft_alignment.is_some() || outputs.visits.is_some() || outputs.entropy;
    for (is_so, reason) in
        [((outputs.y_mod.is_some() || shows_rows) && least_weight < least_shown, SlowPath::SmallRows)]
    {
        if is_so {
            return Err(reason);
        }
    }
    InstructionSet::chosen().ok_or(SlowPath::NoLanes)
}

/// Lets a pair whose costs are at most `largest` in size pass, or gives the reason for the slow path. `products_of` is the
/// number of features of a squared cost that is made by products; `is_masked` tells if cells are forbidden.
pub fn by_size_of_costs<R: Number>(
    largest: f64,
    products_of: Option<usize>,
    is_masked: bool,
    shape: Shape,
    recursion: &Recursion,
) -> Result<(), SlowPath> {
    if !largest.is_finite() {
        return Err(SlowPath::NotFinite);
    }
    if !fits::<R>(largest, shape, recursion.gamma, recursion.weights, is_masked) {
        return Err(SlowPath::Range);
    }
    let cancels = products_of.is_some_and(|d| d > few_features::MOST_FEATURES);
    if cancels && largest * R::ROUNDING / recursion.gamma > LARGEST_ROUNDING {
        return Err(SlowPath::Rounding);
    }
    Ok(())
}

/// Lets a distance pass whose largest cost is a sum of squares, or gives the reason for lanes of greater precision: squares
/// leave the range of numbers long before the distances do. What is lost of small ones is to be nothing beside gamma.
pub fn by_size_of_squares<R: Number>(largest: f64, recursion: &Recursion) -> Result<(), SlowPath> {
    let is_in_range = largest * R::LEAST_SQUARED < 1.0 && recursion.gamma * R::ROUNDING > R::LEAST_SQUARED;
    if largest.is_finite() && !is_in_range { Err(SlowPath::Range) } else { Ok(()) }
}

/// The entropy of a frame (N + M of them) below which float32 does not give it to 1e-5: what rounding takes off the path
/// has entropies of its own.
const LEAST_ENTROPY: f64 = 0.01;

/// Lets the entropy of a pair pass that is asked for exactly, or gives the reason for lanes of greater precision.
pub fn by_entropy<R: Number>(entropy: f64, Shape { n, m }: Shape, outputs: &Outputs<'_, R>) -> Result<(), SlowPath> {
    let is_small = R::ROUNDING > f64::ROUNDING && entropy < LEAST_ENTROPY * (n + m) as f64;
    if outputs.moments && is_small { Err(SlowPath::SmallEntropy) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::band::Band;
    use crate::weights::StepWeights;

    fn recursion(gamma: f64, weights: StepWeights) -> Recursion {
        Recursion::new(gamma, weights, None).unwrap()
    }

    #[test]
    fn each_request_that_lanes_do_not_serve_has_its_reason() {
        let unit = recursion(1.0, StepWeights::UNIT);
        let reason = |recursion: &Recursion, outputs: Outputs<'_, f32>| by_request(recursion, &outputs).err();
        let banded = Recursion { band: Some(Band::SakoeChiba { radius: 3.0 }), ..unit.clone() };
        assert_eq!(reason(&banded, Outputs::default()), reason(&unit, Outputs::default()));
        let shape = Shape { n: 10, m: 10 };
        let moments = Outputs::<f32> { moments: true, ..Outputs::default() };
        assert_eq!(by_entropy(0.1, shape, &moments), Err(SlowPath::SmallEntropy));
        assert_eq!(by_entropy(1.0, shape, &moments), Ok(()));
        assert_eq!(by_entropy(0.1, shape, &Outputs::<f32> { entropy: true, ..Outputs::default() }), Ok(()));
        assert_eq!(by_entropy(0.1, shape, &Outputs::<f64> { moments: true, ..Outputs::default() }), Ok(()));
        let small = recursion(1.0, StepWeights { horizontal: 1e-3, ..StepWeights::UNIT });
        assert_eq!(reason(&small, Outputs { h: Some(&mut [0.0]), ..Outputs::default() }), Some(SlowPath::SmallRows));
    }

    #[test]
    fn costs_that_are_too_large_or_no_numbers_have_their_reason() {
        let (shape, unit) = (Shape { n: 10, m: 10 }, recursion(1.0, StepWeights::UNIT));
        assert_eq!(by_size_of_costs::<f32>(1e3, None, false, shape, &unit), Ok(()));
        for largest in [f64::INFINITY, f64::NAN] {
            assert_eq!(by_size_of_costs::<f32>(largest, None, false, shape, &unit), Err(SlowPath::NotFinite));
        }
        assert_eq!(by_size_of_costs::<f32>(1e7, None, false, shape, &unit), Err(SlowPath::Range));
        assert_eq!(by_size_of_costs::<f64>(1e7, None, false, shape, &unit), Ok(()));
        assert_eq!(by_size_of_costs::<f64>(1e14, None, false, shape, &unit), Err(SlowPath::Range));
        assert_eq!(by_size_of_costs::<f32>(3e5, Some(64), false, shape, &unit), Err(SlowPath::Rounding));
        assert_eq!(by_size_of_costs::<f32>(3e5, Some(2), false, shape, &unit), Ok(()));
        assert_eq!(by_size_of_squares::<f32>(1e18, &unit), Ok(()));
        assert_eq!(by_size_of_squares::<f32>(1e19, &unit), Err(SlowPath::Range));
        assert_eq!(by_size_of_squares::<f64>(1e19, &unit), Ok(()));
        let tiny = recursion(1e-13, StepWeights::UNIT);
        assert_eq!(by_size_of_squares::<f32>(1.0, &tiny), Err(SlowPath::Range));
        assert_eq!(by_size_of_squares::<f64>(1.0, &tiny), Ok(()));
    }
}
