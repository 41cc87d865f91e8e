"""The forward sum of batches against the NumPy function, torch's CTC and differences."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import warplens as wl
import warplens.torch as wlt

LENGTHS = ([9, 7, 5], [4, 3, 2])


def log_probs(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 9, 4, dtype=torch.float64, generator=generator).log_softmax(2).to(dtype)


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("blank_logprob", [None, -1.0, 0.3])
@pytest.mark.parametrize("prior", [None, "beta-binomial", "tensor"])
@pytest.mark.parametrize("gamma", [1.0, 0.4])
def test_everything_is_that_of_numpy(backend, blank_logprob, prior, gamma):
    scores = log_probs()
    scores[0, 3, 1] = -torch.inf
    added = log_probs(1) if prior == "tensor" else prior
    kwargs = {"gamma": gamma, "blank_logprob": blank_logprob}
    lens = wlt.align_forward_sum(scores, *LENGTHS, prior=added, backend=backend, **kwargs)
    x, y = scores.clone().requires_grad_(), log_probs(1).requires_grad_()
    of_module = "beta-binomial" if prior == "beta-binomial" else None
    loss = wlt.ForwardSumLoss(prior=of_module, reduction="none", backend=backend, **kwargs)
    values = loss(x, *LENGTHS, prior=y if prior == "tensor" else None)
    values.sum().backward()
    for item, (N, M) in enumerate(zip(*LENGTHS, strict=True)):
        own = None
        if prior is not None:
            own = wl.beta_binomial_prior(N, M) if prior == "beta-binomial" else added[item, :N, :M].numpy()
        truth = wl.forward_sum(scores[item, :N, :M].numpy(), prior=own, **kwargs)
        columns = truth.H.shape[1]
        for name, expected in {
            "value": truth.value,
            "h": truth.h,
            "H": truth.H,
            "E": truth.E,
            "H_tilde": truth.H_tilde,
            "y_mod": truth.y_mod,
            "visits": truth.visits,
            "entropy": truth.entropy,
        }.items():
            found = getattr(lens, name)[item].numpy()
            found, rest = found[tuple(slice(size) for size in np.shape(expected))], found.sum()
            np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=name)
            np.testing.assert_allclose(rest, np.sum(expected), atol=1e-9, err_msg=f"padding of {name}")
        np.testing.assert_array_equal(lens.expanded[item, :columns], truth.expanded)
        assert (lens.expanded[item, columns:] == -1).all()
        np.testing.assert_allclose(values[item].item(), truth.value, atol=1e-9)
        np.testing.assert_allclose(x.grad[item, :N, :M], truth.x_grad, atol=1e-9)
        assert x.grad[item].count_nonzero() == x.grad[item, :N, :M].count_nonzero()
    if prior == "tensor":
        torch.testing.assert_close(y.grad, x.grad)


def published(attention, tokens, frames, blank):
    """The forward sum of NeMo 2.6 and RAD-TTS, by its formula: attention (B,1,N,M), tokens before frames."""
    terms = []
    for scores, M, N in zip(attention[:, 0], tokens, frames, strict=True):
        with_blank = torch.cat([torch.full_like(scores[:N, :1], blank), scores[:N, :M]], dim=1)
        log_probs = functional.log_softmax(with_blank, dim=1)[:, None]
        terms.append(
            functional.ctc_loss(log_probs, torch.arange(1, M + 1)[None], (N,), (M,), zero_infinity=True)
        )
    return torch.stack(terms).mean()


@pytest.mark.parametrize("blank", [-1.0, -3.5])
@pytest.mark.parametrize("normalized", [True, False])
def test_the_published_loss_is_ours(blank, normalized):
    """Its last item has fewer frames than tokens, and counts as 0."""
    tokens, frames = [4, 3, 4], [9, 7, 3]
    attention = log_probs()[:, None] + (0 if normalized else torch.arange(9.0)[:, None])
    x, y = attention.clone().requires_grad_(), attention.clone().requires_grad_()
    expected = published(x, tokens, frames, blank)
    expected.backward()
    ours = wlt.ForwardSumLoss(blank_logprob=blank, normalize="y_length", zero_infinity=True)
    loss = ours(y[:, 0], frames, tokens)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(y.grad, x.grad)
    assert (y.grad[2] == 0).all()


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("blank_logprob", [None, -1.0])
def test_first_and_second_derivatives(backend, blank_logprob):
    loss = wlt.ForwardSumLoss(blank_logprob=blank_logprob, normalize="both", backend=backend)
    del loss.gamma  # a buffer, which becomes an argument here

    def value(x, prior, gamma):
        loss.gamma = gamma
        return loss(x, (4, 3), (2, 2), prior=prior)

    inputs = (log_probs()[:2, :4, :2], log_probs(1)[0, :4, :2], torch.tensor(0.8).double())
    inputs = tuple(tensor.clone().requires_grad_() for tensor in inputs)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)


@pytest.mark.parametrize("proper", [False, True])
@pytest.mark.parametrize("scaling", [0.3, 1.0, 2.0])
def test_the_prior_is_that_of_numpy_for_each_item(proper, scaling):
    from warplens.torch.frame_synchronous.beta_binomial import beta_binomial_priors

    lengths = torch.tensor([300, 17, 1]), torch.tensor([90, 40, 1])
    priors = beta_binomial_priors(*lengths, 300, 90, scaling=scaling, proper=proper)
    for prior, N, M in zip(priors, *(each.tolist() for each in lengths), strict=True):
        truth = wl.beta_binomial_prior(N, M, scaling=scaling, trials=M - proper)
        np.testing.assert_allclose(prior[:N, :M], truth, atol=1e-9)
        assert prior.isfinite().all()


def test_log_probabilities_are_read_in_place(monkeypatch):
    """Neither a copy of (B,N,M) nor one of its gradient, besides the gradient itself."""
    from warplens import _core

    seen = []
    plain = _core.frame_synchronous_padded

    def watched(scores, *, grad, **rest):
        seen.append((scores.__array_interface__["data"][0], grad.__array_interface__["data"][0]))
        return plain(scores, grad=grad, **rest)

    monkeypatch.setattr(_core, "frame_synchronous_padded", watched)
    x = log_probs(dtype=torch.float32).requires_grad_()
    wlt.ForwardSumLoss()(x, *LENGTHS).backward()
    assert seen == [(x.data_ptr(), x.grad.data_ptr())]


def test_fewer_frames_than_tokens_are_no_path():
    x = log_probs().requires_grad_()
    values = wlt.ForwardSumLoss(reduction="none")(x, (9, 2, 5), (4, 3, 2))
    assert values.isinf().tolist() == [False, True, False]
    wlt.ForwardSumLoss(zero_infinity=True)(x, (9, 2, 5), (4, 3, 2)).backward()
    assert x.grad[1].count_nonzero() == 0
    lens = wlt.align_forward_sum(x, (9, 2, 5), (4, 3, 2))
    assert lens.H[1].count_nonzero() == lens.h[1].count_nonzero() == lens.visits[1].count_nonzero() == 0


def test_errors_name_the_argument():
    X = torch.zeros(2, 5, 3)
    loss = wlt.ForwardSumLoss()
    for arguments, kind, message in [
        ((X.numpy(),), TypeError, "log_probs: is a ndarray"),
        ((X.long(),), TypeError, "log_probs: has dtype torch.int64"),
        ((X[0, 0],), ValueError, r"log_probs: has shape \(3,\)"),
        ((X[:0],), ValueError, r"log_probs: has shape \(0, 5, 3\); at least one item"),
        ((X, (5, 6)), ValueError, "x_lengths: entry 1 is 6; a length is from 1 to 5"),
        ((X, None, (0, 3)), ValueError, "y_lengths: entry 0 is 0; a length is from 1 to 3"),
    ]:
        with pytest.raises(kind, match=message):
            loss(*arguments)
        with pytest.raises(kind, match=message):
            wlt.align_forward_sum(*arguments)
    with pytest.raises(ValueError, match=r"prior: has shape \(5, 2\); \(N,M\) = \(5, 3\)"):
        loss(X, prior=torch.zeros(5, 2))
    with pytest.raises(ValueError, match="give one of them"):
        wlt.ForwardSumLoss(prior="beta-binomial")(X, prior=torch.zeros(5, 3))
    with pytest.raises(ValueError, match="prior: is 'diagonal'"):
        wlt.ForwardSumLoss(prior="diagonal")
    with pytest.raises(ValueError, match="blank_logprob: is inf"):
        wlt.ForwardSumLoss(blank_logprob=float("inf"))
    with pytest.raises(ValueError, match="gamma: is 0"):
        wlt.ForwardSumLoss(0.0)
    with pytest.raises(ValueError, match="blank_share: the loss has no blank"):
        _ = wlt.align_forward_sum(X).blank_share
