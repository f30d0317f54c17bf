"""What a Paradex client is told: where, which markets, which habits. Refuses combinations that do not agree.

Environments and hosts: paradex.md section 1. Off loopback only https and wss are accepted, and the host must belong to the
environment, so that a testnet key never signs for prod and a paper run never talks to the real exchange by accident.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Environment(StrEnum):
    """Which Paradex. `simulator` is anything that speaks the protocol and is not Paradex's own."""

    TESTNET = "testnet"
    PROD = "prod"
    SIMULATOR = "simulator"


class BookFeed(StrEnum):
    """Which order book channel to subscribe: changed levels, whole books every 50 ms, or none."""

    DELTAS = "deltas"
    SNAPSHOT = "snapshot"
    NONE = "none"


class OrderEntry(StrEnum):
    """How order requests leave: over the WebSocket (REST as fallback) or over REST only."""

    WEBSOCKET = "websocket"
    REST = "rest"


REST_URLS: Final[Mapping[Environment, str]] = MappingProxyType(
    {
        Environment.TESTNET: "https://api.testnet.paradex.trade/v1",
        Environment.PROD: "https://api.prod.paradex.trade/v1",
    }
)
WS_URLS: Final[Mapping[Environment, str]] = MappingProxyType(
    {
        Environment.TESTNET: "wss://ws.api.testnet.paradex.trade/v1",
        Environment.PROD: "wss://ws.api.prod.paradex.trade/v1",
    }
)
CHAIN_IDS: Final[Mapping[Environment, tuple[str, ...]]] = MappingProxyType(
    {
        Environment.TESTNET: ("PRIVATE_SN_POTC_SEPOLIA",),
        Environment.PROD: ("PRIVATE_SN_PARACLEAR_MAINNET",),
        Environment.SIMULATOR: ("PRIVATE_SN_POTC_SEPOLIA", "PRIVATE_SN_POTC_MOCK_SEPOLIA", "PRIVATE_SN_PARACLEAR_TESTNET"),
    }
)
"""Which StarkNet chain ids may sign where; a simulator never answers with the prod chain."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PARADEX_DOMAIN: Final = "paradex.trade"


class ParadexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a `ParadexClient` may be told. `markets` pairs our symbol with Paradex's market name.

    Durations are in the unit of their name. `validate()` raises ConfigError naming the variable or the field.
    """

    environment: Environment
    rest_url: str
    ws_url: str
    markets: tuple[tuple[str, str], ...]
    private: bool = True
    read_only: bool = False
    interactive: bool = False
    onboard: bool = False
    ethereum_account: str = ""
    sbe: bool = True
    sbe_version: int = 2
    book: BookFeed = BookFeed.DELTAS
    busy_market: str = "BTC-USD-PERP"
    order_entry: OrderEntry = OrderEntry.WEBSOCKET
    rest_fallback: bool = True
    recv_window_ms: int = 5_000
    order_timeout_s: float = 3.0
    read_timeout_s: float = 10.0
    auth_timeout_s: float = 5.0
    connect_timeout_s: float = 5.0
    handshake_timeout_s: float = 10.0
    token_refresh_s: float = 180.0
    token_entry_floor_s: float = 60.0
    dead_feed_s: float = 15.0
    ping_every_s: float = 8.0
    ping_timeout_s: float = 5.0
    backoff_base_s: float = 0.25
    backoff_cap_s: float = 30.0
    max_reconnect_attempts: int = 0
    state_poll_s: float = 5.0
    clock_poll_s: float = 60.0
    rules_poll_s: float = 600.0
    max_gap_pages: int = 20
    gap_patience_s: float = 60.0
    max_held_trades: int = 20_000

    @classmethod
    def for_environment(
        cls,
        environment: str,
        markets: tuple[tuple[str, str], ...],
        *,
        rest_url: str = "",
        ws_url: str = "",
        private: bool = True,
    ) -> ParadexSettings:
        """Settings with the environment's own addresses where none is given; validated.

        Raises ConfigError for an unknown environment, and for `simulator` without addresses.
        """
        try:
            chosen = Environment(environment)
        except ValueError:
            raise ConfigError("PARADEX_ENVIRONMENT", environment, ", ".join(Environment)) from None
        settings = cls(
            environment=chosen,
            rest_url=(rest_url or REST_URLS.get(chosen, "")).rstrip("/"),
            ws_url=(ws_url or WS_URLS.get(chosen, "")).rstrip("/"),
            markets=markets,
            private=private,
            onboard=chosen is not Environment.PROD,
        )
        settings.validate()
        return settings

    def validate(self) -> None:
        """Check that addresses, environment and numbers agree. Raises ConfigError naming the first that does not."""
        _check_url("PARADEX_REST_URL", self.rest_url, self.environment, secure="https", plain="http")
        _check_url("PARADEX_WS_URL", self.ws_url, self.environment, secure="wss", plain="ws")
        if not self.markets:
            raise ConfigError("markets", "none", "at least one pair of symbol and market")
        for names in zip(*self.markets, strict=True):
            if len(set(names)) != len(names):
                raise ConfigError("markets", names, "each symbol and each market once")
        if self.onboard and self.environment is Environment.PROD:
            raise ConfigError("onboard", True, "False on prod: onboard once by hand")
        _check_numbers(self)

    def check_chain(self, chain_id: str) -> None:
        """Raise ConfigError when the exchange's StarkNet chain is not one of the environment's."""
        accepted = CHAIN_IDS[self.environment]
        if chain_id not in accepted:
            field = f"starknet_chain_id at PARADEX_REST_URL for PARADEX_ENVIRONMENT={self.environment}"
            raise ConfigError(field, chain_id, ", ".join(accepted))

    @property
    def socket_url(self) -> str:
        """Address of every socket. SBE is asked for in the query, also where payloads stay JSON (paradex.md section 5.9)."""
        return f"{self.ws_url}?sbeSchemaId=1&sbeSchemaVersion={self.sbe_version}" if self.sbe else self.ws_url


def _check_numbers(settings: ParadexSettings) -> None:
    """Every duration above zero, every count at least what its docstring allows."""
    for field in settings.__struct_fields__:
        value = getattr(settings, field)
        if field.endswith("_s") and not value > 0:
            raise ConfigError(field, value, "seconds above 0")
    if settings.recv_window_ms < 10:
        raise ConfigError("recv_window_ms", settings.recv_window_ms, "at least 10 (Paradex's minimum)")
    if settings.sbe_version not in (2, 3):
        raise ConfigError("sbe_version", settings.sbe_version, "2, 3 (earlier schemas carry no whole trade id)")
    if settings.max_reconnect_attempts < 0:
        raise ConfigError("max_reconnect_attempts", settings.max_reconnect_attempts, "0 (for ever) or a count")
    if settings.token_refresh_s >= 290:
        raise ConfigError("token_refresh_s", settings.token_refresh_s, "less than 290: a token lives 300 s")


def _check_url(variable: str, url: str, environment: Environment, *, secure: str, plain: str) -> None:
    """TLS off loopback, a host, and a host that belongs to the environment."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in (secure, plain) or not host:
        raise ConfigError(variable, url, f"{secure}://host/v1 (or {plain}:// on loopback)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(variable, f"{parts.scheme}://{host}...", "an address without user, password, query or fragment")
    loopback = host in _LOOPBACK
    if parts.scheme == plain and not loopback:
        raise ConfigError(variable, url, f"{secure}:// (plain {plain}:// is for loopback only)")
    _check_host(variable, host, environment, loopback=loopback)


def _check_host(variable: str, host: str, environment: Environment, *, loopback: bool) -> None:
    """Paradex's hosts belong to the environment in their name; anything else is a simulator."""
    paradex = host == _PARADEX_DOMAIN or host.endswith("." + _PARADEX_DOMAIN)
    if environment is Environment.SIMULATOR:
        if paradex:
            raise ConfigError(variable, host, "a simulator's host (PARADEX_ENVIRONMENT is simulator)")
        return
    if paradex and f".{environment}." in f".{host}":
        return
    if loopback and environment is Environment.TESTNET:
        return
    raise ConfigError(variable, host, f"a host of {environment}.{_PARADEX_DOMAIN} (PARADEX_ENVIRONMENT is {environment})")
