"""Items from npz files: what is read, what is refused and with which words."""

import io
import zipfile

import numpy as np
import pytest
from corpus.sample_items import sample_item, save_item

from warplens.io import ItemError, make_item, read_npz

X, Y = np.full((6, 3), 0.5), np.eye(3)


def write(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_an_item_comes_back_as_it_was_written(tmp_path):
    item = sample_item(step_weights=(0.1, 1.0, 1.0))
    save_item(tmp_path / "a.npz", item)
    read = read_npz(tmp_path / "a.npz")
    for name in ("predictions", "weak", "strong"):
        np.testing.assert_array_equal(getattr(read, name), getattr(item, name))
        assert getattr(read, name).dtype == np.float32
    assert (read.fps, read.lowest_pitch, read.cost) == (10.0, 60, "bce")
    assert read.step_weights == (0.1, 1.0, 1.0)


def test_only_predictions_and_weak_are_needed_and_other_keys_are_ignored(tmp_path):
    item = read_npz(write(tmp_path / "a.npz", predictions=X, weak=Y, note="ignored"))
    assert (item.strong, item.fps, item.lowest_pitch, item.cost, item.step_weights) == (None,) * 5


@pytest.mark.parametrize(
    ("given", "kept"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), (">f4", "f4"), (">f8", "f8"), ("i4", "f8"), ("?", "f8")],
)
def test_dtypes_of_predictions(given, kept):
    item = make_item({"predictions": X.astype(given), "weak": Y.astype(bool)})
    assert item.predictions.dtype == item.weak.dtype == np.dtype(kept)
    assert item.predictions.dtype.isnative
    np.testing.assert_array_equal(item.weak, Y)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weak": Y}, r"missing array 'predictions' \(keys found: weak; needed: predictions, weak\)"),
        ({"predictions": X, "y": Y}, r"missing array 'weak' \(keys found: predictions, y;"),
        ({"predictions": X[0], "weak": Y}, r"'predictions' has 1 dimensions \(shape \(3,\)\), it must"),
        ({"predictions": X, "weak": Y[None]}, r"'weak' has 3 dimensions \(shape \(1, 3, 3\)\)"),
        ({"predictions": X, "weak": Y[:, :2]}, r"'weak' has 2 features and 'predictions' 3: shapes \(3, 2\)"),
        ({"predictions": X, "weak": Y, "strong": Y}, r"'strong' has shape \(3, 3\), .* \(6, 3\)"),
        ({"predictions": X[:0], "weak": Y}, r"'predictions' is empty: shape \(0, 3\)"),
        ({"predictions": np.where(np.arange(18).reshape(6, 3) == 7, np.nan, X), "weak": Y},
         r"'predictions' is nan at frame 2, feature 1; values must be finite"),
        ({"predictions": X, "weak": np.where(Y > 0, np.inf, Y)}, r"'weak' is inf at frame 0, feature 0"),
        ({"predictions": X * 1j, "weak": Y}, r"'predictions' has dtype complex128, it must hold"),
        ({"predictions": X, "weak": Y.astype(str)}, r"'weak' has dtype <U32, it must hold"),
        ({"predictions": X, "weak": Y, "fps": 0}, r"'fps' is 0, it must be positive"),
        ({"predictions": X, "weak": Y, "fps": [1, 2]}, r"'fps' must be a single value, it has shape \(2,\)"),
        ({"predictions": X, "weak": Y, "fps": "fast"}, r"'fps' is 'fast', it must be a finite number"),
        ({"predictions": X, "weak": Y, "lowest_pitch": 128}, r"'lowest_pitch' is 128, it must be"),
        ({"predictions": X, "weak": Y, "lowest_pitch": 60.5}, r"'lowest_pitch' is 60.5"),
        ({"predictions": X, "weak": Y, "cost": 3}, r"'cost' is 3, it must be the name of a cost"),
        ({"predictions": X, "weak": Y, "step_weights": [1, 1]}, r"'step_weights' has shape \(2,\)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, arrays, message):
    with pytest.raises(ItemError, match=message):
        read_npz(write(tmp_path / "a.npz", **arrays))


def test_pickle_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("pickle was loaded",))

    path = tmp_path / "a.npz"
    np.savez(path, predictions=np.array([Trap()], object), weak=Y)
    with pytest.raises(
        ItemError, match=r"'predictions' cannot be loaded: it holds Python objects, which are never"
    ):
        read_npz(path)


@pytest.mark.parametrize("comment", [b"", b"as zipfile alone reads it"])
@pytest.mark.parametrize(
    "shape", ["(0, 9223372036854775808)", "(1180591620717411303424, 0)", f"({'0, ' * 70})", "(True,)"]
)
def test_shapes_that_no_array_has_are_damage(tmp_path, shape, comment):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    npy = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("predictions.npy", npy)
        archive.writestr("weak.npy", npy)
        archive.comment = comment
    with pytest.raises(ItemError):
        read_npz(tmp_path / "a.npz")


def test_files_that_are_no_archives(tmp_path):
    path = tmp_path / "a.npz"
    for content in (b"", b"plain text", b"\x93NUMPY", b"PK\x03\x04 cut off"):
        path.write_bytes(content)
        with pytest.raises(ItemError, match="not an npz file"):
            read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("predictions", "text")
        archive.writestr("weak", "text")
    with pytest.raises(ItemError, match="'predictions' cannot be loaded: not an npy array"):
        read_npz(path)
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz")


def test_a_damaged_archive_never_passes_for_a_sound_one(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, predictions=X, weak=Y)
    sound = buffer.getvalue()
    path = tmp_path / "a.npz"
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x5A]) + sound[at + 1 :])
        try:
            item = read_npz(path)
        except ItemError:
            continue
        np.testing.assert_array_equal(item.predictions, X)
        np.testing.assert_array_equal(item.weak, Y)
