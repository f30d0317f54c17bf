"""A run over again: its tape through a fresh engine, compared with its journal record by record.

Equal means: whoever holds the tape can say why every single thing was done. The tape is buffered and may lose its last
second in a crash, so a journal that goes on after the tape's end is said, not called a difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import Event
from flashscalper.model.records import KlineClosed
from flashscalper.runtime.journal import Entry, Output, journal_hash, journal_metadata, read_journal
from flashscalper.runtime.recovery import without_checkpoint
from flashscalper.runtime.setup import read_setup
from flashscalper.runtime.tape import read_tape

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Output)
JOURNAL: Final = "journal.fsj"
TAPE: Final = "tape"
EVENT: Final = "event:"
"""What stands before the number of an event of the tape, to tell it from the number of a record."""


class Step(NamedTuple):
    """One event of the tape (from 1), when it came, and what the fresh engine answered: (journal number from 1, output).

    `klines` are the klines that the event closed or corrected; they follow from the tape and stand in no journal.
    """

    number: int
    at: int
    event: Event
    outputs: tuple[tuple[int, Output], ...]
    klines: tuple[KlineClosed, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first place where replay and journal part: the journal's record (from 1), the tape's event, both sides as text."""

    record: int
    event: int
    journal: str
    replay: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay came to. `beyond_tape` counts the journal's records after the end of a tape that a crash cut short,
    `beyond_journal` those of the tape's last event that a torn journal does not have.

    `journal_hash` is that of the summary (SHA-256 over the decisions), `replay_hash` that of the replay: where they are the
    same, so is every byte. Empty as long as not every record was there to be compared.
    """

    events: int
    records: int
    equal: int
    beyond_tape: int = 0
    beyond_journal: int = 0
    difference: Difference | None = None
    journal_hash: str = ""
    replay_hash: str = ""

    @property
    def same_bytes(self) -> bool:
        """Whether the replay would have written this very journal."""
        return bool(self.replay_hash) and self.replay_hash == self.journal_hash


class Replay:
    """One run's folder, to be gone through once. Raises ConfigError for no run, JournalError for one that cannot be read."""

    def __init__(self, folder: Path) -> None:
        journal = folder / JOURNAL
        if not journal.is_file() or not (folder / TAPE).is_dir():
            raise ConfigError("run", str(folder), f"a run's folder, with {JOURNAL} and {TAPE}")
        self._folder = folder
        setup = read_setup(journal_metadata(journal), journal)
        saved, entries = without_checkpoint(read_journal(journal), journal)
        self._written = [entry for entry in entries if not isinstance(entry.content, str)]
        self._engine = setup.engine(saved)

    def steps(self) -> Iterator[Step]:
        """Every event with what the fresh engine answers."""
        record = 0
        for number, recorded in enumerate(read_tape(self._folder / TAPE), start=1):
            outputs, klines = [], []
            for output in self._engine.handle(recorded.event, recorded.at):
                if isinstance(output, KlineClosed):
                    klines.append(output)
                else:
                    record += 1
                    outputs.append((record, output))
            yield Step(number, recorded.at, recorded.event, tuple(outputs), tuple(klines))

    def compare(self) -> Replayed:
        """Go through it and stop at the first difference."""
        events = equal = 0
        digest = hashlib.sha256()
        last: list[tuple[int, int]] = []
        for step in self.steps():
            events = step.number
            for record, output in step.outputs:
                written = self._written[record - 1] if record <= len(self._written) else None
                if written is None:
                    last.append((step.number, record))
                elif _same(written, step.at, output):
                    equal += 1
                    digest.update(_ENCODER.encode((step.at, output)))
                else:
                    return self._differs(events, equal, record, step, written, output)
        if last and last[0][0] != events:
            number, record = last[0]
            nothing = Difference(record=record, event=number, journal="(its end)", replay="goes on")
            return Replayed(events=events, records=len(self._written), equal=equal, difference=nothing)
        beyond = len(self._written) - equal
        hashes = ("", "") if beyond or last else (journal_hash(self._folder / JOURNAL), digest.hexdigest())
        return Replayed(
            events=events, records=len(self._written), equal=equal, beyond_tape=beyond, beyond_journal=len(last),
            journal_hash=hashes[0], replay_hash=hashes[1],
        )  # fmt: skip

    def _differs(self, events: int, equal: int, record: int, step: Step, written: Entry, output: Output) -> Replayed:  # noqa: PLR0917
        theirs, ours = _apart(written, step.at, output)
        difference = Difference(record=record, event=step.number, journal=theirs, replay=ours)
        return Replayed(events=events, records=len(self._written), equal=equal, difference=difference)

    def trace(self, wanted: str) -> Iterator[Step]:
        """The hops of one client order id, of one event of the tape (`event:26`), or of the event behind one record of the
        journal (its number). Of an order, outputs that have nothing to do with it are left out."""
        event, record = _number(wanted.removeprefix(EVENT)) if wanted.startswith(EVENT) else 0, _number(wanted)
        order_ids: set[str] = set()
        for step in self.steps():
            if event or record:
                if step.number == event or any(number == record for number, _ in step.outputs):
                    yield step
                    return
                continue
            mine = tuple((number, output) for number, output in step.outputs if _names(output, wanted, order_ids))
            if mine or _names(step.event, wanted, order_ids):
                yield step._replace(outputs=mine, klines=())


def _number(text: str) -> int:
    """A number from 1; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() else 0


def _same(written: Entry, at: int, output: Output) -> bool:
    return written.at == at and _ENCODER.encode(written.content) == _ENCODER.encode(_as_read(output))


def _as_read(output: Output) -> Output:
    """As it would come back from the disk: a whole number in a float's place is a float there."""
    read: Output = _DECODER.decode(_ENCODER.encode(output))
    return read


def _apart(written: Entry, at: int, output: Output) -> tuple[str, str]:
    """Both sides in words, with nothing but the fields in which they differ when they are of one kind."""
    theirs, ours = written.content, _as_read(output)
    if type(theirs) is not type(ours) or isinstance(theirs, str):
        return f"at {written.at} {theirs}", f"at {at} {ours}"
    fields = [name for name in ours.__struct_fields__ if getattr(theirs, name) != getattr(ours, name)]
    sides = ((written.at, theirs), (at, ours))
    words = [
        f"at {when} {type(side).__name__} " + ", ".join(f"{name}={getattr(side, name)!r}" for name in fields)
        for when, side in sides
    ]
    return words[0], words[1]


def _names(thing: Any, client_id: str, order_ids: set[str]) -> bool:
    """Whether an event or output is about this order; learns the exchange's id of it on the way."""
    for inner in (thing, getattr(thing, "order", None), getattr(thing, "fill", None)):
        found = getattr(inner, "client_id", "") == client_id
        order_id = getattr(inner, "order_id", "")
        if found and order_id:
            order_ids.add(order_id)
        if found or (order_id and order_id in order_ids):
            return True
    return False
