"""Drop-DTW against the sum over every way to keep and drop frames."""

import itertools

import numpy as np
import pytest
from oracles import differences

import warplens as wl


def alignments(N, M, contiguous, many_to_one):
    """Every alignment: for each frame the targets that it is matched to, none where it is dropped."""
    runs = [()] + [
        tuple(range(a, b)) for a in range(M) for b in range(a + 1, M + 1 if many_to_one else a + 2)
    ]
    for choice in itertools.product(runs, repeat=N):
        kept = [(n, targets) for n, targets in enumerate(choice) if targets]
        order = [m for _, targets in kept for m in targets]
        if sorted(set(order)) != list(range(M)) or order != sorted(order):
            continue
        gaps = (
            b[0] - a[0] > 1 and a[1][-1] == b[1][0] for a, b in itertools.pairwise(kept)
        )  # a drop between frames of one target
        if contiguous and any(gaps):
            continue
        yield choice


def truth(C, drops, gamma, contiguous, many_to_one):
    N, M = C.shape
    found = list(alignments(N, M, contiguous, many_to_one))
    costs = np.array(
        [
            sum(sum(C[n, m] for m in targets) if targets else drops[n] for n, targets in enumerate(choice))
            for choice in found
        ]
    )
    shares = np.exp((costs.min() - costs) / gamma)
    value = costs.min() - gamma * np.log(shares.sum())
    H = np.zeros((N, M))
    for share, choice in zip(shares / shares.sum(), found, strict=True):
        for n, targets in enumerate(choice):
            H[n, list(targets)] += share
    return value, H, costs.min(), found[int(costs.argmin())]


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("many_to_one", [False, True])
@pytest.mark.parametrize(("N", "M"), [(5, 3), (4, 1), (3, 3)])
def test_results_are_the_sum_over_every_alignment(contiguous, many_to_one, N, M):
    generator = np.random.default_rng([N, M])
    x, y, drops = generator.random((N, 2)), generator.random((M, 2)), 0.1 + generator.random(N)
    settings = {"contiguous": contiguous, "many_to_one": many_to_one}
    value, H, least, best = truth(wl.cost_matrix(x, y), drops, 0.3, contiguous, many_to_one)
    got = wl.drop_dtw(x, y, drops, gamma=0.3, **settings)
    assert got.value == pytest.approx(value, rel=1e-11, abs=1e-12)
    np.testing.assert_allclose(got.H, H, atol=1e-11)
    np.testing.assert_allclose(got.E, H, atol=1e-11)
    np.testing.assert_allclose(got.h, H.sum(axis=1), atol=1e-11)
    np.testing.assert_allclose(got.visits, H.sum(axis=0), atol=1e-11)
    if not many_to_one:
        assert (got.h <= 1 + 1e-12).all()
    hard = wl.drop_dtw(x, y, drops, gamma=0.0, **settings)
    assert hard.value == pytest.approx(least, rel=1e-12, abs=1e-12)
    matches = [(n, m) for n, targets in enumerate(best) for m in targets]
    np.testing.assert_array_equal(got.path().indices if not many_to_one else hard.path().indices, matches)


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("cost", ["mse", "cosine", "l1"])
def test_gradients_of_sequences_are_differences(contiguous, cost):
    generator = np.random.default_rng(3)
    x, y = generator.random((6, 3)), generator.random((3, 3))

    def value(x, y):
        return wl.drop_dtw(x, y, 0.2, gamma=0.4, cost=cost, contiguous=contiguous)

    got = value(x, y)
    slopes = differences.gradient(lambda x: value(x, y).value, x, step=1e-6)
    np.testing.assert_allclose(got.x_grad, slopes, atol=1e-7)
    slopes = differences.gradient(lambda y: value(x, y).value, y, step=1e-6)
    np.testing.assert_allclose(got.y_grad, slopes, atol=1e-7)
    if cost == "mse":
        np.testing.assert_allclose(got.y_mod, got.H_tilde @ y, atol=1e-12)


def test_an_outlier_is_hardly_taught():
    x, y = np.array([[0.0], [50.0], [1.0]]), np.array([[0.0], [1.0]])
    got = wl.drop_dtw(x, y, 4.0, gamma=1.0)
    assert got.h[1] < 0.05
    np.testing.assert_allclose(got.y_mod[1], got.H_tilde[1] @ y, atol=1e-12)


def test_a_cost_of_inf_forbids_the_match_alone():
    forbidden = np.array([[0.0, 1.0], [np.inf, np.inf], [1.0, 0.0]])
    for contiguous in (True, False):
        got = wl.drop_dtw(
            np.zeros((3, 1)), np.zeros((2, 1)), 0.5, cost=lambda x, y: forbidden, contiguous=contiguous
        )
        np.testing.assert_array_equal(got.H[1], 0)
        assert np.isfinite(got.value)


def test_bad_input_names_the_argument_and_the_remedy():
    x, y = np.ones((3, 1)), np.ones((2, 1))
    with pytest.raises(wl.NoPathError, match="N = 1 frames are fewer than M = 2 targets"):
        wl.drop_dtw(x[:1], y, 1.0)
    with pytest.raises(ValueError, match=r"drop: has shape \(2,\)"):
        wl.drop_dtw(x, y, [1.0, 2.0])
    with pytest.raises(ValueError, match="drop: is nan at frame 0"):
        wl.drop_dtw(x, y, np.nan)
    with pytest.raises(ValueError, match=r"drop: is 0\.0 at frame 1; many to one at gamma > 0"):
        wl.drop_dtw(x, y, [1.0, 0.0, 1.0], contiguous=False, many_to_one=True)
    for name in ("step_posteriors", "begin", "end"):
        with pytest.raises(ValueError, match=f"{name}: belongs to the graph inside"):
            getattr(wl.drop_dtw(x, y, 1.0), name)
