"""Every refusal names the argument, what was wrong with it, and what is accepted."""

import itertools

import numpy as np
import pytest

import warplens as wl

X, Y = np.full((5, 2), 0.25), np.full((3, 2), 0.5)


def with_entry(array, index, entry):
    changed = array.copy()
    changed[index] = entry
    return changed


SEQUENCES = [
    (
        "empty x",
        (X[:0], Y),
        {},
        ValueError,
        r"^x: is an empty sequence of shape \(0, 2\); at least one frame",
    ),
    ("empty y", (X, []), {}, ValueError, r"^y: is an empty sequence of shape \(0, 1\); at least one frame"),
    (
        "no features",
        (X[:, :0], Y[:, :0]),
        {},
        ValueError,
        r"^x: has no features \(shape \(5, 0\)\); at least one",
    ),
    (
        "D",
        (X, Y[:, :1]),
        {},
        ValueError,
        r"^y: has D = 1 features \(shape \(3, 1\)\), but x has 2 \(shape \(5, 2\)\)",
    ),
    (
        "three axes",
        (X[None], Y),
        {},
        ValueError,
        r"^x: has shape \(1, 5, 2\); \(frames, features\) or \(frames,\)",
    ),
    ("no axes", (X, 1.0), {}, ValueError, r"^y: has shape \(\); \(frames, features\) or \(frames,\)"),
    (
        "nan in x",
        (with_entry(X, (3, 1), np.nan), Y),
        {},
        ValueError,
        r"^x: is nan at index \(3, 1\); finite numbers",
    ),
    (
        "inf in y",
        (X, with_entry(Y, (2, 0), -np.inf)),
        {},
        ValueError,
        r"^y: is -inf at index \(2, 0\); finite numbers",
    ),
    ("strings", (X, [["a", "b"]]), {}, TypeError, r"^y: has dtype <U1; real numbers"),
    ("complex", (X * 1j, Y), {}, TypeError, r"^x: has dtype complex128; real numbers"),
    ("objects", (X, None), {}, TypeError, r"^y: has dtype object; real numbers"),
    ("ragged list", ([[1.0, 2.0], [3.0]], Y), {}, ValueError, r"^x: .*inhomogeneous"),
    ("narrowed to inf", (X * 1e300, Y), {"dtype": np.float32}, ValueError, r"^x: is inf at index \(0, 0\)"),
]
SETTINGS = [
    (
        "cost",
        {"cost": "msee"},
        ValueError,
        r"^cost: unknown cost 'msee'; accepted are mse, sqeuclidean, bce, .*callable",
    ),
    ("cost type", {"cost": 3}, TypeError, r"^cost: is a int; accepted are mse, .*callable"),
    ("gamma < 0", {"gamma": -1}, ValueError, r"^gamma: is -1.0; gamma is finite and not negative"),
    ("gamma nan", {"gamma": np.nan}, ValueError, r"^gamma: is nan; gamma is finite"),
    ("gamma inf", {"gamma": np.inf}, ValueError, r"^gamma: is inf; gamma is finite"),
    ("gamma type", {"gamma": "1"}, TypeError, r"^gamma: is '1'; a number is accepted"),
    ("gamma bool", {"gamma": True}, TypeError, r"^gamma: is True; a number is accepted"),
    (
        "weight < 0",
        {"step_weights": (1, -0.5, 1)},
        ValueError,
        r"^step_weights: vertical is -0.5; .*not negative",
    ),
    (
        "weight nan",
        {"step_weights": (np.nan, 1, 1)},
        ValueError,
        r"^step_weights: horizontal is nan; .*finite",
    ),
    ("weight inf", {"step_weights": (1, 1, np.inf)}, ValueError, r"^step_weights: diagonal is inf; .*finite"),
    (
        "two weights",
        {"step_weights": (1, 1)},
        ValueError,
        r"^step_weights: has 2 entries; three .*horizontal, vertical",
    ),
    ("weights type", {"step_weights": 1.0}, TypeError, r"^step_weights: is 1.0; StepWeights\(horizontal"),
    (
        "band",
        {"band": 3},
        TypeError,
        r"^band: is 3; accepted are None, SakoeChiba\(radius\) and Itakura\(max_slope\)",
    ),
    (
        "no path",
        {"band": wl.SakoeChiba(0.2)},
        wl.NoPathError,
        r"^band: SakoeChiba\(radius=0.2\) leaves no path for N=5, M=3",
    ),
    (
        "reduction",
        {"feature_reduction": "avg"},
        ValueError,
        r'^feature_reduction: is \'avg\'; accepted are "sum" and "mean"',
    ),
    (
        "mean of norm",
        {"cost": "cosine", "feature_reduction": "mean"},
        ValueError,
        r"^feature_reduction: .*'cosine'",
    ),
    (
        "features",
        {"feature_weights": [1.0]},
        ValueError,
        r"^feature_weights: has shape \(1,\); one .* D = 2 features",
    ),
    (
        "feature < 0",
        {"feature_weights": [1, -1]},
        ValueError,
        r"^feature_weights: entry 1 is -1.0; .*not negative",
    ),
    (
        "feature nan",
        {"feature_weights": [np.nan, 1]},
        ValueError,
        r"^feature_weights: entry 0 is nan; .*finite",
    ),
    (
        "feature axes",
        {"feature_weights": [[1, 1]]},
        ValueError,
        r"^feature_weights: has shape \(1, 2\); a vector \(D,\)",
    ),
    ("feature type", {"feature_weights": ["a", "b"]}, TypeError, r"^feature_weights: "),
    (
        "pos_weight",
        {"pos_weight": [1, 1]},
        ValueError,
        r'^pos_weight: belongs to the costs "bce" and "bce_logits"',
    ),
    (
        "positives",
        {"cost": "bce", "pos_weight": [1]},
        ValueError,
        r"^pos_weight: has shape \(1,\); one .* D = 2",
    ),
    ("dtype", {"dtype": np.float16}, ValueError, r"^dtype: is float16; float32 and float64"),
    ("dtype type", {"dtype": "fast"}, TypeError, r"^dtype: "),
    ("threads", {"threads": 0}, ValueError, r"^threads: is 0; a whole number from 1 to 256"),
    ("many threads", {"threads": 10**30}, ValueError, r"^threads: is 10{30}; a whole number from 1 to 256"),
    ("threads type", {"threads": 1.5}, TypeError, r"^threads: is 1.5; None or a whole number"),
    (
        "callable weights",
        {"cost": lambda x, y: x @ y.T, "feature_weights": [1, 1]},
        ValueError,
        r"callable cost weighs",
    ),
    (
        "callable shape",
        {"cost": lambda x, y: x},
        ValueError,
        r"^cost: returned shape \(5, 2\); \(N,M\) = \(5, 3\)",
    ),
    (
        "callable nan",
        {"cost": lambda x, y: np.full((5, 3), np.nan)},
        ValueError,
        r"^cost: is nan at index \(0, 0\)",
    ),
]
RANGES = [
    (
        "bce",
        with_entry(X, (1, 0), 1.5),
        Y,
        r'^x: is 1.5 at index \(1, 0\); cost "bce" accepts values in \[0, 1\].*bce_logits',
    ),
    (
        "bce",
        X,
        with_entry(Y, (2, 1), -0.1),
        r'^y: is -0.1 at index \(2, 1\); cost "bce" accepts values in \[0, 1\]$',
    ),
    ("bce_logits", X, with_entry(Y, (0, 1), 2), r'^y: is 2.0 at index \(0, 1\); cost "bce_logits" accepts'),
    (
        "ce",
        with_entry(X, (4, 1), -1),
        Y,
        r'^x: is -1.0 at index \(4, 1\); cost "ce" accepts values of at least 0.*ce_logits',
    ),
    ("poisson", with_entry(X, (0, 0), -2), Y, r'^x: is -2.0 at index \(0, 0\); cost "poisson" .*poisson_log'),
]
MATRICES = [
    (
        "nan",
        with_entry(X, (1, 1), np.nan),
        ValueError,
        r"^C: is nan at index \(1, 1\); costs are finite, or \+inf",
    ),
    (
        "-inf",
        with_entry(X, (4, 0), -np.inf),
        ValueError,
        r"^C: is -inf at index \(4, 0\); costs are finite, or \+inf",
    ),
    ("empty", X[:0], ValueError, r"^C: has shape \(0, 2\); a cost matrix \(N,M\) with N, M >= 1"),
    ("one axis", X[0], ValueError, r"^C: has shape \(2,\); a cost matrix"),
    ("strings", [["a"]], TypeError, r"^C: has dtype <U1; real numbers"),
    ("ragged", [[1.0], [1.0, 2.0]], ValueError, r"^C: .*inhomogeneous"),
    (
        "no path",
        np.full((2, 3), np.inf),
        wl.NoPathError,
        r"^no path: \+inf costs forbid every warping path .* 2 x 3",
    ),
]


def ids(cases):
    return [case[0] for case in cases]


def test_weights_beyond_float32_need_float64():
    weights = (1.0, 1e300, 1.0)
    with pytest.raises(ValueError, match=r"^step_weights: 1e\+300 is beyond float32, .* x or y in float64"):
        wl.align(X.astype(np.float32), Y.astype(np.float32), step_weights=weights)
    assert np.isfinite(wl.align(X, Y, step_weights=weights).h).all()
    just = wl.align(X.astype(np.float32), Y.astype(np.float32), step_weights=(1.0, 1e30, 1.0))
    assert np.isfinite(just.h).all()


@pytest.mark.parametrize(("_", "pair", "settings", "error", "message"), SEQUENCES, ids=ids(SEQUENCES))
@pytest.mark.parametrize("call", [wl.align, wl.soft_dtw, wl.hard_dtw])
def test_bad_sequences(call, _, pair, settings, error, message):
    with pytest.raises(error, match=message):
        call(*pair, **settings)


@pytest.mark.parametrize(("_", "settings", "error", "message"), SETTINGS, ids=ids(SETTINGS))
@pytest.mark.parametrize("call", [wl.align, wl.soft_dtw, lambda x, y, **s: wl.align_many([x], [y], **s)])
def test_bad_settings(call, _, settings, error, message):
    if error is wl.NoPathError and call not in (wl.align, wl.soft_dtw):
        error, message = ValueError, message.replace("^", "pair 0: ")
    elif "callable" in _:
        message = message.removeprefix("^")
    with pytest.raises((error, ValueError), match=message):
        call(X, Y, **settings)


@pytest.mark.parametrize(("cost", "x", "y", "message"), RANGES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_outside_the_range_of_the_cost(cost, x, y, message, dtype):
    message = message.replace("-0.1", r"-0.1\d*")
    with pytest.raises(ValueError, match=message):
        wl.align(x.astype(dtype), y.astype(dtype), cost=cost)


@pytest.mark.parametrize(("_", "C", "error", "message"), MATRICES, ids=ids(MATRICES))
def test_bad_cost_matrices(_, C, error, message):
    for gamma in (0.0, 1.0):
        with pytest.raises(error, match=message):
            wl.align_costs(C, gamma=gamma)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: wl.SakoeChiba(-1), r"^radius: is -1; a radius is a number of frames, 0 or more"),
        (lambda: wl.SakoeChiba(np.nan), r"^radius: is nan"),
        (lambda: wl.SakoeChiba("3"), r"^radius: is '3'"),
        (lambda: wl.Itakura(0.5), r"^max_slope: is 0.5; a slope is a number, 1 or more"),
        (lambda: wl.Itakura(np.nan), r"^max_slope: is nan"),
    ],
)
def test_bad_bands(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_lists_of_pairs():
    with pytest.raises(ValueError, match=r"^ys: has 1 sequences, but xs has 2; as many are accepted"):
        wl.align_many([X, X], [Y])
    with pytest.raises(ValueError, match=r'^errors: is \'ignore\'; accepted are "raise" and "return"'):
        wl.align_many([X], [Y], errors="ignore")
    with pytest.raises(ValueError, match=r"pair 1: xs\[1\]: has D = 1; all pairs need the same D, here 2"):
        wl.align_many([X, X[:, :1]], [Y, Y[:, :1]])


def test_everything_after_x_and_y_is_named():
    for call in (wl.align, wl.soft_dtw, wl.hard_dtw, wl.divergence):
        with pytest.raises(TypeError, match="positional"):
            call(X, Y, "mse")


def test_costs_that_overflow_are_not_a_missing_path():
    """Finite inputs whose costs are not: the message blames the magnitude, not a mask that nobody gave."""
    for cost, x in itertools.product(["mse", "sqeuclidean"], [X + 1e200, np.float64([[1e160, -1e160]] * 5)]):
        with pytest.raises(ValueError, match=r"overflow") as raised:
            wl.align(x, Y, cost=cost)
        assert not isinstance(raised.value, wl.NoPathError)
    with pytest.raises(ValueError, match=r"overflow"):
        wl.align(X + 1e4, Y, cost="poisson_log")


def test_whatever_a_callable_raises_stays_with_its_pair():
    def cost(x, y):
        if len(x) == 3:
            raise ZeroDivisionError("three")
        return np.abs(x - y.T)

    x = [np.ones((n, 1)) for n in (2, 3, 4)]
    outcomes = wl.align_many(x, x, cost=cost, errors="return")
    assert [type(each) for each in outcomes] == [wl.Alignment, ZeroDivisionError, wl.Alignment]


def test_unaligned_memory_is_copied():
    buffer = bytearray(10 * 3 * 4 + 1)
    unaligned = np.ndarray((10, 3), np.float32, buffer=buffer, offset=1)
    assert wl.align(unaligned, unaligned).value == wl.align(unaligned.copy(), unaligned.copy()).value
