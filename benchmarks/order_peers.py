"""Tick to order as the exchange sees it: a trade frame leaves a server, an order comes back; ours and programs on the peers.

Ours is the whole trading process of `flashscalper.cli.bench_ticks` (client, engine, risk gate, journal, tape); its market
frames come over a real WebSocket and its orders leave on it. The peers' programs read trades with their library's reader,
keep klines of the same 8 timeframes and a few averages in plain Python, and when a kline of a second closes they place a
limit order as the library does it: signed, over HTTP on a connection that stays open. They have no risk gate and no journal.
Frames come at 1000 a second. A server in a process of its own takes the time, so both ways through loopback are in it.

Run: python -m benchmarks.order_peers [--orders N] [--rounds N] [--json] --sdk-python PATH
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.interleaved import spread_of
from benchmarks.signing import ACCOUNT, CHAIN_ID, KEY
from benchmarks.turns import Worker, say, start_server
from benchmarks.websocket_throughput import MARKET, UNIFIED, Naive, our_loop

TITLE = "Tick to order seen from outside: frame sent by a server to order received by it, full program"
RATE = 1000.0
FRAMES_A_KLINE = 15
LENGTHS_S = {"1s": 1, "5s": 5, "15s": 15, "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400}
STARTED_MS = 1_767_225_610_000
Place = Callable[[str, float], Awaitable[None]]


# ---- the peers' programs ----


class Program:
    """What a peer's program thinks: klines, averages, and an order whenever a kline of a second closes."""

    def __init__(self, place: Place) -> None:
        self._klines = Naive(LENGTHS_S)
        self._place = place
        self._averages = [0.0, 0.0, 0.0]
        self._buy = False

    async def on_trade(self, at_ms: int, price: float, size: float) -> None:
        before = self._klines.rows.get("1s")
        self._klines.add(at_ms, price, size)
        if before is None or before is self._klines.rows["1s"]:
            return
        for place, period in enumerate((9, 21, 50)):
            self._averages[place] += (before[4] - self._averages[place]) * 2 / (period + 1)
        self._buy = not self._buy
        await self._place("BUY" if self._buy else "SELL", price)


async def official_sdk(ports: dict[str, int]) -> object:
    from decimal import Decimal
    from types import SimpleNamespace

    from paradex_py.account.subkey_account import SubkeyAccount
    from paradex_py.api.api_client import ParadexApiClient
    from paradex_py.api.ws_client import ParadexWebsocketChannel, ParadexWebsocketClient
    from paradex_py.common.order import Order, OrderSide, OrderType

    api = ParadexApiClient(env="testnet", api_base_url=f"http://127.0.0.1:{ports['http']}/v1", auto_auth=False)
    config = SimpleNamespace(starknet_fullnode_rpc_url="http://127.0.0.1:1", starknet_chain_id=CHAIN_ID)
    api.account = SubkeyAccount(config, KEY, ACCOUNT)
    api.set_token("benchmark")

    async def place(side: str, price: float) -> None:
        stamp = int(time.time() * 1000)
        order = Order(
            MARKET, OrderType.Limit, OrderSide.Buy if side == "BUY" else OrderSide.Sell, Decimal("0.1"), Decimal(str(price)),
            "fs-1-1", instruction="IOC", signature_timestamp=stamp,
        )  # fmt: skip
        api.submit_order(order)

    program = Program(place)

    async def on_trade(_: object, message: dict[str, Any]) -> None:
        trade = message["params"]["data"]
        await program.on_trade(trade["created_at"], float(trade["price"]), float(trade["size"]))

    client = ParadexWebsocketClient(
        env="testnet", ws_url_override=f"ws://127.0.0.1:{ports['ws']}", enable_compression=False
    )  # fmt: skip
    await client.connect()
    await client.subscribe(ParadexWebsocketChannel.TRADES, callback=on_trade, params={"market": MARKET})
    return client


async def ccxt_pro(ports: dict[str, int]) -> object:
    import ccxt.pro

    exchange = ccxt.pro.paradex({"newUpdates": True, "options": {"sbe": False}, "enableRateLimit": False})
    exchange.urls["api"]["ws"] = f"ws://127.0.0.1:{ports['ws']}"
    exchange.urls["api"]["v1"] = f"http://127.0.0.1:{ports['http']}/v1"
    exchange.options["systemConfig"] = {"starknet_chain_id": CHAIN_ID, "l1_chain_id": "11155111"}
    exchange.options["paradexAccount"] = {"privateKey": KEY, "publicKey": "0x0", "address": ACCOUNT}
    exchange.options["authToken"], exchange.options["expires"] = "benchmark", 10**15
    market = {
        "id": MARKET, "symbol": UNIFIED, "base": "ETH", "quote": "USD", "settle": "USDC", "type": "swap", "swap": True,
        "spot": False, "contract": True, "precision": {"amount": 0.001, "price": 0.1},
    }  # fmt: skip
    exchange.set_markets([exchange.safe_market_structure(market)])

    async def place(side: str, price: float) -> None:
        params = {"clientOrderId": "fs-1-1", "timeInForce": "IOC"}
        await exchange.create_order(UNIFIED, "limit", side.lower(), 0.1, price, params)

    program = Program(place)

    async def trades() -> None:
        while True:
            for trade in await exchange.watch_trades(UNIFIED):
                await program.on_trade(trade["timestamp"], trade["price"], trade["amount"])

    task = asyncio.ensure_future(trades())
    await asyncio.sleep(1.0)
    return exchange, task


class Judge:
    """Sends trades at the rate, the last of them a second later than the others, and waits for the order it causes."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._control = socket.create_connection(("127.0.0.1", ports["control"]))
        self._answers = self._control.makefile("rb")
        self._at_ms = STARTED_MS
        self._id = 0

    def order(self) -> int:
        """Nanoseconds to one order."""
        for number in range(FRAMES_A_KLINE):
            self._at_ms += 1_000 if number == FRAMES_A_KLINE - 1 else 1
            self._send(self._trade())
            if number < FRAMES_A_KLINE - 1:
                time.sleep(1 / RATE)
        self._at_ms -= self._at_ms % 1_000  # the next ones stay within the second that has begun
        return int(self._answers.readline())

    def _trade(self) -> bytes:
        self._id += 1
        data = {
            "id": f"{self._at_ms}2017040288{self._id:08d}", "market": MARKET, "side": "BUY" if self._id % 3 else "SELL",
            "size": f"0.{self._id % 900 + 100}", "price": f"{3_000 + self._id % 50 / 10:.1f}", "created_at": self._at_ms,
            "trade_type": "FILL",
        }  # fmt: skip
        push = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": f"trades.{MARKET}", "data": data}}
        return json.dumps(push, separators=(",", ":")).encode()

    def _send(self, data: bytes) -> None:
        self._control.sendall(b"t" + len(data).to_bytes(4, "big") + data)


def peer(name: str, ports: dict[str, int], orders: int) -> None:
    """A peer's process: its program on an event loop, the judge in a thread of the same process that mostly sleeps."""
    from benchmarks.machine import versions

    connect, packages = PEERS[name]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    held = loop.run_until_complete(connect(ports))
    judge = Judge(ports)

    def turn() -> list[int]:
        return loop.run_until_complete(loop.run_in_executor(None, lambda: [judge.order() for _ in range(orders)]))

    answer_turns(turn, {"versions": versions(*packages), "held": type(held).__name__})


PEERS: dict[str, tuple[Callable[[dict[str, int]], Awaitable[object]], tuple[str, ...]]] = {
    "official SDK": (official_sdk, ("paradex-py", "websockets", "httpx")),
    "ccxt.pro": (ccxt_pro, ("ccxt", "aiohttp")),
}


# ---- ours ----


def ours(ports: dict[str, int], orders: int, *, durable: bool) -> None:
    from benchmarks.machine import versions
    from benchmarks.socket_run import SocketRun

    from flashscalper.runtime.collecting import rare_collections

    loop = our_loop()
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory(dir=RUNS if RUNS.is_dir() else None) as folder, rare_collections():
        run = SocketRun(Path(folder), loop, ports, durable=durable, frames_per_second=RATE)
        run.start()

        def turn() -> list[int]:
            run.round_trip_ns.clear()
            while len(run.round_trip_ns) < orders:
                run.collect(1, 30.0)
            return run.round_trip_ns[:orders]

        answer_turns(turn, {"versions": versions("picows", "msgspec", "gmpy2")})


RUNS = Path(__file__).resolve().parents[1] / "runs"
OURS = {"flashscalper": False, "flashscalper, journal synced": True}


# ---- both ----


def answer_turns(turn: Callable[[], list[int]], about: dict[str, Any]) -> None:
    """A first turn to warm up, then one for every line that comes in."""
    import platform

    turn()
    say({"python": platform.python_version(), **about})
    for _ in sys.stdin:
        taken = turn()
        say({"median_ns": statistics.median(taken), "p90_ns": sorted(taken)[len(taken) * 9 // 10]})


def judge_all(options: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    """Everybody's rows, in turns, and who was left out."""
    interpreters = dict.fromkeys(OURS, sys.executable) | {"official SDK": options.sdk_python, "ccxt.pro": sys.executable}
    servers, workers, missing = [], [], []
    try:
        for name, interpreter in interpreters.items():
            server, ports = start_server("order_server.py")
            servers.append(server)
            given = (
                "--worker",
                name,
                "--ports",
                json.dumps(ports),
                "--orders",
                str(max(1, options.orders // options.rounds)),
            )
            try:
                workers.append(Worker(name, interpreter or "not given", "order_peers.py", *given))
            except (RuntimeError, OSError) as error:
                missing.append(f"{name}: {error}")
        if not workers or workers[0].name != "flashscalper":
            raise SystemExit(f"ours does not start: {missing}")
        for _ in range(options.rounds):
            for worker in workers:
                worker.turn()
        for worker in workers:
            worker.stop()
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    reference = [turn["median_ns"] for turn in workers[0].turns]
    return [_row(worker, reference) for worker in workers], missing


def _row(worker: Worker, reference: list[float]) -> dict[str, Any]:
    medians = [turn["median_ns"] for turn in worker.turns]
    ratio, low, high = spread_of(medians, reference)
    return {
        "name": worker.name, "median_us": statistics.median(medians) / 1e3, "best_us": min(medians) / 1e3,
        "worst_us": max(medians) / 1e3, "p90_us": statistics.median(turn["p90_ns"] for turn in worker.turns) / 1e3,
        "ratio": ratio, "ratio_low": low, "ratio_high": high, "python": worker.about["python"],
        "versions": worker.about["versions"],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--orders", type=int, default=40, help="of each, in all rounds together")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sdk-python", help="a Python 3.10 that has paradex-py")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--ports", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker in PEERS:
        peer(options.worker, json.loads(options.ports), options.orders)
        return
    if options.worker:
        ours(json.loads(options.ports), options.orders, durable=OURS[options.worker])
        return
    rows, missing = judge_all(options)
    if options.json:
        print(json.dumps({"title": TITLE, "unit": "order", "rows": rows, "missing": missing}))
        return
    print(TITLE)
    for row in rows:
        times = f"{row['median_us']:>12,.0f} us  p90 {row['p90_us']:>12,.0f}  {row['ratio']:>8.2f}x"
        print(f"  {row['name']:<32}{times}  {row['versions']}")
    for name in missing:
        print(f"  left out: {name}")


if __name__ == "__main__":
    main()
