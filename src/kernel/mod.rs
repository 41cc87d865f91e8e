//! Sweeps over the cost matrix.

pub mod frame_synchronous;
pub mod hard;
pub mod rowwise;
pub mod tangent;
pub mod wavefront;

/// Sums over all cells that a backward sweep makes on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// S = -sum E (p_h log p_h + p_v log p_v + p_d log p_d), the entropy of the distribution of paths.
    pub entropy: f64,
    /// dSDTW/dw = sum C E p for the horizontal, vertical and diagonal step.
    pub step_weights_grad: [f64; 3],
}

impl Moments {
    /// Adds the sums of other cells.
    pub fn plus(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.step_weights_grad, other.step_weights_grad);
        Self { entropy: self.entropy + other.entropy, step_weights_grad: [a + d, b + e, c + f] }
    }
}
