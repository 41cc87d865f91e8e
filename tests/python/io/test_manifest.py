"""What the cells of a manifest point to, in CSV and parquet."""

import csv

import numpy as np
import pytest
from corpus.sample_items import sample_item, save_item
from io_formats import fill_hdf5, known

from warplens.io import ItemError, read_manifest

ITEM = sample_item(5)
COLUMNS = ("id", "predictions", "weak", "strong", "cost", "fps", "lowest_pitch")


@pytest.fixture(params=["csv", "parquet"])
def rows_of(request, tmp_path):
    """Writes a manifest with the given rows and reads it back."""
    if request.param == "csv":

        def write(*rows):
            with (tmp_path / "m.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, ("comment", *COLUMNS))
                writer.writeheader()
                writer.writerows({"comment": "a, b\nc", **row} for row in rows)
            return read_manifest(tmp_path / "m.csv")
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

        def write(*rows):
            columns = sorted({column for row in rows for column in row} | {"comment"})
            pq.write_table(
                pa.table({column: [row.get(column) for row in rows] for column in columns}),
                tmp_path / "m.parquet",
            )
            return read_manifest(tmp_path / "m.parquet")

    return write


def assert_item(item, expected=ITEM):
    for name in ("predictions", "weak", "strong"):
        np.testing.assert_array_equal(getattr(item, name), getattr(expected, name))


def test_empty_cells_are_taken_from_the_file_of_the_predictions(tmp_path, rows_of):
    save_item(tmp_path / "sub" / "a.npz", ITEM)
    bare, told, absolute = rows_of(
        {"predictions": "sub/a.npz"},
        {"predictions": "sub/a.npz", "cost": "mse", "fps": 20.5, "lowest_pitch": 36},
        {"predictions": str(tmp_path / "sub" / "a.npz"), "id": "x"},
    )
    assert_item(bare.read())
    assert (bare.read().cost, bare.read().fps, bare.read().lowest_pitch) == ("bce", 10.0, 60)
    assert (told.read().cost, told.read().fps, told.read().lowest_pitch) == ("mse", 20.5, 36)
    assert told.read(fps=7.0).fps == 7.0
    assert_item(absolute.read())
    assert [row.name() for row in (bare, told, absolute)] == ["sub/a", "sub/a", "x"]


def test_cells_may_name_files_of_any_format_and_keys_in_them(tmp_path, rows_of):
    h5py = pytest.importorskip("h5py")
    np.savez(tmp_path / "p.npz", posteriors=ITEM.predictions, weak=np.eye(3), strong=np.eye(3))
    np.save(tmp_path / "any.npy", ITEM.weak)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        fill_hdf5(file.create_group("songs/one"), known(vars(ITEM)))
        file["songs/one/other"] = ITEM.predictions * 0.5
    split, by_group, by_name, by_other = rows_of(
        {"predictions": "p.npz:posteriors", "weak": "any.npy", "strong": "c.h5:songs/one/strong"},
        {"predictions": "c.h5:songs/one"},
        {"predictions": "c.h5:/songs/one/predictions"},
        {"predictions": "c.h5:songs/one/other"},
    )
    for row in (split, by_group, by_name):
        assert_item(row.read())
    np.testing.assert_array_equal(by_other.read().predictions, ITEM.predictions * np.float32(0.5))
    np.testing.assert_array_equal(by_other.read().weak, ITEM.weak)
    assert by_group.read().fps == 10.0


def test_a_name_with_colons_is_a_file_if_there_is_one(tmp_path, rows_of):
    save_item(tmp_path / "C:take:1.npz", ITEM)
    np.savez(tmp_path / "C:take", predictions=ITEM.predictions, weak=ITEM.weak)
    (tmp_path / "C:take.npz").rename(tmp_path / "a:b.npz")
    whole, keyed = rows_of({"predictions": "C:take:1.npz"}, {"predictions": "a:b.npz:predictions"})
    assert_item(whole.read())
    np.testing.assert_array_equal(keyed.read().weak, ITEM.weak)
    assert [whole.name(), keyed.name()] == ["C:take:1", "a:b"]


def test_targets_from_lists_of_notes(tmp_path, rows_of):
    np.save(tmp_path / "a.npy", np.full((8, 3), 0.5))
    (tmp_path / "notes.csv").write_text("start;end;pitch;pitchclass;instrument\n0;0.5;60;0;p\n0.5;1;62;2;p\n")
    row = {"predictions": "a.npy", "weak": "notes.csv", "strong": "notes.csv", "id": "a", "cost": "bce"}
    full, no_fps = rows_of({**row, "fps": 4, "lowest_pitch": 60}, {**row, "lowest_pitch": 60})
    item = full.read()
    assert item.strong.argmax(axis=1).tolist()[:4] == [0, 0, 2, 2]
    assert item.weak.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    with pytest.raises(ItemError, match="needs 'fps': give it in the manifest"):
        no_fps.read()
    np.testing.assert_array_equal(no_fps.read(fps=4.0).strong, item.strong)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"weak": "none.npz"}, "'weak' is 'none.npz': there is no file .*none.npz"),
        ({"weak": "a.npz:nothing"}, r"a\.npz has no array 'nothing' \(keys found: cost, fps, .*weak\)"),
        ({"weak": "notes.csv:x"}, "'weak' is 'notes.csv:x': a list of notes has no keys"),
        ({"strong": "sound.wav"}, "'strong' is 'sound.wav': neither a file of arrays nor a list of notes"),
        ({"fps": "fast"}, "'fps' is 'fast' in the manifest, it must be a number"),
        ({"lowest_pitch": "60.5"}, "'lowest_pitch' is 60.5"),
        ({"predictions": "a.npz:sub/x"}, r"a\.npz has no array 'sub/x' \(keys found: none\)"),
        ({"predictions": "x" * 5000}, "there is no file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, rows_of, cells, reason):
    save_item(tmp_path / "a.npz", ITEM)
    (tmp_path / "sound.wav").touch()
    (tmp_path / "notes.csv").touch()
    (row,) = rows_of({"predictions": "a.npz", **cells})
    with pytest.raises(ItemError, match=reason):
        row.read()


def test_the_size_limit_is_that_of_all_files_of_an_item(tmp_path, rows_of):
    np.savez(tmp_path / "p.npz", predictions=ITEM.predictions)
    np.save(tmp_path / "w.npy", ITEM.weak)
    (row,) = rows_of({"predictions": "p.npz", "weak": "w.npy"})
    assert row.read(size_limit=ITEM.predictions.nbytes + ITEM.weak.nbytes + 256).strong is None
    with pytest.raises(ItemError, match="'weak' declares"):
        row.read(size_limit=ITEM.predictions.nbytes + 128)


def test_tables_of_data_frames_hold_nan_and_numbers(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    save_item(tmp_path / "a.npz", ITEM)
    table = {
        "predictions": ["a.npz"] * 2,
        "lowest_pitch": [36.0, float("nan")],
        "id": [7, 8],
        "weak": [None] * 2,
    }
    pq.write_table(pa.table(table), tmp_path / "m.parquet")
    told, untold = read_manifest(tmp_path / "m.parquet")
    assert (told.name(), told.read().lowest_pitch) == ("7", 36)
    assert untold.read().lowest_pitch == 60
