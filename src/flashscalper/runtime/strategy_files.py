"""Strategies by name (`scalper`) or from a person's own file (`my.py:MyStrategy`).

Importing a file runs it, so it is done here. What the class must have is checked in `strategies.loader`, before anything
trades with it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market
from flashscalper.strategies.base import Strategy
from flashscalper.strategies.loader import build_strategy, check_class, find_class
from flashscalper.strategies.registry import STRATEGIES, create_strategy
from flashscalper.strategies.scalper_settings import ScalperSettings

_SUFFIX: Final = ".py"


class StrategySource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a strategy comes from: a registered `name`, or the class `name` of `file`, which had this content."""

    name: str
    file: str = ""
    sha256: str = ""

    def create(self, scalper: ScalperSettings, market: Market) -> Strategy:
        """One instance for one market. Raises ConfigError when there is no such strategy, or its file has changed."""
        if not self.file:
            return create_strategy(self.name, scalper, market)
        return build_strategy(_load(self.file, self.name, self.sha256), market)


def find_strategy(text: str) -> StrategySource:
    """The strategy that `text` names; a file is imported and its class checked. Raises ConfigError with what is accepted."""
    file, colon, name = text.rpartition(":")
    if not colon:
        if text not in STRATEGIES:
            raise ConfigError("strategy", text, f"{', '.join(STRATEGIES)}, or FILE.py:CLASS")
        return StrategySource(name=text)
    if not file.endswith(_SUFFIX) or not name.isidentifier():
        raise ConfigError("strategy", text, "FILE.py:CLASS")
    path = Path(file).expanduser().resolve()
    source = StrategySource(name=name, file=str(path), sha256=_digest(path))
    _load(source.file, source.name, source.sha256)
    return source


@lru_cache(maxsize=16)
def _load(file: str, name: str, sha256: str) -> type:
    path = Path(file)
    if _digest(path) != sha256:
        raise ConfigError("strategy", file, "the file as it was then; it has been changed since")
    found = find_class(_import(path), name)
    check_class(found)
    return found


def _import(path: Path) -> ModuleType:
    """The module of a file; its folder can be imported from while it runs, so that a strategy may have parts."""
    specification = importlib.util.spec_from_file_location(f"own_strategy_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(path.parent))
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module.__name__]
        raise ConfigError("strategy", str(path), f"a file that can be imported ({type(error).__name__}: {error})") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError("strategy", str(path), f"a readable file ({error.strerror})") from None
