"""A market that says little, and a strategy that trades all the time: the cheapest world in which everything happens.

Two quotes, marks and a trade or two a second, of sizes that fill our orders in parts. Nothing here is drawn from a clock:
the same dice give the same market.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random

from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import Side
from flashscalper.model.positions import PositionSide
from flashscalper.simulator.feeds.base import ExchangeView, FeedEvent, IndexMoved, RecordedQuote, RecordedTrade
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.exit_policy import BreakEven, ExitPolicy, PartialProfit, Stale, Trailing, percent
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.settings import EntrySettings, RiskLimits, TimingSettings, TradingSettings
from flashscalper.trading.sizing import SizingSettings

PRICES = {"BTCUSDT": 60_000, "ETHUSDT": 3_000, "SOLUSDT": 150}
STEP_US = 500_000
_MOVES_BPS = (-8.0, -3.0, -1.0, 0.0, 0.0, 1.0, 3.0, 8.0)
_SPREADS_BPS = (0.1, 0.3, 0.6, 1.2)

EXITS = ExitPolicy(
    stop=percent(0.16), stop_floor_costs=0.0, target=percent(0.2), partial=PartialProfit(at=percent(0.08), share=0.5),
    trailing=Trailing(activation=percent(0.1), distance=percent(0.08)), break_even=BreakEven(activation=percent(0.1)),
    stale=Stale(after_s=8, progress=percent(0.02)), max_hold_s=12, demonstration=True,
)  # fmt: skip
PATIENT = ExitPolicy(stop=percent(1.5), stop_floor_costs=0.0, target=percent(3.0), max_hold_s=60, demonstration=True)
"""Positions that stay: what goes wrong with their stop is not hidden by an early way out."""
MAX_POSITION = Decimal(4_000)
MAX_ACCOUNT = Decimal(9_000)


def settings(style: EntryStyle = EntryStyle.POST_ONLY_THEN_IOC, exits: ExitPolicy = EXITS) -> TradingSettings:
    """Settings that trade at every opportunity; limits that two entries at once would break."""
    return TradingSettings(
        risk=RiskLimits(
            max_order_notional=MAX_POSITION, max_position_notional=MAX_POSITION, max_account_notional=MAX_ACCOUNT,
            symbol_loss_cooldown_s=0.0, max_consecutive_losses=1_000, max_daily_loss_share=None, max_drawdown_share=None,
            max_consecutive_rejects=1_000,
        ),
        entry=EntrySettings(style=style, post_wait_s=0.7, max_slippage_bps=8.0),
        sizing=SizingSettings(max_notional=Decimal(3_000)),
        costs=CostSettings(report_only=True),
        exits=exits,
        timing=TimingSettings(equity_every_s=30.0),
        intervals=("5s",),
    )  # fmt: skip


class Patter:
    """A feed of best quotes, marks and trades of a few markets, all recorded-style: what is shown is there."""

    def __init__(self, markets: Sequence[Market], dice: Random, started_at: int) -> None:
        self._markets = tuple(markets)
        self._dice = dice
        self._at = started_at
        self._price = {market.symbol: Decimal(PRICES.get(market.symbol, 100)) for market in markets}
        self._place = 0
        self._trade_id = started_at // 1_000
        self._ready: deque[FeedEvent] = deque()
        self.trades: list[Trade] = []

    @property
    def markets(self) -> tuple[Market, ...]:
        """The markets that it moves."""
        return self._markets

    @property
    def recorded(self) -> frozenset[str]:
        """All of them."""
        return frozenset(market.symbol for market in self._markets)

    def history(self, until_at: int) -> Mapping[str, Sequence[Kline]]:
        """None, as of a recording."""
        return {}

    def next_at(self) -> int | None:
        """When the next event happens; there is always one."""
        return self._at

    def pop(self, view: ExchangeView) -> FeedEvent:
        """The next event: markets take turns."""
        if not self._ready:
            self._fill(self._markets[self._place])
        event = self._ready.popleft()
        if not self._ready:
            self._place = (self._place + 1) % len(self._markets)
            self._at += STEP_US // len(self._markets)
        return event

    def _fill(self, market: Market) -> None:
        dice, tick = self._dice, market.price_tick
        price = self._price[market.symbol]
        price *= 1 + Decimal(str(dice.choice(_MOVES_BPS))) / 10_000
        bid = int(price / tick)
        ask = bid + max(1, int(price / tick * Decimal(str(dice.choice(_SPREADS_BPS))) / 10_000))
        self._price[market.symbol] = price
        bid_lots, ask_lots = (self._lots(market, price) for _ in range(2))
        self._ready.append(RecordedQuote(market.symbol, bid, bid_lots, ask, ask_lots))
        if dice.random() < 0.5:
            mark = tick * ((bid + ask) // 2)
            self._ready.append(IndexMoved(market.symbol, mark, mark))
        if dice.random() < 0.6:
            side = dice.choice((Side.BUY, Side.SELL))
            self._trade(market, side, bid if side is Side.SELL else ask)

    def _trade(self, market: Market, side: Side, tick: int) -> None:
        self._trade_id += 1
        lots = self._lots(market, self._price[market.symbol])
        self._ready.append(RecordedTrade(market.symbol, self._trade_id, side, tick, lots, self._at))
        price, size = float(market.price_tick * tick), float(market.size_step * lots)
        self.trades.append(Trade(market.symbol, self._trade_id, side, price, size, self._at))

    def _lots(self, market: Market, price: Decimal) -> int:
        """Small enough to fill our orders in parts now and then."""
        notional = Decimal(self._dice.choice((300, 900, 2_500, 8_000, 20_000)))
        return max(1, int(notional / price / market.size_step))


class Impulsive:
    """A strategy without a plan: it signals often, in any direction."""

    intervals = ("1s",)
    warmup = 1
    judgement: Judgement | None = None

    def __init__(self, dice: Random, share: float = 0.4) -> None:
        self._dice = dice
        self._share = share

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        """An impulse, or none."""
        if not live or self._dice.random() > self._share:
            return None
        direction = PositionSide.LONG if self._dice.random() < 0.5 else PositionSide.SHORT
        return Signal(direction=direction, confidence=60.0, reasons=("impulse",), expected_move=0.01)


class Scripted:
    """Signals at given seconds of the run, in given directions; nothing else."""

    intervals = ("1s",)
    warmup = 1
    judgement: Judgement | None = None

    def __init__(self, started_at: int, signals: Mapping[int, PositionSide]) -> None:
        self._signals = {started_at + second * SECOND_US: side for second, side in signals.items()}

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        """The signal of this second, if the script has one."""
        direction = self._signals.get(view.kline.close_at) if live else None
        if direction is None:
            return None
        return Signal(direction=direction, confidence=60.0, reasons=("script",), expected_move=0.01)
