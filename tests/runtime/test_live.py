"""The trader over real loopback sockets against the tiny exchange behind the server shell."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from flashscalper.exchanges.base import Frame, HttpFailed, HttpRequest, HttpResponse, Incoming, SocketClosed, SocketOpened
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.errors import ConfigError, JournalError
from flashscalper.model.events import Event, OperatorAction, OperatorAsked, StreamChanged
from flashscalper.model.klines import Trade
from flashscalper.runtime.clock import ScaledClock, WallClock
from flashscalper.runtime.hosting.pump import FeedPump
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.journal import Journal, Output, read_journal
from flashscalper.runtime.live import LiveDriver, run_loop
from flashscalper.runtime.tape import Tape
from flashscalper.runtime.trader import Trader
from flashscalper.simulator.base import (
    BacklogGrew,
    DropSocket,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    ServerIncoming,
    SocketArrived,
    SocketLeft,
)
from tests.runtime.tiny import START, NoView, TinyClient, TinyEngine, TinyFeed, TinyServer

PATIENCE_S = 15.0


async def until(done: Callable[[], bool]) -> None:
    """Until something of the other side is so; it has no event to wait for."""
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


class Running:
    """A tiny exchange on a port and a tiny trader that talks to it."""

    def __init__(
        self,
        shell: ServerShell,
        server: TinyServer,
        driver: LiveDriver,
        trader: Trader,
        client: TinyClient,
        engine: TinyEngine,
    ) -> None:
        self.shell = shell
        self.server = server
        self.driver = driver
        self.trader = trader
        self.client = client
        self.engine = engine

    async def until(self, done: Callable[[], bool]) -> None:
        assert await self.driver.wait(done, PATIENCE_S), "it did not happen in time"


@asynccontextmanager
async def running(
    folder: Path, *, trades: int = 50, speed: float = 10.0, engine: TinyEngine | None = None
) -> AsyncIterator[Running]:
    clock = ScaledClock(START, speed)
    server = TinyServer(START)
    engine = engine or TinyEngine(START)
    with Journal(folder / "j", {}, durable=False) as journal, Tape(folder / "tape", {}) as tape:
        async with ServerShell(server, clock, FeedPump(TinyFeed(trades), NoView(), server)) as shell:
            client = TinyClient(shell.http_url, shell.ws_url)
            trader = Trader(client, engine, journal, tape)
            async with LiveDriver(trader, clock) as driver:
                yield Running(shell, server, driver, trader, client, engine)


def test_orders_go_out_and_answers_come_back_over_sockets(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, trades=5_000) as run:
            await run.until(lambda: run.engine.orders >= 8 and run.engine.open_orders == 0)
            run.driver.tell(OperatorAsked(OperatorAction.STOP, "end_of_run"))
            ids = [event.id for event in run.engine.events if isinstance(event, Trade)]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            assert sorted(run.server.orders) == sorted(run.engine.accepted)
            assert len(run.trader.latency) == run.engine.orders
            median = run.trader.latency.percentile_ms(50)
            assert median is not None
            assert 0 < median < 1_000

    run_loop(main())
    orders = [entry.content.client_id for entry in read_journal(tmp_path / "j") if isinstance(entry.content, PlaceOrder)]
    assert orders[:8] == [f"fs-t-{number}" for number in range(1, 9)]


def test_the_client_reconnects_after_the_server_dropped_it_and_after_it_closed(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, trades=0) as run:
            await run.until(lambda: any(isinstance(message, Frame) for message in run.client.seen))
            run.client.say(b"hello")
            run.client.say(b"drop me")
            run.driver.tell(OperatorAsked(OperatorAction.PAUSE, "poke"))
            await run.until(lambda: ready(run.engine) == [True, False, True])
            assert Frame("main-1", b"hello") in run.client.seen
            assert SocketClosed("main-1", "1008 as you wish") in run.client.seen
            run.client.close()
            run.driver.tell(OperatorAsked(OperatorAction.PAUSE, "poke"))
            await run.until(lambda: ready(run.engine) == [True, False, True, False, True])
            assert SocketClosed("main-2", "enough") in run.client.seen

    run_loop(main())


def ready(engine: TinyEngine) -> list[bool]:
    return [event.ready for event in engine.events if isinstance(event, StreamChanged)]


def test_pings_of_both_sides_are_answered_by_the_transport(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, trades=0, speed=50.0) as run:
            await run.until(lambda: any(isinstance(message, Frame) for message in run.client.seen))
            run.client.say(b"", ping=True)
            run.driver.tell(OperatorAsked(OperatorAction.PAUSE, "poke"))
            await run.until(lambda: run.client.pongs() == 1 and run.server.pongs() >= 2)

    run_loop(main())


def test_an_engine_that_breaks_stops_the_driver_and_nothing_more_is_sent(tmp_path: Path) -> None:
    class Broken(TinyEngine):
        def handle(self, event: Event, now: int) -> Sequence[Output]:
            if isinstance(event, Trade) and event.id >= 4:
                raise JournalError("the disk is full")
            return super().handle(event, now)

    async def main() -> None:
        async with running(tmp_path, trades=5_000, engine=Broken(START)) as run:
            await run.driver.wait(lambda: False, PATIENCE_S)

    with pytest.raises(JournalError, match="the disk is full"):
        run_loop(main())
    assert list(read_journal(tmp_path / "j")) == []


def test_a_wait_that_is_not_met_ends_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, trades=0) as run:
            assert not await run.driver.wait(lambda: False, timeout_s=0.05)

    run_loop(main())


def test_an_exchange_that_is_not_there_is_reported_and_no_order_was_sent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def main() -> None:
        client = TinyClient(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/v1")
        engine = TinyEngine(START)
        clock = ScaledClock(START, 100.0)
        with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
            trader = Trader(client, engine, journal, tape)
            async with LiveDriver(trader, clock) as driver:
                assert await driver.wait(lambda: sum(isinstance(m, SocketClosed) for m in client.seen) >= 3, PATIENCE_S)
                client._requests[5] = "fs-t-1"
                client.request(HttpRequest(5, "POST", f"http://127.0.0.1:{port}/v1/orders"))
                driver.tell(OperatorAsked(OperatorAction.PAUSE, "poke"))
                assert await driver.wait(lambda: any(isinstance(m, HttpFailed) for m in client.seen), PATIENCE_S)
        (failed,) = (message for message in client.seen if isinstance(message, HttpFailed))
        assert not failed.sent

    run_loop(main())


def test_a_handshake_that_the_exchange_refuses_carries_its_status(tmp_path: Path) -> None:
    class Closed(TinyServer):
        def receive(self, message: ServerIncoming, now: int) -> None:
            if isinstance(message, SocketArrived):
                message = SocketArrived(message.conn, "/nowhere", message.query, message.headers)
            super().receive(message, now)

    async def main() -> None:
        clock = WallClock()
        server = Closed(clock.now())
        with Journal(tmp_path / "j", {}) as journal, Tape(tmp_path / "tape", {}) as tape:
            async with ServerShell(server, clock) as shell:
                client = TinyClient(shell.http_url, shell.ws_url)
                async with LiveDriver(Trader(client, TinyEngine(clock.now()), journal, tape), clock) as driver:
                    assert await driver.wait(lambda: bool(client.seen), PATIENCE_S)
        assert isinstance(client.seen[0], SocketClosed)
        assert client.seen[0].status == 404

    run_loop(main())


def test_rest_and_socket_share_the_port_and_only_v1_is_the_socket(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, trades=0) as run, aiohttp.ClientSession() as session:
            async with session.post(f"{run.shell.http_url}/v1/a%20b?x=1&y=%26", data=b"hi") as answer:
                assert answer.status == 200
                assert await answer.json() == {"path": "/v1/a%20b", "query": "x=1&y=%26", "body": "hi"}
            async with session.ws_connect(run.shell.ws_url) as ws:
                assert await ws.receive_str() == "welcome"
                await ws.send_bytes(b"\x00\x01")
                assert await ws.receive_bytes() == b"\x00\x01"
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(f"{run.shell.http_url}/v1/orders")

    run_loop(main())


def test_the_server_hears_that_a_socket_left(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, trades=0) as run:
            async with aiohttp.ClientSession() as session, session.ws_connect(run.shell.ws_url) as ws:
                await ws.receive_str()
            left = len(run.server.sockets)
            await until(lambda: any(isinstance(message, SocketLeft) for message in run.server.seen))
            assert len(run.server.sockets) <= left

    run_loop(main())


def test_a_port_in_use_and_a_foreign_host_are_named(tmp_path: Path) -> None:
    async def main() -> None:
        clock = WallClock()
        async with ServerShell(TinyServer(clock.now()), clock) as shell:
            port = int(shell.http_url.rpartition(":")[2])
            with pytest.raises(ConfigError, match=f"port: saw {port}; accepted: a free port"):
                await ServerShell(TinyServer(clock.now()), clock, port=port).start()

    run_loop(main())
    with pytest.raises(ConfigError, match=r"host: saw '0\.0\.0\.0'; accepted: a loopback address"):
        ServerShell(TinyServer(0), WallClock(), host="0.0.0.0")


def test_a_defect_of_the_simulated_exchange_ends_its_shell(tmp_path: Path) -> None:
    class Faulty(TinyServer):
        def feed(self, event: object, now: int) -> None:
            raise ZeroDivisionError("a defect")

    async def main() -> None:
        clock = ScaledClock(START, 100.0)
        server = Faulty(START)
        async with ServerShell(server, clock, FeedPump(TinyFeed(1), NoView(), server)) as shell, asyncio.timeout(PATIENCE_S):
            await shell.wait()

    with pytest.raises(ZeroDivisionError):
        run_loop(main())


class Loud(TinyServer):
    """Sends 16 kB to everybody every millisecond, and drops whoever is 200 messages behind."""

    def __init__(self, now: int) -> None:
        super().__init__(now)
        self.sent = 0
        self.reports: list[int] = []
        self.due = now

    def receive(self, message: ServerIncoming, now: int) -> None:
        super().receive(message, now)
        if isinstance(message, BacklogGrew):
            self.reports.append(message.unread)
            if message.unread >= 200:
                self._out.append(DropSocket(message.conn, 1008, "slow reader"))
        elif now >= self.due:
            self.due = now + 1_000
            for conn in self.sockets:
                self.sent += 1
                self._out.append(FrameOut(conn, b"x" * 16_000))

    def next_deadline(self) -> int | None:
        return self.due


def test_a_reader_that_falls_behind_is_reported_and_its_connection_broken_off(tmp_path: Path) -> None:
    async def main() -> None:
        clock = WallClock()
        server = Loud(clock.now())
        async with ServerShell(server, clock) as shell, aiohttp.ClientSession() as session:
            async with session.ws_connect(shell.ws_url) as ws:
                assert await ws.receive_str() == "welcome"
                await until(lambda: not server.sockets)
            assert server.reports[-1] == 200
            assert server.reports == sorted(server.reports)
            async with session.get(f"{shell.http_url}/v1/still/there") as answer:
                assert answer.status == 200

    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    run_loop(main())


def test_a_reader_that_keeps_up_is_never_reported(tmp_path: Path) -> None:
    async def main() -> None:
        clock = WallClock()
        server = Loud(clock.now())
        async with (
            ServerShell(server, clock) as shell,
            aiohttp.ClientSession() as session,
            session.ws_connect(shell.ws_url) as ws,
        ):
            for _ in range(300):
                await ws.receive()
        assert (server.reports, server.sent >= 299) == ([], True)

    run_loop(main())


class Breaking(TinyServer):
    """Answers `/v1/cut` with a broken body and everything else with no answer at all."""

    def receive(self, message: ServerIncoming, now: int) -> None:
        if isinstance(message, HttpArrived):
            body = b"0123456789" if message.path == "/v1/cut" else b""
            self._out.append(HttpAnswer(message.id, 200, (), body, broken=True))
        else:
            super().receive(message, now)


def test_a_broken_answer_breaks_the_connection_and_never_looks_whole(tmp_path: Path) -> None:
    async def main() -> None:
        clock = WallClock()
        async with ServerShell(Breaking(clock.now()), clock) as shell, aiohttp.ClientSession() as session:
            async with session.get(f"{shell.http_url}/v1/cut") as answer:
                assert answer.status == 200
                with pytest.raises(aiohttp.ClientPayloadError):
                    await answer.read()
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(f"{shell.http_url}/v1/reset")

    run_loop(main())


def test_the_answers_of_many_requests_find_their_askers(tmp_path: Path) -> None:
    async def main() -> None:
        from flashscalper.runtime.http import HttpShell

        clock = WallClock()
        async with ServerShell(TinyServer(clock.now()), clock) as shell:
            answers: list[Incoming] = []
            http = HttpShell(answers.append)
            for number in range(100):
                http.request(HttpRequest(number, "PUT", f"{shell.http_url}/v1/echo", body=str(number).encode()))
            await until(lambda: len(answers) == 100)
            await http.aclose()
        for answer in answers:
            assert isinstance(answer, HttpResponse)
            assert json.loads(answer.body)["body"] == str(answer.id)
            assert answer.headers["content-type"] == "application/json"

    run_loop(main())


def test_socket_opened_is_the_first_thing_a_client_hears(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, trades=0) as run:
            await run.until(lambda: len(run.client.seen) >= 2)
            assert run.client.seen[:2] == [SocketOpened("main-1"), Frame("main-1", b"welcome")]

    run_loop(main())
