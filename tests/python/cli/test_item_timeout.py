"""`--item-timeout`: an item whose file never comes fails, and the others are done."""

import math
import os
import shutil
import time

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from click.testing import CliRunner
from corpus.sample_items import sample_item, save_corpus

from warplens.cli.commands import warplens


def run(*words):
    return CliRunner().invoke(warplens, [str(word) for word in words], prog_name="warplens")


@pytest.fixture
def folder(tmp_path):
    """Two sound items and one whose values are behind a pipe that nobody writes to."""
    zarr = pytest.importorskip("zarr")
    folder = save_corpus(tmp_path / "in", 2)
    item = sample_item()
    group = zarr.open_group(folder / "mute.zarr", mode="w", zarr_format=2)
    for name in ("predictions", "weak"):
        values = getattr(item, name)
        group.create_array(name, shape=values.shape, dtype=values.dtype)[:] = values
    chunks = folder / "mute.zarr" / "predictions"
    for chunk in [path for path in chunks.iterdir() if not path.name.startswith(".")]:
        shutil.rmtree(chunk) if chunk.is_dir() else chunk.unlink()
        os.mkfifo(chunk)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", ["analyze", "sweep"])
def test_an_item_that_never_comes_fails_and_the_others_are_done(tmp_path, folder, command):
    # On a busy machine sound items take longer, and so may the other.
    begun = time.monotonic()
    sound = save_corpus(tmp_path / "sound", 2)
    assert run(command, sound, "-o", tmp_path / "before", "--item-timeout", "600").exit_code == 0
    limit = max(3, math.ceil(4 * (time.monotonic() - begun)))
    out = tmp_path / "out"
    result = run(command, folder, "-o", out, "--item-timeout", str(limit), "--cost", "bce")
    assert result.exit_code == 1
    assert f"1 of 3 items failed:\n  mute: not done within {limit} s (--item-timeout)\n" in result.stderr
    assert "1/3 a: done\n2/3 deep/er/b: done\n" in result.stderr
    assert "\nmute,," in (out / ("items.csv" if command == "analyze" else "sweep.csv")).read_text()
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--item-timeout", "0"], "item_timeout: 0, it must be a positive number of seconds"),
        (["--item-timeout", "nan"], "item_timeout: nan, it must be a positive number of seconds"),
        (["--item-timeout", "9", "--scheduler", "tcp://127.0.0.1:1"], "item_timeout: not with a scheduler"),
    ],
)
@pytest.mark.parametrize("command", ["analyze", "sweep"])
def test_misuse_gets_a_sentence_and_status_2(tmp_path, command, words, message):
    result = run(command, save_corpus(tmp_path / "in"), "-o", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
