"""The last gate: pure limits between a decision and the wire, and the state that says what may be decided at all.

ACTIVE may open. REDUCING may only reduce; its reasons go away by themselves or by `resume`. HALTED also only reduces and
protects, and needs a person. Every reason that holds is named; nothing that adds risk leaves unless there is none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO, plain
from flashscalper.model.instants import DAY_US, MINUTE_US, SECOND_US
from flashscalper.model.records import Gate, TradingStateChanged
from flashscalper.trading.settings import RiskLimits


class TradingState(StrEnum):
    """What the engine may decide."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Halt(StrEnum):
    """Reasons that only a person takes away (`resume`; for `killed`: `resume` with the reason `clear_kill`)."""

    KILLED = "killed"
    DRAWDOWN = "drawdown"
    REJECTS = "rejects"
    FEE = "fee_mismatch"


PAUSED: Final = "paused"
ENDING: Final = "ending"
DAILY_LOSS: Final = "daily_loss"
LOSING_STREAK: Final = "losing_streak"
CANCELED_BY_OTHERS: Final = "canceled_by_others"
CLEAR_KILL: Final = "clear_kill"
_HALTS: Final = frozenset(Halt)
_BY_HAND: Final = frozenset({PAUSED, CANCELED_BY_OTHERS, *_HALTS}) - {Halt.KILLED}


class RiskCounters(msgspec.Struct, frozen=True, kw_only=True):
    """What must survive a restart: limits that forget are no limits. Instants in microseconds, money in quote units."""

    day: int = 0
    day_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    losses_in_a_row: int = 0
    rejects: list[int] = []
    sent: list[int] = []
    changes: list[int] = []
    reasons: dict[str, str] = {}
    until: dict[str, int] = {}
    symbol_until: dict[str, int] = {}


class Risk:
    """Limits, breakers and cooldowns of one account. `tell` takes the record of every change of state; `unsaved` says that
    a count has changed without one, until whoever writes counts down takes it back."""

    def __init__(
        self, limits: RiskLimits, tell: Callable[[TradingStateChanged], None], counters: RiskCounters | None
    ) -> None:
        saved = counters or RiskCounters()
        self.limits = limits
        self._tell = tell
        self._reasons: dict[str, str] = dict(saved.reasons)
        self._until: dict[str, int] = dict(saved.until)
        self._symbol_until: dict[str, int] = dict(saved.symbol_until)
        self._sent: deque[int] = deque(sorted((*saved.sent, *saved.changes)), maxlen=limits.max_orders_per_minute)
        self._rejects: deque[int] = deque(saved.rejects, maxlen=limits.max_consecutive_rejects)
        self._intents: deque[tuple[int, object]] = deque(maxlen=64)
        self._day = saved.day
        self._day_equity = saved.day_equity
        self._peak = saved.peak_equity
        self._losses = saved.losses_in_a_row
        self.unsaved = False
        self.state = self._level()

    # The state and its reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason that holds, as `code: sentence`."""
        return tuple(f"{code}: {text}" if text else code for code, text in self._reasons.items())

    @property
    def peak(self) -> Decimal | None:
        """The highest equity of the journal, or since a drawdown was taken away."""
        return self._peak

    def holds(self, code: str) -> bool:
        """Whether a reason holds."""
        return code in self._reasons

    def hold(self, code: str, text: str, now: int, *, until: int | None = None) -> None:
        """A reason begins to hold (until an instant, if given). Saying it again changes only the instant."""
        if until is not None:
            self._until[code] = until
        if code in self._reasons:
            return
        self._reasons[code] = text
        self._changed(now)

    def release(self, code: str, now: int) -> None:
        """A reason no longer holds."""
        self._until.pop(code, None)
        if self._reasons.pop(code, None) is not None:
            self._changed(now)

    def resume(self, now: int, reason: str) -> None:
        """A person clears what a person may clear; the kill latch only when asked for by name."""
        if reason == CLEAR_KILL:
            self.release(Halt.KILLED, now)
        for code in [code for code in self._reasons if code in _BY_HAND]:
            if code == Halt.REJECTS:
                self._rejects.clear()
            if code == Halt.DRAWDOWN:
                self._peak = None
            self.release(code, now)

    def expire(self, now: int) -> None:
        """Let go of reasons and cooldowns whose time is over."""
        for code in [code for code, until in self._until.items() if until <= now]:
            self.release(code, now)
        for symbol in [symbol for symbol, until in self._symbol_until.items() if until <= now]:
            del self._symbol_until[symbol]

    def wake_at(self) -> int | None:
        """When `expire` has something to do."""
        return min((*self._until.values(), *self._symbol_until.values()), default=None)

    def cooling(self, symbol: str) -> int | None:
        """Until when the market rests after a round trip, None when it does not."""
        return self._symbol_until.get(symbol)

    # What happened

    def on_sent(self, now: int, intent: object = None) -> None:
        """An order or a modification left; `intent` is what makes two entries the same intent."""
        self._sent.append(now)
        if intent is not None:
            self._intents.append((now, intent))

    def on_answer(self, *, rejected: bool, now: int, detail: str = "") -> None:
        """An order was taken or refused by the exchange: refusals in a row trip the breaker."""
        self.unsaved = self.unsaved or rejected or bool(self._rejects)
        if not rejected:
            self._rejects.clear()
            return
        self._rejects.append(now)
        limit, window = self.limits.max_consecutive_rejects, int(self.limits.reject_window_s * SECOND_US)
        if len(self._rejects) >= limit and now - self._rejects[0] <= window:
            self.hold(Halt.REJECTS, f"{limit} orders refused in a row, last: {detail}", now)

    def on_trip(self, symbol: str, net: Decimal, now: int) -> None:
        """A round trip closed with this net result: losing streaks and the market's rest."""
        limits = self.limits
        self._losses = self._losses + 1 if net < ZERO else 0
        rest = max(limits.symbol_cooldown_s, limits.symbol_loss_cooldown_s if net < ZERO else 0.0)
        if rest:
            self._symbol_until[symbol] = now + int(rest * SECOND_US)
        if self._losses >= limits.max_consecutive_losses and limits.loss_cooldown_s:
            until = now + int(limits.loss_cooldown_s * SECOND_US)
            self.hold(LOSING_STREAK, f"{self._losses} losing round trips in a row", now, until=until)
            self._losses = 0

    def on_fee(self, *, paid: Decimal, expected: Decimal, now: int, detail: str) -> None:
        """A fill's fee: one that is not what our class pays means that our costs are wrong."""
        tolerance = abs(expected) * Decimal(repr(self.limits.fee_tolerance)) + Decimal("0.00000001")
        if abs(paid - expected) > tolerance:
            self.hold(Halt.FEE, f"{detail}: paid {plain(paid)}, expected {plain(expected)}", now)

    def on_equity(self, equity: Decimal, now: int) -> None:
        """Equity by our own fold (so deposits and withdrawals do not count): daily loss and drawdown."""
        limits = self.limits
        if now // DAY_US != self._day or self._day_equity is None:
            self._day, self._day_equity, self.unsaved = now // DAY_US, equity, True
        self._peak = equity if self._peak is None else max(self._peak, equity)
        loss = self._day_equity - equity
        caps = [limits.max_daily_loss] if limits.max_daily_loss is not None else []
        if limits.max_daily_loss_share is not None:
            caps.append(self._day_equity * Decimal(repr(limits.max_daily_loss_share)))
        if caps and loss >= min(caps) > ZERO:
            midnight = (now // DAY_US + 1) * DAY_US
            self.hold(DAILY_LOSS, f"{plain(loss)} lost since midnight UTC", now, until=midnight)
        if limits.max_drawdown_share is not None and self._peak > ZERO:
            drawdown = (self._peak - equity) / self._peak
            if drawdown >= Decimal(repr(limits.max_drawdown_share)):
                self.hold(Halt.DRAWDOWN, f"{drawdown * 100:.2f} % below the highest equity", now)

    # The rate and the intent

    def rate_gate(self, now: int, *, reduces: bool) -> Gate:
        """Orders of the last second and minute; a share of both is kept for orders that reduce."""
        limits = self.limits
        share = 1.0 if reduces else 1.0 - limits.reserve_share
        second = max(1, int(limits.max_orders_per_second * share))
        minute = max(1, int(limits.max_orders_per_minute * share))
        # In order, because the engine's time never goes back: counted by where the window begins.
        in_second, in_minute = (len(self._sent) - bisect_right(self._sent, now - span) for span in (SECOND_US, MINUTE_US))
        return Gate(
            code="order_rate", passed=in_second < second and in_minute < minute,
            needed=f"under {second} a second and {minute} a minute", seen=f"{in_second} and {in_minute}",
        )  # fmt: skip

    def duplicate_gate(self, intent: object, now: int) -> Gate:
        """The same entry twice in a moment is a defect, not a decision. Intents older than that are forgotten here."""
        window = int(self.limits.duplicate_window_s * SECOND_US)
        while self._intents and now - self._intents[0][0] >= window:
            self._intents.popleft()
        again = any(known == intent for _, known in self._intents)
        return Gate(
            code="duplicate_intent", passed=not again, seen="the same again" if again else "new",
            needed=f"not the same order within {self.limits.duplicate_window_s:g} s",
        )  # fmt: skip

    def counters(self) -> RiskCounters:
        """Everything that must survive a restart."""
        return RiskCounters(
            day=self._day, day_equity=self._day_equity, peak_equity=self._peak, losses_in_a_row=self._losses,
            rejects=list(self._rejects), sent=list(self._sent), reasons=lasting(self._reasons.items()),
            until=dict(self._until), symbol_until=dict(self._symbol_until),
        )  # fmt: skip

    def _level(self) -> TradingState:
        if any(code in _HALTS for code in self._reasons):
            return TradingState.HALTED
        return TradingState.REDUCING if self._reasons else TradingState.ACTIVE

    def _changed(self, now: int) -> None:
        before, self.state = self.state, self._level()
        self._tell(TradingStateChanged(before=before, after=self.state, reasons=self.reasons, changed_at=now))


def lasting(reasons: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The reasons that a restart must not forget; the others are found out anew."""
    kept = _BY_HAND | {Halt.KILLED, DAILY_LOSS, LOSING_STREAK}
    return {code: text for code, text in reasons if code in kept}
