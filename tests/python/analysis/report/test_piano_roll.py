"""Piano rolls are decoded again: what is under the threshold is orange or paper, what reaches it is blue."""

import base64
import io

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image

from warplens.analysis.level_colors import LevelScale, predicted_levels
from warplens.analysis.report import piano_roll
from warplens.analysis.report.piano_roll import data_uri, piano_roll_png


def decode(png):
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode) == ("PNG", "P")
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("threshold", [0.5, 0.1, 0.9, 0.0, 1.0])
def test_colours_tell_the_threshold(threshold):
    roll = np.random.default_rng(0).random((40, 7))
    roll[:3, 0] = threshold, np.nextafter(threshold, 0), np.nextafter(threshold, 1)
    pixels = decode(piano_roll_png(roll, LevelScale.of(roll, threshold=threshold)))
    assert pixels.shape == (7, 40, 3)
    red, blue = pixels[..., 0], pixels[..., 2]
    np.testing.assert_array_equal((red < blue).T[:, ::-1], roll >= threshold)


def test_low_pitch_is_at_the_bottom_and_time_goes_right():
    roll = np.zeros((5, 3))
    roll[4, 0] = 1
    pixels = decode(piano_roll_png(roll, LevelScale.of(roll, threshold=0.5)))
    assert tuple(pixels[2, 4]) != (255, 255, 255)
    pixels[2, 4] = 255
    assert (pixels == 255).all()


def test_higher_levels_are_darker():
    scale = LevelScale.of(np.array([[0.0, 1.0]]), threshold=0.5)
    brightness = scale.palette().astype(int).sum(axis=1)
    assert len(scale.palette()) == 256
    assert (np.diff(brightness[:128]) <= 0).all()
    assert (np.diff(brightness[128:]) <= 0).all()


def test_no_event_is_dropped_from_a_long_roll(monkeypatch):
    monkeypatch.setattr(piano_roll, "MAX_COLUMNS", 10)
    roll = np.zeros((95, 2))
    roll[37, 1] = 1
    pixels = decode(piano_roll_png(roll, LevelScale.of(roll, threshold=0.5)))
    assert pixels.shape == (2, 10, 3)
    assert np.argwhere((pixels != 255).any(axis=2)).tolist() == [[0, 3]]


def test_scale_widens_for_levels_beyond_one():
    assert LevelScale.of(np.array([[0.2, 0.7]]), None, threshold=0.5) == LevelScale(0.0, 1.0, 0.5)
    assert LevelScale.of(np.array([[-1e-17, 1 + 1e-7]]), threshold=0.5) == LevelScale(0.0, 1.0, 0.5)
    assert LevelScale.of(np.array([[-2.0, 0.7]]), np.array([[3.0]]), threshold=0.5) == LevelScale(
        -2.0, 3.0, 0.5
    )


def test_data_uri_holds_the_bytes():
    uri = data_uri(b"\x89PNG")
    assert base64.b64decode(uri.removeprefix("data:image/png;base64,")) == b"\x89PNG"


def test_predictions_are_shown_on_the_scale_of_their_targets():
    x = np.array([[-800.0, 0.0, 3.0]])
    np.testing.assert_allclose(predicted_levels(x, "bce_logits"), [[0, 0.5, 1 / (1 + np.exp(-3))]])
    np.testing.assert_allclose(predicted_levels(x, "ce_logits").sum(axis=1), 1)
    np.testing.assert_allclose(predicted_levels(x, "poisson_log"), np.exp(x))
    assert predicted_levels(x, "mse") is x
