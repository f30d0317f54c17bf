"""The records on disk that journal and tape share: a header that names the format, then checksummed records.

Layout, little endian. Header: magic (4 bytes), format version (u16), length (u32) and CRC-32 (u32) of the metadata, the
metadata as MessagePack. Record: length of the payload (u32), CRC-32 (u32) over length, sequence and payload, sequence
(u64, from 1 without gaps), payload.

A crash can leave the last write incomplete: a *torn tail*. It is told from damage by what follows: when any whole record
with a later sequence number stands behind the bad place, records in the middle are lost, and that is never repaired.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from flashscalper.model.errors import JournalError

FORMAT_VERSION: Final = 1
MAX_PAYLOAD: Final = 16 * 1024 * 1024
"""A payload's limit in bytes; a longer one is a defect when written and damage when read."""

_NO_SUCH_RECORD: Final = 2**48
"""No file has that many records: what looks like the head of a later one is chance. However much was lost in between, a true
number is below it; and it spares the checksum at nearly every byte of a long tail."""

_HEADER: Final = struct.Struct("<4sHII")
_LENGTH_SEQUENCE: Final = struct.Struct("<IQ")
_RECORD: Final = struct.Struct("<IIQ")

NOT_UNDERSTOOD: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding bytes of somebody else's making may raise: text that is no UTF-8 is a ValueError."""

Metadata = dict[str, str | int | bool | None]


class Framed(NamedTuple):
    """One whole record: where it begins in the file, its number and its bytes."""

    offset: int
    sequence: int
    payload: bytes


def encode_header(magic: bytes, metadata: Metadata) -> bytes:
    """The first bytes of a file."""
    payload = msgspec.msgpack.encode(metadata)
    return _HEADER.pack(magic, FORMAT_VERSION, len(payload), crc32(payload)) + payload


def encode_record(sequence: int, payload: bytes) -> bytes:
    """One record's bytes. Raises JournalError for a payload beyond the limit."""
    if len(payload) > MAX_PAYLOAD:
        raise JournalError(f"record {sequence} has {len(payload)} bytes; the limit is {MAX_PAYLOAD}")
    return _RECORD.pack(len(payload), _checksum(sequence, payload), sequence) + payload


def decode_header(data: bytes, magic: bytes, name: str) -> tuple[Metadata, int]:
    """Metadata, and the offset of the first record. Raises JournalError naming the file and what is wrong with it."""
    if data[: len(magic)] != magic:
        raise JournalError(f"{name}: begins with {data[:4]!r}, not with {magic!r}: not a file of this kind")
    if len(data) < _HEADER.size:
        raise JournalError(f"{name}: ends inside its header")
    _, version, length, checksum = _HEADER.unpack_from(data)
    if version != FORMAT_VERSION:
        raise JournalError(f"{name}: format version {version}; this program reads version {FORMAT_VERSION}")
    payload = data[_HEADER.size : _HEADER.size + length]
    if len(payload) != length or crc32(payload) != checksum:
        raise JournalError(f"{name}: its header is damaged")
    try:
        return msgspec.msgpack.decode(payload, type=Metadata), _HEADER.size + length
    except NOT_UNDERSTOOD as error:
        raise JournalError(f"{name}: its header is whole but not understood: {error}") from error


def decode_growing(data: bytes, expected: int) -> Iterator[Framed]:
    """Whole records from the beginning of `data` on, the first numbered `expected`, up to what is not whole (yet): for a
    file that is still being written. Offsets are those within `data`."""
    offset = 0
    while (record := _record_at(data, offset)) is not None and record.sequence == expected:
        yield record
        expected += 1
        offset += record_size(record)


def decode_records(data: bytes, offset: int, name: str, *, expected: int = 1, base: int = 0) -> Iterator[Framed]:
    """Every whole record from `offset` on; a torn tail ends the iteration. Raises JournalError with the offset of damage.

    Whoever continues the file must cut it behind the last record that came out. `data` may be the rest of a file from byte
    `base` on, whose first record is numbered `expected`.
    """
    while offset < len(data):
        record = _record_at(data, offset)
        if record is None and not _whole_record_after(data, offset + 1, expected):
            return
        if record is None or record.sequence != expected:
            raise JournalError(
                f"{name}: damaged at byte {base + offset}, at record {expected}; what follows it is whole, so it is not cut"
            )
        yield record
        expected += 1
        offset += record_size(record)


def record_size(record: Framed) -> int:
    """Bytes that the record takes in its file."""
    return _RECORD.size + len(record.payload)


def write_all(descriptor: int, data: bytes | bytearray) -> None:
    """Write every byte, in as many system calls as that takes. Raises OSError; how much is then in the file is unknown."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _checksum(sequence: int, payload: bytes) -> int:
    return crc32(payload, crc32(_LENGTH_SEQUENCE.pack(len(payload), sequence)))


def _record_at(data: bytes, offset: int) -> Framed | None:
    if len(data) - offset < _RECORD.size:
        return None
    length, checksum, sequence = _RECORD.unpack_from(data, offset)
    start = offset + _RECORD.size
    if length > min(MAX_PAYLOAD, len(data) - start):
        return None
    payload = data[start : start + length]
    return Framed(offset, sequence, payload) if _checksum(sequence, payload) == checksum else None


def _whole_record_after(data: bytes, offset: int, expected: int) -> bool:
    """Whether any valid record numbered `expected` or later begins at or behind `offset`."""
    for start in range(offset, len(data) - _RECORD.size + 1):
        _, _, sequence = _RECORD.unpack_from(data, start)
        if expected <= sequence < _NO_SUCH_RECORD and _record_at(data, start) is not None:
            return True
    return False
