"""Small zip archives with members that are not packed, such as npz files: read and written in one piece.

`zipfile` seeks, reads and writes a member at a time, which for an npz file of some 100 kB takes longer than
reading and writing the values: it would add a sixth to a half to the time of an item of a corpus. What is not
of the plain kind below is left to `zipfile`.
"""

import struct
from collections.abc import Iterable, Mapping
from zlib import crc32

MOST_BYTES = 1 << 24
"""Size of an archive above which it is not held in memory as a whole."""

_LOCAL = struct.Struct("<4s5H3L2H")
"""Signature, version, flags, method, time, date, CRC-32, sizes (packed, unpacked), lengths (name, extra)."""
_CENTRAL = struct.Struct("<4s6H3L5H2L")
"""One more version in front, and behind: length of a comment, disk, attributes (2), place of the member."""
_END = struct.Struct("<4s4H2LH")
"""Signature, disks (2), entries (2), length and place of the directory, length of a comment."""

_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_STORED = 0
_VERSION = 20
_EPOCH = (1 << 5) | 1
"""The first of January 1980 as a date of MS-DOS, which is what there is."""
_PLAIN_TEXT = (0, 0x800)
"""Flags of a member that is neither encrypted nor described behind its data; the second tells UTF-8."""


def stored_members(data: bytes) -> dict[str, memoryview] | None:
    """Return the members of an archive by name, with their checksums verified.

    None where it is not certain to be sound and of this kind: every member stored, with an ASCII name that no
    other has, no comment, fewer than 65 535 members, a single disk.
    """
    if len(data) < _END.size:
        return None
    directory_end = len(data) - _END.size
    signature, *disks, entries, all_entries, length, place, comment = _END.unpack_from(data, directory_end)
    if (signature, *disks, comment) != (_END_SIGNATURE, 0, 0, 0) or entries != all_entries:
        return None
    if entries == 0xFFFF or place + length != directory_end:
        return None
    members: dict[str, memoryview] = {}
    for _ in range(entries):
        if place + _CENTRAL.size > directory_end:
            return None
        (signature, _, _, flags, method, _, _, checksum, packed, size, *lengths, _, _, _, local) = (
            _CENTRAL.unpack_from(data, place)
        )
        name_at = place + _CENTRAL.size
        name = data[name_at : name_at + lengths[0]]
        place = name_at + sum(lengths)
        if signature != _CENTRAL_SIGNATURE or flags not in _PLAIN_TEXT or method != _STORED:
            return None
        member = _member(data, local, name, flags) if packed == size else None
        if member is None or len(member) < size or not name.isascii():
            return None
        member = member[:size]
        if crc32(member) != checksum or name.decode() in members:
            return None
        members[name.decode()] = member
    return members if place == directory_end else None


def _member(data: bytes, local: int, name: bytes, flags: int) -> memoryview | None:
    """Return the data after the local header of a member, None where there is no such header."""
    if local + _LOCAL.size > len(data):
        return None
    signature, _, local_flags, method, *_, name_length, extra_length = _LOCAL.unpack_from(data, local)
    start = local + _LOCAL.size
    is_its = data[start : start + name_length] == name
    if signature != _LOCAL_SIGNATURE or local_flags != flags or method != _STORED or not is_its:
        return None
    return memoryview(data)[start + name_length + extra_length :]


def stored_archive(members: Mapping[str, Iterable[bytes | memoryview]]) -> bytes:
    """Build an archive without times, `MOST_BYTES` at most, of members with ASCII names, each in parts."""
    pieces: list[bytes | memoryview] = []
    directory: list[bytes] = []
    place = 0
    for name, parts in members.items():
        contents = list(parts)
        encoded, size, checksum = name.encode("ascii"), 0, 0
        for part in contents:
            size, checksum = size + len(part), crc32(part, checksum)
        fields = (_VERSION, 0, _STORED, 0, _EPOCH, checksum, size, size, len(encoded), 0)
        pieces += [_LOCAL.pack(_LOCAL_SIGNATURE, *fields), encoded, *contents]
        directory += [_CENTRAL.pack(_CENTRAL_SIGNATURE, _VERSION, *fields, 0, 0, 0, 0, place), encoded]
        place += _LOCAL.size + len(encoded) + size
    length = sum(map(len, directory))
    end = _END.pack(_END_SIGNATURE, 0, 0, len(members), len(members), length, place, 0)
    return b"".join([*pieces, *directory, end])
