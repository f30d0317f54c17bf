"""The placebo: where there is nothing to be won, trading costs what was stated; where there is something, it is found.

Driftless random walks, real fees, the real engine and the real matching core. `-s` prints the figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import sqrt
from random import Random
from statistics import fmean, stdev

import msgspec
import pytest

from flashscalper.model.events import FeeClass
from flashscalper.model.records import RoundTripClosed
from flashscalper.strategies.profiles import DEFAULT, DEMO
from flashscalper.strategies.scalper import Scalper
from flashscalper.trading.profiles import trading_profile
from flashscalper.trading.settings import RiskLimits, TradingSettings
from tests.trading.stage import MARKET
from tests.trading.walk import Step, Terms, Walk

NO_BRAKES = RiskLimits(
    symbol_loss_cooldown_s=0.0, max_consecutive_losses=1_000, max_daily_loss_share=None, max_drawdown_share=None,
    max_account_notional=MARKET.position_limit * 1_000,
)  # fmt: skip
"""Losing streaks are what a placebo is made of: nothing may stop it from losing what it must."""


def without_brakes(profile: str) -> TradingSettings:
    return msgspec.structs.replace(trading_profile(profile), risk=NO_BRAKES)


def driftless(sigma: float) -> Step:
    return lambda dice, number: dice.gauss(0.0, sigma)


def trending(sigma: float, drift: float, steps: int) -> Step:
    """A planted edge: the drift turns round every so many steps."""

    def step(dice: Random, number: int) -> float:
        return dice.gauss(drift if number // steps % 2 == 0 else -drift, sigma)

    return step


def fast_trips(seeds: Iterable[int], steps: int) -> list[RoundTripClosed]:
    """The scalper at the demo's pace, whose cost gate only reports: a kline of 5 s is two steps."""
    trips: list[RoundTripClosed] = []
    for seed in seeds:
        walk = Walk(seed, Scalper(DEMO.scalper, MARKET), without_brakes("demo"), driftless(0.0003), Terms(step_s=2.5))
        walk.run(steps)
        walk.finish()
        trips += walk.trips
    return trips


def placebo(trips: list[RoundTripClosed]) -> None:
    """Net loss within the stated costs, and nothing won before them: two standard errors each."""
    nets, costs = [float(trip.pnl) for trip in trips], [float(trip.costs) for trip in trips]
    gross = [float(trip.pnl + trip.fees - trip.funding) for trip in trips]
    error = stdev(nets) / sqrt(len(nets))
    exits = Counter(str(trip.exit_reason) for trip in trips)
    print(f"\n{len(trips)} trades: net {fmean(nets):+.4f} +- {error:.4f}, stated costs {fmean(costs):.4f}, ", end="")
    print(f"fees {fmean(float(trip.fees) for trip in trips):.4f}, before fees {fmean(gross):+.4f}; {dict(exits)}")
    assert -fmean(nets) <= fmean(costs) + 2 * error
    assert fmean(gross) <= 3 * stdev(gross) / sqrt(len(gross))


def test_a_placebo_loses_no_more_than_its_stated_costs() -> None:
    trips = fast_trips(range(1, 4), 700)
    assert len(trips) >= 80
    placebo(trips)


@pytest.mark.verify
def test_over_two_thousand_trades_a_placebo_loses_no_more_than_its_stated_costs() -> None:
    trips = fast_trips(range(100, 142), 1_000)
    assert len(trips) >= 2_000
    placebo(trips)


def look_at(fee_class: FeeClass, step: Step, steps: int, seed: int = 1) -> Walk:
    """The default profile on minutes of six steps."""
    terms = Terms(step_s=10.0, fee_class=fee_class)
    walk = Walk(seed, Scalper(DEFAULT.scalper, MARKET), without_brakes("default"), step, terms)
    walk.run(steps)
    walk.finish()
    return walk


def rarely(walk: Walk, days: float) -> None:
    entered = sum(look.outcome == "entered" for look in walk.looks)
    wanted = sum(look.direction is not None for look in walk.looks)
    denied = Counter(str(look.denied_by) for look in walk.looks if look.outcome == "denied")
    print(f"\n{len(walk.looks)} looks, {wanted} signals, {entered} entered; denied by {dict(denied)}")
    assert wanted > 0
    assert entered <= max(1.0, days)


@pytest.mark.verify
def test_without_an_edge_the_default_profile_enters_rarely_at_pro_fees() -> None:
    rarely(look_at(FeeClass.PRO, driftless(0.00025), 3_000), 3_000 / 8_640)


@pytest.mark.verify
@pytest.mark.parametrize("seed", [2, 3])
def test_over_two_days_without_an_edge_the_default_profile_enters_rarely_at_pro_fees(seed: int) -> None:
    rarely(look_at(FeeClass.PRO, driftless(0.00025), 2 * 8_640, seed), 2.0)


def found(fee_class: FeeClass, scale: float, seeds: Iterable[int], steps: int) -> None:
    """Drifts of 15 to 40 minutes: small ones pay Retail's costs; Pro's take minutes that move seven times as far."""
    trips: list[RoundTripClosed] = []
    for seed in seeds:
        step = trending(0.00025 * scale, 0.0001 * scale, 240 if seed % 2 else 90)
        trips += look_at(fee_class, step, steps, seed).trips
    net, costs = sum(float(trip.pnl) for trip in trips), sum(float(trip.costs) for trip in trips)
    print(f"\n{fee_class}: {len(trips)} trades, net {net:+.2f}, stated costs {costs:.2f}")
    assert len(trips) >= 3
    assert net > costs


@pytest.mark.verify
def test_a_planted_edge_is_found() -> None:
    found(FeeClass.RETAIL, 1.0, (1, 2), 2_500)


@pytest.mark.verify
def test_a_planted_edge_is_found_at_pro_fees_where_it_pays_for_them() -> None:
    found(FeeClass.PRO, 7.0, range(1, 6), 3_000)
