"""Two results compared: counts are those of a loop over events, and what cannot be compared is said."""

import shutil

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("jinja2")

from corpus.sample_items import sample_item, save_corpus, save_item

from warplens.corpus import InputError, Settings, analyze, read_analysis, sweep
from warplens.corpus.compare import compare

GAMMAS = (0.1, 3.0, 30.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Results at several gammas: of some items, and of better predictions for most of them."""
    folder = tmp_path_factory.mktemp("runs")
    save_corpus(folder / "in", 4)
    analyze([folder / "in"], folder / "a", Settings(GAMMAS))
    shutil.copytree(folder / "in", folder / "in-b")
    (folder / "in-b" / "d.npz").unlink()
    item = sample_item(0, n_targets=4)
    sharper = np.where(item.strong > 0, 0.999, 0.001).astype(np.float32)
    np.savez(folder / "in-b" / "a.npz", predictions=sharper, weak=item.weak, cost="bce", fps=10.0)
    analyze([folder / "in-b"], folder / "b", Settings((3.0,)))
    return folder


def by_hand(path_a, path_b, gamma_a, gamma_b):
    """Events lost by each, regained and newly lost, one event after the other."""
    a, b = read_analysis(path_a), read_analysis(path_b)
    g, k = a.gammas.tolist().index(gamma_a), b.gammas.tolist().index(gamma_b)
    counts = [0, 0, 0, 0]
    for event in range(len(a.events)):
        kept = a.levels.peak[g, event] >= 0.5, b.levels.peak[k, event] >= 0.5
        counts[0] += not kept[0]
        counts[1] += not kept[1]
        counts[2] += kept == (False, True)
        counts[3] += kept == (True, False)
    return counts


def counts_of(item):
    return [item.lost_by_first, item.lost_by_second, item.n_regained, item.n_newly_lost]


@pytest.mark.parametrize(("gamma", "other"), [(30.0, 0.1), (0.1, 30.0), (3.0, 30.0)])
def test_two_gammas_of_one_run(runs, gamma, other):
    comparison = compare(runs / "a", runs / "a", gamma=gamma, second_gamma=other)
    assert [item.id for item in comparison.items] == ["a", "c", "d", "deep/er/b"]
    assert comparison.left_out == {}
    total = np.zeros(4, int)
    for item in comparison.items:
        path = runs / "a" / "items" / f"{item.id}.npz"
        assert counts_of(item) == by_hand(path, path, gamma, other)
        total += counts_of(item)
    assert counts_of(comparison.pooled) == total.tolist()
    assert total[2] + total[3] > 0
    assert comparison.pooled.events == sum(item.events for item in comparison.items)
    # What one regains the other has newly lost.
    back = compare(runs / "a", runs / "a", gamma=other, second_gamma=gamma)
    assert [counts_of(item) for item in back.items] == [
        [lost_b, lost_a, new, regained] for lost_a, lost_b, regained, new in map(counts_of, comparison.items)
    ]


def test_two_runs_share_some_items(runs):
    comparison = compare(runs / "a", runs / "b", gamma=3.0)
    assert [item.id for item in comparison.items] == ["a", "c", "deep/er/b"]
    assert comparison.left_out == {"d": f"is not in {runs / 'b'}"}
    (first, *others) = comparison.items
    paths = [runs / run / "items" / "a.npz" for run in ("a", "b")]
    assert counts_of(first) == by_hand(*paths, 3.0, 3.0)
    assert all(item.changed == 0 for item in others)
    (a, g), (b, k) = comparison.read("a")
    assert (a.gammas[g], b.gammas[k]) == (3.0, 3.0)


def test_items_that_cannot_be_compared_are_named_and_cost_no_other(runs, tmp_path):
    shutil.copytree(runs / "in", tmp_path / "in")
    save_item(tmp_path / "in" / "a.npz", sample_item(5, n_targets=7))
    (tmp_path / "in" / "c.npz").write_bytes(b"no archive")
    analyze([tmp_path / "in"], tmp_path / "out", Settings((3.0,)))
    (tmp_path / "out" / "items" / "d.npz").write_bytes(b"damaged")
    comparison = compare(runs / "a", tmp_path / "out", gamma=3.0)
    assert [item.id for item in comparison.items] == ["deep/er/b"]
    assert comparison.left_out["a"] == "its weak targets differ"
    assert comparison.left_out["c"] == f"failed in {tmp_path / 'out'}"
    assert "d" in comparison.left_out


def test_files_of_items_that_a_run_no_longer_has_are_not_compared(runs, tmp_path):
    shutil.copytree(runs / "b", tmp_path / "b")
    shutil.copy(runs / "a" / "items" / "d.npz", tmp_path / "b" / "items" / "d.npz")
    comparison = compare(runs / "a", tmp_path / "b", gamma=3.0)
    assert "d" not in [item.id for item in comparison.items]


def test_folders_without_results_are_refused(runs, tmp_path):
    swept = tmp_path / "swept"
    sweep([runs / "in"], swept, Settings((1.0,)))
    shutil.copytree(runs / "b", tmp_path / "cut")
    (tmp_path / "cut" / "items.csv").unlink()
    refused = {
        tmp_path / "nowhere": "is no folder",
        runs / "in": "holds no results of `warplens analyze`",
        swept: "holds results of `warplens sweep`, not of `warplens analyze`",
        tmp_path / "cut": "has no items.csv: its run did not end",
    }
    for folder, message in refused.items():
        for pair in ((folder, runs / "b"), (runs / "b", folder)):
            with pytest.raises(InputError, match=message):
                compare(*pair)


def test_gammas_are_chosen_from_those_that_are_held(runs):
    with pytest.raises(InputError, match=r"a: holds results at gamma 0.1, 3, 30; choose one \(--gamma\)"):
        compare(runs / "a", runs / "b")
    with pytest.raises(InputError, match=r"b: holds no results at gamma 0.1, but at 3$"):
        compare(runs / "a", runs / "b", gamma=0.1)
    with pytest.raises(InputError, match="the same results twice at gamma 3; give two gammas"):
        compare(runs / "a", runs / "a", gamma=3.0)


def test_other_thresholds_and_other_items_are_refused(runs, tmp_path):
    analyze([runs / "in"], tmp_path / "low", Settings((3.0,), threshold=0.3))
    with pytest.raises(InputError, match=r"thresholds 0.5 and 0.3 differ.*--threshold"):
        compare(runs / "b", tmp_path / "low")
    save_item(tmp_path / "in" / "z.npz", sample_item())
    analyze([tmp_path / "in"], tmp_path / "other", Settings((3.0,)))
    with pytest.raises(InputError, match=r"no item of one can be compared with one of the other: is not in "):
        compare(runs / "b", tmp_path / "other")


def test_names_that_are_not_unicode_are_matched_too(tmp_path):
    for name in ("one", "two"):
        save_item(tmp_path / name / "caf\udce9.npz", sample_item())
        analyze([tmp_path / name], tmp_path / f"{name}-out", Settings((0.1, 30.0)))
    comparison = compare(tmp_path / "one-out", tmp_path / "two-out", gamma=0.1, second_gamma=30.0)
    assert [item.id for item in comparison.items] == ["caf\\udce9"]
