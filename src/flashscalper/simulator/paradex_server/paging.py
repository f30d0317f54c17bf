"""Pages of a list, newest first, with opaque signed cursors in both directions (paradex.md 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from flashscalper.model.errors import ExchangeError
from flashscalper.model.instants import MILLISECOND_US
from flashscalper.model.secrets import Secret
from flashscalper.simulator.paradex_server.answers import Reply, invalid, ok
from flashscalper.simulator.paradex_server.tokens import read_cursor, sign_cursor

T = TypeVar("T")
_MAX_PAGE = 5_000


class Marker(msgspec.Struct, frozen=True):
    """Where a page begins: the items behind (`next`) or before the one with this id."""

    id: str
    forward: bool


class PageAsked(msgspec.Struct, frozen=True):
    """Paging parameters of a request; instants in microseconds, None = open."""

    size: int
    start_at: int | None
    end_at: int | None
    marker: Marker | None


def asked(query: Mapping[str, str], secret: Secret, *, max_page: int = _MAX_PAGE) -> PageAsked:
    """Read `cursor`, `page_size`, `start_at`, `end_at` (ms). Raises ExchangeError naming what is wrong."""
    cursor = query.get("cursor", "")
    raw = read_cursor(cursor, secret) if cursor else None
    if cursor and raw is None:
        raise ExchangeError("INVALID_REQUEST_PARAMETER", "cursor: not one of this server", status=400)
    return PageAsked(
        whole(query, "page_size", default=100, low=1, high=max_page) or 100,
        instant(query, "start_at"),
        instant(query, "end_at"),
        msgspec.json.decode(raw, type=Marker) if raw is not None else None,
    )


def whole(query: Mapping[str, str], name: str, *, default: int | None, low: int, high: int) -> int | None:
    """A whole number of the query within bounds, `default` when it is not given."""
    text = query.get(name, "")
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise invalid(name, text, f"a whole number in {low}..{high}")
    return number


def instant(query: Mapping[str, str], name: str) -> int | None:
    """An instant given in milliseconds, as microseconds."""
    number = whole(query, name, default=None, low=0, high=2**53)
    return None if number is None else number * MILLISECOND_US


def page(
    items: Sequence[T], page_asked: PageAsked, key: Callable[[T], str], view: Callable[[T], Any], secret: Secret
) -> Reply:
    """The asked page of a list that is complete and newest first. `next` and `prev` are null at the ends."""
    first, last = _bounds([key(item) for item in items], page_asked)
    shown = items[first:last]
    after = _cursor(key(shown[-1]), secret, forward=True) if shown and last < len(items) else None
    before = _cursor(key(shown[0]), secret, forward=False) if shown and first > 0 else None
    return ok({"next": after, "prev": before, "results": [view(item) for item in shown]})


def _bounds(keys: list[str], page_asked: PageAsked) -> tuple[int, int]:
    marker = page_asked.marker
    if marker is None:
        return 0, min(page_asked.size, len(keys))
    if marker.id not in keys:
        raise ExchangeError("INVALID_REQUEST_PARAMETER", "cursor: its place is gone", status=400)
    at = keys.index(marker.id)
    if marker.forward:
        return at + 1, min(at + 1 + page_asked.size, len(keys))
    return max(0, at - page_asked.size), at


def forward_only(
    items: Sequence[T], key: Callable[[T], str], view: Callable[[T], Any], secret: Secret, *, has_more: bool
) -> Reply:
    """A page of a list that is read from the newest on; `prev` is always null."""
    after = _cursor(key(items[-1]), secret, forward=True) if items and has_more else None
    return ok({"next": after, "prev": None, "results": [view(item) for item in items]})


def _cursor(id_: str, secret: Secret, *, forward: bool) -> str:
    return sign_cursor(msgspec.json.encode(Marker(id_, forward)), secret)
