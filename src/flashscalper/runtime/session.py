"""One process that trades one account: engine, client, journal and clock put together, and all that a person may do to it.

From start to end: carry the state of the last run on, connect, trade, take orders (endpoint, signals, the KILL file), stop
in order, say what is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from random import SystemRandom
from typing import Any, Final

import msgspec

from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.model.errors import FlashScalperError, JournalError
from flashscalper.model.events import FeeClass, OperatorAction, OperatorAsked
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.artifacts import RunArtifacts
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.control import Asked, ControlServer
from flashscalper.runtime.hosting.paper import PaperExchange
from flashscalper.runtime.live import LiveDriver
from flashscalper.runtime.logs import RunLog
from flashscalper.runtime.metrics import Kept, Metrics, MetricsServer
from flashscalper.runtime.preflight import Readiness
from flashscalper.runtime.recovery import begin_journal
from flashscalper.runtime.session_lock import AccountFolder
from flashscalper.runtime.setup import RunSetup
from flashscalper.runtime.status import what_is_left, whole_status
from flashscalper.runtime.store.follower import StoreFollower, StoreTarget
from flashscalper.runtime.strategy_files import StrategySource
from flashscalper.runtime.tally import Tally
from flashscalper.runtime.tape import Tape
from flashscalper.runtime.trader import Observer, Trader
from flashscalper.strategies.scalper_settings import ScalperSettings
from flashscalper.trading.risk import CLEAR_KILL, Halt
from flashscalper.trading.saved import SavedState, taken_over
from flashscalper.trading.settings import TradingSettings
from flashscalper.trading.status import EngineStatus

STOPS_WITHIN_S: Final = 20.0
KILL_POLL_S: Final = 0.05
PAINT_EVERY_S: Final = 0.5
_STREAMS_COME_WITHIN_US: Final = 5 * SECOND_US
_BEHIND_US: Final = 2 * SECOND_US
_UNSETTLED: Final = ("entry_in_flight", "order_in_doubt", "closing")


class SessionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be traded, where and how. `seconds` 0 runs until it is stopped; without a
    `metrics_port` nobody can scrape it, 0 takes any free one."""

    mode: str
    run: str
    settings: ParadexSettings
    readiness: Readiness
    strategy: StrategySource
    scalper: ScalperSettings
    trading: TradingSettings
    seconds: float = 0.0
    metrics_port: int | None = None
    store: StoreTarget | None = None


class Session:
    """Runs a plan. `view` is called twice a second; `child` is the exchange of a paper run."""

    def __init__(
        self, plan: SessionPlan, folder: AccountFolder, artifacts: RunArtifacts, log: RunLog, saved: SavedState | None,
        *, child: PaperExchange | None = None, view: Callable[[Session], None] | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.folder = folder
        self.artifacts = artifacts
        self.tally = Tally(for_report=False)
        self.metrics = Metrics(self._looked_at, self._kept)
        self.clock = WallClock()
        self.started_at = self.clock.now()
        self._log = log
        self._saved = saved = None if saved is None else taken_over(saved, self.started_at)
        self._child = child
        self._view = view
        self._stopping = ""
        self._leave = asyncio.Event()
        self._driver: LiveDriver | None = None
        self._were_ready: set[str] = set()
        self._setup = RunSetup(
            strategy=plan.strategy, scalper=plan.scalper, trading=plan.trading, markets=plan.readiness.markets,
            started_at=self.started_at,
        )  # fmt: skip
        self._setup.check_stops(FeeClass.RETAIL if plan.settings.interactive else FeeClass.PRO)
        self.engine = self._setup.engine(saved)
        self.store = StoreFollower(plan.store, artifacts.folder.parent)

    # ---- from start to end ----

    async def run(self) -> dict[str, Any]:
        """Trade until stopped; returns the summary. Raises what stopped it otherwise (an exchange that is not the one it
        should be, a defect)."""
        self._check_clock()
        plan, account = self.plan, self.plan.readiness.account
        metadata = {"run": plan.run, "account": account, "mode": plan.mode, **self._setup.metadata()}
        with ExitStack() as files:
            files.callback(self._say_store)
            files.enter_context(self.store)
            tape = Tape(self.artifacts.tape, metadata)  # before the journal: what has a journal can be replayed
            files.callback(self._end_tape, tape)
            journal = files.enter_context(
                begin_journal(self.artifacts.journal, metadata, self._saved, self.folder, self.started_at)
            )
            self.store.start(self.artifacts.journal)
            client = ParadexClient(plan.settings, SystemRandom(), signer=plan.readiness.signer)
            observers: list[Observer] = [self.tally, self._log, self.metrics]
            latched = self.folder.killed_because
            self.trader = Trader(client, self.engine, journal, tape, observers, latched=latched)
            await self._drive(client)
            return self._summary(journal.hash())

    def _end_tape(self, tape: Tape) -> None:
        """A tape that cannot be written only ends: the run itself ended in order."""
        try:
            tape.close()
        except JournalError as error:
            self._log.tell(f"{error}; its last second is missing")

    def _check_clock(self) -> None:
        saved_at = self._saved.saved_at if self._saved is not None else 0
        if saved_at > self.started_at + _BEHIND_US:
            behind = (saved_at - self.started_at) / SECOND_US
            raise JournalError(f"this machine's clock is {behind:.0f} s behind the journal of the last run; set it first")

    async def _drive(self, client: ParadexClient) -> None:
        async with AsyncExitStack() as stack:
            driver = self._driver = await stack.enter_async_context(LiveDriver(self.trader, self.clock))
            self._take_latch()
            control = ControlServer(self.folder, self.plan.run, os.getpid(), self._act)
            await stack.enter_async_context(control)
            self._log.blot(control.token)
            if self.plan.metrics_port is not None:
                server = await stack.enter_async_context(MetricsServer(self.metrics, self.plan.metrics_port))
                self._log.tell(f"metrics at http://127.0.0.1:{server.port}/metrics")
            self._listen_to_signals(stack)
            for work in (self._watch_kill_file(), self._paint()):
                stack.callback(asyncio.create_task(work).cancel)
            await self._while_running(driver, lambda: self._over(client), self.plan.seconds or None)
            self.stop(self._stopping or "end of the run")
            await self._while_running(driver, self._at_rest, STOPS_WITHIN_S)
            self._log.tell(f"stopped ({self._stopping}); {what_is_left(self.status())}")
        if client.refused:
            raise FlashScalperError(client.refused)
        if self._child is not None and self._child.ended:
            raise FlashScalperError(f"the paper exchange ended: {self._child.last_words}")

    async def _while_running(self, driver: LiveDriver, done: Callable[[], bool], timeout_s: float | None) -> None:
        """Until `done`, the time-out, or a person's second word to leave."""
        waiting = asyncio.create_task(driver.wait(done, timeout_s))
        leaving = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                waiting.result()
        finally:
            waiting.cancel()
            leaving.cancel()

    def _over(self, client: ParadexClient) -> bool:
        return bool(self._stopping or client.refused) or (self._child is not None and self._child.ended)

    # ---- what people may do ----

    def stop(self, reason: str) -> None:
        """No entries from here on; positions stay with their stops, or are closed, as the policy says."""
        if not self._stopping:
            self._stopping = reason
            self._tell(OperatorAction.STOP, reason)

    def kill(self, reason: str) -> None:
        """Cancel what is ours, flatten or keep stops as configured, latched until a person clears it."""
        self._tell(OperatorAction.KILL, reason)
        try:
            self.folder.latch(reason)
        except OSError as error:
            journal = "neither can the journal: the next start would trade again"
            self._log.tell(
                f"the latch could not be written ({error.strerror}); "
                + (journal if self.trader.journal_lost else "it holds in the journal")
            )

    def resume(self, *, clear_kill: bool) -> None:
        """Take pauses and halts away; the latch of the kill switch only when asked for by name."""
        if clear_kill:
            self.folder.kill.unlink(missing_ok=True)
            self.folder.cleared.unlink(missing_ok=True)
        self._tell(OperatorAction.RESUME, CLEAR_KILL if clear_kill else "resume")

    def _act(self, action: str, asked: Asked) -> dict[str, Any]:
        reason = "".join(sign for sign in asked.reason if sign.isprintable())[:200] or "asked for at the control endpoint"
        if action == "pause":
            self._tell(OperatorAction.PAUSE, reason)
        elif action == "resume":
            self.resume(clear_kill=asked.clear_kill)
        elif action == "flatten":
            self._tell(OperatorAction.FLATTEN, reason)
        elif action == "kill":
            self.kill(reason)
        elif action == "stop":
            self.stop(reason)
        return self.status()

    def _tell(self, action: OperatorAction, reason: str) -> None:
        if self._driver is not None:
            self._driver.tell(OperatorAsked(action, reason))

    def _take_latch(self) -> None:
        """What a person did to the kill switch while nothing ran."""
        killed = self.folder.killed_because()
        if killed is not None:
            self._log.tell(f"killed: {killed}; `flashscalper resume --clear-kill` opens the latch")
            self._tell(OperatorAction.KILL, killed)
        elif self.folder.cleared.exists():
            self._tell(OperatorAction.RESUME, CLEAR_KILL)
            self.folder.cleared.unlink(missing_ok=True)

    async def _watch_kill_file(self) -> None:
        while True:
            await asyncio.sleep(KILL_POLL_S)
            if self.folder.kill.exists() and not self._killed():
                self.kill(self.folder.killed_because() or "the KILL file was there for a moment")

    def _killed(self) -> bool:
        return any(reason.partition(":")[0] == Halt.KILLED for reason in self.engine.status().reasons)

    def _listen_to_signals(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted, number)
            stack.callback(loop.remove_signal_handler, number)
        loop.add_signal_handler(signal.SIGUSR1, self.kill, "SIGUSR1")
        stack.callback(loop.remove_signal_handler, signal.SIGUSR1)

    def _interrupted(self, number: signal.Signals) -> None:
        if self._stopping:
            self._log.tell("leaving at once")
            self._leave.set()
        else:
            self._log.tell(f"{number.name}: no more entries; once more leaves at once")
            self.stop(number.name)

    # ---- what it looks like ----

    def status(self) -> dict[str, Any]:
        """Everything that `flashscalper status` shows."""
        seen = self.engine.status()
        return whole_status(
            seen, run=self.plan.run, mode=self.plan.mode, place=self.folder.place, account=self.plan.readiness.account,
            folder=str(self.artifacts.folder.resolve()), degraded=self._degraded(seen), stopping=self._stopping,
            killed=self.folder.killed_because(), latency=self.trader.latency, store=self.store.seen,
        )  # fmt: skip

    def _looked_at(self) -> tuple[EngineStatus, bool]:
        seen = self.engine.status()
        return seen, self._degraded(seen)

    def _kept(self) -> Kept:
        return Kept(journal_lost=bool(self.trader.journal_lost), log_lines_lost=self._log.lost, store=self.store.seen)

    def _degraded(self, seen: EngineStatus) -> bool:
        """A stream that was there is gone, or one never came although it had the time to."""
        self._were_ready.update(stream for stream, ready in seen.streams if ready)
        late = self.clock.now() >= self.started_at + _STREAMS_COME_WITHIN_US
        return any(not ready and (late or stream in self._were_ready) for stream, ready in seen.streams)

    async def _paint(self) -> None:
        degraded = False
        while True:
            seen = self._degraded(self.engine.status())
            if seen != degraded:
                degraded = seen
                self._log.tell("DEGRADED: a stream is gone; nothing is opened" if degraded else "no longer degraded")
            self._say_store()
            if self._view is not None:
                self._view(self)
            await asyncio.sleep(PAINT_EVERY_S)

    def _say_store(self) -> None:
        news = self.store.news()
        if news:
            self._log.tell(news)

    def _at_rest(self) -> bool:
        """Nothing is under way: flat without orders, or every position with its stop at the exchange."""
        if self._leave.is_set():
            return True
        seen = self.engine.status()
        if any(block.partition(":")[0] in _UNSETTLED for market in seen.markets for block in market.blocks):
            return False
        held = [market.position for market in seen.markets if market.position is not None]
        if self._flattens():
            return not held and seen.open_orders == 0
        return all(position.protection == "protected" for position in held) and seen.open_orders <= 2 * len(held)

    def _flattens(self) -> bool:
        protection = self.plan.trading.protection
        return protection.flatten_on_stop or (protection.flatten_on_kill and self._killed())

    def _summary(self, journal_hash: str) -> dict[str, Any]:
        seen = self.engine.status()
        latency = self.trader.latency
        return {
            "mode": self.plan.mode, "run": self.plan.run, "account": self.plan.readiness.account, **self.tally.counts(),
            "open_positions": {m.symbol: str(m.position.size) for m in seen.markets if m.position is not None},
            "protected": all(m.position is None or m.position.protection == "protected" for m in seen.markets),
            "state": seen.state, "reasons": list(seen.reasons), "equity": str(seen.equity),
            "latency_ms": {"p50": latency.percentile_ms(50), "p99": latency.percentile_ms(99)},
            "stopped": self._stopping, "journal_hash": journal_hash, "artifacts": str(self.artifacts.folder),
        }  # fmt: skip
