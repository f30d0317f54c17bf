"""From method and path to a route: which handler, whether it needs a token, and which rate limit it counts against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote

import msgspec

from flashscalper.model.errors import ExchangeError
from flashscalper.simulator.paradex_server.answers import Reply
from flashscalper.simulator.paradex_server.context import Context, Request
from flashscalper.simulator.paradex_server.limits import Group

Handler = Callable[[Context, Request], Reply]

NOT_SIMULATED: Final = (
    "/account/compliance",
    "/account/mmp",
    "/account/paradigm",
    "/account/profile",
    "/account/referrer",
    "/account/settings",
    "/account/terminal-token",
    "/account/transfer",
    "/block-trades",
    "/leaderboard",
    "/markets/settlement-price",
    "/referrals",
    "/rfqs",
    "/staking",
    "/system/portfolio-margin-config",
    "/vaults",
    "/xp",
)
"""Prefixes of the real exchange's routes that lie outside trading, or have nothing to say about perpetuals."""


class Route(msgspec.Struct, frozen=True):
    """`path` below `/v1`; segments in braces are parameters. `group` is None for routes that check a token themselves."""

    method: str
    path: str
    handler: Handler
    group: Group

    @property
    def private(self) -> bool:
        """Whether it needs a token."""
        return self.group in (Group.READS, Group.ORDERS)


class Router:
    """Finds routes: exact paths first, then those with parameters in the order of registration."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: dict[tuple[str, int], list[tuple[tuple[str, ...], Route]]] = {}
        for route in routes:
            segments = tuple(route.path.split("/"))
            if "{" in route.path:
                self._patterns.setdefault((route.method, len(segments)), []).append((segments, route))
            else:
                self._exact[route.method, route.path] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its path parameters. ExchangeError 501: not simulated; 404: unknown."""
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, {}
        segments = path.split("/")
        for pattern, route in self._patterns.get((method, len(segments)), ()):
            parameters = _match(pattern, segments)
            if parameters is not None:
                return route, parameters
        if path.startswith(NOT_SIMULATED):
            raise ExchangeError("REQUEST_NOT_ALLOWED", f"not simulated: {method} {path} lies outside trading", status=501)
        raise ExchangeError("NOT_FOUND", f"no route {method} {path}", status=404)


def _match(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for expected, seen in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            parameters[expected[1:-1]] = unquote(seen)
        elif expected != seen:
            return None
    return parameters
