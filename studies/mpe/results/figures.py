"""Figures of the study: what losses teach at the start, what networks predict at the end.

After the paper's 4 and 5, a row a gamma; the same a row a loss; training; and promises beside outcomes.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from studies.mpe.configuration import Run
from studies.mpe.inputs.frames import FPS, LOWEST_PITCH
from studies.mpe.places import Places
from studies.mpe.record import read_result
from studies.mpe.results.evaluation import THRESHOLD
from studies.mpe.results.ordering import PREDICTORS, look_value
from studies.mpe.results.outcome import EVENTS, EXCERPT
from studies.mpe.results.table import CAPTIONS
from warplens.analysis.display import figure5, magnitude_over_duration, save_figure
from warplens.analysis.display.roll_grid import roll_grid

_MARKERS = "osD^"
_LINES = ("-", "--", ":", "-.")


def draw_figures(places: Places, folder: Path) -> list[Path]:
    """Draw the finished runs of the first seed that has any into a folder."""
    study = places.configuration
    seed = next((seed for seed in study.seeds if _of_paper(places, seed)), None)
    if seed is None:
        return []
    done = [run for run in study.runs if places.is_done(run, seed)]
    exact = [run for run in done if run.start == "full" and run.errors.are_none]
    figures = {
        "figure-4.png": _figure_4(places, _of_paper(places, seed), seed),
        "figure-5.png": _figure_5(places, _of_paper(places, seed), seed),
        "training.png": _training(places, done, seed),
        "losses.png": _losses(places, exact, seed),
        "promises.png": _promises(places),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name in CAPTIONS:
        save_figure(folder / name, figures[name])
    return [folder / name for name in CAPTIONS]


def _of_paper(places: Places, seed: int) -> list[Run]:
    """Return the finished runs of weighted SDTW at a constant gamma, exact targets and the usual start."""
    study = places.configuration
    return [
        run
        for run in study.runs
        if run.objective == "sdtw"
        and (run.schedule, run.start, run.prior) == ("constant", "full", 0)
        and run.step_weights in ((), study.finetuning.step_weights)
        and run.errors.are_none
        and places.is_done(run, seed)
    ]


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


def _colour(i: int) -> Any:
    """Return the colour of the i-th run of a figure; markers or lines tell apart those that share one."""
    return colormaps["tab20"](i % 20)


def _training(places: Places, runs: list[Run], seed: int) -> Figure:
    """Draw the loss, as a share of its first value, and gamma over the steps."""
    figure = Figure(figsize=(10, 4.2), dpi=150, layout="constrained")
    losses, gammas = figure.subplots(1, 2)
    for i, run in enumerate(runs):
        line: dict[str, Any] = {"color": _colour(i), "ls": _LINES[i // 20 % 4], "lw": 1}
        history = np.loadtxt(places.run(run, seed) / "history.csv", delimiter=",", skiprows=1, ndmin=2)
        width = max(1, len(history) // 40)
        smooth = np.convolve(history[:, 1], np.ones(width) / width, mode="valid")
        losses.plot(np.arange(len(smooth)) + width / 2, smooth / abs(smooth[0]), label=run.name, **line)
        if np.isfinite(history[:, 2]).any():
            gammas.plot(history[:, 0], history[:, 2], **line)
    losses.set_ylabel("loss / first loss")
    gammas.set_ylabel("gamma")
    gammas.set_yscale("log")
    for ax in (losses, gammas):
        ax.set_xlabel("step")
    figure.legend(loc="outside lower center", ncols=5, fontsize="x-small")
    return figure


def _losses(places: Places, runs: list[Run], seed: int) -> Figure:
    """Draw modified targets at the start beside predictions at the end, a row a loss."""
    left, right = [], []
    for run in runs:
        with np.load(places.run(run, seed) / EXCERPT) as excerpt:
            taught = "y_mod" in excerpt
            title = f"$Y_{{mod}}$, {run.name}" if taught else run.name
            roll = excerpt["y_mod" if taught else "strong"]
            # What is hardly taught is faded.
            left.append((title, roll * excerpt["presence"][:, None] if "presence" in excerpt else roll))
            right.append((f"predictions, {run.name}", excerpt["predictions"]))
    return roll_grid([left, right], FPS, LOWEST_PITCH, threshold=THRESHOLD)


def _promises(places: Places) -> Figure:
    """Draw F of modified targets over F in the end, a colour a row of the table, a point a seed."""
    study = places.configuration
    figure = Figure(figsize=(10, 4.2), dpi=150, layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    measures = (
        ("$Y_{mod}$ at the start", 0.0, "F of Y_mod"),
        ("settled predictions at the start", 0.0, "F of settled predictions"),
        ("$Y_{mod}$ after 25 %", 0.25, "F of Y_mod"),
    )
    for ax, (title, share, predictor) in zip(panels, measures, strict=True):
        for i, run in enumerate(run for run in study.runs if run.objective != "strong"):
            results = [read_result(places.run(run, seed), digest=study.digest(run)) for seed in study.seeds]
            points = [
                (result["f_measure"], value)
                for result in results
                if result and (value := look_value(result, share, PREDICTORS[predictor][0])) is not None
            ]
            if points:
                x, y = zip(*points, strict=True)
                ax.scatter(x, y, s=14, color=_colour(i), marker=_MARKERS[i // 20 % 4], label=run.name)
        ax.axline((0, 0), slope=1, color="0.7", lw=0.8, zorder=0)
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_xlabel("F of the final predictions")
    panels[0].set_ylabel("F of the targets")
    panels[0].set_xlim(0, 1)
    panels[0].set_ylim(0, 1)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize="x-small")
    return figure
