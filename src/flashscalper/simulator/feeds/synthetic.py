"""A seeded synthetic market: background participants whose orders go through the real matching.

Makers quote around a fair price (`path`) that only they know and take their quotes back after a while; arbitrageurs take
quotes that the fair price has run over, so movement comes with volume; noise traders take at random, leaning with the
drift. Everything is drawn from the dice handed in: same dice, same start, same requests of accounts, same market.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from heapq import heappop, heappush
from math import ceil, exp, floor

from flashscalper.model.dice import Dice
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import MILLISECOND_US, SECOND_US
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import Side
from flashscalper.simulator.feeds.base import ExchangeView, FeedEvent, FlowCancel, FlowOrder, IndexMoved
from flashscalper.simulator.feeds.path import BPS, FairPrice, Tide, history
from flashscalper.simulator.feeds.profiles import PROFILES, FlowProfile

INDEX_EVERY_US = 500 * MILLISECOND_US
FIRST_LEVELS = 22
LEVELS_LOW, LEVELS_HIGH = 20, 34
_LIFETIME_S = 30.0
_HURRY_PER_S = 12.0
_STEP, _INDEX, _EXPIRY = 0, 1, 2


class _Participants:
    """Everybody in one synthetic market."""

    def __init__(
        self, market: Market, profile: FlowProfile, tide: Tide, dice: Dice, now: int, *, start: Decimal | None = None
    ) -> None:
        self.market = market
        self.profile = profile
        self._dice = dice
        drawn = profile.price * exp(dice.gauss(0.0, 0.02))
        price = drawn if start is None else float(start)
        self.tick = float(market.price_tick)
        price = round(price / self.tick) * self.tick
        self.history = history(market, profile, price, dice, now)
        self.fair = FairPrice(profile, price, tide, dice, now)
        self._lot = float(market.size_step)

    def fair_ticks(self) -> float:
        """The fair price in ticks."""
        return self.fair.price / self.tick

    def lots(self, notional: float) -> int:
        """A lognormal size around a notional, in lots."""
        value = notional * exp(self._dice.gauss(0.0, 0.7))
        most = int(self.market.max_order_size / self.market.size_step)
        return max(1, min(most, round(value / self.fair.price / self._lot)))

    def quote_tick(self, side: Side, depth: float) -> int:
        """A maker's price on `side`, `depth` level gaps behind the best it would quote."""
        fair = self.fair_ticks()
        away = fair * BPS * (self.profile.spread_bps / 2 + depth * self.profile.gap_bps)
        return max(1, floor(fair - away) if side is Side.BUY else ceil(fair + away))

    def index_moved(self) -> IndexMoved:
        """Index and mark as the oracle sees them now; the mark is the fair price."""
        step = self.market.price_tick
        return IndexMoved(
            self.market.symbol,
            step * round(self.fair.index / self.tick),
            step * max(1, round(self.fair_ticks())),
            Decimal(round(self.profile.open_interest)),
        )

    def wait_us(self, *, hurry: bool) -> int:
        """Until the next decision; somebody is quick when quotes are stale."""
        rate = self.profile.steps_per_s * self.fair.busy
        return 1 + int(self._dice.expovariate(max(rate, _HURRY_PER_S) if hurry else rate) * SECOND_US)


class SyntheticFeed:
    """Flow for a set of the default markets. Unknown markets are a ConfigError."""

    def __init__(
        self, markets: Sequence[Market], dice: Dice, started_at: int, *, prices: Mapping[str, Decimal] | None = None
    ) -> None:
        """`prices` are where to begin, by symbol, for a market that goes on; the others begin where the dice say."""
        unknown = [market.symbol for market in markets if market.base not in PROFILES]
        if unknown or not markets:
            raise ConfigError("markets of the synthetic feed", ", ".join(unknown), ", ".join(PROFILES))
        self._markets = tuple(markets)
        self._dice = dice
        self._started_at = started_at
        self._order_id = 0
        self._sequence = 0
        self._due: list[tuple[int, int, int, int, int]] = []
        tide = Tide(dice)
        self._everybody = [
            _Participants(market, PROFILES[market.base], tide, dice, started_at, start=(prices or {}).get(market.symbol))
            for market in markets
        ]
        self._ready: deque[FeedEvent] = deque()
        self._ready_at = started_at
        for place, who in enumerate(self._everybody):
            self._ready.append(who.index_moved())
            for level in range(FIRST_LEVELS):
                for side in Side:
                    self._quote(place, side, level + dice.random(), started_at)
            self._plan(started_at + who.wait_us(hurry=False), _STEP, place)
            self._plan(started_at + INDEX_EVERY_US + place * 10 * MILLISECOND_US, _INDEX, place)

    @property
    def markets(self) -> tuple[Market, ...]:
        """The markets that it moves."""
        return self._markets

    @property
    def recorded(self) -> frozenset[str]:
        """None: every book is matched."""
        return frozenset()

    def history(self, until_at: int) -> Mapping[str, Sequence[Kline]]:
        """24 h of one-minute klines up to the start, continuous with the live price."""
        return {who.market.symbol: [kline for kline in who.history if kline.close_at <= until_at] for who in self._everybody}

    def next_at(self) -> int | None:
        """When the next participant acts; there is always one."""
        return self._ready_at if self._ready else self._due[0][0]

    def pop(self, view: ExchangeView) -> FeedEvent:
        """What the next participant does, having looked at the book."""
        if not self._ready:
            at, _, kind, place, order_id = heappop(self._due)
            self._ready_at = at
            who = self._everybody[place]
            if kind == _EXPIRY:
                return FlowCancel(who.market.symbol, order_id)
            who.fair.move(at)
            if kind == _INDEX:
                self._plan(at + INDEX_EVERY_US, _INDEX, place)
                return who.index_moved()
            self._step(place, who, view, at)
        return self._ready.popleft()

    def _plan(self, at: int, kind: int, place: int, order_id: int = 0) -> None:
        self._sequence += 1
        heappush(self._due, (at, self._sequence, kind, place, order_id))

    def _step(self, place: int, who: _Participants, view: ExchangeView, now: int) -> None:
        """Makers close up to the fair price; then somebody takes what is stale, trades for no reason, or adds depth."""
        bid, ask = view.touch(who.market.symbol)
        fair = who.fair_ticks()
        self._close_up(place, who, bid, ask, now)
        if ask is not None and ask < fair:
            self._take_stale(who, view, Side.BUY, floor(fair))
        elif bid is not None and bid > fair:
            self._take_stale(who, view, Side.SELL, ceil(fair))
        elif not self._ready and self._dice.random() < 0.35:
            self._take_noise(who, view)
        elif not self._ready:
            self._add_depth(place, who, view, now)
        self._fill_up(place, who, view, now)
        behind = max(fair - ask if ask is not None else fair, bid - fair if bid is not None else fair)
        self._plan(now + who.wait_us(hurry=behind > fair * BPS * who.profile.gap_bps), _STEP, place)

    def _close_up(self, place: int, who: _Participants, bid: int | None, ask: int | None, now: int) -> None:
        """A side whose best quote fell behind the fair price gets a new one."""
        if bid is None or bid < who.quote_tick(Side.BUY, 1.0):
            self._quote(place, Side.BUY, 0.5 * self._dice.random(), now)
        if ask is None or ask > who.quote_tick(Side.SELL, 1.0):
            self._quote(place, Side.SELL, 0.5 * self._dice.random(), now)

    def _fill_up(self, place: int, who: _Participants, view: ExchangeView, now: int) -> None:
        """A side that a burst has swept gets deep quotes, more of them the fewer levels are left."""
        for side in Side:
            missing = LEVELS_LOW - view.level_count(who.market.symbol, side)
            for _ in range(missing // 3):
                self._quote(place, side, FIRST_LEVELS * self._dice.random(), now)

    def _take_stale(self, who: _Participants, view: ExchangeView, side: Side, limit: int) -> None:
        """The fair price ran over quotes on the other side: their makers flee, or somebody takes them."""
        symbol = who.market.symbol
        fleeing = view.crowd_order(symbol, side.opposite, best=True) if self._dice.random() < 0.35 else None
        if fleeing is not None:
            self._ready.append(FlowCancel(symbol, fleeing))
            return
        lots = max(
            who.lots(who.profile.taker_notional), ceil(view.touch_lots(symbol, side.opposite) * 2 * self._dice.random())
        )
        self._order_id += 1
        self._ready.append(FlowOrder(symbol, self._order_id, side, limit, lots, taker=True))

    def _take_noise(self, who: _Participants, view: ExchangeView) -> None:
        """A trade without a reason, leaning with the drift; never more than most of the best level."""
        lean = max(-0.3, min(0.3, 0.3 * who.fair.drift_bps / who.profile.volatility_bps))
        side = Side.BUY if self._dice.random() < 0.5 + lean else Side.SELL
        shown = view.touch_lots(who.market.symbol, side.opposite)
        lots = max(1, min(who.lots(who.profile.taker_notional), int(0.8 * shown)))
        self._order_id += 1
        self._ready.append(FlowOrder(who.market.symbol, self._order_id, side, None, lots, taker=True))

    def _add_depth(self, place: int, who: _Participants, view: ExchangeView, now: int) -> None:
        """Quote on the side with fewer levels, deep when they are few; take the far end of a long book back."""
        symbol, dice = who.market.symbol, self._dice
        counts = {side: view.level_count(symbol, side) for side in Side}
        for side, count in counts.items():
            far = view.crowd_order(symbol, side, best=False) if count > LEVELS_HIGH else None
            if far is not None:
                self._ready.append(FlowCancel(symbol, far))
        difference = counts[Side.BUY] - counts[Side.SELL]
        side = Side.BUY if difference < 0 or (difference == 0 and dice.random() < 0.5) else Side.SELL
        deep = counts[side] < LEVELS_LOW
        self._quote(place, side, FIRST_LEVELS * dice.random() if deep else dice.expovariate(0.25), now)

    def _quote(self, place: int, side: Side, depth: float, now: int) -> None:
        """Rest an order `depth` gaps behind the touch, and plan to take it back: deep quotes live longer."""
        who = self._everybody[place]
        self._order_id += 1
        lots = who.lots(who.profile.maker_notional)
        self._ready.append(FlowOrder(who.market.symbol, self._order_id, side, who.quote_tick(side, depth), lots))
        lifetime_s = _LIFETIME_S * (0.5 + depth / 6) * (0.3 + self._dice.expovariate(1.0))
        self._plan(now + int(lifetime_s * SECOND_US), _EXPIRY, place, self._order_id)
