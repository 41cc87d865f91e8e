//! The whole cost matrix of a pair, which alignments never hold.

use super::distance::Distance;
use super::inner_product::InnerProduct;
use super::{CostRows, WeightedCost};
use crate::real::Real;

/// Writes C(n,m) = c(x_n, y_m) into `out` (N,M) for x (N,D) and y (M,D), all row-major; computed in float64.
pub fn write_cost_matrix<F: Real>(cost: &WeightedCost, x: &[F], y: &[F], d: usize, out: &mut [F]) {
    if cost.cost.has_modified_targets() {
        write_rows(&InnerProduct::new(cost, x, y, d), y.len() / d, out);
    } else {
        write_rows(&Distance::new(cost, x, y, d), y.len() / d, out);
    }
}

fn write_rows<F: Real>(costs: &impl CostRows, m: usize, out: &mut [F]) {
    let mut row = vec![0.0; m];
    for (n, out) in out.chunks_exact_mut(m).enumerate() {
        costs.write_row(n, 0..m, &mut row);
        out.iter_mut().zip(&row).for_each(|(to, &from)| *to = F::from_f64(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Cost;

    #[test]
    fn both_forms_give_their_costs() {
        let (x, y) = ([1.0f32, 2.0, 3.0, 4.0], [0.0f32, 2.0]);
        for (cost, expected) in [(Cost::Mse, [0.5, 6.5]), (Cost::L1, [1.0, 5.0]), (Cost::CrossEntropy, [-2.0, -2.0])] {
            let mut out = [f32::NAN; 2];
            let x = if cost == Cost::CrossEntropy { x.map(|_| 1f32.exp()) } else { x };
            write_cost_matrix(&WeightedCost::plain(cost), &x, &y, 2, &mut out);
            for (got, expected) in out.into_iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{cost:?}: {got} {expected}");
            }
        }
    }
}
