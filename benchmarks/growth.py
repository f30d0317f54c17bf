"""How cost grows: with the number of markets, with the rate of messages, with the klines kept; and a plot with linear fits.

CPU time of decode, check, tape and engine for a second of market time; kilobytes for the klines kept. As fast as it goes.

Run: python -m benchmarks.growth [--json] [--chart FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.many_markets import Load, run

from flashscalper.market.klines import KlineBuilder
from flashscalper.model.instants import interval_us
from flashscalper.model.klines import Kline

TITLE = "How cost grows"
INTERVALS = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "1d")
MARKETS = (1, 25, 50, 100, 150, 200, 250)
RATES = (5, 50, 100, 200, 400, 800)
KEPT = (50, 100, 200, 400, 800, 1600)
SECONDS = 4.0


class Series(NamedTuple):
    """Points of one plot, the line through them, and how much of the spread the line explains."""

    name: str
    unit: str
    points: list[tuple[float, float]]
    slope: float
    intercept: float
    explained: float


def fit(name: str, unit: str, points: Sequence[tuple[float, float]]) -> Series:
    """Least squares."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    intercept = mean_y - slope * mean_x
    left = sum((y - slope * x - intercept) ** 2 for x, y in points)
    whole = sum((y - mean_y) ** 2 for _, y in points)
    return Series(name, unit, list(points), slope, intercept, 1 - left / whole if whole else 1.0)


def cpu_ms(load: Load) -> float:
    """CPU milliseconds for a second of market time: the calmer of two runs."""
    return min(run(load, paced=False).cpu_share for _ in range(2)) * 1e3


def kept_kb(count: int) -> float:
    """What the klines of one market take when so many are kept in each of 8 timeframes."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    builder = KlineBuilder("ETHUSDT", INTERVALS, count)
    for name in INTERVALS:
        length = interval_us(name)
        builder.seed(name, [Kline("ETHUSDT", name, n * length, (n + 1) * length, 1, 1, 1, 1, 1) for n in range(count)])
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert builder.get_kline_count("1m") == count
    return (after - before) / 1e3


def chart(series: Sequence[Series]) -> str:
    """The plots beside each other as SVG."""
    panels = [_panel(one, place) for place, one in enumerate(series)]
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="260" font-family="sans-serif" font-size="11">'
    return "\n".join(
        [head.format(320 * len(series)), '<rect width="100%" height="100%" fill="white"/>', *panels, "</svg>", ""]
    )


def _panel(series: Series, place: int) -> str:
    left, top, width, height = 320 * place + 50, 40, 240, 170
    most_x, most_y = max(x for x, _ in series.points), max(y for _, y in series.points) * 1.1

    def at(x: float, y: float) -> tuple[float, float]:
        return round(left + x / most_x * width, 1), round(top + height - max(0.0, y) / most_y * height, 1)

    (x1, y1), (x2, y2) = at(0, series.intercept), at(most_x, series.intercept + series.slope * most_x)
    dots = "".join(f'<circle cx="{at(x, y)[0]}" cy="{at(x, y)[1]}" r="3.5" fill="#1f6feb"/>' for x, y in series.points)
    words = (
        f'<text x="{left}" y="18" font-weight="bold">{series.name}</text>'
        f'<text x="{left}" y="32" fill="#555">{series.unit}; line explains {series.explained:.1%}</text>'
        f'<text x="{left - 6}" y="{top + 8}" text-anchor="end">{most_y:,.0f}</text>'
        f'<text x="{left - 6}" y="{top + height}" text-anchor="end">0</text>'
        f'<text x="{left + width}" y="{top + height + 16}" text-anchor="end">{most_x:,.0f}</text>'
    )
    axes = f'<path d="M{left} {top}V{top + height}H{left + width}" fill="none" stroke="#888"/>'
    line = f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#d1242f" stroke-dasharray="5 3"/>'
    return axes + line + dots + words


def measure() -> list[Series]:
    """The three series."""
    run(Load(5, 20.0, seconds=2.0), paced=False)
    markets = [(float(n), cpu_ms(Load(n, 20.0, 2.0, seconds=SECONDS))) for n in MARKETS]
    rates = [(float(n), cpu_ms(Load(10, float(n), 0.0, seconds=SECONDS))) for n in RATES]
    kept = [(float(n), kept_kb(n)) for n in KEPT]
    return [
        fit("markets (20 trades/s, 2 books/s each)", "CPU ms a second", markets),
        fit("trades/s in each of 10 markets", "CPU ms a second", rates),
        fit("klines kept in each of 8 timeframes", "kB a market", kept),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--chart", type=Path, default=Path(__file__).with_name("growth.svg"))
    options = parser.parse_args()
    series = measure()
    options.chart.write_text(chart(series))
    if options.json:
        rows = [
            {
                "name": one.name, "from": one.points[0][1], "to": one.points[-1][1], "for each": round(one.slope, 4),
                "explained by a line": round(one.explained, 4),
            }
            for one in series
        ]  # fmt: skip
        points = [[*one.points] for one in series]
        print(
            json.dumps({"title": TITLE, "unit": "grows with", "rows": rows, "points": points, "chart": options.chart.name})
        )
        return
    for one in series:
        print(f"{one.name}, {one.unit}: {one.slope:.4g} for each, a line explains {one.explained:.1%}")
        for x, y in one.points:
            print(f"  {x:>6,.0f} {y:>10,.2f}")


if __name__ == "__main__":
    main()
