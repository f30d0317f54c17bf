"""The records that scripts read: every endpoint over real sockets, compared with the simulated exchange's own books."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from flashscalper.exchanges.paradex.script_results import HISTORY_KINDS, FundingPoint
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import OrderStatus
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from tests.promises.box import Served, in_box, until

SPEED = 2.0
SOME = Decimal("0.1")


async def round_trip(client: ParadexRestClient) -> None:
    await client.place_market_order("ETHUSDT", "BUY", SOME)
    await client.place_market_order("ETHUSDT", "SELL", SOME, reduce_only=True)


def test_status_clock_and_markets_are_the_exchanges() -> None:
    async def script(box: Served) -> None:
        async with box.public() as client:
            assert await client.get_status() is ExchangeStatus.OK
            assert abs(await client.get_server_time() - box.clock.now()) < SPEED * 5_000_000
            markets = {market.symbol: market for market in await client.get_markets()}
            assert set(markets) == {"ETHUSDT", "BTCUSDT"}
            assert markets["ETHUSDT"].price_tick == box.exchange.market("ETHUSDT").price_tick

    in_box(script, speed=SPEED)


def test_the_book_and_what_taking_from_it_costs() -> None:
    async def script(box: Served) -> None:
        async with box.public() as client:
            book = await client.get_order_book("ETHUSDT", 5)
            assert book.snapshot
            assert len(book.bids) <= 5
            assert book.bids == tuple(sorted(book.bids, reverse=True))
            assert book.asks == tuple(sorted(book.asks))
            assert book.bids[0][0] < book.asks[0][0]
            assert (await client.get_order_book("ETHUSDT", interactive=True)).bids
            impact = await client.get_impact_price("ETHUSDT", SOME)
            assert impact.size == SOME
            assert impact.price is not None
            assert (await client.get_impact_price("ETHUSDT", 1_000_000)).price is None
            with pytest.raises(ConfigError, match="depth"):
                await client.get_order_book("ETHUSDT", 0)

    in_box(script, speed=SPEED)


def test_trades_of_a_span_come_page_by_page_newest_first() -> None:
    async def script(box: Served) -> None:
        await until(lambda: len(box.exchange.trades("ETHUSDT", limit=100)) >= 30)
        until_at = box.clock.now() // 1_000_000 * 1_000_000
        await asyncio.sleep(1.0 / SPEED)
        async with box.public() as client:
            told = [trade.id async for trade in client.iter_trades("ETHUSDT", until_at=until_at)]
        printed = [trade.id for trade in box.exchange.trades("ETHUSDT", end_at=until_at, limit=10_000)]
        assert told == printed
        assert len(told) > 5

    in_box(script, speed=SPEED)


def test_funding_is_told_tick_by_tick_and_klines_of_every_price() -> None:
    async def script(box: Served) -> None:
        async with box.public() as client:
            points: list[FundingPoint] = []
            while len(points) < 3:
                points = [point async for point in client.iter_funding("ETHUSDT")]
            assert [point.measured_at for point in points] == sorted((p.measured_at for p in points), reverse=True)
            assert points[0].period_hours == box.exchange.market("ETHUSDT").funding_period_hours
            for kind in ("last", "mark", "underlying"):
                (kline,) = (await client.get_klines("ETHUSDT", "1m", 1, price_kind=kind))[-1:]
                assert kline.low <= kline.close <= kline.high
            with pytest.raises(ConfigError, match="price_kind"):
                await client.get_klines("ETHUSDT", "1m", 1, price_kind="bid")

    in_box(script, speed=SPEED)


def test_account_details_summaries_balances_and_leverage_agree() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            (details,) = await client.get_account_details()
            (summary,) = await client.get_account_summaries()
            (balance,) = await client.get_balances()
            assert details.account == summary.account
            assert details.kind == "main"
            assert details.taker_fee == box.exchange.market("ETHUSDT").taker_fee
            assert (balance.token, balance.size) == ("USDC", summary.total_collateral)
            await client.set_leverage("ETHUSDT", 7)
            assert (await client.get_leverage("ETHUSDT")).leverage == 7

    in_box(script, speed=SPEED)


def test_funding_payments_and_order_history_are_those_of_the_round_trip() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await client.place_market_order("ETHUSDT", "BUY", SOME)
            await asyncio.sleep(2.5 / SPEED)
            await client.place_market_order("ETHUSDT", "SELL", SOME, reduce_only=True)
            fills = await client.get_fills("ETHUSDT")
            payments = [payment async for payment in client.iter_funding_payments("ETHUSDT")]
            assert payments
            assert sum(payment.amount for payment in payments) == sum(fill.funding or 0 for fill in fills)
            assert {payment.fill_id for payment in payments} <= {fill.id for fill in fills}
            orders = [order async for order in client.iter_orders("ETHUSDT")]
            assert [order.side for order in orders] == ["sell", "buy"]
            assert all(order.status is OrderStatus.CLOSED and not order.remaining for order in orders)
            assert [order async for order in client.iter_orders("BTCUSDT")] == []
            assert len([order async for order in client.iter_orders()]) == 2

    in_box(script, speed=SPEED)


def test_curves_of_the_account_end_where_its_books_do() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await round_trip(client)
            fills = await client.get_fills()
            curves = {kind: await client.get_account_history(kind) for kind in HISTORY_KINDS}
            assert Decimal(str(curves["volume"][-1].value)) == sum(fill.price * fill.size for fill in fills)
            summary = (await client.get_account_summaries())[0]
            assert curves["value"][-1].value == pytest.approx(float(summary.account_value))
            assert curves["pnl"][-1].value == pytest.approx(float(summary.total_collateral) - 10_000)
            with pytest.raises(ConfigError, match="pnl, value, volume, fee_savings"):
                await client.get_account_history("sharpe")

    in_box(script, speed=SPEED)


def test_a_fill_that_was_taken_back_is_listed_and_nobody_was_liquidated() -> None:
    async def script(box: Served) -> None:
        async with box.rest() as client:
            await round_trip(client)
            (fill, *_) = await client.get_fills()
            assert box.server.bust(fill.id, box.clock.now()) is None
            assert [bust.fill_id async for bust in client.iter_busts()] == [fill.id]
            assert [bust async for bust in client.iter_busts(since_at=box.clock.now() + 60_000_000)] == []
            assert await client.get_liquidations() == []

    in_box(script, speed=SPEED)
