"""Tick to exit: a market frame received -> the bytes of an exit that was signed ahead, beside one signed at the tick.

Both are taken from one run of the whole process (see `flashscalper.cli.bench_ticks`), interleaved as they come: an entry is
decided, written, synced, signed and sent; the exit of the same position was made durable and signed when the position was
protected, so that at its tick it is only decided and sent, and written down afterwards. The journal syncs to a real disk.

Run: python -m benchmarks.tick_to_exit [--orders N] [--rate FRAMES_PER_SECOND] [--folder ON_THE_DISK] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from benchmarks.machine import Steal, percentile

from flashscalper.cli.bench_socket import LoopbackSocket
from flashscalper.cli.bench_ticks import Sample, open_run
from flashscalper.runtime.collecting import rare_collections

TITLE = "Tick to exit: market frame received to the bytes of an exit signed ahead"
WITHIN_S = 90.0
AT_MOST = 0.5
"""The exit's share of an order's time that is asked for."""


def measure(folder: Path, options: argparse.Namespace, *, durable: bool) -> dict[str, object]:
    """Percentiles of both ways in microseconds, and the exit's share of the order's."""
    with LoopbackSocket() as sink, tempfile.TemporaryDirectory(dir=folder) as name:
        run = open_run(Path(name), sink.send, durable=durable, frames_per_second=options.rate)
        with rare_collections():
            run.between = sink.empty
            run.start()
            run.collect(10, WITHIN_S)
            run.samples.clear()
            run.releases.clear()
            steal = Steal()
            run.collect(options.orders, WITHIN_S)
            stolen = steal.share()
    entries = [sample for sample in run.samples if _adds(sample)]
    order, ahead = _figures(entries), _figures(run.releases)
    shares = {key: ahead[key] / order[key] for key in order}
    return {"orders": len(entries), "exits": len(run.releases), "order_us": order, "exit_us": ahead, "share": shares,
            "steal": stolen}  # fmt: skip


def _adds(sample: Sample) -> bool:
    return any(getattr(output, "role", "") == "entry" for output in sample.outputs)


def _figures(samples: list[Sample]) -> dict[str, float]:
    wall = [sample.wall_ns / 1e3 for sample in samples]
    return {f"p{percent}": percentile(wall, percent) for percent in (10, 50, 90, 99)}


def main() -> None:
    """Print both ways, with and without the journal's sync."""
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--orders", type=int, default=200, help="how many signed orders are measured in each run")
    parser.add_argument("--rate", type=float, default=500.0, help="market frames a second of wall time")
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="where the journals are: a real disk")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    runs = {
        "journal with sync": measure(options.folder, options, durable=True),
        "journal without sync": measure(options.folder, options, durable=False),
    }
    if options.json:
        print(json.dumps({"title": TITLE, "rate": options.rate, "at_most": AT_MOST, "runs": runs}))
        return
    print(f"{TITLE} (us, {options.rate:g} frames/s, load {os.getloadavg()[0]:.1f})")
    for name, run in runs.items():
        print(f"  {name}: {run['orders']} orders, {run['exits']} exits, steal {run['steal']}")
        for title in ("order_us", "exit_us", "share"):
            print(f"    {title:<12}" + "  ".join(f"{key} {value:>8,.2f}" for key, value in run[title].items()))


if __name__ == "__main__":
    main()
