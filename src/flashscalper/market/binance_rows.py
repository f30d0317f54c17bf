"""Klines as Binance writes them: the 12-field row that charts and other tools read."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from flashscalper.model.amounts import plain
from flashscalper.model.instants import MILLISECOND_US

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline


def to_binance(kline: Kline) -> list[int | str]:
    """One row: open time, open, high, low, close, volume, close time, quote volume, trade count, taker buy volume, taker
    buy quote volume, "0".

    Times are milliseconds, close time is the interval's last millisecond; prices and volumes are decimal text without
    exponent. Source: Binance futures API, Kline/Candlestick Data; the last field has no meaning there either.
    """
    return [
        kline.open_at // MILLISECOND_US,
        _text(kline.open),
        _text(kline.high),
        _text(kline.low),
        _text(kline.close),
        _text(kline.volume),
        kline.close_at // MILLISECOND_US - 1,
        _text(kline.quote_volume),
        kline.trade_count,
        _text(kline.taker_buy_volume),
        _text(kline.taker_buy_quote_volume),
        "0",
    ]


def _text(number: float) -> str:
    return plain(Decimal(repr(number)))
