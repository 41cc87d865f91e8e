"""One call for many gammas, against an alignment at a time."""

import numpy as np
import pytest

import warplens as wl
from warplens.analysis import find_events, measure_alignment
from warplens.analysis.measured_alignments import align_and_measure

GAMMAS = [0.0, 0.05, 1.0, 20.0]


def pair(dtype, cost, frames=83, targets=19, features=6):
    rng = np.random.default_rng(frames)
    weak = (rng.random((targets, features)) < 0.3).astype(dtype)
    spread = rng.multinomial(frames - targets, np.full(targets, 1 / targets)) + 1
    x = 0.1 + 0.8 * np.repeat(weak, spread, axis=0) * rng.random((frames, features))
    return (x / x.sum(axis=1, keepdims=True) if cost == "ce" else x).astype(dtype), weak


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", ["bce", "mse", "ce"])
@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1), (0, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_all_gammas_at_once_are_each_by_itself(dtype, cost, weights):
    x, y = pair(dtype, cost)
    events = find_events(y)
    found = align_and_measure(
        x,
        y,
        events,
        cost=cost,
        gammas=GAMMAS,
        step_weights=weights,
        threshold=0.4,
        outputs=["h", "y_mod", "H"],
    )
    close = {"rtol": 2e-4, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-11}
    assert {array.dtype for array in (found.h, found.y_mod, found.H)} == {np.dtype(dtype)}
    for g, gamma in enumerate(GAMMAS):
        alone = wl.align(x, y, cost=cost, gamma=gamma, step_weights=weights)
        assert found.value[g] == pytest.approx(alone.value, rel=1e-6)
        assert found.entropy[g] == pytest.approx(alone.entropy, rel=1e-3, abs=1e-4)
        for name in ("h", "y_mod", "H"):
            np.testing.assert_allclose(getattr(found, name)[g], getattr(alone, name), **close)
        marginals, levels = measure_alignment(alone.H_tilde, y, events, threshold=0.4)
        for name, values in vars(marginals).items():
            np.testing.assert_allclose(getattr(found.marginals, name)[g], values, rtol=1e-3, atol=1e-3)
        for name in ("peak", "duration", "mean_level"):
            np.testing.assert_allclose(
                getattr(found.levels, name)[g], getattr(levels, name), rtol=2e-4, atol=2e-4
            )


def test_what_is_not_asked_for_is_not_kept_and_changes_nothing():
    x, y = pair(np.float32, "bce")
    events = find_events(y)
    settings = {"cost": "bce", "gammas": [1.0], "step_weights": (1, 1, 1), "threshold": 0.5}
    bare = align_and_measure(x, y, events, outputs=[], **settings)
    full = align_and_measure(x, y, events, outputs=["h", "y_mod", "H"], **settings)
    assert (bare.h, bare.y_mod, bare.H) == (None, None, None)
    np.testing.assert_array_equal(bare.levels.records, full.levels.records)
    np.testing.assert_array_equal(bare.marginals.masses, full.marginals.masses)


def test_off_the_path_there_is_nothing_and_it_is_not_missed():
    """Where H is 0 is left out; the same numbers come from a matrix in which nothing is."""
    rng = np.random.default_rng(5)
    H = np.exp(-((np.arange(90)[:, None] / 3.0719 - np.arange(30)) ** 2))
    H[H < 1e-3] = 0
    weak = (rng.random((30, 5)) < 0.4).astype(float)
    events = find_events(weak)
    assert (H == 0).mean() > 0.7
    _, sparse = measure_alignment(H, weak, events, threshold=0.3)
    _, dense = measure_alignment(np.where(H == 0, 1e-200, H), weak, events, threshold=0.3)
    for name in set(sparse.records.dtype.names) - {"peak_frame"}:  # of a plateau, which rounding chooses
        np.testing.assert_allclose(getattr(sparse, name), getattr(dense, name), rtol=1e-12, atol=1e-12)


def test_what_cannot_be_measured_is_an_error():
    x, y = pair(np.float64, "mse")
    settings = {"gammas": [1.0], "step_weights": (1, 1, 1), "threshold": 0.5, "outputs": []}
    with pytest.raises(ValueError, match="y_mod: cost l1 is not affine in the target"):
        align_and_measure(x, y, find_events(y), cost="l1", **settings)
    with pytest.raises(ValueError, match="their costs 'mse' overflow float64"):
        align_and_measure(x * 1e300, y, find_events(y), cost="mse", **settings)
    with pytest.raises(ValueError, match="gamma: is -1"):
        align_and_measure(x, y, find_events(y), cost="mse", **{**settings, "gammas": [1.0, -1.0]})
    beyond = find_events(np.ones((30, 1)))
    with pytest.raises(ValueError, match=r"event 0 is \[0, 30\)"):
        align_and_measure(x, y, beyond, cost="mse", **settings)
