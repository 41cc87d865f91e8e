"""Settings of the general model that are refused, by the messages of the NumPy functions."""

import numpy as np
import pytest
import torch

import warplens as wl
import warplens.torch as wlt

C = torch.ones(2, 3, 4)
X, Y = torch.ones(2, 3, 1), torch.ones(2, 4, 1)
STEP = wl.Step(1, 1)

REFUSED_BY_COSTS = [
    (
        {"steps": [(1, 1, -1.0)]},
        r"steps\[0\].weight: is -1.0; weights are finite and not negative, forbid by",
    ),
    ({"steps": [wl.Step(1, 1, np.array([[np.inf]]))]}, r"steps\[0\].weight: is inf"),
    (
        {"steps": [STEP, wl.Step(1, 0, 1.0, torch.tensor(-torch.inf))]},
        r"steps\[1\].penalty: is -inf; penalties",
    ),
    (
        {"steps": [wl.Step(1, 1, torch.ones(3))]},
        r"steps\[0\].weight: has shape \(3,\); .*one dimension could",
    ),
    ({"steps": [wl.Step(1, 1, np.ones(4))]}, r"steps\[0\].weight: has shape \(4,\); .*one dimension could"),
    ({"steps": [wl.Step(1, 1, torch.ones(4, 3))]}, r"weight: has shape \(4, 3\); .*here \(N,M\) = \(3, 4\)"),
    ({"steps": [wl.Step(1, 1, torch.ones(3, 3, 1))]}, r"weight: has shape \(3, 3, 1\); .*B of them .*B = 2"),
    ({"steps": [wl.Step(0, 0)]}, r"steps\[0\]: has sizes \(0, 0\)"),
    ({"steps": [wl.Step(5, 0)]}, r"steps\[0\]: has sizes \(5, 0\)"),
    ({"steps": []}, "steps: has 0 entries"),
    ({"steps": [STEP], "step_weights": (1, 1, 1)}, "steps: .* step_weights is not accepted beside them"),
    ({"steps": [STEP], "step_penalties": (1, 1, 1)}, "steps: .* step_penalties is not accepted beside them"),
    ({"step_penalties": (1, 1)}, "step_penalties: has 2 entries"),
    ({"step_penalties": (torch.nan, 0, 0)}, r"steps\[0\].penalty: is nan"),
    ({"step_penalties": torch.ones(2)}, "step_penalties: has 2 entries"),
    ({"step_weights": (1, 1, -1), "entry": 0.0}, "step_weights: diagonal is -1.0"),
    ({"entry": torch.full((2, 3, 1), -torch.inf)}, r"entry\[0\]: is -inf at index \(0, 0\)"),
    ({"exit": (0.0, 1.0, 2.0)}, r"exit: has shape \(3,\)"),
    ({"entry_weight": -1.0}, "entry_weight: is -1.0"),
    ({"exit_weight": torch.tensor(torch.inf)}, "exit_weight: is inf"),
    ({"minimum": "smoothmin"}, "minimum: smoothmin, .*gradients below 0: H and h would be negative"),
    ({"minimum": "max"}, "minimum: is 'max'"),
    ({"steps": [STEP], "band": wl.SakoeChiba(1)}, "band: belongs to plain soft DTW"),
    ({"steps": [STEP], "gamma": -1.0}, "gamma: is -1"),
    ({"steps": [STEP], "sharp": True}, "sharp: belongs to plain soft DTW"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED_BY_COSTS)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        wlt.soft_dtw_from_costs(C, **settings)


REFUSED_BY_PAIRS = [
    ({"open_begin": "z"}, "open_begin: is 'z'"),
    ({"open_end": True}, "open_end: is True"),
    ({"skip_penalty": 1.0}, "skip_penalty: belongs to open_begin and open_end"),
    ({"skip_penalty": torch.tensor(1.0)}, "skip_penalty: belongs to open_begin and open_end"),
    ({"open_end": "x", "skip_penalty": torch.inf}, "skip_penalty: is inf; finite"),
    (
        {"open_end": "x", "skip_penalty": torch.tensor([0.0, torch.nan])},
        r"skip_penalty: is \[0.0, nan\]; finite",
    ),
    ({"open_end": "x", "skip_penalty": torch.ones(3)}, r"skip_penalty: has shape \(3,\)"),
    ({"open_end": "x", "skip_penalty": (1, 2, 3)}, r"skip_penalty: is \(1, 2, 3\); a number or"),
    ({"open_end": "x", "debias": True}, "debias: belongs to plain soft DTW"),
    ({"open_end": "x", "band": wl.Itakura(2.0)}, "band: belongs to plain soft DTW"),
    ({"minimum": "smoothmin"}, "minimum: smoothmin"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED_BY_PAIRS)
def test_a_module_refuses_them_when_it_is_made(settings, message):
    with pytest.raises(ValueError, match=message):
        wlt.soft_dtw_loss(X, Y, **settings)
    with pytest.raises(ValueError, match=message):
        wlt.SoftDTWLoss(**settings)
    if "debias" not in settings:
        with pytest.raises(ValueError, match=message):
            wlt.align(X, Y, **settings)


def test_a_module_checks_steps_and_penalties_when_it_is_made():
    for settings, message in (
        ({"steps": [(1, 1, -1.0)]}, r"steps\[0\].weight: is -1.0"),
        ({"steps": [wl.Step(1, 1, 1.0, -torch.inf)]}, r"steps\[0\].penalty: is -inf"),
        ({"steps": []}, "steps: has 0 entries"),
        ({"steps": [STEP], "step_weights": (1, 2, 3)}, "step_weights is not accepted"),
        ({"step_penalties": (1, 2)}, "step_penalties: has 2 entries"),
        ({"step_penalties": torch.ones(())}, r"step_penalties: has shape \(\)"),
        ({"step_penalties": (-torch.inf, 0, 0)}, r"steps\[0\].penalty: is -inf"),
    ):
        with pytest.raises(ValueError, match=message):
            wlt.SoftDTWLoss(**settings)


def test_settings_of_wrong_types_are_type_errors():
    for settings, message in (
        ({"steps": 3}, "steps: is 3"),
        ({"step_penalties": 0.5}, "step_penalties: is 0.5"),
        ({"steps": [wl.Step(1.5, 1)]}, r"steps\[0\].n: is 1.5"),
        ({"open_end": "x", "skip_penalty": None}, "skip_penalty: is None"),
        ({"step_penalties": (torch.ones((), dtype=torch.complex64), 0, 0)}, "has dtype torch.complex64"),
        ({"step_penalties": ("a", 0, 0)}, r"steps\[0\].penalty: has dtype"),
    ):
        with pytest.raises(TypeError, match=message):
            wlt.soft_dtw_loss(X, Y, **settings)


def test_bad_values_on_a_device_stay_in_their_pair():
    """Values that cannot be read become NaN or +inf; here operations on the CPU stand for a device."""
    from warplens.torch.family import core, operations
    from warplens.torch.family.model import CORNER, BatchModel
    from warplens.torch.inputs.batches import CostMatrices

    one = torch.ones(1, 1, 1, dtype=torch.float64)
    of_pairs = one.repeat(3, 1, 1)
    costs = torch.rand(3, 3, 4, dtype=torch.float64)

    def values(module, gamma=1.0, weight=one, penalty=one, lengths=None, C=costs):
        model = BatchModel(
            torch.tensor(gamma, dtype=torch.float64),
            None,
            ((1, 1), (1, 0), (0, 1)),
            (weight, one, one),
            (penalty, one, one),
            one,
            None,
            CORNER,
            CORNER,
        )
        matrices = CostMatrices(C, lengths, None, unbatched=False)
        value, (H, *_) = module.solve(matrices, model, [True] + [False] * len(model.tensors()))
        assert (H[value.isinf()] == 0).all()
        assert H[value.isfinite()].isfinite().all()
        return value

    for module in (core, operations):
        assert values(module).isfinite().all()
        for gamma in (-1.0, torch.nan, torch.inf):
            assert values(module, gamma=gamma).isnan().all()
        for bad in (-1.0, torch.inf, torch.nan):
            weight = of_pairs.clone()
            weight[1] = bad
            assert values(module, weight=weight).isnan().tolist() == [False, True, False]
        for bad in (-torch.inf, torch.nan):
            penalty = of_pairs.clone()
            penalty[1] = bad
            assert values(module, penalty=penalty).isnan().tolist() == [False, True, False]
            C = costs.clone()
            C[2, 1, 1] = bad
            assert values(module, C=C).isnan().tolist() == [False, False, True]
        assert values(module, lengths=torch.tensor([0, 3, 4])).isinf().tolist() == [True, False, True]
