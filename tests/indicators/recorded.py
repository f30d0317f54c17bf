"""The recorded minute klines of BTC, as klines and as the arrays that TA-Lib takes."""

from __future__ import annotations

import csv
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flashscalper.model.instants import MINUTE_US
from flashscalper.model.klines import Kline
from tests.shared import shared_data

FIRST_OPEN_AT = 1_640_991_660_000_000


@cache
def btc_klines() -> tuple[Kline, ...]:
    """45,031 contiguous minutes from 2021-12-31 23:01 UTC."""
    with shared_data("btc_perp_1m_2022-01.csv").open() as rows:
        return tuple(
            make_kline(number, *(float(row[name]) for name in ("open", "high", "low", "close", "volume")))
            for number, row in enumerate(csv.DictReader(rows))
        )


def make_kline(number: int, open_: float, high: float, low: float, close: float, volume: float = 1.0) -> Kline:
    """The `number`-th minute kline."""
    open_at = FIRST_OPEN_AT + number * MINUTE_US
    return Kline("BTCUSDT", "1m", open_at, open_at + MINUTE_US, open_, high, low, close, volume)


@cache
def btc_columns() -> dict[str, NDArray[np.float64]]:
    klines = btc_klines()
    return {
        name: np.array([getattr(kline, name) for kline in klines]) for name in ("open", "high", "low", "close", "volume")
    }
