"""Presets of `align`: amerced steps, subsequences and other steps between sequences, and what is refused."""

import numpy as np
import pytest
from oracles import differences, every_model_path
from oracles.costs import sample
from oracles.every_model_path import Setting

import warplens as wl

SIZES = ((1, 0), (0, 1), (1, 1))


def open_setting(N, M, begin, end, penalties, weights=(1, 1, 1)):
    """Cell by cell: paths begin and end on the border and pay for each frame left out."""
    entry, exit = np.full((N, M), np.inf), np.full((N, M), np.inf)
    entry[0, 0] = exit[N - 1, M - 1] = 0
    for n in range(N):
        if begin in ("x", "both"):
            entry[n, 0] = n * penalties[0]
        if end in ("x", "both"):
            exit[n, M - 1] = (N - 1 - n) * penalties[1]
    for m in range(M):
        if begin in ("y", "both"):
            entry[0, m] = m * penalties[0]
        if end in ("y", "both"):
            exit[N - 1, m] = (M - 1 - m) * penalties[1]
    steps = [(*size, w, 0.0) for size, w in zip(SIZES, weights, strict=True)]
    return Setting(steps, entry, exit, weights[2])


@pytest.mark.parametrize("begin", [None, "x", "y", "both"])
@pytest.mark.parametrize("end", [None, "x", "y", "both"])
def test_open_ends_are_the_sum_over_every_path(begin, end):
    if begin is None and end is None:
        return
    x, y = sample("mse", 4, 3, 2)
    weights, penalties = (0.5, 1.0, 1.5), (0.2, 0.3)
    got = wl.align(
        x,
        y,
        gamma=0.6,
        step_weights=weights,
        open_begin=begin,
        open_end=end,
        skip_penalty=penalties,
    )
    setting = open_setting(4, 3, begin, end, penalties, weights)
    truth = every_model_path.total(wl.cost_matrix(x, y), setting, 0.6)
    assert got.value == pytest.approx(truth.value, rel=1e-12)
    np.testing.assert_allclose(got.H, truth.H, atol=1e-12)
    np.testing.assert_allclose(got.begin, truth.begin, atol=1e-12)
    np.testing.assert_allclose(got.end, truth.end, atol=1e-12)


def test_a_subsequence_at_gamma_zero_is_the_least_of_all_excerpts():
    generator = np.random.default_rng(4)
    x, y = generator.random((5, 2)), generator.random((8, 2))
    got = wl.align(x, y, gamma=0.0, open_begin="y", open_end="y")
    excerpts = [wl.hard_dtw(x, y[a:b]).value for a in range(8) for b in range(a + 1, 9)]
    assert got.value == pytest.approx(min(excerpts), rel=1e-12)
    soft = wl.align(x, y, gamma=0.3, open_begin="y", open_end="y")
    values = np.array([wl.soft_dtw(x, y[a:b], gamma=0.3) for a in range(8) for b in range(a + 1, 9)])
    assert soft.value == pytest.approx(-0.3 * np.log(np.exp(-values / 0.3).sum()), rel=1e-12)


@pytest.mark.parametrize("cost", ["mse", "bce", "cosine", "ce_logits", "l1"])
def test_gradients_of_sequences_are_differences(cost):
    x, y = sample(cost, 6, 5, 3)
    settings = {
        "cost": cost,
        "gamma": 0.5,
        "open_end": "x",
        "skip_penalty": 0.1,
        "step_penalties": (0, 0.2, 0),
    }
    got = wl.align(x, y, **settings)
    slopes = differences.gradient(lambda x: wl.align(x, y, **settings).value, x, step=1e-6)
    np.testing.assert_allclose(got.x_grad, slopes, rtol=1e-5, atol=1e-6)
    slopes = differences.gradient(lambda y: wl.align(x, y, **settings).value, y, step=1e-6)
    np.testing.assert_allclose(got.y_grad, slopes, rtol=1e-5, atol=1e-6)
    if cost == "bce":
        np.testing.assert_allclose(got.y_mod, got.H_tilde @ y, atol=1e-12)


def test_frames_left_out_are_taught_nothing():
    x, y = np.zeros((4, 1)), np.zeros((2, 1))
    x[0], x[3] = 1e4, 1e4
    got = wl.align(x, y, gamma=0.5, open_begin="x", open_end="x")
    np.testing.assert_array_equal(got.h[[0, 3]], 0)
    np.testing.assert_array_equal(got.y_mod[[0, 3]], 0)
    np.testing.assert_array_equal(got.H_tilde[[0, 3]], 0)
    assert np.isfinite(got.y_mod).all()


def test_amerced_steps_pay_for_each_warp():
    x, y = sample("mse", 7, 5, 2)

    def value(omega):
        return wl.align(x, y, gamma=0.4, step_penalties=(omega, omega, 0.0))

    got = value(0.3)
    warps = got.step_posteriors[:2].sum()
    assert got.step_penalties_grad[:2].sum() == pytest.approx(warps, rel=1e-12)
    slope = differences.gradient(lambda omega: value(float(omega)).value, 0.3)
    assert float(slope) == pytest.approx(warps, rel=1e-7)
    np.testing.assert_array_less(1 - 1e-12, got.E.sum(axis=1))
    np.testing.assert_array_less(1 - 1e-12, got.E.sum(axis=0))
    # Equal lengths and a penalty of inf: the sum along the diagonal.
    z = np.random.default_rng(5).random((5, 2))
    only_diagonal = wl.align(z, y, step_penalties=(np.inf, np.inf, 0.0))
    assert only_diagonal.value == pytest.approx(np.diagonal(wl.cost_matrix(z, y)).sum(), rel=1e-12)


def test_a_step_pattern_leaves_frames_out():
    x, y = sample("mse", 7, 6, 2)
    steps = [wl.Step(1, 1), wl.Step(2, 1), wl.Step(1, 2)]
    got = wl.align(x, y, steps=steps)
    assert (got.E.sum(axis=1) <= 1 + 1e-12).all()
    assert (got.E.sum(axis=0) <= 1 + 1e-12).all()
    np.testing.assert_allclose(got.y_mod, got.H_tilde @ y, atol=1e-12)
    assert repr(got) == f"<Alignment N=7 M=6 cost=mse gamma=1 steps=3 value={got.value:.6g}>"
    assert got.steps[1] == wl.Step(2, 1, 1.0, 0.0)
    with pytest.raises(wl.NoPathError, match="steps, penalties, entries, exits or"):
        wl.align(x, y[:2], steps=steps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_and_read_only_results(dtype):
    x, y = sample("mse", 7, 6, 2, dtype=dtype)
    got = wl.align(x, y, open_begin="y")
    for name in ("H", "h", "E", "H_tilde", "y_mod", "x_grad", "y_grad", "begin", "end", "step_posteriors"):
        array = getattr(got, name)
        assert array.dtype == dtype
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert got.visits.dtype == np.float64


def test_a_callable_cost_has_no_modified_targets():
    x, y = sample("mse", 5, 4, 2)
    got = wl.align(x, y, cost=lambda x, y: wl.cost_matrix(x, y), open_end="y")
    assert got.value == pytest.approx(wl.align(x, y, open_end="y").value, rel=1e-12)
    with pytest.raises(ValueError, match="y_mod: cost a callable"):
        _ = got.y_mod


def test_the_hard_minimum_is_gamma_of_zero():
    x, y = sample("mse", 6, 5, 2)
    assert wl.align(x, y, minimum="hardmin").value == wl.hard_dtw(x, y).value
    assert wl.align(x, y, minimum="hardmin", open_end="y").gamma == 0


C = np.ones((3, 4))
STEP = wl.Step(1, 1)
REFUSED = [
    ({"steps": [STEP], "step_weights": (1, 2, 3)}, "steps: .*so step_weights is not accepted"),
    ({"steps": [STEP], "step_penalties": (1, 2, 3)}, "steps: .*so step_penalties is not accepted"),
    ({"steps": []}, "steps: has 0 entries"),
    ({"steps": [STEP, wl.Step(0, 0)]}, r"steps\[1\]: has sizes \(0, 0\)"),
    ({"steps": [wl.Step(5, 1)]}, r"steps\[0\]: has sizes \(5, 1\); sizes from 0 to 4"),
    ({"steps": [wl.Step(-1, 1)]}, r"steps\[0\].n: is -1"),
    ({"steps": [wl.Step(1, 1, -0.5)]}, r"steps\[0\].weight: is -0.5; .*forbid by a penalty of inf"),
    ({"steps": [wl.Step(1, 1, np.inf)]}, r"steps\[0\].weight: is inf; .*forbid by a penalty of inf"),
    ({"steps": [wl.Step(1, 1, np.nan)]}, r"steps\[0\].weight: is nan"),
    ({"steps": [wl.Step(1, 1, 1.0, -np.inf)]}, r"steps\[0\].penalty: is -inf; penalties are numbers above"),
    ({"steps": [wl.Step(1, 1, 1.0, np.zeros(3))]}, r"steps\[0\].penalty: has shape \(3,\); .*one dimension"),
    ({"steps": [wl.Step(1, 1, np.ones((3, 3)))]}, r"weight: has shape \(3, 3\); .*here \(N,M\) = \(3, 4\)"),
    ({"steps": [wl.Step(1, 1, np.full((3, 1), -1.0))]}, r"weight: is -1.0 at index \(0, 0\)"),
    ({"step_penalties": (0, 0)}, "step_penalties: has 2 entries; three are accepted"),
    ({"step_penalties": (0, np.nan, 0)}, r"steps\[1\].penalty: is nan"),
    ({"entry": np.zeros(4)}, r"entry: has shape \(4,\)"),
    ({"exit": np.full((3, 4), np.nan)}, r"exit: is nan at index \(0, 0\)"),
    ({"entry_weight": -1.0}, "entry_weight: is -1.0"),
    ({"exit_weight": np.inf}, "exit_weight: is inf"),
    ({"minimum": "smoothmin"}, "minimum: smoothmin, .*gradients below 0: H and h would be negative"),
    ({"minimum": "max"}, 'minimum: is \'max\'; "softmin" and "hardmin" are accepted'),
    ({"steps": [STEP], "band": wl.SakoeChiba(1)}, "band: belongs to plain soft DTW"),
    ({"steps": [STEP], "gamma": -1}, "gamma: is -1"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_that_have_no_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        wl.align_costs(C, **settings)


def test_open_ends_that_have_no_meaning_are_refused():
    x, y = np.ones((3, 1)), np.ones((4, 1))
    for settings, message in (
        ({"open_begin": "z"}, "open_begin: is 'z'"),
        ({"open_end": True}, "open_end: is True"),
        ({"skip_penalty": 1.0}, "skip_penalty: belongs to open_begin and open_end"),
        ({"open_end": "x", "skip_penalty": np.inf}, "skip_penalty: is inf; finite"),
        ({"open_end": "x", "skip_penalty": (1, 2, 3)}, r"skip_penalty: is \(1, 2, 3\); a number or"),
    ):
        with pytest.raises(ValueError, match=message):
            wl.align(x, y, **settings)
    with pytest.raises(TypeError, match="skip_penalty: is None"):
        wl.align(x, y, open_end="x", skip_penalty=None)
    with pytest.raises(TypeError, match="steps: is 3"):
        wl.align(x, y, steps=3)


def test_forbidden_everywhere_is_no_path():
    with pytest.raises(wl.NoPathError, match="3 x 4 cost matrix"):
        wl.align_costs(C, entry=np.inf)
    with pytest.raises(wl.NoPathError, match="no path"):
        wl.align_costs(C, step_penalties=(np.inf, np.inf, np.inf))
