"""Dask distributed: the same items, the same bytes, whatever happens to its workers."""

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")
pytest.importorskip("distributed")

import dask
from corpus.deadly_work import Work
from corpus.kept_workers import kept_workers
from corpus.sample_items import save_corpus
from corpus.test_analyze import content
from distributed import LocalCluster

from warplens.corpus import EngineError, Settings, analyze, collect, sweep
from warplens.corpus.item_work import ItemWork
from warplens.corpus.results.run_record import RunRecord
from warplens.corpus.sweep_work import SweepWork
from warplens.corpus.workers.engine import Engine

# Whatever Dask warns of is not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def scheduler():
    # By default a task is given up after the fourth worker that died over it; here after the first.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster,
        kept_workers(cluster.scheduler_address, 2),
    ):
        yield cluster.scheduler_address


@pytest.fixture
def corpus(tmp_path):
    folder = save_corpus(tmp_path / "in", 9)
    (folder / "broken.npz").write_bytes(b"no archive")
    return folder


@pytest.mark.parametrize("run", [analyze, sweep])
def test_a_cluster_gives_the_same_bytes_as_this_machine(tmp_path, corpus, scheduler, run):
    here = run([corpus], tmp_path / "here", Settings(), processes=1)
    there = run([corpus], tmp_path / "there", Settings(), scheduler=scheduler)
    assert content(tmp_path / "here") == content(tmp_path / "there")
    assert [outcome.error for outcome in here.outcomes] == [outcome.error for outcome in there.outcomes]
    again = run([corpus], tmp_path / "there", Settings(), scheduler=scheduler)
    assert all(outcome.reused for outcome in again.outcomes if outcome.error is None)


@pytest.mark.slow
@pytest.mark.parametrize(("run", "work_of"), [(analyze, ItemWork), (sweep, SweepWork)])
def test_a_killed_worker_loses_nothing_and_doubles_nothing(tmp_path, corpus, scheduler, run, work_of):
    out = tmp_path / "out"
    sources = collect([corpus], exclude=out).sources
    out.mkdir()
    RunRecord(run.__name__, [corpus]).begin(out)
    item_work = work_of(out, Settings(), None)
    work = Work(tmp_path, killed_once=frozenset({"a", "e"}), then=item_work)
    with Engine(scheduler=scheduler) as engine:
        outcomes = list(engine.run(sources, work, failed=item_work.failed))
    assert [outcome.id for outcome in outcomes] == [source.id for source in sources]
    assert [outcome.id for outcome in outcomes if outcome.error is not None] == ["broken"]
    assert (tmp_path / "a").exists()  # the killing took place
    # A run over what it left finds all of it, and writes what an undisturbed one writes.
    again = run([corpus], out, Settings())
    assert all(outcome.reused for outcome in again.outcomes if outcome.error is None)
    run([corpus], tmp_path / "undisturbed", Settings())
    assert content(out) == content(tmp_path / "undisturbed")


def test_an_item_that_kills_every_worker_is_a_row(tmp_path, corpus, scheduler):
    sources = collect([corpus], exclude=tmp_path / "out").sources
    item_work = ItemWork(tmp_path / "out", Settings((1.0,)), None)
    work = Work(tmp_path, killed=frozenset({"c"}), then=item_work)
    with Engine(scheduler=scheduler) as engine:
        outcomes = list(engine.run(sources, work, failed=item_work.failed))
    reasons = {outcome.id: outcome.error for outcome in outcomes if outcome.error is not None}
    assert reasons.keys() == {"broken", "c"}
    assert "the workers that ran it died" in reasons["c"]


def test_a_scheduler_that_is_not_there_is_an_error(tmp_path, corpus, monkeypatch):
    from warplens.corpus.workers import dask as on_dask

    monkeypatch.setattr(on_dask, "_SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(EngineError, match=r"scheduler: tcp://127\.0\.0\.1:1 cannot be reached"):
        analyze([corpus], tmp_path / "out", scheduler="tcp://127.0.0.1:1")


def test_a_cluster_without_workers_is_an_error(tmp_path, corpus, monkeypatch):
    from warplens.corpus.workers import dask as on_dask

    monkeypatch.setattr(on_dask, "_SECONDS_WITHOUT_WORKERS", 0.2)
    monkeypatch.setattr(on_dask, "_SECONDS_A_CHECK", 0.1)
    with (
        LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty,
        pytest.raises(EngineError, match=r"has had no workers for 0\.2 s; start it and run again"),
    ):
        analyze([corpus], tmp_path / "out", scheduler=empty.scheduler_address)
