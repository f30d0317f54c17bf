"""The WebSocket is refused for ten minutes while REST works: real client, real server, real engine, joined in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest

from flashscalper.exchanges.base import CloseSocket, HttpResponse, Incoming, OpenSocket, SocketClosed, SocketOpened
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import KeyedHashSigner, KeyedHashVerifier
from flashscalper.model.commands import PlaceOrder, ReleaseOrder
from flashscalper.model.events import Event, OperatorAction, OperatorAsked
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clock import VirtualClock
from flashscalper.runtime.hosting.box import CHAIN_ID, box_settings, open_box
from flashscalper.runtime.journal import Journal, Output
from flashscalper.runtime.lockstep import LockStep
from flashscalper.runtime.tape import Tape
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel
from flashscalper.simulator.facts import NewOrder, SimOrder
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.exit_policy import ExitPolicy, percent
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.costs import CostSettings
from flashscalper.trading.engine import Engine
from flashscalper.trading.profiles import trading_profile
from flashscalper.trading.status import PositionStatus

START = 1_767_225_600 * SECOND_US
ACCOUNT = "0x1d2a3359cf96bd7d14e156196b8a27fd9c0464895bfb006b5a059c18fc54909"
INTERVALS = ("5s", "1m", "5m")


class Listens:
    """Consumes klines; enters once if it is told to, and then again and again as far as it may."""

    intervals = INTERVALS
    warmup = 1
    judgement: Judgement | None = None
    exits = ExitPolicy(stop=percent(2), target=percent(4), max_hold_s=7_200)

    def __init__(self, *, enters: bool) -> None:
        self.enters = enters
        self.seen: list[Kline] = []

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        self.seen.append(view.kline)
        if not (live and self.enters):
            return None
        return Signal(direction=PositionSide.LONG, confidence=90.0, reasons=("always",), expected_move=0.05)


class Refused(LockStep):
    """A lock-step run whose sockets can be refused."""

    refusing = False
    _open: list[str]

    def refuse(self) -> None:
        """Every socket dies, and no new one comes up."""
        self.refusing = True
        for conn in self._open:
            self._wire.send(CloseSocket(conn), self._clock.now())

    def _after_trader(self) -> None:
        now = self._clock.now()
        refused: list[str] = []
        for item in self._trader.outgoing():
            if isinstance(item, OpenSocket) and self.refusing:
                refused.append(item.conn)
            else:
                self._wire.send(item, now)
        self._trader.sent()
        for conn in refused:
            self._trader.incoming(SocketClosed(conn, "refused", 503), now)
            self._after_trader()


class Heard(Trader):
    """A trader that remembers what the exchange said of limits, and which sockets are up."""

    def __init__(self, *arguments: object, lockstep_open: list[str]) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.too_many = 0
        self.open = lockstep_open

    def incoming(self, message: Incoming, now: int) -> None:
        if isinstance(message, HttpResponse) and message.status == 429:
            self.too_many += 1
        if isinstance(message, SocketOpened):
            self.open.append(message.conn)
        if isinstance(message, SocketClosed) and message.conn in self.open:
            self.open.remove(message.conn)
        super().incoming(message, now)


class Scene:
    """One engine on one simulated exchange with two markets, or `every` market of the default."""

    def __init__(self, folder: Path, *, enters: bool = False, every: bool = False) -> None:
        markets = tuple(market for market in DEFAULT_MARKETS if every or market.base in ("ETH", "BTC"))
        feed = SyntheticFeed(markets, Random(3), START)
        settings = box_settings(
            seed=1, base_url="http://127.0.0.1:8787", balance=Decimal(10_000), verifier=KeyedHashVerifier(CHAIN_ID)
        )
        settings = msgspec.structs.replace(settings, slow_reader_limit=0, check_address=False)
        self.box = box = open_box(feed, settings, seed=1, started_at=START)
        trading = msgspec.structs.replace(trading_profile("classic"), costs=CostSettings(report_only=True))
        self.strategies = {market.symbol: Listens(enters=enters) for market in markets}
        known = {market.symbol: market for market in markets}
        self.engine = Engine(trading, known, self.strategies, ClientIds(START), START, Decimal(10_000), None)
        client = ParadexClient(
            ParadexSettings(
                environment=Environment.SIMULATOR, rest_url="http://127.0.0.1:8787/v1", ws_url="ws://127.0.0.1:8787/v1",
                onboard=True, markets=tuple((market.symbol, market.market) for market in markets),
            ),
            Random(2), signer=KeyedHashSigner(ACCOUNT, Secret("0x5"), CHAIN_ID),
        )  # fmt: skip
        self.placed: list[tuple[int, PlaceOrder]] = []
        self.clock = VirtualClock(START)
        self._files = (Journal(folder / "j", {}, durable=False), Tape(folder / "tape", {}))
        opened: list[str] = []
        self.trader = Heard(client, self.engine, *self._files, [self._watch], lockstep_open=opened)
        self.run = Refused(self.trader, box.server, box.pump, LatencyModel(Random(4)), self.clock)
        self.run._open = opened
        self.run.start()

    def _watch(self, event: Event, outputs: Sequence[Output]) -> None:
        now = self.clock.now()
        self.placed += [(now, output) for output in outputs if isinstance(output, PlaceOrder)]
        self.placed += [(now, output.order) for output in outputs if isinstance(output, ReleaseOrder)]

    def position(self, symbol: str) -> PositionStatus | None:
        return next(market.position for market in self.engine.status().markets if market.symbol == symbol)

    def close(self) -> None:
        for file in self._files:
            file.close()

    def meddle(self, symbol: str, size: Decimal) -> None:
        """Somebody closes so much of a long of ours by hand, at the market."""
        now = self.clock.now()
        order = NewOrder(
            client_id="by-hand", symbol=symbol, side=Side.SELL, type=OrderType.MARKET, size=size, reduce_only=True,
            signed_at=now,
        )  # fmt: skip
        placed = self.box.exchange.place(ACCOUNT, order, now)
        assert isinstance(placed, SimOrder)
        self.run._wake_server()

    def go(self, seconds: float) -> None:
        self.run.run_until(self.clock.now() + int(seconds * SECOND_US))

    def klines(self) -> dict[tuple[str, str], list[Kline]]:
        found = {}
        for symbol, state in self.engine._floor.markets.items():
            assert state.builder is not None
            for interval in INTERVALS:
                found[symbol, interval] = state.builder.get_klines(interval)
        return found


def by_symbol(symbol: str) -> Market:
    return next(market for market in DEFAULT_MARKETS if market.symbol == symbol)


OpenScene = Callable[..., Scene]


@pytest.fixture
def scene_of(tmp_path: Path) -> Iterator[OpenScene]:
    """Opens scenes, each in a folder of its own, and closes them."""
    opened: list[Scene] = []

    def open_scene(*, enters: bool = False, every: bool = False) -> Scene:
        opened.append(Scene(tmp_path / str(len(opened)), enters=enters, every=every))
        return opened[-1]

    yield open_scene
    for scene in opened:
        scene.close()


def assert_same(ours: Sequence[Kline], theirs: Sequence[Kline]) -> None:
    """Prices, counts and flags exactly, sums to 1e-12: a trade that was read late is added in another order."""
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        for field in Kline.__struct_fields__:
            seen, wanted = getattr(mine, field), getattr(other, field)
            assert seen == (pytest.approx(wanted, rel=1e-12) if "volume" in field else wanted), (field, mine, other)


def protected(scene: Scene) -> list[str]:
    """Sizes of the positions whose stop is at the exchange."""
    held = [market.position for market in scene.engine.status().markets if market.position is not None]
    return [str(one.size) for one in held if one.protection == "protected"]


@pytest.mark.parametrize("outage_s", [90, pytest.param(600, marks=pytest.mark.verify)])
def test_after_minutes_without_a_socket_and_with_positions_klines_are_those_of_an_undisturbed_run(
    scene_of: OpenScene, outage_s: int
) -> None:
    calm, cut = scene_of(enters=True), scene_of(enters=True)
    for scene in (calm, cut):
        scene.go(60)
    held = protected(cut)
    assert len(held) == 2
    cut.run.refuse()
    oldest = 0.0
    for _ in range(outage_s // 5):
        cut.go(5)
        market = cut.engine.status().markets[0]
        assert market.quote_age_s is not None
        assert market.mark_age_s is not None
        oldest = max(oldest, market.quote_age_s, market.mark_age_s)
        assert cut.engine.status().state == "reducing"
        assert protected(cut) == held
    assert oldest <= 3.0
    cut.run.refusing = False
    cut.go(60)
    calm.go(outage_s + 60)
    assert cut.engine.status().state == "active"
    assert protected(cut) == protected(calm) == held
    theirs = calm.klines()
    for key, klines in cut.klines().items():
        assert_same(klines, theirs[key])
    for symbol, strategy in cut.strategies.items():
        assert_same(strategy.seen, calm.strategies[symbol].seen)
    assert (cut.trader.too_many, calm.trader.too_many) == (0, 0)


def test_a_position_keeps_its_stop_nothing_is_opened_and_exits_work_without_a_socket(scene_of: OpenScene) -> None:
    scene = scene_of(enters=True)
    scene.go(30)
    held = [market.position for market in scene.engine.status().markets if market.position is not None]
    assert held
    assert all(position.protection == "protected" for position in held)
    scene.run.refuse()
    cut_at = scene.clock.now()
    scene.go(120)
    status = scene.engine.status()
    assert [market.position.protection for market in status.markets if market.position] == ["protected"] * len(held)
    assert [order.role for at, order in scene.placed if at > cut_at + SECOND_US] == []
    scene.run.tell(OperatorAsked(OperatorAction.KILL, "test"))
    scene.go(15)
    status = scene.engine.status()
    assert [market.position for market in status.markets] == [None, None]
    assert status.open_orders == 0
    assert {order.role for at, order in scene.placed if at > cut_at + SECOND_US} == {OrderRole.EXIT}
    scene.run.refusing = False
    scene.go(60)
    assert scene.engine.status().state == "halted"
    assert scene.trader.too_many == 0


def test_without_a_socket_fills_and_positions_are_known_within_three_seconds(
    scene_of: OpenScene,
) -> None:
    scene = scene_of(enters=True)
    scene.go(30)
    scene.run.refuse()
    scene.go(20)
    first, second = [market for market in scene.engine.status().markets if market.position is not None]
    assert first.position is not None
    assert second.position is not None
    half = by_symbol(first.symbol).round_size(first.position.size / 2)
    scene.meddle(first.symbol, half)
    scene.meddle(second.symbol, second.position.size)
    scene.go(3)
    smaller, gone = (scene.position(one.symbol) for one in (first, second))
    assert gone is None
    assert smaller is not None
    assert smaller.size == first.position.size - half
    scene.go(3)
    theirs = scene.box.exchange.open_orders(ACCOUNT)
    stops = {order.symbol: order.size for order in theirs if order.trigger_price is not None}
    assert stops == {first.symbol: smaller.size}, "resized where something is left, taken away where nothing is"
    assert scene.engine.status().realized_pnl != 0
    assert scene.trader.too_many == 0


@pytest.mark.parametrize("outage_s", [20, pytest.param(180, marks=pytest.mark.verify)])
def test_all_markets_of_the_default_stay_fresh_by_rest_inside_the_rate_budget(scene_of: OpenScene, outage_s: int) -> None:
    scene = scene_of(enters=True, every=True)
    scene.go(30)
    scene.run.refuse()
    scene.go(5)
    oldest = 0.0
    for _ in range(outage_s):
        scene.go(1)
        for market in scene.engine.status().markets:
            assert market.quote_age_s is not None
            assert market.mark_age_s is not None
            oldest = max(oldest, market.quote_age_s, market.mark_age_s)
    assert oldest <= 3.0
    assert len(protected(scene)) == len(DEFAULT_MARKETS)
    assert scene.trader.too_many == 0


def test_started_while_sockets_are_refused_the_account_is_read_all_the_same(scene_of: OpenScene) -> None:
    scene = scene_of(enters=True)
    scene.run.refusing = True
    scene.go(20)
    status = scene.engine.status()
    assert status.state == "reducing"
    assert scene.engine._reconciler.reconciled_at > START
    assert all(market.mark_age_s is not None and market.mark_age_s <= 3.0 for market in status.markets)
    assert scene.placed == []
    scene.run.refusing = False
    scene.go(60)
    assert scene.engine.status().state == "active"
