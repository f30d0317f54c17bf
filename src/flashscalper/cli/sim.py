"""`flashscalper sim`: the exchange in a box on one loopback port, until it is interrupted."""

from __future__ import annotations

import asyncio
import signal
import sys
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from flashscalper.cli.feeds import SYNTHETIC, open_recording, open_synthetic, parse_symbols
from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.addresses import is_loopback
from flashscalper.runtime.box import CHAIN_ID, Box, box_settings, open_box
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.server import ServerShell
from flashscalper.simulator.feeds.base import Feed


class SimOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `flashscalper sim` was asked for, checked."""

    host: str
    port: int
    feed: str
    seed: int
    symbols: tuple[str, ...]
    balance: Decimal

    @classmethod
    def parse(cls, *, host: str, port: int, feed: str, seed: int, markets: str, balance: str) -> SimOptions:
        """Raises ConfigError naming the option."""
        if not is_loopback(host):
            raise ConfigError("host", host, "a loopback address: 127.0.0.1, ::1 or localhost")
        if not 0 <= port <= 65_535:
            raise ConfigError("port", port, "0 (any free port) to 65535")
        return cls(
            host=host,
            port=port,
            feed=feed,
            seed=check_seed(seed),
            symbols=parse_symbols(markets),
            balance=parse_balance(balance),
        )


def check_seed(seed: int) -> int:
    """A seed is a whole number of zero or more."""
    if seed < 0:
        raise ConfigError("seed", seed, "a whole number of 0 or more")
    return seed


def parse_balance(text: str) -> Decimal:
    """USDC of a new account: finite, above zero."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = ZERO
    if not amount.is_finite() or amount <= ZERO:
        raise ConfigError("balance", text, "an amount of USDC above 0")
    return amount


def sim(options: SimOptions) -> int:
    """Serve until SIGINT or SIGTERM; a recording is shifted so that it starts now."""
    clock = WallClock()
    started_at = clock.now()
    if options.feed == SYNTHETIC:
        feed: Feed = open_synthetic(seed=options.seed, symbols=options.symbols, started_at=started_at)
    else:
        feed = open_recording(options.feed, symbols=options.symbols, start_at=started_at)
    base_url = f"http://{options.host}:{options.port}"
    settings = box_settings(seed=options.seed, base_url=base_url, balance=options.balance)
    box = open_box(feed, settings, seed=options.seed, started_at=started_at)
    return asyncio.run(_serve(options, box, feed, clock))


async def _serve(options: SimOptions, box: Box, feed: Feed, clock: WallClock) -> int:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, interrupted.set)
    async with ServerShell(box.server, clock, box.pump, host=options.host, port=options.port) as shell:
        sys.stdout.write(f"{msgspec.json.encode(_ready_line(options, shell, feed)).decode()}\n")
        sys.stdout.flush()
        ended = asyncio.ensure_future(shell.wait())
        stopped = asyncio.ensure_future(interrupted.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, stopped):
            task.cancel()
    return 0


def _ready_line(options: SimOptions, shell: ServerShell, feed: Feed) -> dict[str, Any]:
    return {
        "ready": True,
        "rest": f"{shell.http_url}/v1",
        "websocket": shell.ws_url,
        "chain_id": CHAIN_ID,
        "markets": [market.market for market in feed.markets],
        "balance": str(options.balance),
    }
