"""The one clock of an exchange, handed in by the composition root: nobody else reads the machine's time.

Every instant is integer microseconds UTC. A clock also translates a wait back into wall seconds, because only the runtime
sleeps and it sleeps in wall time.
"""

from __future__ import annotations

import time
from math import isfinite
from typing import Protocol

from flashscalper.model.errors import ConfigError

_NS_PER_US = 1_000


class Clock(Protocol):
    """What time it is at the exchange."""

    def now(self) -> int:
        """Microseconds UTC; never less than an earlier answer."""
        ...

    def wait_s(self, until_at: int) -> float:
        """Wall seconds from now until the instant `until_at`; zero when it has passed."""
        ...


class WallClock:
    """The machine's time at construction plus monotonic time since: a stepped system clock cannot move it.

    It follows no later correction of the system clock; the exchange's offset is measured by the client anyway.
    """

    def __init__(self) -> None:
        self._origin_ns = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Microseconds UTC."""
        return (self._origin_ns + time.monotonic_ns()) // _NS_PER_US

    def wait_s(self, until_at: int) -> float:
        """Wall seconds until `until_at`."""
        return max(0.0, (until_at - self.now()) / 1e6)


class ScaledClock:
    """Starts at `start_at` and runs `speed` times as fast as the wall. Raises ConfigError unless 0 < speed < infinity."""

    def __init__(self, start_at: int, speed: float) -> None:
        if not (isfinite(speed) and speed > 0):
            raise ConfigError("speed", speed, "a number above zero")
        self._start_at = start_at
        self._speed = speed
        self._started_ns = time.monotonic_ns()

    def now(self) -> int:
        """Microseconds UTC of the scaled time."""
        return self._start_at + int((time.monotonic_ns() - self._started_ns) * self._speed) // _NS_PER_US

    def wait_s(self, until_at: int) -> float:
        """Wall seconds until the scaled time reaches `until_at`."""
        return max(0.0, (until_at - self.now()) / 1e6 / self._speed)


class VirtualClock:
    """Time that moves only when it is told to: lock-step runs and backtests."""

    def __init__(self, start_at: int) -> None:
        self._now = start_at

    def now(self) -> int:
        """Microseconds UTC, as last set."""
        return self._now

    def wait_s(self, until_at: int) -> float:  # noqa: ARG002 - the protocol's signature
        """Zero: nobody waits for virtual time, it is advanced."""
        return 0.0

    def advance_to(self, at: int) -> int:
        """Move to `at` unless that lies in the past; returns the time it is then."""
        self._now = max(self._now, at)
        return self._now
