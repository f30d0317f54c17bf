"""Which exchanges there are: one line for each."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flashscalper.exchanges.base import ExchangeClient

CLIENTS: Final[Mapping[str, Callable[..., ExchangeClient]]] = MappingProxyType({"paradex": ParadexClient})
"""Exchange name -> what constructs its client; each takes its own settings first, then dice and credentials."""


def supported_exchanges() -> tuple[str, ...]:
    """Every exchange name, as the variable EXCHANGE takes it."""
    return tuple(CLIENTS)


def client_constructor(name: str) -> Callable[..., ExchangeClient]:
    """The constructor of the exchange called `name`. Raises ConfigError naming what is supported."""
    constructor = CLIENTS.get(name.strip().lower())
    if constructor is None:
        raise ConfigError("EXCHANGE", name, ", ".join(CLIENTS))
    return constructor
