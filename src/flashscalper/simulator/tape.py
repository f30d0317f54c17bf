"""What a market printed: public trades for paging, and one-minute klines from which every REST resolution is composed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import DAY_US, INTERVALS_US, MINUTE_US
from flashscalper.model.klines import Kline
from flashscalper.model.orders import Side
from flashscalper.simulator.facts import PublicTrade

REST_INTERVALS: Final = ("1m", "3m", "5m", "15m", "30m", "1h")
"""The resolutions 1, 3, 5, 15, 30 and 60 of `/markets/klines`."""
PRICE_KINDS: Final = ("last", "mark", "underlying")
_DAY_MINUTES: Final = DAY_US // MINUTE_US


class Minute:
    """One minute's sums, in order of arrival."""

    __slots__ = ("close", "count", "high", "low", "open", "open_at", "quote", "taker_buy", "taker_buy_quote", "volume")

    def __init__(self, open_at: int, price: float) -> None:
        self.open_at = open_at
        self.open = self.high = self.low = self.close = price
        self.volume = self.quote = self.taker_buy = self.taker_buy_quote = 0.0
        self.count = 0

    @classmethod
    def of(cls, kline: Kline, *, with_volume: bool) -> Minute:
        """A minute of history."""
        minute = cls(kline.open_at, kline.open)
        minute.high, minute.low, minute.close = kline.high, kline.low, kline.close
        if with_volume:
            minute.volume, minute.quote, minute.count = kline.volume, kline.quote_volume, kline.trade_count
            minute.taker_buy, minute.taker_buy_quote = kline.taker_buy_volume, kline.taker_buy_quote_volume
        return minute

    def see(self, price: float) -> None:
        """The price went here."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price

    def merge(self, later: Minute) -> None:
        """Add a later minute of the same kline."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.quote += later.quote
        self.count += later.count
        self.taker_buy += later.taker_buy
        self.taker_buy_quote += later.taker_buy_quote


class MinuteSeries:
    """The minutes of one price kind, oldest first; minutes without a print are filled flat when read."""

    def __init__(self, kept: int) -> None:
        self.minutes: deque[Minute] = deque(maxlen=kept)

    def at(self, instant: int, price: float) -> Minute:
        """The minute of `instant`, begun at `price` if it is new; an instant before the newest minute counts for it."""
        open_at = instant - instant % MINUTE_US
        if not self.minutes or self.minutes[-1].open_at < open_at:
            self.minutes.append(Minute(open_at, price))
        return self.minutes[-1]

    def compose(self, symbol: str, interval: str, start_at: int, end_at: int, now: int) -> list[Kline]:
        """Klines of `interval` that open in [start_at, end_at] and not after `now`."""
        length = INTERVALS_US[interval]
        rows: list[Minute] = []
        for minute in self.minutes:
            open_at = minute.open_at - minute.open_at % length
            while rows and rows[-1].open_at + length < open_at:
                rows.append(Minute(rows[-1].open_at + length, rows[-1].close))
            if not rows or rows[-1].open_at < open_at:
                rows.append(Minute(open_at, minute.open))
            rows[-1].merge(minute)
        while rows and rows[-1].open_at + length <= min(now, end_at):
            rows.append(Minute(rows[-1].open_at + length, rows[-1].close))
        return [_kline(symbol, interval, length, row, now) for row in rows if start_at <= row.open_at <= end_at]


def _kline(symbol: str, interval: str, length: int, row: Minute, now: int) -> Kline:
    return Kline(
        symbol,
        interval,
        row.open_at,
        row.open_at + length,
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        row.quote,
        row.count,
        row.taker_buy,
        row.taker_buy_quote,
        closed=row.open_at + length <= now,
    )


class Tape:
    """One market's trades and klines. Bounded: the oldest fall out."""

    def __init__(self, symbol: str, trades_kept: int, klines_kept: int) -> None:
        self._symbol = symbol
        self._trades: deque[PublicTrade] = deque(maxlen=trades_kept)
        self._series = MappingProxyType({kind: MinuteSeries(klines_kept) for kind in PRICE_KINDS})
        self._last = self._series["last"]
        self._day: tuple[int, float] = (-1, 0.0)
        self.total_quote = 0.0

    @property
    def last(self) -> PublicTrade | None:
        """The newest trade."""
        return self._trades[-1] if self._trades else None

    @property
    def last_close(self) -> float | None:
        """The newest price, history included."""
        return self._last.minutes[-1].close if self._last.minutes else None

    def seed(self, klines: Sequence[Kline]) -> None:
        """History from before the start: last prices with volume, mark and underlying without."""
        for kind, series in self._series.items():
            series.minutes.extend(Minute.of(kline, with_volume=kind == "last") for kline in klines)

    def print(self, trade: PublicTrade) -> None:
        """A trade happened."""
        self._trades.append(trade)
        price, size = float(trade.price), float(trade.size)
        minute = self._last.at(trade.traded_at, price)
        minute.see(price)
        quote = price * size
        minute.volume += size
        minute.quote += quote
        minute.count += 1
        self.total_quote += quote
        if trade.side is Side.BUY:
            minute.taker_buy += size
            minute.taker_buy_quote += quote

    def moved(self, mark: float, index: float, now: int) -> None:
        """Mark and index price moved."""
        self._series["mark"].at(now, mark).see(mark)
        self._series["underlying"].at(now, index).see(index)

    def trades(self, start_at: int | None, end_at: int | None, limit: int, before_id: int | None) -> list[PublicTrade]:
        """Trades in [start_at, end_at] with an id below `before_id`, newest first, at most `limit`."""
        found: list[PublicTrade] = []
        for trade in reversed(self._trades):
            if len(found) >= limit or (start_at is not None and trade.traded_at < start_at):
                break
            if (end_at is None or trade.traded_at <= end_at) and (before_id is None or trade.id < before_id):
                found.append(trade)
        return found

    def klines(self, interval: str, start_at: int, end_at: int, kind: str, now: int) -> list[Kline]:
        """See `Reads.klines`."""
        if interval not in REST_INTERVALS:
            raise ConfigError("interval", interval, ", ".join(REST_INTERVALS))
        if kind not in PRICE_KINDS:
            raise ConfigError("price kind", kind, ", ".join(PRICE_KINDS))
        return self._series[kind].compose(self._symbol, interval, start_at, end_at, now)

    def day(self, now: int) -> tuple[float, float]:
        """(quote volume, price change as a fraction) of the last 24 h in whole minutes; summed anew once a minute."""
        minutes = self._last.minutes
        if not minutes:
            return 0.0, 0.0
        first_at = now - now % MINUTE_US - DAY_US
        newest = minutes[-1]
        if self._day[0] != newest.open_at:
            window = [minutes[-n] for n in range(2, min(len(minutes), _DAY_MINUTES) + 1)]
            self._day = (newest.open_at, sum(minute.quote for minute in window if minute.open_at >= first_at))
        opened = next(minute for minute in minutes if minute.open_at >= first_at or minute is newest)
        return self._day[1] + newest.quote, newest.close / opened.open - 1.0
