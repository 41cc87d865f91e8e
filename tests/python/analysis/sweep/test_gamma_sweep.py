"""Sums of a sweep: they agree with the measures of one item, and pooled with those of all events together."""

import dataclasses

import numpy as np
import pytest
from corpus.sample_items import sample_item
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import warplens as wl
from warplens.analysis.events import find_events, summarize_levels
from warplens.analysis.metrics import evaluate, frame_f_measure, short_and_long
from warplens.analysis.sweep.gamma_sweep import lost_to_collapse, pool
from warplens.analysis.sweep.item_sweep import sweep_item

GAMMAS = (0.05, 0.5, 2.0, 20.0)


def swept(item, **told):
    return sweep_item(item, gammas=GAMMAS, cost="bce", **told)


def test_an_item_alone_has_its_measures():
    item = sample_item(3, n_targets=9)
    sweep = swept(item, threshold=0.6, step_weights=(0.5, 1.0, 1.0))
    assert sweep.gammas.tolist() == list(GAMMAS)
    for g, gamma in enumerate(GAMMAS):
        alignment = wl.align(
            item.predictions, item.weak, cost="bce", gamma=gamma, step_weights=(0.5, 1.0, 1.0)
        )
        measures = evaluate(alignment, item.weak, strong=item.strong, threshold=0.6)
        assert sweep.events == measures["events"]
        assert sweep.lost[g] == measures["events_below_threshold"]
        for name in ("kept", "short_event_peak", "blur", "f_measure"):
            assert getattr(sweep, name)[g] == pytest.approx(measures[name], rel=1e-5), name
        # The sweep's entropy is that of float32 probabilities.
        assert sweep.entropy[g] == pytest.approx(measures["entropy"], rel=1e-5, abs=1e-4)
        assert sweep.entropy_rate[g] == pytest.approx(sweep.entropy[g] / len(item.predictions))


def test_pooled_items_have_the_means_of_all_their_events():
    items = [sample_item(seed, n_targets=4 + 3 * seed) for seed in range(4)]
    pooled = pool([swept(item) for item in items])
    for g, gamma in enumerate(GAMMAS):
        short, peaks, fades, lost, y_mod, entropy = [], [], [], 0, [], 0.0
        for item in items:
            alignment = wl.align(item.predictions, item.weak, cost="bce", gamma=gamma)
            events = find_events(item.weak)
            levels = summarize_levels(alignment.H_tilde, item.weak, events)
            short.append(levels.peak[short_and_long(levels.duration)[0]])
            peaks.append(levels.peak)
            fades.append((levels.onset_fade + levels.offset_fade) / 2)
            lost += np.count_nonzero(levels.peak < 0.5)
            y_mod.append(alignment.y_mod)
            entropy += alignment.entropy
        peaks = np.concatenate(peaks)
        strong = np.concatenate([item.strong for item in items])
        assert (pooled.events, pooled.lost[g]) == (len(peaks), lost)
        assert pooled.kept[g] == 1 - lost / len(peaks)
        short = np.concatenate(short)  # each within its own item
        assert pooled.short_events[g] == len(short)
        assert pooled.short_event_peak[g] == pytest.approx(short.mean(), rel=1e-5)
        assert pooled.blur[g] == pytest.approx(np.concatenate(fades).mean(), rel=1e-5)
        assert pooled.entropy[g] == pytest.approx(entropy, rel=1e-5, abs=1e-4)
        assert pooled.entropy_rate[g] == pytest.approx(pooled.entropy[g] / len(strong))
        assert pooled.f_measure[g] == pytest.approx(frame_f_measure(np.concatenate(y_mod), strong))


def test_pooling_does_not_depend_on_grouping():
    a, b, c = (swept(sample_item(seed, n_targets=5 + seed)) for seed in range(3))
    one, other = vars(pool([pool([a, b]), c])), vars(pool([a, pool([b, c])]))
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-12, err_msg=name)


def test_f_measure_is_of_the_items_that_can_be_judged():
    known, unknown = swept(sample_item(0)), swept(sample_item(1, strong=None))
    assert np.isnan(unknown.f_measure).all()
    np.testing.assert_array_equal(pool([known, unknown]).f_measure, known.f_measure)


def test_an_item_without_events_adds_frames_alone():
    item = sample_item(0)
    silent = swept(dataclasses.replace(item, weak=np.zeros_like(item.weak)))
    assert (silent.events, silent.frames) == (0, len(item.predictions))
    for name in ("kept", "short_event_peak", "blur"):
        assert np.isnan(getattr(silent, name)).all()
    both = pool([silent, swept(item)])
    for name in ("kept", "short_event_peak", "blur"):
        np.testing.assert_array_equal(getattr(both, name), getattr(swept(item), name))


def test_gammas_in_any_order_give_the_same_sums():
    item = sample_item(2)
    shuffled = sweep_item(item, gammas=(2.0, 0.05, 20.0, 0.5, 2.0), cost="bce")
    for name, value in vars(shuffled).items():
        np.testing.assert_array_equal(value, vars(swept(item))[name], err_msg=name)


def test_what_cannot_be_pooled_is_refused():
    a = swept(sample_item(0))
    with pytest.raises(ValueError, match="sweeps: empty"):
        pool([])
    for other in (swept(sample_item(0), threshold=0.4), sweep_item(sample_item(0), gammas=[1], cost="bce")):
        with pytest.raises(ValueError, match="number 1 has other gammas or another threshold"):
            pool([a, other])
    with pytest.raises(ValueError, match="gammas: empty"):
        sweep_item(sample_item(0), gammas=(), cost="bce")


@given(
    arrays(np.float64, (5, 4), elements=st.floats(0, 1)),
    arrays(np.float64, (5, 4), elements=st.floats(0, 3)),
)
def test_collapse_loses_what_gets_no_time_or_what_a_larger_gamma_alone_keeps(peak, duration):
    result = lost_to_collapse(peak, duration, 0.5)
    for g, k in np.ndindex(peak.shape):
        lost = peak[g, k] < 0.5
        kept_smaller = any(peak[:g, k] >= 0.5)
        kept_larger = any(peak[g + 1 :, k] >= 0.5)
        assert result[g, k] == (lost and (duration[g, k] < 0.5 or (kept_larger and not kept_smaller)))


def test_blur_and_collapse_are_told_apart():
    weak = np.array([[0.0], [1.0]] * 6 + [[0.0]])
    right = 0.1 + 0.8 * np.repeat(weak, [6, 1] * 6 + [6], axis=0)  # every event lasts one frame
    blurred = sweep_item_of(right, weak, (0.01, 100.0))
    assert blurred.lost.tolist() == [0, 6]
    assert blurred.lost_to_collapse.tolist() == [0, 0]
    # Predictions that deny all events but two: the path passes the others within one frame.
    denied = np.full((40, 1), 0.02)
    denied[[5, 33]] = 0.9
    collapsed = sweep_item_of(denied, weak, (0.01,))
    assert collapsed.lost_to_collapse[0] == collapsed.lost[0] >= 4


def sweep_item_of(predictions, weak, gammas):
    item = dataclasses.replace(sample_item(), predictions=predictions, weak=weak, strong=None)
    return sweep_item(item, gammas=gammas, cost="bce")


def test_real_data_lose_events_to_collapse_and_to_blur(real_files):
    """mtd-0554-bartok under unit weights: 12 of 17 events lost at gamma .01, 4 at 10."""
    from warplens.io import read_npz

    item = read_npz(next(path for path in real_files if path.stem == "mtd-0554-bartok"))
    sweep = sweep_item(item, gammas=(0.01, 10, 100), cost=item.cost, step_weights=(1.0, 1.0, 1.0))
    assert (sweep.events, sweep.lost[:2].tolist()) == (17, [12, 4])
    assert sweep.lost_to_collapse.tolist() == [12, 0, 0]
