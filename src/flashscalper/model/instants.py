"""Time as numbers: instants are integer microseconds UTC (`..._at`), intervals have names."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MILLISECOND_US: Final = 1_000
SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US

INTERVALS_US: Final[Mapping[str, int]] = MappingProxyType(
    {
        "1s": SECOND_US,
        "5s": 5 * SECOND_US,
        "15s": 15 * SECOND_US,
        "1m": MINUTE_US,
        "3m": 3 * MINUTE_US,
        "5m": 5 * MINUTE_US,
        "15m": 15 * MINUTE_US,
        "30m": 30 * MINUTE_US,
        "1h": HOUR_US,
        "2h": 2 * HOUR_US,
        "4h": 4 * HOUR_US,
        "1d": DAY_US,
    }
)
"""Every kline interval and its length in microseconds, shortest first."""


def interval_us(interval: str) -> int:
    """Length of a named interval in microseconds; an unknown name is a ConfigError, never a default."""
    length = INTERVALS_US.get(interval)
    if length is None:
        raise ConfigError("interval", interval, ", ".join(INTERVALS_US))
    return length
