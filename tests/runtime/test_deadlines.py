"""An exchange that takes everything and answers nothing: each kind of operation ends by its own deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.model.errors import DeadlineError, TransportError
from flashscalper.runtime.clients.rest_client import ParadexRestClient, scripted_settings
from flashscalper.runtime.clients.scripted import CancelOutcome
from flashscalper.runtime.clients.ws_client import ParadexWebSocketClient
from flashscalper.runtime.live import run_loop
from flashscalper.simulator.base import HttpArrived
from tests.promises.box import Served, in_box

ORDER_S, READ_S, AUTH_S, CONNECT_S = 0.3, 0.6, 0.4, 0.5
LATE_S = 0.8
"""What a busy machine may add."""


def settings_of(rest_url: str, ws_url: str, auth_timeout_s: float = 5.0) -> ParadexSettings:
    return scripted_settings(
        "simulator",
        rest_url=rest_url,
        ws_url=ws_url,
        order_timeout_s=ORDER_S,
        read_timeout_s=READ_S,
        auth_timeout_s=auth_timeout_s,
        connect_timeout_s=CONNECT_S,
        handshake_timeout_s=CONNECT_S,
        backoff_base_s=0.01,
        backoff_cap_s=0.02,
    )


def test_the_deadlines_are_those_of_trading() -> None:
    settings = scripted_settings("testnet")
    assert (settings.order_timeout_s, settings.read_timeout_s, settings.auth_timeout_s) == (3.0, 10.0, 5.0)


async def balance(client: ParadexRestClient) -> None:
    with pytest.raises(DeadlineError):
        await client.get_balance()


async def login(client: ParadexRestClient) -> None:
    with pytest.raises(DeadlineError, match="/auth"):
        await client.get_balance()


async def price(client: ParadexRestClient) -> None:
    with pytest.raises(DeadlineError):
        await client.get_price("ETHUSDT")


async def place(client: ParadexRestClient) -> None:
    order = await client.place_limit_order("ETHUSDT", "BUY", "0.1", "1000")
    assert order.unknown, "an order that got no answer may exist"
    assert "no answer" in order.message


async def cancel(client: ParadexRestClient) -> None:
    assert await client.cancel_order("ETHUSDT", client_id="gone") is CancelOutcome.UNKNOWN


async def cancel_all(client: ParadexRestClient) -> None:
    with pytest.raises(TransportError):
        await client.cancel_all_orders()


async def leverage(client: ParadexRestClient) -> None:
    with pytest.raises(DeadlineError):
        await client.set_leverage("ETHUSDT", 3)


@pytest.mark.parametrize(
    ("operation", "method", "path", "deadline_s"),
    [
        (price, "GET", "/v1/bbo/", READ_S),
        (balance, "GET", "/v1/account", READ_S),
        (leverage, "POST", "/v1/account/margin/", READ_S),
        (place, "POST", "/v1/orders", ORDER_S),
        (cancel, "DELETE", "/v1/orders/by_client_id/", ORDER_S),
        (cancel_all, "DELETE", "/v1/orders", ORDER_S),
    ],
)
def test_an_answer_that_never_comes_ends_the_operation_by_its_deadline(
    operation: Callable[[ParadexRestClient], Awaitable[None]], method: str, path: str, deadline_s: float
) -> None:
    async def script(box: Served) -> None:
        async with ParadexRestClient(settings_of(box.rest_url, box.ws_url), box.credentials) as client:
            await client.get_balance()
            await client.get_market("ETHUSDT")
            box.interposer.after = lambda request, answer: None if _is(request, method, path) else answer
            before = len([request for request in box.interposer.requests if _is(request, method, path)])
            took_s = await _timed(operation(client))
            sent = len([request for request in box.interposer.requests if _is(request, method, path)]) - before
        assert deadline_s * 0.8 <= took_s <= deadline_s + LATE_S
        if deadline_s == ORDER_S:
            assert sent == 1, "an order request is never sent again"

    in_box(script)


def test_a_login_that_is_not_answered_ends_by_its_deadline() -> None:
    async def script(box: Served) -> None:
        box.interposer.after = lambda request, answer: None if "/auth" in request.path else answer
        async with ParadexRestClient(settings_of(box.rest_url, box.ws_url, AUTH_S), box.credentials) as client:
            took_s = await _timed(login(client))
        assert took_s <= AUTH_S + LATE_S

    in_box(script)


def test_a_subscription_that_is_not_answered_ends_by_its_deadline() -> None:
    async def script(box: Served) -> None:
        client = ParadexWebSocketClient(settings_of(box.rest_url, box.ws_url), box.credentials)
        await client.connect()
        box.interposer.mute = True

        async def subscribe() -> None:
            with pytest.raises(DeadlineError):
                await client.subscribe_trades("ETHUSDT")

        took_s = await _timed(subscribe())
        await client.disconnect()
        assert took_s <= client._io.settings.read_timeout_s + client._io.settings.handshake_timeout_s + LATE_S

    in_box(script)


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that takes connections and bytes, and says nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(65_536):
            continue

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_is_a_black_hole_ends_every_read_by_its_deadline(scheme: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), black_hole() as port:
            settings = settings_of(
                f"{scheme}://127.0.0.1:{port}/v1", f"{scheme.replace('http', 'ws')}://127.0.0.1:{port}/v1"
            )
            async with ParadexRestClient(settings) as client:
                took_s = await _timed(price(client))
        assert READ_S * 0.8 <= took_s <= READ_S + LATE_S

    run_loop(main())


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_handshake_that_is_never_finished_ends_by_its_deadline(scheme: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), black_hole() as port:
            settings = settings_of(
                f"{scheme.replace('ws', 'http')}://127.0.0.1:{port}/v1", f"{scheme}://127.0.0.1:{port}/v1"
            )
            client = ParadexWebSocketClient(settings)

            async def connect() -> None:
                with pytest.raises(DeadlineError):
                    await client.connect()

            took_s = await _timed(connect())
        assert took_s <= 2 * CONNECT_S + LATE_S

    run_loop(main())


async def _timed(work: Awaitable[None]) -> float:
    started = time.monotonic()
    await work
    return time.monotonic() - started


def _is(request: HttpArrived, method: str, path: str) -> bool:
    return request.method == method and request.path.startswith(path)


def test_a_thousand_requests_use_at_most_two_sockets() -> None:
    async def script(box: Served) -> None:
        connections = 0

        async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65_536):
                writer.write(data)
            writer.close()

        async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            port = int(box.shell.http_url.rpartition(":")[2])
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pipe(reader, there_writer), pipe(there_reader, writer))

        counter = await asyncio.start_server(through, "127.0.0.1", 0)
        rest_url = f"http://127.0.0.1:{counter.sockets[0].getsockname()[1]}/v1"
        before = len(box.interposer.requests)
        async with ParadexRestClient(scripted_settings("simulator", rest_url=rest_url, ws_url=box.ws_url)) as client:
            for _ in range(500):
                await client.get_price("ETHUSDT")
        counter.close()
        assert len(box.interposer.requests) - before >= 1_000
        assert connections <= 2

    in_box(script)
