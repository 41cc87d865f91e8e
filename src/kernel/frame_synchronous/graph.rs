//! The states of an item and the steps between them.

/// The labels of an item, and the blank among them.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    /// Classes, in order.
    pub labels: &'a [u32],
    /// The class of blanks; `None`: the forward-sum, whose labels follow each other directly.
    pub blank: Option<u32>,
}

impl Graph<'_> {
    /// The columns of the expanded target: blank, label, blank, ..., blank; of the forward-sum labels alone.
    pub fn columns(self) -> usize {
        if self.blank.is_some() { 2 * self.labels.len() + 1 } else { self.labels.len() }
    }

    /// The fewest frames of a path: one a label, and of CTC one blank between equal labels.
    pub fn least_frames(self) -> usize {
        let repeats = self.labels.windows(2).filter(|pair| pair[0] == pair[1]).count();
        self.labels.len() + if self.blank.is_some() { repeats } else { 0 }
    }

    /// Tells if label j may follow the label before it without a blank.
    pub fn skips(self, j: usize) -> bool {
        j > 0 && self.blank.is_some() && self.labels[j] != self.labels[j - 1]
    }

    /// Tells if blank j is needed: it stands between equal labels.
    pub fn is_needed(self, j: usize) -> bool {
        j > 0 && j < self.labels.len() && self.labels[j] == self.labels[j - 1]
    }
}
