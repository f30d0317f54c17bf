"""Buy what fell out of its Bollinger band, sell what rose out of it, and leave at the middle.

flashscalper run --strategy examples/strategies/mean_reversion.py:MeanReversion
"""

from flashscalper.indicators.ranges import ATR, Bollinger
from flashscalper.strategies.plan import ExitPolicy, MarketView, Parameter, Signal, TradingPlan, atr


class MeanReversion(TradingPlan):
    interval = "1m"
    period = Parameter(20, 5, 200)
    width = Parameter(2.0, 0.5, 5.0, note="standard deviations")
    stop_atr = Parameter(2.0, 0.5, 10.0)
    exits = ExitPolicy(stop=atr(2), max_hold_s=1800)

    def setup(self) -> None:
        self.bands, self.atr = self.use(Bollinger(self.period, self.width)), self.use(ATR(14))

    def on_kline(self, view: MarketView) -> Signal | None:
        close, middle, away = view.kline.close, self.bands.value, self.stop_atr * self.atr.value
        if close < self.bands.lower:
            return self.long("below the lower band", stop=close - away, target=middle)
        if close > self.bands.upper:
            return self.short("above the upper band", stop=close + away, target=middle)
        return None
