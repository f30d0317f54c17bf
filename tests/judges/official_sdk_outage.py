"""Comparison, not a judge: what the official SDK's WebSocket client does when the exchange is away for one second.

    python -m tests.judges.official_sdk_outage REST_URL WS_URL ETHEREUM_KEY

Its reader reconnects from inside itself, once; when nobody answers at that moment, nobody is left to try again.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from paradex_py import Paradex
from paradex_py.api.ws_client import ParadexWebsocketChannel as Channel
from paradex_py.environment import TESTNET

from tests.judges.steps import ask_async, run_async, until_async

REST_URL, WS_URL, _ = sys.argv[1:4]
WATCHED_S = 10.0
logging.disable(logging.CRITICAL)
paradex: Any = Paradex(env=TESTNET, api_base_url=REST_URL, ws_url_override=WS_URL)
trades: list[Any] = []


async def hear(_: Channel | None, message: dict[str, Any]) -> None:
    trades.append(message)


async def control() -> dict[str, Any]:
    """A closed socket while the exchange stays up: the SDK comes back, so what follows is not the test's doing."""
    await paradex.ws_client.connect()
    await paradex.ws_client.subscribe(Channel.TRADES, hear, {"market": "ETH-USD-PERP"})
    await until_async(lambda: len(trades) > 5, "trades")
    first = paradex.ws_client.ws
    await ask_async("drop all")
    await until_async(lambda: paradex.ws_client.ws not in (first, None), "another socket")
    before = len(trades)
    await until_async(lambda: len(trades) > before + 5, "trades after the reconnect")
    return {"trades": len(trades)}


async def outage() -> dict[str, Any]:
    await ask_async("outage 1")
    before = len(trades)
    await asyncio.sleep(WATCHED_S)
    reader = paradex.ws_client._reader_task
    return {
        "trades after": len(trades) - before,
        "socket": str(paradex.ws_client.ws),
        "reader runs": reader is not None and not reader.done(),
    }


if __name__ == "__main__":
    sys.exit(asyncio.run(run_async((control, outage))))
