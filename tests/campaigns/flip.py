"""A strategy that trades as often as it may: it buys or sells at every kline of a second, to have something to lose."""

from __future__ import annotations

from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.exit_policy import ExitPolicy, percent


class Flip:
    """Long in even seconds, short in odd ones; out by a near stop, a near target or after three seconds."""

    intervals = ("1s",)
    warmup = 1
    judgement: Judgement | None = None
    exits = ExitPolicy(stop=percent(0.4), target=percent(0.2), max_hold_s=3)

    def __init__(self, market: Market) -> None:
        self.market = market

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        """A signal at every closed kline of the present."""
        if not live:
            return None
        up = view.kline.open_at // 1_000_000 % 2 == 0
        direction = PositionSide.LONG if up else PositionSide.SHORT
        return Signal(direction=direction, confidence=90.0, reasons=("a coin",), expected_move=0.01)


class Keep(Flip):
    """The same entry, and then it stays: its position is there to be looked at."""

    exits = ExitPolicy(stop=percent(2), target=percent(4), max_hold_s=3_600)
