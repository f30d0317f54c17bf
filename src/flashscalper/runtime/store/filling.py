"""One journal on its way into one database: read a piece, fold it, write what it touched together with how far one got."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flashscalper.model.errors import JournalError
from flashscalper.runtime.artifacts import in_use
from flashscalper.runtime.replaying import JOURNAL
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.reading import GrowingJournal
from flashscalper.runtime.store.view import RunName, RunView, run_name

PIECE: Final = 64
"""Entries a transaction: about a millisecond of Python, so that whoever trades in the same process hardly waits."""


class Filling:
    """A journal that is followed. When the database is lost, `step` goes on with the next one that is handed in.

    Raises JournalError for a journal that cannot be read.
    """

    def __init__(self, path: Path, name: RunName, journal: GrowingJournal) -> None:
        self.name = name
        self._path = path
        self._begin(journal)

    @classmethod
    def open(cls, path: Path) -> Filling | None:
        """None for a journal that is no account's."""
        journal = GrowingJournal(path)
        name = run_name(journal.metadata)
        return None if name is None else cls(path, name, journal)

    def _begin(self, journal: GrowingJournal) -> None:
        self._journal = journal
        self._view = RunView(self.name)
        self._written_to: int | None = None

    def step(self, database: Database) -> bool:
        """Put the next entries in; says whether there were any. Raises StoreError when the database does not take them:
        nothing is lost by it."""
        if self._written_to is None:
            database.begin_run(self.name.row(0))
            self._written_to = 0
        if self._journal.read_to == self._written_to or not self._view.touched():
            for number, _, entry in self._journal.read(PIECE):
                self._view.take(number, entry.at, entry.content)
        if self._journal.read_to == self._written_to:
            return False
        database.write(self._view.touched(), self.name.account, self.name.run, self._written_to, self._journal.read_to)
        self._written_to = self._journal.read_to
        self._view.written()
        return True

    def go_on(self, database: Database) -> None:
        """Another connection, perhaps another database: go on where it stands, or begin anew when that is elsewhere."""
        stands = database.read_to(self.name.account, self.name.run)
        if self._written_to is None:
            return
        if stands == self._journal.read_to and stands != self._written_to:
            self._written_to = stands  # the last write went through, only its answer was lost
            self._view.written()
        elif stands != self._written_to:
            self._begin(GrowingJournal(self._path))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing behind the header. (A bot that starts may be about to lock such a journal, so it
        is not even asked whether it is in use.)"""
        return self._journal.left() == 0 and self._journal.number == 0

    def left(self) -> int:
        """Bytes of the journal that are not in the database."""
        return self._journal.left() + self._journal.read_to - (self._written_to or 0)

    def finish(self, database: Database) -> int:
        """A journal that nobody writes any more, to its end; returns the number of its entries. Raises JournalError when it
        is damaged; what is before the damage is in then."""
        while self.step(database):
            pass
        self._journal.check_end()
        return self._journal.number


def journals(runs: Path) -> Iterator[Path]:
    """Journals below a folder of runs, oldest name first."""
    yield from sorted(runs.glob(f"*/{JOURNAL}"))


def catch_up(database: Database, runs: Path, but: Path) -> list[str]:
    """Bring in what earlier runs could not: journals of `runs` that nobody is writing and that are not wholly in, but one.

    Returns a sentence for each that cannot be read.
    """
    troubles = []
    for path in journals(runs):
        if path.resolve() == but.resolve():
            continue
        try:
            filling = Filling.open(path)
            if filling is None or filling.is_empty or in_use(path):
                continue
            if database.read_to(filling.name.account, filling.name.run) != path.stat().st_size:
                filling.finish(database)
        except (JournalError, OSError) as error:
            troubles.append(str(error))
    return troubles
