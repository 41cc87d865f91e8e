"""The figure of one item under every loss: its rolls are what the losses teach."""

import importlib.util

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from label_items import multi_hot_item, peaky_item

import warplens as wl
from warplens.analysis.display import which_loss
from warplens.analysis.display.which_loss import taught_rolls

OPTIONS = {"blank": 0, "gamma": 0.5, "drop": 1.5, "blank_penalty": 3.0, "threshold": 0.5}


def melody(repository):
    place = repository / "examples" / "which_loss.py"
    specification = importlib.util.spec_from_file_location("which_loss", place)
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    return example.melody()


def test_rolls_are_the_modified_targets_of_each_loss(repository):
    item = melody(repository)
    sdtw, forward, ctc, dear, subsequence, drop = taught_rolls(item, **OPTIONS)
    probabilities, one_hot = np.exp(item.log_probs), np.eye(8)[item.labels]
    x, y = probabilities[:, 1:], one_hot[:, 1:]
    near = {"atol": 1e-6}
    np.testing.assert_allclose(sdtw.roll[:, 1:], wl.align(x, y, cost="bce", gamma=0.5).y_mod, **near)
    np.testing.assert_allclose(ctc.roll, wl.ctc(item.log_probs, item.labels).y_mod, **near)
    expected = wl.ctc(item.log_probs, item.labels, blank_penalty=3.0).y_mod
    np.testing.assert_allclose(dear.roll, expected, **near)
    expected = wl.forward_sum(item.log_probs[:, item.labels]).y_mod @ one_hot
    np.testing.assert_allclose(forward.roll, expected, **near)
    opened = wl.align(x, y, cost="bce", gamma=0.5, open_begin="y", open_end="y")
    np.testing.assert_allclose(subsequence.roll[:, 1:], opened.y_mod, **near)
    dropped = wl.drop_dtw(x, y, 1.5, cost="bce", gamma=0.5)
    np.testing.assert_allclose(drop.roll[:, 1:], dropped.y_mod * dropped.h[:, None], **near)


def test_the_example_shows_what_the_docs_tell_of_it(repository):
    """The page "Which loss?" tells these facts of its figure."""
    item = melody(repository)
    assert len(item.log_probs) == 93
    rows = dict(
        zip(("sdtw", "forward", "ctc", "dear", "open", "drop"), taught_rolls(item, **OPTIONS), strict=True)
    )
    blanks = {name: row.roll[:, 0].mean() for name, row in rows.items()}
    assert 0.6 < blanks["ctc"] < 0.72  # two thirds
    assert blanks["dear"] < 0.1
    assert "3 of 11 labels under" in rows["open"].facts
    foreign = np.exp(item.log_probs[:, 7]) > 0.3
    assert foreign.sum() > 5
    assert (rows["drop"].presence[foreign] < 0.05).all()
    assert "of the frames not taught" in rows["drop"].facts
    held = item.strong == 1  # the first note, which was played
    assert rows["open"].roll[held, 1].min() > 0.9
    assert rows["sdtw"].roll[held, 1].min() < 0.1


def test_the_figure_has_a_row_a_loss_and_the_strong_target_beside():
    figure = which_loss(peaky_item())
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert titles == [
        "predictions of the network",
        "strong target",
        "soft DTW",
        "forward sum",
        "CTC",
        "CTC, blank penalty 3",
        "subsequence soft DTW",
        "Drop-DTW, drop cost 1.5",
    ]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][:2] == ["blank", "1"]


def test_without_a_strong_target_it_is_drawn_too():
    item = peaky_item()
    figure = which_loss(type(item)(item.log_probs, item.labels))
    assert "strong target" not in [ax.get_title(loc="left") for ax in figure.axes]


def test_items_without_labels_are_refused():
    with pytest.raises(ValueError, match="item: has no labels"):
        which_loss(multi_hot_item())
