"""`flashscalper markets`: every perpetual market that the exchange lists, with its rules."""

from __future__ import annotations

import sys

import msgspec

from flashscalper.cli.table import text_table
from flashscalper.cli.target import Target
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.amounts import plain
from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market
from flashscalper.runtime.live import run_loop

PERPETUAL = "PERP"
_HEADS = (
    "symbol",
    "market",
    "tick",
    "step",
    "min notional",
    "max order",
    "position limit",
    "leverage",
    "maker",
    "taker",
    "funding",
)


def markets(target: Target, wanted: tuple[str, ...], *, json: bool) -> int:
    """Print the rules of the markets asked for, or of all perpetuals."""
    found = run_loop(read_markets(target, wanted))
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return 0
    rows = [_row(market) for market in found]
    sys.stdout.write(text_table(_HEADS, rows, right=frozenset(range(2, len(_HEADS)))) + "\n")
    return 0


async def read_markets(target: Target, wanted: tuple[str, ...]) -> list[Market]:
    """Rules by symbol. Raises ConfigError for a market that is not listed, ProtocolError for senseless rules."""
    async with target.rest() as rest:
        rows = responses.decode("GET /markets", wire.Page, await rest.read(requests.markets())).results
    results = [responses.decode("GET /markets", wire.MarketResult, row) for row in rows if _is_perpetual(row)]
    mapper = SymbolMapper(listed=[result.symbol for result in results])
    found = [responses.market_from(result, mapper.to_symbol(result.symbol)) for result in results]
    symbols = {mapper.to_symbol(name) for name in wanted}
    listed = sorted((market for market in found if not symbols or market.symbol in symbols), key=lambda each: each.symbol)
    if not listed:
        raise ConfigError("markets", "none", "an exchange that lists perpetual markets")
    return listed


class _Kind(msgspec.Struct):
    asset_kind: str = PERPETUAL


def _is_perpetual(row: msgspec.Raw) -> bool:
    """Options and spot markets have rules of another shape, and are not traded here."""
    return responses.decode("GET /markets", _Kind, row).asset_kind == PERPETUAL


def _row(market: Market) -> tuple[str, ...]:
    return (
        market.symbol,
        market.market,
        plain(market.price_tick),
        plain(market.size_step),
        plain(market.min_notional),
        plain(market.max_order_size),
        plain(market.position_limit),
        f"{1 / market.initial_margin:.0f}x" if market.initial_margin else "-",
        f"{plain(market.maker_fee * 100)} %",
        f"{plain(market.taker_fee * 100)} %",
        f"{market.funding_period_hours} h",
    )
