//! Global path constraints: which columns of the cost matrix each row may use.
//!
//! Both bands allow one run of columns a row, so a band is a list of ranges, and a path exists iff the
//! ranges can be walked from (1,1) to (N,M) with steps of at most one row at a time.

use std::ops::Range;

use crate::error::Error;
use crate::shape::Shape;

/// A global constraint on the warping path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Band {
    /// Cells within `radius` frames of the longer sequence from the straight line between the corners.
    SakoeChiba {
        /// The greatest distance, in frames of the longer sequence.
        radius: f64,
    },
    /// The parallelogram whose sides leave both corners with slopes `max_slope` and `1/max_slope`,
    /// in units of the straight line between the corners.
    Itakura {
        /// The steepest slope, at least 1.
        max_slope: f64,
    },
}

impl Band {
    /// Makes a Sakoe-Chiba band.
    pub fn sakoe_chiba(radius: f64) -> Result<Self, Error> {
        if radius.is_nan() || radius < 0.0 {
            return Err(Error::argument(
                "band",
                format!("radius is {radius}; a radius is a number of frames, 0 or more"),
            ));
        }
        Ok(Self::SakoeChiba { radius })
    }

    /// Makes an Itakura parallelogram.
    pub fn itakura(max_slope: f64) -> Result<Self, Error> {
        if max_slope.is_nan() || max_slope < 1.0 {
            return Err(Error::argument("band", format!("max_slope is {max_slope}; a slope is 1 or more")));
        }
        Ok(Self::Itakura { max_slope })
    }

    /// The allowed columns of every row, or the error that names the smallest band with a path.
    pub fn columns(self, shape: Shape) -> Result<Vec<Range<usize>>, Error> {
        let columns = self.ranges(shape);
        if has_path(&columns, shape.m) {
            return Ok(columns);
        }
        let Shape { n, m } = shape;
        let message = match self {
            Self::SakoeChiba { radius } => {
                let smallest = smallest_radius(shape);
                format!(
                    "band: SakoeChiba(radius={radius}) leaves no path for N={n}, M={m}; the smallest radius that does is {smallest}"
                )
            }
            Self::Itakura { max_slope } => {
                let smallest = smallest_slope(shape);
                format!(
                    "band: Itakura(max_slope={max_slope}) leaves no path for N={n}, M={m}; the smallest max_slope that does is {smallest:.6}"
                )
            }
        };
        Err(Error::NoPath { message })
    }

    fn ranges(self, Shape { n, m }: Shape) -> Vec<Range<usize>> {
        if n == 1 || m == 1 {
            return vec![0..m; n];
        }
        (0..n)
            .map(|row| match self {
                Self::SakoeChiba { radius } => {
                    // |row - col (N-1)/(M-1)| <= radius, times the shorter side: products of integers are exact.
                    let (rows, cols) = ((n - 1) as f64, (m - 1) as f64);
                    let slack = radius * rows.min(cols);
                    let allowed = |col: usize| (row as f64 * cols - col as f64 * rows).abs() <= slack;
                    around(row as f64 * cols / rows, slack / rows, m, allowed)
                }
                Self::Itakura { max_slope: s } => {
                    let t = row as f64 / (n - 1) as f64;
                    let lower = (t / s).max(1.0 - s * (1.0 - t));
                    let upper = (s * t).min(1.0 - (1.0 - t) / s);
                    let tolerance = 1e-12;
                    let allowed = |col: usize| {
                        let q = col as f64 / (m - 1) as f64;
                        q >= lower - tolerance && q <= upper + tolerance
                    };
                    let scale = (m - 1) as f64;
                    around((lower + upper) / 2.0 * scale, (upper - lower).max(0.0) / 2.0 * scale, m, allowed)
                }
            })
            .collect()
    }
}

/// The run of allowed columns near `centre`; `half_width` is a guess that the exact test corrects.
fn around(centre: f64, half_width: f64, m: usize, allowed: impl Fn(usize) -> bool) -> Range<usize> {
    let mut start = (centre - half_width - 2.0).max(0.0) as usize;
    let mut end = ((centre + half_width + 3.0).max(0.0) as usize).min(m);
    while start < end && !allowed(start) {
        start += 1;
    }
    while end > start && !allowed(end - 1) {
        end -= 1;
    }
    start..end
}

/// Tells if steps (1,0), (0,1), (1,1) lead through the ranges from the first cell to the last.
fn has_path(columns: &[Range<usize>], m: usize) -> bool {
    let mut reached = 0..1; // as if a row above the first ended at column 0
    for (row, allowed) in columns.iter().enumerate() {
        let from = if row == 0 { 0 } else { reached.start.max(allowed.start) };
        if row == 0 && allowed.start > 0 || from >= allowed.end || row > 0 && from > reached.end {
            return false;
        }
        reached = from..allowed.end;
    }
    reached.end == m
}

/// Finds the smallest radius with a path.
///
/// Every frame of the longer sequence must be within the radius of some frame of the shorter one;
/// taking the nearest each time is a path, so the worst of these distances is the smallest radius.
fn smallest_radius(shape: Shape) -> f64 {
    let (long, short) = (shape.n.max(shape.m), shape.n.min(shape.m));
    if short == 1 {
        return 0.0;
    }
    let step = (long - 1) as f64 / (short - 1) as f64;
    let worst = (0..long)
        .map(|i| {
            let nearest = (i as f64 / step).round();
            (i as f64 - nearest * step).abs()
        })
        .fold(0.0, f64::max);
    // Rounded up, so that the named radius passes the exact test.
    (worst * 1e6).ceil() / 1e6
}

fn smallest_slope(shape: Shape) -> f64 {
    let fits = |s: f64| has_path(&Band::Itakura { max_slope: s }.ranges(shape), shape.m);
    let (mut low, mut high) = (1.0, 2.0);
    while !fits(high) {
        high *= 2.0;
    }
    while high - low > 1e-7 * high {
        let middle = f64::midpoint(low, high);
        if fits(middle) { high = middle } else { low = middle }
    }
    (high * 1e6).ceil() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cell by cell, straight from the definition.
    fn naive_has_path(shape: Shape, allowed: impl Fn(usize, usize) -> bool) -> bool {
        let mut reached = vec![vec![false; shape.m]; shape.n];
        for n in 0..shape.n {
            for m in 0..shape.m {
                let before = n == 0 && m == 0
                    || n > 0 && reached[n - 1][m]
                    || m > 0 && reached[n][m - 1]
                    || n > 0 && m > 0 && reached[n - 1][m - 1];
                reached[n][m] = before && allowed(n, m);
            }
        }
        reached[shape.n - 1][shape.m - 1]
    }

    #[test]
    fn ranges_hold_exactly_the_cells_of_the_definition() {
        for (n, m) in [(1, 5), (5, 1), (2, 2), (7, 7), (12, 5), (5, 12), (30, 7)] {
            let shape = Shape::new(n, m).unwrap();
            for radius in [0.0, 0.4, 1.0, 2.5, 3.0, 100.0] {
                let ranges = Band::SakoeChiba { radius }.ranges(shape);
                let allowed = |i: usize, j: usize| {
                    let (i, j) = if n >= m { (i, j) } else { (j, i) };
                    let (long, short) = (n.max(m), n.min(m));
                    short == 1
                        || (i as f64 * (short - 1) as f64 - j as f64 * (long - 1) as f64).abs()
                            <= radius * (short - 1) as f64
                };
                for (i, range) in ranges.iter().enumerate() {
                    for j in 0..m {
                        assert_eq!(range.contains(&j), allowed(i, j), "{n}x{m} radius {radius} cell ({i},{j})");
                    }
                }
                assert_eq!(has_path(&ranges, m), naive_has_path(shape, allowed));
            }
        }
    }

    #[test]
    fn the_radius_and_slope_named_in_the_error_are_the_smallest() {
        for (n, m) in [(2, 2), (12, 5), (5, 12), (31, 7), (100, 3), (861, 100)] {
            let shape = Shape::new(n, m).unwrap();
            let radius = smallest_radius(shape);
            assert!(Band::SakoeChiba { radius }.columns(shape).is_ok());
            assert!(radius == 0.0 || Band::SakoeChiba { radius: radius - 2e-6 }.columns(shape).is_err());
            let max_slope = smallest_slope(shape);
            assert!(Band::Itakura { max_slope }.columns(shape).is_ok());
            assert!(max_slope <= 1.000_002 || Band::Itakura { max_slope: max_slope - 1e-5 }.columns(shape).is_err());
        }
    }
}
