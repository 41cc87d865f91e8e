"""Values that are not there, masked or never written, are not read as data in silence."""

import numpy as np
import pytest

import warplens as wl
from warplens.io import ItemError, ItemInFile, make_item
from warplens.training import pad_silence

X = np.random.default_rng(0).random((6, 2))
Y = X[::2].copy()
MASKED = np.ma.masked_greater(np.where(np.arange(12).reshape(6, 2) == 5, 1e20, X), 1e10)


@pytest.mark.parametrize(
    "call",
    [
        lambda masked: wl.align(masked, Y),
        lambda masked: wl.align(Y, masked),
        lambda masked: wl.soft_dtw(masked, Y),
        lambda masked: wl.align_costs(masked),
        lambda masked: wl.collapse_repeats(masked),
        lambda masked: wl.cdist([masked, X], [Y]),
        lambda masked: wl.divergence(masked, Y),
        lambda masked: wl.barycenter([X, masked]),
        pad_silence,
    ],
)
def test_masked_values_are_refused(call):
    for masked in (MASKED, list(MASKED)):
        with pytest.raises(ValueError, match="masks 1 values, the first at index"):
            call(masked)
    call(np.ma.masked_array(X, False))


def test_masked_values_of_an_item_are_refused():
    for key in ("predictions", "weak", "strong"):
        values = {"predictions": X, "weak": Y, "strong": X, key: MASKED}
        with pytest.raises(ItemError, match=rf"'{key}': masks 1 values, the first at index \(2, 1\)"):
            make_item(values)


WRITTEN = {"predictions": 4, "weak": 3}
"""Frames that are written, of six and of three."""


def chunked(folder, kind):
    path = folder / ("a.h5" if kind == "h5" else f"a.{kind}")
    values = {"predictions": X + 1, "weak": Y + 1}
    if kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for key, value in values.items():
                made = file.create_dataset(key, value.shape, "f8", chunks=(2, 2), fillvalue=7)
                made[: WRITTEN[key]] = value[: WRITTEN[key]]
        return path
    zarr = pytest.importorskip("zarr")
    stores = {"zarr": lambda: path, "zarr.zip": lambda: zarr.storage.ZipStore(path, mode="w")}
    store = stores[kind]()
    root = zarr.open_group(store, mode="w")
    for key, value in values.items():
        array = root.create_array(key, shape=value.shape, chunks=(2, 2), dtype="f8", fill_value=7.0)
        array[: WRITTEN[key]] = value[: WRITTEN[key]]
    if kind == "zarr.zip":
        store.close()
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["h5", "zarr", "zarr.zip"])
def test_chunks_that_are_not_there_are_told(tmp_path, kind):
    item = ItemInFile(chunked(tmp_path, kind)).read()
    np.testing.assert_array_equal(item.predictions, np.vstack([X[:4] + 1, np.full((2, 2), 7)]))
    assert item.warnings == (
        f"predictions: 1 of 3 chunks are not stored and are read as the fill value {7.0}",
    )


def test_datasets_that_were_never_written_are_told(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("predictions", (6, 2), "f8")
        file["weak"] = Y
    (warning,) = ItemInFile(tmp_path / "a.h5").read().warnings
    assert warning == "predictions: 1 of 1 chunks are not stored and are read as the fill value 0.0"
