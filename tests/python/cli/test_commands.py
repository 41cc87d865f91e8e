"""The command line: what it prints, where, and the status it leaves with."""

import csv
import subprocess
import sys

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from click.testing import CliRunner
from corpus.sample_items import sample_item, save_corpus, save_item

import warplens as wl
from warplens.analysis.percent import percent
from warplens.cli.commands import warplens
from warplens.corpus import item_path, read_analysis


def run(*words):
    return CliRunner().invoke(warplens, [str(word) for word in words], prog_name="warplens")


@pytest.fixture
def folder(tmp_path):
    return save_corpus(tmp_path / "in")


@pytest.mark.parametrize("inputs_first", [True, False])
def test_analyze_with_several_gammas_before_or_after_the_input(tmp_path, folder, inputs_first):
    options = ("--gamma", "0.1", "1", "10", "--step-weights", "0.1", "1", "1", "-o", tmp_path / "out")
    result = (
        run("analyze", folder, *options)
        if inputs_first
        else run("analyze", *options[:-2], folder, *options[-2:])
    )
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "out" / "items.csv").read_text().splitlines()))
    assert [row["gamma"] for row in rows] == ["0.1", "1", "10"] * 3
    assert read_analysis(item_path(tmp_path / "out", "a")).step_weights == (0.1, 1.0, 1.0)
    lost, total = (sum(int(row[name]) for row in rows[2::3]) for name in ("events_below_threshold", "events"))
    assert (
        f"gamma 10: {lost} of {total} events ({percent(lost / total, lost=True)}) stay under 0.5"
        in result.stdout
    )
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in result.stdout


def test_defaults_are_three_gammas_unit_weights_and_no_alignment(tmp_path, folder):
    assert run("analyze", folder, "-o", tmp_path / "out").exit_code == 0
    analysis = read_analysis(item_path(tmp_path / "out", "a"))
    assert analysis.gammas.tolist() == [0.1, 1.0, 10.0]
    assert (analysis.step_weights, analysis.threshold, analysis.H) == ((1.0, 1.0, 1.0), 0.5, None)


def test_every_option_reaches_the_results(tmp_path, folder):
    options = [
        "--gamma",
        "2",
        "--cost",
        "mse",
        "--threshold",
        "0.25",
        "--fps",
        "43.07",
        "--keep-alignment",
        "--processes",
        "1",
    ]
    result = run("analyze", folder, "-o", tmp_path / "out", *options, "--keep-alignment")
    assert result.exit_code == 0, result.output
    analysis = read_analysis(item_path(tmp_path / "out", "a"))
    assert (analysis.gammas.tolist(), analysis.cost, analysis.threshold) == ([2.0], "mse", 0.25)
    assert analysis.H.shape == (1, *analysis.shape[:2])
    assert "at 43.07 frames a second" in (tmp_path / "out" / "report.html").read_text()


def test_a_shard_leaves_the_report_to_a_run_over_all(tmp_path, folder):
    for part in ("1/2", "2/2"):
        result = run("analyze", folder, "-o", tmp_path / "out", "--shard", part)
        assert result.exit_code == 0, result.output
        assert "Report" not in result.stdout
    assert "3/3 deep/er/b: already done" in run("analyze", folder, "-o", tmp_path / "out").stderr


def test_sounds_and_a_size_limit_on_request(tmp_path, folder):
    save_item(folder / "large.npz", sample_item(n_targets=400))
    options = ("--gamma", "1", "--sonify", "--size-limit", "20K")
    result = run("analyze", folder, "-o", tmp_path / "out", *options)
    assert result.exit_code == 1
    assert (tmp_path / "out" / "items" / "a.gamma1.wav").exists()
    assert "1 of 4 items failed:\n  large: " in result.stderr


def test_a_scheduler_that_is_not_there_gets_a_sentence(tmp_path, folder):
    pytest.importorskip("distributed")
    result = run("analyze", folder, "-o", tmp_path / "out", "--scheduler", "tcp:/nowhere")
    assert result.exit_code == 1
    assert "scheduler: tcp:/nowhere cannot be reached" in result.stderr


def test_progress_and_what_to_mind_go_to_stderr(tmp_path, folder):
    (folder / "notes.txt").touch()
    save_item(folder / "silent.npz", sample_item(cost="ce"))
    result = run("analyze", folder, "-o", tmp_path / "out")
    lines = result.stderr.splitlines()
    assert lines[:3] == ["1 other file ignored", "1/4 a: done", "2/4 c: done"]
    assert "done" not in result.stdout
    assert run("analyze", folder, "-o", tmp_path / "out").stderr.splitlines()[1] == "1/4 a: already done"


@pytest.mark.parametrize("closed", ["2>&-", ">&-"])
def test_a_run_that_nobody_can_hear_is_done(tmp_path, folder, closed):
    code = "from warplens_command import main; main()"
    words = [sys.executable, "-c", code, "analyze", str(folder), "-o", str(tmp_path / "out")]
    result = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *words], check=False, capture_output=True)
    assert result.returncode == 0
    assert (tmp_path / "out" / "report.html").exists()


def test_failed_items_are_listed_and_leave_status_1(tmp_path, folder):
    (folder / "broken.npz").write_bytes(b"text")
    result = run("analyze", folder, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "1/4 a: done\n2/4 broken: failed\n" in result.stderr
    assert "1 of 4 items failed:\n  broken: not an npz file (a zip archive of npy arrays)\n" in result.stderr
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gamma", "-1"], "gamma: is -1.0"),
        (["--gamma", "many"], "'many': it must be numbers"),
        (["--gamma", "1", "inf"], "inf: no such file or folder"),
        (["--gamma", "nan"], "gamma: is nan"),
        (["--gamma"], "Option '--gamma' requires an argument"),
        (["--cost", "bcd"], "cost: unknown cost 'bcd'"),
        (["--step-weights", "1", "-1", "1"], "step_weights: vertical is -1.0"),
        (["--step-weights", "1", "1"], "Option '--step-weights' requires 3 arguments"),
        (["--threshold", "nan"], "threshold: nan"),
        (["--fps", "0"], "fps: 0"),
        (["--processes", "0"], "0 is not in the range x>=1"),
        (["--shard", "3/2"], "shard: '3/2', it must be i/n"),
        (["--size-limit", "much"], "'much' is not a size in bytes, such as 500M or 4G"),
        (["--pages", "none"], "'none' is not one of 'risk', 'all'"),
        (["--recordings", "."], "needs sonify (--sonify)"),
        (["nowhere"], "nowhere: no such file or folder"),
        ([""], "is empty; the current folder is called '.'"),
        (["-o", ""], "is empty; the current folder is called '.'"),
        (["--frobnicate"], "No such option"),
    ],
)
def test_misuse_gets_a_sentence_and_status_2(tmp_path, folder, words, message):
    result = run("analyze", folder, "-o", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_inputs_without_items_get_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("analyze", tmp_path / "empty", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert f"no item in {tmp_path / 'empty'}" in result.stderr
    assert run("analyze", "-o", tmp_path / "out").exit_code == 2


def test_a_file_in_the_place_of_the_results_gets_a_sentence(tmp_path, folder):
    (tmp_path / "out").touch()
    for words in (("analyze", folder), ("demo",)):
        result = run(*words, "-o", tmp_path / "out")
        assert result.exit_code == 2
        assert "is a file, results need a folder" in result.stderr


def test_results_that_cannot_be_written_get_a_sentence(tmp_path, folder):
    (tmp_path / "file").touch()
    result = run("analyze", folder, "-o", tmp_path / "file" / "out")
    assert result.exit_code == 1
    assert "the results could not be written" in result.stderr


def test_demo_prints_what_to_look_at_and_where(tmp_path):
    result = run("demo", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "staccato" in result.stdout
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in result.stdout
    rows = list(csv.DictReader((tmp_path / "out" / "items.csv").read_text().splitlines()))
    assert [row["id"] for row in rows] == ["figure-2"] * 3 + ["piece"] * 3


def test_version_and_help():
    assert run("--version").stdout == f"warplens, version {wl.__version__}\n"
    for words in ([], ["analyze"], ["demo"]):
        assert run(*words, "--help").stdout.startswith("Usage: warplens")


def test_without_its_extra_the_command_says_how_to_get_it():
    code = "import sys; sys.modules['rich'] = None; from warplens_command import main; main()"
    result = subprocess.run([sys.executable, "-c", code, "demo"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        "The command warplens needs 'rich', which is not installed: pip install warplens[cli]\n"
    )
