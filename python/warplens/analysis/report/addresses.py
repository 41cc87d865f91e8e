"""Paths and addresses of pages and sounds, for items of any name."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from warplens.analysis.report.piano_roll import data_uri
from warplens.analysis.report.report_item import Sound

EMBEDDED_SOUND_BYTES = 16 << 20
"""Size of all sounds that a page embeds; those beyond are linked, so that the page still opens."""


class Player(NamedTuple):
    """A sound as a page plays it.

    Attributes:
        name: what is heard, in full.
        short: the same in a word, for a button.
        gamma: gamma of the Y_mod that is heard, else empty.
        address: where the sound is, or the sound itself.
    """

    name: str
    short: str
    gamma: str
    address: str


def page_path(out: Path, item_id: str) -> Path:
    """Return the path of an item's page, beside its file."""
    return out / "items" / f"{item_id}.html"


def page_address(item_id: str) -> str:
    """Return the address of an item's page as seen from OUT/report.html."""
    return address(f"items/{item_id}.html")


def neighbour_address(item_id: str, other: str) -> str:
    """Return the address of another item's page as seen from an item's page."""
    return "../" * item_id.count("/") + quote(os.fsencode(f"{other}.html"), safe="/")


def index_address(item_id: str) -> str:
    """Return the address of OUT/report.html as seen from an item's page."""
    return "../" * (1 + item_id.count("/")) + "report.html"


def address(path: str) -> str:
    """Write a relative path as an address: file names may hold any byte."""
    # A colon in the first part would make it a scheme.
    return "./" * (":" in path.split("/")[0]) + quote(os.fsencode(path), safe="/")


def displayed(text: str) -> str:
    """Write a name as a page can hold it: what is not valid Unicode becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


class SoundAddresses:
    """Addresses of the sounds of one page.

    Attributes:
        out: folder of the report.
        base: relative address of that folder as seen from the page.
        bytes_left: bytes of sound that the page may still embed; 0 where it stands among other files anyway.
    """

    def __init__(self, out: Path, base: str = "", bytes_left: int = 0):
        self.out, self.base, self.bytes_left = out, base, bytes_left

    def of(self, sounds: Sequence[Sound]) -> list[Player]:
        """Return a player for each sound; missing files are left out."""
        players = []
        for sound in sounds:
            path = self.out / sound.path
            try:
                size = path.stat().st_size
                if size <= self.bytes_left:
                    self.bytes_left -= size
                    where = data_uri(path.read_bytes(), "audio/wav")
                else:
                    where = self.base + address(sound.path)
            except OSError:
                continue
            players.append(_player(sound, where))
        return players


def _player(sound: Sound, where: str) -> Player:
    gamma = "" if sound.gamma is None else format(sound.gamma, "g")
    name = f"Y_mod, γ = {gamma}" if gamma else "Recording"
    short = f"γ = {gamma}" if gamma else "recording"
    return Player(f"{name}: {sound.note}" if sound.note else name, short, gamma, where)
