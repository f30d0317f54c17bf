"""`flashscalper bench`: what this machine takes to sign, to decode, from tick to order, and to the exchange and back.

Orders are measured on the whole trading process with the built-in exchange (`flashscalper.cli.bench_ticks`); round trips are
public reads of the exchange's clock. Times are wall microseconds of one machine: whoever shares it is in them.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Final

import msgspec

from flashscalper.cli.bench_socket import LoopbackSocket
from flashscalper.cli.bench_ticks import STARTED_AT, open_run
from flashscalper.cli.table import text_table
from flashscalper.cli.target import Target, find_target
from flashscalper.exchanges.paradex import requests, sbe, sbe_schema
from flashscalper.exchanges.paradex.market_frames import MarketFrames
from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.exchanges.paradex.signing import BACKENDS, CurveSigner, backend, default_backend
from flashscalper.model.errors import ConfigError, FlashScalperError
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret
from flashscalper.runtime.collecting import rare_collections
from flashscalper.runtime.hosting.box import CHAIN_ID
from flashscalper.runtime.live import run_loop

ROUND_TRIPS: Final = 20
_FRAMES: Final = 1_000
_WITHIN_S: Final = 60.0
_WARM: Final = 10
_MOST_ORDERS: Final = 10_000
_KEY: Final = Secret("0x2a1f6a3b5c8d7e9f0a1b2c3d4e5f60718293a4b5c6d7e8f9")
_MARKET: Final = "ETH-USD-PERP"
_PERCENTS: Final = (10, 50, 90, 99)


class Measured(msgspec.Struct, frozen=True):
    """One line: what was done how often, and percentiles of its time in microseconds."""

    name: str
    count: int
    p10_us: float
    p50_us: float
    p90_us: float
    p99_us: float


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked. `target` is where round trips go, None for nowhere."""

    orders: int
    rate: float
    runs: Path
    target: Target | None

    @classmethod
    def parse(cls, *, orders: int, rate: float, runs: Path, url: str, environment: str, network: bool) -> BenchOptions:
        """Check them. Raises ConfigError naming the option; a real exchange is only asked with `--network`."""
        if not 1 <= orders <= _MOST_ORDERS:
            raise ConfigError("--orders", orders, f"1 to {_MOST_ORDERS}")
        if not 1.0 <= rate <= 100_000.0:
            raise ConfigError("--rate", rate, "1 to 100000 frames a second")
        if network and not environment:
            raise ConfigError("--network", "no exchange", "--environment testnet or prod beside it")
        target = find_target(url=url, environment=environment) if url or environment else None
        if target is not None and target.environment is not Environment.SIMULATOR and not network:
            raise ConfigError("--environment", environment, "--network beside it, because this asks a real exchange")
        return cls(orders=orders, rate=rate, runs=runs, target=target)


def bench(options: BenchOptions, *, json: bool) -> int:
    """Measure everything that was asked for and print it."""
    lines = [*signing(options.orders), *decoding(), *ticks(options)]
    if options.target is not None:
        lines.append(run_loop(round_trips(options.target)))
    if json:
        about = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.release()}
        sys.stdout.write(msgspec.json.encode({**about, "lines": lines}).decode() + "\n")
        return 0
    rows = [[line.name, str(line.count), *(f"{each:,.1f}" for each in _percentiles(line))] for line in lines]
    heads = ["microseconds", "times", *(f"p{percent}" for percent in _PERCENTS)]
    sys.stdout.write(text_table(heads, rows, right=frozenset(range(1, len(heads)))) + "\n")
    return 0


def signing(orders: int) -> list[Measured]:
    """A limit order signed, in every backend that is installed here; the one in use first."""
    used = default_backend().name
    found = []
    for name in sorted(BACKENDS, key=lambda each: each != used):
        try:
            engine = backend(name)
        except ConfigError:
            continue  # not installed here
        signer = CurveSigner("0x1", _KEY, CHAIN_ID, backend=engine)
        label = f"sign an order, {name}{' (in use)' if name == used else ''}"
        found.append(_timed(label, orders, lambda number, signer=signer: _sign(signer, number)))  # type: ignore[misc]
    return found


def _sign(signer: CurveSigner, number: int) -> str:
    return signer.sign_order(
        market=_MARKET, side=Side.BUY, order_type=OrderType.LIMIT, size=Decimal("0.1") + number % 900 * Decimal("0.001"),
        price=Decimal(3000) + number % 900 * Decimal("0.1"), timestamp_ms=STARTED_AT // 1000 + number,
    )  # fmt: skip


def decoding() -> list[Measured]:
    """A trade frame to the checked event that the engine is handed, both encodings."""
    frames = MarketFrames({_MARKET: "ETHUSDT"})
    values: dict[str, sbe.SbeValue] = {
        "sent_at": STARTED_AT, "seq_no": 1, "short_id": 1, "side": "BUY", "price": Decimal("3000.1"), "size": Decimal("0.5"),
        "created_at": STARTED_AT, "trade_type": "FILL", "market": _MARKET, "trade_id": "1767225600123201704028870000",
    }  # fmt: skip
    binary = sbe.encode(sbe_schema.TRADE, 2, values)
    text = (
        b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"trades.ETH-USD-PERP","data":{"id":'
        b'"1767225600123201704028870000","market":"ETH-USD-PERP","side":"BUY","size":"0.5","price":"3000.1",'
        b'"created_at":1767225600123,"trade_type":"FILL"}}}'
    )
    return [
        _timed("decode a trade, binary", _FRAMES, lambda _: frames.read_binary(binary)),
        _timed("decode a trade, JSON", _FRAMES, lambda _: frames.read_json(text)),
    ]


def ticks(options: BenchOptions) -> list[Measured]:
    """Market frame in, order bytes out, on the whole process: signed at the tick and signed ahead, with and without sync.

    Raises FlashScalperError when no order came in a minute.
    """
    options.runs.mkdir(parents=True, exist_ok=True)
    lines = []
    for durable, told in ((True, "journal synced"), (False, "journal not synced")):
        with LoopbackSocket() as sink, tempfile.TemporaryDirectory(dir=options.runs) as folder, rare_collections():
            run = open_run(Path(folder), sink.send, durable=durable, frames_per_second=options.rate)
            run.between = sink.empty
            run.start()
            run.collect(min(_WARM, options.orders), _WITHIN_S)
            run.samples.clear()
            run.releases.clear()
            run.collect(options.orders, _WITHIN_S)
            run.close()
        if not run.samples:
            raise FlashScalperError(f"no order came within {_WITHIN_S:g} s")
        lines.append(measured(f"tick to order, {told}", [sample.wall_ns for sample in run.samples]))
        if run.releases:
            lines.append(measured(f"tick to exit signed ahead, {told}", [sample.wall_ns for sample in run.releases]))
    return lines


async def round_trips(target: Target) -> Measured:
    """Public reads of the exchange's clock over one connection; the first one, which opens it, does not count."""
    taken = []
    async with target.rest() as rest:
        await rest.read(requests.system_time())
        for _ in range(ROUND_TRIPS):
            began_ns = time.perf_counter_ns()
            await rest.read(requests.system_time())
            taken.append(time.perf_counter_ns() - began_ns)
    return measured(f"round trip to {target.environment}, GET /system/time", taken)


def measured(name: str, taken_ns: Sequence[int]) -> Measured:
    """Percentiles by nearest rank."""
    ranked = sorted(taken_ns)
    return Measured(name, len(ranked), *(ranked[max(0, ceil(p / 100 * len(ranked)) - 1)] / 1e3 for p in _PERCENTS))


def _timed(name: str, times: int, work: Callable[[int], object]) -> Measured:
    """Every single call, after a few that do not count."""
    for number in range(_WARM):
        work(number)
    taken = []
    for number in range(times):
        began_ns = time.perf_counter_ns()
        work(number)
        taken.append(time.perf_counter_ns() - began_ns)
    return measured(name, taken)


def _percentiles(line: Measured) -> tuple[float, ...]:
    return line.p10_us, line.p50_us, line.p90_us, line.p99_us
