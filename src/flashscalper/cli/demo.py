"""`flashscalper demo`: the whole system on the built-in exchange. Composition only; the parts are the same as everywhere.

At `--speed max` client and server are joined in memory, in lock-step on a virtual clock; at 1 and 10 they talk over real
loopback sockets on a clock that runs that much faster than the wall.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from flashscalper.cli.feeds import SYNTHETIC, open_recording, open_synthetic, parse_symbols
from flashscalper.cli.interrupt import Interrupt
from flashscalper.cli.live_view import LiveView, PlainView, View, ViewFrame
from flashscalper.cli.outcome import DemoOutcome, ledger_matches
from flashscalper.cli.sim import check_seed
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import TESTNET_CLASSES, CurveSigner, account_address
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import FeeClass, OperatorAction, OperatorAsked
from flashscalper.model.instants import SECOND_US, interval_us
from flashscalper.model.secrets import Secret
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.clock import Clock, ScaledClock, VirtualClock, WallClock
from flashscalper.runtime.hosting.box import CHAIN_ID, Box, box_settings, open_box
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.journal import Journal
from flashscalper.runtime.latency import Durations
from flashscalper.runtime.live import LiveDriver
from flashscalper.runtime.lockstep import LockStep
from flashscalper.runtime.retention import shed_old_runs
from flashscalper.runtime.setup import RunSetup
from flashscalper.runtime.strategy_files import StrategySource, find_strategy
from flashscalper.runtime.tally import Tally
from flashscalper.runtime.tape import Tape
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel
from flashscalper.simulator.feeds.base import Feed
from flashscalper.strategies.profiles import find_profile
from flashscalper.strategies.scalper_settings import ScalperSettings
from flashscalper.trading.operating import END_OF_RUN
from flashscalper.trading.profiles import trading_profile
from flashscalper.trading.settings import TradingSettings

BALANCE: Final = Decimal(10_000)
STARTED_AT: Final = 1_767_225_600 * SECOND_US
"""When a synthetic demo begins: 2026-01-01 00:00 UTC, always, so that a seed is a run."""

CHART_INTERVALS: Final = ("5s", "1m", "5m")
LEAD_US: Final = 5 * SECOND_US
"""The exchange opens this long before a recording's first line, so that a client is there to hear it."""

VIEW_EVERY_US: Final = 5 * SECOND_US
CLOSING_LIMIT_S: Final = 60
MAX_SECONDS: Final = 7 * 86_400.0
_ANSWER_WAITS: Final = ("naked_limit_s", "stop_acts_within_s", "modify_answers_within_s")
_CLIENT_WAITS: Final = (
    "order_timeout_s", "read_timeout_s", "auth_timeout_s", "connect_timeout_s", "handshake_timeout_s", "ping_timeout_s",
    "ping_every_s", "dead_feed_s",
)  # fmt: skip
SPEEDS: Final = ("1", "10", "max")
SCALPER: Final = "scalper"
PROFILE: Final = "demo"


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `flashscalper demo` was asked for, checked. `speed` None is lock-step; `interval` "" the strategy's own."""

    seconds: float
    speed: int | None
    feed: str
    seed: int
    symbols: tuple[str, ...]
    interval: str
    runs: Path
    json: bool
    strategy: StrategySource
    profile: str
    fee_class: FeeClass

    @classmethod
    def parse(
        cls, *, seconds: float, speed: str, feed: str, seed: int, markets: str, interval: str, runs: Path, json: bool,
        strategy: str = SCALPER, profile: str = PROFILE, fee_class: str = FeeClass.PRO,
    ) -> DemoOptions:  # fmt: skip
        """Raises ConfigError naming the option, what was seen and what is accepted."""
        if not 0 < seconds <= MAX_SECONDS:
            raise ConfigError("seconds", seconds, f"market seconds above 0, at most {MAX_SECONDS:.0f}")
        if speed not in SPEEDS:
            raise ConfigError("speed", speed, ", ".join(SPEEDS))
        if interval:
            interval_us(interval)
        if fee_class not in tuple(FeeClass):
            raise ConfigError("fee-class", fee_class, ", ".join(FeeClass))
        source = find_strategy(strategy)
        if interval and source.file:
            raise ConfigError("interval", interval, f"nothing beside {source}: the class says which klines it looks at")
        return cls(
            seconds=seconds, speed=None if speed == "max" else int(speed), feed=feed, seed=check_seed(seed),
            symbols=parse_symbols(markets), interval=interval, runs=runs, json=json, strategy=source,
            profile=find_profile(profile).name, fee_class=FeeClass(fee_class),
        )  # fmt: skip


class Demo:
    """One demo run, put together. `view` shows it while it runs."""

    def __init__(
        self, options: DemoOptions, feed: Feed, started_at: int, view: View, interrupt: Interrupt | None = None
    ) -> None:
        """`interrupt` ends the run early, in good order: no entries any more, positions closed, report written."""
        self._interrupt = interrupt or Interrupt()
        self.options = options
        self.started_at = started_at
        self.ends_at = started_at + round(options.seconds * SECOND_US)
        self.profile = find_profile(options.profile)
        self.tally = Tally()
        self._feed = feed
        self._view = view
        key = _demo_key(options.seed)
        self.account = account_address(CurveSigner("0x1", key, CHAIN_ID).public_key, TESTNET_CLASSES)
        self._signer = CurveSigner(self.account, key, CHAIN_ID)
        self._setup = self._make_setup()
        self._setup.check_stops(options.fee_class)
        self.interval = self._setup.main_interval()
        self.engine = self._setup.engine(None)

    def run(self, artifacts: RunArtifacts) -> dict[str, Any]:
        """Trade, close, check, write the folder; returns the summary."""
        metadata: dict[str, str | int | bool | None] = {"run": artifacts.run_id, "account": self.account, "mode": "demo"}
        metadata |= self._setup.metadata()
        with ExitStack() as stack:
            journal = stack.enter_context(Journal(artifacts.journal, metadata, durable=self.options.speed is not None))
            tape = stack.enter_context(Tape(artifacts.tape, metadata))
            drive = self._drive_sockets if self.options.speed else self._drive_lockstep
            box, trader = drive(journal, tape)
            matches = ledger_matches(self.tally, box.exchange.ledger_log(self.account), box.exchange.ledger(self.account))
            outcome = self._outcome(trader.latency, journal.hash(), str(artifacts.folder), matches=matches)
        artifacts.write_config({"options": self.options, "profile": self.profile, "trading": self._setup.trading})
        artifacts.write_trades(self.tally.booked, self.tally.round_trips)
        artifacts.write_klines(self.tally.klines)
        artifacts.write_summary(outcome.summary())
        artifacts.write_report(outcome.report())
        return outcome.summary()

    def _outcome(self, latency: Durations, journal_hash: str, folder: str, *, matches: bool) -> DemoOutcome:
        options = self.options
        return DemoOutcome(
            title=self.title, label=self.profile.label, feed=options.feed, seed=options.seed, seconds=options.seconds,
            speed="max" if options.speed is None else str(options.speed), interval=self.interval,
            tally=self.tally, latency=latency, interrupted=self._interrupt.asked, ledger_matches=matches,
            journal_hash=journal_hash, folder=folder,
        )  # fmt: skip

    # putting together

    def _make_setup(self) -> RunSetup:
        return RunSetup(
            strategy=self.options.strategy, scalper=self._scalper(),
            trading=_paced(trading_profile(self.profile.name), self.options.speed or 1), markets=self._chosen,
            started_at=self.started_at, starting_cash=BALANCE,
        )  # fmt: skip

    def _scalper(self) -> ScalperSettings:
        """The profile's, on the interval that was asked for."""
        scalper, interval = self.profile.scalper, self.options.interval
        chosen = msgspec.structs.replace(scalper, interval=interval) if interval else scalper
        chosen.validate()
        return chosen

    @property
    def _chosen(self) -> tuple[Any, ...]:
        wanted = self.options.symbols
        return tuple(market for market in self._feed.markets if not wanted or market.symbol in wanted)

    def _trader(self, rest_url: str, ws_url: str, journal: Journal, tape: Tape) -> Trader:
        settings = ParadexSettings(
            environment=Environment.SIMULATOR, rest_url=rest_url, ws_url=ws_url, onboard=True,
            interactive=self.options.fee_class is FeeClass.RETAIL,
            markets=tuple((market.symbol, market.market) for market in self._chosen), busy_market=self._chosen[0].market,
        )  # fmt: skip
        settings = _patient(settings, self.options.speed or 1)
        dice = Random(f"client/{self.options.seed}")  # noqa: S311 - backoff jitter, not secrets
        client = ParadexClient(settings, dice, signer=self._signer)
        return Trader(client, self.engine, journal, tape, [self.tally])

    def _box(self, base_url: str) -> Box:
        settings = box_settings(seed=self.options.seed, base_url=base_url, balance=BALANCE)
        if self.options.speed is None:
            settings = msgspec.structs.replace(settings, slow_reader_limit=0)
        return open_box(self._feed, settings, seed=self.options.seed, started_at=self.started_at)

    # driving

    def _drive_lockstep(self, journal: Journal, tape: Tape) -> tuple[Box, Trader]:
        clock = VirtualClock(self.started_at)
        box = self._box("http://127.0.0.1:8787")
        trader = self._trader("http://127.0.0.1:8787/v1", "ws://127.0.0.1:8787/v1", journal, tape)
        dice = Random(f"latency/{self.options.seed}")  # noqa: S311 - simulated latency, not secrets
        lockstep = LockStep(trader, box.server, box.pump, LatencyModel(dice), clock)
        lockstep.start()
        while clock.now() < self.ends_at and not self._interrupt.asked:
            lockstep.run_until(min(clock.now() + VIEW_EVERY_US, self.ends_at))
            self._show(clock.now(), trader)
        lockstep.tell(OperatorAsked(OperatorAction.STOP, END_OF_RUN))
        lockstep.drain(self._at_rest, CLOSING_LIMIT_S * SECOND_US)
        self._show(clock.now(), trader)
        lockstep.finish()
        return box, trader

    def _drive_sockets(self, journal: Journal, tape: Tape) -> tuple[Box, Trader]:
        return _event_loop()(self._drive_sockets_async(journal, tape))  # type: ignore[no-any-return]

    async def _drive_sockets_async(self, journal: Journal, tape: Tape) -> tuple[Box, Trader]:
        speed = self.options.speed
        assert speed is not None
        box = self._box("http://127.0.0.1")
        clock = ScaledClock(self.started_at, speed)
        async with ServerShell(box.server, clock, box.pump) as shell:
            trader = self._trader(f"{shell.http_url}/v1", shell.ws_url, journal, tape)
            async with LiveDriver(trader, clock) as driver:
                painter = asyncio.create_task(self._paint(clock, trader))
                try:
                    await driver.wait(lambda: self._interrupt.asked, timeout_s=clock.wait_s(self.ends_at))
                    driver.tell(OperatorAsked(OperatorAction.STOP, END_OF_RUN))
                    await driver.wait(self._at_rest, timeout_s=CLOSING_LIMIT_S / speed + 5)
                finally:
                    painter.cancel()
                self._show(clock.now(), trader)
        return box, trader

    async def _paint(self, clock: Clock, trader: Trader) -> None:
        while True:
            self._show(clock.now(), trader)
            await asyncio.sleep(0.25)

    def _at_rest(self) -> bool:
        """Flat, and nothing of ours lives at the exchange any more."""
        status = self.engine.status()
        return not self.tally.open_positions and status.open_orders == 0

    def _show(self, now: int, trader: Trader) -> None:
        elapsed = (min(now, self.ends_at) - self.started_at) / SECOND_US
        self._view.show(
            ViewFrame(
                status=self.engine.status(), elapsed_s=elapsed, seconds=self.options.seconds, tally=self.tally,
                latency=trader.latency, title=self.title, label=self.profile.label,
            )
        )  # fmt: skip

    @property
    def title(self) -> str:
        """What is running, for people."""
        feed = SYNTHETIC if self.options.feed == SYNTHETIC else Path(self.options.feed).name
        speed = "as fast as it goes" if self.options.speed is None else f"{self.options.speed}x"
        own = f"{self.options.strategy} - " if self.options.strategy.file else ""
        retail = ", retail fees" if self.options.fee_class is FeeClass.RETAIL else ""
        return f"FlashScalper demo - {own}{feed} market, seed {self.options.seed}, {speed}{retail}"


def demo(options: DemoOptions) -> int:
    """Run it; exit code 0 when it traded, ended flat and its ledger equals the exchange's."""
    if options.feed == SYNTHETIC:
        started_at = STARTED_AT
        feed: Feed = open_synthetic(seed=options.seed, symbols=options.symbols, started_at=started_at)
    else:
        recording = open_recording(options.feed, symbols=options.symbols)
        feed, started_at = recording, recording.start_at - LEAD_US
    if shed := shed_old_runs(WallClock().now(), options.runs):
        sys.stderr.write(f"{shed}\n")
    view = _view_for(options)
    interrupt = Interrupt()
    run = Demo(options, feed, started_at, view, interrupt)
    with interrupt, view:
        artifacts = RunArtifacts(_run_id(options), options.runs)
        summary = run.run(artifacts)
    if options.json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        view.finish(summary)
    return 0 if summary["ledger_matches"] and not summary["open_positions"] else 1


def _paced(settings: TradingSettings, speed: int) -> TradingSettings:
    """At ten times the speed the machine is as slow as ever: what waits for an answer waits as long in wall time."""
    protection = settings.protection
    slower = {name: getattr(protection, name) * speed for name in _ANSWER_WAITS}
    timing = settings.timing
    timing = msgspec.structs.replace(timing, answer_within_s=timing.answer_within_s * speed)
    return msgspec.structs.replace(
        settings, intervals=CHART_INTERVALS, timing=timing, protection=msgspec.structs.replace(protection, **slower)
    )


def _patient(settings: ParadexSettings, speed: int) -> ParadexSettings:
    """The same for the client's own deadlines."""
    return msgspec.structs.replace(
        settings,
        recv_window_ms=settings.recv_window_ms * speed,
        **{name: getattr(settings, name) * speed for name in _CLIENT_WAITS},
    )


def _view_for(options: DemoOptions) -> View:
    if options.json:
        return PlainView(None)
    return LiveView() if sys.stdout.isatty() else PlainView(sys.stdout)


def _run_id(options: DemoOptions) -> str:
    return f"demo-{datetime.now(tz=UTC):%Y%m%d-%H%M%S-%f}-seed{options.seed}"


def _demo_key(seed: int) -> Secret:
    """The demo account's key: anybody can make it from the seed, which is all right where there is no money."""
    digest = hashlib.sha256(f"flashscalper demo account {seed}".encode()).digest()
    return Secret(hex(int.from_bytes(digest, "big") >> 6 | 1))


def _event_loop() -> Callable[..., Any]:
    """uvloop's runner where it exists, else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
