"""Deadlines of a sans-IO machine: call me at this instant, unless I take it back."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

AlarmCall = Callable[[int], None]


class Alarm:
    """One deadline; `cancel()` takes it back."""

    __slots__ = ("call", "due_at")

    def __init__(self, due_at: int, call: AlarmCall) -> None:
        self.due_at = due_at
        self.call: AlarmCall | None = call

    def cancel(self) -> None:
        """Forget it; cancelling twice, or after it rang, does nothing."""
        self.call = None


class Alarms:
    """A heap of deadlines, in order of instant, then of being set (so that runs repeat exactly)."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Alarm]] = []
        self._count = 0

    def at(self, due_at: int, call: AlarmCall) -> Alarm:
        """Call `call(now)` once when `due_at` has come."""
        alarm = Alarm(due_at, call)
        self._count += 1
        heappush(self._heap, (due_at, self._count, alarm))
        return alarm

    def next_at(self) -> int | None:
        """The earliest deadline that still stands."""
        heap = self._heap
        while heap and heap[0][2].call is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def ring(self, now: int) -> None:
        """Call everything that is due, earliest first; what they set for `now` or before rings too."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            alarm = heappop(heap)[2]
            call, alarm.call = alarm.call, None
            if call is not None:
                call(now)

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
