"""A closed kline to ten indicators: ours, TA-Lib's streaming functions on 500 rows, talipp, nautilus_trader's Rust classes.

Run: python -m benchmarks.indicators [--rounds N] [--json]
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from benchmarks.interleaved import Prepare, Work, arguments, compare, report

from flashscalper.indicators.averages import EMA, SMA
from flashscalper.indicators.base import Indicator
from flashscalper.indicators.oscillators import MACD, ROC, RSI, Stochastic
from flashscalper.indicators.ranges import ATR, Bollinger
from flashscalper.indicators.volumes import OBV
from flashscalper.model.klines import Kline

COUNT = 3_000
WINDOW = 500


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


def ours(klines: Sequence[Kline], make: Callable[[], list[Indicator]]) -> Prepare:
    def prepare() -> Work:
        machines = make()

        def stream() -> None:
            for kline in klines:
                for machine in machines:
                    machine.update(kline)

        return stream

    return prepare


def everything() -> list[Indicator]:
    """What all peers have: EMA 9, 21, SMA 20, RSI 14, MACD, ATR 14, Bollinger, stochastic, ROC, OBV."""
    return [EMA(9), EMA(21), SMA(20), RSI(14), MACD(), ATR(14), Bollinger(), Stochastic(), ROC(12), OBV()]


def what_rust_has() -> list[Indicator]:
    """What nautilus_trader's Rust classes have too, defined alike: EMA 9, 21, SMA 20, RSI 14, MACD line, ATR 14."""
    return [EMA(9), EMA(21), SMA(20), RSI(14), MACD(), ATR(14)]


def talib_stream(klines: Sequence[Kline]) -> Prepare:
    import numpy as np
    from talib import stream

    columns = [np.array([getattr(k, name) for k in klines]) for name in ("high", "low", "close", "volume")]

    def prepare() -> Work:
        def work() -> None:
            for end in range(WINDOW, len(klines)):
                high, low, close, volume = (column[end - WINDOW : end] for column in columns)
                stream.EMA(close, 9)
                stream.EMA(close, 21)
                stream.SMA(close, 20)
                stream.RSI(close, 14)
                stream.MACD(close, 12, 26, 9)
                stream.ATR(high, low, close, 14)
                stream.BBANDS(close, 20)
                stream.STOCHF(high, low, close, 14, 3)
                stream.ROC(close, 12)
                stream.OBV(close, volume)

        return work

    return prepare


def talipp_add(klines: Sequence[Kline]) -> Prepare:
    from talipp.indicators import ATR as TATR
    from talipp.indicators import BB, Stoch
    from talipp.indicators import EMA as TEMA
    from talipp.indicators import MACD as TMACD
    from talipp.indicators import OBV as TOBV
    from talipp.indicators import ROC as TROC
    from talipp.indicators import RSI as TRSI
    from talipp.indicators import SMA as TSMA
    from talipp.ohlcv import OHLCV

    rows = [OHLCV(k.open, k.high, k.low, k.close, k.volume) for k in klines]

    def prepare() -> Work:
        of_close = [TEMA(9), TEMA(21), TSMA(20), TRSI(14), TMACD(12, 26, 9), BB(20, 2.0), TROC(12)]
        of_row = [TATR(14), Stoch(14, 3), TOBV()]

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

    closes = [k.close for k in klines]
    reaches = [(k.high, k.low, k.close) for k in klines]

    def prepare() -> Work:
        averages = [
            rust.ExponentialMovingAverage(9),
            rust.ExponentialMovingAverage(21),
            rust.SimpleMovingAverage(20),
            rust.RelativeStrengthIndex(14),
        ]
        macd = rust.MovingAverageConvergenceDivergence(12, 26)
        atr = rust.AverageTrueRange(14)

        def work() -> None:
            for close, (high, low, last) in zip(closes, reaches, strict=True):
                for average in averages:
                    average.update_raw(close)
                macd.update_raw(close)
                atr.update_raw(high, low, last)

        return work

    return prepare


def main() -> None:
    """Print what each takes per kline and how many times ours that is."""
    asked = arguments(main.__doc__ or "")
    klines = make_klines(COUNT)
    subjects: dict[str, Prepare] = {"flashscalper, 10 indicators": ours(klines, everything)}
    missing = []
    try:
        subjects["talipp add, the same 10"] = talipp_add(klines)
    except ImportError:
        missing.append("talipp")
    try:
        subjects["TA-Lib stream on 500 rows, the same 10"] = talib_stream(make_klines(COUNT + WINDOW))
    except ImportError:
        missing.append("TA-Lib")
    results = compare(subjects, COUNT, ours="flashscalper, 10 indicators", rounds=asked.rounds)
    report("A closed kline to ten indicators", "kline", results, missing, as_json=asked.json)
    try:
        pair = {
            "flashscalper, 6 indicators": ours(klines, what_rust_has),
            "nautilus_trader Rust, the same 6": nautilus_rust(klines),
        }
    except ImportError:
        report("nautilus_trader", "kline", [], ["nautilus_trader"], as_json=asked.json)
        return
    results = compare(pair, COUNT, ours="flashscalper, 6 indicators", rounds=asked.rounds)
    report("A closed kline to six indicators", "kline", results, [], as_json=asked.json)


if __name__ == "__main__":
    main()
