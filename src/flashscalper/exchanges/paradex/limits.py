"""The rate budget: how many requests we still may make, so that the exchange never has to say no.

One `RateBudget` belongs to one key and address; clients that share those share it. Ordinary calls leave 30 % of every
bucket to cancels and reduce-only orders, so that getting out is possible when everything else is spent. A batch counts as
one. Limits: paradex.md section 7; what the headers of answers say about the remainder overrides our own count downwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from types import MappingProxyType
from typing import Final

from flashscalper.exchanges.paradex.requests import Group
from flashscalper.model.instants import SECOND_US

RESERVED_SHARE: Final = 0.3
PRO_LIMITS: Final[Mapping[Group, tuple[tuple[int, int], ...]]] = MappingProxyType(
    {
        Group.PUBLIC: ((1_500, 60),),
        Group.AUTH: ((600, 60),),
        Group.READ: ((120, 1), (600, 60)),
        Group.ORDER: ((800, 1), (17_250, 60)),
    }
)
"""Group -> (requests, per seconds), standard token."""
RETAIL_LIMITS: Final[Mapping[Group, tuple[tuple[int, int], ...]]] = MappingProxyType(
    {**PRO_LIMITS, Group.ORDER: ((3, 1), (30, 60), (300, 3_600), (1_000, 86_400))}
)
"""The same with an interactive token."""


class Bucket:
    """A token bucket with continuous refill."""

    __slots__ = ("_rate", "_seen_at", "capacity", "tokens", "window_s")

    def __init__(self, capacity: int, window_s: int) -> None:
        self.capacity = float(capacity)
        self.window_s = window_s
        self.tokens = self.capacity
        self._rate = capacity / (window_s * SECOND_US)
        self._seen_at: int | None = None

    def wait_us(self, now: int, floor: float) -> int:
        """How long until one token above `floor` is there; 0 when it is there now."""
        if self._seen_at is not None:
            self.tokens = min(self.capacity, self.tokens + max(0, now - self._seen_at) * self._rate)
        self._seen_at = now
        missing = floor + 1.0 - self.tokens
        return ceil(missing / self._rate) if missing > 1e-9 else 0


class RateBudget:
    """All buckets of one key and address."""

    def __init__(self, limits: Mapping[Group, tuple[tuple[int, int], ...]] = PRO_LIMITS) -> None:
        self._buckets = {group: tuple(Bucket(*limit) for limit in pairs) for group, pairs in limits.items()}
        self._blocked_until = dict.fromkeys(limits, 0)

    def take(self, group: Group, now: int, *, urgent: bool = False) -> int:
        """Take one request of `group`: 0 when granted, otherwise microseconds until it is worth asking again.

        `urgent` (cancels, reduce-only orders) may use the reserved share. Nothing is granted before a 429's Retry-After.
        """
        blocked = self._blocked_until[group] - now
        if blocked > 0:
            return blocked
        buckets = self._buckets[group]
        wait = 0
        for bucket in buckets:
            wait = max(wait, bucket.wait_us(now, 0.0 if urgent else _reserve(bucket)))
        if wait == 0:
            for bucket in buckets:
                bucket.tokens -= 1.0
        return wait

    def block(self, group: Group, now: int, retry_after_s: float) -> None:
        """The exchange said 429: nothing of this group before its Retry-After."""
        self._blocked_until[group] = max(self._blocked_until[group], now + int(retry_after_s * SECOND_US))

    def learn(self, group: Group, headers: Mapping[str, str], now: int) -> None:
        """Lower our count to what `X-RateLimit-Remaining` says; headers that are missing or damaged are ignored."""
        remaining, window = headers.get("x-ratelimit-remaining", ""), headers.get("x-ratelimit-window", "")
        if not (remaining.isdecimal() and window.isdecimal()):
            return
        for bucket in self._buckets[group]:
            if bucket.window_s == int(window):
                bucket.wait_us(now, 0.0)
                bucket.tokens = min(bucket.tokens, float(remaining))


def _reserve(bucket: Bucket) -> float:
    """What ordinary calls leave; a bucket too small for a share still serves ordinary calls."""
    return min(RESERVED_SHARE * bucket.capacity, bucket.capacity - 1.0)
