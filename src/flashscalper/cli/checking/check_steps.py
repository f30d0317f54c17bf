"""The steps of `check` that only read: environment, TLS, REST, clock, markets, login, rights, account, margin, fees."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from flashscalper.cli.checking.findings import Finding, Outcome
from flashscalper.cli.target import Target
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.settings import Environment
from flashscalper.exchanges.paradex.signing import KeyRole
from flashscalper.market.symbols import DEFAULT_SYMBOLS, SymbolMapper
from flashscalper.model.amounts import plain
from flashscalper.model.errors import ConfigError, TransportError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.instants import SECOND_US
from flashscalper.model.markets import Market
from flashscalper.runtime.addresses import is_loopback
from flashscalper.runtime.clients.paradex_keys import role_of
from flashscalper.runtime.clients.paradex_rest import KEY_VARIABLE, ParadexRest
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.credentials import KEY_NAME_VARIABLE, Credentials
from flashscalper.runtime.sockets import verifying

MOST_UNCERTAIN_US: Final = 250_000
"""Above this the engine places no new orders."""
_NOTICEABLE_US: Final = SECOND_US
_CLOCK_SAMPLES: Final = 5
_CERTIFICATE_DAYS: Final = 14
_NO_KEY: Final = "no key and no token: public steps only"


class Bench:
    """What the steps share: connections, what was asked for, and what earlier steps learnt."""

    def __init__(self, target: Target, credentials: Credentials, rest: ParadexRest, client: ParadexRestClient) -> None:
        self.target = target
        self.credentials = credentials
        self.rest = rest
        self.client = client
        self.asked_symbols: tuple[str, ...] = ()
        self.seconds = 10.0
        self.order = True
        self.status = ExchangeStatus.OK
        self.markets: tuple[Market, ...] = ()

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target, symbols: tuple[str, ...], seconds: float, *, order: bool) -> AsyncIterator[Bench]:
        """Connections for one check, closed at the end."""
        credentials = target.credentials()
        async with target.rest(credentials) as rest, ParadexRestClient(target.settings, credentials) as client:
            bench = cls(target, credentials, rest, client)
            bench.asked_symbols, bench.seconds, bench.order = symbols, seconds, order
            yield bench


async def environment(bench: Bench) -> Finding:
    """Where it goes and with what. What does not agree was refused before."""
    settings, key_name = bench.target.settings, bench.target.variables.get(KEY_NAME_VARIABLE, "").strip()
    if bench.target.by_url and bench.credentials.account == "":
        source = "a throw-away key"
    elif bench.credentials.secret_key is not None:
        source = f"the stored key {key_name!r}" if key_name else "a key from the environment"
    else:
        source = "a token, which only reads" if bench.credentials.private else _NO_KEY
    outcome = Outcome.OK if bench.credentials.private else Outcome.WARN
    detail = f"{settings.environment} at {settings.rest_url}, {source}"
    return Finding(step="environment", outcome=outcome, detail=detail, facts={"rest_url": settings.rest_url})


async def certificate(bench: Bench) -> Finding:
    """The exchange's certificate, verified by this machine's authorities for exactly this host."""
    parts = urlsplit(bench.target.settings.rest_url)
    host = parts.hostname or ""
    if parts.scheme == "http" and is_loopback(host):
        return Finding(step="tls", outcome=Outcome.OK, detail="not needed: nothing leaves this machine")
    version, ends_at = await _handshake(host, parts.port or 443, bench.target.settings.connect_timeout_s)
    days = (ends_at - datetime.now(UTC)).days
    outcome = Outcome.OK if days >= _CERTIFICATE_DAYS else Outcome.WARN
    detail = f"{version} with {host}, certificate verified, valid for {days} more days"
    return Finding(step="tls", outcome=outcome, detail=detail, facts={"version": version, "days": days})


async def _handshake(host: str, port: int, timeout_s: float) -> tuple[str, datetime]:
    """TLS version and end of the certificate. Raises TransportError when anything about it is not in order."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=verifying(None))
    except (OSError, TimeoutError) as error:
        raise TransportError(f"no verified TLS connection to {host}:{port}: {type(error).__name__}: {error}") from error
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    found, version = tls.getpeercert() or {}, tls.version() or "TLS"
    writer.close()
    return version, datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)


async def rest_answers(bench: Bench) -> Finding:
    """The exchange answers, is on the environment's chain, and lets people trade."""
    started = bench.rest.now()
    body = await bench.rest.read(requests.system_config())
    took_ms = (bench.rest.now() - started) / 1000
    config = responses.decode("GET /system/config", wire.SystemConfig, body)
    bench.target.settings.check_chain(config.starknet_chain_id)
    bench.status = responses.status_from(await bench.rest.read(requests.system_state()))
    facts = {"chain": config.starknet_chain_id, "status": str(bench.status), "answer_ms": round(took_ms, 1)}
    detail = f"{config.starknet_chain_id}, status {bench.status}, first answer after {took_ms:.0f} ms"
    if bench.status is ExchangeStatus.OK:
        return Finding(step="rest", outcome=Outcome.OK, detail=detail, facts=facts)
    hint = "wait: releases are on weekdays around 04:30 UTC and take a few minutes"
    return Finding(step="rest", outcome=Outcome.WARN, detail=detail, hint=hint, facts=facts)


async def clock(bench: Bench) -> Finding:
    """The exchange's clock against ours: the sample with the shortest way there and back counts."""
    samples = []
    wall = WallClock()
    for _ in range(_CLOCK_SAMPLES):
        asked_at = wall.now()
        server_at = responses.server_time_from(await bench.rest.read(requests.system_time()))
        answered_at = wall.now()
        samples.append((answered_at - asked_at, server_at + 500 - (asked_at + answered_at) // 2))
    round_trip, offset = min(samples)
    uncertainty = round_trip // 2 + 500
    facts = {"offset_ms": offset / 1000, "uncertainty_ms": uncertainty / 1000}
    detail = f"the exchange's clock is {offset / 1000:+.1f} ms from ours, known to {uncertainty / 1000:.1f} ms"
    if uncertainty > MOST_UNCERTAIN_US:
        hint = "above 250 ms no new orders are placed: look for a nearer machine or a better line"
        return Finding(step="clock", outcome=Outcome.FAIL, detail=detail, hint=hint, facts=facts)
    if abs(offset) > _NOTICEABLE_US:
        hint = "the offset is measured and applied, but time synchronisation (NTP) on this machine would be better"
        return Finding(step="clock", outcome=Outcome.WARN, detail=detail, hint=hint, facts=facts)
    return Finding(step="clock", outcome=Outcome.OK, detail=detail, facts=facts)


async def listed_markets(bench: Bench) -> Finding:
    """The markets asked for; else those of the default seven that are listed."""
    mapper = SymbolMapper()
    rows = responses.decode("GET /markets", wire.Page, await bench.rest.read(requests.markets())).results
    listed = {responses.decode("GET /markets", wire.MarketName, row).symbol for row in rows}
    wanted = [mapper.to_symbol(name) for name in bench.asked_symbols or DEFAULT_SYMBOLS]
    missing = [symbol for symbol in wanted if mapper.to_market(symbol) not in listed]
    if (bench.asked_symbols and missing) or len(missing) == len(wanted):
        raise ConfigError("markets", ", ".join(missing), f"listed ones: {', '.join(sorted(listed)[:20])}")
    there = [symbol for symbol in wanted if symbol not in missing]
    bench.markets = tuple([await bench.client.get_market(symbol) for symbol in there])
    detail = f"{len(listed)} listed; {', '.join(there)}"
    if missing:
        hint = f"not listed here: {', '.join(missing)}"
        return Finding(step="markets", outcome=Outcome.WARN, detail=detail, hint=hint)
    return Finding(step="markets", outcome=Outcome.OK, detail=detail, facts={"listed": len(listed)})


async def sign_in(bench: Bench) -> Finding:
    """A session, and the account that it opens."""
    if not bench.credentials.private:
        return Finding(step="auth", outcome=Outcome.SKIP, detail=_NO_KEY)
    account = await bench.client.get_balance()
    facts = {"account": account.account, "status": account.status, "account_value": plain(account.account_value)}
    detail = f"account {account.account}, status {account.status}, {plain(account.account_value)} USDC"
    if account.status != "ACTIVE":
        hint = "the exchange is liquidating this account: close positions or deposit"
        return Finding(step="auth", outcome=Outcome.FAIL, detail=detail, hint=hint, facts=facts)
    if account.account_value <= 0:
        hint = "deposit first; on testnet use the faucet of the web application"
        return Finding(step="auth", outcome=Outcome.WARN, detail=detail, hint=hint, facts=facts)
    return Finding(step="auth", outcome=Outcome.OK, detail=detail, facts=facts)


async def key_rights(bench: Bench) -> Finding:
    """What the key may do. A main key works, but a thief of it can withdraw."""
    key = bench.credentials.secret_key
    if key is None:
        return Finding(
            step="key", outcome=Outcome.SKIP, detail="a token: reads only, cannot sign orders", facts={"may": "read"}
        )
    account = (await bench.client.get_balance()).account
    role = await role_of(bench.rest, key, account, field=KEY_VARIABLE)
    if role is KeyRole.OTHER:
        detail = "a subkey: trades, but cannot withdraw, transfer or manage keys"
        return Finding(step="key", outcome=Outcome.OK, detail=detail, facts={"may": "trade", "role": "subkey"})
    if bench.target.environment is Environment.SIMULATOR:
        return Finding(
            step="key", outcome=Outcome.OK, detail="the main key of an account without money", facts={"may": "all"}
        )
    detail = "the main key: trades, and can also withdraw and manage keys"
    hint = (
        "`flashscalper keys new bot --allow-cidr ...` makes a subkey that can only trade; keep the main key off this machine"
    )
    prod = bench.target.environment is Environment.PROD
    outcome = Outcome.FAIL if prod else Outcome.WARN
    return Finding(step="key", outcome=outcome, detail=detail, hint=hint, facts={"may": "all", "role": str(role)})
