"""Sweeps by other losses than soft DTW, and the setting that is recommended where frames may be blank."""

import numpy as np
import pytest
from label_items import label_item, multi_hot_item, peaky_item

from warplens.analysis.losses.item import analyze_by_loss
from warplens.analysis.losses.options import Loss
from warplens.analysis.sweep.loss_item_sweep import sweep_gammas_by_loss, sweep_settings
from warplens.analysis.sweep.setting_choice import choose_setting
from warplens.analysis.sweep.setting_sweep import BlankSetting, pool_settings
from warplens.io import Item

GRID = [BlankSetting(gamma, penalty) for gamma in (0.5, 1.0) for penalty in (-1.0, 0.0, 2.0, 4.0)]


def test_a_sweep_sums_up_what_analyses_measure():
    item = peaky_item()
    sweep = sweep_settings(item, Loss("ctc"), settings=GRID, threshold=0.6)
    assert sweep.settings == GRID
    for p, setting in enumerate(GRID):
        loss = Loss("ctc", blank_penalty=setting.blank_penalty)
        measures = analyze_by_loss(item, loss, gammas=[setting.gamma], threshold=0.6).measures
        for name in ("kept", "blur", "blank_share", "short_event_peak", "entropy", "f_measure"):
            assert getattr(sweep, name)[p] == pytest.approx(measures[name][0], abs=1e-9), name
        assert sweep.lost[p] == measures["events_below_threshold"][0]
        assert sweep.duration[p] == pytest.approx(measures["expected_duration_mean"][0], abs=1e-9)


def test_sweeps_over_gamma_sum_up_what_analyses_measure():
    rng = np.random.default_rng(0)
    item = Item(rng.uniform(0.1, 0.9, (15, 3)), np.eye(3), strong=np.repeat(np.eye(3), 5, axis=0), cost="bce")
    loss, gammas = Loss("drop", drop=0.7), [0.2, 1.0, 5.0]
    sweep = sweep_gammas_by_loss(item, loss, gammas=gammas, cost="bce")
    measures = analyze_by_loss(item, loss, gammas=gammas, cost="bce").measures
    for name in ("kept", "blur", "short_event_peak", "entropy", "f_measure"):
        np.testing.assert_allclose(getattr(sweep, name), measures[name], atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(sweep.lost, measures["events_below_threshold"])


def test_the_setting_nearest_to_the_plain_loss_is_chosen():
    item = peaky_item()
    sweep = sweep_settings(item, Loss("ctc"), settings=GRID, threshold=0.6)
    choice = choose_setting(sweep)
    keeping = [setting for setting, kept in zip(GRID, sweep.kept, strict=True) if kept >= 0.95]
    assert keeping
    assert choice.setting == min(keeping, key=lambda each: abs(np.log(each.gamma)) + abs(each.blank_penalty))
    assert choice.setting != BlankSetting()
    plain = GRID.index(BlankSetting())
    assert sweep.lost_to_blanks[plain] == sweep.lost[plain] > 0
    assert f"loses {sweep.lost[plain]} to blanks" in choice.reason
    assert "labels are peaks of" in choice.reason
    assert choice.as_record()["blank_penalty"] == choice.setting.blank_penalty


def test_a_plain_loss_that_keeps_enough_is_left_as_it_is():
    sweep = sweep_settings(peaky_item(), Loss("ctc"), settings=GRID, threshold=0.2)
    assert choose_setting(sweep).setting == BlankSetting()
    assert choose_setting(sweep).reason.startswith("The plain loss keeps at least 95 % of all 7 labels")


def test_where_no_setting_keeps_enough_the_nearest_is_named():
    item, grid = peaky_item(), [BlankSetting(1.0, 0.0), BlankSetting(1.0, -1.0)]
    sweep = sweep_settings(item, Loss("ctc"), settings=grid, threshold=0.6)
    choice = choose_setting(sweep)
    assert choice.setting is None
    assert choice.nearest == BlankSetting()
    assert "try a larger blank penalty" in choice.reason
    assert choice.as_record()["gamma"] is None


def test_labels_between_equal_rivals_are_lost_to_blur():
    """Frames that tell nothing apart: no blank is likely, so what a label lacks is with its neighbours."""
    scores = np.full((12, 5), np.log(0.25))
    scores[:, 0] = -30.0
    item = label_item()
    blurred = sweep_settings(
        type(item)(scores, np.array([1, 2, 3, 4])), Loss("ctc"), settings=[BlankSetting()], threshold=0.95
    )
    assert blurred.lost[0] > 0
    assert blurred.lost_to_blanks[0] == 0


def test_pooled_sweeps_add_up():
    loss = Loss("ctc", log_priors=(-0.5, -2.0, -2.0, -2.0, -2.0))
    grid = [BlankSetting(1.0, 0.0, scale) for scale in (0.0, 1.0)]
    each = [sweep_settings(label_item(seed), loss, settings=grid) for seed in range(3)]
    pooled = pool_settings(each)
    assert pooled.events == 12
    np.testing.assert_allclose(pooled.blank_frames, sum(one.blank_frames for one in each))
    assert pooled.blank_share[1] < pooled.blank_share[0]
    with pytest.raises(ValueError, match="number 1 has other settings"):
        pool_settings([each[0], sweep_settings(label_item(), loss, settings=grid[:1])])
    with pytest.raises(ValueError, match="sweeps: empty"):
        pool_settings([])
    with pytest.raises(ValueError, match="settings: empty"):
        sweep_settings(label_item(), loss, settings=[])


def test_multi_label_targets_are_swept_too():
    sweep = sweep_settings(multi_hot_item(), Loss("multi-label-ctc"), settings=GRID)
    assert (np.diff(sweep.blank_share[:4]) < 0).all()
    assert choose_setting(sweep, word="event").reason.count("event") > 0
