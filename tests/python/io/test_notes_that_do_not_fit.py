"""Notes outside the features or the frames, counted or folded; notes of a strong target as a list."""

import csv

import numpy as np
import pytest
from click.testing import CliRunner

from warplens.analysis.item_analysis import analyze_item
from warplens.cli.commands import warplens
from warplens.corpus import Settings, analyze
from warplens.io import ItemError, Notes, make_item, read_manifest


def notes_of(pitches, start=None, length=0.5):
    start = np.arange(len(pitches)) * length if start is None else np.asarray(start, float)
    return Notes(start, start + length, np.asarray(pitches, np.int64))


PITCHES = [*range(60, 79), *range(30, 52)]
"""19 from 60 on and 22 below."""


def test_notes_outside_the_features_are_counted():
    given = {"predictions": np.full((210, 72), 0.5), "fps": 10, "lowest_pitch": 60}
    notes = notes_of(PITCHES)
    item = make_item({**given, "weak": notes, "strong": notes})
    (warning,) = item.warnings
    assert warning.startswith("weak and strong: 22 of 41 notes lie outside 60..131 and are left out")
    assert item.strong.sum() == 19 * 5
    assert make_item({**given, "weak": notes_of(PITCHES[:19])}).warnings == ()


def test_notes_after_the_last_frame_are_counted():
    notes = notes_of([60, 61, 62], [0.0, 0.5, 1.4])
    item = make_item({"predictions": np.full((10, 5), 0.5), "weak": notes, "fps": 10, "lowest_pitch": 60})
    (warning,) = item.warnings
    assert warning == "weak: 1 of 3 notes begin after the last of 10 frames (1.00 s) and are left out"


@pytest.mark.parametrize(
    ("start", "end", "joined"),
    [
        ([0.0, 0.5, 1.0], [0.4, 0.9, 1.4], 0),
        ([0.0, 0.5, 1.0], [0.5, 0.9, 1.4], 1),
        ([1.0, 0.0, 0.5], [1.4, 0.5, 1.0], 2),
        ([0.0, 0.3, 1.0], [1.2, 0.6, 1.4], 2),
        ([0.0, 0.0, 1.0], [0.4, 0.6, 1.4], 0),
    ],
)
def test_notes_of_a_weak_list_that_leave_no_gap_are_counted(start, end, joined):
    """As many as events are missing, but for notes that begin together, which are one."""
    notes = Notes(np.array(start), np.array(end), np.full(3, 62))
    other = Notes(np.r_[notes.start, 0.2], np.r_[notes.end, 1.5], np.r_[notes.pitch, 63])
    given = {"predictions": np.full((20, 5), 0.5), "fps": 10, "lowest_pitch": 60}
    item = make_item({**given, "weak": other, "strong": notes})
    runs = int((np.diff(item.strong[:, 2], prepend=0) == 1).sum())
    assert joined == len(set(start)) - runs
    told = [warning for warning in item.warnings if "makes one event" in warning]
    assert len(told) == (joined > 0)
    assert not joined or told[0].startswith(f"weak: {joined} of 4 notes begin while their pitch sounds")


@pytest.mark.parametrize(("lowest_pitch", "shift"), [(None, 0), (60, 0), (57, 9)])
def test_pitch_classes_fold_all_octaves(lowest_pitch, shift):
    known = {} if lowest_pitch is None else {"lowest_pitch": lowest_pitch}
    notes = notes_of(PITCHES)
    given = {"predictions": np.full((210, 12), 0.5), "weak": notes, "strong": notes, "fps": 10, **known}
    item = make_item({**given, "pitch_classes": True})
    assert item.warnings == ()
    expected = np.zeros((210, 12))
    for k, pitch in enumerate(PITCHES):
        expected[5 * k : 5 * k + 5, (pitch - shift) % 12] = 1
    np.testing.assert_array_equal(item.strong, expected)
    if lowest_pitch is not None:
        (warning,) = make_item(given).warnings
        assert "of 41 notes lie outside" in warning
        assert "are pitch classes meant (--pitch-classes)?" in warning
    with pytest.raises(ItemError, match="pitch classes are 12 features, the predictions have 24"):
        make_item({**given, "predictions": np.full((210, 24), 0.5), "pitch_classes": True})
    with pytest.raises(ItemError, match="'pitch_classes' is 3, it must be true or false"):
        make_item({**given, "pitch_classes": 3})


def write_notes(path, pitches):
    notes = notes_of(pitches)
    rows = zip(notes.start, notes.end, notes.pitch, strict=True)
    path.write_text("start;end;pitch\n" + "".join(f"{a};{b};{p}\n" for a, b, p in rows))


@pytest.mark.parametrize("where", ["manifest", "file", "settings"])
def test_pitch_classes_may_be_asked_for_everywhere(tmp_path, where):
    np.savez(tmp_path / "a.npz", predictions=np.full((210, 12), 0.5), fps=10.0, cost="bce")
    if where == "file":
        np.savez(tmp_path / "a.npz", predictions=np.full((210, 12), 0.5), fps=10.0, pitch_classes=True)
    write_notes(tmp_path / "n.csv", PITCHES)
    cell = "true" if where == "manifest" else ""
    (tmp_path / "m.csv").write_text(f"predictions,weak,pitch_classes\na.npz,n.csv,{cell}\n")
    (row,) = read_manifest(tmp_path / "m.csv")
    if where == "settings":
        with pytest.raises(ItemError, match="needs 'lowest_pitch'"):
            row.read()
        settings = Settings((1.0,), cost="bce", pitch_classes=True)
        run = analyze([tmp_path / "m.csv"], tmp_path / "out", settings)
        assert [outcome.error for outcome in run.outcomes] == [None]
        item = row.read(pitch_classes=True)
    else:
        item = row.read()
    assert item.weak.any(axis=0).all()


def test_commands_warn_of_what_is_left_out_and_fold_when_asked(tmp_path):
    np.savez(tmp_path / "a.npz", predictions=np.full((210, 12), 0.5), fps=10.0, cost="bce", lowest_pitch=60)
    write_notes(tmp_path / "n.csv", PITCHES)
    (tmp_path / "m.csv").write_text("predictions,weak,strong\na.npz,n.csv,n.csv\n")
    for command, gammas in (("analyze", "--gamma"), ("sweep", "--gammas")):
        for _ in range(2):  # the second finds it done
            arguments = [command, str(tmp_path / "m.csv"), "-o", str(tmp_path / command), gammas, "1"]
            result = CliRunner().invoke(warplens, arguments)
            assert result.exit_code == 0, result.output
            told = "Warning: a: weak and strong: 29 of 41 notes lie outside 60..71 and are left out"
            assert told in result.stderr
        result = CliRunner().invoke(warplens, [*arguments, "--pitch-classes"])
        assert result.exit_code == 0, result.output
        assert "left out" not in result.stderr


def test_repeated_notes_of_a_list_are_counted_as_notes(tmp_path):
    """C4 four times without a gap, predicted as one long note."""
    frames = np.zeros((40, 3))
    frames[:, 0] = 1
    notes = Notes(np.arange(4.0), np.arange(1.0, 5.0), np.full(4, 60))
    values = {"predictions": frames * 0.98 + 0.01, "weak": frames[:1], "fps": 10, "lowest_pitch": 60}
    measures = analyze_item(make_item({**values, "strong": notes}), gammas=[1.0], cost="bce").measures
    assert measures["note_onset_f"] == pytest.approx(0.4)
    assert measures["note_f"] == 0
    mir_eval = pytest.importorskip("mir_eval.transcription")
    lists = (
        np.stack([notes.start, notes.end], axis=1),
        np.full(4, 261.6),
        np.array([[0.0, 4.0]]),
        np.array([261.6]),
    )
    for name, offset_ratio in (("note_onset_f", None), ("note_f", 0.2)):
        expected = mir_eval.precision_recall_f1_overlap(*lists, offset_ratio=offset_ratio)[2]
        assert measures[name] == pytest.approx(expected)
    of_frames = analyze_item(make_item({**values, "strong": frames}), gammas=[1.0], cost="bce").measures
    assert (of_frames["note_onset_f"], of_frames["note_f"]) == (1, 1)
    # The table of a run has them too, and does not take the one for the other.
    np.savez(tmp_path / "p.npz", cost="bce", **values)
    (tmp_path / "n.csv").write_text("start,end,pitch\n" + "".join(f"{k},{k + 1},60\n" for k in range(4)))
    np.save(tmp_path / "s.npy", frames)
    for strong, expected in (("n.csv", 0.4), ("s.npy", 1.0)):
        (tmp_path / "m.csv").write_text(f"predictions,strong\np.npz,{strong}\n")
        run = analyze([tmp_path / "m.csv"], tmp_path / "out", Settings((1.0,)))
        with run.table.open() as file:
            (row,) = csv.DictReader(file)
        assert float(row["note_onset_f"]) == pytest.approx(expected)
