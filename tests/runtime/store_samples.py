"""What the tests of the store write and compare: journals of a storm, and everything that a database holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from flashscalper.model.instants import SECOND_US
from flashscalper.model.records import FillBooked
from flashscalper.runtime.framing import Metadata
from flashscalper.runtime.journal import Entry, Journal, read_journal
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.tables import LATEST, RUNS, TABLES, Kind, Table
from tests.campaigns.seeding import Setup
from tests.campaigns.storm import START, World

ACCOUNT = "0xabc"
RATES = {"crash": 0.02, "bust": 0.05, "foreign_order": 0.02, "lose_answer": 0.02, "cut": 0.02}


def stormy_entries(folder: Path) -> list[Entry]:
    """A journal with everything in it: entries, stops, exits, a bust, foreign positions, more than one life."""
    for seed in range(12, 60):
        world = World(Setup(seed=seed, symbols=("ETHUSDT", "BTCUSDT"), seconds=20.0, rates=RATES), folder)
        try:
            world.run()
            world.settle()
        finally:
            world.journal.close()
        if world.life > 1 and world.counts["bust"]:
            entries = list(read_journal(world._path))
            if any(isinstance(entry.content, FillBooked) and entry.content.busted for entry in entries):
                return entries
    raise AssertionError("no storm with a crash and a bust")


def metadata(run: str, account: str = ACCOUNT, mode: str = "testnet", started_at: int = START) -> Metadata:
    """A journal's header, as `run` writes it, as far as the store looks."""
    return {"run": run, "account": account, "mode": mode, "setup": json.dumps({"started_at": started_at, "more": [1]})}


def open_journal(runs: Path, run: str, **also: Any) -> Journal:
    """The journal of a run, about to be written."""
    return Journal(runs / run / "journal.fsj", metadata(run, **also), durable=False)


def write_journal(runs: Path, run: str, entries: Iterable[Entry], **also: Any) -> Path:
    """A whole journal."""
    with open_journal(runs, run, **also) as journal:
        for at, content in entries:
            journal.append(at, [content])
    return runs / run / "journal.fsj"


def halves(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Before and after the middle."""
    middle = len(entries) // 2
    return list(entries[:middle]), list(entries[middle:])


def content(database: Database, *, but: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Everything in it, in a form in which two databases of any kind can be compared."""
    everything = [(table.name, table) for table in TABLES] + list(LATEST)
    return {
        name: [_row(table, row) for row in database.rows(name, table.names, ", ".join(table.full_key))]
        for name, table in everything
        if name not in but
    }


def _row(table: Table, row: Sequence[Any]) -> dict[str, Any]:
    makers: dict[Kind, Callable[[Any], Any]] = {
        Kind.AMOUNT: lambda value: Decimal(value).normalize(),
        Kind.FLAG: bool,
        Kind.JSON: lambda value: json.loads(value) if isinstance(value, str) else value,
    }
    return {
        name: value if value is None else makers.get(kind, lambda same: same)(value)
        for (name, kind), value in zip(table.columns, row, strict=True)
    }


def later(seconds: int) -> int:
    """An instant after the storm began."""
    return START + seconds * SECOND_US


__all__ = ["ACCOUNT", "RUNS", "content", "halves", "later", "metadata", "open_journal", "stormy_entries", "write_journal"]
