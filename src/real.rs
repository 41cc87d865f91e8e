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
    /// Tells if this is 0, of either sign.
    fn is_zero(self) -> bool;
    /// The slice itself if R is this type.
    fn cast<R: Real>(slice: &[Self]) -> Option<&[R]>;
    /// The slice itself if R is this type.
    fn cast_mut<R: Real>(slice: &mut [Self]) -> Option<&mut [R]>;
    /// The slice itself if this is float32.
    fn of_f32(slice: &[f32]) -> Option<&[Self]>;
    /// The slice itself if this is float32.
    fn of_f32_mut(slice: &mut [f32]) -> Option<&mut [Self]>;
    /// The slice itself if this is float64.
    fn of_f64(slice: &[f64]) -> Option<&[Self]>;
    /// The slice itself if this is float64.
    fn of_f64_mut(slice: &mut [f64]) -> Option<&mut [Self]>;
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
    fn cast<R: Real>(slice: &[Self]) -> Option<&[R]> {
        R::of_f32(slice)
    }
    fn cast_mut<R: Real>(slice: &mut [Self]) -> Option<&mut [R]> {
        R::of_f32_mut(slice)
    }
    fn of_f32(slice: &[f32]) -> Option<&[Self]> {
        Some(slice)
    }
    fn of_f32_mut(slice: &mut [f32]) -> Option<&mut [Self]> {
        Some(slice)
    }
    fn of_f64(_: &[f64]) -> Option<&[Self]> {
        None
    }
    fn of_f64_mut(_: &mut [f64]) -> Option<&mut [Self]> {
        None
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
    fn cast<R: Real>(slice: &[Self]) -> Option<&[R]> {
        R::of_f64(slice)
    }
    fn cast_mut<R: Real>(slice: &mut [Self]) -> Option<&mut [R]> {
        R::of_f64_mut(slice)
    }
    fn of_f32(_: &[f32]) -> Option<&[Self]> {
        None
    }
    fn of_f32_mut(_: &mut [f32]) -> Option<&mut [Self]> {
        None
    }
    fn of_f64(slice: &[f64]) -> Option<&[Self]> {
        Some(slice)
    }
    fn of_f64_mut(slice: &mut [f64]) -> Option<&mut [Self]> {
        Some(slice)
    }
}
