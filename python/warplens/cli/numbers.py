"""Options that take as many numbers as follow them: `--gamma 0.1 1 10`."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import click

_NUMBER = re.compile(r"[+-]?(\d|\.\d)[\d._eE+-]*")


class NumbersOption(click.Option):
    """An option that may be followed by several numbers, or be given several times."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"multiple": True, "type": float, **kwargs})


class NumbersCommand(click.Command):
    """A command whose `NumbersOption`s take all the numbers after them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give every number its own flag, then parse as ever."""
        names = {name for option in self.params if isinstance(option, NumbersOption) for name in option.opts}
        return super().parse_args(ctx, list(one_value_a_flag(args, names)))


def one_value_a_flag(args: Sequence[str], names: Collection[str]) -> Iterator[str]:
    """`--gamma 0.1 1 10 data` becomes `--gamma=0.1 --gamma=1 --gamma=10 data`.

    Whatever comes first after a flag is its value; what follows belongs to it as long as it looks like a
    number. A folder with such a name goes before the flag, or is written ./10. Nothing is changed after `--`.
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
