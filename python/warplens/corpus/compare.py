"""Comparison of two results of `analyze`, event by event: two checkpoints of a network, or two gammas."""

import csv
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warplens.analysis.compared_events import ComparedEvents, pool_compared
from warplens.analysis.item_analysis import ItemAnalysis
from warplens.corpus.inputs.results_folder import RECORD, holds_results
from warplens.corpus.inputs.source import POOLED_ID, InputError
from warplens.corpus.results.item_file import read_analysis
from warplens.io import ItemError


@dataclass(frozen=True)
class Results:
    """Results of `analyze` at one gamma.

    Attributes:
        folder: where they are.
        gamma: which of their gammas is looked at.
        files: the file of each item that did not fail, by id as `items.csv` has it.
        failed: ids of items that failed.
    """

    folder: Path
    gamma: float
    files: dict[str, Path]
    failed: frozenset[str]

    def read(self, item_id: str) -> tuple[ItemAnalysis, int]:
        """Read an item and return the place of the gamma among its gammas.

        Raises:
            ItemError: its file is no such file, or does not hold the gamma.
            OSError: it cannot be read.
        """
        analysis = read_analysis(self.files[item_id])
        (places,) = np.nonzero([_same(gamma, self.gamma) for gamma in analysis.gammas.tolist()])
        if len(places) == 0:
            raise ItemError(f"its file in {self.folder} is not that of items.csv: run the analysis again")
        return analysis, int(places[0])


@dataclass(frozen=True)
class Comparison:
    """Events of the items that two results share.

    Attributes:
        first: the results that are compared with.
        second: the results that are looked at.
        threshold: level under which an event counts as lost in both.
        items: the items that could be compared, sorted by id.
        left_out: why the others were not, by id.
    """

    first: Results
    second: Results
    threshold: float
    items: list[ComparedEvents]
    left_out: dict[str, str]

    @property
    def pooled(self) -> ComparedEvents:
        """All events together, with the id "all"."""
        return pool_compared(self.items, POOLED_ID)

    def read(self, item_id: str) -> tuple[tuple[ItemAnalysis, int], tuple[ItemAnalysis, int]]:
        """Read an item from both results; errors as `Results.read`."""
        return self.first.read(item_id), self.second.read(item_id)


def compare(
    first: Path, second: Path, *, gamma: float | None = None, second_gamma: float | None = None
) -> Comparison:
    """Compare two results of `analyze`: which events the second keeps that the first loses, and the reverse.

    An event is kept where its peak in Y_mod is at or above the threshold. Items are matched by id, their
    events by feature and weak-target frames: those whose weak targets differ are left out and named.

    Args:
        first: folder of results.
        second: folder of results; it may be the first one, at another gamma.
        gamma: gamma of both; None where each holds a single one.
        second_gamma: gamma of the second, where it is another one.

    Raises:
        InputError: a folder holds no complete results of `analyze`, or not this gamma, or several and none is
            chosen; both are the same; they share no item that can be compared; their thresholds differ.
        OSError: a table of results cannot be read.
    """
    for folder in (first, second):
        _check_results(folder)
    one = _results(first, gamma)
    other = _results(second, gamma if second_gamma is None else second_gamma)
    if os.path.realpath(first) == os.path.realpath(second) and _same(one.gamma, other.gamma):
        raise InputError(f"{first}: the same results twice at gamma {one.gamma:g}; give two gammas (--gamma)")
    items: list[ComparedEvents] = []
    left_out = dict(_left_out(one, other))
    threshold: float | None = None
    for item_id in sorted(one.files.keys() & other.files.keys()):
        try:
            (a, g), (b, k) = one.read(item_id), other.read(item_id)
        except (ItemError, OSError) as error:
            left_out[item_id] = str(error)
            continue
        if a.threshold != b.threshold:
            raise InputError(
                f"{first} and {second}: thresholds {a.threshold:g} and {b.threshold:g} differ, under which "
                "events count as lost; analyze both with the same --threshold"
            )
        threshold = a.threshold
        if not _same_events(a, b):
            left_out[item_id] = "its weak targets differ"
            continue
        kept = a.levels.peak[g] >= threshold, b.levels.peak[k] >= threshold
        items.append(ComparedEvents(item_id, *kept, word=a.loss.target_word))
    if not items or threshold is None:
        reasons = sorted(set(left_out.values()))
        why = f": {'; '.join(reasons[:3])}" if reasons else ""
        raise InputError(f"{first} and {second}: no item of one can be compared with one of the other{why}")
    return Comparison(one, other, threshold, items, dict(sorted(left_out.items())))


def _left_out(one: Results, other: Results) -> Iterator[tuple[str, str]]:
    """Yield the items that have results on one side alone, with the reason."""
    for here, there in ((one, other), (other, one)):
        for item_id in here.files.keys() - there.files.keys():
            state = "failed in" if item_id in there.failed else "is not in"
            yield item_id, f"{state} {there.folder}"
    for item_id in one.failed & other.failed:
        yield item_id, "failed in both"


def _same_events(a: ItemAnalysis, b: ItemAnalysis) -> bool:
    return a.shape[1:] == b.shape[1:] and all(
        np.array_equal(getattr(a.events, name), getattr(b.events, name))
        for name in ("feature", "start", "stop")
    )


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9)  # tables hold 12 digits


def _results(folder: Path, gamma: float | None) -> Results:
    """Read which items a folder holds, and choose a gamma of theirs."""
    ids, failed, gammas = set(), set(), set()
    with (folder / "items.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["status"] == "failed":
                failed.add(row["id"])
            else:
                ids.add(row["id"])
                gammas.add(float(row["gamma"]))
    return Results(
        folder,
        _chosen_gamma(folder, sorted(gammas), gamma),
        {item_id: path for item_id, path in _item_files(folder).items() if item_id in ids},
        frozenset(failed),
    )


def _check_results(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give one that `warplens analyze` wrote")
    if not holds_results(folder):
        raise InputError(f"{folder}: holds no results of `warplens analyze` (no {RECORD} of one)")
    command = json.loads((folder / RECORD).read_bytes())["command"]
    if command != "analyze":
        raise InputError(f"{folder}: holds results of `warplens {command}`, not of `warplens analyze`")
    if not (folder / "items.csv").is_file():
        raise InputError(
            f"{folder}: has no items.csv: its run did not end, or did a shard; run it over all items first"
        )


def _chosen_gamma(folder: Path, gammas: list[float], gamma: float | None) -> float:
    if not gammas:
        raise InputError(f"{folder}: none of its items could be analyzed")
    held = ", ".join(format(each, "g") for each in gammas)
    if gamma is None:
        if len(gammas) > 1:
            raise InputError(f"{folder}: holds results at gamma {held}; choose one (--gamma)")
        return gammas[0]
    for each in gammas:
        if _same(each, gamma):
            return each
    raise InputError(f"{folder}: holds no results at gamma {gamma:g}, but at {held}")


def _item_files(folder: Path) -> dict[str, Path]:
    """Return the files of items by id, spelt as tables spell what is not valid Unicode."""
    files = {}
    items = folder / "items"
    for where, _, names in os.walk(items):
        for name in names:
            if name.endswith(".npz"):
                path = Path(where, name)
                item_id = path.relative_to(items).as_posix().removesuffix(".npz")
                files[item_id.encode("utf-8", "backslashreplace").decode()] = path
    return files
