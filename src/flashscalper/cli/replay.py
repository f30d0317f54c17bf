"""`flashscalper replay`: is the journal what the tape leads to? And the hops of one order, record or event."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from flashscalper.model.errors import FlashScalperError
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.answers import find_run
from flashscalper.runtime.replaying import Replay, Replayed, Step


def replay(run: str, *, trace: str, runs: Path, json: bool) -> int:
    """Compare, or trace; exit code 1 when replay and journal differ, or nothing is known of what was to be traced."""
    folder = find_run(run, runs)
    if trace:
        return _trace(Replay(folder), trace, json=json)
    result = Replay(folder).compare()
    if json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _told(result))
    return 0 if result.difference is None else 1


def _told(result: Replayed) -> list[str]:
    lines = [f"{result.events} events of the tape, {result.records} records of the journal, {result.equal} equal"]
    if result.replay_hash:
        words = "the same journal, byte for byte" if result.same_bytes else "the same journal, record by record"
        lines.append(f"{words}: journal_hash {result.journal_hash}")
    if result.beyond_tape:
        lines.append(f"the journal has {result.beyond_tape} records after the tape's end, as after a crash")
    if result.beyond_journal:
        lines.append(f"the tape's last event has {result.beyond_journal} records more than the journal, as after a crash")
    if result.difference is not None:
        where = result.difference
        lines += [
            f"first difference at record {where.record} (event {where.event} of the tape)",
            f"  journal: {where.journal}", f"  replay:  {where.replay}",
        ]  # fmt: skip
    return lines


def _trace(run: Replay, wanted: str, *, json: bool) -> int:
    steps = list(run.trace(wanted))
    if not steps:
        raise FlashScalperError(f"the run knows no order, no record and no event {wanted!r}")
    if json:
        sys.stdout.write(msgspec.json.encode([_document(step) for step in steps]).decode() + "\n")
        return 0
    for step in steps:
        sys.stdout.write(f"{_instant(step.at)}  event {step.number}: {_short(step.event)}\n")
        sys.stdout.writelines(f"    -> {_short(closed)}\n" for closed in step.klines)
        for number, output in step.outputs:
            sys.stdout.write(f"    -> record {number}: {_short(output)}\n")
    return 0


def _document(step: Step) -> dict[str, Any]:
    return {
        "event": step.number, "at": step.at, "input": msgspec.to_builtins(step.event),
        "klines": [msgspec.to_builtins(closed) for closed in step.klines],
        "outputs": [{"record": number, "output": msgspec.to_builtins(output)} for number, output in step.outputs],
    }  # fmt: skip


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND_US, tz=UTC).strftime("%H:%M:%S.%f")


def _short(thing: object) -> str:
    text = str(thing)
    return text if len(text) <= 400 else text[:400] + "..."
