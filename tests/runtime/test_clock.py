from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.runtime.clock import ScaledClock, VirtualClock, WallClock


def test_wall_clock_tells_the_machine_s_time_and_never_runs_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = WallClock()
    assert abs(clock.now() - time.time_ns() // 1_000) < 1_000_000
    before = clock.now()
    monkeypatch.setattr(time, "time_ns", lambda: 0)  # somebody set the system clock back to 1970
    assert clock.now() >= before


def test_wall_clock_waits_until_an_instant_and_not_for_the_past() -> None:
    clock = WallClock()
    assert 9.9 < clock.wait_s(clock.now() + 10_000_000) <= 10.0
    assert clock.wait_s(clock.now() - 1) == 0.0


def test_scaled_clock_runs_speed_times_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [1_000_000_000]
    monkeypatch.setattr(time, "monotonic_ns", lambda: wall[0])
    clock = ScaledClock(5_000_000, speed=10.0)
    wall[0] += 2_000_000_000
    assert clock.now() == 5_000_000 + 20_000_000
    assert clock.wait_s(clock.now() + 10_000_000) == 1.0


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_scaled_clock_refuses_a_speed_that_is_no_speed(speed: float) -> None:
    with pytest.raises(ConfigError, match="speed"):
        ScaledClock(0, speed)


@given(st.lists(st.integers(min_value=0, max_value=2**53)))
def test_virtual_clock_moves_only_forwards(instants: list[int]) -> None:
    clock = VirtualClock(0)
    seen = [clock.advance_to(at) for at in instants]
    assert seen == sorted(seen)
    assert clock.now() == max([0, *instants])
