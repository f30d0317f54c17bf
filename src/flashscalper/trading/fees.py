"""What our next order pays: the class that it will get, and what the account and the fills say of that class's fees.

Paradex has two classes (6.6 of the protocol page). Retail orders carry an interactive token and are limited to 3 a second,
30 a minute, 300 an hour and 1,000 a day; one beyond that counts as Pro and pays Pro's fees. The class of a run is its
trader's choice; the class of an order is what the exchange makes of it, and the fills say which it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from flashscalper.model.events import FeeClass
from flashscalper.model.fills import Fill, Liquidity
from flashscalper.model.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from flashscalper.model.markets import Market

RETAIL_LIMITS: Final = ((3, SECOND_US), (30, MINUTE_US), (300, HOUR_US), (1_000, DAY_US))
"""Orders that count as Retail within each window (orders, microseconds)."""
ORDERS_OF_A_TRIP: Final = 4
"""Entry, top-up, stop, exit: what must still fit into minute, hour and day, or the way out would pay Pro's fee."""
ORDERS_AT_ONCE: Final = 2
"""An entry and its stop: what leaves within the same second when the entry fills at once."""
SPEED_BUMP_S: Final = 0.3
"""How long a Retail order waits at the exchange before it may take."""
RETAIL_ORDERS_KEPT: Final = max(limit for limit, _ in RETAIL_LIMITS)
_INTERACTIVE: Final = "interactive"


class Fees(NamedTuple):
    """Fractions of the notional; positive is paid."""

    maker: Decimal
    taker: Decimal


class MarketFees:
    """The fees of both classes in one market: the exchange's list until the account or a fill says otherwise."""

    def __init__(self, market: Market) -> None:
        self._listed: dict[FeeClass, Fees] = {}
        self._learned: dict[FeeClass, Fees] = {}
        self.list_of(market)

    def list_of(self, market: Market) -> None:
        """The exchange's own list, read at start and when it changes."""
        self._listed = {
            FeeClass.PRO: Fees(market.maker_fee, market.taker_fee),
            FeeClass.RETAIL: Fees(market.retail_maker_fee, market.retail_taker_fee),
        }

    def of(self, fee_class: FeeClass) -> Fees:
        """What an order of this class pays."""
        return self._learned.get(fee_class) or self._listed[fee_class]

    def learn(self, fee_class: FeeClass, fees: Fees) -> bool:
        """The account says what it pays; whether that is news."""
        news = self.of(fee_class) != fees
        self._learned[fee_class] = fees
        return news

    def learn_from(self, fill: Fill, fee_class: FeeClass, tolerance: float) -> bool:
        """A fill paid more than its class should: so does the next order. Less may be a discount of that fill alone."""
        known = self.of(fee_class)
        paid = fill.fee / (fill.price * fill.size)
        expected = known.maker if fill.liquidity is Liquidity.MAKER else known.taker
        if paid <= expected + abs(expected) * Decimal(repr(tolerance)) + Decimal("1e-8") / (fill.price * fill.size):
            return False
        maker = fill.liquidity is Liquidity.MAKER
        return self.learn(fee_class, Fees(paid if maker else known.maker, known.taker if maker else paid))


def class_of(fill: Fill, chosen: FeeClass | None) -> FeeClass:
    """The class that a fill's order had: in a Retail run its flag says so, otherwise there is only Pro."""
    return FeeClass.RETAIL if chosen is FeeClass.RETAIL and _INTERACTIVE in fill.flags else FeeClass.PRO


def class_is_known(fill: Fill, chosen: FeeClass | None) -> bool:
    """Whether it can be said what this fill should pay: a restart may recover a Retail fill before our fees are read."""
    return chosen is not None or _INTERACTIVE not in fill.flags


class RetailBudget:
    """Our orders of the last day, and whether the next one still counts as Retail. Windows roll: the strictest reading."""

    def __init__(self, sent: Iterable[int] = ()) -> None:
        self._sent: deque[int] = deque(sent, maxlen=RETAIL_ORDERS_KEPT)

    def on_sent(self, now: int) -> None:
        """One more order left."""
        self._sent.append(now)

    def left(self, now: int) -> tuple[int, ...]:
        """Orders left in the second, the minute, the hour and the day."""
        return tuple(limit - self._within(window, limit, now) for limit, window in RETAIL_LIMITS)

    def has_room(self, now: int, *, entries: int = 0, positions: int = 0) -> bool:
        """Whether the next order, its stop and what closes its position later still count as Retail. `entries` in flight
        need a stop in this second, and all of their trip but the entry; open `positions` still need their exit."""
        second, *longer = self.left(now)
        owed = (ORDERS_OF_A_TRIP - 1) * entries + positions
        return second >= ORDERS_AT_ONCE + entries and min(longer) >= ORDERS_OF_A_TRIP + owed

    def _within(self, window: int, limit: int, now: int) -> int:
        count = 0
        for at in reversed(self._sent):
            if at <= now - window or count == limit:
                break
            count += 1
        return count
