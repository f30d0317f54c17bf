from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from flashscalper.trading.largest import largest_notional
from flashscalper.trading.settings import CorrelatedGroup, RiskLimits, TradingSettings
from flashscalper.trading.sizing import SizingSettings
from tests.trading.stage import BTC, ETH, MARKET, D

WIDE = TradingSettings(
    risk=RiskLimits(
        max_order_notional=D(10**6), max_position_notional=D(10**6), max_account_notional=D(10**6), max_leverage=50.0,
        max_margin_share=1.0,
    ),
    sizing=SizingSettings(max_notional_share=50.0, max_exposure_share=50.0, max_margin_share=1.0, leverage=50),
)  # fmt: skip
Change = Callable[[TradingSettings], TradingSettings]


def risk(**changed: object) -> Change:
    return lambda settings: msgspec.structs.replace(settings, risk=msgspec.structs.replace(settings.risk, **changed))


def sizing(**changed: object) -> Change:
    return lambda settings: msgspec.structs.replace(settings, sizing=msgspec.structs.replace(settings.sizing, **changed))


def group(*symbols: str) -> Change:
    return risk(groups=(CorrelatedGroup(name="g", symbols=symbols, max_notional=D(300)),))


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (risk(), 50_000), (risk(max_order_notional=D(100)), 100), (risk(max_position_notional=D(101)), 101),
        (risk(max_account_notional=D(102)), 102), (risk(max_leverage=2.0), 2_000), (risk(max_margin_share=0.5), 25_000),
        (group(ETH, BTC), 300), (group(BTC), 50_000), (sizing(max_notional=D(103)), 103),
        (sizing(max_notional_share=0.5), 500), (sizing(max_exposure_share=0.4), 400), (sizing(max_margin_share=0.5), 25_000),
        (sizing(leverage=1), 1_000),
    ],
)  # fmt: skip
def test_the_smallest_cap_is_what_the_settings_allow(change: Change, most: int) -> None:
    assert largest_notional(change(WIDE), MARKET, D(1_000)) == most


def test_the_market_s_own_margin_counts_and_an_empty_account_may_nothing() -> None:
    strict = msgspec.structs.replace(MARKET, initial_margin=D("0.5"))
    assert largest_notional(WIDE, strict, D(1_000)) == 2_000
    assert largest_notional(WIDE, MARKET, Decimal(-5)) == 0
