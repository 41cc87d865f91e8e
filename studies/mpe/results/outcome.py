"""Results of a run on the test, beside what its modified targets promised."""

from pathlib import Path
from typing import Any

import numpy as np

from studies.mpe.configuration import Run
from studies.mpe.errors import StudyError
from studies.mpe.inputs.features import read_features
from studies.mpe.inputs.frames import FPS, LOWEST_PITCH
from studies.mpe.inputs.preparation import Progress
from studies.mpe.inputs.segments import segments_of, with_errors
from studies.mpe.places import Places
from studies.mpe.record import write_result
from studies.mpe.results.evaluation import (
    event_durations,
    frame_scores,
    inspect_segments,
    kept_in_targets,
    kept_in_the_end,
    logits_of_pitches,
    part_of,
    predicted_peaks,
    rank_correlation,
    taught_peaks,
    test_outputs,
)
from studies.mpe.results.promises import gamma_of, promises
from studies.mpe.training.checkpoint import load_checkpoint, load_network
from studies.mpe.training.finetuning import probe_id, start_of
from studies.mpe.training.loop import losses_at_ends
from studies.mpe.training.losses import loss_of
from studies.mpe.training.model import parameter_count
from studies.mpe.training.prediction import probabilities

EXCERPT = "excerpt.npz"
"""One segment of the test: targets, predictions, modified targets, and how far frames are taught."""

EVENTS = "events.npz"
"""All events of the test: duration in frames, peak in the modified targets ("promised") and as predicted."""


def evaluate(places: Places, run: Run, seed: int, progress: Progress) -> dict[str, Any]:
    """Evaluate a run on the test, beside what its modified targets promised, and write its result."""
    study = places.configuration
    recordings = read_features(study.data["test"], places.data)
    segments = segments_of(recordings, study.finetuning)
    path = places.run(run, seed) / "checkpoint.pt"
    first = start_of(places, run, seed)
    last = load_network(path, width=study.width)
    outputs = test_outputs(first, recordings)
    before = logits_of_pitches(outputs, first)
    after = logits_of_pitches(test_outputs(last, recordings), last)
    state = load_checkpoint(path)
    if state["step"] != study.finetuning.steps:
        raise StudyError(
            f"Run {run.name!r} has taken {state['step']} of {study.finetuning.steps} steps; run the stage "
            "`finetune` to its end first."
        )
    result: dict[str, Any] = {
        "digest": study.digest(run),
        "run": run.name,
        "seed": seed,
        "steps": state["step"],
        "seconds": state["seconds"],
        "parameters": parameter_count(study.width, run.output),
        "start_digest": load_checkpoint(places.start(run, seed))["digest"],
        **losses_at_ends(state["losses"].tolist()),
        "first_gamma": float(state["gammas"][0]),
        "last_gamma": float(state["gammas"][-1]),
        "f_before": frame_scores(before, recordings)["f_measure"],
        **frame_scores(after, recordings),
        **kept_in_the_end(after, segments),
        "test": [features.id for features in recordings],
    }
    shown = max(segments, key=lambda segment: int(np.count_nonzero(np.diff(segment.strong, axis=0) > 0)))
    excerpt: dict[str, Any] = {"strong": shown.strong, "weak": shown.weak().y, "fps": FPS}
    excerpt |= {
        "lowest_pitch": LOWEST_PITCH,
        "cost": "bce",
        "before": probabilities(part_of(before, shown)),
    }
    excerpt["predictions"] = probabilities(part_of(after, shown))
    inspected = state["objective"].get("inspection_seconds")
    if inspected is not None:
        result["inspection_share"] = inspected / max(state["seconds"], 1e-9)
    peaks = predicted_peaks(after, segments)
    events = {"durations": event_durations(segments), "predicted": peaks}
    loss = loss_of(run, study.finetuning.step_weights)
    if loss is not None:
        # At the start, on exact weak targets: event by event beside the predictions.
        inspection = inspect_segments(loss, first, outputs, segments, gamma=gamma_of(state, 0, loss))
        promised = taught_peaks(inspection, segments)
        result |= kept_in_targets(inspection, segments)
        result["peak_rank_correlation"] = rank_correlation(promised, peaks)
        events["promised"] = promised
        excerpt["gamma"] = inspection.gamma
        for targets in inspection.targets:
            if targets.probe.id == probe_id(shown):
                excerpt["y_mod"] = targets.y_mod
                if targets.presence is not None:
                    excerpt["presence"] = targets.presence
        with_their_errors = with_errors(segments, run.errors, study.finetuning, seed=seed)
        result["looks"] = promises(
            places, run, seed, loss, recordings, with_their_errors, peaks if run.errors.are_none else None
        )
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
