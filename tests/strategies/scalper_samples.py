"""A market where every filter of the scalper is switched on and says yes; each test spoils one thing."""

from __future__ import annotations

from typing import Any

import msgspec

from flashscalper.model.events import BestQuote
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.regime import Regime
from flashscalper.strategies.scalper_filters import Situation
from flashscalper.strategies.scalper_readings import Readings, Trend
from flashscalper.strategies.scalper_score import Evidence, Score
from flashscalper.strategies.scalper_settings import FilterSettings, ScalperSettings

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
NOW = 1_700_000_000_000_000
QUOTE = BestQuote(symbol="ETHUSDT", bid=99.99, bid_size=5.0, ask=100.01, ask_size=5.0, quoted_at=NOW)

QUIET = Readings(
    close=100.0, rsi=50.0, momentum=0.0, volume_ratio=1.0, trend=Trend.SIDEWAYS, trend_strength=0.6, ema_fast=100.0,
    ema_mid=100.0, ema_slow=100.0, macd_hist=0.0, macd_hist_before=0.0, atr=0.2, percent_b=0.5, stoch_k=50.0, stoch_d=50.0,
    roc=0.0, williams_r=-50.0,
)  # fmt: skip
"""Nothing speaks for anything."""

RISING = msgspec.structs.replace(
    QUIET, rsi=55.0, momentum=0.05, trend=Trend.UP, ema_fast=99.9, ema_mid=99.8, ema_slow=99.7, support=99.0,
    resistance=101.0, higher=(("5m", Trend.UP),), hour=12,
)  # fmt: skip
"""A healthy rise that every filter accepts for a long."""

ALL_ON = ScalperSettings(
    filters=FilterSettings(hours=(8, 20), min_trend_strength=0.3, min_atr_bps=5.0, trend_aligned=False, min_confluence=2),
    min_score=40.0,
    min_confidence=50.0,
)


def changed(readings: Readings, **fields: Any) -> Readings:
    """The readings with some fields replaced."""
    return msgspec.structs.replace(readings, **fields)


def with_filters(settings: ScalperSettings, **fields: Any) -> ScalperSettings:
    """The settings with some filters replaced."""
    return msgspec.structs.replace(settings, filters=msgspec.structs.replace(settings.filters, **fields))


def points(long: float = 60.0, short: float = 10.0, pieces: int = 3) -> Score:
    """A score whose long side has `pieces` pieces of evidence."""
    return Score(long=long, short=short, evidence=tuple(Evidence(LONG, long / pieces, f"reason {n}") for n in range(pieces)))


def situation(**fields: Any) -> Situation:
    """A long that passes everything, with some facts replaced."""
    facts: dict[str, Any] = {
        "side": LONG,
        "readings": RISING,
        "score": points(),
        "confidence": 65.0,
        "regime": Regime.TRENDING_UP,
        "quote": QUOTE,
        "now": NOW,
        "last_signal_at": None,
        "settings": ALL_ON,
    }
    return Situation(**(facts | fields))
