"""Every bad input is an error that names the argument, what was wrong, and what is accepted."""

import re

import pytest
import torch
from batches_of_pairs import BACKENDS, random_batch
from torch import nn

import warplens.torch as wlt

X, Y = random_batch("bce", B=2, N=5, M=4, D=3)


def with_value(tensor, index, value):
    changed = tensor.clone()
    changed[index] = value
    return changed


MISMATCHED = "x has shape (2, 5, 3), y"
HUGE = torch.zeros(1, 1, 1).expand(1, 2**40, 1)
BAD_TENSORS = [
    ((X.numpy(), Y), TypeError, "x: is a ndarray; a torch.Tensor is accepted"),
    ((X, [1.0]), TypeError, "y: is a list; a torch.Tensor is accepted"),
    ((X[0, :, 0], Y[0]), ValueError, "x: has shape (5,); (batch, frames, features) or (frames, features)"),
    ((X[None], Y), ValueError, "x: has shape (1, 2, 5, 3); (batch, frames, features)"),
    ((X, Y[0]), ValueError, f"{MISMATCHED} (4, 3); both or neither have a batch axis"),
    ((X, Y[:1]), ValueError, f"{MISMATCHED} (1, 4, 3); the same number of pairs"),
    (
        (X[:0], Y[:0]),
        ValueError,
        "x has shape (0, 5, 3), y (0, 4, 3); the same number of pairs, at least one",
    ),
    ((X, Y[..., :2]), ValueError, f"{MISMATCHED} (2, 4, 2); the same number of features"),
    ((X[..., :0], Y[..., :0]), ValueError, "the same number of features, at least one"),
    ((X[:, :0], Y), ValueError, "x: is an empty sequence (x has shape (2, 0, 3), y (2, 4, 3)); at least one"),
    ((X, Y[:, :0]), ValueError, "y: is an empty sequence"),
    ((X.to(torch.complex64), Y), TypeError, "x: has dtype torch.complex64; real numbers are accepted"),
    ((X, Y.to("meta")), ValueError, "x is on cpu, y on meta; one device is accepted"),
    ((HUGE, HUGE), ValueError, "N*M = 1099511627776*1099511627776 cells overflow"),
    ((X, Y, [5, 6]), ValueError, "x_lengths: entry 1 is 6; a length is from 1 to 5, the padded length"),
    ((X, Y, None, [0, 4]), ValueError, "y_lengths: entry 0 is 0; a length is from 1 to 4, the padded length"),
    ((X, Y, [5]), ValueError, "x_lengths: has shape (1,); one int for each of 2 pairs is accepted"),
    ((X, Y, 5), ValueError, "x_lengths: has shape (); one int for each of 2 pairs is accepted"),
    ((X[0], Y[0], [5, 5]), ValueError, "x_lengths: has shape (2,); one int is accepted"),
    ((X, Y, [5.0, 5.0]), TypeError, "x_lengths: has dtype torch.float32; one int for each of 2 pairs"),
    ((X, Y, torch.tensor([True, True])), TypeError, "x_lengths: has dtype torch.bool"),
    ((X, Y, ["5", "5"]), TypeError, "x_lengths: is ['5', '5']; one int for each of 2 pairs is accepted"),
]

BAD_VALUES = [
    ("bce", "x", (1, 2, 0), 1.5, 'x[1]: is 1.5 at index (2, 0); cost "bce" accepts values in [0, 1]'),
    ("bce", "x", (0, 4, 2), -0.25, "x[0]: is -0.25 at index (4, 2)"),
    ("bce", "y", (1, 3, 2), 2.0, "y[1]: is 2.0 at index (3, 2)"),
    ("bce_logits", "y", (1, 3, 2), 2.0, "y[1]: is 2.0 at index (3, 2)"),
    ("ce", "x", (1, 0, 0), -0.5, "x[1]: is -0.5 at index (0, 0)"),
    ("poisson", "x", (1, 0, 0), -0.5, "x[1]: is -0.5 at index (0, 0)"),
]

BAD_SETTINGS = [
    ({"cost": "hinge"}, ValueError, "cost: unknown cost 'hinge'; accepted are mse, sqeuclidean, bce"),
    ({"cost": 3}, TypeError, "cost: is a int; accepted are mse"),
    ({"gamma": -0.1}, ValueError, "gamma: is -0.1; gamma is finite and not negative"),
    ({"gamma": float("inf")}, ValueError, "gamma: is inf; gamma is finite and not negative"),
    ({"gamma": torch.tensor(float("nan"))}, ValueError, "gamma: is nan; gamma is finite and not negative"),
    ({"gamma": "1"}, TypeError, "gamma: is '1'; a number is accepted"),
    ({"gamma": torch.ones(2)}, ValueError, "gamma: has shape (2,) and dtype torch.float32; one real number"),
    ({"step_weights": (1, 1)}, ValueError, "step_weights: has 2 entries; three are accepted"),
    ({"step_weights": (1, -1, 1)}, ValueError, "step_weights: vertical is -1.0; step weights are finite"),
    ({"step_weights": torch.tensor([1, 1, float("nan")])}, ValueError, "step_weights: diagonal is nan"),
    ({"step_weights": torch.ones(2)}, ValueError, "step_weights: has shape (2,)"),
    ({"step_weights": 1.0}, TypeError, "step_weights: is 1.0; StepWeights"),
    ({"band": 3}, TypeError, "band: is 3; accepted are None, SakoeChiba(radius) and Itakura(max_slope)"),
    ({"reduction": "average"}, ValueError, "reduction: is 'average'; accepted are 'none', 'mean', 'sum'"),
    (
        {"normalize": "length"},
        ValueError,
        "normalize: is 'length'; accepted are 'none', 'x_length', 'y_length'",
    ),
    ({"normalize": True}, ValueError, "the divergence that others call normalize=True is debias=True"),
    (
        {"backend": "cuda"},
        ValueError,
        "backend: is 'cuda'; this version has 'core', 'ops', 'triton', and None",
    ),
    ({"feature_reduction": "max"}, ValueError, "feature_reduction: is 'max'; accepted are"),
    ({"feature_reduction": "mean", "cost": "cosine"}, ValueError, 'feature_reduction: "mean" has no meaning'),
    (
        {"feature_weights": [1.0, -1.0, 1.0]},
        ValueError,
        "feature_weights: entry 1 is -1.0; weights are finite",
    ),
    (
        {"feature_weights": [[1.0]]},
        ValueError,
        "feature_weights: has shape (1, 1); a vector (D,) is accepted",
    ),
    (
        {"feature_weights": ["a"]},
        TypeError,
        "feature_weights: is ['a']; a vector (D,) of numbers is accepted",
    ),
    ({"feature_weights": torch.ones(3, requires_grad=True)}, ValueError, "feature_weights: requires grad"),
    ({"pos_weight": [1, 1, 1], "cost": "mse"}, ValueError, 'pos_weight: belongs to the costs "bce"'),
    ({"feature_weights": [1, 1, 1], "cost": torch.cdist}, ValueError, "a callable cost weighs its features"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("arguments", "kind", "message"), BAD_TENSORS)
def test_bad_tensors_and_lengths(arguments, kind, message, backend):
    for function in (wlt.soft_dtw_loss, wlt.align):
        with pytest.raises(kind, match=re.escape(message)):
            function(*arguments, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("cost", "side", "index", "value", "message"), BAD_VALUES)
def test_values_outside_the_domain_of_the_cost(cost, side, index, value, message, backend):
    def batch(value):
        changed = with_value({"x": X, "y": Y}[side], index, value)
        return (changed, Y) if side == "x" else (X, changed)

    for function in (wlt.soft_dtw_loss, wlt.align):
        with pytest.raises(ValueError, match=re.escape(message)):
            function(*batch(value), cost=cost, backend=backend)
    # NaN is no such value: it passes, into its own pair.
    values = wlt.soft_dtw_loss(*batch(float("nan")), cost=cost, reduction="none", backend=backend)
    assert values.isnan().nonzero().tolist() == [[index[0]]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_unbatched_pair_is_named_without_an_index(backend):
    with pytest.raises(ValueError, match=re.escape("x: is 1.5 at index (2, 0)")):
        wlt.soft_dtw_loss(with_value(X, (1, 2, 0), 1.5)[1], Y[1], cost="bce", backend=backend)


@pytest.mark.parametrize(("settings", "kind", "message"), BAD_SETTINGS)
def test_bad_settings(settings, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        wlt.soft_dtw_loss(X, Y, **settings)
    with pytest.raises(kind, match=re.escape(message)):
        wlt.SoftDTWLoss(**settings)
    if not {"reduction", "normalize"} & set(settings):
        with pytest.raises(kind, match=re.escape(message)):
            wlt.align(X, Y, **settings)
    if set(settings) <= {"gamma", "step_weights", "band", "reduction", "normalize", "backend"}:
        with pytest.raises(kind, match=re.escape(message)):
            wlt.soft_dtw_from_costs(torch.cdist(X, Y), **settings)


def test_the_number_of_weights_must_be_that_of_the_features():
    with pytest.raises(ValueError, match=r"feature_weights: has shape \(2,\); one weight for each of D = 3"):
        wlt.SoftDTWLoss(feature_weights=[1.0, 2.0])(X, Y)


@pytest.mark.parametrize(
    ("C", "kind", "message"),
    [
        ([[1.0]], TypeError, "C: is a list; a torch.Tensor is accepted"),
        (torch.ones(3), ValueError, "C: has shape (3,); (B, N, M) or (N, M) is accepted"),
        (
            torch.ones(2, 0, 3),
            ValueError,
            "C: has shape (2, 0, 3); at least one pair, row and column are needed",
        ),
        (torch.ones(2, 2, dtype=torch.complex64), TypeError, "C: has dtype torch.complex64"),
        (with_value(torch.ones(2, 3, 4), (1, 2, 3), -torch.inf), ValueError, "C[1]: is -inf at index (2, 3)"),
        (with_value(torch.ones(3, 4), (2, 3), -torch.inf), ValueError, "C: is -inf at index (2, 3)"),
    ],
)
def test_bad_costs(C, kind, message):
    for backend in BACKENDS:
        with pytest.raises(kind, match=re.escape(message)):
            wlt.soft_dtw_from_costs(C, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (lambda x, y: x, "cost: returned shape (2, 5, 3) for x (2, 5, 3) and y (2, 4, 3); a tensor of shape"),
        (lambda x, y: 1.0, "cost: returned a float for x (2, 5, 3)"),
    ],
)
def test_a_callable_that_returns_no_cost_matrix(cost, message, backend):
    with pytest.raises(ValueError, match=re.escape(message)):
        wlt.soft_dtw_loss(X, Y, cost=cost, backend=backend)


def test_a_parameter_out_of_range_is_refused_by_the_module():
    with pytest.raises(ValueError, match=r"gamma: is -1\.0"):
        wlt.SoftDTWLoss(gamma=nn.Parameter(torch.tensor(-1.0)))
