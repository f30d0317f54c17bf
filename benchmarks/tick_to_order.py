"""Tick to order: a market frame received -> signed order bytes written to a socket, beside the floors of its parts.

The whole process is ours (client, engine with 8 timeframes, scalper, risk gate, journal, tape) on the built-in exchange; see
`flashscalper.cli.bench_ticks` for what is real and what is not. The parts are the work that nobody can leave out, each alone
on inputs of the same run, in the same process, at the same rate of frames, one part in each pause between two frames:
decode the frame; close the kline and ask the scalper; write the journal; sync it; sign; encode; write to the socket.

Run: python -m benchmarks.tick_to_order [--orders N] [--rate FRAMES_PER_SECOND] [--folder ON_THE_DISK] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context

from benchmarks.machine import Steal, percentile

from flashscalper.cli.bench_socket import LoopbackSocket
from flashscalper.cli.bench_ticks import INTERVALS, Restless, Sample, TickRun, open_run
from flashscalper.exchanges.paradex import requests
from flashscalper.exchanges.paradex.market_frames import MarketFrames
from flashscalper.market.klines import KlineBuilder, KlineClosed
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.orders import Side
from flashscalper.runtime.collecting import rare_collections
from flashscalper.runtime.journal import Journal

TITLE = "Tick to order: market frame received to signed bytes on the socket"
WITHIN_S = 90.0


class Closing:
    """The kline part: eight timeframes of trades, and a scalper that is asked whenever the shortest closes."""

    def __init__(self, run: TickRun) -> None:
        self._builder = KlineBuilder(run.market.symbol, INTERVALS, timer_only=True)
        self._scalper = Restless(run.market)
        self._view = _BareView()
        self._at = 1_767_225_600 * SECOND_US
        self._id = 0
        for _ in range(100):
            self.trade()
            self.close()

    def trade(self) -> None:
        for _ in range(15):
            self._id += 1
            price = 3_000.0 + self._id % 7 * 0.1
            self._builder.process_trade(Trade("ETHUSDT", self._id, Side.BUY, price, 0.1, self._at + self._id % 15 * 60_000))

    def close(self) -> None:
        self._at += SECOND_US
        for event in self._builder.advance(self._at + 250_000):
            if isinstance(event, KlineClosed):
                self._view.kline, self._view.now = event.kline, self._at
                self._scalper.on_kline(self._view, live=True)  # type: ignore[arg-type]


class _BareView:
    quote = mark = book = position = market = None
    now = 0
    kline = None


class Parts:
    """Times every part on the inputs of one order, one part in each pause between frames."""

    def __init__(self, run: TickRun, sink: LoopbackSocket, journal: Journal, *, durable: bool) -> None:
        self.ns: dict[str, list[int]] = defaultdict(list)
        self.cpu_ns: dict[str, list[int]] = defaultdict(list)
        self._run = run
        self._sink = sink
        self._journal = journal
        self._durable = durable
        self._frames = MarketFrames({run.market.market: run.market.symbol})
        self._closing = Closing(run)
        self._left: Iterator[tuple[str, Callable[[], object]]] = iter(())
        self._seen = 0

    def forget(self) -> None:
        """Begin anew."""
        self.ns.clear()
        self.cpu_ns.clear()
        self._seen = 0

    def between(self) -> None:
        """Called before every frame."""
        self._sink.empty()
        part = next(self._left, None)
        if part is not None:
            name, work = part
            cpu_ns, began_ns = time.thread_time_ns(), time.perf_counter_ns()
            work()
            ended_ns, cpu_ended_ns = time.perf_counter_ns(), time.thread_time_ns()
            self.ns[name].append(ended_ns - began_ns)
            self.cpu_ns[name].append(cpu_ended_ns - cpu_ns)
        elif len(self._run.samples) > self._seen:
            self._seen = len(self._run.samples)
            self._left = self._of(self._run.samples[-1])

    def _of(self, sample: Sample) -> Iterator[tuple[str, Callable[[], object]]]:
        command = next(output for output in sample.outputs if type(output) is PlaceOrder)
        signed: list[str] = []
        stamp = 1_767_225_600_000 + self._seen
        data = sample.frame.data
        read = self._frames.read_binary if sample.frame.binary else self._frames.read_json
        yield "decode the frame", lambda: read(data)
        self._closing.trade()
        yield "close the kline, ask the scalper", self._closing.close
        yield "write the journal", lambda: self._journal.append(stamp, sample.outputs)
        if self._durable:
            yield "sync the journal", self._journal.sync
        yield "sign", lambda: signed.append(self._sign(command, stamp))
        market = self._run.market.market
        yield "encode the request", lambda: requests.order_body(command, market, signed[-1], stamp, 5_000)
        yield "write to the socket", lambda: self._sink.send(sample.sent)

    def _sign(self, command: PlaceOrder, stamp: int) -> str:
        return self._run.signer.sign_order(
            market=self._run.market.market, side=command.side, order_type=command.type,
            size=command.size + Decimal("0.001") * (stamp % 100), price=command.price, timestamp_ms=stamp,
        )  # fmt: skip


def measure(
    folder: Path, options: argparse.Namespace, *, durable: bool, tls: tuple[SSLContext, SSLContext] | None
) -> dict[str, object]:
    """One run: percentiles of the whole and of each part, in microseconds."""
    with LoopbackSocket(tls) as sink, tempfile.TemporaryDirectory(dir=folder) as name:
        run = open_run(Path(name), sink.send, durable=durable, frames_per_second=options.rate)
        with Journal(Path(name) / "part.fsj", {"run": "part"}, durable=durable) as journal, rare_collections():
            parts = Parts(run, sink, journal, durable=durable)
            run.between = parts.between
            run.start()
            run.collect(10, WITHIN_S)  # warm: instruments, tables, caches of the interpreter
            run.samples.clear()
            parts.forget()
            steal = Steal()
            run.collect(options.orders, WITHIN_S)
            stolen = steal.share()
    wall = [sample.wall_ns / 1e3 for sample in run.samples]
    cpu = [sample.cpu_ns / 1e3 for sample in run.samples]
    floors = {name: [ns / 1e3 for ns in times] for name, times in parts.ns.items()}
    floor_50 = sum(percentile(times, 50) for times in floors.values())
    floor_90 = sum(percentile(times, 90) for times in floors.values())
    floor_cpu = sum(percentile(times, 50) for times in parts.cpu_ns.values()) / 1e3
    quiet = [ns / 1e3 for ns in run.frame_ns]
    return {
        "orders": len(wall), "wall_us": _percentiles(wall), "cpu_us": _percentiles(cpu), "floor_50_us": floor_50,
        "floor_90_us": floor_90, "ratio_50": percentile(wall, 50) / floor_50, "ratio_90": percentile(wall, 90) / floor_90,
        "floor_cpu_us": floor_cpu,
        "ratio_cpu": percentile(cpu, 50) / floor_cpu, "parts_us": {k: _percentiles(v) for k, v in floors.items()},
        "quiet_frame_us": _percentiles(quiet), "steal": stolen,
    }  # fmt: skip


def _percentiles(numbers: list[float]) -> dict[str, float]:
    return {f"p{percent}": percentile(numbers, percent) for percent in (10, 50, 90, 99)}


def own_authority(folder: Path) -> tuple[SSLContext, SSLContext]:
    """Contexts of a client and a server that trusts it, for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(secret + pem)
    server = SSLContext(PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    file.unlink()
    return create_default_context(cadata=pem.decode()), server


def main() -> None:
    """Print the whole and its parts, without sync, with sync, and with TLS."""
    options = arguments()
    options.folder.mkdir(parents=True, exist_ok=True)
    tls = own_authority(options.folder)
    runs = {
        "journal without sync": measure(options.folder, options, durable=False, tls=None),
        "journal with sync": measure(options.folder, options, durable=True, tls=None),
        "journal without sync, TLS": measure(options.folder, options, durable=False, tls=tls),
    }
    if options.json:
        print(json.dumps({"title": TITLE, "rate": options.rate, "runs": runs}))
        return
    print(f"{TITLE} (us, {options.rate:g} frames/s, load {os.getloadavg()[0]:.1f})")
    for name, run in runs.items():
        report(name, run)


def report(name: str, run: dict[str, object]) -> None:
    print(f"  {name}: {run['orders']} orders, steal {run['steal']}")
    for title in ("wall_us", "cpu_us", "quiet_frame_us"):
        print(f"    {title:<36}" + "  ".join(f"{key} {value:>8,.0f}" for key, value in run[title].items()))
    for title, values in run["parts_us"].items():
        print(f"      {title:<34}" + "  ".join(f"{key} {value:>8,.1f}" for key, value in values.items()))
    print(f"    sum of the parts: p50 {run['floor_50_us']:,.0f}, p90 {run['floor_90_us']:,.0f}")
    print(f"    the whole in CPU time: {run['ratio_cpu']:.2f}x their p50 at p50")
    print(f"    the whole: {run['ratio_50']:.2f}x their p50 at p50, {run['ratio_90']:.2f}x their p90 at p90")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--orders", type=int, default=200, help="how many orders are measured in each run")
    parser.add_argument("--rate", type=float, default=500.0, help="market frames a second of wall time")
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="where the journals are: a real disk")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
