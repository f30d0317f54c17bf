"""`ExchangeFactory`: a client for scripts from an exchange's name, from credentials or from the environment.

Adding an exchange is adding one line to `_BUILDERS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.rest_client import ExchangeRestClient, ParadexRestClient
from flashscalper.runtime.credentials import Credentials, check_acknowledged, paradex_credentials, value_of

DEFAULT_EXCHANGE: Final = "paradex"
DEFAULT_ENVIRONMENT: Final = "testnet"

_Builder = Callable[[str, Credentials, Mapping[str, str]], ExchangeRestClient]


def _paradex(environment: str, credentials: Credentials, variables: Mapping[str, str]) -> ExchangeRestClient:
    check_acknowledged(credentials, environment, variables.get("LIVE_ACK", ""))
    return ParadexRestClient.for_environment(
        environment,
        credentials,
        rest_url=value_of(variables, "PARADEX_REST_URL"),
        ws_url=value_of(variables, "PARADEX_WS_URL"),
    )


_BUILDERS: Final[Mapping[str, _Builder]] = MappingProxyType({"paradex": _paradex})
_FROM_ENVIRONMENT: Final[Mapping[str, Callable[[Mapping[str, str]], Credentials]]] = MappingProxyType(
    {"paradex": paradex_credentials}
)


class ExchangeFactory:
    """Makes `ExchangeRestClient`s. Every call raises ConfigError naming the field for what it cannot use.

    `variables` stands for the process environment in all of them, where one is read.
    """

    @staticmethod
    def supported_exchanges() -> tuple[str, ...]:
        """Names that `create` takes."""
        return tuple(_BUILDERS)

    @staticmethod
    def is_supported(exchange: str) -> bool:
        """Whether `create` takes this name (in any case)."""
        return exchange.strip().lower() in _BUILDERS

    @staticmethod
    def create(
        exchange: str,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        credentials: Credentials | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> ExchangeRestClient:
        """A client of `exchange`; without credentials it makes public calls only.

        Addresses (`PARADEX_REST_URL`, `PARADEX_WS_URL`) and `LIVE_ACK` are read from the environment.
        """
        name = exchange.strip().lower()
        builder = _BUILDERS.get(name)
        if builder is None:
            raise ConfigError("EXCHANGE", exchange, ", ".join(_BUILDERS))
        return builder(environment, credentials or Credentials(), os.environ if variables is None else variables)

    @classmethod
    def create_from_env(cls, variables: Mapping[str, str] | None = None) -> ExchangeRestClient:
        """A client as the environment says: `EXCHANGE` (paradex), `PARADEX_ENVIRONMENT` (testnet), `PARADEX_API_KEY`,
        `PARADEX_SECRET_KEY`, `PARADEX_BEARER_TOKEN` or their `_FILE` forms, and the addresses.
        """
        variables = os.environ if variables is None else variables
        exchange = value_of(variables, "EXCHANGE") or DEFAULT_EXCHANGE
        read_credentials = _FROM_ENVIRONMENT.get(exchange.lower())
        if read_credentials is None:
            raise ConfigError("EXCHANGE", exchange, ", ".join(_BUILDERS))
        environment = value_of(variables, f"{exchange.upper()}_ENVIRONMENT") or DEFAULT_ENVIRONMENT
        return cls.create(exchange, environment=environment, credentials=read_credentials(variables), variables=variables)

    @classmethod
    def create_from_credentials(
        cls,
        exchange: str,
        api_key: str = "",
        secret_key: str | Secret = "",
        bearer_token: str | Secret = "",
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        variables: Mapping[str, str] | None = None,
    ) -> ExchangeRestClient:
        """A client that signs in with these: on Paradex the account's address, a Stark private key, a ready-made token."""
        credentials = Credentials(account=api_key, secret_key=_secret(secret_key), bearer_token=_secret(bearer_token))
        if not credentials.private:
            raise ConfigError("credentials", "none", "a secret_key or a bearer_token; `create` makes a public client")
        return cls.create(exchange, environment=environment, credentials=credentials, variables=variables)


def _secret(value: str | Secret) -> Secret | None:
    secret = value if isinstance(value, Secret) else Secret(value)
    return secret or None
