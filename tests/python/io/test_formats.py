"""The same item from every format, sizes seen before reading, and damage that costs one item and no more."""

import json
import multiprocessing
import os
import struct
import zipfile

import numpy as np
import pytest
from corpus.sample_items import sample_item, save_item
from io_formats import WRITERS, fill_hdf5, fill_zarr, known, write_npz

from warplens.io import ItemError, ItemInFile, read_npz
from warplens.io.arrays.formats import groups_of

ITEM = sample_item(3, step_weights=(0.1, 1.0, 1.0))


@pytest.fixture(params=WRITERS)
def write(request):
    library, writer = WRITERS[request.param]
    if library:
        pytest.importorskip(library)
    return writer


def assert_same(item, other):
    for name, value in vars(other).items():
        if isinstance(value, np.ndarray):
            assert getattr(item, name).dtype == value.dtype
            np.testing.assert_array_equal(getattr(item, name), value)
        else:
            assert getattr(item, name) == value


def item_bytes(item):
    return sum(array.nbytes for array in (item.predictions, item.weak, item.strong))


def test_every_format_gives_the_item_of_the_npz_file(tmp_path, write):
    save_item(tmp_path / "expected.npz", ITEM)
    path = write(tmp_path, known(vars(ITEM)))
    assert groups_of(path) == [""]
    assert_same(ItemInFile(path).read(), read_npz(tmp_path / "expected.npz"))
    assert ItemInFile(path).read(fps=77.0).fps == 77.0


@pytest.mark.parametrize("dtype", ["f2", "f8", "u1", "?"])
def test_every_format_keeps_other_dtypes(tmp_path, write, dtype):
    values = {"predictions": ITEM.strong.astype(dtype), "weak": np.asfortranarray(ITEM.weak.astype(dtype))}
    item = ItemInFile(write(tmp_path, values)).read()
    np.testing.assert_array_equal(item.predictions, ITEM.strong)
    np.testing.assert_array_equal(item.weak, ITEM.weak)
    assert item.predictions.dtype == (np.float32 if dtype == "f2" else np.float64)


def test_the_size_limit_is_that_of_the_arrays(tmp_path, write):
    path = write(tmp_path, {"predictions": ITEM.predictions, "weak": ITEM.weak, "strong": ITEM.strong})
    with pytest.raises(ItemError, match=r"declares .* bytes, .* the limit is .* \(--size-limit\)"):
        ItemInFile(path).read(size_limit=item_bytes(ITEM) - 1)
    assert ItemInFile(path).read(size_limit=item_bytes(ITEM) + 3 * 128).strong is not None
    assert ItemInFile(path).read(size_limit=None).strong is not None


def test_missing_keys_are_named_with_those_that_are_there(tmp_path, write):
    path = write(tmp_path, {"predictions": ITEM.predictions, "strong": ITEM.strong})
    with pytest.raises(ItemError, match=r"missing array 'weak' \(keys found: predictions, strong; needed"):
        ItemInFile(path).read()


def test_a_group_of_hdf5_or_zarr_is_an_item_each(tmp_path):
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    others = [sample_item(seed, cost=None, fps=None) for seed in (1, 2)]
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.attrs["fps"] = 12.5
        file["note"] = "no item"
        for name, item in zip(("songs/one", "two"), others, strict=True):
            fill_hdf5(file.create_group(name), known(vars(item)))
        file["two"].attrs["cost"] = "mse"
        file["link"] = h5py.SoftLink("/two")
        file["outside"] = h5py.ExternalLink("none.h5", "/two")
        file["songs/round"] = file["songs"]
    root = zarr.open_group(tmp_path / "c.zarr", mode="w", zarr_format=2)
    root.attrs["fps"] = 12.5
    for name, item in zip(("songs/one", "two"), others, strict=True):
        fill_zarr(root.create_group(name), known(vars(item)))
    root["two"].attrs["cost"] = "mse"
    (tmp_path / "c.zarr" / "songs" / "round").symlink_to(tmp_path / "c.zarr", target_is_directory=True)
    for path in (tmp_path / "c.h5", tmp_path / "c.zarr"):
        assert groups_of(path) == ["songs/one", "two"]
        for group, item in zip(("songs/one", "two"), others, strict=True):
            read = ItemInFile(path, group).read()
            np.testing.assert_array_equal(read.predictions, item.predictions)
            assert read.fps == 12.5
            assert read.cost == ("mse" if group == "two" else None)
        with pytest.raises(ItemError, match="missing array 'predictions'"):
            ItemInFile(path).read()


def read_shape(path):
    return ItemInFile(path).read().predictions.shape


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_open_files_are_not_shared_with_other_processes(tmp_path, write, start):
    path = write(tmp_path, known(vars(ITEM)))
    ItemInFile(path).read()
    with multiprocessing.get_context(start).Pool(2) as pool:
        assert pool.map(read_shape, [path] * 6) == [ITEM.predictions.shape] * 6
    assert read_shape(path) == ITEM.predictions.shape


def test_a_file_that_is_replaced_or_written_over_is_read_anew(tmp_path, write):
    path = write(tmp_path, known(vars(ITEM)))
    old = path.read_bytes() if path.is_file() else None
    ItemInFile(path).read()
    (tmp_path / "new").mkdir()
    other = sample_item(9, n_targets=8)
    new = write(tmp_path / "new", known(vars(other)))
    np.testing.assert_array_equal(ItemInFile(new).read().predictions, other.predictions)
    if old is not None and path.suffix != ".npy":
        new.replace(path)
        np.testing.assert_array_equal(ItemInFile(path).read().predictions, other.predictions)
        path.write_bytes(old)
        np.testing.assert_array_equal(ItemInFile(path).read().predictions, ITEM.predictions)


def test_a_zip_bomb_is_refused_by_what_it_declares(tmp_path):
    path = tmp_path / "bomb.npz"
    header = (
        b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000), }"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("predictions.npy", "w", force_zip64=True) as member:
            member.write(header.ljust(127) + b"\n")
            for _ in range(64):
                member.write(bytes(1 << 20))
        archive.writestr("weak.npy", b"")
    with pytest.raises(
        ItemError, match=r"'predictions' declares 64\.0 MiB, .* the limit is 8\.0 MiB an item"
    ):
        ItemInFile(path).read(size_limit=8 << 20)
    # The header promises 4 GB that the member does not have: they are not made room for.
    with pytest.raises(ItemError, match=r"shape \(1000000, 1000\) of float32 takes 4000000000 bytes, not"):
        ItemInFile(path).read(size_limit=None)


def test_no_more_is_unpacked_than_a_member_declares(tmp_path):
    path = write_npz(tmp_path, {"weak": np.eye(2)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("predictions.npy", bytes(32 << 20))
    content = bytearray(path.read_bytes())
    declared = struct.pack("<I", 32 << 20)
    while declared in content:
        at = content.index(declared)
        content[at : at + 4] = struct.pack("<I", 1000)
    path.write_bytes(content)
    with pytest.raises(ItemError, match=r"damaged npz file: Bad CRC-32|not an npy array"):
        ItemInFile(path).read(size_limit=1 << 20)


def test_members_packed_by_other_methods_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("predictions.npy", b"x" * 1000)
    with pytest.raises(ItemError, match="'predictions' is packed by method 14"):
        ItemInFile(path).read()


def test_large_chunks_count_against_the_limit(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("predictions", (10, 3), maxshape=(None, 3), chunks=(1 << 20, 3), dtype="f4")
        file["weak"] = np.eye(3)
    with pytest.raises(ItemError, match=r"'predictions' declares 12\.0 MiB"):
        ItemInFile(tmp_path / "a.h5").read(size_limit=1 << 20)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("pickle was loaded",))


def test_pickle_is_never_loaded_from_npy_or_zarr(tmp_path):
    objects = np.array([Trap()], object)
    np.save(tmp_path / "a.predictions.npy", objects)
    np.save(tmp_path / "a.weak.npy", np.eye(2))
    with pytest.raises(ItemError, match="Python objects, which are never loaded"):
        ItemInFile(tmp_path / "a.predictions.npy").read()
    zarr = pytest.importorskip("zarr")
    import pickle

    for place in ("filters", "compressor"):
        folder = tmp_path / f"{place}.zarr"
        fill_zarr(
            zarr.open_group(folder, mode="w", zarr_format=2), {"predictions": np.eye(2), "weak": np.eye(2)}
        )
        metadata = folder / "predictions" / ".zarray"
        codec = {"id": "pickle", "protocol": 5}
        for dtype in ("<f8", "|O"):
            told = json.loads(metadata.read_text()) | {"compressor": None, "filters": None, "dtype": dtype}
            metadata.write_text(json.dumps(told | {place: [codec] if place == "filters" else codec}))
            (folder / "predictions" / "0.0").write_bytes(pickle.dumps(Trap()))
            with pytest.raises(ItemError):
                ItemInFile(folder).read()


def test_bfloat16_is_widened(tmp_path):
    pytest.importorskip("safetensors")
    values = np.array([[0.5, 1.0], [0.25, 0.0]], np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = json.dumps(
        {
            "predictions": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]},
            "weak": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8, 16]},
        }
    ).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + 2 * halves)
    np.testing.assert_array_equal(ItemInFile(path).read().predictions, values)


@pytest.mark.parametrize(
    "name", ["a.h5", "a.safetensors", "a.zarr.zip", "a.predictions.npy", "a.npz", "a.zarr"]
)
def test_files_of_other_content_are_refused(tmp_path, name):
    path = tmp_path / name
    for content in (b"", b"plain text" * 100, bytes(3000)):
        path.write_bytes(content)
        with pytest.raises(ItemError):
            ItemInFile(path).read()
    path.unlink()
    with pytest.raises((FileNotFoundError, ItemError)):
        ItemInFile(path).read()
    path.mkdir()
    with pytest.raises(ItemError):
        ItemInFile(path).read()


def test_a_missing_library_says_how_to_get_it(tmp_path, monkeypatch):
    import builtins
    import sys

    imported = builtins.__import__

    def refusing(name, *args, **kwargs):
        if name.partition(".")[0] in ("h5py", "zarr", "safetensors", "mido"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *args, **kwargs)

    for module in ("hdf5", "zarr_groups", "safetensors_file"):
        monkeypatch.delitem(sys.modules, f"warplens.io.arrays.{module}", raising=False)
    monkeypatch.setattr(builtins, "__import__", refusing)
    for name, library in (("a.h5", "h5py"), ("a.zarr.zip", "zarr"), ("a.safetensors", "safetensors")):
        (tmp_path / name).touch()
        with pytest.raises(ItemError, match=rf"{name} needs '{library}', which is not .*warplens\[io\]"):
            ItemInFile(tmp_path / name).read()


def damaged(content, every):
    for at in range(0, len(content), every):
        yield content[:at]
        yield content[:at] + bytes([content[at] ^ 0x5A]) + content[at + 1 :]


@pytest.mark.parametrize("name", ["npz", "npy", "safetensors", "zarr-zip"])
def test_damage_is_an_error_of_the_item_or_does_no_harm(tmp_path, name):
    library, writer = WRITERS[name]
    if library:
        pytest.importorskip(library)
    small = sample_item(0, n_targets=2, n_features=2)
    path = writer(tmp_path, known(vars(small)))
    sound = path.read_bytes()
    for content in damaged(sound, max(1, len(sound) // 150)):
        path.unlink()  # written over, it could pass for the one before within a tick of the clock
        path.write_bytes(content)
        try:
            groups_of(path)
            item = ItemInFile(path).read(size_limit=1 << 20)
        except (ItemError, OSError):
            continue
        assert item.predictions.size * item.weak.size


def read_damaged_hdf5(folder):
    path = next(folder.glob("*.h5"))
    sound = path.read_bytes()
    for content in damaged(sound, max(1, len(sound) // 150)):
        path.unlink()  # written over, it could pass for the one before within a tick of the clock
        path.write_bytes(content)
        try:
            groups_of(path)
            item = ItemInFile(path).read(size_limit=1 << 20)
        except (ItemError, OSError):
            continue
        assert item.predictions.size * item.weak.size
    os._exit(0)


def test_damage_of_hdf5_files_is_an_error_of_the_item(tmp_path):
    pytest.importorskip("h5py")
    # In a process of its own: should the library crash on a damaged file, the test tells of it.
    # Without a string: the library can loop for ever over a damaged heap of strings.
    values = known(vars(sample_item(0, n_targets=2, n_features=2, cost=None)))
    WRITERS["hdf5"][1](tmp_path, values)
    child = multiprocessing.get_context("spawn").Process(target=read_damaged_hdf5, args=(tmp_path,))
    child.start()
    child.join()
    assert child.exitcode == 0
