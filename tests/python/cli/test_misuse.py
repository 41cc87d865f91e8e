"""Mistakes that a command can tell of: keys, thresholds, recordings, addresses, cells, missing extras."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from corpus.sample_items import sample_item, save_item

from warplens.cli.commands import warplens
from warplens.corpus import Settings
from warplens.io import ItemError, ItemInFile, read_manifest


def run(*words):
    return CliRunner().invoke(warplens, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path):
    save_item(tmp_path / "in" / "a.npz", sample_item())
    return tmp_path / "in"


@pytest.mark.parametrize("key", ["predictions", "weak"])
def test_a_key_that_is_misspelt_is_among_those_found(tmp_path, key):
    values = {"predictions": np.eye(4), "weak": np.eye(4), "strong": np.eye(4)}
    values[key[:-1]] = values.pop(key)
    np.savez(tmp_path / "a.npz", **values)
    with pytest.raises(ItemError, match=rf"missing array '{key}' \(keys found: [^)]*\b{key[:-1]}\b.*needed"):
        ItemInFile(tmp_path / "a.npz").read()


@pytest.mark.parametrize("threshold", ["1.5", "-1", "-0.01", "nan"])
@pytest.mark.parametrize("command", ["analyze", "sweep"])
def test_thresholds_are_from_0_to_1(folder, tmp_path, command, threshold):
    result = run(command, folder, "-o", tmp_path / "out", "--threshold", threshold)
    assert result.exit_code == 2
    assert f"threshold: {threshold}, it must be" in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_ends_are_thresholds_too():
    assert (Settings(threshold=0.0).threshold, Settings(threshold=1).threshold) == (0, 1)


@pytest.mark.parametrize("address", ["foo", "foo://x:1", "tcp://foo", "", "tcp://x:99999"])
def test_what_is_no_address_of_a_scheduler_gets_a_sentence_alone(folder, tmp_path, address):
    pytest.importorskip("distributed")
    words = ["analyze", folder, "-o", tmp_path / "out", "--scheduler", address]
    code = "from warplens.cli.commands import warplens; warplens()"
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "cannot be reached: it is no address, such as tcp://" in result.stderr
    assert "Traceback" not in result.stderr


def test_recordings_that_are_missing_or_of_another_length_are_told(folder, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    item = sample_item()
    seconds = len(item.predictions) / item.fps
    save_item(folder / "b.npz", sample_item())
    save_item(folder / "c.npz", sample_item())
    (tmp_path / "sounds").mkdir()
    for name, length in (("a", seconds), ("b", seconds + 3)):
        soundfile.write(tmp_path / "sounds" / f"{name}.wav", np.zeros(int(8000 * length)), 8000)
    words = ["analyze", folder, "-o", tmp_path / "out", "--gamma", "1", "--sonify"]
    for _ in range(2):  # the second finds them done
        result = run(*words, "--recordings", tmp_path / "sounds")
        assert result.exit_code == 0, result.output
        warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning")]
        assert [line[:11] for line in warnings] == ["Warning: b:", "Warning: c:"]
        assert f"its recording lasts {seconds + 3:.1f} s, its predictions {seconds:.1f} s" in warnings[0]
        assert "no recording: " in warnings[1]


def test_surplus_cells_of_a_manifest_count_only_where_they_hold_something(folder):
    (folder / "m.csv").write_text("predictions,fps\na.npz,7,,\n\na.npz,8, \na.npz,9,x\n")
    rows = read_manifest(folder / "m.csv")
    assert [row.row for row in rows] == [1, 2, 3]
    assert [row.read().fps for row in rows[:2]] == [7, 8]
    with pytest.raises(ItemError, match="its row has more cells than columns"):
        rows[2].read()
    (folder / "m.csv").write_text('predictions,id\na.npz,"1\na.npz,2\n')
    result = run("analyze", folder / "m.csv", "-o", folder.parent / "out")
    assert (result.exit_code, "not a table of comma-separated values" in result.stderr) == (2, True)


def test_callbacks_without_their_extra_say_how_to_get_it():
    code = "import sys; sys.modules['lightning'] = None; import warplens.training.lightning"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs 'lightning', which is not installed: pip install warplens[lightning]" in " ".join(
        result.stderr.split()
    ).replace("lightning.pytorch", "lightning")
