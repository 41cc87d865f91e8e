"""Output of a command that is quiet, gives JSON, does a part or meets links; and how it is started."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from click.testing import CliRunner
from corpus.sample_items import sample_item, save_item

from warplens.cli.commands import warplens
from warplens.corpus import item_path, read_analysis


def run(*words, status=0):
    result = CliRunner().invoke(warplens, list(map(str, words)), prog_name="warplens")
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(3):
        save_item(folder / f"{seed}.npz", sample_item(seed))
    return folder


def test_json_has_a_line_an_item_with_the_measures_of_its_file(folder, tmp_path):
    np.savez(folder / "bad.npz", predictions=np.ones((3, 2)), weak=np.ones((2, 3)))
    printed = run("analyze", folder, "-o", tmp_path / "out", "--gamma", 0.1, 1, "--json", status=1)
    records = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [record["id"] for record in records] == ["0", "1", "2", "bad"]
    assert records[-1]["status"] == "failed"
    assert "3 features" in records[-1]["error"]
    for record in records[:-1]:
        analysis = read_analysis(item_path(tmp_path / "out", record["id"]))
        assert (record["N"], record["M"], record["D"]) == analysis.shape
        assert [values["gamma"] for values in record["gammas"]] == analysis.gammas.tolist()
        for values, row in zip(record["gammas"], analysis.table, strict=True):
            for name in analysis.table.dtype.names:
                expected = None if math.isnan(row[name]) else row[name]
                assert values[name] == expected


def test_json_of_a_sweep_has_the_sums_of_each_gamma(folder, tmp_path):
    printed = run("sweep", folder, "-o", tmp_path / "out", "--gammas", "0.1,1", "--json")
    records = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [record["id"] for record in records] == ["0", "1", "2"]
    kept = json.loads((tmp_path / "out" / "recommendation.json").read_text())
    assert "gamma" in kept
    for record in records:
        assert record["gammas"] == [0.1, 1.0]
        assert all(0 <= lost <= record["events"] for lost in record["lost"])


@pytest.mark.parametrize("command", ["analyze", "sweep"])
def test_a_quiet_command_prints_what_failed_alone(command, folder, tmp_path):
    printed = run(command, folder, "-o", tmp_path / "out", "-q")
    assert printed.output == ""
    np.savez(folder / "bad.npz", predictions=np.ones((3, 2)), weak=np.ones((2, 3)))
    printed = run(command, folder, "-o", tmp_path / "out", "--quiet", status=1)
    assert printed.stdout == ""
    assert printed.stderr.startswith("1 of 4 items failed:\n  bad: ")


def test_the_demo_is_quiet_and_gives_json(tmp_path):
    printed = run("demo", "-o", tmp_path / "out", "--json")
    records = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [(record["id"], record["status"]) for record in records] == [("figure-2", "ok"), ("piece", "ok")]
    assert [values["gamma"] for values in records[0]["gammas"]] == [0.1, 1.0, 10.0]
    assert run("demo", "-o", tmp_path / "out", "-q").output == ""


@pytest.mark.parametrize("name", ["--gamma", "--gammas"])
@pytest.mark.parametrize("words", [["0.1", "1", "10"], ["0.1,1,10"], ["0.1:10:3"]])
def test_gammas_are_said_the_same_way_to_both_commands(name, words, folder, tmp_path):
    run("analyze", folder, "-o", tmp_path / "a", name, *words)
    run("sweep", folder, "-o", tmp_path / "s", name, *words)
    assert read_analysis(item_path(tmp_path / "a", "0")).gammas.tolist() == [0.1, 1.0, 10.0]
    table = (tmp_path / "s" / "sweep.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in table if line.startswith("0,")] == ["0.1", "1", "10"]


def test_a_shard_says_what_comes_next(folder, tmp_path):
    printed = run("analyze", folder, "-o", tmp_path / "out", "--shard", "2/3")
    assert (
        "Shard 2 of 3 is done. After all of them the same warplens analyze without --shard" in printed.stderr
    )
    assert not (tmp_path / "out" / "items.csv").exists()


def test_many_failures_are_counted(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(25):
        np.savez(folder / f"{index:02}.npz", predictions=np.ones((3, 2)), weak=np.ones((2, 3)))
    printed = run("analyze", folder, "-o", tmp_path / "out", "-q", status=1)
    lines = printed.stderr.splitlines()
    assert lines[0] == "25 of 25 items failed:"
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more"


@pytest.mark.parametrize("command", ["analyze", "sweep"])
def test_links_to_folders_are_named_and_not_followed(command, folder, tmp_path):
    (folder / "loop").symlink_to(folder)
    (folder / "away").symlink_to(tmp_path)
    printed = run(command, folder, "-o", tmp_path / "out")
    (line,) = (line for line in printed.stderr.splitlines() if line.startswith("Links to folders"))
    assert str(folder / "loop") in line
    assert str(folder / "away") in line
    assert "/4 " not in printed.stderr


def test_the_module_is_the_command():
    environment = os.environ | {"COLUMNS": "100"}
    outputs = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        for command in (
            [sys.executable, "-m", "warplens", "analyze", "--help"],
            [sys.executable, "-c", "from warplens_command import main; main()", "analyze", "--help"],
        )
    ]
    assert outputs[0] == outputs[1]
    assert "Usage: warplens analyze" in outputs[0]
