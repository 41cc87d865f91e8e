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


# Levels of the files and folders of a folder: each imports from levels before its own alone.
CORPUS_LEVELS = (
    ("progress", "settings", "memory_limit", "inputs"),
    ("workers", "results"),
    ("compare", "stored_results", "item_work", "sweep_work", "run_items"),
    ("report_pages",),
    ("analyze", "sweep"),
)
IO_LEVELS = (
    ("errors",),
    ("file_lock", "frame_times", "regular_file", "size_limit"),
    ("replacing",),
    ("notes", "arrays"),
    ("item",),
    ("label_item",),
    ("origin",),
    ("manifest",),
)
CLI_LEVELS = (
    ("param_types", "output", "progress_bar"),
    ("loss_options", "options", "progress"),
    ("analyze", "compare", "demo", "sweep"),
    ("commands",),
)
TORCH_LEVELS = (
    ("inputs",),
    ("autograd",),
    ("backends",),
    ("first_use",),
    ("dispatch",),
    ("library_operators",),
    ("values",),
    ("alignment", "barycenters", "diagonal_prior", "family", "pairwise", "plain_loops"),
    ("frame_synchronous", "functional"),
    ("loss", "selfcheck"),
    ("schedules",),
)
BACKENDS_LEVELS = (
    ("costs", "openmp", "protocol", "relative_alignment"),
    ("by_matrices",),
    ("core", "ops"),
    ("series_sets",),
    ("triton",),
)
LEVELS = {
    "corpus": CORPUS_LEVELS,
    "corpus/inputs": (("source",), ("results_folder", "shard"), ("collect",)),
    "corpus/workers": (("attempt",), ("process", "dask"), ("pool",), ("engine",)),
    "corpus/results": (
        ("figures", "item_file", "run_record", "sounds", "sweep_figure", "sweep_file", "table"),
        ("parquet",),
    ),
    "family": (
        ("parameters", "prior"),
        ("ends", "steps"),
        ("model",),
        ("label_graph", "sources"),
        ("alignment", "frame_synchronous"),
        ("ctc", "dropping", "general"),
        ("multi_label",),
    ),
    "io": IO_LEVELS,
    "io/arrays": (
        ("container", "open_files", "stored_zip"),
        ("hdf5", "npy", "safetensors_file", "zarr_groups"),
        ("npz",),
        ("formats",),
    ),
    "io/notes": (("cells", "midi_file", "notes"), ("midi", "tables"), ("note_lists",)),
    "cli": CLI_LEVELS,
    "torch": TORCH_LEVELS,
    "torch/backends": BACKENDS_LEVELS,
    "torch/frame_synchronous": (
        ("alignments", "batches", "beta_binomial", "blanks", "lens"),
        ("core", "operations"),
        ("values",),
        ("module",),
        ("ctc", "drop_dtw", "forward_sum", "multi_label"),
    ),
    "torch/family": (
        ("model",),
        ("core", "operations", "settings"),
        ("operator", "parameters"),
        ("values",),
        ("drops",),
    ),
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


def test_no_files_import_in_a_circle():
    files = {
        ".".join(("warplens", *file.relative_to(PACKAGE).with_suffix("").parts)): file
        for file in PACKAGE.rglob("*.py")
        if file.name != "__init__.py"
    }
    remaining = {}
    for name, file in files.items():
        imported = set(imported_names(file))
        imported |= {full.rpartition(".")[0] for full in imported}
        remaining[name] = imported & files.keys() - {name}
    while remaining:
        leaves = {name for name, imported in remaining.items() if not imported & remaining.keys()}
        assert leaves, f"a circle among {sorted(remaining)}"
        remaining = {name: imported for name, imported in remaining.items() if name not in leaves}
