"""Public names: the packages that the reference lists, and what their `__all__` offers."""

import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path

INDEX = Path(__file__).parents[1] / "reference" / "index.md"


def packages() -> list[str]:
    """Return the packages in the order of the reference."""
    listed = re.findall(r"^   (warplens[\w.]*)$", INDEX.read_text("utf-8"), flags=re.MULTILINE)
    return list(listed)


def names_of(package: str) -> list[str]:
    """Return the public names of a package, in full; those of Python's own, as `__version__`, apart."""
    offered = import_module(package).__all__
    return [f"{package}.{name}" for name in offered if not name.startswith("__")]


def public_names() -> list[str]:
    """Return all public names, in full."""
    return [name for package in packages() for name in names_of(package)]


def groups(package: str) -> list[tuple[str, list[str]]]:
    """Return the names of a package in groups, each with its title, for the template of its page."""
    titles: dict[str, list[str]] = {
        "Functions": [],
        "Classes": [],
        "Exceptions": [],
        "Types and constants": [],
    }
    for full in sorted(names_of(package), key=str.lower):
        name = full.rpartition(".")[2]
        found = getattr(import_module(package), name)
        if inspect.isclass(found):
            title = "Exceptions" if issubclass(found, BaseException) else "Classes"
        else:
            title = "Functions" if inspect.isroutine(found) else "Types and constants"
        titles[title].append(name)
    return [(title, names) for title, names in titles.items() if names]


def is_made_by_warplens_alone(found: type) -> bool:
    """Tell a class whose constructor is private: alignments are results, which functions return."""
    return found.__name__.endswith("Alignment")


@cache
def names_by_identity() -> dict[int, str]:
    """Return the full name of each public object, the first where two packages offer it."""
    names: dict[int, str] = {}
    for name in public_names():
        package, _, last = name.rpartition(".")
        names.setdefault(id(getattr(import_module(package), last)), name)
    return names
