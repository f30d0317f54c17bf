"""The steps of `check` about the account: its kind, its margin mode in each market, its fees and tier."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Final

from flashscalper.cli.checking.check_steps import Bench
from flashscalper.cli.checking.findings import Finding, Outcome
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.account_details import AccountDetail, MarginDetail
from flashscalper.model.amounts import plain
from flashscalper.model.errors import ProtocolError
from flashscalper.runtime.credentials import plain_address

CROSS: Final = "CROSS"
CROSS_METHOD: Final = "cross_margin"
_PORTFOLIO: Final = (
    "portfolio margin is not supported: sizes and liquidation distances are computed for cross margin; "
    "trade from an account or sub-account with cross margin"
)
_ISOLATED: Final = "isolated margin is not supported: set the market to cross margin, or leave it out with --markets"
_KINDS: Final = {
    "": "main",
    "main": "main",
    "subaccount": "sub-account",
    "vault_operator": "vault operator",
    "vault_sub_operator": "vault sub-operator",
}


async def _details(bench: Bench) -> AccountDetail:
    """The account that the session is for, of those that `GET /account/info` lists."""
    rows = responses.decode("GET /account/info", wire.Page, await bench.rest.read(requests.account_info())).results
    listed = [responses.decode("GET /account/info", AccountDetail, row) for row in rows]
    ours = plain_address((await bench.client.get_balance()).account)
    found = next((each for each in listed if plain_address(each.account) == ours), None)
    if found is None:
        raise ProtocolError("GET /account/info", "our account is not listed")
    return found


async def account_kind(bench: Bench) -> Finding:
    """Main account, sub-account or vault operator."""
    details = await _details(bench)
    kind = _KINDS.get(details.kind)
    if kind is None:
        raise ProtocolError("GET /account/info kind", f"saw {details.kind!r}; accepted: {', '.join(filter(None, _KINDS))}")
    facts = {"kind": kind, "isolated_market": details.isolated_market}
    if details.isolated_market:
        detail = f"the {kind} of an isolated position in {details.isolated_market}"
        return Finding(step="account", outcome=Outcome.FAIL, detail=detail, hint=_ISOLATED, facts=facts)
    if kind.startswith("vault"):
        hint = "orders trade the depositors' money: keep a bot's limits as tight as that asks for"
        return Finding(step="account", outcome=Outcome.WARN, detail=kind, hint=hint, facts=facts)
    detail = f"{kind} of {details.parent_account}" if details.parent_account else kind
    return Finding(step="account", outcome=Outcome.OK, detail=detail, facts=facts)


async def margin_modes(bench: Bench) -> Finding:
    """Margin method of the account, mode and leverage of each market; what is not supported is refused by name."""
    bodies = await asyncio.gather(*(bench.rest.read(requests.margin(market.market)) for market in bench.markets))
    modes: dict[str, str] = {}
    method = CROSS_METHOD
    for market, body in zip(bench.markets, bodies, strict=True):
        found = responses.decode("GET /account/margin", MarginDetail, body)
        entry = next((each for each in found.configs if each.market == market.market), None)
        if entry is None:
            raise ProtocolError("GET /account/margin", f"nothing about {market.market}")
        method = found.margin_methodology or method
        modes[market.symbol] = f"{entry.margin_type.lower()} {entry.leverage}x"
    isolated = [symbol for symbol, mode in modes.items() if not mode.startswith(CROSS.lower())]
    detail = f"{method.replace('_', ' ')}; " + ", ".join(f"{symbol} {mode}" for symbol, mode in modes.items())
    facts = {"method": method, "modes": modes}
    if method != CROSS_METHOD:
        return Finding(step="margin", outcome=Outcome.FAIL, detail=detail, hint=_PORTFOLIO, facts=facts)
    if isolated:
        hint = f"{', '.join(isolated)}: {_ISOLATED}"
        return Finding(step="margin", outcome=Outcome.FAIL, detail=detail, hint=hint, facts=facts)
    return Finding(step="margin", outcome=Outcome.OK, detail=detail, facts=facts)


async def fees(bench: Bench) -> Finding:
    """Class, rates and tier: a market's own schedule first, then the account's rates."""
    details = await _details(bench)
    retail = bench.target.settings.interactive
    fee_class = "retail" if retail else "pro"
    market = bench.markets[0]
    maker, taker = (market.retail_maker_fee, market.retail_taker_fee) if retail else (market.maker_fee, market.taker_fee)
    own = details.fees
    if own is not None and not retail:
        maker = _rate("fees.maker_rate", own.maker_rate, maker)
        taker = _rate("fees.taker_rate", own.taker_rate, taker)
    tiers = details.volume_tiers or {}
    tier = tiers[fee_class].tier if fee_class in tiers else ""
    detail = f"{fee_class}, {tier or 'no tier named'}: maker {_percent(maker)}, taker {_percent(taker)}"
    facts = {"class": fee_class, "tier": tier, "maker": plain(maker), "taker": plain(taker)}
    hint = "a retail session has a 300 ms speed bump and at most 1,000 orders a day" if retail else ""
    return Finding(step="fees", outcome=Outcome.OK, detail=detail, hint=hint, facts=facts)


def _rate(field: str, value: wire.Number, otherwise: Decimal) -> Decimal:
    rate = responses.optional_amount(field, value)
    return otherwise if rate is None else rate


def _percent(rate: Decimal) -> str:
    return f"{plain(rate * 100)} %"
