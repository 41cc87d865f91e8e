"""Items of labels from files: what makes one, in every format, and what is refused."""

import numpy as np
import pytest
from label_items import LABELS, NAMES, label_item, multi_hot_item, save_label_item

from warplens.io import ItemError, ItemInFile, make_label_item, read_manifest

SCORES = np.log(np.full((6, 5), 0.2))


def same(one, other):
    for name, value in vars(one).items():
        if name != "warnings":
            np.testing.assert_equal(value, getattr(other, name), err_msg=name)


def test_an_npz_file_holds_an_item(tmp_path):
    item = label_item(log_priors=np.log(np.full(5, 0.2)), strong=np.zeros(14, int), fps=25.0)
    save_label_item(tmp_path / "a.npz", item)
    same(ItemInFile(tmp_path / "a.npz").read(kind="labels"), item)


def test_npy_files_hold_an_item(tmp_path):
    item = label_item(label_names=None)
    np.save(tmp_path / "a.log_probs.npy", item.log_probs)
    np.save(tmp_path / "a.labels.npy", item.labels)
    same(ItemInFile(tmp_path / "a.log_probs.npy").read(kind="labels"), item)


def test_hdf5_zarr_and_safetensors_hold_items(tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    safetensors = pytest.importorskip("safetensors.numpy")
    item = label_item(label_names=None)
    arrays = {"log_probs": item.log_probs, "labels": item.labels}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in arrays.items():
            file[f"one/{name}"] = array
        file["two/predictions"] = item.log_probs  # stands for log_probs
        file["two/labels"] = item.labels
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for name, array in arrays.items():
        group.create_array(f"one/{name}", data=array)
    safetensors.save_file(arrays, tmp_path / "a.safetensors")
    for path, at in (("a.h5", "one"), ("a.h5", "two"), ("a.zarr", "one"), ("a.safetensors", "")):
        same(ItemInFile(tmp_path / path, at).read(kind="labels"), item)


def test_a_manifest_names_the_arrays(tmp_path):
    item = label_item(label_names=None)
    np.save(tmp_path / "scores.npy", item.log_probs)
    np.savez(tmp_path / "targets.npz", text=item.labels, names=np.array(NAMES))
    (tmp_path / "list.csv").write_text(
        "log_probs,labels,label_names,fps\nscores.npy,targets.npz:text,targets.npz:names,25\n"
    )
    (row,) = read_manifest(tmp_path / "list.csv")
    assert row.name() == "scores"
    read = row.read(kind="labels")
    assert (read.fps, read.label_names) == (25.0, NAMES)
    np.testing.assert_array_equal(read.labels, LABELS)
    with pytest.raises(ItemError, match="its cell 'predictions' is empty"):
        row.read()


def test_one_hot_rows_are_labels():
    item = make_label_item("labels", {"log_probs": SCORES, "weak": np.eye(5)[[3, 1]]})
    assert item.labels.tolist() == [3, 1]


def test_multi_hot_items_keep_their_targets(tmp_path):
    item = multi_hot_item()
    save_label_item(tmp_path / "a.npz", item)
    same(ItemInFile(tmp_path / "a.npz").read(kind="multi-hot"), item)


def test_an_item_without_labels_is_one():
    assert make_label_item("labels", {"log_probs": SCORES, "labels": []}).labels.shape == (0,)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("labels", {"labels": [1]}, r"missing array 'log_probs' \(keys found: labels"),
        ("labels", {"log_probs": SCORES}, "missing array 'labels'"),
        ("labels", {"log_probs": SCORES[0], "labels": [1]}, "'log_probs' has 1 dimensions"),
        ("labels", {"log_probs": SCORES * np.nan, "labels": [1]}, r"'log_probs' is nan at index \(0, 0\)"),
        ("labels", {"log_probs": SCORES[:0], "labels": [1]}, "'log_probs' is empty"),
        ("labels", {"log_probs": SCORES, "labels": [1.5]}, "'labels' has dtype float64, it must hold whole"),
        ("labels", {"log_probs": SCORES, "labels": [[1]]}, "'labels' has 2 dimensions"),
        (
            "labels",
            {"log_probs": SCORES, "weak": np.ones((2, 5))},
            "5 active classes at target 0.*multi-label",
        ),
        ("labels", {"log_probs": SCORES, "weak": np.eye(3)}, "'weak' has 3 classes"),
        ("labels", {"log_probs": SCORES, "labels": [1], "label_names": ["a"]}, "'label_names' has 1 names"),
        ("labels", {"log_probs": SCORES, "labels": [1], "label_names": [1]}, "one text a class"),
        ("labels", {"log_probs": SCORES, "labels": [1], "strong": [0]}, "'strong' has 1 frames"),
        ("labels", {"log_probs": SCORES, "labels": [1], "strong": [9] * 6}, "'strong' is 9 at frame 0"),
        ("labels", {"log_probs": SCORES, "labels": [1], "log_priors": [1.0]}, "'log_priors' has shape"),
        ("multi-hot", {"log_probs": SCORES, "weak": np.eye(5)}, "'log_probs' has 2 dimensions"),
        ("multi-hot", {"log_probs": SCORES[..., None]}, "missing array 'weak'"),
        ("multi-hot", {"log_probs": SCORES[..., None], "weak": 2 * np.eye(5)}, "0 and 1 are accepted"),
        ("tokens", {"log_probs": SCORES, "prior": SCORES[:2]}, "'prior' has shape"),
        ("labels", {"log_probs": SCORES, "labels": [1], "fps": -1}, "'fps' is -1"),
    ],
)
def test_what_makes_no_item_is_refused(kind, values, message):
    with pytest.raises(ItemError, match=message):
        make_label_item(kind, values)
