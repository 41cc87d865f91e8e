"""Many small pairs: the matrix of all values, and barycenters, beside packages that have them.

Float64, one feature, |x-y|^2, gamma 1. `cdist` is measured by the cell and core, in units of a cell of the
plain float32 value of one long pair on one core. A barycenter is measured beside tslearn's, and both
objectives, the mean of SDTW(z, x_i), are computed by the reference: one that is found sooner but lies higher
does not meet its goal.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import warplens as wl

from ..contenders.aeon import AeonWorker
from .comparison import (
    MOST_ERROR_OF_FLOAT32,
    MOST_ERROR_OF_FLOAT64,
    Comparison,
    ComparisonRow,
    TimedCall,
    WrongResultError,
    compare,
    error_of,
)
from .reference import value

Array = NDArray[np.float64]

GAMMA = 1.0
SERIES = 100
FRAMES = 100
PLAIN_FRAMES = 1024
"""Frames of both sequences of the long pair."""

GOAL_OF_CDIST = 4.0
"""A cell and core, in cells of the float32 value."""
GOALS_OF_BARYCENTERS = {20: None, 100: 0.1}
"""Number of series -> greatest time in units of tslearn's."""
OBJECTIVES = {20: -160.892868820, 100: -160.550675042}
"""Objectives of the barycenters as of November 2026, which no later one may exceed."""
SAMPLED_PAIRS = 40
"""Pairs of a matrix that are held against the reference."""
MOST_RISE = 1e-6
"""Share of an objective that counts as rounding."""


@dataclass(frozen=True)
class Peer:
    """A package's functions of series (I,L,1): values (I,I) on some threads, and a barycenter (L,1)."""

    name: str
    threads: int
    cdist: Callable[[Array], Array]
    barycenter: Callable[[Array], Array] | None = None


def series(count: int, frames: int) -> Array:
    """Return (I,L,1) noisy sine waves whose phase and pace differ."""
    random = np.random.default_rng(15)
    times = np.linspace(0.0, 1.0, frames)
    pace = random.uniform(0.7, 1.4, (count, 1))
    waves = np.sin(4 * np.pi * times**pace + random.uniform(-0.6, 0.6, (count, 1)))
    noisy: Array = waves + 0.1 * random.standard_normal((count, frames))
    return noisy[:, :, None]


def run(
    shrink: int, rounds: int, threads: int, aeon_python: str | None, progress: Callable[[str], None]
) -> list[ComparisonRow]:
    """Return rows of `cdist` and of barycenters; a peer that is not there has a row that says so.

    Raises:
        WrongResultError: A result of warplens is not that of the reference.
    """
    xs = series(max(4, SERIES // shrink), max(8, FRAMES // shrink))
    peers, rows = _peers(aeon_python)
    rows += _cdists(xs, shrink, rounds, threads, peers, progress)
    averaging = next((peer for peer in peers if peer.barycenter), None)
    for size, goal in GOALS_OF_BARYCENTERS.items():
        some = xs[: max(3, size // shrink)]
        rows.append(_barycenter(some, goal, shrink, rounds, threads, averaging, progress))
    return rows


def _peers(aeon_python: str | None) -> tuple[list[Peer], list[ComparisonRow]]:
    """Return the peers that are there, and rows that name the others."""
    peers, absent = [], []
    try:
        peers.append(_tslearn())
    except ImportError as error:
        absent.append(ComparisonRow("peers", "tslearn", "", note=f"not installed: {error}"))
    if aeon_python is not None:
        peers.append(_aeon(aeon_python))
    else:
        absent.append(ComparisonRow("peers", "aeon", "", note="not run: needs an interpreter (--aeon)"))
    return peers, absent


def _tslearn() -> Peer:
    """Return tslearn as it is called by default, on one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optional parts that are not installed
        from tslearn.barycenters import softdtw_barycenter
        from tslearn.metrics import cdist_soft_dtw

    return Peer(
        "tslearn",
        1,
        partial(cdist_soft_dtw, gamma=GAMMA),
        partial(softdtw_barycenter, gamma=GAMMA),
    )


def _aeon(python: str) -> Peer:
    """Return aeon in its own environment, pair by pair on one thread; the worker starts at the first call."""
    workers: dict[int, AeonWorker] = {}

    def cdist(xs: Array) -> Array:
        count = len(xs)
        if id(xs) not in workers:
            workers[id(xs)] = AeonWorker(
                python, np.repeat(xs, count, axis=0), np.tile(xs, (count, 1, 1)), GAMMA
            )
        workers[id(xs)].call()
        return workers[id(xs)].result().values.reshape(count, count)

    return Peer("aeon", 1, cdist)


def _plain(shrink: int) -> tuple[TimedCall, int]:
    """Return the float32 value of one long pair on one thread, and its number of cells."""
    x, y = series(2, max(8, PLAIN_FRAMES // shrink)).astype(np.float32)
    settings: dict[str, Any] = {"cost": "sqeuclidean", "gamma": GAMMA, "threads": 1}
    exact = {"value": value(_costs(x, y), GAMMA)}
    error_of("value, float32", {"value": wl.soft_dtw(x, y, **settings)}, exact, MOST_ERROR_OF_FLOAT32)
    return TimedCall(partial(wl.soft_dtw, x, y, **settings)), len(x) * len(y)


def _costs(x: NDArray[Any], y: NDArray[Any]) -> Array:
    squares: Array = (x.astype(np.float64) - y.astype(np.float64).T) ** 2
    return squares


def _cdists(
    xs: Array,
    shrink: int,
    rounds: int,
    threads: int,
    peers: list[Peer],
    progress: Callable[[str], None],
) -> list[ComparisonRow]:
    """Measure every package's matrix in cells and cores of the plain value."""
    count, frames, _ = xs.shape
    group = f"cdist, {count} series of {frames}, float64"
    cells = count**2 * frames**2
    plain, plain_cells = _plain(shrink)
    sample = _sampled_values(xs)
    ours = partial(wl.cdist, list(xs), cost="sqeuclidean", gamma=GAMMA, threads=threads)
    calls = [("warplens", threads, ours)]
    calls += [(peer.name, peer.threads, partial(peer.cdist, xs)) for peer in peers]
    comparisons: list[Comparison] = []
    left_out: list[ComparisonRow] = []
    for name, cores, call in calls:

        def check(name: str = name, call: Callable[[], Array] = call) -> float:
            got = call()
            found = {"values": [got[pair] for pair in sample], "rows": len(got)}
            exact = {"values": list(sample.values()), "rows": count}
            return error_of(name, found, exact, MOST_ERROR_OF_FLOAT64)

        comparison = Comparison(
            group,
            name,
            TimedCall(call),
            "value, float32, a cell",
            plain,
            check,
            GOAL_OF_CDIST if name == "warplens" else None,
            scale=cores * plain_cells / cells,
        )
        failure = "" if name == "warplens" else _failure(check)
        if failure:
            left_out.append(ComparisonRow(group, name, "", note=failure))
        else:
            comparisons.append(comparison)
    cores_of = {name: cores for name, cores, _ in calls}
    rows = [
        replace(row, note=_a_cell(row, cores_of[row.name], cells))
        for row in compare(comparisons, rounds, progress)
    ]
    return rows + left_out


def _failure(check: Callable[[], float]) -> str:
    """Return why a peer is not timed, "" where its result is right."""
    try:
        check()
    except WrongResultError as error:
        return f"wrong, so not timed: {error}"
    except Exception as error:  # whatever a peer raises is its result
        return f"failed: {type(error).__name__}: {error}"
    return ""


def _a_cell(row: ComparisonRow, cores: int, cells: int) -> str:
    assert row.seconds is not None
    on = "1 core" if cores == 1 else f"{cores} cores"
    return f"{1e9 * row.seconds.median * cores / cells:.3g} ns a cell and core, on {on}"


def _sampled_values(xs: Array) -> dict[tuple[int, int], float]:
    """Return the reference's values of some pairs, one with itself among them."""
    random = np.random.default_rng(0)
    pairs = {(1, 1), *((int(i), int(j)) for i, j in random.integers(len(xs), size=(SAMPLED_PAIRS, 2)))}
    return {(i, j): value(_costs(xs[i], xs[j]), GAMMA) for i, j in pairs}


def objective(z: Array, xs: Array) -> float:
    """Return the mean of SDTW(z, x_i), in float64."""
    return float(np.mean([value(_costs(z, x), GAMMA) for x in xs]))


def _barycenter(
    xs: Array,
    goal: float | None,
    shrink: int,
    rounds: int,
    threads: int,
    peer: Peer | None,
    progress: Callable[[str], None],
) -> ComparisonRow:
    """Measure a barycenter beside the peer's, or beside the plain value where there is none."""
    ours = partial(wl.barycenter, list(xs), cost="sqeuclidean", gamma=GAMMA, threads=threads)
    reached, start = objective(ours(), xs), objective(xs.mean(axis=0), xs)
    allowed = OBJECTIVES.get(len(xs), np.inf) if shrink == 1 else np.inf
    note = f"objective {reached:.6g}" + (f" (November 2026: {allowed:.6g})" if allowed < np.inf else "")
    if peer is not None and peer.barycenter is not None:
        theirs = partial(peer.barycenter, xs)
        against, plain = f"{peer.name}, one thread", TimedCall(theirs)
        of_peer = objective(theirs(), xs)
        allowed = min(allowed, of_peer)
        note += f", {peer.name}'s {of_peer:.6g}"
    else:
        against, plain, goal = "value, float32", _plain(shrink)[0], None

    def check() -> None:
        if not reached < start:
            raise WrongResultError(f"barycenter: objective {reached:.6g}, not below the mean's {start:.6g}")

    group = f"barycenter of {len(xs)} series of {xs.shape[1]}, float64"
    comparison = Comparison(group, "warplens", TimedCall(ours), against, plain, check, goal)
    (row,) = compare([comparison], rounds, progress)
    return replace(row, is_met=meets(row.is_met, reached, allowed), note=note)


def meets(is_fast: bool | None, reached: float, allowed: float) -> bool | None:
    """Tell whether the goal in time is met, and at an objective no higher than what is allowed."""
    return is_fast and reached <= allowed + MOST_RISE * abs(allowed)
