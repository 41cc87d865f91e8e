"""Logits of -inf under "ce_logits": a masked class, as if it were not there."""

import numpy as np
import pytest

import warplens as wl


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_masked_class(dtype):
    x, y = np.array([[1, -np.inf, 0]], dtype), np.array([[1, 0, 0]], dtype)
    aligned = wl.align(x, y, cost="ce_logits", gamma=1.0)
    share = 1 / (1 + np.e)
    assert aligned.value == pytest.approx(-np.log(1 - share), rel=1e-6)
    np.testing.assert_allclose(aligned.x_grad, [[-share, 0, share]], atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_masked_classes_are_as_if_they_were_left_out(dtype, gamma):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(7, 4)).astype(dtype), np.eye(4, dtype=dtype)[[0, 1, 3]]
    x[:, 2] = -np.inf
    kept = [0, 1, 3]
    masked = wl.align(x, y, cost="ce_logits", gamma=gamma)
    plain = wl.align(x[:, kept], y[:, kept], cost="ce_logits", gamma=gamma)
    assert masked.value == pytest.approx(plain.value, rel=1e-6)
    np.testing.assert_allclose(masked.H, plain.H, atol=1e-6)
    np.testing.assert_allclose(masked.x_grad[:, kept], plain.x_grad, atol=1e-6)
    assert not masked.x_grad[:, 2].any()
    assert wl.soft_dtw(x, y, cost="ce_logits", gamma=gamma) == pytest.approx(plain.value, rel=1e-6)


def test_a_target_that_asks_for_a_masked_class_forbids_its_cell():
    x = np.array([[1, -np.inf, 0], [0.3, 0.2, -np.inf], [0, 1, 0.0]])
    y = np.array([[1, 0, 0], [0.0, 1, 0]])
    C = wl.cost_matrix(x, y, cost="ce_logits")
    assert np.isposinf(C).tolist() == [[False, True], [False, False], [False, False]]
    aligned = wl.align(x, y, cost="ce_logits", gamma=1.0)
    assert aligned.H[0, 1] == 0
    assert aligned.value == pytest.approx(wl.align_costs(C, gamma=1.0).value, rel=1e-12)
    with pytest.raises(ValueError, match="ask for classes whose logits are -inf"):
        wl.align(x[:1], y[1:], cost="ce_logits", gamma=1.0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([np.nan, 0.0], r"^x: is nan at index \(0, 0\); finite numbers are accepted, and -inf"),
        ([np.inf, 0.0], r"^x: is inf at index \(0, 0\)"),
        ([-np.inf, -np.inf], "^x: every class of frame 0 is -inf"),
    ],
)
def test_what_is_no_logit_is_refused(row, message):
    with pytest.raises(ValueError, match=message):
        wl.align([row], [[1.0, 0.0]], cost="ce_logits")
