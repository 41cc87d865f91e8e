"""Curves: peaks of events over their duration, row sums over time, and measures over gamma."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from warplens.analysis.display.axes import axes_or_new, frame_extent, label_frames
from warplens.analysis.display.colors import CURVE_COLORS, MARKERS, PATH_COLOR, line_colors
from warplens.analysis.events import THRESHOLD

_BINS = 6
_SHARES = ("kept", "short_event_peak", "f_measure")
_LOST_TO = {"collapse": ("#cc79a7", "lost to collapse"), "blur": ("#f5c08a", "lost to blur")}
"""Colours and names of the areas of lost events above the curve of the kept ones."""

_NAMES = {
    "kept": "share of events kept",
    "short_event_peak": "mean peak of short events",
    "f_measure": "F of $Y_{mod}$",
    "blur": "blur (frames)",
    "entropy": "entropy (nats)",
}


def magnitude_over_duration(
    durations: NDArray[Any],
    peaks: NDArray[Any],
    ax: Axes | None = None,
    fps: float | None = None,
    *,
    gammas: Sequence[float] | NDArray[np.float64] | None = None,
    threshold: float = THRESHOLD,
) -> Axes:
    """Draw a point an event, its peak over its duration; a line joins the medians of six equal groups.

    Where the lines of several gammas part at the left, the loss teaches short events less than long ones.

    Args:
        durations: durations of K events in frames, (K,), or at each gamma, (G, K).
        peaks: their peaks, (K,) or (G, K).
        ax: axes to draw in; None makes a figure of its own (`ax.figure`).
        fps: frames a second, to show seconds.
        gammas: gammas of the rows of peaks, for the legend.
        threshold: level under which an event counts as lost.

    Raises:
        ValueError: the shapes do not fit.
    """
    peaks = np.atleast_2d(np.asarray(peaks, np.float64))
    durations = np.asarray(durations, np.float64)
    if durations.shape not in (peaks.shape, peaks.shape[1:]):
        raise ValueError(
            f"durations, peaks: shapes {durations.shape} and {peaks.shape}, they must be (K,) or (G, K)"
        )
    if gammas is not None and len(gammas) != len(peaks):
        raise ValueError(f"gammas: {len(gammas)} of them, but peaks have {len(peaks)} rows")
    ax = axes_or_new(ax, figsize=(5, 3.2))
    seconds = np.broadcast_to(durations / (fps or 1), peaks.shape)
    for g, color in enumerate(line_colors(len(peaks))):
        name = None if gammas is None else f"$\\gamma$ = {gammas[g]:g}"
        marker = MARKERS[g % len(MARKERS)]
        ax.plot(seconds[g], peaks[g], marker, color=color, ms=3.5, alpha=0.35, mew=0)
        ax.plot(*_medians(seconds[g], peaks[g]), marker, ls="-", color=color, ms=5, lw=1.4, label=name)
    ax.axhline(threshold, color="black", lw=0.8, ls="--", label=f"threshold {threshold:g}")
    positive = seconds[seconds > 0]
    if positive.size and positive.max() > 8 * positive.min():
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(
        min(0.0, float(np.nanmin(peaks, initial=0.0))) - 0.03, max(1.0, peaks.max(initial=1.0)) + 0.03
    )
    ax.set_xlabel("duration of event (s)" if fps else "duration of event (frames)")
    ax.set_ylabel("peak of event")
    if gammas is not None:
        ax.legend(fontsize="small", loc="lower right")
    return ax


def row_sums(
    h: NDArray[Any],
    ax: Axes | None = None,
    fps: float | None = None,
    *,
    gammas: Sequence[float] | NDArray[np.float64] | None = None,
) -> Axes:
    """Draw h(n) over time: how strongly each frame is updated.

    Args:
        h: row sums of the soft alignment, (N,), or a line for each gamma, (G, N).
        ax: axes to draw in; None makes a figure of its own (`ax.figure`).
        fps: prediction frames a second; None counts frames.
        gammas: gammas of the lines, (G,), for the legend.

    Raises:
        ValueError: there are not as many gammas as lines.
    """
    h = np.atleast_2d(h)
    if gammas is not None and len(gammas) != len(h):
        raise ValueError(f"gammas: {len(gammas)} of them, but h has {len(h)} rows")
    ax = axes_or_new(ax)
    start, stop = frame_extent(h.shape[1], fps)
    edges = np.linspace(start, stop, h.shape[1] + 1)
    for g, color in enumerate(line_colors(len(h))):
        name = None if gammas is None else f"$\\gamma$ = {gammas[g]:g}"
        ax.stairs(h[g], edges, color=color, lw=1.0, label=name, baseline=None)
    ax.set_xlim(start, stop)
    ax.set_ylim(0, (1.3 if gammas is not None else 1.05) * max(float(h.max()), 1e-12))  # room for the legend
    ax.set_ylabel("h(n)")
    label_frames(ax, fps)
    if gammas is not None:
        ax.legend(fontsize="small", loc="upper right", ncols=len(h))
    return ax


def sweep_curves(
    gammas: ArrayLike,
    *,
    kept: ArrayLike | None = None,
    short_event_peak: ArrayLike | None = None,
    f_measure: ArrayLike | None = None,
    blur: ArrayLike | None = None,
    entropy: ArrayLike | None = None,
    lost_to_collapse: ArrayLike | None = None,
    recommended: float | None = None,
    share: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the given curves over gamma: what a loss keeps and what it blurs.

    Shares and levels have an axis from 0 to 1; `blur`, in frames, or `entropy`, in nats, has an axis of its
    own, on the right if there are others. NaN leaves a gap.

    Args:
        gammas: ascending, (G,), positive.
        kept: share of events whose peak reaches the threshold, (G,).
        short_event_peak: mean peak of the shortest quartile of events by expected duration, (G,).
        f_measure: F-measure of Y_mod against strong targets, (G,).
        blur: mean fade of onsets and offsets in frames, (G,).
        entropy: entropy of the alignments in nats, (G,).
        lost_to_collapse: share of events lost to collapsed alignments, (G,). With it the areas above `kept`
            show what loses the others: collapse, then blur.
        recommended: a gamma to mark.
        share: share of events that are to be kept, drawn as a line.
        ax: axes to draw in; None makes a figure of its own (`ax.figure`).

    Raises:
        ValueError: nothing is given, a curve has another length, lost_to_collapse is given without kept, or
            both blur and entropy are given (`sweep_figure` has a panel for each).
    """
    gammas = np.asarray(gammas, np.float64)
    given = {"kept": kept, "short_event_peak": short_event_peak, "f_measure": f_measure}
    given |= {"blur": blur, "entropy": entropy}
    curves = {name: np.asarray(curve, np.float64) for name, curve in given.items() if curve is not None}
    if not curves:
        raise ValueError(f"no curve is given; accepted are {', '.join(given)}")
    collapsed = None if lost_to_collapse is None else np.asarray(lost_to_collapse, np.float64)
    for name, curve in (*curves.items(), ("lost_to_collapse", collapsed)):
        if curve is not None and curve.shape != gammas.shape:
            raise ValueError(f"{name}: shape {curve.shape}, it must be that of gammas, {gammas.shape}")
    if collapsed is not None and "kept" not in curves:
        raise ValueError("lost_to_collapse: is given without kept, above which it is drawn")
    if "blur" in curves and "entropy" in curves:
        raise ValueError("blur, entropy: both are given, but they share no axis; use sweep_figure")
    ax = axes_or_new(ax, figsize=(6, 3))
    shares = {name: curve for name, curve in curves.items() if name in _SHARES}
    others = {name: curve for name, curve in curves.items() if name not in _SHARES}
    colors = dict(zip(_NAMES, CURVE_COLORS, strict=True))

    def draw(on: Axes, name: str, curve: NDArray[np.float64]) -> Any:
        marker = MARKERS[list(_NAMES).index(name)]
        return on.plot(gammas, curve, marker + "-", color=colors[name], ms=4, lw=1.4, label=_NAMES[name])[0]

    lines = [draw(ax, name, curve) for name, curve in shares.items()]
    if collapsed is not None:
        lines += _lost_areas(ax, gammas, curves["kept"], collapsed)
    if shares:
        ax.set_ylim(-0.03, 1.03)
        ax.set_ylabel("share, level")
        if share is not None:
            lines.append(ax.axhline(share, color="black", lw=0.8, ls=":", label=f"{share:g} of events"))
    for name, curve in others.items():
        right = ax.twinx() if shares else ax
        lines.append(draw(right, name, curve))
        right.set_ylabel(_NAMES[name])
        right.set_ylim(min(0.0, float(np.nanmin(curve, initial=0.0))), None)
    if recommended is not None:
        mark = ax.axvline(
            recommended, color=PATH_COLOR, lw=1.2, ls="--", label=f"recommended: {recommended:.3g}"
        )
        lines.append(mark)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("$\\gamma$")
    if len(lines) > 1:
        above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        ax.legend(handles=lines, fontsize="small", ncols=3, frameon=False, **above)
    return ax


def sweep_figure(
    gammas: ArrayLike,
    *,
    blur: ArrayLike | None = None,
    entropy: ArrayLike | None = None,
    recommended: float | None = None,
    **shares: Any,
) -> Figure:
    """Draw the curves of a sweep in panels under each other: shares, blur, entropy.

    Args:
        gammas: ascending, (G,), positive.
        blur: mean fade of onsets and offsets in frames, (G,).
        entropy: entropy of the alignments in nats, (G,).
        recommended: a gamma to mark in every panel.
        shares: kept, short_event_peak, f_measure, lost_to_collapse and share, as `sweep_curves` takes them.

    Raises:
        ValueError: nothing is given, or as `sweep_curves`.
    """
    panels: list[dict[str, Any]] = [shares, {"blur": blur}, {"entropy": entropy}]
    panels = [
        panel
        for panel in panels
        if any(curve is not None for name, curve in panel.items() if name != "share")
    ]
    if not panels:
        raise ValueError("no curve is given; see sweep_curves")
    heights = [2 if panel is shares else 1 for panel in panels]
    figure = Figure(figsize=(6, 1 + 1.3 * sum(heights)), dpi=150, layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for ax, panel in zip(rows, panels, strict=True):
        sweep_curves(gammas, ax=ax, recommended=recommended, **panel)
        if panel is not shares and len(panels) > 1 and (legend := ax.get_legend()) is not None:
            legend.remove()
        if ax is not rows[-1]:
            ax.set_xlabel("")
    return figure


def _lost_areas(
    ax: Axes, gammas: NDArray[np.float64], kept: NDArray[np.float64], collapsed: NDArray[np.float64]
) -> list[Any]:
    """Fill what lies above the kept events: what is lost to collapse, then what is lost to blur."""
    bounds = {"collapse": (kept, kept + collapsed), "blur": (kept + collapsed, np.ones_like(kept))}
    areas = []
    for by, (low, high) in bounds.items():
        if not (high > low + 1e-12).any():
            continue
        color, label = _LOST_TO[by]
        hatch = "///" if by == "collapse" else None
        areas.append(
            ax.fill_between(
                gammas, low, high, color=color, alpha=0.6, lw=0, hatch=hatch, label=label, zorder=0.5
            )
        )
    return areas


def _medians(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    order = np.argsort(x, kind="stable")
    groups = [group for group in np.array_split(order, _BINS) if len(group)]
    return [float(np.median(x[group])) for group in groups], [float(np.median(y[group])) for group in groups]
