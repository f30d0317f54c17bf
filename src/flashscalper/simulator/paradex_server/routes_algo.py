"""Private routes of TWAP orders (paradex.md 4.5)."""

from __future__ import annotations

from typing import Final

from flashscalper.model.orders import OrderStatus
from flashscalper.simulator.paradex_server import algos
from flashscalper.simulator.paradex_server.answers import Reply, empty, invalid, ok, results
from flashscalper.simulator.paradex_server.context import Context, Request
from flashscalper.simulator.paradex_server.limits import Group
from flashscalper.simulator.paradex_server.order_requests import OrderRequest, decode, new_order
from flashscalper.simulator.paradex_server.paging import asked, page
from flashscalper.simulator.paradex_server.routing import Route
from flashscalper.simulator.paradex_server.views import View

_STEP_S: Final = 30
_LONGEST_S: Final = 86_400


class AlgoRequest(OrderRequest):
    """`AlgoOrderRequest`: signed as an ordinary MARKET order of the whole size."""

    algo_type: str | None = None
    duration_seconds: int | None = None
    frequency: int | None = None


def create(context: Context, request: Request) -> Reply:
    """201 with status NEW; the first sub-order goes out at once."""
    body = decode(request.body, AlgoRequest)
    if body.algo_type != "TWAP":
        raise invalid("algo_type", body.algo_type, "TWAP")
    if body.type != "MARKET":
        raise invalid("type", body.type, "MARKET")
    duration = body.duration_seconds or 0
    if not _STEP_S <= duration <= _LONGEST_S or duration % _STEP_S:
        raise invalid("duration_seconds", body.duration_seconds, f"a multiple of {_STEP_S} in {_STEP_S}..{_LONGEST_S}")
    frequency = _STEP_S if body.frequency is None else body.frequency
    if not _STEP_S <= frequency <= duration or frequency % _STEP_S:
        raise invalid("frequency", body.frequency, f"a multiple of {_STEP_S} in {_STEP_S}..{duration}")
    assert request.login is not None, "a private route was registered as public"
    fee_class = context.fee_class(request.account, request.login.claims, request.now)
    order = new_order(body, request.asker(), context.names, context.settings.verify_signatures, fee_class)
    algo = context.algos.start(request.account, order, duration, frequency, request.now)
    return ok(_view(context, algo), 201)


def open_algos(context: Context, request: Request) -> Reply:
    """TWAPs that are not closed."""
    return results(
        [_view(context, each) for each in context.algos.of(request.account) if each.status is not OrderStatus.CLOSED]
    )


def one(context: Context, request: Request) -> Reply:
    """One that is not closed."""
    return ok(_view(context, context.algos.find(request.account, request.parameters["algo_id"])))


def cancel(context: Context, request: Request) -> Reply:
    """204."""
    request.asker()
    context.algos.cancel(request.account, request.parameters["algo_id"], request.now)
    return empty(204)


def history(context: Context, request: Request) -> Reply:
    """All of them, newest first."""
    query = request.query
    symbol = context.names.optional_symbol(query.get("market", ""))
    wanted = asked(query, context.settings.jwt_secret)
    rows = [
        algo
        for algo in context.algos.of(request.account)
        if symbol in (None, algo.template.symbol)
        and query.get("side", "") in ("", algo.template.side.value.upper())
        and query.get("status", "") in ("", algo.status.value.upper())
        and (wanted.start_at is None or algo.created_at >= wanted.start_at)
        and (wanted.end_at is None or algo.created_at <= wanted.end_at)
    ]
    return page(rows, wanted, lambda each: each.id, lambda each: _view(context, each), context.settings.jwt_secret)


def _view(context: Context, algo: algos.Algo) -> View:
    return algos.view(algo, context.market_name(algo.template.symbol))


ROUTES: Final = (
    Route("GET", "/algo/orders", open_algos, Group.READS),
    Route("POST", "/algo/orders", create, Group.ORDERS),
    Route("GET", "/algo/orders/{algo_id}", one, Group.READS),
    Route("DELETE", "/algo/orders/{algo_id}", cancel, Group.ORDERS),
    Route("GET", "/algo/orders-history", history, Group.READS),
)
