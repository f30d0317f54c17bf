"""Paradex for scripts, over REST: a thin async shell over the trading client's own requests, responses and session.

Without credentials it makes public calls only. Orders carry a client id of their own kind (`sc-...`), so that a trading run
on the same account never takes them for its own.
"""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count
from typing import Any, Final

import msgspec

from flashscalper.exchanges.paradex import requests, responses, script_requests, wire
from flashscalper.exchanges.paradex.requests import Call
from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.exchanges.paradex.signing import ParadexSigner
from flashscalper.exchanges.paradex.verdicts import Judgement
from flashscalper.market.symbols import DEFAULT_SYMBOLS, SymbolMapper
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import AuthError, ConfigError, ExchangeError, ProtocolError, TransportError
from flashscalper.model.events import RequestKind, Verdict
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.rest_reads import ParadexReads
from flashscalper.runtime.scripted import (
    Amount,
    CancelOutcome,
    ExchangeRestClient,
    ScriptedOrder,
    checked_amount,
    checked_side,
)

__all__ = ["ExchangeRestClient", "ParadexRestClient"]

_ASK_AGAIN_S: Final = 0.1
_NOT_THERE: Final = frozenset({"CLIENT_ORDER_ID_NOT_FOUND", "ORDER_ID_NOT_FOUND", "NOT_FOUND"})
_TOO_LATE: Final = frozenset({*_NOT_THERE, "ORDER_IS_CLOSED", "ORDER_IS_NOT_OPEN"})
_STARTED: Final = time.time_ns() // 1_000_000
_MOST_HISTORY_PAGES: Final = 20
_numbers = count(1)


class ParadexRestClient(ParadexReads):
    """One Paradex account, or public data only. See `ExchangeRestClient` for what its calls promise.

    `settings` say where; `for_environment` makes them from an environment's name. Sessions, token refresh, rate budget and
    repeated reads are the trading client's own. Raises ConfigError when settings do not agree.
    """

    @classmethod
    def for_environment(
        cls,
        environment: str = "testnet",
        credentials: Credentials | None = None,
        *,
        rest_url: str = "",
        ws_url: str = "",
        symbols: SymbolMapper | None = None,
    ) -> ParadexRestClient:
        """A client of `testnet`, `prod` or `simulator` (which needs its addresses)."""
        return cls(scripted_settings(environment, rest_url=rest_url, ws_url=ws_url), credentials, symbols=symbols)

    # orders

    async def place_market_order(
        self,
        symbol: str,
        side: Side | str,
        size: Amount,
        *,
        reduce_only: bool = False,
        client_id: str = "",
        wait_s: float = 2.0,
    ) -> ScriptedOrder:
        """Send it, then ask every 0.1 s until it is closed or `wait_s` has passed."""
        placed = await self._place(symbol, side, size, OrderType.MARKET, reduce_only=reduce_only, client_id=client_id)
        give_up_at = time.monotonic() + wait_s
        while not placed.unknown and placed.status is not OrderStatus.CLOSED and time.monotonic() < give_up_at:
            await asyncio.sleep(_ASK_AGAIN_S)
            found = await self._last_word(placed)
            placed = placed if found is None else _scripted(found)
        return placed

    async def place_limit_order(
        self,
        symbol: str,
        side: Side | str,
        size: Amount,
        price: Amount,
        *,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        reduce_only: bool = False,
        client_id: str = "",
    ) -> ScriptedOrder:
        """Send a limit order."""
        try:
            chosen = TimeInForce(time_in_force.lower())
        except ValueError:
            raise ConfigError("time_in_force", time_in_force, ", ".join(TimeInForce)) from None
        return await self._place(
            symbol,
            side,
            size,
            OrderType.LIMIT,
            price=price,
            time_in_force=chosen,
            reduce_only=reduce_only,
            client_id=client_id,
        )

    async def place_stop_order(
        self,
        symbol: str,
        side: Side | str,
        size: Amount,
        trigger_price: Amount,
        *,
        reduce_only: bool = True,
        client_id: str = "",
    ) -> ScriptedOrder:
        """Leave a stop-market order with the exchange."""
        return await self._place(
            symbol,
            side,
            size,
            OrderType.STOP_MARKET,
            trigger_price=trigger_price,
            reduce_only=reduce_only,
            client_id=client_id,
        )

    async def cancel_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> CancelOutcome:
        """Ask for the cancellation; the exchange only queues it, so `accepted` is not yet `canceled`."""
        market = await self.get_market(symbol)
        call = requests.cancel_order(order_id, _one_id(order_id, client_id), market.market)
        judgement = await self._rest.order(RequestKind.CANCEL, lambda _signer, _now: call, urgent=True)
        if judgement.verdict is Verdict.ACCEPTED:
            return CancelOutcome.ACCEPTED
        if judgement.verdict is Verdict.UNKNOWN:
            return CancelOutcome.UNKNOWN
        if judgement.code not in _TOO_LATE:
            raise _refusal(judgement)
        order = await self.get_order(symbol, order_id=order_id, client_id=client_id)
        return CancelOutcome.FILLED if order is not None and not order.remaining else CancelOutcome.GONE

    async def cancel_all_orders(self, symbol: str = "") -> None:
        """Cancel everything that is open; raises TransportError when the answer did not come."""
        call = script_requests.cancel_all(self._symbols.to_market(symbol) if symbol else "")
        judgement = await self._rest.order(RequestKind.CANCEL, lambda _signer, _now: call, urgent=True)
        if judgement.verdict is not Verdict.ACCEPTED:
            raise _refusal(judgement)

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """Orders that rest or wait for their trigger."""
        call = script_requests.open_orders(self._symbols.to_market(symbol)) if symbol else requests.open_orders()
        return [self._order(result) for result in await self._rows("GET /orders", wire.OrderResult, call)]

    async def get_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> Order | None:
        """Open orders are asked first, then the history."""
        market = await self.get_market(symbol)
        wanted = _one_id(order_id, client_id)
        call = script_requests.order_by_id(order_id) if order_id else requests.order_by_client_id(wanted)
        try:
            return self._order(await self._get("GET /orders/...", wire.OrderResult, call))
        except ExchangeError as error:
            if isinstance(error, AuthError) or error.code not in _TOO_LATE:
                raise
        return await self._closed_order(market, order_id, client_id)

    async def _closed_order(self, market: Market, order_id: str, client_id: str) -> Order | None:
        """The newest order of the history with that id. Raises ProtocolError when the history is too long to say no."""
        cursor = ""
        for _ in range(_MOST_HISTORY_PAGES):
            call = script_requests.orders_history(market.market, client_id, cursor)
            page = await self._get("GET /orders-history", wire.Page, call)
            found = [self._order(responses.decode("GET /orders-history", wire.OrderResult, raw)) for raw in page.results]
            mine = [order for order in found if (order_id or client_id) in (order.order_id, order.client_id)]
            if mine:
                return max(mine, key=lambda order: order.updated_at)
            if not page.next:
                return None
            cursor = page.next
        raise ProtocolError("GET /orders-history", f"more than {_MOST_HISTORY_PAGES} pages")

    async def _place(
        self,
        symbol: str,
        side: Side | str,
        size: Amount,
        kind: OrderType,
        *,
        price: Amount | None = None,
        trigger_price: Amount | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        reduce_only: bool,
        client_id: str,
    ) -> ScriptedOrder:
        market = await self.get_market(symbol)
        tick = market.price_tick
        command = PlaceOrder(
            client_id=client_id or _next_client_id(),
            symbol=market.symbol,
            side=checked_side(side),
            type=kind,
            size=checked_amount("size", size, market.size_step, market.base),
            price=None if price is None else checked_amount("price", price, tick, market.quote),
            trigger_price=None
            if trigger_price is None
            else checked_amount("trigger_price", trigger_price, tick, market.quote),
            time_in_force=time_in_force,
            reduce_only=reduce_only,
            role=OrderRole.EXIT if reduce_only else OrderRole.ENTRY,
            reason="script",
        )
        judgement = await self._rest.order(
            RequestKind.PLACE, lambda signer, now_ms: self._signed(command, market, signer, now_ms), urgent=reduce_only
        )
        return self._placed(command, judgement)

    def _signed(self, command: PlaceOrder, market: Market, signer: ParadexSigner, now_ms: int) -> Call:
        signature = signer.sign_order(
            market=market.market,
            side=command.side,
            order_type=command.type,
            size=command.size,
            price=command.price,
            timestamp_ms=now_ms,
        )
        window = self._rest.settings.recv_window_ms
        return requests.place_order(requests.order_body(command, market.market, signature, now_ms, window))

    def _placed(self, command: PlaceOrder, judgement: Judgement) -> ScriptedOrder:
        if judgement.verdict is Verdict.ACCEPTED and judgement.order is not None:
            order = self._order(judgement.order)
            if order.client_id == command.client_id:
                return _scripted(order)
            judgement = Judgement(Verdict.UNKNOWN, "BAD_ANSWER", f"the answer is about order {order.client_id!r}")
        if judgement.verdict is not Verdict.UNKNOWN:
            raise _refusal(judgement)
        return ScriptedOrder(
            symbol=command.symbol,
            client_id=command.client_id,
            order_id="",
            side=command.side,
            type=command.type,
            size=command.size,
            remaining=command.size,
            status=OrderStatus.NEW,
            price=command.price,
            trigger_price=command.trigger_price,
            time_in_force=command.time_in_force,
            reduce_only=command.reduce_only,
            outcome=Verdict.UNKNOWN,
            message=f"{judgement.code}: {judgement.message}",
        )

    async def _last_word(self, placed: Order) -> Order | None:
        """What the exchange says of an order that it took; a read that fails leaves what was known."""
        try:
            return await self.get_order(placed.symbol, client_id=placed.client_id)
        except (ExchangeError, TransportError, ProtocolError):
            return None


def scripted_settings(environment: str, *, rest_url: str = "", ws_url: str = "", **changes: Any) -> ParadexSettings:
    """Settings for scripts, which name markets with each call. A loopback address of one kind implies the other's."""
    if rest_url and not ws_url and rest_url.startswith("http://"):
        ws_url = rest_url.replace("http://", "ws://", 1)
    mapper = SymbolMapper()
    markets = tuple((symbol, mapper.to_market(symbol)) for symbol in DEFAULT_SYMBOLS)
    settings = ParadexSettings.for_environment(environment, markets, rest_url=rest_url, ws_url=ws_url)
    settings = msgspec.structs.replace(settings, **changes)
    settings.validate()
    return settings


def _scripted(order: Order) -> ScriptedOrder:
    return ScriptedOrder(**{field: getattr(order, field) for field in Order.__struct_fields__})


def _refusal(judgement: Judgement) -> ExchangeError | TransportError:
    """A definitive no as an exception: the exchange's own, or that nothing left us."""
    if judgement.verdict is Verdict.REJECTED:
        return ExchangeError(judgement.code, judgement.message)
    return TransportError(f"{judgement.code}: {judgement.message}")


def _one_id(order_id: str, client_id: str) -> str:
    if bool(order_id) == bool(client_id):
        raise ConfigError("order", (order_id, client_id), "either order_id or client_id")
    return order_id or client_id


def _next_client_id() -> str:
    """An id of a script: start second, process and number; told from a trading run's ids by its first letters."""
    return f"sc-{_STARTED:x}-{os.getpid():x}-{next(_numbers)}"
