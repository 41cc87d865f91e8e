"""Multi-label CTC against the sum over every path and differences."""

import numpy as np
import pytest
from oracles import differences, every_model_path
from test_ctc import ctc_setting, log_softmax

import warplens as wl

Y = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 0]])
SHAPES = {"we": (4, 2), "ne3": (3, 3), "ne2": (3, 2)}


def logits(encoding, T=6):
    return np.random.default_rng(2).standard_normal((T, *SHAPES[encoding]))


def cell_cost(row, m, encoding):
    """The cost of one frame (A,K) at column m of blank, y_1, blank, ..., term by term."""
    blank, target = m % 2 == 0, Y[m // 2] if m % 2 else None
    if encoding == "we":
        if blank:
            return -row[0, 1]
        return -row[0, 0] - sum(row[1 + d, target[d]] for d in range(3))
    silent = 0 if blank else None
    offset = 1 if encoding == "ne3" else 0
    return -sum(row[d, silent if blank else offset + target[d]] for d in range(3))


def cost_matrix(log_probs, encoding):
    return np.array([[cell_cost(row, m, encoding) for m in range(7)] for row in log_probs])


@pytest.mark.parametrize("encoding", SHAPES)
def test_results_are_the_sum_over_every_path(encoding):
    log_probs = log_softmax(logits(encoding))
    C = cost_matrix(log_probs, encoding)
    truth = every_model_path.total(C, ctc_setting([0, 0, 1], 6), 1.0)
    got = wl.multi_label_ctc(log_probs, Y, encoding=encoding)
    assert got.value == pytest.approx(truth.value, rel=1e-12)
    np.testing.assert_allclose(got.H, truth.H, atol=1e-12)
    np.testing.assert_allclose(got.E, truth.E, atol=1e-12)
    np.testing.assert_allclose(C, -np.einsum("nak,mak->nm", log_probs, got.expanded), atol=1e-12)


@pytest.mark.parametrize("encoding", SHAPES)
@pytest.mark.parametrize("settings", [{}, {"blank_penalty": 0.7, "gamma": 0.4}, {"blank_weight": 2.0}])
def test_each_category_has_a_frame_weight_of_its_own(encoding, settings):
    z = logits(encoding)

    def value(z):
        return wl.multi_label_ctc(log_softmax(z), Y, encoding=encoding, **settings)

    got = value(z)
    slopes = differences.gradient(lambda z: value(z).value, z)
    h = got.h[..., np.newaxis]
    np.testing.assert_allclose(slopes, h * (np.exp(log_softmax(z)) - got.y_mod), atol=1e-8)
    np.testing.assert_allclose(got.x_grad, -h * got.y_mod, atol=1e-13)
    np.testing.assert_allclose(got.y_mod.sum(axis=-1), 1, atol=1e-12)
    if not settings:
        p_blank = got.E[:, ::2].sum(axis=1, keepdims=True)
        expected = np.ones_like(got.h)
        if encoding == "we":
            expected[:, 1:] = 1 - p_blank
        np.testing.assert_allclose(got.h, expected, atol=1e-12)


def test_one_pitch_without_its_category_is_ctc():
    # Under "ne2" with distinct characters: log-probabilities of two classes, off being the blank.
    z = np.random.default_rng(3).standard_normal((7, 1, 2))
    log_probs = log_softmax(z)
    got = wl.multi_label_ctc(log_probs, [[1], [1]], encoding="ne2")
    same = wl.ctc(log_probs[:, 0], [1, 1])
    assert got.value == pytest.approx(same.value, rel=1e-12)
    np.testing.assert_allclose(got.y_mod[:, 0], same.y_mod, atol=1e-12)


def test_a_probability_of_zero_forbids_the_targets_that_count_it():
    log_probs = log_softmax(logits("we"))
    log_probs[0, 1] = [0.0, -np.inf]
    got = wl.multi_label_ctc(log_probs, Y)
    assert got.H[0, 1] == 0
    assert np.isfinite(got.value)
    assert np.isfinite(got.y_mod).all()


def test_bad_input_names_the_argument_and_the_remedy():
    log_probs = log_softmax(logits("we"))
    with pytest.raises(ValueError, match="encoding: is 'one'"):
        wl.multi_label_ctc(log_probs, Y, encoding="one")
    with pytest.raises(ValueError, match=r'under "we" \(N, 4, 2\) is accepted'):
        wl.multi_label_ctc(log_probs[:, 1:], Y)
    with pytest.raises(ValueError, match=r"y: is 2 at index \(0, 0\); 0 and 1"):
        wl.multi_label_ctc(log_probs, 2 * Y)
    with pytest.raises(ValueError, match=r"y: has shape \(3,\)"):
        wl.multi_label_ctc(log_probs, Y[0])
    with pytest.raises(ValueError, match='target 1 is all off, which under "ne2" equals the blank'):
        wl.multi_label_ctc(log_softmax(logits("ne2")), [[1, 0, 0], [0, 0, 0]], encoding="ne2")
    with pytest.raises(wl.NoPathError, match="shortest possible T is 4"):
        wl.multi_label_ctc(log_probs[:3], Y)
    with pytest.warns(UserWarning, match="row .* sums to"):
        wl.multi_label_ctc(log_probs - 1, Y)
