"""Which files become items, and under which names."""

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from warplens.corpus import InputError, collect
from warplens.corpus.item_file import item_path
from warplens.corpus.sources import check_id


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def ids(*inputs, out):
    sources, ignored = collect(inputs, exclude=out)
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
    with pytest.raises(InputError, match=r"a.txt: not an npz file"):
        collect([touch(tmp_path, "a.txt") / "a.txt"], exclude=out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no npz file in .*empty$"):
        collect([tmp_path / "empty"], exclude=out)
    with pytest.raises(InputError, match=r"no npz file in .*text \(2 other files\)"):
        collect([touch(tmp_path / "text", "a.txt", "b.txt")], exclude=out)


def test_two_items_of_one_name_are_refused(tmp_path):
    first, second = touch(tmp_path / "one", "a.npz"), touch(tmp_path / "two", "a.npz")
    with pytest.raises(
        InputError, match=r"two items would be called 'a': .*one.*two.*a folder that holds both"
    ):
        collect([first, second], exclude=tmp_path / "out")


def test_an_item_called_all_is_refused_but_not_in_a_folder_of_its_own(tmp_path):
    folder = touch(tmp_path / "in", "all.npz")
    with pytest.raises(InputError, match="an item cannot be called 'all'"):
        collect([folder], exclude=tmp_path / "out")
    assert ids(touch(tmp_path / "in2", "sub/all.npz"), out=tmp_path / "out")[0] == ["sub/all"]


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
