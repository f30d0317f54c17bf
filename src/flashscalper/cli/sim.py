"""`flashscalper sim`: the exchange in a box on one loopback port, until it is interrupted."""

from __future__ import annotations

import asyncio
import secrets
import signal
import ssl
import sys
import threading
import tomllib
from collections.abc import Sequence
from contextlib import closing, suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from flashscalper.cli.feeds import SYNTHETIC, open_recording, open_synthetic, parse_symbols
from flashscalper.cli.switches import Switches, parse_switches
from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.addresses import is_loopback
from flashscalper.runtime.box import CHAIN_ID, Box, box_settings, open_box, open_front
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.live import run_loop
from flashscalper.runtime.server import ServerShell
from flashscalper.runtime.state_store import StateStore
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
        if latency_ms is not None and not 0 <= latency_ms <= MAX_LATENCY_MS:
            raise ConfigError("latency-ms", latency_ms, f"0 to {MAX_LATENCY_MS} milliseconds")
        return cls(
            host=host,
            port=port,
            feed=feed,
            seed=check_seed(seed),
            symbols=parse_symbols(markets),
            balance=parse_balance(balance),
            tls=tls,
            switches=parse_switches(switches),
            latency_ms=latency_ms or 0.0,
            faults=() if faults is None else read_fault_file(faults),
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
        return _simulate(options, tls, None)
    with closing(StateStore(options.state, feed=options.feed, reset=options.reset)) as store:
        return _simulate(options, tls, store)


def _simulate(options: SimOptions, tls: ssl.SSLContext | None, store: StateStore | None) -> int:
    clock = WallClock()
    started_at = clock.now()
    feed = _open_feed(options, started_at, {} if store is None else saved_marks(store.load()))
    plain = box_settings(seed=options.seed, base_url="http://127.0.0.1", balance=options.balance)
    settings = replace(plain, **options.switches.settings)
    rules = ExchangeRules(**options.switches.rules)
    box = open_box(feed, settings, seed=options.seed, started_at=started_at, rules=rules)
    token = Secret(secrets.token_urlsafe(24))
    front = open_front(box, feed, seed=options.seed, token=token, latency_ms=options.latency_ms, store=store)
    for fault in options.faults:
        front.faults.give(fault, started_at)
    shell = ServerShell(front.server, clock, front.pump, host=options.host, port=options.port, tls=tls)
    return run_loop(_serve(options, shell, box, token))


def _open_feed(options: SimOptions, started_at: int, prices: dict[str, Decimal]) -> Feed:
    if options.feed == SYNTHETIC:
        return open_synthetic(seed=options.seed, symbols=options.symbols, started_at=started_at, prices=prices)
    return open_recording(options.feed, symbols=options.symbols, start_at=started_at)


async def _serve(options: SimOptions, shell: ServerShell, box: Box, token: Secret) -> int:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, interrupted.set)
    if options.until_stdin_closes:
        threading.Thread(target=_await_end_of_stdin, args=(loop, interrupted), daemon=True).start()
    async with shell:
        box.server.announce(shell.http_url)
        sys.stdout.write(f"{msgspec.json.encode(_ready_line(options, shell, box, token)).decode()}\n")
        sys.stdout.flush()
        ended = asyncio.ensure_future(shell.wait())
        stopped = asyncio.ensure_future(interrupted.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, stopped):
            task.cancel()
    return 0


def _await_end_of_stdin(loop: asyncio.AbstractEventLoop, interrupted: asyncio.Event) -> None:
    """Whoever started us holds the other end of our standard input: when that closes, nobody needs us any more."""
    while sys.stdin.buffer.read(4096):
        continue
    with suppress(RuntimeError):  # the loop is closed: we are ending anyway
        loop.call_soon_threadsafe(interrupted.set)


def _ready_line(options: SimOptions, shell: ServerShell, box: Box, token: Secret) -> dict[str, Any]:
    return {
        "ready": True,
        "rest": f"{shell.http_url}/v1",
        "websocket": shell.ws_url,
        "chain_id": CHAIN_ID,
        "markets": [market.market for market in box.exchange.markets()],
        "balance": str(options.balance),
        "control": {"url": f"{shell.http_url}/control", "token": token.reveal()},
    }
