"""Measures against their definitions, the paper's Figure 2, and numbers known of real data."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import warplens as wl
from warplens.analysis import frame_f_measure, share_on_empty_targets
from warplens.analysis.item_analysis import analyze_item
from warplens.demo.figure2 import figure_2
from warplens.io import Item, read_npz

levels = hnp.arrays(np.float64, (6, 4), elements=st.floats(0, 1))


@given(levels, levels, st.floats(0.05, 0.95))
def test_f_measure_counts_hits_and_errors(estimate, strong, threshold):
    hits = false_alarms = misses = 0
    for estimated, wanted in zip((estimate > threshold).flat, (strong > 0.5).flat, strict=True):
        hits += estimated and wanted
        false_alarms += estimated and not wanted
        misses += wanted and not estimated
    expected = 2 * hits / (2 * hits + false_alarms + misses) if hits + false_alarms + misses else 0.0
    assert frame_f_measure(estimate, strong, threshold=threshold) == pytest.approx(expected, abs=1e-15)


def test_f_measure_names_shapes_that_differ():
    with pytest.raises(ValueError, match=r"estimate, strong: shapes \(3, 2\) and \(2, 3\)"):
        frame_f_measure(np.ones((3, 2)), np.ones((2, 3)))


def test_share_on_empty_targets_is_what_the_others_leave():
    rows = np.random.default_rng(0).random((9, 4))
    H_tilde = rows / rows.sum(axis=1, keepdims=True)
    weak = np.array([[0, 0], [0, 1], [0, 0], [2, 0]])
    assert share_on_empty_targets(H_tilde, weak) == pytest.approx(1 - H_tilde[:, [1, 3]].sum() / 9)
    assert share_on_empty_targets(H_tilde, np.ones((4, 2))) == 0


def test_figure_2_short_events_fade_and_the_long_one_stays():
    item = figure_2()
    assert (item.predictions.shape, item.weak.shape) == ((17, 12), (6, 12))
    analysis = analyze_item(item, gammas=(1.0, 0.1), cost="mse")
    np.testing.assert_allclose(analysis.gammas, [0.1, 1.0])
    np.testing.assert_allclose(analysis.levels.peak, [[0.987, 0.986, 1.0], [0.519, 0.408, 0.977]], atol=1e-3)
    np.testing.assert_array_equal(analysis.measures["events_below_threshold"], [0, 1])


def test_measures_are_those_of_each_alignment():
    rng = np.random.default_rng(1)
    weak = (rng.random((6, 4)) < 0.4).astype(float)
    item = Item(rng.random((20, 4)), weak, strong=(rng.random((20, 4)) < 0.3).astype(float))
    weights = (0.1, 1.0, 1.0)
    analysis = analyze_item(
        item, gammas=(0.5, 5.0), cost="bce", step_weights=weights, threshold=0.4, keep_alignment=True
    )
    for g, gamma in enumerate((0.5, 5.0)):
        alignment = wl.align(item.predictions, weak, cost="bce", gamma=gamma, step_weights=weights)
        at_gamma = {name: values[g] for name, values in analysis.measures.items()}
        assert at_gamma["value"] == alignment.value
        assert at_gamma["entropy"] == alignment.entropy
        assert (at_gamma["h_min"], at_gamma["h_max"]) == (alignment.h.min(), alignment.h.max())
        assert at_gamma["h_mean"] == pytest.approx(alignment.h.mean())
        assert at_gamma["f_measure"] == frame_f_measure(alignment.y_mod, item.strong, threshold=0.4)
        peaks = analysis.levels.peak[g]
        assert at_gamma["events"] == len(peaks) == len(analysis.events)
        assert at_gamma["events_below_threshold"] == (peaks < 0.4).sum()
        assert (at_gamma["peak_mean"], at_gamma["peak_min"]) == pytest.approx((peaks.mean(), peaks.min()))
        np.testing.assert_array_equal(analysis.H[g], alignment.H)
        np.testing.assert_array_equal(analysis.y_mod[g], alignment.y_mod)


def test_what_is_not_known_is_not_a_number():
    analysis = analyze_item(Item(np.full((4, 2), 0.5), np.zeros((2, 2))), gammas=(1.0,), cost="bce")
    assert analysis.measures["events"] == 0
    assert all(np.isnan(analysis.measures[name]) for name in ("peak_mean", "peak_min", "f_measure"))
    assert analysis.empty_targets == 1
    np.testing.assert_allclose(analysis.empty_share, 1)


def test_no_gamma_is_an_error():
    with pytest.raises(ValueError, match="gammas: empty"):
        analyze_item(figure_2(), gammas=(), cost="mse")


@pytest.mark.parametrize(
    ("name", "gamma", "f_measure"), [("schubert-d911-11", 1.0, 0.8205), ("mtd-8330-sibelius", 10.0, 0.4536)]
)
def test_f_measure_of_real_predictions(real_files, name, gamma, f_measure):
    item = read_npz(next(path for path in real_files if path.stem == name))
    analysis = analyze_item(item, gammas=(gamma,), cost=item.cost, step_weights=(0.1, 1.0, 1.0))
    assert analysis.measures["f_measure"] == pytest.approx(f_measure, abs=1e-3)


def test_every_real_item_completes_at_every_gamma(real_files, tmp_path):
    pytest.importorskip("PIL")
    pytest.importorskip("jinja2")
    from warplens.corpus import Settings, analyze

    run = analyze(real_files, tmp_path, Settings((0.1, 1.0, 10.0), step_weights=(0.1, 1.0, 1.0)))
    assert run.failed == []
    rows = list(csv.DictReader(run.table.read_text("utf-8").splitlines()))
    assert len(rows) == 3 * len(real_files)
    sharpest = [row for row in rows if row["gamma"] == "0.1"]
    lost = sum(int(row["events_below_threshold"]) for row in sharpest)
    events = sum(int(row["events"]) for row in sharpest)
    assert 1 - lost / events == pytest.approx(0.931, abs=1e-3)
