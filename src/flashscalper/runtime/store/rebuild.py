"""The store from the journals alone, and the few things that are read back for a person."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from flashscalper.model.amounts import plain
from flashscalper.model.errors import JournalError
from flashscalper.runtime.artifacts import in_use
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.filling import Filling, journals
from flashscalper.runtime.store.tables import EQUITY, RUNS


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What a rebuild did. `running`: journals that a bot is writing, which puts them in itself; `damaged`: a sentence each;
    `elsewhere`: runs in the store of which there is no journal here, left as they are."""

    runs: int
    entries: int
    running: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def rebuild(database: Database, runs: Path, *, anew: bool = False, tell: Callable[[str], None] = lambda _: None) -> Rebuilt:
    """Make the rows of every run below `runs` anew. `anew` drops everything first, runs of other machines too.

    Raises StoreError when the database does not take it; what was done until then stays, and doing it again does no harm.
    """
    database.prepare(anew=anew)
    entries, done, running, damaged = 0, 0, [], []
    here = set()
    for path in journals(runs):
        try:
            filling = Filling.open(path)
            if filling is None or filling.is_empty:
                continue
            here.add((filling.name.account, filling.name.run))
            if in_use(path):
                running.append(filling.name.run)
                continue
            tell(f"{filling.name.run} ...")
            entries += filling.finish(database)
            done += 1
        except (JournalError, OSError) as error:
            damaged.append(str(error))
    known = {(account, run) for account, run in database.rows(RUNS.name, ("account", "run"), "run")}
    return Rebuilt(
        runs=done, entries=entries, running=tuple(running), damaged=tuple(damaged),
        elsewhere=tuple(sorted(run for account, run in known - here)),
    )  # fmt: skip


def shown(database: Database) -> dict[str, Any]:
    """Per account: the latest run, what is held, equity as last written, and how much there is. Amounts as text."""
    database.prepare()
    accounts: dict[str, dict[str, Any]] = {}
    for account, run, mode in database.rows(RUNS.name, ("account", "run", "mode"), "started_at, run"):
        runs = accounts.get(account, {}).get("runs", 0) + 1
        accounts[account] = {"mode": mode, "run": run, "runs": runs}
    for account, known in accounts.items():
        known["orders"] = _count(database, "account_orders", account)
        known["fills"] = _count(database, "account_fills", account)
        known["equity"] = _equity(database, account)
        known["positions"] = {}
    columns = ("account", "symbol", "size", "entry_price", "protection", "stop_price", "foreign_size")
    for account, symbol, size, entry, protection, stop, foreign in database.rows("account_positions", columns, "symbol"):
        if Decimal(size) or Decimal(foreign):
            accounts[account]["positions"][symbol] = {
                "size": _text(size), "entry_price": _text(entry), "protection": protection, "stop_price": _text(stop),
                "foreign_size": _text(foreign),
            }  # fmt: skip
    return accounts


def _count(database: Database, name: str, account: str) -> int:
    query = f"SELECT count(*) FROM {database.PREFIX}{name} WHERE account = {database.MARK}"  # noqa: S608
    return int(database.execute(query, (account,))[0][0])


def _equity(database: Database, account: str) -> dict[str, Any] | None:
    query = (
        f"SELECT at, equity, cash FROM {database.PREFIX}{EQUITY.name} WHERE account = {database.MARK} "  # noqa: S608
        "ORDER BY at DESC, entry DESC LIMIT 1"
    )
    found = database.execute(query, (account,))
    return {"at": found[0][0], "equity": _text(found[0][1]), "cash": _text(found[0][2])} if found else None


def _text(amount: object) -> str | None:
    return None if amount is None else plain(Decimal(str(amount)))
