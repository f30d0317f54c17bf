"""The fair price that a synthetic market's participants believe in: trends, ranges and bursts, and the 24 h before.

The logarithm of the price diffuses; what regime it is in decides its drift and how busy it is. Ranges pull back to where
they began, trends drift for a minute or two, bursts are short, fast and busy (so volatility clusters and volume comes
with movement). A tide, shared by all markets, moves them together.
"""

from __future__ import annotations

from enum import StrEnum
from math import exp, log, sqrt

from flashscalper.model.dice import Dice
from flashscalper.model.instants import DAY_US, MINUTE_US, SECOND_US
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.simulator.feeds.profiles import FlowProfile

BPS = 1e-4
_HISTORY_MINUTES = DAY_US // MINUTE_US
_PULL_PER_S = 0.02
_BASIS_BPS = 1.5
_BASIS_PULL_PER_S = 1 / 600
_TIDE_WEIGHT = 0.5


class Regime(StrEnum):
    """What the market is doing."""

    RANGE = "range"
    TREND = "trend"
    BURST = "burst"


class Tide:
    """Drift that all markets share, in basis points a second; turns every one to four minutes."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._until = 0
        self.drift_bps = 0.0

    def look(self, now: int) -> float:
        """The drift at `now`."""
        if now >= self._until:
            self._until = now + int((60 + 180 * self._dice.random()) * SECOND_US)
            self.drift_bps = self._dice.gauss(0.0, 0.12)
        return self.drift_bps


class FairPrice:
    """One market's fair price. `busy` scales volatility and flow: 1 in an ordinary moment."""

    def __init__(self, profile: FlowProfile, price: float, tide: Tide, dice: Dice, now: int) -> None:
        self._profile = profile
        self._tide = tide
        self._dice = dice
        self._log = self._anchor = log(price)
        self._at = now
        self._until = now
        self._mood = 0.0
        self._basis = 0.0
        self.regime = Regime.RANGE
        self.drift_bps = 0.0
        self.busy = 1.0

    @property
    def price(self) -> float:
        """The fair price."""
        return exp(self._log)

    @property
    def index(self) -> float:
        """The underlying's price: the fair price less a slowly wandering basis, which funding pulls at."""
        return exp(self._log - self._basis * BPS)

    def move(self, now: int) -> None:
        """Let the price wander up to `now`."""
        seconds = (now - self._at) / SECOND_US
        self._at = now
        if now >= self._until:
            self._turn(now)
        if seconds <= 0:
            return
        dice = self._dice
        self._mood += -self._mood * min(1.0, seconds / 90) + dice.gauss(0.0, 0.05 * sqrt(seconds))
        self.busy = exp(max(-1.2, min(1.2, self._mood))) * (3.0 if self.regime is Regime.BURST else 1.0)
        drift = (self.drift_bps + _TIDE_WEIGHT * self._tide.look(now)) * seconds
        noise = dice.gauss(0.0, self._profile.volatility_bps * sqrt(self.busy * seconds))
        self._log += (drift + noise) * BPS
        if self.regime is Regime.RANGE:
            self._log += (self._anchor - self._log) * min(1.0, _PULL_PER_S * seconds)
        self._basis += -self._basis * _BASIS_PULL_PER_S * seconds
        self._basis += dice.gauss(0.0, _BASIS_BPS * sqrt(2 * _BASIS_PULL_PER_S * seconds))

    def _turn(self, now: int) -> None:
        """Choose the next regime; after a burst a trend in either direction is likely."""
        dice, volatility = self._dice, self._profile.volatility_bps
        draw = dice.random()
        sign = 1.0 if dice.random() < 0.5 else -1.0
        self._anchor = self._log
        if draw < 0.35:
            self.regime, seconds, self.drift_bps = Regime.RANGE, 40 + 80 * dice.random(), 0.0
        elif draw < 0.8:
            self.regime, seconds = Regime.TREND, 40 + 80 * dice.random()
            self.drift_bps = sign * volatility * (0.35 + 0.35 * dice.random())
        else:
            self.regime, seconds = Regime.BURST, 8 + 14 * dice.random()
            self.drift_bps = sign * volatility * (1.2 + 1.3 * dice.random())
        self._until = now + int(seconds * SECOND_US)


def history(market: Market, profile: FlowProfile, price: float, dice: Dice, until_at: int) -> list[Kline]:
    """24 h of closed one-minute klines before the minute of `until_at`, the last closing at `price` (on the tick grid)."""
    closes = [0.0]
    busy, drift = [], 0.0
    minute_bps = profile.volatility_bps * sqrt(60)
    mood = 0.0
    for minute in range(_HISTORY_MINUTES):
        if minute % 20 == 0:
            drift = dice.gauss(0.0, 0.25)
        mood += -0.1 * mood + dice.gauss(0.0, 0.2)
        busy.append(exp(max(-1.5, min(1.5, mood))))
        closes.append(closes[-1] + minute_bps * (drift + dice.gauss(0.0, sqrt(busy[-1]))) * BPS)
    levels = [price * exp(close - closes[-1]) for close in closes]
    first_at = until_at - until_at % MINUTE_US - _HISTORY_MINUTES * MINUTE_US
    volume = 60 * 1.6 * profile.steps_per_s * profile.taker_notional
    minutes = _Minutes(market, minute_bps * BPS, dice)
    return [
        minutes.kline(first_at + n * MINUTE_US, levels[n], levels[n + 1], volume * busy[n]) for n in range(_HISTORY_MINUTES)
    ]


class _Minutes:
    """Makes one-minute klines of an ordinary shape; `typical` is a minute's usual move, a fraction."""

    def __init__(self, market: Market, typical: float, dice: Dice) -> None:
        self._market = market
        self._typical = typical
        self._dice = dice
        self._tick = float(market.price_tick)

    def kline(self, open_at: int, opened: float, closed: float, quote_volume: float) -> Kline:
        """A kline from `opened` to `closed`; volume grows with the move, and buyers take more when it rises."""
        dice, typical = self._dice, self._typical
        high = self._price(max(opened, closed) * (1 + abs(dice.gauss(0.0, typical / 3))))
        low = self._price(min(opened, closed) * (1 - abs(dice.gauss(0.0, typical / 3))))
        move = max(-2.0, min(2.0, (closed / opened - 1) / typical))
        quote = quote_volume * (0.7 + 0.5 * abs(move)) * exp(dice.gauss(0.0, 0.3))
        share = max(0.05, min(0.95, 0.5 + 0.1 * move + dice.gauss(0.0, 0.05)))
        volume = round(quote / closed, 8)
        return Kline(
            self._market.symbol,
            "1m",
            open_at,
            open_at + MINUTE_US,
            self._price(opened),
            high,
            low,
            self._price(closed),
            volume,
            volume * closed,
            1 + int(quote / 5_000),
            volume * share,
            volume * closed * share,
        )

    def _price(self, price: float) -> float:
        """The nearest price on the tick grid, as the float of its decimal text."""
        return float(self._market.price_tick * round(price / self._tick))
