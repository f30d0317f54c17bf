"""Closed klines of one interval, packed: 90 bytes each instead of the 420 that a value with its numbers takes."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from flashscalper.model.klines import Kline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROW: Final = Struct(
    "<2q6dq2d??"
)  # open_at, close_at, OHLC, volume, quote volume, count, taker buy volumes, closed, complete
_SIZE: Final = _ROW.size


class KlineStore:
    """The newest `limit` klines of one symbol and interval, oldest first; older ones fall out. Equal values come out as went
    in, bit for bit, but a new object each time. Klines must be of this symbol and interval: the caller has checked."""

    __slots__ = ("_first", "_interval", "_rows", "_symbol", "limit")

    def __init__(self, symbol: str, interval: str, limit: int) -> None:
        self.limit = limit
        self._symbol = symbol
        self._interval = interval
        self._rows = bytearray()
        self._first = 0

    def __len__(self) -> int:
        return len(self._rows) // _SIZE

    def __iter__(self) -> Iterator[Kline]:
        cut, symbol, interval = self._first * _SIZE, self._symbol, self._interval
        rows = bytes(self._rows)  # a copy, so that what is appended meanwhile does not disturb
        for part in (rows[cut:], rows[:cut]):
            for row in _ROW.iter_unpack(part):
                yield Kline(symbol, interval, *row)

    def __getitem__(self, index: int) -> Kline:
        return Kline(self._symbol, self._interval, *_ROW.unpack_from(self._rows, self._place(index)))

    def __setitem__(self, index: int, kline: Kline) -> None:
        self._write(self._place(index), kline)

    def open_at(self, index: int) -> int:
        """Where the kline at `index` begins, without making it."""
        at: int = int.from_bytes(self._rows[(place := self._place(index)) : place + 8], "little", signed=True)
        return at

    def append(self, kline: Kline) -> None:
        """Take the next kline; the oldest falls out once there are `limit`."""
        if len(self) < self.limit:
            self._rows += bytes(_SIZE)
            self._write(len(self._rows) - _SIZE, kline)
            return
        self._write(self._first * _SIZE, kline)
        self._first = (self._first + 1) % self.limit

    def replace(self, klines: Iterable[Kline]) -> None:
        """Forget everything and take these, oldest first."""
        self._rows.clear()
        self._first = 0
        for kline in klines:
            self.append(kline)

    def _place(self, index: int) -> int:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        return (index + self._first) % count * _SIZE

    def _write(self, place: int, kline: Kline) -> None:
        _ROW.pack_into(
            self._rows, place, kline.open_at, kline.close_at, kline.open, kline.high, kline.low, kline.close, kline.volume,
            kline.quote_volume, kline.trade_count, kline.taker_buy_volume, kline.taker_buy_quote_volume, kline.closed,
            kline.complete,
        )  # fmt: skip
