"""The same bet under two names is found, a hedge is not, and too little data counts as what the settings assume."""

from __future__ import annotations

import random
from math import exp

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.commands import FetchKlines
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import KlineHistory
from flashscalper.model.instants import MINUTE_US
from flashscalper.model.klines import Kline
from flashscalper.model.records import SignalJudged
from flashscalper.trading.correlation import CORRELATION_INTERVAL, Correlations, CorrelationSettings
from tests.trading.plan_samples import LONG, SHORT
from tests.trading.stage import BTC, ETH, SETTINGS, START, Stage, every, signal

RULES = CorrelationSettings(window=50, min_samples=10, max_correlation=0.8)


def kline(symbol: str, minute: int, close: float, *, closed: bool = True) -> Kline:
    return Kline(symbol, "1m", minute * MINUTE_US, (minute + 1) * MINUTE_US, close, close, close, close, 1.0, closed=closed)


def fed(rules: CorrelationSettings, series: dict[str, list[float]]) -> Correlations:
    """Every series is a list of returns from 100."""
    machine = Correlations(rules)
    for symbol, returns in series.items():
        price = 100.0
        machine.on_kline(kline(symbol, 0, price))
        for minute, change in enumerate(returns, start=1):
            price *= exp(change)
            machine.on_kline(kline(symbol, minute, price))
    return machine


def returns(seed: int, count: int = 60) -> list[float]:
    dice = random.Random(seed)
    return [dice.gauss(0, 0.001) for _ in range(count)]


def test_the_same_way_in_a_correlated_market_is_denied_and_the_other_way_is_a_hedge() -> None:
    moves = returns(1)
    machine = fed(RULES, {"BTCUSDT": moves, "ETHUSDT": [1.5 * move for move in moves]})
    denied = machine.gate("ETHUSDT", LONG, {"BTCUSDT": LONG})
    assert not denied.passed
    assert denied.code == "correlation"
    assert denied.seen == "1.00 with BTCUSDT long"
    assert machine.gate("ETHUSDT", SHORT, {"BTCUSDT": LONG}).passed


def test_an_unrelated_market_passes_and_so_does_an_empty_book() -> None:
    machine = fed(RULES, {"BTCUSDT": returns(1), "XRPUSDT": returns(2)})
    assert machine.gate("XRPUSDT", LONG, {"BTCUSDT": LONG}).passed
    assert machine.gate("XRPUSDT", LONG, {}).passed
    assert machine.gate("XRPUSDT", LONG, {"XRPUSDT": SHORT}).passed


def test_an_inverse_market_is_the_same_bet_in_the_other_direction() -> None:
    moves = returns(3)
    machine = fed(RULES, {"A": moves, "B": [-move for move in moves]})
    assert machine.gate("B", LONG, {"A": LONG}).passed
    assert not machine.gate("B", SHORT, {"A": LONG}).passed


def test_too_few_common_returns_count_as_assumed() -> None:
    machine = fed(RULES, {"A": returns(1, 5), "B": returns(1, 5)})
    assert machine.between("A", "B") is None
    assert not machine.gate("B", LONG, {"A": LONG}).passed
    lenient = fed(CorrelationSettings(window=50, min_samples=10, max_correlation=0.8, assumed=0.0), {"A": [], "B": []})
    assert lenient.gate("B", LONG, {"A": LONG}).passed


def test_a_gap_gives_no_return_and_repeated_open_or_older_klines_change_nothing() -> None:
    machine = Correlations(RULES)
    for one in (
        kline("A", 0, 100),
        kline("A", 1, 101),
        kline("A", 1, 150),
        kline("A", 0, 90),
        kline("A", 2, 70, closed=False),
    ):
        machine.on_kline(one)
    machine.on_kline(kline("A", 5, 200))
    machine.on_kline(kline("A", 6, 202))
    assert [round(value, 6) for value in machine._returns["A"].values()] == [0.00995, 0.00995]


def test_switched_off_it_only_reports() -> None:
    moves = returns(1)
    machine = fed(CorrelationSettings(enabled=False), {"A": moves, "B": moves})
    gate = machine.gate("B", LONG, {"A": LONG})
    assert gate.passed
    assert gate.seen == "1.00 with A long"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05)), min_size=12, max_size=90))
def test_it_agrees_with_a_bulk_computation_over_the_window(pairs: list[tuple[float, float]]) -> None:
    first, second = [list(side) for side in zip(*pairs, strict=True)]
    machine = fed(RULES, {"A": first, "B": second})
    tail = [side[-RULES.window :] for side in (first, second)]
    found = machine.between("A", "B")
    if min(np.std(tail[0]), np.std(tail[1])) < 1e-6:
        return
    assert found == pytest.approx(float(np.corrcoef(np.array(tail))[0, 1]), abs=1e-6)


@pytest.mark.parametrize(
    ("field", "value"), [("window", 2), ("min_samples", 500), ("max_correlation", 1.5), ("assumed", float("nan"))]
)
def test_a_bad_setting_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^correlation\.{field}: saw"):
        CorrelationSettings(**{field: value}).validate()  # type: ignore[arg-type]


def test_a_strategy_on_seconds_is_judged_by_the_correlation_of_minutes() -> None:
    rules = CorrelationSettings(window=50, min_samples=10, max_correlation=0.8, assumed=0.0)
    stage = Stage(msgspec.structs.replace(SETTINGS, correlation=rules), symbols=(BTC, ETH))
    assert {command.interval for command in every(FetchKlines, stage.said)} == {CORRELATION_INTERVAL}
    dice, mid = random.Random(1), 100.0
    history = []
    for minute in range(30, 0, -1):
        mid *= exp(dice.gauss(0, 0.001))
        at = START - minute * MINUTE_US
        history.append((at, mid))
    for symbol in (BTC, ETH):
        klines = tuple(Kline(symbol, "1m", at, at + MINUTE_US, price, price, price, price, 1.0) for at, price in history)
        stage.tell(KlineHistory(symbol, "1m", klines))
    stage.told[BTC].next.append(signal())
    stage.told[ETH].next.append(signal(confidence=90))
    looks = every(SignalJudged, stage.kline())
    assert [(look.symbol, look.outcome) for look in looks] == [(ETH, "entered"), (BTC, "denied")]
    assert next(gate.seen for gate in looks[1].gates if gate.code == "correlation") == "1.00 with ETHUSDT long"
