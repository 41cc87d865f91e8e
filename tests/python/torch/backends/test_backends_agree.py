"""The core, the torch operations and the NumPy functions give the same."""

import gc
import pathlib
import types
import weakref

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS, COSTS_WITH_TARGETS

import warplens as wl
import warplens.torch as wlt
from warplens import _core
from warplens.torch.backends import core as core_backend

REAL = pathlib.Path(__file__).parents[5] / "shared" / "data" / "real"
LENGTHS = ([25, 17, 1, 9], [14, 20, 6, 1])


def batch(cost, **changes):
    x, y = random_batch(cost, B=4, N=25, M=20, D=6, **changes)
    return x, y


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.0, 0.7, 2.0)])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 1.0, 10.0])
@pytest.mark.parametrize("cost", COSTS)
def test_core_and_operations_agree(cost, gamma, weights):
    x, y = batch(cost)
    computed = {}
    for backend in BACKENDS:
        inputs = [
            x.clone().requires_grad_(),
            y.clone().requires_grad_(),
            torch.tensor(gamma, dtype=torch.float64, requires_grad=True),
            torch.tensor(weights, dtype=torch.float64, requires_grad=True),
        ]
        values = wlt.soft_dtw_loss(
            *inputs[:2],
            *LENGTHS,
            cost=cost,
            gamma=inputs[2],
            step_weights=inputs[3],
            reduction="none",
            backend=backend,
        )
        values.sum().backward()
        computed[backend] = [values.detach(), *(tensor.grad for tensor in inputs)]
    for core, ops in zip(*computed.values(), strict=True):
        torch.testing.assert_close(core, ops, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.0, 1.0, 1.0)])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 1.0, 10.0])
def test_alignments_agree_with_the_numpy_functions(gamma, weights):
    for cost in COSTS:
        x, y = batch(cost)
        settings = {"cost": cost, "gamma": gamma, "step_weights": weights}
        for backend in BACKENDS:
            alignment = wlt.align(x, y, *LENGTHS, **settings, backend=backend)
            for index, (n, m) in enumerate(zip(*LENGTHS, strict=True)):
                truth = wl.align(x[index, :n].numpy(), y[index, :m].numpy(), **settings)
                assert alignment.value[index].item() == pytest.approx(truth.value, rel=1e-9)
                assert alignment.entropy[index].item() == pytest.approx(truth.entropy, abs=1e-9)
                pairs = [("H", (n, m)), ("E", (n, m)), ("H_tilde", (n, m)), ("h", (n,))]
                if cost in COSTS_WITH_TARGETS:
                    pairs.append(("y_mod", (n, x.shape[2])))
                for name, shape in pairs:
                    padded = getattr(alignment, name)[index].numpy()
                    own = padded[tuple(slice(size) for size in shape)]
                    np.testing.assert_allclose(own, getattr(truth, name), rtol=0, atol=1e-9, err_msg=name)
                    assert np.count_nonzero(padded) == np.count_nonzero(own)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "band", [wl.SakoeChiba(0), wl.SakoeChiba(2.5), wl.SakoeChiba(6), wl.Itakura(1.0), wl.Itakura(2.0)]
)
def test_a_band_is_laid_into_each_pair_by_its_lengths(band, backend):
    x, y = batch("mse")
    lengths = [25, 17, 1, 9], [20, 20, 6, 9]
    values = wlt.soft_dtw_loss(x, y, *lengths, band=band, reduction="none", backend=backend)
    for index, (n, m) in enumerate(zip(*lengths, strict=True)):
        try:
            truth = wl.soft_dtw(x[index, :n].numpy(), y[index, :m].numpy(), band=band)
        except wl.NoPathError:
            truth = float("inf")
        assert values[index].item() == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (2, 9), (9, 9), (31, 7), (7, 31)])
def test_bands_agree_cell_by_cell(shape):
    C = torch.zeros(shape, dtype=torch.float64)
    for band in [wl.SakoeChiba(r) for r in (0, 0.5, 1, 2, 3, 5)] + [wl.Itakura(s) for s in (1, 1.5, 2, 3, 8)]:
        core, ops = (torch.zeros_like(C).requires_grad_() for _ in BACKENDS)
        values = [
            wlt.soft_dtw_from_costs(costs, band=band, backend=backend)
            for costs, backend in zip((core, ops), BACKENDS, strict=True)
        ]
        sum(values).backward()
        assert values[0].item() == pytest.approx(values[1].item(), rel=1e-12)
        torch.testing.assert_close(core.grad, ops.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cost", ["mse", "bce", "bce_logits", "cosine", "euclidean", "l1"])
def test_feature_weights_agree_with_the_numpy_functions(cost):
    x, y = batch(cost)
    feature_weights = np.array([0.5, 0.0, 2.0, 1.0, 1.0, 0.3])
    settings = {"cost": cost, "feature_weights": feature_weights}
    if cost.startswith("bce"):
        settings["pos_weight"] = np.array([1.0, 2.0, 3.0, 0.5, 0.0, 1.0])
    if cost not in ("cosine", "euclidean"):
        settings["feature_reduction"] = "mean"
    for backend in BACKENDS:
        values = wlt.soft_dtw_loss(x, y, reduction="none", backend=backend, **settings)
        for index in range(len(x)):
            assert values[index].item() == pytest.approx(
                wl.soft_dtw(x[index].numpy(), y[index].numpy(), **settings), rel=1e-9
            )


def test_mean_over_features_is_the_sum_divided():
    x, y = batch("mse")
    for backend in BACKENDS:
        mean = wlt.soft_dtw_loss(x, y, gamma=0.1, feature_reduction="mean", backend=backend)
        summed = wlt.soft_dtw_loss(x, y, gamma=0.1 * 6, backend=backend)
        assert mean.item() == pytest.approx(summed.item() / 6, rel=1e-12)


@pytest.mark.parametrize("N_M", [(861, 100), (100, 861)])
def test_float32_of_the_core_is_near_the_float64_of_the_operations(N_M):
    x, y = random_batch("bce", 1, *N_M, 16)
    truth = wlt.align(x, y, cost="bce", gamma=0.1, step_weights=(0.1, 1, 1), backend="ops")
    narrow = wlt.align(x.float(), y.float(), cost="bce", gamma=0.1, step_weights=(0.1, 1, 1), backend="core")
    assert narrow.value.item() == pytest.approx(truth.value.item(), rel=1e-6)
    torch.testing.assert_close(narrow.H.double(), truth.H, rtol=0, atol=1e-4)


@pytest.mark.skipif(not REAL.is_dir(), reason="real predictions are not here")
@pytest.mark.parametrize("name", ["schubert-d911-11", "mtd-8330-sibelius"])
def test_backends_agree_on_real_predictions(name):
    with np.load(REAL / f"{name}.npz") as item:
        x, y = (torch.from_numpy(item[key].astype(np.float64)) for key in ("predictions", "weak"))
        cost = str(item["cost"])
    for gamma in (0.1, 10.0):
        core, ops = (
            wlt.align(x, y, cost=cost, gamma=gamma, step_weights=(0.1, 1, 1), backend=backend)
            for backend in BACKENDS
        )
        assert core.value.item() == pytest.approx(ops.value.item(), rel=1e-9)
        torch.testing.assert_close(core.H, ops.H, rtol=0, atol=1e-9)
        torch.testing.assert_close(core.y_mod, ops.y_mod, rtol=0, atol=1e-9)


@pytest.fixture
def calls(monkeypatch):
    """Record the calls of the core."""
    seen = []

    def recorded(name):
        def call(*arrays, **arguments):
            seen.append((arrays, arguments))
            return getattr(_core, name)(*arrays, **arguments)

        return call

    names = ("align_padded", "costs_padded")
    recorder = types.SimpleNamespace(**{name: recorded(name) for name in names})
    monkeypatch.setattr(core_backend, "_core", recorder)
    return seen


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contiguous_tensors_are_read_in_place(calls, dtype):
    x, y = batch("mse", dtype=dtype)
    wlt.soft_dtw_loss(x.requires_grad_(), y)
    C = torch.rand(2, 5, 4, dtype=dtype)
    wlt.soft_dtw_from_costs(C)
    ((x_seen, y_seen), _), ((C_seen,), _) = calls
    for seen, tensor in ((x_seen, x), (y_seen, y), (C_seen, C)):
        assert np.shares_memory(seen, tensor.detach().numpy())


def test_only_what_is_needed_is_computed(calls):
    x, y = batch("mse")
    gamma = torch.tensor(1.0, requires_grad=True)
    wlt.soft_dtw_loss(x, y)
    wlt.soft_dtw_loss(x.requires_grad_(), y)
    wlt.soft_dtw_loss(x, y.requires_grad_())
    wlt.soft_dtw_loss(x.detach(), y.detach(), gamma=gamma)
    with torch.no_grad():
        wlt.soft_dtw_loss(x, y, gamma=gamma)
    assert [arguments["outputs"] for _, arguments in calls] == [
        [],
        ["x_grad"],
        ["x_grad", "y_grad"],
        ["moments"],
        [],
    ]


def test_threads_follow_torch(calls):
    x, y = batch("mse")
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(torch.autograd.grad(wlt.soft_dtw_loss(x.requires_grad_(), y), x)[0])
    finally:
        torch.set_num_threads(before)
    assert [arguments["threads"] for _, arguments in calls] == [1, 2, 5]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_keeps_a_batch_alive(backend):
    x, y = batch("mse")
    x.requires_grad_()
    loss_fn = wlt.SoftDTWLoss(backend=backend)
    loss = loss_fn(x, y)
    loss.backward()
    watched = [weakref.ref(tensor) for tensor in (x, y, loss)]
    del x, y, loss
    gc.collect()
    assert [watch() for watch in watched] == [None, None, None]


@pytest.mark.parametrize("backend", BACKENDS)
def test_strided_tensors(backend):
    x, y = batch("mse")
    plain = wlt.soft_dtw_loss(x, y, backend=backend)
    strided = x.mT.contiguous().mT.requires_grad_()
    value = wlt.soft_dtw_loss(strided, y.flip(0).flip(0), backend=backend)
    value.backward()
    assert torch.equal(plain, value)
    assert strided.grad.shape == x.shape


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_and_returned_in_its_dtype(dtype, backend):
    x, y = batch("mse")
    x, y = x.to(dtype), y.to(dtype)
    wide = x.float().requires_grad_()
    truth = wlt.soft_dtw_loss(wide, y.float(), *LENGTHS, backend=backend)
    truth.backward()
    x.requires_grad_()
    value = wlt.soft_dtw_loss(x, y, *LENGTHS, backend=backend)
    value.backward()
    assert value.dtype == dtype
    assert torch.equal(value, truth.to(dtype))
    assert x.grad.dtype == dtype
    assert torch.equal(x.grad, wide.grad.to(dtype))
    costs = torch.cdist(wide.detach(), y.float()).to(dtype).requires_grad_()
    from_costs = wlt.soft_dtw_from_costs(costs, *LENGTHS, backend=backend)
    from_costs.backward()
    assert from_costs.dtype == costs.grad.dtype == dtype
    # Autocast widens it, as it does the losses of PyTorch: there a scaled loss must not overflow.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wide_value = wlt.soft_dtw_loss(x, y, *LENGTHS, backend=backend)
    assert wide_value.dtype == torch.float32
    assert torch.equal(wide_value, truth)


@pytest.mark.parametrize("backend", BACKENDS)
def test_mixed_dtypes_are_promoted(backend):
    x, y = batch("mse")
    x32, y64 = x.float().requires_grad_(), y.requires_grad_()
    value = wlt.soft_dtw_loss(x32, y64, backend=backend)
    value.backward()
    assert (value.dtype, x32.grad.dtype, y64.grad.dtype) == (torch.float64, torch.float32, torch.float64)
    multi_hot = y > 0
    integers = wlt.soft_dtw_loss(x.float(), multi_hot.long(), backend=backend)
    assert integers.dtype == torch.float32
    bits = wlt.soft_dtw_loss(x.bfloat16(), multi_hot, backend=backend)
    assert bits.dtype == torch.bfloat16
    assert torch.equal(integers, wlt.soft_dtw_loss(x.float(), multi_hot.float(), backend=backend))
    assert torch.equal(integers, wlt.soft_dtw_loss(x.float(), multi_hot, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast_changes_nothing_inside_the_loss(backend):
    x, y = batch("mse", dtype=torch.float32)
    for cost in COSTS:
        x, y = batch(cost, dtype=torch.float32)
        plain = wlt.soft_dtw_loss(x, y, cost=cost, backend=backend)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(plain, wlt.soft_dtw_loss(x, y, cost=cost, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int64])
def test_a_callable_cost_may_return_any_dtype(dtype, backend):
    x, y = batch("mse", dtype=torch.float32)

    def cost(x, y):
        return (8.0 * torch.cdist(x, y)).to(dtype)

    computed = wlt.soft_dtw_loss(x, y, cost=cost, backend=backend)
    truth = wlt.soft_dtw_from_costs(cost(x, y).double(), backend=backend)
    assert computed.dtype == torch.float32
    assert computed.item() == pytest.approx(truth.item(), rel=1e-5)
