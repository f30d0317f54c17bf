"""Public trades to klines of 8 timeframes, streamed one by one: ours, nautilus_trader's aggregators, ccxt's.

Run: python -m benchmarks.klines [--rounds N] [--json]
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.interleaved import Prepare, Work, arguments, compare, report

from flashscalper.market.klines import KlineBuilder
from flashscalper.model.instants import interval_us
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side

INTERVALS = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "1d")
FINE_INTERVALS = ("1s", "5s", "15s", "1m", "5m", "15m", "1h", "1d")
TRADES_PER_SECOND = 8
COUNT = 20_000
CCXT_COUNT = 500


def make_trades(count: int, seed: int = 1) -> list[Trade]:
    """A random walk with Paradex's 28-digit trade ids and exponential gaps."""
    dice = random.Random(seed)
    at, price = 1_700_000_040_000_000, 2_000.0
    trades = []
    for number in range(count):
        at += int(dice.expovariate(TRADES_PER_SECOND) * 1e6)
        price = round(price + dice.choice((-0.01, 0.0, 0.01)), 2)
        side = Side.BUY if dice.random() < 0.5 else Side.SELL
        size = round(dice.uniform(0.001, 1.0), 3)
        trades.append(Trade("ETHUSDT", 1_767_225_600_123_201_704_028_870_000 + 1_000 * number, side, price, size, at))
    return trades


def ours(trades: Sequence[Trade], intervals: Sequence[str], *, timer: bool) -> Prepare:
    def prepare() -> Work:
        builder = KlineBuilder("ETHUSDT", intervals, timer_only=timer)

        def stream() -> None:
            process = builder.process_trade
            for trade in trades:
                process(trade)

        def stream_with_timer() -> None:
            process, advance = builder.process_trade, builder.advance
            for trade in trades:
                advance(trade.traded_at)
                process(trade)

        return stream_with_timer if timer else stream

    return prepare


def naive(trades: Sequence[Trade]) -> Prepare:
    """What one writes in an hour: every timeframe takes every trade."""

    def prepare() -> Work:
        lengths = [interval_us(name) for name in INTERVALS]
        current: list[list[float]] = [[-1.0] * 8 for _ in lengths]
        closed: list[list[list[float]]] = [[] for _ in lengths]

        def stream() -> None:
            for trade in trades:
                price, size = trade.price, trade.size
                quote = price * size
                buy = size if trade.side is Side.BUY else 0.0
                for place, length in enumerate(lengths):
                    open_at = trade.traded_at - trade.traded_at % length
                    row = current[place]
                    if row[0] != open_at:
                        closed[place].append(row)
                        current[place] = [open_at, price, price, price, price, size, quote, buy]
                        continue
                    row[2] = max(row[2], price)
                    row[3] = min(row[3], price)
                    row[4] = price
                    row[5] += size
                    row[6] += quote
                    row[7] += buy

        return stream

    return prepare


def nautilus(trades: Sequence[Trade], *, with_clock: bool) -> Prepare:
    from nautilus_trader.common.component import TestClock
    from nautilus_trader.data.aggregation import TimeBarAggregator
    from nautilus_trader.model.data import BarType, TradeTick
    from nautilus_trader.model.enums import AggressorSide
    from nautilus_trader.model.identifiers import TradeId
    from nautilus_trader.model.objects import Price, Quantity
    from nautilus_trader.test_kit.providers import TestInstrumentProvider

    instrument = TestInstrumentProvider.ethusdt_perp_binance()
    specs = ("1-MINUTE", "5-MINUTE", "15-MINUTE", "30-MINUTE", "1-HOUR", "2-HOUR", "4-HOUR", "1-DAY")
    ticks = [
        TradeTick(
            instrument.id,
            Price(trade.price, 2),
            Quantity(trade.size, 3),
            AggressorSide.BUYER if trade.side is Side.BUY else AggressorSide.SELLER,
            TradeId(str(trade.id)),
            trade.traded_at * 1_000,
            trade.traded_at * 1_000,
        )
        for trade in trades
    ]

    def prepare() -> Work:
        clock = TestClock()
        clock.set_time(ticks[0].ts_event)
        bars: list[object] = []
        types = [BarType.from_str(f"{instrument.id}-{spec}-LAST-INTERNAL") for spec in specs]
        aggregators = [TimeBarAggregator(instrument, kind, bars.append, clock) for kind in types]

        def stream() -> None:
            for tick in ticks:
                if with_clock:
                    for event in clock.advance_time(tick.ts_event):
                        event.handle()
                for aggregator in aggregators:
                    aggregator.handle_trade_tick(tick)

        stream.bars = bars  # type: ignore[attr-defined]
        return stream

    return prepare


def ccxt_klines(trades: Sequence[Trade]) -> Prepare:
    import ccxt

    exchange = ccxt.paradex()
    rows = [
        {"timestamp": trade.traded_at // 1_000, "price": trade.price, "amount": trade.size, "side": str(trade.side)}
        for trade in trades
    ]

    def prepare() -> Work:
        def stream() -> None:
            for row in rows:
                for name in INTERVALS:
                    exchange.build_ohlcvc([row], name)

        return stream

    return prepare


Rows = dict[str, list[tuple[int, float, float, float, float, float]]]
"""Closed klines by interval: open instant, open, high, low, close, volume to 6 digits."""


def closed_by_ours(trades: Sequence[Trade]) -> Rows:
    """What our builder closes, each kline that began after the first trade."""
    builder = KlineBuilder("ETHUSDT", INTERVALS, history=100_000)
    for trade in trades:
        builder.process_trade(trade)
    builder.advance(trades[-1].traded_at + 250_000)
    return {
        name: [
            (k.open_at, k.open, k.high, k.low, k.close, round(k.volume, 6))
            for k in builder.get_klines(name)
            if k.complete and k.trade_count
        ]
        for name in INTERVALS
    }


def closed_by_naive(trades: Sequence[Trade]) -> Rows:
    """The same, written in an hour."""
    rows: dict[tuple[str, int], list[float]] = {}
    for trade in trades:
        for name in INTERVALS:
            open_at = trade.traded_at - trade.traded_at % interval_us(name)
            row = rows.setdefault((name, open_at), [trade.price, trade.price, trade.price, trade.price, 0.0])
            row[1], row[2], row[3] = max(row[1], trade.price), min(row[2], trade.price), trade.price
            row[4] += trade.size
    return {
        name: [
            (at, row[0], row[1], row[2], row[3], round(row[4], 6))
            for (interval, at), row in rows.items()
            if interval == name and at >= trades[0].traded_at and at + interval_us(name) <= trades[-1].traded_at
        ]
        for name in INTERVALS
    }


def closed_by_nautilus(trades: Sequence[Trade]) -> Rows:
    """What its aggregators close on their clock."""
    prepared = nautilus(trades, with_clock=True)
    work = prepared()
    work()
    rows: Rows = {name: [] for name in INTERVALS}
    lengths = {str(interval_us(name) // 60_000_000): name for name in INTERVALS}
    for bar in work.bars:  # type: ignore[attr-defined]
        minutes = bar.bar_type.spec.timedelta.total_seconds() / 60
        name = lengths[str(int(minutes))]
        open_at = bar.ts_event // 1_000 - interval_us(name)
        if open_at >= trades[0].traded_at and float(bar.volume):
            prices = (float(bar.open), float(bar.high), float(bar.low), float(bar.close))
            rows[name].append((open_at, *prices, round(float(bar.volume), 6)))
    return rows


def check_agreement(trades: Sequence[Trade]) -> list[str]:
    """Who agreed with ours on every closed kline; raises SystemExit when somebody did not."""
    ours_closed, agreed = closed_by_ours(trades), []
    for name, theirs in (("naive Python", closed_by_naive), ("nautilus_trader", closed_by_nautilus)):
        try:
            closed = theirs(trades)
        except ImportError:
            continue
        for interval, rows in ours_closed.items():
            if rows != closed[interval]:
                different = next(((a, b) for a, b in zip(rows, closed[interval], strict=False) if a != b), "their number")
                raise SystemExit(f"{name} disagrees on {interval}: {len(rows)} and {len(closed[interval])}, {different}")
        agreed.append(name)
    return agreed


def main() -> None:
    """Print what each takes per trade and how many times ours that is."""
    asked = arguments(main.__doc__ or "")
    trades = make_trades(COUNT)
    check_agreement(trades)
    subjects: dict[str, Prepare] = {
        "flashscalper, 8 timeframes": ours(trades, INTERVALS, timer=False),
        "flashscalper, 8 timeframes, advance before each trade": ours(trades, INTERVALS, timer=True),
        "flashscalper, 8 timeframes from 1s up": ours(trades, FINE_INTERVALS, timer=False),
        "naive Python, 8 timeframes": naive(trades),
    }
    missing = []
    try:
        subjects["nautilus_trader, 8 TimeBarAggregators"] = nautilus(trades, with_clock=False)
        subjects["nautilus_trader, the same with its clock"] = nautilus(trades, with_clock=True)
    except ImportError:
        missing.append("nautilus_trader")
    results = compare(subjects, COUNT, ours="flashscalper, 8 timeframes", rounds=asked.rounds)
    report("Trades to klines, streaming", "trade", results, missing, as_json=asked.json)
    try:
        few = trades[:CCXT_COUNT]
        pair = {"flashscalper, 8 timeframes": ours(few, INTERVALS, timer=False), "ccxt build_ohlcvc x 8": ccxt_klines(few)}
    except ImportError:
        report("ccxt", "trade", [], ["ccxt"], as_json=asked.json)
        return
    results = compare(pair, CCXT_COUNT, ours="flashscalper, 8 timeframes", rounds=asked.rounds)
    report("The newest trade alone to 8 timeframes", "trade", results, [], as_json=asked.json)


if __name__ == "__main__":
    main()
