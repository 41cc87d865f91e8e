"""MIDI files: exact times, partners of keys, and files that are not all as the format says."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_note_lists import as_rows, read

from warplens.io import ItemError, make_item

END = (0, b"\xff\x2f\x00")


def on(pitch, channel=0):
    return bytes([0x90 | channel, pitch, 80])


def off(pitch, channel=0):
    return bytes([0x80 | channel, pitch, 0])


def number(value):
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | value & 0x7F)
    return bytes(reversed(out))


def track(*events, length=None):
    body = b"".join(number(delta) + bytes(event) for delta, event in events)
    return b"MTrk" + struct.pack(">L", len(body) if length is None else length) + body


def head(kind=0, tracks=1, division=480, more=b""):
    return b"MThd" + struct.pack(">LHHh", 6 + len(more), kind, tracks, division) + more


def read_bytes(tmp_path, data):
    (tmp_path / "a.mid").write_bytes(data)
    return read(tmp_path / "a.mid")


SOUND = [(0, on(60)), (480, off(60)), (0, on(62)), (480, off(62)), END]
NOTES = [(0.0, 0.5, 60), (0.5, 1.0, 62)]
RUNNING = [(0, on(60)), (480, b"<\0"), (0, b"\xff\x01\x01a"), (0, b">P"), (480, b">\0"), END]
SMF = head() + track(*SOUND)


@pytest.mark.parametrize(
    ("data", "passed_over"),
    [
        *(
            (head() + track((0, bytes.fromhex(event)), *SOUND), "meta events of a wrong length or cont")
            for event in (
                "FF59020800",
                "FF5900",
                "FF58020402",
                "FF5405FF00000000",
                "FF2000",
                "FF5100",
                "FF000101",
                "FF5103000000",
                "FF21020304",
            )
        ),
        (head() + track((0, b"\xf8"), (0, b"\xf2\x01\x02"), *SOUND), "system messages (2)"),
        (head() + b"XFIH" + struct.pack(">L", 4) + b"abcd" + track(*SOUND), "no tracks (1)"),
        (SMF + b"XFKM" + struct.pack(">L", 4) + b"abcd", "no tracks (1)"),
        (head(1, 3) + track(*SOUND), "wrong count of tracks, 3 for 1 (1)"),
        (head(1, 1) + track(END) + track(*SOUND), "wrong count of tracks, 1 for 2 (1)"),
        (head() + track(*SOUND, length=5000), "wrong lengths of tracks (1)"),
        (head(1, 2) + track(END, length=900) + track(*SOUND), "wrong lengths of tracks (1)"),
        (head() + track(*SOUND, length=12), "wrong lengths of tracks (1)"),
        (head() + track(*SOUND[:-1], length=5000), "ends of tracks that are cut off (1)"),
        (head(1, 2) + track(*SOUND[:-1], (0, b"\xff\x01\x7fa")) + track(END), "events that are cut off (1)"),
        (SMF[:-2], "events that are cut off (1)"),
        (SMF + bytes(30), "bytes between or after tracks (30)"),
        (head(1, 2) + track(END) + bytes(3) + track(*SOUND), "bytes between or after tracks (3)"),
        (bytes(128) + SMF, "bytes before the header (128)"),
        (head() + track(*SOUND[:-1], (0, bytes([0xB0, 7, 200])), END), "values above 127 (1)"),
        (head() + track((0, bytes([0x90, 200, 80])), *SOUND), "numbers above 127 (1)"),
        (head() + track(*SOUND, (0, b"\0")), "bytes after the end of a track (2)"),
    ],
)
def test_what_is_not_as_the_format_says_costs_no_notes_and_is_counted(tmp_path, data, passed_over):
    notes = read_bytes(tmp_path, data)
    assert as_rows(notes) == NOTES
    (warning,) = notes.warnings
    assert warning.startswith("passed over: ")
    assert passed_over in warning


@pytest.mark.parametrize(
    "data",
    [
        SMF,
        head(more=b"ab") + track(*SOUND),
        head() + track(*SOUND[:-1]),
        head() + track((0, b"\xf0\x02\x01\xf7"), (0, b"\xf7\x01\x01"), (0, b"\xff\x60\x01a"), *SOUND),
        head(2, 1) + track(*SOUND),
        b"RIFF\0\0\0\0RMIDdata" + struct.pack("<L", len(SMF)) + SMF + b"LIST\0",
        head() + track(*RUNNING),
        head(1, 2) + track((0, b"\xff\x51\x03\x07\xa1\x20"), END) + track(*SOUND),
    ],
)
def test_what_is_as_the_format_says_is_read_without_a_warning(tmp_path, data):
    notes = read_bytes(tmp_path, data)
    assert (as_rows(notes), notes.warnings) == (NOTES, ())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"MThd", "it has no header"),
        (head(division=0) + track(*SOUND), "0 ticks a beat"),
        (head(2, 2) + track(END) + track(*SOUND), "type 2, its tracks are not simultaneous"),
        (head() + track((0, b"\x12\x34"), END), "byte 23 begins no event"),
        (head() + track(END), "it holds no notes"),
        (head() + track((0, on(36, 9)), (480, off(36, 9)), END), "no notes .1 notes of percussion"),
        (head(division=-(26 << 8) + 40) + track(*SOUND), "26 SMPTE frames"),
    ],
)
def test_files_without_notes_or_order_are_refused(tmp_path, data, reason):
    with pytest.raises(ItemError, match=rf"note list a\.mid: .*{reason}"):
        read_bytes(tmp_path, data)


@pytest.mark.parametrize(("frames", "rate"), [(24, 24), (25, 25), (29, 30000 / 1001), (30, 30)])
def test_times_in_smpte_frames_are_seconds_whatever_the_tempo(tmp_path, frames, rate):
    data = head(division=-(frames << 8) + 40) + track((0, b"\xff\x51\x03\x01\x00\x00"), *SOUND)
    assert as_rows(read_bytes(tmp_path, data)) == [
        (0.0, pytest.approx(12 / rate), 60),
        (pytest.approx(12 / rate), pytest.approx(24 / rate), 62),
    ]


def test_each_note_sounds_in_its_frame_alone(tmp_path):
    events = [(0, b"\xff\x51\x03" + (600_000).to_bytes(3, "big"))]
    for k in range(100):
        events += [(0, on(60 + k % 12)), (80, off(60 + k % 12))]
    notes = read_bytes(tmp_path, head() + track(*events, END))
    values = {"predictions": np.full((100, 12), 0.5), "strong": notes, "fps": 10, "lowest_pitch": 60}
    strong = make_item({**values, "weak": np.eye(12)}).strong
    np.testing.assert_array_equal(strong, np.eye(12)[np.arange(100) % 12])


@given(
    st.lists(st.tuples(st.integers(1, 3000), st.integers(1, (1 << 24) - 1)), min_size=1, max_size=40),
    st.integers(1, 0x7FFF),
)
def test_times_are_the_exact_sums_divided_once(tmp_path_factory, changes, division):
    from fractions import Fraction

    events, tempo, exact, limits = [(0, on(60))], 500_000, Fraction(0), []
    for delta, new in changes:
        exact += Fraction(delta * tempo, division * 1_000_000)
        tempo = new
        limits.append(float(exact))
        events += [(delta, b"\xff\x51\x03" + new.to_bytes(3, "big")), (0, off(60)), (0, on(60))]
    data = head(division=division) + track(*events, (0, off(60)), END)
    notes = read_bytes(tmp_path_factory.mktemp("midi"), data)
    assert notes.end.tolist()[:-1] == limits[: len(notes.end) - 1]
    assert notes.start.tolist()[1:] == limits


@pytest.mark.parametrize(
    ("tracks", "expected", "alone"),
    [
        ([[(0, on(60)), (480, on(60)), (0, off(60)), (480, off(60))]], [(0, 0.5), (0.5, 1)], None),
        ([[(0, on(60)), (240, on(60)), (240, off(60)), (240, off(60))]], [(0, 0.5), (0.25, 0.75)], None),
        ([[(0, on(60)), (240, on(60, 1)), (240, off(60, 1)), (96, off(60))]], [(0, 0.6), (0.25, 0.5)], None),
        (
            [[(0, on(60)), (960, off(60))], [(240, on(60)), (240, off(60))]],
            [(0, 1.0), (0.25, 0.5)],
            None,
        ),
        ([[(0, on(60)), (480, off(60)), (0, off(60))]], [(0, 0.5)], "0 notes that are never let go and 1 e"),
        ([[(0, on(60)), (480, off(60)), (0, on(60))]], [(0, 0.5)], "1 notes that are never let go and 0 e"),
        (
            [[(0, on(60)), (480, off(60)), (0, on(61))], [(960, off(61))]],
            [(0, 0.5)],
            "1 notes that are never let go and 1 ends of notes that were never struck are left out",
        ),
    ],
)
def test_keys_are_paired_by_track_and_channel_first_with_first(tmp_path, tracks, expected, alone):
    data = head(1, len(tracks)) + b"".join(track(*events, END) for events in tracks)
    notes = read_bytes(tmp_path, data)
    assert [(start, end) for start, end, _ in as_rows(notes)] == expected
    assert len(notes.warnings) == (alone is not None)
    assert all(alone in warning for warning in notes.warnings)


def test_keys_that_are_never_let_go_and_drums_are_told(tmp_path):
    notes = read_bytes(tmp_path, head() + track((0, on(60)), (480, on(60)), (480, on(36, 9)), END))
    assert as_rows(notes) == [(0.0, 0.5, 60), (0.5, 1.0, 60)]
    assert notes.warnings == (
        "1 notes of percussion (channel 10) are left out",
        "no key is ever let go: notes end where it is struck again, or with the file",
    )


@given(st.data())
def test_sound_files_give_the_notes_of_a_library(tmp_path_factory, data):
    mido = pytest.importorskip("mido")
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    midi, expected = mido.MidiFile(ticks_per_beat=480), []
    for _ in range(data.draw(st.integers(1, 3))):
        written, now = midi.add_track(), 0
        for _ in range(data.draw(st.integers(1, 6))):
            rest, length = data.draw(st.integers(0, 2000)), data.draw(st.integers(1, 2000))
            channel, pitch = data.draw(st.integers(0, 8)), data.draw(st.integers(0, 127))
            told = {"note": pitch, "channel": channel}
            written.append(mido.Message("note_on", velocity=9, time=rest, **told))
            written.append(mido.MetaMessage("text", text="x", time=0))
            kind = data.draw(st.sampled_from(["note_on", "note_off"]))
            written.append(mido.Message(kind, velocity=0, time=length, **told))
            expected.append(((now + rest) / 960, (now + rest + length) / 960, pitch))
            now += rest + length
    midi.save(path)
    notes = read(path)
    assert (sorted(as_rows(notes)), notes.warnings) == (sorted(expected), ())


def test_damage_anywhere_is_an_error_or_leaves_notes(tmp_path):
    for at in range(len(SMF)):
        for content in (SMF[:at], SMF[:at] + bytes([SMF[at] ^ 0x5A]) + SMF[at + 1 :]):
            with contextlib.suppress(ItemError):
                assert len(read_bytes(tmp_path, content).pitch) > 0
