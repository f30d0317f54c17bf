"""Klines of many trades at once, from arrays: the bulk twin of `KlineBuilder`, equal to it bit for bit.

Sums run in the same order as there: klines up to `1m` sum trades in id order, longer ones sum minutes in time order.
`numpy.bincount` adds its weights one after the other, which `reduceat` and `sum` do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import MINUTE_US, interval_us
from flashscalper.model.klines import Kline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_SUMS: Final = ("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")


@dataclass(frozen=True)
class KlineColumns:
    """Klines of one interval as arrays of one length, contiguous in time, quiet ones flat. Instants in microseconds."""

    interval: str
    open_at: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    trade_count: Ints
    volume: Floats
    quote_volume: Floats
    taker_buy_volume: Floats
    taker_buy_quote_volume: Floats

    def klines(self, symbol: str, *, whole_since: int) -> list[Kline]:
        """The same as values, closed; those begun before `whole_since` are not complete."""
        columns = (
            self.open_at,
            self.open_at + interval_us(self.interval),
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.quote_volume,
            self.trade_count,
            self.taker_buy_volume,
            self.taker_buy_quote_volume,
            np.ones(len(self.open_at), dtype=np.bool_),
            self.open_at >= whole_since,
        )
        return [Kline(symbol, self.interval, *row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def fold_trades(
    intervals: Sequence[str], *, traded_at: Ints, prices: Floats, sizes: Floats, bought: NDArray[np.bool_]
) -> dict[str, KlineColumns]:
    """Klines of `intervals` from trades in id order, each once.

    `traded_at` are microseconds (they may go back between neighbours), `bought` tells where the taker bought. The last kline
    of each interval holds what has come of it. Raises ConfigError for an unknown interval or columns that do not fit.
    """
    count = len(traded_at)
    for name, column in (("prices", prices), ("sizes", sizes), ("bought", bought)):
        if len(column) != count:
            raise ConfigError(name, f"{len(column)} rows", f"{count} rows, as in traded_at")
    if not count:
        raise ConfigError("traded_at", "0 rows", "at least one trade")
    quotes = prices * sizes
    parts = _Parts(
        np.asarray(traded_at, dtype=np.int64),
        prices,
        prices,
        prices,
        prices,
        np.ones(count, dtype=np.int64),
        {
            "volume": sizes,
            "quote_volume": quotes,
            "taker_buy_volume": np.where(bought, sizes, 0.0),
            "taker_buy_quote_volume": np.where(bought, quotes, 0.0),
        },
    )
    lengths = {name: interval_us(name) for name in intervals}
    minutes = parts.folded(MINUTE_US) if any(length > MINUTE_US for length in lengths.values()) else parts
    return {
        name: (parts if length <= MINUTE_US else minutes).folded(length).columns(name, length)
        for name, length in lengths.items()
    }


@dataclass(frozen=True)
class _Parts:
    """Trades, or klines that had trades: rows in the order in which they are summed."""

    at: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    trade_count: Ints
    sums: Mapping[str, Floats]

    def folded(self, length: int) -> _Parts:
        """Rows of the same interval become one; intervals without rows have none."""
        slots = self.at // length
        order = None if bool(np.all(slots[1:] >= slots[:-1])) else np.argsort(slots, kind="stable")
        ordered = slots if order is None else slots[order]
        starts = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))
        ends = np.concatenate((starts[1:], [len(ordered)])) - 1
        ranks = np.empty(len(slots), dtype=np.int64)
        ranks[slice(None) if order is None else order] = np.repeat(np.arange(len(starts)), ends - starts + 1)

        def taken(column: NDArray[Any]) -> NDArray[Any]:
            return column if order is None else column[order]

        return _Parts(
            ordered[starts] * length,
            taken(self.open)[starts],
            np.maximum.reduceat(taken(self.high), starts),
            np.minimum.reduceat(taken(self.low), starts),
            taken(self.close)[ends],
            np.add.reduceat(taken(self.trade_count), starts),
            {name: np.bincount(ranks, weights=column).astype(np.float64) for name, column in self.sums.items()},
        )

    def columns(self, interval: str, length: int) -> KlineColumns:
        """All klines from the first to the last, with flat ones where there were no trades."""
        slots = (self.at - self.at[0]) // length
        count = int(slots[-1]) + 1
        before = np.searchsorted(slots, np.arange(count), side="right") - 1
        close = self.close[before]

        def spread(column: Floats) -> Floats:
            flat = close.copy()
            flat[slots] = column
            return flat

        def sparse(column: NDArray[Any]) -> NDArray[Any]:
            dense = np.zeros(count, dtype=column.dtype)
            dense[slots] = column
            return dense

        return KlineColumns(
            interval,
            self.at[0] + np.arange(count, dtype=np.int64) * length,
            spread(self.open),
            spread(self.high),
            spread(self.low),
            close,
            sparse(self.trade_count),
            *(sparse(self.sums[name]) for name in _SUMS),
        )
