"""A docstring names its subject: its first line is no half question whose subject the reader has to guess."""

import ast
import re

import pytest

RIDDLES = re.compile(r"(What|Whether|Who|Of|How|Likewise)\b")


def python_docstrings(text):
    """Line and text of each docstring: of modules, classes and functions, and below attributes."""
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", [])
        for statement in body if isinstance(body, list) else ():
            if (
                isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ):
                yield statement.lineno, statement.value.value


def rust_docstrings(text):
    """Line and text of the first line of each doc comment."""
    before = None
    for number, line in enumerate(text.splitlines(), start=1):
        comment = re.match(r"\s*(//[/!])(?:\s(.*))?$", line)
        mark = comment and comment[1]
        if mark and mark != before:
            yield number, comment[2] or ""
        before = mark


DOCSTRINGS = {"python": ("*.py", python_docstrings), "src": ("*.rs", rust_docstrings)}


@pytest.mark.parametrize("part", DOCSTRINGS)
def test_no_docstring_begins_as_a_riddle(repository, part):
    pattern, docstrings = DOCSTRINGS[part]
    files = sorted((repository / part).rglob(pattern))
    assert files
    riddles = [
        f"{file.relative_to(repository)}:{number}: {text.strip().splitlines()[0]}"
        for file in files
        for number, text in docstrings(file.read_text("utf-8"))
        if RIDDLES.match(text.strip())
    ]
    assert not riddles, "\n".join(riddles)


def test_riddles_are_seen():
    assert [text for _, text in python_docstrings('"""What?"""\nclass C:\n    x = 1\n    """Of C."""\n')] == [
        "What?",
        "Of C.",
    ]
    assert list(
        rust_docstrings("//! How it\n//! goes.\n\n    /// Whether so.\n    /// Of it.\nfn f() {}\n")
    ) == [
        (1, "How it"),
        (4, "Whether so."),
    ]
    assert RIDDLES.match("What?")
    assert not RIDDLES.match("Whatever. Whose.")
