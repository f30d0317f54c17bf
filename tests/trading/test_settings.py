from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.trading.settings import (
    CorrelatedGroup,
    EntrySettings,
    MarginSettings,
    ProtectionSettings,
    RiskLimits,
    TimingSettings,
    TradingSettings,
)


def grouped(**group: Any) -> RiskLimits:
    return RiskLimits(groups=(CorrelatedGroup(**group),))


def test_the_defaults_are_valid() -> None:
    TradingSettings().validate()


@pytest.mark.parametrize(
    ("section", "field"),
    [
        (RiskLimits(max_order_notional=Decimal(0)), "trading.risk.max_order_notional"),
        (RiskLimits(max_daily_loss=Decimal("NaN")), "trading.risk.max_daily_loss"),
        (RiskLimits(max_leverage=float("nan")), "trading.risk.max_leverage"),
        (RiskLimits(max_orders_per_second=0), "trading.risk.max_orders_per_second"),
        (RiskLimits(max_drawdown_share=1.5), "trading.risk.max_drawdown_share"),
        (RiskLimits(loss_cooldown_s=-1.0), "trading.risk.loss_cooldown_s"),
        (grouped(name="a", symbols=("ETHUSDT",), max_notional=Decimal(-1)), "groups.a.max_notional"),
        (grouped(name="a", symbols=(), max_notional=Decimal(1)), "groups.a.symbols"),
        (grouped(name="a", symbols=("ETH-USD-PERP",), max_notional=Decimal(1)), "groups.a.symbols"),
        (grouped(name="", symbols=("ETHUSDT",), max_notional=Decimal(1)), "groups..name"),
        (RiskLimits(groups=2 * (CorrelatedGroup(name="a", symbols=("ETHUSDT",), max_notional=Decimal(1)),)), "risk.groups"),
        (EntrySettings(post_wait_s=0.0), "trading.entry.post_wait_s"),
        (ProtectionSettings(naked_limit_s=float("inf")), "trading.protection.naked_limit_s"),
        (TimingSettings(reconcile_every_s=0.5), "trading.timing.reconcile_every_s"),
        (MarginSettings(leverage=0), "trading.margin.leverage"),
    ],
)
def test_a_wrong_value_is_named(section: object, field: str) -> None:
    name = field.split(".")[1] if field.startswith("trading") else "risk"
    settings = msgspec.structs.replace(TradingSettings(), **{name: section})
    with pytest.raises(ConfigError) as caught:
        settings.validate()
    assert field in caught.value.field


def test_an_unknown_interval_is_refused() -> None:
    with pytest.raises(ConfigError, match="7m"):
        TradingSettings(intervals=("7m",)).validate()


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="max_order_notionl"):
        msgspec.convert({"risk": {"max_order_notionl": "5"}}, TradingSettings)


def test_a_group_of_what_is_no_market_is_refused() -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        grouped(name="a", symbols=("nonsense",), max_notional=Decimal(1)).validate()
