"""The exchange in a box, put together: a feed, the exchange that it moves, and the Paradex server in front of it."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from flashscalper.exchanges.paradex.signing import CurveVerifier, Verifier
from flashscalper.model.secrets import Secret
from flashscalper.runtime.hosting.pump import FeedPump
from flashscalper.runtime.hosting.state_store import DurableServer, StateStore
from flashscalper.simulator.control import ControlledServer
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.fault_rules import order_latency
from flashscalper.simulator.faults import FaultTarget, FaultyServer
from flashscalper.simulator.feeds.base import Feed
from flashscalper.simulator.paradex_server.server import ParadexServer
from flashscalper.simulator.paradex_server.settings import ServerSettings
from flashscalper.simulator.rules import ExchangeRules

CHAIN_ID: Final = "PRIVATE_SN_POTC_SEPOLIA"
"""Paradex's testnet: a simulator never speaks for the prod chain."""


class Box(NamedTuple):
    """The parts of one simulated exchange. `server` speaks, `exchange` can be asked directly, `pump` releases the feed."""

    exchange: Exchange
    server: ParadexServer
    pump: FeedPump


class Front(NamedTuple):
    """A box with its faults and its back door: `server` is what a shell serves, `pump` what it releases the feed with.

    `inner` is the exchange without its faults, for who changes its mode from here.
    """

    server: ControlledServer
    faults: FaultyServer
    pump: FeedPump
    inner: FaultTarget


def box_settings(*, seed: int, base_url: str, balance: Decimal, verifier: Verifier | None = None) -> ServerSettings:
    """Server settings of a box; its token secret follows from the seed, which is fine for an exchange without money."""
    secret = Secret(hashlib.sha256(f"token/{seed}".encode()).hexdigest())
    return ServerSettings(
        jwt_secret=secret, base_url=base_url, balance=balance, verify_signatures=verifier or CurveVerifier(CHAIN_ID)
    )


def open_box(feed: Feed, settings: ServerSettings, *, seed: int, started_at: int, rules: ExchangeRules | None = None) -> Box:
    """An exchange at `started_at` with the feed's markets and history. Same arguments, same exchange."""
    exchange = Exchange.for_feed(feed, rules or ExchangeRules(), started_at)
    dice = Random(f"server/{seed}")  # noqa: S311 - node ids and the like, not secrets
    server = ParadexServer(exchange, settings, dice, started_at)
    return Box(exchange, server, FeedPump(feed, exchange, server))


def prime(box: Box, feed: Feed, now: int) -> None:
    """Let everything happen that the feed has already, so that books are there before orders are taken up again."""
    while feed.next_at() is not None:
        box.exchange.feed(feed.pop(box.exchange), now)


def open_front(
    box: Box,
    feed: Feed,
    *,
    seed: int,
    token: Secret | None = None,
    latency_ms: float = 0.0,
    store: StateStore | None = None,
) -> Front:
    """Faults, the back door and a memory before a box, whose own pump is then not used.

    Without a token the door stays shut. `latency_ms` is how long orders and what becomes of them travel, each way. With a
    store the exchange goes on from what is there, and keeps it up to date.
    """
    dice = Random(f"faults/{seed}")  # noqa: S311 - which messages are hit, not secrets
    inner: FaultTarget = box.server if store is None else DurableServer(box.server, store)
    faults = FaultyServer(inner, dice, order_latency(latency_ms))
    server = ControlledServer(faults, box.exchange, token or Secret(""))
    return Front(server, faults, FeedPump(feed, box.exchange, server), inner)
