"""Tables of calls beside a plain call, on tiny sizes: all rows are checked, then timed."""

import io
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from benches.python.measure import (
    cliffs,
    comparison,
    ctc,
    ddtw_losses,
    forward_sum,
    many_small_pairs,
    reference,
    timing,
    torch_cliffs,
)
from benches.python.measure.comparison import Comparison, TimedCall, WrongResultError, compare, error_of

SHRINK = 60


@pytest.fixture(autouse=True)
def one_call_a_measurement(monkeypatch):
    monkeypatch.setattr(timing, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(timing, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(timing.gc, "collect", lambda: 0)


def silent(line):
    pass


def check_measured(rows):
    for row in rows:
        assert row.ratio is not None, row
        assert math.isfinite(row.ratio.median), row
        assert row.ratio.median > 0, row
        assert row.rounds == 1
        has_goal = row.goal is not None or row.goal_seconds is not None
        assert (row.is_met is not None) == has_goal


def test_every_call_of_numpy_has_a_finite_ratio_and_every_goal_a_row():
    rows = cliffs.run(SHRINK, 1, silent)
    check_measured(rows)
    goals = {
        (name, workload): goal[workload] if isinstance(goal, dict) else goal
        for name, goal in cliffs.GOALS.items()
        for workload in (goal if isinstance(goal, dict) else ("W1", "W2", "W4"))
    }
    found = {(row.name, row.group.split()[0]): row.goal for row in rows if row.goal is not None}
    assert found == goals
    assert {row.group.split()[0] for row in rows if row.name == "l1"} == {"W1", "W2", "W4"}


def test_every_step_of_torch_has_a_finite_ratio_and_every_goal_a_row():
    rows = torch_cliffs.run(SHRINK, 1, silent)
    check_measured(rows)
    assert {row.name: row.goal for row in rows if row.goal is not None} == torch_cliffs.GOALS
    (small,) = (row for row in rows if row.goal_seconds is not None)
    assert small.goal_seconds == torch_cliffs.GOAL_OF_SMALL_STEP


def test_the_forward_sum_is_exact_and_ours_have_a_goal():
    rows = forward_sum.run(SHRINK, 1, silent)
    check_measured(rows)
    assert [row.goal for row in rows] == [None, None, forward_sum.GOAL, forward_sum.GOAL]
    assert all(row.error < forward_sum.MOST_ERROR for row in rows if row.goal)


def test_ctc_is_exact_and_every_goal_has_a_row():
    rows = ctc.run(SHRINK, 1, silent)
    check_measured(rows)
    assert sorted(row.goal for row in rows if row.goal is not None) == sorted(ctc.GOALS.values())
    assert {sizes.title for sizes in ctc.SIZES} == {size for size, _ in ctc.GOALS}
    assert all(row.error < ctc.MOST_ERROR for row in rows if row.name != "torch itself")


@pytest.mark.slow  # numba compiles
def test_losses_of_ddtw_are_ours():
    rows = ddtw_losses.run(SHRINK, 1, silent)
    if rows[0].seconds is None:
        pytest.skip(f"ddtw or numba: {rows[0].note}")
    check_measured(rows)
    assert [row.name for row in rows] == [
        "SDTW, MSE",
        "SDTW, BCE",
        "subsequences of x, MSE",
        "CTC",
        "CTC, blank weight 2",
    ]
    assert all(row.error < ddtw_losses.MOST_ERROR for row in rows)


def means(xs):
    return xs.mean(axis=0)


def fails(xs):
    raise OSError("no worker")


def distances(xs):
    return np.array(
        [[reference.value(many_small_pairs._costs(x, y), many_small_pairs.GAMMA) for y in xs] for x in xs]
    )


def test_small_pairs_are_measured_beside_a_peer_and_objectives_stand_beside_the_times(monkeypatch):
    right = many_small_pairs.Peer("right", 1, distances, means)
    wrong = many_small_pairs.Peer("wrong", 1, lambda xs: distances(xs) + 1.0)
    failing = many_small_pairs.Peer("failing", 1, fails)
    monkeypatch.setattr(many_small_pairs, "_peers", lambda python: ([right, wrong, failing], []))
    rows = many_small_pairs.run(25, 1, 1, None, silent)
    *measured, second, third = [row for row in rows if row.group.startswith("cdist")]
    assert [row.name for row in measured] == ["warplens", "right"]
    assert [(row.name, row.seconds) for row in (second, third)] == [("wrong", None), ("failing", None)]
    assert second.note.startswith("wrong, so not timed")
    assert third.note == "failed: OSError: no worker"
    barycenters = [row for row in rows if row.group.startswith("barycenter")]
    check_measured([*measured, *barycenters])
    assert [row.goal for row in barycenters] == list(many_small_pairs.GOALS_OF_BARYCENTERS.values())
    assert measured[0].goal == many_small_pairs.GOAL_OF_CDIST
    assert all("right's" in row.note for row in barycenters)


def test_a_peer_that_is_not_there_is_named(monkeypatch):
    def absent():
        raise ImportError("no such package")

    monkeypatch.setattr(many_small_pairs, "_tslearn", absent)
    rows = many_small_pairs.run(25, 1, 1, None, silent)
    notes = {row.name: row.note for row in rows if row.group == "peers"}
    assert notes["tslearn"] == "not installed: no such package"
    assert "--aeon" in notes["aeon"]
    check_measured([row for row in rows if row.group != "peers"])


@pytest.mark.parametrize(
    ("is_fast", "reached", "met"),
    [(True, -2.0, True), (True, -0.9, False), (False, -2.0, False), (None, -2.0, None)],
)
def test_a_barycenter_that_is_found_sooner_but_lies_higher_misses_its_goal(is_fast, reached, met):
    assert many_small_pairs.meets(is_fast, reached, -1.0) is met


@pytest.mark.parametrize("result", [{"value": 2.1}, {"value": math.nan}, {"value": [2.0]}])
def test_a_wrong_result_raises_before_anything_is_timed(result):
    calls = []
    timed = TimedCall(lambda: calls.append(1))
    wrong = Comparison(
        "group", "name", timed, "plain", timed, lambda: error_of("name", result, {"value": 2.0}, 1e-3)
    )
    right = replace(wrong, check=lambda: error_of("name", {"value": 2.0}, {"value": 2.0}, 1e-3))
    with pytest.raises(WrongResultError, match="name: value"):
        compare([right, wrong], 1, silent)
    assert not calls
    (row,) = compare([right], 2, silent)
    assert row.error == 0.0
    assert row.rounds == 2


def test_wrong_results_of_the_package_end_the_tables(monkeypatch):
    kept = reference.reference

    def off(*arguments):
        exact = kept(*arguments)
        return replace(exact, entropy=exact.entropy + 1.0)

    for measure in (cliffs, torch_cliffs):
        monkeypatch.setattr(measure, "reference", off)
        with pytest.raises(WrongResultError, match="entropy"):
            measure.run(SHRINK, 1, silent)


def test_arguments_are_made_outside_the_time(monkeypatch):
    made = []
    clock = iter(range(100))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))

    def make():
        made.append(next(clock))
        return (len(made),)

    runner = timing.Runner.of(lambda number: number, 1, make)
    assert runner.measure() == 1.0
    assert len(made) == 3  # a first call, the one that plans, the measurement


def test_tables_show_goals_and_whether_they_are_met():
    pytest.importorskip("rich")
    from benches.python import report
    from rich.console import Console

    seconds, ratio = timing.Spread(4e-3, 3e-3, 5e-3), timing.Spread(2.0, 1.0, 3.0)
    row = comparison.ComparisonRow(
        "a group", "a call", "plain", 2.5, None, 1, 1e-9, seconds, seconds, ratio, is_met=True
    )
    absent = comparison.ComparisonRow("peers", "gone", "", note="not installed")
    rows = [row, replace(row, name="slow", is_met=False), absent]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report._comparisons("Title", [asdict(row) for row in rows]))
    text = console.export_text()
    for part in ("a group", "4 ms", "2.5", "yes", "no", "not installed", "1 .. 3"):
        assert part in text
