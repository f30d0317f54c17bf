"""Judge: the official SDK's WebSocket client, unmodified: every stream, order entry, an expired token. JSON or SBE.

python -m tests.judges.official_sdk_streams REST_URL WS_URL ETHEREUM_KEY json|sbe
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import defaultdict
from decimal import Decimal
from typing import Any

from eth_account import Account
from paradex_py import Paradex
from paradex_py.api.ws_client import ParadexWebsocketChannel as Channel
from paradex_py.common.order import Order, OrderSide, OrderType
from paradex_py.environment import TESTNET

from tests.judges.steps import ask_async, refused_async, run_async, until_async

REST_URL, WS_URL, ETHEREUM_KEY, ENCODING = sys.argv[1:5]
SBE = {"json": False, "sbe": True}[ENCODING]
ETH, BTC = "ETH-USD-PERP", "BTC-USD-PERP"
SIZE = Decimal("0.05")


class Complaints(logging.Handler):
    """What the SDK's log says that is not good."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Desk:
    """The client under the judge's robe, and what it heard by channel name."""

    def __init__(self) -> None:
        self.complaints = Complaints()
        logger = logging.getLogger("judge")
        logger.addHandler(self.complaints)
        logger.propagate = False
        self.heard: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.paradex: Any = Paradex(
            env=TESTNET,
            l1_address=Account.from_key(ETHEREUM_KEY).address,
            l1_private_key=ETHEREUM_KEY,
            api_base_url=REST_URL,
            ws_url_override=WS_URL,
            ws_direct_url_override=WS_URL,
            ws_sbe_enabled=SBE,
            validate_ws_messages=not SBE,
            ws_timeout=2,
            logger=logger,
        )

    @property
    def api(self) -> Any:
        return self.paradex.api_client

    @property
    def ws(self) -> Any:
        return self.paradex.ws_client

    async def listen(self, channel: Channel, **params: str) -> str:
        """Subscribe, wait for the acknowledgement, return the channel's name."""
        known = set(self.ws.callbacks)
        await self.ws.subscribe(channel, self._hear, params or None)
        (name,) = set(self.ws.callbacks) - known
        await until_async(lambda: self.ws.get_subscriptions().get(name), f"{name} is acknowledged")
        return str(name)

    async def first(self, name: str) -> dict[str, Any]:
        """The first message of a channel."""
        data: list[dict[str, Any]] = await until_async(lambda: self.heard[name], f"a message of {name}")
        return data[0]

    async def _hear(self, channel: Channel | None, message: dict[str, Any]) -> None:
        assert channel is not None
        self.heard[message["params"]["channel"]].append(message["params"]["data"])

    def price(self, side: OrderSide, share: str = "0.03") -> Decimal:
        quote = self.api.fetch_bbo(ETH)
        best = Decimal(quote["bid"] if side is OrderSide.Buy else quote["ask"])
        factor = 1 - Decimal(share) if side is OrderSide.Buy else 1 + Decimal(share)
        return (best * factor).quantize(Decimal("0.01"))

    def resting(self, client_id: str = "", share: str = "0.03", **more: Any) -> Order:
        return Order(
            market=ETH,
            order_type=OrderType.Limit,
            order_side=OrderSide.Buy,
            size=SIZE,
            limit_price=self.price(OrderSide.Buy, share),
            client_id=client_id,
            instruction="POST_ONLY",
            **more,
        )

    async def became(self, order_id: str, status: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.api.fetch_order(order_id)
            return found if found["status"] == status else None

        seen: dict[str, Any] = await until_async(look, f"order {order_id} {status}")
        return seen


desk = Desk()


async def connect() -> dict[str, Any]:
    assert await desk.ws.connect() is True
    return {"url": desk.ws.api_url, "sbe": desk.ws.sbe_enabled}


async def public_streams() -> dict[str, Any]:
    names = [
        await desk.listen(Channel.TRADES, market=ETH),
        await desk.listen(Channel.BBO, market=ETH),
        await desk.listen(Channel.ORDER_BOOK, market=ETH),
        await desk.listen(Channel.MARKETS_SUMMARY),
        await desk.listen(Channel.FUNDING_DATA, market=ETH),
    ]
    if not SBE:  # its decoder files every book of a market under the first one subscribed
        names += [
            await desk.listen(Channel.ORDER_BOOK, market=BTC, feed_type="deltas", refresh_rate="50ms"),
            await desk.listen(Channel.ORDER_BOOK, market=ETH, feed_type="interactive", refresh_rate="100ms"),
            await desk.listen(Channel.ORDER_BOOK, market=ETH, refresh_rate="50ms", price_tick="0_1"),
            await desk.listen(Channel.TRADES, market="ALL"),
            await desk.listen(Channel.BBO, market="ALL"),
            await desk.listen(Channel.MARKETS_SUMMARY, market=ETH),
        ]
    firsts = {name: await desk.first(name) for name in names}
    trade, quote, book = (firsts[name] for name in names[:3])
    assert trade["market"] == quote["market"] == book["market"] == ETH
    assert len(trade["trade_id_str" if SBE else "id"]) == 28
    printed = [each["id"] for each in desk.api.fetch_trades({"market": ETH, "page_size": 1000})["results"]]
    assert trade["trade_id_str" if SBE else "id"] in printed, "one id for a trade, whichever way it is told"
    bid, ask = ("bid_price", "ask_price") if SBE else ("bid", "ask")
    assert Decimal(quote[bid]) < Decimal(quote[ask])
    levels = [*book["bids"], *book["asks"]] if SBE else book["inserts"]
    assert 10 < len(levels) <= 30, "fifteen a side at most"
    summaries = desk.heard["markets_summary.ALL"]
    symbol = "market" if SBE else "symbol"
    await until_async(lambda: {ETH, BTC} <= {each[symbol] for each in summaries}, "summaries of all markets")
    return {"channels": names}


async def book_deltas() -> dict[str, Any]:
    """A snapshot first, then deltas that keep a book whose sides never cross; JSON only, see above."""
    if SBE:
        return {"left to": "json"}
    name = f"order_book.{BTC}.deltas@15@50ms"
    await until_async(lambda: len(desk.heard[name]) >= 20, "twenty book messages")
    books: dict[str, dict[Decimal, Decimal]] = {"BUY": {}, "SELL": {}}
    last = 0
    for number, change in enumerate(desk.heard[name]):
        assert change["update_type"] == ("d" if number else "s")
        assert change["seq_no"] > last
        last = change["seq_no"]
        for level in (*change["inserts"], *change["updates"]):
            books[level["side"]][Decimal(level["price"])] = Decimal(level["size"])
        for level in change["deletes"]:
            del books[level["side"]][Decimal(level["price"])]
        assert max(books["BUY"]) < min(books["SELL"]), number
    return {"messages": number + 1}


async def private_streams() -> dict[str, Any]:
    names = [
        await desk.listen(Channel.ORDERS, market="ALL"),
        await desk.listen(Channel.FILLS, market="ALL"),
        await desk.listen(Channel.POSITIONS),
        await desk.listen(Channel.ACCOUNT),
        await desk.listen(Channel.BALANCE_EVENTS),
        await desk.listen(Channel.FUNDING_PAYMENTS, market=ETH),
        await desk.listen(Channel.TRADEBUSTS),
    ]
    for quiet in (Channel.TRANSACTIONS, Channel.TRANSFERS):
        await desk.listen(quiet)
    made = await market(OrderSide.Buy)
    await until_async(lambda: desk.api.fetch_positions()["results"][0]["unrealized_funding_pnl"] != "0", "funding accrues")
    await market(OrderSide.Sell, reduce_only=True)
    fill = await desk.first("fills.ALL")
    assert fill["order_id"] == made["id"]
    await ask_async(f"bust {desk.api.fetch_fills({'market': ETH})['results'][0]['id']}")
    firsts = {name: await desk.first(name) for name in names}
    statuses = [
        each["status"] for each in desk.heard["orders.ALL"] if each["id" if "id" in each else "order_id"] == made["id"]
    ]
    assert statuses[0] == "NEW", statuses
    assert statuses[-1] == "CLOSED", statuses
    assert firsts["positions"]["market"] == ETH
    return {"channels": names, "statuses": statuses}


async def market(side: OrderSide, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await desk.ws.submit_order(
        Order(market=ETH, order_type=OrderType.Market, order_side=side, size=SIZE, **more)
    )
    return await desk.became(made["order"]["id"], "CLOSED")


async def order_entry() -> dict[str, Any]:
    """Create, modify and cancel over the socket, one by one, with the socket's own errors."""
    made = (await desk.ws.submit_order(desk.resting("judge-ws")))["order"]
    assert made["status"] == "NEW"
    await desk.became(made["id"], "OPEN")
    again = await refused_async(desk.ws.submit_order(desk.resting("judge-ws")), "WsRpcError")
    changed = desk.resting(share="0.04", order_id=made["id"])
    assert (await desk.ws.modify_order(made["id"], changed))["order"]["id"] == made["id"]
    await until_async(lambda: Decimal(desk.api.fetch_order(made["id"])["price"]) == changed.limit_price, "the new price")
    cancelled = await desk.ws.cancel_order(made["id"])
    assert cancelled == {"order_id": made["id"], "status": "QUEUED_FOR_CANCELLATION"}, cancelled
    await desk.became(made["id"], "CLOSED")
    second = (await desk.ws.submit_order(desk.resting("judge-ws-2")))["order"]
    await desk.ws.cancel_order_by_client_id("judge-ws-2", ETH)
    await desk.became(second["id"], "CLOSED")
    unknown = await refused_async(desk.ws.cancel_order("1"), "WsRpcError")
    return {"duplicate": again, "unknown": unknown}


async def order_entry_batch() -> dict[str, Any]:
    answer = await desk.ws.submit_orders_batch([desk.resting(f"judge-ws-batch-{number}") for number in range(3)])
    ids = [each["order"]["id"] for each in answer["results"]]
    for each in ids:
        await desk.became(each, "OPEN")
    ended = (await desk.ws.cancel_orders_batch([ids[0], "1"]))["results"]
    assert [each["status"] for each in ended] == ["QUEUED_FOR_CANCELLATION", "NOT_FOUND"], ended
    assert (await desk.ws.cancel_all_orders(ETH))["status"] == "ok"
    for each in ids:
        await desk.became(each, "CLOSED")
    assert (await desk.ws.cancel_all_orders())["status"] == "ok"
    return {"orders": ids}


async def cancel_on_disconnect() -> dict[str, Any]:
    direct = desk.paradex.ws_direct_client
    direct.init_account(desk.paradex.account)
    assert await direct.connect() is True
    assert await direct.cancel_on_disconnect(True) == {"enabled": True}
    made = (await direct.submit_order(desk.resting("judge-cod")))["order"]
    kept = (await desk.ws.submit_order(desk.resting("judge-kept")))["order"]
    await desk.became(made["id"], "OPEN")
    await desk.became(kept["id"], "OPEN")
    direct.disable_reconnect = True
    direct.ws.transport.abort()
    reason = (await desk.became(made["id"], "CLOSED"))["cancel_reason"]
    assert desk.api.fetch_order(kept["id"])["status"] == "OPEN", "only that connection's orders"
    await direct.close()
    await desk.ws.cancel_all_orders()
    return {"reason": reason}


async def unsubscribe() -> dict[str, Any]:
    name = f"trades.{ETH}"
    await desk.ws.unsubscribe_by_name(name)
    await asyncio.sleep(0.3)
    count = len(desk.heard[name])
    other = len(desk.heard[f"bbo.{ETH}"])
    await until_async(lambda: len(desk.heard[f"bbo.{ETH}"]) > other + 5, "the other channels go on")
    assert len(desk.heard[name]) == count
    await desk.ws.subscribe_by_name(name, desk._hear)
    await until_async(lambda: len(desk.heard[name]) > count, "and it comes back")
    return {"before": count}


async def no_complaints() -> dict[str, Any]:
    """Up to here the SDK had nothing to say: every frame decoded, every message valid, every request answered."""
    unexpected = [line for line in desk.complaints.lines if "transport" not in line and "Connection closed" not in line]
    assert unexpected == [], unexpected
    return {"lines": len(desk.complaints.lines)}


async def token_expired() -> dict[str, Any]:
    """An open socket outlives its token; a new one with an expired token is refused, and the SDK renews it by itself."""
    await ask_async("skip 40")
    name = f"bbo.{ETH}"
    count = len(desk.heard[name])
    await until_async(lambda: len(desk.heard[name]) > count + 5, "the stream goes on")
    made = (await desk.ws.submit_order(desk.resting("judge-outlives")))["order"]
    assert made["status"] == "NEW", "an authenticated socket stays so"
    old = desk.paradex.account.jwt_token
    direct = desk.paradex.ws_direct_client
    direct.disable_reconnect = False
    assert await direct.connect() is True
    await direct.subscribe(Channel.ACCOUNT, desk._hear)
    await until_async(lambda: desk.paradex.account.jwt_token != old, "a new token after 40111")
    await until_async(lambda: direct.get_subscriptions().get("account"), "the private channel is there with it")
    assert any("40111" in line for line in desk.complaints.lines)
    await desk.ws.cancel_order(made["id"])
    await desk.became(made["id"], "CLOSED")
    return {"complaints": [line for line in desk.complaints.lines if "40111" in line]}


async def disconnect() -> dict[str, Any]:
    """Quiet first: on 3.10 the SDK's `close` may wait for ever for a reader that was busy when it was told to stop."""
    for name in list(desk.ws.get_subscriptions()):
        await desk.ws.unsubscribe_by_name(name)
    await asyncio.sleep(0.3)
    await asyncio.gather(desk.ws.close(), desk.paradex.ws_direct_client.close())
    assert desk.ws.ws.state.name == "CLOSED"
    return {"heard": {name: len(messages) for name, messages in desk.heard.items()}}


STEPS = (
    connect, public_streams, book_deltas, private_streams, order_entry, order_entry_batch, cancel_on_disconnect, unsubscribe,
    no_complaints, token_expired, disconnect,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(asyncio.run(run_async(STEPS)))
