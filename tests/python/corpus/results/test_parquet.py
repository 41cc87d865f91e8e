"""The parquet table: the rows of the CSV, with types, the same bytes each time."""

import csv
import math
import sys

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_corpus, save_item

from warplens.corpus import Settings, analyze
from warplens.corpus.results.parquet import through_parquet
from warplens.corpus.results.table import COLUMNS, failed_row, through_csv


def test_it_holds_what_the_csv_holds(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = save_corpus(tmp_path / "in", 5)
    (folder / "broken.npz").write_bytes(b"no archive")
    save_item(folder / "unjudged.npz", sample_item(strong=None))
    run = analyze([folder], tmp_path / "out", Settings((0.5, 2.0)))
    written = list(csv.DictReader(run.table.read_text().splitlines()))
    kept = parquet.read_table(tmp_path / "out" / "items.parquet")
    assert kept.column_names == list(COLUMNS)
    kept.validate(full=True)
    rows = kept.to_pylist()
    assert len(rows) == len(written)
    for row, cells in zip(rows, written, strict=True):
        for name, value in row.items():
            if value is None or isinstance(value, str):
                assert cells[name] == (value or "")
            else:
                assert math.isclose(float(cells[name]), value, rel_tol=1e-11, abs_tol=1e-300)
    assert {type(row["events"]) for row in rows if row["status"] == "ok"} == {int}


def test_it_is_the_same_bytes_and_takes_any_file_name(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [failed_row("caf\udce9", "é"), failed_row("", "")]
    for name in ("a", "b"):
        assert list(through_parquet(tmp_path / name, rows)) == rows
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    kept = parquet.read_table(tmp_path / "a").to_pylist()
    assert [(row["id"], row["error"], row["gamma"]) for row in kept] == [
        ("caf\\udce9", "é", None),
        ("", "", None),
    ]
    assert list(through_parquet(tmp_path / "a", [])) == []
    assert parquet.read_table(tmp_path / "a").num_rows == 0


def test_it_holds_all_rows_of_many_and_few_of_them_in_memory(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    passing = through_parquet(tmp_path / "a", (failed_row(str(i), "") for i in range(2500)))
    assert [row["id"] for row in passing] == [str(i) for i in range(2500)]
    assert pq.read_table(tmp_path / "a")["id"].to_pylist() == [str(i) for i in range(2500)]
    kept = pq.ParquetFile(tmp_path / "a").metadata
    assert max(kept.row_group(i).num_rows for i in range(kept.num_row_groups)) <= 1024


def test_rows_that_are_not_all_taken_leave_no_file(tmp_path):
    pytest.importorskip("pyarrow")
    rows = [failed_row("c", "d")] * 2
    passing = through_parquet(tmp_path / "a", through_csv(tmp_path / "b", ("id",), rows))
    next(passing)
    passing.close()
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_there_is_none_not_even_an_old_one(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "items.parquet").touch()
    rows = [failed_row("a", "b")]
    assert list(through_parquet(tmp_path / "items.parquet", rows)) == rows
    assert not (tmp_path / "items.parquet").exists()
