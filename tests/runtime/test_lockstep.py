from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from flashscalper.exchanges.base import Frame, HttpFailed, HttpRequest, OpenSocket, SocketClosed, SocketOpened
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import Event, OperatorAction, OperatorAsked, StreamChanged
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.runtime.clock import VirtualClock
from flashscalper.runtime.hosting.pump import FeedPump
from flashscalper.runtime.journal import Journal, Output, journal_hash, read_journal
from flashscalper.runtime.lockstep import LockStep
from flashscalper.runtime.tape import Tape, read_tape
from flashscalper.runtime.trader import Trader
from flashscalper.runtime.wire import LatencyModel
from flashscalper.simulator.base import FrameArrived, HttpArrived, SocketArrived, SocketLeft
from tests.runtime.tiny import START, NoView, TinyClient, TinyEngine, TinyFeed, TinyServer


class Pair:
    """A whole lock-step run of the tiny pair."""

    def __init__(self, folder: Path, stack: ExitStack, *, seed: int = 1, trades: int = 50, jitter_us: int = 5_000) -> None:
        self.clock = VirtualClock(START)
        self.client = TinyClient()
        self.engine = TinyEngine(START)
        self.server = TinyServer(START)
        self.path = folder / f"journal-{seed}.fsj"
        self.journal = stack.enter_context(Journal(self.path, {"seed": seed}, durable=False))
        self.tape = stack.enter_context(Tape(folder / f"tape-{seed}", {}))
        self.seen: list[tuple[Event, Sequence[Output]]] = []
        self.trader = Trader(
            self.client, self.engine, self.journal, self.tape, [lambda event, outputs: self.seen.append((event, outputs))]
        )
        latency = LatencyModel(Random(seed), base_us=20_000, jitter_us=jitter_us)
        pump = FeedPump(TinyFeed(trades), NoView(), self.server)
        self.step = LockStep(self.trader, self.server, pump, latency, self.clock)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def whole_run(pair: Pair) -> str:
    pair.step.start()
    pair.step.run_until(START + 8 * SECOND_US)
    pair.step.tell(OperatorAsked(OperatorAction.STOP, "end_of_run"))
    assert pair.step.drain(lambda: pair.engine.open_orders == 0)
    pair.step.finish()
    return pair.journal.hash()


def test_orders_go_out_and_answers_come_back(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack)
    whole_run(pair)
    assert [event.id for event in pair.engine.events if isinstance(event, Trade)] == list(range(1, 51))
    assert pair.engine.orders == 10
    assert sorted(pair.server.orders) == sorted(pair.engine.accepted)
    arrived = next(message for message in pair.server.seen if isinstance(message, HttpArrived))
    assert (arrived.method, arrived.path, arrived.query) == ("POST", "/v1/orders", "n=2")
    assert arrived.headers == {"content-type": "application/json"}
    assert len(pair.trader.latency) == 10
    assert pair.server.sockets == set()


def test_the_same_seed_gives_the_same_journal_and_another_seed_another(tmp_path: Path, stack: ExitStack) -> None:
    first = whole_run(Pair(tmp_path / "a", stack, seed=3))
    again = whole_run(Pair(tmp_path / "b", stack, seed=3))
    other = whole_run(Pair(tmp_path / "c", stack, seed=4))
    assert first == again != other
    assert journal_hash(tmp_path / "a" / "journal-3.fsj") == first


def test_the_tape_holds_exactly_what_the_engine_was_given(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack)
    whole_run(pair)
    pair.tape.close()
    assert [recorded.event for recorded in read_tape(tmp_path / "tape-1")] == pair.engine.events
    assert [event for event, _ in pair.seen] == pair.engine.events


def test_replaying_the_tape_gives_the_journal_again(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack)
    whole_run(pair)
    pair.tape.close()
    engine = TinyEngine(START)
    outputs = [
        output for recorded in read_tape(tmp_path / "tape-1") for output in engine.handle(recorded.event, recorded.at)
    ]
    assert outputs == [entry.content for entry in read_journal(pair.path)]


def test_messages_of_one_connection_keep_their_order_under_any_jitter(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack, trades=300, jitter_us=400_000)
    pair.step.start()
    pair.step.run_until(START + 60 * SECOND_US)
    ids = [event.id for event in pair.engine.events if isinstance(event, Trade)]
    assert len(ids) > 250
    assert ids == sorted(ids)


def test_nothing_arrives_before_its_latency(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack, trades=0)
    pair.step.start()
    pair.step.run_until(START + 19_999)
    assert pair.server.seen == []
    pair.step.run_until(START + 2 * SECOND_US)
    assert isinstance(pair.server.seen[0], SocketArrived)
    assert pair.server.seen[0].headers == {"x-who": "tiny"}
    assert isinstance(pair.client.seen[0], SocketOpened)
    assert pair.client.seen[1] == Frame("main-1", b"welcome")


def test_the_transport_answers_pings_of_both_sides(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack, trades=0)
    pair.step.start()
    pair.step.run_until(START + SECOND_US)
    pair.client.say(b"", ping=True)
    pair.step.run_until(START + 16 * SECOND_US)
    assert pair.server.pongs() == 3
    assert pair.client.pongs() == 1
    assert not any(isinstance(message, FrameArrived) for message in pair.server.seen)


def test_a_dropped_socket_is_opened_again_and_the_lost_end_hears_nothing(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack)
    pair.step.start()
    pair.step.run_until(START + SECOND_US)
    pair.client.say(b"drop me")
    pair.client.say(b"never heard")
    pair.step.run_until(START + 4 * SECOND_US)
    states = [event.ready for event in pair.engine.events if isinstance(event, StreamChanged)]
    assert states == [True, False, True]
    assert SocketClosed("main-1", "1008 as you wish") in pair.client.seen
    assert FrameArrived("main-1", b"never heard") not in pair.server.seen


def test_closing_our_end_is_reported_once_and_seen_by_the_server(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack)
    pair.step.start()
    pair.step.run_until(START + SECOND_US)
    pair.client.close()
    pair.client.close()
    pair.step.run_until(START + 1_900_000)
    closed = [message for message in pair.client.seen if isinstance(message, SocketClosed)]
    assert closed == [SocketClosed("main-1", "enough")]
    assert SocketLeft("main-1") in pair.server.seen


def test_a_refused_handshake_and_an_unanswered_request_are_reported(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack)
    pair.client.ws_url = "ws://127.0.0.1:1/v2"
    pair.step.start()
    pair.step.run_until(START + 500_000)
    assert SocketClosed("main-1", "handshake refused with 404", 404) in pair.client.seen
    pair.server.answers = False
    pair.client.ws_url = "ws://127.0.0.1:1/v1"
    pair.step.run_until(START + 12 * SECOND_US)
    failures = [message for message in pair.client.seen if isinstance(message, HttpFailed)]
    assert failures
    assert all(failure.sent for failure in failures)
    assert pair.engine.accepted == []


def test_a_machine_that_never_moves_its_deadline_is_called_a_defect(tmp_path: Path, stack: ExitStack) -> None:
    class Sleepless(TinyServer):
        def next_deadline(self) -> int | None:
            return START

    pair = Pair(tmp_path, stack)
    server = Sleepless(START)
    step = LockStep(pair.trader, server, None, LatencyModel(Random(1)), pair.clock)
    step.start()
    with pytest.raises(RuntimeError, match="the server asked"):
        step.run_until(START + SECOND_US)


def test_a_drain_that_cannot_end_is_bounded(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack, trades=0)
    pair.step.start()
    assert not pair.step.drain(lambda: False, limit_us=3 * SECOND_US)
    assert pair.clock.now() == START + 3 * SECOND_US


def test_a_negative_latency_is_refused() -> None:
    with pytest.raises(ConfigError, match="latency"):
        LatencyModel(Random(1), base_us=-1)


def test_the_name_of_a_socket_is_never_used_twice(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack)
    pair.step.start()
    pair.client._out.append(OpenSocket("main-1", "ws://127.0.0.1:1/v1"))
    with pytest.raises(ValueError, match="main-1"):
        pair.step.run_until(START + SECOND_US)


def test_an_answer_after_its_deadline_is_not_delivered(tmp_path: Path, stack: ExitStack) -> None:
    pair = Pair(tmp_path, stack, trades=0)
    pair.step.start()
    pair.client._requests[99] = "fs-t-9"
    pair.client.request(HttpRequest(99, "GET", "http://127.0.0.1:1/v1/system/time", timeout_s=0.03))
    pair.step.run_until(START + SECOND_US)
    answers = [message for message in pair.client.seen if getattr(message, "id", None) == 99]
    assert answers == [HttpFailed(99, sent=True, reason="no answer within 0.03 s")]
