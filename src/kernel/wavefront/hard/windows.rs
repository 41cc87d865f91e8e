//! Which blocks a group of stripes is swept over, and when.

use std::ops::Range;

use super::super::Grid;

/// The blocks of a group of stripes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The blocks that its stripes are swept over, each by every stripe.
    pub blocks: Range<usize>,
    /// The tick at which slot 0 begins; slot s begins s ticks later.
    pub start: usize,
    /// The count of blocks of all stripes of the groups before.
    pub blocks_before: usize,
}

impl Window {
    /// The block that a slot is in, `own` ticks after slot 0 was at its first tick, if it is in this window.
    #[inline(always)]
    pub fn block_at(&self, own: usize) -> Option<usize> {
        let block = own.checked_sub(self.start)? + self.blocks.start;
        (block < self.blocks.end).then_some(block)
    }

    /// The tick after the last of slot 0.
    #[inline(always)]
    pub fn end(&self) -> usize {
        self.start + self.blocks.len()
    }
}

/// Writes the windows of all groups of S stripes: those of the band's rows, or without a band all blocks.
///
/// A window begins a row before the first of its band, whose cells have their diagonal neighbours there, and ends when the
/// last lane is a row past the last. Outside a window all is +inf, as it is outside the band.
pub fn fill(windows: &mut Vec<Window>, grid: Grid, slots: usize, band: Option<&[Range<usize>]>) {
    windows.clear();
    let lanes = grid.lanes;
    let of_groups = match band {
        None => vec![0..grid.blocks; grid.groups(slots)],
        Some(band) => rows_of_groups(band, slots * lanes, grid.groups(slots))
            .into_iter()
            .map(|rows| rows.start.saturating_sub(1) / lanes..(rows.end + lanes).div_ceil(lanes).min(grid.blocks))
            .collect(),
    };
    let (mut start, mut blocks_before) = (0, 0);
    for blocks in of_groups {
        let len = blocks.len();
        windows.push(Window { blocks, start, blocks_before });
        // Without a band a group begins as the one before ends: the boundary is written S blocks ahead of being read.
        // Within one, groups may be shorter than that, and tiles of two groups may have one place in a ring.
        start += if band.is_some() { len + slots - 1 } else { len };
        blocks_before += slots * len;
    }
}

/// The rows of a band in each group of `width` columns; from group to group neither end goes back.
fn rows_of_groups(band: &[Range<usize>], width: usize, groups: usize) -> Vec<Range<usize>> {
    let mut rows = vec![Range { start: usize::MAX, end: 0 }; groups];
    for (n, columns) in band.iter().enumerate().filter(|(_, columns)| !columns.is_empty()) {
        for of_group in &mut rows[columns.start / width..=(columns.end - 1) / width] {
            (of_group.start, of_group.end) = (of_group.start.min(n), n + 1);
        }
    }
    let mut end = 0;
    for of_group in &mut rows {
        end = end.max(of_group.end);
        of_group.end = end;
    }
    let mut start = usize::MAX;
    for of_group in rows.iter_mut().rev() {
        start = start.min(of_group.start);
        of_group.start = start;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::band::Band;
    use crate::shape::Shape;

    #[test]
    fn windows_hold_the_band_and_the_rows_around_it() {
        let slots = 4;
        for (n, m) in [(1, 1), (1, 90), (90, 1), (64, 64), (200, 61), (61, 200), (300, 300)] {
            for lanes in [4, 8] {
                let shape = Shape::new(n, m).unwrap();
                let grid = Grid::new(shape, lanes, slots, false);
                for radius in [0.5, 3.0, 40.0, 1e9] {
                    let Ok(band) = Band::SakoeChiba { radius }.columns(shape) else { continue };
                    let mut windows = vec![];
                    fill(&mut windows, grid, slots, Some(&band));
                    assert_eq!(windows.len(), grid.groups(slots));
                    for (n, columns) in band.iter().enumerate() {
                        for column in columns.clone() {
                            let Range { start, end } = windows[column / (slots * lanes)].blocks;
                            assert!(
                                start * lanes <= n.saturating_sub(1) && n < (end - 1) * lanes && end <= grid.blocks
                            );
                        }
                    }
                    for pair in windows.windows(2) {
                        assert!(pair[0].blocks.start <= pair[1].blocks.start);
                        assert!(pair[0].blocks.end <= pair[1].blocks.end);
                        assert!(pair[0].end() + slots - 1 == pair[1].start);
                        assert_eq!(pair[0].blocks_before + slots * pair[0].blocks.len(), pair[1].blocks_before);
                    }
                }
            }
        }
    }

    #[test]
    fn a_narrow_band_of_a_long_pair_leaves_most_blocks_out() {
        let (shape, slots) = (Shape::new(1024, 1024).unwrap(), 4);
        let grid = Grid::new(shape, 8, slots, false);
        let band = Band::SakoeChiba { radius: 102.0 }.columns(shape).unwrap();
        let mut windows = vec![];
        fill(&mut windows, grid, slots, Some(&band));
        let inside: usize = windows.iter().map(|window| window.blocks.len()).sum();
        assert!(inside * 4 < grid.blocks * grid.groups(slots));
    }
}
