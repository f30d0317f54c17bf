"""The driver over real sockets: calls a trader from the event loop, executes what it wants done, wakes it in time.

A frame is handed to the trader inside the transport's callback and the order bytes leave before that callback returns: no
queue, no task switch, no await between.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol, TypeVar

from flashscalper.exchanges.base import CloseSocket, HttpRequest, Incoming, OpenSocket, Outgoing, SendFrame
from flashscalper.model.events import Event
from flashscalper.runtime.clock import Clock
from flashscalper.runtime.collecting import rare_collections
from flashscalper.runtime.http import HttpShell
from flashscalper.runtime.sockets import SocketShell

T = TypeVar("T")


class Driven(Protocol):
    """What the driver drives: a `Trader`, or anything else that stands on an exchange client. See there."""

    def start(self, now: int) -> None:
        """Begin."""
        ...

    def incoming(self, message: Incoming, now: int) -> None:
        """Take one report of the outside world."""
        ...

    def tell(self, event: Event, now: int) -> None:
        """Take an event that comes from no exchange."""
        ...

    def due(self, now: int) -> None:
        """The deadline has come."""
        ...

    def next_deadline(self) -> int | None:
        """When `due` should be called next."""
        ...

    def outgoing(self) -> Sequence[Outgoing]:
        """What is to be done now; drained by the call."""
        ...

    def sent(self) -> None:
        """It was done."""
        ...

    def stop(self, now: int) -> None:
        """Close every socket for good."""
        ...


class LiveDriver:
    """Runs one trader on real sockets for as long as its `async with` block lasts.

    Whatever goes wrong in the trader (a defect) stops it at once: nothing further is sent, and `wait` and the end of the
    block raise it.
    """

    def __init__(self, trader: Driven, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        self._trader = trader
        self._clock = clock
        self._sockets = SocketShell(self._report, tls)
        self._http = HttpShell(self._report, tls)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: int | None = None
        self._changed: asyncio.Event = asyncio.Event()
        self._watched = False
        self._failure: BaseException | None = None
        self._running = False
        self._collecting = ExitStack()

    @property
    def failure(self) -> BaseException | None:
        """What stopped the trader, if anything did."""
        return self._failure

    def tell(self, event: Event) -> None:
        """Hand the engine an event that comes from no exchange: an operator's word."""
        if self._running:
            self._guarded(lambda now: self._trader.tell(event, now))

    def poke(self) -> None:
        """Something was asked of the trader directly: send what it wants done, and look at the time."""
        if self._running:
            self._guarded(self._trader.due)

    async def wait(self, done: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Until `done()`, asked after everything that happens, or for `timeout_s` of wall time; says whether it is done.

        Raises what stopped the trader.
        """
        self._watched = True
        try:
            async with asyncio.timeout(timeout_s):
                while not self._over(done):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return self._over(done)
        finally:
            self._watched = False
        return True

    async def __aenter__(self) -> LiveDriver:
        self._running = True
        self._collecting.enter_context(rare_collections())
        self._guarded(self._trader.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            self._guarded(self._trader.stop)
        self._running = False
        self._stop_timer()
        self._collecting.close()
        await self._sockets.aclose()
        await self._http.aclose()
        if error is None and self._failure is not None:
            raise self._failure

    def _report(self, message: Incoming) -> None:
        if not self._running:
            return
        try:
            self._trader.incoming(message, self._clock.now())
            self._after()
        except Exception as error:  # noqa: BLE001 - whatever it is, the trader must not go on
            self._fail(error)

    def _guarded(self, action: Callable[[int], None]) -> None:
        try:
            action(self._clock.now())
            self._after()
        except Exception as error:  # noqa: BLE001 - whatever it is, the trader must not go on
            self._fail(error)

    def _after(self) -> None:
        """Execute everything the trader wants done, then set the one timer."""
        for item in self._trader.outgoing():
            self._execute(item)
        self._trader.sent()
        self._arm()
        if self._watched:
            self._changed.set()

    def _execute(self, item: Outgoing) -> None:
        if isinstance(item, SendFrame):
            self._sockets.send(item)
        elif isinstance(item, HttpRequest):
            self._http.request(item)
        elif isinstance(item, OpenSocket):
            self._sockets.open(item)
        elif isinstance(item, CloseSocket):
            self._sockets.close(item)

    def _arm(self) -> None:
        at = self._trader.next_deadline()
        if at == self._timer_at:
            return
        self._stop_timer()
        if at is not None:
            self._timer_at = at
            self._timer = asyncio.get_running_loop().call_later(self._clock.wait_s(at), self._due)

    def _due(self) -> None:
        self._timer_at = None
        if self._running:
            self._guarded(self._trader.due)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = None

    def _over(self, done: Callable[[], bool]) -> bool:
        if self._failure is not None:
            raise self._failure
        return done()

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._running = False
        self._stop_timer()
        self._changed.set()


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a fresh event loop: uvloop's where it exists, asyncio's own otherwise."""
    with asyncio.Runner(loop_factory=_new_event_loop) as runner:
        return runner.run(main)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - it does not exist everywhere
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
