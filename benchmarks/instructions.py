"""Machine instructions for signing an order and for a trade into klines of 8 timeframes: no busy machine changes them.

Counted by valgrind (cachegrind without its cache model). Every work runs twice, few times and many times, so that starting
Python and making tables fall out of the difference. Hashing is seeded, so two runs of one build count nearly the same.

Run: python -m benchmarks.instructions [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TITLE = "Instructions"
COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")
COUNTS = {"sign": (5, 25), "klines": (2_000, 12_000)}
NAMES = {"sign": "Paradex limit order to signed body, gmpy2", "klines": "trade into klines of 8 timeframes"}


def sign(count: int) -> None:
    from benchmarks.signing import ours

    make = ours("gmpy2")
    for i in range(count):
        make(i)


def klines(count: int) -> None:
    from benchmarks.klines import INTERVALS, make_trades, ours

    trades = make_trades(max(many for _, many in COUNTS.values()))
    ours(trades[:count], INTERVALS, timer=False)()()


WORKS: dict[str, Callable[[int], None]] = {"sign": sign, "klines": klines}


def count(work: str, times: int) -> int:
    """Instructions of a whole process that does the work so many times."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable]
    command += [__file__, "--work", work, "--times", str(times)]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = COUNTED.search(done.stderr)
    if found is None:
        raise SystemExit(f"valgrind counted nothing: {done.stderr.strip().splitlines()[-1:]}")
    return int(found[1].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", choices=list(WORKS), help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        WORKS[options.work](options.times)
        return
    if shutil.which("valgrind") is None:
        print(json.dumps({"title": TITLE, "missing": ["valgrind is not installed"]}) if options.json else "no valgrind here")
        return
    rows = []
    for work, (few, many) in COUNTS.items():
        each = (count(work, many) - count(work, few)) / (many - few)
        rows.append({"name": NAMES[work], "instructions": round(each)})
    if options.json:
        print(json.dumps({"title": TITLE, "unit": "each", "rows": rows}))
        return
    for row in rows:
        print(f"{row['name']}: {row['instructions']:,} instructions")


if __name__ == "__main__":
    main()
