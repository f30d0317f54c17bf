"""Closed klines from REST: 1, 3, 5, 15, 30 and 60 minutes as Paradex serves them, 2h, 4h and 1d composed of hours.

At most 1,000 klines are asked for in one call (paradex.md section 4.2). Seconds are not served: build them from trades.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.paradex import requests, responses
from flashscalper.model.errors import ConfigError, FlashScalperError
from flashscalper.model.events import KlineHistory
from flashscalper.model.instants import MINUTE_US, interval_us
from flashscalper.model.klines import Kline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flashscalper.exchanges.paradex.desk import Desk, Flow
    from flashscalper.exchanges.paradex.rest import Rest
    from flashscalper.model.commands import FetchKlines

RESOLUTIONS: Final[Mapping[str, int]] = MappingProxyType(
    {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 60, "4h": 60, "1d": 60}
)
"""Interval -> resolution in minutes that its klines are read in."""


def resolution_of(interval: str) -> int:
    """The resolution to read `interval` in. Raises ConfigError naming what Paradex serves."""
    resolution = RESOLUTIONS.get(interval)
    if resolution is None:
        raise ConfigError("interval", interval, ", ".join(RESOLUTIONS))
    return resolution


class KlineReads:
    """Runs the kline reads."""

    def __init__(self, desk: Desk, rest: Rest) -> None:
        self._desk = desk
        self._rest = rest

    def fetch(self, command: FetchKlines, now: int) -> None:
        """Read the last `count` klines closed by `until_at`; the answer is one KlineHistory.

        What cannot be read is empty and comes with a Trouble that says why.
        """
        try:
            resolution_of(command.interval)
        except ConfigError as error:
            self._give_up(command, error)
            return
        if command.symbol not in self._desk.market_of or command.count < 1:
            self._give_up(command, ConfigError("klines", (command.symbol, command.count), ", ".join(self._desk.market_of)))
            return
        self._desk.run(self._fetch(command), now)

    def _fetch(self, command: FetchKlines) -> Flow:
        length = interval_us(command.interval)
        resolution = resolution_of(command.interval)
        step = resolution * MINUTE_US
        end_at = command.until_at - command.until_at % length
        start_at = max(0, end_at - command.count * length)
        rows: dict[int, Kline] = {}
        window = requests.MAX_KLINES * step
        for begin in range(start_at, end_at, window):
            until = min(begin + window, end_at)
            call = requests.klines(self._desk.market_of[command.symbol], resolution, begin, until - 1000)
            (answer,), _ = yield [self._rest.ask(call)]
            try:
                if isinstance(answer, FlashScalperError):
                    raise answer
                for kline in responses.klines_from(answer, command.symbol, command.interval, step):
                    if begin <= kline.open_at < until and kline.open_at % step == 0:
                        rows[kline.open_at] = kline
            except FlashScalperError as error:
                self._give_up(command, error)
                return
        parts = [rows[open_at] for open_at in sorted(rows)]
        klines = tuple(parts) if step == length else compose(parts, command.interval, length // step)
        self._desk.events.append(KlineHistory(command.symbol, command.interval, klines))

    def _give_up(self, command: FetchKlines, error: FlashScalperError) -> None:
        self._desk.trouble("klines", f"{command.symbol} {command.interval}: {error}")
        self._desk.events.append(KlineHistory(command.symbol, command.interval, ()))


def compose(parts: Sequence[Kline], interval: str, per_kline: int) -> tuple[Kline, ...]:
    """Shorter klines, oldest first, as klines of `interval`; one of which parts are missing is not `complete`."""
    length = interval_us(interval)
    groups: dict[int, list[Kline]] = {}
    for part in parts:
        groups.setdefault(part.open_at - part.open_at % length, []).append(part)
    return tuple(_composed(group, interval, open_at, length, per_kline) for open_at, group in sorted(groups.items()))


def _composed(group: list[Kline], interval: str, open_at: int, length: int, per_kline: int) -> Kline:
    return Kline(
        symbol=group[0].symbol,
        interval=interval,
        open_at=open_at,
        close_at=open_at + length,
        open=group[0].open,
        high=max(part.high for part in group),
        low=min(part.low for part in group),
        close=group[-1].close,
        volume=sum(part.volume for part in group),
        complete=len(group) == per_kline,
    )
