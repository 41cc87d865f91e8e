"""Events of a MIDI file, as far as notes need them.

Files hold much besides notes, and much of it is not as the format says. No library that was tried reads all
such files, and none tells what it passed over; what a list of notes needs is little, and is read here.

Passed over and counted are what is damaged but of no account: meta events of a wrong length or content, data
bytes above 127, bytes outside tracks, chunks of another kind, a count or length of tracks that is wrong.

Source: Standard MIDI Files 1.0, RP-001.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from warplens.io.errors import ItemError

_HEADER, _TRACK = b"MThd", b"MTrk"
_CHUNK_NAME = re.compile(rb"[ -~]{4}")

_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
"""By the upper half of the status."""

_DATA_BYTES_OF_SYSTEM = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Messages that belong on wires, not in files; the others have none."""

_END_OF_TRACK, _TEMPO, _SMPTE_OFFSET, _TIME_SIGNATURE, _KEY = 0x2F, 0x51, 0x54, 0x58, 0x59
_NUMBER, _CHANNEL, _PORT = 0x00, 0x20, 0x21

_META_LENGTHS = {
    _NUMBER: (0, 2),
    _CHANNEL: (1,),
    _PORT: (1,),
    _TEMPO: (3,),
    _SMPTE_OFFSET: (5,),
    _TIME_SIGNATURE: (4,),
    _KEY: (2,),
}
"""Lengths that a meta event may have, of those that have a fixed one."""

_FRAME_RATES = {24: (24, 1), 25: (25, 1), 29: (30_000, 1001), 30: (30, 1)}
"""SMPTE frames a second, as a fraction."""

_DEFAULT_TEMPO = 500_000
"""Microseconds a beat."""

_NEVER = 1 << 62

_MOST_BYTES_OF_A_NUMBER = 4


class KeyEvent(NamedTuple):
    """A key that is struck or let go, or a controller that is moved.

    Attributes:
        tick: time.
        track: from 0.
        channel: from 0.
        kind: 0x80 let go, 0x90 struck, 0xB0 controller.
        number: MIDI note number, or that of the controller.
        value: velocity, or value of the controller.
    """

    tick: int
    track: int
    channel: int
    kind: int
    number: int
    value: int


@dataclass
class MidiFile:
    """Events and times of a file, and a count of what was passed over.

    Attributes:
        events: of keys and controllers, by time, then track, then their order in it.
        end: tick at which the last track ends.
        passed_over: how many of each kind were passed over.
    """

    events: list[KeyEvent] = field(default_factory=list)
    end: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    _ticks_a_beat: int = 0
    _seconds_a_tick: tuple[int, int] = (0, 1)
    _tempi: list[tuple[int, int]] = field(default_factory=list)

    def seconds(self, ticks: Sequence[int]) -> list[float]:
        """Return the times of ascending ticks: sums of whole numbers, divided once, so that none drifts."""
        if not self._ticks_a_beat:
            numerator, denominator = self._seconds_a_tick
            return [tick * numerator / denominator for tick in ticks]
        times, changes = [], iter([*self._tempi, (_NEVER, 0)])
        at, passed, tempo = 0, 0, _DEFAULT_TEMPO  # passed: ticks times microseconds a beat
        change, next_tempo = next(changes)
        for tick in ticks:
            while change <= tick:
                passed += (change - at) * tempo
                at, tempo = change, next_tempo
                change, next_tempo = next(changes)
            times.append((passed + (tick - at) * tempo) / (self._ticks_a_beat * 1_000_000))
        return times


def read_midi(data: bytes) -> MidiFile:
    """Read the events of a MIDI file, also one in a RIFF file.

    Raises:
        ItemError: it has no header or no ticks, is of type 2 with several tracks (which are not
            simultaneous), or a track cannot be parted into events.
    """
    file = MidiFile()
    data, at, kind, told = _read_header(data, file)
    tracks = 0
    while at < len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        if name == _TRACK:
            at = _read_track(data, at + 8, length, tracks, file)
            tracks += 1
        elif _CHUNK_NAME.fullmatch(name) and at + 8 + length <= len(data):
            file.passed_over["chunks that are no tracks"] += 1
            at += 8 + length
        else:
            following = _next_track(data, at + 1)
            file.passed_over["bytes between or after tracks"] += following - at
            at = following
    if kind == 2 and tracks > 1:
        raise ItemError("damaged MIDI file: it is of type 2, its tracks are not simultaneous")
    if tracks != told:
        file.passed_over[f"wrong count of tracks, {told} for {tracks}"] += 1
    file.events.sort(key=lambda event: (event.tick, event.track))
    file._tempi.sort(key=lambda change: change[0])
    return file


def _read_header(data: bytes, file: MidiFile) -> tuple[bytes, int, int, int]:
    """Return the data without what surrounds them, where tracks begin, the type and the count of tracks."""
    start = data.find(_HEADER)
    header = data[start + 8 : start + 14]
    if start < 0 or len(header) < 6:
        raise ItemError("damaged MIDI file: it has no header")
    if data.startswith(b"RIFF") and data[start - 8 : start - 4] == b"data":
        data = data[: start + int.from_bytes(data[start - 4 : start], "little")]
    elif start:
        file.passed_over["bytes before the header"] += start
    length = int.from_bytes(data[start + 4 : start + 8], "big")
    at = start + 8 + length if 6 <= length <= len(data) else _next_track(data, start + 8)
    kind, tracks, division = (int.from_bytes(header[i : i + 2], "big") for i in (0, 2, 4))
    file._ticks_a_beat = division
    if division & 0x8000:
        frames, ticks = 256 - (division >> 8), division & 0xFF
        if frames not in _FRAME_RATES or not ticks:
            raise ItemError(f"damaged MIDI file: {ticks} ticks in each of {frames} SMPTE frames a second")
        numerator, denominator = _FRAME_RATES[frames]
        file._ticks_a_beat, file._seconds_a_tick = 0, (denominator, numerator * ticks)
    elif not division:
        raise ItemError("damaged MIDI file: it has 0 ticks a beat")
    return data, at, kind, tracks


def _next_track(data: bytes, at: int) -> int:
    found = data.find(_TRACK, at)
    return len(data) if found < 0 else found


def _read_track(data: bytes, begin: int, length: int, number: int, file: MidiFile) -> int:
    """Read the events of a track and return where the next chunk begins."""
    declared = begin + length
    track = _Track(number)
    track.read(data, begin, min(declared, len(data)))
    after = declared
    if track.ended and track.at < declared:
        if declared > len(data) or data.startswith(_TRACK, track.at):
            track.passed_over["wrong lengths of tracks"] += 1
            after = track.at
        else:
            track.passed_over["bytes after the end of a track"] += declared - track.at
    elif not track.ended and declared > len(data):
        track.passed_over["ends of tracks that are cut off"] += 1
    elif not track.ended and declared < len(data) and not _CHUNK_NAME.match(data, declared):
        longer = _Track(number)
        longer.read(data, begin, _next_track(data, declared))
        if longer.ended:
            track, after = longer, longer.at
            track.passed_over["wrong lengths of tracks"] += 1
    file.events += track.events
    file._tempi += track.tempi
    file.passed_over += track.passed_over
    file.end = max(file.end, track.tick)
    return after


class _CutError(Exception):
    """An event reaches beyond what there is."""


class _Track:
    """One track while it is read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.at = self.tick = 0
        self.ended = False
        self.events: list[KeyEvent] = []
        self.tempi: list[tuple[int, int]] = []
        self.passed_over: Counter[str] = Counter()

    def read(self, data: bytes, begin: int, limit: int) -> None:
        """Read events until the end of the track, or the limit."""
        self._data, self._limit, self.at = data, limit, begin
        running = 0
        try:
            while self.at < limit and not self.ended:
                delta = self._number()
                status = self._byte()
                self.tick += delta
                if status < 0x80:
                    if not running:
                        raise ItemError(f"damaged MIDI file: byte {self.at - 1} begins no event")
                    status, self.at = running, self.at - 1
                if status < 0xF0:
                    running = status
                    self._channel_message(status)
                elif status == 0xFF:
                    self._meta()
                elif status in (0xF0, 0xF7):
                    self._bytes(self._number())
                else:
                    self._bytes(_DATA_BYTES_OF_SYSTEM.get(status, 0))
                    self.passed_over["system messages"] += 1
        except _CutError:
            self.at = limit
            self.passed_over["events that are cut off"] += 1

    def _channel_message(self, status: int) -> None:
        kind, channel = status & 0xF0, status & 0x0F
        values = self._bytes(_DATA_BYTES[kind])
        if kind not in (0x80, 0x90, 0xB0):
            return
        if values[0] > 127:
            self.passed_over["notes or controllers with numbers above 127"] += 1
            return
        if values[1] > 127:
            self.passed_over["values above 127"] += 1
        kind = 0x80 if kind == 0x90 and not values[1] else kind
        self.events.append(KeyEvent(self.tick, self.number, channel, kind, *values))

    def _meta(self) -> None:
        kind = self._byte()
        content = self._bytes(self._number())
        if kind == _END_OF_TRACK:
            self.ended = True
            return
        if not _is_sound(kind, content):
            self.passed_over["meta events of a wrong length or content"] += 1
        if kind == _TEMPO and len(content) >= 3 and any(content[:3]):
            self.tempi.append((self.tick, int.from_bytes(content[:3], "big")))

    def _byte(self) -> int:
        if self.at >= self._limit:
            raise _CutError
        self.at += 1
        return self._data[self.at - 1]

    def _bytes(self, count: int) -> bytes:
        if self.at + count > self._limit:
            raise _CutError
        self.at += count
        return self._data[self.at - count : self.at]

    def _number(self) -> int:
        """Read a number of seven bits a byte."""
        value = 0
        for _ in range(_MOST_BYTES_OF_A_NUMBER):
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise ItemError("damaged MIDI file: a number has no end")


def _is_sound(kind: int, content: bytes) -> bool:
    """Return True if a meta event has a length and a content that the format allows."""
    if len(content) not in _META_LENGTHS.get(kind, (len(content),)):
        return False
    if kind == _TEMPO:
        return any(content)
    if kind == _KEY:
        sharps = int.from_bytes(content[:1], "big", signed=True)
        return -7 <= sharps <= 7 and content[1] <= 1
    if kind == _SMPTE_OFFSET:
        values = (content[0] & 31, *content[1:])
        return all(value < limit for value, limit in zip(values, (24, 60, 60, 30, 100), strict=True))
    return True
