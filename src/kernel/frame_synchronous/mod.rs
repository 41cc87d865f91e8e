//! Losses whose every step advances one frame: connectionist temporal classification (CTC) and the forward-sum.
//!
//! # The recursion
//!
//! Between the L labels of an item stand L+1 blanks. With x(t,k) the score of class k at frame t (a log-probability, or a
//! logit), y_j = exp(x(t, label j) / gamma) and y_b the same of the blank, frame after frame
//!
//! ```text
//! b(j) <- y_b (b(j) + s(j-1))                       blank j, which stands before label j
//! s(j) <- y_j (s(j) + b(j) + [labels differ] s(j-1))
//! value = -gamma log(s(L-1) + b(L))
//! ```
//!
//! (The forward-sum knows labels alone: s(j) <- y_j (s(j) + s(j-1)), and ends at s(L-1).) No state depends on another of its
//! frame, so lanes run over j and frames follow each other. Labels and blanks lie in arrays of their own: one shift by a lane
//! serves both. Each state is a mantissa and an exponent of 2 of its own; one exponent for a whole frame would underflow.
//!
//! The shares of the terms are kept, and the way back is products of them: E, the occupancy of the states, with sum 1 in each
//! frame. It is scattered into the classes, which are never expanded to one-hot rows:
//!
//! ```text
//! Y(t,k) = sum of E over the states of class k,   dvalue/dx = -Y,   dvalue/dlogits = softmax - Y
//! ```
//!
//! # Departures
//!
//! - A factor that all states of a frame share leaves the shares as they are, so logits go into the recursion as they are, and
//!   the logarithm of their sum of exponentials enters the value alone, in float64.
//! - Blanks may be dearer, by a penalty or a weight ([`settings`]): then H = dvalue/dC is no longer E for them.
//! - Scores are held above some least one, which so stands for -inf; [`range`] says when the result is one all the same.
//! - A share is the quotient of float32 with a step of refinement; of a sum's terms the last share is what the others leave,
//!   so that no occupancy is lost on the way.
//! - Beyond a size of the shares the forward sweep runs twice, the second time a segment of frames at a time ([`item`]).

mod ahead;
mod backward;
mod blank;
mod factor;
mod forward;
pub mod graph;
pub mod item;
mod lens;
pub mod outputs;
pub mod range;
pub mod settings;
mod softmax;
mod state;
