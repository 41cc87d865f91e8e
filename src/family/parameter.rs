//! Parameters of the model: a number, or one for each frame, target or cell.

use crate::shape::Shape;

/// A weight or a penalty on the grid (N,M).
#[derive(Clone, Copy, Debug)]
pub enum Parameter<'a> {
    /// One number for all cells.
    Number(f64),
    /// One a prediction frame, (N,).
    Frames(&'a [f64]),
    /// One a target frame, (M,).
    Targets(&'a [f64]),
    /// One a cell, (N,M), row-major.
    Cells(&'a [f64]),
}

/// A row of a parameter.
#[derive(Clone, Copy)]
pub enum ParameterRow<'a> {
    /// One number for all targets.
    Constant(f64),
    /// One for each target, (M,).
    Each(&'a [f64]),
}

impl ParameterRow<'_> {
    /// Returns the entry of target m.
    #[inline(always)]
    pub fn at(self, m: usize) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Each(values) => values[m],
        }
    }
}

impl<'a> Parameter<'a> {
    /// Returns row n on a grid of M targets.
    pub fn row(self, m: usize, n: usize) -> ParameterRow<'a> {
        match self {
            Self::Number(value) => ParameterRow::Constant(value),
            Self::Frames(values) => ParameterRow::Constant(values[n]),
            Self::Targets(values) => ParameterRow::Each(values),
            Self::Cells(values) => ParameterRow::Each(&values[n * m..][..m]),
        }
    }

    /// Returns the number of entries, which is also that of its gradient.
    pub fn len(self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Frames(values) | Self::Targets(values) | Self::Cells(values) => values.len(),
        }
    }

    /// Tells if there are no entries.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Tells if the entries are as many as the grid asks for.
    pub fn fits(self, shape: Shape) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Frames(values) => values.len() == shape.n,
            Self::Targets(values) => values.len() == shape.m,
            Self::Cells(values) => values.len() == shape.cells(),
        }
    }

    /// Tells if every entry is as asked.
    pub fn all(&self, is_right: impl Fn(f64) -> bool) -> bool {
        match self {
            Self::Number(value) => is_right(*value),
            Self::Frames(values) | Self::Targets(values) | Self::Cells(values) => {
                values.iter().all(|&value| is_right(value))
            }
        }
    }

    /// Tells if another parameter is surely the same everywhere.
    pub fn is_surely(self, other: Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Frames(a), Self::Frames(b)) | (Self::Targets(a), Self::Targets(b)) => a == b,
            (Self::Cells(a), Self::Cells(b)) => std::ptr::eq(a, b),
            _ => false,
        }
    }

    /// Adds row n of dvalue/d(parameter), (M,), to its gradient, which has as many entries as the parameter.
    pub fn add_gradient(self, n: usize, row: &[f64], gradient: &mut [f64]) {
        match self {
            Self::Number(_) => gradient[0] += row.iter().sum::<f64>(),
            Self::Frames(_) => gradient[n] += row.iter().sum::<f64>(),
            Self::Targets(_) => gradient.iter_mut().zip(row).for_each(|(to, from)| *to += from),
            Self::Cells(_) => {
                let m = row.len();
                gradient[n * m..][..m].iter_mut().zip(row).for_each(|(to, from)| *to += from);
            }
        }
    }
}
