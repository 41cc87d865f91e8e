//! AVX-512: sixteen lanes of float32, eight of float64.

mod float32;
mod float64;

use std::marker::PhantomData;

use super::Work;

/// Proof that the machine has AVX-512F and AVX-512DQ; lanes of the numbers `R`.
#[derive(Clone, Copy)]
pub struct Avx512<R>(PhantomData<R>);

impl<R> Avx512<R> {
    /// Makes the token, where the machine has the instructions.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")).then_some(Self(PhantomData))
    }

    /// Does the work in a function that enables the instructions.
    fn enable<W: Work>(self, work: W) -> W::Output {
        #[target_feature(enable = "avx512f,avx512dq")]
        #[inline(never)]
        fn enabled<W: Work>(work: W) -> W::Output {
            work.run()
        }
        // SAFETY: the machine has the instructions, or there would be no token.
        unsafe { enabled(work) }
    }
}
