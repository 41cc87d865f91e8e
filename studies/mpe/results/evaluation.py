"""Modified targets while fine-tuning beside predictions at its end.

Both are taken on the recordings of the test, which fine-tuning has not heard. Modified targets are those that
the loss gives a network: of each segment's predictions and its weak target.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from studies.mpe.inputs.features import Features
from studies.mpe.inputs.segments import Segment
from studies.mpe.training.finetuning import probe_id, probes_of
from studies.mpe.training.losses import WeakLoss
from studies.mpe.training.model import ConvStack, pitch_logits
from studies.mpe.training.objectives import scores_for
from studies.mpe.training.prediction import probabilities, recording_outputs
from warplens.analysis import find_events
from warplens.analysis.metrics.frames import precision_recall_f
from warplens.training import Inspection, inspect_targets, settle_predictions

Outputs = Mapping[str, NDArray[np.float32]]
"""Outputs (N,...) of a network, or logits (N,88) of pitches, by the id of the recording."""

THRESHOLD = 0.5
SHORT_FRAMES = 3
"""Events of at most so many frames count as short (96 ms)."""


def test_outputs(network: ConvStack, recordings: Sequence[Features]) -> Outputs:
    """Predict whole recordings, by id."""
    return {features.id: recording_outputs(network, features) for features in recordings}


def logits_of_pitches(outputs: Outputs, network: ConvStack) -> Outputs:
    """Return the logits (N,88) of the pitches from what a network returned."""
    return {
        name: pitch_logits(torch.from_numpy(each), network.output).numpy() for name, each in outputs.items()
    }


def frame_scores(logits: Outputs, recordings: Sequence[Features]) -> dict[str, float]:
    """Compute precision, recall and F at 0.5 over all frames; of several datasets, F of each as well."""
    scores = dict(zip(("precision", "recall", "f_measure"), _scores(logits, recordings), strict=True))
    datasets = sorted({features.dataset for features in recordings})
    if len(datasets) > 1:
        for name in datasets:
            scores[f"f_measure_{name}"] = _scores(
                logits, [each for each in recordings if each.dataset == name]
            )[2]
    return scores


def _scores(logits: Outputs, recordings: Sequence[Features]) -> tuple[float, ...]:
    estimate = np.concatenate([logits[features.id] for features in recordings])
    strong = np.concatenate([features.roll for features in recordings])
    # A probability is above 0.5 where its logit is above 0.
    return tuple(precision_recall_f(estimate, strong, (0.0,))[0].tolist())


def inspect_segments(
    loss: WeakLoss,
    network: ConvStack,
    outputs: Outputs,
    segments: Sequence[Segment],
    *,
    gamma: float,
    rounds: int = 0,
) -> Inspection:
    """Inspect what a loss teaches a network that predicts these outputs, or has learnt it for some rounds."""
    predictions = [scores_for(loss, torch.from_numpy(part_of(outputs, segment))) for segment in segments]
    probes = probes_of(network, loss, segments)
    if rounds:
        predictions = settle_predictions(loss, probes, rounds=rounds, predictions=predictions, gamma=gamma)
    return inspect_targets(loss, probes, predictions=predictions, gamma=gamma)


def part_of(outputs: Outputs, segment: Segment) -> NDArray[np.float32]:
    """Return the part of a recording's predictions that belongs to a segment."""
    return outputs[segment.features.id][segment.first : segment.stop]


def event_durations(segments: Sequence[Segment]) -> NDArray[np.int64]:
    """Return the true duration in frames of each event of all segments, (K,)."""
    return np.concatenate([stop - first for _, first, stop in map(_true_extents, segments)])


def predicted_peaks(logits: Outputs, segments: Sequence[Segment]) -> NDArray[np.float64]:
    """Return the highest probability that is predicted for each event where it truly sounds, (K,)."""
    peaks = []
    for segment in segments:
        predicted = probabilities(part_of(logits, segment))
        features, firsts, stops = _true_extents(segment)
        peaks.append([predicted[a:b, d].max() for d, a, b in zip(features, firsts, stops, strict=True)])
    return np.concatenate(peaks).astype(np.float64)


def taught_peaks(inspection: Inspection, segments: Sequence[Segment]) -> NDArray[np.float64]:
    """Return the peak of each event in the modified targets, (K,); 0 in a segment that has no path."""
    levels = {targets.probe.id: targets.levels.peak for targets in inspection.targets}
    return np.concatenate(
        [levels.get(probe_id(segment), np.zeros(len(find_events(segment.weak().y)))) for segment in segments]
    )


def _true_extents(segment: Segment) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return feature, first frame and one past the last frame in which the events sound, (K,) each."""
    weak = segment.weak()
    events = find_events(weak.y)
    begins = np.concatenate(([0], np.cumsum(weak.durations)))
    return events.feature, begins[events.start], begins[events.stop]


def kept_in_the_end(logits: Outputs, segments: Sequence[Segment]) -> dict[str, float]:
    """Return F of final predictions over the segments, and the shares of events whose peak reaches 0.5."""
    strong = np.concatenate([segment.strong for segment in segments])
    estimate = np.concatenate([part_of(logits, segment) for segment in segments])
    peaks, short = predicted_peaks(logits, segments), event_durations(segments) <= SHORT_FRAMES
    return {
        "segments_f": float(precision_recall_f(estimate, strong, (0.0,))[0, 2]),
        "events": float(len(peaks)),
        "kept_in_predictions": _kept(peaks),
        "short_kept_in_predictions": _kept(peaks[short]),
    }


def kept_in_targets(inspection: Inspection, segments: Sequence[Segment]) -> dict[str, float]:
    """Return F of modified targets, and the shares of events whose peak in them reaches 0.5."""
    peaks, short = taught_peaks(inspection, segments), event_durations(segments) <= SHORT_FRAMES
    return {
        "y_mod_f": inspection.measures["f_measure"],
        "kept_in_y_mod": _kept(peaks),
        "short_kept_in_y_mod": _kept(peaks[short]),
    }


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation; NaN where one of both does not vary."""
    return float(spearmanr(a, b).statistic) if np.ptp(a) > 0 and np.ptp(b) > 0 else float("nan")


def _kept(peaks: NDArray[np.float64]) -> float:
    return float(np.mean(peaks >= THRESHOLD)) if len(peaks) else float("nan")
