"""Many models in one compiled call: what each gives alone, errors in their slots, the same bits."""

import numpy as np
import pytest

import warplens as wl
from warplens import _core
from warplens.family.model import Model, sdtw_steps
from warplens.family.steps import Step

OUTPUTS = ["h", "H", "E", "visits", "begin", "end", "step_posteriors", "entropy", "gradients", "path"]


def problem(seed, dtype):
    generator = np.random.default_rng(seed)
    costs, models = [], []
    for n, m in ((40, 9), (3, 2), (200, 31), (1, 1), (25, 25), (120, 60)):
        costs.append(generator.random((n, m)).astype(dtype))
        steps = [Step(1, 0, 1.0, generator.random((n, 1))), Step(1, 1), Step(0, 1, 0.5), Step(2, 1, 1.0, 0.3)]
        models.append(Model.of((n, m), gamma=0.3, steps=steps, exit=generator.random((n, m))).argument())
    return costs, models


def leaves(result):
    if isinstance(result, dict):
        return [leaf for name in sorted(result) for leaf in leaves(result[name])]
    if isinstance(result, list):
        return [leaf for entry in result for leaf in leaves(entry)]
    return [] if result is None else [np.asarray(result)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_each_pair_has_what_it_has_alone(dtype, threads):
    costs, models = problem(0, dtype)
    together = _core.models_of_costs(costs, models=models, outputs=OUTPUTS, threads=threads)
    for C, model, result in zip(costs, models, together, strict=True):
        alone = _core.model_of_costs(C, model=model, outputs=OUTPUTS)
        assert alone.keys() == result.keys()
        for one, other in zip(leaves(alone), leaves(result), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_pair_without_a_path_costs_no_other_its_result():
    model = Model.of((3, 3), gamma=1.0, steps=sdtw_steps((1, 1, 1))).argument()
    forbidden = np.full((3, 3), np.inf)
    first, second, third = _core.models_of_costs(
        [np.ones((3, 3)), forbidden, np.ones((3, 3))], models=[model] * 3, outputs=["H"], threads=2
    )
    assert isinstance(second, wl.NoPathError)
    np.testing.assert_array_equal(first["H"], third["H"])
    assert first["value"] == third["value"]
    assert first["value"] == pytest.approx(wl.align_costs(np.ones((3, 3)), gamma=1.0).value, rel=1e-12)


def test_what_does_not_fit_is_named():
    model = Model.of((3, 3), gamma=1.0, steps=sdtw_steps((1, 1, 1))).argument()
    with pytest.raises(ValueError, match="models: has 1 entries, costs has 2"):
        _core.models_of_costs([np.ones((3, 3))] * 2, models=[model], outputs=["H"], threads=1)
    with pytest.raises(TypeError, match="costs"):
        _core.models_of_costs([np.ones((3, 3), int)], models=[model], outputs=["H"], threads=1)
    assert _core.models_of_costs([], models=[], outputs=["H"], threads=1) == []
