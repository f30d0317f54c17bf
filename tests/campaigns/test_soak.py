"""A slice of `make soak`: memory that stays, descriptors and tasks that come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashscalper.runtime.live import run_loop
from tests.campaigns.soak import Sample, Soaked, broken, soak
from tests.campaigns.soak_sockets import Hosted, left_over, over_sockets

SLICE_GROWTH_MIB = 4.0
"""A slice of 100,000 messages is too short for a slope; what it takes after its first half must be next to nothing."""


@pytest.mark.verify
@pytest.mark.timeout(600)
def test_a_hundred_thousand_messages_and_thirty_reconnects_leave_memory_where_it_was(tmp_path: Path) -> None:
    done = soak(tmp_path, 100_000, 30)
    assert (done.flat, done.descriptors_after) == (True, done.descriptors_before)
    assert (done.reconnects >= 30, done.orders >= 30, done.fills > 0) == (True, True, True)
    half = next(one for one in done.samples if one.messages >= done.messages // 2)
    assert done.samples[-1].rss_mib - half.rss_mib < SLICE_GROWTH_MIB, done.samples


@pytest.mark.verify
@pytest.mark.timeout(600)
def test_thirty_reconnects_over_sockets_leave_no_file_and_no_task(tmp_path: Path) -> None:
    hosted = run_loop(over_sockets(tmp_path, 30))
    assert hosted.reconnects >= 30
    assert left_over(hosted) == []


def soaked(*, per_million: float, highest: float = 100.0, flat: bool = True, after: int = 10) -> Soaked:
    samples = tuple(Sample(at, highest - (4_000_000 - at) / 1e6 * per_million, 20) for at in range(0, 4_000_001, 100_000))
    return Soaked(
        messages=4_000_000, reconnects=1, orders=2_000, fills=1, market_hours=1.0, samples=samples, descriptors_before=10,
        descriptors_after=after, flat=flat,
    )  # fmt: skip


def test_the_judgement_sees_every_kind_of_leak() -> None:
    assert broken(soaked(per_million=0.5), orders=2_000) == []
    assert "grew by 1.50 MiB" in broken(soaked(per_million=1.5), orders=2_000)[0]
    assert "at most" in broken(soaked(per_million=0.0, highest=151.0), orders=2_000)[0]
    assert broken(soaked(per_million=0.0, flat=False), orders=2_000) == ["orders were left open"]
    assert "10 before, 11 after" in broken(soaked(per_million=0.0, after=11), orders=2_000)[0]
    assert broken(soaked(per_million=0.0), orders=2_001) == ["only 2000 orders"]
    assert left_over(Hosted(1_000, (20, 10), (22, 11), (5, 1), (5, 1))) == []
    assert len(left_over(Hosted(1_000, (20, 10), (40, 10), (5, 1), (6, 1)))) == 2
