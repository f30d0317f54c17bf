"""Timing of several subjects on the same work, turn by turn in one process, so that a busy machine slows all alike.

Ratios are taken within a round and their median is reported; absolute times are for orientation only.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[], object]
Prepare = Callable[[], Work]
"""Makes a fresh subject and returns the work to be timed."""


@dataclass(frozen=True)
class Result:
    """Nanoseconds per item over the rounds, and how many times our own time each took: median and quartiles."""

    name: str
    median_ns: float
    best_ns: float
    worst_ns: float
    ratio: float
    ratio_low: float
    ratio_high: float


def compare(subjects: Mapping[str, Prepare], items: int, *, ours: str, rounds: int) -> list[Result]:
    """Time every subject once per round, in turn; garbage is collected between, not during."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, prepare in subjects.items():
            work = prepare()
            gc.collect()
            gc.disable()
            began = time.perf_counter_ns()
            work()
            times[name].append((time.perf_counter_ns() - began) / items)
            gc.enable()
    return [
        Result(name, statistics.median(taken), min(taken), max(taken), *spread_of(taken, times[ours]))
        for name, taken in times.items()
    ]


def spread_of(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, float, float]:
    """Median, lower and upper quartile of the rounds' ratios."""
    ratios = sorted(their / our for their, our in zip(theirs, ours, strict=True))
    return statistics.median(ratios), ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]


def arguments(description: str) -> argparse.Namespace:
    """`--rounds N` and `--json`, the same for every benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7, help="how often every subject is timed")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parsed = parser.parse_args()
    if parsed.rounds < 1:
        parser.error(f"--rounds: saw {parsed.rounds}; accepted: a whole number from 1 on")
    return parsed


def report(title: str, unit: str, results: list[Result], missing: list[str], *, as_json: bool) -> None:
    """Print the table, or one JSON object with the same numbers. `missing` names peers that are not installed."""
    if as_json:
        rows = [vars(result) for result in results]
        print(
            json.dumps({"title": title, "unit": unit, "python": platform.python_version(), "rows": rows, "missing": missing})
        )
        return
    print(f"{title} (ns per {unit}, Python {platform.python_version()})")
    for result in results:
        print(f"  {result.name:<58}{result.median_ns:>12,.0f}  best {result.best_ns:>12,.0f}  {result.ratio:>8.2f}x")
    for name in missing:
        print(f"  {name}: not installed")
