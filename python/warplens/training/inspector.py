"""Inspection of modified targets while a network trains: numbers often, pictures and sound less often."""

import math
import time
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from warplens._numbers import as_count, as_number
from warplens.analysis.events import THRESHOLD, check_threshold
from warplens.analysis.losses.shown import names_of_classes
from warplens.analysis.sonify import SAMPLE_RATE, most_voices, sonify
from warplens.training.inspection import Inspection, ProbeTargets, inspect_targets, strong_roll
from warplens.training.loss_lenses import InspectedLoss, check_loss, check_probe, describe_loss, levels_of
from warplens.training.probes import Probes
from warplens.training.settled_predictions import check_rounds

_MARGIN_FEATURES = 2
_DPI = 75
"""A board shows pictures small, and drawing takes time from training."""


class Writer(Protocol):
    """The methods of a TensorBoard `SummaryWriter` that the inspector calls."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> object:
        """Write one number.

        Args:
            tag: its name.
            scalar_value: the number.
            global_step: training step.
        """

    def add_figure(self, tag: str, figure: Any, global_step: int) -> object:
        """Write a matplotlib figure.

        Args:
            tag: its name.
            figure: a `matplotlib.figure.Figure`.
            global_step: training step.
        """

    def add_audio(self, tag: str, snd_tensor: Any, global_step: int, sample_rate: int) -> object:
        """Write a sound.

        Args:
            tag: its name.
            snd_tensor: (1, samples) float32 in [-1, 1].
            global_step: training step.
            sample_rate: samples a second.
        """


class TargetInspector:
    """Inspector of the modified targets of probe items, every so many steps, that writes what it finds.

    Written under `<tag>/`: gamma and the measures of an `Inspection` as scalars; for the first probes, under
    `<tag>/<id>/`, a picture (predictions, Y_mod and, if known, the strong target) and Y_mod as sound where
    `fps` is known. It belongs to no framework: call `step` once a training step.

    Args:
        loss: the loss of the family that the network is trained with; its cost must have modified targets.
            Where targets are labels, tags speak of labels.
        probes: network and items.
        writer: a `torch.utils.tensorboard.SummaryWriter` or what has its add_scalar, add_figure and
            add_audio; None writes nothing.
        every: steps from one inspection to the next.
        pictures_every: inspections from one picture to the next; None draws none and makes no sound.
        pictures_of: number of probes that are drawn and heard.
        threshold: level under which an event counts as lost, and above which one counts as active.
        tag: prefix of all tags.
        rounds: rounds after which settled targets are measured too, as in `inspect_targets`; 0 leaves it.

    Attributes:
        last: the last `Inspection`, None before the first.
        seconds: time spent inspecting, drawing and writing.

    Raises:
        TypeError: an argument is not a number, or not a whole one.
        ValueError: the loss has no modified targets, or a number is out of range.
        ModuleNotFoundError: pictures are wanted, but matplotlib is not there (extra `display`).

    Example:
        >>> network, weak = torch.nn.Linear(8, 3), torch.eye(3)
        >>> probes = Probes(network, [Probe("scale", torch.randn(20, 8), weak.numpy())])
        >>> inspector = TargetInspector(SoftDTWLoss("bce_logits"), probes, writer=None, every=100)
        >>> for step in range(3):  # with a training step in each round
        ...     inspection = inspector.step(step)
        >>> int(inspector.last.measures["events"])
        3
    """

    def __init__(
        self,
        loss: InspectedLoss,
        probes: Probes,
        writer: Writer | None = None,
        *,
        every: int = 100,
        pictures_every: int | None = 10,
        pictures_of: int = 2,
        threshold: float = THRESHOLD,
        tag: str = "targets",
        rounds: int = 0,
    ) -> None:
        check_loss(loss)
        for probe in probes.items:
            check_probe(loss, probe)
        self.loss = loss
        self.probes = probes
        self.every = as_count("every", every)
        self.pictures_every = None if pictures_every is None else as_count("pictures_every", pictures_every)
        self.pictures_of = as_count("pictures_of", pictures_of, least=0)
        self.threshold = check_threshold(as_number("threshold", threshold))
        self.writer = writer
        self.tag = tag
        check_rounds(loss, rounds)
        self.rounds = rounds
        self.last: Inspection | None = None
        self.seconds = 0.0
        self._inspected: tuple[int, Writer | None] | None = None
        self._layouts: dict[str, list[Any]] = {}

    @property
    def writer(self) -> Writer | None:
        """Writer of scalars, pictures and sound; None writes nothing.

        Setting one raises ModuleNotFoundError where pictures are wanted, but matplotlib is not there.
        """
        return self._writer

    @writer.setter
    def writer(self, writer: Writer | None) -> None:
        if writer is not None and self.pictures_every is not None and find_spec("matplotlib") is None:
            raise ModuleNotFoundError(
                "pictures need matplotlib: pip install 'warplens[display]', or give pictures_every=None"
            )
        self._writer = writer

    def step(self, step: int) -> Inspection | None:
        """Inspect if it is due at this step, counted from 0; a step asked for twice is inspected once.

        The step decides alone, so a run that resumes needs no state of the inspector. A new writer gets the
        inspection of a step that another one had.
        """
        if step % self.every or (step, self.writer) == self._inspected:
            return None
        self._inspected = step, self.writer
        pictures = self.pictures_every is not None and step % (self.every * self.pictures_every) == 0
        return self.inspect(step, pictures=pictures)

    def inspect(self, step: int, *, pictures: bool = True) -> Inspection:
        """Inspect now and write the result under this step.

        Args:
            step: training step, under which the writer files it.
            pictures: draw pictures and make sounds too.
        """
        begun = time.perf_counter()
        inspection = inspect_targets(self.loss, self.probes, threshold=self.threshold, rounds=self.rounds)
        self.last = inspection
        if self.writer is not None:
            self._write_scalars(self.writer, inspection, step)
            if pictures:
                self._write_pictures(self.writer, inspection, step)
        self.seconds += time.perf_counter() - begun
        return inspection

    def _write_scalars(self, writer: Writer, inspection: Inspection, step: int) -> None:
        scalars = {
            "gamma": inspection.gamma,
            **inspection.measures,
            "probes_left_out": float(len(inspection.left_out)),
        }
        for name, value in scalars.items():
            if not math.isnan(value):
                written = name.replace("event", inspection.word)
                writer.add_scalar(f"{self.tag}/{written}", value, step)

    def _write_pictures(self, writer: Writer, inspection: Inspection, step: int) -> None:
        shown = {probe.id for probe in self.probes.items[: self.pictures_of]}
        for targets in inspection.targets:
            if targets.probe.id not in shown:
                continue
            # TensorBoard shows one kind of data a tag.
            tag = f"{self.tag}/{targets.probe.id}"
            writer.add_figure(f"{tag}/picture", self.figure(inspection, targets), step)
            samples = _sound(targets)
            if samples is not None:
                writer.add_audio(f"{tag}/sound", samples[None], step, SAMPLE_RATE)

    def figure(self, inspection: Inspection, targets: ProbeTargets) -> Any:
        """Draw predictions, Y_mod and, if known, the strong target of a probe as a matplotlib figure.

        The features shown are those of the targets, so figures of all steps share their axes and layout. Of
        labels all classes that occur are shown, by name; Y_mod is faded where frames are not taught.

        Args:
            inspection: what `inspect` returned.
            targets: one of `inspection.targets`.
        """
        from warplens.analysis.display import roll_grid

        probe = targets.probe
        lost = int(np.count_nonzero(targets.levels.peak < inspection.threshold))
        title = f"{lost} of {len(probe.events)} {inspection.word}s under {inspection.threshold:g}"
        if not math.isnan(targets.blank_share):
            title += f", blank {100 * targets.blank_share:.0f} %"
        y_mod = _faded(targets)
        rolls: list[tuple[str, NDArray[Any]]] = [
            ("predictions", levels_of(self.loss, probe, targets.predictions)),
            (f"$Y_{{mod}}$, $\\gamma$ = {inspection.gamma:.3g}: {title}", y_mod),
        ]
        strong = strong_roll(self.loss, targets)
        if strong is not None:
            rolls.append(("strong target", strong))
        figure = roll_grid(
            [rolls],
            probe.fps,
            probe.lowest_pitch,
            threshold=inspection.threshold,
            features=(0, y_mod.shape[1] - 1) if probe.weak is None else _features_shown(probe.weak),
        )
        if targets.classes is not None:
            names = names_of_classes(describe_loss(self.loss), targets.classes, probe.label_names)
            for ax in figure.axes[: len(rolls)]:
                ax.set_yticks(range(len(names)), names)
                ax.set_ylabel("")
        figure.set_dpi(_DPI)
        # Finding room for labels takes longer than drawing: later pictures are laid out as the first one was.
        if probe.id not in self._layouts:
            figure.draw_without_rendering()
            self._layouts[probe.id] = [ax.get_position() for ax in figure.axes]
        figure.set_layout_engine("none")
        for ax, place in zip(figure.axes, self._layouts[probe.id], strict=True):
            ax.set_position(place)
        return figure


def _faded(targets: ProbeTargets) -> NDArray[Any]:
    """Return Y_mod, faded where frames are hardly taught."""
    presence = targets.presence
    return targets.y_mod if presence is None else targets.y_mod * presence[:, np.newaxis]


def _features_shown(weak: NDArray[Any]) -> tuple[int, int]:
    active = np.flatnonzero((weak > 0).any(axis=0))
    last = weak.shape[1] - 1
    if active.size == 0:
        return 0, last
    return max(0, int(active[0]) - _MARGIN_FEATURES), min(last, int(active[-1]) + _MARGIN_FEATURES)


def _sound(targets: ProbeTargets) -> NDArray[np.float32] | None:
    """Turn Y_mod into sound, on one scale for all steps; None where the pitches or fps are not known."""
    probe = targets.probe
    if probe.weak is None or probe.fps is None or (probe.lowest_pitch is None and probe.weak.shape[1] != 12):
        return None
    return sonify(_faded(targets), probe.fps, probe.lowest_pitch, voices=most_voices(probe.weak))
