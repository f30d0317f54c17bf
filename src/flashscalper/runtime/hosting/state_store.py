"""Where a simulated exchange keeps its state: rows in one SQLite file in a folder of its own, and the server that uses it.

Every batch of changes is one transaction, committed before anything that it led to is sent: what a client was told, is kept.
A commit survives `kill -9` of the process at any instant. After a power failure the newest commits may be missing but the
rest is whole: the write-ahead log is synced at checkpoints, not at each commit, enough for an exchange without money.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flashscalper.model.errors import ConfigError, JournalError
from flashscalper.model.events import ExchangeStatus
from flashscalper.simulator.base import ServerIncoming, ServerOutgoing
from flashscalper.simulator.facts import Refusal
from flashscalper.simulator.paradex_server.server import ParadexServer

FILE: Final = "exchange.sqlite3"
FORMAT: Final = b"flashscalper exchange state 1"
_FORMAT_KEY: Final = "format"
_FEED_KEY: Final = "feed"


class StateStore:
    """The rows of one exchange. Raises ConfigError(`state`) for a folder that cannot be used, JournalError later on.

    `feed` says which market the state belongs to: prices of one make no sense of positions in another. `reset` starts anew.
    """

    def __init__(self, folder: Path, *, feed: str, reset: bool = False) -> None:
        self._path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=0.0)
            self._open(reset=reset)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError("state", str(folder), f"a writable folder that no other simulator uses ({error})") from None
        try:
            self._claim(feed)
        except BaseException:
            self.close()
            raise

    def _open(self, *, reset: bool) -> None:
        """Take the file for this process alone; its lock goes with the process, however that ends."""
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("BEGIN EXCLUSIVE")
        if reset:
            self._db.execute("DROP TABLE IF EXISTS rows")
        self._db.execute("CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        self._db.execute("COMMIT")

    def _claim(self, feed: str) -> None:
        """The file is ours to use: of this format, and of this market."""
        found = self.load_all()
        if not found:
            self.commit({_FORMAT_KEY: FORMAT, _FEED_KEY: feed.encode()})
            return
        if found.get(_FORMAT_KEY) != FORMAT:
            seen = found.get(_FORMAT_KEY, b"none").decode("utf-8", "replace")
            raise ConfigError("state", f"format {seen!r}", f"{FORMAT.decode()!r}, or --reset")
        known = found.get(_FEED_KEY, b"").decode()
        if known != feed:
            raise ConfigError("state", f"a state of the feed {known!r}", f"one of {feed!r}, another folder, or --reset")

    def load_all(self) -> dict[str, bytes]:
        """Every row, those of the store itself included."""
        try:
            return dict(self._db.execute("SELECT key, value FROM rows"))
        except sqlite3.Error as error:
            raise ConfigError("state", str(self._path), f"an undamaged state, or --reset ({error})") from None

    def load(self) -> dict[str, bytes]:
        """The exchange's rows; none at its first start."""
        return {key: value for key, value in self.load_all().items() if key not in (_FORMAT_KEY, _FEED_KEY)}

    def commit(self, rows: Mapping[str, bytes]) -> None:
        """Keep these rows, all or none. Raises JournalError when they cannot be written."""
        try:
            with self._transaction():
                self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", rows.items())
        except sqlite3.Error as error:
            raise JournalError(f"the state in {self._path} cannot be written: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


class DurableServer:
    """A simulated Paradex whose every change is stored before its consequences are sent. Goes on from what the store has."""

    def __init__(self, server: ParadexServer, store: StateStore) -> None:
        self._server = server
        self._store = store
        server.keep(store.load())
        self._keep()

    def receive(self, message: ServerIncoming, now: int) -> None:
        """Take one thing from a client, or the deadline."""
        self._server.receive(message, now)
        self._keep()

    def feed(self, event: object, now: int) -> None:
        """Take one event of the market feed."""
        self._server.feed(event, now)
        self._keep()

    def outgoing(self) -> Sequence[ServerOutgoing]:
        """Everything to be sent now, in order; what led to it is stored."""
        return self._server.outgoing()

    def next_deadline(self) -> int | None:
        """When the server wants `ServerTimerDue` next."""
        return self._server.next_deadline()

    def set_status(self, status: ExchangeStatus, now: int) -> None:
        """Change the system mode."""
        self._server.set_status(status, now)
        self._keep()

    def bust(self, fill_id: str, now: int) -> Refusal | None:
        """Take a fill back, the newest if `fill_id` is empty."""
        refusal = self._server.bust(fill_id, now)
        self._keep()
        return refusal

    def expire_tokens(self, now: int) -> None:
        """Every session token issued so far is over."""
        self._server.expire_tokens(now)
        self._keep()

    def _keep(self) -> None:
        rows = self._server.unsaved()
        if rows:
            self._store.commit(rows)
