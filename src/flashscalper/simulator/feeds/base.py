"""The interface of a feed: market events in time order, and what it may see of the exchange when it makes the next one.

Whoever runs the exchange asks `next_at`, waits for that moment on its own clock, pops the event and hands it to the
server. Flow of the synthetic market counts in integer ticks and lots of its market, as the matcher does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import Side


class FlowOrder(msgspec.Struct, frozen=True, gc=False):
    """A background participant's order. `tick` None is a market order; `taker` True never rests what does not trade."""

    symbol: str
    id: int
    side: Side
    tick: int | None
    lots: int
    taker: bool = False


class FlowCancel(msgspec.Struct, frozen=True, gc=False):
    """A background participant takes its order back; one that is gone already is ignored."""

    symbol: str
    id: int


class IndexMoved(msgspec.Struct, frozen=True, gc=False):
    """New index and mark price, and the open interest of the background participants (base units)."""

    symbol: str
    index: Decimal
    mark: Decimal
    open_interest: Decimal = ZERO


class FundingFixed(msgspec.Struct, frozen=True):
    """From now on the market's funding rate (per period, a fraction) is this, whatever its premium."""

    symbol: str
    rate: Decimal


class RecordedTrade(msgspec.Struct, frozen=True, gc=False):
    """A recorded public trade. `traded_at` is the exchange's own instant; it may lie before the feed's clock.

    `fills` False: it is printed but fills no order of ours, because it was read long after it happened.
    """

    symbol: str
    id: int
    side: Side
    tick: int
    lots: int
    traded_at: int
    fills: bool = True


class RecordedQuote(msgspec.Struct, frozen=True, gc=False):
    """A recorded best bid and ask; 0 lots mean an empty side. With `marks`, mark and index follow its mid."""

    symbol: str
    bid: int
    bid_lots: int
    ask: int
    ask_lots: int
    marks: bool = True


class RecordedDepth(msgspec.Struct, frozen=True, gc=False):
    """A recorded book (`snapshot`) or changed levels as (tick, lots); 0 lots delete the level."""

    symbol: str
    snapshot: bool
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


FeedEvent = FlowOrder | FlowCancel | IndexMoved | FundingFixed | RecordedTrade | RecordedQuote | RecordedDepth
"""Everything that may move a simulated market from outside."""


class ExchangeView(Protocol):
    """What background participants see of the book when they decide."""

    def touch(self, symbol: str) -> tuple[int | None, int | None]:
        """Best bid and ask in ticks."""
        ...

    def touch_lots(self, symbol: str, side: Side) -> int:
        """Lots shown at the best price of a side, 0 when it is empty."""
        ...

    def level_count(self, symbol: str, side: Side) -> int:
        """Price levels on one side of the book."""
        ...

    def crowd_order(self, symbol: str, side: Side, *, best: bool) -> int | None:
        """Id of the background order that is first in line at the best (or last at the worst) price of a side."""
        ...


class Feed(Protocol):
    """A source of market events, in time order."""

    @property
    def markets(self) -> tuple[Market, ...]:
        """The markets that it moves."""
        ...

    @property
    def recorded(self) -> frozenset[str]:
        """Symbols whose book is shown (a recording), not matched."""
        ...

    def history(self, until_at: int) -> Mapping[str, Sequence[Kline]]:
        """Closed one-minute klines per symbol before `until_at`, oldest first; 24 h, or none for a recording."""
        ...

    def next_at(self) -> int | None:
        """When the next event happens, microseconds; None after the last one."""
        ...

    def pop(self, view: ExchangeView) -> FeedEvent:
        """The event due at `next_at()`."""
        ...
