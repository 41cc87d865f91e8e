"""Which part of the package may import which, as CONTRIBUTING.md has it."""

import ast
from pathlib import Path

import pytest

import warplens

PACKAGE = Path(warplens.__file__).parent

# A part, and those above it or beside it, which it must not import.
FORBIDDEN = {
    "analysis": {"torch", "training", "corpus", "cli", "demo"},
    "torch": {"analysis", "io", "training", "corpus", "cli", "demo"},
    "training": {"corpus", "cli", "demo"},
    "io": {"analysis", "torch", "training", "corpus", "cli", "demo"},
    "corpus": {"torch", "training", "cli", "demo"},
    "demo": {"torch", "training", "cli"},
    "cli": {"torch", "training"},
}


def imported_parts(file):
    """Parts of warplens that a file names in an import, at its top or inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or file.parent == PACKAGE, f"{file}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "warplens" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("part", FORBIDDEN)
def test_no_part_imports_one_above_it(part):
    files = sorted((PACKAGE / part).rglob("*.py"))
    assert files
    for file in files:
        wrong = set(imported_parts(file)) & FORBIDDEN[part]
        assert not wrong, f"{file.relative_to(PACKAGE)} imports {sorted(wrong)}"


def test_the_numpy_interface_imports_none_of_them():
    for file in PACKAGE.glob("*.py"):
        assert not set(imported_parts(file)) & FORBIDDEN.keys()
