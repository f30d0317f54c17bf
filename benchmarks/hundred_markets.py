"""A hundred markets at a hundred trades a second each, with books at 10 Hz: CPU share of a core, and how old data becomes.

Run: python -m benchmarks.hundred_markets [--seconds S] [--markets N] [--json]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from benchmarks.many_markets import Load, run

TITLE = "100 markets, 100 trades/s each, books at 10 Hz"


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--markets", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    outcome = run(Load(options.markets, 100.0, seconds=options.seconds))
    if options.json:
        print(json.dumps({"title": TITLE, **asdict(outcome)}))
        return
    print(f"{TITLE} ({options.seconds:g} s, {outcome.messages} messages, steal {outcome.steal})")
    print(f"  CPU {outcome.cpu_share:.1%} of a core (goal under 50 %), {outcome.cpu_us_per_message:.1f} us a message")
    ages = f"p50 {outcome.age_p50_ms:.1f} ms, p99 {outcome.age_p99_ms:.1f} ms (goal under 50 ms)"
    print(f"  age of data when handled: {ages}, at the end {outcome.age_end_ms:.1f} ms")


if __name__ == "__main__":
    main()
