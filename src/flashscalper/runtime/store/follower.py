"""The store beside a running bot: a thread that reads the bot's own journal and writes what it finds into the database.

The journal is the queue: it is on the disk anyway, has no limit of ours to overflow, and holds what must not be lost.
So the path of an order knows nothing of the database, and one that is slow, full or gone costs nothing but being behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from flashscalper.model.errors import JournalError, StoreError
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.filling import Filling, catch_up

STATES: Final = ("off", "starting", "current", "behind", "lost")
POLL_S: Final = 0.25
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
LATE_BYTES: Final = 256 * 1024
"""So much that is not written is said, even while the database answers."""
LAST_WAIT_S: Final = 3.0
"""How long the end of a run waits for what is not written yet; the next run, or a rebuild, brings in what is left."""


class StoreTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Which database. `where` is for people, without a password; `open` gives a connection or raises StoreError; `secrets`
    must not stand in any log."""

    where: str
    open: Callable[[], Database]
    secrets: tuple[str, ...] = ()


class StoreState(msgspec.Struct, frozen=True):
    """How the store is: one of STATES, why, and how far it is behind the journal: bytes, and seconds since it held all of
    it (or since the run began). `failures` counts how often the database did not do what was asked."""

    where: str
    state: str
    detail: str = ""
    behind_bytes: int = 0
    behind_s: float = 0.0
    failures: int = 0


class StoreFollower:
    """Follows one run's journal into a database, in a thread of its own, from `start` to the end of the `with` block.

    `runs` is where earlier runs are, whose rest is brought in first. Nothing that happens here reaches the bot; `seen` says
    how it is.
    """

    def __init__(self, target: StoreTarget | None, runs: Path) -> None:
        self._target = target
        self._runs = runs
        self._journal = Path()
        self._filling: Filling | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = StoreState(where="", state="off") if target is None else StoreState(target.where, "starting")
        self._whole_at = time.monotonic()
        self._said = self._seen.state
        self._said_detail = ""

    def start(self, journal: Path) -> None:
        """Begin; the journal is there."""
        self._journal = journal
        self._whole_at = time.monotonic()
        if self._target is not None:
            self._thread = threading.Thread(target=self._work, args=(self._target,), name="store", daemon=True)
            self._thread.start()

    @property
    def seen(self) -> StoreState:
        """How it is, as of now."""
        seen, left = self._seen, self._left()
        late = seen.state == "current" and left > LATE_BYTES
        behind_s = round(time.monotonic() - self._whole_at, 3) if left else 0.0
        return msgspec.structs.replace(seen, behind_bytes=left, behind_s=behind_s, state="behind" if late else seen.state)

    def news(self) -> str:
        """A sentence for people when it is not as it was at the last call; else empty."""
        seen = self.seen
        if (seen.state, seen.detail) == (self._said, self._said_detail):
            return ""
        before, self._said, self._said_detail = self._said, seen.state, seen.detail
        if seen.state == "lost":
            return f"store {seen.where} lost: {seen.detail}; trading goes on, it is brought up to date from the journal"
        if seen.state == "behind":
            return f"store {seen.where} is behind by {seen.behind_bytes} bytes of the journal" if before == "current" else ""
        if seen.detail:
            return f"store {seen.where}: not read: {seen.detail}"
        return f"store {seen.where} is up to date again" if before == "lost" else ""

    def _left(self) -> int:
        if self._target is None:
            return 0
        try:
            return self._filling.left() if self._filling is not None else self._journal.stat().st_size
        except (JournalError, OSError):
            return 0

    def __enter__(self) -> StoreFollower:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """The journal is closed: write its last entries, but do not wait for a database that does not answer."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(LAST_WAIT_S)

    def _work(self, target: StoreTarget) -> None:
        try:
            self._keep_trying(target)
        except Exception as error:
            self._tell("lost", f"a defect: {error!r}")
            raise

    def _keep_trying(self, target: StoreTarget) -> None:
        pause = FIRST_PAUSE_S
        while True:
            try:
                with closing(target.open()) as database:
                    database.prepare()
                    self._follow(database)
            except (StoreError, JournalError) as error:
                was_current = self._seen.state == "current"
                self._tell("lost", str(error))
            else:
                return
            if self._ending.is_set():
                return
            pause = FIRST_PAUSE_S if was_current else min(2 * pause, LONGEST_PAUSE_S)
            self._ending.wait(pause)

    def _follow(self, database: Database) -> None:
        troubles = catch_up(database, self._runs, self._journal)
        if self._filling is None:
            self._filling = Filling.open(self._journal)
            if self._filling is None:
                raise JournalError(f"{self._journal}: it does not say which account it belongs to")
        else:
            self._filling.go_on(database)
        while True:
            ending = self._ending.is_set()
            asked_at = time.monotonic()
            if self._filling.step(database):
                if self._seen.state != "current":
                    self._tell("behind", "")
                continue
            self._whole_at = asked_at
            self._tell("current", "; ".join(troubles))
            if ending:
                return
            self._ending.wait(POLL_S)

    def _tell(self, state: str, detail: str) -> None:
        failures = self._seen.failures + (state == "lost")
        self._seen = msgspec.structs.replace(self._seen, state=state, detail=detail, failures=failures)
