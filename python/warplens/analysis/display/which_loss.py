"""One item under every loss of the family: what each of them would teach on the same predictions."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from numpy.typing import NDArray

from warplens.analysis.display.axes import frame_edge
from warplens.analysis.display.piano_roll import piano_roll
from warplens.analysis.events import THRESHOLD
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.analysis.level_colors import LevelScale
from warplens.analysis.losses.alignments import LEAST_PRESENCE, scores_of
from warplens.analysis.losses.item import analyze_by_loss, with_faded_targets
from warplens.analysis.losses.options import Loss
from warplens.io import Item, LabelItem

_ASSUMES = {
    "sdtw": "Every frame is a target,\nevery target has a frame.",
    "forward-sum": "Every frame is one label,\nevery label has frames.",
    "ctc": "Frames may be blank: no label.",
    "ctc, dear blank": "Blanks cost more,\nlabels last longer.",
    "subsequence": "Targets at the ends\nmay be left out.",
    "drop": "Frames may be left out\nwhere nothing fits.",
}


class TaughtRoll(NamedTuple):
    """Modified targets by one loss.

    Attributes:
        title: loss and settings.
        assumes: what it assumes, in words.
        roll: faded Y_mod, (N, K), over all classes.
        presence: how far each frame is taught, (N,).
        facts: labels under the threshold, blanks and frames not taught, in words.
    """

    title: str
    assumes: str
    roll: NDArray[Any]
    presence: NDArray[np.float64]
    facts: str


def which_loss(
    item: LabelItem,
    *,
    blank: int = 0,
    gamma: float = 0.5,
    drop: float = 1.5,
    blank_penalty: float = 3.0,
    threshold: float = THRESHOLD,
) -> Figure:
    """Draw what soft DTW, forward sum, CTC, CTC with a dear blank, subsequence and drop would teach.

    All of them see the same predictions and labels: the label-wise losses log_probs, the others the
    probabilities of all classes but the blank under bce. Y_mod is faded where frames are hardly taught; what
    is not taught at all is hatched. Where the strong target is known, it is drawn beside the predictions, and
    as outlines in every roll.

    Args:
        item: log_probs (N, K), labels (L,) and where known the class of each frame, names and fps.
        blank: class of the blank.
        gamma: softness of the losses on bce; those on log-probabilities have gamma 1.
        drop: cost to drop a frame, in units of bce.
        blank_penalty: that of the CTC with a dear blank, in nats.
        threshold: level under which a label counts as lost, at which the colours break.

    Raises:
        ValueError: the item has no labels (L,), or as `analyze_by_loss`.
    """
    if item.labels is None or item.log_probs.ndim != 2:
        raise ValueError("item: has no labels (L,) with log_probs (N, K)")
    rows = list(
        taught_rolls(
            item, blank=blank, gamma=gamma, drop=drop, blank_penalty=blank_penalty, threshold=threshold
        )
    )
    probabilities = np.exp(scores_of(item, Loss("ctc", blank=blank)))
    classes = _classes_shown(item, probabilities, blank, threshold)
    names = _names(classes, blank, item.label_names)
    strong = None if item.strong is None else (item.strong[:, np.newaxis] == classes) & (classes != blank)
    scale = LevelScale(0.0, 1.0, threshold)

    figure = Figure(figsize=(9.6, 1.0 + 1.12 * (len(rows) + 1)), dpi=100, layout="constrained")
    grid = figure.subplots(len(rows) + 1, 2, width_ratios=[2.6, 1.0], squeeze=False)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(h_pad=0.025, w_pad=0.04)
    first, beside = grid[0]
    _roll(first, probabilities[:, classes], item.fps, scale, names, "predictions of the network")
    if strong is None:
        beside.axis("off")
    else:
        _roll(beside, strong.astype(float), item.fps, scale, names, "strong target")
    for (ax, text), taught in zip(grid[1:], rows, strict=True):
        _roll(ax, taught.roll[:, classes], item.fps, scale, names, taught.title)
        _hatch(ax, taught.presence < LEAST_PRESENCE, item.fps)
        if strong is not None:
            _outline(ax, strong, item.fps)
        text.axis("off")
        text.text(0.0, 0.95, taught.assumes, va="top", fontsize=9, transform=text.transAxes)
        text.text(0.0, 0.08, taught.facts, va="bottom", fontsize=9, weight="bold", transform=text.transAxes)
    for ax in (beside, *grid[:-1, 0]):
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
    figure.legend(
        handles=[
            Patch(color=scale.palette()[round(255 * 0.8 * threshold)] / 255, label=f"under {threshold:g}"),
            Patch(color=scale.palette()[-1] / 255, label="taught"),
            Patch(facecolor="none", edgecolor="black", lw=0.7, label="strong target"),
            Patch(facecolor="0.94", edgecolor="0.75", hatch="///", lw=0.0, label="not taught"),
        ],
        loc="outside lower right",
        ncols=4,
        fontsize=8,
        frameon=False,
    )
    return figure


def _classes_shown(
    item: LabelItem, probabilities: NDArray[Any], blank: int, threshold: float
) -> NDArray[np.int64]:
    """Return the blank, then the classes that occur or that a prediction raises to the threshold."""
    shown = np.asarray((probabilities >= threshold).any(axis=0))
    for present in (item.labels, item.strong):
        if present is not None:
            shown[present] = True
    shown[blank] = False
    return np.concatenate([[blank], np.flatnonzero(shown)]).astype(np.int64)


def taught_rolls(
    item: LabelItem, *, blank: int, gamma: float, drop: float, blank_penalty: float, threshold: float
) -> Iterator[TaughtRoll]:
    """Yield what each loss would teach; arguments and errors as `which_loss`."""
    assert item.labels is not None
    labels, n_classes = item.labels, item.log_probs.shape[1]
    others = np.flatnonzero(np.arange(n_classes) != blank)
    one_hot = np.eye(n_classes)[labels]
    probabilities = np.clip(np.exp(scores_of(item, Loss("ctc", blank=blank))), 0.0, 1.0)
    features = Item(probabilities[:, others], one_hot[:, others], cost="bce")
    tokens = LabelItem(item.log_probs[:, labels])
    ctc = Loss("ctc", blank=blank)
    dear = Loss("ctc", blank=blank, blank_penalty=blank_penalty)
    for title, key, shown, loss in (
        ("soft DTW", "sdtw", features, Loss()),
        ("forward sum", "forward-sum", tokens, Loss("forward-sum")),
        ("CTC", "ctc", item, ctc),
        (f"CTC, blank penalty {blank_penalty:g}", "ctc, dear blank", item, dear),
        ("subsequence soft DTW", "subsequence", features, Loss("subsequence")),
        (f"Drop-DTW, drop cost {drop:g}", "drop", features, Loss("drop", drop=drop)),
    ):
        on_bce = isinstance(shown, Item)
        analysis = analyze_by_loss(
            shown,
            loss,
            gammas=[gamma if on_bce else 1.0],
            cost="bce" if on_bce else None,
            threshold=threshold,
        )
        faded = with_faded_targets(analysis).y_mod[0]
        roll = np.zeros((len(faded), n_classes))
        if on_bce:
            roll[:, others] = faded
        elif shown is tokens:
            roll = faded @ one_hot
        else:
            assert analysis.classes is not None
            roll[:, analysis.classes] = faded
        presence = np.ones(len(roll)) if analysis.presence is None else analysis.presence[0]
        yield TaughtRoll(title, _ASSUMES[key], roll, presence, _facts(analysis, presence, threshold))


def _facts(analysis: ItemAnalysis, presence: NDArray[np.float64], threshold: float) -> str:
    lost, total = int((analysis.levels.peak[0] < threshold).sum()), len(analysis.events)
    facts = [f"{lost or 'none'} of {total} labels under {threshold:g}"]
    blank = analysis.measures.get("blank_share", np.array([np.nan]))[0]
    if not np.isnan(blank):
        facts.append(f"{100 * blank:.0f} % of the frames blank")
    untaught = float((presence < LEAST_PRESENCE).mean())
    if untaught:
        facts.append(f"{100 * untaught:.0f} % of the frames not taught")
    return "\n".join(facts)


def _names(classes: NDArray[np.int64], blank: int, names: Sequence[str] | None) -> list[str]:
    return ["blank" if k == blank else str(k) if names is None else names[k] for k in classes.tolist()]


def _roll(
    ax: Axes,
    roll: NDArray[Any],
    fps: float | None,
    scale: LevelScale,
    names: Sequence[str],
    title: str,
) -> None:
    piano_roll(roll, ax, fps, scale=scale)
    ax.set_title(title, loc="left", fontsize="medium")
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.set_ylabel("")
    ax.axhline(0.5, color="0.6", lw=0.6)


def _hatch(ax: Axes, untaught: NDArray[np.bool_], fps: float | None) -> None:
    """Hatch the runs of frames that are not taught."""
    for start, stop in _runs(untaught):
        left, right = frame_edge(start, fps), frame_edge(stop, fps)
        ax.axvspan(left, right, facecolor="0.94", edgecolor="0.75", hatch="///", lw=0.0, zorder=2)


def _outline(ax: Axes, strong: NDArray[np.bool_], fps: float | None) -> None:
    """Outline where the strong target is active."""
    for k in range(strong.shape[1]):
        for start, stop in _runs(strong[:, k]):
            left, right = frame_edge(start, fps), frame_edge(stop, fps)
            ax.plot(
                [left, right, right, left, left],
                [k - 0.5, k - 0.5, k + 0.5, k + 0.5, k - 0.5],
                color="black",
                lw=0.7,
                zorder=3,
            )


def _runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(int)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
