"""A sweep over a corpus: table and recommendation, what fails, what is done again, the same bytes twice."""

import csv
import dataclasses
import json
import sys

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_corpus, save_item

import warplens as wl
from warplens.analysis.metrics import evaluate
from warplens.analysis.sweep.gamma_sweep import GammaSweep
from warplens.corpus import Settings, Shard, sweep
from warplens.corpus.results.sweep_file import load_sweep, save_sweep, sweep_path
from warplens.demo.piece import compose
from warplens.demo.piece_item import piece_item
from warplens.demo.synthesis import synthesize
from warplens.io import Item

HEADER = "id,gamma,events,events_below_threshold,kept,short_event_peak,blur,entropy,f_measure"
SETTINGS = Settings(gammas=(0.1, 1.0, 10.0))


def table_of(out):
    return list(csv.DictReader((out / "sweep.csv").read_text("utf-8").splitlines()))


def recommendation_of(out):
    return json.loads((out / "recommendation.json").read_text("utf-8"))


@pytest.fixture
def no_figure(monkeypatch):
    """Skip the figure, which takes most of the time of a small sweep."""
    monkeypatch.setattr(sys.modules["warplens.corpus.sweep"], "draw_sweep", lambda *_, **__: None)


def silent_item():
    return dataclasses.replace(sample_item(), weak=np.zeros((4, 5)), strong=None)


def content(out):
    """Every file of a sweep but the one that holds times."""
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    files.pop("run.json")
    return files


def test_table_has_a_row_for_each_item_and_gamma_then_those_of_all(tmp_path, no_figure):
    run = sweep([save_corpus(tmp_path / "in")], tmp_path / "out", SETTINGS)
    assert run.table.read_text().splitlines()[0] == HEADER
    rows = table_of(tmp_path / "out")
    assert [(row["id"], row["gamma"]) for row in rows] == [
        (item_id, gamma) for item_id in ("a", "c", "deep/er/b", "all") for gamma in ("0.1", "1", "10")
    ]
    of_items, pooled = rows[:9], rows[9:]
    for g, row in enumerate(pooled):
        same = of_items[g::3]
        for name in ("events", "events_below_threshold"):
            assert int(row[name]) == sum(int(each[name]) for each in same)
        assert float(row["entropy"]) == pytest.approx(sum(float(each["entropy"]) for each in same))
        assert float(row["kept"]) == 1 - int(row["events_below_threshold"]) / int(row["events"])


def test_rows_are_the_measures_of_the_alignment(tmp_path, no_figure):
    item = sample_item(4, n_targets=9)
    save_item(tmp_path / "in" / "a.npz", item)
    settings = Settings((0.5, 5.0), cost="mse", step_weights=(0.5, 1.0, 1.0), threshold=0.7)
    sweep([tmp_path / "in"], tmp_path / "out", settings)
    for row in table_of(tmp_path / "out")[:2]:
        alignment = wl.align(
            item.predictions, item.weak, cost="mse", gamma=float(row["gamma"]), step_weights=(0.5, 1.0, 1.0)
        )
        measures = evaluate(alignment, item.weak, strong=item.strong, threshold=0.7)
        for name in HEADER.split(",")[2:]:
            assert float(row[name]) == pytest.approx(measures[name], rel=1e-5, abs=1e-4), name


def test_unknown_measures_are_empty_cells(tmp_path, no_figure):
    save_item(tmp_path / "in" / "a.npz", sample_item(strong=None))
    save_item(tmp_path / "in" / "silent.npz", silent_item())
    sweep([tmp_path / "in"], tmp_path / "out", Settings((1.0,)))
    known, silent, pooled = table_of(tmp_path / "out")
    assert (known["f_measure"], pooled["f_measure"]) == ("", "")
    assert known["kept"] == pooled["kept"] != ""
    assert (silent["events"], silent["kept"], silent["short_event_peak"], silent["blur"]) == ("0", "", "", "")
    assert silent["entropy"]


def test_a_passage_of_short_notes_asks_for_a_small_gamma_a_legato_one_does_not(tmp_path, no_figure):
    """The demo's piece, cut into its staccato and its legato passage."""
    piece = compose()
    item = piece_item(piece, synthesize(piece))
    cuts = {"staccato": (0.0, 12.0), "legato": (12.0, 28.0)}
    recommended = {}
    for name, beats in cuts.items():
        start, stop = (round(float(piece.seconds(beat)) * item.fps) for beat in beats)
        frames = slice(start, stop)
        strong = item.strong[frames]
        save_item(
            tmp_path / name / f"{name}.npz",
            Item(item.predictions[frames], wl.collapse_repeats(strong).y, strong),
        )
        settings = Settings((0.1, 1.0, 10.0), cost="bce", step_weights=(0.1, 1.0, 1.0))
        sweep([tmp_path / name], tmp_path / f"of {name}", settings, share=0.8)
        recommended[name] = recommendation_of(tmp_path / f"of {name}")
    assert recommended["staccato"]["gamma"] < recommended["legato"]["gamma"]
    assert "to blur" in recommended["staccato"]["reason"]


def test_recommendation_is_the_rule_on_all_events(tmp_path, no_figure):
    folder = save_corpus(tmp_path / "in", 5)
    for share in (0.05, 0.3, 0.6, 0.9, 1.0):
        sweep([folder], tmp_path / "out", SETTINGS, share=share)
        pooled = [row for row in table_of(tmp_path / "out") if row["id"] == "all"]
        enough = [float(row["gamma"]) for row in pooled if float(row["kept"]) >= share]
        choice = recommendation_of(tmp_path / "out")
        assert list(choice) == ["gamma", "kept", "threshold", "reason"]
        assert choice["gamma"] == (max(enough) if enough else None)
        if not enough:
            assert choice["kept"] == pytest.approx(max(float(row["kept"]) for row in pooled))
        assert choice["threshold"] == 0.5


def test_a_failed_item_is_named_and_the_others_count(tmp_path, no_figure):
    folder = save_corpus(tmp_path / "in")
    good = sweep([folder], tmp_path / "good", SETTINGS)
    (folder / "broken.npz").write_bytes(b"no archive")
    save_item(folder / "costless.npz", sample_item(cost=None))
    run = sweep([folder], tmp_path / "out", SETTINGS)
    assert [outcome.id for outcome in run.failed] == ["broken", "costless"]
    rows = table_of(tmp_path / "out")
    failed = [row for row in rows if row["gamma"] == ""]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows[:-3]) + ["all"] * 3
    assert [row["id"] for row in failed] == ["broken", "costless"]
    assert all(set(row.values()) == {row["id"], ""} for row in failed)
    assert [row for row in rows if row["gamma"]] == table_of(tmp_path / "good")
    reason = recommendation_of(tmp_path / "out")["reason"]
    assert reason == f"{good.choice.reason} 2 of 5 items failed and are not counted."
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["failures"]["broken"] == run.failed[0].error
    assert (record["items"], record["failed"], record["command"]) == (5, 2, "sweep")


def test_when_all_fail_nothing_is_recommended(tmp_path):
    sweep([save_corpus(tmp_path / "in", 1)], tmp_path / "out", SETTINGS)
    (tmp_path / "in" / "a.npz").write_bytes(b"no archive")
    run = sweep([tmp_path / "in"], tmp_path / "out", SETTINGS)
    assert run.pooled is None
    assert table_of(tmp_path / "out") == [{**dict.fromkeys(HEADER.split(","), ""), "id": "a"}]
    assert recommendation_of(tmp_path / "out") == {
        "gamma": None,
        "kept": None,
        "threshold": 0.5,
        "reason": "All 1 items failed.",
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file()) == [
        "recommendation.json",
        "run.json",
        "sweep.csv",
    ]
    assert not sweep_path(tmp_path / "out", "a").exists()


def test_two_sweeps_give_the_same_bytes_however_many_processes(tmp_path):
    folder = save_corpus(tmp_path / "in", 8)
    (folder / "z.npz").write_bytes(b"broken")
    for out, processes in (("one", 1), ("two", 2)):
        sweep([folder], tmp_path / out, SETTINGS, processes=processes)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_rerun_does_only_what_is_new(tmp_path, no_figure):
    folder, out = save_corpus(tmp_path / "in"), tmp_path / "out"
    assert not any(outcome.reused for outcome in sweep([folder], out, SETTINGS).outcomes)
    before = content(out)
    assert all(outcome.reused for outcome in sweep([folder], out, SETTINGS).outcomes)
    assert content(out) == before
    # The share is not of the items.
    assert all(outcome.reused for outcome in sweep([folder], out, SETTINGS, share=0.5).outcomes)

    save_item(folder / "c.npz", sample_item(9))
    assert [outcome.reused for outcome in sweep([folder], out, SETTINGS).outcomes] == [True, False, True]
    for other in (Settings((0.1, 1.0)), Settings(SETTINGS.gammas, threshold=0.4)):
        assert not any(outcome.reused for outcome in sweep([folder], out, other).outcomes)


def test_after_an_interruption_the_rest_is_done_and_nothing_differs(tmp_path):
    folder = save_corpus(tmp_path / "in", 4)
    sweep([folder], tmp_path / "undisturbed", SETTINGS)

    class Interrupt:
        def started(self, total, ignored):
            pass

        def finished(self, outcome):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep([folder], tmp_path / "out", SETTINGS, progress=Interrupt())
    assert not (tmp_path / "out" / "sweep.csv").exists()
    run = sweep([folder], tmp_path / "out", SETTINGS)
    assert any(outcome.reused for outcome in run.outcomes)
    assert content(tmp_path / "out") == content(tmp_path / "undisturbed")


def test_a_small_file_with_a_huge_alignment_fails_before_it_is_aligned(tmp_path, no_figure):
    folder = save_corpus(tmp_path / "in")
    large = Item(np.full((2000, 5), 0.5, np.float32), np.ones((1500, 5), np.float32), cost="bce")
    save_item(folder / "large.npz", large)
    run = sweep([folder], tmp_path / "out", SETTINGS, size_limit=10 << 20)
    assert [outcome.id for outcome in run.failed] == ["large"]
    assert "aligning 2000 frames with 1500 targets takes 11." in run.failed[0].error
    assert not sweep([folder], tmp_path / "out", SETTINGS, size_limit=15 << 20).failed


def test_damaged_sums_are_made_again(tmp_path, no_figure):
    folder, out = save_corpus(tmp_path / "in", 1), tmp_path / "out"
    sweep([folder], out, SETTINGS)
    before = content(out)
    path = sweep_path(out, "a")
    sound = path.read_bytes()
    key = json.loads(sound)["key"]
    for damage in (
        b"",
        b"[]",
        b"null",
        b"1",
        b"\xff",
        b'{"key": 1}',
        b'{"key": "%s"}' % key.encode(),
        sound[:200],
    ):
        path.write_bytes(damage)
        assert load_sweep(path, key, GammaSweep) is None
        assert not sweep([folder], out, SETTINGS).outcomes[0].reused
        assert content(out) == before


@pytest.mark.parametrize("item", [sample_item(), sample_item(strong=None), silent_item()])
def test_sums_come_back_from_their_file_as_they_were(tmp_path, item, no_figure):
    save_item(tmp_path / "in" / "a.npz", item)
    run = sweep([tmp_path / "in"], tmp_path / "out", SETTINGS)
    path = sweep_path(tmp_path / "out", "a")
    again = load_sweep(path, json.loads(path.read_text())["key"], GammaSweep)
    for name, value in vars(run.outcomes[0].sweep).items():
        np.testing.assert_array_equal(vars(again)[name], value, err_msg=name)
        assert np.asarray(vars(again)[name]).dtype == np.asarray(value).dtype, name
    assert load_sweep(path, "another key", GammaSweep) is None
    save_sweep(tmp_path / "again.json", again, json.loads(path.read_text())["key"])
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_an_item_called_all_is_refused(tmp_path, no_figure):
    folder = save_corpus(tmp_path / "in", 1)
    save_item(folder / "all.npz", sample_item())
    run = sweep([folder], tmp_path / "out", SETTINGS)
    assert ["an item cannot be called 'all'" in outcome.error for outcome in run.failed] == [True]
    assert [row["id"] for row in table_of(tmp_path / "out")] == ["a"] * 3 + ["all.npz"] + ["all"] * 3
    assert run.pooled.events == run.outcomes[0].sweep.events


def test_shards_do_the_items_and_a_run_without_sums_them_up(tmp_path):
    folder = save_corpus(tmp_path / "in", 5)
    sweep([folder], tmp_path / "whole", SETTINGS)
    done = []
    for index in (2, 1):
        part = sweep([folder], tmp_path / "out", SETTINGS, shard=Shard(index, 2))
        assert (part.choice, part.table, part.pooled) == (None, None, None)
        done += [outcome.id for outcome in part.outcomes]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"run.json", "sweep"}
    run = sweep([folder], tmp_path / "out", SETTINGS)
    assert sorted(done) == [outcome.id for outcome in run.outcomes if outcome.reused]
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_share_out_of_range_is_refused_before_anything_is_run(tmp_path):
    with pytest.raises(ValueError, match="share"):
        sweep([save_corpus(tmp_path / "in")], tmp_path / "out", SETTINGS, share=1.5)
    assert not (tmp_path / "out").exists()


def test_the_figure_is_there_with_matplotlib(tmp_path):
    pytest.importorskip("matplotlib")
    folder = save_corpus(tmp_path / "in")
    run = sweep([folder], tmp_path / "out", Settings((0.0, 0.1, 1.0)))
    assert run.figure.read_bytes().startswith(b"\x89PNG")
    # Hard DTW alone has no place on a logarithmic axis.
    assert sweep([folder], tmp_path / "out", Settings((0.0,))).figure is None
    assert not (tmp_path / "out" / "sweep.png").exists()


def test_real_corpus_as_a_whole(tmp_path, real_files, no_figure):
    """With weights 0.1 1 1 the eleven files keep 0.931 at gamma 0.1: not 95 %, but 93 %."""
    settings = Settings((0.1, 1.0, 10.0), step_weights=(0.1, 1.0, 1.0))
    run = sweep(real_files, tmp_path / "out", settings)
    assert run.choice.gamma is None
    assert (run.choice.nearest, round(run.choice.kept, 3)) == (0.1, 0.931)
    assert "The nearest is 0.1, which keeps 93.1 %" in run.choice.reason
    assert sweep(real_files, tmp_path / "out", settings, share=0.93).choice.gamma == 0.1
    for name in ("kept", "blur", "entropy"):
        curve = getattr(run.pooled, name)
        assert (np.diff(curve) < 0).all() if name == "kept" else (np.diff(curve) > 0).all()
