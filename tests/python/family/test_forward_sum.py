"""The forward sum, its prior, and the forward sum with a blank of the published codes."""

from math import comb, lgamma

import numpy as np
import pytest
from oracles import differences, every_model_path
from oracles.every_model_path import Setting, corner
from test_ctc import log_softmax

import warplens as wl


@pytest.mark.parametrize("gamma", [0.3, 1.0])
def test_it_is_the_sum_over_monotonic_paths(gamma):
    log_probs = log_softmax(np.random.default_rng(1).standard_normal((6, 4)))
    prior = wl.beta_binomial_prior(6, 4)
    setting = Setting([(1, 0, 1.0, 0.0), (1, 1, 1.0, 0.0)], corner(6, 4, 0, 0), corner(6, 4, 5, 3))
    truth = every_model_path.total(-log_probs - prior, setting, gamma)
    got = wl.forward_sum(log_probs, prior=prior, gamma=gamma)
    assert got.value == pytest.approx(truth.value, rel=1e-12)
    np.testing.assert_allclose(got.H, truth.H, atol=1e-12)
    np.testing.assert_allclose(got.y_mod, truth.H, atol=1e-12)
    np.testing.assert_allclose(got.x_grad, -truth.H, atol=1e-12)
    np.testing.assert_allclose(got.E.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_less(1 - 1e-12, got.visits)
    # Whatever is added to a frame leaves its occupancies.
    shifted = wl.forward_sum(log_probs + np.arange(6.0)[:, np.newaxis], prior=prior, gamma=gamma)
    np.testing.assert_allclose(shifted.H, got.H, atol=1e-12)


def test_with_a_blank_it_is_torch_of_rows_normalised_again():
    torch = pytest.importorskip("torch")
    N, M = 9, 4
    log_probs = log_softmax(np.random.default_rng(2).standard_normal((N, M)))
    prior = wl.beta_binomial_prior(N, M)
    scores = torch.tensor(log_probs, requires_grad=True)
    with_blank = torch.nn.functional.pad(scores + torch.tensor(prior), (1, 0), value=-1.0)
    loss = torch.nn.functional.ctc_loss(
        torch.log_softmax(with_blank, -1)[:, None],
        torch.arange(1, M + 1)[None],
        torch.tensor([N]),
        torch.tensor([M]),
        reduction="sum",
    )
    loss.backward()
    got = wl.forward_sum(log_probs, prior=prior, blank_logprob=-1.0)
    assert got.value == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(got.x_grad, scores.grad.numpy(), atol=1e-12)
    slopes = differences.gradient(
        lambda z: wl.forward_sum(z, prior=prior, blank_logprob=-1.0).value, log_probs
    )
    np.testing.assert_allclose(got.x_grad, slopes, atol=1e-8)
    assert got.y_mod.shape == (N, 1 + M)
    assert got.H.shape == (N, 2 * M + 1)


@pytest.mark.parametrize("scaling", [1.0, 0.3, 2.0])
@pytest.mark.parametrize("trials", [None, 4, 2, 9])
def test_the_prior_is_the_beta_binomial_distribution(scaling, trials):
    N, M = 7, 5
    k = M if trials is None else trials

    def log_beta(a, b):
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    prior = wl.beta_binomial_prior(N, M, scaling=scaling, trials=trials)
    for n in range(N):
        a, b = scaling * (n + 1), scaling * (N - n)
        for m in range(M):
            if m > k:
                assert prior[n, m] == -np.inf
                continue
            expected = np.log(comb(k, m)) + log_beta(m + a, k - m + b) - log_beta(a, b)
            assert prior[n, m] == pytest.approx(expected, abs=1e-12)


def test_the_proper_prior_sums_to_one_and_the_published_one_to_less():
    assert np.exp(wl.beta_binomial_prior(9, 5, trials=4)).sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (np.exp(wl.beta_binomial_prior(9, 5)).sum(axis=1) < 1).all()


def test_bad_input_names_the_argument_and_the_remedy():
    log_probs = np.zeros((3, 4))
    with pytest.raises(wl.NoPathError, match=r"4 tokens; the shortest possible T is 4$"):
        wl.forward_sum(log_probs)
    with pytest.raises(ValueError, match=r"prior: has shape \(4, 4\)"):
        wl.forward_sum(log_probs.T, prior=np.zeros((4, 4)))
    with pytest.raises(ValueError, match="blank_logprob: is inf"):
        wl.forward_sum(log_probs.T, blank_logprob=np.inf)
    with pytest.raises(ValueError, match="scaling: is 0"):
        wl.beta_binomial_prior(3, 3, scaling=0)
    with pytest.raises(ValueError, match="trials: is -1"):
        wl.beta_binomial_prior(3, 3, trials=-1)
    with pytest.raises(ValueError, match="N: is 0"):
        wl.beta_binomial_prior(0, 3)
