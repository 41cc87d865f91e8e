"""The work on one item, and the answer: a result, or the reason of a failure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from warplens.corpus.inputs.source import Source
from warplens.io import ItemError

R = TypeVar("R")


class EngineError(RuntimeError):
    """Neither workers nor a scheduler can do the work; the message says what is missing."""


@dataclass(frozen=True)
class Answer(Generic[R]):
    """Answer for one item: a result, or the reason why there is none."""

    result: R | None = None
    reason: str | None = None


def attempt(work: Callable[[Source], R], source: Source) -> Answer[R]:
    """Do the work on one item; an error is an answer, so that the other items are run."""
    try:
        return Answer(work(source))
    except Exception as error:
        return Answer(reason=reason_of(error))


def reason_of(error: Exception) -> str:
    """Return an error as one line for a table: its text alone where that was written for the reader."""
    if isinstance(error, ItemError):
        text = str(error)
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    elif isinstance(error, ValueError):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())
