"""Reading a journal piece by piece, also while another process or thread is writing it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from flashscalper.model.errors import JournalError
from flashscalper.runtime.framing import (
    MAX_PAYLOAD,
    Metadata,
    decode_growing,
    decode_header,
    decode_records,
    record_size,
)
from flashscalper.runtime.journal import JOURNAL_MAGIC, Entry, decode_entry

_PIECE: Final = 64 * 1024
_HEAD: Final = 4 * _PIECE
"""More than any header: it holds the settings of a run."""
_LARGEST: Final = MAX_PAYLOAD + 1024


class Numbered(NamedTuple):
    """An entry, its number in the journal (from 1) and the offset behind it."""

    number: int
    end: int
    entry: Entry


class GrowingJournal:
    """A place in a journal from which one reads on. Opens the file for each piece, so it holds nothing open.

    Raises JournalError for a file that is no journal, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        head = self._piece(0, _HEAD)
        self.metadata: Metadata
        self.metadata, self.read_to = decode_header(head, JOURNAL_MAGIC, str(path))
        self.number = 0

    def read(self, most: int) -> list[Numbered]:
        """The next entries, at most so many; none when everything that is whole was read."""
        size = _PIECE
        while True:
            data = self._piece(self.read_to, size)
            found: list[Numbered] = []
            base = self.read_to
            for record in decode_growing(data, self.number + 1):
                entry = decode_entry(record.payload, base + record.offset, self.path)
                self.number, self.read_to = record.sequence, base + record.offset + record_size(record)
                found.append(Numbered(self.number, self.read_to, entry))
                if len(found) == most:
                    break
            if found or len(data) < size or size > _LARGEST:
                return found
            size *= 8

    def left(self) -> int:
        """Bytes behind what was read: of entries to come, or of a tail that a crash tore."""
        try:
            return max(0, self.path.stat().st_size - self.read_to)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error

    def check_end(self) -> None:
        """What is left is a torn tail, unless there is damage: then JournalError says where."""
        rest = self._piece(self.read_to, self.left())
        for _ in decode_records(rest, 0, str(self.path), expected=self.number + 1, base=self.read_to):
            return

    def _piece(self, start: int, size: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error
