"""Judge: ccxt.pro (unmodified): every stream it knows while orders come and go, with SBE as it asks by default or without.

python -m tests.judges.ccxt_pro REST_URL WS_URL ETHEREUM_KEY json|sbe
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.pro

from tests.judges.steps import ask_async, refused_async, run_async, until_async

REST_URL, WS_URL, ETHEREUM_KEY, ENCODING = sys.argv[1:5]
SBE = {"json": False, "sbe": True}[ENCODING]
ETH, BTC = "ETH/USD:USDC", "BTC/USD:USDC"
SIZE = 0.05


def open_client() -> Any:
    exchange: Any = ccxt.pro.paradex(
        {
            "privateKey": ETHEREUM_KEY,
            "walletAddress": "0x0000000000000000000000000000000000001234",
            "options": {"sbe": SBE},
        }
    )
    exchange.urls["api"].update({"v1": REST_URL, "v2": REST_URL.replace("/v1", "/v2"), "ws": WS_URL})
    return exchange


class Desk:
    """The client under the judge's robe; `heard` is filled by the private streams in the background."""

    def __init__(self) -> None:
        self.exchange = open_client()
        self.heard: dict[str, list[Any]] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def watch(self, name: str, ask: Callable[[], Awaitable[Any]]) -> None:
        """Keep asking a `watch_*` call for news, as its users do."""
        heard = self.heard[name] = []

        async def listen() -> None:
            while True:
                news = await ask()
                heard.extend(news if isinstance(news, list) else [news])

        self.tasks.append(asyncio.ensure_future(listen()))

    async def became(self, order_id: str, status: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = await self.exchange.fetch_order(order_id, ETH)
            return found if found["status"] == status else None

        seen: dict[str, Any] = await until_async(look, f"order {order_id} {status}")
        return seen

    async def resting(self, **params: Any) -> dict[str, Any]:
        book = await self.exchange.fetch_order_book(ETH)
        price = float(self.exchange.price_to_precision(ETH, book["bids"][0][0] * 0.97))
        made: dict[str, Any] = await self.exchange.create_order(ETH, "limit", "buy", SIZE, price, params)
        return made


desk = Desk()


async def onboard() -> dict[str, Any]:
    await desk.exchange.load_markets()
    said = await refused_async(desk.exchange.fetch_balance(), "NOT_ONBOARDED")
    await desk.exchange.onboarding()
    assert (await desk.exchange.fetch_balance())["USDC"]["total"] == 10_000
    return {"said": said}


async def trades() -> dict[str, Any]:
    seen: list[str] = []
    while len(seen) < 10:
        seen += [each["id"] for each in await desk.exchange.watch_trades(ETH)]
    assert len(set(seen)) == len(seen)
    printed = [each["id"] for each in await desk.exchange.fetch_trades(ETH, limit=1000)]
    assert set(seen) <= set(printed), "one id for a trade, whichever way it is told"
    return {"trades": len(seen)}


async def order_book() -> dict[str, Any]:
    last = 0
    for _ in range(10):
        book = await desk.exchange.watch_order_book(ETH)
        assert 5 < len(book["bids"]) <= 15
        assert 5 < len(book["asks"]) <= 15
        assert book["bids"][0][0] < book["asks"][0][0]
        assert book["nonce"] > last
        last = book["nonce"]
    return {"nonce": last}


async def tickers() -> dict[str, Any]:
    ticker = await desk.exchange.watch_ticker(ETH)
    assert 0 < ticker["bid"] < ticker["ask"]
    both: set[str] = set()
    while both != {ETH, BTC}:
        both |= set(await desk.exchange.watch_tickers([ETH, BTC]))
    return {"last": ticker["last"]}


async def funding() -> dict[str, Any]:
    """One market and several are one channel, which ccxt would subscribe twice (the exchange refuses): a client for each."""
    rate = await desk.exchange.watch_funding_rate(ETH)
    assert rate["fundingRate"] is not None
    other = open_client()
    both: set[str] = set()
    while both != {ETH, BTC}:
        both |= set(await other.watch_funding_rates([ETH, BTC]))
    await other.close()
    return {"rate": rate["fundingRate"]}


async def private_streams() -> dict[str, Any]:
    """Orders, fills, positions and balance of a round trip and of an order that rests and goes."""
    exchange = desk.exchange
    desk.watch("orders", lambda: exchange.watch_orders(ETH))
    desk.watch("fills", lambda: exchange.watch_my_trades(ETH))
    desk.watch("positions", exchange.watch_positions)
    desk.watch("balance", exchange.watch_balance)
    await asyncio.sleep(0.5)
    bought = await exchange.create_order(ETH, "market", "buy", SIZE)
    await until_async(lambda: desk.heard["fills"], "a fill")
    await until_async(lambda: [each for each in desk.heard["positions"] if each["contracts"] == SIZE], "the position")
    made = await desk.resting(clientOrderId="judge-stream")
    await until_async(lambda: statuses(made["id"])[-1:] == ["open"], "the order rests")
    await exchange.cancel_order(made["id"], ETH)
    await until_async(lambda: statuses(made["id"])[-1:] == ["canceled"], "the order is gone")
    sold = await exchange.create_order(ETH, "market", "sell", SIZE, None, {"reduceOnly": True})
    await until_async(lambda: len(desk.heard["fills"]) >= 2, "the second fill")
    await until_async(lambda: desk.heard["balance"], "a balance")
    fills = desk.heard["fills"]
    assert {each["order"] for each in fills} == {bought["id"], sold["id"]}
    assert all(each["fee"]["cost"] > 0 for each in fills)
    assert statuses(bought["id"])[-1] == "closed"
    return {name: len(heard) for name, heard in desk.heard.items()}


def statuses(order_id: str) -> list[str]:
    return [each["status"] for each in desk.heard["orders"] if each["id"] == order_id]


async def token_expired() -> dict[str, Any]:
    """Sockets outlive tokens; over REST ccxt says what is wrong, and after a new login the streams tell of new orders."""
    await ask_async("skip 40")
    said = await refused_async(desk.exchange.fetch_balance(), "AuthenticationError", "token is expired by")
    desk.exchange.options["authToken"] = None
    made = await desk.resting()
    await until_async(lambda: statuses(made["id"])[-1:] == ["open"], "the private stream goes on")
    await desk.exchange.cancel_all_orders(ETH)
    await until_async(lambda: statuses(made["id"])[-1:] == ["canceled"], "the order is gone")
    return {"said": said}


async def disconnect() -> dict[str, Any]:
    for task in desk.tasks:
        assert not task.done(), task.exception()
        task.cancel()
    await asyncio.gather(*desk.tasks, return_exceptions=True)
    await desk.exchange.close()
    return {}


STEPS = (onboard, trades, order_book, tickers, funding, private_streams, token_expired, disconnect)

if __name__ == "__main__":
    sys.exit(asyncio.run(run_async(STEPS)))
