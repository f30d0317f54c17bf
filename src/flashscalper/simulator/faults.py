"""A simulated exchange with faults on request: stands between the shell (or the lock-step driver) and any exchange server.

Which messages are hit is decided in `fault_rules`; here it is done. Messages of one socket and direction keep their order
unless a fault is about just that; everything is decided by what was handed in, so the same seed gives the same faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from flashscalper.model.dice import Dice
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.instants import SECOND_US
from flashscalper.simulator.base import (
    DropSocket,
    ExchangeServer,
    FrameArrived,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    ServerIncoming,
    ServerOutgoing,
    ServerTimerDue,
    SocketAnswer,
    SocketArrived,
    SocketLeft,
)
from flashscalper.simulator.facts import Refusal
from flashscalper.simulator.fault_rules import ACTS, Fault, FaultKind, FaultState, Rules, Stage
from flashscalper.simulator.spoiled import Memory, cut, emptied, error_answer, error_frame

BROKEN: Final = 1006
"""The close code of a connection that ends without a close frame."""

_HTTP: Final = ""
"""All HTTP exchanges are in one queue where order matters; sockets have names."""

Message = ServerIncoming | ServerOutgoing


class FaultTarget(ExchangeServer, Protocol):
    """An exchange server to which more can happen than to its messages."""

    def set_status(self, status: ExchangeStatus, now: int) -> None:
        """Change the system mode."""
        ...

    def bust(self, fill_id: str, now: int) -> Refusal | None:
        """Take a fill back; "" means the newest."""
        ...

    def expire_tokens(self, now: int) -> None:
        """Every session token issued so far is over."""
        ...


class _Call(msgspec.Struct):
    """As much of a client's frame as addresses it."""

    method: str = ""
    id: Any = None


class _Held:
    """A message that waits. `done` when it went out before its time because another one passed."""

    __slots__ = ("done", "message", "stage")

    def __init__(self, stage: Stage, message: Message) -> None:
        self.stage = stage
        self.message = message
        self.done = False


class FaultyServer:
    """An `ExchangeServer` around another. `give` puts a rule in force; everything else is the wrapped server's."""

    def __init__(self, server: FaultTarget, dice: Dice, standing: Sequence[Fault] = ()) -> None:
        """`standing` are rules that are always in force, after those that are given."""
        self._server = server
        self._rules = Rules(dice, standing)
        self._memory = Memory()
        self._out: list[ServerOutgoing] = []
        self._now = 0
        self._questions: dict[int, HttpArrived] = {}
        self._copies = 0
        self._heap: list[tuple[int, int, _Held]] = []
        self._gates: dict[tuple[Stage, str], int] = {}
        self._swaps: dict[tuple[Stage, str], _Held] = {}
        self._pushed = 0
        self._dead: set[str] = set()
        self._appointments: list[tuple[int, int, Fault, bool]] = []

    # --- rules ------------------------------------------------------------------------------------------------------------

    def give(self, fault: Fault, now: int) -> int:
        """Put a rule in force; its number. An act without an address happens at its time."""
        active = self._rules.add(fault, now)
        if fault.kind in ACTS and not fault.at:
            self._appoint(active.began_at, fault, ends=False)
            self._keep_appointments(now)
        return active.id

    def take_back(self, id_: int) -> bool:
        """Remove a rule; False when there is none of that number."""
        return self._rules.remove(id_)

    def take_all_back(self) -> None:
        """Remove every rule. What they hold arrives at its time; half-open sockets stay so."""
        self._rules.clear()
        self._appointments = [each for each in self._appointments if each[3]]

    def given(self) -> list[FaultState]:
        """Every rule with its counters."""
        return self._rules.states()

    # --- ExchangeServer ---------------------------------------------------------------------------------------------------

    def receive(self, message: ServerIncoming, now: int) -> None:
        """Take one thing from a client, or the deadline."""
        self._begin(now)
        if isinstance(message, ServerTimerDue):
            deadline = self._server.next_deadline()
            if deadline is not None and deadline <= now:
                self._server.receive(message, now)
        else:
            self._arrived(message, now)
        self._collect(now)

    def feed(self, event: object, now: int) -> None:
        """Take one event of the market feed."""
        self._begin(now)
        self._server.feed(event, now)
        self._collect(now)

    def outgoing(self) -> Sequence[ServerOutgoing]:
        """Everything to be sent now, in order; drained by the call."""
        self._collect(self._now)
        sent, self._out = self._out, []
        return sent

    def next_deadline(self) -> int | None:
        """When the server or something held wants `ServerTimerDue` next."""
        dues = [due for due in (self._server.next_deadline(),) if due is not None]
        dues += [queue[0][0] for queue in (self._heap, self._appointments) if queue]
        return min(dues, default=None)

    # --- time -------------------------------------------------------------------------------------------------------------

    def _begin(self, now: int) -> None:
        """Let everything happen that was due before what comes now."""
        self._now = now
        self._keep_appointments(now)
        while self._heap and self._heap[0][0] <= now:
            held = heappop(self._heap)[2]
            if not held.done:
                self._let_go(held, now)
        for key in [key for key, at in self._gates.items() if at <= now]:
            del self._gates[key]

    def _appoint(self, at: int, fault: Fault, *, ends: bool) -> None:
        self._pushed += 1
        heappush(self._appointments, (at, self._pushed, fault, ends))

    def _keep_appointments(self, now: int) -> None:
        while self._appointments and self._appointments[0][0] <= now:
            _, _, fault, ends = heappop(self._appointments)
            if ends:
                self._server.set_status(ExchangeStatus.OK, now)
            else:
                self._act(fault, now)

    def _act(self, fault: Fault, now: int) -> None:
        if fault.kind is FaultKind.EXPIRE_TOKENS:
            self._server.expire_tokens(now)
        elif fault.kind is FaultKind.BUST:
            self._server.bust(fault.fill_id, now)
        else:
            self._server.set_status(fault.mode, now)
            if fault.duration_s:
                self._appoint(now + round(fault.duration_s * SECOND_US), fault, ends=True)

    # --- towards the exchange ---------------------------------------------------------------------------------------------

    def _arrived(self, message: ServerIncoming, now: int) -> None:
        conn = getattr(message, "conn", _HTTP)
        if conn in self._dead:
            return
        for active in self._rules.hits(_address_of(message), Stage.REQUEST, now):
            if self._spoil_request(active.fault, message, conn, now):
                return
        self._pass(Stage.REQUEST, conn, message, now)

    def _spoil_request(self, fault: Fault, message: ServerIncoming, conn: str, now: int) -> bool:
        """Do what the fault says; whether the message is thereby dealt with."""
        match fault.kind:
            case FaultKind.EXPIRE_TOKENS | FaultKind.BUST | FaultKind.MODE:
                self._act(fault, now)
                return False
            case FaultKind.DUPLICATE:
                if isinstance(message, FrameArrived | HttpArrived):
                    self._pass(Stage.REQUEST, conn, self._copy(message), now)
                return False
            case FaultKind.CUT:
                self._pass(Stage.REQUEST, conn, cut(message), now)
            case FaultKind.DELAY | FaultKind.REORDER:
                self._hold(fault, Stage.REQUEST, conn, message, now)
            case FaultKind.BREAK:
                self._break(message, now)
            case FaultKind.ERROR:
                self._refuse(fault, message)
            case FaultKind.HALF_OPEN if conn:
                self._dead.add(conn)
        return True  # DROP, and the half-open HTTP exchange, which hangs, come here without further ado

    def _copy(self, message: FrameArrived | HttpArrived) -> ServerIncoming:
        """The same message again; a request's second answer will find nobody."""
        if isinstance(message, FrameArrived):
            return message
        self._copies += 1
        return replace(message, id=-self._copies)

    def _break(self, message: ServerIncoming, now: int) -> None:
        """Break the connection that a message came on."""
        if isinstance(message, HttpArrived):
            self._out.append(HttpAnswer(message.id, 502, (), b"", broken=True))
        elif isinstance(message, SocketArrived):
            self._out.append(SocketAnswer(message.conn, 502))
        elif isinstance(message, FrameArrived):
            self._out.append(DropSocket(message.conn, BROKEN))
            self._server.receive(SocketLeft(message.conn), now)

    def _refuse(self, fault: Fault, message: ServerIncoming) -> None:
        """Answer in the exchange's place."""
        if isinstance(message, HttpArrived):
            self._out.append(error_answer(fault, message.id))
        elif isinstance(message, SocketArrived):
            self._out.append(SocketAnswer(message.conn, fault.status))
        elif isinstance(message, FrameArrived):
            call = _decode(message.data)
            self._out.append(FrameOut(message.conn, error_frame(fault, call.id), topic=call.method))

    # --- from the exchange ------------------------------------------------------------------------------------------------

    def _collect(self, now: int) -> None:
        """Take what the server says through the rules. An act of a rule may make it say more."""
        while items := self._server.outgoing():
            for item in items:
                self._answered(item, now)

    def _answered(self, item: ServerOutgoing, now: int) -> None:
        if isinstance(item, HttpAnswer):
            self._answered_http(item, now)
            return
        if item.conn in self._dead:
            if isinstance(item, DropSocket):
                self._dead.discard(item.conn)
            return
        address = item.topic if isinstance(item, FrameOut) else "SOCKET /v1" if isinstance(item, SocketAnswer) else ""
        for active in self._rules.hits(address, Stage.ANSWER, now):
            if self._spoil_answer(active.fault, item, item.conn, now):
                return
        self._pass(Stage.ANSWER, item.conn, item, now)

    def _answered_http(self, item: HttpAnswer, now: int) -> None:
        question = self._questions.pop(item.id, None)
        if question is None:
            return  # the second answer of a duplicated request
        hits = self._rules.hits(f"{question.method} {question.path}", Stage.ANSWER, now)
        stale = any(active.fault.kind is FaultKind.STALE for active in hits)
        item = self._memory.recall(question, item) if stale else item
        if not stale:
            self._memory.keep(question, item)
        for active in hits:
            if active.fault.kind is FaultKind.EMPTY:
                item = emptied(item)
            elif active.fault.kind is not FaultKind.STALE and self._spoil_answer(active.fault, item, _HTTP, now):
                return
        self._pass(Stage.ANSWER, _HTTP, item, now)

    def _spoil_answer(self, fault: Fault, item: ServerOutgoing, conn: str, now: int) -> bool:
        """Do what the fault says; whether the item is thereby dealt with."""
        match fault.kind:
            case FaultKind.EXPIRE_TOKENS | FaultKind.BUST | FaultKind.MODE:
                self._act(fault, now)
                return False
            case FaultKind.STALE | FaultKind.EMPTY:
                return False  # what is no read stays what it is
            case FaultKind.DUPLICATE:
                if isinstance(item, FrameOut):
                    self._pass(Stage.ANSWER, conn, item, now)
                return False
            case FaultKind.CUT:
                self._pass(Stage.ANSWER, conn, cut(item), now)
            case FaultKind.DELAY | FaultKind.REORDER:
                self._hold(fault, Stage.ANSWER, conn, item, now)
            case FaultKind.BREAK:
                self._break_off(item, now)
            case FaultKind.ERROR:
                self._pass(Stage.ANSWER, conn, _replaced(fault, item), now)
            case FaultKind.HALF_OPEN if conn:
                self._dead.add(conn)
        return True  # DROP, and the half-open HTTP exchange, which hangs, come here without further ado

    def _break_off(self, item: ServerOutgoing, now: int) -> None:
        """Break the connection that an item was to leave on."""
        if isinstance(item, HttpAnswer):
            self._out.append(replace(item, body=b"", broken=True))
        elif not isinstance(item, DropSocket):
            self._out.append(DropSocket(item.conn, BROKEN))
            self._server.receive(SocketLeft(item.conn), now)

    # --- order and delay --------------------------------------------------------------------------------------------------

    def _hold(self, fault: Fault, stage: Stage, conn: str, message: Message, now: int) -> None:
        due_at = now + self._rules.delay_us(fault)
        held = _Held(stage, message)
        if fault.kind is FaultKind.REORDER:
            waiting = self._swaps.get((stage, conn))
            if waiting is not None:
                self._let_go(waiting, now)
            self._swaps[stage, conn] = held
        elif conn:
            due_at = max(due_at, self._gates.get((stage, conn), 0))
            self._gates[stage, conn] = due_at
        self._push(due_at, held)

    def _push(self, due_at: int, held: _Held) -> None:
        self._pushed += 1
        heappush(self._heap, (due_at, self._pushed, held))

    def _pass(self, stage: Stage, conn: str, message: Message, now: int) -> None:
        """Let a message through, behind those of its socket that wait; one that waited for it to pass follows."""
        gate = self._gates.get((stage, conn))
        if gate is not None:
            self._push(gate, _Held(stage, message))
            return
        self._deliver(stage, message, now)
        waiting = self._swaps.pop((stage, conn), None)
        if waiting is not None and not waiting.done:
            self._let_go(waiting, now)

    def _let_go(self, held: _Held, now: int) -> None:
        held.done = True
        conn = getattr(held.message, "conn", _HTTP)
        if self._swaps.get((held.stage, conn)) is held:
            del self._swaps[held.stage, conn]
        if conn not in self._dead:
            self._deliver(held.stage, held.message, now)

    def _deliver(self, stage: Stage, message: Message, now: int) -> None:
        if stage is Stage.REQUEST:
            if isinstance(message, HttpArrived) and message.id > 0:
                self._questions[message.id] = message
            self._server.receive(message, now)  # type: ignore[arg-type]  # the stage says which of the two it is
        else:
            self._out.append(message)  # type: ignore[arg-type]  # likewise


def _address_of(message: ServerIncoming) -> str:
    """The address of what a client sent; pongs and farewells have none."""
    if isinstance(message, HttpArrived):
        return f"{message.method} {message.path}"
    if isinstance(message, SocketArrived):
        return f"SOCKET {message.path}"
    return _decode(message.data).method if isinstance(message, FrameArrived) else ""


def _decode(data: bytes) -> _Call:
    try:
        return msgspec.json.decode(data, type=_Call)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Call()


def _replaced(fault: Fault, item: ServerOutgoing) -> ServerOutgoing:
    """The same answer as an error; a push has no error and stays what it is."""
    if isinstance(item, HttpAnswer):
        return error_answer(fault, item.id)
    if isinstance(item, SocketAnswer):
        return SocketAnswer(item.conn, fault.status)
    if isinstance(item, FrameOut):
        call = _decode(item.data)
        return item if call.method else replace(item, data=error_frame(fault, call.id), binary=False)
    return item
