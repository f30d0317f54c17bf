"""`replay` on the golden run: what a person reads when it is the same, when it is not, and hop by hop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from flashscalper.cli.replay import replay
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import FlashScalperError
from flashscalper.runtime.journal import Journal, journal_hash, journal_metadata, read_journal
from tests.runtime.golden import GOLDENS, unpacked
from tests.runtime.test_goldens import THIS

Told = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return unpacked(GOLDENS / THIS, tmp_path / "runs" / "golden")


@pytest.fixture
def told(run: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    def ask(*, code: int = 0, trace: str = "", as_json: bool = False) -> str:
        assert replay("golden", trace=trace, runs=run.parent, json=as_json) == code
        return capsys.readouterr().out

    return ask


def test_the_same_journal_is_said_with_its_hash(run: Path, told: Told) -> None:
    expected = journal_hash(run / "journal.fsj")
    assert told().endswith(f" equal\nthe same journal, byte for byte: journal_hash {expected}\n")
    found = json.loads(told(as_json=True))
    assert found["journal_hash"] == found["replay_hash"] == expected
    assert found["equal"] == found["records"]


def test_another_journal_ends_with_exit_code_1_and_the_first_difference(run: Path, told: Told) -> None:
    entries, metadata = list(read_journal(run / "journal.fsj")), journal_metadata(run / "journal.fsj")
    number, order = next((n, entry.content) for n, entry in enumerate(entries, 1) if isinstance(entry.content, PlaceOrder))
    (run / "journal.fsj").unlink()
    with Journal(run / "journal.fsj", metadata, durable=False) as journal:
        for at, content in entries:
            journal.append(at, [msgspec.structs.replace(order, size=order.size * 2) if content is order else content])
    text = told(code=1)
    assert f"first difference at record {number} (event " in text
    assert f"PlaceOrder size={order.size * 2!r}" in text
    assert "the same journal" not in text


def test_a_torn_journal_is_said_and_never_called_the_same(run: Path, told: Told) -> None:
    data = (run / "journal.fsj").read_bytes()
    (run / "journal.fsj").write_bytes(data[:-5])
    text = told()
    assert "the tape's last event has 1 records more than the journal, as after a crash" in text
    assert "the same journal" not in text
    assert json.loads(told(as_json=True))["replay_hash"] == ""


def test_an_event_an_order_and_a_record_are_traced_hop_by_hop(run: Path, told: Told) -> None:
    entries = enumerate(read_journal(run / "journal.fsj"), 1)
    number, order = next((n, entry.content) for n, entry in entries if isinstance(entry.content, PlaceOrder))
    by_record = told(trace=str(number))
    head, *hops = by_record.splitlines()
    event = head.partition("  event ")[2].partition(":")[0]
    assert told(trace=f"event:{event}") == by_record
    assert hops[0].startswith("    -> KlineClosed("), "an order begins with a closed kline"
    assert f"    -> record {number}: PlaceOrder(" in by_record
    assert "SignalJudged(" in by_record
    life = told(trace=order.client_id)
    assert len([line for line in life.splitlines() if not line.startswith("    ")]) > 1
    assert "OrderUpdate(" in life
    (step,) = json.loads(told(trace=f"event:{event}", as_json=True))
    assert (step["event"], len(step["klines"])) == (int(event), by_record.count("-> KlineClosed("))
    for nobody in ("event:0", "event:999999", "999999", "fs-nobody-1"):
        with pytest.raises(FlashScalperError, match="no order, no record and no event"):
            told(trace=nobody)
