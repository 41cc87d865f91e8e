//! Step weights of the recursion.

use crate::error::Error;

/// The three steps into a cell (n,m).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepWeights {
    /// From (n-1,m): the target frame is repeated.
    pub horizontal: f64,
    /// From (n,m-1): the target advances within one prediction frame.
    pub vertical: f64,
    /// From (n-1,m-1).
    pub diagonal: f64,
}

impl StepWeights {
    /// Every step charges the local cost once.
    pub const UNIT: Self = Self { horizontal: 1.0, vertical: 1.0, diagonal: 1.0 };

    /// Checks that all three are finite and not negative.
    pub fn new(horizontal: f64, vertical: f64, diagonal: f64) -> Result<Self, Error> {
        for (name, w) in [("horizontal", horizontal), ("vertical", vertical), ("diagonal", diagonal)] {
            if !(w.is_finite() && w >= 0.0) {
                return Err(Error::argument(
                    "step_weights",
                    format!("{name} is {w}; step weights are finite and not negative"),
                ));
            }
        }
        Ok(Self { horizontal, vertical, diagonal })
    }

    /// The weights in the order horizontal, vertical, diagonal.
    pub fn as_array(self) -> [f64; 3] {
        [self.horizontal, self.vertical, self.diagonal]
    }
}
