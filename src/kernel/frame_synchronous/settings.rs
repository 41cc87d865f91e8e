//! Settings of a frame-synchronous loss.

use crate::error::Error;

/// Softness, costs of blanks and class costs.
///
/// A label costs -x of its class; a blank costs `blank_weight` times as much and `blank_penalty` besides. The first frame of
/// a path, and with `free_between` the step into a blank between equal labels, has weight 1; that step has no penalty either.
/// Where only free blanks are left, a path may begin on one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Softness, greater than 0.
    pub gamma: f64,
    /// The cost of each frame on a blank besides; +inf leaves only blanks that cost nothing.
    pub blank_penalty: f64,
    /// Times the cost of a blank counts.
    pub blank_weight: f64,
    /// True if blanks between equal labels are entered at weight 1 and without the penalty.
    pub free_between: bool,
    /// Costs (K,) that are added to those of each class, as scaled logarithms of priors.
    pub class_costs: Option<Vec<f64>>,
    /// True if scores are logits: a softmax over classes comes first.
    pub from_logits: bool,
}

impl Settings {
    /// Plain CTC from log-probabilities.
    pub const fn plain() -> Self {
        Self {
            gamma: 1.0,
            blank_penalty: 0.0,
            blank_weight: 1.0,
            free_between: false,
            class_costs: None,
            from_logits: false,
        }
    }

    /// Checks the numbers against each other and against the number of classes.
    pub fn check(&self, classes: usize) -> Result<(), Error> {
        if !(self.gamma > 0.0 && self.gamma.is_finite()) {
            return Err(Error::argument("gamma", format!("is {}; a finite number above 0 is accepted", self.gamma)));
        }
        if self.blank_penalty.is_nan() || self.blank_penalty == f64::NEG_INFINITY {
            return Err(Error::argument(
                "blank_penalty",
                format!("is {}; a number above -inf is accepted, +inf forbids", self.blank_penalty),
            ));
        }
        if !(self.blank_weight >= 0.0 && self.blank_weight.is_finite()) {
            return Err(Error::argument(
                "blank_weight",
                format!(
                    "is {}; a finite number of at least 0 is accepted (forbid by blank_penalty=inf)",
                    self.blank_weight
                ),
            ));
        }
        let Some(costs) = &self.class_costs else { return Ok(()) };
        if costs.len() != classes {
            return Err(Error::argument(
                "log_priors",
                format!("has {} entries; one for each of the {classes} classes is accepted", costs.len()),
            ));
        }
        match costs.iter().position(|cost| !cost.is_finite()) {
            Some(k) => Err(Error::argument("log_priors", format!("entry {k} times prior_scale is not finite"))),
            None => Ok(()),
        }
    }

    /// The cost that is added to a class.
    pub fn class_cost(&self, class: u32) -> f64 {
        self.class_costs.as_ref().map_or(0.0, |costs| costs[class as usize])
    }

    /// Tells if a path may begin on a blank that pays no penalty.
    pub fn begins_free(&self) -> bool {
        self.free_between && self.blank_penalty == f64::INFINITY
    }

    /// Tells if H is E for every state.
    pub fn is_plain(&self) -> bool {
        self.blank_weight == 1.0
    }
}
