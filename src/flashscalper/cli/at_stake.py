"""What a run may lose, in USDC, and what size each market takes: said before the first order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from flashscalper.model.amounts import plain
from flashscalper.runtime.preflight import Readiness
from flashscalper.trading.largest import largest_notional
from flashscalper.trading.settings import TradingSettings


def at_stake(trading: TradingSettings, readiness: Readiness, *, real: bool) -> Iterator[str]:
    """Lines for a person. `real` is True where the money is."""
    limits, equity = trading.risk, readiness.summary.account_value
    money = "real money" if real else "no real money"
    yield f"account {readiness.account}: {_usdc(equity)} USDC, {money}"
    caps = [limits.max_daily_loss] if limits.max_daily_loss is not None else []
    if limits.max_daily_loss_share is not None:
        caps.append(equity * Decimal(repr(limits.max_daily_loss_share)))
    day = f"{_usdc(min(caps))} USDC a day" if caps else "any amount a day (no limit is set)"
    share = limits.max_drawdown_share
    drawdown = (
        "any amount in all (no limit is set)" if share is None else f"{_usdc(equity * Decimal(repr(share)))} USDC in all"
    )
    yield (
        f"it may lose {day} and {drawdown} before it stops opening; positions up to {_usdc(limits.max_position_notional)} "
        f"USDC a market and {_usdc(limits.max_account_notional)} USDC together. A stop is no guarantee: a gap costs more"
    )
    traded = {market.symbol for market in readiness.markets}
    for group in limits.groups:
        names = ", ".join(one if one in traded else f"{one} (not traded here)" for one in group.symbols)
        yield f"group {group.name}: {names} up to {_usdc(group.max_notional)} USDC together"
    for market in readiness.markets:
        most = largest_notional(trading, market, equity)
        text = (
            f"{market.symbol}: the exchange takes {plain(market.min_notional)} {market.quote} or more in steps of "
            f"{plain(market.size_step)} {market.base}; the settings allow up to {_usdc(most)} an order"
        )
        yield text if most >= market.min_notional else f"{text}: NOTHING CAN BE TRADED HERE"


def _usdc(amount: Decimal) -> str:
    return f"{amount:,.2f}"
