"""What scripts read from Paradex: market data, balance, positions, fills. Orders are in `rest_client`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from random import SystemRandom
from typing import Final, TypeVar

import msgspec

from flashscalper.exchanges.paradex import requests, responses, script_requests, wire
from flashscalper.exchanges.paradex.klines import compose, resolution_of
from flashscalper.exchanges.paradex.requests import Call
from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.amounts import parse_float
from flashscalper.model.errors import ConfigError, ExchangeError, ProtocolError
from flashscalper.model.events import LeverageRead
from flashscalper.model.fills import Fill
from flashscalper.model.instants import MINUTE_US, SECOND_US, interval_us
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order
from flashscalper.model.positions import AccountSummary, ExchangePosition
from flashscalper.runtime.clients.paradex_rest import ParadexRest
from flashscalper.runtime.clients.scripted import (
    ExchangeRestClient,
    FundingRate,
    Price,
)
from flashscalper.runtime.clock import Clock, WallClock
from flashscalper.runtime.credentials import Credentials

T = TypeVar("T")

MOST_KLINES: Final = 10_000
_RULES_KEPT_US: Final = 600 * SECOND_US
PRICE_KINDS: Final = ("last", "mark", "underlying")
"""Which price klines are made of."""


class ParadexReads(ExchangeRestClient):
    """The reading half of `ParadexRestClient`. Raises ConfigError when settings do not agree."""

    def __init__(
        self,
        settings: ParadexSettings,
        credentials: Credentials | None = None,
        *,
        symbols: SymbolMapper | None = None,
        clock: Clock | None = None,
        tls: ssl.SSLContext | None = None,
        rest: ParadexRest | None = None,
    ) -> None:
        """`rest` is a connection to share instead of one of its own."""
        settings.validate()
        self._symbols = symbols or SymbolMapper()
        self._rest = rest or ParadexRest(settings, credentials or Credentials(), clock or WallClock(), SystemRandom(), tls)
        self._listed: dict[str, msgspec.Raw] = {}
        self._rules: dict[str, Market] = {}
        self._listed_at = 0

    @property
    def settings(self) -> ParadexSettings:
        """Where it talks to, and how patiently."""
        return self._rest.settings

    async def close(self) -> None:
        """Close every connection."""
        await self._rest.aclose()

    # market data

    async def get_market(self, symbol: str) -> Market:
        """The market's rules, read once and again after ten minutes."""
        name = self._symbols.to_market(symbol)
        await self._listed_markets()
        if name not in self._rules:
            if name not in self._listed:
                raise ConfigError("symbol", symbol, f"a listed market: {', '.join(sorted(self._listed)[:20])}")
            result = responses.decode(f"GET /markets {name}", wire.MarketResult, self._listed[name])
            self._rules[name] = responses.market_from(result, self._symbols.to_symbol(name))
        return self._rules[name]

    async def get_price(self, symbol: str) -> Price:
        """Mark, index, last and best quote in two reads made at once."""
        market = await self.get_market(symbol)
        summary, quote = await asyncio.gather(
            self._summary(market),
            self._get("GET /bbo", wire.BboResult, script_requests.best_quote(market.market)),
        )
        bid, bid_size = _quote_side("bbo.bid", quote.bid, quote.bid_size)
        ask, ask_size = _quote_side("bbo.ask", quote.ask, quote.ask_size)
        return Price(
            symbol=market.symbol,
            mark=_above_zero("markets/summary.mark_price", summary.mark_price),
            index=_above_zero("markets/summary.underlying_price", summary.underlying_price),
            last=_optional("markets/summary.last_traded_price", summary.last_traded_price),
            marked_at=summary.created_at * 1_000,
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
            quoted_at=quote.last_updated_at * 1_000,
        )

    async def get_klines(
        self, symbol: str, interval: str, limit: int = 100, *, include_current: bool = False, price_kind: str = "last"
    ) -> list[Kline]:
        """Paradex serves 1m 3m 5m 15m 30m 1h; 2h, 4h and 1d are composed of hours. At most 10,000.

        `price_kind`: last (trades), mark or underlying; the latter two have no volume.
        """
        if price_kind not in PRICE_KINDS:
            raise ConfigError("price_kind", price_kind, ", ".join(PRICE_KINDS))
        length, step = interval_us(interval), resolution_of(interval) * MINUTE_US
        if not 1 <= limit <= MOST_KLINES:
            raise ConfigError("limit", limit, f"1 to {MOST_KLINES}")
        market = await self.get_market(symbol)
        now = self._rest.exchange_now()
        closed_until = now - now % length
        start_at, end_at = closed_until - limit * length, closed_until + (length if include_current else 0)
        rows: dict[int, Kline] = {}
        window = requests.MAX_KLINES * step
        for begin in range(start_at, end_at, window):
            until = min(begin + window, end_at)
            call = requests.klines(market.market, step // MINUTE_US, begin, until - 1_000, price_kind)
            body = await self._rest.read(call)
            for kline in responses.klines_from(body, market.symbol, interval, step):
                if begin <= kline.open_at < until:
                    rows[kline.open_at] = kline
        parts = [rows[open_at] for open_at in sorted(rows)]
        klines = parts if step == length else compose(parts, interval, length // step)
        return [_as_current(kline) if kline.close_at > now else kline for kline in klines]

    async def get_funding_rate(self, symbol: str) -> FundingRate:
        """The rate of the market's own period."""
        market = await self.get_market(symbol)
        summary = await self._summary(market)
        rate = parse_float("markets/summary.funding_rate", summary.funding_rate)
        return FundingRate(market.symbol, rate, market.funding_period_hours, summary.created_at * 1_000)

    # account

    async def get_balance(self) -> AccountSummary:
        """The margin summary, in USDC."""
        return responses.account_from(await self._get("GET /account", wire.AccountResult, requests.account()))

    async def get_positions(self) -> list[ExchangePosition]:
        """Every open position."""
        results = await self._rows("GET /positions", wire.PositionResult, requests.positions())
        positions = [responses.position_from(result, self._symbols.to_symbol(result.market)) for result in results]
        return [position for position in positions if position.size]

    async def set_leverage(self, symbol: str, leverage: int, *, isolated: bool = False) -> LeverageRead:
        """Set and read back."""
        if leverage < 1:
            raise ConfigError("leverage", leverage, "a whole number from 1")
        market = await self.get_market(symbol)
        await self._rest.read(requests.set_margin(market.market, leverage, isolated=isolated))
        read = await self._leverage(market)
        if (read.leverage, read.isolated) != (leverage, isolated):
            mode = "ISOLATED" if read.isolated else "CROSS"
            raise ExchangeError("LEVERAGE_NOT_SET", f"{market.symbol} is at {read.leverage}x {mode}")
        return read

    async def iter_fills(self, symbol: str = "", *, since_at: int = 0) -> AsyncIterator[Fill]:
        """Our executions, page by page."""
        name = self._symbols.to_market(symbol) if symbol else ""
        seen: set[tuple[str, str]] = set()
        async for raw in self._pages("GET /fills", lambda cursor: requests.fills(since_at, name, cursor)):
            result = responses.decode("GET /fills", wire.FillResult, raw)
            fill = responses.fill_from(result, self._symbols.to_symbol(result.market))
            if fill.key not in seen:
                seen.add(fill.key)
                yield fill

    # reading

    async def _listed_markets(self) -> None:
        """Read what is listed, unless that was done lately."""
        if not self._listed or self._rest.now() - self._listed_at > _RULES_KEPT_US:
            await self._read_markets()

    async def _leverage(self, market: Market) -> LeverageRead:
        found = await self._get("GET /account/margin", wire.MarginConfigs, requests.margin(market.market))
        entry = next((config for config in found.configs if config.market == market.market), None)
        if entry is None:
            raise ProtocolError("GET /account/margin", f"nothing about {market.market}")
        return LeverageRead(market.symbol, entry.leverage, entry.margin_type == "ISOLATED")

    async def _pages(self, where: str, call: Callable[[str], Call]) -> AsyncIterator[msgspec.Raw]:
        """The rows of every page; `call` makes the request of a cursor, the first one of an empty cursor."""
        cursor = ""
        while True:
            page = await self._get(where, wire.Page, call(cursor))
            for raw in page.results:
                yield raw
            if not page.next:
                return
            if page.next == cursor:
                raise ProtocolError(where, "the cursor does not move")
            cursor = page.next

    async def _read_markets(self) -> None:
        rows = responses.decode("GET /markets", wire.Page, await self._rest.read(requests.markets())).results
        named = {responses.decode("GET /markets", wire.MarketName, row).symbol: row for row in rows}
        self._listed, self._listed_at = named, self._rest.now()
        self._rules.clear()

    async def _summary(self, market: Market) -> wire.MarketSummary:
        call = script_requests.market_summary(market.market)
        results = await self._rows("GET /markets/summary", wire.MarketSummary, call)
        for result in results:
            if result.symbol == market.market:
                return result
        raise ProtocolError("GET /markets/summary", f"nothing about {market.market}")

    async def _get(self, where: str, kind: type[T], call: Call) -> T:
        return responses.decode(where, kind, await self._rest.read(call))

    async def _rows(self, where: str, kind: type[T], call: Call) -> list[T]:
        page = await self._get(where, wire.Page, call)
        return [responses.decode(where, kind, raw) for raw in page.results]

    def _order(self, result: wire.OrderResult) -> Order:
        return responses.order_from(result, self._symbols.to_symbol(result.market))


def _as_current(kline: Kline) -> Kline:
    return msgspec.structs.replace(kline, closed=False, complete=False)


def _above_zero(field: str, value: float) -> float:
    number = parse_float(field, value)
    if number <= 0:
        raise ProtocolError(field, f"saw {value}; accepted: a finite number above 0")
    return number


def _optional(field: str, value: str | float | None) -> float | None:
    return None if value is None or value == "" else parse_float(field, value)


def _quote_side(field: str, price: str | float | None, size: str | float | None) -> tuple[float | None, float]:
    """One side of a quote; empty text, null or zero mean that nobody is there."""
    number = _optional(field, price)
    return (number, parse_float(f"{field}_size", size)) if number else (None, 0.0)
