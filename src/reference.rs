//! The recursion as it is written in the paper, in float64 and in the log domain, never optimised:
//! everything else is tested against it.
//!
//! ```text
//! D(n,m) = min_g { w_h C(n,m) + D(n-1,m), w_v C(n,m) + D(n,m-1), w_d C(n,m) + D(n-1,m-1) }
//! p_s(n,m) = exp((D(n,m) - z_s(n,m)) / g), renormalised to p_h + p_v + p_d = 1
//! E(N,M) = 1,  E(n,m) = p_h(n+1,m) E(n+1,m) + p_v(n,m+1) E(n,m+1) + p_d(n+1,m+1) E(n+1,m+1)
//! H = E (w_h p_h + w_v p_v + w_d p_d)
//! ```

use crate::weights::StepWeights;

/// All that the recursion yields for one cost matrix; matrices are row-major (N,M).
#[derive(Clone, Debug)]
pub struct Reference {
    /// D(N,M).
    pub value: f64,
    /// The soft alignment H = dSDTW/dC.
    pub soft_alignment: Vec<f64>,
    /// E, the probability that the random path visits a cell.
    pub visits: Vec<f64>,
    /// p_h, p_v and p_d of every cell; 0 where no path leads.
    pub probabilities: Vec<[f64; 3]>,
    /// The entropy of the distribution of paths, -dSDTW/dgamma.
    pub entropy: f64,
    /// dSDTW/dw for the horizontal, vertical and diagonal weight.
    pub step_weights_grad: [f64; 3],
}

/// Aligns by the (N,M) cost matrix `costs` for gamma > 0; +inf forbids a cell.
pub fn align(costs: &[f64], n: usize, m: usize, gamma: f64, weights: StepWeights) -> Reference {
    assert_eq!(costs.len(), n * m);
    let w = weights.as_array();
    let mut accumulated = vec![f64::INFINITY; (n + 1) * (m + 1)];
    accumulated[0] = 0.0;
    let mut p = vec![[0.0; 3]; n * m];
    for i in 0..n {
        for j in 0..m {
            let c = costs[i * m + j];
            if c == f64::INFINITY {
                continue;
            }
            let before =
                [accumulated[i * (m + 1) + j + 1], accumulated[(i + 1) * (m + 1) + j], accumulated[i * (m + 1) + j]];
            let z: [f64; 3] = std::array::from_fn(|s| w[s] * c + before[s]);
            let least = z.iter().copied().fold(f64::INFINITY, f64::min);
            if least == f64::INFINITY {
                continue;
            }
            let terms = z.map(|z| (-(z - least) / gamma).exp());
            let sum: f64 = terms.iter().sum();
            p[i * m + j] = terms.map(|t| t / sum);
            accumulated[(i + 1) * (m + 1) + j + 1] = least - gamma * sum.ln();
        }
    }
    let mut visits = vec![0.0; n * m];
    let mut soft_alignment = vec![0.0; n * m];
    let mut entropy = 0.0;
    let mut step_weights_grad = [0.0; 3];
    visits[n * m - 1] = 1.0;
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            let cell = i * m + j;
            let e = visits[cell];
            let [p_h, p_v, p_d] = p[cell];
            if i > 0 {
                visits[cell - m] += p_h * e;
            }
            if j > 0 {
                visits[cell - 1] += p_v * e;
            }
            if i > 0 && j > 0 {
                visits[cell - m - 1] += p_d * e;
            }
            soft_alignment[cell] = e * (w[0] * p_h + w[1] * p_v + w[2] * p_d);
            for s in 0..3 {
                if p[cell][s] > 0.0 {
                    entropy -= e * p[cell][s] * p[cell][s].ln();
                    step_weights_grad[s] += costs[cell] * e * p[cell][s];
                }
            }
        }
    }
    let value = accumulated[(n + 1) * (m + 1) - 1];
    Reference { value, soft_alignment, visits, probabilities: p, entropy, step_weights_grad }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every warping path of an (N,M) grid as cells and steps, by walking.
    fn paths(n: usize, m: usize) -> Vec<Vec<(usize, usize, usize)>> {
        let mut open = vec![vec![(0, 0, 2)]];
        let mut done = vec![];
        while let Some(path) = open.pop() {
            let &(i, j, _) = path.last().unwrap();
            if (i, j) == (n - 1, m - 1) {
                done.push(path);
                continue;
            }
            for (next, step) in [((i + 1, j), 0), ((i, j + 1), 1), ((i + 1, j + 1), 2)] {
                if next.0 < n && next.1 < m {
                    let mut longer = path.clone();
                    longer.push((next.0, next.1, step));
                    open.push(longer);
                }
            }
        }
        done
    }

    #[test]
    fn agrees_with_the_sum_over_all_paths() {
        let weights = StepWeights::new(0.3, 1.1, 0.8).unwrap();
        let w = weights.as_array();
        for n in 1..=5 {
            for m in 1..=5 {
                let costs: Vec<f64> = (0..n * m).map(|k| ((k * 7919 + n) % 13) as f64 * 0.2 - 0.5).collect();
                for gamma in [0.1, 1.0, 10.0] {
                    let all = paths(n, m);
                    let totals: Vec<f64> =
                        all.iter().map(|p| p.iter().map(|&(i, j, s)| w[s] * costs[i * m + j]).sum()).collect();
                    let least = totals.iter().copied().fold(f64::INFINITY, f64::min);
                    let mass: Vec<f64> = totals.iter().map(|t| (-(t - least) / gamma).exp()).collect();
                    let sum: f64 = mass.iter().sum();
                    let mut h = vec![0.0; n * m];
                    let mut e = vec![0.0; n * m];
                    for (path, q) in all.iter().zip(&mass) {
                        for &(i, j, s) in path {
                            h[i * m + j] += w[s] * q / sum;
                            e[i * m + j] += q / sum;
                        }
                    }
                    let entropy: f64 = mass.iter().map(|q| -(q / sum) * (q / sum).ln()).sum();
                    let got = align(&costs, n, m, gamma, weights);
                    assert!((got.value - (least - gamma * sum.ln())).abs() < 1e-12);
                    assert!((got.entropy - entropy).abs() < 1e-11);
                    for k in 0..n * m {
                        assert!((got.soft_alignment[k] - h[k]).abs() < 1e-12);
                        assert!((got.visits[k] - e[k]).abs() < 1e-12);
                    }
                }
            }
        }
    }
}
