"""Pictures are read back from their axes: data, limits, labels, marks. None touches global state."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import warplens as wl
from warplens.analysis import analyze_item, display, find_events, summarize_levels
from warplens.analysis.level_colors import LevelScale
from warplens.analysis.ticks import note_name
from warplens.demo.figure2 import EVENT_FEATURES, figure_2
from warplens.io import Item

FPS = 10.0


def new_axes(width=8, height=3):
    return Figure(figsize=(width, height), dpi=100, layout="constrained").subplots()


def levels(n_frames=40, n_features=24, seed=0):
    return np.random.default_rng(seed).random((n_frames, n_features))


def labels(axis):
    """Positions and texts of the ticks in view, once drawn."""
    axis.get_figure().draw_without_rendering()
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [(at, tick.get_text()) for at, tick in ticks if low <= at <= high]


def small_item(**known):
    weak = np.zeros((5, 14))
    weak[[0, 1, 2, 3, 4], [0, 4, 7, 12, 4]] = 1
    strong = wl.expand(weak, [6, 2, 9, 1, 7])
    predictions = 0.05 + 0.9 * strong
    return Item(predictions, weak, **{"fps": FPS, "lowest_pitch": 60, "cost": "bce", **known})


DRAWN = {
    "piano_roll": lambda ax: display.piano_roll(levels(), ax, FPS, 60),
    "cost_matrix": lambda ax: display.cost_matrix(levels(), ax, FPS),
    "accumulated_cost": lambda ax: display.accumulated_cost(levels(), ax, FPS, gamma=1.0),
    "alignment": lambda ax: display.alignment(levels(), ax, FPS),
    "row_sums": lambda ax: display.row_sums(levels().T, ax, FPS),
    "magnitude": lambda ax: display.magnitude_over_duration(levels()[0], levels()[1], ax, FPS),
    "sweep": lambda ax: display.sweep_curves([0.1, 1, 10], kept=[1, 0.9, 0.5], blur=[1, 2, 3], ax=ax),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_axes_are_returned_or_made(draw):
    ax = new_axes()
    assert draw(ax) is ax
    own = draw(None)
    assert own is not ax
    own.figure.draw_without_rendering()


def test_pyplot_is_never_imported():
    code = """
import sys, numpy as np
from warplens.analysis import display
from warplens.demo.figure2 import figure_2
display.figure2(figure_2()).draw_without_rendering()
display.piano_roll(np.eye(3))
display.sweep_figure([1, 2], kept=[1, 1], blur=[1, 2], entropy=[1, 2])
assert "matplotlib.pyplot" not in sys.modules
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_the_picture_is_the_roll_low_pitches_at_the_bottom():
    roll = levels()
    ax = display.piano_roll(roll, new_axes())
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), roll.T)
    assert image.origin == "lower"
    assert image.get_extent() == [-0.5, 39.5, -0.5, 23.5]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 39.5), (-0.5, 23.5))
    assert ax.get_xlabel() == "prediction frame n"
    assert ax.get_ylabel() == "feature d"


def test_time_is_in_seconds_and_pitches_have_names():
    ax = display.piano_roll(levels(n_features=49), new_axes(), FPS, 36)
    assert ax.get_xlim() == (0, 4)
    assert ax.get_xlabel() == "time (s)"
    assert [text for _, text in labels(ax.xaxis)][:3] == ["0.0", "0.5", "1.0"]
    named = labels(ax.yaxis)
    assert [text for _, text in named] == ["C2", "C3", "C4", "C5", "C6"]
    assert all(text == note_name(36 + int(at)) for at, text in named)


@pytest.mark.parametrize(
    ("n_features", "height"), [(5, 3), (12, 1.2), (30, 2), (88, 1.5), (128, 0.6), (3, 0.4)]
)
def test_pitch_names_do_not_touch(n_features, height):
    ax = display.piano_roll(levels(n_features=n_features), new_axes(8, height + 0.7), FPS, 0)
    assert labels(ax.yaxis)
    boxes = [tick.get_window_extent() for tick in ax.get_yticklabels()]
    for below, above in pairwise(boxes):
        assert below.y1 <= above.y0


def test_features_can_be_chosen():
    roll = levels()
    ax = display.piano_roll(roll, new_axes(), lowest_pitch=60, features=(3, 8))
    np.testing.assert_array_equal(ax.images[0].get_array(), roll[:, 3:9].T)
    assert ax.get_ylim() == (2.5, 8.5)
    assert dict(labels(ax.yaxis))[4.0] == "E4"


@pytest.mark.parametrize("threshold", [0.5, 0.1, 0.9, 0.0, 1.0])
def test_colours_break_exactly_at_the_threshold(threshold):
    roll = levels()
    roll[:3, 0] = threshold, np.nextafter(threshold, 0), np.nextafter(threshold, 1)
    ax = display.piano_roll(roll, new_axes(), threshold=threshold)
    red, _, blue, _ = np.moveaxis(ax.images[0].to_rgba(ax.images[0].get_array()), 2, 0)
    np.testing.assert_array_equal(red < blue, roll.T >= threshold)


def test_compared_rolls_have_one_scale():
    figure = display.roll_grid([[("a", levels() / 4), ("b", 3 * levels())]], threshold=0.5)
    limits = {ax.images[0].get_clim() for ax in figure.axes if ax.images and ax.get_title("left")}
    assert limits == {(0.0, (3 * levels()).max())}


def test_no_short_event_is_dropped_from_a_long_roll():
    roll = np.zeros((20_011, 3))
    roll[[7, 12_345, 20_010], 1] = 1
    ax = display.piano_roll(roll, new_axes(4, 2), 100.0)
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape[1] < 400
    assert ax.get_xlim() == (0, 200.11)
    left, right, *_ = ax.images[0].get_extent()
    for frame in (7, 12_345, 20_010):
        column = int((frame + 0.5) / 100 / ((right - left) / drawn.shape[1]))
        assert drawn[1, column] == 1
    assert drawn.sum() == 3


def test_the_colour_bar_names_the_threshold():
    ax = new_axes()
    bar = display.level_bar(display.piano_roll(levels(), ax), LevelScale(0.0, 1.0, 0.3))
    assert [tick.get_text() for tick in bar.ax.get_yticklabels()] == ["0", "0.3", "1"]


def test_matrices_rise_to_the_right_with_their_path():
    x, y = levels(20, 3), levels(6, 3, seed=1)
    aligned = wl.align(x, y)
    ax = display.alignment(aligned.H, new_axes(), path=aligned.path().indices)
    np.testing.assert_array_equal(ax.images[0].get_array(), aligned.H.T)
    assert ax.images[0].origin == "lower"
    assert ax.images[0].get_clim() == (0, 1)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), aligned.path().indices)
    in_seconds = display.alignment(aligned.H, new_axes(), FPS, path=aligned.path().indices)
    np.testing.assert_allclose(in_seconds.lines[0].get_xdata(), (aligned.path().indices[:, 0] + 0.5) / FPS)
    assert in_seconds.get_xlim() == (0, 2)
    assert in_seconds.get_ylim() == (-0.5, 5.5)


def test_no_cell_of_a_path_is_dropped_from_a_large_matrix():
    H = np.zeros((3000, 1000))
    H[1234, 567] = 1
    ax = display.alignment(H, new_axes(4, 2))
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.sum() == 1
    assert drawn.size < 400 * 200


def test_figure_2_marks_a_short_and_a_long_event():
    item = figure_2()
    figure = display.figure2(item, gamma=1.0)
    _, soft, weak, modified = [ax for ax in figure.axes if ax.get_title("left")]
    H_tilde = wl.align(item.predictions, item.weak).H_tilde
    np.testing.assert_array_equal(soft.images[0].get_array(), H_tilde.T)
    np.testing.assert_array_equal(weak.images[0].get_array(), item.weak.T)
    np.testing.assert_allclose(modified.images[0].get_array(), (H_tilde @ item.weak).T)

    result = summarize_levels(H_tilde, item.weak, find_events(item.weak))
    boxes = {ax: [patch for patch in ax.patches if isinstance(patch, Rectangle)] for ax in (weak, modified)}
    assert [box.get_xy() for box in boxes[weak]] == [
        (2.5, EVENT_FEATURES[1] - 0.5),
        (4.5, EVENT_FEATURES[2] - 0.5),
    ]
    for box, k in zip(boxes[modified], (1, 2), strict=True):
        assert box.get_x() == result.first[k] - 0.5
        assert box.get_x() + box.get_width() == result.last[k] + 0.5
    assert [text.get_text() for text in modified.texts] == ["short: 0.41", "long: 0.98"]
    assert [line.get_ydata()[0] for line in soft.lines] == [2.5, 3.5, 4.5, 5.5]


def test_figure_2_says_what_is_missing():
    with pytest.raises(ValueError, match="cost: the item names none"):
        display.figure2(small_item(cost=None))
    with pytest.raises(ValueError, match="event 9 is none of the 5"):
        display.figure2(small_item(), short=9)


def test_figure_5_has_targets_left_and_predictions_right():
    targets, predicted = [levels(seed=g) for g in (0, 1)], [levels(seed=g) for g in (2, 3)]
    figure = display.figure5(targets, predicted, [0.1, 10.0], FPS, 60)
    panels = [ax for ax in figure.axes if ax.get_title("left")]
    assert ["0.1" in ax.get_title("left") for ax in panels] == [True, True, False, False]
    for ax, roll in zip(panels, (targets[0], predicted[0], targets[1], predicted[1]), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), roll.T)
        assert ax.get_xlim() == panels[0].get_xlim()
        assert ax.images[0].get_clim() == (0, 1)
    with pytest.raises(ValueError, match="y_mod, predictions, gammas: 2, 1 and 2"):
        display.figure5(targets, predicted[:1], [0.1, 10.0])
    with pytest.raises(ValueError, match="rolls must have one shape"):
        display.figure5(targets, levels(3), [0.1, 10.0])


def test_magnitude_is_drawn_event_by_event():
    durations, peaks = np.geomspace(1, 50, 30), levels(2, 30)
    ax = display.magnitude_over_duration(durations, peaks, new_axes(), FPS, gammas=[0.1, 1], threshold=0.4)
    for g in range(2):
        points, medians = ax.lines[2 * g : 2 * g + 2]
        np.testing.assert_allclose(points.get_xydata(), np.stack([durations / FPS, peaks[g]], axis=1))
        np.testing.assert_allclose(medians.get_ydata(), np.median(peaks[g].reshape(6, 5), axis=1))
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.lines[-1].get_ydata()[0]) == ("duration of event (s)", 0.4)
    with pytest.raises(ValueError, match=r"durations, peaks: shapes \(3,\) and \(2, 30\)"):
        display.magnitude_over_duration(durations[:3], peaks)


def test_sweep_curves_are_where_they_belong():
    gammas = np.geomspace(0.01, 100, 5)
    kept, blur = np.array([0.5, 0.9, 1, np.nan, 0.2]), np.arange(5.0)
    ax = display.sweep_curves(gammas, kept=kept, blur=blur, recommended=1.0, share=0.95, ax=new_axes())
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([gammas, kept], axis=1))
    assert ax.lines[1].get_ydata()[0] == 0.95
    assert ax.lines[2].get_xdata()[0] == 1.0
    (right,) = [other for other in ax.figure.axes if other is not ax]
    np.testing.assert_array_equal(right.lines[0].get_ydata(), blur)
    assert ax.get_xscale() == "log"
    assert ax.get_ylim() == (-0.03, 1.03)
    with pytest.raises(ValueError, match="no curve is given; accepted are kept"):
        display.sweep_curves(gammas)
    with pytest.raises(ValueError, match=r"kept: shape \(2,\), it must be that of gammas, \(5,\)"):
        display.sweep_curves(gammas, kept=[1, 2])
    with pytest.raises(ValueError, match="use sweep_figure"):
        display.sweep_curves(gammas, blur=blur, entropy=blur)


def test_lost_events_fill_what_lies_above_the_kept_ones():
    gammas, kept, collapsed = [0.1, 1, 10], np.array([0.5, 1.0, 0.25]), np.array([0.375, 0.0, 0.0])
    ax = display.sweep_curves(gammas, kept=kept, lost_to_collapse=collapsed, ax=new_axes())
    bounds = [("lost to collapse", kept, kept + collapsed), ("lost to blur", kept + collapsed, np.ones(3))]
    assert [area.get_label() for area in ax.collections] == [label for label, _, _ in bounds]
    for area, (_, low, high) in zip(ax.collections, bounds, strict=True):
        points = {(x, round(y, 6)) for x, y in area.get_paths()[0].vertices}
        assert points == {(x, y) for edge in (low, high) for x, y in zip(gammas, edge, strict=True)}
    assert {"lost to collapse", "lost to blur"} <= {text.get_text() for text in ax.get_legend().get_texts()}
    none_lost = display.sweep_curves(gammas, kept=np.ones(3), lost_to_collapse=np.zeros(3), ax=new_axes())
    assert not none_lost.collections
    with pytest.raises(ValueError, match="lost_to_collapse: is given without kept"):
        display.sweep_curves(gammas, blur=kept, lost_to_collapse=collapsed)
    with pytest.raises(ValueError, match=r"lost_to_collapse: shape \(2,\)"):
        display.sweep_curves(gammas, kept=kept, lost_to_collapse=[0, 0])


def test_the_events_figure_has_the_durations_of_each_gamma():
    item = small_item()
    analysis = analyze_item(item, gammas=[0.1, 10], cost="bce")
    assert not np.allclose(analysis.levels.duration[0], analysis.levels.duration[1])
    (ax,) = display.events_figure(item, analysis).axes
    for g in range(2):
        np.testing.assert_allclose(ax.lines[2 * g].get_xdata(), analysis.levels.duration[g] / FPS)
        np.testing.assert_allclose(ax.lines[2 * g].get_ydata(), analysis.levels.peak[g])


def test_the_sweep_figure_has_a_panel_for_each_unit():
    curve = [0.1, 0.2, 0.3]
    figure = display.sweep_figure(
        [1, 2, 3], kept=curve, f_measure=curve, blur=curve, entropy=curve, recommended=2
    )
    assert [ax.get_ylabel() for ax in figure.axes] == ["share, level", "blur (frames)", "entropy (nats)"]
    assert len(display.sweep_figure([1, 2, 3], blur=curve).axes) == 1


def test_an_item_has_its_files_with_the_same_bytes_each_time(tmp_path):
    item = small_item()
    analysis = analyze_item(item, gammas=[0.1, 10], cost="bce", step_weights=(0.1, 1, 1))
    first = display.write_figures(tmp_path / "a", "deep/er/item", item, analysis)
    again = display.write_figures(tmp_path / "b", "deep/er/item", item, analysis)
    names = [f"deep/er/item.{name}.png" for name in ("targets", "alignments", "events")]
    assert [path.relative_to(tmp_path / "a").as_posix() for path in first] == names
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "a" / "deep" / "er").iterdir()) == sorted(
        path.name for path in first
    )


def test_an_item_without_events_or_pitches_is_drawn_too(tmp_path):
    item = Item(np.full((7, 3), 0.5), np.zeros((2, 3)), cost="mse")
    analysis = analyze_item(item, gammas=[1.0], cost="mse")
    assert len(display.write_figures(tmp_path, "silent", item, analysis)) == 2


@pytest.mark.parametrize(
    "draw", [display.piano_roll, display.alignment, display.cost_matrix], ids=["roll", "alignment", "costs"]
)
@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 2, 2)])
def test_shapes_are_named(draw, shape):
    with pytest.raises(ValueError, match=rf"shape {str(shape).replace('(', '.').replace(')', '.')}"):
        draw(np.zeros(shape))
