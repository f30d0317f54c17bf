"""What docs/explanation/default-profile.md argues with still holds on a recorded month of BTC minutes.

`python -m benchmarks.default_profile` prints the figures of that page.
"""

from __future__ import annotations

from decimal import Decimal
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

import pytest

from flashscalper.model.events import BestQuote
from flashscalper.model.instants import MINUTE_US, interval_us
from flashscalper.model.klines import Kline
from flashscalper.strategies.base import Signal
from flashscalper.strategies.profiles import DEFAULT
from flashscalper.strategies.scalper import Scalper
from flashscalper.trading.costs import cost_gate, estimate_costs
from flashscalper.trading.profiles import trading_profile
from tests.indicators.recorded import btc_klines
from tests.strategies.views import MARKET, View

FEES = {"pro": (Decimal("0.00003"), Decimal("0.00045")), "retail": (Decimal(0), Decimal(0))}
TRADING = trading_profile("default")


class Taken(NamedTuple):
    """A tradable signal, what the cost gates said, and the move of the next minutes to its side in ATRs."""

    signal: Signal
    passes: dict[str, bool]
    ahead: dict[int, float]


def five_minutes(klines: list[Kline]) -> Kline | None:
    """The 5-minute kline that the last of five minutes completes."""
    last = klines[-5:]
    if len(last) < 5 or last[-1].close_at % interval_us("5m"):
        return None
    return Kline("BTCUSDT", "5m", last[0].open_at, last[-1].close_at, last[0].open, max(one.high for one in last),
                 min(one.low for one in last), last[-1].close, sum(one.volume for one in last))  # fmt: skip


def look(klines: tuple[Kline, ...]) -> list[Taken]:
    """Run the default profile over the minutes, quoting a tick of 0.5 around every close."""
    scalper, view, taken = Scalper(DEFAULT.scalper, MARKET), View(), []
    for number, kline in enumerate(klines):
        longer = five_minutes(list(klines[max(0, number - 4) : number + 1]))
        if longer is not None:
            scalper.on_kline(view.show(longer), live=True)
        signal = scalper.on_kline(view.show(kline), live=True)
        if signal is None or number + 10 >= len(klines) or not all(gate.passed for gate in signal.gates):
            continue
        assert signal.volatility is not None
        ahead = {
            minutes: (klines[number + minutes].close - kline.close) * signal.direction.sign / signal.volatility
            for minutes in (5, 10)
        }
        taken.append(Taken(signal, {name: affordable(signal, kline, fees) for name, fees in FEES.items()}, ahead))
    return taken


def affordable(signal: Signal, kline: Kline, fees: tuple[Decimal, Decimal]) -> bool:
    """Whether the cost gate lets the signal through at these maker and taker fees and a spread of 1 USD."""
    quote = BestQuote("BTCUSDT", kline.close - 0.5, 1.0, kline.close + 0.5, 1.0, kline.close_at)
    costs = estimate_costs(TRADING.costs, style=TRADING.entry.style, direction=signal.direction, maker_fee=fees[0],
    taker_fee=fees[1], quote=quote)  # fmt: skip
    return cost_gate(signal.expected_move, costs, TRADING.costs).passed


@pytest.mark.verify
def test_on_a_recorded_month_the_gate_refuses_nearly_all_at_pro_fees_and_few_at_retail() -> None:
    klines = btc_klines()
    taken, days = look(klines), (klines[-1].close_at - klines[0].open_at) / (1440 * MINUTE_US)
    passed = {name: sum(one.passes[name] for one in taken) for name in FEES}
    print(f"{len(klines)} minutes: {len(taken)} tradable signals, {len(taken) / days:.1f} a day; cost gate passed {passed}")
    print(f"confidence {fmean(one.signal.confidence for one in taken):.1f} %")
    for minutes in (5, 10):
        moves = [one.ahead[minutes] for one in taken]
        error = stdev(moves) / sqrt(len(moves))
        print(f"{minutes} minutes later: {fmean(moves):+.3f} ATR, standard error {error:.3f}")
        assert abs(fmean(moves)) < 3 * error, "a proven edge (or a proven loss) would change the argument: rewrite the page"
    assert passed["pro"] < days / 2
    assert 3 * days < passed["retail"] < 20 * days


def test_two_recorded_days_give_some_signals_and_pro_fees_refuse_them() -> None:
    taken = look(btc_klines()[:2880])
    assert 2 <= len(taken) <= 60
    assert sum(one.passes["retail"] for one in taken) > sum(one.passes["pro"] for one in taken)
