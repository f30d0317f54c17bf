"""Private routes that place, change, cancel and list orders (paradex.md 4.4)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from flashscalper.model.errors import ExchangeError
from flashscalper.model.orders import OrderStatus, OrderType, Side
from flashscalper.simulator.facts import NewOrder, Refusal, SimOrder
from flashscalper.simulator.paradex_server import views
from flashscalper.simulator.paradex_server.answers import Reply, empty, invalid, ok, refused, results
from flashscalper.simulator.paradex_server.context import Context, Login, Request
from flashscalper.simulator.paradex_server.limits import Group
from flashscalper.simulator.paradex_server.order_requests import ModifyRequest, OrderRequest, change, decode, new_order
from flashscalper.simulator.paradex_server.paging import asked, page
from flashscalper.simulator.paradex_server.routing import Route

_STATUSES: Final = {status.value.upper(): status for status in OrderStatus}


class CancelBatch(msgspec.Struct):
    """`CancelOrderBatchRequest`."""

    order_ids: list[str] | None = None
    client_order_ids: list[str] | None = None


# --- shared with the WebSocket methods ------------------------------------------------------------------------------------


def place(context: Context, login: Login, request: OrderRequest, now: int, conn: str = "") -> SimOrder:
    """Check, verify and place one order; the answer has status NEW. Raises ExchangeError."""
    asker = login.asker(conn)
    fee_class = context.fee_class(login.member.address, login.claims, now)
    order = _capped(context, login, new_order(request, asker, context.names, context.settings.verify_signatures, fee_class))
    placed = context.exchange.place(login.member.address, order, now)
    if isinstance(placed, Refusal):
        raise refused(placed)
    return placed


def place_batch(
    context: Context, login: Login, requests: list[OrderRequest], now: int, conn: str = ""
) -> list[SimOrder | Refusal]:
    """Check and verify all, then place each; one outcome per request, in order. Raises ExchangeError for the whole batch."""
    if not 1 <= len(requests) <= context.settings.max_batch:
        message = f"{len(requests)} orders; accepted: 1 to {context.settings.max_batch}"
        raise ExchangeError("BATCH_SIZE_OUT_OF_RANGE", message, status=400)
    asker = login.asker(conn)
    account = login.member.address
    fee_class = context.fee_class(account, login.claims, now)
    verifier = context.settings.verify_signatures
    orders = [new_order(request, asker, context.names, verifier, fee_class) for request in requests]
    return [context.exchange.place(account, _capped(context, login, order), now) for order in orders]


def _capped(context: Context, login: Login, order: NewOrder) -> NewOrder:
    """A market order without an average-price cap gets the one of the account's own slippage setting (paradex.md 6.3)."""
    slippage = login.member.max_slippage.get(order.symbol)
    if slippage is None or order.type is not OrderType.MARKET or order.vwap_price is not None:
        return order
    quote = context.exchange.quote(order.symbol)
    best = quote.ask if order.side is Side.BUY else quote.bid
    return order if best is None else replace(order, vwap_price=best * (1 + order.side.sign * slippage))


def modify(context: Context, login: Login, request: ModifyRequest, now: int, path_id: str = "") -> SimOrder:
    """Check, verify and queue one modification. Raises ExchangeError."""
    wanted = change(request, path_id, login.asker(), context.names, context.settings.verify_signatures)
    account = login.member.address
    answer = context.exchange.modify(account, wanted.order_id, wanted.size, wanted.price, wanted.trigger_price, now)
    if isinstance(answer, Refusal):
        raise refused(answer)
    return answer


def cancel(context: Context, login: Login, order_id: str, now: int) -> None:
    """Queue one cancellation. Raises ExchangeError."""
    login.asker()
    refusal = context.exchange.cancel(login.member.address, order_id, now)
    if refusal is not None:
        raise refused(refusal)


def by_client_id(context: Context, account: str, client_id: str, symbol: str | None) -> SimOrder:
    """The open order with that client id. Raises ExchangeError CLIENT_ORDER_ID_NOT_FOUND."""
    order = context.exchange.order_by_client_id(account, client_id)
    if order is None or symbol not in (None, order.symbol):
        raise ExchangeError("CLIENT_ORDER_ID_NOT_FOUND", f"no open order with client id {client_id!r}", status=400)
    return order


def cancel_each(context: Context, login: Login, ids: list[str], now: int) -> list[dict[str, Any]]:
    """Cancel several by exchange id; one outcome per id, nothing raises for a single one."""
    login.asker()
    return [_cancel_outcome(context, login, context.exchange.order(login.member.address, id_), id_, now) for id_ in ids]


def _cancel_outcome(context: Context, login: Login, order: SimOrder | None, id_: str, now: int) -> dict[str, Any]:
    account = login.member.address
    if order is None:
        return {"id": id_, "account": account, "status": "NOT_FOUND"}
    refusal = context.exchange.cancel(account, order.order_id, now)
    if refusal is not None and refusal.code not in ("ORDER_IS_CLOSED", "ORDER_ID_NOT_FOUND"):
        raise refused(refusal)
    return {
        "id": order.order_id,
        "client_id": order.client_id,
        "account": account,
        "market": context.market_name(order.symbol),
        "status": "QUEUED_FOR_CANCELLATION" if refusal is None else "ALREADY_CLOSED",
    }


def order_view(context: Context, order: SimOrder, now: int) -> views.View:
    """An order as JSON."""
    return views.order(order, context.market_name(order.symbol), now)


# --- routes ---------------------------------------------------------------------------------------------------------------


def _login(request: Request) -> Login:
    assert request.login is not None, "a private route was registered as public"
    return request.login


def post_order(context: Context, request: Request) -> Reply:
    """201 with status NEW; acceptance, rejection and fills come later."""
    placed = place(context, _login(request), decode(request.body, OrderRequest), request.now)
    return ok(order_view(context, placed, request.now), 201)


def post_batch(context: Context, request: Request) -> Reply:
    """201 with what was taken and what was refused; a shape or signature error refuses the whole batch."""
    outcomes = place_batch(context, _login(request), decode(request.body, list[OrderRequest]), request.now)
    orders = [order_view(context, each, request.now) for each in outcomes if isinstance(each, SimOrder)]
    errors = [{"error": each.code, "message": each.message} for each in outcomes if isinstance(each, Refusal)]
    return ok({"orders": orders, "errors": errors}, 201)


def put_order(context: Context, request: Request) -> Reply:
    """200 with the same id; the outcome comes later in `request_info`."""
    body = decode(request.body, ModifyRequest)
    changed = modify(context, _login(request), body, request.now, request.parameters["order_id"])
    return ok(order_view(context, changed, request.now))


def delete_order(context: Context, request: Request) -> Reply:
    """204: queued."""
    cancel(context, _login(request), request.parameters["order_id"], request.now)
    return empty(204)


def delete_by_client_id(context: Context, request: Request) -> Reply:
    """204: queued."""
    symbol = context.names.optional_symbol(request.query.get("market", ""))
    order = by_client_id(context, request.account, request.parameters["client_id"], symbol)
    cancel(context, _login(request), order.order_id, request.now)
    return empty(204)


def delete_orders(context: Context, request: Request) -> Reply:
    """200: every open order (of one market) is queued for cancellation."""
    request.asker()
    context.exchange.cancel_all(request.account, context.names.optional_symbol(request.query.get("market", "")), request.now)
    return ok({})


def delete_batch(context: Context, request: Request) -> Reply:
    """One outcome per id, exchange ids first."""
    body, login = decode(request.body, CancelBatch), _login(request)
    ids, client_ids = body.order_ids or [], body.client_order_ids or []
    if not ids and not client_ids:
        raise invalid("order_ids, client_order_ids", [], "at least one id")
    outcomes = cancel_each(context, login, ids, request.now)
    for client_id in client_ids:
        order = context.exchange.order_by_client_id(request.account, client_id)
        outcomes.append({"client_id": client_id} | _cancel_outcome(context, login, order, "", request.now))
    return results(outcomes)


def get_orders(context: Context, request: Request) -> Reply:
    """NEW, OPEN and UNTRIGGERED orders."""
    symbol = context.names.optional_symbol(request.query.get("market", ""))
    open_orders = context.exchange.open_orders(request.account, symbol)
    return results([order_view(context, order, request.now) for order in open_orders])


def get_order(context: Context, request: Request) -> Reply:
    """One order, open or closed (documented for open ones; ccxt shows a closed one)."""
    order = context.exchange.order(request.account, request.parameters["order_id"])
    if order is None:
        raise ExchangeError("ORDER_ID_NOT_FOUND", f"order {request.parameters['order_id']} not found", status=400)
    return ok(order_view(context, order, request.now))


def get_by_client_id(context: Context, request: Request) -> Reply:
    """One open order."""
    order = by_client_id(context, request.account, request.parameters["client_id"], None)
    return ok(order_view(context, order, request.now))


def history(context: Context, request: Request) -> Reply:
    """Orders of any state, newest first, filtered by what is given."""
    query = request.query
    symbol = context.names.optional_symbol(query.get("market", ""))
    status = _status(query.get("status", ""))
    wanted = asked(query, context.settings.jwt_secret)
    rows = [
        order
        for order in context.exchange.orders_history(request.account, symbol, query.get("client_id") or None, status)
        if query.get("side", "") in ("", order.side.value.upper())
        and query.get("type", "") in ("", order.type.value.upper())
        and (wanted.start_at is None or order.created_at >= wanted.start_at)
        and (wanted.end_at is None or order.created_at <= wanted.end_at)
    ]
    secret = context.settings.jwt_secret
    return page(rows, wanted, lambda each: each.order_id, lambda each: order_view(context, each, request.now), secret)


def _status(word: str) -> OrderStatus | None:
    if word and word not in _STATUSES:
        raise invalid("status", word, ", ".join(_STATUSES))
    return _STATUSES.get(word)


ROUTES: Final = (
    Route("GET", "/orders", get_orders, Group.READS),
    Route("POST", "/orders", post_order, Group.ORDERS),
    Route("DELETE", "/orders", delete_orders, Group.ORDERS),
    Route("POST", "/orders/batch", post_batch, Group.ORDERS),
    Route("DELETE", "/orders/batch", delete_batch, Group.ORDERS),
    Route("GET", "/orders/by_client_id/{client_id}", get_by_client_id, Group.READS),
    Route("DELETE", "/orders/by_client_id/{client_id}", delete_by_client_id, Group.ORDERS),
    Route("GET", "/orders/{order_id}", get_order, Group.READS),
    Route("PUT", "/orders/{order_id}", put_order, Group.ORDERS),
    Route("DELETE", "/orders/{order_id}", delete_order, Group.ORDERS),
    Route("GET", "/orders-history", history, Group.READS),
)
