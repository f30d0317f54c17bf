"""The same tape gives the same journal; a journal that says something else is caught at its first record."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from flashscalper.cli.demo import STARTED_AT, Demo, DemoOptions
from flashscalper.cli.feeds import open_synthetic
from flashscalper.cli.live_view import PlainView
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import ConfigError, FlashScalperError, JournalError
from flashscalper.model.records import Note
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.journal import Journal, journal_metadata, read_journal
from flashscalper.runtime.replaying import Replay
from flashscalper.runtime.tape import tape_parts


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo in lock-step that trades."""
    home = tmp_path_factory.mktemp("replayed")
    options = DemoOptions.parse(
        seconds=150, speed="max", feed="synthetic", seed=2, markets="ETHUSDT,SOLUSDT", interval="5s", runs=home, json=True
    )
    feed = open_synthetic(seed=2, symbols=options.symbols, started_at=STARTED_AT)
    Demo(options, feed, STARTED_AT, PlainView(None)).run(RunArtifacts("demo", home))
    return home / "demo"


def copied(run: Path, to: Path, change: dict[int, object], keep: int | None = None) -> Path:
    """The run with other records in its journal, or fewer."""
    (to / "run").mkdir()
    (to / "run" / "tape").symlink_to(run / "tape")
    with Journal(to / "run" / "journal.fsj", journal_metadata(run / "journal.fsj"), durable=False) as journal:
        for number, entry in enumerate(list(read_journal(run / "journal.fsj"))[:keep], start=1):
            journal.append(entry.at, [change.get(number, entry.content)])  # type: ignore[list-item]
    return to / "run"


def test_a_demo_gives_its_own_journal_again(run: Path) -> None:
    result = Replay(run).compare()
    assert result.difference is None
    assert result.equal == result.records > 100
    assert result.beyond_tape == 0


def test_the_first_other_record_is_named_with_both_sides(run: Path, tmp_path: Path) -> None:
    entries = list(read_journal(run / "journal.fsj"))
    number, order = next(
        (number, entry.content) for number, entry in enumerate(entries, 1) if isinstance(entry.content, PlaceOrder)
    )
    other = copied(run, tmp_path, {number: msgspec.structs.replace(order, size=order.size * 2)})
    difference = Replay(other).compare().difference
    assert difference is not None
    assert difference.record == number
    assert f"PlaceOrder size={order.size * 2!r}" in difference.journal
    assert f"PlaceOrder size={order.size!r}" in difference.replay


def test_a_record_that_nobody_decided_is_a_difference(run: Path, tmp_path: Path) -> None:
    other = copied(run, tmp_path, {5: Note(code="forged", text="", at=0)})
    difference = Replay(other).compare().difference
    assert difference is not None
    assert difference.record == 5


def test_a_journal_that_ends_too_early_is_a_difference(run: Path, tmp_path: Path) -> None:
    difference = Replay(copied(run, tmp_path, {}, keep=50)).compare().difference
    assert difference is not None
    assert (difference.record, difference.journal) == (51, "(its end)")


def test_a_tape_that_a_crash_cut_short_is_said_and_no_difference(run: Path, tmp_path: Path) -> None:
    other = copied(run, tmp_path, {})
    (other / "tape").unlink()
    (other / "tape").mkdir()
    (part,) = tape_parts(run / "tape")
    data = part.read_bytes()
    (other / "tape" / part.name).write_bytes(data[: len(data) * 3 // 4])
    result = Replay(other).compare()
    assert result.difference is None
    assert result.beyond_tape == result.records - result.equal > 0


def test_an_order_is_traced_from_signal_to_fill(run: Path) -> None:
    order = next(entry.content for entry in read_journal(run / "journal.fsj") if isinstance(entry.content, PlaceOrder))
    steps = list(Replay(run).trace(order.client_id))
    kinds = [type(output).__name__ for step in steps for _, output in step.outputs]
    assert kinds[:3] == ["SignalJudged", "OrderStateChanged", "PlaceOrder"]
    assert {"RequestOutcome", "OrderUpdate"} <= {type(step.event).__name__ for step in steps}
    (one,) = Replay(run).trace("1")
    assert one.outputs[0][0] == 1
    assert list(Replay(run).trace("fs-nobody-1")) == []


def test_what_is_no_run_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run: saw"):
        Replay(tmp_path)
    (tmp_path / "tape").mkdir()
    with Journal(tmp_path / "journal.fsj", {"run": "old"}):
        pass
    with pytest.raises(JournalError, match="does not say what its engine was made of"):
        Replay(tmp_path)
    assert issubclass(JournalError, FlashScalperError)
