"""What time does to the exchange: funding ticks, liquidation, deleveraging, and requests that wait for a speed bump."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from heapq import heapify, heappop, heappush

import msgspec

from flashscalper.model.events import ExchangeStatus
from flashscalper.simulator.desk import Change, Desk
from flashscalper.simulator.facts import CancelReason, FundingTicked
from flashscalper.simulator.liquidation import review
from flashscalper.simulator.orders import LiveOrder
from flashscalper.simulator.state import ExchangeState


class Errand(StrEnum):
    """What a waiting request will do to its order."""

    ACTIVATE = "activate"
    MODIFY = "modify"
    CANCEL = "cancel"


class Waiting(msgspec.Struct, frozen=True, order=True):
    """A request behind its speed bump. Sorted by moment, then arrival."""

    at: int
    number: int
    errand: Errand
    account: str
    order_id: str
    change: Change | None = None


class Clockwork:
    """Runs everything that is due, each at its own moment, in order of (moment, arrival)."""

    def __init__(self, state: ExchangeState, desk: Desk, started_at: int) -> None:
        self._state = state
        self._desk = desk
        self._waiting: list[Waiting] = []
        self._funding_at = _next_multiple(started_at, state.rules.funding_every_us)
        self._review_at = _next_multiple(started_at, state.rules.liquidation_every_us)

    def schedule(self, at: int, errand: Errand, order: LiveOrder, change: Change | None = None) -> None:
        """Do this to the order when the clock gets there."""
        heappush(self._waiting, Waiting(at, self._state.next_number(), errand, order.account.id, order.id, change))

    def waiting(self) -> list[Waiting]:
        """Every request that has not been carried out, in the order in which they will be."""
        return sorted(self._waiting)

    def restore(self, waiting: Iterable[Waiting]) -> None:
        """Take over requests that waited when the exchange went down."""
        self._waiting = list(waiting)
        heapify(self._waiting)

    def next_at(self) -> int:
        """The next moment at which something is due."""
        due = min(self._funding_at, self._review_at)
        return min(due, self._waiting[0].at) if self._waiting else due

    def advance(self, now: int) -> None:
        """Let time pass. A gap longer than the funding gap is skipped, not ticked through second by second."""
        rules = self._state.rules
        if now - self._funding_at > rules.funding_gap_us:
            self._funding_at = now - now % rules.funding_every_us
            self._review_at = now - now % rules.liquidation_every_us
        while (due := self.next_at()) <= now:
            self._state.now = due
            if self._waiting and self._waiting[0].at == due:
                self._carry_out(heappop(self._waiting), due)
            elif self._funding_at == due:
                self._funding_at += rules.funding_every_us
                self._tick_funding(due)
            else:
                self._review_at += rules.liquidation_every_us
                self._review(due)
            self._state.flush(due)
        self._state.now = max(self._state.now, now)

    def _carry_out(self, waiting: Waiting, now: int) -> None:
        order = self._state.find(waiting.account, waiting.order_id)
        if order is None:
            return  # closed so long ago that it was forgotten
        if waiting.errand is Errand.ACTIVATE:
            self._desk.activate(order, now)
        elif waiting.errand is Errand.CANCEL:
            self._desk.cancel(order, CancelReason.USER_CANCELED, now)
        elif waiting.change is not None:
            self._desk.modify(order, waiting.change, now)

    def _tick_funding(self, now: int) -> None:
        """In maintenance nothing is published; the next tick accrues for a short one, as for any gap."""
        rules = self._state.rules
        if self._state.status is ExchangeStatus.MAINTENANCE:
            return
        for listing in self._state.listings.values():
            if listing.index is not None:
                premium = listing.mid_premium()
                listing.funding.tick(now, premium, listing.index, rules.funding_gap_us, rules.funding_half_life_us)
                self._state.emit(FundingTicked(listing.symbol, now))

    def _review(self, now: int) -> None:
        """Liquidation pauses in every mode but OK (paradex.md 6.11)."""
        if self._state.status is ExchangeStatus.OK:
            for account in self._state.accounts.values():
                review(self._state, self._desk, account, now)


def _next_multiple(after: int, step: int) -> int:
    return after - after % step + step
