"""Our own client takes the steps of the judges' scripts, in one session each, through its public names only."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from flashscalper import ParadexRestClient, ParadexWebSocketClient
from flashscalper.exchanges.paradex.script_results import FundingPoint
from flashscalper.model.errors import ConfigError, ExchangeError
from flashscalper.model.events import (
    BalanceUpdate,
    BestQuote,
    BookChange,
    FillReported,
    MarkPrice,
    OrderUpdate,
    PositionUpdate,
)
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Rounding
from flashscalper.model.orders import Order, OrderStatus, OrderType
from flashscalper.runtime.clients.scripted import CancelOutcome, OrderRequest
from flashscalper.runtime.live import run_loop
from tests.judges.stand import SkippingClock
from tests.promises.box import Served, served, until

pytestmark = [pytest.mark.verify, pytest.mark.timeout(120)]

SIZE = Decimal("0.05")
ETH = "ETHUSDT"
TRIGGERS = tuple(kind for kind in OrderType if kind not in (OrderType.MARKET, OrderType.LIMIT))


class Script:
    """One session over REST: the steps of `official_sdk` and `ccxt_rest`, in their order."""

    def __init__(self, box: Served, clock: SkippingClock, client: ParadexRestClient) -> None:
        self.box = box
        self.clock = clock
        self.client = client

    async def away(self, side: str, share: str = "0.03") -> Decimal:
        """A price so far from the market that the order rests."""
        price, market = await self.client.get_price(ETH), await self.client.get_market(ETH)
        factor = 1 - Decimal(share) if side == "BUY" else 1 + Decimal(share)
        return market.round_price(Decimal(str(price.mark)) * factor, rounding=Rounding.DOWN)

    async def became(self, client_id: str, status: OrderStatus, *, price: Decimal | None = None) -> Order:
        while True:
            order = await self.client.get_order(ETH, client_id=client_id)
            if order is not None and order.status is status and price in (None, order.price):
                return order
            await asyncio.sleep(0.01)

    async def rest_one(self, client_id: str) -> Order:
        wanted = OrderRequest(symbol=ETH, side="BUY", size=SIZE, price=await self.away("BUY"), client_id=client_id)
        await self.client.place_order(wanted)
        return await self.became(client_id, OrderStatus.OPEN)

    async def onboard_and_auth(self) -> None:
        assert (await self.client.get_balance()).account_value == 10_000
        logins = [path for path in self.box.interposer.paths() if path.startswith("POST /v1/auth")]
        assert len(logins) == 2, "refused once: the account is new; then onboarded"
        assert "POST /v1/onboarding" in self.box.interposer.paths()

    async def markets_and_klines(self) -> None:
        assert {market.symbol for market in await self.client.get_markets()} == {ETH, "BTCUSDT"}
        for interval in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "1d"):
            klines = await self.client.get_klines(ETH, interval, 2)
            assert klines == sorted(klines, key=lambda kline: kline.open_at)
        assert (await self.client.get_order_book(ETH)).bids
        assert (await self.client.get_funding_rate(ETH)).period_hours

    async def leverage(self) -> None:
        assert (await self.client.set_leverage(ETH, 5)).leverage == 5
        with pytest.raises(ExchangeError):
            await self.client.set_leverage(ETH, 5_000)

    async def limit(self) -> None:
        order = await self.rest_one("own-limit")
        assert order in await self.client.get_open_orders(ETH)
        price = await self.away("BUY")
        await self.client.place_limit_order(ETH, "BUY", SIZE, price, time_in_force="ioc", client_id="own-ioc")
        assert (await self.became("own-ioc", OrderStatus.CLOSED)).remaining == SIZE

    async def market(self) -> None:
        bought = await self.client.place_market_order(ETH, "BUY", SIZE)
        assert (bought.status, bought.filled) == (OrderStatus.CLOSED, SIZE)

    async def stops(self) -> None:
        for kind in TRIGGERS:
            profit, limited = kind.value.startswith("take"), kind.value.endswith("limit")
            at = await self.away("SELL" if profit else "BUY", "0.05")
            name = f"own-{kind.value.replace('_', '-')}"
            wanted = OrderRequest(
                symbol=ETH, side="SELL", size=SIZE, type=kind, trigger_price=at, price=at if limited else None,
                reduce_only=True, client_id=name,
            )  # fmt: skip
            await self.client.place_order(wanted)
            assert (await self.became(name, OrderStatus.UNTRIGGERED)).reduce_only
            assert await self.client.cancel_order(ETH, client_id=name) is CancelOutcome.ACCEPTED
            await self.became(name, OrderStatus.CLOSED)

    async def modify(self) -> None:
        price = await self.away("BUY", "0.04")
        before = await self.client.get_order(ETH, client_id="own-limit")
        await self.client.modify_order(ETH, client_id="own-limit", price=price, size=2 * SIZE)
        order = await self.became("own-limit", OrderStatus.OPEN, price=price)
        assert before is not None
        assert (order.order_id, order.size) == (before.order_id, 2 * SIZE)

    async def batch(self) -> None:
        price = await self.away("BUY")
        names = ("own-batch-1", "own-batch-2", "own-batch-3")
        wanted = [OrderRequest(symbol=ETH, side="BUY", size=SIZE, price=price, client_id=name) for name in names]
        placed = await self.client.place_batch(wanted)
        for name in names:
            await self.became(name, OrderStatus.OPEN)
        outcomes = await self.client.cancel_batch(order_ids=[placed[0].order_id], client_ids=["own-batch-2", "own-nobody"])
        assert outcomes == [CancelOutcome.ACCEPTED, CancelOutcome.ACCEPTED, CancelOutcome.GONE]

    async def cancels(self) -> None:
        order = await self.rest_one("own-by-id")
        assert await self.client.cancel_order(ETH, order_id=order.order_id) is CancelOutcome.ACCEPTED
        await self.became("own-by-id", OrderStatus.CLOSED)
        assert await self.client.cancel_order(ETH, order_id=order.order_id) is CancelOutcome.GONE
        await self.rest_one("own-by-client-id")
        assert await self.client.cancel_order(ETH, client_id="own-by-client-id") is CancelOutcome.ACCEPTED
        await self.rest_one("own-last")
        await self.client.cancel_all_orders(ETH)
        await self.became("own-last", OrderStatus.CLOSED)
        assert await self.client.get_open_orders(ETH) == []

    async def positions_and_fills(self) -> None:
        held = await self.client.get_position(ETH)
        assert held is not None
        assert held.size == SIZE
        await self.client.place_market_order(ETH, "SELL", 2 * SIZE)
        turned = await self.client.get_position(ETH)
        assert turned is not None
        assert turned.size == -SIZE
        await self.client.place_market_order(ETH, "BUY", SIZE, reduce_only=True)
        assert await self.client.get_positions() == []
        fills = await self.client.get_fills(ETH)
        assert sum(fill.size * fill.side.sign for fill in fills) == 0
        assert len({order.order_id async for order in self.client.iter_orders(ETH)}) >= 10

    async def refusals(self) -> None:
        rich = await self.client.place_market_order(ETH, "BUY", 500)
        assert rich.cancel_reason == "NOT_ENOUGH_MARGIN"
        with pytest.raises(ConfigError, match="symbol"):
            await self.client.get_market("NOPE")
        assert await self.client.get_order(ETH, client_id="own-nobody") is None

    async def token_expired(self) -> None:
        order = await self.rest_one("own-before-expiry")
        logins = self.box.interposer.paths().count
        login = next(path for path in reversed(self.box.interposer.paths()) if path.startswith("POST /v1/auth"))
        before = logins(login)
        self.clock.skip(400)
        found = await self.client.get_order(ETH, client_id="own-before-expiry")
        assert found is not None
        assert (found.order_id, found.status) == (order.order_id, OrderStatus.OPEN)
        await self.client.cancel_all_orders(ETH)
        assert self.box.interposer.paths().count(login) == before + 1, "one login for everything that waits"


def test_a_whole_session_over_rest_from_onboarding_past_an_expired_token() -> None:
    async def main() -> None:
        clock = SkippingClock()
        async with asyncio.timeout(100), served(clock=clock) as box, box.rest() as client:
            script = Script(box, clock, client)
            for step in (
                script.onboard_and_auth, script.markets_and_klines, script.leverage, script.limit, script.market,
                script.stops, script.modify, script.batch, script.cancels, script.positions_and_fills, script.refusals,
                script.token_expired,
            ):  # fmt: skip
                await step()

    run_loop(main())


@pytest.mark.parametrize(
    ("sbe", "private_as_sbe"), [(False, False), (True, False), (True, True)], ids=["json", "sbe", "all-sbe"]
)
def test_a_whole_session_of_streams_and_orders_over_the_socket_to_the_last_reconnect(
    sbe: bool, private_as_sbe: bool
) -> None:
    """All six events, every stream, orders over the socket, an expired token in the middle, giving up, a graceful end."""

    async def main() -> None:
        clock = SkippingClock()
        options: dict[str, Any] = {"private_as_sbe": private_as_sbe, "require_sbe": sbe}
        async with asyncio.timeout(100), served(clock=clock, **options) as box:
            client = box.streams(sbe=sbe, max_reconnect_attempts=3)
            heard = await listening(client)
            kinds = defaultdict[type[Any], list[Any]](list)
            client.on("channel", lambda event: kinds[type(event)].append(event))
            await every_stream(client, kinds)
            clock.skip(400)
            price = (await rest_price(box)) * 3 // 4
            wanted = OrderRequest(symbol=ETH, side="BUY", size=SIZE, price=price, client_id="own-socket")
            placed = await client.place_order(wanted)
            assert await client.cancel_order(ETH, order_id=placed.order_id) is CancelOutcome.ACCEPTED
            await client.place_order(OrderRequest(symbol=ETH, side="BUY", size=SIZE, type="market"))
            told = (OrderUpdate, FillReported, PositionUpdate, BalanceUpdate)
            await until(lambda: all(kinds[kind] for kind in told))
            box.interposer.drop_sockets()
            await until(lambda: {event.stream for event in heard["reconnected"]} == {"market", "account"})
            seen = len(heard["trade"])
            await until(lambda: len(heard["trade"]) > seen)
            async with box.outage():
                await until(lambda: bool(heard["max_reconnect_attempts"]))
            assert heard["error"]
            await client.disconnect()
            assert not client.connected
            assert {name for name, events in heard.items() if events} == {
                "trade", "orderbook", "channel", "error", "reconnected", "max_reconnect_attempts",
            }  # fmt: skip

    run_loop(main())


async def listening(client: ParadexWebSocketClient) -> dict[str, list[Any]]:
    """The client connected, and everything it says by the name of the event."""
    heard: dict[str, list[Any]] = {
        name: [] for name in ("trade", "orderbook", "channel", "error", "reconnected", "max_reconnect_attempts")
    }
    for name, events in heard.items():
        client.on(name, events.append)
    await client.connect()
    return heard


async def every_stream(client: ParadexWebSocketClient, kinds: dict[type[Any], list[Any]]) -> None:
    """Subscribe to everything public, and wait until each was heard; then the account's."""
    await client.subscribe_trades(ETH)
    await client.subscribe_best_quote(ETH)
    await client.subscribe_order_book(ETH)
    await client.subscribe_mark_price(ETH)
    await client.subscribe_funding(ETH)
    await client.subscribe_account()
    await client.subscribe_funding_payments(ETH)
    await until(lambda: all(kinds[kind] for kind in (Trade, BestQuote, BookChange, MarkPrice, FundingPoint)))


async def rest_price(box: Served) -> Decimal:
    async with box.public() as client:
        return Decimal(int((await client.get_price(ETH)).mark))
