"""Subjects in processes of their own that take turns, for peers that need another interpreter than ours.

A worker script calls `serve` with its work; the judge starts `Worker`s and asks each in turn for a measurement.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.interleaved import spread_of

ROOT = Path(__file__).resolve().parents[1]


def serve(work: Callable[[], int], about: dict[str, Any]) -> None:
    """Say who we are, then do `work` (it returns how many items) once for every line that comes in and say its CPU time."""
    work()
    say({"python": platform.python_version(), **about})
    for _ in sys.stdin:
        wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        items = work()
        cpu_ns, wall_ns = time.process_time_ns() - cpu_ns, time.perf_counter_ns() - wall_ns
        say({"cpu_ns": cpu_ns / items, "wall_ns": wall_ns / items})


def say(answer: dict[str, Any]) -> None:
    """One line for the judge."""
    print(json.dumps(answer), flush=True)


class Worker:
    """The judge's end of `serve`. Raises RuntimeError with the worker's last words when it does not start."""

    def __init__(self, name: str, interpreter: str, script: str, *arguments: str, first_line: str = "") -> None:
        self.name = name
        self.turns: list[dict[str, float]] = []
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [interpreter, str(ROOT / "benchmarks" / script), *arguments],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if first_line:
            self._write(first_line)
        self.about = self._read()

    def turn(self) -> None:
        """One measurement."""
        self._write("")
        self.turns.append(self._read())

    def stop(self) -> None:
        """End it."""
        self._process.communicate()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            raise RuntimeError((errors.strip().splitlines() or ["it ended without a word"])[-1])
        answer: dict[str, Any] = json.loads(line)
        return answer


def start_server(script: str) -> tuple[subprocess.Popen[str], dict[str, int]]:
    """A server of one subject's own, and the ports that it prints when it is ready."""
    server = subprocess.Popen([sys.executable, str(ROOT / "benchmarks" / script)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    ports: dict[str, int] = json.loads(server.stdout.readline())
    return server, ports


def take_turns(workers: Sequence[Worker], rounds: int) -> list[dict[str, Any]]:
    """Rounds of turns; rows with the median times and the median ratio to the first worker's, CPU time each."""
    for _ in range(rounds):
        for worker in workers:
            worker.turn()
    for worker in workers:
        worker.stop()
    reference = [turn["cpu_ns"] for turn in workers[0].turns]
    rows = []
    for worker in workers:
        cpu = [turn["cpu_ns"] for turn in worker.turns]
        ratio, low, high = spread_of(cpu, reference)
        rows.append(
            {
                "name": worker.name,
                "median_ns": statistics.median(cpu),
                "best_ns": min(cpu),
                "worst_ns": max(cpu),
                "ratio": ratio,
                "ratio_low": low,
                "ratio_high": high,
                **worker.about,
            }
        )
    return rows


def show(title: str, unit: str, rows: Sequence[dict[str, Any]], missing: Sequence[str], *, as_json: bool) -> None:
    """The table, or one JSON object."""
    if as_json:
        print(json.dumps({"title": title, "unit": unit, "rows": rows, "missing": missing}))
        return
    print(f"{title} (CPU ns per {unit})")
    for row in rows:
        times = f"{row['median_ns']:>12,.0f}  best {row['best_ns']:>12,.0f}  {row['ratio']:>8.2f}x"
        print(f"  {row['name']:<58}{times}  Python {row['python']} {row.get('versions', '')}")
    for name in missing:
        print(f"  left out: {name}")
