"""`--loss` and the options of losses: what they reach, and what is refused by name."""

import json

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from click.testing import CliRunner
from corpus.sample_items import sample_item, save_item
from label_items import label_item, multi_hot_item, peaky_item, save_label_item

from warplens.analysis.losses.options import KNOWN_LOSSES, Loss
from warplens.cli.commands import warplens
from warplens.corpus import item_path, read_analysis


def run(*words):
    return CliRunner().invoke(warplens, list(map(str, words)), prog_name="warplens")


@pytest.mark.parametrize(
    ("words", "loss"),
    [
        (("ctc",), Loss("ctc")),
        (
            ("ctc", "--blank", 4, "--blank-penalty", 1, "--blank-weight", 2, "--free-between"),
            Loss("ctc", blank=4, blank_penalty=1.0, blank_weight=2.0, free_between=True),
        ),
        (("ctc", "--from-logits"), Loss("ctc", from_logits=True)),
        (
            ("forward-sum", "--prior", "beta-binomial", "--prior-scaling", 2, "--prior-trials", 4),
            Loss("forward-sum", prior="beta-binomial", prior_scaling=2.0, prior_trials=4),
        ),
        (("forward-sum", "--blank-logprob", -1), Loss("forward-sum", blank_logprob=-1.0)),
        (("multi-label-ctc", "--encoding", "ne3"), Loss("multi-label-ctc", encoding="ne3")),
        (
            ("subsequence", "--open-begin", "x", "--open-end", "none", "--skip-penalty", 1, 2),
            Loss("subsequence", open_begin="x", open_end="none", skip_penalty=(1.0, 2.0)),
        ),
        (
            ("drop", "--drop", 1.5, "--not-contiguous", "--many-to-one"),
            Loss("drop", drop=1.5, contiguous=False, many_to_one=True),
        ),
    ],
)
def test_options_reach_the_loss(words, loss, tmp_path):
    if loss.kind == "features":
        save_item(tmp_path / "in" / "a.npz", sample_item())
    else:
        encoding = loss.encoding or "we"
        item = multi_hot_item(encoding=encoding) if loss.kind == "multi-hot" else label_item()
        save_label_item(tmp_path / "in" / "a.npz", item)
    result = run("analyze", tmp_path / "in", "-o", tmp_path / "out", "--loss", *words)
    assert result.exit_code == 0, result.output
    analysis = read_analysis(item_path(tmp_path / "out", "a"))
    assert analysis.loss == loss
    assert analysis.gammas.tolist() == list(KNOWN_LOSSES[loss.name].gammas)
    assert f"{loss.target_word}s (" in result.output


def test_priors_come_from_a_file(tmp_path):
    save_label_item(tmp_path / "in" / "a.npz", label_item())
    np.save(tmp_path / "priors.npy", np.log(np.full(5, 0.2)))
    words = ("--loss", "ctc", "--log-priors", tmp_path / "priors.npy", "--prior-scale", 0.5)
    result = run("analyze", tmp_path / "in", "-o", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    loss = read_analysis(item_path(tmp_path / "out", "a")).loss
    assert loss == Loss("ctc", log_priors=tuple(np.log(np.full(5, 0.2)).tolist()), prior_scale=0.5)
    np.save(tmp_path / "priors.npy", np.ones((2, 2)))
    result = run("analyze", tmp_path / "in", "-o", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert "finite numbers (K,)" in " ".join(result.output.split())
    result = run("analyze", tmp_path / "in", "-o", tmp_path / "out", *words[:3], tmp_path / "none.npy")
    assert result.exit_code == 2
    assert "log_priors:" in result.output


@pytest.mark.parametrize("command", ["analyze", "sweep"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ctc", "--drop", 1), "drop: unknown to the loss ctc"),
        (("ctc", "--cost", "bce"), "cost: unknown to the loss ctc"),
        (("sdtw", "--blank-penalty", 1), "blank_penalty: unknown to the loss sdtw"),
        (("drop",), "drop: is not given"),
        (("drop", "--drop", 1, "--step-weights", 1, 1, 1), "step_weights: unknown to the loss drop"),
        (("ctc", "--prior-scale", 1), "prior_scale: belongs to log_priors"),
        (("hmm",), "'hmm' is not one of"),
    ],
)
def test_what_a_loss_does_not_know_is_refused_by_name(command, words, message, tmp_path):
    save_label_item(tmp_path / "in" / "a.npz", label_item())
    result = run(command, tmp_path / "in", "-o", tmp_path / "out", "--loss", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_sweep_of_ctc_says_what_labels_are_lost_to(tmp_path):
    save_label_item(tmp_path / "in" / "a.npz", peaky_item())
    words = ("--loss", "ctc", "--threshold", 0.6, "--blank-penalties", 0, 2, 6)
    result = run("sweep", tmp_path / "in", "-o", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert "lost to lost to duration on blanks" in told
    assert "The plain loss keeps" in told
    recommended = json.loads((tmp_path / "out" / "recommendation.json").read_text())
    assert recommended["reason"] in told
    assert recommended["blank_penalty"] > 0
    assert "label" in told
    assert " event" not in told


def test_a_sweep_of_a_forward_sum_speaks_of_labels(tmp_path):
    save_label_item(tmp_path / "in" / "a.npz", label_item())
    result = run("sweep", tmp_path / "in", "-o", tmp_path / "out", "--loss", "forward-sum", "--gammas", 1, 10)
    assert result.exit_code == 0, result.output
    assert " event" not in " ".join(result.output.split())
