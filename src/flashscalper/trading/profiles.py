"""What the scalper's profiles mean for trading: entry style, sizing and costs beside the strategy's own numbers."""

from __future__ import annotations

from typing import Final

import msgspec

from flashscalper.strategies.profiles import find_profile
from flashscalper.trading.correlation import CorrelationSettings
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.settings import EntrySettings, RiskLimits, TradingSettings
from flashscalper.trading.sizing import SizingSettings

_TRADING: Final = {
    "default": TradingSettings(
        entry=EntrySettings(style=EntryStyle.POST_ONLY_THEN_IOC, post_wait_s=3.0, max_slippage_bps=3.0),
        sizing=SizingSettings(risk_per_trade=0.005, calm_volatility=0.001),
        costs=CostSettings(min_multiple=1.2, hold_s=600),
        correlation=CorrelationSettings(),
    ),
    "classic": TradingSettings(
        entry=EntrySettings(style=EntryStyle.IOC, max_slippage_bps=5.0),
        sizing=SizingSettings(risk_per_trade=0.005, max_notional_share=0.35, leverage=10, min_confidence_factor=0.7),
        costs=CostSettings(min_multiple=1.0, hold_s=300),
    ),
    "demo": TradingSettings(
        risk=RiskLimits(symbol_loss_cooldown_s=0.0, max_consecutive_losses=1_000, max_daily_loss_share=0.2),
        entry=EntrySettings(style=EntryStyle.POST_ONLY_THEN_IOC, post_wait_s=1.0, max_slippage_bps=10.0),
        sizing=SizingSettings(risk_per_trade=0.002, max_notional_share=0.1, max_exposure_share=1.0),
        costs=CostSettings(report_only=True, hold_s=60),
    ),
}


def trading_profile(name: str) -> TradingSettings:
    """The trading settings of a profile, its exit policy included; an unknown name is a ConfigError with the known ones."""
    profile = find_profile(name)
    return msgspec.structs.replace(_TRADING[profile.name], exits=profile.exits)
