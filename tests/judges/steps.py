"""What the judges' scripts share: steps that report themselves as JSON lines, and favours asked of the exchange's keeper.

Runs on CPython 3.10 in the judge's own environment; imports nothing of ours. Standard output carries one JSON object a line:
`{"step": name, "ok": bool, "seen": {...}, "error": text}` for every step, `{"ask": what}` before a line is read from
standard input, and `{"done": count}` at the end.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

PATIENCE_S = 15.0
STEP_S = 40.0


def say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what, default=str) + "\n")
    sys.stdout.flush()


def ask(what: str) -> str:
    """Have something done to the exchange ("skip 40", "outage 1", ...); returns the answer once it has happened."""
    say({"ask": what})
    answer = sys.stdin.readline().strip()
    if not answer:
        raise RuntimeError(f"nobody answered {what!r}")
    return answer


async def ask_async(what: str) -> str:
    """The same while the event loop goes on."""
    return await asyncio.get_running_loop().run_in_executor(None, ask, what)


def until(look: Callable[[], Any], why: str) -> Any:
    """Look again and again until something is true; returns it. Raises AssertionError with `why` when patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_S} s: {why}")
        time.sleep(0.02)


async def until_async(look: Callable[[], Any], why: str) -> Any:
    """The same for something that arrives through the event loop."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_S} s: {why}")
        await asyncio.sleep(0.01)


def refused(call: Callable[[], Any], *words: str) -> str:
    """The text of the error that `call` must raise, which must hold all `words`."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001 - whatever a judge raises is looked at
        return _holds(error, words)
    raise AssertionError(f"should have been refused ({', '.join(words)}), got {result!r}")


async def refused_async(call: Any, *words: str) -> str:
    """The same for something to await."""
    try:
        result = await call
    except Exception as error:  # noqa: BLE001 - whatever a judge raises is looked at
        return _holds(error, words)
    raise AssertionError(f"should have been refused ({', '.join(words)}), got {result!r}")


def _holds(error: Exception, words: Sequence[str]) -> str:
    text = f"{type(error).__name__}: {error}"
    missing = [word for word in words if word not in text]
    assert not missing, f"{text!r} does not say {missing}"
    return text


def run(steps: Sequence[Callable[[], Any]]) -> int:
    """Take every step, whatever became of those before it. Returns the number that failed."""
    failed = 0
    for step in steps:
        failed += not _take(step.__name__, step)
    say({"done": len(steps)})
    return failed


async def run_async(steps: Sequence[Callable[[], Any]]) -> int:
    """The same for coroutine functions on one event loop."""
    failed = 0
    for step in steps:
        try:
            seen = await asyncio.wait_for(step(), STEP_S)
        except Exception:  # noqa: BLE001 - a step that fails is reported, and the next one taken
            failed += 1
            say({"step": step.__name__, "ok": False, "error": traceback.format_exc()})
        else:
            say({"step": step.__name__, "ok": True, "seen": seen})
    say({"done": len(steps)})
    return failed


def _take(name: str, step: Callable[[], Any]) -> bool:
    try:
        seen = step()
    except Exception:  # noqa: BLE001 - a step that fails is reported, and the next one taken
        say({"step": name, "ok": False, "error": traceback.format_exc()})
        return False
    say({"step": name, "ok": True, "seen": seen})
    return True
