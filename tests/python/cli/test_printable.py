"""Names that hold what a terminal obeys or cannot show: printed as escapes, wherever ids are printed."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_corpus, save_item

from warplens.cli.output import printable

NASTY = {"red\x1b[31m": "red\\x1b[31m", "byte\udcff": "byte\\udcff", "two\nlines": "two\\nlines"}


def test_what_prints_stays_as_it_is():
    for text in ("deep/er/b", "Für Elise, 月光 (1)", "", "back\\slash", "[bold]"):
        assert printable(text) == text


@pytest.mark.parametrize(("text", "shown"), [*NASTY.items(), ("\u202eright to left", "\\u202eright to left")])
def test_what_does_not_print_is_an_escape(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("command", ["analyze", "sweep"])
def test_ids_are_printed_as_escapes_and_files_are_called_as_their_items(tmp_path, command, encoding):
    folder = save_corpus(tmp_path / "in", 1)
    for i, name in enumerate(NASTY):
        item = sample_item(i, cost="ce")
        # Silent targets under ce are warned of.
        silent = np.concatenate([item.weak, np.zeros_like(item.weak[:1])])
        save_item(folder / f"{name}.npz", dataclasses.replace(item, weak=silent))
        (folder / f"broken {name}.npz").write_bytes(b"no archive")
    save_item(folder / "月光.npz", sample_item(7, n_targets=30))
    words = [command, folder, "-o", tmp_path / "out\udcfe", "--processes", "1", "--threshold", "0.99"]
    words += ["--gammas", "10", "100", "--share", "1"] if command == "sweep" else ["--gamma", "1", "100"]
    run = subprocess.run(
        [sys.executable, "-c", "from warplens_command import main; main()", *words],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    told = run.stderr.decode(encoding) + run.stdout.decode(encoding)
    assert "Traceback" not in told
    assert run.returncode == 1, told
    for shown in NASTY.values():
        assert f" {shown}: done\n" in told
        assert f"  broken {shown}: not an npz file" in told
    moonlight = "月光" if encoding == "utf-8" else "\\u6708\\u5149"
    assert f" {moonlight}: done\n" in told
    if command == "sweep":
        assert f"items lose events, most {moonlight} (" in told
    else:
        assert all(f"Warning: {shown}: under ce" in told for shown in NASTY.values())
    assert all(letter.isprintable() or letter == "\n" for letter in told)
    folder, suffix = ("items", "npz") if command == "analyze" else ("sweep", "json")
    for name in NASTY:
        assert (tmp_path / "out\udcfe" / folder / f"{name}.{suffix}").exists()
