"""Figures after the paper's 4 and 5: modified targets of each gamma at the start, predictions at the end."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from studies.mpe.configuration import Run
from studies.mpe.inputs.frames import FPS, LOWEST_PITCH
from studies.mpe.places import Places
from studies.mpe.results.outcome import EVENTS, EXCERPT
from studies.mpe.results.table import CAPTIONS
from warplens.analysis.display import figure5, magnitude_over_duration, save_figure


def draw_figures(places: Places, folder: Path) -> list[Path]:
    """Draw the finished runs of the first seed that has any into a folder."""
    study = places.configuration
    for seed in study.seeds:
        done = [run for run in study.runs if places.is_done(run, seed)]
        constant = [
            run
            for run in done
            if run.objective == "sdtw" and run.schedule == "constant" and run.start == "full"
        ]
        if constant:
            drawn = (
                _figure_4(places, constant, seed),
                _figure_5(places, constant, seed),
                _training(places, done, seed),
            )
            folder.mkdir(parents=True, exist_ok=True)
            paths = [folder / name for name in CAPTIONS]
            for path, figure in zip(paths, drawn, strict=True):
                save_figure(path, figure)
            return paths
    return []


def _figure_4(places: Places, runs: list[Run], seed: int) -> Figure:
    """Draw peaks of events over their duration: in modified targets at the start, in final predictions."""
    tables = [np.load(places.run(run, seed) / EVENTS) for run in runs]
    figure = Figure(figsize=(10, 3.4), dpi=150, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for ax, key, title in zip(
        panels, ("promised", "predicted"), ("$Y_{mod}$ at the start", "predictions at the end"), strict=True
    ):
        # A tenth of the events is enough to be seen.
        chosen = slice(None, None, max(1, len(tables[0]["durations"]) // 2000))
        magnitude_over_duration(
            tables[0]["durations"][chosen],
            np.stack([table[key][chosen] for table in tables]),
            ax,
            FPS,
            gammas=[run.gamma for run in runs],
        )
        ax.set_title(title, loc="left", fontsize="medium")
    panels[1].set_ylabel("")
    return figure


def _figure_5(places: Places, runs: list[Run], seed: int) -> Figure:
    """Draw modified targets at the start beside predictions at the end, a row a gamma."""
    excerpts = [np.load(places.run(run, seed) / EXCERPT) for run in runs]
    return figure5(
        [excerpt["y_mod"] for excerpt in excerpts],
        [excerpt["predictions"] for excerpt in excerpts],
        [run.gamma for run in runs],
        fps=FPS,
        lowest_pitch=LOWEST_PITCH,
    )


def _training(places: Places, runs: list[Run], seed: int) -> Figure:
    """Draw the loss, as a share of its first value, and gamma over the steps."""
    figure = Figure(figsize=(10, 3.4), dpi=150, layout="constrained")
    losses, gammas = figure.subplots(1, 2)
    for run in runs:
        history = np.loadtxt(places.run(run, seed) / "history.csv", delimiter=",", skiprows=1, ndmin=2)
        width = max(1, len(history) // 40)
        smooth = np.convolve(history[:, 1], np.ones(width) / width, mode="valid")
        losses.plot(np.arange(len(smooth)) + width / 2, smooth / abs(smooth[0]), label=run.name, lw=1)
        if np.isfinite(history[:, 2]).any():
            gammas.plot(history[:, 0], history[:, 2], label=run.name, lw=1)
    losses.set_ylabel("loss / first loss")
    gammas.set_ylabel("gamma")
    gammas.set_yscale("log")
    for ax in (losses, gammas):
        ax.set_xlabel("step")
    losses.legend(fontsize="x-small")
    return figure
