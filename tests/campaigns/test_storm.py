"""The storm in numbers of seeds: 300 in `make test`, 2,000 in `make verify`, any range with `make simulate`."""

from __future__ import annotations

import pytest

from tests.campaigns.seeding import draw
from tests.campaigns.storm import World, live

BLOCK = 25
IN_TEST = 300
IN_VERIFY = 2_000


def weather(first: int, count: int = BLOCK, *, curve: bool = False) -> list[World]:
    """Live through a block of seeds; what is broken names its seed and the command that replays it."""
    worlds = []
    for seed in range(first, first + count):
        try:
            worlds.append(live(draw(seed, curve=curve)))
        except AssertionError as broken:
            raise AssertionError(f"seed {seed} (make simulate SEEDS=1 FROM={seed}): {broken}") from broken
    return worlds


@pytest.mark.parametrize("first", range(0, IN_TEST, BLOCK))
def test_nothing_is_lost_doubled_or_left_unprotected(first: int) -> None:
    worlds = weather(first)
    assert sum(len(world.laws.sent) for world in worlds) > BLOCK, "a storm in which nobody trades proves nothing"


@pytest.mark.verify
@pytest.mark.parametrize("first", range(IN_TEST, IN_VERIFY, BLOCK))
def test_nothing_is_lost_doubled_or_left_unprotected_in_any_of_two_thousand_seeds(first: int) -> None:
    weather(first)


def test_without_faults_nothing_is_naked_for_two_seconds() -> None:
    for seed in range(1_000_000, 1_000_060, 10):
        world = weather(seed, 1)[0]
        assert not [kind for kind in world.counts if kind != "status"]
        assert max(world.laws.naked_times, default=0) <= 2_000_000


def test_the_same_seed_gives_the_same_bytes() -> None:
    for seed in (1, 24):
        assert weather(seed, 1)[0].hash == weather(seed, 1)[0].hash
    assert weather(1, 1)[0].hash != weather(2, 1)[0].hash


@pytest.mark.verify
@pytest.mark.parametrize("first", range(5_000, 5_050, 10))
def test_the_same_seed_gives_the_same_bytes_fifty_times(first: int) -> None:
    assert [world.hash for world in weather(first, 10)] == [world.hash for world in weather(first, 10)]


@pytest.mark.verify
@pytest.mark.parametrize("first", range(0, 20, 5))
def test_twenty_storms_signed_and_verified_on_the_real_curve(first: int) -> None:
    weather(first, 5, curve=True)
