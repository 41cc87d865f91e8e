"""Command compare: a table on stdout, a page, and errors as sentences."""

import json
import re

import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")
pytest.importorskip("click")

from click.testing import CliRunner
from corpus.sample_items import save_corpus
from label_items import label_item, save_label_item

from warplens.cli.commands import warplens
from warplens.corpus import Loss, Settings, analyze
from warplens.corpus.compare import compare


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    save_corpus(folder / "in", 3)
    analyze([folder / "in"], folder / "out", Settings((0.1, 30.0)))
    return folder / "out"


def run(*arguments):
    return CliRunner().invoke(warplens, ["compare", *map(str, arguments)])


def test_the_table_has_all_items_and_those_that_changed(results, tmp_path):
    page = tmp_path / "page.html"
    result = run(results, results, "--gamma", 30, 0.1, "-o", page)
    assert result.exit_code == 0, result.output
    comparison = compare(results, results, gamma=30.0, second_gamma=0.1)
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    for item in (comparison.pooled, *(item for item in comparison.items if item.changed)):
        numbers = (item.events, item.lost_by_first, item.lost_by_second, item.n_regained, item.n_newly_lost)
        assert rows[item.id] == list(map(str, numbers))
    pooled = comparison.pooled
    assert (
        f"γ = 0.1 keeps {pooled.n_regained} of the {pooled.lost_by_first} events that γ = 30 loses"
        in result.stdout
    )
    assert f"Page: {page}" in result.stdout
    assert page.read_text().startswith("<!doctype html>")


def test_json_has_a_line_an_item_and_quiet_has_none(results, tmp_path):
    save_corpus(tmp_path / "in", 2)
    other = tmp_path / "out"
    analyze([tmp_path / "in"], other, Settings((0.1,)))
    arguments = (results, other, "--gamma", 30, 0.1, "-o", tmp_path / "page.html")
    comparison = compare(results, other, gamma=30.0, second_gamma=0.1)
    assert comparison.left_out
    printed = run(*arguments, "--json")
    records = [json.loads(line) for line in printed.stdout.splitlines()]
    done, left_out = records[: len(comparison.items)], records[len(comparison.items) :]
    for record, item in zip(done, comparison.items, strict=True):
        assert (record["id"], record["status"], record["events"]) == (item.id, "ok", item.events)
        assert (record["lost_by_first"], record["lost_by_second"]) == (
            item.lost_by_first,
            item.lost_by_second,
        )
        assert (record["regained"], record["newly_lost"]) == (item.n_regained, item.n_newly_lost)
    assert {record["id"]: record["error"] for record in left_out} == comparison.left_out
    quiet = run(*arguments, "-q")
    assert quiet.exit_code == 0
    assert quiet.stdout == ""
    assert "not compared" in quiet.stderr
    assert (tmp_path / "page.html").is_file()


def test_labels_are_called_labels(tmp_path):
    for seed in range(2):
        save_label_item(tmp_path / "in" / f"{seed}.npz", label_item(seed))
    analyze([tmp_path / "in"], tmp_path / "out", Settings((0.1, 3.0), loss=Loss("ctc")))
    page = tmp_path / "page.html"
    arguments = (tmp_path / "out", tmp_path / "out", "--gamma", 0.1, 3, "-o", page)
    printed, lines = run(*arguments).stdout, run(*arguments, "--json").stdout.splitlines()
    assert re.search(r"item +labels +lost by first", printed)
    assert json.loads(lines[0])["labels"] == 4
    for text in (
        printed,
        *lines,
        re.sub(r"<script.*?</script>|<style.*?</style>", "", page.read_text(), flags=re.S),
    ):
        assert not re.search(r"\bevents?\b", text)


def test_folders_are_named_by_what_tells_them_apart(results, tmp_path):
    other = tmp_path / "second" / "out"
    analyze([results.parent / "in"], other, Settings((1.0,)))
    result = run(results, other, "--gamma", 30, 1, "-o", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert re.search(
        rf"second/out \(γ = 1\) keeps .* that {results.parent.name}/out \(γ = 30\) loses", result.stdout
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"holds results at gamma 0.1, 30; choose one \(--gamma\)"),
        (["--gamma", "2"], "holds no results at gamma 2, but at 0.1, 30"),
        (["--gamma", "0.1", "30", "1"], "3 of them; it takes one for both results, or two"),
        (["--gamma", "30", "0.1", "-o", "."], "is a folder, the page needs a file"),
    ],
)
def test_misuse_is_a_sentence_and_status_2(results, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(results, results, *arguments)
    assert result.exit_code == 2
    assert re.search(message, " ".join(result.stderr.split()))
    assert not list(tmp_path.iterdir())


def test_a_folder_without_results_is_named(results, tmp_path):
    result = run(results, tmp_path, "-o", tmp_path / "page.html")
    assert result.exit_code == 2
    assert "holds no results of `warplens analyze`" in " ".join(result.stderr.split())
