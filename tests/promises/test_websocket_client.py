"""Section 17.3 of the original's checklist: the WebSocket client. One test for each of its boxes, over real sockets."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from flashscalper import ParadexWebSocketClient
from flashscalper.market.book import OrderBook
from flashscalper.model.errors import AuthError, ConfigError, ExchangeError, FlashScalperError, TransportError
from flashscalper.model.events import BalanceUpdate, BestQuote, BookChange, FillReported, OrderUpdate, PositionUpdate
from flashscalper.model.klines import Trade
from flashscalper.runtime.credentials import Credentials
from tests.promises.box import Served, in_box, until

SPEED = 5.0


def listen(client: ParadexWebSocketClient, event: str) -> list[Any]:
    heard: list[Any] = []
    client.on(event, heard.append)
    return heard


def complete(box: Served, trades: list[Trade]) -> bool:
    """Whether these are the exchange's own trades from the first to the last of them: in order, each once, none missing."""
    ids = [trade.id for trade in trades]
    printed = box.exchange.trades(trades[0].symbol, limit=100_000)
    return ids == [trade.id for trade in reversed(printed) if ids[0] <= trade.id <= ids[-1]]


def test_real_time_trade_streaming() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            await client.subscribe_trades("ETHUSDT")
            trades: list[Trade] = []
            async for event in client:
                if isinstance(event, Trade):
                    trades.append(event)
                if len(trades) == 20:
                    break
            assert complete(box, trades)
            assert all(trade.symbol == "ETHUSDT" and trade.price > 0 and trade.size > 0 for trade in trades)
            assert abs(box.clock.now() - trades[-1].traded_at) < SPEED * 5_000_000

    in_box(script, speed=SPEED)


def test_auto_authentication_with_bearer_token() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            heard = listen(client, "channel")
            await client.subscribe_account()
            async with box.rest() as rest:
                await rest.place_market_order("ETHUSDT", "BUY", Decimal("0.1"))
            await until(
                lambda: {OrderUpdate, FillReported, PositionUpdate, BalanceUpdate} <= {type(event) for event in heard}
            )
            (fill,) = [event.fill for event in heard if isinstance(event, FillReported)]
            assert (fill.symbol, fill.size) == ("ETHUSDT", Decimal("0.1"))
        nobody = ParadexWebSocketClient.for_environment("simulator", Credentials(), rest_url=box.rest_url, ws_url=box.ws_url)
        async with nobody:
            await nobody.subscribe_trades("ETHUSDT")
            with pytest.raises(AuthError):
                await nobody.subscribe_account()

    in_box(script, speed=SPEED)


def test_channel_subscription_management() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            heard = listen(client, "channel")
            trades = await client.subscribe_trades("ETHUSDT")
            assert trades == "trades.ETH-USD-PERP"
            assert await client.subscribe_trades("ETH-USD-PERP") == trades, "twice is once"
            quotes = await client.subscribe_best_quote("BTCUSDT")
            await until(lambda: {Trade, BestQuote} <= {type(event) for event in heard})
            await client.unsubscribe(trades)
            heard.clear()
            await until(lambda: len(heard) >= 5)
            assert all(isinstance(event, BestQuote) and event.symbol == "BTCUSDT" for event in heard)
            with pytest.raises(ConfigError, match=quotes):
                await client.unsubscribe(trades)
            with pytest.raises(ExchangeError, match="subscribe"):
                await client.subscribe_trades("NOPEUSDT")

    in_box(script, speed=SPEED)


def test_reconnect_with_exponential_backoff() -> None:
    """After an outage the stream is back by itself, with the trades that it missed, each once."""

    async def script(box: Served) -> None:
        async with box.streams() as client:
            trades: list[Trade] = listen(client, "trade")
            reconnected = listen(client, "reconnected")
            troubles = listen(client, "error")
            await client.subscribe_trades("ETHUSDT")
            await until(lambda: len(trades) >= 5)
            async with box.outage():
                await until(lambda: len(troubles) >= 3)
                assert not client.connected
            await until(lambda: bool(reconnected))
            before = len(trades)
            await until(lambda: len(trades) >= before + 5)
            assert complete(box, trades)
            assert any("attempt 3 in" in str(trouble) for trouble in troubles), "the waits are drawn, not fixed"

    in_box(script, speed=SPEED)


def test_configurable_max_attempts() -> None:
    async def script(box: Served) -> None:
        async with box.streams(max_reconnect_attempts=3) as client:
            gave_up = listen(client, "max_reconnect_attempts")
            troubles = listen(client, "error")
            await client.subscribe_trades("ETHUSDT")
            async with box.outage():
                await until(lambda: bool(gave_up))
                assert sum("attempt" in str(trouble) for trouble in troubles) == 3
        with pytest.raises(ConfigError, match="max_reconnect_attempts"):
            box.streams(max_reconnect_attempts=-1)

    in_box(script, speed=SPEED)


def test_health_monitoring() -> None:
    """A connection that is open but says nothing is found by its silence, not by its pongs."""

    async def script(box: Served) -> None:
        async with box.streams(dead_feed_s=3.0, handshake_timeout_s=10.0, ping_every_s=0.5) as client:
            reconnected = listen(client, "reconnected")
            troubles = listen(client, "error")
            trades = listen(client, "trade")
            await client.subscribe_trades("ETHUSDT")
            await client.subscribe_account()
            await until(lambda: bool(trades))
            box.interposer.mute = True
            await until(lambda: any("no data for 3.0 s" in str(trouble) for trouble in troubles))
            box.interposer.mute = False
            await until(lambda: any(event.stream == "market" for event in reconnected))
            assert not any("account: lost" in str(trouble) for trouble in troubles), "pongs kept the quiet one alive"

    in_box(script, speed=SPEED)


def test_event_driven() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            first, second = listen(client, "trade"), listen(client, "trade")
            muted: list[Trade] = []
            client.on("trade", muted.append)
            client.off("trade", muted.append)
            await client.subscribe_trades("ETHUSDT")
            await until(lambda: len(second) >= 3)
            assert first == second
            assert muted == []
            with pytest.raises(ConfigError, match="event: saw 'trades'; accepted: trade, orderbook"):
                client.on("trades", print)

    in_box(script, speed=SPEED)


def test_error_handling_and_retry() -> None:
    """A handler that fails, and an error nobody listens to, end nothing."""

    async def script(box: Served) -> None:
        async with box.streams() as client:

            def clumsy(trade: Trade) -> None:
                raise ZeroDivisionError(f"trade {trade.id}")

            client.on("trade", clumsy)
            after = listen(client, "trade")
            await client.subscribe_trades("ETHUSDT")
            await until(lambda: len(after) >= 3)
            errors = listen(client, "error")
            await until(lambda: bool(errors))
            assert isinstance(errors[0], FlashScalperError)
            assert "ZeroDivisionError" in str(errors[0])
            box.interposer.drop_sockets()
            count = len(after)
            await until(lambda: len(after) >= count + 3)

    in_box(script, speed=SPEED)


def test_graceful_disconnection() -> None:
    async def script(box: Served) -> None:
        client = box.streams()
        await client.connect()
        await client.subscribe_trades("ETHUSDT")
        await client.subscribe_account()
        reconnected, trades = listen(client, "reconnected"), listen(client, "trade")
        opened = len(box.interposer.sockets)
        assert opened == 2
        ended: list[object] = []

        async def read() -> None:
            ended.extend([event async for event in client])

        reader = asyncio.create_task(read())
        await until(lambda: bool(trades))
        await client.disconnect()
        await client.disconnect()
        await reader
        assert set(trades) <= set(ended), "what was there was handed out before the end"
        await until(lambda: not box.interposer.sockets)
        assert reconnected == []
        assert not client.connected
        with pytest.raises(TransportError, match="disconnected"):
            await client.subscribe_trades("BTCUSDT")

    in_box(script, speed=SPEED)


def test_a_connection_that_never_comes_up_is_an_error_and_leaves_nothing_behind() -> None:
    async def script(box: Served) -> None:
        async with box.outage():
            client = box.streams(connect_timeout_s=0.1, handshake_timeout_s=0.2)
            with pytest.raises(TransportError):
                await client.connect()
        await asyncio.sleep(0.05)
        assert box.interposer.sockets == set()

    in_box(script, speed=SPEED)


def test_event_trade() -> None:
    async def script(box: Served) -> None:
        async with box.streams(sbe=False) as client:
            trades: list[Trade] = listen(client, "trade")
            await client.subscribe_trades("BTCUSDT")
            await until(lambda: len(trades) >= 3)
            assert complete(box, trades)
            assert {trade.symbol for trade in trades} == {"BTCUSDT"}

    in_box(script, speed=SPEED)


@pytest.mark.parametrize("sbe", [True, False])
def test_event_orderbook(sbe: bool) -> None:
    """The client keeps the book; at any moment it is the exchange's own book of some recent moment."""

    async def script(box: Served) -> None:
        async with box.streams(sbe=sbe) as client:
            books: list[OrderBook] = listen(client, "orderbook")
            await client.subscribe_order_book("ETHUSDT")
            await until(lambda: len(books) >= 20)
            book = client.order_book("ETHUSDT")
            assert book is books[0]
            assert book.best_bid is not None
            assert book.best_ask is not None
            assert book.best_bid < book.best_ask
            async with box.public() as rest:
                price = await rest.get_price("ETHUSDT")
            assert price.bid == pytest.approx(book.best_bid, rel=0.01)
            with pytest.raises(ConfigError, match="ETHUSDT"):
                client.order_book("BTCUSDT")

    in_box(script, speed=SPEED)


def test_event_channel() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            heard = listen(client, "channel")
            await client.subscribe_best_quote("ETHUSDT")
            await client.subscribe_order_book("ETHUSDT")
            await client.subscribe_trades("ETHUSDT")
            await until(lambda: {Trade, BestQuote, BookChange} <= {type(event) for event in heard})

    in_box(script, speed=SPEED)


def test_event_error() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            errors = listen(client, "error")
            await client.subscribe_trades("ETHUSDT")
            box.interposer.drop_sockets()
            await until(lambda: bool(errors))
            assert all(isinstance(error, FlashScalperError) for error in errors)
            assert "1012 restart" in str(errors[0])

    in_box(script, speed=SPEED)


def test_event_reconnected() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            reconnected = listen(client, "reconnected")
            trades = listen(client, "trade")
            await client.subscribe_trades("ETHUSDT")
            assert reconnected == [], "the first connection is none"
            for number in (1, 2):
                box.interposer.drop_sockets()
                await until(lambda wanted=number: len(reconnected) == wanted)  # type: ignore[misc]
            seen = len(trades)
            await until(lambda: len(trades) >= seen + 3)
            assert complete(box, trades)

    in_box(script, speed=SPEED)


def test_event_max_reconnect_attempts() -> None:
    async def script(box: Served) -> None:
        client = box.streams(max_reconnect_attempts=1)
        await client.connect()
        gave_up = listen(client, "max_reconnect_attempts")
        async with box.outage():
            events = [event async for event in client]
            assert len(gave_up) == 1
            assert "gave up after 1 attempts" in gave_up[0].detail
            assert events, "what was there was handed out before the end"
            with pytest.raises(TransportError, match="gave up"):
                await client.subscribe_trades("ETHUSDT")
            await client.disconnect()

    in_box(script, speed=SPEED)
