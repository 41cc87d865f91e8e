"""The result object: lazy arrays equal eager ones, shapes and dtypes hold, nothing can be overwritten."""

import numpy as np
import pytest
from oracles import costs

import warplens as wl
from warplens import _core

ARRAYS = ("H", "h", "H_tilde", "y_mod", "E", "x_grad", "y_grad")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cost", costs.COSTS)
def test_lazy_results_equal_eager_ones(cost, dtype):
    x, y = costs.sample(cost, 23, 14, 4, dtype=dtype)
    names = ["h", "x_grad", "y_grad", "H", "E"] + (["y_mod"] if cost in costs.COSTS_WITH_TARGETS else [])
    (eager,) = _core.align_ragged(
        [x],
        [y],
        cost=cost,
        gamma=0.4,
        step_weights=(0.1, 1.0, 1.0),
        band=None,
        feature_weights=None,
        pos_weight=None,
        outputs=[*names, "moments", "path"],
        threads=1,
    )
    lazy = wl.align(x, y, cost=cost, gamma=0.4, step_weights=(0.1, 1, 1))
    # What is asked for may decide by which kernel a pair is computed.
    tolerance = 1e-12 if dtype == np.float64 else 5e-6
    for name in reversed(names):
        np.testing.assert_allclose(getattr(lazy, name), eager[name], rtol=tolerance, atol=tolerance)
    assert lazy.value == pytest.approx(eager["value"], rel=tolerance, abs=0)
    assert lazy.entropy == eager["entropy"]
    assert lazy.gamma_grad == eager["gamma_grad"]
    np.testing.assert_array_equal(lazy.step_weights_grad, eager["step_weights_grad"])
    np.testing.assert_array_equal(lazy.path().indices, eager["path"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes(dtype):
    x, y = costs.sample("mse", 6, 4, 3, dtype=dtype)
    alignment = wl.align(x, y)
    shapes = {
        "H": (6, 4),
        "h": (6,),
        "H_tilde": (6, 4),
        "y_mod": (6, 3),
        "E": (6, 4),
        "x_grad": (6, 3),
        "y_grad": (4, 3),
    }
    for name in ARRAYS:
        array = getattr(alignment, name)
        assert array.shape == shapes[name]
        assert array.dtype == dtype
    assert alignment.shape == (6, 4)
    assert alignment.step_weights_grad.shape == (3,)
    assert alignment.step_weights_grad.dtype == np.float64
    for name in ("value", "entropy", "gamma_grad"):
        assert type(getattr(alignment, name)) is float


def test_results_are_computed_once_and_cannot_be_overwritten():
    x, y = costs.sample("mse", 6, 4, 3)
    alignment = wl.align(x, y)
    for name in ARRAYS:
        assert getattr(alignment, name) is getattr(alignment, name)
        with pytest.raises(ValueError, match="read-only"):
            getattr(alignment, name)[...] = 0


def test_inputs_are_referred_to_and_stay_writable():
    x, y = costs.sample("mse", 6, 4, 3)
    before = x.copy(), y.copy()
    alignment = wl.align(x, y)
    _ = [getattr(alignment, name) for name in ARRAYS]
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    assert x.flags.writeable
    assert y.flags.writeable


def test_settings_are_told():
    x, y = costs.sample("bce", 6, 4, 3)
    alignment = wl.align(x, y, cost="bce", gamma=0.5, step_weights=(0.1, 1, 2))
    assert alignment.gamma == 0.5
    assert alignment.step_weights == wl.StepWeights(horizontal=0.1, vertical=1, diagonal=2)
    assert alignment.cost == "bce"
    assert repr(alignment) == (
        f"<Alignment N=6 M=4 cost=bce gamma=0.5 weights=(0.1, 1, 2) value={alignment.value:.6g}>"
    )
    by_costs = wl.align_costs(np.zeros((2, 3)), gamma=1.0)
    assert by_costs.cost is None
    assert "\n" not in repr(by_costs)
    assert "cost=callable" in repr(wl.align(x, y, cost=lambda x, y: np.zeros((6, 4))))


@pytest.mark.parametrize("name", ["y_mod", "x_grad", "y_grad"])
def test_a_cost_matrix_has_no_sequences(name):
    with pytest.raises(ValueError, match=rf"{name}: a cost matrix alone does not tell the sequences"):
        getattr(wl.align_costs(np.zeros((2, 3)), gamma=1.0), name)


@pytest.mark.parametrize("name", ["x_grad", "y_grad"])
def test_a_callable_cost_has_no_known_gradient(name):
    x, y = costs.sample("mse", 6, 4, 3)
    with pytest.raises(ValueError, match=rf"{name}: the gradient of a callable cost is not known"):
        getattr(wl.align(x, y, cost=lambda x, y: np.zeros((6, 4))), name)


def test_what_is_read_as_a_sequence():
    """Lists, whole numbers, half precision, strided and transposed views, series without a feature axis."""
    x, y = costs.sample("mse", 6, 4, 3, dtype=np.float32)
    plain = wl.align(x.astype(np.float64), y.astype(np.float64))
    for view in (
        x.tolist(),
        np.asfortranarray(x),
        x[::-1][::-1],
        np.repeat(x, 2, axis=0)[::2],
        x.astype(">f4"),
    ):
        assert wl.align(view, y.tolist()).value == plain.value
    whole = np.arange(6).reshape(3, 2)
    assert wl.align(whole, whole).h.dtype == np.float64
    assert wl.align(whole.astype(np.float16), whole > 2).h.dtype == np.float64
    assert wl.align(x, y.astype(np.float64)).h.dtype == np.float64
    assert wl.align(x, y, dtype="float64").value == plain.value
    series = wl.align(x[:, 0], y[:, 0])
    assert series.y_mod.shape == (6, 1)
    assert series.value == wl.align(x[:, :1], y[:, :1]).value
    frozen = x.copy()
    frozen.flags.writeable = False
    assert wl.align(frozen, y).value == wl.align(x, y).value


def test_value_alone_equals_the_value_with_gradients():
    for cost in costs.COSTS:
        for dtype in (np.float32, np.float64):
            x, y = costs.sample(cost, 23, 14, 4, dtype=dtype)
            tolerance = 1e-12 if dtype == np.float64 else 1e-6
            with_gradients = wl.align(x, y, cost=cost).value
            assert wl.soft_dtw(x, y, cost=cost) == pytest.approx(with_gradients, rel=tolerance)
