"""Client order ids: `fs-<run>-<counter>`, never random, never reused, not even after a crash.

`run` is the run's start second in base 36, `counter` counts orders of the run. The last id of the journal is handed in at
start, so a run that begins in the same second (or with a clock set back) continues the older run's counter.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "fs-"
LONGEST: Final = 36
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def is_ours(client_id: str) -> bool:
    """Whether an order or fill with this client id was sent by FlashScalper (any run)."""
    return client_id.startswith(PREFIX)


def parse_client_id(client_id: str) -> tuple[int, int] | None:
    """(start second of the run, counter) of one of our ids; None for anybody else's."""
    parts = client_id.split("-")
    if len(parts) != 3 or not is_ours(client_id) or not parts[1].isalnum() or not parts[2].isdecimal():
        return None
    try:
        return int(parts[1], 36), int(parts[2])
    except ValueError:
        return None


class ClientIds:
    """Hands out the ids of one run. `started_at` in microseconds UTC; `last` is the last id handed out, ever."""

    def __init__(self, started_at: int, last: str = "") -> None:
        self._run = started_at // 1_000_000
        self._counter = 0
        self.last = last
        self.resume_after(last)

    def resume_after(self, last: str) -> None:
        """Never hand out `last` or anything before it. Ids of other people and the empty text are no information."""
        parsed = parse_client_id(last)
        if parsed is not None and parsed > (self._run, self._counter):
            self._run, self._counter = parsed
            self.last = last

    def next_id(self) -> str:
        """The next id, at most 36 characters."""
        self._counter += 1
        client_id = f"{PREFIX}{_base36(self._run)}-{self._counter}"
        if len(client_id) > LONGEST:
            raise OverflowError(f"client id {client_id!r} is longer than {LONGEST} characters")
        self.last = client_id
        return client_id


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"
