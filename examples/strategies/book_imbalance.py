"""Lean on the heavier side of the order book while the price already moves that way.

flashscalper run --strategy examples/strategies/book_imbalance.py:BookImbalance
"""

from flashscalper.indicators.oscillators import ROC
from flashscalper.strategies.plan import ExitPolicy, MarketView, Parameter, Signal, Stale, TradingPlan, atr, r


class BookImbalance(TradingPlan):
    interval = "5s"
    depth = Parameter(5, 1, 15, note="levels on each side")
    lean = Parameter(0.4, 0.05, 0.95, note="(bids - asks) / (bids + asks)")
    exits = ExitPolicy(stop=atr(2), target=r(1.5), stale=Stale(after_s=30, progress=r(0.3)), max_hold_s=120)

    def setup(self) -> None:
        self.change = self.use(ROC(3))

    def on_kline(self, view: MarketView) -> Signal | None:
        imbalance = view.book.imbalance(self.depth) if view.book else None
        if imbalance is None or abs(imbalance) < self.lean or imbalance * self.change.value <= 0:
            return None
        reason = f"book leans {imbalance:+.2f} and the price moves with it"
        return self.long(reason) if imbalance > 0 else self.short(reason)
