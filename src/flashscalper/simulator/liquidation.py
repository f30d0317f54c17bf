"""Liquidation in steps (paradex.md 6.10): the smallest share of all positions that brings the margin ratio under target."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.simulator import margin
from flashscalper.simulator.accounts import Account
from flashscalper.simulator.desk import Desk
from flashscalper.simulator.facts import CancelReason, Liquidated
from flashscalper.simulator.state import ExchangeState

_WHOLE = Decimal(1)


def review(state: ExchangeState, desk: Desk, account: Account, now: int) -> None:
    """The 5-second look at one account: cancel what it cannot carry (6.9, deleveraging), then liquidate."""
    if not account.live and not any(holding.size for holding in account.ledger.holdings.values()):
        account.liquidating = False
        return
    value = margin.account_value(state, account)
    if value < margin.initial_margin(state, account):
        for listing in state.listings.values():
            for order in margin.exposing_orders(account, listing):
                desk.cancel(order, CancelReason.DELEVERAGING, now)
    maintenance = margin.maintenance_margin(state, account)
    account.liquidating = maintenance > value
    if account.liquidating and maintenance > ZERO:
        share = share_to_cut(state, value, maintenance)
        _cut(state, desk, account, share, now)


def share_to_cut(state: ExchangeState, value: Decimal, maintenance: Decimal) -> Decimal:
    """The smallest multiple of the step after which maintenance / value is under the target, penalty included; else all."""
    rules = state.rules
    share = rules.liquidation_step
    while share < _WHOLE:
        left = value - share * rules.liquidation_fee * maintenance
        if (_WHOLE - share) * maintenance < rules.liquidation_target * left:
            return share
        share += rules.liquidation_step
    return _WHOLE


def _cut(state: ExchangeState, desk: Desk, account: Account, share: Decimal, now: int) -> None:
    paid = ZERO
    for symbol in sorted(account.ledger.holdings):
        listing = state.listings[symbol]
        size = abs(account.ledger.size_of(symbol))
        if not size:
            continue
        lots = int((size / listing.step * share).to_integral_value(rounding=ROUND_CEILING))
        own_maintenance = margin.market_maintenance_margin(state, account, listing)
        penalty = round_money(share * state.rules.liquidation_fee * own_maintenance)
        desk.execution.liquidate(account, listing, lots, penalty, now)
        paid += penalty
    event = Liquidated(state.next_id(now), account.id, share, paid, now)
    account.liquidations.append(event)
    state.emit(event)
