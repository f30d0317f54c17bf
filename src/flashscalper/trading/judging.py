"""From a closed kline to an order, or to the reason why not: strategy, gates, costs, size, limits, entry.

Signals of one moment are judged together, best first. Every look is written down with the inputs of every gate, so that the
journal answers "why did it (not) trade?".
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from flashscalper.market import klines as market_klines
from flashscalper.model.amounts import ZERO
from flashscalper.model.events import FeeClass
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline
from flashscalper.model.orders import OrderRole, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import EXPECTED_BPS, Gate, KlineClosed, SignalJudged, needed_input
from flashscalper.strategies.base import Judgement, Signal, Strategy
from flashscalper.strategies.border import checked_judgement, checked_signal
from flashscalper.trading.correlation import CORRELATION_INTERVAL
from flashscalper.trading.costs import CostEstimate, cost_gate
from flashscalper.trading.entries import Entries, taking_price
from flashscalper.trading.entry import Entry, EntryPhase
from flashscalper.trading.exits import initial_stop
from flashscalper.trading.floor import Floor
from flashscalper.trading.limits import Proposal
from flashscalper.trading.market_state import MarketState
from flashscalper.trading.misses import CLASS_GATE, MARKET_FREE
from flashscalper.trading.settings import TradingSettings
from flashscalper.trading.sizing import Exposure, Sized, SizingSettings, size_position

_BPS = 10_000
_OWN_PRICES = ("entry", "stop", "target")


class Case(NamedTuple):
    """One signal on trial."""

    state: MarketState
    interval: str
    signal: Signal
    costs: CostEstimate


class Judging:
    """Asks strategies at closed klines and turns what they say into entries."""

    def __init__(self, floor: Floor, entries: Entries) -> None:
        self._floor = floor
        self._entries = entries
        self._sizing = _within_limits(floor.settings)

    # Klines

    def close_klines(self, now: int) -> None:
        """Close every kline that is due in every market, then judge the signals of this moment, best first."""
        signals: list[tuple[MarketState, Kline, Signal]] = []
        for state in self._floor.markets.values():
            if state.builder is None:
                continue
            closed: list[Kline] = []
            for event in state.builder.advance(now):
                if isinstance(event, market_klines.KlineRevised):
                    self._floor.tell(KlineClosed(event.after, revised=True))
                else:
                    self._floor.tell(KlineClosed(event.kline))
                    closed.append(event.kline)
            for kline in sorted(closed, key=state.asking_order):
                self._correlate(state, kline)
                signals += self._ask(state, kline, now)
        signals.sort(key=lambda found: (-found[2].confidence, -abs(found[2].score), found[0].symbol))
        for state, kline, signal in signals:
            self.judge(state, kline.interval, signal, now)

    def warm(self, state: MarketState, now: int) -> None:
        """History has come: show the strategy everything it has not seen; whatever it says about the past is ignored."""
        if state.strategy is None or state.builder is None:
            return
        for kline in state.history.unseen():
            state.history.seen_until[kline.interval] = kline.close_at
            if state.strategy is not None:
                self._look(state, state.strategy, kline, now, live=False)

    def correlate_history(self, state: MarketState) -> None:
        """Minutes of the past have come."""
        assert state.builder is not None
        for kline in state.builder.get_klines(CORRELATION_INTERVAL):
            self._correlate(state, kline)

    def _correlate(self, state: MarketState, kline: Kline) -> None:
        """Correlation is measured on minutes, whatever the strategy looks at."""
        if state.strategy is not None and kline.interval == CORRELATION_INTERVAL:
            self._floor.correlations.on_kline(kline)

    def _ask(self, state: MarketState, kline: Kline, now: int) -> list[tuple[MarketState, Kline, Signal]]:
        """Show one closed kline to the strategy, if it consumes the interval and the kline is whole."""
        strategy, history = state.strategy, state.history
        if strategy is None or kline.interval not in state.intervals or not kline.complete or not history.ready:
            return []
        if kline.close_at <= history.seen_until[kline.interval]:
            return []
        history.seen_until[kline.interval] = kline.close_at
        signal, judgement = self._look(state, strategy, kline, now, live=True)
        if signal is not None:
            return [(state, kline, signal)]
        if judgement is not None and kline.interval == strategy.intervals[0]:
            self._tell_silence(state, kline.interval, judgement, now)
        return []

    def _look(
        self, state: MarketState, strategy: Strategy, kline: Kline, now: int, *, live: bool
    ) -> tuple[Signal | None, Judgement | None]:
        """What the strategy says of one kline, and what it saw. One that raises, or says what is no number or no signal, is
        stopped, and said nothing."""
        try:
            signal = checked_signal(strategy.on_kline(state.view.at(kline, now, live=live), live=live))
            judgement = checked_judgement(strategy.judgement) if signal is None else None
        except Exception as error:  # noqa: BLE001 - it is somebody's own code, and it must not stop what protects positions
            self._floor.strategy_failed(state.symbol, error, now)
            return None, None
        return signal, judgement

    def _tell_silence(self, state: MarketState, interval: str, judgement: Judgement, now: int) -> None:
        record = SignalJudged(
            symbol=state.symbol, interval=interval, judged_at=now, direction=judgement.direction, score=judgement.score,
            confidence=judgement.confidence, reasons=judgement.reasons, gates=judgement.gates, outcome="none",
            denied_by=next((gate.code for gate in judgement.gates if not gate.passed), ""), inputs=judgement.inputs,
        )  # fmt: skip
        self._remember(state, record)

    # Signals

    def judge(self, state: MarketState, interval: str, signal: Signal, now: int) -> None:
        """One signal: an exit for an opposite position, an entry, or the gate that said no."""
        if state.plan is not None:
            self._judge_exit(state, signal, now)
        self._withdraw(state, signal)
        fee_class = self._floor.next_class(now)
        costs = self._floor.costs(state, signal.direction, fee_class)
        case = Case(state, interval, self._with_costs(state, signal), costs)
        gates = [*signal.gates, *self._standing_gates(state, now)]
        correlations = self._floor.correlations
        if correlations.settings.enabled:
            gates.append(correlations.gate(state.symbol, signal.direction, self._floor.held_directions()))
        if self._floor.fee_class is FeeClass.RETAIL:
            gates.append(_class_gate(fee_class, self._floor.retail.left(now)))
        gates.append(cost_gate(signal.expected_move, costs, self._floor.settings.costs))
        proposal = None
        if all(gate.passed for gate in gates):
            sized_gates, proposal = self._propose(case)
            gates += sized_gates
        if proposal is not None:
            gates += self._floor.desk.admit(state.market, proposal, now)
        refused = next((gate for gate in gates if not gate.passed), None)
        if refused is not None or proposal is None:
            self._tell_signal(case, gates, now, denied_by=refused)
            if proposal is not None and refused is not None:
                self._floor.desk.deny(proposal, refused, OrderRole.ENTRY, now)
            return
        self._enter(case, proposal, gates, now)

    def _enter(self, case: Case, proposal: Proposal, gates: list[Gate], now: int) -> None:
        touch = case.state.touch_price(proposal.side)
        assert touch is not None
        command = self._floor.desk.entry_command(proposal, self._entries.first_time_in_force, "entry")
        self._tell_signal(case, gates, now, client_id=command.client_id)
        order = self._floor.desk.send(command, now)
        phase = EntryPhase.RESTING if self._entries.starts_resting else EntryPhase.TAKING
        entry = Entry(
            symbol=case.state.symbol, signal=case.signal, size=proposal.size, reference=Decimal(repr(touch)),
            costs=case.costs, phase=phase, order=order,
        )  # fmt: skip
        self._entries.begin(entry, now)

    def _withdraw(self, state: MarketState, signal: Signal) -> None:
        """The strategy changed its mind while an entry is still going in."""
        entry = self._floor.entries.get(state.symbol)
        if entry is not None and entry.direction is not signal.direction and all(gate.passed for gate in signal.gates):
            entry.withdrawn = True
            self._floor.touch(state.symbol)

    def _judge_exit(self, state: MarketState, signal: Signal, now: int) -> None:
        assert state.plan is not None
        leaving = state.plan.on_signal(signal, now)
        if leaving is not None:
            state.protection.want_exit(leaving.reason)
            state.refresh_band()
            self._floor.touch(state.symbol)

    # Gates

    def _standing_gates(self, state: MarketState, now: int) -> list[Gate]:
        """Everything that must hold before costs and size are worth computing."""
        risk, limits = self._floor.risk, self._floor.settings.risk
        blocks = self._floor.entry_blocks(state.symbol)
        cooling = risk.cooling(state.symbol)
        if cooling is not None:
            blocks["cooling"] = f"for {(cooling - now) / SECOND_US:.0f} s more"
        return [
            Gate(code="trading_state", passed=risk.state == "active", needed="active",
                 seen="; ".join((str(risk.state), *risk.reasons))),
            Gate(code=MARKET_FREE, passed=not blocks, needed="nothing in the way",
                 seen="; ".join(f"{code}: {text}" for code, text in blocks.items()) or "free"),
            _age_gate("quote_fresh", state.quote_at, limits.max_quote_age_s, now),
            _age_gate("mark_fresh", state.mark_at, limits.max_mark_age_s, now),
            Gate(code="quote_sane", passed=state.mid is not None, needed="a bid below an ask", seen=_quote_text(state)),
        ]  # fmt: skip

    def _propose(self, case: Case) -> tuple[tuple[Gate, ...], Proposal | None]:
        """Stop distance and size by the policy; an order on the grid, or the gate that refused."""
        state, signal, settings = case.state, case.signal, self._floor.settings
        side = Side.BUY if signal.direction is PositionSide.LONG else Side.SELL
        price, touch = taking_price(state, side, settings.entry.max_slippage_bps), state.touch_price(side)
        assert price is not None
        assert touch is not None
        entry_price = Decimal(repr(touch))
        stop = initial_stop(
            state.exits, state.market, signal.direction, entry_price=entry_price, volatility=signal.volatility,
            signal=signal, costs=case.costs,
        )  # fmt: skip
        placeable = Gate(code="stop_price", passed=stop is not None, needed="a stop on the right side", seen=str(stop))
        before = (*self._entries.price_gates(signal, touch), placeable)
        if stop is None or not all(gate.passed for gate in before):
            return before, None
        sized = self._size(case, price=price, stop_distance=abs(entry_price - stop))
        if sized.size == ZERO:
            return (*before, *sized.gates), None
        proposal = self._entries.proposal(state, side, sized.size, signal.entry)
        assert proposal is not None
        return (*before, *sized.gates), proposal

    def _size(self, case: Case, *, price: Decimal, stop_distance: Decimal) -> Sized:
        floor, state, signal = self._floor, case.state, case.signal
        exposures = floor.exposures()
        exposure = Exposure(
            symbol_notional=exposures[state.symbol].notional,
            total_notional=sum((one.notional for one in exposures.values()), ZERO),
            margin=sum((one.margin for one in exposures.values()), ZERO),
        )
        volatility = None if signal.volatility is None else signal.volatility / float(price)
        free = None if floor.summary is None else floor.summary.free_collateral
        return size_position(
            self._sizing, state.market, equity=floor.tradable_equity(), price=price, stop_distance=stop_distance,
            costs=case.costs, confidence=signal.confidence, volatility=volatility, exposure=exposure, free_collateral=free,
        )  # fmt: skip

    def _with_costs(self, state: MarketState, signal: Signal) -> Signal:
        """The signal with its own prices, with what it expects and what it would have to under either class (bps) among its
        inputs, so that `explain` can say what the other class would have let through."""
        floor = self._floor
        found = [] if signal.expected_move is None else [(EXPECTED_BPS, signal.expected_move * _BPS)]
        for fee_class in FeeClass:
            total = float(floor.costs(state, signal.direction, fee_class).total)
            found.append((needed_input(fee_class), total * floor.settings.costs.min_multiple * _BPS))
        prices = [(name, value) for name in _OWN_PRICES if (value := getattr(signal, name)) is not None]
        inputs = tuple((name, round(value, 4)) for name, value in found)
        return msgspec.structs.replace(signal, inputs=(*signal.inputs, *prices, *inputs))

    # Records

    def _tell_signal(
        self, case: Case, gates: list[Gate], now: int, *, denied_by: Gate | None = None, client_id: str = ""
    ) -> None:
        signal = case.signal
        record = SignalJudged(
            symbol=case.state.symbol, interval=case.interval, judged_at=now, direction=signal.direction, score=signal.score,
            confidence=signal.confidence, reasons=signal.reasons, gates=tuple(gates),
            outcome="denied" if denied_by is not None else "entered", denied_by=denied_by.code if denied_by else "",
            client_id=client_id, inputs=signal.inputs,
        )  # fmt: skip
        self._remember(case.state, record)

    def _remember(self, state: MarketState, record: SignalJudged) -> None:
        """Write it down; the look that came nearest to a trade is kept for people."""
        self._floor.tell(record)
        state.last_judged = record
        state.misses.take(record)


def _within_limits(settings: TradingSettings) -> SizingSettings:
    """Sizing aims at no more than the hard limits allow, so that a limit makes an entry smaller instead of denying it."""
    caps = [settings.risk.max_order_notional, settings.risk.max_position_notional]
    if settings.sizing.max_notional is not None:
        caps.append(settings.sizing.max_notional)
    return msgspec.structs.replace(settings.sizing, max_notional=min(caps))


def _class_gate(fee_class: FeeClass, left: tuple[int, ...]) -> Gate:
    """Which class the next order gets in a Retail run. It forbids nothing: the cost gate counts with that class."""
    seen = f"{fee_class}; left: {left[0]} this second, {left[1]} this minute, {left[2]} this hour, {left[3]} today"
    return Gate(code=CLASS_GATE, passed=True, needed="Retail within its limits, else Pro", seen=seen)


def _age_gate(code: str, seen_at: int, max_age_s: float, now: int) -> Gate:
    age = (now - seen_at) / SECOND_US
    passed = seen_at > 0 and age <= max_age_s
    return Gate(
        code=code, passed=passed, needed=f"at most {max_age_s:g} s old", seen=f"{age:.1f} s" if seen_at else "never seen"
    )


def _quote_text(state: MarketState) -> str:
    return "none" if state.quote is None else f"{state.quote.bid} / {state.quote.ask}"
