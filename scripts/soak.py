"""`make soak`: 4.3 million messages, 1,000 reconnects and 2,000 orders in one process, and what it has in memory meanwhile.

Two parts. At full speed, bot and exchange in lock-step: memory by the messages. Over loopback sockets: as many reconnects
again, and whether files and tasks are where they began. Ends with a table; exit code 1 when memory grows by more than 1 MiB
per million messages after the first tenth, when the process ever has more than 150 MiB, when a descriptor or a task is left,
when orders are, or when there were too few.
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.campaigns.soak import MOST_GROWTH, MOST_MIB, Soaked, broken, soak
from tests.campaigns.soak_sockets import Hosted, left_over, over_sockets

from flashscalper.runtime.live import run_loop


def main() -> int:
    """The command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4_300_000)
    parser.add_argument("--reconnects", type=int, default=1_000)
    parser.add_argument("--orders", type=int, default=2_000)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done = soak(Path(folder), chosen.messages, chosen.reconnects, say=lambda line: print(line, flush=True))
    seconds = time.monotonic() - began
    print(f"now {chosen.reconnects:,} reconnects over sockets", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        hosted = run_loop(over_sockets(Path(folder), chosen.reconnects))
    problems = broken(done, orders=chosen.orders) + left_over(hosted)
    for name, value in rows(done, hosted, seconds, time.monotonic() - began - seconds):
        print(f"  {name:<42}{value}")
    for problem in problems:
        print(f"broken: {problem}")
    print("not as promised" if problems else "as promised")
    return 1 if problems else 0


def rows(done: Soaked, hosted: Hosted, seconds: float, socket_seconds: float) -> Iterable[tuple[str, str]]:
    """The table: what there was, and what is held against a limit."""
    yield "messages", f"{done.messages:,} in {done.market_hours:.1f} market hours, {seconds:.0f} s"
    yield "reconnects", f"{done.reconnects:,}"
    yield "orders, fills", f"{done.orders:,}, {done.fills:,}"
    yield "memory, per million messages", f"{done.growth():+.2f} MiB (limit {MOST_GROWTH:g})"
    yield "memory, at most, with the exchange", f"{done.highest_mib:.1f} MiB (limit {MOST_MIB:g})"
    yield "descriptors before, after", f"{done.descriptors_before}, {done.descriptors_after}"
    yield "reconnects over sockets", f"{hosted.reconnects:,} in {socket_seconds:.0f} s"
    yield "(descriptors, tasks) before, after", f"{hosted.before}, {hosted.after}"
    yield "(descriptors, tasks) early, late in the run", f"{hosted.early}, {hosted.late}"


if __name__ == "__main__":
    sys.exit(main())
