"""What must survive a restart, and how it is read back from the journal: recovery is start-up.

Orders that were still open, every fill of the fold, what exit plans had learned, the risk gate's counters and latches, the
last client id. Everything else (klines, quotes, the exchange's own figures) is learned anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import ArmOrder, CancelOrder, DisarmOrder, ModifyOrder, PlaceOrder, ReleaseOrder
from flashscalper.model.fills import Fill, FillKind, Liquidity
from flashscalper.model.instants import MINUTE_US
from flashscalper.model.records import FillBooked, Note, OrderStateChanged, Reconciled, RoundTripClosed
from flashscalper.strategies.base import Signal
from flashscalper.trading.client_ids import parse_client_id
from flashscalper.trading.costs import CostEstimate
from flashscalper.trading.exits import ExitState
from flashscalper.trading.fees import RETAIL_ORDERS_KEPT
from flashscalper.trading.orders import LIVE, OrderState, TrackedOrder, tracked
from flashscalper.trading.positions import BookedFill, fill_key
from flashscalper.trading.risk import RiskCounters

EXIT_PLAN: Final = "exit_plan"
RISK_COUNTERS: Final = "risk_counters"
STARTING_CASH: Final = "starting_cash"
FUNDING: Final = "funding"
REBUILD_DROPPED: Final = "rebuild_dropped"
BUST_UNSEEN: Final = "bust_unseen"
"""A fill was taken back before it was seen: it must not be booked when it comes."""
_SENT_KEPT: Final = 10_000
"""When orders left: as many as the largest order rate of a minute counts."""
LATE_ORDERS_KEPT: Final = 500
"""Orders that had ended are restored too, because late news of them still counts; the newest of them."""


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A position's exit plan: what it has learned, and the signal and costs that its levels were computed from."""

    state: ExitState
    signal: Signal | None
    costs: CostEstimate


class SavedState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an engine as its journal tells it. `saved_at` is the instant of the last entry."""

    saved_at: int
    starting_cash: Decimal | None = None
    last_client_id: str = ""
    orders: tuple[TrackedOrder, ...] = ()
    fills: tuple[BookedFill, ...] = ()
    busted: tuple[str, ...] = ()
    payments: Decimal = ZERO
    foreign: dict[str, Decimal] = {}
    plans: dict[str, SavedPlan] = {}
    counters: RiskCounters = RiskCounters()


def encode_note(value: object) -> str:
    """A struct as the text of a note."""
    return msgspec.json.encode(value).decode()


class _Reading:
    """Reads journal entries in order, on top of what an earlier journal came to."""

    def __init__(self, begin: SavedState | None) -> None:
        self.at = 0
        self.starting_cash: Decimal | None = None
        self.last_id: tuple[int, int] = (-1, -1)
        self.last_client_id = ""
        self.orders: dict[str, TrackedOrder] = {}
        self.fills: dict[str, BookedFill] = {}
        self.busted: dict[str, None] = {}
        self.payments = ZERO
        self.foreign: dict[str, Decimal] = {}
        self.plans: dict[str, SavedPlan] = {}
        self.counters = RiskCounters()
        self.sent: deque[int] = deque(maxlen=_SENT_KEPT)
        self.changes: deque[int] = deque(maxlen=_SENT_KEPT)
        if begin is not None:
            self._begin(begin)

    def _begin(self, begin: SavedState) -> None:
        self.at, self.starting_cash, self.payments = begin.saved_at, begin.starting_cash, begin.payments
        self.last_client_id, self.last_id = begin.last_client_id, parse_client_id(begin.last_client_id) or (-1, -1)
        self.orders = {order.client_id: msgspec.structs.replace(order) for order in begin.orders}
        self.fills = {fill_key(*booked.fill.key): booked for booked in begin.fills}
        self.busted = dict.fromkeys(begin.busted)
        self.foreign, self.plans, self.counters = dict(begin.foreign), dict(begin.plans), begin.counters
        self.sent.extend(begin.counters.sent)
        self.changes.extend(begin.counters.changes)

    def placed(self, command: PlaceOrder) -> None:
        self.follow(command)
        self.sent.append(self.at)

    def follow(self, command: PlaceOrder) -> TrackedOrder:
        order = self.orders[command.client_id] = tracked(command, self.at)
        parsed = parse_client_id(command.client_id)
        if parsed is not None and parsed > self.last_id:
            self.last_id, self.last_client_id = parsed, command.client_id
        return order

    def armed(self, command: ArmOrder) -> None:
        self.follow(command.order).armed = True

    def released(self, command: ReleaseOrder) -> None:
        self.placed(command.order)

    def disarmed(self, command: DisarmOrder) -> None:
        self.orders.pop(command.client_id, None)

    def stepped(self, change: OrderStateChanged) -> None:
        order = self.orders.get(change.client_id)
        if order is not None:
            order.state = OrderState(change.after)
            order.changed_at = change.changed_at

    def modified(self, command: ModifyOrder) -> None:
        self.changes.append(self.at)
        order = self.orders.get(command.client_id)
        if order is not None:
            order.order_id = command.order_id

    def canceled(self, command: CancelOrder) -> None:
        order = self.orders.get(command.client_id)
        if order is not None:
            order.order_id = command.order_id or order.order_id
            order.cancel_asked_at = self.at

    def booked(self, record: FillBooked) -> None:
        order = self.orders.get(record.client_id)
        if record.busted:
            self.fills.pop(record.fill_key, None)
            self.busted[record.fill_key] = None
            if order is not None:
                order.filled -= record.size
                order.busted += record.size
                order.busts = (*order.busts, record.fill_key)
            return
        self.fills[record.fill_key] = BookedFill(
            fill=_fill_of(record), role=record.role, reason=record.reason, foreign=record.foreign
        )
        if order is not None:
            order.filled += record.size
            order.order_id = record.order_id or order.order_id
            order.shown = max(order.shown, order.filled)

    def noted(self, note: Note) -> None:
        if note.code == EXIT_PLAN:
            self.plans[note.symbol] = msgspec.json.decode(note.text, type=SavedPlan)
        elif note.code == RISK_COUNTERS:
            self.counters = msgspec.json.decode(note.text, type=RiskCounters)
        elif note.code == STARTING_CASH:
            self.starting_cash = Decimal(note.text)
        elif note.code == BUST_UNSEEN:
            self.busted[note.text] = None
        elif note.code == FUNDING:
            self.payments += Decimal(note.text.split()[-1])
        elif note.code == REBUILD_DROPPED:
            self.fills = {key: one for key, one in self.fills.items() if one.fill.symbol != note.symbol}

    def closed(self, trip: RoundTripClosed) -> None:
        self.plans.pop(trip.symbol, None)

    def reconciled(self, record: Reconciled) -> None:
        self.foreign = dict(record.foreign)

    def _counters(self) -> RiskCounters:
        """As noted last, with when orders left: a minute of them, and all that the Retail limits of a day count."""
        sent, changes = ([at for at in queue if at > self.at - MINUTE_US] for queue in (self.sent, self.changes))
        day = list(self.sent)[-RETAIL_ORDERS_KEPT:]
        return msgspec.structs.replace(self.counters, sent=max(day, sent, key=len), changes=changes)

    def saved(self) -> SavedState:
        live = [order for order in self.orders.values() if order.state in LIVE]
        ended = [order for order in self.orders.values() if order.state not in LIVE][-LATE_ORDERS_KEPT:]
        for order in live:
            if order.state is OrderState.SENT:
                order.state = OrderState.UNKNOWN
        return SavedState(
            saved_at=self.at, starting_cash=self.starting_cash, last_client_id=self.last_client_id,
            orders=(*ended, *live), fills=tuple(self.fills.values()), busted=tuple(self.busted), payments=self.payments,
            foreign=self.foreign, plans=self.plans, counters=self._counters(),
        )  # fmt: skip


def read_back(entries: Iterable[tuple[int, object]], begin: SavedState | None = None) -> SavedState | None:
    """The state of a run from its journal, given as (instant, command or record) in order; None for an empty journal.

    `begin` is what the run itself began with, when it continued an earlier one. An order that was sent and has no answer in
    the journal is unknown. Nothing here is final: the exchange is asked before anything is decided.
    """
    reading = _Reading(begin)
    takers: dict[type, Callable[[Any], None]] = {
        PlaceOrder: reading.placed, OrderStateChanged: reading.stepped, ModifyOrder: reading.modified,
        CancelOrder: reading.canceled, ArmOrder: reading.armed, ReleaseOrder: reading.released,
        DisarmOrder: reading.disarmed, FillBooked: reading.booked, Note: reading.noted, RoundTripClosed: reading.closed,
        Reconciled: reading.reconciled,
    }  # fmt: skip
    seen = begin is not None
    for at, content in entries:
        seen = True
        reading.at = max(reading.at, at)
        taker = takers.get(type(content))
        if taker is not None:
            taker(content)
    return reading.saved() if seen else None


def taken_over(saved: SavedState, at: int) -> SavedState:
    """What a process that begins at `at` goes on from: what the one before had armed may have left until then, not later."""
    orders = tuple(
        msgspec.structs.replace(order, sent_at=at, armed=False) if order.armed else order for order in saved.orders
    )
    return msgspec.structs.replace(saved, orders=orders)


def compacted(saved: SavedState, before: int) -> SavedState:
    """The same state without the fills of round trips that were over by `before`: what they came to goes into the cash that
    the run began with, so that years of trading do not make every start slower."""
    if saved.starting_cash is None:
        return saved
    running: dict[str, Decimal] = {}
    flat_at: dict[str, int] = {}
    ordered = sorted(saved.fills, key=lambda booked: booked.place)
    for index, booked in enumerate(ordered):
        fill = booked.fill
        running[fill.symbol] = running.get(fill.symbol, ZERO) + fill.side.sign * fill.size
        if running[fill.symbol] == ZERO and fill.filled_at < before:
            flat_at[fill.symbol] = index
    gone = [booked.fill for index, booked in enumerate(ordered) if index <= flat_at.get(booked.fill.symbol, -1)]
    keys = {fill.key for fill in gone}
    came_to = sum(((fill.realized_pnl or ZERO) + (fill.funding or ZERO) - fill.fee for fill in gone), ZERO)
    kept = tuple(booked for booked in saved.fills if booked.fill.key not in keys)
    return msgspec.structs.replace(saved, starting_cash=saved.starting_cash + came_to, fills=kept)


def _fill_of(record: FillBooked) -> Fill:
    """The fill as it was booked. Its realised PnL is the booked one, so that the same sums come out again."""
    kind, _, fill_id = record.fill_key.partition(":")
    return Fill(
        id=fill_id, kind=FillKind(kind), order_id=record.order_id, client_id=record.client_id, symbol=record.symbol,
        side=record.side, liquidity=Liquidity(record.liquidity), price=record.price, size=record.size, fee=record.fee,
        realized_pnl=record.realized_pnl, funding=record.funding, filled_at=record.filled_at,
    )  # fmt: skip
