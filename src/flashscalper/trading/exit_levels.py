"""From an exit policy to prices: where stop, target, partial, break-even and activations lie for one entry.

All prices are Decimals on the market's tick grid. A stop is rounded away from the market (it never triggers earlier than
said; sizing uses the rounded distance), a profit price away from the entry (it never promises less than said).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.markets import Market, Rounding
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Signal
from flashscalper.strategies.exit_policy import Distance, ExitPolicy
from flashscalper.trading.costs import CostEstimate


class ExitReason(StrEnum):
    """Why a position was left, in the order in which the rules are asked."""

    STOP = "stop"
    TARGET = "target"
    PARTIAL = "partial"
    TRAILING = "trailing"
    BREAK_EVEN = "break_even"
    PEAK = "peak"
    STALE = "stale"
    MAX_HOLD = "max_hold"
    OPPOSITE_SIGNAL = "opposite_signal"
    FUNDING = "funding"


class ExitBasis(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the levels of one position depend on. `volatility` is the ATR in quote units at the entry."""

    policy: ExitPolicy
    market: Market
    direction: PositionSide
    entry: Decimal
    volatility: float | None
    signal: Signal | None
    costs: CostEstimate


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of one position; a rule that the policy does not have, or whose ATR is unknown, is None.

    `risk` is the initial stop distance (one R), `step` the ratchet step, `trail` the trailing distance, all in quote units.
    """

    stop: Decimal
    risk: Decimal
    step: Decimal
    target: Decimal | None
    partial: Decimal | None
    trail_from: Decimal | None
    trail: Decimal | None
    break_even_from: Decimal | None
    break_even: Decimal | None
    peak_from: Decimal | None
    progress: Decimal | None


def initial_stop(
    policy: ExitPolicy,
    market: Market,
    direction: PositionSide,
    *,
    entry_price: Decimal,
    volatility: float | None,
    signal: Signal | None,
    costs: CostEstimate,
) -> Decimal | None:
    """Where the stop of a position entered at `entry_price` would go: the question that is asked before the entry.

    None means no entry: the policy needs an ATR that is not known, the strategy's own stop lies on the wrong side, or
    the distance is larger than the price. The distance between `entry_price` and the answer is what sizing must use,
    because it contains the floor and the rounding. `volatility` is the ATR in quote units.
    """
    basis = ExitBasis(policy=policy, market=market, direction=direction, entry=entry_price, volatility=volatility,
                      signal=signal, costs=costs)  # fmt: skip
    wanted = _wanted_distance(basis)
    if wanted is None or wanted <= ZERO:
        return None
    distance = max(wanted, floor_distance(basis))
    if direction is PositionSide.LONG and entry_price - distance < market.price_tick:
        return None
    return _stop_price(basis, distance)


def find_levels(basis: ExitBasis) -> Levels:
    """The levels of an open position. It always has a stop: at the floor distance where `initial_stop` would refuse."""
    wanted = _wanted_distance(basis)
    stop = _stop_price(basis, max(wanted or ZERO, floor_distance(basis)))
    risk = abs(basis.entry - stop)
    policy, tick = basis.policy, basis.market.price_tick
    step = max(_on_ticks(risk * _exact(policy.ratchet_step), tick), tick)
    lock = (
        _profit_price(basis, basis.entry * basis.costs.total * _exact(policy.break_even.lock_costs))
        if policy.break_even
        else None
    )
    return Levels(
        stop=stop,
        risk=risk,
        step=step,
        target=_target_price(basis, risk),
        partial=_level(basis, policy.partial.at if policy.partial else None, risk),
        trail_from=_level(basis, policy.trailing.activation if policy.trailing else None, risk),
        trail=_trail(basis, risk),
        break_even_from=_break_even_from(basis, lock, risk, step),
        break_even=lock,
        peak_from=_level(basis, policy.peak.activation if policy.peak else None, risk),
        progress=_level(basis, policy.stale.progress if policy.stale else None, risk),
    )


def floor_distance(basis: ExitBasis) -> Decimal:
    """The least stop distance: a multiple of the round-trip costs, and some ticks."""
    policy = basis.policy
    by_costs = basis.entry * basis.costs.total * _exact(policy.stop_floor_costs)
    return max(by_costs, basis.market.price_tick * policy.stop_floor_ticks)


def _wanted_distance(basis: ExitBasis) -> Decimal | None:
    """What the strategy's own stop, else the policy, asks for; not above zero when the own stop is on the wrong side."""
    if basis.signal is not None and basis.signal.stop is not None:
        return (basis.entry - _exact(basis.signal.stop)) * basis.direction.sign
    return _distance(basis, basis.policy.stop, None)


def _stop_price(basis: ExitBasis, distance: Decimal) -> Decimal:
    """`distance` against us from the entry, rounded away from the market; a long's stop stays above zero."""
    long = basis.direction is PositionSide.LONG
    price = max(basis.entry - distance * basis.direction.sign, basis.market.price_tick)
    return basis.market.round_price(price, Rounding.DOWN if long else Rounding.UP)


def _target_price(basis: ExitBasis, risk: Decimal) -> Decimal | None:
    """The strategy's own target when it lies on the profit side of the entry, else the policy's."""
    own = basis.signal.target if basis.signal is not None else None
    if own is not None:
        distance = (_exact(own) - basis.entry) * basis.direction.sign
        if distance > ZERO:
            return _profit_price(basis, distance)
    return _level(basis, basis.policy.target, risk)


def _trail(basis: ExitBasis, risk: Decimal) -> Decimal | None:
    if basis.policy.trailing is None:
        return None
    distance = _distance(basis, basis.policy.trailing.distance, risk)
    tick = basis.market.price_tick
    return None if distance is None else max(_on_ticks(distance, tick), tick)


def _break_even_from(basis: ExitBasis, lock: Decimal | None, risk: Decimal, step: Decimal) -> Decimal | None:
    """Where break-even arms: at least one step beyond its own lock, or it would fire in the moment it arms."""
    rule = basis.policy.break_even
    armed = _level(basis, rule.activation if rule else None, risk)
    if armed is None or lock is None:
        return None
    sign = basis.direction.sign
    return max(armed * sign, lock * sign + step) * sign


def _level(basis: ExitBasis, distance: Distance | None, risk: Decimal) -> Decimal | None:
    """The price `distance` in our favour, None when the rule is off or its ATR unknown."""
    if distance is None:
        return None
    found = _distance(basis, distance, risk)
    return None if found is None else _profit_price(basis, found)


def _distance(basis: ExitBasis, distance: Distance, risk: Decimal | None) -> Decimal | None:
    found = distance.in_price(
        float(basis.entry), float(basis.market.price_tick), basis.volatility, None if risk is None else float(risk)
    )
    return None if found is None else _exact(found)


def _profit_price(basis: ExitBasis, distance: Decimal) -> Decimal:
    """`distance` in our favour from the entry, rounded away from it; a short's profit price stays at least one tick."""
    long = basis.direction is PositionSide.LONG
    price = max(basis.entry + distance * basis.direction.sign, basis.market.price_tick)
    return basis.market.round_price(price, Rounding.UP if long else Rounding.DOWN)


def _on_ticks(distance: Decimal, tick: Decimal) -> Decimal:
    return distance // tick * tick


def _exact(value: float) -> Decimal:
    """A float by its shortest text, so that 0.1 is a tenth."""
    return Decimal(repr(value))
