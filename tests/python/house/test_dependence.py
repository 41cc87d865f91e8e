"""Which part of the package and of the core may import which, as CONTRIBUTING.md has it."""

import ast
import re
from pathlib import Path

import pytest

import warplens

PACKAGE = Path(warplens.__file__).parent
CORE = Path(__file__).parents[3] / "src"

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


# Modules of the core from the lowest to the highest; those of one layer know nothing of each other.
RUST_LAYERS = [
    {"error", "real", "row_sink", "scaled", "simd"},
    {"matrix", "shape", "weights"},
    {"band", "cost", "reference"},
    {"kernel", "readout"},
    {"plan"},
    {"batch", "measures"},
    {"python"},
]


def named_modules(rust):
    """Modules of the core that Rust code names by `crate::`, alone or in braces; comments do not count."""
    code = re.sub(r"//.*", "", rust)
    names = set(re.findall(r"\bcrate::(\w+)", code))
    for group in re.findall(r"\bcrate::\{([^;]*)\}", code):
        names |= set(re.findall(r"(?:^|,)\s*(\w+)", re.sub(r"\{[^{}]*\}", "", group)))
    return names


def test_no_module_of_the_core_names_one_above_it():
    layer_of = {module: layer for layer, modules in enumerate(RUST_LAYERS) for module in modules}
    modules = {path.stem for path in CORE.iterdir()} - {"lib"}
    assert modules == layer_of.keys()
    for file in sorted(CORE.rglob("*.rs")):
        module = file.relative_to(CORE).parts[0].removesuffix(".rs")
        if module == "lib":
            continue
        for named in named_modules(file.read_text()) - {module}:
            assert layer_of[named] < layer_of[module], f"{file.relative_to(CORE)} names {named}"


def test_only_batch_names_rayon():
    assert [file.name for file in CORE.rglob("*.rs") if "rayon::" in file.read_text()] == ["batch.rs"]
