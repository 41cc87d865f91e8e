"""Files that are written whole or not at all, beside files of others."""

import pytest

from warplens.io.replacing import remove_leftovers, replacing


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as file:
        file.write(b"first")

    def fail_while_writing():
        with replacing(path) as file:
            file.write(b"second")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_while_writing()
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_go_and_files_of_others_stay(tmp_path):
    deep = tmp_path / "deep"
    deep.mkdir()
    leftover = deep / ".0123456789abcdef.part"
    others = [deep / ".movie.mkv.part", deep / "0123456789abcdef.part", deep / ".0123456789abcdeX.part"]
    for path in (leftover, *others):
        path.write_bytes(b"")
    with replacing(deep / "being written") as file:
        remove_leftovers(tmp_path)
        file.write(b"all of it")
    assert not leftover.exists()
    assert all(path.exists() for path in others)
    assert (deep / "being written").read_bytes() == b"all of it"
