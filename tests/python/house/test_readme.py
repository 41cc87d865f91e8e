"""What README.md shows works as it stands there."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ASKED_AFTER_TRAINING = """
from warplens.training import inspect_targets
for network in (torch.nn.Linear(12, 12), network):
    print(inspect_targets(loss_fn, Probes(network, probes.items)).measures["predictions_f_measure"])
"""
"""That gamma falls and the network learns holds for every start; the digits are those of some."""


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text):
    return [shlex.split(line, comments=True) for block in blocks(text, "sh") for line in block.splitlines()]


@pytest.mark.slow
def test_snippets_and_commands_run(readme, tmp_path):
    """Every Python block in order, then every call of the command, in one empty folder."""
    pytest.importorskip("torch")
    snippets = blocks(readme, "python")
    assert len(snippets) == 4
    analyses = []
    for snippet in snippets:
        assert len(snippet.strip().splitlines()) <= 15
        asked = snippet + (ASKED_AFTER_TRAINING if "TargetDrivenGamma" in snippet else "")
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", asked],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        if asked != snippet:
            told, (untrained, trained) = run.stdout.splitlines(), run.stdout.split()[-2:]
            assert re.match(r"Step \d+: gamma 10 -> 5: short events reach ", told[0])
            assert float(trained) > float(untrained)
        elif "import warplens as wl" in snippet:
            analyses.append(run.stdout)
    others, analysis = sorted(analyses, key=lambda told: told.startswith("<Alignment"))
    assert analysis.startswith("<Alignment N=17 M=6 cost=mse gamma=3 weights=(1, 1, 1)")
    peaks = [float(peak) for peak in analysis.split("[")[-1].strip("]\n").split()]
    assert (peaks[6], peaks[10]) == (0.53, 0.98)
    rows = [[float(entry) for entry in row.split()] for row in re.findall(r"\[([^\[\]]+)\]", others)]
    *occupancy, weights = rows
    assert all(sum(row) == pytest.approx(1, abs=0.02) for row in occupancy)
    assert max(weights[0], weights[5]) < 0.1 < min(weights[1:4])
    calls = [command for command in commands(readme) if command[0] == "warplens"]
    assert calls
    for call in calls:
        program = Path(sys.executable).parent / call[0]
        run = subprocess.run(
            [program, *call[1:]], cwd=tmp_path, capture_output=True, timeout=600, check=False
        )
        assert run.returncode == 0, run.stderr.decode()
    assert (tmp_path / "results" / "items.csv").is_file()
    assert (tmp_path / "results" / "report.html").is_file()


def test_targets_and_extras_exist(readme, repository):
    targets = re.findall(r"^([a-z]+):.*## ", (repository / "Makefile").read_text(), flags=re.MULTILINE)
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    seen = set()
    for program, *arguments in commands(readme):
        seen.add(program)
        if program == "make":
            assert set(arguments) <= set(targets)
        elif program == "pip":
            subcommand, what = arguments
            named = re.fullmatch(r"\.(?:\[(\w+)\])?", what)
            assert subcommand == "install"
            assert named
            assert named.group(1) is None or named.group(1) in extras
        else:
            assert program == "warplens"
    assert {"make", "pip", "warplens"} == seen
    for target in re.findall(r"`make (\w+)`", readme):
        assert target in targets


def test_links_and_pictures_are_there(readme, repository):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if "://" not in link]
    assert links
    for link in links:
        assert (repository / link).is_file()
    assert (repository / "docs" / "report.png").stat().st_size < 300_000


def test_the_negative_value_is_what_it_says(readme, real_files):
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
    flat = " ".join(readme.split())
    for words, number in numbers.items():
        assert f"{words}{number:.0f}" in flat, words
