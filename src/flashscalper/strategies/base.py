"""The interface of a strategy: a view of one market in, a signal (or nothing) out; pure.

One instance serves one market. Sizing, entry execution, protection, trailing, partial profit and time exits belong to
`trading`, so every strategy gets them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from flashscalper.market.book import OrderBook
from flashscalper.model.events import BestQuote, MarkPrice
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's opinion at a closed kline.

    `confidence` is 0 to 100. `reasons` are short sentences for people. `entry` is the price at which an entry rests, if not
    at the touch (a level to wait at; one that takes at once takes no worse). `stop` and `target` are prices if the strategy
    has its own; otherwise the exit policy sets them. `expected_move` is a fraction of the price (0.001 = 10 bps) for the
    cost gate. `gates` are the strategy's own filters with their verdicts: a signal with a failed gate is recorded, not
    traded. `volatility` is the ATR in quote units as the strategy sees it: exits in ATR and volatility sizing use it.
    """

    direction: PositionSide
    confidence: float
    reasons: tuple[str, ...]
    score: float = 0.0
    entry: float | None = None
    stop: float | None = None
    target: float | None = None
    expected_move: float | None = None
    gates: tuple[Gate, ...] = ()
    inputs: tuple[tuple[str, float], ...] = ()
    volatility: float | None = None


class PositionView(msgspec.Struct, frozen=True):
    """Our own position as a strategy may see it; `size` is signed."""

    size: Decimal
    entry_price: Decimal
    opened_at: int


class MarketView(Protocol):
    """What a strategy may look at, of one market, at one moment. Only closed klines; never mutated by a strategy."""

    @property
    def market(self) -> Market:
        """The market's rules."""
        ...

    @property
    def now(self) -> int:
        """The moment of the event being handled, exchange clock, microseconds."""
        ...

    @property
    def kline(self) -> Kline:
        """The kline that just closed."""
        ...

    @property
    def quote(self) -> BestQuote | None:
        """Best bid and ask, None before the first."""
        ...

    @property
    def mark(self) -> MarkPrice | None:
        """Mark, index and funding, None before the first."""
        ...

    @property
    def book(self) -> OrderBook | None:
        """The book, None while it is not synchronised."""
        ...

    @property
    def position(self) -> PositionView | None:
        """Our own position, None when flat."""
        ...

    def klines(self, interval: str) -> Sequence[Kline]:
        """Closed klines kept for an interval that this strategy consumes, oldest first."""
        ...


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy saw when it gave no signal, for the nearest miss and `explain`."""

    score: float
    confidence: float
    direction: PositionSide | None = None
    reasons: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    inputs: tuple[tuple[str, float], ...] = ()


class Strategy(Protocol):
    """A trading plan for one market. `on_trade`, `on_book` and `on_fill` are optional: the engine looks for them once.

    `on_kline` is called for every closed, complete kline of every interval in `intervals`, history first (so indicators
    warm); `live` is False for history: a signal given then is ignored.
    """

    @property
    def intervals(self) -> tuple[str, ...]:
        """The kline intervals it consumes, main interval first."""
        ...

    @property
    def warmup(self) -> int:
        """Closed klines of the main interval that it needs before it can speak."""
        ...

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        """A kline closed: look and speak, or return None."""
        ...

    @property
    def judgement(self) -> Judgement | None:
        """The last look, also when no signal came of it."""
        ...
