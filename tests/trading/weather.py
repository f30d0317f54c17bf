"""The engine against the simulated exchange through bad weather: a seeded world of lost, late and doubled messages.

No client and no bytes: commands become calls of the matching core after a delay (or never), its facts become events after a
delay (or never, while a stream is down), reads may fail or be stale, orders and cancels come from other people, the exchange
closes and opens, and the engine is killed and rebuilt from its journal. What must hold is checked at every step.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import (
    ArmOrder,
    CancelOrder,
    Command,
    DisarmOrder,
    FetchKlines,
    ModifyOrder,
    PlaceOrder,
    QueryOrder,
    Reconcile,
    ReleaseOrder,
)
from flashscalper.model.events import (
    AccountSnapshot,
    BestQuote,
    Event,
    ExchangeStatus,
    ExchangeStatusChanged,
    FillBusted,
    FillReported,
    KlineHistory,
    MarkPrice,
    OperatorAction,
    OperatorAsked,
    OrderFound,
    OrderUpdate,
    PositionUpdate,
    RequestKind,
    RequestOutcome,
    StreamChanged,
    TimePassed,
    Verdict,
)
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.positions import AccountSummary, ExchangePosition
from flashscalper.simulator import facts
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import NewOrder, Refusal, SimOrder
from flashscalper.simulator.feeds.base import IndexMoved, RecordedQuote, RecordedTrade
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.trading.client_ids import ClientIds, is_ours
from flashscalper.trading.engine import Engine, Output
from flashscalper.trading.saved import read_back
from flashscalper.trading.settings import TradingSettings
from tests.trading.climate import SETTINGS, Impulsive, Weather, order_of, sim_fill_of
from tests.trading.stage import ETH, MARKET, START

ACCOUNT = "0x1"
STEP_US = 200_000
COMMANDS: tuple[Any, ...] = Command.__args__


class World:
    """One seed: an exchange, an engine, and the weather between them."""

    def __init__(self, seed: int, weather: Weather, settings: TradingSettings = SETTINGS) -> None:
        self.dice = Random(seed)
        self.weather = weather
        self.settings = settings
        self.now = START
        self.exchange = Exchange([MARKET], ExchangeRules(), START, recorded=[ETH])
        self.exchange.open_account(ACCOUNT, Decimal(10_000), START)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._turn = 0
        self.tick = 1_000_000
        self.trade_id = 0
        self.journal: list[tuple[int, Output]] = []
        self.counts: Counter[str] = Counter()
        self.market_up = self.account_up = True
        self.clock = {"account": START, "market": START}
        self.naked_since: int | None = None
        self.longest_naked = 0
        self.sent: set[str] = set()
        self.armed: dict[str, PlaceOrder] = {}
        self.meddled = self.busted = False
        self.calm = False
        self.life = 0
        self.engine = self._new_engine()
        self._publish_status()
        self._say(StreamChanged("market", ready=True))
        self._say(StreamChanged("account", ready=True))
        self._later(0, self._step)

    # Time

    def run(self, seconds: float) -> None:
        """Let everything happen that is due."""
        until = self.now + int(seconds * SECOND_US)
        while True:
            wake_at = self.engine.wake_at()
            at = min(self._queue[0][0], until if wake_at is None else wake_at)
            if at > until:
                break
            self.now = max(self.now, at)
            if wake_at is not None and wake_at <= self.now:
                self._say(TimePassed(self.now))
            else:
                heapq.heappop(self._queue)[2]()
            self._check()
            if self.now >= until and (not self._queue or self._queue[0][0] > until):
                break
        self.now = until

    def _later(self, delay_us: int, action: Callable[[], None]) -> None:
        self._turn += 1
        heapq.heappush(self._queue, (self.now + delay_us, self._turn, action))

    def _chance(self, probability: float) -> bool:
        return not self.calm and self.dice.random() < probability

    def _delay(self) -> int:
        slow = self._chance(self.weather.slow)
        return int((self.dice.uniform(0.5, 8.0) if slow else self.dice.uniform(0.005, 0.12)) * SECOND_US)

    # The market moves

    def _step(self) -> None:
        self._later(STEP_US, self._step)
        self.tick += self.dice.choice((-150, -60, -20, 0, 0, 20, 60, 150))
        spread = self.dice.choice((1, 2, 10, 40))
        self.exchange.feed(RecordedQuote(ETH, self.tick, 50_000, self.tick + spread, 50_000), self.now)
        mark = MARKET.price_tick * (self.tick + spread // 2)
        self.exchange.feed(IndexMoved(ETH, mark, mark), self.now)
        if self.dice.random() < 0.5:
            self.trade_id += 1
            side = self.dice.choice((Side.BUY, Side.SELL))
            price = self.tick if side is Side.SELL else self.tick + spread
            self.exchange.feed(RecordedTrade(ETH, self.trade_id, side, price, 20_000, self.now), self.now)
        self._misfortune()
        self._pump()

    def _misfortune(self) -> None:
        per_step, weather = STEP_US / SECOND_US, self.weather
        if self._chance(weather.cut_account * per_step) and self.account_up:
            self._cut("account")
        if self._chance(weather.cut_market * per_step) and self.market_up:
            self._cut("market")
        if self._chance(weather.close_exchange * per_step) and self.exchange.status is ExchangeStatus.OK:
            self._close_exchange()
        if self._chance(weather.meddle * per_step):
            self._meddle()
        if self._chance(weather.foreign * per_step):
            self._foreign_order()
        if self._chance(weather.bust * per_step):
            self._bust()
        if self._chance(weather.crash * per_step):
            self._crash()

    def _cut(self, stream: str) -> None:
        self.counts[f"cut {stream}"] += 1
        setattr(self, f"{stream}_up", False)
        self._later(self.dice.randrange(50_000), lambda: self._say(StreamChanged(stream, ready=False, reason="cut")))
        self._later(self.dice.randrange(200_000, 8_000_000), lambda: self._mend(stream))

    def _mend(self, stream: str) -> None:
        setattr(self, f"{stream}_up", True)
        if stream == "market":
            self._publish_status()
        self._say(StreamChanged(stream, ready=True))

    def _close_exchange(self) -> None:
        self.counts["closed"] += 1
        for delay_s, status in ((0, ExchangeStatus.CANCEL_ONLY), (2, ExchangeStatus.POST_ONLY), (4, ExchangeStatus.OK)):
            self._later(delay_s * SECOND_US, lambda status=status: self._set_status(status))  # type: ignore[misc]

    def _set_status(self, status: ExchangeStatus) -> None:
        self.exchange.set_status(status, self.now)
        self._pump()
        self._publish_status()

    def _publish_status(self) -> None:
        self._say(ExchangeStatusChanged(self.exchange.status))

    def _meddle(self) -> None:
        """Somebody clicks one of our orders away."""
        orders = [order for order in self.exchange.open_orders(ACCOUNT, ETH) if is_ours(order.client_id)]
        if orders:
            self.counts["meddled"] += 1
            self.meddled = True
            self.exchange.cancel(ACCOUNT, self.dice.choice(orders).order_id, self.now)

    def _foreign_order(self) -> None:
        """Somebody trades by hand on the same account."""
        self.counts["foreign"] += 1
        side = self.dice.choice((Side.BUY, Side.SELL))
        size = MARKET.round_size(Decimal(self.dice.choice(("0.05", "0.1", "0.3"))))
        order = NewOrder(client_id="", symbol=ETH, side=side, type=OrderType.MARKET, size=size, signed_at=self.now)
        self.exchange.place(ACCOUNT, order, self.now)

    def _bust(self) -> None:
        fills = [fill for fill in self.exchange.fills(ACCOUNT, ETH) if is_ours(fill.client_id)]
        if fills:
            self.counts["busted"] += 1
            self.busted = True
            self.exchange.bust(self.dice.choice(fills[:4]).id, self.now)

    def _crash(self) -> None:
        """The process is killed and started again: the journal is all that is left."""
        self.counts["crash"] += 1
        self.engine = self._new_engine()
        self._publish_status()
        for stream, up in (("market", self.market_up), ("account", self.account_up)):
            if up:
                self._say(StreamChanged(stream, ready=True))

    def _new_engine(self) -> Engine:
        self.life += 1
        saved = read_back(self.journal)
        strategy = Impulsive(Random(self.dice.random()))
        ids = ClientIds(self.now, saved.last_client_id if saved else "")
        return Engine(self.settings, {ETH: MARKET}, {ETH: strategy}, ids, self.now, Decimal(10_000), saved)

    # From the exchange to the engine

    def _pump(self) -> None:
        """The exchange's facts go on their way."""
        for fact in self.exchange.drain():
            match fact:
                case facts.OrderChanged(order):
                    self._stream("account", OrderUpdate(order_of(order)))
                case facts.FillMade(fill):
                    self._stream("account", FillReported(sim_fill_of(fill)))
                case facts.FillBusted():
                    self._stream("account", FillBusted(fact.fill_id, fact.at, fact.kind), certain=True)
                case facts.PositionTouched():
                    self._stream("account", PositionUpdate(self._position()))
                case facts.TradePrinted(trade):
                    event = Trade(ETH, trade.id, trade.side, float(trade.price), float(trade.size), trade.traded_at)
                    self._stream("market", event)
                case facts.QuoteTouched():
                    self._stream("market", self._quote())
                case facts.SummaryTouched():
                    mark = float(self.exchange.summary(ETH).mark)
                    self._stream("market", MarkPrice(ETH, mark, mark, 0.0, self.now))

    def _stream(self, stream: str, event: Event, *, certain: bool = False) -> None:
        """One socket: in order, but lost while it is down."""
        if not certain and not getattr(self, f"{stream}_up"):
            return
        at = max(self.clock[stream], self.now + self.dice.randrange(2_000, 60_000))
        self.clock[stream] = at
        times = 2 if self._chance(self.weather.double) else 1
        for _ in range(times):
            self._later(at - self.now, lambda: self._say(event))

    def _position(self) -> ExchangePosition:
        size = next((one.size for one in self.exchange.positions(ACCOUNT) if one.symbol == ETH), ZERO)
        return ExchangePosition(symbol=ETH, size=size, entry_price=ZERO, updated_at=self.now)

    def _quote(self) -> BestQuote:
        quote = self.exchange.quote(ETH)
        bid, ask = (float(price) if price is not None else None for price in (quote.bid, quote.ask))
        return BestQuote(ETH, bid, float(quote.bid_size), ask, float(quote.ask_size), self.now)

    def _say(self, event: Event) -> None:
        """The engine hears of it; what it wants done goes on its way after it is written down."""
        outputs = self.engine.handle(event, self.now)
        wake_at = self.engine.wake_at()
        assert wake_at is None or wake_at > self.now, f"wants to be woken at {wake_at}, it is {self.now}, after {event}"
        self.journal += [(self.now, output) for output in outputs]
        orders = [output for output in outputs if isinstance(output, COMMANDS)]
        if orders and self._chance(self.weather.crash_midway):
            self._later(0, self._crash)
            orders = orders[: self.dice.randrange(len(orders))]
        for order in orders:
            self._send(order)

    # From the engine to the exchange

    def _send(self, command: Command) -> None:
        if isinstance(command, ArmOrder):
            self.armed[command.order.client_id] = command.order
        if isinstance(command, DisarmOrder):
            del self.armed[command.client_id]
        if isinstance(command, ReleaseOrder):
            armed = self.armed.pop(command.order.client_id)
            assert msgspec.structs.replace(command.order, reason=armed.reason) == armed, "what leaves is not what was armed"
            command = command.order
        if isinstance(command, PlaceOrder):
            assert command.client_id not in self.sent, f"{command.client_id} was sent twice"
            self.sent.add(command.client_id)
            adds = command.role is OrderRole.ENTRY
            assert adds is not command.reduce_only
            assert not adds or self.engine.status().state == "active", f"{command} while {self.engine.status().reasons}"
        match command:
            case PlaceOrder() | ModifyOrder() | CancelOrder():
                self._request(command)
            case QueryOrder() | Reconcile():
                self._read(command)
            case FetchKlines():
                history = KlineHistory(command.symbol, command.interval, ())
                self._later(self._delay(), self._for_this_life(lambda: self._say(history)))

    def _for_this_life(self, action: Callable[[], None]) -> Callable[[], None]:
        """Answers to a process that was killed reach nobody."""
        life = self.life
        return lambda: action() if life == self.life else None

    def _request(self, command: PlaceOrder | ModifyOrder | CancelOrder) -> None:
        """An order request: may be lost, may be late, and so may its answer."""
        kind = {PlaceOrder: RequestKind.PLACE, ModifyOrder: RequestKind.MODIFY, CancelOrder: RequestKind.CANCEL}[
            type(command)
        ]
        signed_at = self.now
        unknown = RequestOutcome(kind, command.client_id, Verdict.UNKNOWN)
        timeout = self._for_this_life(lambda: self._say(unknown))
        if self._chance(self.weather.lose_request):
            self.counts["lost request"] += 1
            self._later(2 * SECOND_US, timeout)
            return
        delay = self._delay()
        if delay > 2 * SECOND_US:
            self._later(2 * SECOND_US, timeout)

        def arrive() -> None:
            outcome = self._execute(command, kind, signed_at)
            if self._chance(self.weather.lose_answer):
                self.counts["lost answer"] += 1
                self._later(2 * SECOND_US, timeout)
            else:
                self._later(self._delay(), self._for_this_life(lambda: self._say(outcome)))
            self._pump()

        self._later(delay, arrive)

    def _execute(self, command: PlaceOrder | ModifyOrder | CancelOrder, kind: RequestKind, signed_at: int) -> RequestOutcome:
        answer: SimOrder | Refusal | None
        if isinstance(command, PlaceOrder):
            answer = self._place(command, signed_at)
        else:
            known = self.exchange.order_by_client_id(ACCOUNT, command.client_id)
            order_id = command.order_id or (known.order_id if known else "none")
            if isinstance(command, CancelOrder):
                answer = self.exchange.cancel(ACCOUNT, order_id, self.now)
            else:
                size, price, trigger = command.size, command.price, command.trigger_price
                answer = self.exchange.modify(ACCOUNT, order_id, size, price, trigger, self.now)
        if isinstance(answer, Refusal):
            return RequestOutcome(kind, command.client_id, Verdict.REJECTED, "", answer.code, answer.message)
        order_id = answer.order_id if answer is not None else ""
        return RequestOutcome(kind, command.client_id, Verdict.ACCEPTED, order_id)

    def _place(self, command: PlaceOrder, signed_at: int) -> SimOrder | Refusal:
        request = NewOrder(
            client_id=command.client_id, symbol=command.symbol, side=command.side, type=command.type, size=command.size,
            price=command.price, trigger_price=command.trigger_price, time_in_force=command.time_in_force,
            reduce_only=command.reduce_only, signed_at=signed_at, recv_window_us=5 * SECOND_US,
        )  # fmt: skip
        return self.exchange.place(ACCOUNT, request, self.now)

    def _read(self, command: QueryOrder | Reconcile) -> None:
        """A read: happens at one moment, is answered later, or fails."""
        asked_at = self.now
        failed = self._chance(self.weather.fail_read)

        def read() -> None:
            if isinstance(command, QueryOrder):
                answer: Event = OrderFound(command.client_id, None, failed=True) if failed else self._look_up(command)
            elif failed:
                answer = AccountSnapshot((), (), (), None, asked_at, failed="no answer")
            else:
                answer = self._whole_account(command, asked_at)
            self._later(self._delay(), self._for_this_life(lambda: self._say(answer)))

        self._later(self._delay(), read)

    def _look_up(self, command: QueryOrder) -> OrderFound:
        orders = self.exchange.orders_history(ACCOUNT, client_id=command.client_id)
        live = [order for order in self.exchange.open_orders(ACCOUNT) if order.client_id == command.client_id]
        order = next(iter([*live, *orders]), None)
        fills = [fill for fill in self.exchange.fills(ACCOUNT, ETH) if fill.client_id == command.client_id]
        return OrderFound(command.client_id, order_of(order) if order else None, tuple(map(sim_fill_of, fills)))

    def _whole_account(self, command: Reconcile, asked_at: int) -> AccountSnapshot:
        fills = [fill for fill in self.exchange.fills(ACCOUNT, ETH) if fill.filled_at >= command.fills_since]
        summary = self.exchange.account_summary(ACCOUNT)
        account = AccountSummary(
            account=ACCOUNT, account_value=summary.account_value, total_collateral=summary.total_collateral,
            free_collateral=summary.free_collateral, initial_margin=summary.initial_margin,
            maintenance_margin=summary.maintenance_margin, status=summary.status,
        )  # fmt: skip
        orders = tuple(order_of(order) for order in self.exchange.open_orders(ACCOUNT))
        return AccountSnapshot(orders, tuple(map(sim_fill_of, fills)), (self._position(),), account, asked_at)

    # What must hold

    def ours(self) -> Decimal:
        """Our own position as the exchange's fills tell it."""
        gone = {str(key[0]) if isinstance(key, tuple) else str(key) for key in self.exchange.busted(ACCOUNT)}
        return sum(
            (
                fill.size * fill.side.sign
                for fill in self.exchange.fills(ACCOUNT, ETH)
                if is_ours(fill.client_id) and fill.id not in gone
            ),
            ZERO,
        )

    def _check(self) -> None:
        self._pump()
        orders = self.exchange.open_orders(ACCOUNT, ETH)
        held = self._position().size
        adding = [order for order in orders if not order.reduce_only and is_ours(order.client_id)]
        if not self.counts["foreign"] and not self.counts["busted"]:
            worst = abs(held) + sum((order.remaining for order in adding), ZERO)
            assert worst * MARKET.price_tick * self.tick <= Decimal(4_100), f"exposure of {worst}"
        self._watch_naked(held, orders)

    def _watch_naked(self, held: Decimal, orders: list[SimOrder]) -> None:
        """How long the exchange held a position of ours without a stop for all of it."""
        stops = [order for order in orders if order.type is OrderType.STOP_MARKET and order.reduce_only]
        covered = max((order.remaining for order in stops), default=ZERO)
        if self.counts["foreign"] or held == ZERO or covered >= abs(held) or self.exchange.status is not ExchangeStatus.OK:
            self.naked_since = None
            return
        if self.naked_since is None:
            self.naked_since = self.now
        self.longest_naked = max(self.longest_naked, self.now - self.naked_since)

    def finish(self) -> None:
        """The weather clears, the run ends, everything is brought home."""
        self.calm = True
        self.run(20.0)
        self._say(OperatorAsked(OperatorAction.STOP, "end_of_run"))
        self.run(60.0)


__all__ = ["ACCOUNT", "ETH", "OrderStatus", "TimeInForce", "Weather", "World"]
