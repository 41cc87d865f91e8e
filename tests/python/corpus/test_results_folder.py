"""Results of runs: never read as items, and never written over what is not results."""

import json

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_corpus, save_item

from warplens.corpus import InputError, Settings, Shard, analyze, collect, sweep
from warplens.corpus.inputs.results_folder import holds_results

SETTINGS = Settings((1.0,))


@pytest.mark.parametrize("run", [analyze, sweep])
@pytest.mark.parametrize("shard", [None, Shard(1, 2)])
def test_results_of_an_earlier_run_are_not_items(tmp_path, run, shard):
    folder = save_corpus(tmp_path / "in")
    earlier = folder / "deep" / "results"
    run([folder], earlier, SETTINGS, shard=shard)
    save_item(earlier / "beside.npz", sample_item())
    collected = collect([folder], exclude=tmp_path / "out")
    assert [source.id for source in collected.sources] == ["a", "c", "deep/er/b", "deep/results/beside"]
    assert collected.results == [earlier]
    again = run([folder], tmp_path / "out", SETTINGS)
    assert (again.failed, again.results) == ([], [earlier])
    assert collect([folder], exclude=earlier).results == [earlier]


def test_results_alone_are_no_input(tmp_path):
    analyze([save_corpus(tmp_path / "in")], tmp_path / "out", SETTINGS)
    with pytest.raises(InputError, match=r"no item in .*results of a run are not items"):
        collect([tmp_path / "out"], exclude=tmp_path / "other")


def test_a_folder_of_items_that_is_called_as_results_are_is_searched(tmp_path):
    save_item(tmp_path / "in" / "items" / "a.npz", sample_item())
    for record in ("", "[]", "{}", '{"command": "analyze", "versions": 3}', '{"command": "train"}'):
        (tmp_path / "in" / "run.json").write_text(record)
        assert not holds_results(tmp_path / "in")
        collected = collect([tmp_path / "in"], exclude=tmp_path / "out")
        assert [source.id for source in collected.sources] == ["items/a"]


def test_a_run_is_known_by_its_record_from_its_beginning(tmp_path):
    folder, out = save_corpus(tmp_path / "in"), tmp_path / "out"
    records = []

    class Listener:
        def started(self, total, ignored):
            pass

        def finished(self, outcome):
            assert holds_results(out)
            records.append(json.loads((out / "run.json").read_text()))

    analyze([folder], out, SETTINGS, progress=Listener())
    assert all("seconds" not in record for record in records)
    ended = json.loads((out / "run.json").read_text())
    assert ended["items"] == 3
    # The record of a run that ended stays until the next one ends.
    records.clear()
    analyze([folder], out, SETTINGS, progress=Listener())
    assert records == [ended] * 3


@pytest.mark.parametrize("run", [analyze, sweep])
@pytest.mark.parametrize("name", ["items/a.npz", "items.csv", "run.json", "sweep/a.json", "report.html"])
def test_what_is_no_result_is_not_written_over(tmp_path, run, name):
    folder, out = save_corpus(tmp_path / "in"), tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("somebody's own")
    with pytest.raises(InputError, match=r"holds '.*', which is not known as the results of a run"):
        run([folder], out, SETTINGS)
    assert [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()] == [name]
    assert (out / name).read_text() == "somebody's own"


@pytest.mark.parametrize("given", ["items", "items/a.npz", "items.csv"])
def test_an_input_where_results_go_is_refused(tmp_path, given):
    """`warplens analyze items -o .` would replace every item by its results."""
    save_item(tmp_path / "items" / "a.npz", sample_item())
    (tmp_path / "items.csv").write_text("predictions\nitems/a.npz\n")
    before = (tmp_path / "items" / "a.npz").read_bytes()
    with pytest.raises(InputError, match=r"results in .* could replace it: give another folder"):
        analyze([tmp_path / given], tmp_path, SETTINGS)
    assert (tmp_path / "items" / "a.npz").read_bytes() == before
