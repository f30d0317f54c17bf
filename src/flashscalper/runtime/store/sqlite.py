"""The store in one SQLite file beside the runs: the default, for any number of bots of one machine.

Amounts are text, exact to the last digit: SQLite's own numbers are floats. Its shell adds them up with `decimal_sum`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Final

from flashscalper.model.amounts import plain
from flashscalper.model.errors import StoreError
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.tables import Kind, Value

FILE: Final = "store.sqlite3"
_APPLICATION: Final = 0x46535354
"""`FSST`: SQLite's field for whose file this is."""
_BUSY_S: Final = 5.0


class SqliteDatabase(Database):
    """The file, made when it is not there."""

    TYPES: ClassVar[dict[Kind, str]] = {
        Kind.TEXT: "TEXT", Kind.AMOUNT: "TEXT", Kind.INSTANT: "INTEGER", Kind.COUNT: "INTEGER", Kind.FLAG: "INTEGER",
        Kind.NUMBER: "REAL", Kind.JSON: "TEXT",
    }  # fmt: skip

    def __init__(self, path: Path) -> None:
        with _translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
        try:
            # A commit survives the end of the process at any instant; what a power failure takes is read again.
            self.execute("PRAGMA journal_mode = WAL")
            self.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            self.close()
            raise

    def execute(self, query: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one statement."""
        with _translated():
            return self._db.execute(query, [_kept(value) for value in values]).fetchall()

    def execute_many(self, query: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement for each row."""
        with _translated():
            self._db.executemany(query, [[_kept(value) for value in row] for row in rows])

    @contextmanager
    def transaction(self) -> Iterator[object]:
        """Take the file's write lock at once, so that two bots wait for each other instead of failing midway."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield self
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def version(self) -> int | None:
        """From the file's header."""
        ((application,),) = self.execute("PRAGMA application_id")
        ((version,),) = self.execute("PRAGMA user_version")
        ((tables,),) = self.execute("SELECT count(*) FROM sqlite_master")
        if tables and application != _APPLICATION:
            raise StoreError("the file is a database of somebody else")
        return int(version) if tables else None

    def begin_schema(self) -> None:
        """The write lock is enough."""

    def set_version(self, version: int) -> None:
        """Into the file's header."""
        self.execute(f"PRAGMA application_id = {_APPLICATION}")
        self.execute(f"PRAGMA user_version = {version}")

    def drop(self) -> None:
        """Every table and view of the file; the file itself may be open elsewhere and stays."""
        if self.version() is not None:
            found = self.execute("SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')")
            for kind, name in sorted(found, reverse=True):
                self.execute(f'DROP {kind} "{name}"')

    def close(self) -> None:
        """Let go of the file."""
        with suppress(sqlite3.Error):
            self._db.close()


def _kept(value: Value) -> str | int | float | None:
    return plain(value) if isinstance(value, Decimal) else value


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StoreError(str(error) or type(error).__name__) from error
