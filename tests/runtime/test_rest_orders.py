"""Orders of scripts beyond the simplest: every type, changes in place, batches, TWAP orders, tokens. Over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from flashscalper.model.errors import ConfigError, ExchangeError
from flashscalper.model.events import Verdict
from flashscalper.model.orders import Order, OrderStatus, OrderType
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.clients.scripted import CancelOutcome, OrderRequest
from flashscalper.runtime.credentials import Credentials
from flashscalper.simulator.base import HttpAnswer, HttpArrived
from tests.promises.box import Served, in_box

SPEED = 1.0
SOME = Decimal("0.1")
FAR_BELOW, FAR_ABOVE = Decimal(1000), Decimal(9000)


def buy(price: Decimal = FAR_BELOW, **changes: Any) -> OrderRequest:
    return OrderRequest(**{"symbol": "ETHUSDT", "side": "BUY", "size": SOME, "price": price, **changes})


async def settled(client: ParadexRestClient, client_id: str, *, so: Callable[[Order], bool] = lambda order: True) -> Order:
    """The order once the exchange has looked at it and it is `so`; `in_box` bounds the wait."""
    while True:
        order = await client.get_order("ETHUSDT", client_id=client_id)
        if order is not None and order.status is not OrderStatus.NEW and so(order):
            return order
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("kind", "prices"),
    [
        (OrderType.STOP_LIMIT, {"price": 990, "trigger_price": 1000}),
        (OrderType.STOP_LOSS_MARKET, {"trigger_price": 1000}),
        (OrderType.STOP_LOSS_LIMIT, {"price": 990, "trigger_price": 1000}),
        (OrderType.TAKE_PROFIT_MARKET, {"trigger_price": 9000}),
        (OrderType.TAKE_PROFIT_LIMIT, {"price": 9000, "trigger_price": 9000}),
    ],
)
def test_every_trigger_type_waits_at_the_exchange(kind: OrderType, prices: dict[str, Any]) -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.place_market_order("ETHUSDT", "BUY", SOME)
            wanted = OrderRequest(symbol="ETHUSDT", side="SELL", size=SOME, type=kind, reduce_only=True, **prices)
            placed = await client.place_order(wanted)
            found = await settled(client, placed.client_id)
            assert (found.type, found.status) == (kind, OrderStatus.UNTRIGGERED)
            assert found.trigger_price == prices["trigger_price"]

    in_box(script, speed=SPEED)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"type": "market"}, "price"),
        ({"type": "stop_limit"}, "trigger_price"),
        ({"price": None}, "price"),
        ({"trigger_price": 1000}, "trigger_price"),
        ({"type": "iceberg"}, "type"),
        ({"time_in_force": "fok"}, "time_in_force"),
        ({"size": 0.1}, "size"),
    ],
)
def test_what_does_not_belong_to_the_type_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            with pytest.raises(ConfigError, match=f"^{named}"):
                await client.place_order(buy(**changes))
            assert "POST /v1/orders" not in box.interposer.paths()

    in_box(script, speed=SPEED)


def test_a_live_order_is_changed_in_place_and_what_is_not_named_stays() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            placed = await client.place_order(buy(client_id="mine"))
            await settled(client, "mine")
            changed = await client.modify_order("ETHUSDT", client_id="mine", price=1001)
            assert changed.order_id == placed.order_id
            found = await settled(client, "mine", so=lambda order: order.price == 1001)
            assert (found.order_id, found.size) == (placed.order_id, SOME)
            with pytest.raises(ConfigError, match="nothing"):
                await client.modify_order("ETHUSDT", client_id="mine")
            await client.cancel_order("ETHUSDT", client_id="mine")
            await settled(client, "mine", so=lambda order: order.status is OrderStatus.CLOSED)
            with pytest.raises(ExchangeError, match="ORDER_IS_NOT_OPEN"):
                await client.modify_order("ETHUSDT", client_id="mine", price=1002)

    in_box(script, speed=SPEED)


def test_a_batch_goes_out_as_one_request_and_each_order_has_its_own_answer() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.place_order(buy(client_id="taken"))
            await settled(client, "taken")
            batch = [buy(client_id="one"), buy(client_id="taken"), buy(FAR_BELOW + 1, client_id="two")]
            orders = await client.place_batch(batch)
            assert [order.client_id for order in orders] == ["one", "taken", "two"]
            assert [order.outcome for order in orders] == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.ACCEPTED]
            assert "DUPLICATED_CLIENT_ID" in orders[1].message
            assert orders[1].status is OrderStatus.CLOSED
            assert box.interposer.paths().count("POST /v1/orders/batch") == 1
            await settled(client, "two")
            outcomes = await client.cancel_batch(order_ids=[orders[0].order_id], client_ids=["two", "nobody"])
            assert outcomes == [CancelOutcome.ACCEPTED, CancelOutcome.ACCEPTED, CancelOutcome.GONE]

    in_box(script, speed=SPEED)


def test_a_batch_that_cannot_be_is_refused_before_anything_leaves() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            for batch, named in (([], "batch"), ([buy()] * 11, "batch"), ([buy(client_id="x")] * 2, "client_id")):
                with pytest.raises(ConfigError, match=named):
                    await client.place_batch(batch)
            with pytest.raises(ConfigError, match="client_ids"):
                await client.cancel_batch()
            assert not [path for path in box.interposer.paths() if path.endswith("/batch")]

    in_box(script, speed=SPEED)


def test_a_batch_without_an_answer_is_unknown_order_by_order_and_never_sent_again() -> None:
    async def script(box: Served) -> None:
        def swallowed(request: HttpArrived, answer: HttpAnswer) -> HttpAnswer | None:
            return None if request.path.endswith("/batch") else answer

        async with box.rest() as client:
            await client.get_balance()
            box.interposer.after = swallowed
            orders = await client.place_batch([buy(client_id="a"), buy(client_id="b")])
            assert all(order.unknown for order in orders)
            assert await client.cancel_batch(client_ids=["a"]) == [CancelOutcome.UNKNOWN]
            assert box.interposer.paths().count("POST /v1/orders/batch") == 1
            assert await client.order_exists("ETHUSDT", client_id="b"), "it was executed: asking finds it"

    in_box(script, speed=5.0)  # two deadlines pass


def test_a_twap_order_trades_its_slices_and_can_be_stopped() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            placed = await client.place_twap("ETHUSDT", "BUY", SOME, duration_s=60)
            assert not placed.unknown
            assert (placed.size, placed.side) == (SOME, "buy")
            found = await client.get_twap(placed.id)
            while found is not None and found.remaining == SOME:
                await asyncio.sleep(0.01)
                found = await client.get_twap(placed.id)
            assert found is not None
            assert found.average_price is not None
            assert [twap.id for twap in await client.get_twaps()] == [placed.id]
            assert await client.cancel_twap(placed.id) is CancelOutcome.ACCEPTED
            assert await client.get_twaps() == []
            (ended,) = [twap async for twap in client.iter_twaps("ETHUSDT")]
            assert (ended.id, ended.status) == (placed.id, OrderStatus.CLOSED)
            assert await client.cancel_twap("nobody") is CancelOutcome.GONE
            assert await client.get_twap("nobody") is None
            for duration_s, every_s, named in ((45, 30, "duration_s"), (60, 90, "every_s")):
                with pytest.raises(ConfigError, match=named):
                    await client.place_twap("ETHUSDT", "BUY", SOME, duration_s=duration_s, every_s=every_s)

    in_box(script, speed=SPEED)


def test_a_token_made_here_reads_until_it_is_revoked_and_signs_nothing() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            token, about = await client.create_token("reader", 3_600)
            assert about.lookup_id in [each.lookup_id for each in await client.get_tokens()]
            assert await client.get_subkeys() == []
            async with box.rest(Credentials(bearer_token=token)) as reader:
                assert (await reader.get_balance()).account == (await client.get_balance()).account
                with pytest.raises(ExchangeError, match="PARADEX_SECRET_KEY"):
                    await reader.place_order(buy())
                await client.revoke_token(about.lookup_id)
                with pytest.raises(ExchangeError):
                    await reader.get_balance()
            assert about.lookup_id not in [each.lookup_id for each in await client.get_tokens()]
            assert about.lookup_id in [each.lookup_id for each in await client.get_tokens(with_invalid=True)]
            with pytest.raises(ConfigError, match="life_s"):
                await client.create_token("reader", 59)

    in_box(script, speed=SPEED)


def test_a_script_of_the_retail_class_says_so_when_it_signs_in() -> None:
    async def script(box: Served) -> None:
        client = ParadexRestClient.for_environment(
            "simulator", box.credentials, rest_url=box.rest_url, ws_url=box.ws_url, interactive=True
        )
        async with client:
            await client.get_balance()
        logins = [request for request in box.interposer.requests if request.path.startswith("/v1/auth/")]
        assert {request.query for request in logins} == {"token_usage=interactive"}

    in_box(script)
