"""Inspection, pictures and gammas of training with CTC: labels in the place of events."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from label_items import LABELS, label_item, multi_hot_item, peaky_item
from torch import nn

import warplens as wl
import warplens.torch as wlt
from warplens.analysis.losses.item import analyze_by_loss
from warplens.analysis.losses.options import Loss
from warplens.io import Item, LabelItem
from warplens.training import (
    Probe,
    Probes,
    TargetDrivenGamma,
    TargetInspector,
    forced_alignment,
    inspect_targets,
)


class Given(nn.Module):
    """Returns what it is given."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, scores):
        return scores * self.scale


def probe_of(item, name="one"):
    return Probe(
        name,
        torch.from_numpy(item.log_probs),
        strong=item.strong,
        labels=item.labels,
        label_names=item.label_names,
    )


def probes_of(*items):
    return Probes(Given(), [probe_of(item, str(i)) for i, item in enumerate(items)])


@pytest.mark.parametrize(
    ("options", "gamma"),
    [({}, 1.0), ({"blank_penalty": 1.5, "blank_weight": 2.0, "free_between": True}, 0.5)],
)
def test_one_probe_is_measured_as_an_item(options, gamma):
    item = peaky_item()
    loss = wlt.CTCLoss(gamma=gamma, **options)
    result = inspect_targets(loss, probes_of(item))
    expected = analyze_by_loss(item, Loss("ctc", **options), gammas=[gamma])
    for name in (
        "events",
        "events_below_threshold",
        "kept",
        "short_event_peak",
        "long_event_peak",
        "blur",
        "collapse",
        "entropy_per_frame",
        "h_min",
        "h_max",
        "f_measure",
        "blank_share",
        "not_taught",
    ):
        assert result.measures[name] == pytest.approx(expected.measures[name][0], abs=1e-9), name
    (targets,) = result.targets
    np.testing.assert_allclose(targets.y_mod, expected.y_mod[0], atol=1e-9)
    np.testing.assert_allclose(targets.levels.duration, expected.levels.duration[0], atol=1e-9)
    assert targets.entropy == pytest.approx(expected.measures["entropy"][0], abs=1e-9)


def weak_probe(seed=0, frames=18):
    rng = np.random.default_rng(seed)
    weak = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], float)
    strong = np.repeat(weak, frames // 3, axis=0)
    return Probe("weak", torch.from_numpy(rng.uniform(0.05, 0.95, (frames, 3))), weak, strong)


def of_features(loss, described, options):
    probe = weak_probe()
    item = Item(probe.inputs.numpy(), probe.weak, strong=probe.strong)
    return loss, probe, analyze_by_loss(item, described, cost="bce", gammas=[0.7], **options)


def of_tokens(loss, described):
    scores = label_item().log_probs
    strong = np.repeat(np.arange(5), [3, 3, 3, 3, 2])
    probe = Probe("tokens", torch.from_numpy(scores), labels=np.arange(5), strong=strong)
    return loss, probe, analyze_by_loss(LabelItem(scores, strong=strong), described, gammas=[0.7])


def of_chords(encoding):
    item = multi_hot_item(encoding=encoding)
    probe = Probe("chords", torch.from_numpy(item.log_probs), item.weak, np.repeat(item.weak, 4, axis=0))
    told = LabelItem(item.log_probs, weak=item.weak, strong=probe.strong)
    described = Loss("multi-label-ctc", encoding=encoding)
    return wlt.MultiLabelCTCLoss(encoding, 0.7), probe, analyze_by_loss(told, described, gammas=[0.7])


CASES = {
    "open": lambda: of_features(
        wlt.SoftDTWLoss("bce", 0.7, open_begin="x", open_end="y", skip_penalty=(0.2, 0.1)),
        Loss("subsequence", open_begin="x", open_end="y", skip_penalty=(0.2, 0.1)),
        {},
    ),
    "drop": lambda: of_features(wlt.DropDTWLoss(0.9, "bce", 0.7), Loss("drop", drop=0.9), {}),
    "scattered drop": lambda: of_features(
        wlt.DropDTWLoss(0.9, "bce", 0.7, contiguous=False, many_to_one=True),
        Loss("drop", drop=0.9, contiguous=False, many_to_one=True),
        {},
    ),
    "tokens": lambda: of_tokens(wlt.ForwardSumLoss(0.7), Loss("forward-sum")),
    "tokens with a blank": lambda: of_tokens(
        wlt.ForwardSumLoss(0.7, blank_logprob=-1.0), Loss("forward-sum", blank_logprob=-1.0)
    ),
    "we": lambda: of_chords("we"),
    "ne3": lambda: of_chords("ne3"),
    "ne2": lambda: of_chords("ne2"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_loss_is_measured_as_from_stored_items(name):
    loss, probe, expected = CASES[name]()
    result = inspect_targets(loss, Probes(Given(), [probe]))
    (targets,) = result.targets
    np.testing.assert_allclose(targets.y_mod, expected.y_mod[0], atol=1e-9)
    np.testing.assert_allclose(targets.presence, expected.presence[0], atol=1e-9)
    np.testing.assert_allclose(targets.levels.peak, expected.levels.peak[0], atol=1e-9)
    for measure in result.measures:
        if measure in expected.measures:
            wanted = expected.measures[measure][0]
            assert result.measures[measure] == pytest.approx(wanted, abs=1e-9, nan_ok=True), measure
    assert 0 <= result.measures["predictions_f_measure"] <= 1
    inspector = TargetInspector(loss, Probes(Given(), [probe]))
    pytest.importorskip("matplotlib")
    assert inspector.figure(result, targets).axes
    lowered = inspect_targets(loss, Probes(Given(), [probe]), gamma=0.1)
    assert lowered.measures["entropy_rate"] < result.measures["entropy_rate"]


def test_a_forward_sum_needs_a_label_for_each_column():
    probe = Probe("x", torch.from_numpy(label_item().log_probs), labels=[1, 2])
    with pytest.raises(ValueError, match="probe 'x': predictions have 5 tokens and the probe 2 labels"):
        inspect_targets(wlt.ForwardSumLoss(), Probes(Given(), [probe]))


def test_drop_costs_are_to_be_known():
    with pytest.raises(ValueError, match="its drop costs are given by each call"):
        TargetInspector(wlt.DropDTWLoss(cost="bce"), Probes(Given(), [weak_probe()]))


def test_another_gamma_leaves_the_loss_as_it_is():
    loss = wlt.CTCLoss(gamma=2.0)
    probes = probes_of(peaky_item())
    then = inspect_targets(loss, probes, gamma=0.3)
    assert float(loss.gamma) == 2.0
    assert then.measures == inspect_targets(wlt.CTCLoss(gamma=0.3), probes).measures
    assert then.gamma == 0.3


def test_several_probes_are_pooled():
    items = [label_item(0), label_item(1, frames=20), peaky_item()]
    loss = wlt.CTCLoss()
    pooled = inspect_targets(loss, probes_of(*items))
    each = [inspect_targets(loss, probes_of(item)).measures for item in items]
    frames = np.array([len(item.log_probs) for item in items])
    for name in ("blank_share", "entropy_per_frame", "h_mean"):
        assert pooled.measures[name] == pytest.approx(
            np.average([measures[name] for measures in each], weights=frames)
        )
    assert pooled.measures["events"] == sum(len(item.labels) for item in items)


def test_logits_and_log_probabilities_show_the_same():
    item = peaky_item()
    shifted = LabelItem(item.log_probs + 2.0, item.labels, strong=item.strong)
    one = inspect_targets(wlt.CTCLoss(from_logits=True), probes_of(shifted)).measures
    other = inspect_targets(wlt.CTCLoss(), probes_of(item)).measures
    assert one == pytest.approx(other, abs=1e-9, nan_ok=True)


def test_probes_without_a_path_are_left_out():
    result = inspect_targets(wlt.CTCLoss(), probes_of(label_item(frames=4), label_item()))
    assert result.left_out == ("0",)
    assert len(result.targets) == 1
    broken = label_item()
    broken.log_probs[0, 0] = np.nan
    alone = inspect_targets(wlt.CTCLoss(), probes_of(broken))
    assert alone.left_out == ("0",)
    assert math.isnan(alone.measures["kept"])


def test_a_class_of_probability_0_is_no_reason_to_leave_out():
    item = label_item()
    item.log_probs[3, 4] = -np.inf
    assert not inspect_targets(wlt.CTCLoss(), probes_of(item)).left_out


def test_predictions_may_have_frames_first_as_ctc_has_them():
    item = label_item()
    frames_first = Probes(Given(), [probe_of(item)], predict=lambda scores: scores[:, None])
    one, other = (inspect_targets(wlt.CTCLoss(), probes) for probes in (frames_first, probes_of(item)))
    assert one.measures == pytest.approx(other.measures, nan_ok=True)


def test_tags_speak_of_labels():
    class Recorder:
        def __init__(self):
            self.tags = []

        def add_scalar(self, tag, scalar_value, global_step):
            self.tags.append(tag)

    writer = Recorder()
    TargetInspector(wlt.CTCLoss(), probes_of(peaky_item()), writer, pictures_every=None).step(0)
    assert {"targets/labels_below_threshold", "targets/blank_share", "targets/short_label_peak"} <= {
        *writer.tags
    }
    assert not [tag for tag in writer.tags if "event" in tag]


def test_pictures_name_the_classes_that_occur():
    pytest.importorskip("matplotlib")
    item = label_item(strong=np.repeat([0, 1, 2, 0, 2, 3, 0], 2))
    inspector = TargetInspector(wlt.CTCLoss(), probes_of(item))
    inspection = inspector.inspect(0)
    figure = inspector.figure(inspection, inspection.targets[0])
    rolls = figure.axes[:3]
    assert [label.get_text() for label in rolls[0].get_yticklabels()] == ["blank", "a", "b", "c"]
    assert [roll.get_title(loc="left").split(",")[0] for roll in rolls] == [
        "predictions",
        "$Y_{mod}$",
        "strong target",
    ]
    lost = int(inspection.measures["events_below_threshold"])
    blank = 100 * inspection.measures["blank_share"]
    assert f"{lost} of 4 labels under 0.5, blank {blank:.0f} %" in rolls[1].get_title(loc="left")


def test_gamma_falls_when_labels_ask_for_it():
    loss = wlt.CTCLoss()
    schedule = TargetDrivenGamma(
        loss, probes_of(peaky_item()), start=4.0, end=0.5, every=1, least_short_peak=0.99
    )
    gammas = [float(loss.gamma)]
    for _ in range(5):
        schedule.step()
        gammas.append(float(loss.gamma))
    assert gammas[-1] < 4.0
    assert all(later <= earlier for earlier, later in itertools.pairwise(gammas))
    assert "short labels reach" in schedule.log[0]
    assert "event" not in schedule.last_reason
    copied = copy.deepcopy(schedule.state_dict())
    schedule.load_state_dict(copied)


def test_inspection_changes_nothing():
    loss, probes = wlt.CTCLoss(gamma=0.7, blank_penalty=1.0), probes_of(peaky_item())
    before = copy.deepcopy(loss.state_dict())
    inspect_targets(loss, probes, gamma=0.2)
    assert all(torch.equal(before[name], tensor) for name, tensor in loss.state_dict().items())
    assert probes.model.scale.grad is None


@pytest.mark.parametrize("options", [{}, {"blank_penalty": 2.0}, {"blank_weight": 2.0, "free_between": True}])
def test_forced_alignments_are_best_paths(options):
    items = [label_item(seed, frames=frames) for seed, frames in enumerate((14, 9))]
    scores = torch.zeros(14, 2, 5, dtype=torch.float64)
    for b, item in enumerate(items):
        scores[: len(item.log_probs), b] = torch.from_numpy(item.log_probs)
    targets = torch.from_numpy(np.stack([LABELS, LABELS]))
    loss = wlt.CTCLoss(**options)
    classes = forced_alignment(loss, scores, targets, [14, 9], [4, 4])
    flat = forced_alignment(loss, scores, targets.reshape(-1), [14, 9], [4, 4])
    assert torch.equal(classes, flat)
    assert (classes[9:, 1] == 0).all()
    for b, item in enumerate(items):
        best = wl.ctc(item.log_probs, LABELS, gamma=0.0, **options)
        of_item = classes[: len(item.log_probs), b].numpy()
        np.testing.assert_array_equal(of_item, best.y_mod.argmax(axis=1))
        merged = of_item[np.flatnonzero(np.diff(of_item, prepend=-1))]
        np.testing.assert_array_equal(merged[merged != 0], LABELS)
        one = forced_alignment(loss, scores[: len(of_item), b], targets[b], [len(of_item)], [4])
        np.testing.assert_array_equal(one.numpy(), of_item)


def test_bad_input_is_refused_by_name():
    weak = Probe("w", torch.zeros(5, 3), np.eye(3))
    labels = probe_of(label_item())
    with pytest.raises(ValueError, match="probe 'w': has weak targets, but CTCLoss needs labels"):
        inspect_targets(wlt.CTCLoss(), Probes(Given(), [weak]))
    with pytest.raises(ValueError, match="probe 'one': has labels, but SoftDTWLoss needs weak targets"):
        TargetInspector(wlt.SoftDTWLoss(), Probes(Given(), [labels]))
    with pytest.raises(ValueError, match="probe 'one': has labels"):
        TargetDrivenGamma(wlt.SoftDTWLoss(), Probes(Given(), [labels]))
    with pytest.raises(TypeError, match="loss: is a MSELoss; a SoftDTWLoss, CTCLoss,"):
        inspect_targets(nn.MSELoss(), Probes(Given(), [labels]))
    with pytest.raises(ValueError, match="give either weak targets or labels"):
        Probe("both", None, np.eye(3), labels=LABELS)
    with pytest.raises(ValueError, match="give either weak targets or labels"):
        Probe("none", None)
    with pytest.raises(ValueError, match=r"labels has shape .* whole numbers"):
        Probe("x", None, labels=[0.5])
    with pytest.raises(ValueError, match="label 0 of item 0 is 9, no class"):
        inspect_targets(wlt.CTCLoss(), Probes(Given(), [Probe("x", labels.inputs, labels=[9])]))
    with pytest.raises(ValueError, match=r"predictions have shape \(5,\)"):
        inspect_targets(wlt.CTCLoss(), Probes(Given(), [labels], predict=lambda _: torch.zeros(5)))
    with pytest.raises(ValueError, match="item 0: no path"):
        forced_alignment(wlt.CTCLoss(), torch.zeros(2, 1, 5), torch.tensor([[1, 1]]), [2], [2])
    with pytest.raises(ValueError, match="log_probs: has shape"):
        forced_alignment(wlt.CTCLoss(), torch.zeros(2, 1, 5), torch.tensor([[1]]), [2, 2], [1])
