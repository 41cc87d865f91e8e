"""Every stage of the study, on tones: `make study-smoke`."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from studies.mpe.commands import main
from studies.mpe.configuration_file import read_configuration
from studies.mpe.places import Places


@pytest.fixture
def study(tmp_path, write_study):
    """Runs a stage of a study."""
    config = write_study(tmp_path / "smoke.toml")

    def run(*arguments, expect=0):
        done = CliRunner().invoke(
            main, [*arguments, "--config", str(config), "--data", str(tmp_path / "data"), "--threads", "1"]
        )
        assert done.exit_code == expect, (done.output, done.exception)
        return done.output

    run.places = Places(tmp_path / "data", read_configuration(config))
    return run


def history(folder):
    return np.loadtxt(folder / "history.csv", delimiter=",", skiprows=1)


@pytest.mark.slow
def test_every_stage_runs_and_what_is_done_is_not_done_again(study, tmp_path, monkeypatch):
    (tmp_path / "smoke.md").write_text("Tones are *easy*.\n")
    # Processes of the cells find the package as this one does.
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    places = study.places
    study("all")
    runs = places.configuration.runs

    losses = history(places.pretraining(0))[:, 1]
    assert losses[-10:].mean() < 0.5 * losses[:5].mean()
    for run in runs:
        folder = places.run(run, 0)
        result = json.loads((folder / "result.json").read_text())
        assert result["steps"] == 12
        assert 0 <= result["f_measure"] <= 1
        told = history(folder)
        assert told.shape == (12, 3)
        if run.start == "full" and run.objective != "em":
            assert told[-4:, 1].mean() < told[:4, 1].mean(), run.name
        with np.load(folder / "excerpt.npz") as excerpt:
            if run.objective == "strong":
                assert "y_mod" not in excerpt
                assert "looks" not in result
                continue
            assert excerpt["y_mod"].shape == excerpt["strong"].shape
            may_leave_out = run.objective in ("drop", "subsequence", "multi-label-ctc", "forward-sum")
            assert ("presence" in excerpt) == may_leave_out
            assert -1 <= result["peak_rank_correlation"] <= 1
            assert 0 <= result["y_mod_f"] <= 1
        # The looks begin with the start, whose modified targets are in the result as well.
        assert [look["share"] for look in result["looks"]] == [0.0, 0.05, 0.1, 0.25]
        assert [look["step"] for look in result["looks"]] == [0, 1, 1, 3]
        first, *_, last = result["looks"]
        assert first["f_measure"] == pytest.approx(result["y_mod_f"])
        assert first["kept"] == pytest.approx(result["kept_in_y_mod"])
        assert first["predictions_f_measure"] != last["predictions_f_measure"]
    gammas = history(places.run(runs[1], 0))[:, 2]
    assert gammas[0] == 10
    assert gammas[-1] == pytest.approx(0.1)

    table = (places.results / "RESULTS.md").read_text()
    assert "No cell is missing." in table
    assert "are left out; they are named" not in table
    assert "| gamma 0.1 |" in table
    assert "0.67" in table
    assert "| F of settled predictions |" in table
    assert "Tones are *easy*." in table
    for name in ("figure-4.png", "figure-5.png", "training.png", "losses.png", "promises.png"):
        assert (places.results / "figures" / name).stat().st_size > 10_000
        assert f"figures/{name}" in table

    before = {path: path.stat().st_mtime_ns for path in places.data.rglob("*.pt")}
    assert len(before) > len(runs)
    again = study("all")
    assert "begins" not in again
    assert before == {path: path.stat().st_mtime_ns for path in places.data.rglob("*.pt")}


def test_the_published_width_takes_a_step(tmp_path, write_study, small_datasets):
    """Pre-training and fine-tuning of the full network, one step each."""
    config = write_study(tmp_path / "full.toml", width=48, pretraining_steps=1, finetuning_steps=1,
                         replace=[("short_steps = 4", "short_steps = 1")])  # fmt: skip
    options = ["--config", str(config), "--data", str(tmp_path / "data"), "--threads", "2"]
    for arguments in (
        ["features"],
        ["pretrain", "--seed", "0"],
        ["finetune", "--seed", "0", "--run", "gamma 0.1"],
    ):
        done = CliRunner().invoke(main, [*arguments, *options])
        assert done.exit_code == 0, (done.output, done.exception)
    places = Places(tmp_path / "data", read_configuration(config))
    result = json.loads((places.pretraining(0) / "result.json").read_text())
    assert result["parameters"] == 4_334_152
    assert json.loads((places.run(places.configuration.runs[0], 0) / "result.json").read_text())["steps"] == 1


def test_a_cell_is_computed_by_one_process_at_a_time(study):
    from studies.mpe.lock import locked

    with locked(study.places.pretraining(0), "this pre-training"):
        told = study("pretrain", "--seed", "0", expect=1)
    assert "Another process computes this pre-training" in told


def test_time_that_is_over_leaves_the_rest_for_the_next_call(study):
    told = study("all", "--minutes", "0")
    assert "time is over; run again to go on" in told
    table = (study.places.results / "RESULTS.md").read_text()
    assert "Missing cells (13 of 13)" in table
    assert "Rows without a run that is done are left out" in table
    assert "| gamma 0.1 |" not in table


def test_stages_in_the_wrong_order_say_which_comes_first(study):
    assert "run the stage `features` first" in study("pretrain", "--seed", "0", expect=1)
    study("features")
    told = study("finetune", "--seed", "0", "--run", "EM", expect=1)
    assert "run the stage that writes it first" in told
    assert "There is no run 'gamma 2'" in study("evaluate", "--seed", "0", "--run", "gamma 2", expect=1)
    assert "No run of a constant gamma is done yet" in study("figures", expect=1)
