//! The minima over the ways into a cell: soft in extended range, soft beyond that range, and hard.
//!
//! Each works on masses of its own kind: exp(-D/g) with its exponent apart ([`Scaled`]), or D itself. A mass joins what
//! it is charged, and the masses of all ways into a cell meet.

use crate::scaled::{Rate, Scaled};

/// A minimum and its gradient.
pub trait Minimum: Copy {
    /// A mass.
    type Mass: Copy;
    /// A weight, ready to be multiplied with costs.
    type Rate: Copy;
    /// The minimum over the ends of paths, while it is made.
    type Total: Copy;

    /// The mass of no path.
    const NOTHING: Self::Mass;
    /// The total of no end.
    const NO_END: Self::Total;

    /// Makes the rate of a weight.
    fn rate(self, weight: f64) -> Self::Rate;
    /// Makes the mass of a finite cost times the weight of the rate.
    fn mass(self, cost: f64, rate: Self::Rate) -> Self::Mass;
    /// Makes the mass of a penalty; +inf is nothing.
    fn of_penalty(self, penalty: f64) -> Self::Mass;
    /// Charges one mass by another.
    fn join(a: Self::Mass, b: Self::Mass) -> Self::Mass;
    /// Tells if a mass is that of no path.
    fn is_nothing(mass: Self::Mass) -> bool;
    /// Returns the mass of all ways and writes the share of each: they sum to 1, and are 0 where there is nothing.
    fn meet(self, ways: &[Self::Mass], shares: &mut [f64]) -> Self::Mass;

    /// Makes the total of one end; `cell` is n M + m.
    fn end(mass: Self::Mass, cell: usize) -> Self::Total;
    /// Makes the total of the ends of two, the first of which comes before.
    fn both(self, a: Self::Total, b: Self::Total) -> Self::Total;
    /// Returns the share of one end.
    fn share(self, total: Self::Total, mass: Self::Mass, cell: usize) -> f64;
    /// Returns the value; +inf without a path, `None` beyond the range of exponents.
    fn value(self, total: Self::Total) -> Option<f64>;
}

/// The softmin in extended range; gamma is above 0.
#[derive(Clone, Copy)]
pub struct Softmin {
    gamma: f64,
    unit: Rate,
}

impl Softmin {
    /// Makes the softmin of this gamma.
    pub fn new(gamma: f64) -> Self {
        Self { gamma, unit: Rate::new(1.0, gamma) }
    }
}

/// Beyond every range: the value is then made by [`SoftminOfSums`].
const BEYOND: Scaled = Scaled { mantissa: 1.0, exponent: 1e300 };

impl Minimum for Softmin {
    type Mass = Scaled;
    type Rate = Rate;
    type Total = Scaled;

    const NOTHING: Scaled = Scaled::ZERO;
    const NO_END: Scaled = Scaled::ZERO;

    fn rate(self, weight: f64) -> Rate {
        Rate::new(weight, self.gamma)
    }

    #[inline(always)]
    fn mass(self, cost: f64, rate: Rate) -> Scaled {
        let mass = Scaled::factor(cost, rate);
        if mass.mantissa.is_nan() { BEYOND } else { mass }
    }

    fn of_penalty(self, penalty: f64) -> Scaled {
        match penalty {
            0.0 => Scaled::ONE,
            f64::INFINITY => Scaled::ZERO,
            _ => self.mass(penalty, self.unit),
        }
    }

    #[inline(always)]
    fn join(a: Scaled, b: Scaled) -> Scaled {
        a.times(b)
    }

    #[inline(always)]
    fn is_nothing(mass: Scaled) -> bool {
        mass.is_zero()
    }

    #[inline(always)]
    fn meet(self, ways: &[Scaled], shares: &mut [f64]) -> Scaled {
        let top = ways.iter().fold(f64::NEG_INFINITY, |top, way| top.max(way.exponent));
        let mut sum = 0.0;
        for (share, way) in shares.iter_mut().zip(ways) {
            *share = way.aligned(top);
            sum += *share;
        }
        if sum == 0.0 {
            return Scaled::ZERO;
        }
        shares.iter_mut().for_each(|share| *share /= sum);
        Scaled { mantissa: sum, exponent: top }.normalised()
    }

    fn end(mass: Scaled, _: usize) -> Scaled {
        mass.normalised()
    }

    fn both(self, a: Scaled, b: Scaled) -> Scaled {
        let top = a.exponent.max(b.exponent);
        Scaled { mantissa: a.aligned(top) + b.aligned(top), exponent: top }.normalised()
    }

    fn share(self, total: Scaled, mass: Scaled, _: usize) -> f64 {
        mass.aligned(total.exponent) / total.mantissa
    }

    fn value(self, total: Scaled) -> Option<f64> {
        if total.is_zero() {
            return Some(f64::INFINITY);
        }
        (!total.is_out_of_range()).then(|| -self.gamma * total.ln())
    }
}

/// The softmin of sums D, for costs over gamma beyond the range of exact exponents: exact to the rounding of D.
#[derive(Clone, Copy)]
pub struct SoftminOfSums {
    /// Above 0.
    pub gamma: f64,
}

/// A minimum over ends so far: the least, and the sum of exp((least - z) / g).
#[derive(Clone, Copy)]
pub struct SumAboveLeast {
    least: f64,
    sum: f64,
}

impl SoftminOfSums {
    fn factor(self, excess: f64) -> f64 {
        if excess > 0.0 { (-excess / self.gamma).exp() } else { 1.0 }
    }
}

impl Minimum for SoftminOfSums {
    type Mass = f64;
    type Rate = f64;
    type Total = SumAboveLeast;

    const NOTHING: f64 = f64::INFINITY;
    const NO_END: SumAboveLeast = SumAboveLeast { least: f64::INFINITY, sum: 0.0 };

    fn rate(self, weight: f64) -> f64 {
        weight
    }

    fn mass(self, cost: f64, rate: f64) -> f64 {
        cost * rate
    }

    fn of_penalty(self, penalty: f64) -> f64 {
        penalty
    }

    fn join(a: f64, b: f64) -> f64 {
        a + b
    }

    fn is_nothing(mass: f64) -> bool {
        mass == f64::INFINITY
    }

    fn meet(self, ways: &[f64], shares: &mut [f64]) -> f64 {
        let least = ways.iter().fold(f64::INFINITY, |least, &way| least.min(way));
        if least == f64::INFINITY {
            shares.fill(0.0);
            return least;
        }
        let mut sum = 0.0;
        for (share, way) in shares.iter_mut().zip(ways) {
            *share = self.factor(way - least);
            sum += *share;
        }
        shares.iter_mut().for_each(|share| *share /= sum);
        least - self.gamma * sum.ln()
    }

    fn end(mass: f64, _: usize) -> SumAboveLeast {
        SumAboveLeast { least: mass, sum: 1.0 }
    }

    fn both(self, a: SumAboveLeast, b: SumAboveLeast) -> SumAboveLeast {
        let least = a.least.min(b.least);
        if least == f64::INFINITY {
            return Self::NO_END;
        }
        let sum =
            [a, b].map(|end| if end.least < f64::INFINITY { end.sum * self.factor(end.least - least) } else { 0.0 });
        SumAboveLeast { least, sum: sum[0] + sum[1] }
    }

    fn share(self, total: SumAboveLeast, mass: f64, _: usize) -> f64 {
        self.factor(mass - total.least) / total.sum
    }

    fn value(self, total: SumAboveLeast) -> Option<f64> {
        let SumAboveLeast { least, sum } = total;
        Some(if least == f64::INFINITY { least } else { least - self.gamma * sum.ln() })
    }
}

/// The hard minimum: all mass to the first of the least.
#[derive(Clone, Copy)]
pub struct Hardmin;

/// The least of some ends, and its cell.
#[derive(Clone, Copy)]
pub struct FirstLeast {
    least: f64,
    cell: usize,
}

impl Minimum for Hardmin {
    type Mass = f64;
    type Rate = f64;
    type Total = FirstLeast;

    const NOTHING: f64 = f64::INFINITY;
    const NO_END: FirstLeast = FirstLeast { least: f64::INFINITY, cell: usize::MAX };

    fn rate(self, weight: f64) -> f64 {
        weight
    }

    fn mass(self, cost: f64, rate: f64) -> f64 {
        cost * rate
    }

    fn of_penalty(self, penalty: f64) -> f64 {
        penalty
    }

    fn join(a: f64, b: f64) -> f64 {
        a + b
    }

    fn is_nothing(mass: f64) -> bool {
        mass == f64::INFINITY
    }

    fn meet(self, ways: &[f64], shares: &mut [f64]) -> f64 {
        shares.fill(0.0);
        let (mut least, mut first) = (f64::INFINITY, None);
        for (k, &way) in ways.iter().enumerate() {
            if way < least {
                (least, first) = (way, Some(k));
            }
        }
        if let Some(k) = first {
            shares[k] = 1.0;
        }
        least
    }

    fn end(mass: f64, cell: usize) -> FirstLeast {
        FirstLeast { least: mass, cell }
    }

    fn both(self, a: FirstLeast, b: FirstLeast) -> FirstLeast {
        if b.least < a.least { b } else { a }
    }

    fn share(self, total: FirstLeast, _: f64, cell: usize) -> f64 {
        f64::from(u8::from(cell == total.cell))
    }

    fn value(self, total: FirstLeast) -> Option<f64> {
        Some(total.least)
    }
}
