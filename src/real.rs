//! The two precisions of inputs and outputs.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// `f32` or `f64`: what sequences, cost matrices and gradients are made of.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + Sum
    + Send
    + Sync
    + 'static
{
    /// Widens without loss.
    fn to_f64(self) -> f64;
    /// Rounds to nearest.
    fn from_f64(x: f64) -> Self;
    /// Whether this is 0, of either sign.
    fn is_zero(self) -> bool;
    /// The slice itself if this is float32.
    fn as_f32(slice: &[Self]) -> Option<&[f32]>;
    /// The slice itself if this is float32.
    fn as_f32_mut(slice: &mut [Self]) -> Option<&mut [f32]>;
}

impl Real for f32 {
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    fn is_zero(self) -> bool {
        self == 0.0
    }
    fn as_f32(slice: &[Self]) -> Option<&[f32]> {
        Some(slice)
    }
    fn as_f32_mut(slice: &mut [Self]) -> Option<&mut [f32]> {
        Some(slice)
    }
}

impl Real for f64 {
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }
    fn is_zero(self) -> bool {
        self == 0.0
    }
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }
    fn as_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }
}
