"""The frame-synchronous kernel without a blank, the forward-sum, against all ways to place borders."""

import itertools

import numpy as np
import pytest

from warplens import _core


def forward_sum(log_probs, targets, **kwargs):
    """Call the kernel for one item of log-probabilities (N,M), of which the first columns are its targets."""
    settings = {
        "gamma": 1.0,
        "blank_penalty": 0.0,
        "blank_weight": 1.0,
        "free_between": False,
        "class_costs": None,
        "from_logits": False,
    }
    arguments = {
        "batch_first": True,
        "frames": np.array([len(log_probs)]),
        "labels": None,
        "label_lengths": np.array([targets]),
        "blank": None,
        "settings": {name: kwargs.pop(name, default) for name, default in settings.items()},
        "outputs": ["E", "h", "durations", "entropy"],
        "grad": None,
        "scale": None,
        "threads": 1,
    }
    results = _core.frame_synchronous_padded(log_probs[None], **(arguments | kwargs))
    return {name: result[0] for name, result in results.items()}


@pytest.mark.parametrize(("N", "M"), [(1, 1), (4, 1), (4, 4), (7, 3), (9, 5), (3, 4)])
@pytest.mark.parametrize("gamma", [0.4, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_results_are_sums_over_borders(N, M, gamma, dtype):
    scores = np.random.default_rng(N + 10 * M).normal(-1, 1, (N, M + 2)).astype(dtype)
    paths = [
        np.searchsorted(borders, np.arange(N), side="right")
        for borders in itertools.combinations(range(1, N), M - 1)
    ]
    grad = np.full((1, *scores.shape), np.nan, dtype)
    results = forward_sum(scores, M, gamma=gamma, grad=grad)
    E = np.zeros((N, M))
    if not paths:
        assert results["value"] == np.inf
        assert (results["E"] == 0).all()
        assert (grad == 0).all()
        return
    costs = np.array([-scores[np.arange(N), path].astype(float).sum() for path in paths])
    mass = np.exp((costs.min() - costs) / gamma)
    for p, path in zip(mass / mass.sum(), paths, strict=True):
        E[np.arange(N), path] += p
    p = mass / mass.sum()
    atol = 1e-12 if dtype == np.float64 else 2e-6
    np.testing.assert_allclose(
        results["value"],
        costs.min() - gamma * np.log(mass.sum()),
        rtol=1e-6 if dtype == np.float32 else 1e-12,
    )
    np.testing.assert_allclose(results["E"], E, atol=atol)
    np.testing.assert_allclose(grad[0, :, :M], -E, atol=atol)
    assert (grad[0, :, M:] == 0).all()
    np.testing.assert_allclose(results["h"], np.ones(N), atol=atol)
    np.testing.assert_allclose(results["durations"], E.sum(0), atol=10 * atol)
    np.testing.assert_allclose(results["entropy"], -(p * np.log(p)).sum(), atol=50 * atol)


def test_bad_arguments_are_named():
    scores = np.zeros((5, 3))
    for kwargs, message in [
        ({"label_lengths": np.array([4])}, "target_lengths: entry 0 is 4; a length is from 0 to 3"),
        ({"label_lengths": np.array([0])}, "target_lengths: entry 0 is 0; at least one"),
        ({"frames": np.array([6])}, "input_lengths: entry 0 is 6"),
        ({"gamma": 0.0}, "gamma: is 0; a finite number above 0"),
        ({"blank": 3}, "blank: is 3; classes are from 0 to 2"),
        ({"blank": 0}, "targets: are missing"),
        (
            {"blank": 0, "labels": np.array([1, 0]), "label_lengths": np.array([2])},
            "label 1 of item 0 is 0, the blank",
        ),
        (
            {"blank": 0, "labels": np.array([1, 3]), "label_lengths": np.array([2])},
            "label 1 of item 0 is 3; classes",
        ),
        ({"blank": 0, "labels": np.array([1]), "label_lengths": np.array([2])}, "targets: holds 1 labels"),
        ({"scale": np.ones(2)}, "scale: has 2 entries for 1 items"),
        ({"grad": np.zeros((1, 5, 2))}, "grad: must be C-contiguous"),
        ({"outputs": ["D"]}, "unknown output"),
        ({"class_costs": np.zeros(2)}, "log_priors: has 2 entries"),
        ({"class_costs": np.array([0.0, np.nan, 0.0])}, "log_priors: entry 1"),
        ({"blank_weight": -1.0}, "blank_weight: is -1"),
        ({"blank_penalty": np.nan}, "blank_penalty: is NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            forward_sum(scores, 2, **kwargs)
    with pytest.raises(TypeError, match="log_probs"):
        forward_sum(scores.astype(int), 2)
