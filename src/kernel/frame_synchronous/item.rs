//! One item: sweeps down and up, in segments where the shares would take too much memory.

use super::backward::{BackwardSums, BackwardSweep, row_of_states};
use super::blank::{AHEAD, BlankFactors};
use super::factor::{ScoreRate, constant_factor};
use super::forward::{ForwardSweep, Shares, Watch};
use super::graph::Graph;
use super::lens::Lens;
use super::outputs::{Outputs, Sums};
use super::range::{Range, Reach, reach};
use super::settings::Settings;
use super::softmax::{STREAMED, Softmax};
use super::state::{States, before_first_frame, fixed};
use crate::kernel::wavefront::AlignedBuffer;
use crate::real::Real;
use crate::simd::{Exponent, Lanes};

/// Scores of an item: rows of K, `stride` apart.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a, R> {
    /// Holds the rows.
    pub entries: &'a [R],
    /// Entries from one row to the next.
    pub stride: usize,
    /// Rows.
    pub frames: usize,
    /// K.
    pub classes: usize,
}

impl<'a, R> Scores<'a, R> {
    /// The scores of frame t.
    #[inline(always)]
    pub fn row(self, t: usize) -> &'a [R] {
        &self.entries[t * self.stride..][..self.classes]
    }
}

/// Memory that items reuse; any contents will do.
#[derive(Default)]
pub struct ItemScratch<R> {
    shares: AlignedBuffer<R>,
    row: AlignedBuffer<R>,
}

impl<R: Range> ItemScratch<R> {
    /// Estimates from above what it holds, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.shares.as_slice()) + size_of_val(self.row.as_slice())
    }
}

/// The bytes of shares that are kept at once. Where those of all frames are more, the forward sweep runs twice: that takes less
/// time than to ask the system for the memory.
const KEPT_SHARES: usize = if cfg!(test) { 1 << 14 } else { 12 << 20 };

/// Frames of a segment, a multiple of [`AHEAD`].
fn segment<R>(width: usize) -> usize {
    (KEPT_SHARES / (3 * width * size_of::<R>()) / AHEAD * AHEAD).max(AHEAD)
}

/// The bytes that an item of so many frames, labels and classes takes, from above.
pub fn working_bytes<R>(frames: usize, labels: usize, classes: usize) -> usize {
    let width = labels + 17;
    let of_segment = segment::<R>(width).min(frames.next_multiple_of(AHEAD));
    let states = frames / segment::<R>(width) + 16;
    (3 * of_segment + 4 * states + 16) * width * size_of::<R>() + (classes + 32 + frames) * 8
}

/// Runs an item on lanes. [`Reach`] says whether the sums count; where they do not, outputs hold anything.
pub fn run<V: Lanes<L>, const L: usize>(
    lanes: V,
    (scores, graph, settings): (Scores<'_, V::Real>, Graph<'_>, &Settings),
    outputs: &mut Outputs<'_, V::Real>,
    scratch: &mut ItemScratch<V::Real>,
) -> (Reach, Sums)
where
    V::Real: Range,
{
    let of = (scores, graph, settings);
    let frames = scores.frames;
    let count = graph.labels.len();
    let vectors = (count + 1).div_ceil(L);
    let width = vectors * L;

    // Of each frame where weights differ: there they do not cancel.
    let mut log_sums = if settings.from_logits && !settings.is_plain() { vec![0.0; frames] } else { vec![] };
    let mut log_sum = 0.0;
    if settings.from_logits {
        let row = scratch.row.reserve(scores.classes.next_multiple_of(L));
        for start in (0..frames).step_by(AHEAD) {
            log_sum += lanes.outline(Softmax {
                lanes,
                scores,
                frames: start..(start + AHEAD).min(frames),
                row: &mut *row,
                log_sums: &mut log_sums,
                out: outputs.grad.as_mut(),
                scale: outputs.scale,
                streams: frames * scores.classes * size_of::<V::Real>() > STREAMED,
            });
        }
    }

    let fixed = fixed(lanes, graph, settings, vectors);
    let mut blanks = BlankFactors::new();
    let keeps = outputs.wants_alignment();
    let of_segment = if keeps { segment::<V::Real>(width).min(frames.next_multiple_of(AHEAD)) } else { frames };
    let shares = scratch.shares.reserve(if keeps { 3 * width * of_segment } else { 0 });
    let shares: &mut [Shares<V::Real, L>] = shares.as_chunks_mut::<L>().0.as_chunks_mut().0;
    let starts: Vec<usize> = (0..frames).step_by(of_segment.max(1)).collect();

    let mut states = before_first_frame(lanes, vectors);
    let mut at_starts: Vec<Vec<States<V::Real, V::Exponent, L>>> = vec![];
    let mut watch = Watch { lost: lanes.constant(0.0), top: lanes.constant(0.0) };
    macro_rules! forward {
        ($keep:literal, $start:expr, $states:expr) => {
            lanes.outline(ForwardSweep::<V, L, $keep> {
                lanes,
                of,
                log_sums: &log_sums,
                fixed: &fixed,
                frames: $start..($start + of_segment).min(frames),
                blanks: &mut blanks,
                states: $states,
                shares: &mut *shares,
                watch,
            })
        };
    }
    for (index, &start) in starts.iter().enumerate() {
        if keeps && index + 1 == starts.len() {
            watch = forward!(true, start, &mut states);
        } else {
            if keeps {
                at_starts.push(states.clone());
            }
            watch = forward!(false, start, &mut states);
        }
    }

    let end = End::of(graph, &states);
    let lost = lanes.to_array(watch.lost).into_iter().map(Real::to_f64).sum::<f64>() + blanks.lost;
    let top = lanes.to_array(watch.top).into_iter().map(Real::to_f64).fold(0.0, f64::max);
    let class_rise = graph.labels.iter().map(|&label| -settings.class_cost(label)).fold(0.0, f64::max);
    let rate = ScoreRate::<V::Real>::new(1.0, settings.gamma).to_f64();
    let rise = frames as f64 * ((top + class_rise) * rate).max(blanks.top);
    let lost = lost + graph.labels.iter().filter(|&&label| is_held::<V::Real>(settings, label)).count() as f64;
    let lost = if log_sum.is_finite() { lost } else { f64::NAN };
    let reached = reach::<V::Real>(lost, rise, end.exponent);
    let value = settings.gamma * -end.ln() + log_sum;
    let mut sums = Sums { value, entropy: 0.0, blank_uses: 0.0 };
    if reached != Reach::Sum || !keeps {
        return (reached, sums);
    }

    let mut lens = outputs.wants_lens().then(|| Lens {
        row: row_of_states(width),
        durations: vec![0.0; outputs.durations.as_ref().map_or(0, |_| graph.columns())],
    });
    if let Some(rows) = &mut outputs.y_mod {
        rows[..frames].iter_mut().for_each(|row| row.fill(V::Real::default()));
    }
    let mut visits = vec![
        States {
            label: [V::Real::default(); L],
            blank: [V::Real::default(); L],
            label_exponent: [V::Exponent::default(); L],
            blank_exponent: [V::Exponent::default(); L]
        };
        vectors
    ];
    end.begin(graph, &mut visits);
    sums.entropy = if outputs.entropy { end.entropy() } else { 0.0 };
    for (index, &start) in starts.iter().enumerate().rev() {
        if let Some(states) = at_starts.get_mut(index) {
            forward!(true, start, states);
        }
        let BackwardSums { blank_uses, entropy } = lanes.outline(BackwardSweep {
            lanes,
            graph,
            settings,
            fixed: &fixed,
            frames: start..(start + of_segment).min(frames),
            states: &mut visits,
            shares: &*shares,
            outputs: &mut *outputs,
            closed: &blanks.closed,
            lens: lens.as_mut(),
        });
        sums.blank_uses += blank_uses;
        sums.entropy += entropy;
    }
    if let (Some(to), Some(lens)) = (&mut outputs.durations, &lens) {
        to.copy_from_slice(&lens.durations);
    }
    (reached, sums)
}

/// Tells if the class cost of a label is so high that its factor is held above the least one.
fn is_held<R: Range>(settings: &Settings, label: u32) -> bool {
    constant_factor::<R>(settings.class_cost(label), settings.gamma).1 <= -R::LARGEST_EXPONENT
}

/// The sum over paths: the last label, and the blank after it.
struct End {
    mantissas: [f64; 2],
    exponent: f64,
}

impl End {
    fn of<R: Range, E: Exponent, const L: usize>(graph: Graph<'_>, states: &[States<R, E, L>]) -> Self {
        let count = graph.labels.len();
        let nothing = (0.0, R::NOTHING);
        let label = count.checked_sub(1).map_or(nothing, |j| {
            let state = &states[j / L];
            (state.label[j % L].to_f64(), state.label_exponent[j % L].to_f64())
        });
        let blank = graph.blank.map_or(nothing, |_| {
            let state = &states[count / L];
            (state.blank[count % L].to_f64(), state.blank_exponent[count % L].to_f64())
        });
        let exponent = label.1.max(blank.1);
        let aligned = |(mantissa, own): (f64, f64)| mantissa * (own - exponent).max(-1000.0).exp2();
        Self { mantissas: [aligned(label), aligned(blank)], exponent }
    }

    fn ln(&self) -> f64 {
        (self.mantissas[0] + self.mantissas[1]).ln() + self.exponent * std::f64::consts::LN_2
    }

    /// The probabilities that a path ends on the label and on the blank.
    fn probabilities(&self) -> [f64; 2] {
        let sum = self.mantissas[0] + self.mantissas[1];
        self.mantissas.map(|mantissa| mantissa / sum)
    }

    fn entropy(&self) -> f64 {
        self.probabilities().into_iter().filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
    }

    /// Writes E of the last frame into states that are 0.
    fn begin<R: Range, E, const L: usize>(&self, graph: Graph<'_>, visits: &mut [States<R, E, L>]) {
        let count = graph.labels.len();
        let [label, blank] = self.probabilities().map(R::from_f64);
        if let Some(j) = count.checked_sub(1) {
            visits[j / L].label[j % L] = label;
        }
        if graph.blank.is_some() {
            visits[count / L].blank[count % L] = blank;
        }
    }
}
