"""Recovery is start-up: the state of an account's last run, carried into the journal of the next.

Every journal begins with a checkpoint (the state that it continues), so it stands alone. `last-run` names the journal that
counts; it moves to a new journal only when that journal's checkpoint is on the disk, so a crash at any instant leaves one
whole answer to "which state is it?".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import JournalError
from flashscalper.model.instants import DAY_US
from flashscalper.runtime.framing import NOT_UNDERSTOOD, Metadata
from flashscalper.runtime.journal import Entry, Journal, read_journal
from flashscalper.runtime.session_lock import AccountFolder, write_whole
from flashscalper.trading.saved import SavedState, compacted, read_back

CHECKPOINT: Final = "checkpoint "
FILLS_KEPT_US: Final = 2 * DAY_US
"""Fills of finished round trips stay in the checkpoint this long: no read reports older ones again."""


def recover(folder: AccountFolder) -> SavedState | None:
    """The state that the account was left in; None when it was never traded from here.

    Raises JournalError when the journal is damaged or gone: then a person has to decide.
    """
    try:
        journal = Path(folder.last_run.read_text(errors="replace").strip())
    except FileNotFoundError:
        return None
    if not journal.is_file():
        raise JournalError(
            f"{journal}: this journal of the account's last run is gone. Put it back; or delete {folder.last_run}, and the "
            "state is made anew from the exchange's orders and fills"
        )
    saved = state_of(journal)
    return None if saved is None else compacted(saved, saved.saved_at - FILLS_KEPT_US)


def state_of(journal: Path) -> SavedState | None:
    """The state at the end of a journal; None when it is empty. Raises JournalError on damage."""
    begin, entries = without_checkpoint(read_journal(journal), journal)
    try:
        saved = read_back(entries, begin)
    except (*NOT_UNDERSTOOD, ArithmeticError, LookupError) as error:
        raise JournalError(f"{journal}: its records are whole but do not make a state: {error!r}") from error
    if saved is not None and not (saved.payments.is_finite() and (saved.starting_cash or ZERO).is_finite()):
        raise JournalError(f"{journal}: its amounts of money are no numbers")
    return saved


def without_checkpoint(entries: Iterable[Entry], journal: Path) -> tuple[SavedState | None, Iterator[Entry]]:
    """What the run began with, and the entries after that."""
    rest = iter(entries)
    first = next(rest, None)
    if first is None:
        return None, rest
    if isinstance(first.content, str) and first.content.startswith(CHECKPOINT):
        try:
            return msgspec.json.decode(first.content.removeprefix(CHECKPOINT), type=SavedState), rest
        except NOT_UNDERSTOOD as error:
            raise JournalError(f"{journal}: its checkpoint is not one that this release reads: {error}") from error
    return None, _chained(first, rest)


def begin_journal(path: Path, metadata: Metadata, saved: SavedState | None, folder: AccountFolder, now: int) -> Journal:
    """The journal of a new run that continues `saved`; from here on it is the one that counts."""
    journal = Journal(path, metadata)
    try:
        if saved is not None:
            journal.append(now, [CHECKPOINT + msgspec.json.encode(saved).decode()])
            journal.sync()
        write_whole(folder.last_run, f"{path.resolve()}\n")
    except OSError as error:
        journal.close()
        raise JournalError(f"{folder.last_run}: {error.strerror}") from error
    except JournalError:
        journal.close()
        raise
    return journal


def _chained(first: Entry, rest: Iterator[Entry]) -> Iterator[Entry]:
    yield first
    yield from rest
