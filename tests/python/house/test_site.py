"""The documentation: every public name has a page, tables are whole, commands work, pages load nothing."""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def docs(repository):
    return repository / "docs"


@pytest.fixture(scope="module")
def extension(docs):
    """Return a function that imports a module of `docs/extensions`."""
    sys.path.insert(0, str(docs / "extensions"))
    yield importlib.import_module
    sys.path.remove(str(docs / "extensions"))


def packages_with_names(repository):
    """Packages that say what they offer."""
    source = repository / "python"
    for path in sorted((source / "warplens").rglob("__init__.py")):
        names = [
            target.id
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        if "__all__" in names:
            yield ".".join(path.parent.relative_to(source).parts)


def test_every_package_that_offers_names_is_in_the_reference(repository, extension):
    listed = extension("public_names").packages()
    assert listed[0] == "warplens"
    missing = set(packages_with_names(repository)) - set(listed)
    assert not missing, f"list them in docs/reference/index.md: {sorted(missing)}"


@pytest.mark.slow
def test_every_public_name_is_in_a_group_of_its_page(extension):
    pytest.importorskip("lightning")
    names = extension("public_names")
    for package in names.packages():
        grouped = [f"{package}.{name}" for _, group in names.groups(package) for name in group]
        assert sorted(grouped) == sorted(names.names_of(package))


@pytest.mark.slow
def test_the_built_site_has_every_public_name(docs, extension):
    """The build says so too, as a warning; this catches a site that is older than the names."""
    site = docs / "_build" / "html"
    if not (site / "index.html").is_file():
        pytest.skip("the site is not built (make docs)")
    pages = {path.stem for path in (site / "reference" / "generated").glob("*.html")}
    assert not set(extension("public_names").public_names()) - pages


@pytest.mark.slow
def test_the_built_site_loads_nothing_and_its_links_lead_somewhere(docs, extension):
    site = docs / "_build" / "html"
    if not (site / "index.html").is_file():
        pytest.skip("the site is not built (make docs)")
    built = extension("built_site")
    assert [*built.outside_loads(site), *built.broken_links(site)] == []


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/x.css">',
        '<img src="http://example.org/x.png">',
        '<style>@import "https://example.org/x.css";</style>',
        '<p style="background: url(https://example.org/x.png)">',
    ],
)
def test_a_page_that_loads_from_elsewhere_is_seen(tmp_path, extension, tag):
    (tmp_path / "page.html").write_text(f"<html><body>{tag}</body></html>")
    assert len(list(extension("built_site").outside_loads(tmp_path))) == 1


def test_a_style_sheet_that_loads_from_elsewhere_is_seen(tmp_path, extension):
    (tmp_path / "own.css").write_text("a {background: url('https://example.org/x.png')} b {color: red}")
    assert len(list(extension("built_site").outside_loads(tmp_path))) == 1


def test_links_to_elsewhere_are_no_loads_and_broken_ones_are_seen(tmp_path, extension):
    (tmp_path / "other.html").write_text('<h1 id="there">There</h1>')
    (tmp_path / "page.html").write_text(
        '<a href="https://example.org">o</a> <a href="other.html#there">i</a> <a href="#here" id="here">h</a>'
    )
    built = extension("built_site")
    assert [*built.outside_loads(tmp_path), *built.broken_links(tmp_path)] == []
    (tmp_path / "page.html").write_text('<a href="none.html">a</a> <a href="other.html#gone">b</a>')
    assert len(list(built.broken_links(tmp_path))) == 2


def first_cells(page):
    """Names between backticks in the first cells of the tables of a page."""
    cells = re.findall(r"^\| (`[^|]+) \|", page, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_the_data_dictionary_names_every_column(docs):
    pytest.importorskip("xxhash")
    from warplens.analysis.levels import RECORD
    from warplens.corpus.results.table import COLUMNS
    from warplens.corpus.sweep import COLUMNS as SWEEP_COLUMNS

    page = (docs / "formats.md").read_text()
    assert {*COLUMNS, *SWEEP_COLUMNS} <= first_cells(page)
    assert all(f"`{name}`" in page for name in RECORD.names)


def test_the_costs_are_listed(docs):
    from warplens._costs import COSTS

    assert set(COSTS) <= first_cells((docs / "conventions.md").read_text())


EXAMPLES = sorted(
    path.name for path in (Path(__file__).parents[3] / "examples" / "gallery").glob("plot_*.py")
)


def test_the_gallery_has_examples():
    assert len(EXAMPLES) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(repository, tmp_path, example):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    run = subprocess.run(
        [sys.executable, "-W", "error", repository / "examples" / "gallery" / example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    assert run.returncode == 0, run.stderr


def steps(page):
    """Programs of a page, each the snippets up to the next call of the command, and these calls."""
    program = ""
    for language, block in re.findall(r"```(\{testcode\}|sh)\n(.*?)```", page, flags=re.DOTALL):
        if language == "{testcode}":
            program += block
            continue
        for line in block.splitlines():
            command, *arguments = shlex.split(line, comments=True) or [""]
            if command == "warplens":
                yield from ([sys.executable, "-W", "error", "-c", code] for code in (program,) if code)
                program = ""
                yield [Path(sys.executable).parent / command, *arguments]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["start", "which-gamma"])
def test_who_follows_a_page_gets_results(docs, tmp_path, name):
    """Snippets and commands one after the other, in a folder that was empty."""
    pytest.importorskip("torch")
    for step in steps((docs / f"{name}.md").read_text()):
        run = subprocess.run(step, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
        assert run.returncode == 0, run.stderr
    assert list(tmp_path.rglob("sweep.csv"))


def test_the_negative_value_is_what_the_site_says(docs, real_files):
    """The numbers of the section on negative values, from the recording they speak of."""
    import numpy as np
    from oracles import every_path

    import warplens as wl

    (chopin,) = (file for file in real_files if file.stem.startswith("chopin"))
    with np.load(chopin) as item:
        x, y = item["predictions"], item["weak"]
    settings = {"cost": "bce", "step_weights": (0.1, 1, 1)}
    N, M = len(x), len(y)
    numbers = {
        "N = ": N,
        "M = ": M,
        "DTW is ": wl.hard_dtw(x, y, **settings).value,
        "log P is ": every_path.log_big(every_path.delannoy(N, M)),
        "SDTW is ": wl.soft_dtw(x, y, gamma=1, **settings),
        "and −": -wl.soft_dtw(x, y, gamma=10, **settings),
    }
    flat = " ".join((docs / "numerics.md").read_text().split())
    for words, number in numbers.items():
        assert f"{words}{number:.0f}" in flat, words
