"""Rate limits: token buckets with continuous refill per key or address, and the headers that tell (paradex.md 7)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from flashscalper.model.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US

_MAX_KEYS: Final = 10_000


class Group(StrEnum):
    """What a request counts against."""

    PUBLIC = "public"
    ONBOARDING = "onboarding"
    AUTH = "auth"
    ORDERS = "orders"
    READS = "reads"
    ALL_PRIVATE = "all_private"
    RETAIL = "retail"
    CONNECTS = "connects"


class Limit(msgspec.Struct, frozen=True):
    """`count` units each `window_us`."""

    count: int
    window_us: int


LIMITS: Final[dict[Group, tuple[Limit, ...]]] = {
    Group.PUBLIC: (Limit(1_500, MINUTE_US),),
    Group.ONBOARDING: (Limit(600, MINUTE_US),),
    Group.AUTH: (Limit(600, MINUTE_US),),
    Group.ORDERS: (Limit(800, SECOND_US), Limit(17_250, MINUTE_US)),
    Group.READS: (Limit(120, SECOND_US), Limit(600, MINUTE_US)),
    Group.ALL_PRIVATE: (Limit(1_500, MINUTE_US),),
    Group.RETAIL: (Limit(3, SECOND_US), Limit(30, MINUTE_US), Limit(300, HOUR_US), Limit(1_000, DAY_US)),
    Group.CONNECTS: (Limit(20, SECOND_US), Limit(600, MINUTE_US)),
}
"""All limits of a group hold together. Order requests do not count against ALL_PRIVATE: 17,250 a minute would never fit."""


class _Bucket:
    """Units left; refills continuously up to the limit."""

    __slots__ = ("at", "left", "limit")

    def __init__(self, limit: Limit, now: int) -> None:
        self.limit = limit
        self.left = float(limit.count)
        self.at = now

    def refill(self, now: int) -> None:
        """Add what time has brought since the last look."""
        rate = self.limit.count / self.limit.window_us
        self.left = min(float(self.limit.count), self.left + (now - self.at) * rate)
        self.at = now

    def wait_us(self) -> int:
        """How long until one unit is there."""
        missing = max(0.0, 1.0 - self.left)
        return int(-(-missing * self.limit.window_us // self.limit.count))


class Verdict(msgspec.Struct, frozen=True):
    """Whether a request may pass, how long to wait if not, and the tightest bucket's figures for the headers."""

    allowed: bool
    retry_us: int
    limit: Limit
    left: int
    full_at: int

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The rate-limit headers of every answer; `Reset` is when the bucket is full again."""
        return (
            ("X-RateLimit-Limit", str(self.limit.count)),
            ("X-RateLimit-Remaining", str(self.left)),
            ("X-RateLimit-Reset", str(-(-self.full_at // SECOND_US))),
            ("X-RateLimit-Window", str(self.limit.window_us // SECOND_US)),
            ("Retry-After", str(-(-self.retry_us // SECOND_US))),
        )


class RateLimits:
    """The buckets of everybody. With `enforced` False everything passes, but the headers go on telling."""

    def __init__(self, *, enforced: bool) -> None:
        self._enforced = enforced
        self._buckets: dict[tuple[Group, str], list[_Bucket]] = {}

    def take(self, group: Group, key: str, now: int) -> Verdict:
        """Count one unit of `group` for `key`: an account or an address. A refused request takes nothing."""
        buckets = self._refilled(group, key, now)
        retry_us = max(bucket.wait_us() for bucket in buckets)
        if retry_us == 0:
            for bucket in buckets:
                bucket.left -= 1
        return self._verdict(buckets, retry_us, now)

    def look(self, group: Group, key: str, now: int) -> Verdict:
        """The figures without counting anything, for the headers of answers that came before a group was known."""
        return self._verdict(self._refilled(group, key, now), 0, now)

    def _refilled(self, group: Group, key: str, now: int) -> list[_Bucket]:
        buckets = self._buckets.get((group, key))
        if buckets is None:
            self._make_room(now)
            buckets = self._buckets[group, key] = [_Bucket(limit, now) for limit in LIMITS[group]]
        for bucket in buckets:
            bucket.refill(now)
        return buckets

    def _make_room(self, now: int) -> None:
        """Keep the table small: a bucket unused for a day is full again, so forgetting it changes nothing."""
        if len(self._buckets) >= _MAX_KEYS:
            self._buckets = {key: each for key, each in self._buckets.items() if now - each[0].at < DAY_US}

    def _verdict(self, buckets: list[_Bucket], retry_us: int, now: int) -> Verdict:
        tightest = min(buckets, key=lambda bucket: bucket.left / bucket.limit.count)
        missing = tightest.limit.count - tightest.left
        full_at = now + int(missing * tightest.limit.window_us / tightest.limit.count)
        left = max(0, int(tightest.left))
        return Verdict(retry_us == 0 or not self._enforced, retry_us, tightest.limit, left, full_at)
