"""References of a stranger's file: other files are named, and read only where that is allowed."""

import numpy as np
import pytest
from click.testing import CliRunner
from corpus.sample_items import sample_item, save_item

from warplens.cli.commands import warplens
from warplens.corpus import collect
from warplens.io import ItemError, ItemInFile, read_manifest

ITEM = sample_item(1, n_targets=4)
N, D = ITEM.predictions.shape


def raw_data(h5py, path, other):
    other.write_bytes(ITEM.predictions.tobytes())
    with h5py.File(path, "w") as file:
        told = [(str(other), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("predictions", (N, D), "f4", external=told)
        file["weak"] = ITEM.weak


def external_link(h5py, path, other):
    with h5py.File(other, "w") as file:
        file["x"] = ITEM.predictions
    with h5py.File(path, "w") as file:
        file["predictions"] = h5py.ExternalLink(str(other), "/x")
        file["weak"] = ITEM.weak


def behind_a_soft_link(h5py, path, other):
    with h5py.File(other, "w") as file:
        file["g/x"] = ITEM.predictions
    with h5py.File(path, "w") as file:
        file["groups/far"] = h5py.ExternalLink(str(other), "/g")
        file["near"] = h5py.SoftLink("/groups")
        file["predictions"] = h5py.SoftLink("near/./far/x")
        file["weak"] = ITEM.weak


def virtual(h5py, path, other):
    with h5py.File(other, "w") as file:
        file["x"] = ITEM.predictions
    layout = h5py.VirtualLayout((N, D), "f4")
    layout[:] = h5py.VirtualSource(str(other), "x", (N, D))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("predictions", layout)
        file["weak"] = ITEM.weak


@pytest.mark.parametrize("write", [raw_data, external_link, behind_a_soft_link, virtual])
def test_hdf5_reads_other_files_only_where_that_is_allowed(tmp_path, write):
    h5py = pytest.importorskip("h5py")
    other = tmp_path / "other" / "secret.bin"
    other.parent.mkdir()
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.h5"
    write(h5py, path, other)
    with pytest.raises(ItemError, match=rf"'predictions' lies in another file, {other}, .*--allow-external"):
        ItemInFile(path).read()
    np.testing.assert_array_equal(ItemInFile(path, allow_external=True).read().predictions, ITEM.predictions)
    (tmp_path / "in" / "m.csv").write_text("predictions\na.h5:predictions\n")
    (row,) = read_manifest(tmp_path / "in" / "m.csv")
    with pytest.raises(ItemError, match="lies in another file"):
        row.read()
    for option, status in (([], 1), (["--allow-external"], 0)):
        arguments = ["analyze", str(path), "-o", str(tmp_path / "out"), "--cost", "bce", "--gamma", "1"]
        result = CliRunner().invoke(warplens, [*arguments, *option])
        assert result.exit_code == status, result.output
        assert (str(other) in result.stderr) == (status == 1)


def test_links_within_a_file_are_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/er/x"] = ITEM.predictions
        file["deep/up"] = h5py.SoftLink("er/x")
        file["predictions"] = h5py.SoftLink("/deep/up")
        file["weak"] = ITEM.weak
        file["round"] = h5py.SoftLink("/round")
        file["strong"] = h5py.SoftLink("/nowhere")
    item = ItemInFile(tmp_path / "a.h5").read()
    np.testing.assert_array_equal(item.predictions, ITEM.predictions)
    assert item.strong is None
    with pytest.raises(ItemError, match="by more than 40 links"):
        ItemInFile(tmp_path / "a.h5", "round").read()


@pytest.mark.parametrize("what", ["chunk", "array", "group"])
def test_links_out_of_zarr_folders_are_followed_only_where_that_is_allowed(tmp_path, what):
    zarr = pytest.importorskip("zarr")
    path, other = tmp_path / "a.zarr", tmp_path / "other"
    root = zarr.open_group(path, mode="w")
    group = root.create_group("g")
    for key in ("predictions", "weak"):
        group.create_array(key, data=getattr(ITEM, key), chunks=getattr(ITEM, key).shape)
    moved = path / {"chunk": "g/predictions/c/0/0", "array": "g/predictions", "group": "g"}[what]
    moved.rename(other)
    moved.symlink_to(other)
    with pytest.raises(ItemError, match=rf"'g/predictions' lies in another file, {other}"):
        ItemInFile(path, "g").read()
    read = ItemInFile(path, "g", allow_external=True).read()
    np.testing.assert_array_equal(read.predictions, ITEM.predictions)


def test_links_within_zarr_folders_are_followed(tmp_path):
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for key in ("predictions", "weak"):
        root.create_array(key, data=getattr(ITEM, key))
    (tmp_path / "a.zarr/predictions").rename(tmp_path / "a.zarr/p")
    (tmp_path / "a.zarr/predictions").symlink_to("p")
    np.testing.assert_array_equal(ItemInFile(tmp_path / "a.zarr").read().predictions, ITEM.predictions)


def test_links_out_of_a_folder_are_followed_only_where_that_is_allowed(tmp_path):
    save_item(tmp_path / "elsewhere" / "x.npz", ITEM)
    np.save(tmp_path / "elsewhere" / "w.npy", ITEM.weak)
    folder = tmp_path / "in"
    save_item(folder / "real.npz", ITEM)
    np.save(folder / "set.predictions.npy", ITEM.predictions)
    (folder / "set.weak.npy").symlink_to(tmp_path / "elsewhere" / "w.npy")
    (folder / "linked.npz").symlink_to(tmp_path / "elsewhere" / "x.npz")
    (folder / "inside.npz").symlink_to("real.npz")
    found = {source.id: source for source in collect([folder], exclude=tmp_path / "out").sources}
    assert sorted(found) == ["inside", "linked.npz", "real", "set.predictions.npy"]
    for name, target in (("linked.npz", "x.npz"), ("set.predictions.npy", "w.npy")):
        with pytest.raises(ItemError, match=rf"link out of the folder, to .*{target}, .*--allow-external"):
            found[name].read()
    allowed = collect([folder], exclude=tmp_path / "out", allow_external=True).sources
    for source in allowed:
        np.testing.assert_array_equal(source.read().weak, ITEM.weak)
    # A file that is named itself is what the user asked for.
    (named,) = collect([folder / "linked.npz"], exclude=tmp_path / "out").sources
    np.testing.assert_array_equal(named.read().weak, ITEM.weak)
