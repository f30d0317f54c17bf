"""Names of markets, both ways. Needs neither key nor network.

python examples/symbols.py
"""

from __future__ import annotations

from flashscalper import SymbolMapper
from flashscalper.model.errors import ConfigError


def main() -> None:
    mapper = SymbolMapper()
    for name in ("BTCUSDT", "ETH-USD-PERP", "SOL/USD:USDC", "1000PEPEUSDT"):
        market = mapper.to_market(name)
        symbol = mapper.to_symbol(market)
        assert mapper.to_symbol(symbol) == symbol, "a translated name stays as it is"
        print(f"{name:>14} -> {market:<14} -> {symbol}")

    custom = SymbolMapper({"GOLD": "XAU-USD-PERP"})
    print(f"{'GOLD':>14} -> {custom.to_market('GOLD')}")

    try:
        mapper.to_market("bitcoin")
    except ConfigError as error:
        print(error)


if __name__ == "__main__":
    main()
