"""The comfortable way to write a strategy: a class that reads like a trading plan, about 15 lines.

    class EmaCross(TradingPlan):
        interval = "1m"
        fast = Parameter(9, 2, 200)
        slow = Parameter(21, 3, 400)
        exits = ExitPolicy(stop=atr(1.5), target=r(2), max_hold_s=900)

        def setup(self) -> None:
            self.quick, self.calm = self.use(EMA(self.fast)), self.use(EMA(self.slow))

        def on_kline(self, view: MarketView) -> Signal | None:
            ...
            return self.long("fast average crossed above slow")

State in, signal out; no clock, no orders, no look ahead: `on_kline` sees closed klines only, and only when every indicator
that the plan uses is warm. Entry, stop and target stand together in the signal, exits in one policy. What a signal leaves
open is filled in: its ATR (14 klines), and as its expected move the way to the target times the confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, ClassVar, Protocol

import msgspec

from flashscalper.indicators.ranges import ATR
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import interval_us
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.exit_policy import (
    BreakEven,
    ExitPolicy,
    FundingLimit,
    OppositeSignal,
    PartialProfit,
    PeakProtection,
    Stale,
    Trailing,
    atr,
    percent,
    r,
    ticks,
)
from flashscalper.strategies.parameters import Parameter

__all__ = [
    "BreakEven", "ExitPolicy", "FundingLimit", "MarketView", "OppositeSignal", "Parameter", "PartialProfit",
    "PeakProtection", "PlanStrategy", "Signal", "Stale", "TradingPlan", "Trailing", "atr", "declared_parameters",
    "parse_values", "percent", "r", "ticks",
]  # fmt: skip


class Machine(Protocol):
    """An indicator as a plan uses it: takes closed klines, is None until warm."""

    def update(self, kline: Kline) -> None:
        """Take in one closed kline."""
        ...

    @property
    def value(self) -> Any:
        """The present value, None until warm."""
        ...


class TradingPlan:
    """Base of a user's strategy for one market. Override `on_kline`, usually `setup`; declare `Parameter`s and `exits`.

    `on_trade(trade)`, `on_book(book)` and `on_fill(fill)` may be defined as the engine's optional hooks; a plan with one of
    the first two sees every trade or book change, so a backtest cannot skip any.
    """

    interval: ClassVar[str] = "1m"
    """The kline interval on which `on_kline` is asked."""
    also: ClassVar[tuple[str, ...]] = ()
    """Further intervals that `view.klines` and `use(..., interval=...)` may look at."""
    warmup: ClassVar[int] = 200
    """How many closed klines of `interval` to ask the exchange's history for."""
    exits: ExitPolicy | None = None
    """How positions of this plan are left; None takes the configured policy. `setup` may set it from the parameters."""

    def __init__(self, market: Market, values: Mapping[str, object] | None = None) -> None:
        """`values` sets parameters by name; an unknown name or a value out of range is a ConfigError."""
        self.market = market
        self.machines: list[tuple[str, Machine]] = []
        self.__dict__.update(parse_values(type(self), values or {}))
        self.setup()

    def setup(self) -> None:
        """Make the indicators: `self.ema = self.use(EMA(self.fast))`. Called once, when the parameters are set."""

    def on_kline(self, view: MarketView) -> Signal | None:
        """A kline of `interval` closed and every used indicator is warm: look and speak, or return None."""
        raise TypeError(f"{type(self).__name__} has no on_kline, which {view.market.symbol} needs")

    def use(self, machine: Machine, interval: str | None = None) -> Any:
        """Feed `machine` with every closed kline of `interval` (the plan's own by default) before `on_kline` is asked.

        Returns it, typed as Any: its `value` is never None where a plan looks at it.
        """
        chosen = interval or self.interval
        if chosen != self.interval and chosen not in self.also:
            raise ConfigError("interval", chosen, f"one that the plan names: {', '.join((self.interval, *self.also))}")
        self.machines.append((chosen, machine))
        return machine

    def long(self, *reasons: str, confidence: float = 60.0, **details: Any) -> Signal:
        """A signal to buy. `details` are fields of Signal: stop, target (prices), expected_move (a fraction), volatility."""
        return Signal(direction=PositionSide.LONG, confidence=confidence, reasons=reasons, **details)

    def short(self, *reasons: str, confidence: float = 60.0, **details: Any) -> Signal:
        """A signal to sell; see `long`."""
        return Signal(direction=PositionSide.SHORT, confidence=confidence, reasons=reasons, **details)

    @classmethod
    def parameters(cls) -> dict[str, Parameter[Any]]:
        """Every declared parameter by name, in the order of declaration: what the optimiser may vary."""
        return declared_parameters(cls)


def declared_parameters(plan: type) -> dict[str, Parameter[Any]]:
    """The `Parameter`s of a class and its bases."""
    found: dict[str, Parameter[Any]] = {}
    for owner in reversed(plan.__mro__):
        found.update({name: item for name, item in vars(owner).items() if isinstance(item, Parameter)})
    return found


def parse_values(plan: type, values: Mapping[str, object]) -> dict[str, object]:
    """Check `values` against the declarations; ConfigError names `Plan.parameter`, what was seen and what is accepted."""
    declared = declared_parameters(plan)
    for name in values:
        if name not in declared:
            raise ConfigError(f"{plan.__name__}.{name}", values[name], f"parameters: {', '.join(declared) or 'none'}")
    return {name: declared[name].parse(f"{plan.__name__}.{name}", value) for name, value in values.items()}


class PlanStrategy:
    """Runs a `TradingPlan` as a `Strategy`: feeds its indicators, asks it when they are warm, keeps its last word."""

    def __init__(self, plan: TradingPlan) -> None:
        self.plan = plan
        self.exits = plan.exits
        self._judgement: Judgement | None = None
        self._atr = ATR()
        self.on_trade: Callable[..., Any] | None = getattr(plan, "on_trade", None)
        self.on_book: Callable[..., Any] | None = getattr(plan, "on_book", None)
        self.on_fill: Callable[..., Any] | None = getattr(plan, "on_fill", None)
        self._named = tuple((name, one) for name, one in vars(plan).items() if any(one is used for _, used in plan.machines))
        for interval in self.intervals:
            interval_us(interval)

    @property
    def intervals(self) -> tuple[str, ...]:
        """The plan's intervals, main one first."""
        return (self.plan.interval, *self.plan.also)

    @property
    def warmup(self) -> int:
        """What the plan says."""
        return self.plan.warmup

    @property
    def judgement(self) -> Judgement | None:
        """What came of the last closed kline."""
        return self._judgement

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:  # noqa: ARG002
        """Feed, ask, remember. History is asked as well (its answer is ignored), so that a plan's own state is right."""
        for interval, machine in self.plan.machines:
            if interval == view.kline.interval:
                machine.update(view.kline)
        if view.kline.interval != self.plan.interval:
            return None
        self._atr.update(view.kline)
        cold = [type(one).__name__ for one in (*(used for _, used in self.plan.machines), self._atr) if one.value is None]
        signal = None if cold else self.plan.on_kline(view)
        if not isinstance(signal, Signal):  # None; anything else is refused where the engine looks at it
            self._judgement = self._silence(cold)
            return signal
        signal = self._completed(signal, view)
        self._judgement = Judgement(score=signal.score, confidence=signal.confidence, direction=signal.direction,
        reasons=signal.reasons, gates=signal.gates, inputs=signal.inputs)  # fmt: skip
        return signal

    def _silence(self, cold: list[str]) -> Judgement:
        """Why it says nothing, and what its indicators say."""
        waiting = ", ".join(dict.fromkeys(cold))
        reason = f"warming up: {waiting} of {self.plan.interval} klines" if cold else "no condition met"
        return Judgement(score=0.0, confidence=0.0, reasons=(reason,), inputs=self._readings())

    def _readings(self) -> tuple[tuple[str, float], ...]:
        """The indicators by the names that the plan gave them, so that `explain` shows what it looked at."""
        numbers = ((name, machine.value) for name, machine in self._named)
        return tuple((name, float(value)) for name, value in numbers if isinstance(value, int | float) and isfinite(value))

    def _completed(self, signal: Signal, view: MarketView) -> Signal:
        """Fill in the ATR and the expected move, where the plan left them open, and what its indicators say."""
        volatility = self._atr.value if signal.volatility is None else signal.volatility
        expected = signal.expected_move
        if expected is None:
            way = self._way_to_target(signal, view, volatility)
            expected = None if way is None else way / view.kline.close * signal.confidence / 100
        inputs = (*signal.inputs, *self._readings())
        return msgspec.structs.replace(signal, volatility=volatility, expected_move=expected, inputs=inputs)

    def _way_to_target(self, signal: Signal, view: MarketView, volatility: float | None) -> float | None:
        """From the close to the signal's target, else to the policy's; None when neither has one."""
        close = view.kline.close
        if signal.target is not None:
            return max((signal.target - close) * signal.direction.sign, 0.0)
        if self.exits is None or self.exits.target is None:
            return None
        tick = float(view.market.price_tick)
        own = None if signal.stop is None else abs(close - signal.stop)
        risk = own if own is not None else self.exits.stop.in_price(close, tick, volatility, None)
        return self.exits.target.in_price(close, tick, volatility, risk)
