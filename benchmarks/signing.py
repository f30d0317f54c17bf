"""A Paradex limit order from its fields to the signed request body: ours in every backend, ccxt, the official SDK.

Run: python -m benchmarks.signing [--rounds N] [--json] [--ccxt-python PATH] [--sdk-python PATH] [--also-python PATH ...]

Every subject is a process of its own, because the official SDK's cryptography runs under Python 3.10 only; they take
turns, one at a time, so that a busy machine slows all alike, and ratios are taken within a turn. All sign the same orders
with the same key; the signatures are compared (ccxt derives its nonces differently: its signature is verified instead).
Nonces are deterministic everywhere. `--also-python` measures ours in further interpreters that have msgspec, cryptography
and pycryptodome; one with starknet-pathfinder-crypto shows the native wheel.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

ACCOUNT = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
KEY = "0x543b6cf6c91817a87174aaea4fb370ac1c694e864d7740d728f8344d53e815"
CHAIN_ID = "PRIVATE_SN_POTC_SEPOLIA"
MARKET = "ETH-USD-PERP"
STARTED_S = 1_767_225_600
TURN_S = 0.2
OURS = "ours, gmpy2"

MakeBody = Callable[[int], bytes]
"""The signed body of the i-th order: 0.1 ETH and i steps at 3000 and i ticks, stamped i seconds after the start."""


def size_of(i: int) -> Decimal:
    return Decimal("0.1") + i % 1000 * Decimal("0.001")


def price_of(i: int) -> Decimal:
    return Decimal(3000) + i % 1000 * Decimal("0.1")


# ---- subjects: each imports what it needs when its own process starts ----


def ours(kind: str) -> MakeBody:
    from flashscalper.exchanges.paradex import requests
    from flashscalper.exchanges.paradex.signing import CurveSigner, backend
    from flashscalper.exchanges.paradex.signing.backends import build_stored
    from flashscalper.model.commands import PlaceOrder
    from flashscalper.model.orders import OrderRole, OrderType, Side
    from flashscalper.model.secrets import Secret

    engine = build_stored()[0] if kind == "stored" else backend(kind)
    signer = CurveSigner(ACCOUNT, Secret(KEY), CHAIN_ID, backend=engine)

    def make(i: int) -> bytes:
        command = PlaceOrder(
            client_id="fs-1-1",
            symbol="ETHUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            size=size_of(i),
            price=price_of(i),
            role=OrderRole.ENTRY,
            reason="benchmark",
        )
        stamp = (STARTED_S + i) * 1000
        signature = signer.sign_order(
            market=MARKET,
            side=command.side,
            order_type=command.type,
            size=command.size,
            price=command.price,
            timestamp_ms=stamp,
        )
        return requests.order_body(command, MARKET, signature, stamp, 5000)

    return make


def official_sdk() -> MakeBody:
    from types import SimpleNamespace

    from paradex_py.account.subkey_account import SubkeyAccount
    from paradex_py.common.order import Order, OrderSide, OrderType

    config = SimpleNamespace(starknet_fullnode_rpc_url="http://127.0.0.1:1", starknet_chain_id=CHAIN_ID)
    account = SubkeyAccount(config, KEY, ACCOUNT)

    def make(i: int) -> bytes:
        stamp = (STARTED_S + i) * 1000
        order = Order(
            MARKET,
            OrderType.Limit,
            OrderSide.Buy,
            size_of(i),
            price_of(i),
            "fs-1-1",
            signature_timestamp=stamp,
            recv_window=5000,
        )
        order.signature = account.sign_order(order)
        return json.dumps(order.dump_to_dict()).encode()

    return make


def ccxt_exchange() -> MakeBody:
    import ccxt

    exchange = ccxt.paradex()
    exchange.options["systemConfig"] = {"starknet_chain_id": CHAIN_ID, "l1_chain_id": "11155111"}
    exchange.options["paradexAccount"] = {"privateKey": KEY, "publicKey": "0x0", "address": ACCOUNT}
    market = {
        "id": MARKET,
        "symbol": "ETH/USD:USDC",
        "base": "ETH",
        "quote": "USD",
        "settle": "USDC",
        "type": "swap",
        "swap": True,
        "spot": False,
        "contract": True,
        "precision": {"amount": 0.001, "price": 0.1},
    }
    exchange.set_markets([exchange.safe_market_structure(market)])

    def make(i: int) -> bytes:
        exchange.nonce = lambda: STARTED_S + i
        params = {"clientOrderId": "fs-1-1"}
        request = exchange.create_order_request(
            "ETH/USD:USDC", "limit", "buy", float(size_of(i)), float(price_of(i)), params
        )
        return exchange.json(exchange.sign_order_request(request)).encode()

    return make


SUBJECTS: dict[str, tuple[Callable[[], MakeBody], tuple[str, ...]]] = {
    OURS: (lambda: ours("gmpy2"), ("gmpy2",)),
    "ours, gmpy2, stored tables": (lambda: ours("stored"), ("gmpy2",)),
    "ours, pure Python": (lambda: ours("python"), ()),
    "ours, native Pedersen wheel": (lambda: ours("native"), ("starknet-pathfinder-crypto", "gmpy2")),
    "official SDK": (official_sdk, ("paradex-py", "starknet-crypto-py")),
    "ccxt": (ccxt_exchange, ("ccxt",)),
}


# ---- a subject's own process ----


def work(name: str) -> None:
    """Say who we are and the first body, then time a turn for every line that comes in."""
    prepare, packages = SUBJECTS[name]
    began = time.perf_counter()
    make = prepare()
    first = make(0).decode()
    start_s = time.perf_counter() - began
    versions = {package: version(package) for package in packages}
    say({"first": first, "start_s": start_s, "python": platform.python_version(), "versions": versions})
    i = 0
    for _ in sys.stdin:
        times = []
        end = time.perf_counter() + TURN_S
        while not times or time.perf_counter() < end:
            i += 1
            before = time.perf_counter_ns()
            make(i)
            times.append(time.perf_counter_ns() - before)
        say({"median": statistics.median(times), "best": min(times)})


def say(answer: dict[str, object]) -> None:
    print(json.dumps(answer), flush=True)


class Worker:
    """The other side of `work`: one subject in one interpreter."""

    def __init__(self, name: str, interpreter: str) -> None:
        self.name = name
        self.turns: list[dict[str, float]] = []
        root = Path(__file__).resolve().parents[1]
        environment = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [interpreter, str(root / "benchmarks" / "signing.py"), "--worker", name]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.about = self._read()

    def turn(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.turns.append(self._read())

    def stop(self) -> None:
        self._process.communicate()

    def _read(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, errors = self._process.communicate()
            raise RuntimeError((errors.strip().splitlines() or ["it ended without a word"])[-1])
        answer: dict[str, object] = json.loads(line)
        return answer


# ---- the judge ----


def main() -> None:
    options = arguments()
    if options.worker:
        work(options.worker)
        return
    workers, missing = start(options)
    check_same_signatures(workers)
    for _ in range(options.rounds):
        for worker in workers:
            worker.turn()
    for worker in workers:
        worker.stop()
    report(workers, missing, as_json=options.json)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Sign Paradex orders: ours against ccxt and the official SDK.")
    parser.add_argument("--rounds", type=int, default=9, help="how often every subject has its turn")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--ccxt-python", default=sys.executable, help="an interpreter that has ccxt")
    parser.add_argument("--sdk-python", help="a Python 3.10 that has paradex-py")
    parser.add_argument("--also-python", action="append", default=[], help="a further interpreter for ours; may be repeated")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.rounds < 1:
        parser.error(f"--rounds: saw {parsed.rounds}; accepted: a whole number from 1 on")
    return parsed


def start(options: argparse.Namespace) -> tuple[list[Worker], list[str]]:
    """Start every subject that its interpreter can import, ours first."""
    wanted = [(name, sys.executable) for name in SUBJECTS if name.startswith("ours")]
    wanted += [(name, path) for path in options.also_python for name in SUBJECTS if name.startswith("ours")]
    wanted.append(("ccxt", options.ccxt_python))
    workers, missing = [], []
    if options.sdk_python:
        wanted.append(("official SDK", options.sdk_python))
    else:
        missing.append("official SDK: no --sdk-python given")
    for name, interpreter in wanted:
        try:
            workers.append(Worker(name, interpreter))
        except (RuntimeError, OSError) as error:
            missing.append(f"{name} ({interpreter}): {error}")
    if not workers or workers[0].name != OURS:
        raise SystemExit("\n".join(["ours does not start, so there is nothing to compare with:", *missing]))
    return workers, missing


def check_same_signatures(workers: list[Worker]) -> None:
    """All signed the same order: equal signatures, or for ccxt's own nonces a valid one."""
    from flashscalper.exchanges.paradex.signing import CurveVerifier, default_backend
    from flashscalper.model.orders import OrderType, Side

    public_key = hex(default_backend().ecdsa.public_key_of(int(KEY, 16)))
    expected = json.loads(str(workers[0].about["first"]))["signature"]
    for worker in workers:
        body = json.loads(str(worker.about["first"]))
        assert worker.name == "ccxt" or body["signature"] == expected, f"{worker.name} signed something else"
        assert CurveVerifier(CHAIN_ID).verify_order(
            account=ACCOUNT,
            public_key=public_key,
            signature=body["signature"],
            market=body["market"],
            side=Side(body["side"].lower()),
            order_type=OrderType(body["type"].lower()),
            size=Decimal(body["size"]),
            price=Decimal(body["price"]),
            timestamp_ms=body["signature_timestamp"],
        ), f"{worker.name}: the signature does not verify"


def report(workers: list[Worker], missing: list[str], *, as_json: bool) -> None:
    from benchmarks.interleaved import spread_of

    reference = [turn["median"] for turn in workers[0].turns]
    rows = []
    for worker in workers:
        medians = [turn["median"] for turn in worker.turns]
        ratio, low, high = spread_of(medians, reference)
        rows.append(
            {
                "name": worker.name,
                "python": worker.about["python"],
                "versions": worker.about["versions"],
                "median_us": statistics.median(medians) / 1000,
                "best_us": min(turn["best"] for turn in worker.turns) / 1000,
                "worst_us": max(medians) / 1000,
                "ratio": ratio,
                "ratio_low": low,
                "ratio_high": high,
                "start_ms": float(str(worker.about["start_s"])) * 1000,
            }
        )
    title = "Paradex limit order, fields to signed request body"
    if as_json:
        print(json.dumps({"title": title, "unit": "order", "rows": rows, "missing": missing}))
        return
    print(f"{title} (us per order, {len(reference)} turns; ratio to `{OURS}` here; start: import, tables, first order)")
    for row in rows:
        versions = ", ".join(f"{package} {number}" for package, number in row["versions"].items())
        name = f"{row['name']} (Python {row['python']}{', ' + versions if versions else ''})"
        times = f"{row['median_us']:>10,.0f}  best {row['best_us']:>8,.0f}  {row['ratio']:>7.2f}x"
        print(f"  {name:<92}{times}  start {row['start_ms']:>6,.0f} ms")
    for name in missing:
        print(f"  left out: {name}")


if __name__ == "__main__":
    main()
