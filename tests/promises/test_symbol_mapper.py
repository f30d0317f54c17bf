"""Section 17.2 of the original's checklist: the symbol mapper. One test for each of its boxes."""

from __future__ import annotations

import pytest

from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.errors import ConfigError


def test_bidirectional_conversion() -> None:
    mapper = SymbolMapper()
    for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "AVAX", "LINK", "DOGE"):
        assert mapper.to_market(f"{base}USDT") == f"{base}-USD-PERP"
        assert mapper.to_symbol(f"{base}-USD-PERP") == f"{base}USDT"
    with pytest.raises(ConfigError, match="ETH-USD-PERP-USD-PERP"):
        mapper.to_market("ETH-USD-PERP-USD-PERP")


def test_ethusdt_and_eth_usd_perp() -> None:
    assert SymbolMapper().to_market("ETHUSDT") == "ETH-USD-PERP"
    assert SymbolMapper().to_symbol("ETH-USD-PERP") == "ETHUSDT"


def test_custom_mappings_through_configuration() -> None:
    mapper = SymbolMapper({"PEPEUSDT": "kPEPE-USD-PERP"}, listed=["ETH-USD-PERP", "kPEPE-USD-PERP", "kSHIB-USD-PERP"])
    assert mapper.to_market("PEPEUSDT") == "kPEPE-USD-PERP"
    assert mapper.to_symbol("kPEPE-USD-PERP") == "PEPEUSDT"
    assert mapper.to_market("1000SHIBUSDT") == "kSHIB-USD-PERP"
    assert mapper.to_market(mapper.to_market("PEPEUSDT")) == "kPEPE-USD-PERP"
    with pytest.raises(ConfigError, match="symbol: saw 'DOGEUSDT'; accepted: "):
        mapper.to_market("DOGEUSDT")
