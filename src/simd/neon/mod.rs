//! NEON, which every 64-bit ARM has: two registers side by side hold eight lanes of float32, or four of float64.
//!
//! A pair of registers keeps the units of a core busy through the long chain of a step.

mod float32;
mod float64;

use std::marker::PhantomData;

use super::Work;

/// The token of lanes of the numbers `R`.
#[derive(Clone, Copy)]
pub struct Neon<R>(PhantomData<R>);

/// Two registers: the lower lanes, then the upper.
#[derive(Clone, Copy)]
pub struct Pair<T>(T, T);

impl<R> Neon<R> {
    /// Makes the token, where the machine has the instructions: everywhere, where this file is compiled.
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(PhantomData))
    }

    /// Does the work in a function of its own.
    fn enable<W: Work>(self, work: W) -> W::Output {
        #[target_feature(enable = "neon")]
        #[inline(never)]
        fn enabled<W: Work>(work: W) -> W::Output {
            work.run()
        }
        // SAFETY: the machine has the instructions, or there would be no token.
        unsafe { enabled(work) }
    }
}

/// Applies an intrinsic to the lower registers, then to the upper ones.
macro_rules! both {
    ($intrinsic:expr; $($pair:expr),+) => {
        unsafe { Pair($intrinsic($($pair.0),+), $intrinsic($($pair.1),+)) }
    };
}
use both;
