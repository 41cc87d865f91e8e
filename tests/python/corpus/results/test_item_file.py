"""Item files: everything comes back, the same bytes each time, and never half of them."""

import io
import zipfile

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item

from warplens.analysis import analyze_item
from warplens.analysis.metrics import MEASURES
from warplens.corpus import Settings, read_analysis
from warplens.corpus.results.item_file import load_analysis, save_analysis
from warplens.io import ItemError
from warplens.io.replacing import replacing


@pytest.fixture
def analysis():
    item = sample_item()
    return analyze_item(
        item, gammas=(0.1, 10.0), cost="bce", step_weights=(0.1, 1.0, 1.0), keep_alignment=True
    )


def assert_same(one, other):
    for name, value in vars(one).items():
        again = getattr(other, name)
        if hasattr(value, "__dataclass_fields__"):
            assert_same(value, again)
        elif isinstance(value, dict):
            assert value.keys() == again.keys()
            for key in value:
                np.testing.assert_array_equal(value[key], again[key])
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, again)
            assert value.dtype == again.dtype
        else:
            assert value == again, name


def test_an_analysis_comes_back_whole(tmp_path, analysis):
    path = tmp_path / "deep" / "er" / "a.npz"
    save_analysis(path, analysis, "key")
    assert_same(read_analysis(path), analysis)
    with np.load(path, allow_pickle=False) as archive:
        assert {"value", "h", "y_mod", "H"} <= set(archive.files)
        assert set(archive["measures"].dtype.names) == set(MEASURES)


def test_only_the_right_key_loads(tmp_path, analysis):
    path = tmp_path / "a.npz"
    assert load_analysis(path, "key") is None
    save_analysis(path, analysis, "key")
    assert load_analysis(path, "other") is None
    assert_same(load_analysis(path, "key"), analysis)


def test_a_damaged_file_counts_as_none(tmp_path, analysis):
    path = tmp_path / "a.npz"
    save_analysis(path, analysis, "key")
    sound = path.read_bytes()
    for damaged in (b"", sound[:100], sound[: len(sound) // 2], b"text" + sound[4:]):
        path.write_bytes(damaged)
        assert load_analysis(path, "key") is None
    for about in ("not json", "3", [0, 1, 2]):  # sound files of others
        np.savez(path, about=np.array(about))
        assert load_analysis(path, "key") is None
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", "text")
    with pytest.raises(ItemError, match="not the results of an item"):
        read_analysis(path)


def test_files_are_the_same_bytes_and_hold_no_times(tmp_path, analysis):
    for name in ("a.npz", "b.npz"):
        save_analysis(tmp_path / name, analysis, "key")
    content = (tmp_path / "a.npz").read_bytes()
    assert content == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_file_is_replaced_whole_or_left_alone(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def break_off():
        with replacing(path) as file:
            file.write(b"half of the ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        break_off()
    assert [each.name for each in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_key_changes_with_all_that_results_depend_on_and_with_nothing_else():
    item = sample_item()
    settings = Settings()
    others = [
        (settings, sample_item(1)),
        (settings, sample_item(strong=None)),
        (settings, sample_item(cost="mse")),
        (settings, sample_item(step_weights=(0.1, 1.0, 1.0))),
        (Settings(gammas=(0.1, 1.0)), item),
        (Settings(cost="mse"), item),
        (Settings(threshold=0.4), item),
        (Settings(step_weights=(0.1, 1.0, 1.0)), item),
        (Settings(keep_alignment=True), item),
        (settings, sample_item(fps=3.0)),
        (settings, sample_item(lowest_pitch=None)),
    ]
    keys = {key.key_of(each) for key, each in others}
    # An override is the same as an item that says so itself: two pairs of the list above agree.
    assert len(keys) == len(others) - 2
    assert settings.key_of(item) not in keys
    same = [
        (Settings(gammas=(10, 1, 0.1, 1)), item),
        (Settings(cost="bce"), item),
    ]
    assert {key.key_of(each) for key, each in same} == {settings.key_of(item)}
    # The file holds both, whether or not a strong target makes measures of them.
    unjudged = [{"fps": 3.0}, {"fps": None}, {"lowest_pitch": None}]
    assert len({settings.key_of(sample_item(strong=None, **known)) for known in unjudged}) == 3


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"gammas": ()}, "gammas: empty"),
        ({"gammas": (1.0, -1.0)}, "gamma: is -1.0"),
        ({"gammas": (float("nan"),)}, "gamma: is nan"),
        ({"cost": "bcd"}, "cost: unknown cost 'bcd'"),
        ({"cost": "euclidean"}, "euclidean is not affine"),
        ({"step_weights": (1.0, -1.0, 1.0)}, "step_weights: vertical is -1.0"),
        ({"threshold": float("nan")}, "threshold: nan, it must be a finite number"),
        ({"fps": 0.0}, "fps: 0, it must be a positive number"),
    ],
)
def test_settings_are_checked_before_any_item(told, message):
    with pytest.raises(ValueError, match=message):
        Settings(**told)
