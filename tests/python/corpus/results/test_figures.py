"""Figures of items: drawn on request, and again when the item changes."""

import numpy as np
import pytest

from warplens.corpus import Settings, analyze

pytest.importorskip("matplotlib")

NAMES = ("targets", "alignments", "events")


def write(folder, fps=10.0):
    random = np.random.default_rng(0)
    weak = np.eye(4)[[0, 2, 1]]
    predictions = np.repeat(weak, 4, axis=0) * 0.8 + random.uniform(0, 0.1, (12, 4))
    folder.mkdir(exist_ok=True)
    np.savez(folder / "piece.npz", predictions=predictions, weak=weak, fps=fps, cost="mse")


def figures_in(out):
    return {path.name: path.read_bytes() for path in (out / "figures").glob("**/*.png")}


def test_figures_are_drawn_on_request_and_again_when_the_item_has_changed(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    write(folder)
    analyze([folder], out, Settings((1.0,)))
    assert not (out / "figures").exists()
    drawn = Settings((1.0,), figures=True)
    assert not analyze([folder], out, drawn).failed
    first = figures_in(out)
    assert set(first) == {f"piece.{name}.png" for name in NAMES}
    again = analyze([folder], out, drawn)
    assert again.outcomes[0].reused
    assert figures_in(out) == first
    (out / "figures" / "piece.targets.png").unlink()
    assert analyze([folder], out, drawn).outcomes[0].reused
    assert figures_in(out) == first
    write(folder, fps=20.0)
    assert not analyze([folder], out, drawn).outcomes[0].reused
    assert figures_in(out)["piece.targets.png"] != first["piece.targets.png"]


def test_without_matplotlib_figures_are_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr("warplens.corpus.settings.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"figures: .*pip install warplens\[display\]"):
        Settings(figures=True)
