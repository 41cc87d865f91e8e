"""Batches by the general model: values, gradients and alignments are those of the NumPy functions."""

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from model_batches import LENGTHS, random_parameters
from oracles.costs import COSTS, sample

import warplens as wl
import warplens.torch as wlt
from warplens.torch.family import operator
from warplens.torch.family.model import BatchModel, Ends
from warplens.torch.inputs.batches import CostMatrices

SETTINGS = {
    "amerced": {"step_penalties": (0.3, 0.4, 0.0), "step_weights": (0.5, 1.0, 1.5)},
    "subsequence": {"open_begin": "y", "open_end": "y"},
    "open ends": {"open_begin": "both", "open_end": "x", "skip_penalty": (0.1, 0.2)},
    "other ends": {"open_begin": "x", "open_end": "both", "skip_penalty": 0.3},
    "step pattern": {
        "steps": [
            wl.Step(1, 1),
            wl.Step(4, 1),
            wl.Step(2, 1),
            wl.Step(1, 2, 2.0, 0.1),
            wl.Step(0, 1, 0.0, 0.5),
        ]
    },
}
NAMES = ("value", "h", "H", "E", "H_tilde", "y_mod", "entropy", "step_posteriors", "begin", "end", "visits")


def sum_to(array, shape, n, m):
    """Sum the gradient of each pair over the axes that a parameter lacks."""
    axes = [axis for axis, size in zip((0, 1), shape[-2:], strict=True) if size == 1]
    return array.sum(axis=tuple(axes), keepdims=True)


def of_all_pairs(parameters, sizes, upstream):
    """Gradients of sum_b upstream(b) value(b) in all parameters, from those of the NumPy function."""
    totals = [np.zeros(tensor.shape) for tensor in parameters.tensors()]

    def add(total, b, of_pair):
        if total.ndim == 0:
            total += of_pair.sum()
            return
        part = total[b if len(total) > 1 else 0] if total.ndim == 3 else total
        part = part[: of_pair.shape[0], : of_pair.shape[1]]
        axes = tuple(axis for axis in (0, 1) if part.shape[axis] == 1)
        part += of_pair.sum(axis=axes, keepdims=True) if axes else of_pair

    for b, (n, m) in enumerate(sizes):
        try:
            got = parameters.aligned(b, n, m)
        except wl.NoPathError:
            continue
        costs = parameters.C.detach().numpy()[b, :n, :m]
        costs = np.where(np.isinf(costs), 0.0, costs)
        uses = got.step_posteriors
        of_pair = [
            got.H,
            np.array(got.gamma_grad),
            *(costs * use for use in uses),
            *uses,
            got.begin,
            got.end,
            costs * got.begin,
            costs * got.end,
        ]
        for total, gradient in zip(totals, of_pair, strict=True):
            add(total, b, upstream[b] * gradient)
    return totals


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(6))
def test_values_and_all_gradients(seed, backend):
    for lengths in ((None, None), LENGTHS):
        parameters = random_parameters(seed)
        values = parameters.loss(lengths, backend=backend)
        sizes = [(6, 4)] * 4 if lengths[0] is None else list(zip(*lengths, strict=True))
        upstream = np.array([1.0, 0.5, -2.0, 3.0])
        for b, (n, m) in enumerate(sizes):
            try:
                expected = parameters.aligned(b, n, m).value
            except wl.NoPathError:
                expected = np.inf
            assert values[b].item() == pytest.approx(expected, rel=1e-11, abs=1e-11)
        (torch.where(values.isinf(), 0.0, values) * torch.tensor(upstream)).sum().backward()
        expected = of_all_pairs(parameters, sizes, upstream)
        for tensor, gradient in zip(parameters.tensors(), expected, strict=True):
            np.testing.assert_allclose(tensor.grad, gradient, atol=1e-9)


def test_the_random_models_have_paths_and_forbid_some():
    found = 0
    for seed in range(6):
        values = random_parameters(seed).loss(LENGTHS)
        found += int(values.isfinite().sum())
    assert 10 < found < 24


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [(None, None), ([6, 5, 3], [4, 2, 4])])
@pytest.mark.parametrize("cost", ["mse", "bce", "cosine", "l1", "callable"])
@pytest.mark.parametrize("name", SETTINGS)
def test_alignments_and_gradients_of_sequences(name, cost, lengths, backend):
    settings = {"gamma": 0.5, **SETTINGS[name]}
    x, y = random_batch("mse" if cost == "callable" else cost)
    x.requires_grad_()
    y.requires_grad_()
    asked = cost if cost != "callable" else (lambda x, y: torch.cdist(x, y, p=1.0))
    in_numpy = cost if cost != "callable" else "l1"
    loss = wlt.soft_dtw_loss(x, y, *lengths, cost=asked, reduction="sum", backend=backend, **settings)
    loss.backward()
    got = wlt.align(x, y, *lengths, cost=asked, backend=backend, **settings)
    total = 0.0
    names = [each for each in NAMES if each != "y_mod" or cost in ("mse", "bce", "cosine")]
    for b in range(3):
        n, m = (whole if given is None else given[b] for given, whole in zip(lengths, (6, 4), strict=True))
        expected = wl.align(x[b, :n].detach().numpy(), y[b, :m].detach().numpy(), cost=in_numpy, **settings)
        total += expected.value
        np.testing.assert_allclose(x.grad[b, :n], expected.x_grad, atol=1e-9)
        np.testing.assert_allclose(y.grad[b, :m], expected.y_grad, atol=1e-9)
        assert (x.grad[b, n:] == 0).all()
        assert (y.grad[b, m:] == 0).all()
        for each in names:
            wanted = np.asarray(getattr(expected, each))
            found = getattr(got, each)[b].numpy()
            inside = tuple(slice(size) for size in wanted.shape)
            np.testing.assert_allclose(found[inside], wanted, atol=1e-9, err_msg=each)
            outside = found.copy()
            outside[inside] = 0
            assert (outside == 0).all()
    assert loss.item() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SETTINGS)
def test_the_hard_minimum_breaks_ties_as_the_numpy_function(name, backend):
    generator = np.random.default_rng(5)
    x, y = (torch.tensor(generator.integers(0, 2, (3, size, 1)).astype(float)) for size in (7, 5))
    x.requires_grad_()
    settings = dict(SETTINGS[name])
    if "skip_penalty" in settings:
        settings["skip_penalty"] = 0.5
    for asked in ({"minimum": "hardmin"}, {"gamma": 0.0}, {"gamma": torch.tensor(0.0)}):
        loss = wlt.soft_dtw_loss(x, y, backend=backend, reduction="sum", **settings, **asked)
        (gradient,) = torch.autograd.grad(loss, x)
        got = wlt.align(x, y, backend=backend, **settings, **asked)
        for b in range(3):
            expected = wl.align(x[b].detach().numpy(), y[b].numpy(), minimum="hardmin", **settings)
            np.testing.assert_array_equal(got.E[b], expected.E)
            np.testing.assert_array_equal(got.begin[b], expected.begin)
            np.testing.assert_array_equal(got.end[b], expected.end)
            np.testing.assert_allclose(gradient[b], expected.x_grad, atol=1e-12)
            assert got.value[b].item() == pytest.approx(expected.value)
            assert got.entropy[b] == 0


def test_the_hard_minimum_of_plain_soft_dtw_is_that_of_gamma_zero():
    x, y = random_batch("mse")
    assert wlt.soft_dtw_loss(x, y, minimum="hardmin") == wlt.soft_dtw_loss(x, y, gamma=0.0)
    C = torch.cdist(x, y)
    gamma = torch.tensor(0.7, requires_grad=True)
    hard = wlt.soft_dtw_from_costs(C, minimum="hardmin", gamma=gamma)
    assert hard == wlt.soft_dtw_from_costs(C, gamma=0.0)
    hard.backward()
    assert gamma.grad == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_plain_alignments_have_what_the_model_alone_yields(backend):
    x, y = random_batch("mse")
    for band in (None, wl.SakoeChiba(4)):
        got = wlt.align(x, y, [6, 3, 5], [4, 4, 2], gamma=0.4, band=band, backend=backend)
        torch.testing.assert_close(got.step_posteriors.sum(1) + got.begin, got.E)
        torch.testing.assert_close(got.visits, got.E.sum(1))
        torch.testing.assert_close(got.begin[:, 0, 0], torch.ones(3, dtype=torch.float64))
        assert [got.end[b, n - 1, m - 1].item() for b, (n, m) in enumerate(((6, 4), (3, 4), (5, 2)))] == [
            1
        ] * 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_follows_float64(backend):
    x, y = random_batch("mse", B=2, N=40, M=30)
    settings = {"open_end": "x", "skip_penalty": 0.1, "step_penalties": (0.2, 0.2, 0.0), "backend": backend}
    exact = wlt.align(x, y, **settings)
    got = wlt.align(x.float(), y.float(), **settings)
    assert got.H.dtype == got.value.dtype == torch.float32
    torch.testing.assert_close(got.H.double(), exact.H, atol=3e-5, rtol=0)
    torch.testing.assert_close(got.y_mod.double(), exact.y_mod, atol=3e-5, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("N", "M"), [(5, 3), (3, 5)])
def test_of_ends_that_tie_the_first_by_rows_is_taken(N, M, backend):
    C = torch.zeros(1, N, M, dtype=torch.float64)
    exit = torch.full((N, M), 2.0, dtype=torch.float64)
    exit[2, 0] = exit[0, 2] = exit[1, 1] = 1.0
    exit.requires_grad_()
    loss = wlt.soft_dtw_from_costs(
        C, entry=0.0, exit=exit, exit_weight=0.5, minimum="hardmin", backend=backend
    )
    loss.backward()
    expected = wl.align_costs(C[0].numpy(), entry=0.0, exit=exit.detach().numpy(), exit_weight=0.5, gamma=0.0)
    np.testing.assert_array_equal(exit.grad, expected.end)
    assert exit.grad[0, 2] == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_of_cost_matrices_is_never_read(backend):
    C = torch.rand(2, 4, 3, dtype=torch.float64)
    settings = {"step_penalties": (0.1, 0.1, 0.0), "entry": 0.0, "reduction": "none", "backend": backend}
    expected = wlt.soft_dtw_from_costs(C, [4, 2], [3, 2], **settings)
    for bad in (torch.nan, torch.inf, -torch.inf):
        padded = C.clone()
        padded[1, 2:] = bad
        padded[1, :, 2:] = bad
        padded.requires_grad_()
        values = wlt.soft_dtw_from_costs(padded, [4, 2], [3, 2], **settings)
        torch.testing.assert_close(values, expected)
        values.sum().backward()
        assert padded.grad.isfinite().all()
        assert (padded.grad[1, 2:] == 0).all()


def test_costs_along_a_border_have_the_gradient_of_the_cells():
    """Where row and column cross, the cost is that of the row, in the core as in operations."""
    generator = torch.Generator().manual_seed(4)
    C = torch.rand(2, 4, 3, generator=generator, dtype=torch.float64)
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    along = [
        torch.rand(shape, generator=generator, dtype=torch.float64)
        for shape in ((1, 1, 3), (2, 4, 1), (2, 1, 3), (1, 4, 1))
    ]
    lengths = torch.tensor([4, 3]), torch.tensor([3, 2])
    model = BatchModel(
        gamma=torch.tensor(0.7, dtype=torch.float64),
        is_hard=False,
        sizes=((1, 1), (1, 0), (0, 1)),
        weights=(one,) * 3,
        penalties=(one,) * 3,
        entry_weight=one,
        exit_weight=None,
        entry=Ends("border", tuple(along[:2])),
        exit=Ends("border", tuple(along[2:])),
    )
    wanted = [True] * (1 + len(model.tensors()))
    by_core, by_operations = (
        solve(CostMatrices(C, *lengths, unbatched=False), model, wanted) for solve in operator.SOLVE.values()
    )
    torch.testing.assert_close(by_core.value, by_operations.value)
    for a, b in zip(by_core.gradients, by_operations.gradients, strict=True):
        torch.testing.assert_close(a, b)
    assert all(gradient.abs().sum() > 0.1 for gradient in by_core.gradients[-4:])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", COSTS)
def test_the_three_steps_as_a_model_are_plain_soft_dtw(cost, backend):
    x, y = (torch.stack(side) for side in zip(*(samples(cost, seed) for seed in range(3)), strict=True))
    x.requires_grad_()
    y.requires_grad_()
    weights = (0.5, 1.0, 1.5)
    steps = [wl.Step(n, m, w) for (n, m), w in zip(((1, 0), (0, 1), (1, 1)), weights, strict=True)]
    found = []
    for settings in ({"step_weights": weights}, {"steps": steps}):
        options = {"cost": cost, "gamma": 0.3, "backend": backend, **settings}
        loss = wlt.soft_dtw_loss(x, y, [6, 3, 5], [4, 4, 2], **options)
        gradients = torch.autograd.grad(loss, (x, y))
        got = wlt.align(x, y, [6, 3, 5], [4, 4, 2], **options)
        found.append([loss.detach(), *gradients, got.H, got.h, got.E, got.entropy])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)


def samples(cost, seed):
    return [torch.tensor(side) for side in sample(cost, 6, 4, 3, seed)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_inference_mode_gives_the_same(backend):
    x, y = random_batch("mse")
    settings = {"step_penalties": torch.tensor([0.1, 0.2, 0.0]), "open_end": "x", "backend": backend}
    expected = wlt.align(x, y, [6, 3, 5], **settings)
    with torch.inference_mode():
        settings = {**settings, "step_penalties": settings["step_penalties"].clone()}
        x, y = x.clone(), y.clone()
        assert torch.equal(wlt.soft_dtw_loss(x, y, [6, 3, 5], reduction="none", **settings), expected.value)
        got = wlt.align(x, y, [6, 3, 5], **settings)
        for name in NAMES:
            assert torch.equal(getattr(got, name), getattr(expected, name))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("impossible", [False, True])
def test_classes_of_probability_zero_are_left_out_of_a_model(impossible, backend):
    x, y = random_batch("ce_logits")
    y = y.sigmoid()
    x[:, :, 0] = -torch.inf
    y[:, :, 0] = 0.0
    if impossible:
        y[:, 2, 0] = 0.5  # a target that no frame can be
    x.requires_grad_()
    steps = [wl.Step(1, 1), wl.Step(1, 2), wl.Step(1, 0)]
    loss = wlt.soft_dtw_loss(x, y, cost="ce_logits", steps=steps, backend=backend)
    loss.backward()
    assert loss.isfinite()
    assert x.grad.isfinite().all()
    if impossible:
        assert (wlt.align(x, y, cost="ce_logits", steps=steps, backend=backend).H[:, :, 2] == 0).all()
