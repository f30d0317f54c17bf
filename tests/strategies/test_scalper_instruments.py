"""What the scalper reads off its klines: every machine wired to its own reading, none looking ahead."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from flashscalper.indicators.oscillators import RSI
from flashscalper.indicators.patterns import CandlePatterns
from flashscalper.indicators.ranges import ATR
from flashscalper.indicators.swings import SwingLevels
from flashscalper.model.klines import Kline
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.bounce import Bounce
from flashscalper.strategies.profiles import CLASSIC, DEFAULT, DEMO
from flashscalper.strategies.scalper_instruments import Instruments
from flashscalper.strategies.scalper_readings import Readings, Trend
from flashscalper.strategies.scalper_settings import ScalperSettings
from tests.strategies.views import kline, row, walk

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def read(settings: ScalperSettings, klines: list[Kline]) -> list[Readings | None]:
    instruments = Instruments(settings)
    found = []
    for one in klines:
        instruments.update(one)
        found.append(instruments.readings())
    return found


@pytest.mark.parametrize("profile", [DEFAULT, CLASSIC, DEMO], ids=lambda profile: profile.name)
def test_the_stated_warm_up_is_when_the_first_reading_comes(profile: Any) -> None:
    warmup = Instruments(profile.scalper).warmup
    found = read(profile.scalper, walk(5, warmup + 5))
    assert [one is not None for one in found] == [False] * (warmup - 1) + [True] * 6


def test_readings_are_those_of_the_indicators_fed_alone() -> None:
    klines = walk(6, 120)
    rsi, atr, patterns, levels = RSI(14), ATR(14), CandlePatterns(), SwingLevels(20, 2)
    for one in klines:
        for machine in (rsi, atr, patterns, levels):
            machine.update(one)
    last = read(DEFAULT.scalper, klines)[-1]
    assert last is not None
    assert (last.rsi, last.atr, last.support, last.resistance) == (rsi.value, atr.value, levels.support, levels.resistance)
    assert last.pattern == (patterns.pattern or "")


def test_every_kind_of_shape_appears_on_a_long_enough_walk() -> None:
    found = [one for one in read(DEFAULT.scalper, walk(7, 1500)) if one is not None]
    assert {one.pattern_side for one in found} == {LONG, SHORT, None}
    assert {one.bounce_side for one in found} == {LONG, SHORT, None}
    assert {one.divergence_side for one in found} == {LONG, SHORT, None}
    assert {one.macd_cross for one in found} == {LONG, SHORT, None}
    assert {one.trend for one in found} == set(Trend)
    assert all(one.divergence_strength > 0 for one in found if one.divergence_side)


def test_the_histogram_before_is_the_one_of_the_kline_before() -> None:
    found = [one for one in read(DEFAULT.scalper, walk(8, 200)) if one is not None]
    assert all(now.macd_hist_before == before.macd_hist for before, now in pairwise(found))


def test_the_hour_is_that_of_the_klines_end_in_utc() -> None:
    found = read(DEMO.scalper, walk(9, 60, interval="1m"))[-1]
    assert found is not None
    assert found.hour == (walk(9, 60)[-1].close_at // 3_600_000_000) % 24


def test_klines_of_an_unknown_interval_confirm_nothing() -> None:
    settings = msgspec.structs.replace(
        DEFAULT.scalper, filters=msgspec.structs.replace(DEFAULT.scalper.filters, confirm=("5m",))
    )
    instruments = Instruments(settings)
    for one in walk(10, 100):
        instruments.update(one)
    for one in row([100.0 + n for n in range(30)], interval="15m"):
        instruments.confirm(one)
    readings = instruments.readings()
    assert readings is not None
    assert readings.higher == (("5m", None),)
    for one in row([100.0 + n for n in range(30)], interval="5m"):
        instruments.confirm(one)
    readings = instruments.readings()
    assert readings is not None
    assert readings.higher == (("5m", Trend.UP),)


RISING = [
    kline(0, 99.0, before=100.0),
    kline(1, 98.0, before=99.0),
    kline(2, 98.5, before=98.0),
    kline(3, 99.5, before=98.5),
]
FALLING = [kline(n, 200 - one.close, before=200 - one.open) for n, one in enumerate(RISING)]


def bounced(klines: list[Kline], **oscillators: float) -> Bounce:
    """A bounce fed with klines; the oscillators hold throughout."""
    machine = Bounce()
    values = {"rsi": 50.0, "stoch_k": 50.0, "williams_r": -50.0} | oscillators
    for one in klines:
        machine.update(one, **values, engulfing=None)
    return machine


@pytest.mark.parametrize(
    ("oscillators", "side"),
    [
        ({"rsi": 34.0, "stoch_k": 24.0}, LONG),
        ({"rsi": 34.0, "williams_r": -76.0}, LONG),
        ({"stoch_k": 24.0, "williams_r": -76.0}, LONG),
        ({"rsi": 34.0}, None),
        ({"rsi": 66.0, "stoch_k": 76.0}, None),
    ],
)
def test_a_bounce_needs_two_stretched_oscillators_and_two_klines_back(
    oscillators: dict[str, float], side: PositionSide | None
) -> None:
    assert bounced(RISING, **oscillators).side is side


def test_a_bounce_from_above_is_the_mirror_image() -> None:
    machine = bounced(FALLING, rsi=66.0, stoch_k=76.0)
    assert (machine.side, machine.points) == (SHORT, 20.0)
    assert bounced(FALLING, rsi=34.0, stoch_k=24.0).side is None


def test_a_bounce_gives_five_more_for_an_engulfing_and_five_for_rising_lows() -> None:
    stepping = [kline(n, close, before=close - 0.5) for n, close in enumerate((98.0, 97.5, 98.5, 99.5))]
    machine = bounced(stepping, rsi=34.0, stoch_k=24.0)
    assert machine.points == 25.0
    machine.update(kline(4, 100.5, before=99.5), rsi=34.0, stoch_k=24.0, williams_r=-50.0, engulfing=LONG)
    assert machine.points == 30.0
    machine.update(kline(5, 100.6, before=100.5), rsi=34.0, stoch_k=24.0, williams_r=-50.0, engulfing=SHORT)
    assert machine.points == 25.0


def test_a_bounce_is_over_when_the_market_is_no_longer_stretched() -> None:
    machine = bounced(RISING, rsi=34.0, stoch_k=24.0)
    machine.update(kline(4, 100.0, before=99.5), rsi=50.0, stoch_k=50.0, williams_r=-50.0, engulfing=None)
    assert (machine.side, machine.points) == (None, 0.0)
