"""Tick to order against the built-in exchange: the whole trading process, its frames paced in wall time.

Client, engine, strategy, risk gate, journal and tape are those of every run, joined to the simulated exchange in lock-step.
Two things differ. Market frames reach the trader at a given rate of wall time, so that caches are as cold as they are in a
run; and what the client sends also leaves on a real socket, whose other end only reads. A timer of the trader waits a little
for a market frame to come first, because a frame's way is what is measured: from the entry of the frame to signed bytes in
the socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from flashscalper.cli.feeds import open_synthetic
from flashscalper.exchanges.base import Frame, SendFrame
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import TESTNET_CLASSES, CurveSigner, account_address
from flashscalper.model.commands import PlaceOrder, ReleaseOrder
from flashscalper.model.events import BestQuote, BookChange, Event, MarkPrice
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clock import VirtualClock
from flashscalper.runtime.hosting.box import CHAIN_ID, box_settings, open_box
from flashscalper.runtime.journal import Journal, Output
from flashscalper.runtime.lockstep import LockStep
from flashscalper.runtime.tape import Tape
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel, ToClient
from flashscalper.strategies.base import Judgement, MarketView, Signal
from flashscalper.strategies.profiles import find_profile
from flashscalper.strategies.scalper import Scalper
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.costs import EntryStyle
from flashscalper.trading.engine import Engine
from flashscalper.trading.profiles import trading_profile

Send = Callable[[bytes], None]
SYMBOL: Final = "ETHUSDT"
STARTED_AT: Final = 1_767_225_600 * SECOND_US
LATE_US: Final = 100_000
INTERVALS: Final = ("1s", "5s", "15s", "1m", "5m", "15m", "1h", "4h")
_ORDERS: Final = (PlaceOrder, ReleaseOrder)
_TICKS: Final = (Trade, BestQuote, BookChange, MarkPrice)
_KEY: Final = Secret("0x2a1f6a3b5c8d7e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9")


class Restless:
    """The scalper, and whenever it is silent a signal anyway: buy, sell, buy. Made to cause orders, not to earn."""

    def __init__(self, market: Market) -> None:
        settings = msgspec.structs.replace(find_profile("default").scalper, interval="1s")
        self._scalper = Scalper(settings, market)
        self._long = False
        self.intervals = self._scalper.intervals
        self.warmup = self._scalper.warmup

    @property
    def judgement(self) -> Judgement | None:
        """What the scalper saw."""
        return self._scalper.judgement

    def on_kline(self, view: MarketView, *, live: bool) -> Signal | None:
        """The scalper's signal or our own."""
        signal = self._scalper.on_kline(view, live=live)
        if not live or view.kline.interval != "1s" or (signal is not None and all(gate.passed for gate in signal.gates)):
            return signal
        self._long = not self._long
        direction = PositionSide.LONG if self._long else PositionSide.SHORT
        return Signal(
            direction=direction, confidence=100.0, reasons=("benchmark",), score=100.0, expected_move=0.01,
            volatility=view.kline.close / 2_000,
        )  # fmt: skip


class Sample(msgspec.Struct, frozen=True):
    """One order: the frame that caused it, what the engine answered, the bytes that left, and how long it took."""

    frame: Frame
    outputs: tuple[Output, ...]
    sent: bytes
    wall_ns: int
    cpu_ns: int


class LateTrader(Trader):
    """Its timers come a little late, so that a frame of the market comes first."""

    def next_deadline(self) -> int | None:
        """When it is woken if no frame comes."""
        deadline = super().next_deadline()
        return None if deadline is None else deadline + LATE_US


class TickRun(LockStep):
    """The run. `samples` are the orders that a market frame caused, `releases` those of them that had been signed ahead,
    `frame_ns` the times of frames that caused nothing.

    `between` is called before every paced market frame.
    """

    def __init__(self, send: Send, journal: Journal, tape: Tape, *, frames_per_second: float, seed: int = 1) -> None:
        self.samples: list[Sample] = []
        self.releases: list[Sample] = []
        self.frame_ns: list[int] = []
        self.between: Callable[[], object] = lambda: None
        self.clock = VirtualClock(STARTED_AT)
        self.signer = _signer()
        self._files = (journal, tape)
        self._send = send
        self._period_ns = int(1e9 / frames_per_second)
        self._next_ns = 0
        self._outputs: tuple[Output, ...] = ()
        self._event: Event | None = None
        feed = open_synthetic(seed=seed, symbols=(SYMBOL,), started_at=STARTED_AT)
        self.market = feed.markets[0]
        settings = box_settings(seed=seed, base_url="http://127.0.0.1:1", balance=Decimal(10_000))
        settings = msgspec.structs.replace(settings, slow_reader_limit=0)
        box = open_box(feed, settings, seed=seed, started_at=STARTED_AT)
        self.client = self._client(seed)
        trader = LateTrader(self.client, _engine(self.market), journal, tape, [self._look])
        dice = Random(f"latency/{seed}")  # noqa: S311 - simulated latency, not secrets
        super().__init__(trader, box.server, box.pump, LatencyModel(dice), self.clock)

    def collect(self, orders: int, within_s: float) -> None:
        """Go on until so many orders are measured, or for so long."""
        until = time.monotonic() + within_s
        wanted = len(self.samples) + orders
        while len(self.samples) < wanted and time.monotonic() < until:
            self.run_until(self.clock.now() + SECOND_US)

    def close(self) -> None:
        """Close the journal and the tape; nothing is measured afterwards."""
        for file in self._files:
            file.close()

    def _client(self, seed: int) -> ParadexClient:
        settings = ParadexSettings(
            environment=Environment.SIMULATOR, rest_url="http://127.0.0.1:1/v1", ws_url="ws://127.0.0.1:1/v1", onboard=True,
            markets=((SYMBOL, self.market.market),), busy_market=self.market.market,
        )  # fmt: skip
        return ParadexClient(settings, Random(f"client/{seed}"), signer=self.signer)  # noqa: S311 - backoff jitter

    def _look(self, event: Event, outputs: Sequence[Output]) -> None:
        if any(type(output) in _ORDERS for output in outputs):
            self._event, self._outputs = event, tuple(outputs)

    def _deliver(self) -> None:
        at = self._wire.next_at()
        assert at is not None
        now = self._clock.advance_to(at)
        item = self._wire.deliver()
        if isinstance(item, ToClient) and type(item.message) is Frame:
            self._take(item.message, now)
        elif isinstance(item, ToClient):
            self._trader.incoming(item.message, now)
            self._after_trader()
        elif item is not None:
            self._server.receive(item.message, now)
            self._after_server()

    def _take(self, frame: Frame, now: int) -> None:
        self._wait()
        self.between()
        self._work(frame, now)

    def _work(self, frame: Frame, now: int) -> None:
        """The measured way of one frame, then what need not be waited for."""
        self._event = None
        sent = b""
        cpu_ns, began_ns = time.thread_time_ns(), time.perf_counter_ns()
        self._trader.incoming(frame, now)
        outgoing = self._trader.outgoing()
        for item in outgoing:
            if type(item) is SendFrame:
                self._send(item.data)
                sent = item.data
        ended_ns, cpu_ended_ns = time.perf_counter_ns(), time.thread_time_ns()
        self._trader.sent()
        for item in outgoing:
            self._wire.send(item, now)
        if sent and self._was_tick():
            kinds = {type(output) for output in self._outputs}
            taken = self.releases if ReleaseOrder in kinds else self.samples
            taken.append(Sample(frame, self._outputs, sent, ended_ns - began_ns, cpu_ended_ns - cpu_ns))
        elif not outgoing:
            self.frame_ns.append(ended_ns - began_ns)

    def _was_tick(self) -> bool:
        """Whether the last event that an order came of was one of the market."""
        return isinstance(self._event, _TICKS)

    def _wait(self) -> None:
        """Until this frame's turn; a frame that comes late does not hurry those after it."""
        left_ns = self._next_ns - time.perf_counter_ns()
        if left_ns > 0:
            time.sleep(left_ns / 1e9)
        self._next_ns = time.perf_counter_ns() + self._period_ns


def _signer() -> CurveSigner:
    public_key = CurveSigner("0x1", _KEY, CHAIN_ID).public_key
    return CurveSigner(account_address(public_key, TESTNET_CLASSES), _KEY, CHAIN_ID)


def _engine(market: Market) -> Engine:
    """The demo's trading, without the limits that a restless strategy would meet at once."""
    settings = trading_profile("demo")
    change = msgspec.structs.replace
    settings = change(
        settings, intervals=INTERVALS, exits=change(settings.exits, max_hold_s=1.0),
        entry=change(settings.entry, style=EntryStyle.IOC),
        risk=change(settings.risk, max_drawdown_share=None, max_daily_loss_share=None, max_orders_per_minute=1_000),
    )  # fmt: skip
    return Engine(
        settings, {market.symbol: market}, {market.symbol: Restless(market)}, ClientIds(STARTED_AT), STARTED_AT,
        Decimal(10_000), None,
    )  # fmt: skip


def open_run(folder: Path, send: Send, *, durable: bool, frames_per_second: float, seed: int = 1) -> TickRun:
    """A run with its journal and tape in `folder`; `durable` syncs the journal before an order leaves."""
    journal = Journal(folder / "journal.fsj", {"run": "bench"}, durable=durable)
    tape = Tape(folder / "tape", {"run": "bench"})
    return TickRun(send, journal, tape, frames_per_second=frames_per_second, seed=seed)
