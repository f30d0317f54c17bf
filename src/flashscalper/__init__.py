"""FlashScalper: scalp perpetual futures on decentralised exchanges, Paradex first.

The public names below are imported when they are first used, so that `import flashscalper` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "ExchangeFactory": "flashscalper.runtime.clients.factory",
    "ExchangeRestClient": "flashscalper.runtime.clients.rest_client",
    "KlineBuilder": "flashscalper.market.klines",
    "ParadexRestClient": "flashscalper.runtime.clients.rest_client",
    "ParadexWebSocketClient": "flashscalper.runtime.clients.ws_client",
    "RunArtifacts": "flashscalper.runtime.artifacts",
    "SymbolMapper": "flashscalper.market.symbols",
}

__all__ = [
    "ExchangeFactory",
    "ExchangeRestClient",
    "KlineBuilder",
    "ParadexRestClient",
    "ParadexWebSocketClient",
    "RunArtifacts",
    "SymbolMapper",
    "__version__",
]

if TYPE_CHECKING:
    from flashscalper.market.klines import KlineBuilder
    from flashscalper.market.symbols import SymbolMapper
    from flashscalper.runtime.artifacts import RunArtifacts
    from flashscalper.runtime.clients.factory import ExchangeFactory
    from flashscalper.runtime.clients.rest_client import ExchangeRestClient, ParadexRestClient
    from flashscalper.runtime.clients.ws_client import ParadexWebSocketClient


def __getattr__(name: str) -> object:
    """Import a public name from its home."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'flashscalper' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
