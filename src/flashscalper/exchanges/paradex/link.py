"""One WebSocket connection kept alive: open, set up, watch, lose, wait, open again, for ever.

It knows nothing of what flows over it. Its owner gives a set-up flow (login, subscriptions, back-fill) and takes frames.
Requests are matched to answers by id; whatever still waits when the socket goes is answered with what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.base import CloseSocket, OpenSocket, SendFrame
from flashscalper.exchanges.paradex import requests, wire
from flashscalper.model.errors import DeadlineError, ExchangeError, FlashScalperError, TransportError
from flashscalper.model.instants import SECOND_US

if TYPE_CHECKING:
    from flashscalper.exchanges.paradex.alarms import Alarm
    from flashscalper.exchanges.paradex.desk import Ask, Desk, Done, Flow

RpcOutcome = wire.Envelope | None
"""A request's answer; None means the socket went or the deadline passed before one came."""

RpcDone = Callable[[RpcOutcome, int], None]
_PROBE_TIMEOUT_S: Final = 2.0
_STEADY_US: Final = 30 * SECOND_US
"""A connection that stayed ready this long earns a fresh backoff."""


class LinkState(StrEnum):
    """Where the connection is."""

    DOWN = "down"
    OPENING = "opening"
    SETTING_UP = "setting_up"
    READY = "ready"


class Link:
    """One connection. `name` is the stream's name; each socket gets a fresh `conn`."""

    def __init__(self, desk: Desk, name: str, url: str, *, data_counts: bool) -> None:
        """`data_counts`: the feed is dead without data frames for `dead_feed_s`; otherwise pings are the test."""
        self._desk = desk
        self.name = name
        self._url = url
        self._data_counts = data_counts
        self._serial = 0
        self._attempts = 0
        self._wanted = False
        self.heard_at = 0
        """When the last data frame came; whoever takes frames sets it."""
        self._ready_at = 0
        self._pending: dict[int, tuple[RpcDone, Alarm]] = {}
        self._watch: Alarm | None = None
        self._setup_alarm: Alarm | None = None
        self._ping_alarm: Alarm | None = None
        self.state = LinkState.DOWN
        self.conn = ""
        """Our name of the socket that counts now; empty when there is none."""
        self.set_up: Callable[[int], Flow] = _no_set_up
        self.on_lost: Callable[[str, int], None] = _nobody

    @property
    def ready(self) -> bool:
        """Set up and alive as far as we know."""
        return self.state is LinkState.READY

    # ---- life ----

    def open(self, now: int) -> None:
        """Connect, unless that is under way."""
        self._wanted = True
        if self.state is not LinkState.DOWN or self._desk.stopped:
            return
        self._serial += 1
        self.conn = f"{self.name}-{self._serial}"
        self.state = LinkState.OPENING
        settings = self._desk.settings
        self._desk.out.append(OpenSocket(self.conn, self._url, (), settings.connect_timeout_s))
        self._guard(now, settings.connect_timeout_s + 1.0, "no handshake")

    def close(self, now: int, reason: str) -> None:
        """Give up this socket; unless the client stops, another follows after the backoff."""
        if self.state is LinkState.DOWN:
            return
        self._desk.out.append(CloseSocket(self.conn, reason))
        self._lost(reason, now)

    def shut(self) -> None:
        """Close for good."""
        self._wanted = False
        if self.state is not LinkState.DOWN:
            self._desk.out.append(CloseSocket(self.conn, "stop"))
            self.state = LinkState.DOWN
            self.conn = ""
        self._pending.clear()

    def opened(self, now: int) -> None:
        """The handshake succeeded: set up."""
        if self.state is not LinkState.OPENING:
            return
        self.state = LinkState.SETTING_UP
        self.heard_at = now
        self._guard(now, self._desk.settings.handshake_timeout_s, "set-up took too long")
        self._watch_from(now)
        self._desk.run(self.set_up(now), now)

    def closed(self, reason: str, status: int, now: int) -> None:
        """The runtime says that the socket is gone or never came up."""
        if self.state is not LinkState.DOWN:
            self._lost(f"{reason} (HTTP {status})" if status else reason, now)

    def became_ready(self, now: int) -> None:
        """The owner's set-up is complete."""
        self.state = LinkState.READY
        self._ready_at = now
        _cancel(self._setup_alarm)

    def prolong(self, now: int, delay_s: float) -> None:
        """The set-up needs longer for a good reason (a back-fill has its own deadlines)."""
        self._guard(now, delay_s, "set-up took too long")

    def pong(self, now: int) -> None:
        """The other side answered our ping."""
        _cancel(self._ping_alarm)
        if not self._data_counts:
            self.heard_at = now

    def _guard(self, now: int, delay_s: float, reason: str) -> None:
        _cancel(self._setup_alarm)
        self._setup_alarm = self._desk.later(now, delay_s, lambda at: self.close(at, reason))

    def _lost(self, reason: str, now: int) -> None:
        was_ready = self.state is LinkState.READY
        self.state = LinkState.DOWN
        self.conn = ""
        for alarm in (self._watch, self._setup_alarm, self._ping_alarm):
            _cancel(alarm)
        if was_ready and now - self._ready_at >= _STEADY_US:
            self._attempts = 0
        # First that it is gone, then what is unknown now: nothing is opened upon the second that the first forbids.
        self.on_lost(reason, now)
        pending, self._pending = self._pending, {}
        for done, alarm in pending.values():
            alarm.cancel()
            done(None, now)
        self._come_back(reason, now)

    def _come_back(self, reason: str, now: int) -> None:
        if not self._wanted or self._desk.stopped:
            return
        most = self._desk.settings.max_reconnect_attempts
        if most and self._attempts >= most:
            self._wanted = False
            self._desk.trouble("max_reconnect_attempts", f"{self.name}: gave up after {most} attempts; last: {reason}")
            return
        wait_s = self._desk.backoff_s(self._attempts)
        self._attempts += 1
        self._desk.trouble(self.name, f"lost ({reason}); attempt {self._attempts} in {wait_s:.3f} s")
        self._desk.later(now, wait_s, self.open)

    # ---- liveness ----

    def _watch_from(self, now: int) -> None:
        settings = self._desk.settings
        limit_s = settings.dead_feed_s if self._data_counts else settings.ping_every_s
        self._watch = self._desk.alarms.at(max(now + 1, self.heard_at + int(limit_s * SECOND_US)), self._check)

    def _check(self, now: int) -> None:
        settings = self._desk.settings
        silent_us = now - self.heard_at
        if self._data_counts:
            if silent_us >= int(settings.dead_feed_s * SECOND_US):
                self.close(now, f"no data for {settings.dead_feed_s} s")
                return
            self._watch_from(now)
        elif silent_us < int(settings.ping_every_s * SECOND_US):
            self._watch_from(now)
        else:
            self._desk.out.append(SendFrame(self.conn, b"", ping=True))
            self._ping_alarm = self._desk.later(now, settings.ping_timeout_s, self._no_pong)
            self._watch = self._desk.later(now, settings.ping_every_s, self._check)

    def doubt(self, conn: str, since: int, now: int) -> None:
        """Something that should have been answered on socket `conn` since `since` was not: if nothing at all was heard on
        it, ping at once and with little patience. A dead socket must not swallow the next order too."""
        if conn == self.conn and self.ready and self.heard_at <= since:
            self._desk.out.append(SendFrame(self.conn, b"", ping=True))
            _cancel(self._ping_alarm)
            self._ping_alarm = self._desk.later(now, _PROBE_TIMEOUT_S, self._no_pong)

    def _no_pong(self, now: int) -> None:
        self.close(now, "no pong in time")

    # ---- requests ----

    def request(self, method: str, params: bytes, now: int, timeout_s: float, done: RpcDone) -> None:
        """Send one request on the open socket; `done` gets its answer exactly once."""
        request_id = self._desk.next_id()
        alarm = self._desk.later(now, timeout_s, lambda at: self._expire(request_id, at))
        self._pending[request_id] = (done, alarm)
        self._desk.out.append(SendFrame(self.conn, requests.rpc(method, params, request_id)))

    def ask(self, method: str, params: bytes) -> Ask:
        """A request as a question for a flow; the answer is the encoded `result`."""

        def start(now: int, done: Done) -> None:
            if self.state in (LinkState.DOWN, LinkState.OPENING):
                done(TransportError(f"{self.name}: not connected"), now)
                return
            timeout_s = self._desk.settings.handshake_timeout_s
            self.request(method, params, now, timeout_s, lambda outcome, at: done(_answer(method, outcome), at))

        return start

    def answered(self, envelope: wire.Envelope, now: int) -> bool:
        """Hand an answer to whoever asked; False when nobody did."""
        return isinstance(envelope.id, int) and self._finish(envelope.id, envelope, now)

    def _expire(self, request_id: int, now: int) -> None:
        self._finish(request_id, None, now)

    def _finish(self, request_id: int, outcome: RpcOutcome, now: int) -> bool:
        found = self._pending.pop(request_id, None)
        if found is None:
            return False
        found[1].cancel()
        found[0](outcome, now)
        return True


def rpc_error(method: str, error: wire.RpcError) -> FlashScalperError:
    """A JSON-RPC error as one of ours; the code keeps its number."""
    detail = error.message if error.data is None else f"{error.message} ({error.data})"
    return ExchangeError(str(error.code), f"{method}: {detail}")


def _answer(method: str, outcome: RpcOutcome) -> bytes | FlashScalperError:
    if outcome is None:
        return DeadlineError(f"{method}: no answer")
    if outcome.error is not None:
        return rpc_error(method, outcome.error)
    return bytes(outcome.result)


def _cancel(alarm: Alarm | None) -> None:
    if alarm is not None:
        alarm.cancel()


def _nobody(reason: str, now: int) -> None:
    """Listen to nothing."""


def _no_set_up(now: int) -> Flow:  # noqa: ARG001 - a set-up's shape
    yield from ()
