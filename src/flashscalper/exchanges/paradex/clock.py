"""The exchange's clock against ours: offset by the midpoint of request and answer, median of the last five.

Source: `GET /system/time` (paradex.md section 4.2), whole milliseconds, so half a millisecond is added on average.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.paradex import requests, responses
from flashscalper.model.errors import FlashScalperError, ProtocolError
from flashscalper.model.events import ClockMeasured

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.desk import Desk, Flow
    from flashscalper.exchanges.paradex.rest import Rest

SAMPLES: Final = 5
_HALF_MS: Final = 500


class ExchangeClock:
    """Measures and applies the offset; before the first measurement it is zero."""

    def __init__(self, desk: Desk, rest: Rest) -> None:
        self._desk = desk
        self._rest = rest
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)
        self.offset_us = 0
        self.uncertainty_us = 0

    def exchange_now(self, now: int) -> int:
        """`now` on the exchange's clock, microseconds."""
        return now + self.offset_us

    @property
    def measured(self) -> bool:
        """Whether the exchange has ever said what time it is."""
        return bool(self._samples)

    def add(self, asked_at: int, answered_at: int, server_time: int) -> None:
        """Take one sample: when we asked, when the answer came, and what it said (all microseconds)."""
        half = (answered_at - asked_at) // 2
        self._samples.append((server_time + _HALF_MS - asked_at - half, half + _HALF_MS))
        ordered = sorted(self._samples)
        self.offset_us, self.uncertainty_us = ordered[len(ordered) // 2]

    def measure(self, now: int, samples: int) -> Flow:
        """Ask the time `samples` times in a row, then report; the flow ends at the first failure."""
        for _ in range(samples):
            asked_at = now
            (answer,), now = yield [self._rest.ask(requests.system_time())]
            if isinstance(answer, FlashScalperError):
                self._desk.trouble("clock", answer)
                return
            try:
                self.add(asked_at, now, responses.server_time_from(answer))
            except ProtocolError as error:
                self._desk.trouble("clock", error)
                return
        self._desk.events.append(ClockMeasured(self.offset_us, self.uncertainty_us))
