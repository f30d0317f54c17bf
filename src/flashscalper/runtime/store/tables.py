"""What the store holds: its tables, their columns and keys, the same for every database.

Every table begins with account and run, so any number of bots and accounts share one database. A run's rows are a function
of its journal alone; what an account has now is the latest run that speaks of a thing (the views `account_...`).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

SCHEMA_VERSION: Final = 1
"""Goes up with any change below or in what `view` makes of a journal; there are no migrations, only a rebuild."""

Value = str | int | bool | float | Decimal | None


class Kind(StrEnum):
    """What a column holds. `instant` is microseconds UTC, `amount` exact, `json` text, `number` a float."""

    TEXT = "text"
    AMOUNT = "amount"
    INSTANT = "instant"
    COUNT = "count"
    FLAG = "flag"
    NUMBER = "number"
    JSON = "json"


class Column(NamedTuple):
    """One column."""

    name: str
    kind: Kind


class Table(NamedTuple):
    """One table. `key` names the columns that make a row the same row, after account and run; `says` is for people."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    says: str

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def full_key(self) -> tuple[str, ...]:
        """The primary key."""
        return ("account", "run", *self.key)


class Row(NamedTuple):
    """One row, whole: writing it twice changes nothing."""

    table: str
    values: tuple[Value, ...]


def _table(name: str, key: str, columns: str, says: str) -> Table:
    """A table from `name:kind` words; a word without a kind is text."""
    words = ("account", "run", *columns.split())
    parts = (word.partition(":") for word in words)
    return Table(name, tuple(key.split()), tuple(Column(name, Kind(kind or "text")) for name, _, kind in parts), says)


RUNS: Final = _table(
    "runs", "", "mode started_at:instant read_to:count",
    "one row a run; `read_to`: bytes of its journal that the other tables hold",
)  # fmt: skip
ORDERS: Final = _table(
    "orders", "client_id",
    "client_id symbol side type role reason size:amount price:amount trigger_price:amount time_in_force reduce_only:flag "
    "order_id state filled:amount detail placed_at:instant changed_at:instant",
    "orders that this run sent or heard of, as they were last asked for, and what became of them",
)  # fmt: skip
FILLS: Final = _table(
    "fills", "fill_key",
    "fill_key client_id order_id symbol side size:amount price:amount fee:amount funding:amount realized_pnl:amount "
    "size_after:amount entry_after:amount cash_after:amount role reason liquidity busted:flag foreign_fill:flag "
    "filled_at:instant",
    "our executions as they were booked; a busted one was taken back by the exchange",
)  # fmt: skip
POSITIONS: Final = _table(
    "positions", "symbol",
    "symbol size:amount entry_price:amount protection stop_price:amount stop_size:amount foreign_size:amount "
    "realized_pnl:amount fees:amount funding:amount changed_at:instant",
    "the position of each market: signed size, its stop, and what the fills of this run came to",
)  # fmt: skip
EQUITY: Final = _table("equity", "entry", "entry:count at:instant equity:amount cash:amount", "equity as time passed")
SIGNALS: Final = _table(
    "signals", "entry",
    "entry:count judged_at:instant symbol interval direction score:number confidence:number outcome denied_by client_id "
    "reasons:json gates:json inputs:json",
    "every kline that a strategy judged, each gate with what it needed and saw, and what came of it",
)  # fmt: skip
TRIPS: Final = _table(
    "round_trips", "entry",
    "entry:count symbol direction size:amount entry_price:amount exit_price:amount opened_at:instant closed_at:instant "
    "pnl:amount fees:amount funding:amount risk:amount costs:amount exit_reason entry_reasons:json",
    "from flat to flat; `pnl` is net of fees and includes funding",
)  # fmt: skip

TABLES: Final = (RUNS, ORDERS, FILLS, POSITIONS, EQUITY, SIGNALS, TRIPS)
CONTENT: Final = TABLES[1:]
"""Everything but the runs themselves."""

LATEST: Final = (("account_orders", ORDERS), ("account_fills", FILLS), ("account_positions", POSITIONS))
"""Views that show each thing once an account: as the latest run that speaks of it knows it."""


def view_query(table: Table, prefix: str) -> str:
    """The query of a view in `LATEST`; `prefix` stands before every table's name. Runs are ordered by start."""
    over = ", ".join(f"t.{name}" for name in ("account", *table.key))
    place = f"ROW_NUMBER() OVER (PARTITION BY {over} ORDER BY r.started_at DESC, r.run DESC)"
    columns = ", ".join(f"t.{name}" for name in table.names)
    joined = f"{prefix}{table.name} t JOIN {prefix}runs r ON r.account = t.account AND r.run = t.run"
    inner = f"SELECT {columns}, {place} AS place FROM {joined}"  # noqa: S608 - names of ours only
    return f"SELECT {', '.join(table.names)} FROM ({inner}) AS ranked WHERE place = 1"  # noqa: S608
