"""How an entry goes in: at once within a slippage bound, or resting first and taking what is missing afterwards.

post -> wait -> cancel -> await its result (it may have filled) -> take the rest, if the signal still stands and the price
has not run away, else leave it. Nothing is taken while the fate of an order before is open. Every order passes the desk's
gate anew.
"""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.amounts import ZERO
from flashscalper.model.instants import SECOND_US
from flashscalper.model.markets import Rounding
from flashscalper.model.orders import OrderRole, Side, TimeInForce
from flashscalper.model.records import Gate
from flashscalper.strategies.base import Signal
from flashscalper.trading.costs import EntryStyle, cost_gate
from flashscalper.trading.entry import Entry, EntryPhase
from flashscalper.trading.floor import Floor
from flashscalper.trading.limits import Proposal
from flashscalper.trading.market_state import MarketState
from flashscalper.trading.orders import OrderState
from flashscalper.trading.risk import TradingState
from flashscalper.trading.sizing import smallest_size

_BPS = Decimal(10_000)
ENTRY_GATE = "entry_price"
TARGET_GATE = "target_price"


def taking_price(state: MarketState, side: Side, max_slippage_bps: float) -> Decimal | None:
    """The worst price of a taking order: the touch and the slippage bound, rounded inwards; None without a touch."""
    touch = state.touch_price(side)
    if touch is None:
        return None
    bound = 1 + side.sign * Decimal(repr(max_slippage_bps)) / _BPS
    worst = Decimal(repr(touch)) * bound
    rounded = state.market.round_price(worst, Rounding.DOWN if side is Side.BUY else Rounding.UP)
    exact = state.market.round_price(touch, Rounding.NEAREST)
    return max(rounded, exact) if side is Side.BUY else min(rounded, exact)


def resting_price(state: MarketState, side: Side, level: float | None = None) -> Decimal | None:
    """The passive price: our side's best, or a level behind it where the signal would rather wait."""
    if state.quote is None:
        return None
    best = state.quote.bid if side is Side.BUY else state.quote.ask
    if best is None:
        return None
    wanted = best if level is None else min(best, level) if side is Side.BUY else max(best, level)
    return state.market.passive_price(max(wanted, float(state.market.price_tick)), side)


class Entries:
    """The entries of all markets, one each at most."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._settings = floor.settings.entry

    @property
    def starts_resting(self) -> bool:
        """Whether an entry begins with a passive order."""
        return self._settings.style is not EntryStyle.IOC

    def price_gates(self, signal: Signal, touch: float) -> tuple[Gate, ...]:
        """What the signal's own prices must be: a target ahead of the touch, and for an entry that takes at once and waits
        for no level, a touch that has come to its price."""
        gates, sign = [], signal.direction.sign
        if signal.entry is not None and not self.starts_resting:
            reached = (signal.entry - touch) * sign >= 0
            gates.append(Gate(ENTRY_GATE, reached, f"the touch at {signal.entry:g} or better", f"{touch:g}"))
        if signal.target is not None:
            ahead = (signal.target - touch) * sign > 0
            gates.append(
                Gate(TARGET_GATE, ahead, f"a target {'above' if sign > 0 else 'below'} {touch:g}", f"{signal.target:g}")
            )
        return tuple(gates)

    def proposal(self, state: MarketState, side: Side, size: Decimal, level: float | None = None) -> Proposal | None:
        """The first order of an entry, at `level` or at the touch; None without a price."""
        if self.starts_resting:
            price = resting_price(state, side, level)
        else:
            price = taking_price(state, side, self._settings.max_slippage_bps)
        return None if price is None else Proposal(symbol=state.symbol, side=side, size=size, price=price)

    @property
    def first_time_in_force(self) -> TimeInForce:
        """How long the first order lives."""
        return TimeInForce.POST_ONLY if self.starts_resting else TimeInForce.IOC

    def begin(self, entry: Entry, now: int) -> None:
        """The first order has been sent."""
        if entry.phase is EntryPhase.RESTING:
            entry.patience_until = now + int(self._settings.post_wait_s * SECOND_US)
        self._floor.entries[entry.symbol] = entry

    def settle(self, state: MarketState, now: int) -> None:
        """Do the next thing for the entry of one market, and take back entry orders that belong to none."""
        entry = self._floor.entries.get(state.symbol)
        if entry is not None:
            if entry.order.settled:
                self._after(entry, state, now)
            elif self._unwanted(entry, state, now):
                self._take_back(entry, state, now)
        self._sweep(state, now)

    def wake_at(self) -> int | None:
        """When `settle` has something to do without anything happening."""
        moments = [
            entry.patience_until
            for entry in self._floor.entries.values()
            if entry.phase is EntryPhase.RESTING and entry.patience_until is not None
        ]
        return min(moments, default=None)

    def _unwanted(self, entry: Entry, state: MarketState, now: int) -> bool:
        """Whether its live order should be taken back now."""
        if entry.phase is EntryPhase.CANCELING:
            return False
        patient = entry.patience_until is None or now < entry.patience_until
        return not patient or entry.withdrawn or not self._open_for_entries() or state.protection.closing

    def _take_back(self, entry: Entry, state: MarketState, now: int) -> None:
        wanted = self._open_for_entries() and not state.protection.closing and not entry.withdrawn
        reason = "not filled in time" if wanted else "no longer wanted"
        entry.phase = EntryPhase.CANCELING
        self._floor.desk.cancel(entry.order, reason, now)

    def _after(self, entry: Entry, state: MarketState, now: int) -> None:
        """Its order has ended and every fill is booked: take the rest, or be done."""
        rest = entry.size - entry.filled
        ended_quietly = entry.phase is not EntryPhase.TAKING and entry.order.state is OrderState.CANCELED
        topping_up = ended_quietly and self._settings.style is EntryStyle.POST_ONLY_THEN_IOC
        if rest > ZERO and topping_up and self._take_rest(entry, state, rest, now):
            return
        del self._floor.entries[state.symbol]

    def _take_rest(self, entry: Entry, state: MarketState, rest: Decimal, now: int) -> bool:
        """Send the rest as immediate-or-cancel if it still makes sense and every gate agrees."""
        price = taking_price(state, entry.side, self._settings.max_slippage_bps)
        if price is None or not self._stands(entry, state, now) or rest < smallest_size(state.market, price):
            return False
        proposal = Proposal(symbol=state.symbol, side=entry.side, size=rest, price=price)
        gates = (self._pays(entry, state, now), *self._floor.desk.admit(state.market, proposal, now))
        refused = next((gate for gate in gates if not gate.passed), None)
        if refused is not None:
            self._floor.desk.deny(proposal, refused, OrderRole.ENTRY, now)
            return False
        entry.earlier.append(entry.order)
        command = self._floor.desk.entry_command(proposal, TimeInForce.IOC, "entry")
        entry.order = self._floor.desk.send(command, now)
        entry.phase, entry.patience_until = EntryPhase.TAKING, None
        return True

    def _pays(self, entry: Entry, state: MarketState, now: int) -> Gate:
        """The cost gate anew: what is taken now pays the taker fee of the class that this order gets, at this spread."""
        floor = self._floor
        costs = floor.costs(state, entry.direction, floor.next_class(now, but=entry), EntryStyle.IOC)
        return cost_gate(entry.signal.expected_move, costs, floor.settings.costs)

    def _stands(self, entry: Entry, state: MarketState, now: int) -> bool:
        """Whether the signal is still worth taking: nothing forbids entries, prices are fresh and have not run away."""
        if entry.withdrawn or not self._open_for_entries() or self._floor.entry_blocks(state.symbol, but=entry):
            return False
        touch = state.touch_price(entry.side)
        limits = self._floor.settings.risk
        ages = ((state.quote_at, limits.max_quote_age_s), (state.mark_at, limits.max_mark_age_s))
        fresh = all(now - seen_at <= most_s * SECOND_US for seen_at, most_s in ages)
        if touch is None or not fresh or state.mid is None:
            return False
        run = (Decimal(repr(touch)) / entry.reference - 1) * entry.side.sign * _BPS
        return run <= Decimal(repr(self._settings.max_slippage_bps))

    def _open_for_entries(self) -> bool:
        return self._floor.risk.state is TradingState.ACTIVE

    def _sweep(self, state: MarketState, now: int) -> None:
        """Entry orders of earlier runs, or that came back from the dead: nobody waits for them any more."""
        entry = self._floor.entries.get(state.symbol)
        for order in list(self._floor.orders.active(state.symbol)):
            mine = entry is not None and entry.owns(order)
            if order.role is OrderRole.ENTRY and not mine:
                self._floor.desk.cancel(order, "no longer wanted", now)
