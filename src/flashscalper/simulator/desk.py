"""What becomes of an order after it was taken in: risk, trigger, matching, resting, modification, cancellation."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import OrderStatus, TimeInForce
from flashscalper.simulator import margin
from flashscalper.simulator.accounts import Account
from flashscalper.simulator.book import Resting
from flashscalper.simulator.execution import Execution
from flashscalper.simulator.facts import CancelReason, ModifyInfo, NewOrder, OrderChanged, SimOrder
from flashscalper.simulator.listing import Listing
from flashscalper.simulator.orders import TAKE_PROFIT_TYPES, TPSL_TYPES, TRIGGER_TYPES, LiveOrder
from flashscalper.simulator.state import ExchangeState
from flashscalper.simulator.triggers import is_triggered


class Change(msgspec.Struct, frozen=True):
    """What a modify request makes of an order: total lots, price in ticks and as written, trigger price."""

    lots: int
    tick: int
    price: Decimal | None
    trigger_price: Decimal | None


class Deal:
    """The settlement of one walk through a book: a market and a moment."""

    __slots__ = ("_desk", "_listing", "_now")

    def __init__(self, desk: Desk, listing: Listing, now: int) -> None:
        self._desk = desk
        self._listing = listing
        self._now = now

    def executed(self, taker: Resting | None, maker: Resting | None, tick: int, lots: int, trade_id: int | None) -> None:
        """Book it."""
        self._desk.execution.settle(
            self._listing, taker=taker, maker=maker, tick=tick, lots=lots, recorded_id=trade_id, now=self._now
        )

    def expired(self, order: Resting) -> None:
        """Only orders of accounts have a self to trade with."""
        if isinstance(order, LiveOrder):
            self._desk.cancel(order, CancelReason.SELF_TRADE_PREVENTION, self._now)


class Desk:
    """Every change of an order goes through here or through its execution, and is emitted as `OrderChanged`."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self.execution = Execution(state, self.trim_reduce_only)

    def open(self, account: Account, request: NewOrder, now: int) -> LiveOrder:
        """Register an order that admission let through: status NEW."""
        state = self._state
        order = LiveOrder(
            state.next_id(now),
            account,
            state.listings[request.symbol],
            request,
            number=state.next_number(),
            seq_no=state.next_seq_no(now),
            now=now,
        )
        account.live[order.id] = account.orders[order.id] = order
        if request.client_id:
            account.client_ids.add(request.client_id)
        state.emit(OrderChanged(order.snapshot()))
        return order

    def activate(self, order: LiveOrder, now: int) -> None:
        """NEW becomes UNTRIGGERED, or goes to the book."""
        if order.status is not OrderStatus.NEW:
            return
        if order.request.type not in TRIGGER_TYPES:
            self._submit(order, now)
            return
        order.status = OrderStatus.UNTRIGGERED
        order.listing.untriggered[order.id] = order
        self._say(order, now)
        self.trim_reduce_only(order.account, order.listing, now)
        self.run_triggers(order.listing, now)

    def run_triggers(self, listing: Listing, now: int) -> None:
        """Wake the orders that the mark price reached. They sleep in every mode but OK (paradex.md 6.11)."""
        if self._state.status is not ExchangeStatus.OK or listing.mark is None:
            return
        for order in list(listing.untriggered.values()):
            trigger = order.trigger_price
            if order.id not in listing.untriggered or trigger is None:
                continue
            if is_triggered(order.request.type, order.side, trigger, listing.mark):
                self._trigger(order, now)

    def _trigger(self, order: LiveOrder, now: int) -> None:
        del order.listing.untriggered[order.id]
        if order.request.type in TPSL_TYPES:
            self._cancel_pair(order, now)
        if order.whole_position:
            order.lots = order.left = self._position_lots(order.account, order.listing)
        self._submit(order, now)

    def _cancel_pair(self, order: LiveOrder, now: int) -> None:
        """When one of a position's take-profit and stop-loss triggers, the other is canceled (paradex.md 4.5)."""
        takes_profit = order.request.type in TAKE_PROFIT_TYPES
        for other in list(order.listing.untriggered.values()):
            same_position = other.account is order.account and other.side is order.side
            is_other_kind = (
                other.request.type in TPSL_TYPES and (other.request.type in TAKE_PROFIT_TYPES) is not takes_profit
            )
            if same_position and is_other_kind:
                self.cancel(other, CancelReason.TPSL_PAIR_TRIGGERED, now)

    def _submit(self, order: LiveOrder, now: int) -> None:
        """Risk first, then the book."""
        order.status = OrderStatus.OPEN
        self.trim_reduce_only(order.account, order.listing, now)
        if order.gone:
            return
        reason = self._risk(order)
        if reason is not None:
            self.cancel(order, reason, now)
        else:
            self._enter(order, now)

    def _enter(self, order: LiveOrder, now: int) -> None:
        """Match what can be matched; rest, or close, the remainder."""
        listing, before = order.listing, order.left
        limit, cap = self._bounds(order)
        if not self._passive(order):
            listing.book.match(order, limit, cap, Deal(self, listing, now))
        if order.gone or not order.left:
            return
        if order.is_market:
            self.cancel(order, CancelReason.SLIPPAGE_LIMIT, now)
        elif order.request.time_in_force is TimeInForce.IOC:
            self.cancel(order, CancelReason.IOC_REMAINDER, now)
        else:
            listing.book.add(order)
            listing.touched()
            if order.left == before:
                self._say(order, now)

    def _bounds(self, order: LiveOrder) -> tuple[int, int | None]:
        """(worst price, worst average price) in ticks. Market orders: price band, and given or default VWAP cap (6.3)."""
        listing, side = order.listing, order.side
        if not order.is_market:
            return order.tick, None
        order.vwap_bounded = True
        terminal = listing.bound(listing.known_mark() * (1 + side.sign * listing.market.price_band), side)
        if order.request.vwap_price is not None:
            return terminal, listing.bound(order.request.vwap_price, side)
        best = listing.book.best(side.opposite)
        if best is None:
            return terminal, None
        return terminal, listing.bound(listing.price(best) * (1 + side.sign * listing.market.max_slippage), side)

    def _passive(self, order: LiveOrder) -> bool:
        return order.request.time_in_force in (TimeInForce.POST_ONLY, TimeInForce.RPI)

    def _risk(self, order: LiveOrder) -> CancelReason | None:
        """The asynchronous checks (paradex.md 6.1), in a fixed order; None lets the order through."""
        if self._out_of_mode(order):
            return CancelReason.SYSTEM_STATUS
        if self._out_of_band(order):
            return CancelReason.PRICE_BAND_EXCEEDED
        if self._passive(order) and order.listing.book.crosses(order.side, order.tick):
            return CancelReason.POST_ONLY_WOULD_CROSS
        if self._over_limit(order):
            return CancelReason.ORDER_EXCEEDS_POSITION_LIMIT
        if not margin.affords(self._state, order.account, order):
            return CancelReason.NOT_ENOUGH_MARGIN
        return None

    def _out_of_mode(self, order: LiveOrder) -> bool:
        """The mode may have changed while the order waited for its speed bump."""
        status = self._state.status
        return status is not ExchangeStatus.OK and not (status is ExchangeStatus.POST_ONLY and self._passive(order))

    def _out_of_band(self, order: LiveOrder) -> bool:
        """More aggressive than the band around the mark; outside mode OK, too far from the fair price on either side."""
        if order.is_market:
            return False
        listing, side = order.listing, order.side
        price, mark = listing.price(order.tick), listing.known_mark()
        if (price - mark * (1 + side.sign * listing.market.price_band)) * side.sign > ZERO:
            return True
        fair = listing.index or mark
        return (
            self._state.status is not ExchangeStatus.OK and abs(price - fair) > fair * self._state.rules.post_only_mode_band
        )

    def _over_limit(self, order: LiveOrder) -> bool:
        """Submitted + same-side open + signed position beyond the market's position limit."""
        if order.reduce_only:
            return False
        listing = order.listing
        orders = [*margin.exposing_orders(order.account, listing)]
        lots = sum(other.left for other in orders if other.side is order.side)
        held = order.side.sign * order.account.ledger.size_of(listing.symbol)
        return listing.size(lots) + held > listing.market.position_limit

    def trim_reduce_only(self, account: Account, listing: Listing, now: int) -> None:
        """Cancel reduce-only orders that no longer fit: the most aggressive ones use up the position first (6.3).

        An order that fits only in part is canceled whole: it could otherwise turn the position.
        """
        size = account.ledger.size_of(listing.symbol)
        room = self._position_lots(account, listing)
        counted = {OrderStatus.OPEN}
        if self._state.rules.reduce_only_counts_untriggered:
            counted.add(OrderStatus.UNTRIGGERED)
        claims = [o for o in account.live.values() if o.reduce_only and o.listing is listing and o.status in counted]
        for order in sorted(claims, key=LiveOrder.aggressiveness):
            if size and order.buy is (size < ZERO) and order.left <= room:
                room -= order.left
            else:
                self.cancel(order, CancelReason.REDUCE_ONLY_WOULD_INCREASE, now)

    def _position_lots(self, account: Account, listing: Listing) -> int:
        return int(abs(account.ledger.size_of(listing.symbol)) / listing.step)

    def cancel(self, order: LiveOrder, reason: CancelReason, now: int) -> None:
        """Close an order with its remainder; one that is closed already is left alone."""
        if order.status is OrderStatus.CLOSED:
            return
        listing, account = order.listing, order.account
        listing.book.remove(order)
        listing.untriggered.pop(order.id, None)
        listing.touched()
        order.status = OrderStatus.CLOSED
        order.gone = True
        order.cancel_reason = reason.value
        account.live.pop(order.id)
        account.forget_closed(self._state.rules.closed_orders_kept)
        self._say(order, now)

    def ask_modify(self, order: LiveOrder, now: int) -> SimOrder:
        """A modify request was taken in; the answer."""
        order.modify = ModifyInfo(self._state.next_id(now), "PENDING")
        return order.snapshot()

    def modify(self, order: LiveOrder, change: Change, now: int) -> None:
        """Carry a modify request out, or say why not. The order is untouched by a rejected one."""
        if order.status is OrderStatus.CLOSED:
            return
        refused = self._modify_refused(order, change)
        if refused is not None:
            self._modified(order, "REJECTED", refused, now)
            return
        resting = order.status is OrderStatus.OPEN
        keeps_priority = resting and change.tick == order.tick and change.lots <= order.lots
        if keeps_priority:
            order.listing.book.shrink(order, order.left + change.lots - order.lots)
            order.lots = change.lots
        elif resting:
            order.listing.book.remove(order)
        order.listing.touched()
        self._apply(order, change)
        self._modified(order, "SUCCESS", "", now)
        self.trim_reduce_only(order.account, order.listing, now)
        if resting and not keeps_priority and not order.gone:
            self._enter(order, now)
        self.run_triggers(order.listing, now)

    def _modify_refused(self, order: LiveOrder, change: Change) -> str | None:
        """Why an order cannot become what was asked, judged as if it already were."""
        if change.lots <= order.lots - order.left and not order.whole_position:
            return "size is filled already"
        before = Change(order.lots, order.tick, order.price, order.trigger_price)
        self._apply(order, change)
        reason = self._risk(order) if order.status is OrderStatus.OPEN else None
        self._apply(order, before)
        return None if reason is None else reason.value

    def _apply(self, order: LiveOrder, change: Change) -> None:
        order.left += change.lots - order.lots
        order.lots = change.lots
        order.tick = change.tick
        order.price = change.price
        order.trigger_price = change.trigger_price

    def _modified(self, order: LiveOrder, status: str, message: str, now: int) -> None:
        request_id = order.modify.id if order.modify is not None else self._state.next_id(now)
        order.modify = ModifyInfo(request_id, status, message)
        self._say(order, now)

    def _say(self, order: LiveOrder, now: int) -> None:
        order.updated_at = now
        order.seq_no = self._state.next_seq_no(now)
        self._state.emit(OrderChanged(order.snapshot()))
