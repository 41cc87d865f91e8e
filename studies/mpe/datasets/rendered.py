"""Real performances as MIDI, rendered with a soundfont: the data of the scaled study.

Ten performances of MAESTRO come inside the source distribution of miditok 3.1.0 on PyPI. Their notes alone
are rendered, so that what the targets say is what sounds; two soundfonts make two domains.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path

import mido

from studies.mpe.datasets.recording import Recording, listed_notes
from studies.mpe.errors import StudyError

_REQUIREMENT = (
    "miditok==3.1.0 --hash=sha256:1f905b9be87a57dac28a86c1c7a7565674a5d2e57b2f650bc2fea97792f6bdef\n"
)
_INSIDE = "miditok-3.1.0/tests/MIDIs_one_track"
WORKS = tuple(f"Maestro_{k}" for k in range(1, 11))
"""Ten different works, by what they are called there."""

_SAMPLE_RATE = 44100
_PERCUSSION = 9


def fetch_performances(data: Path) -> list[Path]:
    """Fetch the ten MIDI files from PyPI unless they are there already.

    Raises:
        StudyError: pip cannot get them.
    """
    folder = data / "midi"
    files = [folder / f"{work}.mid" for work in WORKS]
    if all(file.exists() for file in files):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    requirement = folder / "requirement.txt"
    requirement.write_text(_REQUIREMENT)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--require-hashes", "--dest", str(folder), "-r", str(requirement)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    archive = folder / "miditok-3.1.0.tar.gz"
    if finished.returncode or not archive.exists():
        raise StudyError(
            "pip could not download the source distribution of miditok 3.1.0, which holds the "
            "performances; is "
            f"PyPI reached? Or put {WORKS[0]}.mid to {WORKS[-1]}.mid into {folder}. It said: "
            f"{finished.stderr.strip()[-500:]}"
        )
    with tarfile.open(archive) as sources:
        for file in files:
            member = sources.extractfile(f"{_INSIDE}/{file.name}")
            if member is None:
                raise StudyError(f"{archive} holds no {file.name}; remove it and fetch again.")
            _write(file, member.read())
    return files


def rendered(*, data: Path, soundfont: str, works: tuple[str, ...], program: int = 0) -> list[Recording]:
    """List performances, rendered by `render` into the folder of their soundfont.

    Raises:
        StudyError: there is no such work.
    """
    unknown = [work for work in works if work not in WORKS]
    if unknown:
        raise StudyError(
            f"There is no performance {unknown[0]!r}; set `works` to some of {', '.join(WORKS)}."
        )
    folder = data / "rendered" / f"{Path(soundfont).stem}-{program}"
    return [
        Recording(
            id=f"{folder.name}/{work}",
            work=work,
            audio=folder / f"{work}.wav",
            notes=partial(listed_notes, folder / f"{work}.mid"),
        )
        for work in works
    ]


def render(recording: Recording, *, data: Path, soundfont: str, program: int = 0) -> None:
    """Write a recording's notes and sound, unless they are there.

    Raises:
        StudyError: fluidsynth or the soundfont is missing, or rendering fails.
    """
    if recording.audio.exists():
        return
    if not Path(soundfont).exists():
        raise StudyError(
            f"The soundfont {soundfont} does not exist. Install one (Debian: apt-get install "
            "fluid-soundfont-gm "
            "timgm6mb-soundfont) or set `soundfont` in the configuration to one that you have."
        )
    fluidsynth = shutil.which("fluidsynth")
    if fluidsynth is None:
        raise StudyError(
            "fluidsynth is not installed, which renders the recordings: apt-get install fluidsynth."
        )
    recording.audio.parent.mkdir(parents=True, exist_ok=True)
    notes = recording.audio.with_suffix(".mid")
    keys_alone(data / "midi" / notes.name, notes, program=program)
    part = recording.audio.with_name(f"{recording.audio.stem}.{os.getpid()}.part.wav")
    command = [fluidsynth, "-n", "-i", "-q", "-R", "0", "-C", "0", "-g", "0.6", "-T", "wav"]
    command += ["-r", str(_SAMPLE_RATE), "-F", str(part), soundfont, str(notes)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode or not part.exists():
        raise StudyError(
            f"fluidsynth could not render {notes} with {soundfont}: {finished.stderr.strip()[-500:]}"
        )
    part.replace(recording.audio)


def keys_alone(source: Path, target: Path, *, program: int) -> None:
    """Copy the keys and tempi alone of a MIDI file, so no pedals, on one instrument."""
    given = mido.MidiFile(source, clip=True)
    made = mido.MidiFile(type=0, ticks_per_beat=given.ticks_per_beat)
    track = mido.MidiTrack([mido.Message("program_change", program=program, time=0)])
    waited = 0
    for message in mido.merge_tracks(given.tracks):
        waited += message.time
        played = message.type in ("note_on", "note_off") and message.channel != _PERCUSSION
        if played or message.type in ("set_tempo", "end_of_track"):
            changed = {"time": waited, "channel": 0} if played else {"time": waited}
            track.append(message.copy(**changed))
            waited = 0
    made.tracks.append(track)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    made.save(part)
    part.replace(target)


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
