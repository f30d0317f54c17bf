"""`flashscalper sim`: the exchange in a box on one loopback port, until it is interrupted."""

from __future__ import annotations

import asyncio
import secrets
import signal
import ssl
import sys
import threading
import tomllib
from collections.abc import Awaitable, Sequence
from contextlib import closing, suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from flashscalper.cli.feeds import SYNTHETIC, open_recording, open_synthetic, parse_symbols
from flashscalper.cli.switches import Switches, parse_switches
from flashscalper.market.symbols import DEFAULT_SYMBOLS
from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.addresses import is_loopback
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.hosting.box import CHAIN_ID, box_settings, open_box, open_front, prime
from flashscalper.runtime.hosting.mirror import LATENCY_MS, Mirror, mirror_settings
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.hosting.state_store import StateStore
from flashscalper.runtime.live import run_loop
from flashscalper.simulator.control import to_fault
from flashscalper.simulator.fault_rules import Fault
from flashscalper.simulator.feeds.base import Feed
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.simulator.saved import saved_marks

MAX_LATENCY_MS: Final = 60_000


class SimOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `flashscalper sim` was asked for, checked."""

    host: str
    port: int
    feed: str
    seed: int
    symbols: tuple[str, ...]
    balance: Decimal
    tls: tuple[Path, Path] | None
    switches: Switches
    latency_ms: float
    faults: tuple[Fault, ...]
    mirror: str
    state: Path | None
    reset: bool
    until_stdin_closes: bool

    @classmethod
    def parse(
        cls,
        *,
        host: str,
        port: int,
        feed: str,
        seed: int,
        markets: str,
        balance: str,
        tls: tuple[Path, Path] | None,
        switches: Sequence[str],
        latency_ms: float | None,
        faults: Path | None,
        mirror: str,
        state: Path | None,
        reset: bool,
        until_stdin_closes: bool,
    ) -> SimOptions:
        """Raises ConfigError naming the option."""
        if not is_loopback(host):
            raise ConfigError("host", host, "a loopback address: 127.0.0.1, ::1 or localhost")
        if not 0 <= port <= 65_535:
            raise ConfigError("port", port, "0 (any free port) to 65535")
        if reset and state is None:
            raise ConfigError("reset", "no --state", "--reset with the --state that is to begin anew")
        if mirror and feed != SYNTHETIC:
            raise ConfigError("feed", feed, "no --feed beside --mirror: the mirrored exchange is the feed")
        if latency_ms is not None and not 0 <= latency_ms <= MAX_LATENCY_MS:
            raise ConfigError("latency-ms", latency_ms, f"0 to {MAX_LATENCY_MS} milliseconds")
        symbols = parse_symbols(markets)
        if mirror:
            symbols = symbols or DEFAULT_SYMBOLS
            mirror_settings(mirror, symbols)
        if latency_ms is None:
            latency_ms = LATENCY_MS if mirror else 0.0
        return cls(
            host=host,
            port=port,
            feed=feed,
            seed=check_seed(seed),
            symbols=symbols,
            balance=parse_balance(balance),
            tls=tls,
            switches=parse_switches(switches),
            latency_ms=latency_ms,
            faults=() if faults is None else read_fault_file(faults),
            mirror=mirror,
            state=state,
            reset=reset,
            until_stdin_closes=until_stdin_closes,
        )


def check_seed(seed: int) -> int:
    """A seed is a whole number of zero or more."""
    if seed < 0:
        raise ConfigError("seed", seed, "a whole number of 0 or more")
    return seed


def parse_balance(text: str) -> Decimal:
    """USDC of a new account: finite, above zero."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = ZERO
    if not amount.is_finite() or amount <= ZERO:
        raise ConfigError("balance", text, "an amount of USDC above 0")
    return amount


def read_fault_file(path: Path) -> tuple[Fault, ...]:
    """The `[[fault]]` tables of a TOML file. Raises ConfigError naming the field."""
    try:
        tree = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError("faults", str(path), f"a readable TOML file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("faults", f"{path.name}: {error}", "valid TOML") from None
    if set(tree) != {"fault"} or not isinstance(tree["fault"], list):
        raise ConfigError("faults", ", ".join(tree) or "nothing", "[[fault]] tables and nothing else")
    return tuple(to_fault(value) for value in tree["fault"])


def tls_context(files: tuple[Path, Path]) -> ssl.SSLContext:
    """A server's TLS from certificate and key files. Raises ConfigError for what cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*files)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError("tls", f"{files[0]} {files[1]}", f"PEM files of a certificate and its key ({error})") from None
    return context


def sim(options: SimOptions) -> int:
    """Serve until SIGINT or SIGTERM; a recording is shifted so that it starts now."""
    tls = None if options.tls is None else tls_context(options.tls)
    if options.state is None:
        return run_loop(_simulate(options, tls, None))
    with closing(StateStore(options.state, feed=options.mirror or options.feed, reset=options.reset)) as store:
        return run_loop(_simulate(options, tls, store))


async def _simulate(options: SimOptions, tls: ssl.SSLContext | None, store: StateStore | None) -> int:
    clock = WallClock()
    if options.mirror:
        async with Mirror(mirror_settings(options.mirror, options.symbols), clock) as mirror:
            return await _Simulation(options, mirror.feed, clock, store).serve(tls, mirror)
    feed = _open_feed(options, clock.now(), {} if store is None else saved_marks(store.load()))
    return await _Simulation(options, feed, clock, store).serve(tls, None)


def _open_feed(options: SimOptions, started_at: int, prices: dict[str, Decimal]) -> Feed:
    if options.feed == SYNTHETIC:
        return open_synthetic(seed=options.seed, symbols=options.symbols, started_at=started_at, prices=prices)
    return open_recording(options.feed, symbols=options.symbols, start_at=started_at)


class _Simulation:
    """One exchange on a feed, as the options want it."""

    def __init__(self, options: SimOptions, feed: Feed, clock: WallClock, store: StateStore | None) -> None:
        self._options = options
        self._clock = clock
        started_at = clock.now()
        plain = box_settings(seed=options.seed, base_url="http://127.0.0.1", balance=options.balance)
        settings = replace(plain, **options.switches.settings)
        rules = ExchangeRules(**options.switches.rules)
        self._box = open_box(feed, settings, seed=options.seed, started_at=started_at, rules=rules)
        if options.mirror:
            prime(self._box, feed, started_at)
        self._token = Secret(secrets.token_urlsafe(24))
        self._front = open_front(
            self._box, feed, seed=options.seed, token=self._token, latency_ms=options.latency_ms, store=store
        )
        for fault in options.faults:
            self._front.faults.give(fault, started_at)

    async def serve(self, tls: ssl.SSLContext | None, mirror: Mirror | None) -> int:
        """Until it is interrupted; raises what went wrong in the exchange or in the mirror."""
        options, front = self._options, self._front
        shell = ServerShell(
            front.server, self._clock, front.pump, host=options.host, port=options.port, tls=tls, relay=mirror
        )
        async with shell:
            self._box.server.announce(shell.http_url)
            interrupted = _hear_of_the_end(until_stdin_closes=options.until_stdin_closes)
            waits: list[Awaitable[object]] = [shell.wait(), interrupted.wait()]
            if mirror is not None:
                mirror.attach(shell.wake, front.inner.set_status)
                waits.append(mirror.wait())
            sys.stdout.write(f"{msgspec.json.encode(self._ready_line(shell)).decode()}\n")
            sys.stdout.flush()
            tasks = [asyncio.ensure_future(each) for each in waits]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            for task in done:
                task.result()
        return 0

    def _ready_line(self, shell: ServerShell) -> dict[str, Any]:
        return {
            "ready": True,
            "rest": f"{shell.http_url}/v1",
            "websocket": shell.ws_url,
            "chain_id": CHAIN_ID,
            "markets": [market.market for market in self._box.exchange.markets()],
            "balance": str(self._options.balance),
            "control": {"url": f"{shell.http_url}/control", "token": self._token.reveal()},
        }


def _hear_of_the_end(*, until_stdin_closes: bool) -> asyncio.Event:
    """Is set as soon as somebody wants us to end; from the call on, a signal ends us in good order."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, interrupted.set)
    if until_stdin_closes:
        threading.Thread(target=_await_end_of_stdin, args=(loop, interrupted), daemon=True).start()
    return interrupted


def _await_end_of_stdin(loop: asyncio.AbstractEventLoop, interrupted: asyncio.Event) -> None:
    """Whoever started us holds the other end of our standard input: when that closes, nobody needs us any more."""
    while sys.stdin.buffer.read(4096):
        continue
    with suppress(RuntimeError):  # the loop is closed: we are ending anyway
        loop.call_soon_threadsafe(interrupted.set)
