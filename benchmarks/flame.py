"""A flame graph of the hot path: trade and book frames through client, tape and engine, sampled by CPU time, as SVG.

Every millisecond of CPU time a signal looks at the Python stack. Width is the share of samples; a box stands on its caller.
Frames are JSON, half trades and half 15-level books; the market is one, with klines of 8 timeframes and the scalper.

Run: python -m benchmarks.flame [--messages N] [--chart FILE]
"""

from __future__ import annotations

import argparse
import signal
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import FrameType, SimpleNamespace

from benchmarks.websocket_server import Frames
from benchmarks.websocket_throughput import ours_client

TITLE = "Frames through client, tape and engine"
EVERY_S = 0.001
WIDTH, LINE = 1200, 18
THIN = 0.002
"""Boxes narrower than this share are left out."""

Stack = tuple[str, ...]


def sample(messages: int) -> Counter[Stack]:
    """Stacks, outermost first, from our own entry on."""
    seen: Counter[Stack] = Counter()

    def look(_: int, frame: FrameType | None) -> None:
        seen[tuple(_names(frame))] += 1

    take = ours_client(lambda: None, through=True)
    server = Frames()
    for data in server.make("mixed", 2_000):
        take(SimpleNamespace(data=data))
    frames = [SimpleNamespace(data=data) for data in server.make("mixed", messages)]
    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    for one in frames:
        take(one)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)
    return Counter({stack: count for stack, count in seen.items() if stack})


def _names(frame: FrameType | None) -> list[str]:
    """Functions of ours, outermost first; the loop around them is left out."""
    names: list[str] = []
    while frame is not None and frame.f_code.co_name != "sample":
        module = str(frame.f_globals.get("__name__", "")).removeprefix("flashscalper.")
        names.append(f"{module}.{frame.f_code.co_name}")
        frame = frame.f_back
    return names[::-1]


def boxes(stacks: Counter[Stack]) -> Iterator[tuple[int, float, float, str]]:
    """(depth, left, width, name) with shares of the whole, callers first."""
    total = sum(stacks.values())
    level: list[tuple[Stack, float]] = [((), 0.0)]
    while level:
        deeper = []
        for prefix, begins in level:
            depth, left = len(prefix), begins
            children: Counter[str] = Counter()
            for stack, count in stacks.items():
                if stack[:depth] == prefix and len(stack) > depth:
                    children[stack[depth]] += count
            for name, count in sorted(children.items()):
                if count / total >= THIN:
                    yield depth, left, count / total, name
                    deeper.append(((*prefix, name), left))
                left += count / total
        level = deeper


def chart(stacks: Counter[Stack]) -> str:
    """The SVG."""
    found = list(boxes(stacks))
    height = (max(depth for depth, *_ in found) + 1) * LINE + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="6" y="16">{TITLE}: {sum(stacks.values()):,} samples, one each ms of CPU time</text>',
    ]
    for depth, left, width, name in found:
        x, y, wide = left * WIDTH, height - (depth + 1) * LINE - 4, width * WIDTH
        hue = 20 + sum(name.rpartition(".")[0].encode()) % 40
        shown = escape(name[: int(wide / 6.7)]) if wide > 30 else ""
        lines.append(
            f'<g><title>{escape(name)} {width:.1%}</title><rect x="{x:.1f}" y="{y}" width="{max(wide - 0.5, 0.5):.1f}" '
            f'height="{LINE - 1}" fill="hsl({hue},85%,70%)"/><text x="{x + 3:.1f}" y="{y + 13}">{shown}</text></g>'
        )
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--chart", type=Path, default=Path("docs/images/hot-path.svg"))
    options = parser.parse_args()
    stacks = sample(options.messages)
    options.chart.write_text(chart(stacks))
    alone: Counter[str] = Counter()
    for stack, count in stacks.items():
        alone[stack[-1]] += count
    total = sum(stacks.values())
    print(f"{TITLE}: {total} samples, written to {options.chart}; alone in")
    for name, count in alone.most_common(16):
        print(f"  {count / total:6.1%}  {name}")


if __name__ == "__main__":
    main()
