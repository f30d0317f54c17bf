"""What Paradex keeps records of, for scripts: market history, the account's own history, TWAP orders, keys' tokens.

Lists that may be long are async iterators, newest first, which fetch a page when the last one is used up. Spans are
microseconds; 0 leaves an end open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from flashscalper.exchanges.paradex import requests, responses, script_requests, script_results, wire
from flashscalper.exchanges.paradex.account_frames import busted
from flashscalper.exchanges.paradex.script_results import (
    HISTORY_KINDS,
    AccountDetails,
    FundingPayment,
    FundingPoint,
    HistoryPoint,
    ImpactPrice,
    Liquidation,
    TokenBalance,
    TwapOrder,
)
from flashscalper.model.errors import ConfigError, ProtocolError
from flashscalper.model.events import BookChange, ExchangeStatus, FillBusted, LeverageRead
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order
from flashscalper.model.positions import AccountSummary
from flashscalper.runtime.clients.rest_reads import ParadexReads
from flashscalper.runtime.clients.scripted import Amount, checked_amount

DEEPEST: Final = 1_000


class ParadexRecords(ParadexReads):
    """The rest of the reading half of `ParadexRestClient`."""

    # the exchange and its markets

    async def get_status(self) -> ExchangeStatus:
        """ok, cancel_only, post_only or maintenance."""
        return responses.status_from(await self._rest.read(requests.system_state()))

    async def get_server_time(self) -> int:
        """The exchange's clock, microseconds."""
        return responses.server_time_from(await self._rest.read(requests.system_time()))

    async def get_markets(self) -> list[Market]:
        """The rules of every listed perpetual that our names can express."""
        return [await self.get_market(name) for name in await self._perpetuals()]

    async def get_order_book(self, symbol: str, depth: int = 20, *, interactive: bool = False) -> BookChange:
        """The best `depth` levels a side, best first; `interactive` adds Retail-only orders and may be crossed."""
        if not 1 <= depth <= DEEPEST:
            raise ConfigError("depth", depth, f"1 to {DEEPEST}")
        market = await self.get_market(symbol)
        call = script_requests.order_book(market.market, depth, interactive=interactive)
        return script_results.book_from(await self._get("GET /orderbook", script_results.BookResult, call), market.symbol)

    async def get_impact_price(self, symbol: str, size: Amount) -> ImpactPrice:
        """What taking `size` would cost a unit on average; the exchange says for which side."""
        market = await self.get_market(symbol)
        call = script_requests.impact_price(market.market, checked_amount("size", size, market.size_step, market.base))
        return script_results.impact_from(await self._get("impact-price", script_results.ImpactResult, call), market.symbol)

    async def iter_trades(self, symbol: str, *, since_at: int = 0, until_at: int = 0) -> AsyncIterator[Trade]:
        """Public trades of one market."""
        market = await self.get_market(symbol)
        pages = self._pages("GET /trades", lambda at: script_requests.trades(market.market, since_at, until_at, at))
        async for raw in pages:
            yield responses.trade_from(responses.decode("GET /trades", wire.TradeResult, raw), market.symbol)

    async def iter_funding(self, symbol: str, *, since_at: int = 0, until_at: int = 0) -> AsyncIterator[FundingPoint]:
        """Funding rate, premium and index of one market, tick by tick."""
        market = await self.get_market(symbol)
        where = "GET /funding/data"
        pages = self._pages(where, lambda at: script_requests.funding_data(market.market, since_at, until_at, at))
        async for raw in pages:
            yield script_results.funding_from(responses.decode(where, script_results.FundingResult, raw), market.symbol)

    # the account

    async def get_account_details(self) -> list[AccountDetails]:
        """Kind, key and fee rates of our accounts, the main one among them."""
        rows = await self._rows("GET /account/info", script_results.DetailsResult, requests.account_info())
        return [script_results.details_from(row) for row in rows]

    async def get_account_summaries(self) -> list[AccountSummary]:
        """The margin summaries of the account and its sub-accounts."""
        rows = await self._rows("GET /account/summary", wire.AccountResult, script_requests.account_summaries())
        return [responses.account_from(row) for row in rows]

    async def get_account_history(self, kind: str) -> list[HistoryPoint]:
        """A curve of the account in the exchange's order: `pnl`, `value`, `volume` or `fee_savings`."""
        if kind not in HISTORY_KINDS:
            raise ConfigError("kind", kind, ", ".join(HISTORY_KINDS))
        return script_results.history_from(await self._rest.read(script_requests.account_history(kind)))

    async def get_balances(self) -> list[TokenBalance]:
        """What the account holds, token by token; `get_balance` has the margin figures."""
        rows = await self._rows("GET /balance", script_results.BalanceResult, script_requests.balances())
        return [script_results.balance_from(row) for row in rows]

    async def get_leverage(self, symbol: str) -> LeverageRead:
        """Leverage and margin mode of one market."""
        return await self._leverage(await self.get_market(symbol))

    async def iter_funding_payments(
        self, symbol: str, *, since_at: int = 0, until_at: int = 0
    ) -> AsyncIterator[FundingPayment]:
        """Funding that was settled for us in one market."""
        market = await self.get_market(symbol)
        where = "GET /funding/payments"
        pages = self._pages(where, lambda at: script_requests.funding_payments(market.market, since_at, until_at, at))
        async for raw in pages:
            yield script_results.payment_from(responses.decode(where, script_results.PaymentResult, raw), market.symbol)

    async def iter_busts(self, *, since_at: int = 0, until_at: int = 0) -> AsyncIterator[FillBusted]:
        """Fills that the exchange took back."""
        pages = self._pages("GET /tradebusts", lambda at: script_requests.tradebusts(since_at, until_at, at))
        async for raw in pages:
            yield busted(responses.decode("GET /tradebusts", wire.TradebustResult, raw))

    async def get_liquidations(self, *, since_at: int = 0, until_at: int = 0) -> list[Liquidation]:
        """When the exchange closed positions of ours."""
        call = script_requests.liquidations(since_at, until_at)
        rows = await self._rows("GET /liquidations", script_results.LiquidationResult, call)
        return [Liquidation(id=row.id, liquidated_at=responses.instant_of("created_at", row.created_at)) for row in rows]

    async def iter_orders(self, symbol: str = "", *, since_at: int = 0, until_at: int = 0) -> AsyncIterator[Order]:
        """Orders of any state, of one market or of all."""
        name = self._symbols.to_market(symbol) if symbol else ""
        where = "GET /orders-history"

        def call(cursor: str) -> requests.Call:
            return script_requests.orders_history(name, cursor=cursor, start_at=since_at, end_at=until_at)

        async for raw in self._pages(where, call):
            yield self._order(responses.decode(where, wire.OrderResult, raw))

    # TWAP orders

    async def get_twaps(self) -> list[TwapOrder]:
        """TWAP orders that are not closed."""
        rows = await self._rows("GET /algo/orders", script_results.TwapResult, script_requests.twaps())
        return [self._twap(row) for row in rows]

    async def get_twap(self, twap_id: str) -> TwapOrder | None:
        """One TWAP order, open or closed; None is a clean no of both lists."""
        for order in await self.get_twaps():
            if order.id == twap_id:
                return order
        async for order in self.iter_twaps():
            if order.id == twap_id:
                return order
        return None

    async def iter_twaps(self, symbol: str = "") -> AsyncIterator[TwapOrder]:
        """TWAP orders of any state, of one market or of all."""
        name = self._symbols.to_market(symbol) if symbol else ""
        where = "GET /algo/orders-history"
        async for raw in self._pages(where, lambda cursor: script_requests.twap_history(name, cursor)):
            yield self._twap(responses.decode(where, script_results.TwapResult, raw))

    def _twap(self, result: script_results.TwapResult) -> TwapOrder:
        return script_results.twap_from(result, self._symbols.to_symbol(result.market))

    async def _perpetuals(self) -> list[str]:
        """Names of the listed perpetuals that have a symbol of ours."""
        await self._listed_markets()
        found = []
        for name, row in self._listed.items():
            kind = responses.decode(f"GET /markets {name}", wire.MarketResult, row).asset_kind
            try:
                self._symbols.to_symbol(name)
            except ConfigError:
                continue
            if kind == "PERP":
                found.append(name)
        if not found:
            raise ProtocolError("GET /markets", "no perpetual is listed")
        return found
