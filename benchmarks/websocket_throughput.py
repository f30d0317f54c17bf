"""Frames of a WebSocket on loopback, one reader: CPU time a message, so messages a second of one core.

Three works, the same frames for everybody, JSON:
  klines: trade frames to updated klines of 8 timeframes. ccxt.pro: watch_trades and build_ohlcvc on the new trade for each
    timeframe; the official SDK: its reader and callback, klines in naive Python.
  reader: trades and 15-level books, half and half, from the socket to whoever uses them. Ours ends with the checked events
    that the engine is handed, from the whole client (gaps between trades, door of the book); theirs with the caller.
  engine: the same, and ours goes on through tape and engine with klines, book and the scalper.
Every subject is a process of its own (the SDK runs under Python 3.10 only); they take turns; a server process sends.

Run: python -m benchmarks.websocket_throughput [--rounds N] [--json] [--ccxt-python PATH] [--sdk-python PATH]
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import Worker, serve, show, start_server, take_turns

MARKET = "ETH-USD-PERP"
UNIFIED = "ETH/USD:USDC"
INTERVALS = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400, "1d": 86400}
LAST_PRICE = 9999.9
FIRST_SEQ = 4_000_000_000_000_000
COUNTS = {"klines": 4_000, "reader": 2_000, "engine": 2_000}
KINDS = {"klines": "trades", "reader": "mixed", "engine": "mixed"}
TITLES = {
    "klines": "Trade frame (JSON) on a loopback socket to updated klines of 8 timeframes",
    "reader": "WebSocket: trade and book messages, one reader to the engine's door (peers: to the caller)",
    "engine": "The same, ours through tape and engine too (peers: to the caller)",
}


class Naive:
    """Klines of 8 timeframes as one writes them in an hour. `lengths` are seconds."""

    def __init__(self, lengths: Mapping[str, int] = INTERVALS) -> None:
        self.rows: dict[str, list[float]] = {}
        self._lengths = lengths

    def add(self, at_ms: int, price: float, size: float) -> None:
        for name, length in self._lengths.items():
            open_at = at_ms - at_ms % (length * 1000)
            row = self.rows.get(name)
            if row is None or row[0] != open_at:
                self.rows[name] = [open_at, price, price, price, price, size]
                continue
            row[2] = max(row[2], price)
            row[3] = min(row[3], price)
            row[4] = price
            row[5] += size


Subject = Callable[[str, str, Callable[[], None]], Awaitable[None]]
"""Connects to a URL for a work and calls back whenever the last frame of a blast has been worked on."""


async def ours(url: str, work: str, done: Callable[[], None]) -> None:
    from flashscalper.exchanges.base import Frame, OpenSocket
    from flashscalper.runtime.sockets import SocketShell

    take = _ours_klines(done) if work == "klines" else ours_client(done, through=work == "engine")
    opened = asyncio.get_running_loop().create_future()

    def report(message: object) -> None:
        if type(message) is Frame:
            take(message)
        elif not opened.done():
            opened.set_result(None)

    shell = SocketShell(report)
    shell.open(OpenSocket("market", url))
    await opened
    SocketHolder.held = shell


class SocketHolder:
    held: object = None


def _ours_klines(done: Callable[[], None]) -> Callable[[Any], None]:
    from flashscalper.exchanges.paradex.market_frames import MarketFrames
    from flashscalper.market.klines import KlineBuilder

    read = MarketFrames({MARKET: "ETHUSDT"}).read_json
    builder = KlineBuilder("ETHUSDT", tuple(INTERVALS), timer_only=True)

    def take(frame: Any) -> None:
        trade = read(frame.data)
        builder.advance(trade.traded_at)
        builder.process_trade(trade)
        if trade.price == LAST_PRICE:
            done()

    return take


def ours_client(done: Callable[[], None], *, through: bool) -> Callable[[Any], None]:
    """What takes a frame of ours: `through` the engine, or up to its door. `done` is called at the last frame of a blast."""
    from flashscalper.cli.bench_ticks import STARTED_AT, open_run
    from flashscalper.exchanges.base import Frame
    from flashscalper.model.events import BookChange
    from flashscalper.runtime.collecting import rare_collections

    folder = tempfile.TemporaryDirectory()
    run = open_run(Path(folder.name), lambda _: None, durable=False, frames_per_second=1e9)
    run.start()
    run.run_until(STARTED_AT + 5_000_000)  # logged in, subscribed, history read
    conn = run.client._market_link.conn
    incoming, outgoing = run._trader.incoming, run._trader.outgoing
    receive, engine = run.client.receive, run._trader._engine
    rare_collections().__enter__()
    now = STARTED_AT + 10_000_000
    books = 0

    def take(frame: Any) -> None:
        nonlocal now
        now += 2_500
        incoming(Frame(conn, frame.data, False), now)
        outgoing()
        if b'"9999.9"' in frame.data:
            market = engine._markets["ETHUSDT"]
            assert market.last_price == LAST_PRICE
            assert market.book.seq_no > FIRST_SEQ, "books did not reach the engine"
            done()

    def take_events(frame: Any) -> None:
        nonlocal now, books
        now += 2_500
        for event in receive(Frame(conn, frame.data, False), now):
            if type(event) is BookChange:
                books += 1
            elif getattr(event, "price", None) == LAST_PRICE:
                assert books > 0, "books did not come out of the client"
                books = 0
                done()

    kept = take if through else take_events
    kept.folder = folder  # type: ignore[attr-defined]
    return kept


async def ccxt_pro(url: str, work: str, done: Callable[[], None]) -> None:
    import ccxt.pro

    exchange = ccxt.pro.paradex({"newUpdates": True, "options": {"sbe": False}})
    exchange.urls["api"]["ws"] = url
    market = {
        "id": MARKET, "symbol": UNIFIED, "base": "ETH", "quote": "USD", "settle": "USDC", "type": "swap", "swap": True,
        "spot": False, "contract": True, "precision": {"amount": 0.001, "price": 0.1},
    }  # fmt: skip
    exchange.set_markets([exchange.safe_market_structure(market)])

    async def trades() -> None:
        while True:
            new = await exchange.watch_trades(UNIFIED)
            if work == "klines":
                for trade in new:
                    for name in INTERVALS:
                        exchange.build_ohlcvc([trade], name)
            if new[-1]["price"] == LAST_PRICE:
                done()

    async def book() -> None:
        while True:
            await exchange.watch_order_book(UNIFIED)

    SocketHolder.held = [asyncio.ensure_future(trades())] + ([asyncio.ensure_future(book())] if work != "klines" else [])
    await asyncio.sleep(1.0)


async def official_sdk(url: str, work: str, done: Callable[[], None]) -> None:
    from paradex_py.api.ws_client import ParadexWebsocketChannel, ParadexWebsocketClient

    klines = Naive()
    client = ParadexWebsocketClient(env="testnet", ws_url_override=url, enable_compression=False)

    async def on_trade(_: object, message: dict[str, Any]) -> None:
        trade = message["params"]["data"]
        price = float(trade["price"])
        if work == "klines":
            klines.add(trade["created_at"], price, float(trade["size"]))
        if price == LAST_PRICE:
            done()

    async def on_book(_: object, message: dict[str, Any]) -> None:
        pass

    await client.connect()
    await client.subscribe(ParadexWebsocketChannel.TRADES, callback=on_trade, params={"market": MARKET})
    if work != "klines":
        await client.subscribe_by_name(f"order_book.{MARKET}.snapshot@15@100ms", on_book)
    SocketHolder.held = client


SUBJECTS: dict[str, tuple[Subject, tuple[str, ...]]] = {
    "flashscalper": (ours, ("picows", "msgspec")),
    "ccxt.pro": (ccxt_pro, ("ccxt", "aiohttp")),
    "official SDK": (official_sdk, ("paradex-py", "websockets")),
}


def our_loop() -> asyncio.AbstractEventLoop:
    """The loop that `run` has."""
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def worker(options: argparse.Namespace) -> None:
    """One subject: every turn asks the server for a blast and waits until its last frame has been worked on."""
    from benchmarks.machine import versions

    subject, packages = SUBJECTS[options.worker]
    loop = our_loop() if options.worker == "flashscalper" else asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    state = SimpleNamespace(future=None)
    kind, count = KINDS[options.work], COUNTS[options.work]

    def done() -> None:
        if state.future is not None and not state.future.done():
            state.future.set_result(None)

    loop.run_until_complete(subject(f"ws://127.0.0.1:{options.ws}", options.work, done))
    control = socket.create_connection(("127.0.0.1", options.control))

    def turn() -> int:
        state.future = loop.create_future()
        control.sendall(f"{kind} {count}\n".encode())
        assert control.recv(3) == b"go\n"
        loop.run_until_complete(asyncio.wait_for(state.future, 120))
        return count

    serve(turn, {"versions": versions(*packages)})


def judge(work: str, options: argparse.Namespace) -> None:
    interpreters = {"flashscalper": sys.executable, "ccxt.pro": options.ccxt_python, "official SDK": options.sdk_python}
    servers, workers, missing = [], [], []
    try:
        for name, interpreter in interpreters.items():
            server, ports = start_server("websocket_server.py")
            servers.append(server)
            arguments = ("--worker", name, "--work", work, "--ws", str(ports["ws"]), "--control", str(ports["control"]))
            try:
                workers.append(Worker(name, interpreter or "not given", "websocket_throughput.py", *arguments))
            except (RuntimeError, OSError) as error:
                missing.append(f"{name}: {error}")
        rows = take_turns(workers, options.rounds)
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    for row in rows:
        row["messages_per_core_second"] = 1e9 / row["median_ns"]
    show(TITLES[work], "message", rows, missing, as_json=options.json)


def main() -> None:
    parser = argparse.ArgumentParser(description="WebSocket frames: ours, ccxt.pro, the official SDK.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ccxt-python", default=sys.executable, help="an interpreter that has ccxt")
    parser.add_argument("--sdk-python", help="a Python 3.10 that has paradex-py")
    parser.add_argument("--work", choices=list(TITLES), help="one of the three; default all")
    for hidden in ("--worker", "--ws", "--control"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options)
        return
    for work in [options.work] if options.work else TITLES:
        judge(work, options)


if __name__ == "__main__":
    main()
