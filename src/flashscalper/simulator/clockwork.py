"""What time does to the exchange: funding ticks, liquidation, deleveraging, and requests that wait for a speed bump."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from flashscalper.model.events import ExchangeStatus
from flashscalper.simulator.desk import Desk
from flashscalper.simulator.facts import FundingTicked
from flashscalper.simulator.liquidation import review
from flashscalper.simulator.state import ExchangeState

Job = Callable[[int], None]


class Clockwork:
    """Runs everything that is due, each at its own moment, in order of (moment, arrival)."""

    def __init__(self, state: ExchangeState, desk: Desk, started_at: int) -> None:
        self._state = state
        self._desk = desk
        self._jobs: list[tuple[int, int, Job]] = []
        self._funding_at = _next_multiple(started_at, state.rules.funding_every_us)
        self._review_at = _next_multiple(started_at, state.rules.liquidation_every_us)

    def schedule(self, at: int, job: Job) -> None:
        """Run `job(at)` when the clock gets there."""
        heappush(self._jobs, (at, self._state.next_number(), job))

    def next_at(self) -> int:
        """The next moment at which something is due."""
        due = min(self._funding_at, self._review_at)
        return min(due, self._jobs[0][0]) if self._jobs else due

    def advance(self, now: int) -> None:
        """Let time pass. A gap longer than the funding gap is skipped, not ticked through second by second."""
        rules = self._state.rules
        if now - self._funding_at > rules.funding_gap_us:
            self._funding_at = now - now % rules.funding_every_us
            self._review_at = now - now % rules.liquidation_every_us
        while (due := self.next_at()) <= now:
            self._state.now = due
            if self._jobs and self._jobs[0][0] == due:
                heappop(self._jobs)[2](due)
            elif self._funding_at == due:
                self._funding_at += rules.funding_every_us
                self._tick_funding(due)
            else:
                self._review_at += rules.liquidation_every_us
                self._review(due)
            self._state.flush(due)
        self._state.now = max(self._state.now, now)

    def _tick_funding(self, now: int) -> None:
        rules = self._state.rules
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
