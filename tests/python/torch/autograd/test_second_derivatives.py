"""Second derivatives: finite differences of the gradient, every path, and laws of a Hessian."""

import weakref

import numpy as np
import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from oracles.costs import COSTS
from oracles.every_path import paths
from torch.autograd import grad, gradgradcheck

import warplens as wl
import warplens.torch as wlt

LENGTHS = ([4, 2], [3, 3])
WEIGHTS = ((1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.0, 0.7, 1.6))


def number(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def numbers(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def check_twice(function, backend, inputs):
    """Check every entry for the core, random projections for torch operations, which take longer here."""
    return gradgradcheck(function, inputs, fast_mode=backend == "ops")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", COSTS)
def test_gradgradcheck_of_sequences_gamma_and_step_weights(cost, backend):
    x, y = random_batch(cost, B=2, N=4, M=3, D=2)

    def loss(x, y, gamma, weights):
        return wlt.soft_dtw_loss(
            x, y, *LENGTHS, cost=cost, gamma=gamma, step_weights=weights, reduction="none", backend=backend
        )

    inputs = (x.requires_grad_(), y.requires_grad_(), number(0.7), number([0.4, 1.0, 1.3]))
    assert check_twice(loss, backend, inputs)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("band", [None, wl.SakoeChiba(2.0), wl.Itakura(2.5)])
@pytest.mark.parametrize(("gamma", "weights"), list(zip((0.1, 1.0, 10.0), WEIGHTS, strict=True)))
def test_gradgradcheck_of_costs(gamma, weights, band, backend):
    forbidden = torch.zeros(4, 5, dtype=torch.bool)
    forbidden[1, 2] = forbidden[2, 0] = True

    def loss(C, gamma, weights):
        C = C.masked_fill(forbidden, torch.inf)
        return wlt.soft_dtw_from_costs(
            C, [4, 3], [5, 3], gamma=gamma, step_weights=weights, band=band, normalize="both", backend=backend
        )

    C = numbers(2, 4, 5).requires_grad_()
    # Finite differences need weights that can be lowered.
    weights = torch.tensor(weights, dtype=torch.float64).clamp(min=0.01).requires_grad_()
    assert check_twice(loss, backend, (C, number(gamma), weights))


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradgradcheck_of_a_callable_cost_with_its_own_parameter(backend):
    x, y = random_batch("mse", B=2, N=4, M=3, D=2)

    def loss(x, y, scale):
        def cost(x, y):
            return (scale * (x.unsqueeze(2) - y.unsqueeze(1)).cosh()).sum(-1)

        return wlt.soft_dtw_loss(x, y, *LENGTHS, cost=cost, reduction="none", backend=backend)

    assert check_twice(loss, backend, (x.requires_grad_(), y.requires_grad_(), number([0.5, 1.5])))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cost", ["mse", "bce", "bce_logits", "ce_logits", "cosine", "euclidean", "l1"])
def test_gradgradcheck_with_weighted_features(cost, backend):
    x, y = random_batch(cost, B=1, N=4, M=3)
    pos_weight = [0.5, 3.0, 1.0] if cost.startswith("bce") else None

    def loss(x, y):
        return wlt.soft_dtw_loss(
            x, y, cost=cost, feature_weights=[0.5, 0.2, 2.0], pos_weight=pos_weight, backend=backend
        )

    assert check_twice(loss, backend, (x.requires_grad_(), y.requires_grad_()))


def hessian_by_every_path(C, gamma, weights):
    """Return the Hessian of SDTW(C, gamma, w), in this order of coordinates.

    Let a path charge A = sum w_s C. Then SDTW = -gamma log sum exp(-A/gamma), its gradient in C and w is the
    mean of A' = dA/d(C, w), and the Hessian is the mean of A'' - Cov(A', A')/gamma; in gamma, -Var(A)/gamma^3
    and Cov(A, A')/gamma^2.
    """
    N, M = C.shape
    size = N * M + 3
    charges, gradients, curvatures = [], [], []
    for path in paths(N, M):
        gradient, curvature = np.zeros(size), np.zeros((size, size))
        for n, m, s in path:
            cell = n * M + m
            gradient[cell] += weights[s]
            gradient[N * M + s] += C[n, m]
            curvature[cell, N * M + s] += 1.0
            curvature[N * M + s, cell] += 1.0
        charges.append(sum(weights[s] * C[n, m] for n, m, s in path))
        gradients.append(gradient)
        curvatures.append(curvature)
    charges, gradients = np.array(charges), np.array(gradients)
    shares = np.exp(-(charges - charges.min()) / gamma)
    shares /= shares.sum()
    of_A, of_gradient = charges - shares @ charges, gradients - shares @ gradients
    hessian = np.zeros((size + 1, size + 1))
    hessian[:-1, :-1] = np.tensordot(shares, np.array(curvatures), 1)
    hessian[:-1, :-1] -= (of_gradient * shares[:, None]).T @ of_gradient / gamma
    hessian[-1, :-1] = hessian[:-1, -1] = (shares * of_A) @ of_gradient / gamma**2
    hessian[-1, -1] = -shares @ of_A**2 / gamma**3
    return hessian


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
def test_the_hessian_is_that_of_every_path(gamma, weights, backend):
    for N, M in [(1, 1), (1, 4), (4, 1), (2, 3), (4, 4)]:
        C = 2.0 * numbers(N, M, seed=N) - 0.5
        inputs = (C, torch.tensor(weights, dtype=torch.float64), torch.tensor(gamma, dtype=torch.float64))

        def loss(C, weights, gamma):
            return wlt.soft_dtw_from_costs(C, gamma=gamma, step_weights=weights, backend=backend)

        blocks = torch.autograd.functional.hessian(loss, inputs)
        rows = [
            torch.cat([block.reshape(a.numel(), b.numel()) for block, b in zip(row, inputs, strict=True)], 1)
            for row, a in zip(blocks, inputs, strict=True)
        ]
        truth = hessian_by_every_path(C.numpy(), gamma, weights)
        torch.testing.assert_close(torch.cat(rows), torch.from_numpy(truth), rtol=1e-10, atol=1e-10 / gamma)


def penalty(x, y, backend, **arguments):
    """Return the gradient of |dSDTW/dx|^2, which a gradient penalty adds to a step."""
    x = x.detach().requires_grad_()
    loss = wlt.soft_dtw_loss(x, y, backend=backend, reduction="sum", **arguments)
    (first,) = grad(loss, x, create_graph=True)
    return grad(first.square().sum(), x)[0]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("cost", ["mse", "bce"])
@pytest.mark.parametrize(("N", "M"), [(90, 17), (17, 90), (33, 33)])
def test_backends_agree_and_float32_follows_float64(N, M, cost, weights):
    x, y = random_batch(cost, N=N, M=M)
    arguments = {"cost": cost, "step_weights": weights, "gamma": 0.5}
    lengths = ([N, N // 2, N - 3], [M - 2, M, M])
    truth = penalty(x, y, "core", x_lengths=lengths[0], y_lengths=lengths[1], **arguments)
    other = penalty(x, y, "ops", x_lengths=lengths[0], y_lengths=lengths[1], **arguments)
    scale = truth.abs().max().item()
    torch.testing.assert_close(other, truth, rtol=0, atol=1e-11 * scale)
    for backend in BACKENDS:
        narrow = penalty(
            x.float(), y.float(), backend, x_lengths=lengths[0], y_lengths=lengths[1], **arguments
        )
        assert narrow.dtype == torch.float32
        torch.testing.assert_close(narrow.double(), truth, rtol=0, atol=1e-5 * scale)


def test_products_have_the_same_bits_for_any_number_of_threads():
    x, y = random_batch("bce", B=5, N=40, M=33)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(penalty(x, y, "core", x_lengths=[40, 11, 23, 40, 31], cost="bce"))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("band", [None, wl.SakoeChiba(12.0)])
@pytest.mark.parametrize("cost", COSTS)
def test_the_core_follows_directions_as_torch_operations_do(cost, band, dtype):
    """Pairs that lanes take, of every cost, along directions of all inputs at once and of each alone."""
    x, y = random_batch(cost, B=3, N=41, M=37, D=6, dtype=dtype)
    gamma, weights = number(0.5), number([0.3, 1.0, 1.2])
    x_along, y_along = numbers(3, 41, 6, seed=5) - 0.5, numbers(3, 37, 6, seed=6) - 0.5
    of_gamma, of_weights = number(-0.3).detach(), number([0.2, -0.4, 0.1]).detach()
    directions = (x_along.to(dtype), y_along.to(dtype), of_gamma, of_weights)

    def products(backend, x, y, asked):
        inputs = (x.clone().requires_grad_(), y.clone().requires_grad_(), gamma, weights)
        loss = wlt.soft_dtw_loss(
            *inputs[:2],
            [41, 20, 33],
            [30, 37, 37],
            cost=cost,
            gamma=gamma,
            step_weights=weights,
            band=band,
            reduction="sum",
            backend=backend,
        )
        first = grad(loss, inputs, create_graph=True)
        along = [d.to(f.dtype) for d, f in zip(directions, first, strict=True)]
        kept = [(f, d) for f, d, yes in zip(first, along, asked, strict=True) if yes]
        return grad([f for f, _ in kept], inputs, [d for _, d in kept])

    for asked in [(True, True, True, True), (True, False, False, False), (False, True, False, True)]:
        truth = products("ops", x.double(), y.double(), asked)
        for got, expected in zip(products("core", x, y, asked), truth, strict=True):
            scale = expected.abs().max().item()
            tolerance = 1e-10 if dtype == torch.float64 else 1e-5
            torch.testing.assert_close(got.double(), expected, rtol=0, atol=tolerance * (scale + 1e-3))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_hessian_vector_products_are_differences_of_the_gradient_and_symmetric(scale, backend):
    C = (scale * numbers(1, 40, 31)).requires_grad_()
    u, v = numbers(1, 40, 31, seed=1) - 0.5, numbers(1, 40, 31, seed=2) - 0.5

    def first(C):
        return grad(wlt.soft_dtw_from_costs(C, gamma=scale, backend=backend), C, create_graph=True)[0]

    H = first(C)
    products = {"u": grad(H, C, u, retain_graph=True)[0], "v": grad(H, C, v)[0]}
    assert (products["u"] * v).sum().item() == pytest.approx((products["v"] * u).sum().item(), rel=1e-9)
    step = 1e-4 * scale
    differences = (first(C + step * u) - first(C - step * u)).detach() / (2 * step)
    torch.testing.assert_close(products["u"], differences, rtol=1e-5, atol=1e-7 / scale)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_is_that_without_a_graph(backend):
    x, y = random_batch("bce")
    weights, gamma = number([0.4, 1.0, 1.3]), number(0.7)
    inputs = (x.requires_grad_(), y.requires_grad_(), weights, gamma)
    loss = wlt.soft_dtw_loss(x, y, cost="bce", gamma=gamma, step_weights=weights, backend=backend)
    for with_graph, without in zip(grad(loss, inputs, create_graph=True), grad(loss, inputs), strict=True):
        torch.testing.assert_close(with_graph.detach(), without, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_input_that_is_or_makes_the_other_counts_once(backend):
    x = numbers(2, 5, 3).requires_grad_()

    def penalty_of(y_of):
        loss = wlt.soft_dtw_loss(x, y_of(x), cost="sqeuclidean", reduction="sum", backend=backend)
        (first,) = grad(loss, x, create_graph=True)
        return first.square().sum()

    for y_of in (lambda x: x, lambda x: 2.0 * x[:, 1:]):
        (mine,) = grad(penalty_of(y_of), x)
        direction = numbers(2, 5, 3, seed=4) - 0.5
        sides = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                x += step * direction
            sides.append(penalty_of(y_of).item())
            with torch.no_grad():
                x -= step * direction
        difference = (sides[0] - sides[1]) / 2e-5
        assert (mine * direction).sum().item() == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_a_pair_without_a_path_has_none_of_any_order(zero_infinity, backend):
    C = numbers(3, 4, 4)
    C[1, 2, :] = torch.inf
    C.requires_grad_()
    gamma = number(0.5)
    values = wlt.soft_dtw_from_costs(
        C, gamma=gamma, zero_infinity=zero_infinity, reduction="none", backend=backend
    )
    H, of_gamma = grad(values.sum(), (C, gamma), create_graph=True)
    result = grad(H.square().sum() + of_gamma.square(), (C, gamma))
    rest = C.detach()[[0, 2]].requires_grad_()
    values = wlt.soft_dtw_from_costs(rest, gamma=gamma, reduction="none", backend=backend)
    H, of_gamma = grad(values.sum(), (rest, gamma), create_graph=True)
    alone = grad(H.square().sum() + of_gamma.square(), (rest, gamma))
    assert not result[0][1].any()
    torch.testing.assert_close(result[0][[0, 2]], alone[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(result[1], alone[1], rtol=1e-12, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("N", "M"), [(6, 4), (40, 31)])
def test_nan_stays_in_its_pair_and_padding_out_of_it(N, M, backend):
    x, y = random_batch("mse", N=N, M=M)
    x[0, 1, 0] = torch.nan
    x[1, 3:] = torch.nan  # padding
    result = penalty(x, y, backend, x_lengths=[N, 3, N])
    assert result[0].isnan().all()
    assert result[1:].isfinite().all()
    assert not result[1, 3:].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_gamma_zero_is_linear_around_the_path(backend):
    C, weights, gamma = numbers(7, 5).requires_grad_(), number([0.5, 1.0, 1.5]), number(0.0)
    path = np.zeros((7, 5), dtype=bool)
    hard = wl.align_costs(C.detach().numpy(), gamma=0.0, step_weights=(0.5, 1.0, 1.5))
    path[tuple(hard.path().indices.T)] = True
    value = wlt.soft_dtw_from_costs(C, gamma=gamma, step_weights=weights, backend=backend)
    first = grad(value, (C, weights, gamma), create_graph=True)
    of_C, of_weights, of_gamma = grad(first[0].sum(), (C, weights, gamma), retain_graph=True)
    assert not of_C.any()
    assert of_gamma == 0.0
    assert of_weights.sum() == path.sum()
    assert torch.equal(grad(first[1].sum(), C, retain_graph=True)[0], torch.from_numpy(path).double())
    assert not grad(first[2], C)[0].any()


@pytest.mark.parametrize("gamma", [1e-300, 1e-3])
def test_costs_beyond_the_range_of_exponents_bend_nothing(gamma):
    C = (1e17 * numbers(6, 5)).requires_grad_()
    H = grad(wlt.soft_dtw_from_costs(C, gamma=gamma), C, create_graph=True)[0]
    assert not grad(H.square().sum(), C)[0].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_third_derivatives_are_an_error_that_comes_when_they_are_asked_for(backend):
    x, y = random_batch("mse")
    x.requires_grad_()
    (first,) = grad(wlt.soft_dtw_loss(x, y, backend=backend), x, create_graph=True)
    (second,) = grad(first.square().sum(), x, create_graph=True)
    torch.testing.assert_close(second.detach(), penalty(x, y, backend) / len(x) ** 2, rtol=1e-12, atol=1e-14)
    with pytest.raises(RuntimeError, match="third derivatives are not computed"):
        grad(second.sum(), x)


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives_of_the_sharp_value_are_an_error_that_names_it(backend):
    x, y = random_batch("mse")
    x.requires_grad_()
    (first,) = grad(wlt.soft_dtw_loss(x, y, sharp=True, backend=backend), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"second ones of sharp=True would need them"):
        grad(first.square().sum(), x)


def test_the_hessian_by_two_ways_back_is_that_of_finite_differences():
    """The docstring names it, since torch.func.hessian goes forward."""
    x, y = random_batch("mse", B=1, N=3, M=2)
    x, y = x[0], y[0]
    hessian = torch.autograd.functional.hessian(lambda x: wlt.soft_dtw_loss(x, y), x)
    for n, d in ((0, 0), (2, 1)):
        step = torch.zeros_like(x)
        step[n, d] = 1e-5
        above, below = (
            grad(wlt.soft_dtw_loss(at, y), at)[0] for at in ((x + s * step).requires_grad_() for s in (1, -1))
        )
        torch.testing.assert_close(hessian[n, d], (above - below) / 2e-5, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gamma_may_move_on_before_backward(backend):
    x, y = random_batch("mse")
    x.requires_grad_()
    loss_fn = wlt.SoftDTWLoss(gamma=2.0, backend=backend)
    loss = loss_fn(x, y)
    loss_fn.gamma.fill_(0.1)
    for create_graph in (True, False):
        (result,) = grad(loss, x, create_graph=create_graph, retain_graph=True)
        (expected,) = grad(wlt.soft_dtw_loss(x, y, gamma=2.0, backend=backend), x)
        torch.testing.assert_close(result.detach(), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_keeps_its_gradients_and_nothing_of_the_size_of_the_costs(backend):
    x, y = random_batch("bce", N=80, M=60)
    x.requires_grad_()
    loss = wlt.soft_dtw_loss(x, y, cost="bce", backend=backend)
    storages = {kept.data_ptr(): kept.nbytes() for kept in kept_storages(loss.grad_fn)}
    for given in (x, y):
        storages.pop(given.untyped_storage().data_ptr(), None)
    assert sum(storages.values()) <= x.untyped_storage().nbytes() + 1000  # and a few numbers for each pair


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("from_costs", [False, True])
def test_inputs_are_free_after_backward_though_the_loss_lives(from_costs, backend):
    leaf = numbers(2, 5, 5).requires_grad_()
    x = 1.0 * leaf
    alive = weakref.ref(x)
    if from_costs:
        loss = wlt.soft_dtw_from_costs(x, [5, 4], band=wl.SakoeChiba(3.0), backend=backend)
    else:
        loss = wlt.soft_dtw_loss(x, numbers(2, 4, 5), [5, 4], backend=backend)
    del x
    loss.backward()
    assert alive() is None
    assert loss.grad_fn is not None


def kept_storages(node):
    """Yield the storages that the graph from a node on holds until backward."""
    kept = list(getattr(node, "saved_tensors", ()))
    kept += [getattr(node, name) for name in dir(node) if name.startswith("_saved_")]
    yield from (tensor.untyped_storage() for tensor in kept if isinstance(tensor, torch.Tensor))
    for before, _ in node.next_functions:
        if before is not None:
            yield from kept_storages(before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_second_derivatives_at_once_are_an_error(backend):
    """First derivatives would be right, and second ones wrong."""
    x, y = random_batch("mse")

    def loss(x):
        return wlt.soft_dtw_loss(x, y, backend=backend)

    x.requires_grad_()
    with pytest.raises(RuntimeError, match="there are first derivatives only"):
        grad(loss(x), x, torch.ones(2, dtype=torch.float64), is_grads_batched=True, create_graph=True)
    with pytest.raises(RuntimeError, match="there are first derivatives only"):
        torch.autograd.functional.hessian(loss, x.detach(), vectorize=True)
