"""The glue of a trading process: one synchronous call from a frame that came in to the order bytes that go out.

message -> client -> event -> tape -> engine -> journal (one sync if an order is among it) -> client -> bytes. Only when all
that leaves was made durable before (an armed exit is released), the bytes go first. There is no queue, no task switch and no
await on this path. Drivers (`lockstep`, `live`) call it, execute what it wants done and say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from flashscalper.exchanges.base import ExchangeClient, Incoming, Outgoing, TimerDue
from flashscalper.model.commands import Command, ModifyOrder, PlaceOrder, ReleaseOrder
from flashscalper.model.errors import JournalError
from flashscalper.model.events import (
    Event,
    OperatorAction,
    OperatorAsked,
    RequestKind,
    RequestOutcome,
    TimePassed,
    Trouble,
    Verdict,
)
from flashscalper.model.orders import OrderRole
from flashscalper.model.records import KlineClosed, Record, TradingStateChanged
from flashscalper.runtime.journal import Journal, Output, holds_order
from flashscalper.runtime.latency import Durations
from flashscalper.runtime.tape import Tape

Observer = Callable[[Event, Sequence[Output]], None]
"""Somebody who looks on: gets every event with everything the engine answered, after the commands were handed on."""

_COMMANDS = Command.__args__
_SIGNED = (PlaceOrder, ModifyOrder, ReleaseOrder)


class EventMachine(Protocol):
    """What a trader drives: the engine, or anything that takes events and answers with commands and records."""

    def handle(self, event: Event, now: int) -> Sequence[Output]:
        """Take one event; return ordered outputs."""
        ...

    def wake_at(self) -> int | None:
        """When it wants `TimePassed`."""
        ...


class Trader:
    """One engine on one exchange client, with its journal and tape. Every call is synchronous; `now` never decreases.

    `latency` holds, for every signed order whose bytes left within the call that decided it, the wall time from the entry of
    the frame (or timer, or operator's word) to `sent`. Orders that the client held back are not in it.

    When the journal cannot be written (a full disk), `journal_lost` says why, and from that moment on nothing that adds risk
    is handed to the client; the engine is told to stop opening. Stops, exits, cancels and reads go on: they need no journal,
    because what carries our prefix is found at the exchange by the next start. A tape that cannot be written only ends.

    `latched` says why the kill switch is closed (None: it is open). It is asked whenever something that adds risk is about
    to leave: a process that hung, or reads a backlog first, opens nothing before it has seen the latch.
    """

    def __init__(
        self, client: ExchangeClient, engine: EventMachine, journal: Journal, tape: Tape, observers: Sequence[Observer] = (),
        *, latched: Callable[[], str | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.latency = Durations()
        self._client = client
        self._engine = engine
        self._journal = journal
        self._tape = tape
        self._observers = tuple(observers)
        self._latched = latched
        self._entered_ns = 0
        self._order_decided = False
        self._halted = False
        self.journal_lost = ""
        self._unwritten: tuple[int, Sequence[Output]] | None = None

    def start(self, now: int) -> None:
        """Let the client begin: its first outgoing things are ready after this."""
        self._enter()
        self._client.start(now)

    def incoming(self, message: Incoming, now: int) -> None:
        """Take one report of the outside world as far as it goes."""
        self._enter()
        for event in self._client.receive(message, now):
            self._handle(event, now)

    def tell(self, event: Event, now: int) -> None:
        """Hand the engine an event that comes from no exchange: an operator's word, the end of the run."""
        self._enter()
        self._handle(event, now)

    def due(self, now: int) -> None:
        """Wake whoever asked to be woken by now: the client, the engine, or both."""
        deadline = self._client.next_deadline()
        if deadline is not None and deadline <= now:
            self.incoming(TimerDue(), now)
        wake_at = self._engine.wake_at()
        if wake_at is not None and wake_at <= now:
            self.tell(TimePassed(now), now)

    def next_deadline(self) -> int | None:
        """When `due` should be called next; None when nobody waits for time."""
        deadline, wake_at = self._client.next_deadline(), self._engine.wake_at()
        if deadline is None or wake_at is None:
            return wake_at if deadline is None else deadline
        return min(deadline, wake_at)

    def outgoing(self) -> Sequence[Outgoing]:
        """What the driver has to do now, in order; drained by the call. Ask after every other call, then call `sent`."""
        return self._client.outgoing()

    def sent(self) -> None:
        """The driver has handed the bytes of the last `outgoing` to the transport."""
        if self._order_decided:
            self._order_decided = False
            self.latency.add(time.perf_counter_ns() - self._entered_ns)
        self._catch_up()

    def stop(self, now: int) -> None:
        """Let the client close its sockets for good; orders and positions at the exchange stay as they are."""
        self._enter()
        self._catch_up()
        self._client.stop(now)

    def _enter(self) -> None:
        self._entered_ns = time.perf_counter_ns()
        self._order_decided = False

    def _handle(self, event: Event, now: int) -> None:
        self._catch_up()
        self._record(event, now)
        outputs = self._engine.handle(event, now)
        if _leaves_first(outputs):
            self._unwritten, kept = (now, outputs), True
        else:
            kept = not outputs or self._write_down(outputs, now)
        killed = self._latched() if any(map(adds_risk, outputs)) else None
        free = kept and killed is None
        self._submit(outputs if free else [output for output in outputs if not adds_risk(output)], now)
        for observer in self._observers:
            observer(event, outputs)
        if not kept:
            self._halt(outputs, now)
        elif killed is not None:
            self._never_left(outputs, "the kill switch is latched", now)
            self._handle(OperatorAsked(OperatorAction.KILL, killed), now)

    def _catch_up(self) -> None:
        """Write what left before it was written."""
        if self._unwritten is not None:
            (at, outputs), self._unwritten = self._unwritten, None
            if not self._write_down(outputs, at):
                self._halt((), at)

    def _record(self, event: Event, now: int) -> None:
        try:
            self._tape.write(now, event)
        except JournalError as error:
            self._handle(Trouble("tape", f"the tape ends here: {error}"), now)

    def _write_down(self, outputs: Sequence[Output], now: int) -> bool:
        """Whether the journal has it, on the disk if an order is among it."""
        if self.journal_lost:
            return False
        try:
            self._journal.append(now, [output for output in outputs if not isinstance(output, KlineClosed)])
            if holds_order(outputs) or _is_halting(outputs):
                self._journal.sync()
        except JournalError as error:
            self.journal_lost = str(error)
            return False
        return True

    def _halt(self, outputs: Sequence[Output], now: int) -> None:
        """Nothing is remembered any more: no new risk."""
        self._never_left(outputs, "the journal cannot be written", now)
        if not self._halted:
            self._halted = True
            self._handle(OperatorAsked(OperatorAction.STOP, self.journal_lost), now)

    def _never_left(self, outputs: Sequence[Output], why: str, now: int) -> None:
        """The engine hears of what was held back as never sent."""
        for output in outputs:
            if isinstance(output, PlaceOrder) and adds_risk(output):
                self._handle(RequestOutcome(RequestKind.PLACE, output.client_id, Verdict.UNSENT, message=why), now)

    def _submit(self, outputs: Sequence[Command | Record], now: int) -> None:
        for output in outputs:
            if isinstance(output, _COMMANDS):
                self._client.submit(output, now)
                self._order_decided = self._order_decided or isinstance(output, _SIGNED)


def adds_risk(output: Output) -> bool:
    """Whether it is an order, or the change of one, that may make a position larger."""
    if isinstance(output, PlaceOrder):
        return not output.reduce_only
    return isinstance(output, ModifyOrder) and output.role is OrderRole.ENTRY


def _is_halting(outputs: Sequence[Output]) -> bool:
    """Whether it latches a halt (a kill): a power cut must not undo what a person asked for."""
    return any(type(output) is TradingStateChanged and output.after == "halted" for output in outputs)


def _leaves_first(outputs: Sequence[Output]) -> bool:
    """Whether all that leaves has been durable for a while: an armed order is released, and nothing else is sent."""
    return bool(outputs) and any(type(output) is ReleaseOrder for output in outputs) and not holds_order(outputs)
