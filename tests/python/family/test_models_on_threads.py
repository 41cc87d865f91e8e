"""Many models in one call: the bits of single calls on any number of threads, and interrupted calls."""

import numpy as np
import pytest

import warplens as wl
from warplens import _core
from warplens.family.model import Model

OUTPUTS = ["h", "H", "E", "entropy", "step_posteriors", "begin", "end", "visits", "gradients", "path"]
SHAPES = [(60, 40), (1, 1), (150, 90), (7, 80), (33, 5), (90, 151), (12, 12), (200, 64)]
SDTW = [wl.Step(1, 0), wl.Step(0, 1), wl.Step(1, 1)]
SIZES = [(1, 0), (0, 1), (1, 1), (2, 1), (0, 3)]


def number(value):
    return np.full((1, 1), float(value))


def model_argument(generator, N, M, gamma):
    steps = [(n, m, number(generator.random()), generator.random((N, M))) for n, m in SIZES]
    entry = (generator.random(M), None)
    return {
        "gamma": gamma,
        "steps": steps,
        "entry": entry,
        "exit": generator.random((1, M)),
        "entry_weight": None,
        "exit_weight": number(0.5),
    }


def everything(result):
    """Return all arrays and numbers of a result, by name."""
    flat = {name: value for name, value in result.items() if name != "gradients"}
    for name, gradients in result.get("gradients", {}).items():
        listed = gradients if isinstance(gradients, list) else [gradients]
        flat |= {f"{name} {k}": gradient for k, gradient in enumerate(listed) if gradient is not None}
    return flat


def assert_same_bits(got, expected):
    got, expected = everything(got), everything(expected)
    assert got.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


@pytest.mark.parametrize("threads", [1, 2, 3, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_cost_matrices_give_the_bits_of_single_calls(dtype, threads):
    generator = np.random.default_rng(3)
    costs = [generator.random(shape).astype(dtype) for shape in SHAPES]
    gammas = [1.0, 0.1, 0.0, 3.0, 1.0, 0.5, 0.0, 0.02]
    models = [model_argument(generator, *shape, gamma) for shape, gamma in zip(SHAPES, gammas, strict=True)]
    many = _core.models_of_costs(costs, models=models, outputs=OUTPUTS, threads=threads)
    for C, model, got in zip(costs, models, many, strict=True):
        assert_same_bits(got, _core.model_of_costs(C, model=model, outputs=OUTPUTS))


def sdtw_argument(N, M):
    return Model.of((N, M), gamma=1.0, steps=SDTW).argument()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pair_without_a_path_leaves_the_others(threads):
    costs = [np.ones(shape) for shape in SHAPES]
    costs[2] = np.full(SHAPES[2], np.inf)
    costs[5] = np.full(SHAPES[5], np.nan)
    models = [sdtw_argument(*shape) for shape in SHAPES]
    many = _core.models_of_costs(costs, models=models, outputs=["h"], threads=threads)
    for k, (C, got) in enumerate(zip(costs, many, strict=True)):
        if k == 2:
            assert isinstance(got, wl.NoPathError)
            assert "150 x 90" in str(got)
        elif k == 5:
            assert np.isnan(got["value"])
            assert np.isnan(got["h"]).all()
        else:
            assert got["value"] == wl.align_costs(C, steps=SDTW).value


def test_bad_arguments_are_told_by_name():
    costs, models = [np.ones((3, 4))], [sdtw_argument(3, 4)]
    for bad, name in [
        ({"models": []}, "models: has 0 entries, costs has 1"),
        ({"threads": 0}, "threads"),
        ({"models": [{**models[0], "gamma": -1.0}]}, "gamma"),
        ({"outputs": ["h", "x_grad"]}, "outputs"),
    ]:
        arguments = {"models": models, "outputs": ["h"], "threads": None, **bad}
        with pytest.raises(ValueError, match=name):
            _core.models_of_costs(costs, **arguments)
    with pytest.raises(TypeError, match="one dtype"):
        _core.models_of_costs(
            [np.ones((3, 4)), np.ones((3, 4), np.float32)], models=models * 2, outputs=[], threads=1
        )
    assert _core.models_of_costs([], models=[], outputs=["h"], threads=None) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_a_signal_ends_a_long_call(threads, ring):
    C = np.random.default_rng(0).random((4000, 4000))
    calls = {"many": [C] * 50, "one": [C]}[{1: "one", 2: "many"}[threads]]
    models = [sdtw_argument(*C.shape)] * len(calls)
    ring()
    with pytest.raises(KeyboardInterrupt):
        _core.models_of_costs(calls, models=models, outputs=["h"], threads=threads)
