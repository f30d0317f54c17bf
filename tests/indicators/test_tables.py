"""Small cases with known answers: warm-up, crosses, flat markets, patterns, pivots, divergence, registry."""

from __future__ import annotations

import inspect
from itertools import pairwise

import pytest

from flashscalper.indicators.averages import EMA, SMA
from flashscalper.indicators.divergence import ClassicDivergence, Divergence
from flashscalper.indicators.oscillators import MACD, RSI, Stochastic, WilliamsR
from flashscalper.indicators.patterns import CandlePatterns, Pattern
from flashscalper.indicators.ranges import ATR, Bollinger
from flashscalper.indicators.registry import INDICATORS, Choice, create_indicator
from flashscalper.indicators.swings import Pivots, SwingLevels
from flashscalper.indicators.volumes import SessionVWAP, VolumeRatio
from flashscalper.model.errors import ConfigError
from flashscalper.model.klines import Kline
from tests.indicators.recorded import make_kline


def flat(number: int, price: float = 100.0) -> Kline:
    return make_kline(number, price, price, price, price)


# -- flat markets ------------------------------------------------------------------------------------------------------


def test_in_a_flat_market_rsi_is_in_the_middle_and_the_classic_one_is_100() -> None:
    standard, classic = RSI(), RSI(classic=True)
    for number in range(40):
        standard.update(flat(number))
        classic.update(flat(number))
    assert (standard.value, classic.value) == (50.0, 100.0)


def test_a_market_that_falls_flat_leaves_no_rounding_behind() -> None:
    bands, classic, stochastic, williams = Bollinger(), RSI(classic=True), Stochastic(), WilliamsR()
    prices = [100.1, 103.7, 99.3, 104.9, 97.7] * 11 + [101.3] * 30
    for number, price in enumerate(prices):
        for indicator in (bands, classic, stochastic, williams):
            indicator.update(flat(number, price))
    assert (bands.deviation, bands.percent_b, classic.value) == (0.0, 0.5, 100.0)
    assert (stochastic.value, williams.value) == (50.0, -50.0)


def test_rsi_of_only_gains_is_100_and_of_only_losses_is_0() -> None:
    up, down = RSI(), RSI()
    for number in range(30):
        up.push(100.0 + number)
        down.push(100.0 - number)
    assert (up.value, down.value) == (100.0, 0.0)


# -- warm-up and crosses -----------------------------------------------------------------------------------------------


def test_nothing_is_said_before_it_is_warm() -> None:
    average, classic = EMA(3), EMA(3, classic=True)
    said = []
    for number in (1.0, 2.0, 6.0, 7.0):
        average.push(number)
        classic.push(number)
        said.append((average.value, classic.value))
    assert said == [(None, 1.0), (None, 1.5), (3.0, 3.75), (5.0, 5.375)]


def test_macd_tells_a_cross_once_and_on_its_own_kline() -> None:
    macd = MACD(3, 6, 3)
    crosses = []
    for number in range(60):
        macd.push(100.0 + (20 - number % 40) ** 2)
        if macd.crossed_up or macd.crossed_down:
            crosses.append((number, macd.crossed_up))
            assert macd.histogram is not None
            assert (macd.histogram > 0.0) is macd.crossed_up
    assert len(crosses) >= 2
    assert all(up is not after for (_, up), (_, after) in pairwise(crosses))


def test_atr_knows_gaps_and_its_percent_is_of_the_close() -> None:
    atr = ATR(2)
    for kline in (make_kline(0, 9, 10, 9, 10), make_kline(1, 12, 13, 12, 12), make_kline(2, 12, 12, 8, 8)):
        atr.update(kline)
    assert atr.value == 3.5  # reaches of 3 (from the close at 10) and 4
    assert atr.percent == pytest.approx(43.75)


def test_the_volume_ratio_counts_quiet_klines_and_the_classic_one_does_not() -> None:
    standard, classic = VolumeRatio(1, 2), VolumeRatio(1, 2, classic=True)
    for number, volume in enumerate((4.0, 0.0, 2.0, 0.0, 6.0)):
        kline = make_kline(number, 1, 1, 1, 1, volume)
        standard.update(kline)
        classic.update(kline)
    assert standard.value == 6.0
    assert classic.value == 2.0


def test_a_new_day_begins_a_new_vwap() -> None:
    vwap = SessionVWAP()
    vwap.update(make_kline(0, 10, 10, 10, 10, 5.0))  # 23:01
    vwap.update(make_kline(58, 20, 20, 20, 20, 5.0))
    assert vwap.value == 15.0
    vwap.update(make_kline(59, 40, 40, 40, 40, 1.0))  # midnight
    assert vwap.value == 40.0


# -- candlestick patterns ----------------------------------------------------------------------------------------------

UP, DOWN = (10.0, 11.0, 10.0, 11.0), (11.0, 11.0, 10.0, 10.0)
SMALL_UP, SMALL_DOWN, DOJI = (10.0, 10.2, 10.0, 10.2), (10.2, 10.2, 10.0, 10.0), (10.0, 10.5, 9.5, 10.0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([DOJI, SMALL_DOWN, UP], Pattern.BULLISH_ENGULFING),
        ([DOJI, SMALL_UP, DOWN], Pattern.BEARISH_ENGULFING),
        ([DOJI, DOWN, (10.0, 11.1, 10.0, 11.1)], None),  # a body of 1.1 times the one before
        ([DOJI, DOWN, (10.0, 11.25, 10.0, 11.25)], Pattern.BULLISH_ENGULFING),
        ([UP, UP, (10.0, 10.24, 9.0, 10.2)], Pattern.HAMMER),
        ([DOWN, DOWN, (10.0, 11.5, 9.95, 10.2)], Pattern.SHOOTING_STAR),
        ([UP, UP, DOJI], None),  # wicks as long as each other
        ([UP, UP, UP], Pattern.THREE_WHITE_SOLDIERS),
        ([DOWN, DOWN, DOWN], Pattern.THREE_BLACK_CROWS),
        ([DOWN, DOJI, DOWN], None),
        ([UP, DOWN, DOJI], None),
    ],
)
def test_a_pattern_is_seen_as_in_the_table(rows: list[tuple[float, ...]], expected: Pattern | None) -> None:
    patterns = CandlePatterns()
    for number, row in enumerate(rows):
        assert patterns.value is None
        patterns.update(make_kline(number, *row))
    assert patterns.pattern == expected
    assert patterns.value == (expected.sign if expected else 0)


def test_the_classic_crows_count_a_doji() -> None:
    patterns = CandlePatterns(classic=True)
    for number, row in enumerate((DOWN, DOJI, DOWN)):
        patterns.update(make_kline(number, *row))
    assert patterns.pattern is Pattern.THREE_BLACK_CROWS
    assert patterns.value == -1.0


# -- levels ------------------------------------------------------------------------------------------------------------


def test_pivots_are_of_the_day_before_and_do_not_move_during_the_day() -> None:
    pivots = Pivots()
    pivots.update(make_kline(0, 100, 112, 100, 104))  # 23:01
    pivots.update(make_kline(58, 104, 106, 98, 102))
    assert pivots.r1 is None
    pivots.update(make_kline(59, 102, 200, 1, 102))  # midnight
    pivots.update(make_kline(60, 102, 300, 1, 102))
    levels = [pivots.value, pivots.r1, pivots.s1, pivots.r2, pivots.s2]
    assert levels == [104.0, 110.0, 96.0, 118.0, 90.0]


def test_classic_pivots_are_of_the_last_kline() -> None:
    pivots = Pivots(classic=True)
    pivots.update(make_kline(0, 100, 112, 98, 102))
    assert pivots.value == 104.0


def test_a_swing_is_a_level_only_once_the_klines_after_it_have_closed() -> None:
    levels = SwingLevels(lookback=10, wing=1)
    lows = [5.0, 3.0, 6.0, 7.0]
    seen = []
    for number, low in enumerate(lows):
        levels.update(make_kline(number, low + 1, low + 2, low, low + 1))
        seen.append(levels.support)
    assert seen == [None, None, 3.0, 3.0]


def test_a_lower_low_with_a_higher_rsi_is_a_bullish_divergence_when_confirmed() -> None:
    fall = [100.0 - 2 * step for step in range(12)]  # a hard fall to 78, a bounce, a soft fall to 77
    bounce, soft = [79.0, 82.0, 84.0, 85.0, 84.5], [83.0, 81.5, 80.0, 78.5, 77.0, 78.0, 79.0]
    divergence = Divergence(rsi=5, wing=2, hold=2)
    values = []
    for number, close in enumerate([*fall, *bounce, *soft, 80.0, 81.0]):
        divergence.update(flat(number, close))
        values.append(divergence.value or 0.0)
    confirmed = len(fall) + len(bounce) + len(soft) - 1
    assert [number for number, value in enumerate(values) if value] == [confirmed, confirmed + 1]
    assert 0.0 < values[confirmed] <= 100.0


def test_a_higher_high_with_a_lower_rsi_is_bearish() -> None:
    rise = [100.0 + 2 * step for step in range(12)]
    tail = [121.0, 118.0, 116.0, 115.0, 115.5, 117.0, 116.5, 119.0, 118.5, 121.5, 120.5, 123.0, 122.0, 121.0, 120.0]
    divergence, classic = Divergence(rsi=5), ClassicDivergence(8, 5)
    values = []
    for number, close in enumerate([*rise, *tail]):
        divergence.update(flat(number, close))
        classic.update(flat(number, close))
        values.append((divergence.value or 0.0, classic.value or 0.0))
    assert min(value for value, _ in values) < 0.0
    assert min(value for _, value in values) < 0.0


# -- registry ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INDICATORS)
def test_the_registry_says_what_the_constructor_takes(name: str) -> None:
    kind = INDICATORS[name]
    taken = {name: parameter.default for name, parameter in inspect.signature(kind.make).parameters.items()}
    assert {name: parameter.default for name, parameter in kind.parameters.items()} == taken


@pytest.mark.parametrize("name", INDICATORS)
def test_every_indicator_accepts_both_ends_of_its_ranges_and_refuses_beyond(name: str) -> None:
    for field, parameter in INDICATORS[name].parameters.items():
        if not isinstance(parameter, Choice):
            for value in (parameter.least - 1, parameter.most + 1, float("nan"), "9", None, True):
                with pytest.raises(ConfigError, match=rf"{name}\.{field}"):
                    create_indicator(name, **{field: value})
                with pytest.raises((ConfigError, TypeError)):
                    INDICATORS[name].make(**{field: value})
            others = {"fast": 1} if field == "slow" and name != "stochastic" else {}
            create_indicator(name, **{field: parameter.least}, **others)
            if field != "fast":  # bounded by slow, which has a row of its own below
                create_indicator(name, **{field: parameter.most}, **others)


@pytest.mark.parametrize(
    ("name", "parameters", "named"),
    [
        ("rsii", {}, "indicator: saw 'rsii'; accepted: rsi"),
        ("rsi", {"length": 3}, "rsi parameter: saw 'length'; accepted: period, classic"),
        ("rsi", {"period": -1}, r"rsi\.period: saw -1; accepted: a whole number from 2"),
        ("rsi", {"classic": "yes"}, r"rsi\.classic: saw 'yes'; accepted: false, true"),
        ("bollinger", {"width": float("nan")}, r"bollinger\.width: saw nan; accepted: a number from 0"),
        ("pivots", {"period": "7m"}, r"pivots\.period: saw '7m'"),
        ("macd", {"fast": 30}, "fast: saw 30; accepted: a whole number from 1 to 25"),
        ("trend", {"fast": 20}, "fast: saw 20"),
        ("obv", {"period": 3}, "obv parameter: saw 'period'; accepted: none"),
    ],
)
def test_bad_parameters_are_refused_with_field_value_and_range(name: str, parameters: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        create_indicator(name, **parameters)


def test_a_period_is_never_a_boolean_or_a_fraction() -> None:
    for bad in (True, 2.0, "3"):
        with pytest.raises(ConfigError, match="period"):
            SMA(bad)  # type: ignore[arg-type]
