"""The largest order that the settings allow in a market, for people to read: said at start beside the smallest one."""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.amounts import ZERO
from flashscalper.model.markets import Market
from flashscalper.trading.settings import TradingSettings


def largest_notional(settings: TradingSettings, market: Market, equity: Decimal) -> Decimal:
    """Quote units that an account worth `equity` which holds nothing may put into one order, under every cap that does not
    depend on the price or the stop. Never below zero."""
    sizing, risk = settings.sizing, settings.risk
    margin_rate = max(Decimal(1) / sizing.leverage, market.initial_margin)
    caps = [risk.max_order_notional, risk.max_position_notional, risk.max_account_notional]
    caps += [group.max_notional for group in risk.groups if market.symbol in group.symbols]
    if sizing.max_notional is not None:
        caps.append(sizing.max_notional)
    caps += [
        equity * Decimal(repr(share)) for share in (sizing.max_notional_share, sizing.max_exposure_share, risk.max_leverage)
    ]
    caps += [equity * Decimal(repr(share)) / margin_rate for share in (sizing.max_margin_share, risk.max_margin_share)]
    return max(min(caps), ZERO)
