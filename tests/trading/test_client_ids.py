from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.trading.client_ids import LONGEST, ClientIds, is_ours, parse_client_id

START = 1_767_225_600_000_000


def test_ids_carry_the_run_and_count() -> None:
    ids = ClientIds(START)
    assert [ids.next_id(), ids.next_id()] == ["fs-t85s00-1", "fs-t85s00-2"]
    assert parse_client_id("fs-t85s00-2") == (START // 1_000_000, 2)


def test_a_run_that_begins_in_the_same_second_goes_on_counting() -> None:
    assert ClientIds(START, last="fs-t85s00-41").next_id() == "fs-t85s00-42"


def test_a_clock_set_back_does_not_reuse_ids() -> None:
    later = ClientIds(START + 3_600_000_000)
    last = later.next_id()
    assert parse_client_id(ClientIds(START, last=last).next_id()) > parse_client_id(last)  # type: ignore[operator]


@pytest.mark.parametrize("foreign", ["", "manual-1", "fs", "fs-1", "fs-!-3", "fs-1-x", "xfs-1-1", "fs-1-2-3"])
def test_other_peoples_ids_say_nothing(foreign: str) -> None:
    assert parse_client_id(foreign) is None
    assert ClientIds(START, last=foreign).next_id() == "fs-t85s00-1"


def test_the_prefix_makes_an_order_ours() -> None:
    assert is_ours("fs-abc-1")
    assert not is_ours("someone-1")


@given(st.lists(st.integers(0, 10**16), min_size=1, max_size=8))
def test_no_id_is_handed_out_twice_over_any_restarts(starts: list[int]) -> None:
    seen: list[str] = []
    for started_at in starts:
        ids = ClientIds(started_at, seen[-1] if seen else "")
        seen += [ids.next_id() for _ in range(3)]
    assert len(set(seen)) == len(seen)
    assert all(len(one) <= LONGEST and is_ours(one) for one in seen)
