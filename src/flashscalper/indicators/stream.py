"""What the stream says between klines: spread, book imbalance, microprice, trade flow, realised volatility.

These take quotes, books or trades as they come, not klines. Smoothing is by exchange time with a half-life, so bursts weigh
no more than their seconds.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import TYPE_CHECKING, Final, Protocol

from flashscalper.indicators.base import real, whole
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import Side

if TYPE_CHECKING:
    from flashscalper.model.events import BestQuote
    from flashscalper.model.klines import Trade

_LN2: Final = log(2.0)
_DAY_S: Final = 86_400.0


class Depth(Protocol):
    """What a book must tell: `market.book.OrderBook` does."""

    @property
    def changed_at(self) -> int:
        """The exchange's instant of its last change."""
        ...

    def imbalance(self, depth: int) -> float | None:
        """(bid size - ask size) / their sum over the best levels."""
        ...


class _Decay:
    """How much of the past is left after the time since the last call; a stamp that goes back counts as no time."""

    __slots__ = ("_at", "_rate")

    def __init__(self, half_life_s: float) -> None:
        self._rate = _LN2 / (real("half_life_s", half_life_s, 0.001, _DAY_S) * SECOND_US)
        self._at: int | None = None

    def left(self, at: int) -> float:
        elapsed = 0 if self._at is None else max(0, at - self._at)
        self._at = at if self._at is None else max(self._at, at)
        return exp(-self._rate * elapsed)


class Spread:
    """Best ask less best bid as a fraction of the mid; None while a side is empty."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float | None = None

    def update(self, quote: BestQuote) -> None:
        """Take the next quote."""
        bid, ask = quote.bid, quote.ask
        self.value = None if bid is None or ask is None else 2.0 * (ask - bid) / (ask + bid)


class MicropriceLean:
    """How far the microprice stands from the mid, as a fraction of the mid: above zero the next trade is likelier higher.

    The microprice weighs each side's price by the other side's size.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float | None = None

    def update(self, quote: BestQuote) -> None:
        """Take the next quote."""
        bid, ask = quote.bid, quote.ask
        total = quote.bid_size + quote.ask_size
        if bid is None or ask is None or total <= 0.0:
            self.value = None
            return
        mid = (bid + ask) / 2.0
        self.value = ((bid * quote.ask_size + ask * quote.bid_size) / total - mid) / mid


class BookImbalance:
    """Imbalance of the best `depth` levels, -1 (all asks) to 1 (all bids), averaged with `half_life_s`."""

    __slots__ = ("_decay", "_depth", "value")

    def __init__(self, depth: int = 5, half_life_s: float = 2.0) -> None:
        self._depth = whole("depth", depth, 1, 1_000)
        self._decay = _Decay(half_life_s)
        self.value: float | None = None

    def update(self, book: Depth) -> None:
        """Look at the book after a change."""
        seen = book.imbalance(self._depth)
        if seen is None:
            return
        left = self._decay.left(book.changed_at)
        self.value = seen if self.value is None else self.value * left + seen * (1.0 - left)


class TradeFlow:
    """Who takes: (bought - sold) / both, -1 to 1, where older trades weigh half as much every `half_life_s`."""

    __slots__ = ("_bought", "_decay", "_sold", "value")

    def __init__(self, half_life_s: float = 10.0) -> None:
        self._decay = _Decay(half_life_s)
        self._bought = self._sold = 0.0
        self.value: float | None = None

    def update(self, trade: Trade) -> None:
        """Take the next trade."""
        left = self._decay.left(trade.traded_at)
        self._bought *= left
        self._sold *= left
        if trade.side is Side.BUY:
            self._bought += trade.size
        else:
            self._sold += trade.size
        total = self._bought + self._sold
        self.value = (self._bought - self._sold) / total if total > 0.0 else None


class RealisedVolatility:
    """Standard deviation of the mid's return over `horizon_s`, as a fraction, from its moves with weight by `half_life_s`.

    The mid is taken, not trades: trades bounce between bid and ask, which is not volatility.
    """

    __slots__ = ("_at", "_decay", "_horizon", "_mid", "_squares", "_time", "value")

    def __init__(self, half_life_s: float = 60.0, horizon_s: float = 60.0) -> None:
        self._decay = _Decay(half_life_s)
        self._horizon = real("horizon_s", horizon_s, 0.001, _DAY_S)
        self._mid: float | None = None
        self._at = 0
        self._squares = self._time = 0.0
        self.value: float | None = None

    def update(self, quote: BestQuote) -> None:
        """Take the next quote."""
        if quote.bid is None or quote.ask is None or quote.quoted_at < self._at:
            return
        mid = (quote.bid + quote.ask) / 2.0
        left = self._decay.left(quote.quoted_at)
        if self._mid is not None:
            move = log(mid / self._mid)
            self._squares = self._squares * left + move * move
            self._time = self._time * left + (quote.quoted_at - self._at) / SECOND_US
            if self._time > 0.0:
                self.value = sqrt(self._squares / self._time * self._horizon)
        self._mid, self._at = mid, quote.quoted_at
