"""Bands: global constraints on warping paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ._numbers import is_number


@dataclass(frozen=True)
class SakoeChiba:
    """Cells within `radius` frames (of the longer sequence) of the line between the corners.

    For N >= M a cell is allowed iff |(n-1) - (m-1)(N-1)/(M-1)| <= radius; for N < M the sequences change
    places; all cells are allowed if N or M is 1. A radius that leaves no path is an error that names the
    smallest radius that leaves one.

    Args:
        radius: in frames of the longer sequence, 0 or more.

    Example:
        >>> wl.align(np.arange(9.0), np.arange(9.0), band=wl.SakoeChiba(0)).H.diagonal().min()
        np.float64(1.0)
    """

    radius: float

    def __post_init__(self) -> None:
        if not is_number(self.radius) or not self.radius >= 0:
            raise ValueError(f"radius: is {self.radius!r}; a radius is a number of frames, 0 or more")

    def as_core(self) -> tuple[str, float]:
        """Return the band as the compiled module takes it."""
        return ("sakoe_chiba", float(self.radius))


@dataclass(frozen=True)
class Itakura:
    """The parallelogram between the corners whose sides have slopes `max_slope` and `1/max_slope`.

    With t = (n-1)/(N-1) and q = (m-1)/(M-1) a cell is allowed iff t/s <= q <= s t and
    (1-t)/s <= 1-q <= s (1-t), s = max_slope; all cells are allowed if N or M is 1.

    Args:
        max_slope: 1 or more; 1 allows the diagonal alone, 2 is common.
    """

    max_slope: float

    def __post_init__(self) -> None:
        if not is_number(self.max_slope) or not self.max_slope >= 1:
            raise ValueError(f"max_slope: is {self.max_slope!r}; a slope is a number, 1 or more")

    def as_core(self) -> tuple[str, float]:
        """Return the band as the compiled module takes it."""
        return ("itakura", float(self.max_slope))


Band: TypeAlias = SakoeChiba | Itakura
