from __future__ import annotations

import os
import struct
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.commands import CancelOrder, PlaceOrder, Reconcile
from flashscalper.model.errors import JournalError
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.records import EquityPoint, Note
from flashscalper.runtime.framing import decode_header
from flashscalper.runtime.journal import (
    JOURNAL_MAGIC,
    Content,
    Entry,
    Journal,
    holds_order,
    journal_hash,
    journal_metadata,
    read_journal,
)

PLACE = PlaceOrder(
    client_id="fs-a-1",
    symbol="ETHUSDT",
    side=Side.BUY,
    type=OrderType.LIMIT,
    size=Decimal("0.10"),
    price=Decimal("2500.5"),
    role=OrderRole.ENTRY,
    reason="signal",
)
NOTE = Note(code="quiet", text="nothing happened", at=3)

contents = st.one_of(
    st.just(PLACE),
    st.builds(Reconcile, fills_since=st.integers(0, 2**50)),
    st.builds(
        EquityPoint,
        at=st.integers(0, 2**50),
        equity=st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9),
        cash=st.just(Decimal("0.00000001")),
    ),
    st.builds(Note, code=st.just("x"), text=st.text(max_size=40), at=st.integers(0, 2**50)),
    st.text(max_size=20),
)
batches = st.lists(st.tuples(st.integers(0, 2**50), st.lists(contents, max_size=4)), max_size=8)


def written(path: Path, batch: list[Content]) -> bytes:
    with Journal(path, {"run": "a"}, durable=False) as journal:
        for number, content in enumerate(batch):
            journal.append(number, [content])
    return path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(batches)
def test_what_was_appended_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, what: list[tuple[int, list[Content]]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.fsj"
    with Journal(path, {"run": "a"}, durable=False) as journal:
        for at, batch in what:
            journal.append(at, batch)
        expected = [Entry(at, content) for at, batch in what for content in batch]
        assert list(journal.entries()) == expected
        assert len(journal) == len(expected)
        running = journal.hash()
    assert list(read_journal(path)) == expected
    assert journal_hash(path) == running


def test_a_journal_says_which_run_it_belongs_to(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {"run": "q1", "seed": 7}) as journal:
        journal.append(1, [PLACE])
        journal.sync()
    assert journal_metadata(tmp_path / "j") == {"run": "q1", "seed": 7}


def test_a_torn_tail_is_cut_at_every_byte_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = written(path, [PLACE, NOTE, PLACE])
    two = written(tmp_path / "two", [PLACE, NOTE])
    for cut in range(len(two), len(whole)):
        path.write_bytes(whole[:cut])
        assert list(read_journal(path)) == [Entry(0, PLACE), Entry(1, NOTE)]
        with Journal(path, {"run": "other"}, durable=False) as journal:
            assert len(journal) == 2
            assert path.stat().st_size == len(two)
            journal.append(9, ["again"])
        assert [entry.content for entry in read_journal(path)] == [PLACE, NOTE, "again"]


def test_a_tail_of_zeros_after_a_power_cut_is_cut(tmp_path: Path) -> None:
    whole = written(tmp_path / "j", [PLACE, NOTE])
    (tmp_path / "j").write_bytes(whole + bytes(4096))
    assert len(list(read_journal(tmp_path / "j"))) == 2


def test_damage_in_the_middle_is_refused_with_its_offset_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = written(path, [PLACE, NOTE, PLACE])
    first = decode_header(whole, JOURNAL_MAGIC, "j")[1]
    second = len(written(tmp_path / "one", [PLACE]))
    third = len(written(tmp_path / "two", [PLACE, NOTE]))
    for place in range(first, third):
        damaged = bytearray(whole)
        damaged[place] ^= 0x5A
        path.write_bytes(damaged)
        offset = first if place < second else second
        with pytest.raises(JournalError, match=rf"damaged at byte {offset}\b"):
            list(read_journal(path))
        with pytest.raises(JournalError, match="damaged"):
            Journal(path, {})
        assert path.read_bytes() == damaged, "a refused journal is left as it was"


def test_a_record_cut_out_of_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = written(path, [PLACE, NOTE])
    first = decode_header(whole, JOURNAL_MAGIC, "j")[1]
    second = len(written(tmp_path / "one", [PLACE]))
    path.write_bytes(whole[:first] + whole[second:])
    with pytest.raises(JournalError, match=f"damaged at byte {first}"):
        list(read_journal(path))


def test_another_format_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = bytearray(written(path, [NOTE]))
    struct.pack_into("<H", whole, 4, 9)
    path.write_bytes(whole)
    with pytest.raises(JournalError, match="format version 9; this program reads version 1"):
        read_journal(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"symbol,price\n")
    with pytest.raises(JournalError, match="not a file of this kind"):
        Journal(tmp_path / "j", {})
    with pytest.raises(JournalError, match="No such file"):
        read_journal(tmp_path / "nowhere")


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}), pytest.raises(JournalError, match="another process"):
        Journal(tmp_path / "j", {})


def test_nothing_can_be_written_after_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j", {})
    with monkeypatch.context() as patch:

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "write", full)
        with pytest.raises(JournalError, match="No space left"):
            journal.append(1, [PLACE])
    with pytest.raises(JournalError, match="No space left"):
        journal.append(2, [NOTE])
    with pytest.raises(JournalError, match="No space left"):
        journal.sync()
    journal.close()
    assert list(read_journal(tmp_path / "j")) == []


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", {})
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(1, [NOTE])


def test_the_hash_speaks_of_decisions_only(tmp_path: Path) -> None:
    hashes = []
    for name, remark, content in (("a", "started on host x", PLACE), ("b", "started on host y", PLACE), ("c", "", NOTE)):
        with Journal(tmp_path / name, {"run": name}) as journal:
            journal.append(1, [remark, content])
        hashes.append(journal_hash(tmp_path / name))
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_the_hash_goes_on_where_the_file_ended(tmp_path: Path) -> None:
    with Journal(tmp_path / "once", {}) as journal:
        journal.append(1, [PLACE, NOTE])
        expected = journal.hash()
    with Journal(tmp_path / "twice", {}) as journal:
        journal.append(1, [PLACE])
    with Journal(tmp_path / "twice", {}) as journal:
        journal.append(1, [NOTE])
        assert journal.hash() == expected


def test_only_order_commands_ask_for_a_sync() -> None:
    cancel = CancelOrder(client_id="fs-a-1", symbol="ETHUSDT", role=OrderRole.ENTRY, reason="r")
    assert holds_order([NOTE, cancel])
    assert holds_order([PLACE])
    assert not holds_order([NOTE, Reconcile(fills_since=0)])
