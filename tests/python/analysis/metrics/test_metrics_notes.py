"""Note measures against mir_eval.transcription."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warplens.analysis.metrics import Notes, find_notes, note_measures

transcription = pytest.importorskip("mir_eval.transcription")


def random_roll(seed, density=0.2):
    rng = np.random.default_rng(seed)
    roll = np.zeros((300, 20))
    for _ in range(int(density * 400)):
        start, length, feature = rng.integers(0, 290), rng.integers(1, 25), rng.integers(0, 20)
        roll[start : start + length, feature] = 1
    return roll


@st.composite
def note_lists(draw):
    """Notes of few features, many of which overlap, in steps in which 50 ms and a fifth of them are exact."""
    step = draw(st.sampled_from([0.001, 0.005, 0.01, 1 / 43.07]))
    ticks = st.tuples(st.integers(0, 60), st.integers(1, 40), st.integers(0, 3))
    notes = np.array(draw(st.lists(ticks, min_size=1, max_size=40)), np.int64)
    onset = notes[:, 0] * step
    return Notes(np.stack([onset, onset + notes[:, 1] * step], axis=1), notes[:, 2])


def in_hertz(notes):
    return notes.intervals, 55 * np.exp2(notes.feature / 12)


@pytest.mark.parametrize("fps", [10.0, 43.07, 100.0])
@pytest.mark.parametrize("seed", range(4))
def test_f_measures_and_errors_are_those_of_mir_eval(seed, fps):
    strong = random_roll(seed)
    late = np.roll(strong, seed, axis=0)
    late[:, seed] = 0
    estimate, reference = (find_notes(roll, fps=fps) for roll in (late, strong))
    result = note_measures(estimate, reference)
    together = (*in_hertz(reference), *in_hertz(estimate))
    _, _, onset_f, _ = transcription.precision_recall_f1_overlap(*together, offset_ratio=None)
    _, _, f_measure, _ = transcription.precision_recall_f1_overlap(*together)
    assert result["note_onset_f"] == pytest.approx(onset_f, abs=1e-9)
    assert result["note_f"] == pytest.approx(f_measure, abs=1e-9)
    matches = transcription.match_notes(*together, offset_ratio=None)
    assert (result["matched_notes"], result["strong_notes"]) == (len(matches), len(reference))
    errors = [np.abs(reference.intervals[r] - estimate.intervals[e]) for r, e in matches]
    if errors:
        onset, offset = 1000 * np.mean(errors, axis=0)
        assert (result["onset_error_ms"], result["offset_error_ms"]) == pytest.approx((onset, offset))
    else:
        assert np.isnan(result["onset_error_ms"])


@given(note_lists(), note_lists())
def test_as_many_notes_match_as_in_mir_eval(estimate, reference):
    result = note_measures(estimate, reference)
    together = (*in_hertz(reference), *in_hertz(estimate))
    for name, offsets in (("note_onset_f", {"offset_ratio": None}), ("note_f", {})):
        matched = len(transcription.match_notes(*together, **offsets))
        precision, recall, f_measure, _ = transcription.precision_recall_f1_overlap(*together, **offsets)
        hits = result[name] * (len(estimate) + len(reference)) / 2
        assert hits == pytest.approx(matched, abs=1e-9)
        assert hits / len(estimate) == pytest.approx(precision, abs=1e-9)
        assert hits / len(reference) == pytest.approx(recall, abs=1e-9)
        assert result[name] == pytest.approx(f_measure, abs=1e-9)


@pytest.mark.parametrize("fps", [100.0, 20.0, 43.07])
def test_notes_of_rolls_whose_onsets_are_off_by_the_tolerance_match(fps):
    """Quotients of frames and fps may come out above 50 ms by rounding alone."""
    frames = int(0.05 * fps)
    for first in range(0, 2000, 37):
        interval = np.array([[first, first + 9]])
        reference, estimate = (
            Notes(frame / fps, np.zeros(1, np.int64)) for frame in (interval, interval + frames)
        )
        assert note_measures(estimate, reference)["note_onset_f"] == 1
        late = Notes((interval + frames + 1) / fps, np.zeros(1, np.int64))
        assert note_measures(late, reference)["note_onset_f"] == 0


def test_notes_are_runs_above_the_threshold():
    roll = np.array([[0.2, 0.9], [0.6, 0.9], [0.7, 0.1], [0.5, 0.9]])
    notes = find_notes(roll, fps=10)
    np.testing.assert_allclose(notes.intervals, [[0, 0.2], [0.1, 0.3], [0.3, 0.4]])
    np.testing.assert_array_equal(notes.feature, [1, 0, 1])
    assert len(find_notes(roll, fps=10, threshold=0.95)) == 0


def test_notes_match_within_their_feature_alone():
    notes = find_notes(random_roll(5), fps=50)
    assert note_measures(notes, notes) == pytest.approx(
        {
            "onset_error_ms": 0,
            "offset_error_ms": 0,
            "note_onset_f": 1,
            "note_f": 1,
            "matched_notes": len(notes),
            "strong_notes": len(notes),
        }
    )
    elsewhere = note_measures(Notes(notes.intervals, notes.feature + 20), notes)
    assert elsewhere["note_onset_f"] == elsewhere["note_f"] == 0


def test_an_onset_that_is_late_by_a_frame_is_late_by_its_duration():
    strong = random_roll(6, density=0.05)
    estimate, reference = (find_notes(roll, fps=40) for roll in (np.roll(strong, 1, axis=0), strong))
    result = note_measures(estimate, reference)
    assert result["onset_error_ms"] == pytest.approx(25)


def test_without_notes_nothing_is_right_or_wrong():
    silence, notes = find_notes(np.zeros((5, 20)), fps=10), find_notes(random_roll(7), fps=10)
    assert all(np.isnan(value) for value in note_measures(silence, silence).values())
    for result in (note_measures(silence, notes), note_measures(notes, silence)):
        assert result["note_f"] == result["note_onset_f"] == 0
        assert np.isnan(result["onset_error_ms"])
        assert result["matched_notes"] == 0
