"""Klines and public trades: what one only looks at, in float64."""

from __future__ import annotations

import msgspec

from flashscalper.model.orders import Side


class Trade(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="is"):
    """One public trade. `side` is the taker's; `id` orders trades of one market; `traded_at` is the exchange's instant."""

    symbol: str
    id: int
    side: Side
    price: float
    size: float
    traded_at: int


class Kline(msgspec.Struct, frozen=True, gc=False):
    """Trades of one interval `[open_at, close_at)`, instants in microseconds.

    `volume` and `taker_buy_volume` are base units, the quote volumes are price x size. `closed` klines never change for a
    strategy. `complete` is False when the stream began midway through the interval. A quiet interval is flat at the
    previous close with `trade_count` 0.
    """

    symbol: str
    interval: str
    open_at: int
    close_at: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float = 0.0
    trade_count: int = 0
    taker_buy_volume: float = 0.0
    taker_buy_quote_volume: float = 0.0
    closed: bool = True
    complete: bool = True
