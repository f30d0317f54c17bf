"""Probes that hold the smallest position for seconds: margin, reduce-only stops, funding's sign; and kline volume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

import msgspec

from flashscalper.cli.checking.probe_bench import ProbeBench, order_id_of
from flashscalper.cli.checking.probes_orders import Found
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.requests import Call, Group
from flashscalper.model.amounts import ZERO, parse_amount
from flashscalper.model.errors import FlashScalperError
from flashscalper.model.instants import MINUTE_US
from flashscalper.model.markets import Rounding
from flashscalper.model.orders import OrderStatus, OrderType, Side, TimeInForce

_HOLD_S: Final = 4.0
_SETTLE_S: Final = 1.0
_LOW_LEVERAGE: Final = 2
_CLOSE_ENOUGH: Final = 0.01


class _Payment(msgspec.Struct):
    payment: wire.Number
    created_at: int


@asynccontextmanager
async def _long(bench: ProbeBench) -> AsyncIterator[Decimal]:
    """A long position of the smallest size, closed again at the end. Refuses to touch a position that is there already."""
    symbol = bench.market.symbol
    if await bench.client.get_position(symbol) is not None:
        raise FlashScalperError(f"there is a position in {symbol} already: it is left alone")
    bought = await bench.client.place_market_order(symbol, "buy", bench.small_size())
    try:
        if not bought.filled:
            raise FlashScalperError(f"the smallest market order did not fill: {bought.cancel_reason}")
        yield bought.filled
    finally:
        held = await bench.client.get_position(symbol)
        if held is not None:
            await bench.client.place_market_order(symbol, "sell", held.size, reduce_only=True)


async def reduce_only_counts_untriggered(bench: ProbeBench) -> Found:
    """A full-size stop waits; does a full-size target beside it find the position used up?"""
    async with _long(bench) as size:
        low = bench.market.round_price(bench.mark * 0.8, Rounding.DOWN)
        high = bench.market.round_price(bench.mark * 1.2, Rounding.UP)
        stop = await bench.place(
            bench.order_body(
                bench.far_order(
                    type=OrderType.STOP_MARKET,
                    side=Side.SELL,
                    size=size,
                    price=None,
                    trigger_price=low,
                    reduce_only=True,
                    time_in_force=TimeInForce.GTC,
                )
            )
        )
        target = await bench.place(
            bench.order_body(
                bench.far_order(side=Side.SELL, size=size, price=high, reduce_only=True, time_in_force=TimeInForce.GTC)
            )
        )
        if not (stop.good and target.good):
            return None, f"stop: {stop.word}; target: {target.word}"
        await asyncio.sleep(_SETTLE_S)
        orders = [await bench.order(order_id_of(reply.body)) for reply in (stop, target)]
        closed = [order is not None and order.status is OrderStatus.CLOSED for order in orders]
        for reply, gone in zip((stop, target), closed, strict=True):
            if not gone:
                await bench.cancel(order_id_of(reply.body))
    words = f"stop {'closed' if closed[0] else 'waits'}, target {'closed' if closed[1] else 'rests'}"
    return any(closed), words


async def leverage_raises_maintenance(bench: ProbeBench) -> Found:
    """The maintenance margin of the same position before and after leverage is lowered."""
    market = bench.market.market
    before = responses.decode("GET /account/margin", wire.MarginConfigs, await bench.rest.read(requests.margin(market)))
    leverage = next((entry.leverage for entry in before.configs if entry.market == market), 0)
    if leverage <= _LOW_LEVERAGE:
        return None, f"leverage is {leverage} already"
    async with _long(bench):
        high = (await bench.client.get_balance()).maintenance_margin
        try:
            await bench.client.set_leverage(bench.market.symbol, _LOW_LEVERAGE)
            await asyncio.sleep(_SETTLE_S)
            low = (await bench.client.get_balance()).maintenance_margin
        finally:
            await bench.client.set_leverage(bench.market.symbol, leverage)
    if high <= ZERO:
        return None, "no maintenance margin is reported"
    ratio = low / high
    return ratio > Decimal("1.5"), f"maintenance margin x {ratio:.2f} from {leverage}x to {_LOW_LEVERAGE}x"


async def funding_payment_sign(bench: ProbeBench) -> Found:
    """Whether a positive payment is received or paid: a long held while the rate is not zero tells."""
    rate = (await bench.client.get_funding_rate(bench.market.symbol)).rate
    since_ms = bench.rest.exchange_now() // 1000
    async with _long(bench):
        await asyncio.sleep(_HOLD_S)
    await asyncio.sleep(_SETTLE_S)
    query = urlencode({"market": bench.market.market, "start_at": since_ms})
    page = responses.decode(
        "GET /funding/payments", wire.Page, await bench.rest.read(Call("GET", "/funding/payments", Group.READ, query))
    )
    rows = [responses.decode("GET /funding/payments", _Payment, row) for row in page.results]
    total = sum((parse_amount("payment", str(row.payment)) for row in rows), ZERO)
    evidence = (
        f"{len(rows)} payments, together {'above' if total > 0 else 'below' if total < 0 else 'exactly'} zero, "
        f"rate {'positive' if rate > 0 else 'negative' if rate < 0 else 'zero'}"
    )
    if not total or not rate:
        return None, evidence
    return ("paid" if (total > 0) == (rate > 0) else "received"), evidence


async def kline_volume_unit(bench: ProbeBench) -> Found:
    """Whether a kline's volume counts base units or money: the last whole minute's trades tell."""
    market = bench.market.market
    end_at = bench.rest.exchange_now() // MINUTE_US * MINUTE_US
    start_at = end_at - MINUTE_US
    body = await bench.rest.read(requests.klines(market, 1, start_at, end_at - 1_000))
    klines = responses.klines_from(body, bench.market.symbol, "1m", MINUTE_US)
    page = responses.decode("GET /trades", wire.Page, await bench.rest.read(requests.trades(market, start_at)))
    every = [responses.decode("GET /trades", wire.TradeResult, row) for row in page.results]
    trades = [trade for trade in every if start_at <= trade.created_at * 1000 < end_at]
    if page.next or not trades or not klines or klines[0].open_at != start_at:
        return None, f"{len(trades)} trades and {len(klines)} klines of the last whole minute: too few or too many"
    base, money = sum(trade.size for trade in trades), sum(trade.size * trade.price for trade in trades)
    volume = klines[0].volume
    for unit, total in (("base", base), ("quote", money)):
        if abs(volume - total) <= _CLOSE_ENOUGH * total:
            return unit, f"volume equals the sum over {len(trades)} trades"
    return None, f"volume is {volume / base:.3g} times the base units of {len(trades)} trades"
