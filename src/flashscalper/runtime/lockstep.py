"""A trader and a simulated exchange joined in memory: the same bytes as over sockets, on a virtual clock.

The next thing to happen is always the earliest of: a message on the wire, the server's deadline, the trader's deadline, the
next market event; at the same instant in this order, so market time goes on only when both sides have nothing more due.
Same seed, same journal hash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flashscalper.model.events import Event
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.clock import VirtualClock
from flashscalper.runtime.hosting.pump import FeedPump
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel, ToServer, Wire
from flashscalper.simulator.base import ExchangeServer, ServerTimerDue

_STUCK_AFTER: Final = 10_000
"""Deadlines at one instant after which a machine that asks to be woken and does nothing is called a defect."""


class LockStep:
    """Drives one trader against one simulated exchange; single-threaded and deterministic.

    `start`; `run_until` the end of the run; `tell` the engine to stop; `drain` until it is flat; `finish`.
    """

    def __init__(
        self, trader: Trader, server: ExchangeServer, pump: FeedPump | None, latency: LatencyModel, clock: VirtualClock
    ) -> None:
        self._trader = trader
        self._server = server
        self._pump = pump
        self._clock = clock
        self._wire = Wire(latency)
        self._woken_at = 0
        self._woken = 0

    def start(self) -> None:
        """Let the client open its connections."""
        self._trader.start(self._clock.now())
        self._after_trader()

    def run_until(self, at: int, stop: Callable[[], bool] | None = None) -> None:
        """Let everything happen that is due up to `at` (inclusive) and stand there; or end after a step when `stop()`."""
        while self._step(at):
            if stop is not None and stop():
                return
        self._clock.advance_to(at)

    def tell(self, event: Event) -> None:
        """Hand the engine an event that comes from no exchange: an operator's word."""
        self._trader.tell(event, self._clock.now())
        self._after_trader()

    def drain(self, done: Callable[[], bool], limit_us: int = 60 * SECOND_US) -> bool:
        """Go on until `done()`, for at most `limit_us` of market time; says whether it is done."""
        if not done():
            self.run_until(self._clock.now() + limit_us, done)
        return done()

    def finish(self) -> None:
        """Let the client close its connections and the server see it."""
        self._trader.stop(self._clock.now())
        self._after_trader()
        while self._wire.next_at() is not None:
            self._deliver()

    def _step(self, until_at: int) -> bool:
        """Do the next thing if it is due by `until_at`; says whether there was one."""
        due = self._next()
        if due is None or due[0] > until_at:
            return False
        at, action = due
        self._clock.advance_to(at)
        action()
        return True

    def _next(self) -> tuple[int, Callable[[], None]] | None:
        best: tuple[int, Callable[[], None]] | None = None
        candidates = (
            (self._wire.next_at(), self._deliver),
            (self._server.next_deadline(), self._wake_server),
            (self._trader.next_deadline(), self._wake_trader),
            (self._pump.next_at() if self._pump else None, self._release),
        )
        now = self._clock.now()
        for at, action in candidates:
            if at is not None and (best is None or max(at, now) < best[0]):
                best = (max(at, now), action)
        return best

    def _deliver(self) -> None:
        at = self._wire.next_at()
        assert at is not None
        now = self._clock.advance_to(at)
        item = self._wire.deliver()
        if item is None:
            return
        if isinstance(item, ToServer):
            self._server.receive(item.message, now)
            self._after_server()
        else:
            self._trader.incoming(item.message, now)
            self._after_trader()

    def _wake_server(self) -> None:
        self._count_wake("server")
        self._server.receive(ServerTimerDue(), self._clock.now())
        self._after_server()

    def _wake_trader(self) -> None:
        self._count_wake("trader")
        self._trader.due(self._clock.now())
        self._after_trader()

    def _release(self) -> None:
        assert self._pump is not None
        self._pump.release(self._clock.now())
        self._after_server()

    def _after_trader(self) -> None:
        now = self._clock.now()
        for item in self._trader.outgoing():
            self._wire.send(item, now)
        self._trader.sent()

    def _after_server(self) -> None:
        now = self._clock.now()
        for item in self._server.outgoing():
            self._wire.answer(item, now)

    def _count_wake(self, who: str) -> None:
        """A machine that wants to be woken again and again at one instant would stop market time for ever."""
        now = self._clock.now()
        self._woken = self._woken + 1 if now == self._woken_at else 0
        self._woken_at = now
        if self._woken > _STUCK_AFTER:
            raise RuntimeError(f"the {who} asked {_STUCK_AFTER} times to be woken at {now}; a deadline does not move on")
