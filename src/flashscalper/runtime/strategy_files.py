"""Strategies by name (`scalper`) or from a person's own file (`my.py:MyStrategy`, `my.py:MyStrategy fast=12 slow=30`).

Importing a file runs it, so it is done here. What the class must have is checked in `strategies.loader`, before anything
trades with it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.markets import Market
from flashscalper.strategies.base import Strategy
from flashscalper.strategies.loader import build_strategy, check_class, check_values, find_class
from flashscalper.strategies.registry import STRATEGIES, create_strategy
from flashscalper.strategies.scalper_settings import ScalperSettings

_SUFFIX: Final = ".py"
_ACCEPTED: Final = "FILE.py:CLASS, its parameters behind it: `my.py:Cross fast=12 slow=30`"
_BEFORE_A_PARAMETER: Final = re.compile(r"\s+(?=[A-Za-z_]\w*=)")

Value = int | float | str
"""What a parameter may be set to."""


class StrategySource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a strategy comes from: a registered `name`, or the class `name` of `file`, which had this content, with
    `values` for its parameters."""

    name: str
    file: str = ""
    sha256: str = ""
    values: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        """As it was named, without the way to the file."""
        named = f"{Path(self.file).name}:{self.name}" if self.file else self.name
        return " ".join((named, *(f"{name}={value}" for name, value in self.values)))

    def create(self, scalper: ScalperSettings, market: Market) -> Strategy:
        """One instance for one market. Raises ConfigError when there is no such strategy, or its file has changed."""
        if not self.file:
            return create_strategy(self.name, scalper, market)
        return build_strategy(_load(self.file, self.name, self.sha256), market, dict(self.values))


def find_strategy(text: str) -> StrategySource:
    """The strategy that `text` names; a file is imported, its class and the values for its parameters are checked.

    Raises ConfigError with what is accepted.
    """
    head, *pairs = _BEFORE_A_PARAMETER.split(text.strip())
    values = tuple(_value_of(pair) for pair in pairs)
    file, colon, name = head.rpartition(":")
    if not colon:
        if head not in STRATEGIES:
            raise ConfigError("strategy", head, f"{', '.join(STRATEGIES)}, or {_ACCEPTED}")
        if values:
            raise ConfigError("strategy", text, f"{head} alone: its settings are those of [scalper]")
        return StrategySource(name=head)
    if not file.endswith(_SUFFIX) or not name.isidentifier():
        raise ConfigError("strategy", text, _ACCEPTED)
    path = Path(file).expanduser().resolve()
    source = StrategySource(name=name, file=str(path), sha256=_digest(path), values=values)
    check_values(_load(source.file, source.name, source.sha256), dict(values))
    return source


def _value_of(pair: str) -> tuple[str, Value]:
    """`fast=12` as a name and a number, or a word where it is none."""
    name, _, text = pair.partition("=")
    for kind in (int, float):
        try:
            return name, kind(text)
        except ValueError:
            continue
    return name, text


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
