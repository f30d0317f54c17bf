"""What the weather is made of: how bad it may be, who trades in it, and the exchange's words as the engine's."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import msgspec

from flashscalper.model.fills import Fill
from flashscalper.model.orders import Order
from flashscalper.model.positions import PositionSide
from flashscalper.simulator.facts import SimFill, SimOrder
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.exit_policy import BreakEven, ExitPolicy, PartialProfit, Stale, Trailing, percent
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.settings import EntrySettings, RiskLimits, TradingSettings
from flashscalper.trading.sizing import SizingSettings


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How bad it is: each a probability, per message or per second. `crash_midway`: killed with the journal written and not
    (all) sent."""

    lose_request: float = 0.0
    lose_answer: float = 0.0
    slow: float = 0.0
    double: float = 0.0
    fail_read: float = 0.0
    cut_account: float = 0.0
    cut_market: float = 0.0
    close_exchange: float = 0.0
    crash: float = 0.0
    crash_midway: float = 0.0
    meddle: float = 0.0
    foreign: float = 0.0
    bust: float = 0.0


class Impulsive:
    """A strategy without a plan: it signals often, in any direction."""

    intervals = ("1s",)
    warmup = 1
    judgement: Judgement | None = None

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        if not live or self._dice.random() > 0.4:
            return None
        direction = PositionSide.LONG if self._dice.random() < 0.5 else PositionSide.SHORT
        return Signal(direction=direction, confidence=60.0, reasons=("impulse",), expected_move=0.01)


SETTINGS = TradingSettings(
    risk=RiskLimits(
        max_order_notional=Decimal(4_000), max_position_notional=Decimal(4_000), max_account_notional=Decimal(8_000),
        symbol_loss_cooldown_s=0.0, max_consecutive_losses=1_000, max_daily_loss_share=None, max_drawdown_share=None,
        max_consecutive_rejects=1_000,
    ),
    entry=EntrySettings(style=EntryStyle.POST_ONLY_THEN_IOC, post_wait_s=0.7, max_slippage_bps=8.0),
    sizing=SizingSettings(max_notional=Decimal(3_000)),
    costs=CostSettings(report_only=True),
    exits=ExitPolicy(
        stop=percent(0.06), stop_floor_costs=0.0, target=percent(0.1), partial=PartialProfit(at=percent(0.04), share=0.5),
        trailing=Trailing(activation=percent(0.05), distance=percent(0.03)), break_even=BreakEven(activation=percent(0.04)),
        stale=Stale(after_s=10, progress=percent(0.02)), max_hold_s=20, demonstration=True,
    ),
)  # fmt: skip


def order_of(order: SimOrder) -> Order:
    return Order(
        symbol=order.symbol, client_id=order.client_id, order_id=order.order_id, side=order.side, type=order.type,
        size=order.size, remaining=order.remaining, status=order.status, price=order.price,
        trigger_price=order.trigger_price, time_in_force=order.time_in_force, reduce_only=order.reduce_only,
        cancel_reason=order.cancel_reason, created_at=order.created_at, updated_at=order.updated_at, seq_no=order.seq_no,
    )  # fmt: skip


def sim_fill_of(fill: SimFill) -> Fill:
    return Fill(
        id=fill.id, kind=fill.kind, order_id=fill.order_id, client_id=fill.client_id, symbol=fill.symbol, side=fill.side,
        liquidity=fill.liquidity, price=fill.price, size=fill.size, fee=fill.fee, realized_pnl=fill.realized_pnl,
        funding=fill.funding, remaining=fill.remaining, flags=fill.flags, filled_at=fill.filled_at,
    )  # fmt: skip
