"""What a simulated process remembers: a real journal that can die at any write, and no tape."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from flashscalper.model.commands import ArmOrder, CancelOrder, ModifyOrder, PlaceOrder
from flashscalper.runtime.framing import Metadata
from flashscalper.runtime.journal import Content, Journal

Fate = Callable[[int], str]
"""What happens at a journal write, by its number over all lives: "" (nothing), "before", "torn" or "after"."""


def no_fate(write: int) -> str:
    """Every write succeeds."""
    return ""


class CrashError(BaseException):
    """The process dies here. No handler of the process may survive it."""


class TornJournal(Journal):
    """A journal on memory files. `durable` sync is left out; instead it is known what would have been on the disk."""

    def __init__(self, path: Path, metadata: Metadata, fate: Callable[[], str]) -> None:
        self.held: set[tuple[str, str]] = set()
        self._written: set[tuple[str, str]] = set()
        self._fate = fate
        super().__init__(path, metadata, durable=False)
        self._synced_size = path.stat().st_size

    def append(self, at: int, batch: Sequence[Content]) -> None:
        """Write, unless the process dies before, within or after it."""
        if not batch:
            return
        fate = self._fate()
        if fate == "before":
            raise CrashError
        before = self._path.stat().st_size if fate == "torn" else 0
        super().append(at, batch)
        for content in batch:
            if isinstance(content, PlaceOrder | ModifyOrder | CancelOrder):
                self._written.add((type(content).__name__, content.client_id))
            elif isinstance(content, ArmOrder):
                self._written.add((PlaceOrder.__name__, content.order.client_id))
        if fate == "torn":
            self._tear(before, self._path.stat().st_size)
        if fate:
            raise CrashError

    def sync(self) -> None:
        """From here on a power cut takes nothing of what was written."""
        super().sync()
        self._synced_size = os.fstat(self._fd).st_size
        self.held |= self._written
        self._written.clear()

    def die(self, lost: float) -> None:
        """The process is gone; with `lost` above zero the power is, too, and takes that share of what was not synced."""
        size = self._path.stat().st_size
        if lost and size > self._synced_size:
            os.truncate(self._path, size - int((size - self._synced_size) * lost))
        self.close()

    def _tear(self, before: int, after: int) -> None:
        os.truncate(self._path, before + (after - before) * 2 // 3)


class NoTape:
    """Writes nothing down."""

    def write(self, at: int, event: object) -> None:
        """Forget it."""
