"""The small machines: alarms, clock, rate budget, book door."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.exchanges.paradex.alarms import Alarms
from flashscalper.exchanges.paradex.books import BookDoor, BookVerdict
from flashscalper.exchanges.paradex.clock import ExchangeClock
from flashscalper.exchanges.paradex.desk import Desk
from flashscalper.exchanges.paradex.limits import PRO_LIMITS, RETAIL_LIMITS, RateBudget
from flashscalper.exchanges.paradex.requests import Group
from flashscalper.exchanges.paradex.rest import Rest
from flashscalper.model.events import BookChange
from tests.exchanges.paradex.bench import START, settings

SECOND = 1_000_000


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30))
def test_alarms_ring_once_in_order_of_time_then_of_being_set_and_never_when_cancelled(plan: list[tuple[int, bool]]) -> None:
    alarms = Alarms()
    rung: list[int] = []
    for number, (at, cancelled) in enumerate(plan):
        alarm = alarms.at(at, lambda now, n=number: rung.append(n))  # type: ignore[misc]
        if cancelled:
            alarm.cancel()
    standing = sorted((at, number) for number, (at, cancelled) in enumerate(plan) if not cancelled)
    assert alarms.next_at() == (standing[0][0] if standing else None)
    alarms.ring(50)
    assert rung == [number for _, number in standing]
    assert alarms.next_at() is None


def test_an_alarm_set_by_an_alarm_for_the_same_instant_rings_too() -> None:
    alarms = Alarms()
    rung: list[int] = []

    def again(now: int) -> None:
        alarms.at(now, rung.append)

    alarms.at(5, again)
    alarms.ring(5)
    assert rung == [5]


def a_clock() -> ExchangeClock:
    desk = Desk(settings(), random.Random(1))
    return ExchangeClock(desk, Rest(desk, RateBudget()))


def test_the_clock_takes_the_median_of_the_last_five_midpoints() -> None:
    clock = a_clock()
    for offset, delay in ((100, 10), (120, 20), (110, 900_000), (5_000_000, 10), (105, 10)):
        clock.add(START, START + delay * 2, START + delay + offset - 500)
    assert clock.offset_us == 110
    for _ in range(5):
        clock.add(START, START + 20, START + 10 + 300 - 500)
    assert (clock.offset_us, clock.exchange_now(7), clock.uncertainty_us) == (300, 307, 510)


def test_ordinary_calls_leave_three_tenths_to_cancels_and_reduce_only() -> None:
    budget = RateBudget()
    ordinary = 0
    while budget.take(Group.ORDER, START) == 0:
        ordinary += 1
    urgent = 0
    while budget.take(Group.ORDER, START, urgent=True) == 0:
        urgent += 1
    assert (ordinary, urgent) == (560, 240)


@given(st.lists(st.integers(0, 2 * SECOND), max_size=60), st.sampled_from([PRO_LIMITS, RETAIL_LIMITS]))
def test_no_window_ever_sees_more_than_twice_its_limit_and_waits_are_honest(
    steps: list[int], limits: dict[Group, tuple[tuple[int, int], ...]]
) -> None:
    budget, now, granted = RateBudget(limits), START, []
    for step in steps:
        now += step
        wait = budget.take(Group.ORDER, now, urgent=True)
        if wait:
            assert budget.take(Group.ORDER, now + wait - 2, urgent=True) > 0 or wait < 3
            now += wait
            assert budget.take(Group.ORDER, now, urgent=True) == 0
        granted.append(now)
    for capacity, window_s in limits[Group.ORDER]:
        for begin in granted:
            inside = [at for at in granted if begin <= at < begin + window_s * SECOND]
            assert len(inside) <= 2 * capacity


def test_a_429_blocks_its_group_until_retry_after_and_no_other() -> None:
    budget = RateBudget()
    budget.block(Group.READ, START, 2.5)
    assert budget.take(Group.READ, START + SECOND, urgent=True) == 1_500_000
    assert budget.take(Group.ORDER, START + SECOND) == 0
    assert budget.take(Group.READ, START + 2_500_000) == 0


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-window": "60"}, False),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-window": "7"}, True),
        ({"x-ratelimit-remaining": "-5", "x-ratelimit-window": "60"}, True),
        ({"x-ratelimit-remaining": "many", "x-ratelimit-window": "60"}, True),
        ({}, True),
    ],
)
def test_what_the_headers_say_lowers_our_own_count(headers: dict[str, str], left: bool) -> None:
    budget = RateBudget()
    budget.learn(Group.PUBLIC, headers, START)
    assert (budget.take(Group.PUBLIC, START, urgent=True) == 0) is left


def change(seq: int, snapshot: bool) -> BookChange:
    return BookChange("ETHUSDT", seq, snapshot, ((1.0, 1.0),), ((2.0, 1.0),), START)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=40))
def test_what_passes_the_book_door_begins_with_a_snapshot_and_never_goes_back(plan: list[tuple[int, bool]]) -> None:
    door, passed = BookDoor(), []
    for seq, snapshot in plan:
        verdict = door.judge(change(seq, snapshot))
        if verdict is BookVerdict.TAKE:
            passed.append((seq, snapshot))
        elif verdict is BookVerdict.RESYNC:
            assert passed
            assert seq < passed[-1][0]
            door.reset()
            passed.clear()
    assert not passed or passed[0][1]
    assert [seq for seq, _ in passed] == sorted(seq for seq, _ in passed)
