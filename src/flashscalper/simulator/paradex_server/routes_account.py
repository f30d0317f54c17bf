"""Private routes about the account: margin summary, balance, positions, leverage, fills, history (paradex.md 4.3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO, parse_amount, plain
from flashscalper.model.errors import ExchangeError, ProtocolError
from flashscalper.model.instants import DAY_US
from flashscalper.simulator.paradex_server import views
from flashscalper.simulator.paradex_server.accounts import normal_hex
from flashscalper.simulator.paradex_server.answers import Reply, invalid, ok, refused, results
from flashscalper.simulator.paradex_server.context import Context, Request
from flashscalper.simulator.paradex_server.limits import Group
from flashscalper.simulator.paradex_server.order_requests import decode
from flashscalper.simulator.paradex_server.paging import asked, instant, page
from flashscalper.simulator.paradex_server.routing import Route

_CURVES: Final = ("pnl", "value", "volume", "fee_savings")


class MarginBody(msgspec.Struct):
    """`AccountMarginRequest`."""

    leverage: int | None = None
    margin_type: str | None = None
    on_behalf_of_account: str | None = None


class SlippageBody(msgspec.Struct):
    """`UpdateAccountMaxSlippageRequest`."""

    max_slippage: str | None = None


def account(context: Context, request: Request) -> Reply:
    """The margin summary of the account itself; there are no sub-accounts here."""
    other = request.query.get("subaccount_address", "")
    if other and normal_hex(other, "INVALID_STARKNET_ADDRESS", "subaccount_address") != request.account:
        raise ExchangeError("ACCOUNT_NOT_FOUND", f"sub-account {other} not found", status=400)
    return ok(views.account(context.exchange.account_summary(request.account)))


def account_summary(context: Context, request: Request) -> Reply:
    """The same, as a list."""
    return results([views.account(context.exchange.account_summary(request.account))])


def account_info(context: Context, request: Request) -> Reply:
    """Kind, key and fee rates."""
    member, rules = request.member, context.exchange.markets()[0]
    return results(
        [
            {
                "account": member.address,
                "kind": "main",
                "parent_account": "",
                "public_key": member.public_key,
                "username": "",
                "created_at": views.ms(member.created_at),
                "derivation_path": "",
                "isolated_market": "",
                "has_ecosystem_nft": False,
                "fees": {"maker_rate": plain(rules.maker_fee), "taker_rate": plain(rules.taker_fee)},
                "volume_tiers": {},
            }
        ]
    )


def subaccounts(context: Context, request: Request) -> Reply:  # noqa: ARG001 - one shape for all routes
    """There are none."""
    return results([])


def balance(context: Context, request: Request) -> Reply:
    """The settlement currency."""
    summary = context.exchange.account_summary(request.account)
    return results([views.balance(summary.total_collateral, summary.updated_at)])


def positions(context: Context, request: Request) -> Reply:
    """Every position, closed ones too."""
    held = context.exchange.positions(request.account)
    return results([views.position(each, context.market_name(each.symbol)) for each in held])


def get_margin(context: Context, request: Request) -> Reply:
    """Leverage of one market; `market` is required."""
    market = request.query.get("market", "")
    if not market:
        raise invalid("market", market, "a market: it is required")
    leverage = context.exchange.leverage(request.account, context.names.symbol(market, status=404))
    entry = {"market": market, "leverage": leverage, "isolated_margin_leverage": leverage, "margin_type": "CROSS"}
    return ok({"account": request.account, "configs": [entry], "margin_methodology": "cross_margin"})


def set_margin(context: Context, request: Request) -> Reply:
    """Set leverage; isolated margin is refused by name."""
    market = request.parameters["market"]
    symbol = context.names.symbol(market)
    body = decode(request.body, MarginBody)
    request.asker()
    if body.leverage is None:
        raise invalid("leverage", None, "a whole number: it is required")
    if body.margin_type not in ("CROSS", "ISOLATED"):
        raise invalid("margin_type", body.margin_type, "CROSS, ISOLATED")
    isolated = body.margin_type == "ISOLATED"
    refusal = context.exchange.set_leverage(request.account, symbol, body.leverage, isolated, request.now)
    if refusal is not None:
        raise refused(refusal)
    return ok({"account": request.account, "market": market, "leverage": body.leverage, "margin_type": "CROSS"})


def profile(context: Context, request: Request) -> Reply:
    """What of a profile matters for trading: the slippage settings."""
    chosen = request.member.max_slippage.items()
    return ok({"market_max_slippage": {context.market_name(symbol): plain(slippage) for symbol, slippage in chosen}})


def set_max_slippage(context: Context, request: Request) -> Reply:
    """The account's own slippage limit of one market for market orders: above 0, at most 1."""
    request.asker()
    symbol = context.names.symbol(request.parameters["market"])
    text = decode(request.body, SlippageBody).max_slippage
    try:
        slippage = parse_amount("max_slippage", text)
    except ProtocolError as refused_text:
        raise ExchangeError("VALIDATION_ERROR", str(refused_text), status=400) from refused_text
    if not ZERO < slippage <= 1:
        raise invalid("max_slippage", text, "a fraction above 0, at most 1")
    request.member.max_slippage[symbol] = slippage
    return profile(context, request)


def fills(context: Context, request: Request) -> Reply:
    """Own executions, newest first."""
    symbol = context.names.optional_symbol(request.query.get("market", ""))
    wanted = asked(request.query, context.settings.jwt_secret)
    rows = context.exchange.fills(request.account, symbol, wanted.start_at, wanted.end_at)
    if request.query.get("asset_kind") not in (None, "", "PERP"):
        rows = []
    return page(
        rows,
        wanted,
        lambda each: f"{each.kind}:{each.id}",
        lambda each: views.fill(each, context.market_name(each.symbol)),
        context.settings.jwt_secret,
    )


def funding_payments(context: Context, request: Request) -> Reply:
    """Settled funding of one market, newest first."""
    symbol = context.names.symbol(request.query.get("market", ""))
    wanted = asked(request.query, context.settings.jwt_secret)
    rows = [
        paid
        for paid in reversed(context.payments[request.account])
        if paid.symbol == symbol and _inside(paid.at, wanted.start_at, wanted.end_at)
    ]
    name = context.market_name(symbol)
    return page(
        rows, wanted, lambda each: each.id, lambda each: views.funding_payment(each, name), context.settings.jwt_secret
    )


def tradebusts(context: Context, request: Request) -> Reply:
    """Fills that were taken back, newest first."""
    wanted = asked(request.query, context.settings.jwt_secret)
    busts = context.exchange.busted(request.account)
    rows = [each for each in reversed(busts) if _inside(each[1], wanted.start_at, wanted.end_at)]
    return page(
        rows,
        wanted,
        lambda each: each[0],
        lambda each: {"account": request.account, "busted_fill_id": each[0], "created_at": views.ms(each[1])},
        context.settings.jwt_secret,
    )


def liquidations(context: Context, request: Request) -> Reply:
    """Liquidations of the account between `from` and `to` (ms)."""
    start_at, end_at = instant(request.query, "from"), instant(request.query, "to")
    rows = context.liquidations[request.account]
    return results([{"id": id_, "created_at": views.ms(at)} for id_, at in rows if _inside(at, start_at, end_at)])


def history(context: Context, request: Request) -> Reply:
    """A curve of the account, one point for each UTC day with a fill: pnl and volume are sums up to then. Of the account's
    value only the present is known, and nobody saves fees here. How close the real points lie is not documented [open]."""
    kind = request.query.get("type", "")
    if kind not in _CURVES:
        raise invalid("type", kind, ", ".join(_CURVES))
    if kind == "value":
        summary = context.exchange.account_summary(request.account)
        return ok({"data": [float(summary.account_value)], "timestamps": [views.ms(summary.updated_at)]})
    days: dict[int, Decimal] = {}
    total = ZERO
    for fill in reversed(context.exchange.fills(request.account, None, None, None)):
        gained = fill.realized_pnl + fill.funding - fill.fee
        total += {"pnl": gained, "volume": fill.price * fill.size, "fee_savings": ZERO}[kind]
        days[fill.filled_at - fill.filled_at % DAY_US] = total
    return ok({"data": [float(value) for value in days.values()], "timestamps": [views.ms(day) for day in days]})


def nothing_paged(context: Context, request: Request) -> Reply:
    """On-chain transactions and transfers do not exist here; the parameters are checked all the same."""
    asked(request.query, context.settings.jwt_secret)
    return ok({"next": None, "prev": None, "results": []})


def _inside(at: int, start_at: int | None, end_at: int | None) -> bool:
    return (start_at is None or at >= start_at) and (end_at is None or at <= end_at)


ROUTES: Final = (
    *(
        Route("GET", path, handler, Group.READS)
        for path, handler in (
            ("/account", account),
            ("/account/summary", account_summary),
            ("/account/info", account_info),
            ("/account/history", history),
            ("/account/subaccounts", subaccounts),
            ("/account/margin", get_margin),
            ("/account/profile", profile),
            ("/balance", balance),
            ("/positions", positions),
            ("/fills", fills),
            ("/funding/payments", funding_payments),
            ("/tradebusts", tradebusts),
            ("/liquidations", liquidations),
            ("/transactions", nothing_paged),
            ("/transfers", nothing_paged),
        )
    ),
    Route("POST", "/account/margin/{market}", set_margin, Group.READS),
    Route("POST", "/account/profile/market_max_slippage/{market}", set_max_slippage, Group.READS),
)
