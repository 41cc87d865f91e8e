"""Watching what a loss teaches while a network trains: numbers often, pictures and sound now and then."""

import math
import time
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from warplens._numbers import as_count, as_number
from warplens.analysis.events import THRESHOLD
from warplens.analysis.sonify import SAMPLE_RATE, most_voices, sonify
from warplens.torch import SoftDTWLoss
from warplens.training.inspection import Look, ProbeTargets, check_loss, levels_of, look
from warplens.training.probes import Probes

_MARGIN_FEATURES = 2
_DPI = 75
"""A board shows pictures small, and drawing takes time from training."""


class Writer(Protocol):
    """What is needed of a TensorBoard `SummaryWriter`, or of what stands in for one."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> object:
        """Take one number."""

    def add_figure(self, tag: str, figure: Any, global_step: int) -> object:
        """Take a matplotlib figure."""

    def add_audio(self, tag: str, snd_tensor: Any, global_step: int, sample_rate: int) -> object:
        """Take samples, (1, samples) float32 in [-1, 1]."""


class TargetInspector:
    """Looks every so many steps at the modified targets of probe items, and writes down what it sees.

    Written under `<tag>/`: gamma and the measures of a `Look` as scalars; for the first probes, under
    `<tag>/<id>/`, a picture (predictions, Y_mod and, if known, the strong target) and Y_mod as sound where
    `fps` is known. It belongs to no framework: call `step` once a training step.

    Args:
        loss: the loss that the network is trained with; its cost must have modified targets.
        probes: network and items.
        writer: a `torch.utils.tensorboard.SummaryWriter` or what has its add_scalar, add_figure and
            add_audio; None only looks.
        every: steps from look to look.
        pictures_every: looks from picture to picture; None draws none and makes no sound.
        pictures_of: how many of the probes are drawn and heard.
        threshold: level under which an event counts as lost, and above which one counts as active.
        tag: what all tags begin with.

    Attributes:
        last: the last `Look`, None before the first.
        seconds: time spent looking, drawing and writing.

    Raises:
        TypeError: an argument is not a number, or not a whole one.
        ValueError: the loss has no modified targets, or a number is out of range.
        ModuleNotFoundError: pictures are wanted, but matplotlib is not there (extra `display`).

    Example:
        >>> probes = Probes(model, [Probe("bach", spectrum, weak, strong, fps=31.25, lowest_pitch=21)])
        >>> inspector = TargetInspector(loss_fn, probes, SummaryWriter("runs/1"), every=100)
        >>> for step, batch in enumerate(batches):
        ...     inspector.step(step)
        ...     train(batch)
    """

    def __init__(
        self,
        loss: SoftDTWLoss,
        probes: Probes,
        writer: Writer | None = None,
        *,
        every: int = 100,
        pictures_every: int | None = 10,
        pictures_of: int = 2,
        threshold: float = THRESHOLD,
        tag: str = "targets",
    ) -> None:
        check_loss(loss)
        self.loss = loss
        self.probes = probes
        self.every = as_count("every", every)
        self.pictures_every = None if pictures_every is None else as_count("pictures_every", pictures_every)
        self.pictures_of = as_count("pictures_of", pictures_of, least=0)
        self.threshold = as_number("threshold", threshold)
        self.writer = writer
        self.tag = tag
        self.last: Look | None = None
        self.seconds = 0.0
        self._seen: tuple[int, Writer | None] | None = None
        self._layouts: dict[str, list[Any]] = {}

    @property
    def writer(self) -> Writer | None:
        """What takes scalars, pictures and sound; None only looks.

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

    def step(self, step: int) -> Look | None:
        """Look if a look is due at this step, counted from 0; a step asked for twice is looked at once.

        The step decides alone, so a run that resumes needs no state of the inspector. A new writer gets the
        look of a step that another one had.
        """
        if step % self.every or (step, self.writer) == self._seen:
            return None
        self._seen = step, self.writer
        pictures = self.pictures_every is not None and step % (self.every * self.pictures_every) == 0
        return self.inspect(step, pictures=pictures)

    def inspect(self, step: int, *, pictures: bool = True) -> Look:
        """Look now and write it down as of this step."""
        begun = time.perf_counter()
        found = look(self.loss, self.probes, threshold=self.threshold)
        self.last = found
        if self.writer is not None:
            self._write_scalars(self.writer, found, step)
            if pictures:
                self._write_pictures(self.writer, found, step)
        self.seconds += time.perf_counter() - begun
        return found

    def _write_scalars(self, writer: Writer, found: Look, step: int) -> None:
        scalars = {"gamma": found.gamma, **found.measures, "probes_left_out": float(len(found.left_out))}
        for name, value in scalars.items():
            if not math.isnan(value):
                writer.add_scalar(f"{self.tag}/{name}", value, step)

    def _write_pictures(self, writer: Writer, found: Look, step: int) -> None:
        shown = {probe.id for probe in self.probes.items[: self.pictures_of]}
        for targets in found.targets:
            if targets.probe.id not in shown:
                continue
            # TensorBoard shows one kind of data a tag.
            tag = f"{self.tag}/{targets.probe.id}"
            writer.add_figure(f"{tag}/picture", self.figure(found, targets), step)
            samples = _sound(targets)
            if samples is not None:
                writer.add_audio(f"{tag}/sound", samples[None], step, SAMPLE_RATE)

    def figure(self, found: Look, targets: ProbeTargets) -> Any:
        """Predictions, Y_mod and, if known, the strong target of a probe, as a matplotlib figure.

        The features shown are those of the targets, so figures of all steps share their axes and layout.
        """
        from warplens.analysis.display import roll_grid

        probe = targets.probe
        lost = int(np.count_nonzero(targets.levels.peak < found.threshold))
        told = f"{lost} of {len(probe.events)} events under {found.threshold:g}"
        rolls: list[tuple[str, NDArray[Any]]] = [
            ("predictions", levels_of(self.loss, targets.predictions)),
            (f"$Y_{{mod}}$, $\\gamma$ = {found.gamma:.3g}: {told}", targets.y_mod),
        ]
        if probe.strong is not None:
            rolls.append(("strong target", probe.strong))
        figure = roll_grid(
            [rolls],
            probe.fps,
            probe.lowest_pitch,
            threshold=found.threshold,
            features=_features_shown(probe.weak),
        )
        figure.set_dpi(_DPI)
        # Finding room for labels takes longer than drawing: later pictures are laid out as the first one was.
        if probe.id not in self._layouts:
            figure.draw_without_rendering()
            self._layouts[probe.id] = [ax.get_position() for ax in figure.axes]
        figure.set_layout_engine("none")
        for ax, place in zip(figure.axes, self._layouts[probe.id], strict=True):
            ax.set_position(place)
        return figure


def _features_shown(weak: NDArray[Any]) -> tuple[int, int]:
    active = np.flatnonzero((weak > 0).any(axis=0))
    last = weak.shape[1] - 1
    if active.size == 0:
        return 0, last
    return max(0, int(active[0]) - _MARGIN_FEATURES), min(last, int(active[-1]) + _MARGIN_FEATURES)


def _sound(targets: ProbeTargets) -> NDArray[np.float32] | None:
    """Y_mod as sound, on one scale for all steps; None where it is not known how it sounds."""
    probe = targets.probe
    if probe.fps is None or (probe.lowest_pitch is None and probe.weak.shape[1] != 12):
        return None
    return sonify(targets.y_mod, probe.fps, probe.lowest_pitch, voices=most_voices(probe.weak))
