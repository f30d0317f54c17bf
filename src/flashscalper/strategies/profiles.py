"""The scalper's profiles: `default` (recommended), `classic` (the original's numbers) and `demo` (a show, not for money).

The default profile is argued number by number in docs/explanation/default-profile.md. Sizing, costs and entry style of a
profile belong to trading: see `flashscalper.trading.profiles`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from flashscalper.model.errors import ConfigError
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
)
from flashscalper.strategies.regime import RegimeSettings
from flashscalper.strategies.scalper_settings import FilterSettings, IndicatorParameters, ScalperSettings, ScoreWeights


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One set of numbers with its name. `for_money` False: `run` refuses it outside paper, everything shows `label`."""

    name: str
    label: str
    scalper: ScalperSettings
    exits: ExitPolicy
    for_money: bool = True


CLASSIC_WEIGHTS: Final = ScoreWeights(
    ema_stack=15, ema_price=5, macd_cross=20, macd_sign=8, rsi_extreme=12, rsi_mild=5, volume=8, pattern=10, bounce=1.0,
    divergence=25, divergence_strength=0.1, trend=0,
)  # fmt: skip
"""The original's points. Its documented extras (Bollinger, stochastic, ROC, Williams) were never scored and are not here."""

CLASSIC: Final = Profile(
    name="classic",
    label="classic profile: the original's weights, thresholds and formulas",
    scalper=ScalperSettings(
        interval="5m",
        weights=CLASSIC_WEIGHTS,
        indicators=IndicatorParameters(classic=True),
        filters=FilterSettings(
            min_volume_ratio=0.5, max_momentum=3.0, counter_trend_confidence=58, min_confluence=0, max_atr_bps=None,
            max_spread_atr=None, min_room_atr=None, forbidden_regimes=(), confirm=(), cooldown_s=120,
        ),
        regime=RegimeSettings(trend_momentum=0.5, volatile_atr_bps=200, breakout_volume=1.5),
        min_score=45, lead=1.10, full_score=110, min_confidence=58, volume_spike=1.5, bounce_both_sides=False,
        expected_atr=2.5,
    ),
    # The original's distances were ROE at 10x leverage: a tenth of it is the price. Its stop of 3.6 bps lies inside one
    # taker fee, so the floor above costs decides instead; the rules and their proportions are the original's.
    exits=ExitPolicy(
        stop=percent(0.036),
        target=percent(0.15),
        partial=PartialProfit(at=percent(0.10), share=0.5),
        trailing=Trailing(activation=percent(0.05), distance=percent(0.02)),
        break_even=BreakEven(activation=percent(0.03)),
        peak=PeakProtection(activation=percent(0.10), giveback=0.5),
        stale=Stale(after_s=300, progress=percent(0.02)),
        max_hold_s=300,
        stop_floor_costs=1.0,
        widen_stop=True,
    ),
)  # fmt: skip

DEFAULT: Final = Profile(
    name="default",
    label="default profile",
    scalper=ScalperSettings(),
    exits=ExitPolicy(
        stop=atr(1.5),
        target=r(2),
        trailing=Trailing(activation=r(1.25), distance=r(0.75)),
        break_even=BreakEven(activation=r(1)),
        stale=Stale(after_s=600, progress=r(0.5)),
        max_hold_s=1800,
        opposite_signal=OppositeSignal(min_confidence=55),
        funding=FundingLimit(max_hourly_bps=2.0),
    ),
)

DEMO: Final = Profile(
    name="demo",
    label="demonstration profile, not for money",
    for_money=False,
    scalper=ScalperSettings(
        interval="5s",
        weights=CLASSIC_WEIGHTS,
        indicators=IndicatorParameters(
            classic=True, rsi=7, ema_fast=3, ema_mid=6, ema_slow=12, macd_fast=4, macd_slow=9, macd_signal=4, atr=7,
            momentum=3, roc=6, volume_recent=2, volume_usual=12, trend_fast=5, trend_slow=10, bollinger=12, stochastic=8,
            williams=8, divergence=5, levels=12,
        ),
        filters=FilterSettings(
            rsi_long_max=90, rsi_short_min=10, rsi_lowest=3, rsi_highest=97, min_volume_ratio=0.1, max_momentum=5.0,
            counter_trend=False, min_confluence=2, max_atr_bps=None, max_spread_atr=3.0, min_room_atr=None,
            forbidden_regimes=(), confirm=(), cooldown_s=20,
        ),
        regime=RegimeSettings(trend_momentum=0.02, volatile_atr_bps=20, min_stay_s=30),
        min_score=45, lead=1.10, full_score=110, min_confidence=40, bounce_both_sides=True, expected_atr=2.5,
    ),
    exits=ExitPolicy(
        stop=atr(1.5),
        target=atr(2.5),
        partial=PartialProfit(at=atr(1.75), share=0.5),
        trailing=Trailing(activation=atr(1.25), distance=atr(0.75)),
        stale=Stale(after_s=40, progress=atr(0.75)),
        max_hold_s=75,
        stop_floor_costs=0.0,
        demonstration=True,
    ),
)  # fmt: skip

PROFILES: Final = {profile.name: profile for profile in (DEFAULT, CLASSIC, DEMO)}


def find_profile(name: str) -> Profile:
    """A profile by name; an unknown name is a ConfigError with the known ones."""
    found = PROFILES.get(name)
    if found is None:
        raise ConfigError("profile", name, ", ".join(PROFILES))
    return found
