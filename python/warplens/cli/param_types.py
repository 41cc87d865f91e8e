"""Values on the command line: several numbers after a flag, gammas, sizes in bytes, paths."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

_NUMBER = re.compile(r"[+-]?(\d|\.\d)[\d._eE+-]*")

_MOST_GAMMAS = 1000

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)


class NumbersOption(click.Option):
    """An option that may be followed by several numbers, `--gamma 0.1 1 10`, or be given several times."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"multiple": True, "type": float, **kwargs})


class NumbersCommand(click.Command):
    """A command whose `NumbersOption`s take all the numbers after them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give every number its own flag, then parse as `click.Command` does."""
        names = {name for option in self.params if isinstance(option, NumbersOption) for name in option.opts}
        return super().parse_args(ctx, list(one_value_a_flag(args, names)))


def one_value_a_flag(args: Sequence[str], names: Collection[str]) -> Iterator[str]:
    """Turn `--gamma 0.1 1 10 data` into `--gamma=0.1 --gamma=1 --gamma=10 data`.

    The first word after a flag is its value; more belong to it as long as they look like numbers. A folder
    with such a name goes before the flag, or is written ./10. Nothing is changed after `--`.
    """
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield word
            yield from rest
            return
        name, equals, value = word.partition("=")
        if name not in names or not (equals or rest):
            yield word
            continue
        yield f"{name}={value if equals else rest.pop(0)}"
        while rest and _NUMBER.fullmatch(rest[0]):
            yield f"{name}={rest.pop(0)}"


class GammaGrid(click.ParamType[tuple[float, ...]]):
    """Gammas in one word: FROM:TO:COUNT, equally spaced in their logarithms, or numbers with commas."""

    name = "gammas"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the gammas that a word stands for."""
        try:
            return value if isinstance(value, tuple) else gammas_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def gammas_of(word: str) -> tuple[float, ...]:
    """Return the gammas that a word stands for; those of a grid have 12 digits, as tables hold them.

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
        if not 2 <= count <= _MOST_GAMMAS:
            raise ValueError
    except (ValueError, IndexError):
        raise ValueError(
            f"'{word}': it must be numbers, such as 0.1 1 10, or a grid FROM:TO:COUNT of positive numbers, "
            f"such as 0.01:100:13, with 2 to {_MOST_GAMMAS} points"
        ) from None
    return tuple(float(f"{gamma:.12g}") for gamma in np.geomspace(start, stop, count))


def gammas_in(words: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the gammas of all words of an option."""
    return tuple(gamma for word in words for gamma in word)


class Size(click.ParamType[int]):
    """A byte count: 500M, 4G; units are powers of 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"'{value}' is not a size in bytes, such as 500M or 4G", param, ctx)
        return int(float(match[1]) * _UNITS[match[2].lower()])


class NonEmptyPath(click.Path):
    """A path that is not empty, as from a shell variable that is not set: it would be the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("is empty; the current folder is called '.'", param, ctx)
        return super().convert(value, param, ctx)
