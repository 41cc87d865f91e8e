"""Tensors and uses beside the common ones: the value, or a sentence that says what is accepted."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

import warplens.torch as wlt

X, Y = torch.rand(2, 6, 3, dtype=torch.float64), torch.rand(2, 3, 3, dtype=torch.float64)


@pytest.mark.parametrize("cost", ["mse", "bce", "ce_logits"])
@pytest.mark.parametrize("backend", ["core", "ops"])
def test_imaginary_parts_of_conjugates_give_the_value_and_gradient_of_their_numbers(cost, backend):
    z = torch.complex(torch.zeros_like(X), -X).requires_grad_()
    x = z.conj().imag
    assert x.is_neg()
    loss = wlt.soft_dtw_loss(x, Y, cost=cost, backend=backend)
    plain = X.clone().requires_grad_()
    expected = wlt.soft_dtw_loss(plain, Y, cost=cost, backend=backend)
    torch.testing.assert_close(loss, expected)
    expected.backward()
    loss.backward()
    torch.testing.assert_close(z.grad.imag, -plain.grad)
    negative = torch.complex(torch.zeros_like(Y), -Y).conj().imag
    torch.testing.assert_close(wlt.align(X, negative).H, wlt.align(X, Y).H)
    C = torch.rand(4, 5)
    negative = torch.complex(torch.zeros_like(C), -C).conj().imag
    torch.testing.assert_close(wlt.soft_dtw_from_costs(negative), wlt.soft_dtw_from_costs(C))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("unusual", "reason"),
    [
        (lambda x: torch.nested.nested_tensor(list(x)), "is a nested tensor; one padded tensor and lengths"),
        (lambda x: torch.nested.nested_tensor(list(x), layout=torch.jagged), "is a nested tensor"),
        (lambda x: x.to_sparse(), r"has layout torch.sparse_coo; a dense tensor is accepted: .*to_dense\(\)"),
        (lambda x: x.to_sparse_csr(), "has layout torch.sparse_csr"),
        (lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8), "is quantized; real numbers"),
        (lambda x: x.to(torch.float8_e4m3fn), "has dtype torch.float8_e4m3fn; real numbers are accepted"),
        (lambda x: x.to(torch.float8_e5m2), "has dtype torch.float8_e5m2; real numbers are accepted"),
        (lambda x: x.to(torch.complex64), "has dtype torch.complex64; real numbers are accepted"),
    ],
)
def test_tensors_that_hold_no_plain_numbers_are_named(unusual, reason):
    for function in (wlt.soft_dtw_loss, wlt.align):
        with pytest.raises(TypeError, match=f"x: {reason}"):
            function(unusual(X), Y)
        with pytest.raises(TypeError, match=f"y: {reason}"):
            function(X, unusual(Y))
    with pytest.raises(TypeError, match=f"C: {reason}"):
        wlt.soft_dtw_from_costs(unusual(X))
    with pytest.raises(TypeError, match=f"xs: {reason}"):
        wlt.cdist(unusual(X))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool])
def test_unsigned_integers_give_the_value_of_their_numbers(dtype):
    numbers = torch.randint(0, 2, (2, 6, 3))
    expected = wlt.soft_dtw_loss(numbers.float(), Y.float(), cost="mse")
    torch.testing.assert_close(wlt.soft_dtw_loss(numbers.to(dtype), Y.float(), cost="mse"), expected)
    both = wlt.soft_dtw_loss(numbers.to(dtype), numbers[:, :3].to(torch.int32), cost="mse")
    torch.testing.assert_close(both, wlt.soft_dtw_loss(numbers.float(), numbers[:, :3].float(), cost="mse"))


@pytest.mark.filterwarnings("ignore")
def test_tracing_would_freeze_the_value_and_is_refused():
    loss = wlt.SoftDTWLoss("mse")
    with pytest.raises(RuntimeError, match=r"torch\.jit\.trace records operations of torch, and would keep"):
        torch.jit.trace(loss, (X, Y))


@pytest.mark.parametrize("backend", ["core", "ops"])
@pytest.mark.parametrize("cost", ["mse", "cosine"])
def test_hessian_vector_products_are_those_of_the_hessian(cost, backend):
    functional = torch.autograd.functional
    x, v = X[0], torch.rand_like(X[0])

    def loss(x):
        return wlt.soft_dtw_loss(x, Y[0], cost=cost, gamma=0.7, backend=backend)

    hessian = functional.hessian(loss, x).reshape(18, 18)
    _, product = functional.hvp(loss, x, v)
    torch.testing.assert_close(product.flatten(), hessian @ v.flatten())
    _, product = functional.vhp(loss, x, v)
    torch.testing.assert_close(product.flatten(), hessian @ v.flatten())

    # In gamma, weights and both sequences at once.
    def all_in_one(parts):
        x, y, gamma, weights = parts[:18], parts[18:27], parts[27], parts[28:]
        return wlt.soft_dtw_loss(
            x.view(6, 3), y.view(3, 3), cost=cost, gamma=gamma, step_weights=weights, backend=backend
        )

    parts = torch.cat([x.flatten(), Y[0].flatten(), torch.tensor([0.7, 0.9, 1.1, 1.3])])
    direction = torch.rand_like(parts)
    hessian = functional.hessian(all_in_one, parts)
    torch.testing.assert_close(functional.hvp(all_in_one, parts, direction)[1], hessian @ direction)


def test_third_derivatives_are_still_refused():
    x = X[0].clone().requires_grad_()
    (first,) = torch.autograd.grad(wlt.soft_dtw_loss(x, Y[0]), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="third derivatives are not computed"):
        second.sum().backward()


def test_alignments_can_be_saved_and_copied():
    alignment = wlt.align(X, Y, y_lengths=[3, 2])
    file = io.BytesIO()
    torch.save(alignment, file)
    file.seek(0)
    for other in (
        torch.load(file, weights_only=False),
        pickle.loads(pickle.dumps(alignment)),
        copy.deepcopy(alignment),
    ):
        for name in ("value", "h", "y_mod", "H", "E", "H_tilde", "entropy", "x_lengths", "y_lengths"):
            torch.testing.assert_close(getattr(other, name), getattr(alignment, name))
        assert repr(other) == repr(alignment)
    callable_cost = wlt.align(X, Y, cost=lambda x, y: torch.cdist(x, y))
    with pytest.raises(ValueError, match="not affine in the target"):
        pickle.loads(pickle.dumps(callable_cost)).y_mod  # noqa: B018


def built(**settings):
    return torch.nn.Sequential(wlt.SoftDTWLoss(**settings))


SETTINGS = {"gamma": 0.1, "step_weights": (0.5, 1.0, 2.0), "pos_weight": [1.0, 2.0, 3.0]}


def test_modules_built_without_memory_get_their_settings_with_it():
    prior = {"cost": "bce_logits", "weight": 3.0}
    with torch.device("meta"):
        empty = built(**SETTINGS, cost=wlt.DiagonalPrior(**prior), feature_weights=np.array([1.0, 0.5, 2.0]))
    assert "gamma=?" in repr(empty)
    expected = built(**SETTINGS, cost=wlt.DiagonalPrior(**prior), feature_weights=[1.0, 0.5, 2.0])
    given = empty.to_empty(device="cpu")
    assert given.state_dict().keys() == expected.state_dict().keys()
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(given.state_dict()[name], value, rtol=0, atol=0)
    torch.testing.assert_close(given[0](X, Y), expected[0](X, Y))
    assert repr(given) == repr(expected)


def test_settings_can_be_reset_and_are_else_left_alone():
    loss = wlt.SoftDTWLoss("bce", **SETTINGS)
    loss.gamma.fill_(7.0)
    moved = copy.deepcopy(loss).to("cpu").half()
    assert moved.gamma.item() == 7.0
    loss.reset_parameters()
    assert loss.gamma.item() == 0.1
    loss.load_state_dict(moved.state_dict())
    assert loss.gamma.item() == 7.0
    with torch.device("meta"):
        lost = wlt.SoftDTWLoss(gamma=torch.tensor(0.5))
    with pytest.raises(
        RuntimeError, match="gamma: was given as a tensor on the meta device, which has no va"
    ):
        lost.to_empty(device="cpu")
    learned = wlt.SoftDTWLoss(gamma=torch.nn.Parameter(torch.tensor(0.5)))
    with torch.no_grad():
        learned.gamma.fill_(2.0)
    learned.reset_parameters()
    assert learned.gamma.item() == 2.0
