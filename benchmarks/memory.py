"""Memory of one market: 100 klines in 8 timeframes, the scalper's indicators and a 15-level book, by what Python allocates.

Run: python -m benchmarks.memory [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tracemalloc

from flashscalper.indicators.fused import Fused
from flashscalper.indicators.machines import Machines
from flashscalper.indicators.periods import Periods
from flashscalper.market.book import OrderBook
from flashscalper.market.klines import KlineBuilder, KlineClosed
from flashscalper.model.events import BookChange
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side

TITLE = "Memory of one market: 100 klines in 8 timeframes, indicators, a 15-level book"
INTERVALS = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "1d")
GOAL_KB = 250
ORIGINAL_KB = 1_000
START_AT = 1_700_000_000_000_000


class OneMarket:
    """Everything that is kept of one market, fed until every history is full and trades are waiting."""

    def __init__(self) -> None:
        self.builder = KlineBuilder("ETHUSDT", INTERVALS, timer_only=True)
        self.machines: Machines | Fused = Machines(Periods())
        self.book = OrderBook("ETHUSDT")
        self._dice = random.Random(1)
        self._at = START_AT
        self._id = 10**27
        for _ in range(101 * 1440 // 8):
            self._trade(480_000_000)
        for _ in range(3_000):
            self._trade(100_000)
        self.book.apply(BookChange("ETHUSDT", 1, True, self._levels(-1), self._levels(1), self._at))

    def _trade(self, after_us: int) -> None:
        self._at += after_us
        self._id += 1
        price = round(2_000 + self._dice.random(), 2)
        trade = Trade("ETHUSDT", self._id, Side.BUY, price, round(self._dice.random(), 3), self._at)
        for event in self.builder.advance(self._at):
            if isinstance(event, KlineClosed) and event.kline.interval == "15m":
                self.machines.update(event.kline)
        if isinstance(self.machines, Machines) and self.machines.full:
            self.machines = Fused(self.machines)
        self.builder.process_trade(trade)

    def _levels(self, sign: int) -> tuple[tuple[float, float], ...]:
        return tuple((2_000 + sign * level * 0.1, self._dice.random()) for level in range(1, 16))


def measure() -> float:
    """Kilobytes that one more market takes."""
    OneMarket()  # whatever is made once is there after this
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    market = OneMarket()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(market.builder.get_kline_count(interval) == 100 for interval in INTERVALS)
    return (after - before) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    kilobytes = measure()
    if options.json:
        print(json.dumps({"title": TITLE, "kb": kilobytes, "goal_kb": GOAL_KB, "original_kb": ORIGINAL_KB}))
        return
    print(f"{TITLE}: {kilobytes:.0f} kB (goal {GOAL_KB} kB, the original took {ORIGINAL_KB} kB)")


if __name__ == "__main__":
    main()
