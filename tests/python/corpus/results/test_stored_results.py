"""Results of a run, read back: table, items and data frame."""

import csv
import sys

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_item

from warplens.corpus import InputError, Settings, Shard, analyze, read_analysis, read_results, sweep


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "in"
    (folder / "a").mkdir(parents=True)
    for seed, name in enumerate(("a/x", "b", "c")):
        save_item(folder / f"{name}.npz", sample_item(seed))
    np.savez(folder / "bad.npz", predictions=np.ones((3, 2)), weak=np.ones((2, 3)))
    analyze([folder], tmp_path / "out", Settings(gammas=(0.1, 1.0)))
    return tmp_path / "out"


def test_rows_are_those_of_the_table(out):
    results = read_results(out)
    with (out / "items.csv").open(newline="") as lines:
        expected = list(csv.DictReader(lines))
    assert len(results.rows) == len(expected) == 7
    for row, cells in zip(results.rows, expected, strict=True):
        assert row.keys() == cells.keys()
        for name, cell in cells.items():
            value = row[name]
            text = format(value, ".12g") if isinstance(value, float) else str(value)
            assert cell == ("" if value is None else text)
    assert isinstance(results.rows[0]["N"], int)
    assert "7 rows" in repr(results)


def test_items_are_read_by_id(out):
    results = read_results(str(out))
    assert list(results) == ["a/x", "b", "c"]
    for item_id, analysis in results.items():
        stored = read_analysis(out / "items" / f"{item_id}.npz")
        np.testing.assert_array_equal(analysis.y_mod, stored.y_mod)
    with pytest.raises(KeyError):
        results["bad"]


def test_a_frame_has_the_table(out, monkeypatch):
    pytest.importorskip("pandas")
    results = read_results(out)
    frame = results.to_frame()
    assert list(frame.columns) == list(results.rows[0])
    ok = frame[frame["status"] == "ok"]
    assert ok["value"].tolist() == [row["value"] for row in results.rows if row["status"] == "ok"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        results.to_frame()


def test_what_is_no_complete_analysis_is_refused(out, tmp_path):
    with pytest.raises(InputError, match="holds no results of a run"):
        read_results(tmp_path / "in")
    sweep([tmp_path / "in"], tmp_path / "swept", Settings(gammas=(0.1, 1.0)))
    with pytest.raises(InputError, match=r"holds no items\.csv"):
        read_results(tmp_path / "swept")
    analyze([tmp_path / "in"], tmp_path / "part", Settings(gammas=(1.0,)), shard=Shard(1, 2))
    with pytest.raises(InputError, match="not complete"):
        read_results(tmp_path / "part")
