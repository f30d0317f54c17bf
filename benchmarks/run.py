"""All benchmarks, one script after the other, each with a bound on its time; the results as a page.

Run: make bench, or
    python -m benchmarks.run --sdk-python PATH [--only SCRIPT ...] [--out PAGE]

The Python that runs this has the peers of `requirements-bench.lock`; environments beside it of the same name and a version
(`bench-3.12`) measure our signing in other Pythons. A script that fails or takes too long is told so on the
page; the others still run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import Steal
from benchmarks.results import Ran, page

ROOT = Path(__file__).resolve().parents[1]


class Script(NamedTuple):
    """One module of this folder: what it is given, which interpreters it is told of, and its bound."""

    name: str
    arguments: tuple[str, ...] = ()
    sdk: bool = False
    others: bool = False
    seconds: float = 120.0


SCRIPTS = (
    Script("signing", ("--rounds", "9"), sdk=True, others=True, seconds=150),
    Script("websocket_throughput", ("--rounds", "5"), sdk=True, seconds=240),
    Script("sbe_decode", ("--rounds", "15"), sdk=True),
    Script("klines", ("--rounds", "9")),
    Script("book", ("--rounds", "15")),
    Script("indicators", ("--rounds", "7")),
    Script("tick_to_order", ("--orders", "120", "--rate", "1000"), seconds=330),
    Script("tick_to_exit", ("--orders", "80", "--rate", "1000"), seconds=240),
    Script("order_peers", ("--orders", "40"), sdk=True, seconds=300),
    Script("start", ("--rounds", "5"), seconds=90),
    Script("memory", seconds=150),
    Script("hundred_markets", ("--seconds", "60"), seconds=180),
    Script("growth", seconds=180),
    Script("instructions", seconds=300),
)


def run(script: Script, options: argparse.Namespace) -> Ran:
    """One script in a process of its own; its JSON lines, or its last words."""
    command = [sys.executable, "-m", f"benchmarks.{script.name}", *script.arguments, "--json"]
    if script.sdk and options.sdk_python:
        command += ["--sdk-python", options.sdk_python]
    if script.others:
        command += [part for path in other_pythons() for part in ("--also-python", str(path))]
    steal, began = Steal(), time.monotonic()
    answers: list[dict[str, Any]] = []
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        output, errors = process.communicate(timeout=script.seconds)
        answers = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        error = "" if process.returncode == 0 else (errors.strip().splitlines() or ["it ended without a word"])[-1]
    except subprocess.TimeoutExpired:
        error = f"not done within {script.seconds:g} s"
    finally:
        with suppress(ProcessLookupError):  # whatever it started and left behind
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    told = ["benchmarks." + script.name, *script.arguments]
    return Ran(script.name, "python -m " + " ".join(told), answers, error, time.monotonic() - began, steal.share())


def other_pythons() -> list[Path]:
    """Interpreters of the environments beside this one."""
    here = Path(sys.prefix)
    return sorted(here.parent.glob(f"{here.name}-3.*/bin/python"))


def main() -> None:
    options = arguments()
    began, started_at = time.monotonic(), datetime.now(UTC)
    ran = []
    for script in SCRIPTS:
        if options.only and script.name not in options.only:
            continue
        print(f"{script.name} ...", flush=True)
        ran.append(run(script, options))
        print(f"  {ran[-1].seconds:.0f} s{', ' + ran[-1].error if ran[-1].error else ''}", flush=True)
    options.out.write_text(page(ran, started_at, time.monotonic() - began))
    print(f"written: {options.out}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="All benchmarks, and the page of results.")
    parser.add_argument("--sdk-python", help="a Python 3.10 that has paradex-py")
    parser.add_argument("--only", action="append", default=[], choices=[script.name for script in SCRIPTS])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
