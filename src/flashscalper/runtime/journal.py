"""The journal of a run: what was decided and done, durable before it is sent.

One append-only file. An order command is on the disk (`sync`) before its bytes leave; recovery needs this file and the
exchange, nothing else. `journal_hash` speaks of decisions only: two runs that decided the same have the same hash.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final, NamedTuple

import msgspec

from flashscalper.model.commands import ArmOrder, CancelOrder, Command, ModifyOrder, PlaceOrder
from flashscalper.model.errors import JournalError
from flashscalper.model.records import Record
from flashscalper.runtime.framing import (
    NOT_UNDERSTOOD,
    Metadata,
    decode_header,
    decode_records,
    encode_header,
    encode_record,
    record_size,
    write_all,
)

JOURNAL_MAGIC: Final = b"FSJL"

Output = Command | Record
Content = Output | str
"""What an entry holds; text is the runtime's own remark and no decision."""

ORDER_COMMANDS: Final = (PlaceOrder, ModifyOrder, CancelOrder, ArmOrder)
"""Commands that must be durable before they are sent; a release was made durable when it was armed."""


class Entry(NamedTuple):
    """One entry: when it was decided (exchange clock, microseconds) and what."""

    at: int
    content: Content


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[int, Content])


class Journal:
    """The journal being written by one process; use it as a context manager or `close` it.

    `path` is created, or continued when it exists: a torn tail is cut off, damage in the middle or another format version
    raises JournalError, and so does a second writer. After a failed write or sync every further call raises: what is on the
    disk is then unknown, and trading must not go on without it. `durable` False leaves out the disk synchronisation, for
    simulated runs whose orders cannot outlive the process.
    """

    def __init__(self, path: Path, metadata: Metadata, *, durable: bool = True) -> None:
        self._path = path
        self._durable = durable
        self._digest = hashlib.sha256()
        self._sequence = 0
        self._broken = ""
        self._fd = -1
        try:
            self._fd = _open_locked(path, metadata)
            self.metadata = self._continue()
        except OSError as error:
            self.close()
            raise JournalError(f"{path}: {error.strerror}") from error
        except JournalError:
            self.close()
            raise

    def append(self, at: int, batch: Sequence[Content]) -> None:
        """Write a batch in order, with one system call; not yet durable. Raises JournalError when it cannot be written."""
        data = bytearray()
        for content in batch:
            payload = _ENCODER.encode((at, content))
            self._sequence += 1
            data += encode_record(self._sequence, payload)
            if not isinstance(content, str):
                self._digest.update(payload)
        self._guarded(lambda: write_all(self._fd, data))

    def sync(self) -> None:
        """Return only when everything appended is on the disk. Raises JournalError; the order must then not be sent."""
        if self._durable:
            self._guarded(lambda: _sync_data(self._fd))
        elif self._broken:
            raise JournalError(self._broken)

    def hash(self) -> str:
        """SHA-256 (hex) over every decision so far; equals `journal_hash` of the file."""
        return self._digest.hexdigest()

    def entries(self) -> Iterator[Entry]:
        """Every entry written so far, oldest first, read back from the file."""
        return read_journal(self._path)

    def __len__(self) -> int:
        return self._sequence

    def close(self) -> None:
        """Sync if possible and release the file; a second call does nothing."""
        if self._fd >= 0:
            descriptor, self._fd = self._fd, -1
            try:
                if self._durable and not self._broken:
                    _sync_data(descriptor)
            finally:
                os.close(descriptor)
                self._broken = self._broken or f"{self._path}: the journal is closed"

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _continue(self) -> Metadata:
        """Read what is there, cut a torn tail and stand behind the last whole record."""
        data = self._path.read_bytes()
        metadata, end = decode_header(data, JOURNAL_MAGIC, str(self._path))
        for record in decode_records(data, end, str(self._path)):
            end = record.offset + record_size(record)
            self._sequence = record.sequence
            if not isinstance(decode_entry(record.payload, record.offset, self._path).content, str):
                self._digest.update(record.payload)
        if end < len(data):
            os.ftruncate(self._fd, end)
            os.fsync(self._fd)
        os.lseek(self._fd, end, os.SEEK_SET)
        return metadata

    def _guarded(self, action: Callable[[], None]) -> None:
        if self._broken:
            raise JournalError(self._broken)
        try:
            action()
        except OSError as error:
            self._broken = f"{self._path}: {error.strerror}; the journal cannot be trusted after this"
            raise JournalError(self._broken) from error


def holds_order(batch: Iterable[Content]) -> bool:
    """Whether the batch has a command that must be durable before it is sent."""
    return any(isinstance(content, ORDER_COMMANDS) for content in batch)


def read_journal(path: Path) -> Iterator[Entry]:
    """Every entry of a journal, oldest first, leaving out a torn tail. Raises JournalError on damage, with its offset."""
    data = _read(path)
    _, start = decode_header(data, JOURNAL_MAGIC, str(path))
    return (decode_entry(record.payload, record.offset, path) for record in decode_records(data, start, str(path)))


def journal_metadata(path: Path) -> Metadata:
    """What the run wrote about itself when it began."""
    return decode_header(_read(path), JOURNAL_MAGIC, str(path))[0]


def journal_hash(path: Path) -> str:
    """SHA-256 (hex) over the decisions of a journal.

    The header and the runtime's remarks (text) are left out: they hold wall-clock times, host names and the like. The
    instants inside are the exchange clock's, which in a lock-step run is virtual.
    """
    digest = hashlib.sha256()
    data = _read(path)
    _, start = decode_header(data, JOURNAL_MAGIC, str(path))
    for record in decode_records(data, start, str(path)):
        if not isinstance(decode_entry(record.payload, record.offset, path).content, str):
            digest.update(record.payload)
    return digest.hexdigest()


def decode_entry(payload: bytes, offset: int, path: Path) -> Entry:
    """What a record at `offset` of a journal says. Raises JournalError for one that this release does not understand."""
    try:
        at, content = _DECODER.decode(payload)
    except NOT_UNDERSTOOD as error:
        raise JournalError(f"{path}: the record at byte {offset} is whole but not understood: {error}") from error
    return Entry(at, content)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error


def _open_locked(path: Path, metadata: Metadata) -> int:
    """Open for writing with the writer's lock; a new file appears under its name only with its header complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create(path, metadata)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(f"{path}: another process is writing this journal") from error
    return descriptor


def _create(path: Path, metadata: Metadata) -> None:
    # Not by the process id alone: in a container it is the same at every start, and a crash may have left the draft.
    draft = path.with_name(f"{path.name}.{os.getpid()}-{token_hex(4)}.new")
    try:
        with draft.open("xb") as file:
            file.write(encode_header(JOURNAL_MAGIC, metadata))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its lock decides
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


if sys.platform == "darwin":

    def _sync_data(descriptor: int) -> None:
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)

else:

    def _sync_data(descriptor: int) -> None:
        os.fdatasync(descriptor)
