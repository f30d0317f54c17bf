"""Public routes: system, markets, quotes, books, trades, klines, funding (paradex.md 4.2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from flashscalper.model.amounts import ZERO, parse_amount, plain
from flashscalper.model.errors import ExchangeError, ProtocolError
from flashscalper.model.instants import MILLISECOND_US, MINUTE_US
from flashscalper.simulator.paradex_server import views
from flashscalper.simulator.paradex_server.answers import Reply, invalid, ok, results
from flashscalper.simulator.paradex_server.context import Context, Request
from flashscalper.simulator.paradex_server.depth import grouped, impact
from flashscalper.simulator.paradex_server.limits import Group
from flashscalper.simulator.paradex_server.paging import asked, forward_only, instant, page, whole
from flashscalper.simulator.paradex_server.routing import Route

_RESOLUTIONS: Final = {"1": "1m", "3": "3m", "5": "5m", "15": "15m", "30": "30m", "60": "1h"}
_PRICE_KINDS: Final = ("last", "mark", "underlying")
_MAX_DEPTH: Final = 1_000
_INSURANCE: Final = "0x1"


def system_time(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """`server_time` is a text."""
    return ok({"server_time": str(request.now // MILLISECOND_US)})


def system_state(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """ok, maintenance, cancel_only or post_only."""
    return ok({"status": context.exchange.status.value})


def system_config(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """Everything that the official SDK's loader needs (paradex.md 1)."""
    settings, rules = context.settings, context.exchange.rules
    token = {"name": "TEST USDC", "symbol": "USDC", "decimals": 6, "l1_token_address": "0x1", "l1_bridge_address": "0x2"}
    return ok(
        {
            "starknet_gateway_url": settings.base_url,
            "starknet_fullnode_rpc_url": f"{settings.base_url}/rpc/v0_10",
            "starknet_fullnode_rpc_base_url": settings.base_url,
            "starknet_chain_id": settings.chain_id,
            "block_explorer_url": f"{settings.base_url}/",
            "environment": settings.environment,
            "paraclear_address": "0x286003f7c7bfc3f94e8f0af48b48302e7aee2fb13c23b141479ba00832ef2c6",
            "paraclear_decimals": 8,
            "paraclear_account_proxy_hash": settings.proxy_hash,
            "paraclear_account_hash": settings.account_hash,
            "paraclear_evm_account_hash": settings.evm_account_hash,
            "oracle_address": "0x2c6a867917ef858d6b193a0ff9e62b46d0dc760366920d631715d58baeaca1f",
            "bridged_tokens": [token | {"l2_token_address": "0x3", "l2_bridge_address": "0x4"}],
            "l1_core_contract_address": "0x5",
            "l1_operator_address": "0x6",
            "l1_relayer_address": "0x7",
            "l2_relayer_address": "0x8",
            "universal_deployer_address": "0x9",
            "l1_chain_id": settings.l1_chain_id,
            "liquidation_fee": plain(rules.liquidation_fee),
            "partial_liquidation_buffer": plain(1 - rules.liquidation_target),
            "partial_liquidation_share_increment": plain(rules.liquidation_step),
        }
    )


def announcements(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """There are none."""
    return ok({"next": None, "prev": None, "results": []})


def jwks(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """Tokens here are HS256 under a secret of the simulator, so there is no public key to publish."""
    return ok({"keys": []})


def markets(context: Context, request: Request) -> Reply:
    """The rules of every market, or of one."""
    symbol = context.names.optional_symbol(request.query.get("market", ""), status=404)
    return results([views.market(rules) for rules in context.exchange.markets() if symbol in (None, rules.symbol)])


def markets_history(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """Rules never change here."""
    return results([])


def markets_summary(context: Context, request: Request) -> Reply:
    """One market or `ALL`; `market` is required."""
    market = request.query.get("market", "")
    if not market:
        raise invalid("market", market, "ALL or a market")
    symbols = list(context.names.market_of) if market == "ALL" else [context.names.symbol(market)]
    exchange = context.exchange
    priced = [symbol for symbol in symbols if exchange.is_priced(symbol)]
    return results([views.summary(exchange.summary(symbol), context.market_name(symbol)) for symbol in priced])


def klines(context: Context, request: Request) -> Reply:
    """Rows of `[open_ms, o, h, l, c, volume]`, oldest first (paradex.md 4.2: the shape is ccxt's reading)."""
    query = request.query
    symbol = context.names.symbol(query.get("symbol", ""))
    interval = _RESOLUTIONS.get(query.get("resolution", ""))
    if interval is None:
        raise invalid("resolution", query.get("resolution"), ", ".join(_RESOLUTIONS))
    kind = query.get("price_kind") or "last"
    if kind not in _PRICE_KINDS:
        raise invalid("price_kind", kind, ", ".join(_PRICE_KINDS))
    start_at, end_at = instant(query, "start_at"), instant(query, "end_at")
    if start_at is None or end_at is None or end_at < start_at:
        raise invalid("start_at, end_at", (query.get("start_at"), query.get("end_at")), "two instants in order, ms")
    if end_at - start_at > context.exchange.rules.klines_kept * MINUTE_US:
        start_at = max(start_at, request.now - context.exchange.rules.klines_kept * MINUTE_US)
    return results([views.kline(row) for row in context.exchange.klines(symbol, interval, start_at, end_at, kind)])


def bbo(context: Context, request: Request) -> Reply:
    """Best quote of the API book."""
    market = request.parameters["market"]
    return ok(views.bbo(context.exchange.quote(context.names.symbol(market)), market))


def bbo_interactive(context: Context, request: Request) -> Reply:
    """Best quote with RPI orders."""
    market = request.parameters["market"]
    return ok(views.bbo(context.exchange.interactive_quote(context.names.symbol(market)), market))


def order_book(context: Context, request: Request) -> Reply:
    """The API book, 20 levels unless asked otherwise, optionally grouped by `price_tick`."""
    return _book(context, request, interactive=False)


def order_book_interactive(context: Context, request: Request) -> Reply:
    """The book with RPI orders; may be crossed."""
    return _book(context, request, interactive=True)


def _book(context: Context, request: Request, *, interactive: bool) -> Reply:
    market = request.parameters["market"]
    symbol = context.names.symbol(market)
    depth = whole(request.query, "depth", default=20, low=1, high=_MAX_DEPTH) or 20
    tick = price_tick(request.query.get("price_tick", ""))
    exchange = context.exchange
    read = exchange.interactive_book if interactive else exchange.book
    book = grouped(read(symbol, _MAX_DEPTH), tick, depth) if tick else read(symbol, depth)
    return ok(views.order_book(book, market, exchange.quote(symbol), exchange.interactive_quote(symbol)))


def price_tick(text: str) -> Decimal | None:
    """A grouping tick; channels write its point as `_`."""
    if not text:
        return None
    try:
        tick = parse_amount("price_tick", text.replace("_", "."))
    except ProtocolError:
        tick = ZERO
    if tick <= ZERO:
        raise invalid("price_tick", text, "a price step above 0")
    return tick


def impact_price(context: Context, request: Request) -> Reply:
    """The average price that a market order of `size` base units would pay; both sides unless `side` says which."""
    market = request.parameters["market"]
    symbol = context.names.symbol(market)
    try:
        size = parse_amount("size", request.query.get("size", ""))
    except ProtocolError as refused:
        raise ExchangeError("VALIDATION_ERROR", str(refused), status=400) from refused
    side = (request.query.get("side") or "BUY").upper()
    if size <= ZERO or side not in ("BUY", "SELL"):
        raise invalid("size, side", (plain(size), side), "a size above 0; BUY or SELL")
    book = context.exchange.book(symbol, _MAX_DEPTH)
    price = impact(book.asks if side == "BUY" else book.bids, size)
    return ok({"market": market, "side": side, "size": plain(size), "impact_price": "" if price is None else plain(price)})


def trades(context: Context, request: Request) -> Reply:
    """Public trades, newest first; pages go back in time."""
    query = request.query
    if query.get("baseAsset") or query.get("base_asset"):
        return ok({"next": None, "prev": None, "results": []})  # asks for options; there are none here
    symbol = context.names.symbol(query.get("market", ""))
    secret = context.settings.jwt_secret
    wanted = asked(query, secret, max_page=1_000)
    if wanted.marker and not wanted.marker.id.isdecimal():
        raise ExchangeError("INVALID_REQUEST_PARAMETER", "cursor: of another list", status=400)
    before = int(wanted.marker.id) if wanted.marker else None
    printed = context.exchange.trades(symbol, wanted.start_at, wanted.end_at, wanted.size + 1, before)
    name = context.market_name(symbol)
    shown = printed[: wanted.size]
    return forward_only(
        shown,
        lambda each: str(each.id),
        lambda each: views.trade(each, name),
        secret,
        has_more=len(printed) > wanted.size,
    )


def funding_data(context: Context, request: Request) -> Reply:
    """Funding of one market tick by tick, newest first; the last 5,000 are kept."""
    symbol = context.names.symbol(request.query.get("market", ""))
    secret = context.settings.jwt_secret
    wanted, rules = asked(request.query, secret), context.exchange.market(symbol)
    points = context.funding_points[symbol] or [context.funding(symbol)]
    rows = [
        point
        for point in reversed(points)
        if (wanted.start_at is None or point.at >= wanted.start_at) and (wanted.end_at is None or point.at <= wanted.end_at)
    ]
    hours = rules.funding_period_hours
    return page(rows, wanted, lambda each: str(each.at), lambda each: views.funding(each, rules.market, hours), secret)


def insurance(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """The insurance fund."""
    return ok(
        {"account": _INSURANCE, "account_value": "1000000", "settlement_asset": "USDC", "updated_at": views.ms(request.now)}
    )


def volume_tiers(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """One tier for everybody."""
    rules = context.exchange.markets()[0]
    rates = {"maker_rate": plain(rules.maker_fee), "taker_rate": plain(rules.taker_fee)}
    tier = {"kind": "pro", "tier_name": "Base", "min_volume": "0", "min_volume_duration": "14d", "nft_min_volume": "0"}
    return results([tier | {"fee_rates": rates, "sort_order": 0}])


ROUTES: Final = tuple(
    Route("GET", path, handler, Group.PUBLIC)
    for path, handler in (
        ("/system/time", system_time),
        ("/system/state", system_state),
        ("/system/config", system_config),
        ("/system/announcements", announcements),
        ("/system/volume-tiers", volume_tiers),
        ("/jwks.json", jwks),
        ("/insurance", insurance),
        ("/markets", markets),
        ("/markets/history", markets_history),
        ("/markets/summary", markets_summary),
        ("/markets/klines", klines),
        ("/bbo/{market}", bbo),
        ("/bbo/{market}/interactive", bbo_interactive),
        ("/orderbook/{market}", order_book),
        ("/orderbook/{market}/interactive", order_book_interactive),
        ("/orderbook/{market}/impact-price", impact_price),
        ("/trades", trades),
        ("/funding/data", funding_data),
    )
)
