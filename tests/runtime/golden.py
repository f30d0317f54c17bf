"""Makes the golden journal of a release: `python -m tests.runtime.golden 0.1.0`, once, before the release is tagged.

A deterministic demo in lock-step leaves a journal; beside it lie the facts that every later release must read out of it. The
folders of earlier releases are never made anew: a release that cannot read them must refuse them by name, and then this
says so in its test.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from itertools import islice
from pathlib import Path

import msgspec

from flashscalper.cli.demo import STARTED_AT, Demo, DemoOptions
from flashscalper.cli.feeds import open_synthetic
from flashscalper.cli.live_view import PlainView
from flashscalper.model.records import ProtectionChanged
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.journal import journal_hash, read_journal
from flashscalper.trading.protection import ProtectionState
from flashscalper.trading.saved import SavedState, read_back

GOLDENS = Path(__file__).parent / "goldens"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a state is known by: sizes by symbol (signed sums of fills), the orders that live, cash before fills."""

    starting_cash: str
    last_client_id: str
    fills: int
    fees: str
    held: dict[str, str]
    live_orders: list[str]
    plans: list[str]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be read out of a golden journal: all of it, and the first `protected_at` records, with a position open."""

    hash: str
    records: int
    kinds: dict[str, int]
    protected_at: int
    protected: State
    end: State


def facts_of(journal: Path) -> Facts:
    """Everything that the test compares."""
    entries = list(read_journal(journal))
    kinds: dict[str, int] = {}
    for entry in entries:
        name = type(entry.content).__name__
        kinds[name] = kinds.get(name, 0) + 1
    at = next(
        number
        for number, entry in enumerate(entries, 1)
        if isinstance(entry.content, ProtectionChanged) and entry.content.after == ProtectionState.PROTECTED
    )
    return Facts(
        hash=journal_hash(journal), records=len(entries), kinds=dict(sorted(kinds.items())), protected_at=at,
        protected=_state(read_back(islice(entries, at))), end=_state(read_back(entries)),
    )  # fmt: skip


def _state(saved: SavedState | None) -> State:
    assert saved is not None
    held = {booked.fill.symbol: booked.fill.size * 0 for booked in saved.fills}
    for booked in saved.fills:
        held[booked.fill.symbol] += booked.fill.size * booked.fill.side.sign
    return State(
        starting_cash=str(saved.starting_cash), last_client_id=saved.last_client_id, fills=len(saved.fills),
        fees=str(sum(booked.fill.fee for booked in saved.fills)),
        held={symbol: format(size.normalize(), "f") for symbol, size in sorted(held.items()) if size},
        live_orders=sorted(order.client_id for order in saved.orders if order.live), plans=sorted(saved.plans),
    )  # fmt: skip


def make(release: str) -> None:
    """Run the demo and keep its journal."""
    folder = GOLDENS / release
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as home:
        options = DemoOptions.parse(
            seconds=150, speed="max", feed="synthetic", seed=2, markets="ETHUSDT,SOLUSDT", interval="5s",
            runs=Path(home), json=True,
        )  # fmt: skip
        feed = open_synthetic(seed=2, symbols=options.symbols, started_at=STARTED_AT)
        artifacts = RunArtifacts("golden", Path(home))
        Demo(options, feed, STARTED_AT, PlainView(None)).run(artifacts)
        shutil.copyfile(artifacts.journal, folder / "journal.fsj")
    (folder / "facts.json").write_bytes(msgspec.json.format(msgspec.json.encode(facts_of(folder / "journal.fsj"))) + b"\n")


if __name__ == "__main__":
    make(sys.argv[1])
