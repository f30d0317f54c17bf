"""The tape of a run: every input of the engine in arrival order, so that the run can be replayed.

Unlike the journal it is buffered and may lose its last second in a crash. It is cut into parts of a set size
(`tape-000001.fst`, `tape-000002.fst`, ...); when all parts together exceed their limit the oldest go, and reading such a
tape from its beginning is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from flashscalper.model.errors import JournalError
from flashscalper.model.events import Event
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.framing import (
    NOT_UNDERSTOOD,
    Metadata,
    decode_header,
    decode_records,
    encode_header,
    encode_record,
    write_all,
)

TAPE_MAGIC: Final = b"FSTP"
PART_BYTES: Final = 64 * 1024 * 1024
KEPT_BYTES: Final = 5 * 1024 * 1024 * 1024
_BUFFER_BYTES: Final = 256 * 1024


class Recorded(NamedTuple):
    """One input: when the engine got it (exchange clock, microseconds) and what it was."""

    at: int
    event: Event


# JSON and not MessagePack, whose integers end at 64 bits: Paradex's trade ids have 28 digits.
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(tuple[int, Event])


class Tape:
    """The tape being written into `folder`; a context manager. Raises JournalError when it cannot be written.

    A run that continues in the same folder begins a new part. Nothing but `write` and `close` is needed: it hands its buffer
    to the operating system when that is full or a second of the run has passed.
    """

    def __init__(
        self, folder: Path, metadata: Metadata, *, part_bytes: int = PART_BYTES, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._folder = folder
        self._metadata = metadata
        self._part_bytes = part_bytes
        self._kept_bytes = kept_bytes
        self._file: IO[bytes] | None = None
        self._buffer = bytearray()
        self._flushed_at = 0
        self._written = 0
        self._sequence = 0
        self._ended = False
        folder.mkdir(parents=True, exist_ok=True)
        parts = tape_parts(folder)
        self._part = _number(parts[-1]) if parts else 0

    def write(self, at: int, event: Event) -> None:
        """Add one input; nothing after a failed write, which is raised once."""
        if self._ended:
            return
        self._sequence += 1
        self._buffer += encode_record(self._sequence, _ENCODER.encode((at, event)))
        if len(self._buffer) >= _BUFFER_BYTES or at - self._flushed_at >= SECOND_US:
            self._flushed_at = at
            self.flush()

    def flush(self) -> None:
        """Hand everything to the operating system; begin a new part when this one is full."""
        try:
            file = self._file or self._begin_part()
            write_all(file.fileno(), self._buffer)
            self._written += len(self._buffer)
            self._buffer.clear()
            if self._written >= self._part_bytes:
                self._end_part()
                self._drop_oldest()
        except OSError as error:
            self._ended = True
            self._buffer = bytearray()
            raise JournalError(f"{self._folder}: the tape cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Write what is buffered and close; a second call does nothing."""
        if self._buffer:
            self.flush()
        self._end_part()

    def __enter__(self) -> Tape:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin_part(self) -> IO[bytes]:
        self._part += 1
        file = (self._folder / f"tape-{self._part:06d}.fst").open("xb", buffering=0)
        self._file = file
        self._written = 0
        write_all(file.fileno(), encode_header(TAPE_MAGIC, self._metadata))
        return file

    def _end_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._sequence = 0

    def _drop_oldest(self) -> None:
        parts = tape_parts(self._folder)
        total = sum(part.stat().st_size for part in parts)
        for part in parts[:-1]:
            if total <= self._kept_bytes:
                return
            total -= part.stat().st_size
            part.unlink()


def tape_parts(folder: Path) -> list[Path]:
    """The parts of a tape, oldest first."""
    return sorted(folder.glob("tape-[0-9][0-9][0-9][0-9][0-9][0-9].fst"))


def read_tape(folder: Path) -> Iterator[Recorded]:
    """Every input in arrival order, without the torn ends that a crash left.

    Raises JournalError when a part is damaged, missing (the oldest are dropped beyond the size limit) or of another format.
    """
    for number, part in enumerate(tape_parts(folder), start=1):
        if _number(part) != number:
            raise JournalError(
                f"{folder}: part {number} of the tape is missing, so it cannot be replayed from its beginning"
            )
        yield from _read_part(part)


def _read_part(part: Path) -> Iterator[Recorded]:
    data = part.read_bytes()
    _, start = decode_header(data, TAPE_MAGIC, str(part))
    for record in decode_records(data, start, str(part)):
        try:
            yield Recorded(*_DECODER.decode(record.payload))
        except NOT_UNDERSTOOD as error:
            raise JournalError(f"{part}: the record at byte {record.offset} is whole but not understood: {error}") from error


def _number(part: Path) -> int:
    return int(part.stem.removeprefix("tape-"))
