"""`warplens sweep`: which gammas its words stand for, what it prints, and the status it leaves with."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from click.testing import CliRunner
from corpus.sample_items import save_corpus

from warplens.cli.commands import warplens
from warplens.cli.param_types import gammas_of


def run(*words):
    return CliRunner().invoke(warplens, ["sweep", *map(str, words)], prog_name="warplens")


@pytest.fixture
def folder(tmp_path):
    return save_corpus(tmp_path / "in")


def gammas_in(out):
    rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))
    return [float(row["gamma"]) for row in rows if row["id"] == "all"]


def test_a_grid_is_geometric_and_reaches_both_ends():
    grid = gammas_of("0.01:100:13")
    np.testing.assert_allclose(grid, 10 ** (np.arange(-6, 7) / 3), rtol=1e-11)
    assert (grid[0], grid[3], grid[6], grid[-1]) == (0.01, 0.1, 1.0, 100.0)
    assert gammas_of("10:0.1:3") == (10.0, 1.0, 0.1)
    assert gammas_of("2e-1:2e1:2") == (0.2, 20.0)


def test_a_list_is_taken_as_it_is():
    assert gammas_of("0.3") == (0.3,)
    assert gammas_of("0,0.1,10") == (0.0, 0.1, 10.0)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x",
        "1:2",
        "1:2:3:4",
        "0:1:3",
        "-1:1:3",
        "1:inf:3",
        "nan:1:3",
        "1:2:1",
        "1:2:1001",
        "1:2:3.5",
        "1,,2",
        ":",
    ],
)
def test_what_is_neither_list_nor_grid_is_refused(word):
    with pytest.raises(ValueError, match="FROM:TO:COUNT"):
        gammas_of(word)


@pytest.mark.parametrize(
    ("words", "gammas"),
    [
        (["--gammas", "0.1:10:3"], [0.1, 1, 10]),
        (["--gammas=0.1:10:3"], [0.1, 1, 10]),
        (["--gammas", "10", "0.1", "1"], [0.1, 1, 10]),
        (["--gammas", "0.1,10", "--gammas", "0.1:1:2"], [0.1, 1, 10]),
        ([], list(gammas_of("0.01:100:13"))),
    ],
)
def test_gammas_before_and_after_the_input(tmp_path, folder, words, gammas):
    for out, order in (("before", [*words, "-o", tmp_path / "before", folder]), ("after", [folder, *words])):
        result = run(*order, *(["-o", tmp_path / "after"] if out == "after" else []))
        assert result.exit_code == 0, result.output
        assert gammas_in(tmp_path / out) == pytest.approx(gammas, rel=1e-11)


def test_it_prints_the_curve_and_the_recommendation(tmp_path, folder):
    out = tmp_path / "out"
    result = run(folder, "--gammas", "0.1", "1", "10", "--share", "0.5", "-o", out)
    assert result.exit_code == 0, result.output
    choice = json.loads((out / "recommendation.json").read_text())
    assert choice["reason"] in result.stdout
    table = result.stdout.split("Gamma ")[0].splitlines()
    assert max(map(len, table)) <= 80
    marked = [line for line in table if line.startswith("->")]
    assert [line.split()[1] for line in marked] == [f"{choice['gamma']:g}"]
    rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))[-3:]
    for line, row in zip(table[-3:], rows, strict=True):
        cells = line.removeprefix("->").split()
        assert float(cells[0]) == float(row["gamma"])
        assert float(cells[1]) == pytest.approx(100 * float(row["kept"]), abs=0.1)
        assert int(cells[2]) + int(cells[3]) == int(row["events_below_threshold"])
        assert float(cells[-1]) == pytest.approx(float(row["f_measure"]), abs=1e-3)
    assert f"{out / 'sweep.csv'}" in result.stdout
    assert "3/3 deep/er/b: done" in result.stderr


def test_the_items_that_lose_most_are_named(tmp_path, folder):
    out = tmp_path / "out"
    result = run(folder, "--gammas", "10", "--share", "1", "--threshold", "0.9", "-o", out)
    rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))[:-1]
    worst = max(rows, key=lambda row: int(row["events_below_threshold"]))
    assert f"most {worst['id']} ({worst['events_below_threshold']} of {worst['events']})" in result.stdout


def test_options_reach_the_items(tmp_path, folder):
    run(folder, "--gammas", "1", "-o", tmp_path / "own")
    run(folder, "--gammas", "1", "--cost", "mse", "--step-weights", "0.1", "1", "1", "-o", tmp_path / "told")
    record = json.loads((tmp_path / "told" / "run.json").read_text())["settings"]
    assert (record["cost"], record["step_weights"]) == ("mse", [0.1, 1.0, 1.0])
    assert (tmp_path / "own" / "sweep.csv").read_bytes() != (tmp_path / "told" / "sweep.csv").read_bytes()
    assert "already done" in run(folder, "--gammas", "1", "-o", tmp_path / "own").stderr


def test_lists_of_notes_are_read_by_the_given_fps(tmp_path):
    """The same notes in half the time: under twice the frames a second they are the same frames."""
    folder = tmp_path / "in"
    folder.mkdir()
    notes = [(0, 4, 60), (4, 8, 62), (8, 12, 61)]  # in frames
    np.save(folder / "a.npy", 0.1 + 0.5 * np.random.default_rng(0).random((12, 3)))
    for name, fps in (("slow", 2), ("fast", 4)):
        rows = [f"{start / fps};{end / fps};{pitch}" for start, end, pitch in notes]
        (folder / f"{name}.csv").write_text("\n".join(["start;end;pitch", *rows]))
        manifest = folder / f"{name}-manifest.csv"
        manifest.write_text(
            f"id,predictions,weak,strong,cost,lowest_pitch\na,a.npy,{name}.csv,{name}.csv,bce,60\n"
        )
        assert "needs 'fps'" in run(manifest, "-o", tmp_path / "lacking").stderr
        result = run(manifest, "--gammas", "0.1,1", "--fps", fps, "-o", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert json.loads((tmp_path / name / "run.json").read_text())["settings"]["fps"] == fps
    tables = [(tmp_path / name / "sweep.csv").read_text() for name in ("slow", "fast")]
    assert tables[0] == tables[1]
    rows = list(csv.DictReader(tables[0].splitlines()))
    assert {row["events"] for row in rows} == {"3"}
    assert all(row["f_measure"] for row in rows)


def test_failed_items_are_listed_and_leave_status_1(tmp_path, folder):
    (folder / "broken.npz").write_bytes(b"text")
    result = run(folder, "--gammas", "1", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "1 of 4 items failed:\n  broken: " in result.stderr
    assert "1 of 4 items failed and are not counted." in result.stdout
    assert (tmp_path / "out" / "recommendation.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gammas", "1:2"], "'1:2': it must be numbers"),
        (["--gammas", "-1"], "gamma: is -1.0"),
        (["--gammas", "nan"], "gamma: is nan"),
        (["--shard", "3/2"], "shard: '3/2'"),
        (["--share", "0"], "share: 0"),
        (["--share", "1.5"], "share: 1.5"),
        (["--share", "nan"], "share: nan"),
        (["--threshold", "inf"], "threshold: inf"),
        (["--fps", "0"], "fps: 0"),
        (["--cost", "euclidean"], "euclidean"),
        (["--processes", "0"], "0 is not in the range x>=1"),
        (["nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_misuse_gets_a_sentence_and_status_2(tmp_path, folder, words, message):
    result = run(folder, "-o", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_shard_writes_no_table_and_says_nothing_of_all(tmp_path, folder):
    result = run(folder, "--gammas", "1", "--shard", "1/2", "-o", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["run.json", "sweep"]


def test_help_tells_the_rule_and_what_is_read():
    assert "largest gamma of the grid" in " ".join(run("--help").stdout.split())
    for command in ("analyze", "sweep"):
        told = " ".join(CliRunner().invoke(warplens, [command, "--help"]).stdout.split())
        about_inputs, options = told.split("Options:")
        about_sizes = options.split("--size-limit")[1].split("--processes")[0]
        for form in ("npz", "npy", "HDF5", "zarr", "safetensors", "manifests"):
            assert form in about_inputs
            assert form in about_sizes
