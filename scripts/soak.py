"""`make soak`: 4.3 million messages, 1,000 reconnects and 2,000 orders in one process, and what it has in memory meanwhile.

Exit code 1 when memory grows by more than 1 MiB per million messages after a quarter of them, when the process ever has more
than 150 MB, when a descriptor is left open, or when an order is.
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.campaigns.soak import broken, soak
from tests.campaigns.soak_sockets import left_over, over_sockets

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
    print(
        f"{done.messages:,} messages in {done.market_hours:.1f} market hours, {done.reconnects:,} reconnects, "
        f"{done.orders:,} orders, {done.fills:,} fills; {seconds:.0f} s, {done.messages / seconds:,.0f} messages/s"
    )
    print(
        f"{done.growth():.2f} MiB per million messages after a quarter, {done.highest_mib:.1f} MiB at most with the exchange"
    )
    print(f"descriptors {done.descriptors_before} before, {done.descriptors_after} after")
    problems = broken(done, orders=chosen.orders)
    with tempfile.TemporaryDirectory() as folder:
        hosted = run_loop(over_sockets(Path(folder), chosen.reconnects))
    print(f"over sockets, {hosted.reconnects:,} reconnects; (descriptors, tasks) early {hosted.early}, late {hosted.late}")
    problems += left_over(hosted)
    for problem in problems:
        print(f"broken: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
