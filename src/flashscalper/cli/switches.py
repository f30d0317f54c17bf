"""`--set NAME=VALUE`: any switch of the simulated exchange's protocol or rules, checked against both schemas."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec.structs import fields

from flashscalper.model.errors import ConfigError
from flashscalper.simulator.paradex_server.settings import ServerSettings
from flashscalper.simulator.rules import ExchangeRules

_NOT_FROM_OUTSIDE: Final = frozenset({"jwt_secret", "verify_signatures", "base_url", "balance"})
"""Settings that are made here, or have an option of their own."""

_SETTINGS: Final = {field.name: field.type for field in fields(ServerSettings) if field.name not in _NOT_FROM_OUTSIDE}
_RULES: Final = {field.name: field.type for field in fields(ExchangeRules)}


class Switches(msgspec.Struct, frozen=True):
    """What was set, by name, as values of the right types."""

    settings: dict[str, Any] = {}
    rules: dict[str, Any] = {}


def parse_switches(assignments: Sequence[str]) -> Switches:
    """`NAME=VALUE` texts as switches; a later one overrules. Raises ConfigError naming the nearest known or the type."""
    switches = Switches()
    for text in assignments:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign:
            raise ConfigError("set", text, "NAME=VALUE")
        if name in _SETTINGS:
            switches.settings[name] = _value(name, value, _SETTINGS[name])
        elif name in _RULES:
            switches.rules[name] = _value(name, value, _RULES[name])
        else:
            known = sorted(_SETTINGS | _RULES)
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            raise ConfigError("set", name, " or ".join(near) + " (nearest known)" if near else ", ".join(known))
    return switches


def _value(name: str, text: str, type_: Any) -> Any:
    """A value as its switch has it; lists are separated by commas."""
    seen: object = [part.strip() for part in text.split(",") if part.strip()] if type_ == frozenset[str] else text
    try:
        return msgspec.convert(seen, type_, strict=False)
    except msgspec.ValidationError:
        raise ConfigError(name, text, _words(type_)) from None


def _words(type_: Any) -> str:
    """What a switch accepts, for a person."""
    if isinstance(type_, type) and issubclass(type_, StrEnum):
        return ", ".join(type_)
    return {bool: "true or false", int: "a whole number", Decimal: "a number", str: "a text"}.get(type_, "a list: a,b,c")
