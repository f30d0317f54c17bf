"""Scripted scenarios for crashes: a known course of the market, known misfortunes, and what must have been seen of them.

Each is lived through once without a crash, to see that it really shows what it is named after; then the process dies in it
at every write to its journal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from flashscalper.exchanges.paradex.settings import OrderEntry
from flashscalper.model.events import ExchangeStatus, OperatorAction, OperatorAsked
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import FillBooked, Note, OrderStateChanged, RoundTripClosed, TradingStateChanged
from flashscalper.simulator.facts import NewOrder
from flashscalper.simulator.feeds.base import IndexMoved, RecordedQuote, RecordedTrade
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.strategies.base import Strategy
from flashscalper.strategies.exit_policy import ExitPolicy, PartialProfit, Stale, Trailing, percent
from flashscalper.trading.client_ids import is_ours
from flashscalper.trading.costs import EntryStyle
from flashscalper.trading.operating import END_OF_RUN
from flashscalper.trading.risk import CLEAR_KILL
from flashscalper.trading.settings import TradingSettings
from tests.campaigns.memory import Fate, no_fate
from tests.campaigns.patter import PRICES, Patter, Scripted, settings
from tests.campaigns.seeding import Setup
from tests.campaigns.storm import FOLDER, START, World

Course = Mapping[float, float]
"""Basis points from the first price by second; straight lines between."""
Act = Callable[["Play"], None]

LONG: Final = PositionSide.LONG
_COMES_BACK: Final = 4
"""It may die again while it comes back; the books are compared after so many tries, whatever came of them."""
HOLDS: Final = ExitPolicy(stop=percent(0.3), stop_floor_costs=0.0, target=percent(2), max_hold_s=600, demonstration=True)
"""A stop at 30 bps and nothing else that would end a position within the play."""
CALM: Final[Course] = {0: 0.0}


class Charted(Patter):
    """A feed that follows a course: a quote, a mark and a trade at every step, the trade on the side it moves to.

    `thin` is the notional of its trades and quotes; small ones fill our orders in parts. Every other quote stands a tick
    higher, because what was taken from a price does not come back while it stays.
    """

    def __init__(self, course: Course, thin: int, markets: Sequence[Market], dice: Random, started_at: int) -> None:
        super().__init__(markets, dice, started_at)
        self._course = sorted(course.items())
        self._thin = thin
        self._began_at = started_at
        self._last = 0.0
        self._step = 0

    def _fill(self, market: Market) -> None:
        moved = self._bps((self._at - self._began_at) / SECOND_US)
        price = Decimal(PRICES[market.symbol]) * (1 + Decimal(repr(moved)) / 10_000)
        self._step += 1
        bid = int(price / market.price_tick) + self._step % 2
        self._price[market.symbol] = price
        lots = max(1, int(self._thin / price / market.size_step))
        mark = market.price_tick * bid
        side = Side.SELL if moved < self._last else Side.BUY
        self._last = moved
        self._ready.append(RecordedQuote(market.symbol, bid, lots, bid + 2, lots))
        self._ready.append(IndexMoved(market.symbol, mark, mark))
        self._print(market, side, bid if side is Side.SELL else bid + 2, lots)

    def _print(self, market: Market, side: Side, tick: int, lots: int) -> None:
        self._trade_id += 1
        self._ready.append(RecordedTrade(market.symbol, self._trade_id, side, tick, lots, self._at))
        price, size = float(market.price_tick * tick), float(market.size_step * lots)
        self.trades.append(Trade(market.symbol, self._trade_id, side, price, size, self._at))

    def _bps(self, second: float) -> float:
        before = (0.0, 0.0)
        for point in self._course:
            if point[0] >= second:
                share = (second - before[0]) / (point[0] - before[0]) if point[0] > before[0] else 1.0
                return before[1] + (point[1] - before[1]) * share
            before = point
        return before[1]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One play. `acts` by second from the start; `shows` must all be seen in the undisturbed play (see `seen_in`)."""

    name: str
    shows: tuple[str, ...]
    course: Course = field(default_factory=lambda: CALM)
    acts: tuple[tuple[float, Act], ...] = ()
    signals: Mapping[int, PositionSide] = field(default_factory=lambda: {4: LONG})
    exits: ExitPolicy = HOLDS
    style: EntryStyle = EntryStyle.IOC
    trading: Callable[[TradingSettings], TradingSettings] | None = None
    rules: ExchangeRules = field(default_factory=ExchangeRules)
    client: dict[str, Any] = field(default_factory=dict)
    thin: int = 20_000
    seconds: float = 12.0

    def setup(self, fate: Fate) -> Setup:
        """The world that it is played in."""
        trading = settings(self.style, self.exits)
        return Setup(
            seed=7, seconds=self.seconds, fate=fate, rules=self.rules, client={"backoff_cap_s": 2.0, **self.client},
            trading=self.trading(trading) if self.trading else trading, feed=partial(Charted, self.course, self.thin),
            strategy=self._strategy,
        )  # fmt: skip

    def _strategy(self, market: Market, life: int) -> Strategy:
        return Scripted(START, self.signals)


class Play(World):
    """A world with a script. Whoever asked something of a process that died says it again."""

    def __init__(self, scenario: Scenario, folder: Path, fate: Fate = no_fate) -> None:
        self._standing: dict[str, OperatorAsked] = {}
        super().__init__(scenario.setup(fate), folder)
        for second, act in scenario.acts:
            self.later(int(second * SECOND_US), partial(act, self))

    def ask(self, action: OperatorAction, reason: str = "the script") -> None:
        """A person's word, which the person repeats to the next process until it is taken back."""
        asked = OperatorAsked(action, reason)
        if action is OperatorAction.RESUME:
            self._standing.clear()
            self.laws.killed = False
        self._standing[str(action)] = asked
        self.tell(asked)

    def _begin_life(self) -> None:
        super()._begin_life()
        for asked in list(self._standing.values()):
            self.later(0, partial(self._again, self.life, asked))

    def _again(self, life: int, asked: OperatorAsked) -> None:
        if life == self.life and self.trader is not None:
            self.tell(asked)

    def settle(self, limit_s: float = 240.0) -> None:
        """The end of the run is a person's word too."""
        self._standing[END_OF_RUN] = OperatorAsked(OperatorAction.STOP, END_OF_RUN)
        super().settle(limit_s)

    def run_until(self, at: int, done: Callable[[], bool] | None = None) -> None:
        """As always; whoever dies in the very last seconds comes back before the books are compared."""
        waits = at > self.now
        super().run_until(at, done)
        for _ in range(_COMES_BACK):
            if not waits or done is not None or END_OF_RUN not in self._standing or self._is_back():
                return
            super().run_until(self.now + 90 * SECOND_US, self._is_back)
            super().run_until(self.now + 3 * SECOND_US)

    def _is_back(self) -> bool:
        return self.trader is not None and self.laws.at_rest() and self._all_is_well()

    def misfortune(self, kind: str, rate: float = 1.0) -> None:
        """From now on every message meets this fault, or (rate 0) no longer."""
        self.note(kind, self.now)
        self.setup.rates[kind] = rate

    def seen(self) -> set[str]:
        """What this play has shown, from its journal and the exchange."""
        found = set().union(*(_seen(entry.content) for entry in self.journal.entries()))
        found |= {f"exchange:{order.request.type.name.lower()}" for order in self.laws._account.orders.values()}
        return found


def _seen(content: object) -> set[str]:
    if isinstance(content, FillBooked):
        tags = {"busted"} if content.busted else {f"fill:{content.role}:{content.reason}"}
        if content.funding:
            tags.add("funding")
        return tags | ({"foreign fill"} if content.foreign else set())
    if isinstance(content, RoundTripClosed):
        return {f"exit:{content.exit_reason}"}
    if isinstance(content, OrderStateChanged):
        return {f"order:{content.after}"}
    if isinstance(content, Note):
        return {f"note:{content.code}"}
    if isinstance(content, TradingStateChanged):
        return {f"state:{content.after}", *(f"because:{reason.partition(':')[0]}" for reason in content.reasons)}
    return {type(content).__name__}


def play(scenario: Scenario, fate: Fate = no_fate) -> tuple[int, set[str]]:
    """The whole play to its end, every law looked at; how many journal writes there were, and what was seen."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        world = Play(scenario, Path(folder), fate)
        try:
            world.run()
            world.settle()
            return world.writes, world.seen()
        finally:
            world.journal.close()


# ---- what happens in the scripts ----


def asks(action: OperatorAction, reason: str = "the script") -> Act:
    """A person's word."""
    return lambda world: world.ask(action, reason)


def suffers(kind: str, rate: float = 1.0) -> Act:
    """A fault begins; rate 0 ends it."""
    return lambda world: world.misfortune(kind, rate)


def cut(world: Play) -> None:
    """Every connection breaks."""
    for conn in sorted(world.wire._pipes):
        world.note("cut", world.now)
        world.wire.cut(conn, world.now)


def deafens(world: Play) -> None:
    """Every connection goes silent without a word."""
    world.note("half_open", world.now)
    world.wire._deaf.update(world.wire._pipes.values())


def closes(*modes: ExchangeStatus) -> tuple[tuple[float, Act], ...]:
    """The exchange goes through modes, two seconds each, from second 7 on."""
    return tuple((7.0 + 2 * number, lambda world, mode=mode: world.set_status(mode)) for number, mode in enumerate(modes))


def takes_stop_away(world: Play) -> None:
    """Somebody clicks our stop away."""
    if not world.known:
        return
    for order in world.exchange.open_orders(world.account):
        if is_ours(order.client_id) and order.trigger_price is not None:
            world.exchange.cancel(world.account, order.order_id, world.now)
    world.tell_server()


def trades_by_hand(side: Side, notional: int) -> Act:
    """Somebody with the same key buys or sells at the market."""

    def act(world: Play) -> None:
        if not world.known:
            return
        world.laws.foreign = True
        world.note("foreign_order", world.now)
        market = world.markets[0]
        size = market.round_size(Decimal(notional) / PRICES[market.symbol])
        order = NewOrder(
            client_id="", symbol=market.symbol, side=side, type=OrderType.MARKET, size=size, signed_at=world.now
        )
        world.exchange.place(world.account, order, world.now)
        world.tell_server()

    return act


def busts(world: Play) -> None:
    """The exchange takes our first fill back."""
    fills = [fill for fill in world.exchange.fills(world.account) if is_ours(fill.client_id)] if world.known else []
    if fills:
        world.laws.busted = True
        world.note("bust", world.now)
        world.box.server.bust(fills[-1].id, world.now)
        world._after_server()


def _with_targets(trading: TradingSettings) -> TradingSettings:
    return msgspec.structs.replace(trading, protection=msgspec.structs.replace(trading.protection, resting_target=True))


def _keeps_stops_when_killed(trading: TradingSettings) -> TradingSettings:
    return msgspec.structs.replace(trading, protection=msgspec.structs.replace(trading.protection, flatten_on_kill=False))


def _loses_little(trading: TradingSettings) -> TradingSettings:
    return msgspec.structs.replace(trading, risk=msgspec.structs.replace(trading.risk, max_daily_loss=Decimal(5)))


_FALLS: Final[Course] = {0: 0.0, 6: 0.0, 9: -60.0}
_RISES: Final[Course] = {0: 0.0, 6: 0.0, 9: 60.0}
_THERE_AND_BACK: Final[Course] = {0: 0.0, 6: 0.0, 8: 40.0, 11: 10.0}
_TARGET: Final = msgspec.structs.replace(HOLDS, target=percent(0.2))
_POST: Final = EntryStyle.POST_ONLY_THEN_IOC

SCENARIOS: Final = (
    Scenario(name="an entry that is taken, and the end of the run", shows=("fill:entry:entry", "exit:end_of_run")),
    Scenario(
        name="a passive entry that fills in parts", shows=("fill:entry:entry", "order:open"), style=_POST, thin=900,
        course={0: 0.0, 4.4: 0.0, 5.5: -3.0},
    ),
    Scenario(
        name="a passive entry that is cancelled while it may fill", shows=("CancelOrder", "fill:entry:entry"), style=_POST,
        course={0: 0.0, 4.6: 0.0, 5.0: -0.4, 5.1: 2.0},
    ),
    Scenario(name="a stop that is hit", shows=("fill:stop:stop", "exit:stop"), course=_FALLS),
    Scenario(name="a stop that the market jumps over", shows=("exit:stop",), course={0: 0.0, 7: 0.0, 7.4: -120.0}),
    Scenario(
        name="a take-profit that rests", shows=("fill:target:target",), course=_RISES, exits=_TARGET,
        trading=_with_targets,
    ),
    Scenario(
        name="a take-profit where untriggered stops count", shows=("exit:target",), course=_RISES, exits=_TARGET,
        rules=ExchangeRules(reduce_only_counts_untriggered=True),
    ),
    Scenario(
        name="half of it is taken, the stop shrinks", shows=("fill:exit:partial", "ModifyOrder"), course=_RISES,
        exits=msgspec.structs.replace(HOLDS, partial=PartialProfit(at=percent(0.2), share=0.5)),
    ),
    Scenario(
        name="a trailing stop", shows=("ModifyOrder", "exit:trailing"), course=_THERE_AND_BACK,
        exits=msgspec.structs.replace(HOLDS, trailing=Trailing(activation=percent(0.1), distance=percent(0.1))),
    ),
    Scenario(
        name="an idea that does not work", shows=("exit:stale",),
        exits=msgspec.structs.replace(HOLDS, stale=Stale(after_s=4, progress=percent(0.2))),
    ),
    Scenario(
        name="an entry whose answer is lost", shows=("order:unknown",),
        acts=((4.24, suffers("lose_answer")), (4.28, deafens), (4.5, suffers("lose_answer", 0.0))), seconds=24.0,
    ),
    Scenario(
        name="an entry that never arrives", shows=("order:dead",), seconds=20.0,
        client={"order_entry": OrderEntry.REST}, acts=((4.0, suffers("lose_request")), (4.6, suffers("lose_request", 0.0))),
    ),
    Scenario(
        name="a stop whose answer is lost", shows=("order:unknown", "fill:entry:entry"),
        acts=((4.32, deafens),), seconds=24.0,
    ),
    Scenario(
        name="somebody clicks the stop away", shows=("exit:stop_lost", "because:canceled_by_others"),
        acts=((7.0, takes_stop_away),),
    ),
    Scenario(
        name="a stop that cannot be changed in place is replaced", shows=("CancelOrder",), course=_RISES,
        exits=msgspec.structs.replace(HOLDS, trailing=Trailing(activation=percent(0.1), distance=percent(0.1))),
        acts=((6.0, suffers("lying_reply")), (8.0, suffers("lying_reply", 0.0))), seconds=14.0,
    ),
    Scenario(name="a fill that is taken back", shows=("busted",), acts=((7.0, busts),), seconds=14.0),
    Scenario(name="funding is paid", shows=("funding",), seconds=16.0),
    Scenario(
        name="killed with a position", shows=("because:killed", "exit:kill"), acts=((7.0, asks(OperatorAction.KILL)),),
    ),
    Scenario(
        name="killed while the entry is on its way, stops kept", shows=("because:killed",),
        trading=_keeps_stops_when_killed, acts=((4.26, asks(OperatorAction.KILL)),),
    ),
    Scenario(
        name="flattened, resumed and entered again", shows=("exit:flatten", "exit:end_of_run"), signals={4: LONG, 11: LONG},
        acts=((7.0, asks(OperatorAction.FLATTEN)), (9.0, asks(OperatorAction.RESUME, CLEAR_KILL))), seconds=15.0,
    ),
    Scenario(
        name="somebody trades beside us", shows=("note:foreign_fill",), seconds=16.0,
        acts=((6.5, trades_by_hand(Side.BUY, 900)),),
    ),
    Scenario(
        name="somebody closes our position", shows=("foreign fill",), seconds=16.0,
        acts=((6.5, trades_by_hand(Side.SELL, 3_000)),),
    ),
    Scenario(
        name="sockets are cut and refused", shows=("because:stream_account",), seconds=18.0,
        acts=((6.5, suffers("refuse_socket")), (6.6, cut), (12.0, suffers("refuse_socket", 0.0))),
    ),
    Scenario(
        name="the release window", shows=("because:exchange_status",), seconds=18.0,
        acts=closes(ExchangeStatus.CANCEL_ONLY, ExchangeStatus.POST_ONLY, ExchangeStatus.OK),
    ),
    Scenario(
        name="the day's loss is reached", shows=("because:daily_loss", "exit:stop"), course=_FALLS, trading=_loses_little,
        signals={4: LONG, 12: LONG}, seconds=15.0,
    ),
    Scenario(
        name="a login that is refused", shows=("order:rejected",), client={"order_entry": OrderEntry.REST},
        acts=((3.9, suffers("http_401")), (4.27, suffers("http_401", 0.0))),
    ),
)  # fmt: skip
