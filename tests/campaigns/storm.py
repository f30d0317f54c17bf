"""The full stack in a storm: the real client, engine and journal against the simulated Paradex, by seed, on virtual time.

One `World` is one account on one exchange over a faulty wire. The next thing to happen is always the earliest of a message,
a deadline of either side, a market event, or a misfortune that is planned. A crash throws the client and the engine away;
the next life has the journal (perhaps torn) and the exchange, nothing else. Same seed, same bytes.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from flashscalper.exchanges.base import HttpFailed, HttpRequest, HttpResponse, Incoming, Outgoing
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import (
    TESTNET_CLASSES,
    CurveSigner,
    KeyedHashSigner,
    KeyedHashVerifier,
    account_address,
)
from flashscalper.model.events import ExchangeStatus, OperatorAction, OperatorAsked
from flashscalper.model.instants import SECOND_US
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret
from flashscalper.runtime.hosting.box import CHAIN_ID, box_settings, open_box
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel, ToServer
from flashscalper.simulator.base import ServerTimerDue
from flashscalper.simulator.facts import NewOrder
from flashscalper.simulator.markets import choose_markets
from flashscalper.strategies.base import Strategy
from flashscalper.trading.client_ids import ClientIds, is_ours
from flashscalper.trading.engine import Engine
from flashscalper.trading.operating import END_OF_RUN
from flashscalper.trading.reconcile import NOT_RECONCILED
from flashscalper.trading.risk import CLEAR_KILL
from flashscalper.trading.saved import read_back
from tests.campaigns.laws import Laws
from tests.campaigns.memory import CrashError, NoTape, TornJournal
from tests.campaigns.network import READS, FaultyWire, conn_of
from tests.campaigns.patter import Impulsive
from tests.campaigns.seeding import AT_THE_EXCHANGE, UNSEEN, Setup

START: Final = 1_767_225_600 * SECOND_US
ACCOUNT: Final = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
BALANCE: Final = Decimal(10_000)
NOTICED_AFTER_S: Final = {
    "half_open": 14.0, "stall": 14.0, "dark": 14.0, "slow_request": 6.0, "slow_answer": 6.0, "lose_request": 6.0,
    "lose_answer": 6.0, "mute_reply": 4.0, "lying_reply": 4.0, "foreign_order": 3.0,
}  # fmt: skip
"""How long a fault may stay hidden: until a ping is not answered, a request is given up, a second read agrees."""
_LIFE: Final = 1_000_000
_URL: Final = "127.0.0.1:8787"
FOLDER: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None


class World:
    """One seed's world. `run` lives through it, `settle` brings everything home and compares the books."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.setup = setup
        self.now = START
        self.dice = Random(f"world/{setup.seed}")
        self.counts: Counter[str] = Counter()
        self.trace = hashlib.blake2b(digest_size=16)
        self.markets = setup.markets or choose_markets(setup.symbols)
        self.symbol_of = {market.market: market.symbol for market in self.markets}
        self.feed = setup.feed(self.markets, Random(f"feed/{setup.seed}"), START)
        signer, verifier = _signing(setup)
        self.account = signer.account
        self._signer = signer
        server = box_settings(seed=setup.seed, base_url=f"http://{_URL}", balance=BALANCE, verifier=verifier)
        server = msgspec.structs.replace(server, slow_reader_limit=0, check_address=False, **setup.server)
        self.box = open_box(self.feed, server, seed=setup.seed, started_at=START, rules=setup.rules)
        self.exchange = self.box.exchange
        latency = LatencyModel(Random(f"latency/{setup.seed}"), base_us=setup.latency_us[0], jitter_us=setup.latency_us[1])
        self.wire = FaultyWire(latency, setup.rates, Random(f"faults/{setup.seed}"), self.note)
        self.last_fault_at = START
        self._unseen: set[str] = set()
        self._fills_before = 0
        self.calm = False
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._turn = 0
        self._path = folder / f"journal-{setup.seed}"
        self._metadata: dict[str, str | int | bool | None] = {"seed": setup.seed}
        self.life = 0
        self.writes = 0
        self.trader: Trader | None = None
        self.laws = Laws(self)
        self._begin_life()
        self.later(SECOND_US, self._second)

    # ---- lives ----

    def _begin_life(self) -> None:
        """Start the process: the journal of the lives before is all it knows."""
        self.life += 1
        self.last_fault_at = max(self.last_fault_at, self.now)
        setup = self.setup
        self.journal = TornJournal(self._path, self._metadata, self._fate)
        saved = read_back(self.journal.entries())
        ids = ClientIds(self.now, saved.last_client_id if saved else "")
        make = setup.strategy or self._impulsive
        strategies = {market.symbol: make(market, self.life) for market in self.markets}
        markets = {market.symbol: market for market in self.markets}
        self.engine = Engine(setup.trading, markets, strategies, ids, self.now, BALANCE, saved)
        client = ParadexClient(self._client_settings(), Random(f"client/{setup.seed}/{self.life}"), signer=self._signer)
        self.trader = Trader(client, self.engine, self.journal, NoTape())  # type: ignore[arg-type]
        self.laws.begin_life()
        self._with_trader(lambda trader: trader.start(self.now))

    def _impulsive(self, market: Market, life: int) -> Strategy:
        return Impulsive(Random(f"strategy/{self.setup.seed}/{market.symbol}/{life}"))

    def _client_settings(self) -> ParadexSettings:
        return ParadexSettings(
            environment=Environment.SIMULATOR, rest_url=f"http://{_URL}/v1", ws_url=f"ws://{_URL}/v1", onboard=True,
            markets=tuple((market.symbol, market.market) for market in self.markets), busy_market=self.markets[0].market,
            **self.setup.client,
        )  # fmt: skip

    def _fate(self) -> str:
        """What happens to the process at this journal write; writes are counted over all lives."""
        fate = self.setup.fate(self.writes)
        self.writes += 1
        if not fate and self._chance("crash_writing"):
            fate = self.dice.choice(("before", "torn", "after"))
        return fate

    def crash(self) -> None:
        """The process is gone; another is started after a while."""
        if self.trader is None:
            return
        self.counts["crash"] += 1
        self.trader = None
        lost = self.dice.random() if self.dice.random() < 0.5 else 0.0
        self.journal.die(lost)
        self.wire.client_died(self.now)
        self.laws.end_life()
        down_us = int(self.dice.choice((0.05, 0.5, 2.0, 8.0)) * SECOND_US)
        self.last_fault_at = max(self.last_fault_at, self.now + down_us)
        self.later(down_us, self._begin_life)

    # ---- time ----

    def later(self, delay_us: int, action: Callable[[], None]) -> None:
        """Plan something."""
        self._turn += 1
        heappush(self._due, (self.now + delay_us, self._turn, action))

    def run_until(self, at: int, done: Callable[[], bool] | None = None) -> None:
        """Let everything happen that is due up to `at`, or until `done()`."""
        wire, server, pump = self.wire, self.box.server, self.box.pump
        while True:
            trader = self.trader
            moments = (
                self._due[0][0] if self._due else None, wire.next_at(), server.next_deadline(),
                trader.next_deadline() if trader is not None else None, pump.next_at(),
            )  # fmt: skip
            due, place = min((max(moment, self.now), place) for place, moment in enumerate(moments) if moment is not None)
            if due > at:
                break
            self.laws.step(due)
            self.now = due
            self._do(place)
            self.laws.look()
            if done is not None and done():
                return
        self.now = max(self.now, at)

    def _do(self, place: int) -> None:
        if place == 0:
            heappop(self._due)[2]()
        elif place == 1:
            self._deliver()
        elif place == 2:
            self.tell_server()
        elif place == 3:
            self._with_trader(lambda trader: trader.due(self.now))
        else:
            self.box.pump.release(self.now)
            self._after_server()

    def _deliver(self) -> None:
        item = self.wire.deliver()
        if item is None:
            return
        if isinstance(item, ToServer):
            self.box.server.receive(item.message, self.now)
            self._after_server()
            return
        message = self._for_this_life(item.message)
        if message is not None:
            self.laws.answered(message)
            self._with_trader(lambda trader: trader.incoming(message, self.now))

    def tell_server(self) -> None:
        """Let the server look at the clock, and publish what was done to the exchange behind its back."""
        self.box.server.receive(ServerTimerDue(), self.now)
        self._after_server()

    def _after_server(self) -> None:
        for item in self.box.server.outgoing():
            self.wire.answer(item, self.now)
        if self._unseen:
            self._behind_our_back()

    def _with_trader(self, call: Callable[[Trader], None]) -> None:
        """Call the process; it may die of it."""
        trader = self.trader
        if trader is None:
            return
        try:
            call(trader)
        except CrashError:
            self.crash()
            return
        items = trader.outgoing()
        if len(items) > 1 and self._chance("crash_sending"):
            self._send(items[: self.dice.randrange(len(items))])
            self.crash()
            return
        self._send(items)
        try:
            trader.sent()
        except CrashError:
            self.crash()

    def _send(self, items: Any) -> None:
        for item in items:
            self.laws.sending(item)
            named = self._with_life(item)
            self.trace.update(msgspec.msgpack.encode((self.now, type(named).__name__, named)))
            self.wire.send(named, self.now)

    # Names of connections and requests begin anew in every life; on the wire they carry its number.

    def _with_life(self, item: Outgoing) -> Outgoing:
        if isinstance(item, HttpRequest):
            return msgspec.structs.replace(item, id=self.life * _LIFE + item.id)
        return msgspec.structs.replace(item, conn=f"{self.life}.{item.conn}")

    def _for_this_life(self, message: Incoming) -> Incoming | None:
        if isinstance(message, HttpResponse | HttpFailed):
            life, number = divmod(message.id, _LIFE)
            return msgspec.structs.replace(message, id=number) if life == self.life else None
        conn = conn_of(message)
        life_of, _, name = (conn or "").partition(".")
        return msgspec.structs.replace(message, conn=name) if life_of == str(self.life) else None

    # ---- misfortune ----

    def note(self, kind: str, at: int) -> None:
        """Something goes wrong, until `at`; some things cannot be known before a while has passed."""
        self.counts[kind] += 1
        self.last_fault_at = max(self.last_fault_at, at + int(NOTICED_AFTER_S.get(kind, 0.0) * SECOND_US))

    def _chance(self, kind: str) -> bool:
        rate = self.setup.rates.get(kind)
        if not rate or self.calm or self.dice.random() >= rate:
            return False
        self.note(kind, self.now)
        return True

    def _second(self) -> None:
        """Once a second the dice are thrown for everything that is not a message."""
        self.later(SECOND_US, self._second)
        self.wire.second(self.now)
        if self.now // SECOND_US % 2 == 0:
            self.wire.poll_replica(self.now)
        for kind in (*AT_THE_EXCHANGE, "crash", "operator"):
            if self._chance(kind):
                getattr(self, kind)()
        self._unseen.update(kind for kind in UNSEEN if self._chance(kind))
        self._fills_before = self.fill_count

    def bust(self) -> None:
        """The exchange takes one of our latest fills back."""
        fills = [fill for fill in self.exchange.fills(self.account) if is_ours(fill.client_id)] if self.known else []
        if fills:
            self.laws.busted = True
            self.box.server.bust(self.dice.choice(fills[:4]).id, self.now)
            self._after_server()

    def _behind_our_back(self) -> None:
        """What is planned to happen unseen: every connection breaks before the news of it can leave."""
        if not self.known or self.calm:
            self._unseen.clear()
            return
        fills = self.exchange.fills(self.account) if self.fill_count > self._fills_before else []
        stops = self._resting_stops() if "unseen_cancel" in self._unseen else []
        if fills and is_ours(fills[0].client_id) and self._unseen & {"unseen_fill", "unseen_bust"}:
            self._break_connections()
            if "unseen_bust" in self._unseen:
                self.laws.busted = True
                self.box.server.bust(fills[0].id, self.now)
            else:
                self.wire.lag(self.dice.sample(tuple(READS), self.dice.choice((1, 1, 2))))
            self._unseen -= {"unseen_fill", "unseen_bust"}
        elif "unseen_cancel" in self._unseen and stops:
            self._unseen.discard("unseen_cancel")
            self._break_connections()
            self.exchange.cancel(self.account, self.dice.choice(stops).order_id, self.now)
            self.tell_server()
            self.later(3 * SECOND_US, partial(self.tell, OperatorAsked(OperatorAction.RESUME, "it was me")))

    def _break_connections(self) -> None:
        for conn in self.wire.connections:
            self.wire.cut(conn, self.now)
        self.note("cut", self.now)

    def _resting_stops(self) -> list[Any]:
        return [
            one
            for one in self.exchange.open_orders(self.account)
            if is_ours(one.client_id) and one.type is OrderType.STOP_MARKET
        ]

    def closing(self) -> None:
        """The release window: cancel only, then post only, then open again."""
        if self.exchange.status is not ExchangeStatus.OK:
            return
        modes = self.dice.choice(
            (
                (ExchangeStatus.CANCEL_ONLY, ExchangeStatus.POST_ONLY),
                (ExchangeStatus.MAINTENANCE,),
                (ExchangeStatus.POST_ONLY,),
            )
        )
        at_s = 0.0
        for mode in (*modes, ExchangeStatus.OK):
            self.later(int(at_s * SECOND_US), partial(self.set_status, mode))
            at_s += self.dice.uniform(0.5, 6.0)

    def set_status(self, status: ExchangeStatus) -> None:
        """Change the exchange's mode."""
        self.note("status", self.now)
        self.box.server.set_status(status, self.now)
        self._after_server()

    def foreign_order(self) -> None:
        """Somebody trades by hand on the same account."""
        if not self.known:
            return
        self.laws.foreign = True
        market = self.dice.choice(self.markets)
        price = self.exchange.summary(market.symbol).mark or Decimal(1)
        size = market.round_size(Decimal(self.dice.choice((50, 300, 2_000))) / price)
        side = self.dice.choice((Side.BUY, Side.SELL))
        order = NewOrder(client_id="", symbol=market.symbol, side=side, type=OrderType.MARKET, size=size, signed_at=self.now)
        self.exchange.place(self.account, order, self.now)
        self.tell_server()

    def foreign_cancel(self) -> None:
        """Somebody clicks one of our orders away."""
        orders = [one for one in self.exchange.open_orders(self.account) if is_ours(one.client_id)] if self.known else []
        if orders:
            self.exchange.cancel(self.account, self.dice.choice(orders).order_id, self.now)
            self.tell_server()
            self.later(3 * SECOND_US, partial(self.tell, OperatorAsked(OperatorAction.RESUME, "it was me")))

    def operator(self) -> None:
        """A person pauses, flattens or kills, and thinks better of it after a while."""
        action = self.dice.choice((OperatorAction.PAUSE, OperatorAction.FLATTEN, OperatorAction.KILL))
        self.tell(OperatorAsked(action, "a person"))
        patience_s = self.dice.uniform(1, 8) * (3 if action is OperatorAction.KILL else 1)
        self.later(int(patience_s * SECOND_US), partial(self.tell, OperatorAsked(OperatorAction.RESUME, CLEAR_KILL)))

    def tell(self, event: OperatorAsked) -> None:
        """A person's word to the process, if there is one. Whoever hears nothing says it again."""
        if self.trader is None:
            self.later(SECOND_US, partial(self.tell, event))
            return
        if event.action is OperatorAction.KILL:
            self._with_trader(lambda trader: trader.tell(event, self.now))
            self.laws.killed = self.trader is not None
            return
        if event.action is OperatorAction.RESUME and event.reason == CLEAR_KILL:
            self.laws.killed = False
        self._with_trader(lambda trader: trader.tell(event, self.now))

    @property
    def known(self) -> bool:
        """Whether the account exists at the exchange."""
        return self.exchange.has_account(self.account)

    # ---- a whole life ----

    def run(self) -> None:
        """Live through the storm: two quiet seconds to begin with, so that there is something to lose."""
        self.calm = self.wire.calm = True
        self.run_until(START + 2 * SECOND_US)
        self.calm = self.wire.calm = False
        self.run_until(START + int(self.setup.seconds * SECOND_US))

    def settle(self, limit_s: float = 240.0) -> None:
        """The weather clears, the run ends, everything comes home; then the books are compared."""
        self.calm = True
        self.wire.calm_down(self.now)
        self.run_until(self.now + 10 * SECOND_US, lambda: self.trader is not None)
        if self.exchange.status is not ExchangeStatus.OK:
            self.run_until(self.now + 12 * SECOND_US)
        self.run_until(self.now + int(self.setup.fair_s * SECOND_US))
        self.tell(OperatorAsked(OperatorAction.STOP, END_OF_RUN))
        self.run_until(self.now + int(limit_s * SECOND_US), self.laws.at_rest)
        self.run_until(self.now + 90 * SECOND_US, self._all_is_well)
        self.run_until(self.now + 3 * SECOND_US)
        self.laws.at_the_end()
        trader, self.trader = self.trader, None
        assert trader is not None
        trader.stop(self.now)
        self._send(trader.outgoing())
        self.journal.close()
        while (at := self.wire.next_at()) is not None:
            self.now = max(self.now, at)
            self._deliver()
        self.laws.after_all()

    def _all_is_well(self) -> bool:
        """Every connection is up and works, and the books were compared."""
        floor = self.engine._floor
        return not self.wire.deceives(self.now) and all(floor.streams.values()) and not floor.risk.holds(NOT_RECONCILED)

    @property
    def fill_count(self) -> int:
        """Fills of the account, anybody's."""
        return len(self.exchange.fills(self.account)) if self.known else 0

    @property
    def elapsed_s(self) -> float:
        """Market seconds lived through."""
        return (self.now - START) / SECOND_US

    @property
    def hash(self) -> str:
        """Of every byte that left and every decision."""
        return self.trace.hexdigest() + self.journal.hash()[:16]


def live(setup: Setup) -> World:
    """One whole world, in a folder of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        world = World(setup, Path(folder))
        try:
            world.run()
            world.settle()
        finally:
            world.journal.close()
    return world


def _signing(setup: Setup) -> tuple[Any, Any]:
    if not setup.curve:
        return KeyedHashSigner(ACCOUNT, Secret("0x1234"), CHAIN_ID), KeyedHashVerifier(CHAIN_ID)
    key = Secret(hex(int.from_bytes(hashlib.sha256(f"storm {setup.seed}".encode()).digest(), "big") >> 6 | 1))
    address = account_address(CurveSigner("0x1", key, CHAIN_ID).public_key, TESTNET_CLASSES)
    return CurveSigner(address, key, CHAIN_ID), None
