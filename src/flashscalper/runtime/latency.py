"""Wall-clock durations of a run, kept within a limit: tick-to-order and its percentiles."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Final

KEPT: Final = 10_000
"""How many of the latest durations percentiles are taken from."""


class Durations:
    """The latest durations in nanoseconds; older ones than the latest `kept` only count."""

    def __init__(self, kept: int = KEPT) -> None:
        self._latest: deque[int] = deque(maxlen=kept)
        self._count = 0

    def add(self, nanoseconds: int) -> None:
        """Take one more."""
        self._latest.append(nanoseconds)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def percentile_ms(self, percent: float) -> float | None:
        """The nearest-rank percentile in milliseconds (0 < percent <= 100); None before the first duration."""
        if not self._latest:
            return None
        ranked = sorted(self._latest)
        return ranked[max(0, ceil(percent / 100 * len(ranked)) - 1)] / 1e6
