"""Tiny datasets laid out as they are published, with tones for music."""

import wave

import mido
import numpy as np

RATE = 16000


def random_notes(rng, seconds, step=0.25):
    """(start, end, pitch), one or two at a time."""
    return [
        (float(start), float(start + rng.choice([0.1, 0.2, 0.24])), int(pitch))
        for start in np.arange(0.1, seconds - 0.6, step)
        for pitch in rng.choice(np.arange(48, 72), size=rng.integers(1, 3), replace=False)
    ]


def sound(notes, seconds):
    """Tones of three partials, with a soft beginning and end."""
    audio = np.zeros(round(seconds * RATE))
    for start, end, pitch in notes:
        first, stop = round(start * RATE), round(end * RATE)
        t = np.arange(stop - first) / RATE
        tone = sum(np.sin(2 * np.pi * k * 440 * 2 ** ((pitch - 69) / 12) * t) / k for k in (1, 2, 3))
        audio[first:stop] += 0.15 * tone * np.minimum(1, np.minimum(t, t[::-1]) / 0.005)
    return audio


def write_sound(path, notes, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound(notes, seconds), -1, 1) * 32767).astype("<i2").tobytes())


def write_midi(path, notes, *, pedal=()):
    """One tick a millisecond; pedal: (time, value)."""
    midi = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack()
    events = [(start, mido.Message("note_on", note=pitch, velocity=80)) for start, _, pitch in notes]
    events += [(end, mido.Message("note_off", note=pitch)) for _, end, pitch in notes]
    events += [(time, mido.Message("control_change", control=64, value=value)) for time, value in pedal]
    now = 0
    for time, message in sorted(events, key=lambda event: (event[0], event[1].type != "note_off")):
        ticks = round(time * 1000)
        track.append(message.copy(time=ticks - now))
        now = ticks
    midi.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.save(path)


def write_table(path, header, rows, delimiter=";"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [delimiter.join(header), *(delimiter.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


MAESTRO_HEADER = ["canonical_composer", "canonical_title", "split", "year"]
MAESTRO_HEADER += ["midi_filename", "audio_filename", "duration"]
BPSD_NOTES = ["start", "end", "start_meas", "end_meas", "pitch", "pitchname", "timesig", "articulation"]


def write_maestro(root, *, count=2, seconds=8.0):
    rows = []
    for k in range(count):
        notes = random_notes(np.random.default_rng(k), seconds)
        name = f"2018/performance-{k}"
        write_sound(root / f"{name}.wav", notes, seconds)
        write_midi(root / f"{name}.midi", notes)
        split = "train" if k < count - 1 else "test"
        rows.append(("Alban Berg", f'"Sonata, Op. {k}"', split, 2018, f"{name}.midi", f"{name}.wav", seconds))
    write_table(root / "maestro-v3.0.0.csv", MAESTRO_HEADER, rows, ",")
    return root


def write_bpsd(
    root, *, versions=("AS35", "WK64"), pieces=("Op002No1-01",), seconds=12.0, measure_seconds=0.5
):
    for p, piece in enumerate(pieces):
        for v, version in enumerate(versions):
            name = f"Beethoven_{piece}_{version}"
            notes = random_notes(np.random.default_rng([p, v, 7]), seconds)
            write_sound(root / "1_Audio" / f"{name}.wav", notes, seconds)
            annotations = root / "2_Annotations"
            rows = [(f"{a:07.3f}", f"{b:07.3f}", 1.0, 1.5, n, '"C4"', "4/4", "") for a, b, n in notes]
            write_table(annotations / "ann_audio_note" / f"{name}.csv", BPSD_NOTES, rows)
            times = np.arange(0, seconds, measure_seconds)
            write_table(
                annotations / "ann_audio_measure" / f"{name}.csv",
                ("time", "measure"),
                [(f"{t:07.3f}", f"{m + 1:07.3f}") for m, t in enumerate(times)],
            )
    return root
