//! AVX2 with FMA: eight lanes of float32, four of float64.

mod float32;
mod float64;

use std::marker::PhantomData;

use super::Work;

/// Proof that the machine has AVX2 and FMA; lanes of the numbers `R`.
#[derive(Clone, Copy)]
pub struct Avx2<R>(PhantomData<R>);

impl<R> Avx2<R> {
    /// Makes the token, where the machine has the instructions.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(PhantomData))
    }

    /// Does the work in a function that enables the instructions.
    fn enable<W: Work>(self, work: W) -> W::Output {
        #[target_feature(enable = "avx2,fma")]
        #[inline(never)]
        fn enabled<W: Work>(work: W) -> W::Output {
            work.run()
        }
        // SAFETY: the machine has the instructions, or there would be no token.
        unsafe { enabled(work) }
    }
}
