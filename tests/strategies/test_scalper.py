"""The scalper as the engine meets it: silent until warm, readable at every kline, never moved by the future."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest

from flashscalper.market.klines import KlineBuilder, KlineClosed
from flashscalper.model.errors import ConfigError
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import Side
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Signal
from flashscalper.strategies.profiles import CLASSIC, DEFAULT, DEMO, PROFILES, find_profile
from flashscalper.strategies.registry import create_strategy
from flashscalper.strategies.scalper import Scalper
from flashscalper.strategies.scalper_filters import FilterCode
from flashscalper.strategies.scalper_settings import FilterSettings, IndicatorParameters, ScalperSettings, ScoreWeights
from flashscalper.trading.profiles import trading_profile
from tests.shared import shared_data
from tests.strategies.views import MARKET, View, kline, row, walk


def run(scalper: Scalper, klines: list[Kline], *, live: bool = True, view: View | None = None) -> list[Signal | None]:
    shown = view or View()
    return [scalper.on_kline(shown.show(one), live=live) for one in klines]


def tradable(signals: list[Signal | None]) -> list[Signal]:
    return [signal for signal in signals if signal is not None and all(gate.passed for gate in signal.gates)]


def demo() -> Scalper:
    return Scalper(DEMO.scalper, MARKET)


def test_it_is_silent_until_every_indicator_is_warm_and_says_how_far_it_is() -> None:
    scalper = demo()
    needed = scalper.warmup
    signals = run(scalper, walk(1, needed - 1, interval="5s"))
    assert signals == [None] * (needed - 1)
    assert scalper.judgement is not None
    assert scalper.judgement.reasons == (f"warming up: {needed - 1} of {needed} klines",)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_after_its_warm_up_it_judges_every_kline(profile: Any) -> None:
    scalper = Scalper(msgspec.structs.replace(profile.scalper, interval="1m"), MARKET)
    klines = walk(2, scalper.warmup)
    run(scalper, klines[:-1])
    assert scalper.judgement is not None
    assert not scalper.judgement.gates
    run(scalper, klines[-1:])
    assert scalper.judgement is not None
    assert scalper.judgement.gates


def test_the_demo_profile_is_warm_within_20_klines_and_the_classic_one_within_the_originals_60() -> None:
    assert demo().warmup <= 20
    assert 50 <= Scalper(CLASSIC.scalper, MARKET).warmup <= 60


def test_a_judgement_of_silence_carries_every_gate_and_the_first_failing_one_is_the_score() -> None:
    scalper = demo()
    run(scalper, [kline(number, 100.0, interval="5s") for number in range(40)])
    judgement = scalper.judgement
    assert judgement is not None
    assert judgement.direction is None
    assert next(gate.code for gate in judgement.gates if not gate.passed) == FilterCode.SCORE
    assert {gate.code for gate in judgement.gates} <= set(FilterCode)


def test_a_signal_says_direction_reasons_atr_and_expected_move() -> None:
    scalper = demo()
    signals = [signal for signal in run(scalper, walk(3, 200, interval="5s")) if signal is not None]
    assert {signal.direction for signal in signals} == set(PositionSide)
    for signal in signals:
        inputs = dict(signal.inputs)
        assert signal.reasons
        assert signal.score >= DEMO.scalper.min_score
        assert signal.volatility == inputs["atr"]
        assert signal.expected_move == pytest.approx(inputs["atr"] / inputs["close"] * 2.5 * signal.confidence / 100)


def test_entries_wait_at_a_level_within_reach_when_the_settings_say_so() -> None:
    waiting = msgspec.structs.replace(DEMO.scalper, entry_at="level", entry_reach_atr=2.0)
    klines = walk(3, 400, interval="5s")
    touching = [signal for signal in run(demo(), klines) if signal is not None]
    assert {signal.entry for signal in touching} == {None}
    levels = [signal for signal in run(Scalper(waiting, MARKET), klines) if signal is not None]
    assert [signal.direction for signal in levels] == [signal.direction for signal in touching]
    rested = 0
    for signal in levels:
        inputs = dict(signal.inputs)
        level = inputs.get("support" if signal.direction is PositionSide.LONG else "resistance")
        away = None if level is None else (inputs["close"] - level) * signal.direction.sign
        near = away is not None and 0 < away <= 2.0 * inputs["atr"]
        assert signal.entry == (level if near else None)
        rested += near
    assert 0 < rested < len(levels)


def test_the_same_klines_give_the_same_signals_whatever_comes_later() -> None:
    klines = walk(4, 240, interval="5s")
    whole = run(demo(), klines)
    for cut in (60, 133, 239):
        assert run(demo(), klines[:cut]) == whole[:cut]


def test_a_mirrored_market_gives_mirrored_directions() -> None:
    up = run(demo(), row([100.0 + n * 0.01 + (n % 7) * 0.02 for n in range(80)], interval="5s", reach=0.01))
    down = run(demo(), row([100.0 - n * 0.01 - (n % 7) * 0.02 for n in range(80)], interval="5s", reach=0.01))
    mirror = {PositionSide.LONG: PositionSide.SHORT, PositionSide.SHORT: PositionSide.LONG, None: None}
    directions = [signal.direction if signal else None for signal in up]
    assert set(directions) > {None}
    assert [mirror[one] for one in directions] == [signal.direction if signal else None for signal in down]


def test_a_tradable_signal_starts_the_cooldown_and_history_does_not() -> None:
    settings = msgspec.structs.replace(
        DEMO.scalper, filters=msgspec.structs.replace(DEMO.scalper.filters, cooldown_s=3600.0)
    )
    klines = walk(3, 200, interval="5s")
    assert len(tradable(run(Scalper(settings, MARKET), klines))) == 1
    warmed = Scalper(settings, MARKET)
    view = View()
    run(warmed, klines[:100], live=False, view=view)
    assert len(tradable(run(warmed, klines[100:], view=view))) == 1


def test_confirming_intervals_are_consumed_and_bind() -> None:
    settings = msgspec.structs.replace(
        DEMO.scalper, interval="1m", filters=msgspec.structs.replace(DEMO.scalper.filters, confirm=("5m",))
    )
    scalper = Scalper(settings, MARKET)
    assert scalper.intervals == ("1m", "5m")
    rising = [100.0 + n * 0.05 + (n % 7) * 0.05 for n in range(60)]
    cold = [signal for signal in run(scalper, row(rising)) if signal is not None]
    assert cold
    assert all(FilterCode.TIMEFRAMES in [gate.code for gate in signal.gates if not gate.passed] for signal in cold)

    def with_higher(closes: list[float]) -> list[list[str]]:
        fresh, view = Scalper(settings, MARKET), View()
        assert run(fresh, row(closes, interval="5m"), view=view) == [None] * len(closes)
        longs = [
            signal
            for signal in run(fresh, row(rising), view=view)
            if signal is not None and signal.direction is PositionSide.LONG
        ]
        assert longs
        return [[gate.code for gate in signal.gates if not gate.passed] for signal in longs]

    assert all(FilterCode.TIMEFRAMES in failed for failed in with_higher([200.0 - n for n in range(30)]))
    assert all(FilterCode.TIMEFRAMES not in failed for failed in with_higher([100.0 + n for n in range(30)]))


@pytest.mark.parametrize("seed", range(5))
def test_the_demo_profile_gives_several_tradable_signals_both_ways_in_ten_minutes_of_5s_klines(seed: int) -> None:
    signals = tradable(run(demo(), walk(seed, 120, interval="5s", step=0.00005)))
    assert len(signals) >= 4
    assert {signal.direction for signal in signals} == set(PositionSide)


def test_the_demo_profile_speaks_on_the_recorded_market() -> None:
    path = shared_data("ethusdt_perp_20240808.jsonl.gz")
    signals = tradable(run(demo(), recorded_klines(path)))
    assert len(signals) >= 4
    assert {signal.direction for signal in signals} == set(PositionSide)


def recorded_klines(path: Any) -> list[Kline]:
    """The recording's trades as 5-second klines."""
    with gzip.open(path) as lines:
        messages = [json.loads(line.split(b" ", 1)[1]).get("data", {}) for line in lines if b'"e":"trade"' in line]
    trades = sorted(messages, key=lambda data: data["t"])
    builder = KlineBuilder("ETHUSDT", ["5s"], 400, started_at=trades[0]["T"] * 1000)
    for data in trades:
        side = Side.SELL if data["m"] else Side.BUY
        builder.process_trade(Trade("ETHUSDT", data["t"], side, float(data["p"]), float(data["q"]), data["T"] * 1000))
    return [event.kline for event in builder.advance(trades[-1]["T"] * 1000 + 60_000_000) if isinstance(event, KlineClosed)]


def test_the_default_profile_trades_rarely_on_a_driftless_walk() -> None:
    scalper = Scalper(
        msgspec.structs.replace(DEFAULT.scalper, filters=msgspec.structs.replace(DEFAULT.scalper.filters, confirm=())),
        MARKET,
    )
    signals = run(scalper, walk(11, 3000, step=0.0001))
    assert 0 < len(tradable(signals)) < 3000 * 0.04


def test_profiles_are_valid_and_name_what_they_are() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        profile.scalper.validate()
        profile.exits.validate()
        settings = trading_profile(name)
        settings.validate()
        assert settings.exits is profile.exits
    assert DEMO.label == "demonstration profile, not for money"
    assert [profile.name for profile in PROFILES.values() if not profile.for_money] == ["demo"]
    assert trading_profile("demo").costs.report_only
    assert not trading_profile("default").costs.report_only


def test_the_classic_profile_has_the_originals_weights_and_thresholds() -> None:
    weights = CLASSIC.scalper.weights
    assert (weights.ema_stack, weights.ema_price, weights.macd_cross, weights.macd_sign) == (15, 5, 20, 8)
    assert (weights.rsi_extreme, weights.rsi_mild, weights.volume, weights.pattern, weights.divergence) == (12, 5, 8, 10, 25)
    assert (CLASSIC.scalper.min_score, CLASSIC.scalper.lead, CLASSIC.scalper.full_score) == (45, 1.10, 110)
    assert DEMO.scalper.weights == weights


def test_the_registry_makes_a_scalper_and_refuses_names_it_does_not_know() -> None:
    assert isinstance(create_strategy("scalper", DEFAULT.scalper, MARKET), Scalper)
    with pytest.raises(ConfigError, match=r"^strategy: saw 'scalpel'; accepted: scalper, or FILE\.py:CLASS$"):
        create_strategy("scalpel", DEFAULT.scalper, MARKET)
    with pytest.raises(ConfigError, match=r"^profile: saw 'classik'; accepted: default, classic, demo$"):
        find_profile("classik")


BAD: list[tuple[str, ScalperSettings]] = [
    ("interval", ScalperSettings(interval="7m")),
    ("scalper.min_score", ScalperSettings(min_score=float("nan"))),
    ("scalper.lead", ScalperSettings(lead=0.9)),
    ("scalper.expected_atr", ScalperSettings(expected_atr=-1)),
    ("scalper.entry_at", ScalperSettings(entry_at="support")),
    ("scalper.entry_reach_atr", ScalperSettings(entry_reach_atr=float("nan"))),
    ("scalper.weights.volume", ScalperSettings(weights=ScoreWeights(volume=-1))),
    ("scalper.indicators.rsi", ScalperSettings(indicators=IndicatorParameters(rsi=-14))),
    ("scalper.indicators.rsi", ScalperSettings(indicators=IndicatorParameters(rsi=0))),
    ("scalper.indicators.macd_fast", ScalperSettings(indicators=IndicatorParameters(macd_fast=26))),
    ("scalper.indicators.ema_mid", ScalperSettings(indicators=IndicatorParameters(ema_mid=60))),
    ("scalper.filters.rsi_highest", ScalperSettings(filters=FilterSettings(rsi_highest=101))),
    ("scalper.filters.rsi_lowest", ScalperSettings(filters=FilterSettings(rsi_lowest=90))),
    ("scalper.filters.hours.start", ScalperSettings(filters=FilterSettings(hours=(24, 3)))),
    ("scalper.filters.hours", ScalperSettings(filters=FilterSettings(hours=(3, 3)))),
    ("scalper.filters.min_confluence", ScalperSettings(filters=FilterSettings(min_confluence=-1))),
    ("scalper.filters.forbidden_regimes", ScalperSettings(filters=FilterSettings(forbidden_regimes=("wild",)))),
    ("scalper.filters.confirm", ScalperSettings(filters=FilterSettings(confirm=("7m",)))),
    ("scalper.filters.confirm", ScalperSettings(interval="5m", filters=FilterSettings(confirm=("1m",)))),
    ("scalper.filters.cooldown_s", ScalperSettings(filters=FilterSettings(cooldown_s=float("inf")))),
]


@pytest.mark.parametrize(("field", "settings"), BAD, ids=[field for field, _ in BAD])
def test_a_bad_setting_is_refused_by_field_before_a_scalper_is_made(field: str, settings: ScalperSettings) -> None:
    with pytest.raises(ConfigError) as refused:
        create_strategy("scalper", settings, MARKET)
    assert refused.value.field == field
    assert refused.value.accepted


def test_settings_read_from_configuration_refuse_unknown_keys() -> None:
    assert msgspec.json.decode(b'{"min_score": 50, "filters": {"hours": [8, 20]}}', type=ScalperSettings).filters.hours == (
        8,
        20,
    )
    with pytest.raises(msgspec.ValidationError, match="min_scor"):
        msgspec.json.decode(b'{"min_scor": 50}', type=ScalperSettings)
