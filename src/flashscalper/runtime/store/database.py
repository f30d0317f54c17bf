"""What every database of the store can do, and the SQL that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, ClassVar, Final

from flashscalper.model.errors import StoreError
from flashscalper.runtime.store.tables import (
    CONTENT,
    LATEST,
    RUNS,
    SCHEMA_VERSION,
    TABLES,
    Kind,
    Row,
    Table,
    Value,
    view_query,
)

ANEW: Final = "`flashscalper store rebuild --anew` makes it anew from the journals"
_BY_NAME: Final = {table.name: table for table in TABLES}


class OvertakenError(StoreError):
    """Somebody else wrote or dropped this run's rows: what the database holds of it must be made anew."""


class Database(ABC):
    """One open database. Every method raises StoreError when the database does not do it; it is then to be closed.

    Not for several threads.
    """

    PREFIX: ClassVar[str] = ""
    MARK: ClassVar[str] = "?"
    TYPES: ClassVar[dict[Kind, str]]

    # ---- what a database brings along ----

    @abstractmethod
    def execute(self, query: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one statement; its rows, none if it has none."""

    @abstractmethod
    def execute_many(self, query: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement for each row."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """All that happens inside, or nothing of it."""

    @abstractmethod
    def version(self) -> int | None:
        """The schema's version; None for a database that has none of our tables."""

    @abstractmethod
    def begin_schema(self) -> None:
        """What must be there before the tables; keeps others from making them meanwhile, until the transaction ends."""

    @abstractmethod
    def set_version(self, version: int) -> None:
        """Write the schema's version down."""

    @abstractmethod
    def drop(self) -> None:
        """Take everything that is ours away, of whatever version."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it; never raises."""

    # ---- the store ----

    def prepare(self, *, anew: bool = False) -> None:
        """Make the tables if there are none; `anew` drops what is there first. Another version is refused by name."""
        with self.transaction():
            self.begin_schema()
            if anew:
                self.drop()
            found = self.version()
            if found is not None and found != SCHEMA_VERSION:
                raise StoreError(f"its tables are of version {found}, this release writes version {SCHEMA_VERSION}: {ANEW}")
            if found is None:
                self._create()
                self.set_version(SCHEMA_VERSION)

    def _create(self) -> None:
        for table in TABLES:
            columns = ", ".join(
                f"{name} {self.TYPES[kind]}{' NOT NULL' if name in table.full_key else ''}" for name, kind in table.columns
            )
            self.execute(f"CREATE TABLE {self.PREFIX}{table.name} ({columns}, PRIMARY KEY ({', '.join(table.full_key)}))")
        for name, table in LATEST:
            self.execute(f"CREATE VIEW {self.PREFIX}{name} AS {view_query(table, self.PREFIX)}")

    def read_to(self, account: str, run: str) -> int | None:
        """How many bytes of the run's journal are in; None when the run is not known."""
        mark = self.MARK
        query = f"SELECT read_to FROM {self.PREFIX}{RUNS.name} WHERE account = {mark} AND run = {mark}"  # noqa: S608
        rows = self.execute(query, (account, run))
        return int(rows[0][0]) if rows else None

    def begin_run(self, row: Row) -> None:
        """Forget what is held of a run and begin it anew with its row of `runs`."""
        account, run = row.values[0], row.values[1]
        with self.transaction():
            for table in (*CONTENT, RUNS):
                self.execute(
                    f"DELETE FROM {self.PREFIX}{table.name} WHERE account = {self.MARK} AND run = {self.MARK}",  # noqa: S608
                    (account, run),
                )
            self.execute_many(self._upsert(RUNS), [row.values])

    def write(self, rows: Sequence[Row], account: str, run: str, before: int, after: int) -> None:
        """Put rows and move the run's `read_to` from `before` to `after`, all or nothing.

        Raises OvertakenError when it does not stand at `before`.
        """
        mark = self.MARK
        with self.transaction():
            moved = self.execute(
                f"UPDATE {self.PREFIX}{RUNS.name} SET read_to = {mark} "  # noqa: S608
                f"WHERE account = {mark} AND run = {mark} AND read_to = {mark} RETURNING 1",
                (after, account, run, before),
            )
            if not moved:
                raise OvertakenError(f"run {run} of account {account} was written by somebody else")
            for name, group in groupby(sorted(rows, key=lambda row: row.table), key=lambda row: row.table):
                self.execute_many(self._upsert(_BY_NAME[name]), [row.values for row in group])

    def _upsert(self, table: Table) -> str:
        rest = [name for name in table.names if name not in table.full_key]
        return (
            f"INSERT INTO {self.PREFIX}{table.name} ({', '.join(table.names)}) "  # noqa: S608
            f"VALUES ({', '.join([self.MARK] * len(table.names))}) ON CONFLICT ({', '.join(table.full_key)}) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in rest)
        )

    # ---- reading ----

    def rows(self, name: str, columns: Iterable[str], order: str) -> Iterator[tuple[Any, ...]]:
        """Columns of a table or view, in order; amounts as Decimal or exact text, as the database gives them."""
        chosen = ", ".join(columns)
        yield from self.execute(f"SELECT {chosen} FROM {self.PREFIX}{name} ORDER BY {order}")  # noqa: S608
