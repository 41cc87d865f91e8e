"""A logit of -inf under ce_logits is a class of probability 0: no cost unless a target asks for it."""

import math

import pytest
import torch
from batches_of_pairs import BACKENDS

import warplens.torch as wlt

N, M, D, MASKED = 9, 7, 5, 3
DTYPES = (torch.float32, torch.float64)


def logits_and_targets(dtype=torch.float64, *, asks=False):
    """Three pairs, the second with a class masked in its predictions; one target frame may ask for it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, N, D, generator=generator, dtype=torch.float64)
    y = torch.rand(3, M, D, generator=generator, dtype=torch.float64)
    x[1, :, MASKED] = -math.inf
    y[1, :, MASKED] = 0.0
    if asks:
        y[1, 2, MASKED] = 0.5
    return x.to(dtype), y.to(dtype)


def derivatives(x, y, **options):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    values = wlt.soft_dtw_loss(x, y, cost="ce_logits", reduction="none", **options)
    return values, *torch.autograd.grad(values.sum(), (x, y))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_a_masked_class_costs_nothing_and_has_no_gradient(gamma, dtype, backend):
    x = torch.tensor([[1.0, -math.inf, 0.0]], dtype=dtype)
    y = torch.tensor([[1.0, 0.0, 0.0]], dtype=dtype)
    value, x_grad, y_grad = derivatives(x, y, gamma=gamma, backend=backend)
    log_softmax = torch.log_softmax(torch.tensor([1.0, 0.0], dtype=torch.float64), 0)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    assert abs(float(value.detach()) + float(log_softmax[0])) <= tolerance  # 0.3133
    softmax = log_softmax.exp()
    expected = torch.stack([softmax[0] - 1.0, softmax.new_zeros(()), softmax[1]])
    torch.testing.assert_close(x_grad[0], expected.to(dtype), rtol=0, atol=tolerance)
    assert float(x_grad[0, 1]) == 0.0
    assert float(y_grad[0, 1]) == 0.0
    torch.testing.assert_close(y_grad[0, ::2], -log_softmax.to(dtype), rtol=0, atol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_class_that_is_masked_everywhere_is_as_good_as_not_there(weighted, dtype, backend):
    x, y = logits_and_targets(dtype)
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0, 0.0], dtype=torch.float64)
    others = [d for d in range(D) if d != MASKED]
    mine = derivatives(x, y, backend=backend, feature_weights=weights if weighted else None)
    fewer = derivatives(
        x[1:2, :, others],
        y[1:2, :, others],
        backend=backend,
        feature_weights=weights[others] if weighted else None,
    )
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(mine[0][1:2], fewer[0], rtol=tolerance, atol=tolerance)
    for got, expected in zip(mine[1:], fewer[1:], strict=True):
        torch.testing.assert_close(got[1:2, :, others], expected, rtol=tolerance, atol=tolerance)
        assert not got[1, :, MASKED].any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_a_target_that_asks_for_a_masked_class_is_not_passed_through(gamma, backend):
    x, y = logits_and_targets(asks=True)
    x[1, 4:, MASKED] = 0.3  # from the fifth frame on the class is there
    finite = torch.where(x.isinf(), -1e6, x)
    values, x_grad, y_grad = derivatives(x, y, gamma=gamma, backend=backend)
    truth, x_truth, _ = derivatives(finite, y, gamma=gamma, backend=backend)
    torch.testing.assert_close(values, truth, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(x_grad, x_truth, rtol=1e-12, atol=1e-12)
    assert y_grad.isfinite().all()
    alignment = wlt.align(x, y, cost="ce_logits", gamma=gamma, backend=backend)
    assert not alignment.H[1, :4, 2].any()
    assert alignment.y_mod.isfinite().all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("transposed", [False, True])
def test_no_way_round_such_a_target_is_no_path(transposed, backend):
    x, y = logits_and_targets(asks=True)
    if transposed:  # more target frames than predictions
        x, y = x[:, :5], y.repeat_interleave(2, dim=1)
    values, x_grad, y_grad = derivatives(x, y, backend=backend)
    assert values.isposinf().tolist() == [False, True, False]
    assert not x_grad[1].any()
    assert not y_grad[1].any()
    assert x_grad.isfinite().all()
    assert float(wlt.soft_dtw_loss(x[1], y[1], cost="ce_logits", backend=backend, zero_infinity=True)) == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("logit", [-math.inf, math.inf, math.nan])
def test_a_frame_without_a_softmax_gives_nan_in_its_pair(logit, backend):
    x, y = logits_and_targets()
    x[2, 4, : (D if logit == -math.inf else 1)] = logit
    values, x_grad, _ = derivatives(x, y, backend=backend)
    assert values.isnan().tolist() == [False, False, True]
    assert x_grad[:2].isfinite().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives_of_masked_classes(backend):
    x, y = logits_and_targets()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    direction[1, :, MASKED] = 0.0
    results = []
    for logits in (x, torch.where(x.isinf(), -1e3, x)):
        logits = logits.requires_grad_()
        value = wlt.soft_dtw_loss(logits, y, cost="ce_logits", backend=backend)
        (gradient,) = torch.autograd.grad(value, logits, create_graph=True)
        results.append(torch.autograd.grad((gradient * direction).sum(), logits)[0])
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)
