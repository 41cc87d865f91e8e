"""Lists of notes: every format gives the same notes, and these the frames that the definition says."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import warplens as wl
from warplens.io import ItemError, Notes, make_item, roll_of
from warplens.io.frame_times import first_frames
from warplens.io.notes.note_lists import read_notes
from warplens.io.size_limit import Budget

NOTES = [(0.0, 0.5, 60), (0.5, 1.0, 62), (0.5, 1.25, 64), (1.25, 1.75, 60)]

TEXTS = {
    "schubert.csv": '"start";"end";"pitch";"pitchclass";"instrument"\n'
    '0.0;0.5;60;0;"piano"\n0.5;1.0;62;2;"voice; low"\n0.5;1.25;64;4;"piano"\n1.25;1.75;60;0;"piano"\n',
    "beethoven.csv": "Start;End;start_meas;end_meas;Pitch;pitchname;timesig;articulation\n"
    "0.0;0.5;1.0;1.5;60;C4;4/4;\n0.5;1.0;1.5;2.0;62;D4;4/4;s\n0.5;1.25;1.5;2.2;64;E4;4/4;\n1.25;1.75;2;3;60;C4;4/4;\n",
    "maps.txt": "OnsetTime\tOffsetTime\tMidiPitch\r\n"
    "0\t0.5\t60\r\n0.5\t1\t62\r\n0.5\t1.25\t64\r\n1.25\t1.75\t60\r\n",
    "maestro.tsv": "# onset\toffset\tnote\tvelocity\n0.000000\t0.500000\t60.000000\t64.000000\n"
    "0.5\t1.0\t62.0\t64\n0.5\t1.25\t64.0\t1\n1.25\t1.75\t60.0\t1\n",
    "savetxt.tsv": "# onset,offset,note,velocity\n"
    "0\t0.5\t60\t1\n0.5\t1\t62\t1\n0.5\t1.25\t64\t1\n1.25\t1.75\t60\t1\n",
    "commas.csv": "\ufeffpitch, END , start\n60,0.5,0\n\n62,1,.5\n64,1.25,0.5\n60,1.75,1.25\n",
    "latin.csv": "start;end;pitch;instrument\n0;.5;60;Flöte\n.5;1;62;\n.5;1.25;64;\n1.25;1.75;60;\n",
}


def as_rows(notes):
    return list(zip(notes.start.tolist(), notes.end.tolist(), notes.pitch.tolist(), strict=True))


def notes_of(rows):
    start, end, pitch = zip(*rows, strict=True)
    return Notes(np.array(start, float), np.array(end, float), np.array(pitch, np.int64))


def read(path, limit=None):
    return read_notes(path, Budget(limit))


@pytest.mark.parametrize("name", TEXTS)
def test_text_of_every_dialect(tmp_path, name):
    (tmp_path / name).write_bytes(TEXTS[name].encode("latin-1" if name == "latin.csv" else "utf-8"))
    assert as_rows(read(tmp_path / name)) == NOTES


def midi_file(path, **told):
    """NOTES at 480 ticks a beat, with a change of tempo, a pedal and a drum that do not count."""
    mido = pytest.importorskip("mido")
    midi = mido.MidiFile(ticks_per_beat=480, **told)
    conductor, piano = midi.add_track(), midi.add_track()
    conductor.append(mido.MetaMessage("set_tempo", tempo=500_000, time=0))
    conductor.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=960))  # at 1 s

    def on(note, velocity, t=0):
        return mido.Message("note_on", note=note, velocity=velocity, time=t)

    piano.append(mido.Message("control_change", control=64, value=127, time=0))
    piano += [on(60, 80), mido.Message("note_on", channel=9, note=40, velocity=80, time=0)]
    piano += [mido.Message("note_off", note=60, time=480), on(62, 80), on(64, 80), on(62, 0, t=480)]
    piano += [on(64, 0, t=120), on(60, 80), on(60, 0, t=240)]
    midi.save(path)
    return path


def test_midi(tmp_path):
    assert as_rows(read(midi_file(tmp_path / "a.mid"))) == NOTES


def test_midi_keys_struck_again_and_never_let_go(tmp_path):
    mido = pytest.importorskip("mido")
    midi = mido.MidiFile(ticks_per_beat=480)
    track = midi.add_track()
    for time, note in ((0, 60), (480, 60), (480, 62)):
        track.append(mido.Message("note_on", note=note, velocity=1, time=time))
    track.append(mido.MetaMessage("end_of_track", time=480))
    midi.save(tmp_path / "a.midi")
    assert as_rows(read(tmp_path / "a.midi")) == [(0.0, 0.5, 60), (0.5, 1.5, 60), (1.0, 1.5, 62)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        ("start;end;pitch\n", "it holds no notes"),
        ("start;end;instrument\n1;2;3\n", "no column 'pitch' .columns: start, end, instrument; needed"),
        ("start;onset;end;pitch\n", "2 column 'start'"),
        ("0.5\t1.0\t60\n", "no column 'start'"),
        ("start;end;pitch\n1;2;60\n1;two;60\n", "line 3: column 'end' holds no number: '1;two;60'"),
        ("start;end;pitch\n1;2\n", "line 2: column 'pitch' holds no number"),
        ("start;end;pitch\n1;2;60.5\n", "line 2: 'pitch' is 60.5"),
        ("start;end;pitch\n1;2;nan\n", "line 2: 'pitch' is nan"),
        ("start;end;pitch\n1;2;128\n", "'pitch' of note 1 is 128"),
        ("start;end;pitch\n1;2;60\n2;1;60\n", "'end' of note 2 is 1, it must be seconds, no earlier"),
        ("start;end;pitch\n-1;2;60\n", "'start' of note 1 is -1"),
        ("start;end;pitch\n1;inf;60\n", "'end' of note 1 is inf"),
    ],
)
def test_what_is_wrong_with_a_text_is_named(tmp_path, content, reason):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ItemError, match=rf"note list a\.csv: {reason}"):
        read(tmp_path / "a.csv")


def test_damaged_and_large_lists(tmp_path):
    sound = midi_file(tmp_path / "a.mid").read_bytes()
    for at in range(len(sound)):
        for content in (sound[:at], sound[:at] + bytes([sound[at] ^ 0x5A]) + sound[at + 1 :]):
            (tmp_path / "a.mid").write_bytes(content)
            with contextlib.suppress(ItemError):
                assert len(read(tmp_path / "a.mid").pitch) > 0
    (tmp_path / "a.mid").write_bytes(sound[:30] + b"\x80" * 3_000_000)
    with pytest.raises(ItemError, match="a number has no end"):
        read(tmp_path / "a.mid")
    (tmp_path / "b.csv").write_text(TEXTS["commas.csv"] * 100)
    with pytest.raises(ItemError, match=r"'b\.csv' declares .* the limit is 1000 bytes"):
        read(tmp_path / "b.csv", 1000)


def at_frame(time, fps):
    """The time of the frame before, if it is that of the list but for half a millisecond or 1/20 frame."""
    before, tolerance = math.floor(time * fps), min(0.0005, 0.05 / fps)
    assume(abs(time - before / fps - tolerance) > 1e-8)
    return before / fps if time - before / fps < tolerance else time


@given(
    st.lists(
        st.tuples(st.floats(0, 2.9), st.floats(0, 1.5), st.integers(57, 66)), min_size=1, max_size=8
    ).filter(lambda rows: any(60 <= pitch < 64 for _, _, pitch in rows)),
    st.sampled_from([10.0, 43.066, 7.5]),
)
def test_a_note_sounds_in_the_frames_of_its_time(rows, fps):
    rows = [(start, start + length, pitch) for start, length, pitch in rows]
    n_frames = int(3 * fps)
    roll = roll_of(
        notes_of(rows), n_frames=n_frames, n_features=4, fps=fps, lowest_pitch=60, dtype=np.dtype(np.float32)
    )
    expected = np.zeros((n_frames, 4), np.float32)
    for start, end, pitch in rows:
        middle, start, end = (start + end) / 2, at_frame(start, fps), at_frame(end, fps)
        if not 60 <= pitch < 64 or start >= n_frames / fps - 0.0005:
            continue
        inside = [n for n in range(n_frames) if start <= n / fps < end]
        if not inside:
            distances = np.abs(np.arange(n_frames) / fps - middle)
            inside = np.flatnonzero(distances < distances.min() + 1e-9)
            assume(len(inside) == 1)  # of two frames equally near either will do
        expected[inside, pitch - 60] = 1
    np.testing.assert_array_equal(roll, expected)
    assert roll.dtype == np.float32


def test_targets_of_an_item_may_be_notes():
    notes = notes_of(NOTES)
    predictions = np.full((20, 5), 0.5, np.float32)
    item = make_item(
        {"predictions": predictions, "weak": notes, "strong": notes, "fps": 8, "lowest_pitch": 60}
    )
    by_hand = np.zeros((20, 5), np.float32)
    by_hand[0:4, 0] = by_hand[4:8, 2] = by_hand[4:10, 4] = by_hand[10:14, 0] = 1
    np.testing.assert_array_equal(item.strong, by_hand)
    np.testing.assert_array_equal(item.weak, wl.collapse_repeats(by_hand).y)
    assert item.weak.tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0], [0] * 5]
    assert item.weak.dtype == item.strong.dtype == np.float32


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"fps": 8}, "'weak' is a list of notes, which needs 'lowest_pitch': give it in the manifest or"),
        ({}, "needs 'fps' and 'lowest_pitch'"),
        (
            {"fps": 100, "lowest_pitch": 60},
            r"'weak': 1 of 4 notes begin after .*0\.20 s at 100.*1\.25 s: is it",
        ),
        (
            {"fps": 8, "lowest_pitch": 20},
            r"no note is among the 5 semitones from 20 on \(pitches: 60 to 64\)",
        ),
    ],
)
def test_notes_that_do_not_fit_the_item_are_refused(told, reason):
    with pytest.raises(ItemError, match=reason):
        make_item({"predictions": np.full((20, 5), 0.5), "weak": notes_of(NOTES), **told})


def test_notes_without_a_feature_and_just_behind_the_end_are_left_out():
    rows = [*NOTES, (0.0, 1.0, 90), (2.5, 2.6, 60), (3.4, 3.5, 62)]
    options = {"n_frames": 20, "n_features": 5, "fps": 8.0, "lowest_pitch": 60, "dtype": np.dtype(np.float64)}
    np.testing.assert_array_equal(roll_of(notes_of(rows), **options), roll_of(notes_of(NOTES), **options))


FRAME_RATES = [44100 / 1024, 22050 / 512, 22050 / 256, 100.0, 1000 / 3, 31.25, 10.0]


WRITTEN = ["exactly", "with 6 decimals", "with 3 decimals", "as float32", "summed"]


@pytest.mark.parametrize(
    ("fps", "written"),
    # Milliseconds do not tell shorter frames apart.
    [(fps, how) for fps in FRAME_RATES for how in WRITTEN if how != "with 3 decimals" or fps <= 100],
)
def test_notes_written_from_frames_sound_in_those_frames(fps, written):
    rng = np.random.default_rng(3)
    n_frames = 20000
    limits = np.sort(rng.choice(n_frames, 8000, replace=False))
    seconds = {
        "exactly": limits / fps,
        "with 6 decimals": np.round(limits / fps, 6),
        "with 3 decimals": np.round(limits / fps, 3),
        "as float32": (limits / fps).astype(np.float32).astype(np.float64),
        "summed": np.cumsum(np.full(n_frames, 1 / fps))[limits - 1] if limits[0] else limits / fps,
    }[written]
    pitch = rng.integers(60, 65, 4000)
    notes = Notes(seconds[::2], seconds[1::2], pitch)
    expected = np.zeros((n_frames, 5))
    for d, first, stop in zip(pitch - 60, limits[::2], limits[1::2], strict=True):
        expected[first:stop, d] = 1
    roll = roll_of(
        notes, n_frames=n_frames, n_features=5, fps=fps, lowest_pitch=60, dtype=np.dtype(np.float64)
    )
    np.testing.assert_array_equal(roll, expected)


def test_no_limit_moves_by_more_than_half_a_millisecond():
    times = np.linspace(0.5, 0.6, 100_001)
    for fps in FRAME_RATES:
        moved = first_frames(times, fps=fps, n_frames=1000) != np.ceil(times * fps - 1e-9)
        assert np.mean(moved) <= 1.02 * min(0.0005 * fps, 0.05)
