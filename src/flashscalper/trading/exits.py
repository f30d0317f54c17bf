"""One position's way out: which price protects it now, and when it must be left, by one ordered list of named rules.

Pure and without a clock: prices and instants are handed in, decisions come back. The rules are judged in the order of
`RULES` on every quote and mark, against the side of the book that we would be closed on (the bid for a long). Two
layers: the *resting* stop (`stop_price`, held by the exchange, triggered by the mark) and the software exits that act
inside it. The resting stop never loosens and is never put on the wrong side of mark and quote.

Levels and their movement are in `exit_levels` and `exit_ladder`; here is what is decided from them. `near` is the signed
price that we would be closed at.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf, isfinite
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.instants import SECOND_US
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Signal
from flashscalper.strategies.exit_policy import ExitPolicy
from flashscalper.trading.costs import CostEstimate
from flashscalper.trading.exit_ladder import Ladder
from flashscalper.trading.exit_levels import ExitBasis, ExitReason, Levels, initial_stop

__all__ = ["Exit", "ExitPlan", "ExitPolicy", "ExitReason", "ExitState", "initial_stop"]

WHOLE: Final = Decimal(1)
RETRY_US: Final = SECOND_US
_NOTHING_QUIET: Final = (inf, -inf)


class Exit(msgspec.Struct, frozen=True):
    """Close `share` (above 0, at most 1) of the position now, for `reason` (an `ExitReason`)."""

    reason: str
    share: Decimal = WHOLE


class ExitState(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan has learned, for the journal: hand it to a new plan after a restart and nothing loosens.

    The last four are what the levels were computed from (ATR in quote units, the signal's own prices, the costs), because
    after a restart the signal is gone.
    """

    stop: Decimal
    stop_reason: str
    best: float | None
    partial_taken: bool
    volatility: float | None = None
    own_stop: float | None = None
    own_target: float | None = None
    costs: CostEstimate | None = None


class ExitPlan:
    """The exits of one position from its first fill until it is flat.

    Prices handed in are floats in quote units (None when unknown), instants microseconds. The plan only says what should
    happen; the engine keeps the exchange's stop at `stop_price` and sends the closing orders.
    """

    def __init__(
        self,
        policy: ExitPolicy,
        market: Market,
        direction: PositionSide,
        *,
        entry_price: Decimal,
        size: Decimal,
        opened_at: int,
        volatility: float | None,
        signal: Signal | None,
        costs: CostEstimate,
        state: ExitState | None = None,
    ) -> None:
        """`size` is unsigned base units; `volatility` the ATR in quote units; `state` what an earlier plan had learned."""
        if state is not None and signal is None:
            volatility, costs = state.volatility, state.costs or costs
            signal = _remembered_signal(direction, state)
        self._basis = ExitBasis(policy=policy, market=market, direction=direction, entry=entry_price, volatility=volatility,
                                signal=signal, costs=costs)  # fmt: skip
        self._sign = direction.sign
        self._size = abs(size)
        self._opened_at = opened_at
        self._ladder = Ladder(self._basis)
        self._partial_asked = False
        self._crossed_at: int | None = None
        self._opposed = False
        self._hourly_funding = 0.0
        self._asked = False
        self._retry_at: int | None = None
        self._band = _NOTHING_QUIET
        self._due: int | None = None
        if state is not None:
            self._resume(state)
        self._settle()

    # What holds now

    @property
    def stop_price(self) -> Decimal:
        """Where the resting stop must be now: on the tick grid, never looser than before."""
        return self._ladder.stop

    @property
    def stop_reason(self) -> str:
        """Which rule the present stop price comes from: `stop`, `break_even`, `trailing` or `peak`."""
        return self._ladder.stop_reason

    @property
    def target_price(self) -> Decimal | None:
        """Where profit is taken, None without a target."""
        return self._ladder.levels.target

    @property
    def levels(self) -> Levels:
        """Every price of the plan as computed from the present entry price."""
        return self._ladder.levels

    def state(self) -> ExitState:
        """What must survive a restart."""
        basis, ladder = self._basis, self._ladder
        best = ladder.best * self._sign if isfinite(ladder.best) else None
        return ExitState(
            stop=ladder.stop,
            stop_reason=ladder.stop_reason,
            best=best,
            partial_taken=self._partial_asked,
            volatility=basis.volatility,
            own_stop=basis.signal.stop if basis.signal else None,
            own_target=basis.signal.target if basis.signal else None,
            costs=basis.costs,
        )

    def edges(self) -> tuple[float, float]:
        """The quiet band (lower, upper): nothing happens while quote and mark stay strictly inside, before `wake_at`.

        It looks at the price we would be closed at (bid of a long, ask of a short) and at the mark. When anything is
        pending the band is empty (`(inf, -inf)`). It may wake early, never late.
        """
        lower, upper = self._band
        if self._sign > 0 or lower > upper:
            return (lower, upper)
        return (-upper, -lower)

    def wake_at(self) -> int | None:
        """When `on_time` wants to be called; None when no rule waits for time (or an exit is already asked for)."""
        return self._due

    # What happens

    def on_price(
        self, bid: float | None, ask: float | None, mark: float | None, now: int, funding_rate: float | None = None
    ) -> Exit | None:
        """Judge a quote and mark. `funding_rate` is the market's own rate per period (a fraction), None when not told.

        The same exit is returned again on every call until `on_fill` or the price ends it: the engine sends one order.
        """
        quote = bid if self._sign > 0 else ask
        near = None if quote is None or not isfinite(quote) else quote * self._sign
        marked = None if mark is None or not isfinite(mark) else mark * self._sign
        if funding_rate is not None and isfinite(funding_rate):
            self._learn_funding(funding_rate)
        if self._quiet(near, marked, now):
            return None
        if near is not None and near > self._ladder.best:
            self._ladder.best = near
        self._watch_stop(near, marked, now)
        self._ladder.ratchet(near, marked)
        return self._judge(near, now)

    def on_time(self, now: int) -> Exit | None:
        """Judge the rules that wait for time (stale, maximum hold, a stop that did not act)."""
        return self._judge(None, now)

    def on_signal(self, signal: Signal, now: int) -> Exit | None:
        """The strategy spoke again: leave if the policy says so and it points the other way, all its filters passed."""
        rule = self._basis.policy.opposite_signal
        if rule is None or signal.direction is self._basis.direction:
            return None
        if signal.confidence < rule.min_confidence or not all(gate.passed for gate in signal.gates):
            return None
        self._opposed = True
        return self._judge(None, now)

    def on_fill(self, size_after: Decimal, entry_after: Decimal) -> None:
        """Our position changed: `size_after` base units (sign ignored) at `entry_after`. The stop only ever tightens."""
        self._size = abs(size_after)
        if entry_after != self._basis.entry and entry_after > ZERO:
            self._basis = msgspec.structs.replace(self._basis, entry=entry_after)
            self._ladder.move_entry(self._basis)
        self._settle()

    def on_exit_failed(self, reason: str, now: int) -> None:
        """The closing order for `reason` did not fill: a partial may be asked again, the rest is judged in a second."""
        if reason == ExitReason.PARTIAL:
            self._partial_asked = False
        self._retry_at = now + RETRY_US
        self._settle()

    # How it is judged

    def _quiet(self, near: float | None, marked: float | None, now: int) -> bool:
        """Nothing can happen: exactly what a backtest may skip, and therefore a path that changes nothing."""
        lower, upper = self._band
        if near is not None and not lower < near < upper:
            return False
        if marked is not None and not lower < marked < upper:
            return False
        return lower < upper and (self._due is None or now < self._due)

    def _judge(self, near: float | None, now: int) -> Exit | None:
        """The first rule that wants out, in order."""
        found = next((verdict for rule in RULES if (verdict := rule(self, near, now)) is not None), None)
        self._asked = found is not None and found.reason != ExitReason.PARTIAL
        if not self._asked or (self._retry_at is not None and now >= self._retry_at):
            # Asked for again: the next alarm is set by the next failure. One that rang would ring for ever.
            self._retry_at = None
        self._settle()
        return found

    def _watch_stop(self, near: float | None, marked: float | None, now: int) -> None:
        """Note when the stop was crossed: by the mark, which triggers it at the exchange, or by the quote without a mark."""
        price = marked if marked is not None else near
        if price is None:
            return
        if price > self._ladder.resting:
            self._crossed_at = None
        elif self._crossed_at is None:
            self._crossed_at = now

    def _rule_stop(self, _near: float | None, now: int) -> Exit | None:
        """The exchange's stop had its time to act and the position is still there."""
        if self._crossed_at is None or now < self._crossed_at + round(self._basis.policy.stop_grace_s * SECOND_US):
            return None
        return Exit(ExitReason.STOP)

    def _rule_target(self, near: float | None, _now: int) -> Exit | None:
        return Exit(ExitReason.TARGET) if near is not None and near >= self._ladder.target else None

    def _rule_partial(self, near: float | None, _now: int) -> Exit | None:
        rule = self._basis.policy.partial
        if rule is None or near is None or self._partial_asked or near < self._ladder.partial:
            return None
        share = Decimal(repr(rule.share))
        self._partial_asked = True
        return Exit(ExitReason.PARTIAL, share) if self._divisible(share) else None

    def _rule_trailing(self, near: float | None, _now: int) -> Exit | None:
        return Exit(ExitReason.TRAILING) if near is not None and near <= self._ladder.trailing else None

    def _rule_break_even(self, near: float | None, _now: int) -> Exit | None:
        return Exit(ExitReason.BREAK_EVEN) if near is not None and near <= self._ladder.break_even else None

    def _rule_peak(self, near: float | None, _now: int) -> Exit | None:
        return Exit(ExitReason.PEAK) if near is not None and near <= self._ladder.peak else None

    def _rule_stale(self, _near: float | None, now: int) -> Exit | None:
        stale_at = self._stale_at()
        return Exit(ExitReason.STALE) if stale_at is not None and now >= stale_at else None

    def _rule_max_hold(self, _near: float | None, now: int) -> Exit | None:
        leave_at = self._leave_at()
        return Exit(ExitReason.MAX_HOLD) if leave_at is not None and now >= leave_at else None

    def _rule_opposite_signal(self, _near: float | None, _now: int) -> Exit | None:
        return Exit(ExitReason.OPPOSITE_SIGNAL) if self._opposed else None

    def _rule_funding(self, _near: float | None, _now: int) -> Exit | None:
        return Exit(ExitReason.FUNDING) if self._funding_too_dear() else None

    def _resume(self, state: ExitState) -> None:
        self._ladder.tighten(state.stop, state.stop_reason)
        self._partial_asked = state.partial_taken
        if state.best is not None:
            self._ladder.best = state.best * self._sign

    # Time and funding

    def _stale_at(self) -> int | None:
        """When the position counts as stale; None once it has made progress (or the progress is not measurable)."""
        rule = self._basis.policy.stale
        progress = self._ladder.levels.progress
        if rule is None or progress is None or self._ladder.armed(progress):
            return None
        return self._opened_at + round(rule.after_s * SECOND_US)

    def _leave_at(self) -> int | None:
        hold_s = self._basis.policy.max_hold_s
        return None if hold_s is None else self._opened_at + round(hold_s * SECOND_US)

    def _deadlines(self) -> list[int]:
        stop_at = None if self._crossed_at is None else self._crossed_at + round(self._basis.policy.stop_grace_s * SECOND_US)
        return [at for at in (stop_at, self._stale_at(), self._leave_at()) if at is not None]

    def _learn_funding(self, rate: float) -> None:
        """Long pays a positive rate, short a negative one."""
        self._hourly_funding = rate * self._sign / self._basis.market.funding_period_hours
        if self._funding_too_dear():
            self._band = _NOTHING_QUIET

    def _funding_too_dear(self) -> bool:
        rule = self._basis.policy.funding
        return rule is not None and self._hourly_funding * 10_000 > rule.max_hourly_bps

    def _divisible(self, share: Decimal) -> bool:
        """Both halves of a partial close must be orders that the exchange takes, or the rest could not be closed."""
        market, price = self._basis.market, self._basis.entry
        part = market.round_size(self._size * share)
        rest = self._size - part
        return min(part, rest) > ZERO and min(part, rest) * price >= market.min_notional

    def _settle(self) -> None:
        """After anything changed: when and where the next thing can happen."""
        self._band = self._find_band()
        self._due = self._retry_at if self._asked else min(self._deadlines(), default=None)

    def _find_band(self) -> tuple[float, float]:
        """The quiet band in signed prices; empty while anything is pending."""
        pending = self._asked or self._opposed or self._ladder.blocked or self._crossed_at is not None
        if pending or self._funding_too_dear():
            return _NOTHING_QUIET
        return self._ladder.band(partial_open=not self._partial_asked)


def _remembered_signal(direction: PositionSide, state: ExitState) -> Signal | None:
    """As much of the signal as its levels need."""
    if state.own_stop is None and state.own_target is None:
        return None
    return Signal(direction=direction, confidence=0.0, reasons=(), stop=state.own_stop, target=state.own_target)


RULES: Final[tuple[Callable[[ExitPlan, float | None, int], Exit | None], ...]] = (
    ExitPlan._rule_stop,
    ExitPlan._rule_target,
    ExitPlan._rule_partial,
    ExitPlan._rule_trailing,
    ExitPlan._rule_break_even,
    ExitPlan._rule_peak,
    ExitPlan._rule_stale,
    ExitPlan._rule_max_hold,
    ExitPlan._rule_opposite_signal,
    ExitPlan._rule_funding,
)
"""Every rule in the order in which it is asked; the first that wants out decides."""
