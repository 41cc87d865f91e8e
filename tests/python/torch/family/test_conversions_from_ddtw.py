"""Agreement of the losses of ddtw with ours, under the settings of the page on conversions, in float64."""

import functools

import numpy as np
import pytest
import torch

import warplens as wl
import warplens.torch as wlt

ddtw = pytest.importorskip("ddtw")

B, N, M, D = 2, 8, 5, 4
EXACT = {"dtype_float": torch.float64, "backend": "torch"}
LENGTHS = ([8, 6], [5, 3])
WEIGHTS = (0.3, 0.6, 1.4)


def random(*shape, seed=0):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


X, Y = random(B, N, D), random(B, M, D, seed=1)
C = random(1, N, M, seed=2) - 0.3
LOG_PROBS = random(B, 12, 5, seed=3).mul(6).log_softmax(2)
LABELS = torch.tensor([[1, 2, 2, 3], [1, 4, 4, 0]])
HOT = torch.eye(D, dtype=torch.float64)[random(B, M, D, seed=4).argmax(2)]


def value_and_gradient(loss, x):
    x = x.clone().requires_grad_()
    value = loss(x)
    (gradient,) = torch.autograd.grad(value, x)
    return value.detach(), gradient


def of_alignment(alignment):
    return torch.tensor(alignment.value, dtype=torch.float64), torch.from_numpy(alignment.H.copy())[None]


def assert_agree(theirs, ours):
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("name", "cost"), [("MSE", "sqeuclidean"), ("BCE", "bce")])
@pytest.mark.parametrize("lengths", [(), LENGTHS])
@pytest.mark.parametrize("step_weights", [(1.0, 1.0, 1.0), (0.3, 1.7, 1.0)])
def test_soft_and_hard_dtw(name, cost, lengths, step_weights):
    listed = dict(zip(("list_N", "list_M"), lengths, strict=False))
    settings = {"cost_function": name, "global_step_weights": list(step_weights), **EXACT}
    own = {"step_weights": step_weights, "normalize": "x_length"}
    for theirs, ours in (
        (ddtw.SDTW(gamma=0.7, **settings), wlt.SoftDTWLoss(cost, 0.7, **own)),
        (ddtw.DTW(**settings), wlt.SoftDTWLoss(cost, 0.0, minimum="hardmin", **own)),
    ):
        assert_agree(
            value_and_gradient(lambda x, loss=theirs: loss(x, Y, **listed), X),
            value_and_gradient(lambda x, loss=ours: loss(x, Y, *lengths), X),
        )


def test_normalization_and_the_first_cell():
    for theirs, ours in (("M", "y_length"), ("none", "none")):
        loss = ddtw.SDTW(gamma=0.7, normalization=theirs, global_step_weights=list(WEIGHTS), **EXACT)
        own = wlt.SoftDTWLoss("sqeuclidean", 0.7, WEIGHTS, normalize=ours)
        divisor = M if ours == "y_length" else 1

        def with_whole_first_cell(x, own=own, divisor=divisor):
            first = (x[:, 0] - Y[:, 0]).square().sum(1)
            return own(x, Y) + ((1 - WEIGHTS[2]) * first).mean() / divisor

        assert_agree(
            value_and_gradient(functools.partial(loss, Y=Y), X), value_and_gradient(with_whole_first_cell, X)
        )


def test_costs_of_log_probabilities():
    logits = 3 * X

    def theirs(x):
        return ddtw.SDTW(cost_function="CTC", gamma=0.7, **EXACT)(x.log_softmax(2), HOT)

    for cost, of_logits in (
        ("ce", lambda x: x.log_softmax(2).exp()),
        ("ce_logits", lambda x: x),
        ("ce_logits", lambda x: x.log_softmax(2)),
    ):
        loss = wlt.SoftDTWLoss(cost, 0.7, normalize="x_length")
        assert_agree(
            value_and_gradient(theirs, logits),
            value_and_gradient(lambda x, loss=loss, of=of_logits: loss(of(x), HOT), logits),
        )


def test_weights_of_cells():
    W = random(1, N, M, 3, seed=5) + 0.2
    loss = ddtw.dDTW(gamma=0.7, normalization="none", **EXACT)
    steps = [wl.Step(n, m, weight=W[0, ..., s].numpy()) for s, (n, m) in enumerate([(1, 0), (0, 1), (1, 1)])]
    assert_agree(
        value_and_gradient(lambda c: loss(C=c, local_step_weights=W), C),
        of_alignment(wl.align_costs(C[0].numpy(), gamma=0.7, steps=steps, entry_weight=1.0)),
    )


@pytest.mark.parametrize("minimum", ["softmin", "hardmin"])
def test_partial_matching(minimum):
    loss = ddtw.partial_matching(min_function=minimum, gamma=0.7, **EXACT)
    ours = wl.align_costs(
        C[0].numpy(),
        step_weights=(0, 0, 1),
        entry=0.0,
        exit=0.0,
        entry_weight=1.0,
        minimum=minimum,
        gamma=0.7 if minimum == "softmin" else 0.0,
    )
    assert_agree(value_and_gradient(lambda c: loss(C=c), C), of_alignment(ours))


def ends(along, compensated):
    """The first and last cells, and their weights, that ddtw's subsequences have."""
    entry, exit_ = np.full((N, M), np.inf), np.full((N, M), np.inf)
    entry_weight, exit_weight = np.ones((N, M)), np.zeros((N, M))
    entry[0, 0] = exit_[-1, -1] = 0
    n, m = np.arange(N), np.arange(M)
    if "X" in along:
        entry[:-1, 0] = exit_[1:, -1] = 0
        if compensated:
            entry_weight[:, 0], exit_weight[:, -1] = 1 + n * WEIGHTS[0], (N - 1 - n) * WEIGHTS[0]
    if "Y" in along:
        entry[0, :-1] = exit_[-1, 1:] = 0
        if compensated:
            entry_weight[0], exit_weight[-1] = 1 + m * WEIGHTS[1], (M - 1 - m) * WEIGHTS[1]
    return {"entry": entry, "exit": exit_, "entry_weight": entry_weight, "exit_weight": exit_weight}


@pytest.mark.parametrize("compensated", [False, True])
@pytest.mark.parametrize("along", ["X", "Y", "XY"])
def test_subsequences(along, compensated):
    loss = ddtw.subSDTW(
        gamma=0.7,
        global_step_weights=list(WEIGHTS),
        normalization="none",
        sub_X="X" in along,
        sub_Y="Y" in along,
        compensate_subseq=compensated,
        **EXACT,
    )
    theirs = value_and_gradient(lambda c: loss(C=c), C)
    ours = of_alignment(
        wl.align_costs(C[0].numpy(), gamma=0.7, step_weights=WEIGHTS, **ends(along, compensated))
    )
    assert_agree(theirs[0], ours[0])
    if not compensated:
        assert_agree(theirs[1], ours[1])
        return
    # Their gradient leaves out what the ends are charged: differences of their own values say so.
    cell = (0, 3, 0) if "X" in along else (0, 0, 2)
    moved = torch.zeros_like(C)
    moved[cell] = 1e-5
    slope = (loss(C=C + moved) - loss(C=C - moved)) / 2e-5
    torch.testing.assert_close(ours[1][cell], slope, rtol=0, atol=1e-8)
    assert abs(theirs[1][cell] - slope) > 1e-3


@pytest.mark.parametrize("blank_weight", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("gamma", [1.0, 0.7])
def test_ctc(blank_weight, gamma):
    lengths = [12, 9], [4, 3]
    listed = dict(zip(("list_N", "list_M"), lengths, strict=True))
    settings = {"blank_penalty_weight": blank_weight, "gamma": gamma, **EXACT}
    theirs = value_and_gradient(lambda x: ddtw.CTC(**settings)(x, LABELS, **listed), LOG_PROBS)
    ours = wlt.CTCLoss(blank_weight=blank_weight, free_between=True, gamma=gamma)
    assert_agree(theirs, value_and_gradient(lambda x: ours(x.transpose(0, 1), LABELS, *lengths), LOG_PROBS))

    settings["global_step_weights"] = list(WEIGHTS)
    value, gradient = value_and_gradient(lambda x: ddtw.CTC(**settings)(x, LABELS[:1]), LOG_PROBS[:1])
    one = wl.ctc(
        LOG_PROBS[0].numpy(),
        LABELS[0].numpy(),
        gamma=gamma,
        step_weights=WEIGHTS,
        blank_weight=blank_weight,
        free_between=True,
    )
    assert_agree(value, torch.tensor(one.value / 4, dtype=torch.float64))
    assert_agree(gradient[0], torch.from_numpy(one.x_grad / 4))


def test_labels_without_a_path():
    sure = torch.full((1, 2, 3), -1e3, dtype=torch.float64)
    sure[..., 1] = 0
    twice = torch.tensor([[1, 1]])
    assert ddtw.CTC(**EXACT)(sure, twice) == 0
    assert wlt.CTCLoss()(sure.transpose(0, 1), twice, [2], [2]) == torch.inf
