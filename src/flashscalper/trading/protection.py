"""Every position has a reduce-only stop held by the exchange, or is being closed: one small machine per market.

flat -> naked -> stop_sent -> protected -> closing -> flat. The machine is asked again after everything that could matter;
it looks at the situation, not at how it came about, so a lost message cannot leave it believing. Naked time is bounded: a
stop that is refused, lost, cancelled behind our back or not confirmed in time means leaving at the market, reduce-only,
again and again until flat. While the exchange refuses orders (release window) it waits, watches, and acts at its return.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.records import ProtectionChanged
from flashscalper.trading.desk import Desk
from flashscalper.trading.orders import CONFIRMED, OrderState, TrackedOrder
from flashscalper.trading.settings import ProtectionSettings


class ProtectionState(StrEnum):
    """How safe a position is."""

    FLAT = "flat"
    NAKED = "naked"
    STOP_SENT = "stop_sent"
    PROTECTED = "protected"
    CLOSING = "closing"


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What protection looks at. `size` is signed and ours alone; `stop_price` is where the plan wants the stop, `beyond`
    whether the mark has passed it already, `fallback_price` a little behind the mark; `can_send` is False while the exchange
    refuses orders; `window_us` after it was sent an order can no longer arrive; `shared` says that somebody else holds the
    same market the same way, so that reduce-only alone does not keep us from selling what is theirs."""

    symbol: str
    size: Decimal
    stop_price: Decimal | None
    fallback_price: Decimal | None
    target_price: Decimal | None
    beyond: bool
    can_send: bool
    window_us: int
    shared: bool = False

    @property
    def closing_side(self) -> Side:
        """The side of an order that reduces."""
        return Side.SELL if self.size > ZERO else Side.BUY


class Wish(msgspec.Struct, kw_only=True):
    """An exit that is wanted: `size` unsigned base units, None for the whole position; `order` is its order in flight."""

    reason: str
    size: Decimal | None = None
    order: TrackedOrder | None = None


BUSY_CODES: Final = frozenset(
    {"SYSTEM_STATUS_POST_ONLY", "SYSTEM_STATUS_CANCEL_ONLY", "SERVICE_UNAVAILABLE", "RATE_LIMITED", "SYSTEM_STATUS"}
)
"""Refusals that speak of the exchange's state, not of our order: the same stop is sent again when it may be."""
FILLS_FOLLOW_US: Final = SECOND_US
"""How long after an order's end its fills may take before they count as missing."""
RESTS_FIRST_US: Final = SECOND_US // 2
"""How long a stop has rested before the one it replaces is cancelled: an exchange that counts both may take the new one away
in the moment after it was confirmed."""
BENIGN_CANCELS: Final = frozenset(
    {"REDUCE_ONLY_WOULD_INCREASE", "CANCEL_ON_DISCONNECT", "SYSTEM_STATUS", "TPSL_PAIR_TRIGGERED"}
)
"""Reasons for which the exchange takes a stop away without anything being wrong with it: it is placed anew."""


class Protection:
    """The machine of one market. `exit_failed` tells the plan that a partial exit did not fill; `meddled` that somebody else
    cancelled our stop."""

    def __init__(
        self,
        symbol: str,
        settings: ProtectionSettings,
        desk: Desk,
        exit_failed: Callable[[str, int], None],
        meddled: Callable[[str, int], None],
    ) -> None:
        self.symbol = symbol
        self.state = ProtectionState.FLAT
        self.stop: TrackedOrder | None = None
        self.target: TrackedOrder | None = None
        self.wish: Wish | None = None
        self.armed: PlaceOrder | None = None
        self._settings = settings
        self._desk = desk
        self._exit_failed = exit_failed
        self._meddled = meddled
        self._replace = False
        self._target_off = False
        self._naked_since: int | None = None
        self._retry_at = 0
        self._stop_at = 0
        self._retry_us = self._us(settings.exit_retry_s)
        self._waits = False
        self._stops: list[TrackedOrder] = []
        self._exits: list[TrackedOrder] = []
        self._moved_at = 0
        self._wake_at: int | None = None
        self._told: tuple[object, ...] = (ProtectionState.FLAT, None, None)

    @property
    def closing(self) -> bool:
        """Whether the whole position is being closed."""
        return self.wish is not None and self.wish.size is None

    def _exit_in_doubt(self, now: int) -> bool:
        """Whether the closing order may be lost, or its fills do not come although it ended: it is not sent again, so a stop
        must cover the time until that is known. Fills mostly come a moment after the order's end."""
        order = self.wish.order if self.wish is not None and self.closing else None
        if order is None or order.state is OrderState.UNKNOWN:
            return order is not None
        if order.owed > ZERO and now < order.owed_since + FILLS_FOLLOW_US:
            self._wake(order.owed_since + FILLS_FOLLOW_US)
            return False
        return order.owed > ZERO

    def want_exit(self, reason: str, size: Decimal | None = None) -> None:
        """Close `size` (None: everything). The first reason for leaving whole stays; a partial exit gives way to it."""
        if self.wish is None:
            self.wish = Wish(reason=reason, size=size)
        elif size is None and self.wish.size is not None:
            self.wish = Wish(reason=reason, order=self.wish.order)

    def modify_refused(self, order: TrackedOrder) -> None:
        """The exchange would not change the stop in place: place another, then cancel this one."""
        if self.stop is order:
            self._replace = True

    def modify_unsent(self, order: TrackedOrder, now: int) -> None:
        """The change did not leave us: asked again after a moment, for what kept it from leaving mostly still does."""
        if self.stop is order:
            self._stop_at = now + self._us(self._settings.exit_retry_s)

    def wake_at(self) -> int | None:
        """When `settle` has something to do without anything happening."""
        return self._wake_at

    def settle(self, seen: Situation, orders: Iterable[TrackedOrder], now: int) -> None:
        """Look at the situation and do the next thing."""
        self._wake_at = None
        active = list(orders)
        if seen.size == ZERO:
            self._be_flat(active, now)
        else:
            self._follow_stop(seen, active, now)
            if self.wish is not None:
                self._close(self.wish, seen, now)
            if self._exit_in_doubt(now) and not self._waits:
                self._guard_doubt(seen, active, now)
            elif not self.closing and not self._waits:
                self._keep_stop(seen, active, now)
                self._keep_target(seen, now)
        self._tell_change(seen, active, now)
        self._keep_armed(seen)

    # Flat

    def _be_flat(self, active: list[TrackedOrder], now: int) -> None:
        for order in active:
            if order.role is not OrderRole.ENTRY and order.type is not OrderType.MARKET:
                self._desk.cancel(order, "flat", now)
        if all(order.role is OrderRole.ENTRY for order in active):
            self.stop = self.target = None
        self.wish = None
        self._replace = self._target_off = self._waits = False
        self._naked_since = None
        self._retry_at, self._stop_at, self._retry_us = 0, 0, self._us(self._settings.exit_retry_s)

    # The stop

    def _follow_stop(self, seen: Situation, active: list[TrackedOrder], now: int) -> None:
        """Which order is the stop now, and what became of the one before."""
        self._waits = False
        self._stops = stops = [one for one in active if _is_stop(one, seen.closing_side)]
        self._exits = [one for one in active if one.role is OrderRole.EXIT and one.side is seen.closing_side]
        live = [one for one in stops if one.live and not one.canceling]
        if self.stop is not None and not self.stop.live:
            ended, self.stop = self.stop, None
            if ended.owed > ZERO:
                self.stop, self._waits = ended, True
                return
            self._after(ended, seen, covered=_covered(live) >= abs(seen.size), now=now)
        if self.stop is None or self.stop.canceling or self.stop.side is not seen.closing_side:
            self.stop = live[-1] if live else None

    def _after(self, ended: TrackedOrder, seen: Situation, *, covered: bool, now: int) -> None:
        """The stop is gone. Leave, or let `_keep_stop` place another."""
        self._replace = False
        asked = ended.cancel_asked_at > 0
        if covered or asked or ended.state in (OrderState.FILLED, OrderState.DEAD):
            return
        self._stop_at = now + self._us(self._settings.exit_retry_s) if ended.filled == ZERO else now
        if ended.state is OrderState.UNSENT or ended.refusal in BUSY_CODES or ended.cancel_reason in BUSY_CODES:
            return
        if ended.state in (OrderState.REJECTED, OrderState.REFUSED):
            if ended.size < abs(seen.size):
                # Perhaps too small for the exchange: the first part of a fill. Its own size has not been tried yet.
                self._stop_at = now
            else:
                self.want_exit("stop_refused")
        elif ended.filled > ZERO or ended.triggered:
            self.want_exit("stop")
        elif ended.cancel_reason not in BENIGN_CANCELS and ended.size <= abs(seen.size):
            self._meddled(f"stop {ended.client_id} was cancelled ({ended.cancel_reason or 'no reason'})", now)
            self.want_exit("stop_lost")

    def _keep_stop(self, seen: Situation, active: list[TrackedOrder], now: int) -> None:
        """Have a confirmed stop of the right size at the right price."""
        size = abs(seen.size)
        live = [one for one in active if _is_stop(one, seen.closing_side) and one.live]
        covered = _covered(live) >= size
        if covered or not seen.can_send:
            self._naked_since = None
        elif self._naked_since is None:
            self._naked_since = now
        if self._naked_since is not None and now >= self._naked_since + self._us(self._settings.naked_limit_s):
            self.want_exit("naked")
            self._close_now(seen, now)
            return
        if self._naked_since is not None:
            self._wake(self._naked_since + self._us(self._settings.naked_limit_s))
        if self.stop is None:
            self._place_stop(seen, now)
        elif self.stop.state is OrderState.OPEN:
            self._watch_triggered(self.stop, seen, now)
        elif self.stop.state is OrderState.UNTRIGGERED:
            self._adjust(self.stop, seen, live, now)

    def _guard_doubt(self, seen: Situation, active: list[TrackedOrder], now: int) -> None:
        """While the closing order may be lost: a stop where the plan has it, or just behind the mark if that is passed.

        A stop that is unknown too is waited for as long as it may still arrive, not until that is proved. One that rests
        keeps its price and follows a position that grows: a fill may cross the closing order.
        """
        waits_until = None
        for one in active:
            if not _is_stop(one, seen.closing_side) or not one.live or one.canceling:
                continue
            if one.state is not OrderState.UNKNOWN:
                if one is self.stop and one.state is OrderState.UNTRIGGERED and one.size < abs(seen.size):
                    self._adjust(one, msgspec.structs.replace(seen, stop_price=one.trigger_price), [one], now)
                return
            waits_until = max(waits_until or 0, one.sent_at + seen.window_us)
        if waits_until is not None and now < waits_until:
            self._wake(waits_until)
        elif seen.can_send:
            self._send_stop(seen, seen.fallback_price if seen.beyond else seen.stop_price, now)

    def _place_stop(self, seen: Situation, now: int) -> None:
        if not seen.can_send:
            return
        if seen.beyond:
            self.want_exit("stop")
            self._close_now(seen, now)
            return
        self._send_stop(seen, seen.stop_price, now)

    def _send_stop(self, seen: Situation, price: Decimal | None, now: int) -> None:
        if price is None:
            return
        if now < self._stop_at:
            self._wake(self._stop_at)
            return
        self.stop = self._desk.reduce(
            self.symbol, seen.closing_side, abs(seen.size), type=OrderType.STOP_MARKET, role=OrderRole.STOP, reason="stop",
            now=now, trigger_price=price,
        )  # fmt: skip
        self._moved_at = now

    def _watch_triggered(self, stop: TrackedOrder, seen: Situation, now: int) -> None:
        """It was triggered: it is closing us. If it does not, we do."""
        acts_by = stop.changed_at + self._us(self._settings.stop_acts_within_s)
        if now >= acts_by:
            self.want_exit("stop")
            self._close_now(seen, now)
        else:
            self._wake(acts_by)

    def _adjust(self, stop: TrackedOrder, seen: Situation, live: list[TrackedOrder], now: int) -> None:
        """Size first (at once), then price (not more often than `reprice_every_s`); modify before replace."""
        size, price = abs(seen.size), _tighter(seen.stop_price, stop.trigger_price, seen.closing_side)
        if stop.modifying is not None or not seen.can_send or price is None or not stop.order_id:
            return
        if stop.size == size and stop.trigger_price == price:
            self._replace = False
            self._cancel_replaced([other for other in live if other is not stop], stop.changed_at + RESTS_FIRST_US, now)
            return
        reprice_at = self._moved_at + self._us(self._settings.reprice_every_s)
        if stop.size == size and now < reprice_at:
            self._wake(reprice_at)
            return
        if now < self._stop_at:
            self._wake(self._stop_at)
        elif self._replace:
            # The old one is cancelled when the new one is confirmed (above).
            self._send_stop(seen, price, now)
            self._replace = self.stop is stop
        elif self._desk.modify(stop, size=size, trigger_price=price, reason="stop", now=now):
            self._moved_at = now
        else:
            self._stop_at = now + self._us(self._settings.exit_retry_s)
            self._wake(self._stop_at)

    def _cancel_replaced(self, others: list[TrackedOrder], at: int, now: int) -> None:
        if others and now < at:
            self._wake(at)
            return
        for other in others:
            self._desk.cancel(other, "replaced", now)

    # The way out

    def _close_now(self, seen: Situation, now: int) -> None:
        if self.wish is not None:
            self._close(self.wish, seen, now)

    def _close(self, wish: Wish, seen: Situation, now: int) -> None:
        """One reduce-only market order at a time until what was wanted is closed."""
        if wish.order is not None:
            if not wish.order.settled:
                return
            self._after_exit(wish, wish.order, now)
            if self.wish is not wish:
                return
        if not seen.can_send:
            return
        if now < self._retry_at:
            self._wake(self._retry_at)
            return
        if seen.shared and wish.size is None and self._stops:
            # Stop and exit could both fill, and the exchange would let the second one take what is somebody else's.
            for stop in self._stops:
                self._desk.cancel(stop, "leaving", now)
            return
        if seen.shared and self._exits:
            # Sent before a restart: for the same reason it is waited for, as if it had been sent now.
            wish.order = self._exits[-1]
            return
        size = abs(seen.size) if wish.size is None else min(wish.size, abs(seen.size))
        wish.order = self._leave(seen.closing_side, size, wish.reason, now)

    def _leave(self, side: Side, size: Decimal, reason: str, now: int) -> TrackedOrder:
        """The closing order: the one that is signed already if it fits, else a new one."""
        armed = self.armed
        if armed is None or (armed.side, armed.size) != (side, size):
            return self._desk.reduce(
                self.symbol, side, size, type=OrderType.MARKET, role=OrderRole.EXIT, reason=reason, now=now
            )
        self.armed = None
        return self._desk.release(armed, reason, now)

    def _after_exit(self, wish: Wish, order: TrackedOrder, now: int) -> None:
        """A closing order ended. A partial exit is done with it, or failed; a whole one goes on until flat."""
        wish.order = None
        if wish.size is not None:
            self.wish = None
            if order.filled == ZERO:
                self._exit_failed(wish.reason, now)
            return
        if order.filled > ZERO:
            self._retry_us = self._us(self._settings.exit_retry_s)
        self._back_off(now)

    def _back_off(self, now: int) -> None:
        self._retry_at = now + self._retry_us
        self._retry_us = min(2 * self._retry_us, self._us(self._settings.exit_retry_max_s))

    # The resting take-profit

    def _keep_target(self, seen: Situation, now: int) -> None:
        """Where it is switched on: a reduce-only limit of the whole size at the target, once the stop is confirmed."""
        if not self._settings.resting_target or self._target_off or seen.target_price is None or not seen.can_send:
            return
        if self.target is not None and not self.target.live:
            self._target_off = self.target.owed == ZERO and self.target.filled < self.target.size
            self.target = None
            return
        if self.closing or self.stop is None or self.stop.state is not OrderState.UNTRIGGERED:
            return
        size = abs(seen.size)
        if self.target is None:
            self.target = self._desk.reduce(
                self.symbol, seen.closing_side, size, type=OrderType.LIMIT, role=OrderRole.TARGET, reason="target", now=now,
                price=seen.target_price,
            )  # fmt: skip
        elif self.target.state is OrderState.OPEN and self.target.order_id and not self.target.canceling:
            if self.target.modifying is not None:
                return
            rest = self.target.size - self.target.filled
            if rest != size or self.target.price != seen.target_price:
                self._desk.modify(
                    self.target, size=size + self.target.filled, price=seen.target_price, reason="target", now=now
                )

    # The order that is signed ahead

    def _keep_armed(self, seen: Situation) -> None:
        """While the position is protected: a closing order of its whole size, ready to leave. Without a position: none."""
        if seen.size == ZERO:
            if self.armed is not None:
                self._desk.disarm(self.armed)
                self.armed = None
            return
        if not self._settings.signed_ahead or self.state is not ProtectionState.PROTECTED or not seen.can_send:
            return
        side, size = seen.closing_side, abs(seen.size)
        if self.armed is None or (self.armed.side, self.armed.size) != (side, size):
            self.armed = self._desk.arm(self.symbol, side, size, self.armed)

    # What is told

    def _tell_change(self, seen: Situation, active: list[TrackedOrder], now: int) -> None:
        before = self.state
        self.state = self._judge(seen, active)
        stop = self.stop if seen.size != ZERO else None
        story = (self.state, stop.trigger_price if stop else None, stop.size if stop else None)
        if story == self._told:
            return
        self._told = story
        self._desk.tell(
            ProtectionChanged(
                symbol=self.symbol, before=before, after=self.state, position_size=seen.size, stop_price=story[1],
                stop_size=story[2], changed_at=now, detail=self.wish.reason if self.wish else "",
            )
        )  # fmt: skip

    def _judge(self, seen: Situation, active: list[TrackedOrder]) -> ProtectionState:
        if seen.size == ZERO:
            return ProtectionState.FLAT
        live = [one for one in active if _is_stop(one, seen.closing_side) and one.live]
        if self.closing or any(one.state is OrderState.OPEN for one in live) or self._waits:
            return ProtectionState.CLOSING
        if _covered(live) >= abs(seen.size):
            return ProtectionState.PROTECTED
        return ProtectionState.STOP_SENT if live else ProtectionState.NAKED

    def _wake(self, at: int) -> None:
        self._wake_at = at if self._wake_at is None else min(self._wake_at, at)

    @staticmethod
    def _us(seconds: float) -> int:
        return int(seconds * SECOND_US)


def _is_stop(order: TrackedOrder, side: Side) -> bool:
    return order.role is OrderRole.STOP and order.side is side


def _covered(stops: Iterable[TrackedOrder]) -> Decimal:
    """Base units that confirmed stops would close."""
    return max((one.size - one.filled for one in stops if one.state in CONFIRMED and not one.canceling), default=ZERO)


def _tighter(wanted: Decimal | None, resting: Decimal | None, side: Side) -> Decimal | None:
    """The tighter of two stop prices: a resting stop never loosens, not even after a restart."""
    if wanted is None or resting is None:
        return resting if wanted is None else wanted
    return max(wanted, resting) if side is Side.SELL else min(wanted, resting)
