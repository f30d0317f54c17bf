"""Single orders for scripts, over REST: sent once, signed and encoded by the trading client's own functions.

Orders carry a client id of their own kind (`sc-...`), so that a trading run on the same account never takes them for its
own. No risk gate stands before them.
"""

from __future__ import annotations

import asyncio
import os
import time
from decimal import Decimal
from itertools import count
from typing import Final

import msgspec

from flashscalper.exchanges.paradex import requests, responses, script_requests, wire
from flashscalper.exchanges.paradex.requests import MARKET_TYPES, Call
from flashscalper.exchanges.paradex.signing import ParadexSigner
from flashscalper.exchanges.paradex.verdicts import Judgement
from flashscalper.model.commands import ModifyOrder, PlaceOrder
from flashscalper.model.errors import AuthError, ConfigError, ExchangeError, ProtocolError, TransportError
from flashscalper.model.events import RequestKind, Verdict
from flashscalper.model.markets import Market
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.runtime.clients.rest_records import ParadexRecords
from flashscalper.runtime.clients.scripted import (
    Amount,
    CancelOutcome,
    OrderRequest,
    ScriptedOrder,
    checked_amount,
    checked_side,
    checked_time_in_force,
    checked_type,
)

_ASK_AGAIN_S: Final = 0.1
_NOT_THERE: Final = frozenset({"CLIENT_ORDER_ID_NOT_FOUND", "ORDER_ID_NOT_FOUND", "NOT_FOUND"})
TOO_LATE: Final = frozenset({*_NOT_THERE, "ORDER_IS_CLOSED", "ORDER_IS_NOT_OPEN"})
"""Codes that say that there is nothing left to cancel."""
_STARTED: Final = time.time_ns() // 1_000_000
_MOST_HISTORY_PAGES: Final = 20
_PLAIN_TYPES: Final = frozenset({OrderType.MARKET, OrderType.LIMIT})
_numbers = count(1)


class ParadexOrders(ParadexRecords):
    """Placing, changing, cancelling and finding one order at a time."""

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
        wanted = OrderRequest(
            symbol=symbol, side=side, size=size, type=OrderType.MARKET, reduce_only=reduce_only, client_id=client_id
        )
        placed = await self.place_order(wanted)
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
        return await self.place_order(
            OrderRequest(
                symbol=symbol,
                side=side,
                size=size,
                price=price,
                time_in_force=time_in_force,
                reduce_only=reduce_only,
                client_id=client_id,
            )
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
        return await self.place_order(
            OrderRequest(
                symbol=symbol,
                side=side,
                size=size,
                type=OrderType.STOP_MARKET,
                trigger_price=trigger_price,
                reduce_only=reduce_only,
                client_id=client_id,
            )
        )

    async def place_order(self, wanted: OrderRequest) -> ScriptedOrder:
        """Send one order of any type, take-profits and stop-losses too."""
        market = await self.get_market(wanted.symbol)
        command = command_of(wanted, market)
        judgement = await self._rest.order(
            RequestKind.PLACE,
            lambda signer, now_ms: requests.place_order(self._signed(command, market, signer, now_ms)),
            urgent=command.reduce_only,
        )
        return self._placed(command, judgement)

    async def modify_order(
        self,
        symbol: str,
        *,
        order_id: str = "",
        client_id: str = "",
        size: Amount | None = None,
        price: Amount | None = None,
        trigger_price: Amount | None = None,
    ) -> ScriptedOrder:
        """Change size, price or trigger price of a live order in place; what is not given stays.

        The exchange answers that it took the request; whether the change was made shows in the order later. Raises
        ExchangeError for an order that is not live.
        """
        market = await self.get_market(symbol)
        live = await self.get_order(symbol, order_id=order_id, client_id=client_id)
        if live is None or live.status is OrderStatus.CLOSED:
            raise ExchangeError("ORDER_IS_NOT_OPEN", f"{order_id or client_id} is {'closed' if live else 'not there'}")
        command = _change(live, market, size, price, trigger_price)
        judgement = await self._rest.order(
            RequestKind.MODIFY,
            lambda signer, now_ms: self._signed_change(command, market, signer, now_ms),
            urgent=command.role is OrderRole.EXIT,
        )
        if judgement.verdict is Verdict.ACCEPTED and judgement.order is not None:
            return _scripted(self._order(judgement.order))
        if judgement.verdict is not Verdict.UNKNOWN:
            raise refusal(judgement)
        return msgspec.structs.replace(_scripted(live), outcome=Verdict.UNKNOWN, message=_words(judgement))

    async def cancel_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> CancelOutcome:
        """Ask for the cancellation; the exchange only queues it, so `accepted` is not yet `canceled`."""
        market = await self.get_market(symbol)
        call = requests.cancel_order(order_id, one_id(order_id, client_id), market.market)
        judgement = await self._rest.order(RequestKind.CANCEL, lambda _signer, _now: call, urgent=True)
        if judgement.verdict is Verdict.ACCEPTED:
            return CancelOutcome.ACCEPTED
        if judgement.verdict is Verdict.UNKNOWN:
            return CancelOutcome.UNKNOWN
        if judgement.code not in TOO_LATE:
            raise refusal(judgement)
        order = await self.get_order(symbol, order_id=order_id, client_id=client_id)
        return CancelOutcome.FILLED if order is not None and not order.remaining else CancelOutcome.GONE

    async def cancel_all_orders(self, symbol: str = "") -> None:
        """Cancel everything that is open; raises TransportError when the answer did not come."""
        call = script_requests.cancel_all(self._symbols.to_market(symbol) if symbol else "")
        judgement = await self._rest.order(RequestKind.CANCEL, lambda _signer, _now: call, urgent=True)
        if judgement.verdict is not Verdict.ACCEPTED:
            raise refusal(judgement)

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """Orders that rest or wait for their trigger."""
        call = script_requests.open_orders(self._symbols.to_market(symbol)) if symbol else requests.open_orders()
        return [self._order(result) for result in await self._rows("GET /orders", wire.OrderResult, call)]

    async def get_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> Order | None:
        """Open orders are asked first, then the history."""
        market = await self.get_market(symbol)
        wanted = one_id(order_id, client_id)
        call = script_requests.order_by_id(order_id) if order_id else requests.order_by_client_id(wanted)
        try:
            return self._order(await self._get("GET /orders/...", wire.OrderResult, call))
        except ExchangeError as error:
            if isinstance(error, AuthError) or error.code not in TOO_LATE:
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

    def _signed(self, command: PlaceOrder, market: Market, signer: ParadexSigner, now_ms: int) -> bytes:
        """The body of a new order, signed at `now_ms` of the exchange."""
        signature = signer.sign_order(
            market=market.market,
            side=command.side,
            order_type=command.type,
            size=command.size,
            price=command.price,
            timestamp_ms=now_ms,
        )
        window = self._rest.settings.recv_window_ms
        return requests.order_body(command, market.market, signature, now_ms, window)

    def _signed_change(self, command: ModifyOrder, market: Market, signer: ParadexSigner, now_ms: int) -> Call:
        signature = signer.sign_order(
            market=market.market,
            side=command.side,
            order_type=command.type,
            size=command.size,
            price=command.price,
            timestamp_ms=now_ms,
            order_id=command.order_id,
        )
        return requests.modify_order(command.order_id, requests.modify_body(command, market.market, signature, now_ms))

    def _placed(self, command: PlaceOrder, judgement: Judgement) -> ScriptedOrder:
        """What became of it; raises ExchangeError for a refusal."""
        if judgement.verdict is Verdict.ACCEPTED and judgement.order is not None:
            order = self._order(judgement.order)
            if order.client_id == command.client_id:
                return _scripted(order)
            judgement = Judgement(Verdict.UNKNOWN, "BAD_ANSWER", f"the answer is about order {order.client_id!r}")
        if judgement.verdict is not Verdict.UNKNOWN:
            raise refusal(judgement)
        return as_asked(command, Verdict.UNKNOWN, _words(judgement))

    async def _last_word(self, placed: Order) -> Order | None:
        """What the exchange says of an order that it took; a read that fails leaves what was known."""
        try:
            return await self.get_order(placed.symbol, client_id=placed.client_id)
        except (ExchangeError, TransportError, ProtocolError):
            return None


def command_of(wanted: OrderRequest, market: Market) -> PlaceOrder:
    """What a script wants, checked against the market's rules. Raises ConfigError naming the field."""
    kind = checked_type(wanted.type)
    prices = {
        "price": (wanted.price, kind not in MARKET_TYPES),
        "trigger_price": (wanted.trigger_price, kind not in _PLAIN_TYPES),
    }
    for field, (given, needed) in prices.items():
        if (given is not None) != needed:
            raise ConfigError(field, given, f"{'a price' if needed else 'nothing'} for {kind}")
    return PlaceOrder(
        client_id=wanted.client_id or _next_client_id(),
        symbol=market.symbol,
        side=checked_side(wanted.side),
        type=kind,
        size=checked_amount("size", wanted.size, market.size_step, market.base),
        price=_checked("price", wanted.price, market),
        trigger_price=_checked("trigger_price", wanted.trigger_price, market),
        time_in_force=checked_time_in_force(wanted.time_in_force),
        reduce_only=wanted.reduce_only,
        role=OrderRole.EXIT if wanted.reduce_only else OrderRole.ENTRY,
        reason="script",
    )


def as_asked(command: PlaceOrder, outcome: Verdict, message: str) -> ScriptedOrder:
    """An order of which the exchange has shown nothing: what was asked for, and what is known of it."""
    return ScriptedOrder(
        symbol=command.symbol,
        client_id=command.client_id,
        order_id="",
        side=command.side,
        type=command.type,
        size=command.size,
        remaining=command.size,
        status=OrderStatus.NEW if outcome is Verdict.UNKNOWN else OrderStatus.CLOSED,
        price=command.price,
        trigger_price=command.trigger_price,
        time_in_force=command.time_in_force,
        reduce_only=command.reduce_only,
        outcome=outcome,
        message=message,
    )


def refusal(judgement: Judgement) -> ExchangeError | TransportError:
    """A definitive no as an exception: the exchange's own, or that nothing left us."""
    if judgement.verdict is Verdict.REJECTED:
        return ExchangeError(judgement.code, judgement.message)
    return TransportError(_words(judgement))


def _change(
    live: Order, market: Market, size: Amount | None, price: Amount | None, trigger_price: Amount | None
) -> ModifyOrder:
    if size is None and price is None and trigger_price is None:
        raise ConfigError("size, price, trigger_price", "nothing", "at least one of them: what is to change")
    return ModifyOrder(
        client_id=live.client_id,
        order_id=live.order_id,
        symbol=live.symbol,
        side=live.side,
        type=live.type,
        size=live.size if size is None else checked_amount("size", size, market.size_step, market.base),
        price=live.price if price is None else _checked("price", price, market),
        trigger_price=live.trigger_price if trigger_price is None else _checked("trigger_price", trigger_price, market),
        role=OrderRole.EXIT if live.reduce_only else OrderRole.ENTRY,
        reason="script",
    )


def _checked(field: str, price: Amount | None, market: Market) -> Decimal | None:
    return None if price is None else checked_amount(field, price, market.price_tick, market.quote)


def _scripted(order: Order) -> ScriptedOrder:
    return ScriptedOrder(**{field: getattr(order, field) for field in Order.__struct_fields__})


def _words(judgement: Judgement) -> str:
    return f"{judgement.code}: {judgement.message}"


def one_id(order_id: str, client_id: str) -> str:
    """The id that was given; raises ConfigError for none and for both."""
    if bool(order_id) == bool(client_id):
        raise ConfigError("order", (order_id, client_id), "either order_id or client_id")
    return order_id or client_id


def _next_client_id() -> str:
    """An id of a script: start second, process and number; told from a trading run's ids by its first letters."""
    return f"sc-{_STARTED:x}-{os.getpid():x}-{next(_numbers)}"
