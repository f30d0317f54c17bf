"""Whatever the market does, a trade loses at most what was stated for it, plus what the market jumped over its stop.

Seeded markets with gaps and wicks, every exit rule at work, the real engine and the real matching core. `-s` prints how the
losses are distributed in shares of the stated risk.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from random import Random

import msgspec
import pytest

from flashscalper.model.amounts import ZERO
from flashscalper.model.events import FeeClass
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import FillBooked, ProtectionChanged, RoundTripClosed
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.exit_policy import (
    BreakEven,
    Distance,
    ExitPolicy,
    PartialProfit,
    PeakProtection,
    Stale,
    Trailing,
    atr,
    percent,
    r,
    ticks,
)
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.settings import EntrySettings, TradingSettings
from flashscalper.trading.sizing import SizingSettings
from tests.strategies.test_placebo import NO_BRAKES
from tests.trading.walk import Step, Terms, Walk

RISK = 0.005
DUST = Decimal("0.000001")
"""Rounding of money to eight places, a few fills at most."""


class Coin:
    """Tosses a coin at every closed kline while it is flat."""

    intervals = ("1s",)
    warmup = 1
    judgement: Judgement | None = None

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        if not live or view.position is not None:
            return None
        direction = PositionSide.LONG if self._dice.random() < 0.5 else PositionSide.SHORT
        volatility = view.kline.close * 0.0008
        confidence = 100 * self._dice.random()
        return Signal(direction=direction, confidence=confidence, reasons=("a coin",), volatility=volatility)


def gappy(sigma: float, jump: float) -> Step:
    """A random walk that jumps now and then, some of it back at once (a wick)."""
    wick = 0.0

    def step(dice: Random, number: int) -> float:
        nonlocal wick
        move, wick = dice.gauss(0.0, sigma) - wick, 0.0
        if dice.random() < 0.03:
            leap = dice.uniform(-jump, jump)
            wick = leap if dice.random() < 0.5 else 0.0
            move += leap
        return move

    return step


def settings_of(dice: Random) -> TradingSettings:
    stop: Distance = dice.choice((atr(1.5), atr(3.0), percent(0.25), ticks(2_500)))
    exits = ExitPolicy(
        stop=stop, target=dice.choice((None, r(1.5))), partial=dice.choice((None, PartialProfit(at=r(0.5), share=0.5))),
        trailing=dice.choice((None, Trailing(activation=r(0.5), distance=r(0.4)))),
        break_even=dice.choice((None, BreakEven(activation=r(0.8)))),
        peak=dice.choice((None, PeakProtection(activation=r(1)))),
        stale=Stale(after_s=12, progress=r(0.3)), max_hold_s=25,
    )  # fmt: skip
    return TradingSettings(
        risk=NO_BRAKES, costs=CostSettings(report_only=True), exits=exits,
        entry=EntrySettings(style=dice.choice(list(EntryStyle)), post_wait_s=1.5, max_slippage_bps=8.0),
        sizing=SizingSettings(risk_per_trade=RISK),
    )  # fmt: skip


def market(seed: int, steps: int) -> Walk:
    dice = Random(f"market {seed}")
    terms = Terms(
        spread_ticks=dice.choice((1, 2, 20, 200)), lots=dice.choice((500, 500_000)), fee_class=dice.choice(list(FeeClass))
    )
    step = gappy(dice.choice((0.0001, 0.0003)), dice.choice((0.001, 0.005, 0.02)))
    walk = Walk(seed, Coin(dice), settings_of(dice), step, terms)
    walk.run(steps)
    walk.finish()
    return walk


def beyond_stop(walk: Walk, trip: RoundTripClosed) -> Decimal:
    """(stop trigger - worst fill) x size of a round trip, zero when no fill was beyond its first stop."""
    held = [one for one in walk.records if isinstance(one, ProtectionChanged) and one.stop_price is not None]
    stop = next(one.stop_price for one in held if trip.opened_at <= one.changed_at <= trip.closed_at)
    assert stop is not None
    fills = [
        one for one in walk.records if isinstance(one, FillBooked) and trip.opened_at <= one.filled_at <= trip.closed_at
    ]
    ways_out = [(one.price - stop) * trip.direction.sign for one in fills if one.side.sign != trip.direction.sign]
    return max(-min(ways_out), ZERO) * trip.size


def bounded(walk: Walk) -> list[float]:
    """Check every round trip of one market; its results in shares of the stated risk."""
    found = []
    for trip in walk.trips:
        price_loss = -(trip.pnl + trip.fees - trip.funding)
        beyond = beyond_stop(walk, trip)
        assert price_loss <= trip.risk - trip.costs + beyond + DUST, f"{trip} lost {price_loss}, beyond its stop {beyond}"
        assert -trip.pnl <= trip.risk + beyond + trip.fees + max(-trip.funding, ZERO) + DUST
        assert trip.risk <= Decimal(repr(RISK)) * walk.terms.cash * Decimal("1.03"), (
            "more was risked than the settings allow"
        )
        found.append(float(trip.pnl / trip.risk))
    return found


def show(shares: list[float]) -> None:
    shares.sort()
    at = {share: shares[min(len(shares) - 1, int(share * len(shares)))] for share in (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95)}
    text = ", ".join(f"{share:.0%} {value:+.2f}" for share, value in at.items())
    print(f"\n{len(shares)} trades; result in stated risks by quantile: {text}, best {shares[-1]:+.2f}")


def run(seeds: Iterable[int], steps: int) -> list[float]:
    return [share for seed in seeds for share in bounded(market(seed, steps))]


def test_in_every_market_a_loss_is_at_most_what_was_stated_and_what_jumped_over_the_stop() -> None:
    shares = run(range(40), 60)
    assert len(shares) >= 60
    assert min(shares) < -0.5
    show(shares)


@pytest.mark.verify
@pytest.mark.parametrize("block", range(4))
def test_in_a_thousand_markets_a_loss_is_at_most_what_was_stated_and_what_jumped_over_the_stop(block: int) -> None:
    shares = run(range(1_000 + 250 * block, 1_250 + 250 * block), 60)
    assert len(shares) >= 400
    show(shares)


def test_the_stated_risk_of_a_round_trip_is_its_stop_distance_and_its_costs() -> None:
    walk = market(7, 120)
    for trip in walk.trips:
        assert ZERO < trip.costs < trip.risk
    assert msgspec.json.decode(msgspec.json.encode(walk.trips[0]), type=RoundTripClosed) == walk.trips[0]
