"""When stop and take-profit orders wake: the mark price against the trigger price (paradex.md 6.3)."""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.orders import OrderType, Side

_TAKE_PROFIT = frozenset({OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT})


def triggers_above(order_type: OrderType, side: Side) -> bool:
    """True when the order wakes at a mark at or above its trigger.

    A stop follows the market (buy above, sell below), a take-profit waits for it to come (sell above, buy below).
    """
    return (side is Side.BUY) is not (order_type in _TAKE_PROFIT)


def is_triggered(order_type: OrderType, side: Side, trigger_price: Decimal, mark: Decimal) -> bool:
    """Whether `mark` wakes the order."""
    return mark >= trigger_price if triggers_above(order_type, side) else mark <= trigger_price
