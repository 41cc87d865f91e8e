"""A run over a corpus: the table, what fails, what is done again, and that two runs give the same bytes."""

import contextlib
import csv
import errno
import json
import multiprocessing
import re

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_corpus, save_item

from warplens.analysis.metrics import MEASURES
from warplens.analysis.percent import percent
from warplens.analysis.report import page
from warplens.corpus import Settings, Shard, Source, analyze, item_path, read_analysis
from warplens.corpus.results import item_file
from warplens.corpus.results.table import failed_row, write_csv
from warplens.io import Item
from warplens.io.replacing import replacing

COLUMNS = ("id", "gamma", "N", "M", "D", *MEASURES, "status", "error")


def table_of(run):
    return list(csv.DictReader(run.table.read_text("utf-8").splitlines()))


def content(out):
    """Every file of a run but the one that holds times."""
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    files.pop("run.json")
    return files


def test_table_has_a_row_for_each_item_and_gamma(tmp_path):
    folder = save_corpus(tmp_path / "in")
    run = analyze([folder], tmp_path / "out", Settings(gammas=(10, 0.5)))
    assert run.table.read_text().splitlines()[0] == ",".join(COLUMNS)
    rows = table_of(run)
    assert [(row["id"], row["gamma"]) for row in rows] == [
        (item_id, gamma) for item_id in ("a", "c", "deep/er/b") for gamma in ("0.5", "10")
    ]
    assert {(row["status"], row["error"]) for row in rows} == {("ok", "")}
    analysis = read_analysis(item_path(tmp_path / "out", "deep/er/b"))
    assert (rows[4]["N"], rows[4]["M"], rows[4]["D"]) == tuple(map(str, analysis.shape))
    for name in ("value", "entropy", "h_min", "h_mean", "h_max", "peak_mean", "peak_min", "f_measure"):
        assert float(rows[4][name]) == pytest.approx(analysis.measures[name][0], rel=1e-11)
    assert rows[4]["events"] == str(len(analysis.events))
    assert rows[4]["events_below_threshold"] == str((analysis.levels.peak[0] < 0.5).sum())


def test_unknown_measures_are_empty_cells(tmp_path):
    save_item(tmp_path / "in" / "a.npz", sample_item(strong=None))
    row = table_of(analyze([tmp_path / "in"], tmp_path / "out", Settings(gammas=(1.0,))))[0]
    assert row["f_measure"] == ""
    assert row["peak_min"] != ""


def test_a_failed_item_is_a_row_and_the_others_complete(tmp_path):
    folder = save_corpus(tmp_path / "in")
    (folder / "broken.npz").write_bytes(b"no archive")
    save_item(folder / "costless.npz", sample_item(cost=None))
    save_item(folder / "out-of-range.npz", sample_item(cost="poisson"))
    np.savez(folder / "range.npz", predictions=np.full((4, 2), 1.5), weak=np.eye(2), cost="bce")
    run = analyze([folder], tmp_path / "out", Settings(gammas=(1.0,)))
    rows = {row["id"]: row for row in table_of(run)}
    assert rows["broken"]["status"] == "failed"
    assert rows["broken"]["error"] == "not an npz file (a zip archive of npy arrays)"
    assert rows["costless"]["error"].startswith("no cost: ")
    assert re.search(r"x: .*1\.5", rows["range"]["error"])
    for failed in ("broken", "costless", "range"):
        assert {value for name, value in rows[failed].items() if name not in ("id", "status", "error")} == {
            ""
        }
        assert not item_path(tmp_path / "out", failed).exists()
    assert [outcome.id for outcome in run.failed] == ["broken", "costless", "range"]
    assert {rows[good]["status"] for good in ("a", "c", "deep/er/b", "out-of-range")} == {"ok"}
    assert "no cost: the file has no key" in run.report.read_text()


def test_an_unexpected_error_costs_one_item_only(tmp_path, monkeypatch):
    read = Source.read
    monkeypatch.setattr(
        Source, "read", lambda source, **told: 1 / 0 if source.id == "c" else read(source, **told)
    )
    run = analyze([save_corpus(tmp_path / "in")], tmp_path / "out", Settings(gammas=(1.0,)))
    assert [(outcome.id, outcome.error) for outcome in run.failed] == [
        ("c", "ZeroDivisionError: division by zero")
    ]


def test_two_runs_give_the_same_bytes_for_any_number_of_processes(tmp_path):
    folder = save_corpus(tmp_path / "in", 5)
    (folder / "z.npz").write_bytes(b"broken")
    for out, processes in (("one", 1), ("two", 3)):
        analyze([folder], tmp_path / out, processes=processes)
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("pages", ["risk", "all"])
def test_pages_of_many_items_are_the_same_bytes_for_any_number_of_processes(tmp_path, pages):
    for i in range(54):
        save_item(tmp_path / "in" / f"{i:02}.npz", sample_item(i, strong=None))
    (tmp_path / "in" / "z.npz").write_bytes(b"broken")
    for out, processes in (("one", 1), ("two", 2)):
        analyze([tmp_path / "in"], tmp_path / out, Settings((1.0,)), pages=pages, processes=processes)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    drawn = {path.stem for path in (tmp_path / "two" / "items").glob("*.html")}
    assert len(drawn - {"z"}) == (50 if pages == "risk" else 54)


def test_times_and_versions_are_in_run_json_alone(tmp_path):
    run = analyze([save_corpus(tmp_path / "in")], tmp_path / "out", Settings(gammas=(1.0,)))
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (record["items"], record["failed"], record["reused"], record["ignored_files"]) == (3, 0, 0, 0)
    assert record["settings"]["gammas"] == [1.0]
    assert {"started", "seconds", "host", "versions"} <= record.keys()
    for text in (run.table.read_text(), run.report.read_text()):
        assert record["started"][:10] not in text
        assert record["versions"]["numpy"] not in text


def test_a_rerun_does_only_what_is_new(tmp_path):
    folder, out = save_corpus(tmp_path / "in"), tmp_path / "out"
    first = analyze([folder], out)
    assert not any(outcome.reused for outcome in first.outcomes)
    before = content(out)
    again = analyze([folder], out)
    assert all(outcome.reused for outcome in again.outcomes)
    assert content(out) == before

    save_item(folder / "c.npz", sample_item(9))
    third = analyze([folder], out)
    assert [outcome.reused for outcome in third.outcomes] == [True, False, True]
    assert not any(outcome.reused for outcome in analyze([folder], out, Settings(threshold=0.4)).outcomes)


@pytest.mark.parametrize(
    ("count", "options", "expected"),
    [
        (8, {}, [0]),
        (2, {}, []),
        (8, {"processes": 1}, []),
        (8, {"shard": Shard(1, 1)}, []),
        (2, {"item_timeout": 60}, [0]),
    ],
)
def test_the_report_is_prepared_before_workers_for_items_are_forked(
    tmp_path, monkeypatch, count, options, expected
):
    there = []
    monkeypatch.setattr(page, "prepare", lambda: there.append(len(multiprocessing.active_children())))
    folder = save_corpus(tmp_path / "in", count)
    analyze([folder], tmp_path / "out", Settings(gammas=(1.0,)), **{"processes": 2, **options})
    assert there == expected


def test_a_table_that_cannot_be_written_ends_the_run(tmp_path):
    folder = save_corpus(tmp_path / "in")
    analyze([folder], tmp_path / "out")
    (tmp_path / "out" / "items.csv").unlink()
    (tmp_path / "out" / "items.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        analyze([folder], tmp_path / "out")


def test_after_an_interruption_the_rest_is_done_and_nothing_differs(tmp_path):
    folder = save_corpus(tmp_path / "in", 4)
    analyze([folder], tmp_path / "undisturbed")

    class Interrupt:
        def started(self, total, ignored):
            pass

        def finished(self, outcome):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyze([folder], tmp_path / "out", processes=1, progress=Interrupt())
    assert not (tmp_path / "out" / "items.csv").exists()
    run = analyze([folder], tmp_path / "out")
    assert any(outcome.reused for outcome in run.outcomes)
    assert content(tmp_path / "out") == content(tmp_path / "undisturbed")


def test_damaged_results_are_made_again(tmp_path):
    folder, out = save_corpus(tmp_path / "in"), tmp_path / "out"
    analyze([folder], out)
    before = content(out)
    item_path(out, "a").write_bytes(before["items/a.npz"][:200])
    analyze([folder], out)
    assert content(out) == before


def test_results_of_an_item_that_fails_now_are_gone(tmp_path):
    folder, out = save_corpus(tmp_path / "in"), tmp_path / "out"
    analyze([folder], out)
    (folder / "a.npz").write_bytes(b"broken")
    analyze([folder], out)
    assert not item_path(out, "a").exists()
    assert item_path(out, "c").exists()


def test_pages_that_an_earlier_run_drew_do_not_stay(tmp_path):
    out = tmp_path / "out"
    for i in range(51):
        save_item(tmp_path / "in" / "deep" / f"{i:02}.npz", sample_item(i, strong=None))
    analyze([tmp_path / "in"], out, Settings((1.0,)), pages="all", processes=1)
    (tmp_path / "in" / "deep" / "07.npz").write_bytes(b"broken")
    assert (out / "items" / "deep" / "07.html").exists()
    for folder in (out, tmp_path / "undisturbed"):
        analyze([tmp_path / "in"], folder, Settings((1.0,)), processes=1)
    assert not (out / "items" / "deep" / "07.html").exists()
    assert content(out) == content(tmp_path / "undisturbed")


def test_settings_override_the_items(tmp_path):
    save_item(tmp_path / "in" / "a.npz", sample_item(step_weights=(0.1, 1.0, 1.0), fps=None))
    own = analyze([tmp_path / "in"], tmp_path / "own", Settings((1.0,)))
    told = analyze([tmp_path / "in"], tmp_path / "told", Settings((1.0,), "mse", (1.0, 1.0, 0.5), fps=20.0))
    analyses = [read_analysis(item_path(tmp_path / name, "a")) for name in ("own", "told")]
    assert (analyses[0].cost, analyses[0].step_weights) == ("bce", (0.1, 1.0, 1.0))
    assert (analyses[1].cost, analyses[1].step_weights) == ("mse", (1.0, 1.0, 0.5))
    assert "time (s)" not in own.report.read_text()
    assert "at 20 frames a second" in told.report.read_text()


def test_under_ce_the_draw_of_silent_targets_is_a_warning(tmp_path):
    weak = np.array([[1, 0], [0, 0], [0, 1]], float)
    predictions = np.array([[0.6, 0.4]] * 9)
    for cost in ("ce", "mse"):
        np.savez(tmp_path / f"{cost}.npz", predictions=predictions, weak=weak, cost=cost)
    run = analyze([tmp_path / "ce.npz", tmp_path / "mse.npz"], tmp_path / "out", Settings((0.1,)))
    warning = run.outcomes[0].warning
    share = read_analysis(item_path(tmp_path / "out", "ce")).empty_share[0]
    assert share > 0.5
    assert (
        f"such frames are 33.3 % of the target, and draw {percent(share)} of the soft alignment at gamma 0.1"
        in warning
    )
    assert warning in run.report.read_text()
    assert run.outcomes[1].warning is None


def test_progress_receives_every_item_in_order(tmp_path):
    folder = save_corpus(tmp_path / "in", 4)
    (folder / "notes.txt").touch()
    heard = []

    class Listener:
        def started(self, total, ignored):
            heard.append((total, ignored))

        def finished(self, outcome):
            heard.append(outcome.id)

    analyze([folder], tmp_path / "out", Settings(gammas=(1.0,)), progress=Listener())
    assert heard == [(4, 1), "a", "c", "d", "deep/er/b"]


def test_table_holds_any_name_and_reason(tmp_path):
    path = tmp_path / "items.csv"
    write_csv(path, COLUMNS, [failed_row('b, "quoted"\nname', "a, b"), failed_row("caf\udce9", "é")])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ['b, "quoted"\nname', "caf\\udce9"]
    assert [row["error"] for row in rows] == ["a, b", "é"]


def test_a_full_disk_costs_the_items_it_hits(tmp_path, monkeypatch):
    folder, out = save_corpus(tmp_path / "in"), tmp_path / "out"
    written = []

    @contextlib.contextmanager
    def full_at_the_second(path):
        with replacing(path) as file:
            yield file
            written.append(path)
            if len(written) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(item_file, "replacing", full_at_the_second)
    run = analyze([folder], out, processes=1)
    assert [(outcome.id, outcome.error) for outcome in run.failed] == [("c", "No space left on device")]
    assert sorted(path.stem for path in (out / "items").rglob("*.npz")) == ["a", "b"]
    assert not list(out.rglob("*.part"))
    monkeypatch.undo()
    assert [outcome.reused for outcome in analyze([folder], out).outcomes] == [True, False, True]
    analyze([folder], tmp_path / "undisturbed")
    assert content(out) == content(tmp_path / "undisturbed")


def test_an_item_above_the_size_limit_fails_alone(tmp_path):
    folder = save_corpus(tmp_path / "in")
    save_item(folder / "large.npz", sample_item(n_targets=400))
    run = analyze([folder], tmp_path / "out", Settings((1.0,)), size_limit=20_000)
    assert [outcome.id for outcome in run.failed] == ["large"]
    assert "20000" in run.failed[0].error.replace(" ", "").replace(",", "")


def test_shards_together_are_the_whole(tmp_path):
    folder = save_corpus(tmp_path / "in", 7)
    (folder / "broken.npz").write_bytes(b"no archive")
    out = tmp_path / "out"
    done = []
    for i in (2, 3, 1):
        part = analyze([folder], out, shard=Shard(i, 3))
        assert (part.table, part.report) == (None, None)
        done += [outcome.id for outcome in part.outcomes]
    assert {path.name for path in out.iterdir()} == {"items", "run.json"}
    run = analyze([folder], out)
    assert sorted(done) == [outcome.id for outcome in run.outcomes]
    assert all(outcome.reused for outcome in run.outcomes if outcome.error is None)
    analyze([folder], tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5", "1.0/3"])
def test_a_shard_is_one_of_some(text):
    with pytest.raises(ValueError, match=r"shard: .* it must be i/n"):
        Shard.parse(text)
    assert Shard.parse("2/3") == Shard(2, 3)


def large_item():
    weak = np.zeros((1500, 5), np.float32)
    weak[::2, 0] = 1
    return Item(np.full((2000, 5), 0.5, np.float32), weak, cost="bce")


@pytest.mark.parametrize(("settings", "fits"), [(Settings(), True), (Settings(keep_alignment=True), False)])
def test_a_small_file_with_a_huge_alignment_fails_before_it_is_aligned(tmp_path, settings, fits):
    """Of 2000 x 1500 in float32 an alignment takes 11 MiB, and those of three gammas 34."""
    folder = save_corpus(tmp_path / "in")
    save_item(folder / "large.npz", large_item())
    run = analyze([folder], tmp_path / "out", settings, size_limit=20 << 20)
    assert [outcome.id for outcome in run.failed] == ([] if fits else ["large"])
    if not fits:
        assert "aligning 2000 frames with 1500 targets takes 34." in run.failed[0].error
        assert "the limit is 20.0 MiB an item (--size-limit); raise it" in run.failed[0].error
    assert not analyze([folder], tmp_path / "out", settings, size_limit=None).failed
    # What is done already needs no memory.
    assert not analyze([folder], tmp_path / "out", settings, size_limit=1 << 20).failed
