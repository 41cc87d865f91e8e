"""Costs that are blind to silence: sweep warns as analyze does, and advises another cost."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from warplens.analysis.item_analysis import analyze_item
from warplens.analysis.sweep.gamma_choice import choose_gamma
from warplens.analysis.sweep.gamma_sweep import pool
from warplens.analysis.sweep.item_sweep import sweep_item
from warplens.cli.commands import warplens
from warplens.io import Item, make_item

GAMMAS = (0.01, 0.1, 1.0)


def silent_item(cost, seed=0):
    """Notes with rests between them, frames that are not sure: silence is the cheapest target by far."""
    rng = np.random.default_rng(seed)
    weak = np.zeros((16, 4), np.float32)
    weak[np.arange(0, 16, 2), rng.integers(0, 4, 8)] = 1
    strong = np.repeat(weak, 4, axis=0)
    predictions = rng.dirichlet(np.ones(4), len(strong)).astype(np.float32)
    return Item(np.clip(predictions, 0.01, 0.99), weak, strong, fps=10.0, cost=cost)


def test_the_shares_are_those_of_the_alignments():
    item, other = silent_item("ce"), silent_item("ce", 1)
    swept = sweep_item(item, gammas=GAMMAS, cost="ce")
    analysis = analyze_item(item, gammas=GAMMAS, cost="ce")
    np.testing.assert_allclose(swept.silence_drawn, analysis.empty_share)
    assert swept.silent_targets / swept.targets == analysis.empty_targets == 0.5
    longer = Item(np.tile(other.predictions, (2, 1)), other.weak)
    both = [swept, sweep_item(longer, gammas=GAMMAS, cost="ce")]
    pooled, shares = pool([*both, sweep_item(other, gammas=GAMMAS, cost="bce")]), []
    for each, frames in zip(both, (64, 128), strict=True):
        shares.append(each.silence_drawn * frames)
    np.testing.assert_allclose(pooled.silence_drawn, sum(shares) / 192)
    bce = sweep_item(other, gammas=GAMMAS, cost="bce")
    assert (bce.silent_targets, bce.silence_drawn.tolist()) == (0, [0, 0, 0])


def test_another_cost_is_advised_where_silence_is_free():
    advice = choose_gamma(sweep_item(silent_item("ce"), gammas=GAMMAS, cost="ce")).reason
    assert "a target frame without activity costs nothing: such frames are 50 % of the targets" in advice
    assert "Try bce" in advice
    assert "step weight" not in advice
    silent = silent_item("ce").weak.any(axis=1)
    no_rests = Item(silent_item("ce").predictions, silent_item("ce").weak[silent])
    assert "bce" not in choose_gamma(sweep_item(no_rests, gammas=GAMMAS, cost="ce")).reason
    assert "bce" not in choose_gamma(sweep_item(silent_item("bce"), gammas=GAMMAS, cost="bce")).reason


def test_both_commands_warn_of_it(tmp_path):
    for cost in ("ce", "bce"):
        item = silent_item(cost)
        values = {key: value for key, value in vars(item).items() if isinstance(value, np.ndarray)}
        (tmp_path / cost).mkdir()
        np.savez(tmp_path / cost / "a.npz", cost=cost, **values)
        for command, option in (("analyze", "--gamma"), ("sweep", "--gammas")):
            told = []
            for _ in range(2):  # the second finds it done
                words = [
                    command,
                    str(tmp_path / cost),
                    "-o",
                    str(tmp_path / f"{command}-{cost}"),
                    option,
                    "0.1",
                ]
                result = CliRunner().invoke(warplens, words)
                assert result.exit_code == 0, result.output
                told.append(re.findall(r"Warning: a: under ce a target frame .*; try bce", result.stderr))
            assert [len(each) for each in told] == ([1, 1] if cost == "ce" else [0, 0])
    advice = json.loads((tmp_path / "sweep-ce" / "recommendation.json").read_text())
    assert "Try bce" in advice["reason"]


def test_each_entropy_has_a_name_of_its_own(tmp_path):
    """The entropy of paths, in nats and a frame, beside that of frames, whose mean is larger."""
    item = silent_item("bce")
    swept = sweep_item(item, gammas=GAMMAS, cost="bce")
    measures = analyze_item(item, gammas=GAMMAS, cost="bce").measures
    np.testing.assert_allclose(swept.entropy, measures["entropy"])
    np.testing.assert_allclose(swept.entropy_rate, measures["entropy"] / len(item.predictions))
    assert (swept.entropy_rate < measures["entropy_per_frame"]).all()
    inspection = pytest.importorskip("warplens.training.inspection")
    assert "entropy_rate" in inspection.MEASURES
    assert "entropy" not in inspection.MEASURES
    np.savez(tmp_path / "a.npz", predictions=item.predictions, weak=item.weak, cost="bce")
    result = CliRunner().invoke(
        warplens, ["sweep", str(tmp_path), "-o", str(tmp_path / "s"), "--gammas", "1"]
    )
    headings = [line.split() for line in result.stdout.splitlines()[:3]]
    assert [heading[-1] for heading in headings] == ["path", "entropy", "frame"]
    CliRunner().invoke(
        warplens, ["analyze", str(tmp_path / "a.npz"), "-o", str(tmp_path / "o"), "--gamma", "1"]
    )
    report = "".join(page.read_text() for page in (tmp_path / "o").rglob("*.html"))
    assert "frame entropy" in report
    assert "entropy per frame" not in report
    assert make_item({"predictions": item.predictions, "weak": item.weak}).warnings == ()
