"""How long it takes to start: the command, the import, and the demo until the first trade of the market has come in.

Processes of their own, warm file cache (the first round is thrown away). Wall time; the demo runs over real sockets at ten
times the speed, as somebody who tries it for the first time does, and its market trades several times a second.

Run: python -m benchmarks.start [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

TITLE = "Start, warm cache"
IMPORT = "import flashscalper"
FIRST_TRADE = """
import sys, time
from flashscalper.runtime import tally
def first(self, event, outputs):
    if type(event).__name__ == "Trade":
        print("first trade", flush=True)
        sys.stdout.flush()
        import os
        os._exit(0)
tally.Tally.__call__ = first
from flashscalper.__main__ import main
sys.argv = ["flashscalper", "demo", "--seconds", "60", "--speed", "10", "--runs", sys.argv[1]]
main()
"""
GOALS_S = {"flashscalper --version": 0.3, "import flashscalper (less an empty Python)": 0.15, "demo to the first trade": 2.0}


class Seconds(NamedTuple):
    """Of one process."""

    wall: float
    cpu: float


def timed(*command: str) -> Seconds:
    """What a process takes that must succeed."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(ended - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(rounds: int) -> dict[str, list[Seconds]]:
    """Every round, in turn."""
    times: dict[str, list[Seconds]] = {name: [] for name in GOALS_S}
    with tempfile.TemporaryDirectory() as runs:
        for number in range(rounds + 1):
            empty = timed("-c", "pass")
            imported = timed("-c", IMPORT)
            found = (
                timed("-m", "flashscalper", "--version"),
                Seconds(imported.wall - empty.wall, imported.cpu - empty.cpu),
                timed("-c", FIRST_TRADE, runs),
            )
            if number:
                for name, seconds in zip(times, found, strict=True):
                    times[name].append(seconds)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for name, taken in measure(options.rounds).items():
        wall = [seconds.wall for seconds in taken]
        cpu = statistics.median(seconds.cpu for seconds in taken)
        median = statistics.median(wall)
        rows.append(
            {
                "name": name,
                "median_s": median,
                "best_s": min(wall),
                "worst_s": max(wall),
                "cpu_s": cpu,
                "goal_s": GOALS_S[name],
            }
        )
    if options.json:
        print(json.dumps({"title": TITLE, "rows": rows}))
        return
    print(TITLE)
    for row in rows:
        print(
            f"  {row['name']:<44} median {row['median_s']:.3f} s, best {row['best_s']:.3f} s, "
            f"CPU {row['cpu_s']:.3f} s, goal {row['goal_s']} s"
        )


if __name__ == "__main__":
    main()
