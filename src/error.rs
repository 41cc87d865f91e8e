//! Errors as values: each message names the argument and the remedy.

use std::fmt;

/// An input that cannot be aligned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument has a value or a shape that is not accepted.
    Argument {
        /// The argument as the caller knows it.
        name: &'static str,
        /// The fault, and the values that are accepted.
        message: String,
    },
    /// The working memory of a call cannot be had.
    Memory {
        /// The bytes that were asked for.
        bytes: usize,
    },
    /// Masks or bands forbid every warping path.
    NoPath {
        /// The obstacle to every path, and what would allow one.
        message: String,
    },
    /// The call was told to end before it was done ([`crate::threads::stop`]).
    Stopped,
}

impl Error {
    /// An [`Error::Argument`].
    pub fn argument(name: &'static str, message: impl Into<String>) -> Self {
        Self::Argument { name, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { name, message } => write!(f, "{name}: {message}"),
            Self::Memory { bytes } => write!(
                f,
                "{bytes} bytes of working memory cannot be had; align shorter sequences, fewer at a time, or ask for less"
            ),
            Self::NoPath { message } => f.write_str(message),
            Self::Stopped => f.write_str("the call was told to end before it was done"),
        }
    }
}

impl std::error::Error for Error {}
