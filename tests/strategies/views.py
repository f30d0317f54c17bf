"""A market view made of given klines, for strategies under test."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from decimal import Decimal

from flashscalper.market.book import OrderBook
from flashscalper.model.events import BestQuote, MarkPrice
from flashscalper.model.instants import interval_us
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.strategies.base import PositionView

MARKET = Market(
    symbol="ETHUSDT",
    market="ETH-USD-PERP",
    base="ETH",
    price_tick=Decimal("0.01"),
    size_step=Decimal("0.001"),
    min_notional=Decimal(10),
    max_order_size=Decimal(1000),
    position_limit=Decimal(5000),
)
START = 1_700_000_000_000_000 // 3_600_000_000 * 3_600_000_000


class View:
    """Implements `MarketView` over the klines shown so far."""

    def __init__(self, market: Market = MARKET) -> None:
        self.market = market
        self.mark: MarkPrice | None = None
        self.book: OrderBook | None = None
        self.position: PositionView | None = None
        self.quote: BestQuote | None = None
        self._kept: dict[str, deque[Kline]] = {}
        self._kline: Kline | None = None

    @property
    def kline(self) -> Kline:
        """The kline shown last."""
        assert self._kline is not None
        return self._kline

    @property
    def now(self) -> int:
        """A quarter of a second after the kline's end."""
        return self.kline.close_at + 250_000

    def klines(self, interval: str) -> Sequence[Kline]:
        """Everything shown of an interval."""
        return tuple(self._kept.get(interval, ()))

    def show(self, kline: Kline) -> View:
        """Take the next closed kline, and quote two ticks around its close."""
        self._kept.setdefault(kline.interval, deque(maxlen=500)).append(kline)
        self._kline = kline
        self.quote = BestQuote(symbol=kline.symbol, bid=kline.close - 0.01, bid_size=5.0, ask=kline.close + 0.01,
        ask_size=5.0, quoted_at=kline.close_at)  # fmt: skip
        return self


def kline(
    number: int, close: float, *, before: float | None = None, volume: float = 1.0, interval: str = "1m", reach: float = 0.0
) -> Kline:
    """The kline `number` of a row, from `before` (or the same price) to `close`, `reach` beyond its body on both sides."""
    length = interval_us(interval)
    open_at = START + number * length
    first = close if before is None else before
    return Kline("ETHUSDT", interval, open_at, open_at + length, first, max(first, close) + reach, min(first,
    close) - reach, close, volume, trade_count=1)  # fmt: skip


def row(
    closes: Sequence[float], *, interval: str = "1m", volumes: Sequence[float] | None = None, reach: float = 0.0
) -> list[Kline]:
    """Klines that go from close to close."""
    befores = [closes[0], *closes[:-1]]
    return [
        kline(number, close, before=before, interval=interval, volume=volumes[number] if volumes else 1.0, reach=reach)
        for number, (before, close) in enumerate(zip(befores, closes, strict=True))
    ]


def walk(seed: int, count: int, *, start: float = 2000.0, step: float = 0.0003, interval: str = "1m") -> list[Kline]:
    """A seeded driftless random walk with ten moves per kline."""
    dice = random.Random(seed)
    made: list[Kline] = []
    price = start
    length = interval_us(interval)
    for number in range(count):
        path = [price]
        for _ in range(10):
            price = round(price * (1 + dice.gauss(0, step)), 2)
            path.append(price)
        open_at = START + number * length
        made.append(Kline("ETHUSDT", interval, open_at, open_at + length, path[0], max(path), min(path), path[-1],
                          round(dice.expovariate(0.2), 3) + 0.001, trade_count=10))  # fmt: skip
    return made
