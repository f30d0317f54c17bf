"""One kline under construction: what trades, late trades and shorter klines do to its numbers."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from flashscalper.model.klines import Kline
from flashscalper.model.orders import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flashscalper.model.klines import Trade

_BUY: Final = Side.BUY


class Accumulator:
    """Numbers of one interval `[open_at, close_at)`. Sums run in the order of the calls, which is trade-id order.

    `first_id` and `last_id` are the trades that set open and close, so that a late trade knows whether it does.
    """

    __slots__ = (
        "close",
        "close_at",
        "first_id",
        "high",
        "last_id",
        "low",
        "open",
        "open_at",
        "quote_volume",
        "taker_buy_quote_volume",
        "taker_buy_volume",
        "trade_count",
        "volume",
    )

    def __init__(self, open_at: int, close_at: int) -> None:
        self.open_at = open_at
        self.close_at = close_at
        self.open = self.close = 0.0
        self.high = -inf
        self.low = inf
        self.volume = 0.0
        self.quote_volume = 0.0
        self.trade_count = 0
        self.taker_buy_volume = 0.0
        self.taker_buy_quote_volume = 0.0
        self.first_id: float = inf
        self.last_id: float = -inf

    def copy(self) -> Accumulator:
        """The same numbers, to go on without touching these."""
        other = Accumulator(self.open_at, self.close_at)
        other.add_part(self)
        return other

    @classmethod
    def reopened(cls, kline: Kline, ends: tuple[float, float] | None) -> Accumulator:
        """Go on from a closed kline. `ends` are the ids of its first and last trade; when they are forgotten (None),
        open and close stay, unless it was flat."""
        part = cls(kline.open_at, kline.close_at)
        if kline.trade_count or kline.volume:
            part.open, part.high, part.low, part.close = kline.open, kline.high, kline.low, kline.close
            part.volume, part.quote_volume, part.trade_count = kline.volume, kline.quote_volume, kline.trade_count
            part.taker_buy_volume, part.taker_buy_quote_volume = kline.taker_buy_volume, kline.taker_buy_quote_volume
            part.first_id, part.last_id = ends or (-inf, inf)
        return part

    def add(self, trades: Sequence[Trade]) -> None:
        """Trades of this interval, in id order, all newer than those before."""
        first = trades[0]
        if not self.trade_count:
            self.open = self.high = self.low = first.price
            self.first_id = first.id
        high, low = self.high, self.low
        volume, quote_volume = self.volume, self.quote_volume
        buy_volume, buy_quote_volume = self.taker_buy_volume, self.taker_buy_quote_volume
        price = first.price
        buy = _BUY
        for trade in trades:
            price = trade.price
            size = trade.size
            quote = price * size
            if price > high:
                high = price
            elif price < low:
                low = price
            volume += size
            quote_volume += quote
            if trade.side is buy:
                buy_volume += size
                buy_quote_volume += quote
        self.high, self.low, self.close = high, low, price
        self.volume, self.quote_volume = volume, quote_volume
        self.taker_buy_volume, self.taker_buy_quote_volume = buy_volume, buy_quote_volume
        self.trade_count += len(trades)
        self.last_id = trades[-1].id

    def add_late(self, trade: Trade) -> None:
        """A trade whose place in id order has passed: sums take it last, open and close only if its id says so."""
        price, size = trade.price, trade.size
        if trade.id < self.first_id:
            self.open, self.first_id = price, trade.id
        if trade.id > self.last_id:
            self.close, self.last_id = price, trade.id
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.volume += size
        self.quote_volume += price * size
        self.trade_count += 1
        if trade.side is _BUY:
            self.taker_buy_volume += size
            self.taker_buy_quote_volume += price * size

    def add_part(self, part: Accumulator) -> None:
        """The numbers of a shorter kline inside this interval, after those before."""
        if part.first_id < self.first_id:
            self.open, self.first_id = part.open, part.first_id
        if part.last_id > self.last_id:
            self.close, self.last_id = part.close, part.last_id
        self.high = max(self.high, part.high)
        self.low = min(self.low, part.low)
        self.volume += part.volume
        self.quote_volume += part.quote_volume
        self.trade_count += part.trade_count
        self.taker_buy_volume += part.taker_buy_volume
        self.taker_buy_quote_volume += part.taker_buy_quote_volume

    def kline(self, symbol: str, interval: str, *, closed: bool, complete: bool, flat_at: float) -> Kline:
        """The numbers as a value; without any trade it is flat at `flat_at`, the close before."""
        if self.last_id == -inf:
            return flat_kline(symbol, interval, self.open_at, self.close_at, flat_at, closed=closed, complete=complete)
        return Kline(
            symbol,
            interval,
            self.open_at,
            self.close_at,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.quote_volume,
            self.trade_count,
            self.taker_buy_volume,
            self.taker_buy_quote_volume,
            closed,
            complete,
        )


def flat_kline(
    symbol: str, interval: str, open_at: int, close_at: int, price: float, *, closed: bool, complete: bool
) -> Kline:
    """A kline without trades, at the price where the one before ended."""
    return Kline(symbol, interval, open_at, close_at, price, price, price, price, 0.0, closed=closed, complete=complete)
