"""The module: copies, files, threads, precisions, compilers, transforms and schedules."""

import copy
import io
import pickle
import threading

import pytest
import torch

import warplens.torch as wlt

TARGETS = (torch.tensor([[1, 1, 2], [2, 3, 0]]), torch.tensor([6, 5]), torch.tensor([3, 2]))


def logits(dtype=torch.float32):
    return torch.randn(6, 2, 4, dtype=dtype, generator=torch.Generator().manual_seed(0))


def gradient_of(loss, x, targets=TARGETS):
    x = x.clone().requires_grad_()
    value = loss(x, *targets)
    value.backward()
    return value.detach(), x.grad


def test_copies_and_files_give_the_same():
    loss = wlt.CTCLoss(
        gamma=torch.nn.Parameter(torch.tensor(0.7)), blank_penalty=0.3, log_priors=[-1, -2, -1, -1.5]
    )
    expected = gradient_of(loss, logits())
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    loaded = wlt.CTCLoss(gamma=torch.nn.Parameter(torch.tensor(1.0)), log_priors=[0.0] * 4)
    loaded.load_state_dict(torch.load(file))
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), loaded):
        for a, b in zip(gradient_of(other, logits()), expected, strict=True):
            assert torch.equal(a, b)
    assert set(loss.state_dict()) == {"gamma", "blank_penalty", "log_priors"}
    assert loss.half().blank_penalty.dtype == torch.float64
    assert "gamma=0.7" in repr(loss)
    assert "blank_penalty=0.3" in repr(loss)


def test_gamma_can_be_scheduled():
    loss = wlt.CTCLoss(from_logits=True)
    schedule = wlt.PiecewiseGamma(loss, [(0, 2.0), (1, 0.5)])
    before = gradient_of(loss, logits())[0]
    schedule.step()
    after = gradient_of(loss, logits())[0]
    assert torch.equal(before, gradient_of(wlt.CTCLoss(from_logits=True, gamma=2.0), logits())[0])
    assert torch.equal(after, gradient_of(wlt.CTCLoss(from_logits=True, gamma=0.5), logits())[0])


def test_two_threads_at_once_and_any_number_of_them():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(120, 9, 30, generator=generator)
    targets = (torch.randint(1, 30, (9, 25), generator=generator), (120,) * 9, tuple(range(5, 14)))
    loss = wlt.CTCLoss(from_logits=True)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = gradient_of(loss, x, targets)
        torch.set_num_threads(3)
        found = [None] * 4

        def work(index):
            found[index] = [gradient_of(loss, x, targets) for _ in range(5)]

        workers = [threading.Thread(target=work, args=(index,)) for index in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        torch.set_num_threads(threads)
    for results in found:
        for result in results:
            assert all(torch.equal(a, b) for a, b in zip(result, expected, strict=True))


@pytest.mark.parametrize("backend", ["core", "ops"])
def test_deterministic_algorithms_are_no_obstacle(backend):
    loss = wlt.CTCLoss(from_logits=True, backend=backend)
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (gradient_of(loss, logits()) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    x = logits().to(dtype)
    loss = wlt.CTCLoss(from_logits=True)
    value, gradient = gradient_of(loss, x)
    exact, exact_gradient = gradient_of(loss, x.float())
    assert value.dtype == gradient.dtype == dtype
    assert torch.equal(value, exact.to(dtype))
    assert torch.equal(gradient, exact_gradient.to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss(x, *TARGETS).dtype == torch.float32


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("backend", ["core", "ops"])
def test_compiled_is_not_compiled(reduction, backend):
    penalty = torch.nn.Parameter(torch.tensor(0.2))
    loss = wlt.CTCLoss(reduction=reduction, from_logits=True, blank_penalty=penalty, backend=backend)
    compiled = torch.compile(lambda x: loss(x * 1.5, *TARGETS), fullgraph=True, backend="aot_eager")
    results = []
    for f in (compiled, lambda x: loss(x * 1.5, *TARGETS)):
        x = logits().requires_grad_()
        penalty.grad = None
        value = f(x)
        (value * torch.linspace(1, 2, value.numel()).reshape(value.shape)).sum().backward()
        results.append((value.detach(), x.grad, penalty.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_operator_keeps_the_rules_of_torch_library():
    x = logits(torch.float64).requires_grad_()
    numbers = [torch.tensor(number).double() for number in (1.0, 0.2)]
    scale = torch.tensor([0.5, 0.25]).double()
    arguments = (x, *numbers, *TARGETS, None, scale, 0, 1.0, False, True, False, "core", [True] + 2 * [False])
    tests = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(torch.ops.warplens.frame_synchronous.default, arguments, test_utils=tests)


def test_transforms_of_torch_func():
    loss = wlt.CTCLoss(from_logits=True)
    x = logits(torch.float64)
    gradient = torch.func.grad(lambda x: loss(x, *TARGETS))(x)
    torch.testing.assert_close(gradient, gradient_of(loss, x)[1])
    many = torch.func.vmap(lambda x: loss(x, *TARGETS))(torch.stack([x, 2 * x]))
    torch.testing.assert_close(many, torch.stack([loss(x, *TARGETS), loss(2 * x, *TARGETS)]))


def test_meta_tensors_of_the_operator():
    x = logits().to("meta")
    numbers = [torch.tensor(1.0, device="meta", dtype=torch.float64) for _ in range(2)]
    others = [tensor.to("meta") for tensor in TARGETS]
    outputs = torch.ops.warplens.frame_synchronous(
        x, *numbers, *others, None, None, 0, 1.0, False, True, False, "core", [True, True, False]
    )
    assert [tuple(each.shape) for each in outputs] == [(2,), (6, 2, 4), (2,), (0,)]


def test_operations_read_no_values():
    """On devices that would have to wait for them; `meta` has none at all."""
    x = torch.empty(6, 2, 4, device="meta", requires_grad=True)
    targets = [tensor.to("meta") for tensor in TARGETS]
    loss = wlt.CTCLoss(from_logits=True, free_between=True, blank_penalty=0.5)
    loss(x, *targets).backward()
    assert x.grad.shape == x.shape
    (gradient,) = torch.autograd.grad(loss(x, *targets), x, create_graph=True)
    (product,) = torch.autograd.grad(gradient.sum(), x)
    assert product.shape == x.shape
    lens = loss.align(x, *targets)
    assert lens.y_mod.shape == (6, 2, 4)
    assert lens.E.shape == (6, 2, 7)


def test_a_module_that_is_built_on_meta_has_its_settings_when_it_gets_memory():
    kwargs = {"gamma": 0.7, "blank_penalty": 0.3, "log_priors": [-0.1, -2.0, -1.0, -1.5]}
    expected = gradient_of(wlt.CTCLoss(**kwargs), logits())
    with torch.device("meta"):
        loss = wlt.CTCLoss(**kwargs)
    assert "gamma=?" in repr(loss)
    found = gradient_of(loss.to_empty(device="cpu"), logits())
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
