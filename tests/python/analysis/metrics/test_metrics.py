"""Measures of alignments and events against their definitions, the paper's Figure 2, and real data."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles.measures import diagonal_distance, event_levels, share_on_empty_targets

import warplens as wl
from warplens._align import align_in_full
from warplens.analysis import evaluate, find_events, measure_alignment
from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.metrics import (
    COUNTS,
    MEASURES,
    frame_f_measure,
    magnitude_over_duration,
    share_of_collapsed_targets,
    short_and_long,
    short_long_peaks,
)
from warplens.demo.figure2 import figure_2
from warplens.io import Item, read_npz


def random_item(seed=1, strong=True):
    rng = np.random.default_rng(seed)
    weak = (rng.random((6, 4)) < 0.4).astype(float)
    reference = (rng.random((20, 4)) < 0.3).astype(float)
    return Item(rng.random((20, 4)), weak, strong=reference if strong else None, fps=20.0)


def test_share_on_empty_targets_is_what_the_others_leave():
    rows = np.random.default_rng(0).random((9, 4))
    masses = (rows / rows.sum(axis=1, keepdims=True)).sum(axis=0)
    weak = np.array([[0, 0], [0, 1], [0, 0], [2, 0]])
    assert share_on_empty_targets(masses, weak) == pytest.approx(1 - masses[[1, 3]].sum() / 9)
    assert share_on_empty_targets(masses, np.ones((4, 2))) == 0


def test_targets_that_are_passed_over_have_collapsed():
    assert share_of_collapsed_targets(np.array([0.4, 0.5, 2.1, 0.0])) == 0.5
    sharp = np.eye(7)
    alignment = wl.align(np.repeat(sharp, 2, axis=0), sharp, gamma=0)
    measures = evaluate(alignment, sharp)
    assert (measures["collapse"], measures["entropy"], measures["entropy_per_frame"]) == (0, 0, 0)
    # One frame must hold all targets but one: it has no half frame for any of them.
    crowded = evaluate(wl.align(sharp[[0, 6]], sharp, gamma=0), sharp)
    assert crowded["collapse"] == pytest.approx(1.0, abs=0.3)


def test_the_diagonal_is_at_distance_0_and_the_border_at_a_half():
    assert diagonal_distance(np.linspace(0, 8, 30), 9) == pytest.approx(0)
    assert diagonal_distance(np.zeros(101), 9) == pytest.approx(0.5)
    assert diagonal_distance(np.array([2.0]), 5) == 0
    assert diagonal_distance(np.zeros(3), 1) == 0


durations_and_peaks = st.lists(
    st.tuples(st.one_of(st.integers(0, 9), st.floats(0, 500)), st.floats(0, 1)), min_size=1, max_size=30
)


@given(durations_and_peaks)
def test_short_and_long_are_the_quartiles_with_their_ties(events):
    durations, peaks = (np.array(column, float) for column in zip(*events, strict=True))
    short, long = short_and_long(durations)
    lower, upper = np.quantile(durations, (0.25, 0.75))
    # What lies within the rounding of a quantile may be on either side of it, but not what is equal to it.
    slack = 1e-5 * (1 + durations)
    for result, beyond in ((short, lower - durations), (long, durations - upper)):
        assert result[beyond > slack].all()
        assert not result[beyond < -slack].any()
        assert 4 * np.count_nonzero(result) >= len(events)
        for duration in durations[result]:
            assert result[durations == duration].all()
    ratio = short_long_peaks(durations, peaks)
    assert (ratio.short, ratio.long) == pytest.approx((peaks[short].mean(), peaks[long].mean()))
    if ratio.long > 0:
        assert ratio.ratio == pytest.approx(ratio.short / ratio.long)


def test_durations_that_rounding_alone_tells_apart_are_ties():
    durations = np.array([3.0, 1.0, 1.0 + 1e-7, 1.0 - 1e-7, 3.0 - 2e-7, 2.0, 0.0, 1e-9])
    short, long = short_and_long(np.tile(durations, 3)[:8])
    assert durations[short].tolist() == [0.0, 1e-9]
    assert durations[long].tolist() == [3.0, 3.0 - 2e-7]
    short, long = short_and_long(durations[1:4])
    assert short.all()
    assert long.all()
    assert [len(mask) for mask in short_and_long(np.zeros(0))] == [0, 0]


def test_a_staccato_note_among_legato_ones_is_the_short_one_though_all_runs_are_one_frame():
    """A weak target has no timing: which note is short shows only in how long it lasts."""
    weak = np.eye(8)
    lasting = [9, 12, 10, 1, 11, 9, 10, 12]  # frames; note 3 is staccato
    strong = wl.expand(weak, lasting)
    alignment = wl.align(0.05 + 0.9 * strong, weak, cost="mse", gamma=1.0)
    events = find_events(weak)
    assert (events.stop - events.start == 1).all()
    levels = measure_alignment(alignment.H_tilde, weak, events).levels
    short, long = short_and_long(levels.duration)
    assert short[3]
    assert not long[3]
    measures = evaluate(alignment, weak)
    assert levels.peak.argmin() == 3
    assert measures["short_event_peak"] == pytest.approx(levels.peak[short].mean())
    assert measures["short_long_ratio"] < 1


def test_magnitude_over_duration_is_the_mean_of_each_duration():
    durations, peaks = magnitude_over_duration(np.array([2.4, 9.0, 1.6, 2.0]), np.array([0.1, 1.0, 0.3, 0.5]))
    np.testing.assert_array_equal(durations, [2, 9])
    np.testing.assert_allclose(peaks, [0.3, 1.0])
    assert [len(part) for part in magnitude_over_duration(np.zeros(0), np.zeros(0))] == [0, 0]


@given(hnp.arrays(np.float64, (9, 4), elements=st.sampled_from([0.0, 0.0, 1.0])), st.floats(0.1, 10))
def test_durations_of_events_that_share_nothing_fill_what_is_not_silent(weak, gamma):
    alone = np.where(np.arange(4) == weak.argmax(axis=1)[:, None], weak, 0)  # one feature a frame at most
    x = np.random.default_rng(0).random((21, 4))
    measures = evaluate(wl.align(x, alone, gamma=gamma), alone)
    filled = 21 * (1 - measures["empty_share"])
    if measures["events"]:
        assert measures["expected_duration_mean"] * measures["events"] == pytest.approx(filled)
    else:
        assert filled == pytest.approx(0)


def test_figure_2_short_events_fade_and_the_long_one_stays():
    item = figure_2()
    assert (item.predictions.shape, item.weak.shape) == ((17, 12), (6, 12))
    analysis = analyze_item(item, gammas=(1.0, 0.1), cost="mse")
    np.testing.assert_allclose(analysis.gammas, [0.1, 1.0])
    np.testing.assert_allclose(analysis.levels.peak, [[0.987, 0.986, 1.0], [0.519, 0.408, 0.977]], atol=1e-3)
    measures = analysis.measures
    np.testing.assert_array_equal(measures["events_below_threshold"], [0, 1])
    np.testing.assert_allclose(measures["kept"], [1, 2 / 3])
    for name in ("blur", "widening_mean", "entropy", "entropy_per_frame"):
        assert measures[name][0] < measures[name][1], name
    assert measures["short_event_peak"][0] > measures["short_event_peak"][1]


def test_measures_are_those_of_each_alignment():
    item = random_item()
    weights = (0.1, 1.0, 1.0)
    analysis = analyze_item(
        item, gammas=(0.5, 5.0), cost="bce", step_weights=weights, threshold=0.4, keep_alignment=True
    )
    for g, gamma in enumerate((0.5, 5.0)):
        alignment = wl.align(item.predictions, item.weak, cost="bce", gamma=gamma, step_weights=weights)
        at_gamma = {name: values[g] for name, values in analysis.measures.items()}
        alone = evaluate(alignment, item.weak, strong=item.strong, threshold=0.4, fps=20.0)
        assert at_gamma == pytest.approx(alone, nan_ok=True)
        assert at_gamma["value"] == alignment.value
        assert at_gamma["entropy"] == pytest.approx(alignment.entropy)
        assert (at_gamma["h_min"], at_gamma["h_max"]) == (alignment.h.min(), alignment.h.max())
        assert at_gamma["h_mean"] == pytest.approx(alignment.h.mean())
        assert at_gamma["f_measure"] == frame_f_measure(alignment.y_mod, item.strong, threshold=0.4)
        levels = event_levels(alignment.H_tilde, item.weak, analysis.events)
        peaks = levels.max(axis=1)
        assert at_gamma["events"] == len(peaks) == len(analysis.events)
        assert at_gamma["events_below_threshold"] == (peaks < 0.4).sum()
        assert (at_gamma["peak_mean"], at_gamma["peak_min"]) == pytest.approx((peaks.mean(), peaks.min()))
        result = analysis.levels
        assert at_gamma["blur"] == pytest.approx((result.onset_fade[g] + result.offset_fade[g]).mean() / 2)
        assert at_gamma["empty_share"] == analysis.empty_share[g]
        np.testing.assert_array_equal(analysis.H[g], alignment.H)
        np.testing.assert_array_equal(analysis.y_mod[g], alignment.y_mod)


def test_measures_come_by_name_in_one_order():
    assert tuple(evaluate(wl.align(np.eye(3), np.eye(3)), np.eye(3))) == MEASURES
    assert tuple(analyze_item(random_item(), gammas=(1,), cost="mse").measures) == MEASURES
    assert set(COUNTS) <= set(MEASURES)
    assert len(set(MEASURES)) == len(MEASURES)


def test_a_frame_that_every_step_into_is_free_counts_by_its_visits():
    x, y = np.repeat(np.eye(2), [4, 5], axis=0), np.eye(2)
    settings = {"cost": "mse", "gamma": 0.01, "step_weights": (0.0, 1.0, 1.0)}
    alignment = wl.align(x, y, **settings)
    assert alignment.h.min() < 1e-20
    analysis = analyze_item(Item(x, y), gammas=(0.01,), cost="mse", step_weights=(0.0, 1.0, 1.0))
    marginals, levels, _ = measure_alignment(alignment.H_tilde, y, find_events(y))
    np.testing.assert_allclose(analysis.levels.peak[0], levels.peak)
    np.testing.assert_allclose(levels.duration, [4, 5])
    np.testing.assert_allclose(marginals.masses.sum(), 9)
    full = align_in_full(x, y, **settings)
    np.testing.assert_array_equal(full.y_mod, alignment.y_mod)


def test_what_is_not_known_is_not_a_number():
    analysis = analyze_item(Item(np.full((4, 2), 0.5), np.zeros((2, 2))), gammas=(1.0,), cost="bce")
    unknown = {name for name, values in analysis.measures.items() if np.isnan(values).any()}
    known = ("value", "entropy", "entropy_per_frame", "h_min", "h_mean", "h_max", "events")
    known += ("events_below_threshold", "path_diagonal_distance", "collapse", "empty_share")
    assert unknown == set(MEASURES) - set(known)
    assert analysis.measures["events"] == 0
    assert analysis.empty_targets == 1
    np.testing.assert_allclose(analysis.empty_share, 1)


def test_no_gamma_is_an_error():
    with pytest.raises(ValueError, match="gammas: empty"):
        analyze_item(figure_2(), gammas=(), cost="mse")


def test_a_cost_without_modified_targets_is_an_error():
    with pytest.raises(ValueError, match="y_mod: cost l1 is not affine in the target"):
        analyze_item(figure_2(), gammas=(1.0,), cost="l1")


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
