"""The habits of every loss: copies, files, threads, precisions, compilers, transforms, schedules, padding."""

import copy
import functools
import io
import pickle
import threading

import pytest
import torch
from torch import distributed, nn

import warplens.torch as wlt

X_LENGTHS, Y_LENGTHS = torch.tensor([7, 6, 5]), torch.tensor([3, 2, 2])


def _random(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.rand(shape, dtype=torch.float64, generator=generator)


class Member:
    """A loss, its scores or predictions x of three items, and its targets."""

    def __init__(self, make, x, *targets, items_axis=0):
        self.make, self.x, self.targets, self.items_axis = make, x, targets, items_axis

    def arguments(self, x, *, device="cpu"):
        return [x, *(target.to(device) for target in (*self.targets, X_LENGTHS, Y_LENGTHS))]

    def value(self, loss, x):
        return loss(*self.arguments(x))

    def gradient(self, loss, x):
        x = x.detach().clone().requires_grad_()
        value = self.value(loss, x)
        value.sum().backward()
        return value.detach(), x.grad

    def of_item(self, item):
        """The arguments of an item alone, without padding."""
        N, M = int(X_LENGTHS[item]), int(Y_LENGTHS[item])
        x = self.x.select(self.items_axis, item)[:N]
        if not self.targets:
            return x[:, :M], N, M
        return x, *(target[item, :M] for target in self.targets), N, M


MEMBERS = {
    "sdtw": Member(functools.partial(wlt.SoftDTWLoss, "mse"), _random(3, 7, 2), _random(3, 3, 2)),
    "amerced": Member(
        functools.partial(wlt.SoftDTWLoss, "bce", step_penalties=(0.1, 0.1, 0.0), open_end="y"),
        0.1 + 0.8 * _random(3, 7, 2),
        _random(3, 3, 2),
    ),
    "ctc": Member(
        functools.partial(wlt.CTCLoss, from_logits=True),
        _random(7, 3, 4),
        torch.tensor([[1, 1, 2], [2, 3, 0], [3, 3, 0]]),
        items_axis=1,
    ),
    "forward-sum": Member(wlt.ForwardSumLoss, _random(3, 7, 3)),
    "forward-sum with a blank": Member(
        functools.partial(wlt.ForwardSumLoss, blank_logprob=-1.0, prior="beta-binomial"), _random(3, 7, 3)
    ),
    "multi-label ctc": Member(
        functools.partial(wlt.MultiLabelCTCLoss, "we", free_between=True, blank_penalty=0.2),
        -_random(3, 7, 3, 2),
        torch.tensor([[[1, 0], [1, 0], [1, 1]], [[0, 1], [0, 0], [0, 0]], [[1, 1], [1, 0], [0, 0]]]),
    ),
    "drop": Member(functools.partial(wlt.DropDTWLoss, 0.2, "bce"), _random(3, 7, 2), _random(3, 3, 2)),
    "drop l1": Member(functools.partial(wlt.DropDTWLoss, 0.2, "l1"), _random(3, 7, 2), _random(3, 3, 2)),
    "drop many to one": Member(
        functools.partial(wlt.DropDTWLoss, 0.2, contiguous=False, many_to_one=True),
        _random(3, 7, 2),
        _random(3, 3, 2),
    ),
}
every_loss = pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)


def assert_equal(found, expected):
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@every_loss
def test_copies_and_files_give_the_same(member):
    loss = member.make(gamma=nn.Parameter(torch.tensor(0.7)))
    expected = member.gradient(loss, member.x)
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    loaded = member.make(gamma=nn.Parameter(torch.tensor(1.0)))
    loaded.load_state_dict(torch.load(file))
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), loaded):
        assert_equal(member.gradient(other, member.x), expected)
    assert "gamma=0.7" in repr(loss)
    assert "reduction='mean'" in repr(loss)


@every_loss
def test_no_cast_rounds_its_numbers(member):
    loss = member.make(gamma=0.1)
    expected = member.gradient(loss, member.x)
    assert loss.half().gamma.dtype == torch.float64
    assert_equal(member.gradient(loss, member.x), expected)


@every_loss
def test_gamma_can_be_scheduled(member):
    loss = member.make()
    schedule = wlt.LinearGamma(loss, 2.0, 0.5, steps=1)
    before = member.gradient(loss, member.x)
    schedule.step()
    after = member.gradient(loss, member.x)
    assert_equal(before, member.gradient(member.make(gamma=2.0), member.x))
    assert_equal(after, member.gradient(member.make(gamma=0.5), member.x))
    with pytest.raises(ValueError, match=r"gamma is an nn\.Parameter"):
        wlt.ConstantGamma(member.make(gamma=nn.Parameter(torch.tensor(1.0))), 1.0)


@every_loss
def test_gamma_may_change_between_forward_and_backward(member):
    loss = member.make()
    expected = member.gradient(loss, member.x)[1]
    x = member.x.clone().requires_grad_()
    value = member.value(loss, x)
    loss.gamma.fill_(3.0)
    value.backward()
    assert torch.equal(x.grad, expected)


@every_loss
def test_two_threads_at_once(member):
    loss, found = member.make(), [None] * 2
    expected = member.gradient(loss, member.x)

    def work(index):
        found[index] = [member.gradient(loss, member.x) for _ in range(10)]

    workers = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for results in found:
        for result in results:
            assert_equal(result, expected)


@pytest.mark.parametrize("backend", ["core", "ops"])
@every_loss
def test_deterministic_algorithms_are_no_obstacle(member, backend):
    loss = member.make(backend=backend)
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (member.gradient(loss, member.x) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert_equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_loss
def test_half_precision_is_computed_in_more(member, dtype):
    loss, x = member.make(), member.x.to(dtype)
    exact, exact_gradient = member.gradient(loss, x.float())
    if member.targets and member.targets[0].is_floating_point():
        member = Member(member.make, x, member.targets[0].to(dtype))
        exact, exact_gradient = Member(
            member.make, x, member.targets[0].float(), items_axis=member.items_axis
        ).gradient(loss, x.float())
    value, gradient = member.gradient(loss, x)
    assert value.dtype == gradient.dtype == dtype
    torch.testing.assert_close(value, exact.to(dtype))
    torch.testing.assert_close(gradient, exact_gradient.to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert member.value(loss, x).dtype == torch.float32


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("backend", ["core", "ops"])
@every_loss
def test_compiled_is_not_compiled(member, backend, reduction):
    gamma = nn.Parameter(torch.tensor(0.8))
    loss = member.make(gamma=gamma, reduction=reduction, backend=backend)

    def plain(x):
        return member.value(loss, x * 0.9)

    torch.compiler.reset()
    results = []
    for function in (torch.compile(plain, fullgraph=True, backend="aot_eager"), plain):
        x = member.x.clone().requires_grad_()
        gamma.grad = None
        value = function(x)
        (value * torch.linspace(1, 2, value.numel()).view(value.shape)).sum().backward()
        results.append((value.detach(), x.grad, gamma.grad))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


@every_loss
def test_transforms_of_torch_func(member):
    loss = member.make()
    x = member.x
    gradient = torch.func.grad(lambda x: member.value(loss, x))(x)
    torch.testing.assert_close(gradient, member.gradient(loss, x)[1])
    many = torch.func.vmap(lambda x: member.value(loss, x))(torch.stack([x, 0.5 * x]))
    torch.testing.assert_close(many, torch.stack([member.value(loss, x), member.value(loss, 0.5 * x)]))


@every_loss
def test_operations_read_no_values(member):
    """On devices that would have to wait for them; `meta` has none at all."""
    loss = member.make(backend="ops").to("meta")
    x = torch.empty(member.x.shape, device="meta", requires_grad=True)
    arguments = member.arguments(x, device="meta")
    loss(*arguments).backward()
    assert x.grad.shape == x.shape
    (gradient,) = torch.autograd.grad(loss(*arguments), x, create_graph=True)
    (product,) = torch.autograd.grad(gradient.sum(), x)
    assert product.shape == x.shape


@every_loss
def test_a_module_that_is_built_on_meta_has_its_settings_when_it_gets_memory(member):
    expected = member.gradient(member.make(gamma=0.7), member.x)
    with torch.device("meta"):
        loss = member.make(gamma=0.7)
    assert "gamma=?" in repr(loss)
    assert_equal(member.gradient(loss.to_empty(device="cpu"), member.x), expected)


@pytest.mark.parametrize("backend", ["core", "ops"])
@every_loss
def test_first_and_second_derivatives(member, backend):
    loss = member.make(backend=backend)
    del loss.gamma  # a buffer, which becomes an argument here

    def value(x, gamma):
        loss.gamma = gamma
        return member.value(loss, x)

    inputs = (member.x.clone().requires_grad_(), torch.tensor(0.8).double().requires_grad_())
    assert torch.autograd.gradcheck(value, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(value, inputs, fast_mode=True)


@pytest.mark.parametrize("backend", ["core", "ops"])
@every_loss
def test_items_do_not_see_their_padding_or_each_other(member, backend):
    loss = member.make(reduction="none", backend=backend)
    expected, expected_gradient = member.gradient(loss, member.x)
    padded = member.x.clone().movedim(member.items_axis, 0)
    for item, (N, M) in enumerate(zip(X_LENGTHS.tolist(), Y_LENGTHS.tolist(), strict=True)):
        padded[item, N:] = torch.nan
        if not member.targets:
            padded[item, :, M:] = torch.nan
    x = padded.movedim(0, member.items_axis)
    assert_equal(member.gradient(loss, x), (expected, expected_gradient))
    padded[1, 2] = torch.nan
    values, gradient = member.gradient(loss, padded.movedim(0, member.items_axis))
    assert values.isnan().tolist() == [False, True, False]
    gradient, expected_gradient = (
        each.movedim(member.items_axis, 0) for each in (gradient, expected_gradient)
    )
    assert torch.equal(gradient[[0, 2]], expected_gradient[[0, 2]])
    assert gradient[1].isnan().any()


@every_loss
def test_reductions_and_single_items(member):
    values = member.value(member.make(reduction="none"), member.x)
    alone = [member.make(reduction="sum")(*member.of_item(item)) for item in range(3)]
    torch.testing.assert_close(torch.stack(alone), values)
    torch.testing.assert_close(member.value(member.make(reduction="sum"), member.x), values.sum())
    mean = values / Y_LENGTHS if isinstance(member.make(), wlt.CTCLoss) else values
    torch.testing.assert_close(member.value(member.make(), member.x), mean.mean())


@every_loss
def test_an_alignment_takes_the_arguments_of_the_loss(member):
    loss = member.make(gamma=nn.Parameter(torch.tensor(0.6)), reduction="none")
    lens = loss.align(*member.arguments(member.x.clone().requires_grad_()))
    value, _ = member.gradient(loss, member.x)
    torch.testing.assert_close(lens.value, value)
    if not (isinstance(loss, wlt.DropDTWLoss) and loss.many_to_one):  # which has a penalty of gamma
        torch.testing.assert_close(-lens.entropy.sum().float(), loss.gamma.grad)
    results = ("value", "h", "y_mod", "H", "E", "visits", "entropy")
    if isinstance(loss, wlt.DropDTWLoss) and loss.cost == "l1":
        results = tuple(name for name in results if name != "y_mod")
    found = [getattr(lens, name) for name in results]
    assert not any(result.requires_grad for result in found)
    if not isinstance(loss, wlt.CTCLoss):
        kept = pickle.loads(pickle.dumps(lens))
        for name, result in zip(results, found, strict=True):
            torch.testing.assert_close(getattr(kept, name), result)
        assert repr(kept) == repr(lens)
    item = lens.H.select(member.items_axis, 1)
    one = loss.align(*member.of_item(1))
    torch.testing.assert_close(item[: one.H.shape[0], : one.H.shape[1]], one.H)


@every_loss
def test_empty_batches_and_items_are_refused(member):
    loss = member.make()
    empty = member.x.narrow(member.items_axis, 0, 0)
    with pytest.raises(ValueError, match="at least one"):
        loss(empty, *(target[:0] for target in member.targets), X_LENGTHS[:0], Y_LENGTHS[:0])


@every_loss
def test_distributed_data_parallel_takes_it_in(member, tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.9, dtype=torch.float64))
            self.loss = member.make(gamma=0.8)

        def forward(self, x):
            return member.value(self.loss, self.scale * x)

    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped, plain = nn.parallel.DistributedDataParallel(Net()), Net()
        for net in (wrapped, plain):
            for _ in range(2):  # buffers are broadcast before each forward pass
                net(member.x).backward()
        assert torch.equal(wrapped.module.scale.grad, plain.scale.grad)
    finally:
        distributed.destroy_process_group()
