"""Section 17.5 of the original's checklist: the REST client. One test for each of its boxes, over real sockets."""

from __future__ import annotations

import asyncio
import json
import re
import time
from decimal import Decimal
from itertools import pairwise

import pytest

from flashscalper import ParadexRestClient
from flashscalper.model.errors import (
    AuthError,
    ConfigError,
    DeadlineError,
    ExchangeError,
    TransportError,
)
from flashscalper.model.markets import Rounding
from flashscalper.model.orders import OrderStatus, OrderType, Side, TimeInForce
from flashscalper.runtime.clients.scripted import CancelOutcome, ScriptedOrder
from flashscalper.runtime.credentials import Credentials
from flashscalper.simulator.base import HttpAnswer, HttpArrived
from tests.promises.box import Served, in_box, refuse
from tests.shared import shared_spec


async def far_below(client: ParadexRestClient, symbol: str = "ETHUSDT") -> Decimal:
    """A price that rests: inside the price band, away from the market."""
    price = await client.get_price(symbol)
    assert price.bid is not None
    return (await client.get_market(symbol)).passive_price(price.bid * 0.97, Side.BUY)


def test_full_rest_api_implementation() -> None:
    """A whole script, and every request of it is one that Paradex's own OpenAPI file knows."""
    known = [
        (method.upper(), re.compile("^/v1" + re.sub(r"\{[^}]+\}", "[^/]+", path.removeprefix("/v1")) + "$"))
        for path, methods in json.loads(shared_spec("paradex-openapi.json").read_text())["paths"].items()
        for method in methods
    ]

    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.get_funding_rate("ETHUSDT")
            await client.get_klines("ETHUSDT", "1m", 3)
            await client.set_leverage("ETHUSDT", 3)
            await client.get_balance()
            await client.place_market_order("ETHUSDT", "BUY", Decimal("0.1"))
            resting = await client.place_limit_order("ETHUSDT", "BUY", Decimal("0.1"), await far_below(client))
            await client.get_order("ETHUSDT", order_id=resting.order_id)
            await client.get_open_orders()
            await client.cancel_order("ETHUSDT", order_id=resting.order_id)
            await client.get_order("ETHUSDT", client_id=resting.client_id)
            await client.cancel_all_orders("ETHUSDT")
            await client.get_positions()
            await client.get_fills("ETHUSDT")
        for request in box.interposer.requests:
            if request.path.startswith("/v1/auth/0x"):
                continue  # in Paradex's prose and SDK (protocol page, 2.6), not in the file
            assert any(request.method == method and path.match(request.path) for method, path in known), request

    in_box(script)


def test_hmac_sha256_signature_auth_is_what_paradex_really_wants_instead() -> None:
    """Real Paradex has no HMAC keys: a StarkNet signature buys a five-minute token, and every order is signed as well."""

    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.get_balance()
            await client.place_limit_order("ETHUSDT", "BUY", Decimal("0.1"), await far_below(client))
        by_path = {request.path: request for request in box.interposer.requests}
        login = next(request for path, request in by_path.items() if path.startswith("/v1/auth/0x"))
        assert {"paradex-starknet-account", "paradex-starknet-signature", "paradex-timestamp"} <= login.headers.keys()
        assert by_path["/v1/account"].headers["authorization"].startswith("Bearer ey")
        order = json.loads(by_path["/v1/orders"].body)
        assert re.fullmatch(r'\["\d+","\d+"\]', order["signature"])
        assert "authorization" not in by_path["/v1/markets"].headers
        for request in box.interposer.requests:
            assert not {"x-api-key", "x-timestamp", "x-signature"} & request.headers.keys()
            assert box.key.reveal().removeprefix("0x") not in str(request)

    in_box(script)


def test_a_token_that_the_exchange_refuses_is_renewed_and_the_order_sent_once_more() -> None:
    async def script(box: Served) -> None:
        refused: list[HttpArrived] = []

        def expired(request: HttpArrived) -> HttpAnswer | None:
            if request.method == "POST" and request.path == "/v1/orders" and not refused:
                refused.append(request)
                return refuse(request, 401, "INVALID_TOKEN")
            return None

        box.interposer.before = expired
        async with box.rest() as client:
            await client.get_balance()
            logins = sum(path.startswith("POST /v1/auth") for path in box.interposer.paths())
            order = await client.place_limit_order("ETHUSDT", "BUY", Decimal("0.1"), await far_below(client))
            assert not order.unknown
            assert [open_order.client_id for open_order in await client.get_open_orders()] == [order.client_id]
        paths = box.interposer.paths()
        assert paths.count("POST /v1/orders") == 2
        assert sum(path.startswith("POST /v1/auth") for path in paths) == logins + 1

    in_box(script)


def test_retry_with_exponential_backoff() -> None:
    """Reads are tried again; an order request never is, whatever became of it."""

    async def script(box: Served) -> None:
        failures = {"GET /v1/account": 2, "POST /v1/orders": 9}

        def broken(request: HttpArrived, answer: HttpAnswer) -> HttpAnswer | None:
            name = f"{request.method} {request.path}"
            if failures.get(name, 0):
                failures[name] -= 1
                return refuse(request, 503)
            return answer

        box.interposer.after = broken
        async with box.rest() as client:
            began = time.monotonic()
            assert (await client.get_balance()).account_value == 10_000
            assert time.monotonic() - began < 5.0
            order = await client.place_limit_order("ETHUSDT", "BUY", Decimal("0.1"), await far_below(client))
            assert order.unknown, "a 503 proves nothing"
            assert "503" in order.message
            assert await client.order_exists("ETHUSDT", client_id=order.client_id), "it was executed"
        assert box.interposer.paths().count("GET /v1/account") == 3
        assert box.interposer.paths().count("POST /v1/orders") == 1

    in_box(script)


def test_rate_limiting() -> None:
    async def script(box: Served) -> None:
        told: list[float] = []
        answers: list[HttpAnswer] = []
        box.interposer.after = lambda request, answer: answers.append(answer) or answer  # type: ignore[func-returns-value]

        def limited(request: HttpArrived) -> HttpAnswer | None:
            if request.path == "/v1/account":
                told.append(time.monotonic())
                if len(told) == 1:
                    return refuse(request, 429, "RATE_LIMITED", (("Retry-After", "0.3"),))
            return None

        box.interposer.before = limited
        async with box.rest() as client:
            await client.get_balance()
            assert told[1] - told[0] >= 0.29, "nothing was asked before Retry-After"
            assert len(told) == 2
            began = time.monotonic()
            await asyncio.gather(*(client.get_balance() for _ in range(120)))
            assert time.monotonic() - began >= 0.2, "a burst is spread, so that the exchange never has to refuse"
            assert not any(answer.status == 429 for answer in answers)

    in_box(script)


def test_error_handling() -> None:
    async def script(box: Served) -> None:
        async with box.public() as public:
            with pytest.raises(AuthError, match="PARADEX_SECRET_KEY"):
                await public.get_balance()
            with pytest.raises(ConfigError, match="symbol: saw 'NOPEUSDT'; accepted: a listed market"):
                await public.get_price("NOPEUSDT")
            with pytest.raises(ConfigError, match="interval: saw '7m'"):
                await public.get_klines("ETHUSDT", "7m")
        async with box.rest() as client:
            with pytest.raises(ConfigError, match="side: saw 'LONG'; accepted: BUY, SELL"):
                await client.place_market_order("ETHUSDT", "LONG", Decimal("0.1"))
            with pytest.raises(ExchangeError, match=r"[A-Z_]+: .+"):
                await client.place_limit_order("ETHUSDT", "BUY", Decimal("0.0001"), await far_below(client))
            box.interposer.before = lambda request: refuse(request, 502) if request.path == "/v1/account" else None
            with pytest.raises(TransportError, match="502"):
                await client.get_balance()
        async with box.outage(), box.public() as public:
            with pytest.raises((TransportError, DeadlineError)):
                await public.get_price("ETHUSDT")
        async with box.rest(Credentials(account="0x1", secret_key=box.key)) as stranger:
            with pytest.raises((AuthError, ExchangeError)):
                await stranger.get_balance()

    in_box(script)


def test_market_and_limit_execution() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            bought = await client.place_market_order("ETHUSDT", "BUY", Decimal("0.1"))
            assert (bought.status, bought.remaining) == (OrderStatus.CLOSED, Decimal(0))
            assert bought.average_price is not None
            price = await client.get_price("ETHUSDT")
            assert price.ask is not None
            aggressive = (await client.get_market("ETHUSDT")).round_price(price.ask * 1.01, Rounding.UP)
            taken = await client.place_limit_order("ETHUSDT", Side.BUY, "0.1", aggressive, time_in_force="IOC")
            assert taken.time_in_force is TimeInForce.IOC
            position = await client.get_position("ETHUSDT")
            assert position is not None
            assert position.size == Decimal("0.2")

    in_box(script)


def test_position_management() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            assert await client.get_positions() == []
            await client.place_market_order("ETHUSDT", "SELL", Decimal("0.3"))
            short = await client.get_position("ETH-USD-PERP")
            assert short is not None
            assert short.size == Decimal("-0.3"), "a short is negative"
            await client.place_market_order("ETHUSDT", "BUY", Decimal("0.3"), reduce_only=True)
            assert await client.get_position("ETHUSDT") is None
            nothing = await client.place_market_order("ETHUSDT", "BUY", Decimal("0.3"), reduce_only=True)
            assert (nothing.status, nothing.filled) == (OrderStatus.CLOSED, Decimal(0))
            assert "REDUCE_ONLY" in nothing.cancel_reason
            assert await client.get_positions() == [], "reduce-only opened nothing"

    in_box(script)


def test_balance_queries() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.place_market_order("ETHUSDT", "BUY", Decimal(1))
            balance = await client.get_balance()
            assert balance.initial_margin > 0
            assert balance.free_collateral < balance.account_value
            box.interposer.after = lambda request, answer: (
                answer if request.path != "/v1/account" else HttpAnswer(answer.id, 200, (), b'{"account":"0x1"}')
            )
            with pytest.raises(Exception, match="GET /account"):
                await client.get_balance()

    in_box(script)


def test_leverage_configuration() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.set_leverage("ETHUSDT", 7)
            assert (await client.set_leverage("ETHUSDT", 4, isolated=False)).leverage == 4
            with pytest.raises(ExchangeError):
                await client.set_leverage("ETHUSDT", 5_000)
            with pytest.raises(ConfigError, match="leverage"):
                await client.set_leverage("ETHUSDT", 0)

    in_box(script)


def test_get_balance() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            balance = await client.get_balance()
            assert balance.account_value == balance.free_collateral == Decimal(10_000)
            assert balance.status == "ACTIVE"

    in_box(script)


def test_get_price() -> None:
    async def script(box: Served) -> None:
        async with box.public() as client:
            price = await client.get_price("ETHUSDT")
            now = time.time_ns() // 1_000
            assert price.bid is not None
            assert price.ask is not None
            assert 0 < price.bid < price.ask
            assert abs(price.mark / price.bid - 1) < 0.05
            assert abs(now - price.marked_at) < 5_000_000
            assert abs(now - price.quoted_at) < 5_000_000
            assert (await client.get_price("ETH/USD:USDC")).symbol == "ETHUSDT"

    in_box(script)


def test_get_klines() -> None:
    async def script(box: Served) -> None:
        async with box.public() as client:
            minutes = await client.get_klines("ETHUSDT", "1m", 240)
            assert len(minutes) == 240
            assert all(later.open_at == earlier.close_at for earlier, later in pairwise(minutes))
            assert all(kline.closed and kline.low <= kline.close <= kline.high for kline in minutes)
            with_current = await client.get_klines("ETHUSDT", "1m", 2, include_current=True)
            assert [kline.closed for kline in with_current] == [True, True, False]
            (two_hours,) = await client.get_klines("ETHUSDT", "2h", 1)
            hours = [kline for kline in await client.get_klines("ETHUSDT", "1h", 4) if kline.close_at <= two_hours.close_at][
                -2:
            ]
            assert two_hours.open == hours[0].open
            assert two_hours.high == max(kline.high for kline in hours)
            assert two_hours.volume == pytest.approx(sum(kline.volume for kline in hours))

    in_box(script)


def test_set_leverage() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            box.interposer.before = lambda request: (
                HttpAnswer(request.id, 200, (), b"{}")
                if request.method == "POST" and "/account/margin" in request.path
                else None
            )
            with pytest.raises(ExchangeError, match="LEVERAGE_NOT_SET"):
                await client.set_leverage("ETHUSDT", 2)

    in_box(script)


def test_get_positions_and_get_position() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.place_market_order("ETHUSDT", "BUY", Decimal("0.1"))
            await client.place_market_order("BTCUSDT", "SELL", Decimal("0.01"))
            positions = {position.symbol: position.size for position in await client.get_positions()}
            assert positions == {"ETHUSDT": Decimal("0.1"), "BTCUSDT": Decimal("-0.01")}
            found = await client.get_position("BTC-USD-PERP")
            assert found is not None
            assert found.entry_price > 0

    in_box(script)


def test_place_market_order() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            order = await client.place_market_order("ETHUSDT", "BUY", Decimal("0.1"))
            assert isinstance(order, ScriptedOrder)
            assert (order.unknown, order.type, order.filled) == (False, OrderType.MARKET, Decimal("0.1"))
            (fill,) = await client.get_fills("ETHUSDT")
            assert (fill.order_id, fill.size, fill.price) == (order.order_id, Decimal("0.1"), order.average_price)
            with pytest.raises(ConfigError, match="size"):
                await client.place_market_order("ETHUSDT", "BUY", 0.1)  # type: ignore[arg-type]

    in_box(script)


def test_place_limit_order() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            price = await far_below(client)
            order = await client.place_limit_order(
                "ETHUSDT", "BUY", "0.1", price, time_in_force=TimeInForce.POST_ONLY, client_id="mine-1"
            )
            found = await client.get_order("ETHUSDT", client_id="mine-1")
            assert found is not None
            assert (found.order_id, found.price, found.time_in_force) == (order.order_id, price, TimeInForce.POST_ONLY)
            assert found.status is OrderStatus.OPEN
            with pytest.raises(ConfigError, match=r"price: saw '\d+\.\d+'; accepted: .* in steps of 0\.01 USD"):
                await client.place_limit_order("ETHUSDT", "BUY", "0.1", price + Decimal("0.001"))
            with pytest.raises(ConfigError, match="time_in_force: saw 'FOK'; accepted: gtc, ioc, post_only, rpi"):
                await client.place_limit_order("ETHUSDT", "BUY", "0.1", price, time_in_force="FOK")
            stop = await client.place_stop_order("ETHUSDT", "SELL", "0.1", price)
            assert (stop.type, stop.trigger_price, stop.reduce_only) == (OrderType.STOP_MARKET, price, True)

    in_box(script)


def test_cancel_order() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            order = await client.place_limit_order("ETHUSDT", "BUY", "0.1", await far_below(client))
            assert await client.cancel_order("ETHUSDT", client_id=order.client_id) is CancelOutcome.ACCEPTED
            assert await client.cancel_order("ETHUSDT", client_id=order.client_id) is CancelOutcome.GONE
            filled = await client.place_market_order("ETHUSDT", "BUY", "0.1")
            assert await client.cancel_order("ETHUSDT", order_id=filled.order_id) is CancelOutcome.FILLED
            box.interposer.after = lambda request, answer: refuse(request, 503) if request.method == "DELETE" else answer
            assert await client.cancel_order("ETHUSDT", order_id=filled.order_id) is CancelOutcome.UNKNOWN
            with pytest.raises(ConfigError, match="either order_id or client_id"):
                await client.cancel_order("ETHUSDT")
            with pytest.raises(TransportError):
                await client.cancel_all_orders()
            box.interposer.after = lambda request, answer: answer
            await client.cancel_all_orders()
            assert await client.get_open_orders() == []

    in_box(script)


def test_order_exists() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            order = await client.place_limit_order("ETHUSDT", "BUY", "0.1", await far_below(client))
            assert await client.order_exists("ETHUSDT", client_id=order.client_id)
            assert await client.order_exists("ETHUSDT", order_id=order.order_id)
            await client.cancel_all_orders("ETHUSDT")
            assert await client.order_exists("ETHUSDT", order_id=order.order_id), "closed, but it exists"
            assert not await client.order_exists("ETHUSDT", client_id="never-sent")
            box.interposer.before = lambda request: refuse(request, 500) if "/orders" in request.path else None
            with pytest.raises(TransportError):
                await client.order_exists("ETHUSDT", client_id="never-sent")

    in_box(script)


@pytest.mark.parametrize(("size", "text"), [(0.29, "0.29"), (1.15, "1.15"), (0.57, "0.57"), (0.00019, "0.0001"), (2, "2")])
def test_quantity_formatting_and_precision(size: float, text: str) -> None:
    async def script(box: Served) -> None:
        async with box.public() as client:
            assert await client.format_size("ETHUSDT", size) == text
            assert await client.round_size("ETHUSDT", size) == Decimal(text)
            market = await client.get_market("ETHUSDT")
            assert market.min_notional > 0
            assert market.max_order_size > 0

    in_box(script)
