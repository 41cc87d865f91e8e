//! One item of a frame-synchronous loss, from scores to results: the lanes, and those of float64 where float32 does not reach.

use super::memory::{ask_for_memory, zeros};
use crate::error::Error;
use crate::kernel::frame_synchronous::graph::Graph;
use crate::kernel::frame_synchronous::item::{self, ItemScratch, Scores, working_bytes};
use crate::kernel::frame_synchronous::outputs::{Outputs, Rows, Sums};
use crate::kernel::frame_synchronous::range::{Range, Reach};
use crate::kernel::frame_synchronous::settings::Settings;
use crate::kernel::wavefront::dispatch::{InstructionSet, LaneWork, OnLanes};
use crate::simd::Lanes;

/// Scores of an item and the states they are for.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a, R> {
    /// Rows of K, one a frame.
    pub scores: Scores<'a, R>,
    /// Labels and blank, all less than K.
    pub graph: Graph<'a>,
}

/// Memory that items reuse; any contents will do.
#[derive(Default)]
pub struct FrameSynchronousScratch {
    narrow: ItemScratch<f32>,
    wide: ItemScratch<f64>,
}

impl FrameSynchronousScratch {
    /// Estimates from above what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.narrow.bytes() + self.wide.bytes()
    }
}

/// A precision in which items are computed.
pub trait Precision: OnLanes + Range {
    /// Runs an item whose states can be gone through in its frames.
    fn run(
        of: Item<'_, Self>,
        settings: &Settings,
        outputs: &mut Outputs<'_, Self>,
        set: InstructionSet,
        scratch: &mut FrameSynchronousScratch,
    ) -> Result<(Reach, Sums), Error>;
}

impl Precision for f64 {
    fn run(
        of: Item<'_, f64>,
        settings: &Settings,
        outputs: &mut Outputs<'_, f64>,
        set: InstructionSet,
        scratch: &mut FrameSynchronousScratch,
    ) -> Result<(Reach, Sums), Error> {
        Ok(f64::run_on(set, OnItem { of, settings, outputs, scratch: &mut scratch.wide }))
    }
}

impl Precision for f32 {
    fn run(
        of: Item<'_, f32>,
        settings: &Settings,
        outputs: &mut Outputs<'_, f32>,
        set: InstructionSet,
        scratch: &mut FrameSynchronousScratch,
    ) -> Result<(Reach, Sums), Error> {
        let (reach, sums) = f32::run_on(set, OnItem { of, settings, outputs, scratch: &mut scratch.narrow });
        if reach == Reach::Beyond {
            return widened(of, settings, outputs, set, scratch);
        }
        Ok((reach, sums))
    }
}

struct OnItem<'a, 'o, R> {
    of: Item<'a, R>,
    settings: &'a Settings,
    outputs: &'a mut Outputs<'o, R>,
    scratch: &'a mut ItemScratch<R>,
}

impl<R: Range> LaneWork<R> for OnItem<'_, '_, R> {
    type Output = (Reach, Sums);

    fn run<V: Lanes<L, Real = R>, const L: usize>(self, lanes: V) -> (Reach, Sums) {
        item::run(lanes, (self.of.scores, self.of.graph, self.settings), self.outputs, self.scratch)
    }
}

/// Runs an item on the instruction set of this process.
///
/// Without a path the value is +inf, and all else is 0; with a score that is NaN or +inf all is NaN.
pub fn align<R: Precision>(
    of: Item<'_, R>,
    settings: &Settings,
    outputs: &mut Outputs<'_, R>,
    scratch: &mut FrameSynchronousScratch,
) -> Result<Sums, Error> {
    // Without lanes of their own machines take the portable ones, which are plain arrays.
    align_on(InstructionSet::chosen().unwrap_or(InstructionSet::Portable), of, settings, outputs, scratch)
}

/// Runs an item on an instruction set, which this machine must have.
pub fn align_on<R: Precision>(
    set: InstructionSet,
    of: Item<'_, R>,
    settings: &Settings,
    outputs: &mut Outputs<'_, R>,
    scratch: &mut FrameSynchronousScratch,
) -> Result<Sums, Error> {
    let Scores { frames, classes, .. } = of.scores;
    ask_for_memory(working_bytes::<f64>(frames, of.graph.labels.len(), classes))?;
    let no_path = Sums { value: f64::INFINITY, entropy: 0.0, blank_uses: 0.0 };
    if of.graph.least_frames() > frames {
        fill(outputs, frames, R::default());
        return Ok(no_path);
    }
    let sums = match R::run(of, settings, outputs, set, scratch)? {
        (Reach::Sum, sums) => sums,
        (Reach::NotANumber, _) => {
            fill(outputs, frames, R::from_f64(f64::NAN));
            return Ok(Sums { value: f64::NAN, entropy: f64::NAN, blank_uses: f64::NAN });
        }
        (Reach::Beyond, _) => {
            fill(outputs, frames, R::default());
            return Ok(no_path);
        }
    };
    fill_past(outputs, frames);
    Ok(sums)
}

/// Fills the rows of every output, and 0 past the frames.
fn fill<R: Range>(outputs: &mut Outputs<'_, R>, frames: usize, with: R) {
    for rows in outputs.rows_mut() {
        rows.iter_mut().take(frames).for_each(|row| row.fill(with));
    }
    if let Some(h) = &mut outputs.h {
        h[..frames].fill(with);
    }
    if let Some(durations) = &mut outputs.durations {
        durations.fill(with.to_f64());
    }
    fill_past(outputs, frames);
}

fn fill_past<R: Range>(outputs: &mut Outputs<'_, R>, frames: usize) {
    for rows in outputs.rows_mut() {
        rows.iter_mut().skip(frames).for_each(|row| row.fill(R::default()));
    }
    if let Some(h) = &mut outputs.h {
        h[frames..].fill(R::default());
    }
}

/// Runs a float32 item in float64.
fn widened(
    of: Item<'_, f32>,
    settings: &Settings,
    outputs: &mut Outputs<'_, f32>,
    set: InstructionSet,
    scratch: &mut FrameSynchronousScratch,
) -> Result<(Reach, Sums), Error> {
    let Scores { frames, classes, .. } = of.scores;
    let mut entries: Vec<f64> = zeros(frames * classes)?;
    for (t, row) in entries.chunks_exact_mut(classes).enumerate() {
        row.iter_mut().zip(of.scores.row(t)).for_each(|(to, &from)| *to = f64::from(from));
    }
    let scores = Scores { entries: &entries, stride: classes, frames, classes };
    let columns = of.graph.columns();
    let room = |rows: &Option<Rows<'_, f32>>, width: usize| -> Result<Option<Vec<f64>>, Error> {
        rows.as_ref().map(|_| zeros(frames * width)).transpose()
    };
    let mut grad = room(&outputs.grad, classes)?;
    let mut y_mod = room(&outputs.y_mod, classes)?;
    let mut soft_alignment = room(&outputs.soft_alignment, columns)?;
    let mut visits = room(&outputs.visits, columns)?;
    let mut h = outputs.h.as_ref().map(|_| vec![0.0; frames]);
    let mut wide = Outputs {
        grad: as_rows(&mut grad, classes),
        scale: outputs.scale,
        y_mod: as_rows(&mut y_mod, classes),
        soft_alignment: as_rows(&mut soft_alignment, columns),
        visits: as_rows(&mut visits, columns),
        h: h.as_deref_mut(),
        durations: outputs.durations.as_deref_mut(),
        entropy: outputs.entropy,
    };
    let result = f64::run(Item { scores, graph: of.graph }, settings, &mut wide, set, scratch)?;
    for (to, from, width) in [
        (&mut outputs.grad, grad, classes),
        (&mut outputs.y_mod, y_mod, classes),
        (&mut outputs.soft_alignment, soft_alignment, columns),
        (&mut outputs.visits, visits, columns),
    ] {
        let (Some(to), Some(from)) = (to, from) else { continue };
        for (to, from) in to.iter_mut().zip(from.chunks_exact(width)) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = from as f32);
        }
    }
    if let (Some(to), Some(from)) = (&mut outputs.h, h) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from as f32);
    }
    Ok(result)
}

fn as_rows(entries: &mut Option<Vec<f64>>, width: usize) -> Option<Rows<'_, f64>> {
    entries.as_mut().map(|entries| entries.chunks_exact_mut(width).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [0,1), the same on every machine.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }

        fn below(&mut self, end: usize) -> usize {
            (self.next() * end as f64) as usize
        }
    }

    /// Scores (T,K), labels and settings.
    struct Case {
        scores: Vec<f64>,
        frames: usize,
        classes: usize,
        labels: Vec<u32>,
        blank: Option<u32>,
        settings: Settings,
    }

    impl Case {
        fn new(seed: u64) -> Self {
            let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            (0..8).for_each(|_| _ = numbers.next());
            let classes = 3 + numbers.below(40);
            let blank = if seed % 5 == 4 { None } else { Some(numbers.below(classes) as u32) };
            let count = numbers.below(if blank.is_some() { 40 } else { classes }) + usize::from(blank.is_none());
            let few = 2 + numbers.below(classes - 2);
            let labels: Vec<u32> = (0..count)
                .map(|j| match blank {
                    None => j as u32,
                    Some(blank) => {
                        let label = numbers.below(few.min(classes - 1)) as u32;
                        if label >= blank { label + 1 } else { label }
                    }
                })
                .collect();
            let graph = Graph { labels: &labels, blank };
            let frames = graph.least_frames() + numbers.below(60);
            let spread = [0.1, 3.0, 30.0][numbers.below(3)];
            let mut scores: Vec<f64> = (0..frames * classes)
                .map(|_| f64::from((spread * (numbers.next() - 0.9)) as f32)) // the same in both precisions
                .collect();
            let from_logits = seed.is_multiple_of(2);
            if seed % 7 == 1 && !from_logits {
                scores.iter_mut().filter(|_| numbers.next() < 0.02).for_each(|x| *x = f64::NEG_INFINITY);
            }
            let mut settings = Settings { from_logits, ..Settings::plain() };
            if !seed.is_multiple_of(3) {
                settings.gamma = [0.2, 1.0, 4.0][numbers.below(3)];
                settings.free_between = numbers.next() < 0.5;
                settings.blank_weight = [1.0, 2.0, 0.3, 0.0][numbers.below(4)];
                settings.blank_penalty = [0.0, 0.7, -0.4, f64::INFINITY][numbers.below(4)];
                settings.class_costs =
                    (numbers.next() < 0.5).then(|| (0..classes).map(|_| numbers.next() - 0.5).collect());
            }
            Self { scores, frames, classes, labels, blank, settings }
        }
    }

    /// Results in float64, by rows.
    #[derive(Debug)]
    struct Results {
        sums: Sums,
        grad: Vec<f64>,
        y_mod: Vec<f64>,
        soft_alignment: Vec<f64>,
        visits: Vec<f64>,
        h: Vec<f64>,
        durations: Vec<f64>,
    }

    fn by_kernel<R: Precision>(set: InstructionSet, case: &Case) -> Results {
        let Case { frames, classes, .. } = *case;
        let graph = Graph { labels: &case.labels, blank: case.blank };
        let columns = graph.columns();
        // Rows lie apart, and what lies between and behind is NaN, as is all memory that results go to.
        let stride = classes + 3;
        let bad = R::from_f64(f64::NAN);
        let mut entries = vec![bad; (frames + 2) * stride];
        for (to, from) in entries.chunks_exact_mut(stride).zip(case.scores.chunks_exact(classes)) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = R::from_f64(from));
        }
        let rows = frames + 2;
        let mut memory = [classes, classes, columns, columns].map(|width| vec![bad; rows * width]);
        let [grad, y_mod, soft_alignment, visits] = &mut memory;
        let (mut h, mut durations) = (vec![bad; rows], vec![f64::NAN; columns]);
        let mut outputs = Outputs {
            grad: Some(grad.chunks_exact_mut(classes).collect()),
            scale: 0.5,
            y_mod: Some(y_mod.chunks_exact_mut(classes).collect()),
            soft_alignment: Some(soft_alignment.chunks_exact_mut(columns).collect()),
            visits: Some(visits.chunks_exact_mut(columns).collect()),
            h: Some(&mut h),
            durations: Some(&mut durations),
            entropy: true,
        };
        let item = Item { scores: Scores { entries: &entries, stride, frames, classes }, graph };
        let mut scratch = FrameSynchronousScratch::default();
        let sums = align_on(set, item, &case.settings, &mut outputs, &mut scratch).unwrap();
        let wide = |of: &[R]| -> Vec<f64> { of.iter().map(|x| x.to_f64()).collect() };
        let [grad, y_mod, soft_alignment, visits] = &memory;
        Results {
            sums,
            grad: wide(grad).iter().map(|g| g * 2.0).collect(),
            y_mod: wide(y_mod),
            soft_alignment: wide(soft_alignment),
            visits: wide(visits),
            h: wide(&h),
            durations,
        }
    }

    /// The recursion in logarithms, a column at a time.
    fn by_columns(case: &Case) -> Results {
        let Case { frames, classes, labels, blank, settings, .. } = case;
        let (frames, classes) = (*frames, *classes);
        let graph = Graph { labels, blank: *blank };
        let columns = graph.columns();
        let gamma = settings.gamma;
        let mut softmax = vec![0.0; frames * classes];
        let mut log_probs = case.scores.clone();
        if settings.from_logits {
            for (row, softmax) in log_probs.chunks_exact_mut(classes).zip(softmax.chunks_exact_mut(classes)) {
                let sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
                row.iter_mut().for_each(|x| *x -= sum);
                softmax.iter_mut().zip(row).for_each(|(p, x)| *p = x.exp());
            }
        }
        let is_blank = |c: usize| blank.is_some() && c.is_multiple_of(2);
        let class = |c: usize| match blank {
            Some(blank) if c.is_multiple_of(2) => *blank,
            Some(_) => labels[c / 2],
            None => labels[c],
        };
        // What a step of s columns into column c costs, its weight, and whether it pays the penalty.
        let step = |s: usize, t: usize, c: usize| -> (f64, f64, f64) {
            let cost = settings.class_cost(class(c)) - log_probs[t * classes + class(c) as usize];
            let allowed = match s {
                0 | 1 => true,
                _ => blank.is_some() && !is_blank(c) && graph.skips(c / 2),
            };
            let free = settings.free_between && s == 1 && is_blank(c) && graph.is_needed(c / 2);
            let dear = is_blank(c) && !free;
            let weight = if dear && t > 0 { settings.blank_weight } else { 1.0 };
            let weighted = if cost == f64::INFINITY { cost } else { weight * cost };
            let pays = dear && !(t == 0 && settings.free_between && settings.blank_penalty == f64::INFINITY);
            let total = weighted + if pays { settings.blank_penalty } else { 0.0 };
            (if allowed { total } else { f64::INFINITY }, weight, f64::from(u8::from(pays)))
        };
        // a(c) in logarithms before the first frame: of CTC the first blank, of the forward-sum what lies before column 0.
        let mut before: Vec<f64> = vec![f64::NEG_INFINITY; columns];
        if blank.is_some() {
            before[0] = 0.0;
        }
        let mut shares = vec![0.0; frames * columns * 3];
        for t in 0..frames {
            let mut now = before.clone();
            for c in 0..columns {
                let from = |s: usize| match (c.checked_sub(s), t, blank) {
                    (Some(from), _, _) => before[from],
                    (None, 0, None) if s == 1 => 0.0,
                    _ => f64::NEG_INFINITY,
                };
                let terms = [0, 1, 2].map(|s| from(s) - step(s, t, c).0 / gamma);
                let top = terms.into_iter().fold(f64::NEG_INFINITY, f64::max);
                now[c] = f64::NEG_INFINITY;
                if top > f64::NEG_INFINITY {
                    let sum: f64 = terms.map(|term| (term - top).exp()).iter().sum();
                    now[c] = top + sum.ln();
                    (0..3).for_each(|s| shares[(t * columns + c) * 3 + s] = (terms[s] - now[c]).exp());
                }
            }
            before = now;
        }
        let mut at = vec![0.0; columns];
        let ends: Vec<usize> = (columns.saturating_sub(if blank.is_some() { 2 } else { 1 })..columns).collect();
        let top = ends.iter().map(|&c| before[c]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = ends.iter().map(|&c| (before[c] - top).exp()).sum();
        let mut results = Results {
            sums: Sums { value: -gamma * (top + sum.ln()), entropy: 0.0, blank_uses: 0.0 },
            grad: vec![0.0; (frames + 2) * classes],
            y_mod: vec![0.0; (frames + 2) * classes],
            soft_alignment: vec![0.0; (frames + 2) * columns],
            visits: vec![0.0; (frames + 2) * columns],
            h: vec![0.0; frames + 2],
            durations: vec![0.0; columns],
        };
        if top == f64::NEG_INFINITY {
            results.sums.value = f64::INFINITY;
            return results;
        }
        let minus_x_ln_x = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        for &c in &ends {
            at[c] = (before[c] - top).exp() / sum;
            results.sums.entropy += minus_x_ln_x(at[c]);
        }
        for t in (0..frames).rev() {
            let mut earlier = vec![0.0; columns];
            for c in 0..columns {
                results.visits[t * columns + c] = at[c];
                results.durations[c] += at[c];
                for s in 0..3 {
                    let share = shares[(t * columns + c) * 3 + s];
                    let used = at[c] * share;
                    let (_, weight, pays) = step(s, t, c);
                    results.soft_alignment[t * columns + c] += used * weight;
                    results.sums.blank_uses += used * pays;
                    results.sums.entropy += at[c] * minus_x_ln_x(share);
                    if let Some(from) = c.checked_sub(s) {
                        earlier[from] += used;
                    }
                }
                let h = results.soft_alignment[t * columns + c];
                results.h[t] += h;
                results.grad[t * classes + class(c) as usize] -= h;
            }
            for k in 0..classes {
                let entry = &mut results.grad[t * classes + k];
                let taught = -*entry;
                *entry += results.h[t] * softmax[t * classes + k];
                results.y_mod[t * classes + k] = if results.h[t] < 1e-20 { 0.0 } else { taught / results.h[t] };
            }
            at = earlier;
        }
        results
    }

    fn assert_close(case: &Case, got: &Results, expected: &Results, tolerance: f64, of: &str) {
        let check = |name: &str, got: &[f64], expected: &[f64], tolerance: f64| {
            assert_eq!(got.len(), expected.len());
            for (index, (&a, &b)) in got.iter().zip(expected).enumerate() {
                assert!(
                    a == b || (a - b).abs() <= tolerance,
                    "{of}: {name} at {index}: {a} is not {b}; {:?}",
                    case.settings
                );
            }
        };
        let scale = expected.sums.value.abs().clamp(1.0, 1e300);
        check("value", &[got.sums.value], &[expected.sums.value], tolerance * scale);
        check("blank uses", &[got.sums.blank_uses], &[expected.sums.blank_uses], tolerance * 30.0);
        check("entropy", &[got.sums.entropy], &[expected.sums.entropy], tolerance * 100.0);
        check("gradient", &got.grad, &expected.grad, tolerance);
        check("H", &got.soft_alignment, &expected.soft_alignment, tolerance);
        check("E", &got.visits, &expected.visits, tolerance);
        check("h", &got.h, &expected.h, tolerance);
        check("durations", &got.durations, &expected.durations, tolerance * 30.0);
        // Where a frame has next to no weight, its target is the quotient of small numbers.
        for (t, h) in expected.h.iter().enumerate().filter(|(_, h)| **h > 1e-3 || **h == 0.0) {
            let row = t * case.classes..(t + 1) * case.classes;
            check("Y_mod", &got.y_mod[row.clone()], &expected.y_mod[row], tolerance / h.clamp(1e-3, 1.0));
        }
    }

    #[test]
    fn all_sets_give_the_recursion_in_logarithms() {
        let mut without_path = 0;
        for seed in 0..200 {
            let case = Case::new(seed);
            let expected = by_columns(&case);
            without_path += usize::from(expected.sums.value == f64::INFINITY);
            for &(name, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
                let of = |precision| format!("case {seed}, {name}, {precision}");
                assert_close(&case, &by_kernel::<f64>(set, &case), &expected, 1e-11, &of("float64"));
                assert_close(&case, &by_kernel::<f32>(set, &case), &expected, 4e-6, &of("float32"));
            }
        }
        assert!((5..80).contains(&without_path), "{without_path}");
    }

    #[test]
    fn scores_beyond_float32_go_by_float64_and_bad_ones_give_nan() {
        let mut case = Case::new(3);
        case.settings = Settings::plain();
        case.scores.iter_mut().for_each(|x| *x = f64::from((*x * 3e6) as f32));
        let expected = by_columns(&case);
        assert!(expected.sums.value > 1e7, "{}", expected.sums.value);
        for &(name, set) in InstructionSet::ALL.iter().filter(|(_, set)| set.is_available()) {
            assert_close(&case, &by_kernel::<f64>(set, &case), &expected, 1e-9, name);
            assert_close(&case, &by_kernel::<f32>(set, &case), &expected, 1e-7, name);
            for bad in [f64::NAN, f64::INFINITY] {
                for from_logits in [false, true] {
                    let mut case = Case::new(3);
                    case.settings = Settings { from_logits, ..Settings::plain() };
                    let class = if from_logits { 0 } else { case.labels[0] as usize };
                    case.scores[5 * case.classes + class] = bad;
                    let results = by_kernel::<f32>(set, &case);
                    assert!(results.sums.value.is_nan(), "{name} {bad} {}", results.sums.value);
                    assert!(results.grad[..case.frames * case.classes].iter().all(|g| g.is_nan()));
                    assert!(results.grad[case.frames * case.classes..].iter().all(|&g| g == 0.0));
                }
            }
        }
    }
}
