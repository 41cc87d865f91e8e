"""Value, gradients and the whole lens of CTC against every path, on both backends."""

import numpy as np
import pytest
import torch
from oracles.ctc import Costs, by_every_path, by_recursion

import warplens.torch as wlt

CASES = 60


def random_case(seed):
    """Log-probabilities whose rows need not sum to 1, labels, and settings of every kind."""
    rng = np.random.default_rng(seed)
    T, K = int(rng.integers(1, 6)), int(rng.integers(2, 5))
    blank = int(rng.integers(0, K))
    labels = rng.choice([k for k in range(K) if k != blank], int(rng.integers(0, 4)))
    scores = rng.normal(-1, 1.5, (T, K))
    if seed % 4 == 1:
        scores[rng.random((T, K)) < 0.15] = -np.inf
    kwargs = {
        "gamma": float(rng.choice([0.3, 1.0, 2.5])),
        "blank_penalty": float(rng.choice([0.0, 0.7, -0.4, np.inf], p=[0.3, 0.3, 0.3, 0.1])),
        "blank_weight": float(rng.choice([1.0, 2.0, 0.5, 0.0])),
        "free_between": bool(rng.random() < 0.5),
    }
    priors = rng.normal(-1, 0.5, K) if rng.random() < 0.5 else None
    return scores, labels, blank, kwargs, priors


def loss_of(blank, kwargs, priors, **more):
    return wlt.CTCLoss(blank, "none", log_priors=priors, prior_scale=0.3, **kwargs, **more)


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("from_logits", [False, True])
def test_all_results_are_those_of_every_path(backend, from_logits):
    without_path = 0
    for seed in range(CASES if backend == "core" else CASES // 2):
        scores, labels, blank, kwargs, priors = random_case(seed)
        if from_logits:
            scores = np.where(np.isinf(scores), -3.0, scores)
        x = torch.tensor(scores, requires_grad=True)
        log_probs = torch.log_softmax(x, 1).detach().numpy() if from_logits else scores
        costs = Costs(class_costs=None if priors is None else 0.3 * priors, **kwargs)
        truth = by_every_path(log_probs, labels, blank, costs)
        penalty = torch.tensor(kwargs["blank_penalty"], dtype=torch.float64)
        gamma = torch.tensor(kwargs["gamma"], dtype=torch.float64)
        learned = {"gamma": torch.nn.Parameter(gamma), "blank_penalty": torch.nn.Parameter(penalty)}
        loss = loss_of(blank, kwargs | learned, priors, backend=backend, from_logits=from_logits)
        arguments = (torch.tensor(labels), (len(scores),), (len(labels),))
        value = loss(x, *arguments)
        value.backward()
        K = scores.shape[1]
        expected = truth.logit_gradient(np.exp(log_probs)) if from_logits else -truth.taught(K)
        np.testing.assert_allclose(value.item(), truth.value, atol=1e-11)
        np.testing.assert_allclose(x.grad, expected, atol=1e-11)
        np.testing.assert_allclose(loss.gamma.grad.item(), -truth.entropy, atol=1e-10)
        if np.isfinite(kwargs["blank_penalty"]):
            np.testing.assert_allclose(loss.blank_penalty.grad.item(), truth.blank_uses, atol=1e-11)
        lens = loss.align(x, *arguments)
        np.testing.assert_allclose(lens.value.item(), truth.value, atol=1e-11)
        for name, wanted in {
            "E": truth.E,
            "H": truth.H,
            "h": truth.H.sum(1),
            "y_mod": truth.y_mod(K),
            "visits": truth.E.sum(0),
            "entropy": truth.entropy,
        }.items():
            np.testing.assert_allclose(getattr(lens, name), wanted, atol=1e-10, err_msg=f"{seed} {name}")
        assert lens.expanded.tolist() == truth.columns.tolist()
        without_path += not np.isfinite(truth.value)
    assert 2 <= without_path <= CASES / 2


def test_the_recursion_of_the_tests_is_that_of_every_path():
    for seed in range(CASES):
        scores, labels, blank, kwargs, _ = random_case(seed)
        a, b = (f(scores, labels, blank, Costs(**kwargs)) for f in (by_every_path, by_recursion))
        for name in ("value", "H", "E", "entropy", "blank_uses"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-11)
