"""Gammas on the command line: `0.01:100:13`, `0.1,1,10` or one number."""

from typing import Any

import click
import numpy as np

_MOST = 1000


class GammaGrid(click.ParamType[tuple[float, ...]]):
    """One word of gammas: FROM:TO:COUNT, equally spaced in their logarithms, or numbers with commas."""

    name = "gammas"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """The gammas a word stands for."""
        try:
            return value if isinstance(value, tuple) else gammas_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def gammas_of(word: str) -> tuple[float, ...]:
    """The gammas a word stands for; those of a grid are rounded to 12 digits, as tables hold them.

    Raises:
        ValueError: it is neither a list nor a grid of positive numbers with 2 to 1000 points.
    """
    ends = word.split(":")
    try:
        if len(ends) == 1:
            return tuple(float(number) for number in word.split(","))
        start, stop = float(ends[0]), float(ends[1])
        count = int(ends[2])
        if len(ends) > 3 or not (0 < min(start, stop) and max(start, stop) < float("inf")):
            raise ValueError
        if not 2 <= count <= _MOST:
            raise ValueError
    except (ValueError, IndexError):
        raise ValueError(
            f"'{word}': it must be numbers, such as 0.1 1 10, or a grid FROM:TO:COUNT of positive numbers, "
            f"such as 0.01:100:13, with 2 to {_MOST} points"
        ) from None
    return tuple(float(f"{gamma:.12g}") for gamma in np.geomspace(start, stop, count))
