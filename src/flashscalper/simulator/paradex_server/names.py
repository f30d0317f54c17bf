"""Our symbols and the exchange's market names, in both directions."""

from __future__ import annotations

from collections.abc import Sequence

from flashscalper.model.errors import ExchangeError
from flashscalper.model.markets import Market


class MarketNames:
    """`ETHUSDT` is `ETH-USD-PERP` on the wire; the core speaks symbols, clients speak market names."""

    def __init__(self, markets: Sequence[Market]) -> None:
        self.market_of = {market.symbol: market.market for market in markets}
        self.symbol_of = {market.market: market.symbol for market in markets}

    def symbol(self, market: str, *, status: int = 400) -> str:
        """The symbol of a market name. Raises ExchangeError MARKET_NOT_FOUND naming the markets that exist."""
        symbol = self.symbol_of.get(market)
        if symbol is None:
            accepted = ", ".join(sorted(self.symbol_of))
            raise ExchangeError("MARKET_NOT_FOUND", f"market {market!r} not found; accepted: {accepted}", status=status)
        return symbol

    def optional_symbol(self, market: str, *, status: int = 400) -> str | None:
        """The symbol, or None when no market is asked for."""
        return self.symbol(market, status=status) if market else None
