"""Symbol names: both ways, any form, nothing guessed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.market.symbols import DEFAULT_SYMBOLS, SymbolMapper
from flashscalper.model.errors import ConfigError

LISTED = ("BTC-USD-PERP", "ETH-USD-PERP", "kPEPE-USD-PERP", "1000X-USD-PERP", "BTC-USD-31DEC26-100000-C", "ETH-USDC")


@pytest.mark.parametrize("name", ["ETHUSDT", "ETH-USD-PERP", "ETH/USD:USDC"])
@pytest.mark.parametrize("mapper", [SymbolMapper(), SymbolMapper(listed=LISTED)])
def test_every_form_of_a_name_is_understood(name: str, mapper: SymbolMapper) -> None:
    assert mapper.to_market(name) == "ETH-USD-PERP"
    assert mapper.to_symbol(name) == "ETHUSDT"


@pytest.mark.parametrize("mapper", [SymbolMapper(), SymbolMapper(listed=LISTED)])
def test_a_thousand_of_a_small_coin_has_binances_symbol(mapper: SymbolMapper) -> None:
    assert mapper.to_symbol("kPEPE-USD-PERP") == "1000PEPEUSDT"
    assert mapper.to_market("1000PEPEUSDT") == "kPEPE-USD-PERP"
    assert mapper.to_market("kPEPE/USD:USDC") == "kPEPE-USD-PERP"


def test_a_listed_market_that_is_called_1000_keeps_its_own_name() -> None:
    mapper = SymbolMapper(listed=LISTED)
    assert mapper.to_market("1000XUSDT") == "1000X-USD-PERP"
    assert mapper.to_symbol("1000X-USD-PERP") == "1000XUSDT"


def test_when_two_listed_markets_want_one_symbol_the_second_is_its_own() -> None:
    mapper = SymbolMapper(listed=("kPEPE-USD-PERP", "1000PEPE-USD-PERP"))
    assert mapper.to_market("1000PEPEUSDT") == "kPEPE-USD-PERP"
    assert mapper.to_symbol("1000PEPE-USD-PERP") == "1000PEPE-USD-PERP"


@pytest.mark.parametrize("name", ["BTC-USD-31DEC26-100000-C", "ETH-USDC"])
def test_a_listed_market_that_is_no_perpetual_is_its_own_symbol(name: str) -> None:
    mapper = SymbolMapper(listed=LISTED)
    assert mapper.to_symbol(name) == name
    assert mapper.to_market(name) == name


def test_an_unlisted_symbol_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"symbol: saw 'ETHUSTD'; accepted: ETHUSDT"):
        SymbolMapper(listed=LISTED).to_market("ETHUSTD")


@pytest.mark.parametrize("name", ["", "ethusdt", "ETH-USD-PERP-USD-PERP", "BTC-USD-31DEC26-100000-C", "ETH/USD", "USDT"])
def test_without_a_list_a_name_of_no_known_form_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="BASEUSDT, BASE-USD-PERP or BASE/USD:USDC"):
        SymbolMapper().to_market(name)


def test_a_custom_mapping_goes_first_and_frees_no_other_name() -> None:
    mapper = SymbolMapper({"MYETH": "ETH-USD-PERP", "BTCUSDT": "BTC-USDC-PERP"})
    assert mapper.to_market("MYETH") == "ETH-USD-PERP"
    assert mapper.to_symbol("ETH-USD-PERP") == "MYETH"
    assert mapper.to_market("BTC/USD:USDC") == "BTC-USDC-PERP"
    assert mapper.to_symbol("BTC-USD-PERP") == "BTC-USD-PERP"  # its usual symbol means another market here
    with pytest.raises(ConfigError, match="MYETH"):
        mapper.to_market("ETHUSDT")


def test_a_custom_mapping_to_an_unlisted_market_is_refused() -> None:
    with pytest.raises(ConfigError, match="ETH-USD-PERP"):
        SymbolMapper({"ETHUSDT": "ETH-USD-PREP"}, listed=LISTED)


def test_two_custom_symbols_of_one_market_are_refused() -> None:
    with pytest.raises(ConfigError, match="one symbol a market"):
        SymbolMapper({"A": "ETH-USD-PERP", "B": "ETH-USD-PERP"})


def test_an_empty_list_accepts_nothing() -> None:
    with pytest.raises(ConfigError, match="nothing is listed"):
        SymbolMapper(listed=()).to_market("ETHUSDT")


bases = st.from_regex(r"k?[A-Z][A-Z0-9]{0,6}", fullmatch=True)


@given(bases)
def test_names_come_back_from_a_round_trip(base: str) -> None:
    mapper = SymbolMapper()
    market = f"{base}-USD-PERP"
    symbol = mapper.to_symbol(market)
    assert mapper.to_market(symbol) == market
    assert mapper.to_market(market) == market
    assert mapper.to_symbol(symbol) == symbol


names = st.one_of(bases.map(lambda base: f"{base}-USD-PERP"), st.from_regex(r"[A-Zk0-9]{1,6}-[A-Z0-9]{1,6}", fullmatch=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(names, unique=True, max_size=12), st.dictionaries(bases, st.integers(0, 11), max_size=3))
def test_every_listed_market_has_one_symbol_and_comes_back(listed: list[str], chosen: dict[str, int]) -> None:
    custom = {symbol: listed[place] for symbol, place in chosen.items() if place < len(listed)}
    custom = {symbol: market for market, symbol in {market: symbol for symbol, market in custom.items()}.items()}
    mapper = SymbolMapper(custom, listed=listed)
    assert len({mapper.to_symbol(market) for market in listed}) == len(listed)
    for market in listed:
        assert mapper.to_market(mapper.to_symbol(market)) == market
        assert mapper.to_market(market) == market


def test_the_default_symbols_map_to_their_markets() -> None:
    assert [SymbolMapper().to_market(symbol) for symbol in DEFAULT_SYMBOLS] == [
        f"{base}-USD-PERP" for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "AVAX", "LINK")
    ]
