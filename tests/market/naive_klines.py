"""The plain twin of `KlineBuilder`: all trades at hand, sorted by id, every kline from scratch."""

from __future__ import annotations

from collections.abc import Iterable

from flashscalper.model.instants import MINUTE_US, interval_us
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import Side


def naive_klines(trades: Iterable[Trade], interval: str, until: int) -> list[Kline]:
    """Klines from the first trade's to the last that ends by `until`, quiet ones flat."""
    length = interval_us(interval)
    known = {trade.id: trade for trade in trades}
    ordered = [known[number] for number in sorted(known)]
    klines: list[Kline] = []
    open_at = min(trade.traded_at for trade in ordered) // length * length
    while open_at + length <= until:
        inside = [trade for trade in ordered if open_at <= trade.traded_at < open_at + length]
        before = klines[-1].close if klines else 0.0
        klines.append(_one(inside, interval, open_at, length, before))
        open_at += length
    return klines


def _one(trades: list[Trade], interval: str, open_at: int, length: int, before: float) -> Kline:
    prices = [trade.price for trade in trades] or [before]
    sums = [0.0, 0.0, 0.0, 0.0]
    step = min(length, MINUTE_US)  # up to a minute trades are summed, beyond it minutes
    for begin in range(open_at, open_at + length, step):
        part = [0.0, 0.0, 0.0, 0.0]
        for trade in trades:
            if begin <= trade.traded_at < begin + step:
                numbers = (trade.size, trade.price * trade.size)
                part[:2] = [total + number for total, number in zip(part[:2], numbers, strict=True)]
                if trade.side is Side.BUY:
                    part[2:] = [total + number for total, number in zip(part[2:], numbers, strict=True)]
        sums = [total + number for total, number in zip(sums, part, strict=True)] if length > step else part
    return Kline(
        "ETHUSDT",
        interval,
        open_at,
        open_at + length,
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        sums[0],
        sums[1],
        len(trades),
        sums[2],
        sums[3],
    )
