"""The engine: every item once and in order, whatever dies on the way."""

import multiprocessing
import os
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.deadly_work import Work, failed

from warplens.corpus import Source
from warplens.corpus.engine import run_items
from warplens.io import ItemInFile


def sources_of(count):
    return [Source(f"{i:03}", ItemInFile(Path("nowhere"))) for i in range(count)]


def run(work, count, processes):
    return list(run_items(sources_of(count), work, failed=failed, processes=processes))


@pytest.mark.parametrize("count", [0, 1, 3, 8, 200])
@pytest.mark.parametrize("processes", [1, 3])
def test_every_item_once_and_in_order(tmp_path, count, processes):
    results = run(Work(tmp_path), count, processes)
    assert [item_id for item_id, _ in results] == [f"{i:03}" for i in range(count)]


def test_few_items_stay_in_this_process_and_many_do_not(tmp_path):
    assert {pid for _, pid in run(Work(tmp_path), 3, 2)} == {os.getpid()}
    assert {pid for _, pid in run(Work(tmp_path), 40, 1)} == {os.getpid()}
    assert os.getpid() not in {pid for _, pid in run(Work(tmp_path), 40, 2)}


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


def test_closing_early_ends_the_processes(tmp_path):
    results = run_items(sources_of(100), Work(tmp_path), failed=failed, processes=2)
    assert next(results)[0] == "000"
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert multiprocessing.active_children() == []
