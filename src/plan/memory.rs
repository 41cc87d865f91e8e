//! Memory that is asked for before it is taken, so that there is an error instead of an abort.

use crate::error::Error;
use crate::real::Real;

/// Asks for memory while it is still possible to say no; the error tells how much.
pub(super) fn ask_for_memory(bytes: usize) -> Result<(), Error> {
    let worth_asking = 16 << 20;
    if bytes > worth_asking && Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        return Err(Error::Memory { bytes });
    }
    Ok(())
}

/// Makes as many zeros, if memory for them can be had.
pub fn zeros<F: Real>(count: usize) -> Result<Vec<F>, Error> {
    ask_for_memory(count.saturating_mul(size_of::<F>()))?;
    Ok(vec![F::default(); count])
}
