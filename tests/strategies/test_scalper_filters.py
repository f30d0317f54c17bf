"""Every filter binds: for each code there is a market in which it alone decides."""

from __future__ import annotations

from typing import Any

import pytest

from flashscalper.model.events import BestQuote
from flashscalper.model.instants import SECOND_US
from flashscalper.strategies.regime import Regime
from flashscalper.strategies.scalper_filters import FILTERS, FilterCode, Situation, judge, wants
from flashscalper.strategies.scalper_readings import Trend
from tests.strategies.scalper_samples import (
    ALL_ON,
    LONG,
    NOW,
    QUOTE,
    RISING,
    SHORT,
    changed,
    points,
    situation,
    with_filters,
)

WIDE = BestQuote(symbol="ETHUSDT", bid=99.5, bid_size=1.0, ask=100.5, ask_size=1.0, quoted_at=NOW)
ALIGNED = with_filters(ALL_ON, trend_aligned=True)

ALONE: list[tuple[FilterCode, dict[str, Any]]] = [
    (FilterCode.SCORE, {"score": points(long=39.0)}),
    (FilterCode.LEAD, {"score": points(long=60.0, short=50.0)}),
    (FilterCode.CONFIDENCE, {"confidence": 49.0}),
    (FilterCode.CONFLUENCE, {"score": points(pieces=1)}),
    (FilterCode.HOURS, {"readings": changed(RISING, hour=20)}),
    (FilterCode.RSI_SIDE, {"readings": changed(RISING, rsi=65.1)}),
    (FilterCode.VOLUME, {"readings": changed(RISING, volume_ratio=0.79)}),
    (FilterCode.MOMENTUM, {"readings": changed(RISING, momentum=3.1)}),
    (FilterCode.COUNTER_TREND, {"readings": changed(RISING, trend=Trend.DOWN)}),
    (FilterCode.TREND_ALIGNED, {"readings": changed(RISING, trend=Trend.SIDEWAYS), "settings": ALIGNED}),
    (FilterCode.TREND_STRENGTH, {"readings": changed(RISING, trend_strength=0.29)}),
    (FilterCode.VOLATILITY, {"readings": changed(RISING, atr=0.049)}),
    (
        FilterCode.VOLATILITY,
        {"readings": changed(RISING, atr=1.01, resistance=None), "settings": with_filters(ALL_ON, max_spread_atr=None)},
    ),
    (FilterCode.SPREAD, {"quote": WIDE}),
    (FilterCode.SPREAD, {"quote": None}),
    (FilterCode.ROOM, {"readings": changed(RISING, resistance=100.09)}),
    (FilterCode.REGIME, {"regime": Regime.VOLATILE}),
    (FilterCode.TIMEFRAMES, {"readings": changed(RISING, higher=(("5m", Trend.DOWN),))}),
    (FilterCode.TIMEFRAMES, {"readings": changed(RISING, higher=(("5m", None),))}),
    (FilterCode.COOLDOWN, {"last_signal_at": NOW - 119 * SECOND_US}),
]


def failed(it: Situation) -> list[str]:
    return [gate.code for gate in judge(it) if not gate.passed]


def test_a_healthy_rise_passes_every_filter_that_is_on() -> None:
    gates = judge(situation())
    assert failed(situation()) == []
    assert {gate.code for gate in gates} == set(FilterCode) - {FilterCode.TREND_ALIGNED}
    assert all(gate.needed and gate.seen for gate in gates)


@pytest.mark.parametrize(("code", "facts"), ALONE, ids=lambda value: str(value) if isinstance(value, FilterCode) else "")
def test_this_filter_alone_decides(code: FilterCode, facts: dict[str, Any]) -> None:
    assert failed(situation(**facts)) == [code]


def test_rsi_beyond_its_outer_range_is_refused_whatever_the_side() -> None:
    settings = with_filters(ALL_ON, rsi_long_max=None)
    assert failed(situation(readings=changed(RISING, rsi=85.1), settings=settings)) == [FilterCode.RSI_RANGE]
    assert failed(situation(readings=changed(RISING, rsi=14.9), settings=settings)) == [FilterCode.RSI_RANGE]


def test_every_code_has_a_test_in_which_it_alone_decides() -> None:
    assert {code for code, _ in ALONE} | {FilterCode.RSI_RANGE} == set(FilterCode)
    assert len(FILTERS) == len(FilterCode)


def test_a_short_into_oversold_needs_a_market_that_falls_already() -> None:
    falling = changed(RISING, rsi=30.0, trend=Trend.DOWN, higher=(), support=None)
    base = {"side": SHORT, "score": points(long=60, short=10)}
    base["score"] = type(points())(long=10.0, short=60.0, evidence=tuple(
        type(item)(SHORT, item.points, item.text) for item in points().evidence))  # fmt: skip
    assert failed(situation(readings=falling, **base)) == []
    flat = changed(falling, trend=Trend.SIDEWAYS, momentum=0.0)
    assert failed(situation(readings=flat, **base)) == [FilterCode.RSI_SIDE]
    assert failed(situation(readings=changed(flat, momentum=-0.11), **base)) == []


def test_a_trade_against_the_trend_is_excused_by_a_divergence_or_by_confidence() -> None:
    against = changed(RISING, trend=Trend.DOWN)
    assert failed(situation(readings=changed(against, divergence_side=LONG))) == []
    assert failed(situation(readings=changed(against, divergence_side=SHORT))) == [FilterCode.COUNTER_TREND]
    assert failed(situation(readings=against, confidence=75.0)) == []


@pytest.mark.parametrize(
    ("hours", "hour", "passes"),
    [
        ((22, 4), 23, True),
        ((22, 4), 3, True),
        ((22, 4), 4, False),
        ((0, 24), 23, True),
        ((8, 20), 8, True),
        ((8, 20), 7, False),
    ],
)
def test_hours_include_their_start_exclude_their_end_and_wrap_around_midnight(
    hours: tuple[int, int], hour: int, passes: bool
) -> None:
    it = situation(readings=changed(RISING, hour=hour), settings=with_filters(ALL_ON, hours=hours))
    assert (failed(it) == []) is passes


def test_a_level_behind_us_is_not_in_the_way() -> None:
    assert failed(situation(readings=changed(RISING, resistance=99.5))) == []


def test_a_filter_that_is_switched_off_is_not_in_the_list() -> None:
    off = with_filters(
        ALL_ON, hours=None, min_volume_ratio=None, max_momentum=None, counter_trend=False, min_trend_strength=None,
        min_atr_bps=None, max_atr_bps=None, max_spread_atr=None, min_room_atr=None, forbidden_regimes=(), cooldown_s=0.0,
        min_confluence=0, rsi_long_max=None,
    )  # fmt: skip
    codes = [gate.code for gate in judge(situation(settings=off, readings=changed(RISING, higher=())))]
    assert codes == [FilterCode.SCORE, FilterCode.LEAD, FilterCode.CONFIDENCE, FilterCode.RSI_RANGE]


def test_a_direction_needs_score_and_lead_and_nothing_else() -> None:
    assert wants(judge(situation(confidence=0.0, quote=None)))
    assert not wants(judge(situation(score=points(long=39.0))))
    assert not wants(judge(situation(score=points(short=59.0))))


def test_the_verdict_carries_what_was_compared() -> None:
    gates = {gate.code: gate for gate in judge(situation(quote=QUOTE))}
    assert (gates[FilterCode.SCORE].needed, gates[FilterCode.SCORE].seen) == ("40 points", "60")
    assert (gates[FilterCode.VOLUME].needed, gates[FilterCode.VOLUME].seen) == ("0.8 x usual volume", "1.00 x")
    assert gates[FilterCode.ROOM].seen == "5.00 ATR"
