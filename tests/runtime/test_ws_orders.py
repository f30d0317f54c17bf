"""Orders of scripts over the account's socket."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from flashscalper.model.errors import AuthError, ConfigError, ExchangeError, TransportError
from flashscalper.model.events import OrderUpdate
from flashscalper.model.orders import OrderStatus, OrderType
from flashscalper.runtime.clients.scripted import CancelOutcome, OrderRequest
from flashscalper.runtime.credentials import Credentials
from tests.promises.box import Served, in_box, until

SPEED = 1.0
SOME = Decimal("0.1")


def buy(**changes: Any) -> OrderRequest:
    return OrderRequest(**{"symbol": "ETHUSDT", "side": "BUY", "size": SOME, "price": 1000, **changes})


def updates(heard: list[Any], client_id: str) -> list[OrderStatus]:
    return [each.order.status for each in heard if isinstance(each, OrderUpdate) and each.order.client_id == client_id]


def rests(heard: list[Any], client_id: str) -> bool:
    return OrderStatus.OPEN in updates(heard, client_id)


def test_an_order_is_entered_seen_and_cancelled_without_a_rest_request() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            heard: list[Any] = []
            client.on("channel", heard.append)
            placed = await client.place_order(buy(client_id="mine"))
            assert placed.order_id
            await until(lambda: OrderStatus.OPEN in updates(heard, "mine"))
            assert await client.cancel_order("ETHUSDT", client_id="mine") is CancelOutcome.ACCEPTED
            await until(lambda: OrderStatus.CLOSED in updates(heard, "mine"))
            assert await client.cancel_order("ETHUSDT", order_id=placed.order_id) is CancelOutcome.GONE
            await client.place_order(buy(client_id="one"))
            await client.place_order(buy(client_id="two", type=OrderType.STOP_MARKET, price=None, trigger_price=1000))
            await client.cancel_all_orders("ETHUSDT")
            await until(lambda: all(OrderStatus.CLOSED in updates(heard, name) for name in ("one", "two")))
            assert not [path for path in box.interposer.paths() if "/orders" in path]

    in_box(script, speed=SPEED)


def test_a_refusal_is_an_error_and_a_type_of_rest_is_refused_here() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client, box.streams(Credentials()) as nobody:
            await client.place_order(buy(client_id="mine"))
            with pytest.raises(ExchangeError) as refused:
                await client.place_order(buy(size="0.001", client_id="small"))
            assert refused.value.code == "INVALID_ORDER_SIZE"
            with pytest.raises(ConfigError, match="over REST"):
                await client.place_order(buy(type="take_profit_limit", trigger_price=9000))
            with pytest.raises(AuthError):
                await nobody.place_order(buy())

    in_box(script, speed=SPEED)


def test_an_order_whose_answer_is_lost_with_the_socket_is_unknown() -> None:
    async def script(box: Served) -> None:
        async with box.streams(order_timeout_s=2.0) as client, box.rest() as rest:
            await client.subscribe_account()
            await rest.get_market("ETHUSDT")
            box.interposer.mute = True
            placed = await client.place_order(buy(client_id="lost"))
            box.interposer.mute = False
            assert placed.unknown
            assert await rest.order_exists("ETHUSDT", client_id="lost"), "it was executed: asking finds it"

    in_box(script, speed=SPEED)


def test_while_the_stream_is_down_nothing_is_sent_and_that_is_said() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            lost: list[str] = []
            back: list[str] = []
            client.on("error", lambda error: lost.append(str(error).partition(":")[0]))
            client.on("reconnected", lambda event: back.append(event.stream))
            await client.place_order(buy(client_id="before"))
            async with box.outage():
                await until(lambda: not client.connected and "account" in lost)
                with pytest.raises(TransportError, match="nothing was sent"):
                    await client.place_order(buy(client_id="during"))
            await until(lambda: "account" in back)
            assert not (await client.place_order(buy(client_id="after"))).unknown

    in_box(script, speed=SPEED)


def test_cancel_on_disconnect_is_armed_anew_after_a_reconnect() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client, box.rest() as rest:
            heard: list[Any] = []
            back: list[Any] = []
            client.on("channel", heard.append)
            client.on("reconnected", back.append)
            await client.cancel_on_disconnect()
            for name in ("first", "second"):
                await client.place_order(buy(client_id=name))
                await until(partial(rests, heard, name))
                back.clear()
                box.interposer.drop_sockets()
                await until(lambda: {event.stream for event in back} >= {"account"})
                assert await rest.get_open_orders("ETHUSDT") == []

    in_box(script, speed=SPEED)
