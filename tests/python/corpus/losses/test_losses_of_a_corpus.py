"""Runs over a corpus by losses of the family: tables and files that speak of labels, sweeps over settings."""

import csv
import json
import re

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from analysis.report.report_pages import Page
from corpus.sample_items import sample_item, save_item
from label_items import LABELS, label_item, log_softmax, multi_hot_item, peaky_item, save_label_item

from warplens.analysis.losses.item import analyze_by_loss
from warplens.corpus import Loss, Settings, analyze, collect, item_path, read_analysis, sweep
from warplens.corpus.memory_limit import bytes_by_loss


@pytest.fixture
def folder(tmp_path):
    for seed in range(3):
        save_label_item(tmp_path / "in" / f"i{seed}.npz", label_item(seed))
    return tmp_path / "in"


def rows_in(path):
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def content(out):
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    files.pop("run.json")
    return files


def test_tables_of_labels_speak_of_labels(folder, tmp_path):
    run = analyze([folder], tmp_path / "out", loss="ctc")
    rows = rows_in(run.table)
    assert not [name for name in rows[0] if "event" in name]
    assert [row["gamma"] for row in rows] == ["1"] * 3
    expected = analyze_by_loss(label_item(1), Loss("ctc"), gammas=[1.0])
    assert rows[1]["labels"] == "4"
    assert rows[1]["M"] == "4"
    for column, name in (
        ("labels_below_threshold", "events_below_threshold"),
        ("short_label_peak", "short_event_peak"),
        ("expected_duration_mean", "expected_duration_mean"),
        ("blank_share", "blank_share"),
        ("not_taught", "not_taught"),
        ("entropy_per_frame", "entropy_per_frame"),
    ):
        assert float(rows[1][column]) == pytest.approx(expected.measures[name][0], rel=1e-11), column
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["settings"]["loss"] == {"name": "ctc"}


def test_item_files_keep_what_the_loss_adds(folder, tmp_path):
    loss = Loss("ctc", log_priors=(-1.0, -2.0, -3.0, -2.0, -2.0), prior_scale=0.5, blank_penalty=0.5)
    analyze([folder], tmp_path / "out", Settings((0.5, 1.0), loss=loss, keep_alignment=True))
    read = read_analysis(item_path(tmp_path / "out", "i2"))
    expected = analyze_by_loss(label_item(2), loss, gammas=[0.5, 1.0], keep_alignment=True)
    for name in ("h", "y_mod", "H", "presence", "classes", "measures"):
        np.testing.assert_equal(getattr(read, name), getattr(expected, name), err_msg=name)
    assert (read.loss, read.label_names) == (loss, expected.label_names)
    np.testing.assert_array_equal(read.events.feature, LABELS)
    np.testing.assert_array_equal(read.levels.records, expected.levels.records)


def test_a_second_run_does_only_what_changed(folder, tmp_path):
    out = tmp_path / "out"
    analyze([folder], out, loss="ctc")
    before = content(out)
    assert all(outcome.reused for outcome in analyze([folder], out, loss="ctc").outcomes)
    assert content(out) == before
    other = analyze([folder], out, loss=Loss("ctc", blank_penalty=1.0))
    assert not any(outcome.reused for outcome in other.outcomes)


def test_pages_show_labels_by_name(folder, tmp_path):
    analyze([folder], tmp_path / "out", loss="ctc")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for words in ("loss ctc", ">blank<", "all 4 labels", "<b>Labels</b>", "Peak of each label"):
        assert words in page, words


@pytest.mark.parametrize("items", [3, 51])
def test_reports_of_labels_speak_of_no_events(items, tmp_path):
    """Both kinds: all items on one page, and an index with pages of their own."""
    for seed in range(items):
        save_label_item(tmp_path / "in" / f"i{seed:02}.npz", label_item(seed % 3))
    analyze([tmp_path / "in"], tmp_path / "out", Settings((1.0, 5.0), loss=Loss("ctc"), threshold=0.9))
    pages = [tmp_path / "out" / "report.html", *sorted((tmp_path / "out" / "items").glob("*.html"))]
    assert (len(pages) > 1) == (items == 51)
    for path in pages[:2]:
        html = path.read_text("utf-8")
        page = Page(html)
        told = [page.text, *(attributes.get("aria-label", "") for _, attributes in page.tags)]
        assert not [words for words in told if re.search(r"\b[Ee]vents?\b", words)]
        assert "label that stays under it" in page.text
    index = Page(pages[0].read_text("utf-8")).text
    assert "this loss teaches the network to lose" in index
    assert "labels at or above 0.9" in index
    assert "peak of short labels" in index
    assert '"word":"label"' in pages[0].read_text("utf-8")


def test_frames_that_are_left_out_are_called_not_taught(tmp_path):
    save_item(tmp_path / "in" / "a.npz", sample_item())
    run = analyze([tmp_path / "in"], tmp_path / "out", loss=Loss("drop", drop=0.5))
    assert float(rows_in(run.table)[0]["not_taught"]) > 0
    assert "frames not taught (faded)" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("loss", ["multi-label-ctc", "forward-sum", "subsequence"])
def test_every_other_loss_runs(loss, tmp_path):
    folder = tmp_path / "in"
    if loss == "subsequence":
        save_item(folder / "a.npz", sample_item())
    else:
        save_label_item(folder / "a.npz", multi_hot_item() if loss == "multi-label-ctc" else label_item())
    run = analyze([folder], tmp_path / "out", loss=loss)
    assert not run.failed
    swept = sweep([folder], tmp_path / "swept", Settings((0.5, 1.0), loss=Loss(loss)))
    assert not swept.failed
    assert swept.choice.reason


def test_figures_and_sound_of_what_has_them(folder, tmp_path):
    pytest.importorskip("matplotlib")
    analyze([folder], tmp_path / "out", Settings((1.0,), loss=Loss("ctc"), figures=True))
    drawn = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert {"i0.targets.png", "i0.events.png"} <= drawn
    assert "i0.alignments.png" not in drawn
    with pytest.raises(ValueError, match="sonify: the classes of the loss ctc are no pitches"):
        Settings((1.0,), loss=Loss("ctc"), sonify=True)


def test_rows_that_are_not_normalised_are_told(tmp_path):
    item = label_item()
    save_label_item(tmp_path / "in" / "a.npz", type(item)(item.log_probs - 1.0, item.labels))
    for _ in range(2):  # of a reused item too
        (outcome,) = analyze([tmp_path / "in"], tmp_path / "out", loss="ctc").outcomes
        assert "rows of its log-probabilities sum to exp(-1) and not to 1" in outcome.warning


def test_items_that_cannot_be_aligned_fail_alone(folder, tmp_path):
    save_label_item(folder / "short.npz", label_item(frames=4))
    save_label_item(folder / "outside.npz", label_item(labels=np.array([1, 7])))
    save_item(folder / "features.npz", sample_item())
    np.savez(folder / "logits.npz", log_probs=np.ones((9, 5)), labels=[1])
    run = analyze([folder], tmp_path / "out", loss="ctc")
    errors = {outcome.id: outcome.error for outcome in run.failed}
    assert errors.keys() == {"short", "outside", "features", "logits"}
    assert "the shortest possible T is 5" in errors["short"]
    assert "labels: is 7 at index 1" in errors["outside"]
    assert "--loss multi-label-ctc" in errors["features"] or "classes" in errors["features"]
    assert "--from-logits" in errors["logits"]


def test_settings_that_a_loss_does_not_know_are_refused():
    with pytest.raises(ValueError, match="cost: unknown to the loss ctc"):
        Settings((1.0,), cost="bce", loss=Loss("ctc"))
    with pytest.raises(ValueError, match="step_weights: unknown to the loss drop"):
        Settings((1.0,), step_weights=(1.0, 1.0, 1.0), loss=Loss("drop", drop=1.0))
    with pytest.raises(ValueError, match=r"pitch_classes: .* the loss forward-sum does not take"):
        Settings((1.0,), pitch_classes=True, loss=Loss("forward-sum"))


def test_an_item_too_large_fails_before_it_is_aligned(folder, tmp_path):
    needed = bytes_by_loss(label_item(), Loss("ctc"), n_gammas=1)
    run = analyze([folder], tmp_path / "out", loss="ctc", size_limit=needed - 1)
    assert len(run.failed) == 3
    assert "aligning 14 frames with 4 targets" in run.failed[0].error


def test_sets_of_npy_files_are_one_item_each(tmp_path):
    item = label_item()
    for name in ("log_probs", "labels"):
        np.save(tmp_path / f"a.{name}.npy", getattr(item, name))
    np.save(tmp_path / "b.predictions.npy", item.log_probs)
    np.save(tmp_path / "b.log_probs.npy", item.log_probs)
    np.save(tmp_path / "b.labels.npy", item.labels)
    found = collect([tmp_path], exclude=tmp_path / "out")
    assert ([source.id for source in found.sources], found.ignored) == (["a", "b"], 0)


def test_a_sweep_over_settings_recommends_the_nearest(tmp_path):
    save_label_item(tmp_path / "in" / "peaks.npz", peaky_item())
    save_label_item(tmp_path / "in" / "plain.npz", label_item())
    settings = Settings((1.0,), threshold=0.6, loss=Loss("ctc"))
    run = sweep([tmp_path / "in"], tmp_path / "out", settings, blank_penalties=[0, 2, 4, 6])
    rows = rows_in(run.table)
    assert [row["blank_penalty"] for row in rows if row["id"] == "all"] == ["0", "2", "4", "6"]
    pooled = [row for row in rows if row["id"] == "all"]
    assert {row["labels"] for row in pooled} == {"11"}
    recommended = json.loads((tmp_path / "out" / "recommendation.json").read_text())
    enough = [float(row["blank_penalty"]) for row in pooled if float(row["kept"]) >= 0.95]
    if enough:
        assert recommended["blank_penalty"] == enough[0]
    assert "to blanks" in recommended["reason"]
    again = sweep([tmp_path / "in"], tmp_path / "out", settings, blank_penalties=[0, 2, 4, 6])
    assert all(outcome.reused for outcome in again.outcomes)
    other = sweep([tmp_path / "in"], tmp_path / "out", settings, blank_penalties=[0, 2])
    assert not any(outcome.reused for outcome in other.outcomes)


def test_what_cannot_be_swept_is_refused(folder, tmp_path):
    def swept(loss, **grid):
        sweep([folder], tmp_path / "out", Settings((1.0,), loss=loss), **grid)

    with pytest.raises(ValueError, match="blank_penalty: unknown to the loss forward-sum"):
        swept(Loss("forward-sum"), blank_penalties=[0.0, 1.0])
    with pytest.raises(ValueError, match="blank_penalty: is given, and several"):
        swept(Loss("ctc", blank_penalty=1.0), blank_penalties=[0.0, 1.0])
    with pytest.raises(ValueError, match=r"blank_penalty: is .*finite numbers"):
        swept(Loss("ctc"), blank_penalties=[np.inf])
    with pytest.raises(ValueError, match="blank_penalty: is inf; a sweep accepts finite"):
        swept(Loss("ctc", blank_penalty=np.inf))
    with pytest.raises(ValueError, match="prior_scale: belongs to log_priors"):
        swept(Loss("ctc"), prior_scales=[0.0, 1.0])


def test_probabilities_of_halves_are_read(tmp_path):
    scores = log_softmax(np.random.default_rng(0).standard_normal((9, 4))).astype(np.float16)
    np.savez(tmp_path / "a.npz", log_probs=scores, labels=[1, 2])
    run = analyze([tmp_path], tmp_path / "out", loss="ctc")
    assert not run.failed
