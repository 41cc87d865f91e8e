"""Which files become items, and under which names."""

import os
import pickle

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from warplens.corpus import InputError, collect
from warplens.corpus.inputs.source import check_id
from warplens.corpus.results.item_file import item_path
from warplens.io import ItemError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def ids(*inputs, out):
    sources, ignored, *_ = collect(inputs, exclude=out)
    return [source.id for source in sources], ignored


def test_ids_are_paths_without_extension_sorted(tmp_path):
    folder = touch(tmp_path / "in", "b.npz", "sub/c.npz", "a.take.npz", "sub/deep/a.NPZ")
    assert ids(folder, out=tmp_path / "out") == (["a.take", "b", "sub/c", "sub/deep/a"], 0)


def test_other_and_hidden_files_are_ignored_and_counted(tmp_path):
    folder = touch(tmp_path / "in", "a.npz", "notes.txt", "sub/b.wav", "._a.npz", ".c.npz")
    assert ids(folder, out=tmp_path / "out") == (["a"], 4)


def test_files_and_folders_can_be_mixed_and_given_twice(tmp_path):
    folder = touch(tmp_path / "in", "a.npz", "b.npz")
    single = touch(tmp_path, "z.npz") / "z.npz"
    assert ids(folder, single, folder / "a.npz", out=tmp_path / "out") == (["a", "b", "z"], 0)


def test_results_within_the_input_are_not_taken_for_items(tmp_path):
    touch(tmp_path, "a.npz", "out/items/a.npz", "out/items.csv")
    assert ids(tmp_path, out=tmp_path / "out") == (["a"], 0)
    with pytest.raises(InputError, match="results cannot go into the input folder itself"):
        collect([tmp_path], exclude=tmp_path)


def test_a_link_to_a_folder_above_does_not_go_round_in_circles(tmp_path):
    touch(tmp_path / "in", "a.npz")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in", target_is_directory=True)
    assert ids(tmp_path / "in", out=tmp_path / "out")[0] == ["a"]


def test_what_cannot_be_used_is_named(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        collect([tmp_path / "nowhere"], exclude=out)
    with pytest.raises(InputError, match=r"a.txt: not a file with items \(npz, .*\) and not a manifest"):
        collect([touch(tmp_path, "a.txt") / "a.txt"], exclude=out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no item in .*empty; read are npz"):
        collect([tmp_path / "empty"], exclude=out)
    with pytest.raises(InputError, match=r"no item in .*text \(2 other files\)"):
        collect([touch(tmp_path / "text", "a.txt", "b.txt")], exclude=out)


def test_the_second_of_two_items_of_one_name_is_refused_alone(tmp_path):
    first, second = touch(tmp_path / "one", "a.npz"), touch(tmp_path / "two", "a.npz")
    sources = collect([first, second], exclude=tmp_path / "out").sources
    assert [source.id for source in sources] == ["a", "a.npz"]
    with pytest.raises(
        ItemError, match=r"two items would be called 'a': .*one.*two.*a folder that holds both"
    ):
        sources[1].read()


def test_an_item_called_all_is_refused_alone_but_not_in_a_folder_of_its_own(tmp_path):
    folder = touch(tmp_path / "in", "all.npz", "b.npz")
    refused, _ = collect([folder], exclude=tmp_path / "out").sources
    assert refused.id == "all.npz"
    with pytest.raises(ItemError, match="an item cannot be called 'all'"):
        refused.read()
    assert ids(touch(tmp_path / "in2", "sub/all.npz"), out=tmp_path / "out")[0] == ["sub/all"]


def test_an_item_in_the_way_of_another_s_file_is_refused_alone(tmp_path):
    names = ("a.npz", "b/a.npz", "sub/c.npz", "c.npz", "b/a.json/deep/d.npz", "e.png/f.npz")
    folder = touch(tmp_path / "in", *names[1:])
    (folder / "a.npz").mkdir()
    touch(folder / "a.npz", "b.npz")
    touch(tmp_path / "in", "a.safetensors")
    sources = {source.id: source for source in collect([folder], exclude=tmp_path / "out").sources}
    assert set(sources) == {"a", "a.npz/b", "b/a", "b/a.json/deep/d", "c", "sub/c", "e.png/f"}
    for refused, reason in (("a.npz/b", "beside 'a'.*, a.npz;"), ("b/a.json/deep/d", "beside 'b/a'")):
        with pytest.raises(ItemError, match=reason):
            sources[refused].read()


def test_a_file_name_that_is_no_id_is_refused_alone(tmp_path):
    folder = touch(tmp_path / "in", "a.npz", "b\\c.npz")
    _, refused = collect([folder], exclude=tmp_path / "out").sources
    assert (refused.id, refused.location) == ("b_c.npz", str(folder / "b\\c.npz"))
    with pytest.raises(ItemError, match="cannot be an id"):
        refused.read()


def test_sets_of_npy_files_are_one_item_and_none_of_them_is_ignored(tmp_path):
    folder = touch(
        tmp_path / "in", "a.predictions.npy", "a.weak.npy", "a.strong.npy", "a.fps.npy", "b.weak.npy", "c.npy"
    )
    assert ids(folder, out=tmp_path / "out") == (["a"], 2)


def test_the_second_of_two_formats_of_one_name_is_refused_alone(tmp_path):
    folder = touch(tmp_path / "in", "a.npz", "a.safetensors", "b.npz")
    sources = collect([folder], exclude=tmp_path / "out").sources
    assert [source.id for source in sources] == ["a", "a.safetensors", "b"]
    with pytest.raises(ItemError, match=r"two items would be called 'a': .*rename one"):
        sources[1].read()


def test_what_is_no_regular_file_is_never_waited_for(tmp_path):
    folder = touch(tmp_path / "in", "a.npz")
    for name in ("pipe.npz", "pipe.h5", "pipe.predictions.npy", "pipe.zarr.zip"):
        os.mkfifo(folder / name.replace("pipe", name.replace(".", "-")))
    (folder / "loop.npz").symlink_to("loop.npz")
    (folder / "gone.npz").symlink_to("nowhere.npz")
    sources = collect([folder], exclude=tmp_path / "out").sources
    assert len(sources) == 7
    for source in sources[1:]:
        with pytest.raises((ItemError, OSError)):
            source.read()


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.parquet"])
def test_a_manifest_that_is_no_regular_file_is_never_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=r"pipe.*: not a regular file"):
        collect([tmp_path / name], exclude=tmp_path / "out")


def test_a_folder_that_cannot_be_read_fails_alone_and_the_others_are_searched(tmp_path, monkeypatch):
    folder = touch(tmp_path / "in", "a.npz", "closed/b.npz")
    scandir = os.scandir

    def refusing(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    sources = collect([folder], exclude=tmp_path / "out").sources
    assert [source.id for source in sources] == ["a", "closed (folder)"]
    with pytest.raises(ItemError, match="folder cannot be read: Permission denied"):
        sources[1].read()


def manifest(folder, text, name="corpus.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_ids_of_manifests_are_given_or_paths_of_predictions(tmp_path):
    touch(tmp_path / "in", "x/a.npz", "c.h5", "d:e.npz")
    path = manifest(
        tmp_path / "in",
        "note,id,predictions\n,one,x/a.npz\n,,x/a.npz\n,,x/a.npz:posteriors\n,,c.h5:songs/1/predictions\n"
        ",,c.h5:songs/2\n,,d:e.npz\n,,not/there.predictions.npy\n",
    )
    assert ids(path, out=tmp_path / "out") == (
        ["c/songs/1", "c/songs/2", "d:e", "not/there", "one", "x/a", "x/a/posteriors"],
        0,
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("../../up,a.npz", "'../../up' cannot be an id"),
        ("/etc/passwd,a.npz", "'/etc/passwd' cannot be an id"),
        ("all,a.npz", "an item cannot be called 'all'"),
        ("good,a.npz", r"'good' is the id of another item \(.*corpus.csv, row 1\)"),
        (",../a.npz", r"'../a' cannot be an id"),
        (",", "'' cannot be an id"),
        ("x,", "'predictions' is empty"),
        ("x,none.npz", r"'predictions' is 'none.npz': there is no file .*none.npz"),
        ("x,a.npz,surplus", "more cells than columns"),
        ("x,corpus.csv", "corpus.csv is of no known format"),
        ('x,"a\0.npz"', "there is no file"),
    ],
)
def test_a_bad_row_costs_itself_only(tmp_path, row, reason):
    folder = tmp_path / "in"
    path = manifest(folder, f"id,predictions\ngood,a.npz\n{row}\n")
    np.savez(folder / "a.npz", predictions=np.full((4, 2), 0.5), weak=np.eye(2))
    sources = collect([path], exclude=tmp_path / "out").sources
    assert len(sources) == 2
    good, bad = sorted(sources, key=lambda source: source.id != "good")
    assert good.read().predictions.shape == (4, 2)
    assert bad.location == f"{path}, row 2"
    assert item_path(tmp_path / "out", bad.id).is_relative_to(tmp_path / "out" / "items")
    with pytest.raises(ItemError, match=reason):
        bad.read()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,weak\na,b.npz\n", "no column 'predictions' \\(columns: id, weak;"),
        ("", "no column 'predictions' \\(columns: none;"),
        ("predictions,weak,weak\n", "two columns are called 'weak'"),
        ("predictions\n", "no item in"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path, text, reason):
    with pytest.raises(InputError, match=reason):
        collect([manifest(tmp_path, text)], exclude=tmp_path / "out")


def test_damaged_manifests_are_refused(tmp_path):
    for name, content in (("a.csv", b"predictions\n\xff\xfe"), ("b.csv", b"predictions\n" + b"x" * 200_000)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="not a table of comma-separated values in UTF-8"):
            collect([tmp_path / name], exclude=tmp_path / "out")
    pytest.importorskip("pyarrow")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(InputError, match="damaged parquet file"):
        collect([tmp_path / "c.parquet"], exclude=tmp_path / "out")


def test_sources_cross_to_other_processes_by_value(tmp_path):
    touch(tmp_path / "in", "a.npz")
    path = manifest(tmp_path / "in", "id,predictions,fps\nm,a.npz,20\n..,a.npz,\n")
    sources = collect([tmp_path / "in", path], exclude=tmp_path / "out").sources
    assert len(sources) == 3
    assert pickle.loads(pickle.dumps(sources)) == sources
    assert len(set(sources)) == 3


@pytest.mark.parametrize(
    "bad", ["", "..", "../a", "a/../../b", "/etc/a", "a//b", "a/./b", "a\\..\\b", "a\0b", "all"]
)
def test_no_id_leads_out_of_the_folder(tmp_path, bad):
    with pytest.raises(InputError):
        check_id(bad)
    with pytest.raises(InputError):
        item_path(tmp_path, bad)


def test_item_files_lie_under_their_ids(tmp_path):
    assert item_path(tmp_path, "sub/a.take") == tmp_path / "items" / "sub" / "a.take.npz"
