"""The real Paradex client and the real simulated Paradex under both drivers: in lock-step, and over loopback sockets."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec

from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.exchanges.paradex.signing import KeyedHashSigner, KeyedHashVerifier
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import Event, FillReported, RequestOutcome, StreamChanged, Verdict
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.records import Note
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clock import ScaledClock, VirtualClock
from flashscalper.runtime.hosting.box import CHAIN_ID, Box, box_settings, open_box
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.journal import Journal, Output, journal_hash
from flashscalper.runtime.live import LiveDriver, run_loop
from flashscalper.runtime.lockstep import LockStep
from flashscalper.runtime.tape import Tape, read_tape
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import choose_markets

START = 1_700_000_000_000_000
ACCOUNT = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"


class Alternating:
    """Buys and sells 0.01 ETH in turn, one order on every tenth trade, when the order sockets are ready."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.ready: set[str] = set()
        self.trades = 0
        self.sent = 0
        self.answered = 0
        self.filled = Decimal(0)

    def handle(self, event: Event, now: int) -> Sequence[Output]:
        match event:
            case StreamChanged(stream=stream, ready=ready):
                (self.ready.add if ready else self.ready.discard)(stream)
            case RequestOutcome(verdict=verdict):
                self.answered += verdict is Verdict.ACCEPTED
                return [Note("answered", f"{event.client_id} {verdict} {event.code}", now)]
            case FillReported(fill=fill):
                self.filled += fill.size
                return [Note("filled", f"{fill.side} {fill.size} at {fill.price}", now)]
            case Trade(symbol="ETHUSDT"):
                self.trades += 1
                if self.trades % 10 == 0 and self.sent < self.most and {"entries", "market"} <= self.ready:
                    self.sent += 1
                    return [self._order()]
        return []

    def wake_at(self) -> int | None:
        return None

    @property
    def done(self) -> bool:
        return self.answered == self.most and self.filled == self.most * Decimal("0.01")

    def _order(self) -> PlaceOrder:
        return PlaceOrder(
            client_id=f"fs-x-{self.sent}",
            symbol="ETHUSDT",
            side=Side.BUY if self.sent % 2 else Side.SELL,
            type=OrderType.MARKET,
            size=Decimal("0.01"),
            role=OrderRole.ENTRY,
            reason="in turn",
        )


def open_market(seed: int) -> Box:
    feed = SyntheticFeed(choose_markets(("ETHUSDT", "BTCUSDT")), Random(seed), START)
    settings = box_settings(
        seed=seed, base_url="http://127.0.0.1", balance=Decimal(10_000), verifier=KeyedHashVerifier(CHAIN_ID)
    )
    return open_box(feed, msgspec.structs.replace(settings, check_address=False), seed=seed, started_at=START)


def open_client(seed: int, http_url: str, ws_url: str) -> ParadexClient:
    settings = ParadexSettings.for_environment(
        "simulator", (("ETHUSDT", "ETH-USD-PERP"),), rest_url=f"{http_url}/v1", ws_url=ws_url
    )
    return ParadexClient(settings, Random(seed), signer=KeyedHashSigner(ACCOUNT, Secret("0x1234"), CHAIN_ID))


def lockstep_run(folder: Path, seed: int) -> Alternating:
    box = open_market(seed)
    engine = Alternating(most=6)
    with Journal(folder / "j", {}, durable=False) as journal, Tape(folder / "tape", {}) as tape:
        trader = Trader(open_client(seed, "http://127.0.0.1:1", "ws://127.0.0.1:1/v1"), engine, journal, tape)
        step = LockStep(trader, box.server, box.pump, LatencyModel(Random(seed)), VirtualClock(START))
        step.start()
        assert step.drain(lambda: engine.done, 120 * SECOND_US)
        step.finish()
        assert len(trader.latency) == 6
    return engine


def test_lock_step_trades_and_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert lockstep_run(tmp_path / name, seed).done
    tapes = {name: list(read_tape(tmp_path / name / "tape")) for name in "abc"}
    assert tapes["a"] == tapes["b"] != tapes["c"]
    assert journal_hash(tmp_path / "a" / "j") == journal_hash(tmp_path / "b" / "j") != journal_hash(tmp_path / "c" / "j")


def test_the_same_parts_trade_over_sockets_at_ten_times_the_speed(tmp_path: Path) -> None:
    async def main() -> None:
        box = open_market(3)
        engine = Alternating(most=6)
        clock = ScaledClock(START, 10.0)
        with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
            async with ServerShell(box.server, clock, box.pump) as shell:
                trader = Trader(open_client(3, shell.http_url, shell.ws_url), engine, journal, tape)
                async with LiveDriver(trader, clock) as driver:
                    assert await driver.wait(lambda: engine.done, timeout_s=30.0), (
                        engine.ready,
                        engine.sent,
                        engine.answered,
                    )
                assert len(trader.latency) == 6
            recorded = [recorded.event for recorded in read_tape(tmp_path / "tape")]
        trades = [event.id for event in recorded if isinstance(event, Trade)]
        printed = [trade.id for trade in reversed(box.exchange.trades("ETHUSDT", limit=100_000))]
        assert trades == [trade for trade in printed if trades[0] <= trade <= trades[-1]]

    run_loop(main())
