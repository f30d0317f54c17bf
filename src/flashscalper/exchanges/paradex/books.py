"""Which book changes may pass: nothing before a snapshot, nothing that goes back in sequence.

Paradex does not promise that `seq_no` is contiguous (paradex.md section 5.6), so a gap is no alarm; a number that goes
backwards is, and so is a snapshot whose sides cross. The engine keeps the book itself; here is only the door.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flashscalper.model.events import BookChange


class BookVerdict(StrEnum):
    """What to do with a change."""

    TAKE = "take"
    DROP = "drop"
    RESYNC = "resync"


class BookDoor:
    """The door of one market's book."""

    __slots__ = ("_last_seq", "_waiting")

    def __init__(self) -> None:
        self._waiting = True
        self._last_seq = -1

    @property
    def waiting(self) -> bool:
        """Whether the next thing to pass must be a snapshot."""
        return self._waiting

    def reset(self) -> None:
        """Forget the past: a new subscription starts with a snapshot."""
        self._waiting = True
        self._last_seq = -1

    def judge(self, change: BookChange) -> BookVerdict:
        """Let `change` pass, drop it (nothing lost), or ask for a new subscription (the book is damaged)."""
        if change.snapshot:
            return self._judge_snapshot(change)
        if self._waiting or change.seq_no == self._last_seq:
            return BookVerdict.DROP
        if change.seq_no < self._last_seq:
            return BookVerdict.RESYNC
        self._last_seq = change.seq_no
        return BookVerdict.TAKE

    def _judge_snapshot(self, change: BookChange) -> BookVerdict:
        if not self._waiting and change.seq_no < self._last_seq:
            return BookVerdict.RESYNC
        if change.bids and change.asks and max(change.bids)[0] >= min(change.asks)[0]:
            return BookVerdict.RESYNC
        self._waiting = False
        self._last_seq = change.seq_no
        return BookVerdict.TAKE
