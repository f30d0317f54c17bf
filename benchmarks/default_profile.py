"""The default profile on a recorded month of BTC minutes: where its expected move comes from, and what came of it later.

The first half of the month chooses `expected_atr`, the second half is reported: gates, moves, and the net result of the real
engine on the real matching core in both fee classes. Needs `../shared/data`.

    python -m benchmarks.default_profile [--minutes N] [--skip-trading]

A minute is walked as open, low, high, close when it rose and as open, high, low, close when it fell, 15 s apart, with a
spread of 1 USD: who was first, the stop or the target, within a minute is a guess, and so is the depth at the touch.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from math import sqrt
from random import Random
from statistics import fmean, stdev

import msgspec
from tests.indicators.recorded import btc_klines
from tests.strategies.test_default_profile_evidence import Taken, look
from tests.trading.stage import MARKET, START
from tests.trading.walk import Terms, Walk

from flashscalper.model.events import FeeClass
from flashscalper.model.instants import MINUTE_US
from flashscalper.model.klines import Kline
from flashscalper.strategies.profiles import DEFAULT
from flashscalper.strategies.scalper import Scalper
from flashscalper.trading.profiles import trading_profile
from flashscalper.trading.settings import RiskLimits

HORIZON = 5
"""Minutes. The first author picked it from five and ten after seeing both; it is kept, not tuned again."""
BTC = msgspec.structs.replace(MARKET, symbol="BTCUSDT", market="BTC-USD-PERP", base="BTC", price_tick=Decimal("0.5"))
STEP_S = 15.0
LIMITS = RiskLimits(
    symbol_loss_cooldown_s=0.0, max_consecutive_losses=1_000, max_daily_loss_share=None, max_drawdown_share=None,
    max_quote_age_s=120.0, max_mark_age_s=120.0,
)  # fmt: skip
"""What a signal is worth is asked, so nothing stops after losses; and a minute that stands still is no stale quote here."""


class Recorded(Walk):
    """A market that walks through recorded minutes."""

    def __init__(self, klines: Sequence[Kline], fee_class: FeeClass) -> None:
        settings = msgspec.structs.replace(trading_profile("default"), risk=LIMITS)
        terms = Terms(step_s=STEP_S, spread_ticks=2, lots=20_000, fee_class=fee_class)
        self._path = [price for kline in klines for price in path(kline)]
        self._volumes = [kline.volume / 4 for kline in klines for _ in range(4)]
        super().__init__(1, Scalper(DEFAULT.scalper, BTC), settings, _nowhere, terms, BTC)
        self.now = START + MINUTE_US - int(STEP_S * 1e6)

    def _next_mid(self) -> float:
        index = min(self._steps, len(self._path)) - 1
        return self._path[index] / float(BTC.price_tick)

    def _next_lots(self) -> int:
        return max(1, int(self._volumes[min(self._steps, len(self._volumes)) - 1] / float(BTC.size_step)))


def _nowhere(_dice: Random, _number: int) -> float:
    """The walk's own step; the recording says where to go instead."""
    return 0.0


def path(kline: Kline) -> tuple[float, float, float, float]:
    """Four prices of a minute, the extreme that the minute turned from first."""
    rose = kline.close >= kline.open
    return (kline.open, kline.low, kline.high, kline.close) if rose else (kline.open, kline.high, kline.low, kline.close)


def moves(taken: Sequence[Taken]) -> tuple[float, float]:
    """Mean move to the signal's side after the horizon in ATRs, and its standard error."""
    seen = [one.ahead[HORIZON] for one in taken]
    return fmean(seen), stdev(seen) / sqrt(len(seen))


def chosen(taken: Sequence[Taken]) -> float:
    """The most optimistic `expected_atr` that these signals do not contradict: two standard errors above their mean move, at
    full confidence."""
    mean, error = moves(taken)
    return (mean + 2 * error) / (fmean(one.signal.confidence for one in taken) / 100)


def signals(name: str, klines: tuple[Kline, ...]) -> list[Taken]:
    """Print what the signals of one half look like."""
    taken = look(klines)
    mean, error = moves(taken)
    passed = {fee_class: sum(one.passes[fee_class] for one in taken) for fee_class in ("pro", "retail")}
    print(f"{name}: {len(klines)} minutes, {len(taken)} tradable signals, "
          f"mean confidence {fmean(one.signal.confidence for one in taken):.0f} %")  # fmt: skip
    print(f"  move to the signal's side after {HORIZON} minutes: {mean:+.2f} ATR, standard error {error:.2f}")
    print(f"  cost gate passed at the present expected_atr = {DEFAULT.scalper.expected_atr:g}: {passed}")
    return taken


def trade(klines: Sequence[Kline], fee_class: FeeClass) -> None:
    """Print what the engine made of one half in one class."""
    walk = Recorded(klines, fee_class)
    walk.run(4 * len(klines))
    walk.finish()
    outcomes = Counter(look.outcome for look in walk.looks)
    denied = Counter(str(look.denied_by) for look in walk.looks if look.outcome == "denied")
    print(f"{fee_class}: {outcomes['entered']} of {outcomes['entered'] + outcomes['denied']} signals entered; "
          f"denied by {dict(denied.most_common())}")  # fmt: skip
    if not walk.trips:
        print("  no trade, no result")
        return
    nets = [float(trip.pnl) for trip in walk.trips]
    costs, fees = (fmean(float(getattr(trip, name)) for trip in walk.trips) for name in ("costs", "fees"))
    size = fmean(float(trip.size * trip.entry_price) for trip in walk.trips)
    error = stdev(nets) / sqrt(len(nets)) if len(nets) > 1 else 0.0
    print(
        f"  {len(nets)} round trips of {size:.0f} USD: net {sum(nets):+.2f} USD, a trade {fmean(nets):+.2f} +- {error:.2f}"
    )
    print(f"  = {fmean(nets) / size * 1e4:+.2f} +- {error / size * 1e4:.2f} bps; fees {fees / size * 1e4:.2f} bps, "
          f"stated costs {costs / size * 1e4:.2f} bps")  # fmt: skip
    print(f"  left by {dict(Counter(str(trip.exit_reason) for trip in walk.trips).most_common())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=0, help="of each half; 0 takes all")
    parser.add_argument("--skip-trading", action="store_true", help="signals and gates only")
    options = parser.parse_args()
    klines = btc_klines()
    half = len(klines) // 2
    take = options.minutes or half + 1
    first, second = klines[:half][:take], klines[half:][:take]
    number = chosen(signals("first half (chooses)", first))
    print(f"  expected_atr that it does not contradict: {number:.2f}; in force: {DEFAULT.scalper.expected_atr:g}\n")
    signals("second half (reported)", second)
    if not options.skip_trading:
        for fee_class in FeeClass:
            trade(second, fee_class)


if __name__ == "__main__":
    main()
