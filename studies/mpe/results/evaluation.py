"""Modified targets at the start of fine-tuning beside predictions at its end.

Both are taken on the recordings of the test, which fine-tuning has not heard. Modified targets are those that
the loss would give the network as it starts: of each segment's predictions and its weak target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

import warplens as wl
from studies.mpe.inputs.features import Features
from studies.mpe.inputs.segments import Segment
from studies.mpe.training.model import ConvStack
from studies.mpe.training.prediction import probabilities, recording_logits
from warplens.analysis import find_events, summarize_levels
from warplens.analysis.metrics.frames import precision_recall_f

THRESHOLD = 0.5
SHORT_FRAMES = 3
"""Events of at most so many frames count as short (96 ms)."""


@dataclass(frozen=True)
class ModifiedTargets:
    """Modified targets at the start of fine-tuning, on segments of the test.

    Attributes:
        gamma: gamma of the loss.
        y_mod: modified targets of each segment, (N,88).
        peaks: the peak of each event of all segments, (K,).
    """

    gamma: float
    y_mod: list[NDArray[np.float32]]
    peaks: NDArray[np.float64]


def test_logits(network: ConvStack, recordings: Sequence[Features]) -> dict[str, NDArray[np.float32]]:
    """Predict whole recordings, by id."""
    return {features.id: recording_logits(network, features) for features in recordings}


def frame_scores(
    logits: Mapping[str, NDArray[np.float32]], recordings: Sequence[Features]
) -> dict[str, float]:
    """Compute precision, recall and F at 0.5 over all frames; of several datasets, F of each as well."""
    scores = dict(zip(("precision", "recall", "f_measure"), _scores(logits, recordings), strict=True))
    datasets = sorted({features.dataset for features in recordings})
    if len(datasets) > 1:
        for name in datasets:
            scores[f"f_measure_{name}"] = _scores(
                logits, [each for each in recordings if each.dataset == name]
            )[2]
    return scores


def _scores(logits: Mapping[str, NDArray[np.float32]], recordings: Sequence[Features]) -> tuple[float, ...]:
    estimate = np.concatenate([logits[features.id] for features in recordings])
    strong = np.concatenate([features.roll for features in recordings])
    # A probability is above 0.5 where its logit is above 0.
    return tuple(precision_recall_f(estimate, strong, (0.0,))[0].tolist())


def modified_targets(
    logits: Mapping[str, NDArray[np.float32]],
    segments: Sequence[Segment],
    *,
    gamma: float,
    step_weights: tuple[float, float, float],
) -> ModifiedTargets:
    """Compute the modified targets at a gamma of a network that predicts these logits."""
    y_mods, peaks = [], []
    for segment in segments:
        weak = segment.weak().y
        alignment = wl.align(
            logits_of(logits, segment),
            weak,
            cost="bce_logits",
            gamma=gamma,
            step_weights=step_weights,
            threads=1,
        )
        y_mods.append(alignment.y_mod)
        peaks.append(summarize_levels(alignment.H, weak, find_events(weak), threshold=THRESHOLD).peak)
    return ModifiedTargets(gamma, y_mods, np.concatenate(peaks))


def logits_of(logits: Mapping[str, NDArray[np.float32]], segment: Segment) -> NDArray[np.float32]:
    """Return the part of a recording's predictions that belongs to a segment."""
    return logits[segment.features.id][segment.first : segment.stop]


def event_durations(segments: Sequence[Segment]) -> NDArray[np.int64]:
    """Return the true duration in frames of each event of all segments, (K,)."""
    return np.concatenate([stop - first for _, first, stop in map(_true_extents, segments)])


def predicted_peaks(
    logits: Mapping[str, NDArray[np.float32]], segments: Sequence[Segment]
) -> NDArray[np.float64]:
    """Return the highest probability that is predicted for each event where it truly sounds, (K,)."""
    peaks = []
    for segment in segments:
        predicted = probabilities(logits_of(logits, segment))
        features, firsts, stops = _true_extents(segment)
        peaks.append([predicted[a:b, d].max() for d, a, b in zip(features, firsts, stops, strict=True)])
    return np.concatenate(peaks).astype(np.float64)


def _true_extents(segment: Segment) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return feature, first frame and one past the last frame in which the events sound, (K,) each."""
    weak = segment.weak()
    events = find_events(weak.y)
    begins = np.concatenate(([0], np.cumsum(weak.durations)))
    return events.feature, begins[events.start], begins[events.stop]


def compare_with_predictions(
    targets: ModifiedTargets,
    final: Mapping[str, NDArray[np.float32]],
    segments: Sequence[Segment],
) -> dict[str, float]:
    """Compare modified targets at the start with final predictions, on the same frames and events.

    `y_mod_f` is F of the modified targets above 0.5, `segments_f` that of the final predictions on the same
    frames; `peak_rank_correlation` is Spearman's, between an event's peak in the modified targets and in the
    final predictions; the shares of events whose peak reaches 0.5 follow, of all and of short ones.
    """
    strong = np.concatenate([segment.strong for segment in segments])
    estimate = np.concatenate([logits_of(final, segment) for segment in segments])
    peaks, durations = predicted_peaks(final, segments), event_durations(segments)
    short = durations <= SHORT_FRAMES
    varied = np.ptp(targets.peaks) > 0 and np.ptp(peaks) > 0
    return {
        "y_mod_f": float(precision_recall_f(np.concatenate(targets.y_mod), strong, (THRESHOLD,))[0, 2]),
        "segments_f": float(precision_recall_f(estimate, strong, (0.0,))[0, 2]),
        "peak_rank_correlation": float(spearmanr(targets.peaks, peaks).statistic) if varied else float("nan"),
        "events": float(len(peaks)),
        "kept_in_y_mod": float(np.mean(targets.peaks >= THRESHOLD)),
        "kept_in_predictions": float(np.mean(peaks >= THRESHOLD)),
        "short_kept_in_y_mod": float(np.mean(targets.peaks[short] >= THRESHOLD))
        if short.any()
        else float("nan"),
        "short_kept_in_predictions": float(np.mean(peaks[short] >= THRESHOLD))
        if short.any()
        else float("nan"),
    }
