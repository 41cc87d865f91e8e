//! Results that an item is asked for.

/// Where results of an item go; all memory may hold anything before.
#[derive(Default)]
pub struct Outputs<'a, R> {
    /// `scale` times the gradient of the value in the scores, a row of K a frame.
    pub grad: Option<Rows<'a, R>>,
    /// The factor of the gradient.
    pub scale: f64,
    /// The modified targets, a row of K a frame.
    pub y_mod: Option<Rows<'a, R>>,
    /// H, a row of columns a frame.
    pub soft_alignment: Option<Rows<'a, R>>,
    /// E, a row of columns a frame.
    pub visits: Option<Rows<'a, R>>,
    /// h, a number a frame.
    pub h: Option<&'a mut [R]>,
    /// Sums of E over frames, a number a column.
    pub durations: Option<&'a mut [f64]>,
    /// True if the entropy is asked for.
    pub entropy: bool,
}

/// A row for each frame, or more rows than frames: the others become 0.
pub type Rows<'a, R> = Vec<&'a mut [R]>;

impl<'a, R> Outputs<'a, R> {
    /// The outputs that have a row a frame.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut Rows<'a, R>> {
        [&mut self.grad, &mut self.y_mod, &mut self.soft_alignment, &mut self.visits].into_iter().flatten()
    }

    /// Tells if a backward sweep is needed.
    pub fn wants_alignment(&self) -> bool {
        self.grad.is_some() || self.wants_lens()
    }

    /// Tells if more than the gradient is asked for.
    pub fn wants_lens(&self) -> bool {
        self.y_mod.is_some()
            || self.soft_alignment.is_some()
            || self.visits.is_some()
            || self.h.is_some()
            || self.durations.is_some()
            || self.entropy
    }
}

/// The sums of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    /// The value; +inf without a path.
    pub value: f64,
    /// The entropy of the distribution of paths, where it is asked for.
    pub entropy: f64,
    /// The expected number of frames that pay the penalty of blanks.
    pub blank_uses: f64,
}
