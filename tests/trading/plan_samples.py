"""Markets, costs and plans that the tests of exits, sizing and costs start from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Signal
from flashscalper.strategies.exit_policy import ExitPolicy, percent
from flashscalper.trading.costs import CostEstimate
from flashscalper.trading.exits import ExitPlan, ExitState

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
MARKET = Market(
    symbol="ETHUSDT",
    market="ETH-USD-PERP",
    base="ETH",
    price_tick=Decimal("0.01"),
    size_step=Decimal("0.001"),
    min_notional=Decimal(10),
    max_order_size=Decimal(1000),
    position_limit=Decimal(5000),
)
FREE = CostEstimate(entry_fee=Decimal(0), exit_fee=Decimal(0), spread=Decimal(0), slippage=Decimal(0), funding=Decimal(0))
DEAR = CostEstimate(
    entry_fee=Decimal("0.00045"),
    exit_fee=Decimal("0.00045"),
    spread=Decimal("0.0001"),
    slippage=Decimal("0.0001"),
    funding=Decimal(0),
)
OPENED_AT = 1_700_000_000_000_000
SECOND = 1_000_000


def policy(**rules: Any) -> ExitPolicy:
    """A 1 % stop and nothing else, so that a rule under test decides alone."""
    return ExitPolicy(**({"stop": percent(1.0), "target": None} | rules))


def plan(
    rules: ExitPolicy,
    direction: PositionSide = LONG,
    *,
    entry: str = "100",
    size: str = "2",
    volatility: float | None = None,
    signal: Signal | None = None,
    costs: CostEstimate = FREE,
    market: Market = MARKET,
    state: ExitState | None = None,
) -> ExitPlan:
    """A position of 2 ETH entered at 100."""
    return ExitPlan(rules, market, direction, entry_price=Decimal(entry), size=Decimal(size), opened_at=OPENED_AT,
                    volatility=volatility, signal=signal, costs=costs, state=state)  # fmt: skip


def see(
    made: ExitPlan, price: float, *, after_s: float = 1.0, mark: float | None = None, funding_rate: float | None = None
) -> str:
    """Show a price on both sides of the book (and as the mark); the exit's reason, or nothing."""
    now = OPENED_AT + round(after_s * SECOND)
    found = made.on_price(price, price, price if mark is None else mark, now, funding_rate)
    return "" if found is None else found.reason
