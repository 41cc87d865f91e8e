"""Contrast of predictions: 1 of right ones, 0 of those that are constant in time, whatever the loss."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import warplens as wl
import warplens.torch as wlt
from warplens.training import Probe, Probes, contrast, inspect_targets

CLASSES = [1, 2, 3, 1, 2]


def probes_of(*items, **known):
    some = [Probe(str(k), torch.as_tensor(x), **known) for k, x in enumerate(items)]
    return Probes(nn.Identity(), some, predict=lambda x: x)


def frames(levels=1.0, *, n=4, features=5):
    """Roll (N,D): each class for n frames, with one of silence after each."""
    roll = np.zeros((len(CLASSES), n + 1, features))
    roll[np.arange(len(CLASSES)), :n, CLASSES] = levels
    return roll.reshape(-1, features)


def on_weak(loss, predictions, roll):
    return contrast(loss, probes_of(predictions.astype(np.float32), weak=wl.collapse_repeats(roll).y))


def log_softmax(scores):
    return torch.log_softmax(torch.as_tensor(scores, dtype=torch.float64), -1).numpy()


FEATURES = {
    "bce_logits": (wlt.SoftDTWLoss("bce_logits", step_weights=(0.1, 1, 1)), lambda roll: 40 * roll - 20),
    "mse": (wlt.SoftDTWLoss("mse"), lambda roll: roll),
    "mse in a band": (wlt.SoftDTWLoss("mse", 5.0, band=wl.SakoeChiba(10)), lambda roll: roll),
    "poisson_log": (wlt.SoftDTWLoss("poisson_log"), lambda roll: np.log(roll + 1e-6)),
    "subsequence": (
        wlt.SoftDTWLoss("mse", open_begin="both", open_end="both", skip_penalty=3.0),
        lambda roll: roll,
    ),
    "drop": (wlt.DropDTWLoss(2.0, "mse"), lambda roll: roll),
}


@pytest.mark.parametrize("name", FEATURES)
def test_of_right_predictions_it_is_one_and_of_constant_ones_none(name):
    loss, made_of = FEATURES[name]
    roll = frames(3.0 if name == "poisson_log" else 1.0)
    assert on_weak(loss, made_of(roll), roll) == pytest.approx(1.0, abs=1e-3)
    often = np.broadcast_to(roll.mean(axis=0), roll.shape)
    assert on_weak(loss, made_of(often), roll) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_the_scale_of_targets_does_not_matter(scale):
    roll = frames(scale)
    weakly = 0.6 * roll + 0.2 * scale
    assert on_weak(wlt.SoftDTWLoss("mse"), weakly, roll) == pytest.approx(0.6, abs=1e-3)


def test_of_labels_blanks_do_not_count():
    """A network that is sure of the blank everywhere, as CTC's are when they begin, knows nothing."""
    loss, labels = wlt.CTCLoss(), np.array(CLASSES)
    roll = frames()
    roll[roll.sum(axis=1) == 0, 0] = 1
    right = log_softmax(40 * roll)
    assert contrast(loss, probes_of(right, labels=labels)) == pytest.approx(1.0, abs=1e-3)
    for blank in (2.0, 5.0):
        noise = np.random.default_rng(0).standard_normal(roll.shape)
        noise[:, 0] += blank
        unknown = contrast(loss, probes_of(log_softmax(noise), labels=labels))
        assert 0 < unknown < 0.3


@pytest.mark.parametrize("encoding", ["we", "ne3"])
def test_of_multi_label_ctc_it_lies_between_nothing_and_one(encoding):
    shape = (25, 5 + (encoding == "we"), 2 if encoding == "we" else 3)
    scores = np.zeros(shape)
    scores[:, -5:, -1] = 20 * frames() - 10
    weak = wl.collapse_repeats(frames()).y
    right, nothing = (
        contrast(wlt.MultiLabelCTCLoss(encoding), probes_of(log_softmax(each), weak=weak))
        for each in (scores, np.zeros(shape))
    )
    assert right > 0.6
    assert nothing == pytest.approx(0.0, abs=1e-6)


def test_it_is_the_slope_of_the_regression_on_the_targets_of_the_hard_path():
    rng, roll = np.random.default_rng(1), frames()
    loss, x = (
        wlt.SoftDTWLoss("bce_logits", step_weights=(0.1, 1, 1)),
        2 * frames() + rng.standard_normal(roll.shape),
    )
    some = probes_of(x, x[::-1].copy(), weak=wl.collapse_repeats(roll).y)
    pairs = []
    for each in inspect_targets(loss, some, gamma=1e-6).targets:
        levels = 1 / (1 + np.exp(-each.predictions))
        for column, level in zip(each.y_mod.T, levels.T, strict=True):
            pairs.append(np.array([column - column.mean(), level]))
    taught, levels = np.concatenate(pairs, axis=1)
    assert contrast(loss, some) == pytest.approx((taught * levels).sum() / (taught * taught).sum())
    # Neither gamma nor the order of the probes counts.
    assert contrast(wlt.SoftDTWLoss("bce_logits", 9.0, (0.1, 1, 1)), some) == contrast(loss, some)


def test_it_is_not_known_where_targets_do_not_change():
    everything = np.ones((7, 3))
    for seed in range(10):
        x = np.random.default_rng(seed).standard_normal((40, 3))
        assert math.isnan(on_weak(wlt.SoftDTWLoss("bce_logits"), x, everything))
    broken = np.full((7, 3), np.nan)
    assert math.isnan(on_weak(wlt.SoftDTWLoss("bce_logits"), broken, frames(features=3 + 1)[:, :3]))
