"""The exchange in a box on a loopback port, for tests that keep promises: real sockets, real protocol, nobody's money."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random

from flashscalper.exchanges.paradex.signing import new_private_key
from flashscalper.model.secrets import Secret
from flashscalper.runtime.box import Box, box_settings, open_box
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.rest_client import ParadexRestClient
from flashscalper.runtime.server import ServerShell
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import choose_markets

SYMBOLS = ("ETHUSDT", "BTCUSDT")


class Served:
    """A running box: its parts, its addresses, and a key that nobody else has."""

    def __init__(self, box: Box, shell: ServerShell, key: Secret) -> None:
        self.exchange = box.exchange
        self.server = box.server
        self.shell = shell
        self.key = key

    @property
    def rest_url(self) -> str:
        return f"{self.shell.http_url}/v1"

    @property
    def ws_url(self) -> str:
        return self.shell.ws_url

    @property
    def credentials(self) -> Credentials:
        return Credentials(secret_key=self.key)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that trades here."""
        return {
            "EXCHANGE": "paradex",
            "PARADEX_ENVIRONMENT": "simulator",
            "PARADEX_REST_URL": self.rest_url,
            "PARADEX_WS_URL": self.ws_url,
            "PARADEX_SECRET_KEY": self.key.reveal(),
        }

    def rest(self, credentials: Credentials | None = None) -> ParadexRestClient:
        return ParadexRestClient.for_environment(
            "simulator", credentials or self.credentials, rest_url=self.rest_url, ws_url=self.ws_url
        )

    def public(self) -> ParadexRestClient:
        return self.rest(Credentials())


@asynccontextmanager
async def served(seed: int = 1, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Served]:
    """A box with two synthetic markets on the wall clock."""
    clock = WallClock()
    now = clock.now()
    feed = SyntheticFeed(choose_markets(SYMBOLS), Random(seed), now)
    settings = box_settings(seed=seed, base_url="http://127.0.0.1", balance=Decimal(10_000))
    box = open_box(feed, settings, seed=seed, started_at=now)
    key = new_private_key(Random(seed).randbytes(32))
    async with ServerShell(box.server, clock, box.pump, host=host, port=port) as shell:
        yield Served(box, shell, key)
