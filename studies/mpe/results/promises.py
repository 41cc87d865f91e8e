"""Promises of modified targets while a network is fine-tuned, beside what comes in the end.

At the start and after 5, 10 and 25 % of the steps the network as it was then is inspected under its loss,
with the gamma and the errors of the weak targets that it was trained with, on segments of the test.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.mpe.configuration import Run
from studies.mpe.inputs.features import Features
from studies.mpe.inputs.segments import Segment
from studies.mpe.places import Places
from studies.mpe.results.evaluation import inspect_segments, rank_correlation, taught_peaks, test_outputs
from studies.mpe.training.checkpoint import load_checkpoint, load_network
from studies.mpe.training.finetuning import start_of, steps_looked_at
from studies.mpe.training.losses import WeakLoss
from studies.mpe.training.model import ConvStack
from studies.mpe.training.schedules import set_prior
from warplens.training import Inspection

SETTLED_ROUNDS = (1, 3)
"""Rounds after which predictions that have learnt their modified targets are inspected as well."""


def promises(
    places: Places,
    run: Run,
    seed: int,
    loss: WeakLoss,
    recordings: Sequence[Features],
    segments: Sequence[Segment],
    final_peaks: NDArray[np.float64] | None,
) -> list[dict[str, Any]]:
    """Inspect the networks that a run kept, in the order of their steps.

    Args:
        places: files of the study.
        run: the run.
        seed: its seed.
        loss: its loss.
        recordings: recordings of the test.
        segments: segments of the test, with the errors of the run.
        final_peaks: peak of each event in the final predictions, (K,); None where errors make other events.

    Returns:
        For each look its share of the steps, step and gamma, all measures of the modified targets that are
        numbers, and `peak_rank_correlation` between the peaks of events in them and in the final predictions;
        and the same of what is taught once predictions have settled for some rounds.
    """
    looks = []
    last = load_checkpoint(places.run(run, seed) / "checkpoint.pt")
    for share, step, network in _networks(places, run, seed):
        gamma = gamma_of(last, step, loss)
        set_prior(run, loss, step=step, steps=places.configuration.finetuning.steps)
        outputs = test_outputs(network, recordings)
        look: dict[str, Any] = {"share": share, "step": step, "gamma": gamma}
        for prefix, rounds in (("", 0), *((f"after {r} rounds: ", r) for r in SETTLED_ROUNDS)):
            inspection = inspect_segments(loss, network, outputs, segments, gamma=gamma, rounds=rounds)
            numbers = _numbers(inspection, segments, final_peaks)
            look |= {f"{prefix}{name}": value for name, value in numbers.items()}
        looks.append(look)
    return looks


def _numbers(
    inspection: Inspection, segments: Sequence[Segment], final_peaks: NDArray[np.float64] | None
) -> dict[str, float]:
    numbers = {name: value for name, value in inspection.measures.items() if np.isfinite(value)}
    peaks = taught_peaks(inspection, segments)
    if final_peaks is not None and len(final_peaks) == len(peaks):
        correlation = rank_correlation(peaks, final_peaks)
        if np.isfinite(correlation):
            numbers["peak_rank_correlation"] = correlation
    return numbers


def gamma_of(state: Mapping[str, Any], step: int, loss: WeakLoss) -> float:
    """Return the gamma of a step from the state of a run; of the EM baseline that of the loss that looks."""
    gamma = float(state["gammas"][step])
    return gamma if np.isfinite(gamma) else float(loss.gamma)


def _networks(places: Places, run: Run, seed: int) -> Iterator[tuple[float, int, ConvStack]]:
    settings, width = places.configuration.finetuning, places.configuration.width
    for share, step in steps_looked_at(settings.steps).items():
        if step == 0:
            network = start_of(places, run, seed)
        elif step < settings.steps:
            network = load_network(places.during(run, seed, step), width=width)
        else:
            continue
        yield share, step, network
