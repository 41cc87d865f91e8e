"""Laws of predictions that have learnt their modified targets."""

import numpy as np
import pytest
import torch

import warplens as wl
from warplens.analysis.level_colors import predicted_levels
from warplens.torch import CTCLoss, DropDTWLoss, ForwardSumLoss, MultiLabelCTCLoss, SoftDTWLoss
from warplens.training import Probe, Probes, TargetInspector, inspect_targets, settle_predictions

N, M, D = 24, 6, 5


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def probes_of(x, *, labels=None, weak=None):
    if weak is None and labels is None:
        weak = (torch.rand(M, D) < 0.4).float().numpy()
        weak[:, 0] = np.arange(M) % 2  # no two targets in a row are equal
    return Probes(torch.nn.Identity(), [Probe("a", x, weak, labels=labels)], predict=lambda inputs: inputs)


@pytest.mark.parametrize("cost", ["mse", "sqeuclidean", "bce", "bce_logits", "poisson", "poisson_log"])
def test_after_a_round_predictions_are_the_modified_targets(cost):
    x = torch.rand(N, D, dtype=torch.float64) * 0.8 + 0.1
    probes, loss = probes_of(x), SoftDTWLoss(cost, gamma=0.7)
    (settled,) = settle_predictions(loss, probes, rounds=1)
    (targets,) = inspect_targets(loss, probes).targets
    levels = predicted_levels(settled.numpy(), cost)
    assert np.abs(levels - targets.y_mod).max() < 2e-4  # probabilities keep 1e-4 from 0 and 1
    (half,) = settle_predictions(loss, probes, rounds=1, rate=0.5)
    before = predicted_levels(x.numpy(), cost)
    assert np.abs(predicted_levels(half.numpy(), cost) - (before + targets.y_mod) / 2).max() < 2e-4


def test_rounds_follow_one_another_and_none_changes_nothing():
    probes, loss = probes_of(torch.randn(N, D)), SoftDTWLoss("bce_logits", gamma=2.0)
    (given,) = settle_predictions(loss, probes, rounds=0)
    assert torch.equal(given, probes.items[0].inputs)
    (once,) = settle_predictions(loss, probes, rounds=1)
    (twice,) = settle_predictions(loss, probes, rounds=1, predictions=[once])
    assert torch.equal(settle_predictions(loss, probes, rounds=2)[0], twice)
    (other,) = settle_predictions(loss, probes, rounds=2, gamma=0.1)
    assert not torch.equal(other, twice)
    assert float(loss.gamma) == 2.0


def test_right_predictions_stay_as_they_are_at_a_low_gamma_and_blur_at_a_high_one():
    weak = np.eye(M, D + 1, dtype=np.float32)
    roll = torch.from_numpy(np.repeat(weak, N // M, axis=0))
    probes = probes_of(8 * roll - 4, weak=weak)
    for gamma, moves in ((0.01, False), (30.0, True)):
        loss = SoftDTWLoss("bce_logits", gamma=gamma)
        (settled,) = settle_predictions(loss, probes, rounds=5)
        assert ((torch.sigmoid(settled) - roll).abs().max() > 0.3) == moves


def test_frames_that_are_left_out_keep_their_predictions():
    weak = np.eye(3, dtype=np.float32)
    x = torch.from_numpy(np.repeat(weak, 4, axis=0)).double()
    x[5] = 100.0  # far from every target: dropped
    loss = DropDTWLoss(4.0, "mse")
    (settled,) = settle_predictions(loss, probes_of(x, weak=weak))
    assert torch.allclose(settled[5], x[5])
    (aligned,) = settle_predictions(SoftDTWLoss("mse"), probes_of(x, weak=weak), rounds=1)
    assert aligned[5].max() <= 1.0


@pytest.mark.parametrize("from_logits", [False, True])
def test_the_gradient_of_ctc_vanishes_where_it_has_settled(from_logits):
    labels = np.array([1, 2, 2, 3])
    scores = torch.randn(N, 4, dtype=torch.float64)
    x = scores if from_logits else scores.log_softmax(-1)
    probes = probes_of(x, labels=labels)
    loss = CTCLoss(from_logits=from_logits)
    (settled,) = settle_predictions(loss, probes, rounds=200)
    shown = loss.align(settled, torch.from_numpy(labels), [N], [4])
    assert (settled.softmax(-1) - shown.y_mod).abs().max() < 2e-3
    (early,) = settle_predictions(loss, probes, rounds=1)
    assert (early.exp().sum(-1) - 1).abs().max() < 1e-3


@pytest.mark.parametrize(("encoding", "shape"), [("we", (1 + D, 2)), ("ne3", (D, 3))])
def test_categories_of_multi_label_ctc_stay_distributions(encoding, shape):
    x = torch.randn(N, *shape).log_softmax(-1)
    probes = probes_of(x)
    for loss in (MultiLabelCTCLoss(encoding), MultiLabelCTCLoss(encoding, blank_penalty=float("inf"))):
        (settled,) = settle_predictions(loss, probes)
        assert settled.shape == x.shape
        assert (settled.exp().sum(-1) - 1).abs().max() < 1e-3


def test_without_a_path_predictions_stay():
    x = torch.randn(3, 5).log_softmax(-1)
    labels = np.array([1, 1, 1])  # needs five frames
    (settled,) = settle_predictions(CTCLoss(), probes_of(x, labels=labels))
    assert torch.equal(settled, x)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"rounds": -1}, ValueError, "rounds"),
        ({"rate": 0.0}, ValueError, "rate"),
        ({"rate": 1.5}, ValueError, "rate: is 1.5; a share of the way"),
    ],
)
def test_numbers_out_of_range_are_named(given, error, says):
    with pytest.raises(error, match=says):
        settle_predictions(SoftDTWLoss("mse"), probes_of(torch.rand(N, D)), **given)


def test_losses_whose_targets_are_not_those_of_predictions_are_refused():
    probes = probes_of(torch.randn(N, 4).log_softmax(-1), labels=np.arange(4))
    assert len(settle_predictions(ForwardSumLoss(), probes)) == 1
    for refuses in (settle_predictions, TargetInspector, inspect_targets):
        with pytest.raises(ValueError, match="blank_logprob"):
            refuses(ForwardSumLoss(blank_logprob=-1.0), probes, rounds=1)
    with pytest.raises(ValueError, match="not affine"):
        settle_predictions(SoftDTWLoss("l1"), probes_of(torch.rand(N, D)))
    with pytest.raises(TypeError, match="loss: is a "):
        settle_predictions(torch.nn.CTCLoss(), probes)


def test_steps_between_corners_are_taught_in_every_frame():
    steps = SoftDTWLoss("bce_logits", gamma=1.0, steps=[wl.Step(1, 0), wl.Step(1, 1)])
    x = torch.randn(N, D, dtype=torch.float64)
    probes = probes_of(x)
    (settled,) = settle_predictions(steps, probes, rounds=1)
    (targets,) = inspect_targets(steps, probes).targets
    assert np.abs(torch.sigmoid(settled).numpy() - targets.y_mod).max() < 2e-4


def test_an_inspection_measures_settled_targets_if_asked():
    x = torch.randn(N, D)
    probes = probes_of(x)
    strong = np.repeat(probes.items[0].weak, N // M, axis=0)
    items = [Probe("a", x, probes.items[0].weak, strong)]
    probes = Probes(torch.nn.Identity(), items, predict=lambda inputs: inputs)
    loss = SoftDTWLoss("bce_logits", gamma=3.0)
    without, with_rounds = inspect_targets(loss, probes), inspect_targets(loss, probes, rounds=2)
    settled = settle_predictions(loss, probes, rounds=2)
    then = inspect_targets(loss, probes, predictions=settled).measures
    expected = without.measures | {
        "settled_kept": then["kept"],
        "settled_f_measure": then["predictions_f_measure"],
    }
    assert with_rounds.measures == pytest.approx(expected, nan_ok=True)
    inspector = TargetInspector(loss, probes, every=1, rounds=2)
    assert inspector.step(0).measures == pytest.approx(expected, nan_ok=True)
    with pytest.raises(ValueError, match="rounds"):
        TargetInspector(loss, probes, rounds=-1)
