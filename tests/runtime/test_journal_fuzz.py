"""Whatever a disk may hand back: the journal's reader gives a beginning of what was written, or refuses by name."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import JournalError
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.records import Note
from flashscalper.runtime.framing import _HEADER, FORMAT_VERSION, encode_header, encode_record
from flashscalper.runtime.journal import JOURNAL_MAGIC, Content, Entry, Journal, journal_metadata, read_journal
from flashscalper.runtime.recovery import CHECKPOINT, state_of

T = TypeVar("T")
ORDER = PlaceOrder(
    client_id="fs-a-1", symbol="ETHUSDT", side=Side.BUY, type=OrderType.LIMIT, size=Decimal("0.1"), price=Decimal(2500),
    role=OrderRole.ENTRY, reason="signal",
)  # fmt: skip
CONTENTS: list[Content] = [ORDER, Note("x", "one", 1), "a remark", ORDER, Note("x", "two", 2)]
WRITTEN = [Entry(number, content) for number, content in enumerate(CONTENTS)]

mutations = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "drop", "double"]), st.integers(0, 2_000), st.binary(max_size=40)),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed") / "j"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "j"
    with Journal(path, {"run": "a"}, durable=False) as journal:
        for entry in WRITTEN:
            journal.append(entry.at, [entry.content])
    return path.read_bytes()


def mutated(data: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    for kind, where, bytes_ in changes:
        at = where % (len(data) + 1)
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "insert":
            data = data[:at] + bytes_ + data[at:]
        elif kind == "drop":
            data = data[:at] + data[at + len(bytes_) :]
        elif kind == "double":
            data = data[:at] + data[at : at + len(bytes_)] + data[at:]
    return data


def read(path: Path) -> list[Entry] | None:
    """What the reader makes of it; None for a refusal. Anything else than JournalError is a defect."""
    try:
        journal_metadata(path)
        return list(read_journal(path))
    except JournalError:
        return None


@settings(max_examples=200, deadline=None)
@given(changes=mutations)
def test_a_damaged_journal_is_a_beginning_of_the_whole_one_or_refused(
    changes: list[tuple[str, int, bytes]], whole: bytes, place: Path
) -> None:
    place.write_bytes(mutated(whole, changes))
    found = read(place)
    assert found is None or found == WRITTEN[: len(found)]


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_or_empty(data: bytes, place: Path) -> None:
    for content in (data, b"FSJL" + data, encode_header(JOURNAL_MAGIC, {}) + data):
        place.write_bytes(content)
        assert read(place) in (None, [])


payloads = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda at, content: msgspec.msgpack.encode((at, content)),
        st.integers(-5, 2**63 - 1),
        st.one_of(
            st.none(),
            st.integers(-(2**63), 2**64 - 1),
            st.text(max_size=9),
            st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
        ),
    ).filter(lambda data: len(data) < 100),
)


@settings(max_examples=60, deadline=None)
@given(metadata=st.binary(max_size=40), payload=payloads)
def test_whole_records_of_somebody_elses_making_are_refused_by_offset(metadata: bytes, payload: bytes, place: Path) -> None:
    begin = encode_header(JOURNAL_MAGIC, {})
    place.write_bytes(begin + encode_record(1, payload))
    refused, found = refusal(lambda: list(read_journal(place)))
    assert f"byte {len(begin)}" in refused if found is None else len(found) == 1
    place.write_bytes(_header_of(metadata))
    assert read(place) in (None, [])


def refusal(action: Callable[[], T]) -> tuple[str, T | None]:
    """What it says when it refuses, or what it gives."""
    try:
        return "", action()
    except JournalError as refused:
        return str(refused), None


def _header_of(payload: bytes) -> bytes:
    """A header whose checksum fits a payload that is none."""
    return _HEADER.pack(JOURNAL_MAGIC, FORMAT_VERSION, len(payload), crc32(payload)) + payload


notes = st.sampled_from(["exit_plan", "risk_counters", "starting_cash", "funding", "rebuild_dropped"])


@settings(max_examples=60, deadline=None)
@given(code=notes, text=st.one_of(st.text(max_size=30), st.just("{}"), st.just("NaN")), checkpoint=st.text(max_size=20))
def test_a_state_that_makes_no_sense_is_refused_and_never_believed(
    code: str, text: str, checkpoint: str, place: Path
) -> None:
    for content in (Note(code, text, 1, "ETHUSDT"), CHECKPOINT + checkpoint):
        place.unlink(missing_ok=True)
        with Journal(place, {}, durable=False) as journal:
            journal.append(1, [content])
        refused, saved = refusal(lambda: state_of(place))
        if saved is None:
            assert str(place) in refused
        else:
            assert saved.starting_cash is None or saved.starting_cash.is_finite()
            assert saved.payments.is_finite()
