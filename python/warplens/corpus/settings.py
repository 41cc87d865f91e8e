"""Settings of a run: checked before the first item is read, and part of the key of every result."""

import math
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

import warplens as wl
from warplens.analysis.events import THRESHOLD, check_threshold
from warplens.analysis.losses.options import KNOWN_LOSSES, SDTW, Loss
from warplens.io import AnyItem, Item, ItemError

_FORMAT = 6
"""Version of item files, raised when the same input and settings give another one: older ones are redone."""


@dataclass(frozen=True)
class Settings:
    """Settings of a run; those left None come from each item.

    Attributes:
        gammas: kept ascending, without repetitions.
        cost: overrides the cost of every item; without it each item must know its own.
        step_weights: (horizontal, vertical, diagonal), overrides those of every item; an item that has none
            gets 1, 1, 1.
        threshold: level under which an event counts as lost, and above which Y_mod counts as active.
        fps: overrides the frames a second of every item, for time axes, errors in ms and lists of notes.
        pitch_classes: fold lists of notes into the twelve pitch classes, whatever the items say.
        keep_alignment: keep H in the item files.
        sonify: write Y_mod as sound, OUT/items/<id>.gamma<g>.wav.
        recordings: folder of recordings by id, to be heard on the left of these sounds (extra `sound`).
        figures: draw each item into OUT/figures (extra `display`); it takes seconds an item.
        loss: the loss and its options; `cost` and `step_weights` belong to those that take them.

    Raises:
        ValueError: a setting is out of range; the message names it.
    """

    gammas: tuple[float, ...] = (0.1, 1.0, 10.0)
    cost: str | None = None
    step_weights: tuple[float, float, float] | None = None
    threshold: float = THRESHOLD
    fps: float | None = None
    keep_alignment: bool = False
    sonify: bool = False
    recordings: Path | None = None
    figures: bool = False
    pitch_classes: bool = False
    loss: Loss = SDTW

    def __post_init__(self) -> None:
        if not self.gammas:
            raise ValueError("gammas: empty, at least one is needed")
        check_threshold(self.threshold)
        if self.fps is not None and not (math.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"fps: {self.fps:g}, it must be a positive number of frames a second")
        if self.recordings is not None:
            if not self.sonify:
                raise ValueError(
                    "recordings: they are heard beside Y_mod alone, which needs sonify (--sonify)"
                )
            if not self.recordings.is_dir():
                raise ValueError(f"recordings: {self.recordings} is no folder")
            if find_spec("soundfile") is None or find_spec("soxr") is None:
                raise ValueError(
                    "recordings: reading them needs soundfile and soxr: pip install warplens[sound]"
                )
        if self.figures and find_spec("matplotlib") is None:
            raise ValueError("figures: drawing them needs matplotlib: pip install warplens[display]")
        self._check_loss()
        # One cell is enough for the library to refuse what it would refuse of every item.
        for gamma in self.gammas:
            trial = wl.align(
                np.array([[0.5]]),
                np.array([[1.0]]),
                cost=self.cost or "mse",
                gamma=gamma,
                step_weights=self.step_weights or (1.0, 1.0, 1.0),
            )
            assert trial.y_mod.shape == (1, 1)  # raises for a cost without modified targets
        object.__setattr__(self, "gammas", tuple(sorted({float(gamma) for gamma in self.gammas})))

    def _check_loss(self) -> None:
        given = {"cost": self.cost, "step_weights": self.step_weights}
        self.loss.check_known([name for name, value in given.items() if value is not None])
        if self.loss.kind != "features" and self.pitch_classes:
            raise ValueError(
                f"pitch_classes: folds lists of notes, which the loss {self.loss.name} does not take"
            )
        if self.loss.target_word == "label" and self.sonify:
            raise ValueError(
                f"sonify: the classes of the loss {self.loss.name} are no pitches, so have no sound"
            )

    def cost_of(self, item: AnyItem) -> str | None:
        """Return the cost an item is aligned with, None where the loss takes none.

        Raises:
            ItemError: neither the settings nor the item have one.
        """
        if not isinstance(item, Item):
            return None
        cost = self.cost or item.cost
        if cost is None:
            raise ItemError("no cost: the file has no key 'cost' and none is given (--cost)")
        return cost

    def step_weights_of(self, item: AnyItem) -> tuple[float, float, float]:
        """Return the step weights an item is aligned with."""
        own = item.step_weights if isinstance(item, Item) and self.loss.name != "drop" else None
        return self.step_weights or own or (1.0, 1.0, 1.0)

    def key_of(self, item: AnyItem) -> str:
        """Return a hash of everything that an item's results depend on: its content and the settings."""
        dependencies = (
            _FORMAT,
            self.gammas,
            self.cost_of(item),
            self.step_weights_of(item),
            self.threshold,
            self.keep_alignment,
            item.fps,
            item.lowest_pitch,
            *_of_notes(item)[0],
            *(() if self.loss == SDTW else (self.loss,)),
            *(() if isinstance(item, Item) else (item.label_names,)),
        )
        # 128 bits tell contents apart, and take a fiftieth of the time that SHA-256 does.
        digest = xxhash.xxh3_128(repr(dependencies).encode())
        for array in (*_arrays_of(item), *_of_notes(item)[1]):
            digest.update(repr(None if array is None else (array.dtype.str, array.shape)).encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def as_record(self) -> dict[str, Any]:
        """Return the settings as JSON holds them."""
        return {
            "gammas": list(self.gammas),
            "cost": self.cost,
            "step_weights": None if self.step_weights is None else list(self.step_weights),
            "threshold": self.threshold,
            "fps": self.fps,
            "pitch_classes": self.pitch_classes,
            "keep_alignment": self.keep_alignment,
            "sonify": self.sonify,
            "recordings": None if self.recordings is None else str(self.recordings),
            "figures": self.figures,
            "loss": {"name": self.loss.name, **self.loss.given},
        }


def settings_of(settings: Settings | None, loss: Loss | str | None) -> Settings:
    """Return settings with a loss in the place of theirs, None being none; errors as `Settings`."""
    chosen = Loss(loss) if isinstance(loss, str) else loss
    if settings is None:
        chosen = chosen or SDTW
        return Settings(KNOWN_LOSSES[chosen.name].gammas, loss=chosen)
    return settings if chosen is None else replace(settings, loss=chosen)


def _arrays_of(item: AnyItem) -> tuple[NDArray[Any] | None, ...]:
    if isinstance(item, Item):
        return item.predictions, item.weak, item.strong
    return item.log_probs, item.labels, item.weak, item.strong, item.log_priors, item.prior


def _of_notes(item: AnyItem) -> tuple[tuple[str, ...], tuple[NDArray[Any], ...]]:
    """Return what the key says of listed notes, and their arrays."""
    if not isinstance(item, Item) or item.strong_notes is None:
        return (), ()
    notes = item.strong_notes
    return ("notes",), (notes.start, notes.end, notes.feature)
