"""A closed kline to the scalper's indicators: ours, TA-Lib's stream functions on 500 rows, talipp, nautilus_trader's Rust.

The work is what all have of the scalper's set: EMA 9, 21, 50, SMA 10, 20, RSI 14, MACD, ATR 14, ROC 3 and 12, Bollinger 20,
stochastic 14, Williams %R 14 (nautilus_trader has none and is spared it). `Fused` does more: trend strength, volume ratio,
patterns, swing levels, divergence. The single machines are what `Fused` is tested against.

Run: python -m benchmarks.indicators [--rounds N] [--json]
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.interleaved import Prepare, Work, arguments, compare, report

from flashscalper.indicators.averages import EMA, SMA
from flashscalper.indicators.base import Indicator
from flashscalper.indicators.fused import Fused
from flashscalper.indicators.fused_core import FusedCore
from flashscalper.indicators.machines import Machines
from flashscalper.indicators.oscillators import MACD, ROC, RSI, Stochastic, WilliamsR
from flashscalper.indicators.periods import Periods
from flashscalper.indicators.ranges import ATR, Bollinger
from flashscalper.model.klines import Kline

TITLE = "A closed kline to the scalper's indicators that all have"
COUNT = 3_000
WINDOW = 500
OURS = "flashscalper, fused"


def make_klines(count: int, seed: int = 1) -> list[Kline]:
    """A random walk of minutes."""
    dice = random.Random(seed)
    close, klines = 40_000.0, []
    for number in range(count):
        open_, close = close, close + dice.gauss(0, 15)
        high, low = max(open_, close) + dice.expovariate(0.2), min(open_, close) - dice.expovariate(0.2)
        at = number * 60_000_000
        klines.append(Kline("BTCUSDT", "1m", at, at + 60_000_000, open_, high, low, close, dice.expovariate(0.01)))
    return klines


def fused(klines: Sequence[Kline], kind: type[FusedCore]) -> Prepare:
    warmup = Periods().full_after

    def prepare() -> Work:
        machines = Machines(Periods())
        for kline in klines[:warmup]:
            machines.update(kline)
        update = kind(machines).update

        def stream() -> None:
            for kline in klines[warmup:]:
                update(kline)

        return stream

    return prepare


def single(klines: Sequence[Kline]) -> Prepare:
    def prepare() -> Work:
        machines: list[Indicator] = [
            EMA(9), EMA(21), EMA(50), SMA(10), SMA(20), RSI(14), MACD(), ATR(14), ROC(3), ROC(12), Bollinger(), Stochastic(),
            WilliamsR(14),
        ]  # fmt: skip

        def stream() -> None:
            for kline in klines:
                for machine in machines:
                    machine.update(kline)

        return stream

    return prepare


def talib_stream(klines: Sequence[Kline]) -> Prepare:
    import numpy as np
    from talib import stream

    columns = [np.array([getattr(k, name) for k in klines]) for name in ("high", "low", "close")]

    def prepare() -> Work:
        def work() -> None:
            for end in range(WINDOW, len(klines)):
                high, low, close = (column[end - WINDOW : end] for column in columns)
                stream.EMA(close, 9)
                stream.EMA(close, 21)
                stream.EMA(close, 50)
                stream.SMA(close, 10)
                stream.SMA(close, 20)
                stream.RSI(close, 14)
                stream.MACD(close, 12, 26, 9)
                stream.ATR(high, low, close, 14)
                stream.ROC(close, 3)
                stream.ROC(close, 12)
                stream.BBANDS(close, 20)
                stream.STOCHF(high, low, close, 14, 3)
                stream.WILLR(high, low, close, 14)

        return work

    return prepare


def talipp_add(klines: Sequence[Kline]) -> Prepare:
    from talipp import indicators as they
    from talipp.ohlcv import OHLCV

    rows = [OHLCV(k.open, k.high, k.low, k.close, k.volume) for k in klines]

    def prepare() -> Work:
        of_close = [
            they.EMA(9), they.EMA(21), they.EMA(50), they.SMA(10), they.SMA(20), they.RSI(14), they.MACD(12, 26, 9),
            they.BB(20, 2.0), they.ROC(3), they.ROC(12),
        ]  # fmt: skip
        of_row = [they.ATR(14), they.Stoch(14, 3), they.Williams(14)]

        def work() -> None:
            for row in rows:
                for indicator in of_close:
                    indicator.add(row.close)
                for indicator in of_row:
                    indicator.add(row)

        return work

    return prepare


def nautilus_rust(klines: Sequence[Kline]) -> Prepare:
    from nautilus_trader.core import nautilus_pyo3 as rust

    rows = [(k.high, k.low, k.close) for k in klines]

    def prepare() -> Work:
        of_close = [
            rust.ExponentialMovingAverage(9), rust.ExponentialMovingAverage(21), rust.ExponentialMovingAverage(50),
            rust.SimpleMovingAverage(10), rust.SimpleMovingAverage(20), rust.RelativeStrengthIndex(14),
            rust.MovingAverageConvergenceDivergence(12, 26), rust.RateOfChange(3), rust.RateOfChange(12),
        ]  # fmt: skip
        of_row = [rust.AverageTrueRange(14), rust.BollingerBands(20, 2.0), rust.Stochastics(14, 3)]

        def work() -> None:
            for row in rows:
                close = row[2]
                for indicator in of_close:
                    indicator.update_raw(close)
                for indicator in of_row:
                    indicator.update_raw(*row)

        return work

    return prepare


def main() -> None:
    """Print what each takes per kline and how many times ours that is."""
    asked = arguments(main.__doc__ or "")
    warm = make_klines(COUNT + Periods().full_after)
    subjects: dict[str, Prepare] = {
        OURS: fused(warm, FusedCore),
        "flashscalper, fused, with what only the scalper has": fused(warm, Fused),
        "flashscalper, single machines": single(warm[:COUNT]),
    }
    missing = []
    for name, klines, peer in (
        ("TA-Lib stream on 500 rows", make_klines(COUNT + WINDOW), talib_stream),
        ("talipp add", warm[:COUNT], talipp_add),
        ("nautilus_trader Rust, without Williams %R", warm[:COUNT], nautilus_rust),
    ):
        try:
            subjects[name] = peer(klines)
        except ImportError:
            missing.append(name)
    results = compare(subjects, COUNT, ours=OURS, rounds=asked.rounds)
    report(TITLE, "kline", results, missing, as_json=asked.json)


if __name__ == "__main__":
    main()
