"""The steps of `check` about WebSockets: the public stream, public trades for some seconds, the account's stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from flashscalper.cli.checking.check_steps import Bench
from flashscalper.cli.checking.findings import Finding, Outcome
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.model.errors import FlashScalperError, TransportError
from flashscalper.model.events import BestQuote, ExchangeStatus
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.runtime.clients.ws_client import ParadexWebSocketClient

_RECENT_US: Final = 600 * SECOND_US


@asynccontextmanager
async def _streams(bench: Bench) -> AsyncIterator[ParadexWebSocketClient]:
    """A streaming client; when it does not come up, the reason that the socket gave."""
    client = ParadexWebSocketClient(bench.target.settings, bench.credentials)
    reasons: list[FlashScalperError] = []
    client.on("error", reasons.append)
    try:
        try:
            await client.connect()
        except FlashScalperError as error:
            raise TransportError(f"{bench.target.settings.ws_url}: {reasons[-1] if reasons else error}") from error
        yield client
    finally:
        await client.disconnect()


async def websocket(bench: Bench) -> Finding:
    """Handshake and first subscription."""
    started = bench.rest.now()
    async with _streams(bench):
        took_ms = (bench.rest.now() - started) / 1000
    detail = f"{bench.target.settings.ws_url}, ready after {took_ms:.0f} ms"
    return Finding(step="websocket", outcome=Outcome.OK, detail=detail, facts={"ready_ms": round(took_ms, 1)})


async def trades(bench: Bench) -> Finding:
    """Public trades of every market for some seconds. None at all is a failure, with its likely cause."""
    prints: Counter[str] = Counter()
    quotes = 0

    async def listen(client: ParadexWebSocketClient) -> None:
        nonlocal quotes
        async for event in client:
            prints.update(_symbols(event))
            quotes += isinstance(event, BestQuote)

    async with _streams(bench) as client:
        for market in bench.markets:
            await client.subscribe_trades(market.symbol)
        await client.subscribe_best_quote(bench.markets[0].symbol)
        listening = asyncio.ensure_future(listen(client))
        await asyncio.sleep(bench.seconds)
        await client.disconnect()
        await listening
    facts = {"trades": dict(prints), "quotes": quotes, "seconds": bench.seconds}
    counts = ", ".join(f"{market.symbol} {prints[market.symbol]}" for market in bench.markets)
    detail = f"{prints.total()} in {bench.seconds:g} s: {counts}"
    if not prints:
        cause = await _likely_cause(bench, quotes)
        return Finding(step="trades", outcome=Outcome.FAIL, detail=detail, hint=cause, facts=facts)
    return Finding(step="trades", outcome=Outcome.OK, detail=detail, facts=facts)


def _symbols(event: object) -> list[str]:
    return [event.symbol] if isinstance(event, Trade) else []


async def _likely_cause(bench: Bench, quotes: int) -> str:
    """Why there were no trades, from what else can be seen."""
    if bench.status is not ExchangeStatus.OK:
        return f"the exchange's status is {bench.status}: nobody trades now"
    names = ", ".join(market.symbol for market in bench.markets)
    market = bench.markets[0]
    since = bench.rest.exchange_now() - _RECENT_US
    page = responses.decode("GET /trades", wire.Page, await bench.rest.read(requests.trades(market.market, since)))
    printed = [responses.decode("GET /trades", wire.TradeResult, row) for row in page.results]
    if printed and bench.rest.exchange_now() // 1000 - printed[0].created_at < bench.seconds * 1000:
        return "REST shows trades of these seconds, so the stream does not bring them: a proxy may cut WebSocket messages"
    if quotes:
        quiet = "none in the last ten minutes" if not printed else f"{len(printed)} in the last ten minutes"
        return (
            f"the stream is alive ({quotes} quotes) but {names} {'is' if ',' not in names else 'are'} quiet ({quiet}): "
            "name a busier market with --markets, or listen longer with --seconds"
        )
    return "neither trades nor quotes came: the market has no activity at all, or the exchange's stream is dead"


async def account_stream(bench: Bench) -> Finding:
    """The account's own channels with a token of ours."""
    async with _streams(bench) as client:
        started = bench.rest.now()
        await client.subscribe_account()
        took_ms = (bench.rest.now() - started) / 1000
    detail = f"orders, fills, positions and margin, ready after {took_ms:.0f} ms"
    return Finding(step="account stream", outcome=Outcome.OK, detail=detail, facts={"ready_ms": round(took_ms, 1)})
