"""Which database the store is in: PostgreSQL where `DATABASE_URL` says so, else one SQLite file beside the runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flashscalper.model.secrets import Secret
from flashscalper.runtime.store.follower import StoreTarget
from flashscalper.runtime.store.postgres import PostgresDatabase, read_address
from flashscalper.runtime.store.sqlite import FILE, SqliteDatabase

_SHORTEST: Final = 4
"""A password shorter than this is not blotted out of logs: half of every line would go with it."""


def store_target(url: str, runs: Path) -> StoreTarget:
    """`url` empty takes the file. Raises ConfigError for an address that is none; nothing is connected yet."""
    if not url:
        path = runs / FILE
        return StoreTarget(where=str(path), open=lambda: SqliteDatabase(path))
    parameters = read_address(Secret(url))
    place = ":".join(part for part in (parameters.get("host", ""), parameters.get("port", "")) if part)
    password = parameters.get("password", "")
    return StoreTarget(
        where=f"PostgreSQL {parameters.get('dbname', '')} at {place or 'this machine'}",
        open=lambda: PostgresDatabase(parameters),
        secrets=(url, password) if len(password) >= _SHORTEST else (url,),
    )
