"""Which module of the Rust core may name which, as CONTRIBUTING.md has it."""

import re
from pathlib import Path

CORE = Path(__file__).parents[3] / "src"

# Modules of the core from the lowest to the highest; those of one layer know nothing of each other.
RUST_LAYERS = [
    {"error", "real", "row_sink"},
    {"matrix", "scaled", "shape", "simd", "threads", "weights"},
    {"band", "cost", "reference"},
    {"kernel", "readout"},
    {"family", "plan"},
    {"batch", "measures"},
    {"series"},
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


def test_only_the_pool_names_rayon():
    assert [file.name for file in CORE.rglob("*.rs") if "rayon::" in file.read_text()] == ["pool.rs"]
