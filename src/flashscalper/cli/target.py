"""Which Paradex a verb talks to: the environment's variables and `.env`, `--environment`, or `--url` for a simulator."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom
from typing import Final
from urllib.parse import urlsplit

import msgspec

from flashscalper.cli.config import read_dotenv
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import new_private_key
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.addresses import is_loopback
from flashscalper.runtime.clients.paradex_rest import ParadexRest
from flashscalper.runtime.clients.rest_client import scripted_settings
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.credentials import (
    DATABASE_VARIABLE,
    DEFAULT_ENVIRONMENT,
    ENVIRONMENT_VARIABLE,
    KEY_VARIABLES,
    TOKEN_VARIABLES,
    Credentials,
    forget_secrets,
    paradex_credentials,
    value_of,
)
from flashscalper.runtime.private_files import read_private

DOTENV: Final = ".env"
_SECRETS: Final = frozenset({*KEY_VARIABLES, *TOKEN_VARIABLES, DATABASE_VARIABLE})


class Target(msgspec.Struct, frozen=True):
    """Where a verb connects, and the variables it may read. `by_url` is a simulator that `--url` named."""

    settings: ParadexSettings
    variables: Mapping[str, str]
    by_url: bool

    def __repr__(self) -> str:
        return f"Target({self.settings!r}, variables={sorted(self.variables)}, by_url={self.by_url})"  # values hold keys

    @property
    def environment(self) -> Environment:
        """testnet, prod or simulator."""
        return self.settings.environment

    def credentials(self) -> Credentials:
        """What the variables say; for a simulator that `--url` names, a key that nobody else has and nobody needs.

        Takes the secrets out of the process environment, which child processes would inherit.
        """
        forget_secrets(os.environ)
        named = self.variables.get(ENVIRONMENT_VARIABLE, "").strip() == Environment.SIMULATOR
        if self.by_url and not named:
            return Credentials(secret_key=new_private_key(os.urandom(32)))
        return paradex_credentials(self.variables)

    @asynccontextmanager
    async def rest(self, credentials: Credentials | None = None) -> AsyncIterator[ParadexRest]:
        """A REST connection, closed at the end; without credentials for public calls only."""
        rest = ParadexRest(self.settings, credentials or Credentials(), WallClock(), SystemRandom())
        try:
            yield rest
        finally:
            await rest.aclose()


def find_target(*, url: str = "", environment: str = "", folder: Path | None = None, retail: bool = False) -> Target:
    """Where to connect, and in which fee class. `--url` beats the environment; ConfigError names what does not agree."""
    variables = read_variables(folder or Path())
    if url:
        rest_url, ws_url = simulator_addresses(url)
        if environment not in ("", Environment.SIMULATOR):
            raise ConfigError("--environment with --url", environment, Environment.SIMULATOR)
        settings = scripted_settings(Environment.SIMULATOR, rest_url=rest_url, ws_url=ws_url, interactive=retail)
        return Target(settings, variables, by_url=True)
    chosen = environment or value_of(variables, ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT
    settings = scripted_settings(
        chosen,
        rest_url=value_of(variables, "PARADEX_REST_URL"),
        ws_url=value_of(variables, "PARADEX_WS_URL"),
        interactive=retail,
    )
    return Target(settings, {**variables, ENVIRONMENT_VARIABLE: chosen}, by_url=False)


def simulator_addresses(url: str) -> tuple[str, str]:
    """REST and WebSocket address of a simulator from `http://127.0.0.1:8787`, with or without `/v1`."""
    parts = urlsplit(url.rstrip("/"))
    accepted = "a simulator's address on loopback, such as http://127.0.0.1:8787"
    if parts.scheme not in ("http", "https") or not is_loopback(parts.hostname or "") or parts.path not in ("", "/v1"):
        raise ConfigError("url", url, accepted)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("url", url, accepted)
    socket = "wss" if parts.scheme == "https" else "ws"
    return f"{parts.scheme}://{parts.netloc}/v1", f"{socket}://{parts.netloc}/v1"


def read_variables(folder: Path) -> dict[str, str]:
    """`.env` of the folder below the process environment. One that holds a key must be readable by its owner only."""
    file = folder / DOTENV
    below = read_dotenv(file)
    if any(below.get(name) for name in _SECRETS):
        read_private(DOTENV, file, in_git=True)
    return {**below, **os.environ}
