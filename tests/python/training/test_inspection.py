"""Measures of an inspection are those of the analysis, and inspection changes nothing."""

import copy
import math

import numpy as np
import pytest
import torch
from probe_items import Confidence, probe, probes

import warplens.torch as wlt
from warplens.analysis import analyze_item, pool, sweep_item
from warplens.io import Item
from warplens.training import Probe, Probes, inspect_targets

WEIGHTS = (0.1, 1.0, 1.0)


def item_of(each, confidence=1.0):
    return Item(each.inputs.numpy() * np.float32(confidence), each.weak, each.strong, fps=each.fps)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
def test_one_probe_is_measured_as_an_item(gamma):
    loss = wlt.SoftDTWLoss("bce_logits", gamma, WEIGHTS)
    result = inspect_targets(loss, probes(4, noise=2.0))
    (targets,) = result.targets
    expected = analyze_item(
        item_of(targets.probe), gammas=[gamma], cost="bce_logits", step_weights=WEIGHTS
    ).measures
    for name in (
        "events",
        "events_below_threshold",
        "kept",
        "short_event_peak",
        "long_event_peak",
        "short_long_ratio",
        "blur",
        "collapse",
        "entropy_per_frame",
        "h_min",
        "h_mean",
        "h_max",
        "f_measure",
    ):
        assert result.measures[name] == pytest.approx(expected[name][0], rel=1e-4, abs=1e-5), name
    assert result.measures["entropy_rate"] * len(targets.h) == pytest.approx(expected["entropy"][0], rel=1e-4)


@pytest.mark.parametrize("gamma", [0.1, 3.0, 10.0])
def test_several_probes_are_measured_as_one_corpus(gamma):
    loss = wlt.SoftDTWLoss("bce_logits", gamma, WEIGHTS)
    several = probes(0, 1, 2, 3, confidence=0.4)
    result = inspect_targets(loss, several).measures
    sweep = pool(
        [
            sweep_item(item_of(each, 0.4), gammas=[gamma], cost="bce_logits", step_weights=WEIGHTS)
            for each in several.items
        ]
    )
    # Short events are those of all probes together here, and those within their own item in a sweep.
    for ours, theirs in (("entropy_rate", "entropy_rate"), ("kept", "kept"), ("blur", "blur")):
        assert result[ours] == pytest.approx(getattr(sweep, theirs)[0], rel=1e-4), ours
    assert result["f_measure"] == pytest.approx(sweep.f_measure[0], abs=1e-9)
    assert result["events"] == sweep.events


def test_every_setting_of_the_loss_counts():
    import warplens as wl

    (each,) = probes(5).items
    x, y = each.inputs, torch.from_numpy(each.weak)
    settings = {
        "step_weights": (0.3, 1.0, 2.0),
        "band": wl.SakoeChiba(40),
        "feature_weights": [1, 2, 1, 1, 0.5, 1],
        "pos_weight": [3, 1, 1, 1, 1, 2],
        "feature_reduction": "mean",
    }
    for cost in ("bce_logits", wlt.DiagonalPrior("bce_logits", 2.0, nu=10.0)):
        expected = wlt.align(x, y, cost=cost, gamma=0.2, **settings)
        loss = wlt.SoftDTWLoss(cost, gamma=0.2, **settings)
        (targets,) = inspect_targets(loss, probes(5)).targets
        np.testing.assert_allclose(targets.y_mod, expected.y_mod, atol=1e-6)
        np.testing.assert_allclose(targets.h, expected.h, rtol=1e-5)


@pytest.mark.parametrize("cost", ["bce_logits", wlt.DiagonalPrior("bce_logits", 1.0)])
def test_learned_settings_are_inspected_as_they_are(cost):
    gamma, weights = torch.nn.Parameter(torch.tensor(0.5)), torch.nn.Parameter(torch.tensor([0.5, 1.0, 1.0]))
    result = inspect_targets(wlt.SoftDTWLoss(cost, gamma, weights), probes())
    assert result.measures == inspect_targets(wlt.SoftDTWLoss(cost, 0.5, (0.5, 1.0, 1.0)), probes()).measures
    assert result.gamma == 0.5


def test_another_gamma_leaves_that_of_the_loss():
    loss = wlt.SoftDTWLoss("bce_logits", 5.0)
    some = probes()
    lower = inspect_targets(loss, some, gamma=0.5)
    assert loss.gamma == 5.0
    assert lower.gamma == 0.5
    expected = inspect_targets(wlt.SoftDTWLoss("bce_logits", 0.5), some, predictions=some.predictions())
    assert lower.measures == expected.measures


def test_the_f_measure_of_predictions_is_that_of_their_probabilities():
    some = probes(0, noise=4.0)
    (each,) = some.items
    active, strong = each.inputs.numpy() > 0, each.strong > 0.5
    expected = 2 * (active & strong).sum() / (active.sum() + strong.sum())
    result = inspect_targets(wlt.SoftDTWLoss("bce_logits"), some).measures["predictions_f_measure"]
    assert result == pytest.approx(expected)


def test_without_strong_targets_only_the_measures_against_them_are_missing():
    measures = inspect_targets(wlt.SoftDTWLoss("bce_logits"), probes(known=False)).measures
    assert {name for name, value in measures.items() if math.isnan(value)} == {
        "f_measure",
        "predictions_f_measure",
    }


class Disturbing(Confidence):
    """Draws random numbers in eval mode too."""

    def forward(self, logits):
        return super().forward(logits) + 0.0 * torch.rand(logits.shape)


def state_of(model):
    return copy.deepcopy([(name, tensor) for name, tensor in model.state_dict().items()])


def test_inspection_changes_nothing():
    model = Disturbing()
    model.train()
    model.norm.eval()
    items = [probe(0), probe(1)]
    inputs = [each.inputs.clone() for each in items]
    (model(items[0].inputs[None])).sum().backward()
    gradient = model.confidence.grad.clone()
    before, random = state_of(model), torch.get_rng_state()
    inspect_targets(wlt.SoftDTWLoss("bce_logits"), Probes(model, items))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(before, state_of(model), strict=True))
    assert torch.equal(model.confidence.grad, gradient)
    assert model.training
    assert model.dropout.training
    assert not model.norm.training
    assert torch.is_grad_enabled()
    assert all(torch.equal(a, each.inputs) for a, each in zip(inputs, items, strict=True))


def test_a_failing_network_is_put_back_too():
    model = Confidence()
    random = torch.get_rng_state()

    def fail(inputs):
        torch.rand(3)
        raise RuntimeError("as any network may")

    with pytest.raises(RuntimeError, match="as any network may"):
        Probes(model, [probe(0)], predict=fail).predictions()
    assert model.training
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), random)


def test_predict_says_how_the_network_is_asked():
    items = [Probe("dict", {"logits": probe(0).inputs}, probe(0).weak)]
    model = Confidence(confidence=2.0)
    for predict in (lambda given: model(given["logits"]), lambda given: model(given["logits"][None])):
        (result,) = Probes(model, items, predict=predict).predictions()
        assert torch.equal(result, 2 * items[0].inputs["logits"])
        assert not result.requires_grad


def test_a_probe_keeps_the_targets_it_was_made_with():
    weak, strong = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
    one = Probe("one", torch.eye(3), weak, strong)
    weak[:], strong[:] = 0, 0
    np.testing.assert_array_equal(one.weak, np.eye(3))
    np.testing.assert_array_equal(one.strong, np.eye(3))
    assert one == one
    assert one != Probe("one", torch.eye(3), np.eye(3))
    assert len({one, one}) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_inputs_have_the_dtype_of_the_network(dtype):
    network = torch.nn.Linear(3, 3).to(dtype)
    network.register_parameter("gamma", torch.nn.Parameter(torch.tensor(1.0)))
    x = torch.rand(5, 3)
    (result,) = Probes(network, [Probe("one", x, np.eye(3))]).predictions()
    assert result.dtype == dtype
    torch.testing.assert_close(result, network(x.to(dtype)).detach())
    embedding = torch.nn.Embedding(9, 3).to(dtype)
    (result,) = Probes(embedding, [Probe("one", torch.arange(5), np.eye(3))]).predictions()
    assert torch.equal(result, embedding(torch.arange(5)).detach())


def test_a_network_that_diverged_is_left_out_and_named():
    one, other = probe(0), probe(1)
    diverged = Probe("diverged", other.inputs * torch.nan, other.weak, other.strong)
    both = Probes(Confidence(), [one, diverged])
    result = inspect_targets(wlt.SoftDTWLoss("bce_logits"), both)
    assert result.left_out == ("diverged",)
    assert (
        result.measures
        == inspect_targets(wlt.SoftDTWLoss("bce_logits"), Probes(Confidence(), [one])).measures
    )
    nothing = inspect_targets(wlt.SoftDTWLoss("bce_logits"), Probes(Confidence(), [diverged]))
    assert all(math.isnan(value) for value in nothing.measures.values())


def test_half_precision_is_inspected_in_single():
    some = probes(0)
    expected = inspect_targets(wlt.SoftDTWLoss("bce_logits"), some).measures
    halved = inspect_targets(
        wlt.SoftDTWLoss("bce_logits"), some, predictions=[p.half() for p in some.predictions()]
    )
    assert halved.measures["blur"] == pytest.approx(expected["blur"], rel=0.01)


def test_bad_input_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"loss: its cost 'l1' is not affine"):
        inspect_targets(wlt.SoftDTWLoss("l1"), probes())
    with pytest.raises(ValueError, match=r"loss: its cost 'cdist' is not affine"):
        inspect_targets(wlt.SoftDTWLoss(torch.cdist), probes())
    for name in ("debias", "sharp"):
        with pytest.raises(ValueError, match=rf"loss: has {name}=True, whose gradient"):
            inspect_targets(wlt.SoftDTWLoss("mse", **{name: True}), probes())
    with pytest.raises(ValueError, match=r"items: empty"):
        Probes(Confidence(), [])
    with pytest.raises(ValueError, match=r"items: the ids .* not all different"):
        Probes(Confidence(), [probe(0), probe(0)])
    with pytest.raises(ValueError, match=r"probe 'a': weak has shape \(3,\)"):
        Probe("a", None, np.zeros(3))
    with pytest.raises(ValueError, match=r"probe 'a': weak has shape \(3, 2\), strong \(9, 3\)"):
        Probe("a", None, np.zeros((3, 2)), np.zeros((9, 3)))
    with pytest.raises(ValueError, match=r"probe 'a': predictions have shape \(2, 5\); \(N, 6\)"):
        Probes(Confidence(), [Probe("a", torch.zeros(2, 5), np.eye(6))], predict=lambda x: x).predictions()
    with pytest.raises(ValueError, match=r"probe 'a': 8 frames are predicted, but its strong target has 7"):
        Probes(Confidence(), [Probe("a", torch.zeros(8, 6), np.eye(6), np.zeros((7, 6)))]).predictions()
    with pytest.raises(TypeError, match=r"inputs: is a NoneType"):
        Probes(Confidence(), [Probe("a", None, np.eye(6))]).predictions()
