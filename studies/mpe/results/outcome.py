"""Results of a run on the test, beside its modified targets at the start."""

from pathlib import Path
from typing import Any

import numpy as np

from studies.mpe.configuration import Run
from studies.mpe.inputs.features import read_features
from studies.mpe.inputs.frames import FPS, LOWEST_PITCH
from studies.mpe.inputs.preparation import Progress
from studies.mpe.inputs.segments import segments_of
from studies.mpe.places import Places
from studies.mpe.record import write_result
from studies.mpe.results.evaluation import (
    compare_with_predictions,
    event_durations,
    frame_scores,
    logits_of,
    modified_targets,
    predicted_peaks,
    test_logits,
)
from studies.mpe.training.checkpoint import load_checkpoint, load_network
from studies.mpe.training.loop import losses_at_ends
from studies.mpe.training.prediction import probabilities

EXCERPT = "excerpt.npz"
"""One segment of the test: targets, predictions before and after, modified targets."""

EVENTS = "events.npz"
"""All events of the test: duration in frames, peak in the modified targets ("promised") and as predicted."""


def evaluate(places: Places, run: Run, seed: int, progress: Progress) -> dict[str, Any]:
    """Evaluate a run on the test, beside its modified targets at the start, and write its result."""
    study = places.configuration
    recordings = read_features(study.data["test"], places.data)
    segments = segments_of(recordings, study.finetuning)
    path = places.run(run, seed) / "checkpoint.pt"
    before = test_logits(load_network(places.start(run, seed), width=study.width), recordings)
    after = test_logits(load_network(path, width=study.width), recordings)
    state = load_checkpoint(path)
    result: dict[str, Any] = {
        "digest": study.digest(run),
        "run": run.name,
        "seed": seed,
        "steps": state["step"],
        "seconds": state["seconds"],
        "start_digest": load_checkpoint(places.start(run, seed))["digest"],
        **losses_at_ends(state["losses"].tolist()),
        "first_gamma": float(state["gammas"][0]),
        "last_gamma": float(state["gammas"][-1]),
        "f_before": frame_scores(before, recordings)["f_measure"],
        **frame_scores(after, recordings),
        "test": [features.id for features in recordings],
    }
    shown = max(segments, key=lambda segment: int(np.count_nonzero(np.diff(segment.strong, axis=0) > 0)))
    excerpt: dict[str, Any] = {"strong": shown.strong, "weak": shown.weak().y, "fps": FPS}
    excerpt |= {
        "lowest_pitch": LOWEST_PITCH,
        "cost": "bce",
        "before": probabilities(logits_of(before, shown)),
    }
    excerpt["predictions"] = probabilities(logits_of(after, shown))
    inspected = state["objective"].get("inspection_seconds")
    if inspected is not None:
        result["inspection_share"] = inspected / max(state["seconds"], 1e-9)
    events = {"durations": event_durations(segments), "predicted": predicted_peaks(after, segments)}
    if run.first_gamma is not None:
        targets = modified_targets(
            before, segments, gamma=run.first_gamma, step_weights=study.finetuning.step_weights
        )
        result |= compare_with_predictions(targets, after, segments)
        events["promised"] = targets.peaks
        excerpt |= {"y_mod": targets.y_mod[segments.index(shown)], "gamma": run.first_gamma}
    folder = places.run(run, seed)
    _save_arrays(folder / EXCERPT, excerpt)
    _save_arrays(folder / EVENTS, events)
    write_result(folder, result)
    progress(f"F {result['f_before']:.3f} -> {result['f_measure']:.3f}")
    return result


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(path)
