"""The operators that torch.compile and torch.func meet: registered as they should be, and the same loss."""

import types

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS
from torch import nn
from torch.utils._pytree import tree_leaves

import warplens as wl
import warplens.torch as wlt
from warplens import _core
from warplens.torch.backends import core as core_backend

LENGTHS = (torch.tensor([6, 3, 1]), torch.tensor([4, 4, 2]))
NUMBERS = torch.tensor(0.7, dtype=torch.float64), torch.tensor([0.4, 1.0, 1.3], dtype=torch.float64)

# What torch itself warns of while it compiles.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def nothing_compiled_before():
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


@pytest.fixture
def once():
    """Make a second compilation an error."""
    with torch._dynamo.config.patch(error_on_recompile=True):
        yield
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def pair_arguments(dtype, wanted, backend, band=("sakoe_chiba", 4.0)):
    x, y = random_batch("bce", dtype=dtype)
    numbers = [number.clone() for number in NUMBERS]
    for tensor, yes in zip((x, y, *numbers), wanted, strict=True):
        tensor.requires_grad_(yes)
    weights = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    return (x, y, *LENGTHS, *numbers, weights, None, "bce", *band, backend, list(wanted))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "wanted", [(False,) * 4, (True, False, False, False), (False, True, True, False), (True,) * 4]
)
def test_opcheck_of_pairs(wanted, dtype, backend):
    arguments = pair_arguments(dtype, wanted, backend)
    torch.library.opcheck(torch.ops.warplens.soft_dtw_of_pairs.default, arguments)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("wanted", [(False,) * 3, (True, False, False), (True, True, True)])
def test_opcheck_of_costs(wanted, dtype, backend):
    C = torch.rand(3, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    numbers = [number.clone() for number in NUMBERS]
    for tensor, yes in zip((C, *numbers), wanted, strict=True):
        tensor.requires_grad_(yes)
    arguments = (C, *LENGTHS, *numbers, None, 0.0, backend, list(wanted))
    torch.library.opcheck(torch.ops.warplens.soft_dtw_of_costs.default, arguments)


def gradients_of(loss, *tensors):
    return [loss.detach(), *torch.autograd.grad(loss, tensors)]


def assert_same(result, expected):
    for mine, theirs in zip(result, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


SETTINGS = [
    {},
    {"cost": "bce", "feature_weights": [1.0, 2.0, 0.5], "pos_weight": [1.0, 2.0, 3.0], "normalize": "both"},
    {"cost": "ce_logits", "step_weights": (0.1, 1.0, 1.0), "feature_reduction": "mean", "reduction": "sum"},
    {"band": wl.SakoeChiba(4), "zero_infinity": True, "normalize": "x_length"},
    {"band": wl.Itakura(3.0), "debias": True},
    {"cost": lambda x, y: (x.unsqueeze(2) - y.unsqueeze(1)).abs().sum(-1)},
]


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_compiled_loss_is_the_loss_whatever_gamma_is(settings, backend):
    loss_fn = wlt.SoftDTWLoss(**settings, backend=backend)
    compiled = torch.compile(loss_fn, fullgraph=True, backend="aot_eager")
    x, y = random_batch("bce", dtype=torch.float32)
    x.requires_grad_()
    for gamma in (0.1, 0.5, 1.0, 10.0):
        loss_fn.gamma.fill_(gamma)
        result, expected = (gradients_of(loss(x, y, *LENGTHS), x) for loss in (compiled, loss_fn))
        assert_same(result, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", COSTS)
def test_a_compiled_graph_has_no_array_of_all_cells(cost, backend):
    sizes = []

    def look(graph, inputs):
        values = [node.meta.get("example_value") for node in graph.graph.nodes]
        sizes.extend(value.numel() for value in tree_leaves(values) if isinstance(value, torch.Tensor))
        return graph

    x, y = random_batch(cost, N=40, M=30, D=2)
    torch.compile(wlt.SoftDTWLoss(cost, backend=backend), fullgraph=True, backend=look)(x.requires_grad_(), y)
    assert x.numel() <= max(sizes) < 40 * 30


@pytest.mark.parametrize("compiler", ["eager", "aot_eager"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_gamma_may_move_on_before_backward_of_a_compiled_step(backend, compiler):
    x, y = random_batch("mse")
    x.requires_grad_()
    loss_fn = wlt.SoftDTWLoss(gamma=2.0, backend=backend)
    (expected,) = torch.autograd.grad(loss_fn(x, y), x)
    loss = torch.compile(loss_fn, fullgraph=True, backend=compiler)(x, y)
    loss_fn.gamma.fill_(0.1)
    loss_fn.step_weights.fill_(0.3)
    (result,) = torch.autograd.grad(loss, x)
    torch.testing.assert_close(result, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_that_compilers_make_anew_is_never_that_of_another_gamma(backend):
    """Within a memory budget of 0 the forward pass runs again in backward; a gamma that moved is an error."""
    x, y = random_batch("mse")
    x.requires_grad_()
    loss_fn = wlt.SoftDTWLoss(gamma=2.0, backend=backend)
    with torch._functorch.config.patch(activation_memory_budget=0.0):
        compiled = torch.compile(loss_fn, fullgraph=True, backend="aot_eager_decomp_partition")
        kept, moved = compiled(x, y), compiled(x, y)
        expected = torch.autograd.grad(loss_fn(x, y), x)
        assert_same(torch.autograd.grad(kept, x), expected)
        loss_fn.gamma.fill_(0.1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            torch.autograd.grad(moved, x)


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_compiled_step_trains_gamma_and_step_weights(backend):
    loss_fn = wlt.SoftDTWLoss(
        "bce_logits", *(nn.Parameter(number.clone()) for number in NUMBERS), backend=backend
    )
    network = nn.Linear(5, 3)
    frames, (_, y) = torch.randn(3, 6, 5), random_batch("bce", dtype=torch.float32)

    def step(frames):
        return loss_fn(network(frames), y, *LENGTHS)

    parameters = (*network.parameters(), *loss_fn.parameters())
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    for _ in range(3):
        assert_same(gradients_of(compiled(frames), *parameters), gradients_of(step(frames), *parameters))
        with torch.no_grad():
            loss_fn.gamma.mul_(0.5)
            loss_fn.step_weights.mul_(0.9)


@pytest.mark.usefixtures("once")
def test_shapes_that_change_are_compiled_once_when_dynamic():
    loss_fn = wlt.SoftDTWLoss("mse")
    compiled = torch.compile(loss_fn, fullgraph=True, dynamic=True, backend="aot_eager")
    for N, M, B in ((6, 4, 5), (9, 5, 2), (7, 11, 4)):
        x, y = random_batch("mse", B, N, M, dtype=torch.float32)
        assert_same(*([loss(x, y)] for loss in (compiled, loss_fn)))


def test_the_default_compiler():
    loss_fn = wlt.SoftDTWLoss("bce_logits", 0.5)
    network = nn.Linear(5, 3)
    frames, (_, y) = torch.randn(3, 6, 5), random_batch("bce", dtype=torch.float32)

    def step(frames):
        return loss_fn(network(frames), y)

    compiled = torch.compile(step, fullgraph=True)
    parameters = tuple(network.parameters())
    assert_same(gradients_of(compiled(frames), *parameters), gradients_of(step(frames), *parameters))


def test_an_exported_loss():
    x, y = random_batch("bce", dtype=torch.float32)
    loss_fn = wlt.SoftDTWLoss("bce", 0.3)
    exported = torch.export.export(loss_fn, (x, y)).module()
    assert_same([exported(x, y)], [loss_fn(x, y)])


def test_bad_values_that_no_one_looked_at_stay_in_their_pair():
    """Under compile nothing is read: a length out of range leaves no path, a bad gamma gives NaN."""
    x, y = random_batch("mse", dtype=torch.float32)
    x.requires_grad_()
    loss_fn = wlt.SoftDTWLoss(reduction="none")
    compiled = torch.compile(loss_fn, fullgraph=True, backend="aot_eager")
    values = compiled(x, y, torch.tensor([6, 0, 7]), torch.tensor([4, 4, 4]))
    assert values.isinf().tolist() == [False, True, True]
    (gradient,) = torch.autograd.grad(values[0], x)
    assert gradient[0].any()
    assert not gradient[1:].any()
    loss_fn.gamma.fill_(-1.0)
    assert compiled(x, y).isnan().all()


def test_shapes_and_numbers_are_checked_while_compiling():
    x, y = random_batch("mse")
    compiled = torch.compile(wlt.soft_dtw_loss, backend="aot_eager")
    with pytest.raises(ValueError, match="the same number of features"):
        compiled(x, y[..., :2])
    with pytest.raises(ValueError, match="unknown cost 'hinge'"):
        compiled(x, y, cost="hinge")


@pytest.fixture
def outputs(monkeypatch):
    """Record the outputs that the core is asked for."""
    seen = []

    def recorded(name):
        def call(*arrays, **arguments):
            seen.append(arguments["outputs"])
            return getattr(_core, name)(*arrays, **arguments)

        return call

    recorder = {name: recorded(name) for name in ("align_padded", "costs_padded")}
    monkeypatch.setattr(core_backend, "_core", types.SimpleNamespace(**recorder))
    return seen


def test_a_compiled_loss_without_gradient_skips_the_backward_sweep(outputs):
    x, y = random_batch("mse", dtype=torch.float32)
    compiled = torch.compile(wlt.SoftDTWLoss(), fullgraph=True, backend="aot_eager")
    compiled(x, y)
    compiled(x.clone().requires_grad_(), y)
    with torch.no_grad():
        compiled(x.requires_grad_(), y)
    assert outputs == [[], ["x_grad"], []]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "bce", "cosine", "l1", lambda x, y: torch.cdist(x, y)])
def test_func_grad_and_vmap(cost, backend):
    x, y = random_batch(cost)
    settings = {"cost": cost, "gamma": 0.5, "step_weights": (0.4, 1.0, 1.3), "backend": backend}

    def loss(x, y, *lengths):
        return wlt.soft_dtw_loss(x, y, *lengths, **settings)

    inputs = x.clone().requires_grad_(), y.clone().requires_grad_()
    expected = torch.autograd.grad(loss(*inputs, *LENGTHS), inputs)
    assert_same(torch.func.grad(loss, argnums=(0, 1))(x, y, *LENGTHS), expected)

    values = wlt.soft_dtw_loss(*inputs, reduction="none", **settings)
    expected = torch.autograd.grad(values.sum(), inputs)
    assert_same([torch.func.vmap(loss)(x, y)], [values.detach()])
    assert_same(torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)))(x, y), expected)
    of_all = torch.func.grad(lambda x, y: torch.func.vmap(loss)(x, y).sum(), argnums=(0, 1))
    assert_same(of_all(x, y), expected)
    assert_same(
        torch.func.vjp(lambda x: torch.func.vmap(loss)(x, y).sum(), x)[1](torch.ones(()).double()),
        expected[:1],
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_transformed_gradient_may_be_compiled(backend):
    x, y = random_batch("mse")
    gradient = torch.func.grad(lambda x, y: wlt.soft_dtw_loss(x, y, gamma=0.5, backend=backend))
    compiled = torch.compile(gradient, fullgraph=True, backend="aot_eager")
    assert_same([compiled(x, y)], [gradient(x, y)])


def test_vmap_over_one_side_lengths_and_gammas():
    x, y = random_batch("mse")
    one = torch.func.vmap(lambda y: wlt.soft_dtw_loss(x[0], y, 5, gamma=0.5))(y)
    assert_same([one], [torch.stack([wlt.soft_dtw_loss(x[0], each, 5, gamma=0.5) for each in y])])
    batches = torch.stack([x, 2 * x], dim=1)  # (B,K,N,D)
    many = torch.func.vmap(
        lambda x, n: wlt.soft_dtw_loss(x, y, n, gamma=0.5, reduction="none"), in_dims=(1, 0), out_dims=1
    )(batches, torch.stack([LENGTHS[0], LENGTHS[0].flip(0)]))
    expected = [
        wlt.soft_dtw_loss(factor * x, y, lengths, gamma=0.5, reduction="none")
        for factor, lengths in ((1, LENGTHS[0]), (2, LENGTHS[0].flip(0)))
    ]
    assert_same([many], [torch.stack(expected, dim=1)])
    gammas = torch.tensor([0.0, 0.1, 2.0], dtype=torch.float64)
    values = torch.func.vmap(lambda gamma: wlt.soft_dtw_loss(x, y, gamma=gamma))(gammas)
    assert_same([values], [torch.stack([wlt.soft_dtw_loss(x, y, gamma=g) for g in gammas.tolist()])])
    slopes = torch.func.vmap(torch.func.grad(lambda gamma: wlt.soft_dtw_loss(x, y, gamma=gamma)))(gammas)
    entropies = torch.stack([wlt.align(x, y, gamma=g).entropy.mean() for g in gammas.tolist()])
    assert_same([slopes], [-entropies])


def test_a_transform_inside_autograd():
    """Parameters outside the transform get their gradients."""
    x, y = random_batch("mse")
    x.requires_grad_()
    total = torch.func.vmap(wlt.soft_dtw_loss)(x, y).sum()
    expected = wlt.soft_dtw_loss(x, y, reduction="sum")
    assert_same(torch.autograd.grad(total, x), torch.autograd.grad(expected, x))


def test_a_second_transform_is_an_error_not_a_number():
    x, y = random_batch("mse")

    def slope(x):
        return torch.func.grad(wlt.soft_dtw_loss)(x, y).sum()

    with pytest.raises(RuntimeError, match=r"torch\.func gives first derivatives only"):
        torch.func.grad(slope)(x)
    with pytest.raises(RuntimeError, match=r"torch\.func gives first derivatives only"):
        slope(x.requires_grad_()).backward()


def test_the_sharp_value_is_refused_where_its_gradient_could_not_be_had():
    x, y = random_batch("mse")
    with pytest.raises(RuntimeError, match=r"sharp=True: is not for torch\.compile and torch\.func"):
        torch.func.grad(lambda x: wlt.soft_dtw_loss(x, y, sharp=True))(x)


def test_a_compiled_gradient_cannot_be_differentiated():
    x, y = random_batch("mse", dtype=torch.float32)
    x.requires_grad_()
    loss = torch.compile(wlt.SoftDTWLoss(), fullgraph=True, backend="aot_eager")(x, y)
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="double backward"):
        gradient.sum().backward()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_compiled_loss_under_autocast(dtype, backend):
    network, loss_fn = nn.Linear(5, 3), wlt.SoftDTWLoss("bce_logits", backend=backend)
    frames, (_, y) = torch.randn(3, 6, 5), random_batch("bce", dtype=torch.float32)

    def step(frames, y):
        with torch.autocast("cpu", dtype=dtype):
            logits = network(frames)
            return loss_fn(logits, y.to(logits.dtype), *LENGTHS)

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    assert compiled(frames, y).dtype == torch.float32
    weight = network.weight
    result, expected = (gradients_of(each(frames, y), weight) for each in (compiled, step))
    for mine, theirs in zip(result, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=2e-2, atol=2e-2)
