"""Content, times and writers of what an inspector writes."""

import math

import numpy as np
import pytest
import torch
from probe_items import FPS, RecordingWriter, probes

import warplens.torch as wlt
from warplens.analysis.sonify import SAMPLE_RATE
from warplens.training import TargetInspector, inspect_targets
from warplens.training.inspection import MEASURES


def inspector(writer=None, loss=None, some=None, **options):
    return TargetInspector(
        loss or wlt.SoftDTWLoss("bce_logits", 3.0), some or probes(), writer, **{"every": 4, **options}
    )


def test_it_inspects_every_so_many_steps_and_draws_less_often():
    pytest.importorskip("matplotlib")
    writer = RecordingWriter()
    watching = inspector(writer, pictures_every=2)
    inspections = [step for step in range(20) if watching.step(step) is not None]
    assert inspections == [0, 4, 8, 12, 16]
    assert sorted({step for _, _, step in writer.scalars}) == inspections
    assert sorted({step for _, _, step in writer.figures}) == [0, 8, 16]
    assert sorted({step for _, _, step, _ in writer.sounds}) == [0, 8, 16]


def test_a_step_asked_for_twice_is_inspected_once():
    watching = inspector()
    assert watching.step(4) is not None
    assert watching.step(4) is None
    assert watching.step(8) is not None


def test_each_writer_gets_its_first_look():
    first, second = RecordingWriter(), RecordingWriter()
    watching = inspector(first, pictures_every=None)
    watching.step(0)
    watching.writer = second
    watching.step(0)
    assert first.scalars == second.scalars != []


def test_the_scalars_are_the_measures_of_a_look():
    writer = RecordingWriter()
    loss, some = wlt.SoftDTWLoss("bce_logits", 3.0), probes(known=False)
    inspector(writer, loss, some, pictures_every=None, tag="seen").step(0)
    result = inspect_targets(loss, some)
    expected = {f"seen/{name}": value for name, value in result.measures.items() if not math.isnan(value)}
    assert writer.at(0) == {**expected, "seen/gamma": 3.0, "seen/probes_left_out": 0.0}
    assert set(result.measures) == set(MEASURES)
    assert not writer.figures
    assert not writer.sounds


def test_it_sees_the_gamma_and_the_network_of_the_moment():
    writer = RecordingWriter()
    loss, some = wlt.SoftDTWLoss("bce_logits", 10.0), probes()
    watching = inspector(writer, loss, some, pictures_every=None)
    schedule = wlt.ExponentialGamma(loss, 10.0, 0.1, 8)
    for step in range(9):
        watching.step(step)
        schedule.step()
    sharper = [writer.at(step)["targets/blur"] for step in (0, 4, 8)]
    assert sharper == sorted(sharper, reverse=True)
    assert writer.at(8)["targets/gamma"] == pytest.approx(0.1)
    with torch.no_grad():
        some.model.confidence.fill_(0.01)
    assert watching.inspect(9).measures["blur"] > sharper[-1]


def test_pictures_and_sound_of_the_first_probes():
    pytest.importorskip("matplotlib")
    writer = RecordingWriter()
    some = probes()
    inspector(writer, some=some, pictures_of=2).step(0)
    assert [tag for tag, _, _ in writer.figures] == [f"targets/piece {k}/picture" for k in (0, 1)]
    assert [tag for tag, _, _, _ in writer.sounds] == [f"targets/piece {k}/sound" for k in (0, 1)]
    for (_, figure, _), (_, samples, _, rate), each in zip(
        writer.figures, writer.sounds, some.items, strict=False
    ):
        rolls = [ax for ax in figure.axes if ax.images]
        assert len(rolls) == 3
        assert rolls[0].get_title(loc="left") == "predictions"
        assert "gamma" in rolls[1].get_title(loc="left")
        assert rate == SAMPLE_RATE
        assert samples.shape == (1, round(len(each.strong) * SAMPLE_RATE / FPS))
        assert samples.dtype == np.float32
        assert 0 < np.abs(samples).max() <= 1


def test_pictures_of_all_steps_share_their_axes_and_layout():
    pytest.importorskip("matplotlib")
    writer = RecordingWriter()
    loss, some = wlt.SoftDTWLoss("bce_logits", 100.0), probes(0)
    watching = inspector(writer, loss, some, pictures_every=1)
    watching.step(0)
    loss.gamma.fill_(0.01)
    with torch.no_grad():
        some.model.confidence.fill_(-1.0)
    watching.step(4)
    axes = [
        [(ax.get_xlim(), ax.get_ylim(), ax.get_position().bounds) for ax in figure.axes if ax.images]
        for _, figure, _ in writer.figures
    ]
    assert axes[0] == axes[1]


def test_what_is_not_known_is_left_out():
    pytest.importorskip("matplotlib")
    writer = RecordingWriter()
    inspector(writer, some=probes(0, known=False, sounding=False)).step(0)
    ((_, figure, _),) = writer.figures
    assert len([ax for ax in figure.axes if ax.images]) == 2
    assert not writer.sounds


def test_a_diverged_network_is_counted_and_stops_nothing():
    writer = RecordingWriter()
    watching = inspector(writer, some=probes(0, confidence=math.nan))
    result = watching.step(0)
    assert result.left_out == ("piece 0",)
    assert writer.at(0) == {"targets/gamma": 3.0, "targets/probes_left_out": 1.0}
    assert not writer.figures


def test_training_is_the_same_with_and_without():
    def trained(watch):
        torch.manual_seed(0)
        some = probes(0, 1, noise=2.0)
        loss = wlt.SoftDTWLoss("bce_logits", 1.0)
        watching = inspector(None, loss, some, every=1) if watch else None
        optimizer = torch.optim.Adam(some.model.parameters(), lr=0.1)
        for step in range(6):
            if watching:
                watching.step(step)
            each = some.items[step % 2]
            optimizer.zero_grad()
            loss(some.model(each.inputs[None])[0], torch.from_numpy(each.weak)).backward()
            optimizer.step()
        return torch.cat([tensor.detach().flatten().double() for tensor in some.model.state_dict().values()])

    assert torch.equal(trained(True), trained(False))


def test_a_real_summary_writer_takes_it(tmp_path):
    pytest.importorskip("tensorboard")
    pytest.importorskip("matplotlib")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    some = probes(0)
    with SummaryWriter(str(tmp_path)) as writer:
        watching = inspector(writer, some=some, pictures_every=1)
        inspections = [watching.step(step) for step in range(5)]
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0, "audio": 0, "scalars": 0})
    events.Reload()
    # A board shows one kind of data a tag.
    tags = [tag for kind in ("scalars", "images", "audio") for tag in events.Tags()[kind]]
    assert len(tags) == len(set(tags))
    blur = events.Scalars("targets/blur")
    assert [(each.step, each.value) for each in blur] == [
        (step, pytest.approx(inspections[step].measures["blur"], rel=1e-6)) for step in (0, 4)
    ]
    assert [each.step for each in events.Images("targets/piece 0/picture")] == [0, 4]
    assert [each.sample_rate for each in events.Audio("targets/piece 0/sound")] == [SAMPLE_RATE] * 2


def test_bad_input_names_what_is_wrong():
    for name in ("every", "pictures_every"):
        with pytest.raises(ValueError, match=rf"{name}: is 0"):
            inspector(**{name: 0})
    for options, error, message in (
        ({"every": 2.5}, TypeError, r"every: is 2\.5; a whole number"),
        ({"pictures_every": 1.5}, TypeError, r"pictures_every: is 1\.5"),
        ({"pictures_of": -1}, ValueError, r"pictures_of: is -1; a whole number is accepted, 0 or more"),
        ({"threshold": math.nan}, ValueError, r"threshold: is nan"),
    ):
        with pytest.raises(error, match=message):
            inspector(**options)
    with pytest.raises(ValueError, match=r"loss: its cost 'euclidean'"):
        inspector(loss=wlt.SoftDTWLoss("euclidean"))


def test_pictures_without_matplotlib_are_refused_at_once(monkeypatch):
    monkeypatch.setattr("warplens.training.inspector.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"warplens\[display\].*pictures_every=None"):
        inspector(RecordingWriter())
    inspector(RecordingWriter(), pictures_every=None).step(0)
    watching = inspector()
    with pytest.raises(ModuleNotFoundError, match=r"warplens\[display\]"):
        watching.writer = RecordingWriter()
    assert watching.writer is None
