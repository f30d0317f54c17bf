"""The seven markets that the simulated exchange lists by default: ticks, steps and limits of realistic sizes.

Fees are those of the protocol page (6.6, since 2026-07-03): maker 0.003 %, taker 0.045 %, Retail free. An own price level
for the synthetic market stands beside each; the recording brings its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market


def _market(
    base: str,
    tick: str,
    step: str,
    max_order_size: str,
    position_limit: str,
    *,
    max_rate: str = "0.05",
    margin: str = "0.05",
) -> Market:
    return Market(
        symbol=f"{base}USDT",
        market=f"{base}-USD-PERP",
        base=base,
        price_tick=Decimal(tick),
        size_step=Decimal(step),
        min_notional=Decimal(10),
        max_order_size=Decimal(max_order_size),
        position_limit=Decimal(position_limit),
        initial_margin=Decimal(margin),
        max_funding_rate=Decimal(max_rate),
    )


DEFAULT_MARKETS: Final[tuple[Market, ...]] = (
    _market("BTC", "0.1", "0.00001", "100", "300", max_rate="0.02", margin="0.02"),
    _market("ETH", "0.01", "0.0001", "2000", "6000", max_rate="0.02", margin="0.02"),
    _market("SOL", "0.001", "0.01", "50000", "150000", max_rate="0.02", margin="0.02"),
    _market("XRP", "0.0001", "1", "3000000", "9000000"),
    _market("ADA", "0.00001", "1", "5000000", "15000000"),
    _market("AVAX", "0.001", "0.1", "100000", "300000"),
    _market("LINK", "0.001", "0.1", "200000", "600000"),
)


def choose_markets(symbols: Sequence[str]) -> tuple[Market, ...]:
    """The default markets with these symbols (ours, `ETHUSDT`), in the given order; an unknown one is a ConfigError."""
    known = {market.symbol: market for market in DEFAULT_MARKETS}
    unknown = [symbol for symbol in symbols if symbol not in known]
    if unknown or not symbols:
        raise ConfigError("markets", ",".join(unknown), ", ".join(known))
    return tuple(known[symbol] for symbol in dict.fromkeys(symbols))
