"""`make simulate SEEDS=N [FROM=..]`: the full stack through N seeded storms, in two processes.

Prints seeds a second, every seed that broke a law with what it broke, and how to replay it. Exit code 1 if any did.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.campaigns.seeding import draw
from tests.campaigns.storm import live

BLOCK = 20


def block(seeds: range) -> tuple[list[tuple[int, str]], Counter[str]]:
    """The seeds that broke a law, and what happened in all of them."""
    broken: list[tuple[int, str]] = []
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            world = live(draw(seed))
        except Exception as error:  # noqa: BLE001 - whatever a seed breaks on is what we look for
            broken.append((seed, f"{type(error).__name__}: {error}"))
            continue
        seen += world.counts
        seen.update(seeds=1, lives=world.life, orders=len(world.laws.sent), fills=world.fill_count)
        seen["market seconds"] += int(world.elapsed_s)
    return broken, seen


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    last = asked.first + asked.seeds
    blocks = [range(at, min(at + BLOCK, last)) for at in range(asked.first, last, BLOCK)]
    broken: list[tuple[int, str]] = []
    seen: Counter[str] = Counter()
    started = time.monotonic()
    with ProcessPoolExecutor(min(asked.processes, len(blocks))) as pool:
        for found, counts in pool.map(block, blocks):
            broken += found
            seen += counts
            for seed, why in found:
                print(f"seed {seed}: {why[:500]}\n  replay: make simulate SEEDS=1 FROM={seed}", flush=True)
    took_s = time.monotonic() - started
    print(", ".join(f"{count} {kind}" for kind, count in seen.most_common()))
    print(f"{asked.seeds} seeds in {took_s:.1f} s: {asked.seeds / took_s:.1f} a second, {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
