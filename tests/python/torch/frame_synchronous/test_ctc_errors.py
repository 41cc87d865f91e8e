"""Bad input: each error names the argument, what is wrong with it, and what is accepted."""

import pytest
import torch

import warplens.torch as wlt

X = torch.zeros(5, 2, 4)
TARGETS = torch.tensor([[1, 2], [3, 1]])

BAD_CALLS = [
    (
        (X, torch.tensor([[1, 0], [3, 1]]), (5, 5), (2, 2)),
        ValueError,
        "label 1 of item 0 is 0, the blank",
    ),
    (
        (X, torch.tensor([[1, 2], [4, 1]]), (5, 5), (2, 2)),
        ValueError,
        "label 0 of item 1 is 4, no class",
    ),
    ((X, torch.tensor([[1, -1], [3, 1]]), (5, 5), (2, 2)), ValueError, r"label 1 of item 0 is -1"),
    ((X, TARGETS, (5, 6), (2, 2)), ValueError, r"input_lengths: entry 1 is 6; a length is from 0 to 5"),
    ((X, TARGETS, (5, -1), (2, 2)), ValueError, r"input_lengths: entry 1 is -1"),
    ((X, TARGETS, (5, 5), (3, 2)), ValueError, r"target_lengths: entry 0 is 3; a length is from 0 to 2"),
    ((X, TARGETS, (5,), (2, 2)), ValueError, r"input_lengths: has shape \(1,\); one int for each of 2 items"),
    ((X, TARGETS, torch.tensor([5.0, 5.0]), (2, 2)), TypeError, r"input_lengths: has dtype torch.float32"),
    ((X, TARGETS, "55", (2, 2)), TypeError, r"input_lengths: is '55'"),
    (
        (X, TARGETS[:1], (5, 5), (2, 2)),
        ValueError,
        r"has shape \(1, 2\); log_probs \(5, 2, 4\) hold 2",
    ),
    ((X, TARGETS.float(), (5, 5), (2, 2)), TypeError, r"targets: has dtype torch.float32; integers"),
    ((X, [[1, 2], [3, 1]], (5, 5), (2, 2)), TypeError, r"targets: is a list"),
    (
        (X, torch.tensor([1, 2, 3]), (5, 5), (2, 2)),
        ValueError,
        "holds 3 labels; target_lengths add up to 4",
    ),
    ((X.long(), TARGETS, (5, 5), (2, 2)), TypeError, r"log_probs: has dtype torch.int64; floating point"),
    ((X[0, 0], TARGETS, (5, 5), (2, 2)), ValueError, r"log_probs: has shape \(4,\)"),
    ((X[:, :0], TARGETS[:0], (), ()), ValueError, r"log_probs: has shape \(5, 0, 4\); at least one item"),
    ((X[..., :0], TARGETS, (5, 5), (2, 2)), ValueError, r"at least one class is needed"),
    ((X.numpy(), TARGETS, (5, 5), (2, 2)), TypeError, r"log_probs: is a ndarray"),
    ((X[:, 0], TARGETS, 5, 2), ValueError, r"targets: has shape \(2, 2\); \(labels,\) is accepted"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), BAD_CALLS)
def test_bad_calls(arguments, kind, message):
    for call in (wlt.CTCLoss(), wlt.align_ctc):
        with pytest.raises(kind, match=message):
            call(*arguments)


@pytest.mark.parametrize(
    ("kwargs", "kind", "message"),
    [
        ({"blank": -1}, ValueError, "blank: is -1"),
        ({"blank": 0.5}, TypeError, "blank: is 0.5"),
        ({"gamma": 0.0}, ValueError, "gamma: is 0; this loss takes a softness above 0"),
        ({"gamma": -1.0}, ValueError, "gamma"),
        ({"gamma": float("nan")}, ValueError, "gamma"),
        ({"blank_penalty": -float("inf")}, ValueError, "blank_penalty: is -inf"),
        ({"blank_penalty": float("nan")}, ValueError, "blank_penalty: is nan"),
        ({"blank_penalty": torch.zeros(2)}, ValueError, r"blank_penalty: has shape \(2,\)"),
        ({"blank_weight": -0.5}, ValueError, "blank_weight: is -0.5"),
        ({"blank_weight": float("inf")}, ValueError, r"forbid by blank_penalty=inf"),
        ({"log_priors": [0.0, float("inf"), 0.0, 0.0]}, ValueError, "log_priors: entry 1 is inf"),
        ({"log_priors": 1.0}, ValueError, r"log_priors: has shape \(\)"),
        ({"reduction": "max"}, ValueError, "reduction"),
        ({"backend": "triton"}, ValueError, "backend: is 'triton'; this loss has 'core', 'ops'"),
    ],
)
def test_bad_settings(kwargs, kind, message):
    with pytest.raises(kind, match=message):
        wlt.CTCLoss(**kwargs)


def test_settings_that_do_not_fit_the_classes():
    with pytest.raises(ValueError, match="blank: is 4; classes are from 0 to 3"):
        wlt.CTCLoss(4)(X, TARGETS, (5, 5), (2, 2))
    with pytest.raises(ValueError, match=r"log_priors: has shape \(3,\); one for each of 4 classes"):
        wlt.CTCLoss(log_priors=[0.0] * 3)(X, TARGETS, (5, 5), (2, 2))


def test_changed_inputs_are_told_when_H_is_read_late():
    x = X.clone()
    lens = wlt.align_ctc(x, TARGETS, (5, 5), (2, 2))
    x += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        _ = lens.H


@pytest.mark.parametrize("backend", ["core", "ops"])
def test_no_frames_and_no_labels(backend):
    loss = wlt.CTCLoss(reduction="none", backend=backend)
    x = X.double().log_softmax(2).requires_grad_()
    values = loss(x, TARGETS, (0, 5), (0, 0))
    torch.testing.assert_close(values, -torch.stack([x[:0, 0, 0].sum(), x[:, 1, 0].sum()]))
    values.sum().backward()
    assert (x.grad[:, 0] == 0).all()
    assert loss(x, TARGETS, (0, 1), (1, 2)).isinf().all()
    assert loss(x[:0], TARGETS, (0, 0), (0, 1)).tolist() == [0.0, float("inf")]
