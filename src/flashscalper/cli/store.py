"""`flashscalper store`: what the view of the journals in a database holds, and making it anew from the files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from flashscalper.cli.settings import read_settings
from flashscalper.cli.table import text_table
from flashscalper.cli.target import read_variables
from flashscalper.model.errors import FlashScalperError, StoreError
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.credentials import DATABASE_VARIABLE, value_of
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.rebuild import Rebuilt, shown
from flashscalper.runtime.store.rebuild import rebuild as rebuild_store
from flashscalper.runtime.store.sqlite import FILE
from flashscalper.runtime.store.target import store_target


def rebuild(runs: Path | None, url: str, *, anew: bool, json: bool) -> int:
    """Exit code 1 when a journal is damaged: the rest is done then."""
    folder, address = _place(runs, url)
    if not folder.is_dir():
        raise FlashScalperError(f"{folder}: there is no folder of runs here")
    with _opened(address, folder) as (where, database):
        done = rebuild_store(database, folder, anew=anew, tell=lambda line: print_aside(line, quiet=json))
    if json:
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _told(done, where))
    return 1 if done.damaged else 0


def show(runs: Path | None, url: str, *, json: bool) -> int:
    """Accounts, their positions and equity, as the database has them."""
    folder, address = _place(runs, url)
    if not address and not (folder / FILE).is_file():
        raise FlashScalperError(f"{folder / FILE}: there is no store yet; `flashscalper run` and `store rebuild` make it")
    with _opened(address, folder) as (_, database):
        accounts = shown(database)
    if json:
        sys.stdout.write(msgspec.json.encode(accounts).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _pictured(accounts))
    return 0


def print_aside(line: str, *, quiet: bool) -> None:
    """Progress, for whoever looks on."""
    if not quiet:
        sys.stderr.write(f"{line}\n")


def _place(runs: Path | None, url: str) -> tuple[Path, str]:
    folder = runs if runs is not None else Path(read_settings(None).runs)
    return folder, url or value_of(read_variables(Path()) | dict(os.environ), DATABASE_VARIABLE)


@contextmanager
def _opened(url: str, runs: Path) -> Iterator[tuple[str, Database]]:
    target = store_target(url, runs)
    try:
        with closing(target.open()) as database:
            yield target.where, database
    except StoreError as error:
        raise StoreError(f"{target.where}: {error}") from error


def _told(done: Rebuilt, where: str) -> list[str]:
    lines = [f"{where}: {done.runs} runs, {done.entries} entries of their journals"]
    lines += [f"left to the bot that is writing it: {run}" for run in done.running]
    lines += [f"not read: {trouble}" for trouble in done.damaged]
    lines += [f"no journal here, left as it was: {run}" for run in done.elsewhere]
    return lines


def _pictured(accounts: dict[str, Any]) -> Iterator[str]:
    if not accounts:
        yield "nothing was traded yet"
    for account, seen in accounts.items():
        yield f"{account} ({seen['mode']}, last run {seen['run']}): {seen['orders']} orders, {seen['fills']} fills"
        if seen["equity"] is not None:
            at = datetime.fromtimestamp(seen["equity"]["at"] / SECOND_US, tz=UTC)
            yield f"equity {seen['equity']['equity']} USDC at {at:%Y-%m-%d %H:%M:%S} UTC"
        rows = [
            (symbol, one["size"], one["entry_price"], one["protection"], one["stop_price"] or "", one["foreign_size"])
            for symbol, one in seen["positions"].items()
        ]
        if rows:
            yield text_table(
                ("symbol", "size", "entry", "protection", "stop", "foreign"), rows, right=frozenset({1, 2, 4, 5})
            )
        else:
            yield "flat"
