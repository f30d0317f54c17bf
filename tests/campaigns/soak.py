"""A long run in one process: does it give back what it takes?

The real client, engine, journal, tape, log, tally and metrics of a bot on seven markets (its store left out), against the
simulated Paradex in lock-step: a day of trading passes in minutes. The scalper judges every kline; beside it somebody enters
now and then, so that there are orders. Connections are cut again and again. Memory is what the kernel says it is.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import msgspec

from flashscalper.exchanges.base import Incoming
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import KeyedHashSigner, KeyedHashVerifier
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import Event, OperatorAction, OperatorAsked, StreamChanged
from flashscalper.model.instants import SECOND_US
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clock import VirtualClock
from flashscalper.runtime.collecting import rare_collections
from flashscalper.runtime.hosting.box import CHAIN_ID, box_settings, open_box
from flashscalper.runtime.journal import Journal, Output
from flashscalper.runtime.lockstep import LockStep
from flashscalper.runtime.logs import RunLog, banner_of
from flashscalper.runtime.metrics import Metrics
from flashscalper.runtime.tally import Tally
from flashscalper.runtime.tape import Tape
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.profiles import find_profile
from flashscalper.strategies.scalper import Scalper
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.engine import Engine
from flashscalper.trading.operating import END_OF_RUN
from tests.campaigns.network import FaultyWire
from tests.campaigns.patter import PRICES, Patter
from tests.campaigns.patter import settings as patter_settings

START: Final = 1_767_225_600 * SECOND_US
ACCOUNT: Final = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
BALANCE: Final = Decimal(100_000)
ENTRY_CHANCE: Final = 0.06
"""Per closed kline: about 2,000 orders, stops and exits among them, in 4.3 million messages."""
MIB: Final = 1024 * 1024
SHORT_MEMORY: Final = ExchangeRules(trades_kept=500, klines_kept=60, closed_orders_kept=100)
HISTORY_KEPT: Final = 25
"""The exchange in the box remembers days, and every fill for ever. Here it shares the process of the bot that is weighed, so
it remembers little: this many fills of an account, and what goes with them."""
URL: Final = "http://127.0.0.1:8787"
WARM_UP: Final = 0.1
MOST_GROWTH: Final = 1.0
MOST_MIB: Final = 150.0
MOST_DESCRIPTORS: Final = 32


class Sample(NamedTuple):
    """How the process was after so many messages."""

    messages: int
    rss_mib: float
    descriptors: int


class Soaked(NamedTuple):
    """What a soak came to. `samples` begin when everything is built."""

    messages: int
    reconnects: int
    orders: int
    fills: int
    market_hours: float
    samples: tuple[Sample, ...]
    descriptors_before: int
    descriptors_after: int
    flat: bool

    def growth(self, warm: float = WARM_UP) -> float:
        """MiB of memory per million messages after the first `warm` of them: a line through the samples."""
        rest = [one for one in self.samples if one.messages >= warm * self.messages]
        x = [one.messages / 1e6 for one in rest]
        y = [one.rss_mib for one in rest]
        middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
        return sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / sum((a - middle_x) ** 2 for a in x)

    @property
    def highest_mib(self) -> float:
        """The most that it ever had."""
        return max(one.rss_mib for one in self.samples)


def rss_mib() -> float:
    """What the kernel says this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def descriptors() -> int:
    """Open files and sockets of this process."""
    return len(os.listdir("/proc/self/fd"))


class Tide(Patter):
    """A patter that comes back to where it began, and forgets what it said."""

    def _fill(self, market: Market) -> None:
        super()._fill(market)
        home = Decimal(PRICES.get(market.symbol, 100))
        self._price[market.symbol] += (home - self._price[market.symbol]) / 500
        self.trades.clear()


class Restless:
    """The scalper, with somebody beside it who enters now and then whatever it says."""

    def __init__(self, market: Market, dice: Random) -> None:
        self._scalper = Scalper(find_profile("default").scalper, market)
        self._dice = dice

    @property
    def intervals(self) -> tuple[str, ...]:
        """The scalper's."""
        return self._scalper.intervals

    @property
    def warmup(self) -> int:
        """Enters at once."""
        return 1

    @property
    def judgement(self) -> Judgement | None:
        """The scalper's."""
        return self._scalper.judgement

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        """The scalper looks; the other one throws a die."""
        self._scalper.on_kline(view, live=live)
        if view.kline.interval != self.intervals[0] or not live or self._dice.random() > ENTRY_CHANCE:
            return None
        side = self._dice.choice((PositionSide.LONG, PositionSide.SHORT))
        return Signal(direction=side, confidence=60.0, reasons=("restless",), expected_move=0.01)


class Counted(Trader):
    """A trader that counts what comes in."""

    messages = 0

    def incoming(self, message: Incoming, now: int) -> None:
        """One more."""
        self.messages += 1
        super().incoming(message, now)


class Counts:
    """An observer: reconnects and orders."""

    def __init__(self) -> None:
        self.reconnects = 0
        self.orders = 0
        self.lost: set[str] = set()

    def __call__(self, event: Event, outputs: Sequence[Output]) -> None:
        """Look at one event and what the engine answered."""
        if type(event) is StreamChanged:
            if not event.ready:
                self.lost.add(event.stream)
            elif event.stream in self.lost:
                self.lost.discard(event.stream)
                self.reconnects += 1
        self.orders += sum(type(output) is PlaceOrder for output in outputs)


class Bot:
    """A bot's parts, everything that `flashscalper run` has but sockets and store, and the exchange that it trades on."""

    def __init__(self, folder: Path, stack: ExitStack, *, seed: int = 1) -> None:
        self._seed = seed
        self.markets = DEFAULT_MARKETS
        self.feed = Tide(self.markets, Random(f"feed/{seed}"), START)
        server = box_settings(seed=seed, base_url=URL, balance=BALANCE, verifier=KeyedHashVerifier(CHAIN_ID))
        server = msgspec.structs.replace(server, slow_reader_limit=0, check_address=False)
        self.box = open_box(self.feed, server, seed=seed, started_at=START, rules=SHORT_MEMORY)
        self.box.server._context.funding_points = defaultdict(lambda: deque(maxlen=100))
        strategies = {market.symbol: Restless(market, Random(f"{seed}/{market.symbol}")) for market in self.markets}
        self.engine = Engine(
            patter_settings(), {market.symbol: market for market in self.markets}, strategies, ClientIds(START), START,
            BALANCE, None,
        )  # fmt: skip
        self._journal = stack.enter_context(Journal(folder / "journal.fsj", {"seed": seed}, durable=False))
        self._tape = stack.enter_context(Tape(folder / "tape", {"seed": seed}))
        self._log = RunLog(folder / "log.jsonl", banner_of("soak", ACCOUNT, "soak"))
        stack.callback(self._log.close)
        self.counts = Counts()
        self.tally = Tally(for_report=False)

    def let_the_exchange_forget(self) -> None:
        """Its history grows with every order because it is an exchange; that is not what is weighed."""
        for account in self.box.exchange._state.accounts.values():
            if len(account.fills) < 2 * HISTORY_KEPT:
                continue
            account.client_ids.clear()
            for history in (account.fills, account.ledger_log, account.funding_payments):
                del history[:-HISTORY_KEPT]
            kept = {fill.id for fill in account.fills}
            booked = account.ledger._bookings
            for fill_id in [one for one in booked if one not in kept]:
                del booked[fill_id]

    def trader(self, rest_url: str, ws_url: str) -> Counted:
        """The client and everything behind it."""
        settings = ParadexSettings(
            environment=Environment.SIMULATOR, rest_url=rest_url, ws_url=ws_url, onboard=True,
            markets=tuple((market.symbol, market.market) for market in self.markets), busy_market=self.markets[0].market,
        )  # fmt: skip
        signer = KeyedHashSigner(ACCOUNT, Secret("0x1234"), CHAIN_ID)
        client = ParadexClient(settings, Random(f"client/{self._seed}"), signer=signer)
        metrics = Metrics(lambda: (self.engine.status(), False))
        return Counted(client, self.engine, self._journal, self._tape, [self.tally, self._log, metrics, self.counts])


class Soak:
    """A bot and its exchange in lock-step. `run` until so many messages came in, cutting a connection every so often."""

    def __init__(self, bot: Bot, *, seed: int = 1) -> None:
        self._bot = bot
        self.clock = VirtualClock(START)
        self.trader = bot.trader(f"{URL}/v1", f"{URL.replace('http', 'ws')}/v1")
        latency = LatencyModel(Random(f"latency/{seed}"))
        self._wire = FaultyWire(latency, {}, Random(f"cuts/{seed}"), lambda _kind, _at: None)
        self._lockstep = LockStep(self.trader, bot.box.server, bot.box.pump, latency, self.clock)
        self._lockstep._wire = self._wire
        self._dice = Random(f"soak/{seed}")

    def run(self, messages: int, reconnects: int, look: Callable[[int], None]) -> None:
        """Until `messages` came in, at least; `look` is called now and then."""
        self._lockstep.start()
        every = messages / (reconnects * 1.02 + 1)
        next_cut = every
        for second in count(1):
            self._lockstep.run_until(START + second * SECOND_US)
            if self.trader.messages >= next_cut:
                next_cut += every
                self._wire.cut(self._dice.choice(sorted(self._wire._pipes)), self.clock.now())
            self._bot.let_the_exchange_forget()
            look(self.trader.messages)
            if self.trader.messages >= messages and self._bot.counts.reconnects >= reconnects:
                return

    def close(self) -> bool:
        """Stop in order; says whether everything came home."""
        self._lockstep.tell(OperatorAsked(OperatorAction.STOP, END_OF_RUN))
        flat = self._lockstep.drain(lambda: not self._bot.engine.status().open_orders, 120 * SECOND_US)
        self._lockstep.finish()
        return flat


def soak(folder: Path, messages: int, reconnects: int, *, say: Callable[[str], None] = lambda _: None) -> Soaked:
    """One soak, with its files in `folder`."""
    before = descriptors()
    samples: list[Sample] = []
    step = max(1, messages // 40)

    def look(seen: int) -> None:
        if seen >= step * (len(samples) + 1):
            gc.collect()
            samples.append(Sample(seen, rss_mib(), descriptors()))
            say(f"{seen} messages, {bot.counts.reconnects} reconnects, {bot.counts.orders} orders, {rss_mib():.1f} MiB")

    with rare_collections(), ExitStack() as stack:
        bot = Bot(folder, stack)
        made = Soak(bot)
        made.run(messages, reconnects, look)
        flat = made.close()
    return Soaked(
        messages=made.trader.messages, reconnects=bot.counts.reconnects, orders=bot.counts.orders, fills=bot.tally.fills,
        market_hours=(made.clock.now() - START) / SECOND_US / 3600, samples=tuple(samples), descriptors_before=before,
        descriptors_after=descriptors(), flat=flat,
    )  # fmt: skip


def broken(done: Soaked, *, orders: int) -> list[str]:
    """What a soak promises and this one did not keep, in sentences."""
    found = []
    if done.growth() > MOST_GROWTH:
        found.append(f"memory grew by {done.growth():.2f} MiB per million messages; at most {MOST_GROWTH}")
    if done.highest_mib > MOST_MIB:
        found.append(f"{done.highest_mib:.0f} MiB at most; under {MOST_MIB} is wanted")
    if done.descriptors_after != done.descriptors_before or max(one.descriptors for one in done.samples) > MOST_DESCRIPTORS:
        found.append(f"descriptors {done.descriptors_before} before, {done.descriptors_after} after")
    if not done.flat:
        found.append("orders were left open")
    if done.orders < orders:
        found.append(f"only {done.orders} orders")
    return found
