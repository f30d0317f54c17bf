"""What the journal must hold for a restart beside orders and fills: plans, risk counters, the cash a run began with."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.amounts import plain
from flashscalper.model.instants import SECOND_US
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.exits import ExitState
from flashscalper.trading.floor import Floor
from flashscalper.trading.market_state import MarketState
from flashscalper.trading.orders import LIVE, tracked
from flashscalper.trading.positions import BookedFill
from flashscalper.trading.reports import Reports
from flashscalper.trading.saved import (
    EXIT_PLAN,
    RISK_COUNTERS,
    STARTING_CASH,
    SavedPlan,
    SavedState,
    encode_note,
    taken_over,
)


class Keeping:
    """Writes notes when what they hold has changed, and puts a saved state back in place."""

    def __init__(self, floor: Floor, ids: ClientIds) -> None:
        self._floor = floor
        self._ids = ids
        self._plans: dict[str, ExitState] = {}
        self._cash: Decimal | None = None
        self._peak: Decimal | None = None
        self.counters_changed = True
        self.equity_at = floor.started_at
        self._every_us = int(floor.settings.timing.equity_every_s * SECOND_US)

    def next_equity(self, now: int) -> None:
        """The next equity point lies on the grid of its period, whenever this one was taken. A peak that grew since the last
        is written down with it."""
        self.equity_at = now - now % self._every_us + self._every_us
        self.counters_changed = self.counters_changed or self._peak != self._floor.risk.peak

    def write_down(self, now: int) -> None:
        """Say what changed since the last time."""
        floor = self._floor
        if floor.ledger.starting_cash != self._cash:
            self._cash = floor.ledger.starting_cash
            floor.note(STARTING_CASH, plain(self._cash), now)
        for state in floor.markets.values():
            if state.plan is None:
                self._plans.pop(state.symbol, None)
                continue
            learned = state.plan.state()
            known = self._plans.get(state.symbol)
            if known is None or (known.stop, known.partial_taken) != (learned.stop, learned.partial_taken):
                self._plans[state.symbol] = learned
                floor.note(EXIT_PLAN, encode_note(_saved_plan(state)), now, state.symbol)
        if self.counters_changed or floor.risk.unsaved:
            self.counters_changed = floor.risk.unsaved = False
            self._peak = floor.risk.peak
            counters = msgspec.structs.replace(floor.risk.counters(), sent=[])
            floor.note(RISK_COUNTERS, encode_note(counters), now)

    def restore(self, saved: SavedState, reports: Reports) -> None:
        """Put orders, fold, plans and foreign exposure back; the exchange is asked before anything is decided."""
        floor = self._floor
        self._ids.resume_after(saved.last_client_id)
        known = [entry for entry in saved.fills if entry.fill.symbol in floor.markets]
        floor.ledger.restore(known, saved.busted)
        floor.ledger.pay(saved.payments)
        floor.foreign.update({symbol: size for symbol, size in saved.foreign.items() if symbol in floor.markets})
        for order in taken_over(saved, floor.started_at).orders:
            if order.symbol in floor.markets:
                floor.orders.add(msgspec.structs.replace(order))
        for symbol in floor.markets:
            reports.baseline_at[symbol] = saved.saved_at
        for symbol in floor.ledger.open_symbols():
            reports.open_plan(floor.markets[symbol], saved.saved_at)
            reports.show_position(floor.markets[symbol])
            floor.touch(symbol)

    def save(self, now: int) -> SavedState:
        """The state as of now."""
        floor = self._floor
        fills = tuple(
            BookedFill(fill=entry.fill, role=entry.role, reason=entry.reason, foreign=entry.foreign)
            for symbol in floor.markets
            for entry in floor.ledger.position(symbol).fills
        )
        orders = [msgspec.structs.replace(order) for order in floor.orders if order.state in LIVE or order.owed]
        orders += [
            msgspec.structs.replace(tracked(state.protection.armed, now), armed=True)
            for state in floor.markets.values()
            if state.protection.armed is not None
        ]
        plans = {state.symbol: _saved_plan(state) for state in floor.markets.values() if state.plan is not None}
        return SavedState(
            saved_at=now, starting_cash=floor.ledger.starting_cash, last_client_id=self._ids.last, orders=tuple(orders),
            fills=fills, payments=floor.ledger.payments, foreign=dict(floor.foreign), plans=plans,
            counters=floor.risk.counters(),
        )  # fmt: skip


def _saved_plan(state: MarketState) -> SavedPlan:
    """The plan of an open position, without the parts of its signal that only people read."""
    assert state.plan is not None
    assert state.plan_costs is not None
    signal = state.plan_signal
    if signal is not None:
        signal = msgspec.structs.replace(signal, gates=(), inputs=())
    return SavedPlan(state=state.plan.state(), signal=signal, costs=state.plan_costs)
