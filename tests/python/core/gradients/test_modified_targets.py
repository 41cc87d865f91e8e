"""Modified targets Y_mod = H~ Y give the update of soft DTW (Zeitler & Mueller, ISMIR 2025, eqs. 14, 17)."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl

F, P = np.array([0.5, 2.0, 1.0, 0.0, 0.3]), np.array([1.0, 3.0, 0.2, 1.0, 0.7])


def variants(cost):
    """Keyword arguments of `align`, and the same for the oracle."""
    yield {}, {}
    yield {"feature_weights": F}, {"f": F}
    if cost != "cosine":
        yield {"feature_reduction": "mean"}, {"mean": True}
        yield {"feature_reduction": "mean", "feature_weights": F}, {"f": F, "mean": True}
    if cost in ("bce", "bce_logits"):
        yield {"pos_weight": P}, {"p": P}
        yield (
            {"pos_weight": P, "feature_weights": F, "feature_reduction": "mean"},
            {"p": P, "f": F, "mean": True},
        )


@pytest.mark.parametrize("cost", costs.COSTS_WITH_TARGETS)
@pytest.mark.parametrize("gamma", [0.0, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 1, 1), (0.7, 0.3, 2.0)])
def test_gradient_equals_elementwise_gradient_against_modified_targets_eq_17(cost, gamma, weights):
    """dSDTW/dx(n) = h(n) dc(x_n, y_mod(n))/dx, h(n) the row sums of H."""
    x, y = costs.sample(cost, 31, 17, 5)
    for settings, oracle in variants(cost):
        alignment = wl.align(x, y, cost=cost, gamma=gamma, step_weights=weights, **settings)
        elementwise = costs.gradient(cost, x, alignment.y_mod, **oracle)
        np.testing.assert_allclose(alignment.x_grad, alignment.h[:, None] * elementwise, rtol=0, atol=1e-10)


@pytest.mark.parametrize("cost", costs.COSTS_WITH_TARGETS)
def test_modified_targets_are_means_of_targets_eq_14(cost):
    x, y = costs.sample(cost, 31, 17, 5)
    alignment = wl.align(x, y, cost=cost)
    targets = costs.direction(y, np.ones(5)) if cost == "cosine" else y
    np.testing.assert_allclose(alignment.H_tilde.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(alignment.y_mod, alignment.H_tilde @ targets, atol=1e-12)
    assert (alignment.y_mod <= targets.max(axis=0) + 1e-12).all()
    assert (alignment.y_mod >= targets.min(axis=0) - 1e-12).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 10.0])
def test_rows_without_weight_stay_means_of_targets(dtype, gamma):
    """Where every step into a frame is free (w_h = 0), h = 0 and H~ falls back to the visits."""
    x, y = costs.sample("mse", 60, 4, 3, dtype=dtype)
    alignment = wl.align(x, y, gamma=gamma, step_weights=(0, 1, 1))
    empty = alignment.h < 1e-20
    assert gamma > 0 or empty.any()
    assert np.isfinite(alignment.y_mod).all()
    np.testing.assert_allclose(alignment.H_tilde.sum(axis=1), 1.0, atol=1e-5)
    # Where h is small beside its rounding, float32 leaves the shares open, but not that they are shares.
    certain = alignment.h > (1e-2 if dtype == np.float32 else 1e-20)
    np.testing.assert_allclose(alignment.y_mod[certain], (alignment.H_tilde @ y)[certain], atol=1e-5)
    assert (alignment.y_mod <= y.max(axis=0) + 1e-5).all()
    assert (alignment.y_mod >= y.min(axis=0) - 1e-5).all()
    visits = alignment.E[empty]
    np.testing.assert_allclose(alignment.y_mod[empty], visits @ y / visits.sum(axis=1)[:, None], atol=1e-5)
    np.testing.assert_array_equal(alignment.x_grad[alignment.h == 0], 0)


def test_without_weights_each_frame_takes_the_mean_over_all_paths():
    """With all weights 0 nothing is charged: no gradient, and each frame sees the mean over all paths."""
    x, y = costs.sample("mse", 6, 4, 3)
    alignment = wl.align(x, y, step_weights=(0, 0, 0))
    np.testing.assert_array_equal(alignment.H, 0)
    np.testing.assert_array_equal(alignment.x_grad, 0)
    uniform = wl.align_costs(np.zeros((6, 4)), gamma=1.0)
    np.testing.assert_allclose(
        alignment.H_tilde, uniform.E / uniform.E.sum(axis=1, keepdims=True), atol=1e-12
    )
    np.testing.assert_allclose(alignment.y_mod, alignment.H_tilde @ y, atol=1e-12)


@pytest.mark.parametrize("cost", ["bce", "ce", "poisson"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_at_the_edge_of_the_domain_have_finite_gradients(cost, dtype):
    """Logs are clamped at -100 and 1/x at 1e12, so a certain prediction has a finite loss and update."""
    x, y = costs.sample(cost, 20, 8, 4)
    x[::3] = 0.0
    y = np.round(y)
    if cost == "bce":
        x[1::3] = 1.0
    alignment = wl.align(x, y, cost=cost, dtype=dtype)
    assert np.isfinite(alignment.value)
    assert np.isfinite(alignment.x_grad).all()
    if dtype == np.float64:
        truth = wl.align_costs(costs.matrix(cost, x, y), gamma=1.0)
        assert alignment.value == pytest.approx(truth.value, rel=1e-10)
        elementwise = alignment.h[:, None] * costs.gradient(cost, x, alignment.y_mod)
        np.testing.assert_allclose(alignment.x_grad, elementwise, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zero_frames_under_cosine_have_no_gradient(dtype):
    """A zero vector has no direction: cost 1 against everything, gradient 0, and attracts no target."""
    x, y = costs.sample("cosine", 12, 7, 3, dtype=dtype)
    x[4], y[2] = 0, 0
    alignment = wl.align(x, y, cost="cosine")
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    truth = wl.align_costs(costs.matrix("cosine", x, y), gamma=1.0)
    assert alignment.value == pytest.approx(truth.value, rel=tolerance, abs=tolerance)
    np.testing.assert_array_equal(alignment.x_grad[4], 0)
    np.testing.assert_array_equal(alignment.y_grad[2], 0)
    np.testing.assert_allclose(
        alignment.y_mod, truth.H_tilde @ costs.direction(y.astype(float), np.ones(3)), atol=tolerance
    )


@pytest.mark.parametrize("cost", ["euclidean", "l1", lambda x, y: np.abs(x[:, None] - y[None]).sum(axis=2)])
def test_costs_that_are_not_affine_have_no_modified_targets(cost):
    x, y = costs.sample("mse", 6, 4, 3)
    alignment = wl.align(x, y, cost=cost)
    assert alignment.H.shape == (6, 4)
    np.testing.assert_allclose(alignment.h, alignment.H.sum(axis=1), atol=1e-12)
    with pytest.raises(ValueError, match=r"y_mod: cost .* is not affine in the target.*\"mse\""):
        _ = alignment.y_mod


@pytest.mark.parametrize(("gamma", "peaks"), [(1.0, (0.519, 0.408, 0.977)), (0.1, (0.987, 0.986, 1.000))])
def test_figure_2_short_events_fade(gamma, peaks):
    """Rows 0,a,0,b,0,c repeated 3,2,3,1,3,5: the one-frame event b fades, the five-frame event c stays."""
    weak = np.zeros((6, 12))
    events = {1: slice(0, 4), 3: slice(4, 8), 5: slice(8, 12)}
    for row, (m, _) in enumerate(events.items()):
        weak[m, 4 * row] = 1
    strong = wl.expand(weak, [3, 2, 3, 1, 3, 5])
    assert strong.shape == (17, 12)
    y_mod = wl.align(strong, weak, gamma=gamma).y_mod
    np.testing.assert_allclose([y_mod[:, features].max() for features in events.values()], peaks, atol=1e-3)
