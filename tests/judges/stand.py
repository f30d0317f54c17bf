"""Where the judges stand: a simulated exchange on a real port, a script of theirs beside it, and what it may ask for.

The exchange lives in this process, so that its clock can be moved and its port closed; the judge is another process with an
interpreter of its own, which talks to the exchange over sockets and to us over pipes (see `steps`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.live import run_loop
from tests.promises.box import Served, served

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = ROOT / ".venvs" / "judges" / "bin" / "python"
PATIENCE_S = 120.0
KEYS = {
    "alice": "0xc42f9b406049bff22c23fd3981640f87a0c12298830b5f0799b61e659294b2ea",
    "bob": "0x471583ff043a6ef3e6bcd0eeb4e6a1bea9e5c1f12262595248246be03df0f024",
}
"""Ethereum keys of nobody's accounts; never fund them."""

Step = dict[str, Any]


class SkippingClock(WallClock):
    """The wall's time, which a test may put forward."""

    def __init__(self) -> None:
        super().__init__()
        self._skipped_us = 0

    def now(self) -> int:
        return super().now() + self._skipped_us

    def skip(self, seconds: int) -> None:
        self._skipped_us += seconds * SECOND_US


def interpreter(package: str) -> Path:
    """The judges' interpreter if `package` is installed there; skips saying what to do otherwise."""
    if not INTERPRETER.exists():
        pytest.skip("no environment for the judges: make judges")
    if not any((INTERPRETER.parents[1] / "lib").glob(f"python3.*/site-packages/{package}")):
        pytest.skip(f"{package} is not installed for the judges: its wheels need Python 3.10 on Linux x86-64 (JUDGE_PYTHON)")
    return INTERPRETER


def judge(script: str, *arguments: str, package: str, key: str = "alice", **changes: Any) -> list[Step]:
    """Run one script to its end; returns its steps in order. `changes` are settings of the exchange."""
    python = interpreter(package)

    async def main() -> list[Step]:
        clock = SkippingClock()
        async with asyncio.timeout(PATIENCE_S), served(clock=clock, **changes) as box:
            given = [box.rest_url, box.ws_url, KEYS[key], *arguments]
            return await _Hearing(box, clock).run([str(python), "-m", f"tests.judges.{script}", *given])

    return run_loop(main())


class _Hearing:
    """One script at work."""

    def __init__(self, box: Served, clock: SkippingClock) -> None:
        self._box = box
        self._clock = clock
        self._steps: list[Step] = []
        self._done = -1

    async def run(self, command: list[str]) -> list[Step]:
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        errors = asyncio.ensure_future(process.stderr.read())
        try:
            async for line in process.stdout:
                answer = await self._heard(line)
                if answer:
                    process.stdin.write(f"{answer}\n".encode())
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            sys.stderr.write((await errors).decode(errors="replace")[-20_000:])
        assert self._done == len(self._steps), f"the script ended early, after {[step['step'] for step in self._steps]}"
        return self._steps

    async def _heard(self, line: bytes) -> str:
        message = json.loads(line)
        if "ask" in message:
            return await self._do(*message["ask"].split())
        if "step" in message:
            self._steps.append(message)
        else:
            self._done = message["done"]
        return ""

    async def _do(self, what: str, argument: str) -> str:
        """A favour: `skip SECONDS` of the exchange's clock, `outage SECONDS`, `drop all` sockets, `bust FILL`."""
        if what == "skip":
            self._clock.skip(int(argument))
        elif what == "outage":
            async with self._box.outage():
                await asyncio.sleep(float(argument))
        elif what == "drop":
            self._box.interposer.drop_sockets()
        elif what == "bust":
            refusal = self._box.server.bust(argument, self._clock.now())
            assert refusal is None, refusal
        else:
            raise AssertionError(f"unknown favour {what!r}")
        return "done"
