"""Events, figure and notebook entry of an alignment; packages that are found when named."""

import base64
import re
import subprocess
import sys

import numpy as np
import pytest

import warplens as wl


@pytest.fixture
def aligned():
    generator = np.random.default_rng(3)
    y = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]], float)
    x = np.clip(np.repeat(y, [6, 2, 5, 4], axis=0) + 0.3 * generator.random((17, 3)), 0.02, 0.98)
    return wl.align(x, y, cost="bce", gamma=5.0, step_weights=(0.5, 1, 1))


def test_events_are_runs_with_the_levels_of_the_soft_alignment(aligned):
    y = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]], float)
    events = aligned.events(0.9)
    assert [tuple(e)[:3] for e in events] == [(0, 0, 2), (1, 1, 2), (2, 2, 3), (0, 3, 4)]
    total = np.zeros_like(aligned.y_mod)
    for event in events:
        level = (
            aligned.H_tilde[:, event["start"] : event["stop"]]
            @ y[event["start"] : event["stop"], event["feature"]]
        )
        total[:, event["feature"]] += level
        assert event["peak"] == pytest.approx(level.max(), abs=1e-12)
        assert event["peak_frame"] == level.argmax()
        assert event["duration"] == pytest.approx(level.sum(), abs=1e-12)
        assert event["lost"] == (level.max() < 0.9)
    np.testing.assert_allclose(total, aligned.y_mod, atol=1e-12)
    assert aligned.events(0.9)["lost"].any()
    assert not aligned.events(0)["lost"].any()
    with pytest.raises(ValueError, match=r"threshold: 1\.5"):
        aligned.events(1.5)
    with pytest.raises(ValueError, match="events: a cost matrix alone"):
        wl.align_costs(np.ones((3, 2))).events()
    with pytest.raises(ValueError, match="events: the targets are classes"):
        wl.ctc(np.log(np.full((5, 3), 1 / 3)), [1]).events()


def pixels_of(html):
    image = pytest.importorskip("PIL.Image")
    import io

    for encoded in re.findall(r'base64,([^"]+)"', html):
        with image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
            yield np.asarray(picture)


def test_a_notebook_shows_soft_alignment_and_modified_targets(aligned):
    html = aligned._repr_html_()
    assert "&lt;Alignment N=17 M=4 cost=bce" in html
    for pixels, matrix in zip(pixels_of(html), (aligned.H_tilde, aligned.y_mod), strict=True):
        np.testing.assert_array_equal(pixels, np.round(255 * (1 - matrix.T[::-1])))


def test_a_large_alignment_keeps_its_peaks_in_a_small_picture():
    y = np.eye(400)[::2]
    large = wl.align(np.repeat(y, 5, axis=0), y, cost="mse", gamma=0.01)
    for pixels, matrix in zip(pixels_of(large._repr_html_()), (large.H_tilde, large.y_mod), strict=True):
        assert pixels.shape == (160, 360)
        assert pixels.min() == np.round(255 * (1 - matrix.max()))


def test_costs_alone_and_classes_show_what_they_have():
    generator = np.random.default_rng(0)
    log_probs = np.log(generator.dirichlet(np.ones(4), 12))
    for alignment in (
        wl.align_costs(generator.random((5, 4))),
        wl.align(np.ones((3, 2)), np.ones((2, 2)), cost="l1"),
        wl.ctc(log_probs, [1, 2, 3]),
        wl.forward_sum(log_probs),
        wl.drop_dtw(generator.random((6, 2)), generator.random((3, 2)), 0.1),
    ):
        first = next(iter(pixels_of(alignment._repr_html_())))
        np.testing.assert_array_equal(first, np.round(255 * (1 - np.clip(alignment.H_tilde, 0, 1).T[::-1])))


def test_a_figure_has_a_panel_for_each_matrix(aligned):
    pytest.importorskip("matplotlib")
    figure = aligned.plot(fps=10, lowest_pitch=60)
    titles = [axes.get_title(loc="left") for axes in figure.axes[:3]]
    assert titles == [
        "soft alignment $\\tilde{H}$, $\\gamma$ = 5",
        "weak target Y",
        "modified targets $Y_{mod}$",
    ]
    np.testing.assert_allclose(np.asarray(figure.axes[0].images[0].get_array()).T, aligned.H_tilde)
    alone = wl.align_costs(np.ones((4, 3))).plot()
    assert len(alone.axes) == 1


def run(code):
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split("\n")


def test_packages_are_found_when_they_are_named():
    code = """
import sys
import warplens as wl
print(sorted(name for name in sys.modules if name.startswith("warplens.") and name.count(".") == 1
    and not name.startswith("warplens._")))
print(wl.analysis.find_events.__module__, wl.corpus.Settings.__name__, "corpus" in dir(wl))
try:
    wl.analyses
except AttributeError as error:
    print(error)
"""
    loaded, found, unknown, _ = run(code)
    assert loaded == "['warplens.family']"
    assert found == "warplens.analysis.events Settings True"
    assert unknown == "module 'warplens' has no attribute 'analyses'"


def test_a_missing_extra_is_named_with_its_command():
    code = """
import sys
sys.modules["torch"] = None
import warplens as wl
for name in ("torch", "training"):
    try:
        getattr(wl, name)
    except ModuleNotFoundError as error:
        print(error)
"""
    torch, training, _ = run(code)
    assert torch == "warplens.torch needs 'torch', which is not installed: pip install 'warplens[torch]'"
    assert "pip install 'warplens[" in training
