"""The general model under compilers, transforms, autocast and deterministic mode, and on other devices."""

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from operations_watched import Watched
from torch import nn

import warplens as wl
import warplens.torch as wlt

LENGTHS = torch.tensor([6, 3, 5]), torch.tensor([4, 4, 2])
CASES = {
    "amerced": {"step_penalties": (0.1, 0.3, 0.0)},
    "open ends": {"open_begin": "y", "open_end": "both", "skip_penalty": (0.1, 0.2)},
    "steps": {"steps": [wl.Step(1, 1), wl.Step(1, 0, 0.5, 0.1), wl.Step(2, 1)]},
    "hard": {"open_end": "x", "minimum": "hardmin"},
}


def learned(name):
    """Return a module of the case with parameters wherever there are numbers."""
    settings = dict(CASES[name])
    if name == "amerced":
        settings["step_penalties"] = nn.Parameter(torch.tensor(settings["step_penalties"]))
    if name == "open ends":
        settings["skip_penalty"] = nn.Parameter(torch.tensor(settings["skip_penalty"]))
    if name == "steps":
        settings["steps"] = [
            wl.Step(1, 1, 1.0, nn.Parameter(torch.zeros(6, 1))),
            *CASES["steps"]["steps"][1:],
        ]
    return wlt.SoftDTWLoss(gamma=nn.Parameter(torch.tensor(0.6)), **settings)


def step(function, loss, x, y):
    loss.zero_grad()
    x = x.detach().clone().requires_grad_()
    value = function(x, y, *LENGTHS)
    value.backward()
    return [value.detach(), x.grad, *(parameter.grad for parameter in loss.parameters())]


@pytest.fixture
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_a_compiled_module_is_the_module(name, backend):
    loss = learned(name)
    loss.backend = backend
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for seed in range(2):
        x, y = random_batch("mse", seed=seed)
        for a, b in zip(step(compiled, loss, x, y), step(loss, loss, x, y), strict=True):
            torch.testing.assert_close(a, b)
        with torch.no_grad():
            loss.gamma.mul_(0.5)  # compiles nothing anew


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("name", CASES)
def test_a_compiled_function_takes_numbers(name):
    x, y = random_batch("bce_logits")

    def loss(x):
        return wlt.soft_dtw_loss(x, y.sigmoid(), cost="bce_logits", gamma=0.5, **CASES[name])

    torch.testing.assert_close(torch.compile(loss, fullgraph=True, backend="aot_eager")(x), loss(x))


@pytest.mark.usefixtures("fresh_compiler")
def test_lengths_that_change_are_compiled_once_when_dynamic():
    loss = wlt.SoftDTWLoss(step_penalties=(0.1, 0.1, 0.0), open_end="both", skip_penalty=0.1)
    compiled = torch.compile(loss, fullgraph=True, dynamic=True, backend="aot_eager")
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for N in (6, 7, 9):  # no size is that of another axis
        x, y = random_batch("mse", N=N, M=N - 2)
        lengths = torch.tensor([N, N - 1, 3])
        torch.testing.assert_close(compiled(x, y, lengths), loss(x, y, lengths))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before + 1


@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_plain_soft_dtw_stays_plain():
    x, y = random_batch("mse")
    seen = []

    def look(graph, inputs):
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    torch.compile(wlt.SoftDTWLoss(), fullgraph=True, backend=look)(x.requires_grad_(), y)
    assert any("soft_dtw_of_pairs" in target for target in seen)
    assert not any("model_of_costs" in target for target in seen)


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize(
    ("compiler", "message"),
    [("aot_eager", "double backward"), ("eager", "compiled, .* first derivatives only")],
)
def test_a_compiled_gradient_of_the_model_cannot_be_differentiated(compiler, message):
    x, y = random_batch("mse")
    x.requires_grad_()
    value = torch.compile(wlt.SoftDTWLoss(open_end="x"), fullgraph=True, backend=compiler)(x, y)
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(RuntimeError, match=message):
        gradient.sum().backward()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wanted", [True, False])
def test_opcheck_of_the_model(wanted, backend):
    C = torch.rand(2, 4, 3, dtype=torch.float64)
    tensors = [torch.tensor(0.7, dtype=torch.float64)]
    tensors += [
        torch.rand(shape, dtype=torch.float64) for shape in ((1, 1, 1), (2, 4, 1), (1, 4, 3), (1, 1, 1))
    ]
    tensors += [torch.rand(1, 1, 1, dtype=torch.float64), torch.rand(2, 1, 3, dtype=torch.float64)]
    for tensor in (C, *tensors):
        tensor.requires_grad_(wanted)
    arguments = (
        *(C, None, torch.tensor([3, 2]), tensors, [1, 1, 1, 0], "corner", "row", False, 0, backend),
        [wanted] * (1 + len(tensors)),
    )
    torch.library.opcheck(torch.ops.warplens.model_of_costs, arguments)


@pytest.mark.parametrize("name", CASES)
def test_transforms_give_gradients_of_any_order(name):
    x, y = random_batch("mse", B=2, N=4, M=3)

    def loss(x):
        return wlt.soft_dtw_loss(x, y, gamma=0.6, **CASES[name])

    gradient = torch.func.grad(loss)(x)
    x.requires_grad_()
    torch.testing.assert_close(gradient, torch.autograd.grad(loss(x), x)[0])
    many = torch.stack([x.detach(), 2 * x.detach()])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(many)[0], gradient)
    hessian = torch.func.jacrev(torch.func.grad(loss))(x.detach())
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(loss, x))


def test_gammas_and_penalties_can_be_mapped():
    x, y = random_batch("mse")
    gammas, penalties = torch.tensor([0.0, 0.3, 2.0]), torch.rand(3, 3)

    def loss(gamma, penalty):
        return wlt.soft_dtw_loss(x, y, gamma=gamma, step_penalties=penalty)

    got = torch.func.vmap(loss)(gammas, penalties)
    expected = torch.stack([loss(*each) for each in zip(gammas, penalties, strict=True)])
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing_inside_the_model(dtype, backend):
    x, y = (tensor.to(dtype) for tensor in random_batch("mse"))
    settings = {"step_penalties": (0.1, 0.2, 0.0), "open_end": "x", "backend": backend}
    expected = wlt.soft_dtw_loss(x.float(), y.float(), **settings)
    with torch.autocast("cpu", torch.bfloat16):
        x.requires_grad_()
        loss = wlt.soft_dtw_loss(x, y, **settings)
        loss.backward()
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)
    assert x.grad.dtype == dtype
    assert wlt.soft_dtw_loss(x, y, **settings).dtype == dtype


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_deterministic_mode_gives_the_same_bits(name, backend):
    loss = learned(name)
    loss.backend = backend
    x, y = random_batch("mse")
    expected = step(loss, loss, x, y)
    torch.use_deterministic_algorithms(True)
    try:
        got = step(loss, loss, x, y)
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x, y, *LENGTHS), x, create_graph=True)
        torch.autograd.grad(gradient.square().sum(), x)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_the_model_waits_for_a_device(name):
    """Tensors of the meta device have no values to wait for."""
    x = torch.empty(3, 6, 2, device="meta", requires_grad=True)
    y = torch.empty(3, 4, 2, device="meta", requires_grad=True)
    lengths = torch.empty(3, dtype=torch.int64, device="meta")
    loss = learned(name).to("meta")
    with Watched((x, y)) as watched:
        value = loss(x, y, lengths, lengths)
        value.backward()
        got = wlt.align(x, y, lengths, None, gamma=0.5, **CASES[name])
        _ = got.H_tilde, got.step_posteriors
    assert watched.waiting == []
    assert value.device.type == "meta"
    for tensor in (x, y, *loss.parameters()):
        assert tensor.grad.shape == tensor.shape
        assert tensor.grad.device.type == "meta"


def test_numbers_on_the_host_serve_costs_on_a_device():
    C = torch.empty(3, 6, 4, device="meta", requires_grad=True)
    with Watched((C,)) as watched:
        loss = wlt.soft_dtw_from_costs(
            C,
            [6, 3, 5],
            gamma=0.5,
            steps=[wl.Step(1, 1), wl.Step(1, 0, 1.0, 0.2)],
            entry=0.0,
            exit_weight=1.0,
        )
        loss.backward()
    assert watched.waiting == []
    assert C.grad.shape == C.shape


@pytest.mark.parametrize("turned", [False, True])
def test_work_is_a_few_operations_a_line(turned):
    def work(N, M):
        C = torch.empty(2, *((M, N) if turned else (N, M)), device="meta", requires_grad=True)
        with Watched((C,)) as watched:
            wlt.soft_dtw_from_costs(C, step_penalties=(0.1, 0.1, 0.0)).backward()
        return watched.work

    assert work(40, 8) - work(20, 8) <= 20 * 20
    assert work(40, 16) - work(40, 8) <= 8 * 20


def test_triton_takes_plain_soft_dtw_alone(monkeypatch):
    x, y = random_batch("mse")
    with pytest.raises(ValueError, match=r"backend: 'triton' takes plain soft DTW alone; .*'ops'"):
        wlt.soft_dtw_loss(x, y, open_end="x", backend="triton")
    with pytest.raises(ValueError, match="backend: 'triton' takes plain"):
        wlt.align(x, y, step_penalties=(0.1, 0.1, 0.0), backend="triton")
    with pytest.raises(ValueError, match="backend: is 'cuda'"):
        wlt.soft_dtw_loss(x, y, open_end="x", backend="cuda")
    expected = wlt.soft_dtw_loss(x, y, open_end="x")
    for name in ("triton", "ops", "core"):
        monkeypatch.setenv("WARPLENS_BACKEND", name)
        torch.testing.assert_close(wlt.soft_dtw_loss(x, y, open_end="x"), expected)
