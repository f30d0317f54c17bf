from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.errors import JournalError
from flashscalper.model.events import BestQuote, BookChange, Event, OperatorAction, OperatorAsked, TimePassed
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side
from flashscalper.runtime.tape import Recorded, Tape, read_tape, tape_parts

finite = st.floats(allow_nan=False, allow_infinity=False)
events = st.one_of(
    st.builds(Trade, symbol=st.just("ETHUSDT"), id=st.integers(0, 10**28), side=st.sampled_from(Side), price=finite,
              size=finite, traded_at=st.integers(0, 2**50)),
    st.builds(BestQuote, symbol=st.just("ETHUSDT"), bid=st.none() | finite, bid_size=finite, ask=finite, ask_size=finite,
              quoted_at=st.integers(0, 2**50)),
    st.builds(BookChange, symbol=st.just("ETHUSDT"), seq_no=st.integers(0, 9), snapshot=st.booleans(),
              bids=st.lists(st.tuples(finite, finite), max_size=3).map(tuple),
              asks=st.just(()), changed_at=st.integers(0, 2**50)),
    st.builds(TimePassed, passed_at=st.integers(0, 2**50)),
    st.just(OperatorAsked(OperatorAction.STOP, "the end")),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**8), events), max_size=30), st.sampled_from([1, 200, 10**6]))
def test_every_input_is_read_back_in_arrival_order(
    tmp_path_factory: pytest.TempPathFactory, what: list[tuple[int, Event]], part_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("tape")
    with Tape(folder, {"run": "a"}, part_bytes=part_bytes) as tape:
        for at, event in what:
            tape.write(at, event)
    assert list(read_tape(folder)) == [Recorded(at, event) for at, event in what]


def test_a_crash_loses_at_most_the_last_second(tmp_path: Path) -> None:
    tape = Tape(tmp_path, {})
    for at in range(0, 10_000_000, 100_000):
        tape.write(at, TimePassed(at))
    read = [recorded.at for recorded in read_tape(tmp_path)]  # the process died here: nothing was closed
    tape.close()
    assert read == list(range(0, read[-1] + 1, 100_000))
    assert 9_900_000 - read[-1] <= 1_000_000


def test_a_torn_end_is_left_out_and_a_later_run_begins_a_new_part(tmp_path: Path) -> None:
    with Tape(tmp_path, {}) as tape:
        tape.write(1, TimePassed(1))
        tape.write(2, TimePassed(2))
    (part,) = tape_parts(tmp_path)
    part.write_bytes(part.read_bytes()[:-1])
    with Tape(tmp_path, {}) as tape:
        tape.write(3, TimePassed(3))
    assert [recorded.at for recorded in read_tape(tmp_path)] == [1, 3]


def test_the_oldest_parts_go_when_the_tape_is_full_and_then_it_cannot_be_replayed(tmp_path: Path) -> None:
    with Tape(tmp_path, {}, part_bytes=100, kept_bytes=1_000) as tape:
        for at in range(0, 200_000_000, 1_000_000):
            tape.write(at, TimePassed(at))
    assert sum(part.stat().st_size for part in tape_parts(tmp_path)) < 1_200
    with pytest.raises(JournalError, match="part 1 of the tape is missing"):
        list(read_tape(tmp_path))


def test_damage_is_refused(tmp_path: Path) -> None:
    with Tape(tmp_path, {}) as tape:
        for at in range(3):
            tape.write(at, TimePassed(at))
    (part,) = tape_parts(tmp_path)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(JournalError, match="damaged at byte"):
        list(read_tape(tmp_path))
