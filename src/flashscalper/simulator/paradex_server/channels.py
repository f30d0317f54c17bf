"""Channel names: which exist, whether they are private, and what an order book channel's name says (paradex.md 5.5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from flashscalper.model.errors import ExchangeError
from flashscalper.model.instants import MILLISECOND_US
from flashscalper.simulator.paradex_server.names import MarketNames

ALL: Final = "ALL"
BOOK_DEPTH: Final = 15
FEEDS: Final = ("snapshot", "deltas", "interactive")
RATES_US: Final = {"50ms": 50 * MILLISECOND_US, "100ms": 100 * MILLISECOND_US}
TICKS: Final = (
    "0_0000001",
    "0_0000005",
    "0_000001",
    "0_00001",
    "0_0001",
    "0_001",
    "0_01",
    "0_1",
    "1",
    "10",
    "100",
)

_PER_MARKET: Final = frozenset({"trades", "bbo", "markets_summary", "markets", "funding_data"})
_PER_MARKET_PRIVATE: Final = frozenset({"orders", "fills", "funding_payments"})
_BARE: Final = frozenset({"markets_summary", "markets", "funding_data"})
_BARE_PRIVATE: Final = frozenset({"account", "positions", "balance_events", "tradebusts", "transaction", "transfers"})
_BY_BASE: Final = frozenset({"bbo", "trades"})
NOT_SIMULATED: Final = frozenset({"block_trades", "rfq", "mmp", "funding_rate_comparison"})


class BookChannel(msgspec.Struct, frozen=True):
    """An order book channel: which feed, how often at most, grouped by `tick` (None = as it is)."""

    symbol: str
    feed: str
    rate_us: int
    tick: Decimal | None


class Channel(msgspec.Struct, frozen=True):
    """A parsed channel name. `symbol` is None for bare names and ALL."""

    name: str
    kind: str
    private: bool
    symbol: str | None = None
    book: BookChannel | None = None


def parse(name: str, base_asset: str, names: MarketNames) -> Channel:
    """A channel of that exact name. Raises ExchangeError saying why there is none."""
    kind, _, rest = name.partition(".")
    if kind in NOT_SIMULATED:
        raise _invalid(f"channel {kind} is not simulated")
    if kind == "order_book":
        return Channel(name, kind, private=False, book=_book(rest, names))
    if not rest:
        if kind in _BARE or kind in _BARE_PRIVATE or (kind in _BY_BASE and base_asset):
            return Channel(name, kind, private=kind in _BARE_PRIVATE)
    elif kind in _PER_MARKET or kind in _PER_MARKET_PRIVATE:
        symbol = None if rest == ALL else _symbol(rest, names)
        return Channel(name, kind, kind in _PER_MARKET_PRIVATE, symbol)
    raise _invalid("invalid channel")


def _book(rest: str, names: MarketNames) -> BookChannel:
    market, _, parameters = rest.partition(".")
    feed, *options = parameters.split("@")
    if feed not in FEEDS or len(options) not in (2, 3) or options[0] != str(BOOK_DEPTH) or options[1] not in RATES_US:
        raise _invalid("order_book channel is order_book.{market}.{snapshot|deltas|interactive}@15@{50ms|100ms}[@{tick}]")
    if len(options) == 3 and options[2] not in TICKS:
        raise _invalid(f"price tick {options[2]!r}; accepted: {', '.join(TICKS)}")
    tick = Decimal(options[2].replace("_", ".")) if len(options) == 3 else None
    return BookChannel(_symbol(market, names), feed, RATES_US[options[1]], tick)


def _symbol(market: str, names: MarketNames) -> str:
    symbol = names.symbol_of.get(market)
    if symbol is None:
        raise _invalid(f"invalid market {market!r}")
    return symbol


def _invalid(why: str) -> ExchangeError:
    return ExchangeError("INVALID_REQUEST_PARAMETER", why, status=400)
