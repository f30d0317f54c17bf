"""What became of it: orders whose state is in doubt are asked about until it is known, and are never sent again.

In doubt are: unknown orders, orders whose answer is overdue, cancels and modifications that show no effect, orders that
should have ended at once and have not, orders whose fills are owed, and live orders that a read of the account did not
list. A negative read counts only when it was asked after nothing can arrive any more (receive window + clock error +
margin) and while the account stream was healthy; two such reads end the order, and later news still counts.
"""

from __future__ import annotations

from flashscalper.model.amounts import ZERO
from flashscalper.model.events import OrderFound
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import OrderType, TimeInForce
from flashscalper.trading.desk import Desk
from flashscalper.trading.orders import Happening, OrderState, TrackedOrder
from flashscalper.trading.settings import TimingSettings

NEGATIVES_NEEDED = 2
AT_ONCE_US = 2 * SECOND_US
"""How long an order that should be done at once (or risk-checked) may take before we ask."""


class _Chase:
    """The questions about one order: when each unanswered one was asked, when to ask next, clean negatives so far.

    One question at a time. An answer belongs to the oldest unanswered question, so that the late answer to an early question
    is never taken for the answer to a later one.
    """

    __slots__ = ("asked", "negatives", "next_at", "wait_us")

    def __init__(self, next_at: int, wait_us: int) -> None:
        self.asked: list[tuple[int, bool]] = []
        self.next_at = next_at
        self.wait_us = wait_us
        self.negatives = 0


class Pursuit:
    """Asks about doubtful orders. `healthy` is whether the account stream has been ready, `clock_error_us` how wrong the
    clock may be; both are kept up to date by the engine."""

    def __init__(self, timing: TimingSettings, desk: Desk, modify_answers_within_s: float) -> None:
        self._desk = desk
        self._timing = timing
        self._modify_us = int(modify_answers_within_s * SECOND_US)
        self._owed_us = int(timing.owed_after_s * SECOND_US)
        self._answer_us = int(timing.answer_within_s * SECOND_US)
        self._chases: dict[str, _Chase] = {}
        self._suspects: dict[str, None] = {}
        self.healthy = False
        self.clock_error_us = 0

    @property
    def window_us(self) -> int:
        """How long after it was sent a request may still be taken: receive window, margin, and what the clock may be off."""
        window = self._us(self._timing.recv_window_s) + self._us(self._timing.dead_margin_s)
        return window + 2 * self.clock_error_us

    def suspect(self, order: TrackedOrder) -> None:
        """Something speaks against what we believe of this order: ask."""
        self._suspects[order.client_id] = None

    def due(self, now: int) -> None:
        """Ask whatever is to be asked now."""
        for order in self._desk.orders.all_active():
            doubt_at = self._doubt_at(order)
            if doubt_at is None or doubt_at > now:
                self._chases.pop(order.client_id, None)
                continue
            if order.state is OrderState.SENT:
                self._desk.happen(order, Happening.ANSWER_OVERDUE, now)
            self._ask(order, now)
        self._forget_ended()

    def wake_at(self) -> int | None:
        """When `due` has something to do."""
        moments = [moment for order in self._desk.orders.all_active() if (moment := self._moment(order)) is not None]
        return min(moments, default=None)

    def on_answer(self, found: OrderFound, order: TrackedOrder, now: int) -> None:
        """A question was answered (`order` is what we follow). A positive answer was already shown to the order."""
        chase = self._chases.get(order.client_id)
        asked_at, was_healthy = chase.asked.pop(0) if chase is not None and chase.asked else (now, False)
        if found.failed or chase is None:
            return
        if found.order is not None:
            self._on_found(order, chase, now)
            return
        clean = was_healthy and self.healthy and asked_at >= self._nothing_arrives_after(order)
        if not clean:
            return
        chase.negatives += 1
        chase.next_at = min(chase.next_at, now + self._us(self._timing.query_every_s))
        if chase.negatives >= NEGATIVES_NEEDED:
            self._suspects.pop(order.client_id, None)
            self._desk.happen(order, Happening.NOT_FOUND, now, "two clean negative reads")

    def on_stream_lost(self) -> None:
        """Negative reads so far were not all made beside a healthy stream: count anew."""
        for chase in self._chases.values():
            chase.negatives = 0
            chase.asked = [(asked_at, False) for asked_at, _ in chase.asked]

    def _on_found(self, order: TrackedOrder, chase: _Chase, now: int) -> None:
        """It exists. What was asked of it and did not happen is asked again: a cancel is harmless twice."""
        chase.negatives = 0
        self._suspects.pop(order.client_id, None)
        if order.modifying is not None and now >= order.modified_at + self._modify_us:
            order.modifying = None
            self._desk.touched.add(order.symbol)
        if order.canceling and order.live and now >= order.cancel_asked_at + SECOND_US:
            order.canceling = False
            self._desk.cancel(order, "cancel again", now)

    def _ask(self, order: TrackedOrder, now: int) -> None:
        chase = self._chases.get(order.client_id)
        if chase is None:
            chase = self._chases[order.client_id] = _Chase(now, self._us(self._timing.query_every_s))
        unanswered = bool(chase.asked) and now < chase.asked[-1][0] + self._us(self._timing.read_within_s)
        if now < chase.next_at or unanswered:
            return
        chase.asked = [*chase.asked[-7:], (now, self.healthy)]
        chase.next_at = now + chase.wait_us
        chase.wait_us = min(2 * chase.wait_us, self._us(self._timing.query_max_s))
        self._desk.query(order)

    def _doubt_at(self, order: TrackedOrder) -> int | None:
        """Since when the order is in doubt; None while there is none."""
        if order.client_id in self._suspects or order.state is OrderState.UNKNOWN:
            return order.sent_at
        if order.owed > ZERO:
            return order.owed_since + self._owed_us
        if order.state is OrderState.SENT:
            return order.sent_at + self._answer_us
        moments = [] if order.order_id else [order.changed_at + self._owed_us]
        if order.canceling:
            moments.append(order.cancel_asked_at + SECOND_US)
        if order.modifying is not None:
            moments.append(order.modified_at + self._modify_us)
        if order.state is OrderState.ACCEPTED or (order.state is OrderState.OPEN and _ends_at_once(order)):
            moments.append(order.changed_at + AT_ONCE_US)
        return min(moments, default=None)

    def _moment(self, order: TrackedOrder) -> int | None:
        doubt_at = self._doubt_at(order)
        chase = self._chases.get(order.client_id)
        if doubt_at is None or chase is None:
            return doubt_at
        answer_by = chase.asked[-1][0] + self._us(self._timing.read_within_s) if chase.asked else 0
        return max(doubt_at, chase.next_at, answer_by)

    def _nothing_arrives_after(self, order: TrackedOrder) -> int:
        """The instant after which the exchange refuses our request even if it should still be on its way."""
        return order.sent_at + self.window_us

    def _forget_ended(self) -> None:
        """Drop what was asked about orders that are settled."""
        for ids in (self._chases, self._suspects):
            for client_id in [one for one in ids if self._ended(self._desk.orders.get(one))]:
                del ids[client_id]

    @staticmethod
    def _ended(order: TrackedOrder | None) -> bool:
        return order is None or order.settled

    @staticmethod
    def _us(seconds: float) -> int:
        return int(seconds * SECOND_US)


def _ends_at_once(order: TrackedOrder) -> bool:
    """Orders that never rest: market types once they work, and immediate-or-cancel."""
    market = order.type in (
        OrderType.MARKET,
        OrderType.STOP_MARKET,
        OrderType.STOP_LOSS_MARKET,
        OrderType.TAKE_PROFIT_MARKET,
    )
    return market or order.time_in_force is TimeInForce.IOC
