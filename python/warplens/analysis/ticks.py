"""Ticks for axes that a page draws: round numbers for time, note names for pitch."""

import math
from collections.abc import Sequence
from typing import NamedTuple

NOTE_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


class Tick(NamedTuple):
    """A label and its position along the axis, in per cent of the axis' length."""

    position: float
    label: str


def note_name(pitch: int) -> str:
    """Name a MIDI pitch: 60 is C4, 69 is A4."""
    octave, step = divmod(pitch, 12)
    return f"{NOTE_NAMES[step]}{octave - 1}"


def round_steps(span: float, at_most: int) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that divides a span into at most so many steps."""
    exponent = math.floor(math.log10(span / at_most))
    steps = (factor * 10.0**power for power in (exponent, exponent + 1) for factor in (1, 2, 5))
    return next(step for step in steps if span / step <= at_most * (1 + 1e-9))


def frame_ticks(n_frames: int, fps: float | None, at_most: int = 8) -> list[Tick]:
    """Place ticks along n_frames frames: seconds where fps is known, else frame numbers from 0."""
    span = n_frames / fps if fps else float(n_frames)
    step = round_steps(span, at_most)
    if not fps:
        step = max(1.0, step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    count = math.floor(span / step + 1e-9) + 1
    return [Tick(round(100 * i * step / span, 4), f"{i * step:.{decimals}f}") for i in range(count)]


def feature_ticks(
    low: int, high: int, lowest_pitch: int | None, names: Sequence[str] | None = None
) -> list[Tick]:
    """Place ticks along features low..high (both shown), each at the middle of its row, from the bottom.

    The names of features where they are given, or note names where the pitch of feature 0 is known, every
    note in a narrow range and every C in a wide one; feature numbers otherwise.
    """
    count = high - low + 1
    if names is not None or lowest_pitch is None:
        most = 8 if names is None else 24
        step = max(1, math.ceil(round_steps(count, most))) if count > most else 1
        labelled = [(d, str(d) if names is None else names[d]) for d in range(low, high + 1) if d % step == 0]
    else:
        # Above a dozen rows names would touch; naturals stand for the rest, then the Cs alone.
        kept = set(range(12)) if count <= 13 else {0, 4, 7} if count <= 30 else {0}
        labelled = [
            (d, note_name(lowest_pitch + d)) for d in range(low, high + 1) if (lowest_pitch + d) % 12 in kept
        ]
    return [Tick(round(100 * (d - low + 0.5) / count, 4), label) for d, label in labelled]
