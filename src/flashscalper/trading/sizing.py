"""How much: risk per trade over (stop distance + costs), under every cap, always rounded down, refused rather than raised.

The stop distance decides the size, not the leverage: `size = equity x risk / (stop distance + price x costs)`. Confidence
and volatility may only make it smaller. A cap that leaves less than the market's smallest order refuses the trade.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from math import isfinite

import msgspec

from flashscalper.model.amounts import ZERO, plain
from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market
from flashscalper.model.records import Gate
from flashscalper.strategies.parameters import check_range, check_whole
from flashscalper.trading.costs import CostEstimate

_CENT = Decimal("0.01")


class SizingCode(StrEnum):
    """Every reason for which sizing may refuse: the codes of its gates, fixed so that labels stay bounded."""

    INPUTS = "sizing_inputs"
    EQUITY = "sizing_equity"
    STOP = "sizing_stop"
    RISK = "sizing_risk"
    NOTIONAL = "sizing_notional"
    EXPOSURE = "sizing_exposure"
    MARGIN = "sizing_margin"
    MARKET_MAX = "sizing_market_max"
    MARKET_MIN = "sizing_market_min"


class SizingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares are fractions of equity (0.005 = 0.5 %); notional caps in quote units.

    `risk_per_trade` is what a trade may lose at its stop, costs included. `max_notional_share` caps one position,
    `max_exposure_share` all positions together (both may exceed 1, they are notional), `max_margin_share` the initial
    margin in use. The full risk is only taken at confidence 100: at `base_confidence` and below it is
    `min_confidence_factor` of it, linear between. Above `calm_volatility` (ATR over price; 0 = off) the size shrinks
    in proportion. `max_stop_percent` refuses trades whose stop is further away than that.
    """

    risk_per_trade: float = 0.005
    max_notional: Decimal | None = None
    max_notional_share: float = 2.0
    max_exposure_share: float = 4.0
    max_margin_share: float = 0.5
    leverage: int = 5
    min_equity: Decimal = Decimal(10)
    base_confidence: float = 50.0
    min_confidence_factor: float = 0.5
    calm_volatility: float = 0.0
    max_stop_percent: float = 5.0

    def validate(self, field: str = "sizing") -> None:
        """Raise ConfigError naming the field, what was seen and the range."""
        check_range(f"{field}.risk_per_trade", self.risk_per_trade, 0.000001, 0.1)
        check_range(f"{field}.max_notional_share", self.max_notional_share, 0.0001, 100.0)
        check_range(f"{field}.max_exposure_share", self.max_exposure_share, 0.0001, 100.0)
        check_range(f"{field}.max_margin_share", self.max_margin_share, 0.0001, 1.0)
        check_whole(f"{field}.leverage", self.leverage, 1, 100)
        check_range(f"{field}.base_confidence", self.base_confidence, 0.0, 99.0)
        check_range(f"{field}.min_confidence_factor", self.min_confidence_factor, 0.01, 1.0)
        check_range(f"{field}.calm_volatility", self.calm_volatility, 0.0, 1.0)
        check_range(f"{field}.max_stop_percent", self.max_stop_percent, 0.01, 50.0)
        for name, value in (("max_notional", self.max_notional), ("min_equity", self.min_equity)):
            if value is not None and (not value.is_finite() or value <= ZERO):
                raise ConfigError(f"{field}.{name}", str(value), "an amount above 0")


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What is in use already, in quote units, unsigned: open positions, orders in flight and unknown orders in full."""

    symbol_notional: Decimal = ZERO
    total_notional: Decimal = ZERO
    margin: Decimal = ZERO


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: `size` in base units (zero when a gate failed), every gate in order, and what the size means.

    `risk` is the stated risk in quote units: what size x (stop distance + costs) loses.
    """

    size: Decimal
    gates: tuple[Gate, ...]
    notional: Decimal = ZERO
    risk: Decimal = ZERO

    @property
    def refused_by(self) -> Gate | None:
        """The first gate that said no."""
        return next((gate for gate in self.gates if not gate.passed), None)


def size_position(
    settings: SizingSettings,
    market: Market,
    *,
    equity: Decimal,
    price: Decimal,
    stop_distance: Decimal,
    costs: CostEstimate,
    confidence: float,
    volatility: float | None = None,
    exposure: Exposure | None = None,
    free_collateral: Decimal | None = None,
) -> Sized:
    """Size one entry at `price` whose stop lies `stop_distance` (quote units) away.

    `confidence` is 0 to 100, `volatility` the ATR as a fraction of the price. `free_collateral` is the exchange's own
    figure, if known. Never raises for trading reasons and never returns more than any cap allows.
    """
    exposure = exposure or Exposure()
    gates = _precondition_gates(settings, equity=equity, price=price, stop_distance=stop_distance, confidence=confidence,
                                volatility=volatility)  # fmt: skip
    if not all(gate.passed for gate in gates):
        return Sized(size=ZERO, gates=gates)
    loss = stop_distance + price * costs.total
    budget = risk_budget(settings, equity, confidence, volatility)
    smallest = smallest_size(market, price)
    caps = (
        (SizingCode.RISK, budget / loss),
        (SizingCode.NOTIONAL, _notional_room(settings, equity, exposure) / price),
        (SizingCode.EXPOSURE, (_share(settings.max_exposure_share, equity) - exposure.total_notional) / price),
        (SizingCode.MARGIN, _margin_room(settings, market, equity, exposure, free_collateral) / price),
        (SizingCode.MARKET_MAX, min(market.max_order_size, market.position_limit - exposure.symbol_notional / price)),
    )
    gates += tuple(_room_gate(code, room, smallest, price) for code, room in caps)
    size = _floor_to_budget(market, max(min(room for _, room in caps), ZERO), loss, budget)
    gates += (_smallest_gate(market, size, smallest, price),)
    if not all(gate.passed for gate in gates):
        return Sized(size=ZERO, gates=gates)
    return Sized(size=size, gates=gates, notional=size * price, risk=size * loss)


def risk_budget(settings: SizingSettings, equity: Decimal, confidence: float, volatility: float | None) -> Decimal:
    """What this trade may lose in quote units: risk per trade of equity, made smaller by doubt and by volatility."""
    factor = confidence_factor(settings, confidence) * volatility_factor(settings, volatility)
    return _share(settings.risk_per_trade, equity) * Decimal(repr(factor))


def confidence_factor(settings: SizingSettings, confidence: float) -> float:
    """Between `min_confidence_factor` (at `base_confidence` and below) and 1 (at 100); never above 1."""
    progress = (confidence - settings.base_confidence) / (100.0 - settings.base_confidence)
    low = settings.min_confidence_factor
    return min(1.0, low + (1.0 - low) * min(1.0, max(0.0, progress)))


def volatility_factor(settings: SizingSettings, volatility: float | None) -> float:
    """1 in calm markets, `calm_volatility / volatility` in wilder ones; never above 1."""
    if not settings.calm_volatility or volatility is None or volatility <= settings.calm_volatility:
        return 1.0
    return settings.calm_volatility / volatility


def smallest_size(market: Market, price: Decimal) -> Decimal:
    """The smallest size the exchange takes at `price`: one step, and the minimum notional rounded up to a step."""
    steps = -((-market.min_notional) // (price * market.size_step))
    size = max(steps, Decimal(1)) * market.size_step
    return size if size * price >= market.min_notional else size + market.size_step


def _share(share: float, amount: Decimal) -> Decimal:
    return Decimal(repr(share)) * amount


def _notional_room(settings: SizingSettings, equity: Decimal, exposure: Exposure) -> Decimal:
    cap = _share(settings.max_notional_share, equity)
    if settings.max_notional is not None:
        cap = min(cap, settings.max_notional)
    return cap - exposure.symbol_notional


def _margin_room(
    settings: SizingSettings, market: Market, equity: Decimal, exposure: Exposure, free_collateral: Decimal | None
) -> Decimal:
    """Notional that the margin still carries; the market's own initial margin binds when it asks for more."""
    room = _share(settings.max_margin_share, equity) - exposure.margin
    if free_collateral is not None:
        room = min(room, free_collateral)
    return room / max(Decimal(1) / settings.leverage, market.initial_margin)


def _precondition_gates(
    settings: SizingSettings,
    *,
    equity: Decimal,
    price: Decimal,
    stop_distance: Decimal,
    confidence: float,
    volatility: float | None,
) -> tuple[Gate, ...]:
    """What must hold before anything can be divided; the first that fails ends the list."""
    numbers = {"equity": equity, "price": price, "stop distance": stop_distance}
    broken = [name for name, value in numbers.items() if not value.is_finite()]
    broken += [
        name for name, value in (("confidence", confidence), ("volatility", volatility or 0.0)) if not isfinite(value)
    ]
    inputs = Gate(code=SizingCode.INPUTS, passed=not broken and price > ZERO, needed="finite numbers, a price above 0",
                  seen=", ".join(broken) or f"price {price}")  # fmt: skip
    if not inputs.passed:
        return (inputs,)
    wealth = Gate(code=SizingCode.EQUITY, passed=equity >= settings.min_equity,
                  needed=f"equity of at least {plain(settings.min_equity)}", seen=_money(equity))  # fmt: skip
    share = stop_distance / price * 100
    allowed = stop_distance > ZERO and share <= Decimal(repr(settings.max_stop_percent))
    furthest = f"stop at most {settings.max_stop_percent:g} % away, not at the entry"
    stop = Gate(code=SizingCode.STOP, passed=allowed, needed=furthest, seen=f"{share:.4f} %")
    return (inputs, wealth, stop)


def _room_gate(code: SizingCode, room: Decimal, smallest: Decimal, price: Decimal) -> Gate:
    """A cap passes when it leaves room for the smallest order."""
    return Gate(
        code=code, passed=room >= smallest, needed=f"room for {_money(smallest * price)} notional", seen=_money(room * price)
    )


def _floor_to_budget(market: Market, room: Decimal, loss: Decimal, budget: Decimal) -> Decimal:
    """`room` down to a size step; one step less if a 28-digit quotient had been rounded up past the budget."""
    size = market.round_size(room)
    return max(size - market.size_step, ZERO) if size * loss > budget else size


def _smallest_gate(market: Market, size: Decimal, smallest: Decimal, price: Decimal) -> Gate:
    return Gate(code=SizingCode.MARKET_MIN, passed=size >= smallest, needed=f"at least {plain(smallest)} {market.base}",
                seen=f"{plain(size)} {market.base} ({_money(size * price)} notional)")  # fmt: skip


def _money(amount: Decimal) -> str:
    return plain(amount.quantize(_CENT)) if abs(amount) < 10**20 else str(amount)
