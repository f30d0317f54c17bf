"""Strategies by name. Adding one is adding a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market
from flashscalper.strategies.base import Strategy
from flashscalper.strategies.scalper import Scalper
from flashscalper.strategies.scalper_settings import ScalperSettings

STRATEGIES: Final[Mapping[str, Callable[[ScalperSettings, Market], Strategy]]] = MappingProxyType({"scalper": Scalper})


def create_strategy(name: str, settings: ScalperSettings, market: Market) -> Strategy:
    """One instance for one market; `settings` are validated first. An unknown name is a ConfigError with the known ones."""
    make = STRATEGIES.get(name)
    if make is None:
        raise ConfigError("strategy", name, f"{', '.join(STRATEGIES)}, or FILE.py:CLASS")
    settings.validate()
    return make(settings, market)
