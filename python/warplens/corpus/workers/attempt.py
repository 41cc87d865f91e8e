"""The work on one item, and what becomes of it when it fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from warplens.corpus.inputs.source import Source
from warplens.io import ItemError

R = TypeVar("R")


class EngineError(RuntimeError):
    """Nobody is there to do the work; the message says what is missing."""


@dataclass(frozen=True)
class Answer(Generic[R]):
    """What became of one item: a result, or the reason why there is none."""

    result: R | None = None
    reason: str | None = None


def attempt(work: Callable[[Source], R], source: Source) -> Answer[R]:
    """Do the work; whatever is wrong with one item, the others are run."""
    try:
        return Answer(work(source))
    except Exception as error:
        return Answer(reason=reason_of(error))


def reason_of(error: Exception) -> str:
    """An error as one line for a table: its text alone where that was written for the reader."""
    if isinstance(error, ItemError):
        text = str(error)
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    elif isinstance(error, ValueError):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())
