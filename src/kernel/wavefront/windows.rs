//! The blocks of each group of stripes that a sweep makes: all, or under a mask those that a path may pass.
//!
//! A group has one window for all its stripes. Windows begin and end no earlier than those of the groups before: a path
//! comes from the left and from above, so what lies above the first row of the group before cannot be reached, and what lies
//! below the last row of the group after leads nowhere.

use std::ops::Range;

use super::Grid;

/// The window of a group.
#[derive(Clone, Debug)]
pub struct Window {
    blocks: Range<usize>,
    /// Blocks of the windows before.
    before: usize,
}

impl Window {
    /// The windows of all groups of S stripes, and an empty one behind them; `columns` are those of each row that may be
    /// allowed. `None`: no path.
    pub fn of_groups(columns: &[Range<usize>], grid: Grid, slots: usize) -> Option<Vec<Self>> {
        let (width, groups) = (slots * grid.lanes, grid.groups(slots));
        // First and last row of each group.
        let mut rows: Vec<Option<(usize, usize)>> = vec![None; groups];
        for (row, columns) in columns.iter().enumerate().filter(|(_, columns)| !columns.is_empty()) {
            for of_group in &mut rows[columns.start / width..columns.end.div_ceil(width)] {
                *of_group = Some(of_group.map_or((row, row), |(first, _)| (first, row)));
            }
        }
        let mut rows = rows.into_iter().collect::<Option<Vec<_>>>()?;
        for group in 1..groups {
            rows[group].0 = rows[group].0.max(rows[group - 1].0);
        }
        for group in (1..groups).rev() {
            rows[group - 1].1 = rows[group - 1].1.min(rows[group].1);
        }
        if rows[0].0 > 0 || rows[groups - 1].1 + 1 < grid.shape.n || rows.iter().any(|(first, last)| first > last) {
            return None;
        }
        let mut before = 0;
        let mut windows: Vec<Self> = rows
            .into_iter()
            .map(|(first, last)| {
                // From one row before the first on, as a diagonal step comes from there. As in a grid without a mask, the
                // last step is without a row.
                let blocks = first.saturating_sub(1) / grid.lanes..last / grid.lanes + 2;
                let window = Self { blocks, before };
                before += window.blocks.len();
                window
            })
            .collect();
        windows.push(Self { blocks: 0..0, before });
        Some(windows)
    }
}

/// The windows of a sweep.
#[derive(Clone, Copy)]
pub struct Windows<'a> {
    grid: Grid,
    slots: usize,
    of_groups: Option<&'a [Window]>,
}

impl<'a> Windows<'a> {
    /// Those of [`Window::of_groups`], or without any all blocks of all groups of S stripes.
    pub fn new(grid: Grid, slots: usize, of_groups: Option<&'a [Window]>) -> Self {
        Self { grid, slots, of_groups }
    }

    /// Stripes of a group.
    pub fn slots(self) -> usize {
        self.slots
    }

    /// The blocks of a group.
    #[inline(always)]
    pub fn of(self, group: usize) -> Range<usize> {
        self.of_groups.map_or(0..self.grid.blocks, |windows| windows[group].blocks.clone())
    }

    /// Blocks of one stripe of each of the first groups.
    #[inline(always)]
    fn before(self, group: usize) -> usize {
        self.of_groups.map_or(group * self.grid.blocks, |windows| windows[group].before)
    }

    /// Blocks of all stripes of some groups.
    pub fn blocks(self, groups: Range<usize>) -> usize {
        (self.before(groups.end) - self.before(groups.start)) * self.slots
    }

    /// Where a block of a stripe comes among those of all stripes from the first of a group on.
    #[inline(always)]
    pub fn place(self, stripe: usize, block: usize, first_group: usize) -> usize {
        let (group, slot) = (stripe / self.slots, stripe % self.slots);
        let window = self.of(group);
        (self.before(group) - self.before(first_group)) * self.slots + slot * window.len() + block - window.start
    }

    /// Ticks that a slot waits between a group and the next one: slot 0 reads what the last slot wrote some blocks before.
    #[inline(always)]
    fn pause(self, group: usize) -> usize {
        (self.of(group + 1).start + self.slots + 1).saturating_sub(self.of(group).end)
    }

    /// Ticks until the last slot has ended.
    pub fn ticks(self, groups: Range<usize>) -> usize {
        let pauses: usize = (groups.start..groups.end - 1).map(|group| self.pause(group)).sum();
        self.blocks(groups) / self.slots + pauses + self.slots - 1
    }
}

/// The block that a slot makes in a tick.
#[derive(Clone, Copy)]
pub struct Turn {
    /// The stripe.
    pub stripe: usize,
    /// Its block.
    pub block: usize,
    /// It is the first of the stripe in the order of the sweep.
    pub is_first: bool,
    /// It is the last.
    pub is_last: bool,
}

/// The turns of a slot, from the first group to the last and from the top down, or with `BACK` the other way round.
pub struct Turns<'a, const BACK: bool> {
    windows: Windows<'a>,
    /// Those left, the present one included.
    groups: Range<usize>,
    slot: usize,
    /// Blocks of the present group that are done.
    done: usize,
    /// Ticks until the next turn.
    pause: usize,
}

impl<'a, const BACK: bool> Turns<'a, BACK> {
    /// Turns of slot `slot`, which begins so many ticks after slot 0.
    #[inline(always)]
    pub fn new(windows: Windows<'a>, groups: Range<usize>, slot: usize) -> Self {
        Self { windows, groups, slot, done: 0, pause: slot }
    }

    /// The turn of this tick, to be asked for once a tick.
    #[inline(always)]
    pub fn take_turn(&mut self) -> Option<Turn> {
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        if self.groups.is_empty() {
            return None;
        }
        let group = if BACK { self.groups.end - 1 } else { self.groups.start };
        let (window, slots) = (self.windows.of(group), self.windows.slots);
        let (stripe, block) = if BACK {
            (group * slots + slots - 1 - self.slot, window.end - 1 - self.done)
        } else {
            (group * slots + self.slot, window.start + self.done)
        };
        let is_first = self.done == 0;
        self.done += 1;
        let is_last = self.done == window.len();
        if is_last {
            self.done = 0;
            if BACK {
                self.groups.end -= 1;
            } else {
                self.groups.start += 1;
            }
            if !self.groups.is_empty() {
                self.pause = self.windows.pause(if BACK { self.groups.end - 1 } else { group });
            }
        }
        Some(Turn { stripe, block, is_first, is_last })
    }
}
