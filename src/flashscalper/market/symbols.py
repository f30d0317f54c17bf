"""Names of markets: ours (`ETHUSDT`), the exchange's (`ETH-USD-PERP`), ccxt's (`ETH/USD:USDC`)."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "AVAXUSDT", "LINKUSDT")
"""The markets that are traded when nobody names any."""

_MARKET: Final = re.compile(r"(k?[A-Z0-9]+)-USD-PERP")
_SYMBOL: Final = re.compile(r"([A-Z0-9]+)USDT")
_CCXT: Final = re.compile(r"(k?[A-Z0-9]+)/USD[CT]?:USD[CT]?")
_SHOWN: Final = 3


class SymbolMapper:
    """Translates both ways; names that are translated already stay as they are.

    `listed` are the exchange's own market names (from its `/markets`): then only these exist. Without it every name of the
    perpetuals' form is taken, `BASEUSDT` for `BASE-USD-PERP`. A thousand of a small coin, `kPEPE-USD-PERP`, is
    `1000PEPEUSDT`. A listed market of another form (option, dated, spot) is its own symbol. `custom` (symbol to market, from
    the configuration) goes before both. Every market has exactly one symbol.

    Raises ConfigError, naming the nearest accepted names, for what it does not know.
    """

    def __init__(self, custom: Mapping[str, str] | None = None, *, listed: Iterable[str] | None = None) -> None:
        markets = None if listed is None else list(listed)
        self._closed = markets is not None
        self._market_of: dict[str, str] = {}
        self._symbol_of: dict[str, str] = {}
        for symbol, market in (custom or {}).items():
            if markets is not None and market not in markets:
                raise ConfigError(f"custom mapping of {symbol}", market, _nearest(market, markets))
            if market in self._symbol_of:
                raise ConfigError(
                    f"custom mapping of {symbol}", market, f"one symbol a market; {self._symbol_of[market]} has it"
                )
            self._add(symbol, market)
        for market in markets or ():
            if market not in self._symbol_of:
                symbol = _symbol_by_form(market) or market
                self._add(market if symbol in self._market_of else symbol, market)

    def to_market(self, name: str) -> str:
        """The exchange's name: `ETHUSDT`, `ETH-USD-PERP` or `ETH/USD:USDC` -> `ETH-USD-PERP`."""
        return self._pair(name)[1]

    def to_symbol(self, name: str) -> str:
        """Our name: `ETH-USD-PERP`, `ETHUSDT` or `ETH/USD:USDC` -> `ETHUSDT`."""
        return self._pair(name)[0]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that are known by name: custom and listed ones."""
        return tuple(self._market_of)

    def _add(self, symbol: str, market: str) -> None:
        self._market_of[symbol] = market
        self._symbol_of[market] = symbol

    def _pair(self, name: str) -> tuple[str, str]:
        """(symbol, market) of any of the three forms."""
        if name in self._symbol_of:
            return self._symbol_of[name], name
        if name in self._market_of:
            return name, self._market_of[name]
        symbol = _symbol_by_form(name)
        if symbol is None:
            raise self._unknown(name)
        if _SYMBOL.fullmatch(name) is None and symbol in self._market_of and _CCXT.fullmatch(name):
            return symbol, self._market_of[symbol]
        market = _market_by_form(symbol)
        if market in self._symbol_of:
            raise ConfigError("symbol", name, f"{self._symbol_of[market]}, which the configuration calls {market}")
        if self._closed:
            raise self._unknown(name)
        return (market if symbol in self._market_of else symbol), market

    def _unknown(self, name: str) -> ConfigError:
        if self._closed:
            return ConfigError("symbol", name, _nearest(name, [*self._market_of, *self._symbol_of]))
        known = _nearest(name, [*self._market_of, *self._symbol_of, *DEFAULT_SYMBOLS])
        return ConfigError("symbol", name, f"BASEUSDT, BASE-USD-PERP or BASE/USD:USDC, for example {known}")


def _symbol_by_form(name: str) -> str | None:
    """Our symbol of any perpetual's name, None when it has no such form."""
    for form in (_MARKET, _CCXT, _SYMBOL):
        if found := form.fullmatch(name):
            base = found[1]
            return f"1000{base[1:]}USDT" if base.startswith("k") else f"{base}USDT"
    return None


def _market_by_form(symbol: str) -> str:
    base = symbol.removesuffix("USDT")
    return f"k{base[4:]}-USD-PERP" if base.startswith("1000") and len(base) > 4 else f"{base}-USD-PERP"


def _nearest(name: str, known: Iterable[str]) -> str:
    """The names most like `name`, or the first few."""
    names = sorted(set(known))
    like = get_close_matches(name, names, n=_SHOWN, cutoff=0.5) or names[:_SHOWN]
    rest = len(names) - len(like)
    return ", ".join(like) + (f" and {rest} more" if rest > 0 else "") if names else "nothing is listed"
