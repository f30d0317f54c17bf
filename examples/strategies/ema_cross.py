"""Follow the fast average when it crosses the slow one.

flashscalper run --strategy examples/strategies/ema_cross.py:EmaCross
"""

from flashscalper.indicators.averages import EMA
from flashscalper.strategies.plan import ExitPolicy, MarketView, Parameter, Signal, TradingPlan, Trailing, atr, r


class EmaCross(TradingPlan):
    interval = "1m"
    fast = Parameter(9, 2, 200)
    slow = Parameter(21, 3, 400)
    exits = ExitPolicy(stop=atr(1.5), target=r(2), trailing=Trailing(activation=r(1), distance=r(0.75)), max_hold_s=1800)

    def setup(self) -> None:
        self.quick, self.calm = self.use(EMA(self.fast)), self.use(EMA(self.slow))
        self.above: bool | None = None

    def on_kline(self, view: MarketView) -> Signal | None:
        before, self.above = self.above, self.quick.value > self.calm.value
        if before is None or before == self.above:
            return None
        if self.above:
            return self.long(f"EMA {self.fast} above EMA {self.slow} at {view.kline.close:g}", confidence=65)
        return self.short(f"EMA {self.fast} below EMA {self.slow} at {view.kline.close:g}", confidence=65)
