//! From rows of E and H to what the caller asked for: h, H W, modified targets and gradients.

use std::ops::Range;

use crate::cost::WeightedCost;
use crate::cost::distance::Distance;
use crate::cost::inner_product::InnerProduct;
use crate::matrix::MatrixMut;
use crate::real::Real;
use crate::row_sink::RowSink;
use crate::shape::Shape;

/// The least sum of a row of H that it is divided by; with less, the row of E and its sum are taken instead.
pub const LEAST_ROW_SUM: f64 = 1e-20;

/// The outputs that are asked for and the memory they go to; `None` is not computed. Entries need not be zero.
pub struct Outputs<'a, F> {
    /// h(n), (N,).
    pub h: Option<&'a mut [F]>,
    /// Modified targets, (N,D).
    pub y_mod: Option<&'a mut [F]>,
    /// dSDTW/dx, (N,D).
    pub x_grad: Option<&'a mut [F]>,
    /// dSDTW/dy, (M,D).
    pub y_grad: Option<&'a mut [F]>,
    /// H, (N,M).
    pub soft_alignment: Option<MatrixMut<'a, F>>,
    /// E, (N,M).
    pub visits: Option<MatrixMut<'a, F>>,
    /// Asks for the exact entropy and the gradient of the step weights.
    pub moments: bool,
    /// Asks for the entropy: exact with `moments`, else as exact as the sweep for the other outputs gives it.
    pub entropy: bool,
    /// Asks for the hard path.
    pub path: bool,
}

impl<F> Default for Outputs<'_, F> {
    fn default() -> Self {
        Self {
            h: None,
            y_mod: None,
            x_grad: None,
            y_grad: None,
            soft_alignment: None,
            visits: None,
            moments: false,
            entropy: false,
            path: false,
        }
    }
}

impl<F: Real> Outputs<'_, F> {
    /// Returns these outputs as those of R, if that is their type.
    pub fn cast<R: Real>(&mut self) -> Option<Outputs<'_, R>> {
        fn slice<'b, F: Real, R: Real>(of: &'b mut Option<&mut [F]>) -> Option<&'b mut [R]> {
            of.as_deref_mut().and_then(F::cast_mut)
        }
        fn matrix<'b, F: Real, R: Real>(of: &'b mut Option<MatrixMut<'_, F>>) -> Option<MatrixMut<'b, R>> {
            let MatrixMut { entries, stride } = of.as_mut()?;
            Some(MatrixMut { entries: F::cast_mut(entries)?, stride: *stride })
        }
        let is_same = F::cast::<R>(&[]).is_some();
        is_same.then_some(Outputs {
            h: slice(&mut self.h),
            y_mod: slice(&mut self.y_mod),
            x_grad: slice(&mut self.x_grad),
            y_grad: slice(&mut self.y_grad),
            soft_alignment: matrix(&mut self.soft_alignment),
            visits: matrix(&mut self.visits),
            moments: self.moments,
            entropy: self.entropy,
            path: self.path,
        })
    }
}

impl<F> Outputs<'_, F> {
    /// Tells if rows of E or H are needed at all.
    pub fn needs_alignment(&self) -> bool {
        self.h.is_some()
            || self.y_mod.is_some()
            || self.x_grad.is_some()
            || self.y_grad.is_some()
            || self.soft_alignment.is_some()
            || self.visits.is_some()
            || self.moments
            || self.entropy
    }
}

/// The sequences behind the costs, for the gradients.
pub enum Features<'a, F> {
    /// None: the costs came as a matrix.
    None,
    /// Costs in inner-product form.
    InnerProduct {
        /// The pair in the form.
        form: &'a InnerProduct,
        /// Its cost.
        cost: &'a WeightedCost,
        /// Predictions.
        x: &'a [F],
        /// Targets.
        y: &'a [F],
        /// D.
        d: usize,
    },
    /// Costs gathered from the scores of classes: x are the scores (N,K), and D is K.
    Classes {
        /// The class of each target, (M,).
        targets: &'a [usize],
        /// K.
        d: usize,
    },
    /// Distances.
    Distance {
        /// The pair under its distance.
        distance: &'a Distance<'a, F>,
        /// D.
        d: usize,
    },
}

/// Sums rows into the outputs.
pub struct Readout<'a, 'o, F> {
    features: Features<'a, F>,
    outputs: &'a mut Outputs<'o, F>,
    shape: Shape,
    hw: Vec<f64>,
    column_sums: Vec<f64>,
    hv: Vec<f64>,
    leaves_frames_out: bool,
}

impl<'a, 'o, F: Real> Readout<'a, 'o, F> {
    /// Makes the readout of one pair.
    pub fn new(features: Features<'a, F>, outputs: &'a mut Outputs<'o, F>, shape: Shape) -> Self {
        let d = match features {
            Features::None => 0,
            Features::InnerProduct { d, .. } | Features::Classes { d, .. } | Features::Distance { d, .. } => d,
        };
        let targets = if outputs.y_grad.is_some() { shape.m } else { 0 };
        Self {
            features,
            outputs,
            shape,
            hw: vec![0.0; d],
            column_sums: vec![0.0; targets],
            hv: vec![0.0; targets * d],
            leaves_frames_out: false,
        }
    }

    /// Says that paths may leave frames out: a row of H below [`LEAST_ROW_SUM`] then has modified targets of 0.
    pub fn leaving_frames_out(self) -> Self {
        Self { leaves_frames_out: true, ..self }
    }

    /// Writes the gradient of the targets, which is known only after the last row.
    pub fn finish(self) {
        let Some(y_grad) = self.outputs.y_grad.as_deref_mut() else { return };
        match self.features {
            Features::None | Features::Classes { .. } => {}
            Features::InnerProduct { form, cost, y, d, .. } => {
                for (m, out) in y_grad.chunks_exact_mut(d).enumerate() {
                    form.y_gradient(cost, y, m, self.column_sums[m], &self.hv[m * d..][..d], out);
                }
            }
            Features::Distance { .. } => {
                write(y_grad, self.hv.iter().copied());
            }
        }
    }

    /// Sets every output to NaN: the value is not a number, and so is all that follows from it.
    pub fn poison(self) {
        let nan = F::from_f64(f64::NAN);
        let Outputs { h, y_mod, x_grad, y_grad, .. } = self.outputs;
        for output in [h, y_mod, x_grad, y_grad].into_iter().flatten() {
            output.fill(nan);
        }
        let row = vec![f64::NAN; self.shape.m];
        for matrix in [&mut self.outputs.soft_alignment, &mut self.outputs.visits].into_iter().flatten() {
            for n in 0..self.shape.n {
                matrix.write_row(n, &row);
            }
        }
    }
}

/// Reads an alignment that is known: `write_row` writes row n of H, (M,). Paths may leave frames out.
pub fn read_known<F: Real>(
    features: Features<'_, F>,
    shape: Shape,
    outputs: &mut Outputs<'_, F>,
    write_row: impl Fn(usize, &mut [f64]),
) {
    let mut readout = Readout::new(features, outputs, shape).leaving_frames_out();
    let mut row = vec![0.0; shape.m];
    for n in (0..shape.n).rev() {
        write_row(n, &mut row);
        readout.take_row(n, 0..shape.m, &row, &row);
    }
    readout.finish();
}

/// Writes numbers rounded to F.
fn write<F: Real>(to: &mut [F], from: impl Iterator<Item = f64>) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = F::from_f64(from));
}

/// Sums `factors[m] w_m` over the columns.
fn combine(form: &InnerProduct, factors: &[f64], columns: Range<usize>, out: &mut [f64]) {
    out.fill(0.0);
    for m in columns {
        let factor = factors[m];
        if factor != 0.0 {
            for (sum, w) in out.iter_mut().zip(form.w(m)) {
                *sum += factor * w;
            }
        }
    }
}

impl<F: Real> RowSink for Readout<'_, '_, F> {
    fn take_row(&mut self, n: usize, columns: Range<usize>, visits: &[f64], soft_alignment: &[f64]) {
        let outputs = &mut *self.outputs;
        let h: f64 = soft_alignment[columns.clone()].iter().sum();
        if let Some(out) = &mut outputs.h {
            out[n] = F::from_f64(h);
        }
        if let Some(matrix) = &mut outputs.soft_alignment {
            matrix.write_row(n, soft_alignment);
        }
        if let Some(matrix) = &mut outputs.visits {
            matrix.write_row(n, visits);
        }
        match &self.features {
            Features::None => {}
            Features::InnerProduct { form, cost, x, d, .. } => {
                let of_frame = n * d..(n + 1) * d;
                if outputs.x_grad.is_some() || outputs.y_mod.is_some() {
                    combine(form, soft_alignment, columns.clone(), &mut self.hw);
                }
                if let Some(x_grad) = &mut outputs.x_grad {
                    form.x_gradient(cost, x, n, h, &self.hw, &mut x_grad[of_frame.clone()]);
                }
                if let Some(y_mod) = &mut outputs.y_mod {
                    let is_taught = h >= LEAST_ROW_SUM || h.is_nan();
                    if is_taught {
                        form.modified_target(h, &self.hw, &mut y_mod[of_frame]);
                    } else if self.leaves_frames_out {
                        y_mod[of_frame].fill(F::default());
                    } else {
                        combine(form, visits, columns.clone(), &mut self.hw);
                        let e: f64 = visits[columns.clone()].iter().sum();
                        form.modified_target(e, &self.hw, &mut y_mod[of_frame]);
                    }
                }
                if outputs.y_grad.is_some() {
                    for m in columns {
                        let factor = soft_alignment[m];
                        self.column_sums[m] += factor;
                        for (sum, v) in self.hv[m * d..][..*d].iter_mut().zip(form.v(n)) {
                            *sum += factor * v;
                        }
                    }
                }
            }
            Features::Classes { targets, d } => {
                if outputs.x_grad.is_none() && outputs.y_mod.is_none() {
                    return;
                }
                let of_frame = n * d..(n + 1) * d;
                self.hw.fill(0.0);
                for m in columns {
                    self.hw[targets[m]] += soft_alignment[m];
                }
                if let Some(x_grad) = &mut outputs.x_grad {
                    write(&mut x_grad[of_frame.clone()], self.hw.iter().map(|occupancy| -occupancy));
                }
                if let Some(y_mod) = &mut outputs.y_mod {
                    let share = if h < LEAST_ROW_SUM { 0.0 } else { 1.0 / h };
                    write(&mut y_mod[of_frame], self.hw.iter().map(|occupancy| share * occupancy));
                }
            }
            Features::Distance { distance, d } => {
                self.hw.fill(0.0);
                for m in columns {
                    let factor = soft_alignment[m];
                    if factor == 0.0 {
                        continue;
                    }
                    if outputs.x_grad.is_some() {
                        distance.add_gradient(n, m, factor, &mut self.hw);
                    }
                    if outputs.y_grad.is_some() {
                        distance.add_gradient(n, m, -factor, &mut self.hv[m * d..][..*d]);
                    }
                }
                if let Some(x_grad) = &mut outputs.x_grad {
                    write(&mut x_grad[n * d..][..*d], self.hw.iter().copied());
                }
            }
        }
    }
}
