"""The order desk: the only place where order commands are made. What it says goes out in order, records before commands.

Entries pass every hard limit here, immediately before they leave. What reduces risk is denied nothing here: stops, exits and
changes of a stop's size leave at once and count in the order rate, so that entries wait; only the mere move of a price waits
for that rate. An order is followed from the moment it is decided, and its client id is used once.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from flashscalper.model.commands import (
    ArmOrder,
    CancelOrder,
    Command,
    DisarmOrder,
    ModifyOrder,
    PlaceOrder,
    QueryOrder,
    ReleaseOrder,
)
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderRole, OrderType, Side, TimeInForce
from flashscalper.model.records import Gate, OrderDenied, OrderStateChanged, Record
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.fees import RetailBudget
from flashscalper.trading.limits import Proposal, Surroundings, limit_gates
from flashscalper.trading.orders import LIVE, Happening, Orders, TrackedOrder, tracked
from flashscalper.trading.risk import CANCELED_BY_OTHERS, Risk, TradingState

Output = Command | Record
BY_HAND = "USER_CANCELED"


class Counts(msgspec.Struct):
    """How many orders ended how in this run."""

    sent: int = 0
    filled: int = 0
    canceled: int = 0
    denied: int = 0
    rejected: int = 0
    unknown: int = 0


class Desk:
    """Makes commands and follows orders. `surroundings` says what an entry's limits are compared with."""

    def __init__(  # noqa: PLR0917 - one floor puts it together
        self, ids: ClientIds, risk: Risk, orders: Orders, out: list[Output], surroundings: Callable[[str], Surroundings],
        retail: RetailBudget,
    ) -> None:  # fmt: skip
        self.orders = orders
        self.risk = risk
        self.counts = Counts()
        self.touched: set[str] = set()
        self._ids = ids
        self._out = out
        self._surroundings = surroundings
        self._retail = retail

    def tell(self, record: Record) -> None:
        """Say something for the journal."""
        self._out.append(record)

    def ask(self, command: Command) -> None:
        """Ask the client for something that is no order."""
        self._out.append(command)

    # Entries

    def admit(self, market: Market, proposal: Proposal, now: int) -> tuple[Gate, ...]:
        """The last gate for an order that adds risk: state, rate, repetition, every limit."""
        state = self.risk.state
        active = Gate(code="state", passed=state is TradingState.ACTIVE, needed=TradingState.ACTIVE, seen=state)
        return (
            active,
            self.risk.rate_gate(now, reduces=False),
            self.risk.duplicate_gate(proposal, now),
            *limit_gates(self.risk.limits, market, proposal, self._surroundings(proposal.symbol)),
        )

    def entry_command(self, proposal: Proposal, time_in_force: TimeInForce, reason: str) -> PlaceOrder:
        """A limit order for a proposal that every gate let through; consumes a client id."""
        return PlaceOrder(
            client_id=self._ids.next_id(), symbol=proposal.symbol, side=proposal.side, type=OrderType.LIMIT,
            size=proposal.size, price=proposal.price, time_in_force=time_in_force, role=OrderRole.ENTRY, reason=reason,
        )  # fmt: skip

    def deny(self, proposal: Proposal, gate: Gate, role: OrderRole, now: int) -> None:
        """Write down that a gate of ours said no to an order."""
        self.counts.denied += 1
        self.tell(
            OrderDenied(symbol=proposal.symbol, side=proposal.side, size=proposal.size, role=role, gate=gate, denied_at=now)
        )

    # Every order

    def send(self, command: PlaceOrder, now: int) -> TrackedOrder:
        """Follow and send one order: once."""
        return self._send(command, command, now)

    def _send(self, command: PlaceOrder, request: Command, now: int) -> TrackedOrder:
        order = tracked(command, now)
        self.orders.add(order)
        self.counts.sent += 1
        intent = None
        if command.role is OrderRole.ENTRY and command.price is not None:
            intent = Proposal(symbol=command.symbol, side=command.side, size=command.size, price=command.price)
        self.risk.on_sent(now, intent)
        self._retail.on_sent(now)
        self.tell(
            OrderStateChanged(
                client_id=order.client_id, symbol=order.symbol, role=order.role, before="intended", cause=command.reason,
                after=order.state, changed_at=now,
            )
        )  # fmt: skip
        self.ask(request)
        self.touched.add(order.symbol)
        return order

    def reduce(
        self, symbol: str, side: Side, size: Decimal, *, type: OrderType, role: OrderRole, reason: str, now: int,
        price: Decimal | None = None, trigger_price: Decimal | None = None,
    ) -> TrackedOrder:  # fmt: skip
        """Send a reduce-only order."""
        command = PlaceOrder(
            client_id=self._ids.next_id(), symbol=symbol, side=side, type=type, size=size, price=price,
            trigger_price=trigger_price, reduce_only=True, role=role, reason=reason,
        )  # fmt: skip
        return self.send(command, now)

    def arm(self, symbol: str, side: Side, size: Decimal, before: PlaceOrder | None) -> PlaceOrder:
        """Have a market order that reduces signed ahead; it takes the place, and the client id, of `before`."""
        client_id = before.client_id if before is not None else self._ids.next_id()
        order = PlaceOrder(
            client_id=client_id, symbol=symbol, side=side, type=OrderType.MARKET, size=size, reduce_only=True,
            role=OrderRole.EXIT, reason="armed",
        )  # fmt: skip
        self.ask(ArmOrder(order=order))
        return order

    def release(self, armed: PlaceOrder, reason: str, now: int) -> TrackedOrder:
        """Send an armed order."""
        order = msgspec.structs.replace(armed, reason=reason)
        return self._send(order, ReleaseOrder(order=order), now)

    def disarm(self, armed: PlaceOrder) -> None:
        """Throw an armed order away."""
        self.ask(DisarmOrder(client_id=armed.client_id, symbol=armed.symbol))

    def modify(
        self, order: TrackedOrder, *, size: Decimal, now: int, reason: str, price: Decimal | None = None,
        trigger_price: Decimal | None = None,
    ) -> bool:  # fmt: skip
        """Change a reduce-only order in place; False when only its price would move and the order rate has no room."""
        assert order.reduce_only
        assert order.order_id
        if size == order.size and not self.risk.rate_gate(now, reduces=True).passed:
            return False
        command = ModifyOrder(
            client_id=order.client_id, order_id=order.order_id, symbol=order.symbol, side=order.side, type=order.type,
            size=size, price=price, trigger_price=trigger_price, role=order.role, reason=reason,
        )  # fmt: skip
        order.modifying = command
        order.modified_at = now
        self.risk.on_sent(now)
        self.ask(command)
        self.touched.add(order.symbol)
        return True

    def cancel(self, order: TrackedOrder, reason: str, now: int) -> None:
        """Ask for the end of a live order; asking again is harmless and left to the pursuit."""
        if order.state not in LIVE or order.canceling:
            return
        order.canceling = True
        order.cancel_asked_at = now
        self.ask(
            CancelOrder(
                client_id=order.client_id, symbol=order.symbol, order_id=order.order_id, role=order.role, reason=reason
            )
        )
        self.touched.add(order.symbol)

    def query(self, order: TrackedOrder) -> None:
        """Ask what became of an order."""
        self.ask(QueryOrder(client_id=order.client_id, symbol=order.symbol))

    def happen(self, order: TrackedOrder, happening: Happening, now: int, detail: str = "") -> None:
        """Something happened to an order."""
        self.stepped(order, self.orders.happen(order, happening, now, detail), now)

    def stepped(self, order: TrackedOrder, change: OrderStateChanged | None, now: int) -> None:
        """Write a step of an order's life down and count it."""
        self.touched.add(order.symbol)
        if change is None:
            return
        self.tell(change)
        _count(self.counts, change.after)
        refused = change.after in ("rejected", "refused")
        harmless = order.role is not OrderRole.ENTRY and "REDUCE_ONLY" in change.detail
        if refused and not harmless:
            self.risk.on_answer(rejected=True, now=now, detail=change.detail)
        elif change.after in ("untriggered", "open", "filled"):
            self.risk.on_answer(rejected=False, now=now)
        elif order.cancel_reason == BY_HAND and not order.cancel_asked_at and not order.adopted:
            self.risk.hold(CANCELED_BY_OTHERS, f"{order.role} {order.client_id} was cancelled by somebody else", now)


def _count(counts: Counts, after: str) -> None:
    """One more order that came to `after`."""
    if after in ("rejected", "refused"):
        counts.rejected += 1
    elif after in ("filled", "canceled", "unknown"):
        setattr(counts, after, getattr(counts, after) + 1)
