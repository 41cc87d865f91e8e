"""Small archives in one piece: what zipfile writes is read, and it reads what is written."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warplens.io import ItemError, open_npz
from warplens.io.arrays.stored_zip import stored_archive, stored_members

names = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=20
)
archives = st.dictionaries(names, st.lists(st.binary(max_size=200), max_size=3), max_size=6)


def zipped(members, compression=zipfile.ZIP_STORED, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = comment
    return buffer.getvalue()


@given(archives)
def test_what_is_written_is_read_by_zipfile_and_here(members):
    data = stored_archive(members)
    expected = {name: b"".join(parts) for name, parts in members.items()}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == expected
    assert {name: bytes(content) for name, content in stored_members(data).items()} == expected


@given(archives)
def test_what_zipfile_writes_is_read(members):
    expected = {name: b"".join(parts) for name, parts in members.items()}
    read = stored_members(zipped(expected.items()))
    assert {name: bytes(content) for name, content in read.items()} == expected


def test_what_is_unusual_is_left_to_zipfile():
    many = [(f"{i}", b"") for i in range(0xFFFF)]
    for data in (
        zipped([("a", b"text" * 9)], zipfile.ZIP_DEFLATED),
        zipped([("a", b"text")], comment=b"comment"),
        zipped([("\u00e4", b"text")]),
        zipped(many),
        b"before" + zipped([("a", b"text")]),
        zipped([("a", b"text")]) + b"after",
        b"",
        b"PK",
    ):
        assert stored_members(data) is None
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped([("a", b"one"), ("a", b"two")])
    assert stored_members(twice) is None


def test_no_damage_passes():
    x = np.arange(6.0).reshape(2, 3)
    buffer = io.BytesIO()
    np.savez(buffer, a=x, b=np.float32(3))
    sound = buffer.getvalue()
    for at in range(len(sound)):
        for cut in (sound[:at], sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :]):
            members = stored_members(cut)
            # Times and attributes mean nothing here.
            assert members is None or {"a.npy", "b.npy"} == set(members)
            if members is not None:
                np.testing.assert_array_equal(np.load(io.BytesIO(members["a.npy"])), x)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_whichever_way_they_are_read(tmp_path, monkeypatch, save):
    arrays = {
        "floats": np.arange(12, dtype=np.float32).reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "big": np.arange(3, dtype=">f8"),
        "scalar": np.float64(3),
        "text": np.array("b\u00e9"),
        "none": np.zeros((0, 4)),
        "flags": np.array([True, False]),
    }
    save(tmp_path / "a.npz", **arrays)
    archives_read = []
    for limit in (1 << 24, 0):
        monkeypatch.setattr("warplens.io.arrays.npz.MOST_BYTES", limit)
        with open_npz(tmp_path / "a.npz") as archive:
            archives_read.append(dict(archive))
    for name, expected in arrays.items():
        for each in archives_read:
            np.testing.assert_array_equal(each[name], expected)
            assert each[name].dtype == np.asarray(expected).dtype
            assert each[name].flags.aligned
            assert each[name].size == 0 or not each[name].flags.writeable


def test_an_archive_that_declares_what_it_has_not_is_damaged(tmp_path):
    data = bytearray(stored_archive({"a.npy": [b"0123456789"]}))
    at = data.index(b"PK\x01\x02") + 20
    data[at : at + 8] = (1 << 20).to_bytes(4, "little") * 2
    (tmp_path / "a.npz").write_bytes(data)
    assert stored_members(bytes(data)) is None
    with pytest.raises(ItemError, match="damaged npz file"), open_npz(tmp_path / "a.npz") as archive:
        archive["a"]
