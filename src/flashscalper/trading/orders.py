"""The life of an order as a table, and the book of all orders that this bot ever sent and still may hear of.

(state, what happened) -> state. `unknown` means: the request left, the answer did not come. It counts as full exposure and
is resolved by what the exchange shows, never by sending again. Status never moves money; only unique fills do. States that
rest on our own conclusion (`dead`, `unsent`, `rejected` by an answer) can be overruled by the exchange showing the order
alive; states that the exchange itself closed (`filled`, `canceled`, `refused`) cannot: anything later is stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import ModifyOrder, PlaceOrder
from flashscalper.model.events import Verdict
from flashscalper.model.instants import HOUR_US
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.records import OrderStateChanged


class OrderState(StrEnum):
    """Where an order is in its life."""

    SENT = "sent"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    UNTRIGGERED = "untriggered"
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REFUSED = "refused"
    REJECTED = "rejected"
    UNSENT = "unsent"
    DEAD = "dead"


class Happening(StrEnum):
    """What may happen to an order."""

    ANSWERED_ACCEPTED = "answered_accepted"
    ANSWERED_REJECTED = "answered_rejected"
    ANSWERED_UNKNOWN = "answered_unknown"
    ANSWERED_UNSENT = "answered_unsent"
    ANSWER_OVERDUE = "answer_overdue"
    SHOWN_NEW = "shown_new"
    SHOWN_UNTRIGGERED = "shown_untriggered"
    SHOWN_OPEN = "shown_open"
    SHOWN_FILLED = "shown_filled"
    SHOWN_CANCELED = "shown_canceled"
    SHOWN_REFUSED = "shown_refused"
    FILLED_PART = "filled_part"
    FILLED_WHOLE = "filled_whole"
    NOT_FOUND = "not_found"


_S, _H = OrderState, Happening

LIVE: Final = frozenset({_S.SENT, _S.UNKNOWN, _S.ACCEPTED, _S.UNTRIGGERED, _S.OPEN})
"""States in which the order may still do something at the exchange."""

CONFIRMED: Final = frozenset({_S.UNTRIGGERED, _S.OPEN})
"""States in which the exchange showed the order as working after its risk checks."""

CLOSED: Final = frozenset({_S.FILLED, _S.CANCELED, _S.REFUSED})
"""States that the exchange itself declared final."""

FROM_EXCHANGE: Final = frozenset(
    {
        _H.SHOWN_NEW, _H.SHOWN_UNTRIGGERED, _H.SHOWN_OPEN, _H.SHOWN_FILLED, _H.SHOWN_CANCELED, _H.SHOWN_REFUSED,
        _H.FILLED_PART, _H.FILLED_WHOLE,
    }
)  # fmt: skip
"""Happenings that the exchange originates: any of them may come in any state."""

# One column per state, one row per happening: "in this state, it leads to that one".
_LIVE_COLUMNS: Final = (_S.SENT, _S.UNKNOWN, _S.ACCEPTED, _S.UNTRIGGERED, _S.OPEN)
_LIVE_ROWS: Final = {
    # in state                sent         unknown      accepted     untriggered  open
    _H.ANSWERED_ACCEPTED: "   accepted     accepted     accepted     untriggered  open",
    _H.ANSWERED_REJECTED: "   rejected     rejected     accepted     untriggered  open",
    _H.ANSWERED_UNKNOWN: "    unknown      unknown      accepted     untriggered  open",
    _H.ANSWERED_UNSENT: "     unsent       unknown      accepted     untriggered  open",
    _H.ANSWER_OVERDUE: "      unknown      unknown      accepted     untriggered  open",
    _H.SHOWN_NEW: "           accepted     accepted     accepted     untriggered  open",
    _H.SHOWN_UNTRIGGERED: "   untriggered  untriggered  untriggered  untriggered  open",
    _H.SHOWN_OPEN: "          open         open         open         open         open",
    _H.SHOWN_FILLED: "        filled       filled       filled       filled       filled",
    _H.SHOWN_CANCELED: "      canceled     canceled     canceled     canceled     canceled",
    _H.SHOWN_REFUSED: "       refused      refused      refused      canceled     canceled",
    _H.FILLED_PART: "         open         open         open         open         open",
    _H.FILLED_WHOLE: "        filled       filled       filled       filled       filled",
    _H.NOT_FOUND: "           unknown      dead         dead         dead         dead",
}  # fmt: skip
_ENDED_COLUMNS: Final = (_S.FILLED, _S.CANCELED, _S.REFUSED, _S.REJECTED, _S.UNSENT, _S.DEAD)
_ENDED_ROWS: Final = {
    # in state               filled  canceled  refused   rejected     unsent       dead
    _H.ANSWERED_ACCEPTED: "  filled  canceled  refused   accepted     accepted     accepted",
    _H.ANSWERED_REJECTED: "  filled  canceled  refused   rejected     rejected     rejected",
    _H.ANSWERED_UNKNOWN: "   filled  canceled  refused   rejected     unknown      dead",
    _H.ANSWERED_UNSENT: "    filled  canceled  refused   rejected     unsent       dead",
    _H.ANSWER_OVERDUE: "     filled  canceled  refused   rejected     unsent       dead",
    _H.SHOWN_NEW: "          filled  canceled  refused   accepted     accepted     accepted",
    _H.SHOWN_UNTRIGGERED: "  filled  canceled  refused   untriggered  untriggered  untriggered",
    _H.SHOWN_OPEN: "         filled  canceled  refused   open         open         open",
    _H.SHOWN_FILLED: "       filled  filled    filled    filled       filled       filled",
    _H.SHOWN_CANCELED: "     filled  canceled  canceled  canceled     canceled     canceled",
    _H.SHOWN_REFUSED: "      filled  canceled  refused   refused      refused      refused",
    _H.FILLED_PART: "        filled  canceled  canceled  unknown      unknown      unknown",
    _H.FILLED_WHOLE: "       filled  filled    filled    filled       filled       filled",
    _H.NOT_FOUND: "          filled  canceled  refused   rejected     unsent       dead",
}  # fmt: skip

LIFECYCLE: Final[Mapping[tuple[OrderState, Happening], OrderState]] = MappingProxyType(
    {
        (state, happening): OrderState(word)
        for columns, rows in ((_LIVE_COLUMNS, _LIVE_ROWS), (_ENDED_COLUMNS, _ENDED_ROWS))
        for happening, row in rows.items()
        for state, word in zip(columns, row.split(), strict=True)
    }
)
"""The whole life of an order: every state, everything that can happen."""

ANSWERS: Final[Mapping[Verdict, Happening]] = MappingProxyType(
    {
        Verdict.ACCEPTED: _H.ANSWERED_ACCEPTED,
        Verdict.REJECTED: _H.ANSWERED_REJECTED,
        Verdict.UNKNOWN: _H.ANSWERED_UNKNOWN,
        Verdict.UNSENT: _H.ANSWERED_UNSENT,
    }
)

REFUSAL_REASONS: Final = frozenset(
    {"NOT_ENOUGH_MARGIN", "ORDER_EXCEEDS_POSITION_LIMIT", "PRICE_BAND_EXCEEDED", "REDUCE_ONLY_WOULD_INCREASE"}
)
"""Cancel reasons that are the exchange's risk check saying no to a new order. Paradex names the first two and has not
published its list, so an order that was working and is closed with one of them counts as canceled."""


def happening_of(order: Order) -> Happening:
    """What the exchange shows of an order, as a row of the table."""
    if order.status is not OrderStatus.CLOSED:
        return _SHOWN[order.status]
    if order.remaining == ZERO:
        return Happening.SHOWN_FILLED
    refused = order.cancel_reason in REFUSAL_REASONS and order.filled == ZERO
    return Happening.SHOWN_REFUSED if refused else Happening.SHOWN_CANCELED


_SHOWN: Final = {
    OrderStatus.NEW: Happening.SHOWN_NEW,
    OrderStatus.UNTRIGGERED: Happening.SHOWN_UNTRIGGERED,
    OrderStatus.OPEN: Happening.SHOWN_OPEN,
}


class TrackedOrder(msgspec.Struct, kw_only=True):
    """One of our orders and all we know of it. Sizes unsigned base units, instants microseconds.

    `filled` sums our unique fills, `shown` is the highest count that the exchange showed, `busted` what it took back (the
    fills of `busts`).
    `armed`: signed ahead by a process that is gone, so that nobody knows whether and when it left.
    """

    client_id: str
    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    role: OrderRole
    reason: str
    sent_at: int
    state: OrderState = OrderState.SENT
    order_id: str = ""
    filled: Decimal = ZERO
    shown: Decimal = ZERO
    busted: Decimal = ZERO
    busts: tuple[str, ...] = ()
    updated_at: int = 0
    changed_at: int = 0
    cancel_reason: str = ""
    refusal: str = ""
    triggered: bool = False
    canceling: bool = False
    cancel_asked_at: int = 0
    modifying: ModifyOrder | None = None
    modified_at: int = 0
    owed_since: int = 0
    adopted: bool = False
    armed: bool = False

    @property
    def live(self) -> bool:
        """Whether it may still do something at the exchange."""
        return self.state in LIVE

    @property
    def owed(self) -> Decimal:
        """What the exchange says was filled and no fill has reached us for: money that moved and is not booked yet."""
        return max(self.shown - self.filled - self.busted, ZERO)

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected: not live and every fill booked."""
        return self.state not in LIVE and self.owed == ZERO

    @property
    def exposed(self) -> Decimal:
        """Base units that this order may still add to the position: everything not booked while live, else what is owed."""
        return self.size - self.filled if self.state in LIVE else self.owed


LATE_US: Final = HOUR_US
"""For so long after it ended an order is followed in any case: late answers and late fills come within minutes."""
ENDED_KEPT: Final = 500
"""Of those that ended earlier the newest are kept; a restart knows as many."""
_BETWEEN_SWEEPS: Final = 50


class Orders:
    """All orders of the bot by client id. Settled ones are kept because late answers and fills count: those of the last hour
    and `ENDED_KEPT` more, but never more than `kept` together. What comes for an older one still counts: a fill is booked
    by its own key and our prefix, and an order that is alive is adopted."""

    def __init__(self, kept: int = 5_000) -> None:
        self._all: dict[str, TrackedOrder] = {}
        self._client_id_of: dict[str, str] = {}
        self._active: dict[str, dict[str, TrackedOrder]] = {}
        self._kept = kept
        self._sweep_at = ENDED_KEPT + _BETWEEN_SWEEPS

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[TrackedOrder]:
        return iter(self._all.values())

    def get(self, client_id: str, order_id: str = "") -> TrackedOrder | None:
        """By client id, or by exchange id when the report carried no client id."""
        return self._all.get(client_id or self._client_id_of.get(order_id, ""))

    def active(self, symbol: str) -> Iterable[TrackedOrder]:
        """Orders of a symbol that are live or owe us fills, oldest first."""
        return self._active.get(symbol, {}).values()

    def all_active(self) -> list[TrackedOrder]:
        """Every order that is live or owes us fills, by symbol and age."""
        return [order for orders in self._active.values() for order in orders.values()]

    def add(self, order: TrackedOrder) -> None:
        """Follow a new order. A client id is never used twice."""
        assert order.client_id not in self._all, f"client id {order.client_id} used twice"
        self._all[order.client_id] = order
        self.refresh(order, order.sent_at)
        if len(self._all) > self._kept:
            self._forget_oldest()
        elif len(self._all) >= self._sweep_at:
            self._sweep(order.sent_at)

    def refresh(self, order: TrackedOrder, now: int) -> None:
        """File the order as active or not, after any change to it."""
        if order.owed == ZERO:
            order.owed_since = 0
        elif order.owed_since == 0:
            order.owed_since = now
        if order.order_id:
            self._client_id_of[order.order_id] = order.client_id
        if order.settled:
            self._active.get(order.symbol, {}).pop(order.client_id, None)
        else:
            self._active.setdefault(order.symbol, {})[order.client_id] = order

    def happen(self, order: TrackedOrder, happening: Happening, now: int, detail: str = "") -> OrderStateChanged | None:
        """Walk one step of the table; the record of it when the state changed."""
        before, after = order.state, LIFECYCLE[order.state, happening]
        order.state = after
        order.triggered = order.triggered or (order.trigger_price is not None and after is OrderState.OPEN)
        if after not in LIVE:
            order.canceling = False
            order.modifying = None
        self.refresh(order, now)
        if after is before:
            return None
        order.changed_at = now
        return OrderStateChanged(
            client_id=order.client_id, symbol=order.symbol, role=order.role, before=before, cause=happening, after=after,
            changed_at=now, detail=detail,
        )  # fmt: skip

    def show(self, order: TrackedOrder, shown: Order, now: int) -> OrderStateChanged | None:
        """Take the exchange's report of an order. What it closed stays closed; its fill count never goes down."""
        happening = happening_of(shown)
        order.order_id = order.order_id or shown.order_id
        order.shown = max(order.shown, shown.filled)
        fresh = shown.updated_at >= order.updated_at
        if fresh and order.state not in CLOSED:
            order.updated_at = shown.updated_at
            order.size, order.price, order.trigger_price = shown.size, shown.price, shown.trigger_price
        if not fresh and shown.status is not OrderStatus.CLOSED and order.state in CONFIRMED:
            self.refresh(order, now)
            return None
        order.cancel_reason = shown.cancel_reason or order.cancel_reason
        return self.happen(order, happening, now, shown.cancel_reason)

    def fill(self, order: TrackedOrder, size: Decimal, now: int, detail: str) -> OrderStateChanged | None:
        """A unique fill of `size` was booked for this order."""
        order.filled += size
        order.shown = max(order.shown, order.filled)
        whole = order.filled + order.busted >= order.size
        return self.happen(order, Happening.FILLED_WHOLE if whole else Happening.FILLED_PART, now, detail)

    def bust(self, order: TrackedOrder, key: str, size: Decimal, now: int, *, booked: bool) -> None:
        """The fill `key` of `size` was taken back by the exchange: one that had been booked, or one that never was and that
        the order therefore does not owe any more."""
        if key in order.busts:
            return
        order.busts = (*order.busts, key)
        order.busted += size
        if booked:
            order.filled -= size
        self.refresh(order, now)

    def _forget_oldest(self) -> None:
        """Drop the oldest settled tenth: the memory has a limit, the journal remembers."""
        self._forget([order for order in self._all.values() if order.settled][: max(1, self._kept // 10)])

    def _sweep(self, now: int) -> None:
        """Drop what ended long ago, but for the newest of it."""
        ended = [order for order in self._all.values() if order.settled and order.changed_at < now - LATE_US]
        self._forget(ended[:-ENDED_KEPT])
        self._sweep_at = len(self._all) + _BETWEEN_SWEEPS

    def _forget(self, orders: Iterable[TrackedOrder]) -> None:
        for order in orders:
            del self._all[order.client_id]
            self._client_id_of.pop(order.order_id, None)


def tracked(command: PlaceOrder, now: int) -> TrackedOrder:
    """What we follow from the moment we decide to send `command`."""
    return TrackedOrder(
        client_id=command.client_id, symbol=command.symbol, side=command.side, type=command.type, size=command.size,
        price=command.price, trigger_price=command.trigger_price, time_in_force=command.time_in_force,
        reduce_only=command.reduce_only, role=command.role, reason=command.reason, sent_at=now, changed_at=now,
    )  # fmt: skip


def adopted(shown: Order, now: int) -> TrackedOrder:
    """An order that carries our prefix but is in no journal of ours: its role is read off what it does."""
    triggers = shown.trigger_price is not None and shown.type not in (OrderType.MARKET, OrderType.LIMIT)
    if not shown.reduce_only:
        role = OrderRole.ENTRY
    elif triggers:
        role = OrderRole.STOP
    else:
        role = OrderRole.TARGET if shown.type is OrderType.LIMIT else OrderRole.EXIT
    return TrackedOrder(
        client_id=shown.client_id, symbol=shown.symbol, side=shown.side, type=shown.type, size=shown.size, price=shown.price,
        trigger_price=shown.trigger_price, time_in_force=shown.time_in_force, reduce_only=shown.reduce_only, role=role,
        reason="adopted", sent_at=shown.created_at or now, state=OrderState.UNKNOWN, order_id=shown.order_id, adopted=True,
    )  # fmt: skip


def in_doubt(orders: Iterable[TrackedOrder]) -> bool:
    """Whether any of these orders is unknown or owes fills: nothing that adds risk is sent while one is."""
    return any(order.state is OrderState.UNKNOWN or order.owed > ZERO for order in orders)
