"""The process dies at every write to its journal (before it, torn in it, after it) and is started again: the laws hold.

Every scenario of the book is lived through once as it is, and then once for each way to die. Laws are those of the storms:
nothing lost, doubled or invented, positions and cash equal to the last digit, every position protected, nothing sent that
was not durable before.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.campaigns.scenarios import SCENARIOS, Scenario, play

WAYS = ("before", "torn", "after")
AGAIN = 3
"""A second death: so many writes after the first one, while the process picks itself up."""
NAMES = [scenario.name for scenario in SCENARIOS]


def dies(write: int, *, at: tuple[int, ...], way: str) -> str:
    return way if write in at else ""


def die_at(scenario: Scenario, way: str, *at: int) -> None:
    """Live through it with deaths at these writes; what breaks says how to see it again."""
    try:
        play(scenario, partial(dies, at=at, way=way))
    except AssertionError as broken:
        raise AssertionError(f"{scenario.name!r}, died {way} write {at}: {broken}") from broken


@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_every_scenario_shows_what_it_is_named_after(scenario: Scenario) -> None:
    _, seen = play(scenario)
    assert not set(scenario.shows) - seen, sorted(seen)


def test_after_a_crash_at_some_writes_the_laws_hold() -> None:
    for number, scenario in enumerate(SCENARIOS):
        die_at(scenario, WAYS[number % len(WAYS)], 7 * (number + 1) % play(scenario)[0])


@pytest.mark.verify
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_after_a_crash_at_every_write_the_laws_hold(scenario: Scenario, way: str) -> None:
    for at in range(play(scenario)[0]):
        die_at(scenario, way, at)


@pytest.mark.verify
@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_after_a_second_crash_while_it_picks_itself_up_the_laws_hold(scenario: Scenario) -> None:
    for at in range(play(scenario)[0]):
        die_at(scenario, "after", at, at + 1)
        die_at(scenario, "torn", at, at + AGAIN)
