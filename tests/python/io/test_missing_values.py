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


def test_masked_weights_are_refused():
    for name in ("feature_weights", "pos_weight", "step_weights"):
        weights = np.ma.masked_array([1.0, 2.0, 3.0][: 3 if name == "step_weights" else 2], False)
        assert np.isfinite(wl.soft_dtw(X, Y, cost="bce", **{name: weights}))
        weights[1] = np.ma.masked
        with pytest.raises(ValueError, match=rf"{name}: masks 1 values, the first at index \(1,\)"):
            wl.soft_dtw(X, Y, cost="bce", **{name: weights})


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


@pytest.mark.parametrize("kind", ["h5", "zarr"])
@pytest.mark.parametrize("mark", ["_FillValue", "missing_value"])
def test_values_that_an_attribute_marks_as_missing_are_refused(tmp_path, kind, mark):
    path, predictions = tmp_path / f"a.{kind}", np.where(np.arange(12).reshape(6, 2) == 5, -9999.0, X)
    if kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["predictions"], file["weak"] = predictions, Y
            file["predictions"].attrs[mark] = file["weak"].attrs[mark] = -9999.0
            file["weak"].attrs["other"] = "text"
    else:
        zarr = pytest.importorskip("zarr")
        root = zarr.open_group(path, mode="w")
        for key, value in (("predictions", predictions), ("weak", Y)):
            root.create_array(key, data=value, attributes={mark: -9999.0, "other": "text"})
    with pytest.raises(ItemError, match=rf"'predictions' lacks 1 values: it holds -9999.0, .*'{mark}'"):
        ItemInFile(path).read()


def test_packed_values_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["predictions"], file["weak"] = X, Y
        file["weak"].attrs["scale_factor"] = 0.5
    with pytest.raises(ItemError, match="'weak' is packed by its attribute 'scale_factor'"):
        ItemInFile(tmp_path / "a.h5").read()
