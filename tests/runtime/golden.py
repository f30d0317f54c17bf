"""Makes the golden run of this release: `python -m tests.runtime.golden`, the last time before the release is tagged.

A deterministic demo in lock-step leaves a journal and a tape; beside them lie the facts that every later release must read
out of them. The folders of earlier releases are never made anew: a release that cannot read them must refuse them by name,
and then this says so in its test.

What is decided may change from one release to the next, so only the golden of the release that is being made is replayed to
the same journal. Whoever changes on purpose what the engine decides makes that one anew and says in CHANGELOG what changed;
`flashscalper replay` on the old folder names the first decision that is another one.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import msgspec

from flashscalper.cli.demo import STARTED_AT, Demo, DemoOptions
from flashscalper.cli.feeds import open_synthetic
from flashscalper.cli.live_view import PlainView
from flashscalper.model.records import ProtectionChanged
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.journal import journal_hash, read_journal
from flashscalper.runtime.replaying import JOURNAL, TAPE
from flashscalper.runtime.tape import read_tape, tape_parts
from flashscalper.trading.protection import ProtectionState
from flashscalper.trading.saved import SavedState, read_back

GOLDENS = Path(__file__).parent / "goldens"
PACKED_TAPE = "tape-000001.fst.gz"


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
    """What is to be read out of a golden run: all of its journal, the first `protected_at` records, with a position open,
    and its tape."""

    events: int
    hash: str
    records: int
    kinds: dict[str, int]
    protected_at: int
    protected: State
    end: State


def facts_of(run: Path) -> Facts:
    """Everything that the test compares, of a run's folder."""
    journal = run / JOURNAL
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
        events=sum(1 for _ in read_tape(run / TAPE)), hash=journal_hash(journal), records=len(entries),
        kinds=dict(sorted(kinds.items())), protected_at=at, protected=_state(read_back(islice(entries, at))),
        end=_state(read_back(entries)),
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


def unpacked(golden: Path, to: Path) -> Path:
    """The golden run as a folder that can be replayed."""
    (to / TAPE).mkdir(parents=True)
    shutil.copyfile(golden / JOURNAL, to / JOURNAL)
    (to / TAPE / PACKED_TAPE.removesuffix(".gz")).write_bytes(gzip.decompress((golden / PACKED_TAPE).read_bytes()))
    return to


def make(release: str) -> None:
    """Run the demo and keep its journal and tape, in the place of what was there."""
    folder = GOLDENS / release
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        options = DemoOptions.parse(
            seconds=150, speed="max", feed="synthetic", seed=2, markets="ETHUSDT,SOLUSDT", interval="5s",
            runs=Path(home), json=True,
        )  # fmt: skip
        feed = open_synthetic(seed=2, symbols=options.symbols, started_at=STARTED_AT)
        artifacts = RunArtifacts("golden", Path(home))
        Demo(options, feed, STARTED_AT, PlainView(None)).run(artifacts)
        shutil.copyfile(artifacts.journal, folder / JOURNAL)
        (part,) = tape_parts(artifacts.tape)
        (folder / PACKED_TAPE).write_bytes(gzip.compress(part.read_bytes(), mtime=0))
        facts = msgspec.json.encode(facts_of(artifacts.folder))
    (folder / "facts.json").write_bytes(msgspec.json.format(facts) + b"\n")


if __name__ == "__main__":
    make(version("flashscalper"))
