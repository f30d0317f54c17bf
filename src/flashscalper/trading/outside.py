"""What happens around the orders: streams, exchange status, clock, rules, fees, leverage, history of klines and trades."""

from __future__ import annotations

from typing import Final

from flashscalper.model.amounts import plain
from flashscalper.model.commands import FetchKlines, SetLeverage
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import (
    ClockMeasured,
    ExchangeStatus,
    ExchangeStatusChanged,
    FeeClass,
    FeesLearned,
    KlineHistory,
    LeverageRead,
    MarketsListed,
    StreamChanged,
    TradeHistory,
)
from flashscalper.model.instants import MINUTE_US, SECOND_US, interval_us
from flashscalper.model.positions import PositionSide
from flashscalper.trading.correlation import CORRELATION_INTERVAL
from flashscalper.trading.fees import Fees
from flashscalper.trading.floor import Floor
from flashscalper.trading.judging import Judging
from flashscalper.trading.largest import largest_notional
from flashscalper.trading.market_state import MarketState
from flashscalper.trading.reconcile import Reconciler
from flashscalper.trading.sizing import smallest_size

STATUS: Final = "exchange_status"
CLOCK: Final = "clock"
LEVERAGE: Final = "leverage"
STOP_INSIDE_COSTS: Final = "stop_inside_costs"
STALE: Final = "stale_data"
SIZES_IMPOSSIBLE: Final = "sizes_impossible"


class Outside:
    """Keeps what the engine knows of the world around its orders, and the reasons that it gives not to trade."""

    def __init__(self, floor: Floor, judging: Judging, reconciler: Reconciler) -> None:
        self._floor = floor
        self._judging = judging
        self._reconciler = reconciler
        self._gapless: dict[str, bool] = {}
        self._streamed = False
        self._sizes_told: set[str] = set()
        for stream in floor.streams:
            floor.risk.hold(_stream_code(stream), "not ready yet", floor.started_at)

    # Streams, status, clock

    def on_stream(self, change: StreamChanged, now: int) -> None:
        """A stream came or went. Without market data or account news nothing is opened."""
        floor = self._floor
        was_ready = floor.streams.get(change.stream, False)
        floor.streams[change.stream] = change.ready
        if change.stream == "account":
            floor.pursuit.healthy = change.ready
            if not change.ready:
                floor.pursuit.on_stream_lost()
            self._reconciler.on_stream(ready=change.ready, now=now)
        elif change.stream == "market":
            if was_ready and not change.ready:
                self._gapless.clear()
            self._on_market_stream(ready=change.ready, now=now)
        if change.ready:
            floor.risk.release(_stream_code(change.stream), now)
        else:
            floor.risk.hold(_stream_code(change.stream), change.reason or "lost", now)

    def _on_market_stream(self, *, ready: bool, now: int) -> None:
        for state in self._floor.markets.values():
            if not ready:
                state.book.clear()
                if state.builder is not None:
                    state.builder.stream_lost()
            elif state.builder is not None:
                gapless = self._gapless.pop(state.symbol, False) and self._streamed
                state.builder.stream_ready(now, gapless=gapless)
                if gapless:
                    self._judging.warm(state, now)
                else:
                    self._fetch_history(state, now)
        self._streamed |= ready

    def on_status(self, change: ExchangeStatusChanged, now: int) -> None:
        """The exchange opened, restricted or closed trading; stops and exits that waited act at once."""
        floor = self._floor
        floor.status = change.status
        if change.status is ExchangeStatus.OK:
            floor.risk.release(STATUS, now)
        else:
            floor.risk.release(STATUS, now)
            floor.risk.hold(STATUS, str(change.status), now)
        for symbol in floor.markets:
            floor.touch(symbol)

    def on_clock(self, measured: ClockMeasured, now: int) -> None:
        """How far our clock is from the exchange's. Too far: no new risk; and lost orders are waited for longer."""
        floor = self._floor
        floor.pursuit.clock_error_us = abs(measured.offset_us) + measured.uncertainty_us
        limit = floor.settings.risk.max_clock_error_s
        if abs(measured.offset_us) > limit * SECOND_US:
            floor.risk.hold(CLOCK, f"{measured.offset_us / SECOND_US:.3f} s off, at most {limit:g} s", now)
        else:
            floor.risk.release(CLOCK, now)

    def check_age(self, now: int) -> None:
        """A market stream that calls itself ready and says nothing is not believed."""
        floor = self._floor
        newest = max(max(state.quote_at, state.mark_at, state.trade_at) for state in floor.markets.values())
        limit = floor.settings.risk.max_mark_age_s
        if floor.streams["market"] and newest and now - newest > limit * SECOND_US:
            floor.risk.hold(STALE, f"no market data for more than {limit:g} s", now)
        else:
            floor.risk.release(STALE, now)

    def tell_sizes(self, now: int) -> None:
        """Once per market: the smallest order that the exchange takes, and what the settings allow."""
        settings = self._floor.settings
        for state in self._floor.markets.values():
            price = state.price
            if price is None or state.symbol in self._sizes_told:
                continue
            self._sizes_told.add(state.symbol)
            smallest = smallest_size(state.market, price)
            most = largest_notional(settings, state.market, self._floor.tradable_equity())
            text = f"smallest order {plain(smallest)} {state.market.base} ({smallest * price:.2f}), at most {most:.2f}"
            self._floor.note("sizes" if smallest * price <= most else SIZES_IMPOSSIBLE, text, now, state.symbol)

    # Rules of the markets

    def on_markets(self, listed: MarketsListed, now: int) -> None:
        """The exchange's rules, at start and when they change."""
        for market in listed.markets:
            state = self._floor.markets.get(market.symbol)
            if state is not None and state.market != market:
                state.market = market
                state.fees.list_of(market)
                self._floor.note("rules_changed", f"tick {market.price_tick}, step {market.size_step}", now, market.symbol)

    def on_fees(self, fees: FeesLearned, now: int) -> None:
        """What our next orders pay: costs and the fee check use it."""
        state = self._floor.markets.get(fees.symbol)
        if state is None:
            return
        self._floor.fee_class = fees.fee_class
        if state.fees.learn(fees.fee_class, Fees(fees.maker, fees.taker)):
            self._floor.note("fees", f"maker {fees.maker}, taker {fees.taker} ({fees.fee_class})", now, fees.symbol)
        self._judge_stop(state, now)

    def _judge_stop(self, state: MarketState, now: int) -> None:
        """A stop of so many percent that lies inside the costs would lose on noise alone: no entries with it."""
        costs = self._floor.costs(state, PositionSide.LONG, self._floor.fee_class or FeeClass.PRO)
        try:
            state.exits.validate(costs=float(costs.total))
        except ConfigError as error:
            if state.blocks.get(STOP_INSIDE_COSTS) != str(error):
                state.blocks[STOP_INSIDE_COSTS] = str(error)
                self._floor.note(STOP_INSIDE_COSTS, str(error), now, state.symbol)
        else:
            state.blocks.pop(STOP_INSIDE_COSTS, None)

    def on_leverage(self, read: LeverageRead, now: int) -> None:
        """Leverage and margin mode as they are: set when configured and flat, refused when a position is open."""
        state = self._floor.markets.get(read.symbol)
        if state is None:
            return
        state.leverage = read.leverage
        wanted = self._floor.settings.margin
        if wanted.leverage is None or (read.leverage, read.isolated) == (wanted.leverage, wanted.isolated):
            state.blocks.pop(LEVERAGE, None)
            return
        state.blocks[LEVERAGE] = f"is {read.leverage}, wanted {wanted.leverage}{' isolated' if wanted.isolated else ''}"
        held = self._floor.exchange_positions.get(read.symbol)
        if self._floor.ledger.holding(read.symbol).size or (held is not None and held.size):
            self._floor.note("leverage_refused", state.blocks[LEVERAGE], now, read.symbol)
            return
        self._floor.out.append(SetLeverage(symbol=read.symbol, leverage=wanted.leverage, isolated=wanted.isolated))

    # History

    def on_kline_history(self, history: KlineHistory, now: int) -> None:
        """Klines of the past: into the builder; when all that were asked for have come, the strategy warms on them."""
        state = self._floor.markets.get(history.symbol)
        if state is None or state.builder is None or history.interval not in state.builder.intervals:
            return
        state.builder.seed(history.interval, history.klines)
        if history.interval == CORRELATION_INTERVAL:
            self._judging.correlate_history(state)
        if state.history.pending.pop(history.interval, None) is not None and state.history.ready:
            self._judging.warm(state, now)

    def on_trade_history(self, history: TradeHistory, now: int) -> None:
        """Trades of a gap: klines get them first, then the stream goes on. It was closed if every part of it was; one that
        could not be closed within a stream that goes on is an interruption of its own."""
        state = self._floor.markets.get(history.symbol)
        if state is None:
            return
        broken = not history.gapless and self._floor.streams.get("market", False)
        if broken and state.builder is not None:
            state.builder.stream_lost()
        self._gapless[history.symbol] = self._gapless.get(history.symbol, True) and history.gapless
        for trade in history.trades:
            state.take_trade(trade, now)
        if broken and state.builder is not None:
            state.builder.stream_ready(now)
            self._fetch_history(state, now)

    def due(self, now: int) -> None:
        """Give up on history that does not come: the strategy goes on with what there is."""
        for state in self._floor.markets.values():
            late = [interval for interval, until in state.history.pending.items() if until <= now]
            for interval in late:
                del state.history.pending[interval]
                self._floor.note("history_missing", f"{interval} klines did not come", now, state.symbol)
            if late and state.history.ready:
                self._judging.warm(state, now)

    def wake_at(self) -> int | None:
        """When `due` has something to do."""
        moments = [until for state in self._floor.markets.values() for until in state.history.pending.values()]
        return min(moments, default=None)

    def _fetch_history(self, state: MarketState, now: int) -> None:
        """Ask for what the exchange keeps: intervals from a minute on."""
        builder, strategy = state.builder, state.strategy
        assert builder is not None
        deadline = now + int(self._floor.settings.timing.history_within_s * SECOND_US)
        count = max(strategy.warmup if strategy is not None else 0, 100) + 20
        for interval in builder.intervals:
            if interval_us(interval) >= MINUTE_US:
                if interval in state.intervals:
                    state.history.pending[interval] = deadline
                self._floor.out.append(FetchKlines(symbol=state.symbol, interval=interval, count=count, until_at=now))


def _stream_code(stream: str) -> str:
    return f"stream_{stream}"
