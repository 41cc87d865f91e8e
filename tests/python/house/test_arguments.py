"""Every public function, method and constructor says of each argument what it takes, and of no other.

One argument alone may go without where the first line says enough.
"""

import importlib
import inspect
import re
import sys
from importlib import import_module

import pytest


@pytest.fixture(scope="module")
def public_names(repository):
    """Return the module of the documentation that knows the public names."""
    folder = str(repository / "docs" / "extensions")
    sys.path.insert(0, folder)
    yield importlib.import_module("public_names")
    sys.path.remove(folder)


ENTRY = re.compile(r"    ((?:\*{0,2}\w+(?:, )?)+):(?: |$)")


def described(documentation, *sections):
    """Names that the sections of a docstring describe."""
    names, within = set(), False
    for line in inspect.cleandoc(documentation or "").splitlines():
        if line and not line.startswith(" "):
            within = line.removesuffix(":") in sections and line.endswith(":")
        elif within and (entry := ENTRY.match(line)):
            names.update(name.strip("*") for name in entry[1].split(", "))
    return names


def arguments(function):
    """Names of the parameters that a caller gives."""
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]


def is_of_a_framework(found, name, function):
    """Tell a hook of a framework, which describes it: a class of theirs has it with the same arguments."""
    return any(
        inspect.isfunction(theirs := vars(base).get(name)) and arguments(theirs) == arguments(function)
        for base in found.__mro__
        if not base.__module__.startswith(("warplens", "builtins"))
    )


def methods(found):
    """Name, function and docstring of the public methods of a class that are written in warplens."""
    for name in dir(found):
        function = inspect.getattr_static(found, name)
        function = getattr(function, "__func__", function)
        if (
            not name.startswith("_")
            and inspect.isfunction(function)
            and function.__module__.startswith("warplens")
            and not is_of_a_framework(found, name, function)
        ):
            yield name, function, described(function.__doc__, "Args")


def is_constructed(found, public_names):
    """Tell classes that a user makes: no exceptions, protocols and results."""
    return not (
        issubclass(found, BaseException)
        or getattr(found, "_is_protocol", False)
        or public_names.is_made_by_warplens_alone(found)
    )


def callables(public_names):
    """Full name, arguments and described names of whatever can be called; fields count as arguments."""
    for full in public_names.public_names():
        package, _, last = full.rpartition(".")
        found = getattr(import_module(package), last)
        if inspect.isclass(found):
            if is_constructed(found, public_names):
                yield full, arguments(found), described(found.__doc__, "Args", "Attributes")
            for name, function, names in methods(found):
                yield f"{full}.{name}", arguments(function), names
        elif inspect.isroutine(found):
            yield full, arguments(found), described(found.__doc__, "Args")


def faults(callables, public_names):
    """Sentences on arguments that are not described, or described and not there."""
    classes = set(public_names.public_names())
    for full, given, names in callables:
        if len(given) > 1 and (missing := [name for name in given if name not in names]):
            yield f"{full}: Args says nothing of {', '.join(missing)}"
        is_class = full in classes and full.rpartition(".")[2][0].isupper()
        if not is_class and (unknown := sorted(names - set(given))):
            yield f"{full}: Args describes {', '.join(unknown)}, which it does not take"


@pytest.mark.slow
def test_every_argument_of_whatever_is_public_is_described(public_names):
    for module in ("torch", "matplotlib", "lightning", "xxhash", "jinja2", "PIL"):
        pytest.importorskip(module)
    found = list(callables(public_names))
    assert len(found) > 150
    wrong = list(faults(found, public_names))
    assert not wrong, "\n".join(wrong)


def of_pair(x, y, *more, scale=1.0, **options):
    """Do something.

    Args:
        x, y: (N,) both, as in
            z: a line that only looks like an entry.
        more: others.

    Raises:
        scale: is no argument here.
    """


def test_what_is_not_described_is_seen(public_names):
    assert described(of_pair.__doc__, "Args") == {"x", "y", "more"}
    assert arguments(of_pair) == ["x", "y", "more", "scale", "options"]
    one = ("f", arguments(of_pair), described(of_pair.__doc__, "Args"))
    assert list(faults([one], public_names)) == ["f: Args says nothing of scale, options"]
    assert list(faults([("f", ["x"], {"x", "old"})], public_names)) == [
        "f: Args describes old, which it does not take"
    ]
    assert list(faults([("f", ["x"], set())], public_names)) == []
