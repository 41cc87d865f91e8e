//! The alignment losses of one family: any steps, weights, penalties, entries and exits.
//!
//! Steps s = 1..S have sizes (i_s, j_s), not both 0; two steps of one size are two choices. With g = gamma:
//!
//! ```text
//! D(n,m) = min_g{ e(n,m) + w_0(n,m) C(n,m),                                   a path begins here
//!                 w_s(n,m) C(n,m) + b_s(n,m) + D(n-i_s, m-j_s)  for each s }  step s arrives here
//! value  = min_g over all cells { D(n,m) + w_x(n,m) C(n,m) + x(n,m) }         a path ends here
//! ```
//!
//! With p_s, p_0 and q the gradients of these minima,
//!
//! ```text
//! E(n,m) = q(n,m) + sum_s p_s(n+i_s, m+j_s) E(n+i_s, m+j_s)     probability that the path visits (n,m)
//! U_s = E p_s,  U_0 = E p_0                                     that it arrives by step s; that it begins here
//! H = sum_s w_s U_s + w_0 U_0 + w_x q = dvalue/dC
//! dvalue/d(b_s, e, x) = U_s, U_0, q    dvalue/d(w_s, w_0, w_x) = C U_s, C U_0, C q    dvalue/dg = -entropy
//! ```
//!
//! [`model`] says what is aligned, [`minimum`] what the minima are, [`forward`] makes rows of D, [`checkpoints`] goes back
//! over them in bounded memory, [`backward`] makes rows of E and H on the way, [`path`] the most probable path, and
//! [`align`] puts them together. `every_path` is the truth of the tests: it enumerates all paths.

pub mod align;
mod backward;
mod checkpoints;
#[cfg(test)]
mod every_path;
mod forward;
mod minimum;
pub mod model;
pub mod outputs;
pub mod parameter;
pub mod path;
#[cfg(test)]
mod tests;
