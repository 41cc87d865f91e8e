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


# Inside torch, from the bottom up: a layer imports those below it. Files of one folder may import each other.
TORCH_LAYERS = [
    ["inputs"],
    ["autograd"],
    ["backends.costs", "backends.protocol", "backends.relative_alignment"],
    ["backends.by_matrices"],
    ["backends.core", "backends.ops"],
    ["backends.triton"],
    ["dispatch"],
    ["library_operators"],
    ["values"],
    ["alignment", "diagonal_prior", "family", "functional", "loss", "plain_loops", "schedules", "selfcheck"],
]


def torch_imports():
    """Each file of torch but the `__init__`s, as a dotted name, and the files of torch that it imports."""
    root = PACKAGE / "torch"
    files = {".".join(file.relative_to(root).with_suffix("").parts): file for file in root.rglob("*.py")}
    imports = {}
    for name, file in files.items():
        if file.name == "__init__.py":
            continue
        imports[name] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("warplens.torch"):
                module = node.module.removeprefix("warplens.torch").removeprefix(".")
                candidates = {module, *(f"{module}.{alias.name}".strip(".") for alias in node.names)}
                imports[name] |= candidates & files.keys()
    return imports


def layer_of(name):
    """The index of the layer of a file, and the folder or file that the layer names."""
    for index, layer in enumerate(TORCH_LAYERS):
        for part in layer:
            if name == part or name.startswith(f"{part}."):
                return index, part
    raise AssertionError(f"torch/{name.replace('.', '/')}.py is in no layer")


def test_torch_imports_go_down_its_layers():
    public = len(TORCH_LAYERS) - 1
    for name, imported in torch_imports().items():
        layer, part = layer_of(name)
        for other in imported:
            other_layer, other_part = layer_of(other)
            allowed = other_layer < layer or other_part == part or layer == other_layer == public
            assert allowed, f"torch: {name} imports {other}"


def test_torch_files_import_in_no_circle():
    remaining = torch_imports()
    while remaining:
        leaves = {name for name, imported in remaining.items() if not imported & remaining.keys()}
        assert leaves, f"torch: a circle among {sorted(remaining)}"
        remaining = {name: imported for name, imported in remaining.items() if name not in leaves}


# Levels of the files and folders of a folder: each imports from levels before its own alone.
CORPUS_LEVELS = (
    ("progress", "settings", "memory_limit", "inputs"),
    ("workers", "results"),
    ("item_work", "sweep_work", "run_items"),
    ("report_pages",),
    ("analyze", "sweep"),
)
IO_LEVELS = (
    ("errors",),
    ("regular_file", "size_limit", "replacing"),
    ("notes", "arrays"),
    ("item",),
    ("origin",),
    ("manifest",),
)
CLI_LEVELS = (
    ("param_types", "output", "progress_bar"),
    ("options", "progress"),
    ("analyze", "demo", "sweep"),
    ("commands",),
)
LEVELS = {
    "corpus": CORPUS_LEVELS,
    "corpus/inputs": (("source",), ("results_folder", "shard"), ("collect",)),
    "corpus/workers": (("attempt",), ("process", "dask"), ("pool",), ("engine",)),
    "corpus/results": (
        ("figures", "item_file", "run_record", "sounds", "sweep_figure", "sweep_file", "table"),
        ("parquet",),
    ),
    "io": IO_LEVELS,
    "io/arrays": (
        ("container", "open_files", "stored_zip"),
        ("hdf5", "npy", "safetensors_file", "zarr_groups"),
        ("npz",),
        ("formats",),
    ),
    "io/notes": (("notes",), ("midi",), ("note_lists",)),
    "cli": CLI_LEVELS,
}


def imported_names(file):
    """Full names that a file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", LEVELS)
def test_no_file_imports_one_of_its_level_or_above(folder):
    level_of = {name: level for level, names in enumerate(LEVELS[folder]) for name in names}
    entries = {
        path.stem
        for path in (PACKAGE / folder).iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }
    assert level_of.keys() == entries - {"__init__"}
    prefix = ["warplens", *folder.split("/")]
    for file in (PACKAGE / folder).rglob("*.py"):
        name = file.relative_to(PACKAGE / folder).parts[0].removesuffix(".py")
        if name == "__init__":
            continue
        for imported in imported_names(file):
            parts = imported.split(".")
            if parts[: len(prefix)] != prefix or len(parts) == len(prefix) or parts[len(prefix)] == name:
                continue
            other = parts[len(prefix)]
            assert level_of[other] < level_of[name], f"{file.relative_to(PACKAGE)} imports {imported}"
