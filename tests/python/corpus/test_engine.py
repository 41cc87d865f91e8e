"""The engine: every item once and in order, even when workers die."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.deadly_work import Work, failed

from warplens.corpus import Source
from warplens.corpus.workers import process
from warplens.corpus.workers.engine import Engine
from warplens.corpus.workers.process import Worker
from warplens.io import ItemInFile


@pytest.fixture(autouse=True, params=["as it is", "with threads"])
def process_with_threads(request, monkeypatch):
    """A process with threads makes workers of another kind."""
    if request.param == "with threads":
        monkeypatch.setattr(process, "can_fork", lambda: False)


def sources_of(count):
    return [Source(f"{i:03}", ItemInFile(Path("nowhere"))) for i in range(count)]


def run(work, count, processes):
    with Engine(processes=processes) as engine:
        return list(engine.run(sources_of(count), work, failed=failed))


@pytest.mark.parametrize("count", [0, 1, 3, 8, 200])
@pytest.mark.parametrize("processes", [1, 3])
def test_every_item_once_and_in_order(tmp_path, count, processes):
    results = run(Work(tmp_path), count, processes)
    assert [item_id for item_id, _ in results] == [f"{i:03}" for i in range(count)]


def test_few_items_stay_in_this_process_and_many_do_not(tmp_path):
    assert {pid for _, pid in run(Work(tmp_path), 3, 2)} == {os.getpid()}
    assert {pid for _, pid in run(Work(tmp_path), 40, 1)} == {os.getpid()}
    assert os.getpid() not in {pid for _, pid in run(Work(tmp_path), 40, 2)}


def test_items_are_handed_out_one_ahead():
    """What is at hand must not fill the pipe: its worker could not be heard while it gives a large answer."""
    busy = Worker(process=None, pipe=None)
    while busy.wants_more:
        busy.items.append(0)
    assert len(busy.items) == 2


@pytest.mark.parametrize("processes", [1, 2])
def test_an_item_that_raises_costs_itself_alone(tmp_path, processes):
    results = dict(run(Work(tmp_path, raising=frozenset({"004", "011"})), 20, processes))
    assert results.keys() == {f"{i:03}" for i in range(20)}
    assert {item_id: result for item_id, result in results.items() if isinstance(result, str)} == {
        "004": "004 is no good",
        "011": "011 is no good",
    }


def test_an_item_that_kills_its_process_costs_itself_alone(tmp_path):
    work = Work(tmp_path, exiting=frozenset({"000"}), killed=frozenset({"007", "008", "039"}))
    results = run(work, 40, 2)
    assert [item_id for item_id, _ in results] == [f"{i:03}" for i in range(40)]
    reasons = {item_id: result for item_id, result in results if isinstance(result, str)}
    assert reasons == {
        "000": "the process that ran it died (exit code 3)",
        **dict.fromkeys(
            ("007", "008", "039"),
            "the process that ran it died (SIGKILL, perhaps for lack of memory)",
        ),
    }


def test_a_process_killed_from_outside_costs_nothing(tmp_path):
    results = run(Work(tmp_path, killed_once=frozenset({"000", "001", "017"})), 40, 2)
    assert [item_id for item_id, _ in results] == [f"{i:03}" for i in range(40)]
    assert not any(isinstance(result, str) for _, result in results)


@pytest.mark.parametrize(
    ("count", "processes"), [pytest.param(40, 2, marks=pytest.mark.slow), (3, 2), (1, 1)]
)
def test_an_item_that_hangs_costs_itself_alone(tmp_path, count, processes):
    hanging = frozenset(f"{i:03}" for i in (0, 7, 8, 39) if i < count)
    work = Work(tmp_path, hanging=hanging, raising=frozenset({"001"}), killed_once=frozenset({"002"}))
    with Engine(processes=processes, item_timeout=3) as engine:
        results = list(engine.run(sources_of(count), work, failed=failed))
        assert [item_id for item_id, _ in results] == [f"{i:03}" for i in range(count)]
        reasons = {item_id: result for item_id, result in results if isinstance(result, str)}
        assert reasons.pop("001", "001 is no good") == "001 is no good"
        assert reasons == dict.fromkeys(hanging, "not done within 3 s (--item-timeout)")
        # Each was tried once.
        assert sorted((tmp_path / "attempts").read_text().split()) == sorted(hanging)
        # Nobody waits for an item while none is given.
        again = list(engine.run(sources_of(count), Work(tmp_path), failed=failed))
        assert not any(isinstance(result, str) for _, result in again)
    assert multiprocessing.active_children() == []


def test_a_slow_consumer_costs_no_item_its_time(tmp_path):
    """What was answered in time counts, however late it is heard."""
    with Engine(processes=2, item_timeout=3) as engine:
        results = engine.run(sources_of(40), Work(tmp_path), failed=failed)
        taken = [next(results)]
        time.sleep(4)
        taken += results
    assert not any(isinstance(result, str) for _, result in taken)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_a_positive_number(seconds):
    with pytest.raises(ValueError, match=r"item_timeout: .*it must be a positive number of seconds"):
        Engine(item_timeout=seconds)


def test_a_time_limit_is_not_for_a_scheduler():
    with pytest.raises(ValueError, match="item_timeout: not with a scheduler"):
        Engine(item_timeout=1, scheduler="tcp://127.0.0.1:1")


def test_processes_stay_for_the_next_run_and_end_with_the_block(tmp_path):
    with Engine(processes=2) as engine:
        first = {pid for _, pid in engine.run(sources_of(40), Work(tmp_path), failed=failed)}
        # Fewer items than are worth processes of their own: they are there already.
        again = list(engine.run(sources_of(3), Work(tmp_path, raising=frozenset({"001"})), failed=failed))
        assert {pid for _, pid in again if isinstance(pid, int)} <= first
        assert again[1] == ("001", "001 is no good")
    assert multiprocessing.active_children() == []


def test_closing_a_run_early_ends_its_processes(tmp_path):
    with Engine(processes=2) as engine:
        results = engine.run(sources_of(100), Work(tmp_path), failed=failed)
        assert next(results)[0] == "000"
        assert len(multiprocessing.active_children()) == 2
        results.close()
        assert multiprocessing.active_children() == []
        # What was at hand is not mistaken for an answer of the next run.
        assert [item_id for item_id, _ in engine.run(sources_of(8), Work(tmp_path), failed=failed)] == [
            f"{i:03}" for i in range(8)
        ]
